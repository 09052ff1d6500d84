//! Can an expression be NULL where none of its columns is?
//!
//! A CHECK that is NULL lets a row pass, on any placement. So a sharding expression decides where a row is only if it
//! is not NULL; for columns that are declared NOT NULL this module proves it from the functions that are called, of
//! which those are listed that answer every value with a value or an error.

use crate::pg::node::{cast, list_vec};
use pgrx::pg_sys;

/// Whether `node` is proved to be NULL only where one of its columns is.
///
/// # Safety
/// `node` is NULL or a valid expression.
pub(super) unsafe fn is_null_only_of_null(node: *mut pg_sys::Node) -> bool {
    use pg_sys::NodeTag as T;
    if node.is_null() {
        return false;
    }
    // SAFETY: as the caller vouches; structs are cast by their tags.
    unsafe {
        let all = |list: *mut pg_sys::List| {
            list_vec::<pg_sys::Node>(list).into_iter().all(|part| is_null_only_of_null(part))
        };
        match (*node).type_ {
            T::T_Var => true,
            T::T_Const => !(*node.cast::<pg_sys::Const>()).constisnull,
            T::T_NullTest | T::T_BooleanTest => true,
            T::T_OpExpr => {
                let operator = node.cast::<pg_sys::OpExpr>();
                always_answers(pg_sys::get_opcode((*operator).opno)) && all((*operator).args)
            }
            T::T_FuncExpr => {
                let function = node.cast::<pg_sys::FuncExpr>();
                always_answers((*function).funcid) && all((*function).args)
            }
            T::T_RelabelType => {
                is_null_only_of_null((*node.cast::<pg_sys::RelabelType>()).arg.cast())
            }
            T::T_BoolExpr => all((*node.cast::<pg_sys::BoolExpr>()).args),
            T::T_CoalesceExpr => {
                list_vec::<pg_sys::Node>((*node.cast::<pg_sys::CoalesceExpr>()).args)
                    .into_iter()
                    .any(|part| is_null_only_of_null(part))
            }
            T::T_CaseExpr => {
                let case = node.cast::<pg_sys::CaseExpr>();
                is_null_only_of_null((*case).defresult.cast())
                    && list_vec::<pg_sys::Node>((*case).args).into_iter().all(|when| {
                        cast::<pg_sys::CaseWhen, _>(when)
                            .is_some_and(|when| is_null_only_of_null(when.result.cast()))
                    })
            }
            _ => false,
        }
    }
}

/// Whether the function, given values, never returns NULL. By their OIDs, which PostgreSQL never gives to others.
fn always_answers(function: pg_sys::Oid) -> bool {
    ANSWERING.contains(&function.to_u32())
}

macro_rules! functions {
    ($($name:ident)*) => { &[$(pg_sys::$name),*] };
}

/// What sharding expressions are made of: arithmetic, comparisons, casts between numbers, hashes, parts of strings,
/// days. Not here because they can return NULL: extract() and date_part() (of infinity), substring() with a pattern.
const ANSWERING: &[u32] = functions! {
    F_ABS_INT2 F_ABS_INT4 F_ABS_INT8 F_ABS_NUMERIC F_ABS_FLOAT4 F_ABS_FLOAT8
    F_INT2ABS F_INT4ABS F_INT8ABS F_NUMERIC_ABS F_FLOAT4ABS F_FLOAT8ABS
    F_MOD_INT2_INT2 F_MOD_INT4_INT4 F_MOD_INT8_INT8 F_MOD_NUMERIC_NUMERIC
    F_INT2MOD F_INT4MOD F_INT8MOD F_NUMERIC_MOD
    F_INT2PL F_INT4PL F_INT8PL F_INT24PL F_INT42PL F_INT28PL F_INT82PL F_INT48PL F_INT84PL
    F_INT2MI F_INT4MI F_INT8MI F_INT24MI F_INT42MI F_INT28MI F_INT82MI F_INT48MI F_INT84MI
    F_INT2MUL F_INT4MUL F_INT8MUL F_INT24MUL F_INT42MUL F_INT28MUL F_INT82MUL F_INT48MUL F_INT84MUL
    F_INT2DIV F_INT4DIV F_INT8DIV F_INT24DIV F_INT42DIV F_INT28DIV F_INT82DIV F_INT48DIV F_INT84DIV
    F_INT2UM F_INT4UM F_INT8UM F_INT2UP F_INT4UP F_INT8UP
    F_INT2AND F_INT4AND F_INT8AND F_INT2OR F_INT4OR F_INT8OR F_INT2XOR F_INT4XOR F_INT8XOR
    F_INT2NOT F_INT4NOT F_INT8NOT F_INT2SHL F_INT4SHL F_INT8SHL F_INT2SHR F_INT4SHR F_INT8SHR
    F_GCD_INT4_INT4 F_GCD_INT8_INT8
    F_NUMERIC_ADD F_NUMERIC_SUB F_NUMERIC_MUL F_NUMERIC_DIV F_NUMERIC_DIV_TRUNC F_DIV
    F_NUMERIC_UMINUS F_NUMERIC_UPLUS F_FLOOR_NUMERIC F_CEIL_NUMERIC F_CEILING_NUMERIC
    F_ROUND_NUMERIC F_ROUND_NUMERIC_INT4 F_TRUNC_NUMERIC F_TRUNC_NUMERIC_INT4 F_SIGN_NUMERIC
    F_NUMERIC_NUMERIC_INT4
    F_FLOOR_FLOAT8 F_CEIL_FLOAT8 F_CEILING_FLOAT8 F_ROUND_FLOAT8 F_TRUNC_FLOAT8 F_SIGN_FLOAT8
    F_INT2_INT4 F_INT2_INT8 F_INT2_NUMERIC F_INT2_FLOAT4 F_INT2_FLOAT8
    F_INT4_INT2 F_INT4_INT8 F_INT4_NUMERIC F_INT4_FLOAT4 F_INT4_FLOAT8 F_INT4_BOOL F_INT4_CHAR
    F_INT8_INT2 F_INT8_INT4 F_INT8_NUMERIC F_INT8_FLOAT4 F_INT8_FLOAT8
    F_NUMERIC_INT2 F_NUMERIC_INT4 F_NUMERIC_INT8 F_NUMERIC_FLOAT4 F_NUMERIC_FLOAT8
    F_FLOAT8_INT2 F_FLOAT8_INT4 F_FLOAT8_INT8 F_FLOAT8_NUMERIC F_FLOAT8_FLOAT4 F_BOOL_INT4
    F_INT2EQ F_INT4EQ F_INT8EQ F_INT24EQ F_INT42EQ F_INT28EQ F_INT82EQ F_INT48EQ F_INT84EQ
    F_INT2NE F_INT4NE F_INT8NE F_INT24NE F_INT42NE F_INT28NE F_INT82NE F_INT48NE F_INT84NE
    F_INT2LT F_INT4LT F_INT8LT F_INT24LT F_INT42LT F_INT28LT F_INT82LT F_INT48LT F_INT84LT
    F_INT2LE F_INT4LE F_INT8LE F_INT24LE F_INT42LE F_INT28LE F_INT82LE F_INT48LE F_INT84LE
    F_INT2GT F_INT4GT F_INT8GT F_INT24GT F_INT42GT F_INT28GT F_INT82GT F_INT48GT F_INT84GT
    F_INT2GE F_INT4GE F_INT8GE F_INT24GE F_INT42GE F_INT28GE F_INT82GE F_INT48GE F_INT84GE
    F_NUMERIC_EQ F_NUMERIC_NE F_NUMERIC_LT F_NUMERIC_LE F_NUMERIC_GT F_NUMERIC_GE
    F_TEXTEQ F_TEXTNE F_TEXT_LT F_TEXT_LE F_TEXT_GT F_TEXT_GE F_BPCHAREQ F_BPCHARNE
    F_BOOLEQ F_BOOLNE F_DATE_EQ F_DATE_NE F_DATE_LT F_DATE_LE F_DATE_GT F_DATE_GE F_UUID_EQ F_UUID_NE
    F_TIMESTAMP_LT F_TIMESTAMP_LE F_TIMESTAMP_GT F_TIMESTAMP_GE
    F_TIMESTAMPTZ_LT F_TIMESTAMPTZ_LE F_TIMESTAMPTZ_GT F_TIMESTAMPTZ_GE
    F_HASHTEXT F_HASHTEXTEXTENDED F_HASHBPCHAR F_HASHBPCHAREXTENDED F_HASHCHAR F_HASHCHAREXTENDED
    F_HASHINT2 F_HASHINT2EXTENDED F_HASHINT4 F_HASHINT4EXTENDED F_HASHINT8 F_HASHINT8EXTENDED
    F_HASHNAME F_HASHNAMEEXTENDED F_HASHENUM F_HASHENUMEXTENDED
    F_HASHFLOAT4 F_HASHFLOAT4EXTENDED F_HASHFLOAT8 F_HASHFLOAT8EXTENDED
    F_HASHVARLENA F_HASHVARLENAEXTENDED F_HASHINET F_HASHINETEXTENDED
    F_HASHMACADDR F_HASHMACADDREXTENDED F_HASHMACADDR8 F_HASHMACADDR8EXTENDED
    F_HASH_NUMERIC F_HASH_NUMERIC_EXTENDED F_HASH_ARRAY F_HASH_ARRAY_EXTENDED
    F_UUID_HASH F_UUID_HASH_EXTENDED F_INTERVAL_HASH F_INTERVAL_HASH_EXTENDED
    F_TIMESTAMP_HASH F_TIMESTAMP_HASH_EXTENDED F_TIME_HASH F_TIME_HASH_EXTENDED
    F_JSONB_HASH F_JSONB_HASH_EXTENDED
    F_LOWER_TEXT F_UPPER_TEXT F_INITCAP F_TEXTCAT F_LEFT F_RIGHT F_REPLACE F_TRANSLATE
    F_SUBSTR_TEXT_INT4 F_SUBSTR_TEXT_INT4_INT4 F_SUBSTRING_TEXT_INT4 F_SUBSTRING_TEXT_INT4_INT4
    F_SUBSTR_BYTEA_INT4 F_SUBSTR_BYTEA_INT4_INT4 F_SUBSTRING_BYTEA_INT4 F_SUBSTRING_BYTEA_INT4_INT4
    F_SPLIT_PART F_BTRIM_TEXT F_BTRIM_TEXT_TEXT F_LTRIM_TEXT F_LTRIM_TEXT_TEXT F_RTRIM_TEXT F_RTRIM_TEXT_TEXT
    F_LENGTH_TEXT F_LENGTH_BPCHAR F_LENGTH_BYTEA F_CHAR_LENGTH_TEXT F_CHAR_LENGTH_BPCHAR
    F_CHARACTER_LENGTH_TEXT F_CHARACTER_LENGTH_BPCHAR
    F_OCTET_LENGTH_TEXT F_OCTET_LENGTH_BPCHAR F_OCTET_LENGTH_BYTEA F_ASCII F_MD5_TEXT F_MD5_BYTEA
    F_TEXT_BPCHAR F_TEXT_NAME F_TEXT_CHAR F_TEXT_BOOL F_CHAR_TEXT F_BPCHAR_BPCHAR_INT4_BOOL
    F_GET_BYTE F_SHA224 F_SHA256 F_SHA384 F_SHA512
    F_DATE_PLI F_DATE_MII F_DATE_TIMESTAMP F_DATE_TRUNC_TEXT_TIMESTAMP F_TIMESTAMP_DATE
};

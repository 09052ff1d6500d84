//! Reading expression trees: casts that change nothing, which functions an expression calls.

use crate::pg::attempt::Trust;
use crate::pg::node::{any_node, cast};
use pgrx::pg_sys;
use std::ffi::c_void;

/// The expression below casts that leave the value as it is, bit by bit: between binary-compatible types of
/// variable length, and between a domain and its base type. Casts between by-value types (int4 to oid) are left: the
/// same bits are another Datum there.
///
/// # Safety
/// `node` is a valid expression.
pub unsafe fn strip_casts(mut node: *mut pg_sys::Node) -> *mut pg_sys::Node {
    // SAFETY: as the caller vouches; type OIDs in a valid expression exist.
    unsafe {
        while let Some(relabel) = cast::<pg_sys::RelabelType, _>(node) {
            let inner = relabel.arg.cast::<pg_sys::Node>();
            let from = pg_sys::getBaseType(pg_sys::exprType(inner));
            let to = pg_sys::getBaseType(relabel.resulttype);
            if from != to && !(is_varlena(from) && is_varlena(to)) {
                break;
            }
            node = inner;
        }
        node
    }
}

/// # Safety
/// `type_oid` is a type's OID.
unsafe fn is_varlena(type_oid: pg_sys::Oid) -> bool {
    // SAFETY: as the caller vouches.
    unsafe { pg_sys::get_typlen(type_oid) == -1 }
}

/// Whether evaluating `node` runs only immutable built-in C functions.
///
/// # Safety
/// `node` is a valid expression without subqueries.
pub unsafe fn trust_of(node: *mut pg_sys::Node) -> Trust {
    // SAFETY: as the caller vouches; `is_foreign` gets valid nodes.
    let foreign = unsafe { any_node(node, &mut |node| is_foreign(node)) };
    if foreign { Trust::Arbitrary } else { Trust::Builtin }
}

/// Whether this node (not those below it) may run code which is not PostgreSQL's own.
unsafe fn is_foreign(node: *mut pg_sys::Node) -> bool {
    use pg_sys::NodeTag as T;
    // SAFETY: the caller hands a valid node; the struct is cast by its tag.
    unsafe {
        match (*node).type_ {
            T::T_Var
            | T::T_Const
            | T::T_OpExpr
            | T::T_DistinctExpr
            | T::T_NullIfExpr
            | T::T_ScalarArrayOpExpr
            | T::T_BoolExpr
            | T::T_FuncExpr
            | T::T_RelabelType
            | T::T_CoerceViaIO
            | T::T_ArrayCoerceExpr
            | T::T_CaseExpr
            | T::T_CaseWhen
            | T::T_CaseTestExpr
            | T::T_CoalesceExpr
            | T::T_ArrayExpr
            | T::T_NullTest
            | T::T_BooleanTest
            | T::T_List => {}
            // Calls the type's comparison function, which check_functions_in_node does not see.
            T::T_MinMaxExpr if is_builtin_oid((*node.cast::<pg_sys::MinMaxExpr>()).minmaxtype) => {}
            _ => return true,
        }
        pg_sys::check_functions_in_node(node, Some(is_foreign_function), std::ptr::null_mut())
    }
}

/// Whether initdb gave this OID: the object came with PostgreSQL.
fn is_builtin_oid(oid: pg_sys::Oid) -> bool {
    oid.to_u32() < pg_sys::FirstGenbkiObjectId
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn is_foreign_function(
    function: pg_sys::Oid,
    _context: *mut c_void,
) -> bool {
    if !is_builtin_oid(function) {
        return true;
    }
    // SAFETY: looks a pg_proc row up and releases it; GETSTRUCT of a valid tuple.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::PROCOID as i32,
            pg_sys::Datum::from(function),
        );
        if tuple.is_null() {
            return true;
        }
        let form = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_proc>();
        // Some of PostgreSQL's own functions are written in SQL: those run statements.
        let foreign = (*form).prolang != pg_sys::Oid::from(INTERNAL_LANGUAGE)
            || (*form).provolatile as u8 != pg_sys::PROVOLATILE_IMMUTABLE;
        pg_sys::ReleaseSysCache(tuple);
        foreign
    }
}

/// pg_language's OID of `internal` (INTERNALlanguageId).
const INTERNAL_LANGUAGE: u32 = 12;

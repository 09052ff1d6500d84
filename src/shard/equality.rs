//! When `column = constant` means that the column's value IS the constant, bit by bit.
//!
//! Only then may another function of the column be evaluated at the constant. Equality that is looser than identity
//! (numeric 1.0 = 1.00, citext, case-insensitive collations, -0.0 = 0.0, blank-padded char) pins nothing.

use super::exact::{self, Equal};
use super::expression::strip_casts;
use super::pin::{Candidates, MAX_CANDIDATES, Value};
use crate::pg::node::{cast, list_vec};
use pgrx::pg_sys;
use std::ffi::CStr;

/// Support function 4 of btree: "equal values have equal images" (nbtree.h, BTEQUALIMAGE_PROC).
const EQUAL_IMAGE_PROC: i16 = 4;
/// access/stratnum.h, BTEqualStrategyNumber.
const EQUAL_STRATEGY: i32 = 3;

/// How the column appears on its side of the operator.
enum Shape {
    /// As itself.
    Plain,
    /// `integer::numeric`.
    IntegerToNumeric,
    /// `integer::double precision`.
    IntegerToFloat,
}

/// One side of an equality: a column.
pub struct Operand {
    /// Its attribute number.
    pub attno: i16,
    shape: Shape,
    /// The base type of the column.
    column_type: pg_sys::Oid,
    /// The base type that the operator sees.
    seen_type: pg_sys::Oid,
}

impl Operand {
    /// Reads `node` as a column of relation `relid`.
    ///
    /// # Safety
    /// `node` is a valid expression.
    pub unsafe fn read(node: *mut pg_sys::Node, relid: u32) -> Option<Operand> {
        // SAFETY: as the caller vouches; nodes are cast by their tags.
        unsafe {
            let mut inner = strip_casts(node);
            let mut shape = Shape::Plain;
            if let Some(call) = cast::<pg_sys::FuncExpr, _>(inner) {
                shape = match call.funcid.to_u32() {
                    pg_sys::F_NUMERIC_INT2 | pg_sys::F_NUMERIC_INT4 | pg_sys::F_NUMERIC_INT8 => {
                        Shape::IntegerToNumeric
                    }
                    pg_sys::F_FLOAT8_INT2 | pg_sys::F_FLOAT8_INT4 | pg_sys::F_FLOAT8_INT8 => {
                        Shape::IntegerToFloat
                    }
                    _ => return None,
                };
                inner = strip_casts(list_vec(call.args).first().copied()?);
            }
            let var = cast::<pg_sys::Var, _>(inner)?;
            if var.varno as u32 != relid || var.varlevelsup != 0 || var.varattno <= 0 {
                return None;
            }
            Some(Operand {
                attno: var.varattno,
                shape,
                column_type: pg_sys::getBaseType(var.vartype),
                seen_type: pg_sys::getBaseType(pg_sys::exprType(node)),
            })
        }
    }

    /// The type by which the operator compares.
    pub fn seen_type(&self) -> pg_sys::Oid {
        self.seen_type
    }

    /// Whether the operator is an equality of the type's default order.
    ///
    /// # Safety
    /// To be called inside a transaction.
    pub unsafe fn is_equality(&self, operator: pg_sys::Oid) -> bool {
        // SAFETY: catalog look-ups; the cache entry lives as long as the backend.
        unsafe {
            let entry =
                pg_sys::lookup_type_cache(self.seen_type, pg_sys::TYPECACHE_BTREE_OPFAMILY as i32);
            (*entry).btree_opf != pg_sys::InvalidOid
                && pg_sys::get_op_opfamily_strategy(operator, (*entry).btree_opf) == EQUAL_STRATEGY
        }
    }

    /// A set of values of this column.
    ///
    /// # Safety
    /// To be called inside a transaction.
    pub unsafe fn candidates(&self, values: Vec<Value>) -> Candidates {
        let (mut len, mut by_value) = (0, false);
        // SAFETY: the column's type exists.
        unsafe { pg_sys::get_typlenbyval(self.column_type, &mut len, &mut by_value) };
        Candidates::new(values, len, by_value)
    }

    /// The values this column can have when it equals one of `constants` (of type `constant_type`, no NULLs among
    /// them) by `operator` under `collation`; `None` when nothing is proved.
    ///
    /// # Safety
    /// The constants are values of that type, in memory that outlives the result.
    pub unsafe fn equal_to(
        &self,
        operator: pg_sys::Oid,
        collation: pg_sys::Oid,
        constant_type: pg_sys::Oid,
        constants: &[pg_sys::Datum],
    ) -> Option<Candidates> {
        if constants.len() > MAX_CANDIDATES {
            return None;
        }
        // SAFETY: as the caller vouches.
        unsafe {
            let constant_type = pg_sys::getBaseType(constant_type);
            let entry =
                pg_sys::lookup_type_cache(self.seen_type, pg_sys::TYPECACHE_BTREE_OPFAMILY as i32);
            let family = (*entry).btree_opf;
            if family == pg_sys::InvalidOid
                || pg_sys::get_op_opfamily_strategy(operator, family) != EQUAL_STRATEGY
            {
                return None;
            }
            let mut values = Vec::with_capacity(constants.len());
            match self.shape {
                Shape::Plain if is_integer(self.column_type) && is_integer(constant_type) => {
                    for &constant in constants {
                        let value = integer_of(constant, constant_type);
                        values.extend(integer_datum(value, self.column_type).map(Some));
                    }
                }
                Shape::Plain => {
                    if constant_type != self.seen_type
                        || !is_identity(entry, self.seen_type, collation)
                    {
                        return None;
                    }
                    let (mut len, mut by_value) = (0, false);
                    pg_sys::get_typlenbyval(constant_type, &mut len, &mut by_value);
                    values.extend(constants.iter().map(|&c| {
                        Some(if len == -1 {
                            pg_sys::Datum::from(pg_sys::pg_detoast_datum(c.cast_mut_ptr()))
                        } else {
                            c
                        })
                    }));
                }
                Shape::IntegerToNumeric | Shape::IntegerToFloat => {
                    for &constant in constants {
                        match number_of(constant, constant_type) {
                            Equal::One(value) => {
                                values.extend(integer_datum(value, self.column_type).map(Some));
                            }
                            Equal::None => {}
                            Equal::Unknown => return None,
                        }
                    }
                }
            }
            Some(self.candidates(values))
        }
    }
}

/// Whether values of a type that its default equality calls equal are the same, bit by bit, under `collation`.
pub fn equal_is_same(type_oid: pg_sys::Oid, collation: pg_sys::Oid) -> bool {
    // SAFETY: catalog look-ups; the cache entry lives as long as the backend.
    unsafe {
        let base = pg_sys::getBaseType(type_oid);
        let entry = pg_sys::lookup_type_cache(base, pg_sys::TYPECACHE_BTREE_OPFAMILY as i32);
        (*entry).btree_opf != pg_sys::InvalidOid && is_identity(entry, base, collation)
    }
}

/// Whether the default btree equality of a type is identity under `collation`.
unsafe fn is_identity(
    entry: *mut pg_sys::TypeCacheEntry,
    seen_type: pg_sys::Oid,
    collation: pg_sys::Oid,
) -> bool {
    // Says to have equal images, but 'a' = 'a ' while a char(2) column stores the latter.
    if seen_type == pg_sys::BPCHAROID {
        return false;
    }
    // SAFETY: looks the type up.
    let collatable = unsafe { pg_sys::get_typcollation(seen_type) } != pg_sys::InvalidOid;
    if collatable && collation == pg_sys::InvalidOid {
        // An undetermined collation: the comparison itself will complain, should it ever run.
        return false;
    }
    // SAFETY: the entry is the type cache's; the function is called as nbtree's _bt_allequalimage does.
    unsafe {
        let input = (*entry).btree_opintype;
        let procedure =
            pg_sys::get_opfamily_proc((*entry).btree_opf, input, input, EQUAL_IMAGE_PROC);
        procedure != pg_sys::InvalidOid
            && pg_sys::OidFunctionCall1Coll(procedure, collation, pg_sys::Datum::from(input))
                .value()
                != 0
    }
}

fn is_integer(type_oid: pg_sys::Oid) -> bool {
    matches!(type_oid, pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID)
}

/// The value of an integer Datum; the types are checked by the caller.
fn integer_of(datum: pg_sys::Datum, type_oid: pg_sys::Oid) -> i64 {
    let word = datum.value();
    match type_oid {
        pg_sys::INT2OID => i64::from(word as i16),
        pg_sys::INT4OID => i64::from(word as i32),
        _ => word as i64,
    }
}

/// `value` as a Datum of an integer type; `None` when it does not fit: no row can have it.
fn integer_datum(value: i64, type_oid: pg_sys::Oid) -> Option<pg_sys::Datum> {
    match type_oid {
        pg_sys::INT2OID => i16::try_from(value).ok().map(pg_sys::Datum::from),
        pg_sys::INT4OID => i32::try_from(value).ok().map(pg_sys::Datum::from),
        _ => Some(pg_sys::Datum::from(value)),
    }
}

/// The integers equal to a numeric or float constant.
unsafe fn number_of(datum: pg_sys::Datum, type_oid: pg_sys::Oid) -> Equal {
    match type_oid {
        pg_sys::NUMERICOID => {
            // SAFETY: the caller vouches for the Datum; numeric_out gives a palloc'd C string.
            let text = unsafe {
                let printed = pg_sys::OidOutputFunctionCall(pg_sys::Oid::from(NUMERIC_OUT), datum);
                let text = CStr::from_ptr(printed).to_string_lossy().into_owned();
                pg_sys::pfree(printed.cast());
                text
            };
            exact::to_numeric(&text)
        }
        pg_sys::FLOAT8OID => exact::to_float(f64::from_bits(datum.value() as u64)),
        pg_sys::FLOAT4OID => exact::to_float(f64::from(f32::from_bits(datum.value() as u32))),
        _ => Equal::Unknown,
    }
}

/// pg_proc's OID of numeric_out.
const NUMERIC_OUT: u32 = 1702;

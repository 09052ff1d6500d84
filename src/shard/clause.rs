//! A query's conditions as [`Pins`].

use super::equality::Operand;
use super::pin::{Pins, Value};
use crate::pg::node::{cast, is_a, list_vec};
use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag as T;

/// What the conjunction of `clauses` says about the columns `wanted` of the relation `relid` (a range-table
/// index).
///
/// A row for which a clause is NULL does not match, so only what makes a clause true is looked for.
///
/// # Safety
/// The clauses are valid expressions, simplified by the planner, and outlive the pins, as does the current memory
/// context.
pub unsafe fn read_clauses(
    clauses: impl IntoIterator<Item = *mut pg_sys::Node>,
    relid: u32,
    wanted: &dyn Fn(i16) -> bool,
) -> Pins {
    let reader = Reader { relid, wanted };
    clauses
        .into_iter()
        // SAFETY: as the caller vouches.
        .fold(Pins::anything(), |pins, clause| pins.and(unsafe { reader.clause(clause) }))
}

struct Reader<'a> {
    relid: u32,
    wanted: &'a dyn Fn(i16) -> bool,
}

impl Reader<'_> {
    /// # Safety
    /// `node` is a valid expression of type boolean.
    unsafe fn clause(&self, node: *mut pg_sys::Node) -> Pins {
        // SAFETY: as the caller vouches; nodes are cast by their tags.
        unsafe {
            if node.is_null() {
                return Pins::anything();
            }
            match (*node).type_ {
                T::T_BoolExpr => self.boolean(&*node.cast()),
                T::T_OpExpr => {
                    let op = &*node.cast::<pg_sys::OpExpr>();
                    self.equality(op.args, op.opno, op.inputcollid).unwrap_or_default()
                }
                T::T_ScalarArrayOpExpr => self.any(&*node.cast()).unwrap_or_default(),
                T::T_NullTest => {
                    let test = &*node.cast::<pg_sys::NullTest>();
                    if test.nulltesttype != pg_sys::NullTestType::IS_NULL || test.argisrow {
                        return Pins::anything();
                    }
                    self.column_is(test.arg.cast(), vec![None])
                }
                T::T_BooleanTest => self.boolean_test(&*node.cast()),
                T::T_Const => {
                    let constant = &*node.cast::<pg_sys::Const>();
                    if constant.constisnull || constant.constvalue.value() == 0 {
                        Pins::never()
                    } else {
                        Pins::anything()
                    }
                }
                T::T_Var | T::T_RelabelType => self.column_is(node, vec![bool_value(true)]),
                _ => Pins::anything(),
            }
        }
    }

    /// # Safety
    /// As `clause`.
    unsafe fn boolean(&self, expr: &pg_sys::BoolExpr) -> Pins {
        // SAFETY: as the caller vouches.
        unsafe {
            let arguments = list_vec(expr.args);
            match expr.boolop {
                pg_sys::BoolExprType::AND_EXPR => arguments
                    .into_iter()
                    .fold(Pins::anything(), |pins, arm| pins.and(self.clause(arm))),
                pg_sys::BoolExprType::OR_EXPR => {
                    arguments.into_iter().fold(Pins::never(), |pins, arm| pins.or(self.clause(arm)))
                }
                _ => {
                    let Some(&argument) = arguments.first() else { return Pins::anything() };
                    if is_a(argument, T::T_DistinctExpr) {
                        self.not_distinct(&*argument.cast()).unwrap_or_default()
                    } else {
                        self.column_is(argument, vec![bool_value(false)])
                    }
                }
            }
        }
    }

    /// `column` itself has one of these values (booleans, or NULL for any type).
    ///
    /// # Safety
    /// As `clause`.
    unsafe fn column_is(&self, node: *mut pg_sys::Node, values: Vec<Value>) -> Pins {
        // SAFETY: as the caller vouches. A cast of the column is NULL exactly when the column is.
        unsafe {
            match self.column(node) {
                Some(operand) => Pins::of(operand.attno, operand.candidates(values)),
                None => Pins::anything(),
            }
        }
    }

    /// # Safety
    /// As `clause`.
    unsafe fn column(&self, node: *mut pg_sys::Node) -> Option<Operand> {
        // SAFETY: as the caller vouches.
        unsafe { Operand::read(node, self.relid) }.filter(|operand| (self.wanted)(operand.attno))
    }

    /// # Safety
    /// As `clause`.
    unsafe fn boolean_test(&self, test: &pg_sys::BooleanTest) -> Pins {
        use pg_sys::BoolTestType as B;
        let values = match test.booltesttype {
            B::IS_TRUE => vec![bool_value(true)],
            B::IS_FALSE => vec![bool_value(false)],
            B::IS_UNKNOWN => vec![None],
            B::IS_NOT_TRUE => vec![bool_value(false), None],
            B::IS_NOT_FALSE => vec![bool_value(true), None],
            _ => vec![bool_value(true), bool_value(false)],
        };
        // SAFETY: as the caller vouches.
        unsafe { self.column_is(test.arg.cast(), values) }
    }

    /// `column = constant`, either way round.
    ///
    /// # Safety
    /// `args` are an operator's arguments.
    unsafe fn equality(
        &self,
        args: *mut pg_sys::List,
        operator: pg_sys::Oid,
        collation: pg_sys::Oid,
    ) -> Option<Pins> {
        // SAFETY: as the caller vouches.
        unsafe {
            let (operand, constant) = self.sides(args)?;
            if constant.constisnull {
                // Not yet simplified away; btree equality is strict.
                return None;
            }
            let candidates = operand.equal_to(
                operator,
                collation,
                constant.consttype,
                &[constant.constvalue],
            )?;
            Some(Pins::of(operand.attno, candidates))
        }
    }

    /// # Safety
    /// `args` are an operator's arguments.
    unsafe fn sides<'a>(&self, args: *mut pg_sys::List) -> Option<(Operand, &'a pg_sys::Const)> {
        // SAFETY: as the caller vouches.
        unsafe {
            let [left, right] = list_vec::<pg_sys::Node>(args)[..] else { return None };
            if let Some(constant) = cast(right) {
                return Some((self.column(left)?, constant));
            }
            Some((self.column(right)?, cast(left)?))
        }
    }

    /// `NOT (column IS DISTINCT FROM constant)`.
    ///
    /// # Safety
    /// As `clause`.
    unsafe fn not_distinct(&self, expr: &pg_sys::DistinctExpr) -> Option<Pins> {
        // SAFETY: as the caller vouches.
        unsafe {
            let (operand, constant) = self.sides(expr.args)?;
            if constant.constisnull {
                return Some(Pins::of(operand.attno, operand.candidates(vec![None])));
            }
            self.equality(expr.args, expr.opno, expr.inputcollid)
        }
    }

    /// `column = ANY (constant array)`.
    ///
    /// # Safety
    /// As `clause`.
    unsafe fn any(&self, expr: &pg_sys::ScalarArrayOpExpr) -> Option<Pins> {
        // SAFETY: as the caller vouches; a non-null Const of an array type holds an array.
        unsafe {
            let [left, right] = list_vec::<pg_sys::Node>(expr.args)[..] else { return None };
            if !expr.useOr {
                return None;
            }
            let operand = self.column(left)?;
            let array = cast::<pg_sys::Const, _>(right)?;
            if array.constisnull {
                return Some(Pins::never());
            }
            let array: *mut pg_sys::ArrayType =
                pg_sys::pg_detoast_datum(array.constvalue.cast_mut_ptr()).cast();
            let element_type = (*array).elemtype;
            let (mut len, mut by_value, mut align) = (0, false, 0);
            pg_sys::get_typlenbyvalalign(element_type, &mut len, &mut by_value, &mut align);
            let (mut values, mut nulls, mut count) =
                (std::ptr::null_mut(), std::ptr::null_mut(), 0);
            pg_sys::deconstruct_array(
                array,
                element_type,
                i32::from(len),
                by_value,
                align,
                &mut values,
                &mut nulls,
                &mut count,
            );
            // NULL elements match nothing.
            let constants: Vec<_> =
                (0..count as usize).filter(|&i| !*nulls.add(i)).map(|i| *values.add(i)).collect();
            let candidates =
                operand.equal_to(expr.opno, expr.inputcollid, element_type, &constants)?;
            Some(Pins::of(operand.attno, candidates))
        }
    }
}

fn bool_value(value: bool) -> Value {
    Some(pg_sys::Datum::from(value))
}

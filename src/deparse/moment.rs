//! Points in time. Most operators that mix `timestamp with time zone` with other types are only stable: they ask
//! the session's time zone, and the remote session has another one. Two frequent forms do not need it there:
//!
//! - `t < d`, where `d` is a date or a timestamp without a remote column in it: `d` is made a point in time here,
//!   as the operator would do it, and that is sent.
//! - `t + interval`, where the interval is a constant of hours and less: a day may have 23 hours, an hour is one.

use super::operand;
use super::safety::{Judge, Local};
use crate::pg::node;
use pgrx::pg_sys::{self, Const, FuncExpr, Node, Oid, OpExpr};

/// timestamptz(date), timestamptz(timestamp)
const FROM_DATE: Oid = Oid::from_u32(1174);
const FROM_TIMESTAMP: Oid = Oid::from_u32(2028);
/// timestamptz + interval, timestamptz - interval
const PLUS: Oid = Oid::from_u32(1189);
const MINUS: Oid = Oid::from_u32(1190);

/// Whether the operator, a stable one, comes to the same result on the remote server after all. Operands to be
/// sent as values are added to `judge.local`.
pub(super) unsafe fn is_steady(judge: &mut Judge<'_>, call: &OpExpr) -> bool {
    // SAFETY: the operands belong to the tree.
    unsafe {
        let args = node::list_vec::<Node>(call.args);
        let [left, right] = args.as_slice() else { return false };
        let function = pg_sys::get_opcode(call.opno);
        if function == PLUS || function == MINUS {
            return is_short(*right);
        }
        if !super::shippable::is_builtin(call.opno) || call.opresulttype != pg_sys::BOOLOID {
            return false;
        }
        if super::safety::plain_operator(call.opno, &["<", "<=", "=", ">=", ">", "<>"]).is_err() {
            return false;
        }
        match (pg_sys::exprType(*left), pg_sys::exprType(*right)) {
            (pg_sys::TIMESTAMPTZOID, other) => send_as_moment(judge, *right, other),
            (other, pg_sys::TIMESTAMPTZOID) => send_as_moment(judge, *left, other),
            _ => false,
        }
    }
}

unsafe fn send_as_moment(judge: &mut Judge<'_>, operand: *mut Node, type_oid: Oid) -> bool {
    let function = match type_oid {
        pg_sys::DATEOID => FROM_DATE,
        pg_sys::TIMESTAMPOID => FROM_TIMESTAMP,
        _ => return false,
    };
    // SAFETY: the operand belongs to the tree; the new node refers to it.
    unsafe {
        if !operand::is_computable(judge, operand) {
            return false;
        }
        let value: *mut FuncExpr = pg_sys::makeFuncExpr(
            function,
            pg_sys::TIMESTAMPTZOID,
            node::make_list([operand]),
            Oid::INVALID,
            Oid::INVALID,
            pg_sys::CoercionForm::COERCE_EXPLICIT_CAST,
        );
        judge.local.push(Local { node: operand, value: value.cast() });
    }
    true
}

/// A constant interval without days and months.
unsafe fn is_short(interval: *mut Node) -> bool {
    // SAFETY: the caller vouches for the tree; an interval constant points to an Interval.
    unsafe {
        node::cast::<Const, _>(interval).is_some_and(|constant| {
            if constant.constisnull || constant.consttype != pg_sys::INTERVALOID {
                return false;
            }
            let interval = constant.constvalue.cast_mut_ptr::<pg_sys::Interval>();
            (*interval).day == 0 && (*interval).month == 0
        })
    }
}

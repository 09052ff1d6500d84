//! Which casts are written.
//!
//! An implicit cast may come from elsewhere than from what stands around it: the column of a JOIN ... USING has the common type
//! of both. So the remote parser would not find it by itself, and would group, sort and aggregate by the column's own
//! type. Not written is what makes no difference: varchar as text, a domain as its base type; nor what would not fail as the
//! implicit cast does (varchar(3), assigned a longer text).

use crate::pg::node;
use pgrx::pg_sys::{self, FuncExpr, Node, RelabelType};

use pg_sys::CoercionForm::COERCE_IMPLICIT_CAST as IMPLICIT;

/// Whether the cast is written; false for anything else.
///
/// # Safety
/// A valid expression.
pub(super) unsafe fn is_written(expr: *mut Node) -> bool {
    // SAFETY: as the caller vouches; catalog look-ups.
    unsafe {
        if let Some(call) = node::cast::<FuncExpr, _>(expr) {
            return match call.funcformat {
                IMPLICIT => !pg_sys::exprIsLengthCoercion(expr, std::ptr::null_mut()),
                form => form == pg_sys::CoercionForm::COERCE_EXPLICIT_CAST,
            };
        }
        let Some(relabel) = node::cast::<RelabelType, _>(expr) else { return false };
        if relabel.relabelformat != IMPLICIT {
            return true;
        }
        let from = pg_sys::getBaseType(pg_sys::exprType(relabel.arg.cast()));
        let to = pg_sys::getBaseType(relabel.resulttype);
        from != to
            && (from, to) != (pg_sys::VARCHAROID, pg_sys::TEXTOID)
            && pg_sys::get_typtype(to) as u8 != pg_sys::TYPTYPE_PSEUDO
    }
}

/// The expression without an implicit cast at its top.
///
/// # Safety
/// A valid expression.
pub(super) unsafe fn below_implicit(expr: *mut Node) -> *mut Node {
    // SAFETY: as the caller vouches; a cast function's first argument is what it casts.
    unsafe {
        if let Some(call) = node::cast::<FuncExpr, _>(expr)
            && call.funcformat == IMPLICIT
        {
            return node::list::<Node>(call.args).next().unwrap_or(expr);
        }
        match node::cast::<RelabelType, _>(expr) {
            Some(relabel) if relabel.relabelformat == IMPLICIT => relabel.arg.cast(),
            _ => expr,
        }
    }
}

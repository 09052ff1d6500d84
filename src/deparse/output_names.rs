//! Which columns' names ORDER BY would take for something else.
//!
//! A bare name in ORDER BY means a column of the result first, and one of the tables only when there is none of that name.
//! `SELECT id::text, id ... ORDER BY id` has two columns called id: PostgreSQL names a cast after what is cast, a
//! call after the function. Such a key is written as the number of its column in the result.

use super::target::Target;
use super::writer::Writer;
use crate::pg::node;
use pgrx::pg_sys::{self, Expr, NodeTag};
use std::ffi::CStr;

/// How a key of ORDER BY has to be written.
pub(super) enum Written {
    /// As any expression.
    AsIs,
    /// As the number of a column of the result, from 1.
    Number(usize),
    /// So that it is no bare name any more.
    Wrapped,
}

impl Writer<'_> {
    /// How ORDER BY can name `key` beside the columns of the result.
    ///
    /// # Safety
    /// Key and target are valid expressions.
    pub(super) unsafe fn named_in(&self, target: &Target, key: *mut Expr) -> Written {
        let Target::Exprs(exprs) = target else { return Written::AsIs };
        // SAFETY: as the caller vouches.
        unsafe {
            let Some(var) = node::cast::<pg_sys::Var, _>(unrelabelled(key)) else {
                return Written::AsIs;
            };
            if self.qualified || !self.scope.owns(var) || var.varattno <= 0 {
                return Written::AsIs;
            }
            let name = self.scope.tables[&(var.varno as u32)].column(var.varattno);
            if !exprs.iter().any(|&expr| may_be_called(expr, name)) {
                return Written::AsIs;
            }
            match exprs.iter().position(|&expr| pg_sys::equal(expr.cast(), key.cast())) {
                Some(at) => Written::Number(at + 1),
                None => Written::Wrapped,
            }
        }
    }
}

/// The expression without casts that are not written.
unsafe fn unrelabelled(mut expr: *mut Expr) -> *mut Expr {
    use pg_sys::CoercionForm::COERCE_IMPLICIT_CAST;
    // SAFETY: the caller vouches for the expression.
    unsafe {
        while let Some(relabel) = node::cast::<pg_sys::RelabelType, _>(expr)
            && relabel.relabelformat == COERCE_IMPLICIT_CAST
        {
            expr = relabel.arg;
        }
        expr
    }
}

/// Whether the shard may give a result column that is not the table's column `name` this name.
unsafe fn may_be_called(expr: *mut Expr, name: &str) -> bool {
    let is = |function: pg_sys::Oid| {
        // SAFETY: a name that is copied to the current context, or NULL.
        unsafe {
            let own = pg_sys::get_func_name(function);
            own.is_null() || CStr::from_ptr(own).to_bytes() == name.as_bytes()
        }
    };
    // SAFETY: the caller vouches for the expression; each arm casts by the tag.
    unsafe {
        let expr = unrelabelled(expr);
        match node::tag(expr) {
            // Columns of one table have names of their own; operators' results have no name of this kind.
            NodeTag::T_Var
            | NodeTag::T_OpExpr
            | NodeTag::T_BoolExpr
            | NodeTag::T_NullTest
            | NodeTag::T_BooleanTest
            | NodeTag::T_ScalarArrayOpExpr
            | NodeTag::T_DistinctExpr
            | NodeTag::T_RowCompareExpr => false,
            NodeTag::T_Aggref => is((*expr.cast::<pg_sys::Aggref>()).aggfnoid),
            NodeTag::T_WindowFunc => is((*expr.cast::<pg_sys::WindowFunc>()).winfnoid),
            NodeTag::T_FuncExpr => {
                let call = &*expr.cast::<pg_sys::FuncExpr>();
                call.funcformat != pg_sys::CoercionForm::COERCE_EXPLICIT_CALL || is(call.funcid)
            }
            _ => true,
        }
    }
}

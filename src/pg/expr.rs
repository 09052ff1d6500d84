//! Expressions evaluated by PostgreSQL's executor on our behalf: the parameters of remote statements.

use pgrx::pg_sys;
use pgrx::pg_sys::{Datum, Oid};

/// The initialised expressions of a plan node, with the values of the last evaluation.
pub struct List {
    states: Vec<*mut pg_sys::ExprState>,
    types: Vec<Oid>,
    /// Value and whether it is NULL; by-reference values live in the node's per-tuple memory.
    values: Vec<(Datum, bool)>,
}

impl List {
    /// Initialises `exprs` as expressions of `parent`.
    ///
    /// # Safety
    /// `exprs` is a list of expression nodes of the parent's plan; called while the node is initialised.
    pub unsafe fn init(exprs: *mut pg_sys::List, parent: *mut pg_sys::PlanState) -> List {
        // SAFETY: as the caller vouches; list cells are read within the list's length.
        unsafe {
            let length = if exprs.is_null() { 0 } else { (*exprs).length };
            let mut states = Vec::with_capacity(length as usize);
            let mut types = Vec::with_capacity(length as usize);
            for i in 0..length as usize {
                let expr = (*(*exprs).elements.add(i)).ptr_value;
                types.push(pg_sys::exprType(expr.cast()));
                states.push(pg_sys::ExecInitExpr(expr.cast(), parent));
            }
            let values = vec![(Datum::null(), true); states.len()];
            List { states, types, values }
        }
    }

    /// The expressions' types.
    pub fn types(&self) -> Vec<Oid> {
        self.types.clone()
    }

    /// Evaluates all expressions. Values live as long as the context's per-tuple memory is not reset.
    ///
    /// # Safety
    /// `context` is the expression context of the node the list was initialised for.
    pub unsafe fn evaluate(&mut self, context: *mut pg_sys::ExprContext) {
        for (state, value) in self.states.iter().zip(&mut self.values) {
            let mut null = false;
            // SAFETY: the states belong to the context's node.
            let datum =
                unsafe { pg_sys::ExecEvalExprSwitchContext(*state, context, &raw mut null) };
            *value = (datum, null);
        }
    }

    /// The values of the last evaluation.
    pub fn values(&self) -> &[(Datum, bool)] {
        &self.values
    }
}

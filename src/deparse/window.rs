//! Window functions: may they go, and how are they written.
//!
//! The window is written out with each function that uses it: PARTITION BY, ORDER BY and the frame. Rows must be
//! sorted there as they would be here, so sort keys follow the rules of ORDER BY. A RANGE frame with offsets computes
//! with the sort column's type: its function must be known there.

use super::catalog;
use super::collation::{self, Derived};
use super::not_shipped::NotShipped;
use super::order_limit::{SortKey, check_sort_operator, order_reliance};
use super::safety::{self, Judge};
use super::writer::Writer;
use crate::error::Failure;
use crate::pg::node;
use pgrx::pg_sys::{self, Expr, Node, Oid, SortGroupClause, WindowClause, WindowFunc};

/// The window of a function, and the target list that its clauses refer to.
unsafe fn window_of<'a>(
    root: *mut pg_sys::PlannerInfo,
    call: &WindowFunc,
) -> Option<(&'a WindowClause, *mut pg_sys::List)> {
    // SAFETY: a planner's root, or NULL.
    unsafe {
        if root.is_null() {
            return None;
        }
        let window = node::list::<WindowClause>((*(*root).parse).windowClause)
            .find(|window| (**window).winref == call.winref)?;
        Some((&*window, (*root).processed_tlist))
    }
}

unsafe fn clause_expr(
    clause: *mut SortGroupClause,
    targets: *mut pg_sys::List,
) -> Option<*mut Expr> {
    // SAFETY: the caller vouches for both.
    unsafe {
        node::list::<pg_sys::TargetEntry>(targets)
            .find(|entry| (**entry).ressortgroupref == (*clause).tleSortGroupRef)
            .map(|entry| (*entry).expr)
    }
}

impl Judge<'_> {
    pub(super) unsafe fn window_function(
        &mut self,
        call: &WindowFunc,
    ) -> Result<Derived, NotShipped> {
        let refused = NotShipped::Form("window function");
        if !self.scope.windows {
            return Err(refused);
        }
        self.function(call.winfnoid)?;
        // SAFETY: the parts belong to the tree and to the query of the scope.
        unsafe {
            let Some((window, targets)) = window_of(self.scope.root, call) else {
                return Err(refused);
            };
            for clause in node::list::<SortGroupClause>(window.partitionClause) {
                let Some(expr) = clause_expr(clause, targets) else { return Err(refused) };
                if self.check(expr.cast(), None)?.is_unsafe() {
                    return Err(NotShipped::Collation);
                }
            }
            for clause in node::list::<SortGroupClause>(window.orderClause) {
                let Some(expr) = clause_expr(clause, targets) else { return Err(refused) };
                self.window_order(clause, expr)?;
            }
            for (function, offset) in [
                (window.startInRangeFunc, window.startOffset),
                (window.endInRangeFunc, window.endOffset),
            ] {
                if function != Oid::INVALID {
                    self.function(function)?;
                }
                self.check(offset, None)?;
            }
            let mut inputs = self.check_list(call.args, None)?;
            inputs.merge(self.check(call.aggfilter.cast(), None)?);
            inputs.require_input(call.inputcollid)?;
            self.scope.rely_on(collation::reliance(call.inputcollid))?;
            Ok(inputs.result(call.wincollid))
        }
    }

    /// As for a key of ORDER BY.
    unsafe fn window_order(
        &mut self,
        clause: *mut SortGroupClause,
        expr: *mut Expr,
    ) -> Result<(), NotShipped> {
        // SAFETY: the parts belong to the query.
        unsafe {
            check_sort_operator(self.scope, (*clause).sortop, pg_sys::exprType(expr.cast()))?;
            let verdict = safety::judge(self.scope, expr.cast())?;
            let collation = pg_sys::exprCollation(expr.cast());
            if collation != Oid::INVALID && verdict.remote_collation() != Some(collation) {
                return Err(NotShipped::Collation);
            }
            self.scope.rely_on(order_reliance(expr))?;
            self.check(expr.cast(), None)?;
        }
        Ok(())
    }
}

impl Writer<'_> {
    pub(super) unsafe fn window_function(&mut self, call: &WindowFunc) -> Result<(), Failure> {
        // SAFETY: the parts belong to the tree and to the query of the scope.
        unsafe {
            let Some((window, targets)) = window_of(self.scope.root, call) else {
                return Err(Failure::internal("a window function without its window"));
            };
            self.relies_on(collation::reliance(call.inputcollid));
            let name = catalog::function_name(call.winfnoid, self.scope.names)?;
            self.push(&name);
            self.push("(");
            if call.winstar {
                self.push("*");
            } else {
                self.arguments(&node::list_vec::<Node>(call.args), false)?;
            }
            self.push(")");
            if !call.aggfilter.is_null() {
                self.push(" FILTER (WHERE ");
                self.expr(call.aggfilter)?;
                self.push(")");
            }
            self.push(" OVER (");
            let mut separator = "PARTITION BY ";
            for clause in node::list_vec::<SortGroupClause>(window.partitionClause) {
                self.push(separator);
                self.window_key(clause, targets)?;
                separator = ", ";
            }
            separator = if window.partitionClause.is_null() { "ORDER BY " } else { " ORDER BY " };
            for clause in node::list_vec::<SortGroupClause>(window.orderClause) {
                self.push(separator);
                let expr = self.window_key(clause, targets)?;
                self.relies_on_order_of(expr);
                self.sort_suffix(&SortKey {
                    expr,
                    operator: (*clause).sortop,
                    nulls_first: (*clause).nulls_first,
                    collate: None,
                })?;
                separator = ", ";
            }
            self.frame(window)?;
            self.push(")");
            Ok(())
        }
    }

    unsafe fn window_key(
        &mut self,
        clause: *mut SortGroupClause,
        targets: *mut pg_sys::List,
    ) -> Result<*mut Expr, Failure> {
        // SAFETY: the caller vouches for both.
        unsafe {
            let Some(expr) = clause_expr(clause, targets) else {
                return Err(Failure::internal("a window refers to no column of its query"));
            };
            self.sort_expr(expr)?;
            Ok(expr)
        }
    }

    /// The frame, when it is not the one that goes without saying.
    unsafe fn frame(&mut self, window: &WindowClause) -> Result<(), Failure> {
        let options = window.frameOptions as u32;
        let has = |option: u32| options & option != 0;
        if !has(pg_sys::FRAMEOPTION_NONDEFAULT) {
            return Ok(());
        }
        self.push(if has(pg_sys::FRAMEOPTION_RANGE) {
            " RANGE"
        } else if has(pg_sys::FRAMEOPTION_ROWS) {
            " ROWS"
        } else {
            " GROUPS"
        });
        let between = has(pg_sys::FRAMEOPTION_BETWEEN);
        self.push(if between { " BETWEEN" } else { "" });
        // SAFETY: the offsets belong to the window.
        unsafe {
            if has(pg_sys::FRAMEOPTION_START_UNBOUNDED_PRECEDING) {
                self.push(" UNBOUNDED PRECEDING");
            } else if has(pg_sys::FRAMEOPTION_START_CURRENT_ROW) {
                self.push(" CURRENT ROW");
            } else {
                self.offset(window.startOffset, has(pg_sys::FRAMEOPTION_START_OFFSET_PRECEDING))?;
            }
            if between {
                self.push(" AND");
                if has(pg_sys::FRAMEOPTION_END_UNBOUNDED_FOLLOWING) {
                    self.push(" UNBOUNDED FOLLOWING");
                } else if has(pg_sys::FRAMEOPTION_END_CURRENT_ROW) {
                    self.push(" CURRENT ROW");
                } else {
                    self.offset(window.endOffset, has(pg_sys::FRAMEOPTION_END_OFFSET_PRECEDING))?;
                }
            }
        }
        self.push(if has(pg_sys::FRAMEOPTION_EXCLUDE_CURRENT_ROW) {
            " EXCLUDE CURRENT ROW"
        } else if has(pg_sys::FRAMEOPTION_EXCLUDE_GROUP) {
            " EXCLUDE GROUP"
        } else if has(pg_sys::FRAMEOPTION_EXCLUDE_TIES) {
            " EXCLUDE TIES"
        } else {
            ""
        });
        Ok(())
    }

    unsafe fn offset(&mut self, offset: *mut Node, preceding: bool) -> Result<(), Failure> {
        self.push(" (");
        // SAFETY: the caller vouches for the expression.
        unsafe { self.expr(offset)? };
        self.push(if preceding { ") PRECEDING" } else { ") FOLLOWING" });
        Ok(())
    }
}

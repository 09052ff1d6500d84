//! Aggregate calls: may they go, and how are they written.
//!
//! A partial aggregate is not shipped as such (its transition state is this server's own matter). Who wants the
//! shards' parts asks for ordinary aggregates: the writer looks at the call only, not at `aggsplit`.

use super::collation::Derived;
use super::not_shipped::NotShipped;
use super::order_limit::{SortKey, check_sort_operator, order_reliance};
use super::safety::Judge;
use super::writer::Writer;
use super::{catalog, indifferent, literal};
use crate::error::Failure;
use crate::pg::node;
use crate::session::Likeness;
use pgrx::pg_sys::{self, Aggref, Expr, Node, SortGroupClause, TargetEntry};

/// `AGGKIND_NORMAL`; the others are ordered-set and hypothetical-set aggregates.
const NORMAL: std::ffi::c_char = b'n' as std::ffi::c_char;

impl Judge<'_> {
    pub(super) unsafe fn aggregate(&mut self, call: &Aggref) -> Result<Derived, NotShipped> {
        if !self.scope.grouping
            || call.agglevelsup != 0
            || call.aggsplit != pg_sys::AggSplit::AGGSPLIT_SIMPLE
        {
            return Err(NotShipped::Aggregate);
        }
        self.function(call.aggfnoid)?;
        // SAFETY: the parts belong to the tree.
        unsafe {
            let mut inputs = self.check_list(call.aggdirectargs, None)?;
            for entry in node::list::<TargetEntry>(call.args) {
                inputs.merge(self.check((*entry).expr.cast(), None)?);
            }
            for sort in node::list::<SortGroupClause>(call.aggorder) {
                let Some(key) = sort_expr(sort, call.args) else {
                    return Err(NotShipped::Aggregate);
                };
                check_sort_operator(self.scope, (*sort).sortop, pg_sys::exprType(key.cast()))?;
                self.scope.rely_on(order_reliance(key))?;
            }
            let filter = self.check(call.aggfilter.cast(), None)?;
            inputs.merge(filter);
            if indifferent::aggregate(call.aggfnoid) && call.aggorder.is_null() {
                inputs.require_any_input(call.inputcollid)?;
            } else {
                inputs.require_input(call.inputcollid)?;
            }
            self.scope.rely_on(reliance(call))?;
            Ok(inputs.result(call.aggcollid))
        }
    }
}

fn reliance(call: &Aggref) -> Likeness {
    indifferent::aggregate_reliance(call.aggfnoid, call.inputcollid, !call.aggorder.is_null())
}

/// The expression that a sort clause of an aggregate refers to.
unsafe fn sort_expr(sort: *mut SortGroupClause, args: *mut pg_sys::List) -> Option<*mut Expr> {
    // SAFETY: the caller vouches for both.
    unsafe {
        node::list::<TargetEntry>(args)
            .find(|entry| (**entry).ressortgroupref == (*sort).tleSortGroupRef)
            .map(|entry| (*entry).expr)
    }
}

impl Writer<'_> {
    pub(super) unsafe fn aggregate(&mut self, call: &Aggref) -> Result<(), Failure> {
        // SAFETY: the parts belong to the tree.
        unsafe {
            self.relies_on(reliance(call));
            let name = catalog::function_name(call.aggfnoid, self.scope.names)?;
            self.push(&name);
            self.push("(");
            if !call.aggdistinct.is_null() {
                self.push("DISTINCT ");
            }
            if call.aggkind == NORMAL {
                if call.aggstar {
                    self.push("*");
                } else {
                    let args: Vec<*mut Node> = node::list::<TargetEntry>(call.args)
                        .filter(|entry| !(**entry).resjunk)
                        .map(|entry| (*entry).expr.cast())
                        .collect();
                    self.arguments(&args, call.aggvariadic)?;
                }
                if !call.aggorder.is_null() {
                    self.push(" ORDER BY ");
                    self.aggregate_order(call)?;
                }
            } else {
                let args = node::list_vec::<Node>(call.aggdirectargs);
                self.arguments(&args, call.aggvariadic)?;
                self.push(") WITHIN GROUP (ORDER BY ");
                self.aggregate_order(call)?;
            }
            if !call.aggfilter.is_null() {
                self.push(") FILTER (WHERE ");
                self.expr(call.aggfilter)?;
            }
            self.push(")");
            Ok(())
        }
    }

    unsafe fn aggregate_order(&mut self, call: &Aggref) -> Result<(), Failure> {
        // SAFETY: the parts belong to the tree.
        unsafe {
            let sorts = node::list_vec::<SortGroupClause>(call.aggorder);
            self.separated(sorts, ", ", |writer, sort| {
                let Some(expr) = sort_expr(sort, call.args) else {
                    return Err(Failure::internal("an aggregate sorts by no argument of its own"));
                };
                writer.relies_on_order_of(expr);
                writer.sort_expr(expr)?;
                writer.sort_suffix(&SortKey {
                    expr,
                    operator: (*sort).sortop,
                    nulls_first: (*sort).nulls_first,
                    collate: None,
                })
            })
        }
    }

    /// An expression in a sorting or grouping list, where a bare number would be a position, and anything more
    /// than a column needs parentheses.
    pub(super) unsafe fn sort_expr(&mut self, expr: *mut Expr) -> Result<(), Failure> {
        // SAFETY: the caller vouches for the expression.
        unsafe {
            if let Some(constant) = node::cast::<pg_sys::Const, _>(expr) {
                let text = literal::constant(constant, literal::Label::Always);
                self.push(&text);
                Ok(())
            } else if node::is_a(expr, pg_sys::NodeTag::T_Var) {
                self.expr(expr)
            } else {
                self.push("(");
                self.expr(expr)?;
                self.push(")");
                Ok(())
            }
        }
    }
}

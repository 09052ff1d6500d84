//! Aggregates with DISTINCT in two steps: a node that only gives columns their names.
//!
//! Where the shards' values cannot overlap, `count(DISTINCT x)` here is the sum of theirs, which is what finalising a
//! `count(x)` does. But what is above looks for `count(DISTINCT x)`, and an Aggregate node that is called so removes
//! duplicates. So a foreign scan without a remote query is put between: its columns bear the names that the query
//! knows, its rows are those of the Aggregate below, and HAVING is its filter.

use super::relinfo::{RelInfo, Upper};
use crate::pg::{compat, node};
use pgrx::pg_sys;
use std::ptr;

type Expr = *mut pg_sys::Expr;

/// The aggregate as it is finalised, without its DISTINCT; another expression is its own.
///
/// # Safety
/// The expression is valid.
pub(super) unsafe fn without_distinct(expr: Expr) -> Expr {
    // SAFETY: the Aggref is copied before it is changed.
    unsafe {
        if node::cast::<pg_sys::Aggref, _>(expr).is_none_or(|call| call.aggdistinct.is_null()) {
            return expr;
        }
        let copy = pg_sys::copyObjectImpl(expr.cast()).cast::<pg_sys::Aggref>();
        // It is still told from a count(x) of the same query by its number.
        (*copy).aggdistinct = ptr::null_mut();
        copy.cast()
    }
}

/// Prepares the grouped relation for such nodes, whose columns are `names`.
///
/// # Safety
/// `grouped` is the relation being planned, over the one that `input` is of.
pub(super) unsafe fn install(
    input: &RelInfo,
    grouped: *mut pg_sys::RelOptInfo,
    names: *mut pg_sys::List,
    having: Vec<Expr>,
) {
    let upper = Upper { tlist: names, local_having: having, names_only: true, ..Upper::default() };
    // SAFETY: as the caller vouches. Without an estimate nothing is built upon it.
    unsafe { input.derived(upper, String::new()).install(grouped) }
}

/// The node's path, over that of the Aggregate.
///
/// # Safety
/// Planner data; the relation has been prepared.
pub(super) unsafe fn path(
    root: *mut pg_sys::PlannerInfo,
    grouped: *mut pg_sys::RelOptInfo,
    below: *mut pg_sys::Path,
) -> *mut pg_sys::Path {
    // SAFETY: as the caller vouches.
    unsafe {
        let cost = compat::PathCost {
            rows: (*below).rows,
            startup: (*below).startup_cost,
            total: (*below).total_cost + (*below).rows * pg_sys::cpu_tuple_cost,
        };
        let target = (*grouped).reltarget;
        let path = compat::create_foreign_upper_path(root, grouped, target, cost, ptr::null_mut());
        (*path).fdw_outerpath = below;
        path.cast()
    }
}

/// The node. It has no private data: there is no remote query.
///
/// # Safety
/// Arguments are those of GetForeignPlan.
pub(super) unsafe fn plan(
    upper: &Upper,
    targets: *mut pg_sys::List,
    below: *mut pg_sys::Plan,
) -> *mut pg_sys::ForeignScan {
    let none = ptr::null_mut();
    // SAFETY: as the caller vouches.
    unsafe {
        let having = node::make_list(upper.local_having.iter().copied());
        pg_sys::make_foreignscan(targets, having, 0, none, none, upper.tlist, none, below)
    }
}

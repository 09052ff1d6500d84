//! Window functions on the shards: GetForeignUpperPaths for UPPERREL_WINDOW.
//!
//! One shard sees all rows of a partition when it is the only one left, or when every window is partitioned by the
//! sharding columns. What stands around window functions and cannot be shipped is computed here from their results.

use super::relinfo::{RelInfo, Upper};
use super::{cost, deciding};
use crate::deparse::{self, GroupBy, Scope};
use crate::error::Failure;
use crate::pg::{compat, node};
use pgrx::pg_sys;
use pgrx::pg_sys::UpperRelationKind as Stage;
use std::ptr;

type Expr = *mut pg_sys::Expr;

/// Adds a path that computes all window functions of the query on the shards.
///
/// # Safety
/// In GetForeignUpperPaths for windows; `input` is the relation that `info` is of.
pub(super) unsafe fn paths(
    root: *mut pg_sys::PlannerInfo,
    info: &RelInfo,
    input: *mut pg_sys::RelOptInfo,
    output: *mut pg_sys::RelOptInfo,
) -> Result<(), Failure> {
    // SAFETY: planner data.
    unsafe {
        let parse = (*root).parse;
        if (*parse).hasTargetSRFs
            || !info.local_conds.is_empty()
            || info.upper.as_ref().is_some_and(|upper| !upper.is_complete())
            || filters_rows(root)
            || info.placements.len() != 1 && !is_whole(root, info)
        {
            return Ok(());
        }
        let target = *(*root).upper_targets.as_ptr().add(Stage::UPPERREL_WINDOW as usize);
        let scope = Scope { windows: true, ..info.scope.clone() };
        let Some(upper) = upper(root, &scope, info.upper.as_ref(), target) else { return Ok(()) };
        let name = format!("WindowAgg on ({})", info.named(root, input));
        let mut own = info.derived(upper, name);
        own.scope = scope;
        let estimate = cost::window(info, target);
        own.estimate = Some(estimate);
        own.install(output);
        let cost = estimate.path_cost();
        let path = compat::create_foreign_upper_path(root, output, target, cost, ptr::null_mut());
        pg_sys::add_path(output, path.cast());
        Ok(())
    }
}

/// Whether a condition above the windows was made part of them (`row_number() ... <= 10`): it would have to be
/// evaluated.
unsafe fn filters_rows(root: *mut pg_sys::PlannerInfo) -> bool {
    // SAFETY: planner data.
    unsafe {
        node::list::<pg_sys::WindowClause>((*(*root).parse).windowClause)
            .any(|window| compat::upper::has_run_condition(window))
            || node::any_node((*root).processed_tlist.cast(), &mut |part| {
                node::cast::<pg_sys::WindowFunc, _>(part)
                    .is_some_and(compat::upper::is_run_condition)
            })
    }
}

/// Whether the rows of each partition, of all windows, are on one placement.
unsafe fn is_whole(root: *mut pg_sys::PlannerInfo, info: &RelInfo) -> bool {
    // SAFETY: planner data.
    unsafe {
        let targets = (*root).processed_tlist;
        node::list::<pg_sys::WindowClause>((*(*root).parse).windowClause).all(|window| {
            let exprs = pg_sys::get_sortgrouplist_exprs((*window).partitionClause, targets);
            deciding::covered(info, &node::list_vec::<pg_sys::Expr>(exprs))
        })
    }
}

/// What is asked for: the columns above the windows, with the grouping below them.
unsafe fn upper(
    root: *mut pg_sys::PlannerInfo,
    scope: &Scope,
    below: Option<&Upper>,
    target: *mut pg_sys::PathTarget,
) -> Option<Upper> {
    // SAFETY: planner data.
    unsafe {
        let parse = (*root).parse;
        let mut tlist: *mut pg_sys::List = ptr::null_mut();
        // GROUP BY refers to columns of the list.
        for entry in node::list::<pg_sys::TargetEntry>(below.map_or(ptr::null_mut(), |b| b.tlist)) {
            if (*entry).ressortgroupref != 0 {
                let number = node::list_vec::<pg_sys::Node>(tlist).len() as i16 + 1;
                let own = pg_sys::makeTargetEntry((*entry).expr, number, ptr::null_mut(), false);
                (*own).ressortgroupref = (*entry).ressortgroupref;
                tlist = pg_sys::lappend(tlist, own.cast());
            }
        }
        let ships = |expr: Expr| deparse::foreign_expr(scope, expr).is_ok();
        for expr in node::list_vec::<pg_sys::Expr>((*target).exprs) {
            if deparse::is_parameter(scope, expr) || node::is_a(expr, pg_sys::NodeTag::T_Const) {
                continue;
            }
            if ships(expr) {
                tlist = pg_sys::add_to_flat_tlist(tlist, node::make_list([expr]));
                continue;
            }
            let flags = pg_sys::PVC_INCLUDE_WINDOWFUNCS
                | pg_sys::PVC_INCLUDE_AGGREGATES
                | pg_sys::PVC_RECURSE_PLACEHOLDERS;
            for part in
                node::list_vec::<pg_sys::Expr>(pg_sys::pull_var_clause(expr.cast(), flags as i32))
            {
                // Whole rows and tableoid are no expressions that ship, but columns that can be fetched.
                let is_column = below.is_none() && node::is_a(part, pg_sys::NodeTag::T_Var);
                if !is_column && !ships(part) {
                    return None;
                }
                tlist = pg_sys::add_to_flat_tlist(tlist, node::make_list([part]));
            }
        }
        let (group_by, having) = match below {
            Some(below) => (GroupBy::from_query(parse, tlist).ok()?, below.having.clone()),
            None => (GroupBy::Nothing, Vec::new()),
        };
        Some(Upper { tlist, group_by, having, ..Upper::default() })
    }
}

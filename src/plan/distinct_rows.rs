//! Aggregates to which it does not matter how often a row is there: the shards send distinct rows.
//!
//! `count(DISTINCT x)` cannot be taken apart when the same value may be on several shards. But if all aggregates of a
//! query have DISTINCT, or are such as min and bool_or, each shard can leave out what it has sent already. Rows are
//! the same when all columns that are used above are, and these have to be of types whose equality is identity.

use super::relinfo::{RelInfo, Upper};
use super::{cost, upper};
use crate::deparse::{self, GroupBy};
use crate::error::Failure;
use crate::pg::{aggregate, compat, node};
use crate::shard;
use pgrx::pg_sys;
use pgrx::pg_sys::{AggSplit, AggStrategy};
use std::ptr;

type Expr = *mut pg_sys::Expr;

/// Adds an Aggregate over distinct rows of all placements, when that gives the same.
///
/// # Safety
/// In GetForeignUpperPaths for grouping, with its arguments.
pub(super) unsafe fn paths(
    root: *mut pg_sys::PlannerInfo,
    input: &RelInfo,
    input_rel: *mut pg_sys::RelOptInfo,
    grouped: *mut pg_sys::RelOptInfo,
    having: *mut pg_sys::List,
) -> Result<(), Failure> {
    // SAFETY: planner data.
    unsafe {
        let parse = (*root).parse;
        let keys = (*root).group_pathkeys;
        // Sorting by all keys also serves aggregates that count on it.
        if !(*parse).groupClause.is_null()
            && (keys.is_null() || !pg_sys::grouping_is_sortable((*parse).groupClause))
        {
            return Ok(());
        }
        let Some((target, tlist)) = columns(root, input, grouped, having) else { return Ok(()) };
        let Some(below) = upper::step_relation(root, input_rel, grouped) else { return Ok(()) };
        (*below).reltarget = target;
        let length = node::list::<pg_sys::Node>(tlist).len() as u32;
        let step = Upper {
            tlist,
            group_by: GroupBy::Positions((1..=length).collect()),
            ..Upper::default()
        };
        let mut info = input.derived(step, input.named(root, input_rel));
        info.scope = input.scope.grouped();
        let rows = (*input_rel).rows;
        let (exprs, none) = ((*target).exprs, ptr::null_mut());
        let distinct = pg_sys::estimate_num_groups(root, exprs, rows, none, ptr::null_mut());
        let most = (distinct * input.placements.len() as f64).min(rows);
        let estimate = cost::grouping(input, below, most);
        info.estimate = Some(estimate);
        info.install(below);
        let cost = estimate.path_cost();
        let path = compat::create_foreign_upper_path(root, below, target, cost, ptr::null_mut());
        let mut path: *mut pg_sys::Path = path.cast();
        if !keys.is_null() {
            path = pg_sys::create_sort_path(root, below, path, keys, -1.0).cast();
        }
        let mut costs: pg_sys::AggClauseCosts = std::mem::zeroed();
        aggregate::clause_costs(root, AggSplit::AGGSPLIT_SIMPLE, &raw mut costs);
        let grouping = !(*parse).groupClause.is_null();
        let path = pg_sys::create_agg_path(
            root,
            grouped,
            path,
            (*grouped).reltarget,
            if grouping { AggStrategy::AGG_SORTED } else { AggStrategy::AGG_PLAIN },
            AggSplit::AGGSPLIT_SIMPLE,
            compat::group_clause(root),
            having,
            &raw const costs,
            upper::estimate_groups(root, input_rel),
        );
        pg_sys::add_path(grouped, path.cast());
        Ok(())
    }
}

/// What the rows consist of; `None` when their number matters.
unsafe fn columns(
    root: *mut pg_sys::PlannerInfo,
    input: &RelInfo,
    grouped: *mut pg_sys::RelOptInfo,
    having: *mut pg_sys::List,
) -> Option<(*mut pg_sys::PathTarget, *mut pg_sys::List)> {
    // SAFETY: planner data.
    unsafe {
        let scope = input.scope.grouped();
        let wanted = (*grouped).reltarget;
        let target = pg_sys::create_empty_pathtarget();
        let mut others: Vec<Expr> = node::list_vec(having);
        for (i, expr) in node::list::<pg_sys::Expr>((*wanted).exprs).enumerate() {
            let references = (*wanted).sortgrouprefs;
            let reference = if references.is_null() { 0 } else { *references.add(i) };
            let clause = (*(*root).parse).groupClause;
            if reference != 0 && !pg_sys::get_sortgroupref_clause_noerr(reference, clause).is_null()
            {
                pg_sys::add_column_to_pathtarget(target, expr, reference);
            } else {
                others.push(expr);
            }
        }
        let others = node::make_list(others);
        let has_subplan =
            node::any_node(others.cast(), &mut |part| node::is_a(part, pg_sys::NodeTag::T_SubPlan));
        if has_subplan || pg_sys::contain_volatile_functions(others.cast()) {
            return None;
        }
        let flags = (pg_sys::PVC_INCLUDE_AGGREGATES | pg_sys::PVC_INCLUDE_PLACEHOLDERS) as i32;
        let parts = pg_sys::pull_var_clause(others.cast(), flags);
        let calls = node::list::<pg_sys::Expr>(parts).filter_map(|expr| node::cast(expr));
        if !calls.into_iter().all(|call| ignores_repetition(call)) {
            return None;
        }
        let flags = (pg_sys::PVC_RECURSE_AGGREGATES | pg_sys::PVC_INCLUDE_PLACEHOLDERS) as i32;
        pg_sys::add_new_columns_to_pathtarget(
            target,
            pg_sys::pull_var_clause(others.cast(), flags),
        );
        let mut tlist: *mut pg_sys::List = ptr::null_mut();
        let references = (*target).sortgrouprefs;
        for (i, expr) in node::list_vec::<pg_sys::Expr>((*target).exprs).into_iter().enumerate() {
            let system = node::cast::<pg_sys::Var, _>(expr).is_some_and(|var| var.varattno <= 0);
            let (of_type, collation) =
                (pg_sys::exprType(expr.cast()), pg_sys::exprCollation(expr.cast()));
            if system
                || !shard::equal_is_same(of_type, collation)
                || deparse::foreign_expr(&scope, expr).is_err()
                || deparse::is_parameter(&scope, expr)
            {
                return None;
            }
            let entry = pg_sys::makeTargetEntry(expr, i as i16 + 1, ptr::null_mut(), false);
            (*entry).ressortgroupref = if references.is_null() { 0 } else { *references.add(i) };
            tlist = pg_sys::lappend(tlist, entry.cast());
        }
        pg_sys::set_pathtarget_cost_width(root, target);
        (!tlist.is_null()).then_some((target, tlist))
    }
}

/// Whether the aggregate's result is the same however often a row is repeated.
unsafe fn ignores_repetition(call: &pg_sys::Aggref) -> bool {
    // An order by another expression than the argument may be that of any of the equal ones.
    if call.aggkind as u8 != b'n' || !call.aggorder.is_null() {
        return false;
    }
    !call.aggdistinct.is_null()
        || aggregate::definition(call.aggfnoid).is_some_and(|definition| definition.picks)
}

//! DISTINCT and DISTINCT ON on the shards: GetForeignUpperPaths for UPPERREL_DISTINCT.
//!
//! Whole, when one shard is left or equal rows are on one shard; else in two steps: what is distinct on each shard, and
//! of that what is distinct here.

use super::relinfo::{RelInfo, Upper};
use super::{cost, deciding, upper};
use crate::deparse::{self, Distinct};
use crate::error::Failure;
use crate::pg::{compat, node};
use pgrx::pg_sys;
use pgrx::pg_sys::UpperRelationKind as Stage;
use std::ptr;

type Expr = *mut pg_sys::Expr;

/// Adds paths that find distinct rows on the shards.
///
/// # Safety
/// In GetForeignUpperPaths for DISTINCT; `input` is the relation that `info` is of.
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
        {
            return Ok(());
        }
        let target = *(*root).upper_targets.as_ptr().add(Stage::UPPERREL_DISTINCT as usize);
        let Some(tlist) = columns(root, info, target) else { return Ok(()) };
        let Some((distinct, order)) = kind(root, info, tlist) else { return Ok(()) };
        let exprs: Vec<Expr> = node::list::<pg_sys::TargetEntry>(tlist)
            .filter(|entry| match &distinct {
                Distinct::On(columns) => columns.contains(&((**entry).resno as u32)),
                _ => true,
            })
            .map(|entry| (*entry).expr)
            .collect();
        let groups = pg_sys::estimate_num_groups(
            root,
            node::make_list(exprs.iter().copied()),
            info.estimate.map_or(1.0, |estimate| estimate.rows),
            ptr::null_mut(),
            ptr::null_mut(),
        );
        let step = match &info.upper {
            Some(below) => Upper { distinct, order, ..below.clone() },
            None => Upper { tlist, distinct, order, ..Upper::default() },
        };
        let is_on = matches!(step.distinct, Distinct::On(_));
        let mut own = info.derived(step, format!("Unique on ({})", info.named(root, input)));
        own.scope = info.scope.clone();
        let many = info.placements.len() as f64;
        if info.placements.len() == 1 || deciding::covered(info, &exprs) {
            let estimate = cost::distinct(info, target, groups);
            own.estimate = Some(estimate);
            own.install(output);
            // Streams of several placements are not merged by an order.
            let order = if info.placements.len() == 1 { order } else { ptr::null_mut() };
            let cost = estimate.path_cost();
            let path = compat::create_foreign_upper_path(root, output, target, cost, order);
            pg_sys::add_path(output, path.cast());
            return Ok(());
        }
        let partial =
            pg_sys::fetch_upper_rel(root, Stage::UPPERREL_PARTIAL_DISTINCT, ptr::null_mut());
        // A parallel plan may have made it already; it is ours only if nobody uses it.
        if !(*partial).fdw_private.is_null() || !(*partial).pathlist.is_null() {
            return Ok(());
        }
        (*partial).serverid = (*input).serverid;
        (*partial).userid = (*input).userid;
        (*partial).useridiscurrent = (*input).useridiscurrent;
        (*partial).fdwroutine = (*input).fdwroutine;
        (*partial).reltarget = target;
        let estimate = cost::distinct(info, target, groups * many);
        own.estimate = Some(estimate);
        own.install(partial);
        let cost = estimate.path_cost();
        let path = compat::create_foreign_upper_path(root, partial, target, cost, ptr::null_mut());
        finish(root, output, path.cast(), target, order, is_on, groups);
        Ok(())
    }
}

/// The second step: what is distinct of all that the shards have sent.
unsafe fn finish(
    root: *mut pg_sys::PlannerInfo,
    output: *mut pg_sys::RelOptInfo,
    path: *mut pg_sys::Path,
    target: *mut pg_sys::PathTarget,
    order: *mut pg_sys::List,
    is_on: bool,
    groups: f64,
) {
    // SAFETY: planner data.
    unsafe {
        let clause = compat::upper::distinct_clause(root);
        let unique = (*root).distinct_pathkeys;
        if clause.is_null() || unique.is_null() {
            return;
        }
        if pg_sys::grouping_is_sortable(clause) {
            let wanted = if order.is_null() { unique } else { order };
            let sorted = pg_sys::create_sort_path(root, output, path, wanted, -1.0);
            let columns = node::list_vec::<pg_sys::PathKey>(unique).len() as i32;
            let path =
                pg_sys::create_upper_unique_path(root, output, sorted.cast(), columns, groups);
            pg_sys::add_path(output, path.cast());
        }
        if !is_on && pg_sys::grouping_is_hashable(clause) {
            let path = pg_sys::create_agg_path(
                root,
                output,
                path,
                target,
                pg_sys::AggStrategy::AGG_HASHED,
                pg_sys::AggSplit::AGGSPLIT_SIMPLE,
                clause,
                ptr::null_mut(),
                ptr::null(),
                groups,
            );
            pg_sys::add_path(output, path.cast());
        }
    }
}

/// The columns that the shards compare: the query's without those that are the same in every row. `None` when one
/// cannot be shipped.
unsafe fn columns(
    root: *mut pg_sys::PlannerInfo,
    info: &RelInfo,
    target: *mut pg_sys::PathTarget,
) -> Option<*mut pg_sys::List> {
    // SAFETY: planner data.
    unsafe {
        let parse = (*root).parse;
        let mut tlist: *mut pg_sys::List = ptr::null_mut();
        for (i, expr) in node::list_vec::<pg_sys::Expr>((*target).exprs).into_iter().enumerate() {
            // Columns that only GROUP BY or a window needs are there, too, and do not count.
            let references = (*target).sortgrouprefs;
            let reference = if references.is_null() { 0 } else { *references.add(i) };
            if !(*parse).hasDistinctOn
                && (reference == 0
                    || pg_sys::get_sortgroupref_clause_noerr(reference, (*parse).distinctClause)
                        .is_null())
            {
                return None;
            }
            if node::is_a(expr, pg_sys::NodeTag::T_Const) {
                continue;
            }
            if deparse::is_parameter(&info.scope, expr) {
                if pg_sys::contain_volatile_functions(expr.cast()) {
                    return None;
                }
                continue;
            }
            deparse::foreign_expr(&info.scope, expr).ok()?;
            tlist = pg_sys::add_to_flat_tlist(tlist, node::make_list([expr]));
        }
        let Some(below) = &info.upper else { return (!tlist.is_null()).then_some(tlist) };
        // A grouping's or window's own columns have to be all of them.
        let all_in = |inner: *mut pg_sys::List, outer: *mut pg_sys::List| {
            node::list::<pg_sys::TargetEntry>(inner).all(|entry| {
                node::list::<pg_sys::TargetEntry>(outer)
                    .any(|other| pg_sys::equal((*entry).expr.cast(), (*other).expr.cast()))
            })
        };
        (all_in(below.tlist, tlist) && all_in(tlist, below.tlist)).then_some(below.tlist)
    }
}

/// DISTINCT or DISTINCT ON, and for the latter the order that says which row is the first; `None` when the shard cannot
/// do it.
unsafe fn kind(
    root: *mut pg_sys::PlannerInfo,
    info: &RelInfo,
    tlist: *mut pg_sys::List,
) -> Option<(Distinct, *mut pg_sys::List)> {
    // SAFETY: planner data.
    unsafe {
        if !(*(*root).parse).hasDistinctOn {
            return Some((Distinct::Yes, ptr::null_mut()));
        }
        let unique = node::list_vec::<pg_sys::PathKey>((*root).distinct_pathkeys);
        let sort = node::list_vec::<pg_sys::PathKey>((*root).sort_pathkeys);
        // Columns that the conditions fix are in neither list, and SQL wants both to begin alike.
        if unique.is_empty() || unique.iter().zip(&sort).any(|(a, b)| a != b) {
            return None;
        }
        let order = if sort.len() > unique.len() {
            (*root).sort_pathkeys
        } else {
            (*root).distinct_pathkeys
        };
        let step = Upper { tlist, ..Upper::default() };
        let keys = upper::sort_keys_of_group(info, &step, order)?;
        if keys.len() < unique.len() {
            return None;
        }
        let position = |expr: Expr| {
            node::list::<pg_sys::TargetEntry>(tlist)
                .find(|entry| pg_sys::equal((**entry).expr.cast(), expr.cast()))
                .map(|entry| (*entry).resno as u32)
        };
        let columns: Option<Vec<u32>> =
            keys.iter().take(unique.len()).map(|key| position(key.expr)).collect();
        Some((Distinct::On(columns?), order))
    }
}

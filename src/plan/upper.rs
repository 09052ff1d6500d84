//! What comes after joining: GetForeignUpperPaths for grouping, the final sort and LIMIT.

use super::relinfo::{RelInfo, Upper};
use super::{
    batched, cost, deciding, distinct, distinct_rows, limit, merge, partial, ungrouped, window,
};
use crate::deparse::{self, Distinct, GroupBy, SortKey};
use crate::error::Failure;
use crate::pg::compat::{self, PathCost};
use crate::pg::node;
use pgrx::pg_sys;
use pgrx::pg_sys::UpperRelationKind as Stage;
use std::ffi::c_void;

/// GetForeignUpperPaths.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn paths(
    root: *mut pg_sys::PlannerInfo,
    stage: Stage::Type,
    input: *mut pg_sys::RelOptInfo,
    output: *mut pg_sys::RelOptInfo,
    extra: *mut c_void,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches; core calls only for input relations of ours.
    unsafe {
        if !(*output).fdw_private.is_null() {
            return Ok(());
        }
        let Some(mut info) = RelInfo::of(input).filter(|info| info.is_shippable()) else {
            return Ok(());
        };
        let mut input = input;
        // The ordered relation only points to what is ordered.
        if let Some(below) = info.below {
            let Some(of_below) = RelInfo::of(below) else { return Ok(()) };
            (input, info) = (below, of_below);
        }
        match stage {
            Stage::UPPERREL_GROUP_AGG => group(root, info, input, output, extra.cast()),
            Stage::UPPERREL_WINDOW => window::paths(root, info, input, output),
            Stage::UPPERREL_DISTINCT => distinct::paths(root, info, input, output),
            Stage::UPPERREL_ORDERED => order(root, info, input, output),
            Stage::UPPERREL_FINAL => limit::finish(root, info, input, output, extra.cast()),
            _ => Ok(()),
        }
    }
}

/// Grouping and aggregation on the shard.
unsafe fn group(
    root: *mut pg_sys::PlannerInfo,
    input_info: &RelInfo,
    input: *mut pg_sys::RelOptInfo,
    grouped: *mut pg_sys::RelOptInfo,
    extra: *mut pg_sys::GroupPathExtraData,
) -> Result<(), Failure> {
    // SAFETY: planner data.
    unsafe {
        let parse = (*root).parse;
        if (*parse).groupClause.is_null()
            && (*parse).groupingSets.is_null()
            && !(*parse).hasAggs
            && !(*root).hasHavingQual
        {
            return Ok(());
        }
        // Rows that have to be filtered here first cannot be grouped there.
        if !(*parse).groupingSets.is_null() && !ships_sets(root, input_info)
            || !input_info.local_conds.is_empty()
            || input_info.upper.is_some()
        {
            return Ok(());
        }
        if input_info.placements.len() != 1 && !deciding::covered(input_info, &grouping_exprs(root))
        {
            if !partial::paths(root, input_info, input, grouped, extra)? {
                let having = (*extra).havingQual.cast();
                distinct_rows::paths(root, input_info, input, grouped, having)?;
            }
            return Ok(());
        }
        let Some(upper) = grouping(root, input_info, grouped, (*extra).havingQual.cast()) else {
            return Ok(());
        };
        let mut info =
            input_info.derived(upper, format!("Aggregate on ({})", input_info.named(root, input)));
        let groups = estimate_groups(root, input);
        info.estimate = Some(cost::grouping(input_info, grouped, groups));
        info.scope = input_info.scope.grouped();
        let Some(estimate) = info.estimate else { return Ok(()) };
        info.install(grouped);
        drop_first_rows(grouped);
        let path = compat::create_foreign_upper_path(
            root,
            grouped,
            (*grouped).reltarget,
            estimate.path_cost(),
            std::ptr::null_mut(),
        );
        pg_sys::add_path(grouped, path.cast());
        Ok(())
    }
}

/// Takes the paths away that find a minimum or maximum as the first row of a scan in that order. PostgreSQL does not
/// ask for the LIMIT to be shipped with it, so the shard would sort all rows, if there is no index. The shard itself
/// knows whether it is better to look for the first row when it is asked for the minimum.
///
/// # Safety
/// The grouped relation; there is or will be another path for it.
pub(super) unsafe fn drop_first_rows(grouped: *mut pg_sys::RelOptInfo) {
    // SAFETY: a list of paths, of which no cheapest one has been chosen yet.
    unsafe {
        for path in node::list_vec::<pg_sys::Path>((*grouped).pathlist) {
            if node::is_a(path, pg_sys::NodeTag::T_MinMaxAggPath) {
                (*grouped).pathlist = pg_sys::list_delete_ptr((*grouped).pathlist, path.cast());
            }
        }
    }
}

/// Whether grouping sets can be shipped: one placement has all rows, and what is grouped by are columns. (Which of several
/// equal expressions, or constants, a set makes NULL would have to be told.)
unsafe fn ships_sets(root: *mut pg_sys::PlannerInfo, info: &RelInfo) -> bool {
    // SAFETY: planner data.
    unsafe {
        let exprs = grouping_exprs(root);
        info.placements.len() == 1
            && exprs.iter().enumerate().all(|(i, &expr)| {
                node::cast::<pg_sys::Var, _>(expr).is_some_and(|var| info.scope.owns(var))
                    && !exprs[..i].iter().any(|&other| pg_sys::equal(other.cast(), expr.cast()))
            })
    }
}

/// What the grouping gives out and which conditions on groups go with it; `None` when it cannot be shipped.
unsafe fn grouping(
    root: *mut pg_sys::PlannerInfo,
    input: &RelInfo,
    grouped: *mut pg_sys::RelOptInfo,
    having: *mut pg_sys::List,
) -> Option<Upper> {
    // SAFETY: planner data.
    unsafe {
        let parse = (*root).parse;
        let scope = input.scope.grouped();
        let ships = |expr: *mut pg_sys::Expr| {
            deparse::foreign_expr(&scope, expr).is_ok() && !deparse::is_parameter(&scope, expr)
        };
        let target = (*grouped).reltarget;
        let reference = |i: usize| match (*target).sortgrouprefs {
            none if none.is_null() => 0,
            references => *references.add(i),
        };
        let is_group = |i| {
            let clause = (*parse).groupClause;
            reference(i) != 0
                && !pg_sys::get_sortgroupref_clause_noerr(reference(i), clause).is_null()
        };
        let exprs = node::list_vec::<pg_sys::Expr>((*target).exprs);
        let groups: Vec<_> = (0..exprs.len()).filter(|&i| is_group(i)).map(|i| exprs[i]).collect();
        // What merely depends on the grouping columns, by a primary key of the parent, the shard may not know to do so.
        let mut all = exprs.iter().copied().chain(node::list(having));
        if all.any(|expr| ungrouped::has(expr.cast(), &groups)) {
            return None;
        }
        let mut tlist: *mut pg_sys::List = std::ptr::null_mut();
        for (i, &expr) in exprs.iter().enumerate() {
            if is_group(i) {
                // All of GROUP BY must be there, and each by a column of its own.
                if !ships(expr) {
                    return None;
                }
                let number = node::list::<pg_sys::Node>(tlist).len() as i16 + 1;
                let entry = pg_sys::makeTargetEntry(expr, number, std::ptr::null_mut(), false);
                (*entry).ressortgroupref = reference(i);
                tlist = pg_sys::lappend(tlist, entry.cast());
            } else if ships(expr) {
                tlist = pg_sys::add_to_flat_tlist(tlist, node::make_list([expr]));
            } else {
                tlist = add_aggregates(&scope, tlist, expr)?;
            }
        }
        let (mut shipped, mut local) = (Vec::new(), Vec::new());
        for qual in node::list::<pg_sys::Expr>(having) {
            if deparse::foreign_expr(&scope, qual).is_ok() {
                shipped.push(qual);
            } else {
                tlist = add_aggregates(&scope, tlist, qual)?;
                local.push(qual);
            }
        }
        // Without GROUP BY it is the aggregates (or HAVING) that make one row of all. The planner has taken out those whose
        // value nobody needs: `SELECT NULL FROM t` would be something else.
        let is_aggregate = |part| node::is_a(part, pg_sys::NodeTag::T_Aggref);
        if (*parse).groupClause.is_null()
            && shipped.is_empty()
            && !node::list::<pg_sys::TargetEntry>(tlist)
                .any(|entry| node::any_node((*entry).expr.cast(), &mut |part| is_aggregate(part)))
        {
            return None;
        }
        let group_by = GroupBy::from_query(parse, tlist).ok()?;
        Some(Upper { tlist, group_by, having: shipped, local_having: local, ..Upper::default() })
    }
}

/// Adds the aggregates of an expression that itself is computed here. Its columns are grouping columns.
unsafe fn add_aggregates(
    scope: &deparse::Scope,
    mut tlist: *mut pg_sys::List,
    expr: *mut pg_sys::Expr,
) -> Option<*mut pg_sys::List> {
    // SAFETY: planner data.
    unsafe {
        let flags = pg_sys::PVC_INCLUDE_AGGREGATES | pg_sys::PVC_RECURSE_PLACEHOLDERS;
        let parts = pg_sys::pull_var_clause(expr.cast(), flags as i32);
        for part in node::list_vec::<pg_sys::Expr>(parts) {
            if deparse::foreign_expr(scope, part).is_err() {
                return None;
            }
            if node::cast::<pg_sys::Aggref, _>(part).is_some() {
                tlist = pg_sys::add_to_flat_tlist(tlist, node::make_list([part]));
            }
        }
        Some(tlist)
    }
}

/// The grouping columns.
///
/// # Safety
/// `root` is the planner's.
pub(super) unsafe fn grouping_exprs(root: *mut pg_sys::PlannerInfo) -> Vec<*mut pg_sys::Expr> {
    // SAFETY: planner data.
    unsafe {
        let parse = (*root).parse;
        node::list_vec(pg_sys::get_sortgrouplist_exprs((*parse).groupClause, (*parse).targetList))
    }
}

/// A relation for a step before the grouping, still without paths. `None` when a parallel plan has made it already.
///
/// # Safety
/// Planner data, in GetForeignUpperPaths for grouping.
pub(super) unsafe fn step_relation(
    root: *mut pg_sys::PlannerInfo,
    input: *mut pg_sys::RelOptInfo,
    grouped: *mut pg_sys::RelOptInfo,
) -> Option<*mut pg_sys::RelOptInfo> {
    // SAFETY: as the caller vouches.
    unsafe {
        let step =
            pg_sys::fetch_upper_rel(root, Stage::UPPERREL_PARTIAL_GROUP_AGG, (*grouped).relids);
        if !(*step).fdw_private.is_null() || !(*step).pathlist.is_null() {
            return None;
        }
        (*step).serverid = (*input).serverid;
        (*step).userid = (*input).userid;
        (*step).useridiscurrent = (*input).useridiscurrent;
        (*step).fdwroutine = (*input).fdwroutine;
        Some(step)
    }
}

pub(super) unsafe fn estimate_groups(
    root: *mut pg_sys::PlannerInfo,
    input: *mut pg_sys::RelOptInfo,
) -> f64 {
    // SAFETY: planner data; the lists are the query's.
    unsafe {
        let parse = (*root).parse;
        if (*parse).groupClause.is_null() {
            return 1.0;
        }
        let exprs = pg_sys::get_sortgrouplist_exprs((*parse).groupClause, (*parse).targetList);
        pg_sys::estimate_num_groups(
            root,
            exprs,
            (*input).rows,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
    }
}

/// The final ORDER BY, above a grouping. (Scans and joins have sorted paths of their own.)
unsafe fn order(
    root: *mut pg_sys::PlannerInfo,
    info: &RelInfo,
    input: *mut pg_sys::RelOptInfo,
    ordered: *mut pg_sys::RelOptInfo,
) -> Result<(), Failure> {
    // SAFETY: planner data.
    unsafe {
        // For LIMIT, whose input this will be.
        info.pointer(input).install(ordered);
        let Some(upper) = &info.upper else { return Ok(()) };
        let computed_here = upper.names_only || !upper.local_having.is_empty();
        // To be merged, rows are sorted by collations that are named: not what SELECT DISTINCT gives out.
        let unmerged = info.placements.len() != 1 && upper.distinct != Distinct::No;
        if (*(*root).parse).hasTargetSRFs || computed_here || unmerged {
            return Ok(());
        }
        let keys = sort_keys_of_group(info, upper, (*root).sort_pathkeys);
        if !keys.is_some_and(|keys| info.placements.len() == 1 || merge::can_merge(&keys)) {
            return Ok(());
        }
        let Some(estimate) = info.estimate else { return Ok(()) };
        let (startup, total) = cost::sorted(&estimate, info);
        let path = compat::create_foreign_upper_path(
            root,
            input,
            *(*root).upper_targets.as_mut_ptr().add(Stage::UPPERREL_ORDERED as usize),
            PathCost { rows: estimate.rows, startup, total },
            (*root).sort_pathkeys,
        );
        (*path).fdw_private = Finish { sort: true, limit: false }.to_list();
        pg_sys::add_path(ordered, path.cast());
        Ok(())
    }
}

/// What a path adds at the end of the query, kept in the path's `fdw_private`.
#[derive(Clone, Copy, Default)]
pub(super) struct Finish {
    pub(super) sort: bool,
    pub(super) limit: bool,
}

impl Finish {
    pub(super) unsafe fn to_list(self) -> *mut pg_sys::List {
        node::make_int_list([i32::from(self.sort), i32::from(self.limit)])
    }

    /// What the path's planning noted.
    ///
    /// # Safety
    /// `path` is a path of ours.
    pub(super) unsafe fn of(path: *mut pg_sys::ForeignPath) -> Finish {
        // SAFETY: only this file writes a path's fdw_private.
        let flags: Vec<i32> = unsafe {
            // A batched join puts something else there.
            if batched::condition(path).is_some() {
                return Finish::default();
            }
            node::int_list((*path).fdw_private).collect()
        };
        Finish { sort: flags.first() == Some(&1), limit: flags.get(1) == Some(&1) }
    }
}

/// ORDER BY over the output columns of a grouping.
///
/// # Safety
/// Planner data of the query that `info` is of.
pub(super) unsafe fn sort_keys_of_group(
    info: &RelInfo,
    upper: &Upper,
    pathkeys: *mut pg_sys::List,
) -> Option<Vec<SortKey>> {
    // SAFETY: as the caller vouches.
    unsafe {
        let mut keys = Vec::new();
        for pathkey in node::list::<pg_sys::PathKey>(pathkeys) {
            let class = (*pathkey).pk_eclass;
            if (*class).ec_has_volatile {
                return None;
            }
            let key = compat::upper::equal_members(class, std::ptr::null_mut())
                .into_iter()
                .filter(|&member| {
                    node::list::<pg_sys::TargetEntry>(upper.tlist)
                        .any(|entry| pg_sys::equal((*entry).expr.cast(), (*member).em_expr.cast()))
                })
                .find_map(|member| {
                    let (expr, datatype) = ((*member).em_expr, (*member).em_datatype);
                    SortKey::from_pathkey(&info.scope, pathkey, expr, datatype).ok()
                })?;
            keys.extend(key);
        }
        Some(keys)
    }
}

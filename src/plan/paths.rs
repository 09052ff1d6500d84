//! Foreign paths: unsorted, and sorted by the shard where an order is of use.

use super::relinfo::RelInfo;
use super::{cost, merge, pathkeys, row_marks};
use crate::deparse::SortKey;
use crate::error::Failure;
use crate::pg::compat::{self, PathCost};
use crate::pg::node;
use pgrx::pg_sys;
use std::ptr;

/// Adds the paths of a base relation.
///
/// # Safety
/// In GetForeignPaths for `rel`, whose state is `info`.
pub(super) unsafe fn add_base_paths(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        add_all(root, rel, info, (*rel).lateral_relids, ptr::null_mut());
        if !info.use_remote_estimate || info.placements.len() != 1 {
            return Ok(());
        }
        for order in pathkeys::for_merging(root, rel) {
            let Some(keys) = sort_keys(rel, info, order) else { continue };
            let estimate = cost::by_remote_server(rel, info, keys)?;
            let (cost, outer) = (estimate.path_cost(), ptr::null_mut());
            let required = (*rel).lateral_relids;
            let path = compat::create_foreignscan_path(root, rel, cost, order, required, outer);
            pg_sys::add_path(rel, path.cast());
        }
        Ok(())
    }
}

/// Adds the paths of a join. `outer` is a local path for EvalPlanQual, or NULL.
///
/// # Safety
/// In GetForeignJoinPaths for `rel`, whose state is `info`.
pub(super) unsafe fn add_join_paths(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
    outer: *mut pg_sys::Path,
) {
    // SAFETY: as the caller vouches.
    unsafe { add_all(root, rel, info, (*rel).lateral_relids, outer) }
}

unsafe fn add_all(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
    required_outer: pg_sys::Relids,
    outer: *mut pg_sys::Path,
) {
    // SAFETY: planner data of a relation being planned.
    unsafe {
        let Some(estimate) = info.estimate else { return };
        let add = |startup, total, pathkeys, outer| {
            use pg_sys::RelOptKind::{RELOPT_JOINREL, RELOPT_OTHER_JOINREL};
            let make = match (*rel).reloptkind {
                RELOPT_JOINREL | RELOPT_OTHER_JOINREL => compat::create_foreign_join_path,
                _ => compat::create_foreignscan_path,
            };
            let cost = PathCost { rows: estimate.rows, startup, total };
            pg_sys::add_path(rel, make(root, rel, cost, pathkeys, required_outer, outer).cast());
        };
        add(estimate.startup, estimate.total, ptr::null_mut(), outer);
        let wanted = (*root).query_pathkeys;
        if wanted.is_null() {
            return;
        }
        if sort_keys(rel, info, wanted)
            .is_some_and(|keys| info.placements.len() == 1 || merge::can_merge(&keys))
        {
            let mut outer = outer;
            if !outer.is_null() && !pg_sys::pathkeys_contained_in(wanted, (*outer).pathkeys) {
                outer = pg_sys::create_sort_path(root, rel, outer, wanted, -1.0).cast();
            }
            let (startup, total) = cost::sorted(&estimate, info);
            add(startup, total, wanted, outer);
        }
    }
}

/// The ORDER BY that gives `pathkeys`, when the shard can be relied on to sort so.
///
/// # Safety
/// `rel` is a relation of ours being planned, with state `info`; the path keys are the planner's.
pub(super) unsafe fn sort_keys(
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
    pathkeys: *mut pg_sys::List,
) -> Option<Vec<SortKey>> {
    let mut keys = Vec::new();
    // SAFETY: as the caller vouches.
    unsafe {
        for pathkey in node::list::<pg_sys::PathKey>(pathkeys) {
            let class = (*pathkey).pk_eclass;
            if (*class).ec_has_volatile {
                return None;
            }
            // Of several equal expressions any one that the shard knows will do.
            let key = compat::upper::equal_members(class, (*rel).relids)
                .into_iter()
                .filter(|&member| {
                    !(*member).em_relids.is_null()
                        && pg_sys::bms_is_subset((*member).em_relids, (*rel).relids)
                })
                .find_map(|member| {
                    SortKey::from_pathkey(
                        &info.scope,
                        pathkey,
                        (*member).em_expr,
                        (*member).em_datatype,
                    )
                    .ok()
                })?;
            keys.extend(key);
        }
    }
    Some(keys)
}

/// IsForeignPathAsyncCapable: whether Append may run the scan at the same time as others. Not one that locks rows, which are
/// locked in the order in which they are read.
///
/// # Safety
/// `path` is one of ours.
pub unsafe fn is_async_capable(path: *mut pg_sys::ForeignPath) -> bool {
    // SAFETY: as the caller vouches; the state of a relation of ours is in its fdw_private.
    unsafe {
        let Some(info) = RelInfo::of((*path).path.parent) else { return false };
        let names_only = info.upper.as_ref().is_some_and(|upper| upper.names_only);
        let tables: Vec<u32> = info.from.tables();
        !names_only
            && info.scope.tables.values().all(|table| table.async_capable)
            && row_marks::locks(info.scope.root, &tables).is_empty()
    }
}

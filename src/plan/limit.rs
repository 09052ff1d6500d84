//! LIMIT and OFFSET on the shards.
//!
//! With row locks, LIMIT is what keeps the others from being locked. All tables of the query are on the shards then, so
//! nothing has to be locked or checked again here, and the shard skips, waits and looks again as PostgreSQL does. Of
//! several placements each may lock as many rows as the LIMIT says.

use super::relinfo::{Estimate, RelInfo};
use super::upper::{Finish, sort_keys_of_group};
use super::{cost, foreign_plan, merge, paths};
use crate::deparse;
use crate::error::Failure;
use crate::pg::compat;
use pgrx::pg_sys;
use pgrx::pg_sys::UpperRelationKind as Stage;

/// What a LIMIT on the shard costs of one here.
const LIMIT_FACTOR: f64 = 0.97;

/// LIMIT and OFFSET, when nothing is left to do here before them.
pub(super) unsafe fn finish(
    root: *mut pg_sys::PlannerInfo,
    info: &RelInfo,
    input: *mut pg_sys::RelOptInfo,
    output: *mut pg_sys::RelOptInfo,
    extra: *mut pg_sys::FinalPathExtraData,
) -> Result<(), Failure> {
    // SAFETY: planner data.
    unsafe {
        let parse = (*root).parse;
        if (*parse).commandType != pg_sys::CmdType::CMD_SELECT
            || !(*extra).limit_needed
            || (*parse).hasTargetSRFs
            || !info.local_conds.is_empty()
            || info.upper.as_ref().is_some_and(|upper| !upper.local_having.is_empty())
            || (*parse).limitOption == pg_sys::LimitOption::LIMIT_OPTION_WITH_TIES
                && (info.placements.len() != 1 || (*root).sort_pathkeys.is_null())
        {
            return Ok(());
        }
        for expr in [(*parse).limitCount, (*parse).limitOffset] {
            if !expr.is_null() && deparse::foreign_expr(&info.scope, expr).is_err() {
                return Ok(());
            }
        }
        let sort = !(*root).sort_pathkeys.is_null();
        let mut merges = false;
        if sort {
            let keys = match &info.upper {
                Some(upper) => sort_keys_of_group(info, upper, (*root).sort_pathkeys),
                None => paths::sort_keys(input, info, (*root).sort_pathkeys),
            };
            let Some(keys) = keys else { return Ok(()) };
            merges = info.placements.len() > 1 && merge::can_merge(&keys);
        }
        let Some(mut estimate) = info.estimate else { return Ok(()) };
        if sort {
            (estimate.startup, estimate.total) = cost::sorted(&estimate, info);
        }
        if info.placements.len() != 1 {
            return finish_many(root, info, input, output, extra, estimate, merges);
        }
        limit(&mut estimate, info, extra);
        let path = compat::create_foreign_upper_path(
            root,
            input,
            *(*root).upper_targets.as_mut_ptr().add(Stage::UPPERREL_FINAL as usize),
            estimate.path_cost(),
            (*root).sort_pathkeys,
        );
        (*path).fdw_private = Finish { sort, limit: true }.to_list();
        pg_sys::add_path(output, path.cast());
        Ok(())
    }
}

/// LIMIT over several placements: each gives as many rows as could be needed, the first of all are chosen here.
unsafe fn finish_many(
    root: *mut pg_sys::PlannerInfo,
    info: &RelInfo,
    input: *mut pg_sys::RelOptInfo,
    output: *mut pg_sys::RelOptInfo,
    extra: *mut pg_sys::FinalPathExtraData,
    mut estimate: Estimate,
    merges: bool,
) -> Result<(), Failure> {
    // SAFETY: planner data.
    unsafe {
        let parse = (*root).parse;
        let target = |stage: Stage::Type| *(*root).upper_targets.as_ptr().add(stage as usize);
        let (last, sorted) = (target(Stage::UPPERREL_FINAL), target(Stage::UPPERREL_DISTINCT));
        // Columns that are computed after sorting would have to be added above.
        if info.upper.is_some() || last != sorted {
            return Ok(());
        }
        if foreign_plan::limit_of_each((*parse).limitCount, (*parse).limitOffset).is_none() {
            return Ok(());
        }
        let most = estimate.rows;
        let wanted = (*extra).limit_tuples;
        if wanted > 0.0 {
            estimate.rows = most.min(wanted * info.placements.len() as f64);
            if merges {
                // As for a LIMIT here, of which each shard is spared as much.
                let run = estimate.total - estimate.startup;
                estimate.total = estimate.startup + run * estimate.rows / most.max(1.0);
            } else {
                let spared = (most - estimate.rows) * info.server.fdw_tuple_cost;
                estimate.total = (estimate.total - spared).max(estimate.startup) * LIMIT_FACTOR;
            }
        }
        if merges {
            estimate.startup *= LIMIT_FACTOR;
            estimate.total *= LIMIT_FACTOR;
        }
        let scan = compat::create_foreign_upper_path(
            root,
            input,
            last,
            estimate.path_cost(),
            if merges { (*root).sort_pathkeys } else { std::ptr::null_mut() },
        );
        let sort = !(*root).sort_pathkeys.is_null();
        (*scan).fdw_private = Finish { sort, limit: true }.to_list();
        let mut path: *mut pg_sys::Path = scan.cast();
        if sort && !merges {
            path =
                pg_sys::create_sort_path(root, output, path, (*root).sort_pathkeys, wanted).cast();
        }
        let path = pg_sys::create_limit_path(
            root,
            output,
            path,
            (*parse).limitOffset,
            (*parse).limitCount,
            (*parse).limitOption,
            (*extra).offset_est,
            (*extra).count_est,
        );
        pg_sys::add_path(output, path.cast());
        Ok(())
    }
}

/// Rows and cost of the part of a scan that LIMIT and OFFSET let through.
unsafe fn limit(estimate: &mut Estimate, info: &RelInfo, extra: *mut pg_sys::FinalPathExtraData) {
    // SAFETY: reads of planner data; the estimates are ours.
    unsafe {
        let all = estimate.rows;
        pg_sys::adjust_limit_rows_costs(
            &raw mut estimate.rows,
            &raw mut estimate.startup,
            &raw mut estimate.total,
            (*extra).offset_est,
            (*extra).count_est,
        );
        // Rows that the shard skips do not travel.
        let spared = (all - estimate.rows).max(0.0) * info.server.fdw_tuple_cost;
        estimate.total = (estimate.total - spared).max(estimate.startup);
        estimate.retrieved = estimate.rows;
        // Dropping rows there is never worse than dropping them here, but the difference may be too small for the
        // planner to see, which compares costs to within one per cent.
        estimate.startup *= LIMIT_FACTOR;
        estimate.total *= LIMIT_FACTOR;
    }
}

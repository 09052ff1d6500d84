//! Scans that take values of other relations: the inner side of a nested loop asks for the rows that match the outer
//! row at hand, and of a sharded table only the placement that can hold them.
//!
//! postgres_fdw offers such paths under `use_remote_estimate` only. By local statistics we offer them as well, but
//! suppose an index on the shard only where the condition is about a key: see [`cost::parameterised`].
//!
//! Each execution is a statement of its own on the shard and sees what was changed there before it. So a statement that
//! changes foreign tables gets no such paths: its later scans would find rows that it has changed itself. (A sharded parent
//! changed as one foreign relation is: all rows are found before the first change then, see exec/drain.rs.)

use super::cost;
use super::relinfo::{Estimate, RelInfo};
use super::routing::Routing;
use super::scan::{self, clause_list};
use super::targets;
use crate::error::Failure;
use crate::pg::{compat, ffi, node};
use pgrx::pg_sys;
use std::ffi::c_void;
use std::ptr;

/// Adds the parameterised paths of a base relation.
///
/// # Safety
/// In GetForeignPaths for `rel`, whose state is `info`.
pub(super) unsafe fn add_paths(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        if changes_foreign_tables(root) {
            return Ok(());
        }
        for param in param_infos(root, rel, info) {
            let estimate = estimate(root, rel, info, param)?;
            (*param).ppi_rows = estimate.rows;
            let (keys, outer) = ((*param).ppi_req_outer, ptr::null_mut());
            let cost = estimate.path_cost();
            let path =
                compat::create_foreignscan_path(root, rel, cost, ptr::null_mut(), keys, outer);
            pg_sys::add_path(rel, path.cast());
        }
        Ok(())
    }
}

/// Whether the statement may change rows of a foreign table while it reads.
///
/// # Safety
/// `root` is the planner's.
pub(super) unsafe fn changes_foreign_tables(root: *mut pg_sys::PlannerInfo) -> bool {
    // SAFETY: planner data of this query level and those around it.
    unsafe {
        let mut level = root;
        while !level.is_null() {
            let parse = (*level).parse;
            if (*parse).hasModifyingCTE {
                return true;
            }
            if (*parse).commandType != pg_sys::CmdType::CMD_SELECT {
                let target = (*parse).resultRelation - 1;
                let entry =
                    pg_sys::list_nth((*parse).rtable, target).cast::<pg_sys::RangeTblEntry>();
                let drained = level == root && targets::changes_virtual(root);
                if !drained
                    && ((*entry).relkind as u8 != pg_sys::RELKIND_RELATION
                        || ffi::has_subclass((*entry).relid))
                {
                    return true;
                }
            }
            level = (*level).parent_root;
        }
        false
    }
}

/// The sets of relations whose values narrow the scan down by a condition that can be shipped.
unsafe fn param_infos(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
) -> Vec<*mut pg_sys::ParamPathInfo> {
    let mut found = Vec::new();
    // SAFETY: planner data of the relation.
    unsafe {
        let mut consider = |clause: *mut pg_sys::RestrictInfo| {
            if !pg_sys::join_clause_is_movable_to(clause, rel)
                || scan::ships(info, clause, rel).is_err()
            {
                return;
            }
            let outer = pg_sys::bms_union((*clause).clause_relids, (*rel).lateral_relids);
            let outer = pg_sys::bms_del_member(outer, (*rel).relid as i32);
            if pg_sys::bms_num_members(outer) == 0 {
                return;
            }
            // The same set gives the same structure.
            let param = pg_sys::get_baserel_parampathinfo(root, rel, outer);
            if !found.contains(&param) {
                found.push(param);
            }
        };
        for clause in node::list_vec::<pg_sys::RestrictInfo>((*rel).joininfo) {
            consider(clause);
        }
        if (*rel).has_eclass_joins {
            let mut wanted = Wanted { current: ptr::null_mut(), done: Vec::new() };
            loop {
                wanted.current = ptr::null_mut();
                let clauses = pg_sys::generate_implied_equalities_for_column(
                    root,
                    rel,
                    Some(is_wanted),
                    (&raw mut wanted).cast(),
                    (*rel).lateral_referencers,
                );
                if wanted.current.is_null() {
                    break;
                }
                for clause in node::list_vec::<pg_sys::RestrictInfo>(clauses) {
                    consider(clause);
                }
                wanted.done.push(wanted.current);
            }
        }
    }
    found
}

/// Which member of equivalence classes is being looked at: one after the other.
struct Wanted {
    current: *mut pg_sys::Expr,
    done: Vec<*mut pg_sys::Expr>,
}

/// Callback of generate_implied_equalities_for_column.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn is_wanted(
    _root: *mut pg_sys::PlannerInfo,
    _rel: *mut pg_sys::RelOptInfo,
    _class: *mut pg_sys::EquivalenceClass,
    member: *mut pg_sys::EquivalenceMember,
    wanted: *mut c_void,
) -> bool {
    // SAFETY: `wanted` is the value of `param_infos`, which waits for the call to end.
    unsafe {
        let wanted = &mut *wanted.cast::<Wanted>();
        let expr = (*member).em_expr;
        if !wanted.current.is_null() {
            return pg_sys::equal(expr.cast(), wanted.current.cast());
        }
        if wanted.done.iter().any(|&done| pg_sys::equal(expr.cast(), done.cast())) {
            return false;
        }
        wanted.current = expr;
        true
    }
}

/// Size and cost of one execution.
unsafe fn estimate(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
    param: *mut pg_sys::ParamPathInfo,
) -> Result<Estimate, Failure> {
    // SAFETY: planner data of the relation.
    unsafe {
        let (mut remote, mut local) = (Vec::new(), info.local_conds.clone());
        for clause in node::list_vec::<pg_sys::RestrictInfo>((*param).ppi_clauses) {
            match scan::ships(info, clause, rel) {
                Ok(()) => remote.push(clause),
                Err(_) => local.push(clause),
            }
        }
        let list = clause_list(&local);
        let inner = pg_sys::JoinType::JOIN_INNER;
        let rti = (*rel).relid as i32;
        let kept = pg_sys::clauselist_selectivity(root, list, rti, inner, ptr::null_mut());
        let mut filter: pg_sys::QualCost = Default::default();
        pg_sys::cost_qual_eval(&raw mut filter, list, root);
        let mut estimate = if info.use_remote_estimate {
            let conditions: Vec<_> = remote.iter().map(|&clause| (*clause).clause).collect();
            let sql = info.explain_sql(rel, &conditions, Vec::new())?;
            let asked = cost::asked(info, is_pinned(rel, info, &remote));
            let mut estimate = cost::by_remote_explain(info, &sql, asked)?;
            estimate.rows = pg_sys::clamp_row_est(estimate.retrieved * kept);
            estimate
        } else {
            let pinned = is_pinned(rel, info, &remote);
            let rows = (*param).ppi_rows;
            let retrieved =
                pg_sys::clamp_row_est(rows / kept.max(1e-9)).min((*rel).tuples.max(1.0));
            let mut quals: pg_sys::QualCost = Default::default();
            pg_sys::cost_qual_eval(&raw mut quals, clause_list(&remote), root);
            let equality = remote.iter().any(|&clause| !(*clause).mergeopfamilies.is_null());
            let access = cost::Access { pinned, equality, quals };
            cost::parameterised(rel, info, rows, retrieved, access)
        };
        estimate.startup += filter.startup;
        estimate.total +=
            filter.startup + (pg_sys::cpu_tuple_cost + filter.per_tuple) * estimate.retrieved;
        cost::add_transfer(&mut estimate, info);
        Ok(estimate)
    }
}

/// Whether the conditions choose placements: then one of them is asked at each execution.
///
/// # Safety
/// `rel` is a base relation whose state `info` is.
pub(super) unsafe fn is_pinned(
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
    conditions: &[*mut pg_sys::RestrictInfo],
) -> bool {
    let Some(table) = &info.sharded else { return false };
    // SAFETY: valid conditions of the query; what is made here goes with the planner's memory.
    unsafe {
        let clauses: Vec<_> = conditions.iter().map(|&clause| (*clause).clause).collect();
        let rti = (*rel).relid;
        Routing::plan(table, rti, &[rti], &clauses, &[], &mut Vec::new()).is_some()
    }
}

//! Planning of scans of one foreign table: size, paths, plan.

use super::cost;
use super::private::{Placement, ScanPlan};
use super::prune;
use super::relinfo::RelInfo;
use crate::deparse::{self, From, LockStrength, LockWait, Locking, Params, Scope};
use crate::error::Failure;
use crate::options::load;
use crate::pg::{compat, node};
use crate::shard::Verdict;
use pgrx::pg_sys;
use pgrx::pg_sys::Oid;
use std::rc::Rc;

/// GetForeignRelSize: which conditions go to the shard, which columns come back, how many rows that may be.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn rel_size(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    relid: Oid,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let table = load::foreign_table(relid)?;
        let rti = (*rel).relid;
        let scope = Scope::new(root, [(rti, Rc::clone(&table))]);
        let mut info = RelInfo {
            server: Rc::clone(&table.server),
            user: compat::planning_user(root, rel),
            placements: vec![Placement { server: table.server.oid, tables: vec![relid] }],
            remote_conds: Vec::new(),
            local_conds: Vec::new(),
            not_shipped: Vec::new(),
            attrs_used: std::ptr::null_mut(),
            local_conds_sel: 1.0,
            local_conds_cost: Default::default(),
            estimate: None,
            use_remote_estimate: table.use_remote_estimate,
            fetch_size: table.fetch_size,
            scope,
            from: From::Table { rti },
        };
        if prune::verdict(root, rel)? == Verdict::Refuted {
            // No row of this table can match: the planner leaves it out.
            pg_sys::mark_dummy_rel(rel);
            info.install(rel);
            return Ok(());
        }
        for clause in node::list::<pg_sys::RestrictInfo>((*rel).baserestrictinfo) {
            match deparse::foreign_expr(&info.scope, (*clause).clause) {
                Ok(()) => info.remote_conds.push(clause),
                Err(reason) => {
                    info.local_conds.push(clause);
                    info.not_shipped.push(reason.to_string());
                }
            }
        }
        info.attrs_used = attributes_used(rel, rti, &info);
        let local = clause_list(&info.local_conds);
        info.local_conds_sel = pg_sys::clauselist_selectivity(
            root,
            local,
            rti as i32,
            pg_sys::JoinType::JOIN_INNER,
            std::ptr::null_mut(),
        );
        pg_sys::cost_qual_eval(&raw mut info.local_conds_cost, local, root);
        estimate_size(root, rel, &mut info)?;
        info.install(rel);
        Ok(())
    }
}

/// Columns the query needs here: for its output, and for conditions evaluated locally.
unsafe fn attributes_used(
    rel: *mut pg_sys::RelOptInfo,
    rti: u32,
    info: &RelInfo,
) -> *mut pg_sys::Bitmapset {
    // SAFETY: the relation's target list is set before GetForeignRelSize.
    unsafe {
        let mut used = std::ptr::null_mut();
        pg_sys::pull_varattnos((*(*rel).reltarget).exprs.cast(), rti, &raw mut used);
        for &clause in &info.local_conds {
            pg_sys::pull_varattnos((*clause).clause.cast(), rti, &raw mut used);
        }
        used
    }
}

/// Sets `rel->rows`, width and the scan's cost.
unsafe fn estimate_size(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    info: &mut RelInfo,
) -> Result<(), Failure> {
    // SAFETY: as in `rel_size`.
    unsafe {
        if info.use_remote_estimate {
            let mut estimate = cost::by_remote_explain(info, &explain_sql(info, (*rel).relid)?)?;
            estimate.rows = pg_sys::clamp_row_est(estimate.retrieved * info.local_conds_sel);
            estimate.startup += info.local_conds_cost.startup;
            estimate.total += info.local_conds_cost.startup
                + (pg_sys::cpu_tuple_cost + info.local_conds_cost.per_tuple) * estimate.retrieved;
            cost::add_transfer(&mut estimate, info);
            (*rel).rows = estimate.rows;
            (*(*rel).reltarget).width = estimate.width;
            info.estimate = Some(estimate);
            return Ok(());
        }
        // Never analysed: suppose ten pages, as PostgreSQL does for such tables of its own.
        if (*rel).tuples < 0.0 {
            (*rel).pages = 10;
            let header = size_of::<pg_sys::HeapTupleHeaderData>() as f64;
            let width = f64::from((*(*rel).reltarget).width) + header;
            (*rel).tuples = 10.0 * f64::from(pg_sys::BLCKSZ) / width;
        }
        pg_sys::set_baserel_size_estimates(root, rel);
        info.estimate = Some(cost::by_local_statistics(rel, info, false));
        Ok(())
    }
}

/// The scan's SQL for a remote EXPLAIN.
unsafe fn explain_sql(info: &RelInfo, rti: u32) -> Result<String, Failure> {
    // SAFETY: clauses are live RestrictInfos of the relation.
    unsafe {
        let conditions = info.remote_conds.iter().map(|&clause| (*clause).clause).collect();
        let statement = info.statement(&info.base_query(rti, conditions), Params::Unknown)?;
        let plan =
            ScanPlan { template: statement.template, relations: vec![rti], ..ScanPlan::default() };
        match info.placements.first() {
            Some(placement) => plan.sql(placement),
            None => Ok(String::new()),
        }
    }
}

/// GetForeignPaths.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn paths(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches; `rel_size` has set fdw_private.
    unsafe {
        let Some(info) = RelInfo::of(rel) else { return Ok(()) };
        let Some(estimate) = info.estimate else { return Ok(()) };
        let path = compat::create_foreignscan_path(
            root,
            rel,
            (*rel).rows,
            estimate.startup,
            estimate.total,
            std::ptr::null_mut(),
            (*rel).lateral_relids,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        );
        pg_sys::add_path(rel, path.cast());
        Ok(())
    }
}

/// GetForeignPlan.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn foreign_plan(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    _path: *mut pg_sys::ForeignPath,
    targets: *mut pg_sys::List,
    clauses: *mut pg_sys::List,
    outer: *mut pg_sys::Plan,
) -> Result<*mut pg_sys::ForeignScan, Failure> {
    // SAFETY: as the caller vouches; `rel_size` has set fdw_private.
    unsafe {
        let Some(info) = RelInfo::of(rel) else {
            return Err(Failure::internal("a foreign table was planned without its size"));
        };
        let mut remote: Vec<*mut pg_sys::Expr> = Vec::new();
        let mut local: *mut pg_sys::List = std::ptr::null_mut();
        for clause in node::list::<pg_sys::RestrictInfo>(clauses) {
            // Pseudoconstants are gating quals of a Result node above us.
            if (*clause).pseudoconstant {
                continue;
            }
            let expr = (*clause).clause;
            let ship = if info.remote_conds.contains(&clause) {
                true
            } else if info.local_conds.contains(&clause) {
                false
            } else {
                // A join condition that a parameterised path brought in.
                deparse::foreign_expr(&info.scope, expr).is_ok()
            };
            if ship {
                remote.push(expr);
            } else {
                local = pg_sys::lappend(local, expr.cast());
            }
        }
        let mut query = info.base_query((*rel).relid, remote.clone());
        query.locking = row_locks(root, (*rel).relid);
        let statement = info.statement(&query, Params::Numbered)?;
        let plan = ScanPlan {
            template: statement.template,
            retrieved: statement.retrieved,
            relations: vec![(*rel).relid],
            placements: info.placements.clone(),
            fetch_size: info.fetch_size.unwrap_or(0),
            locking: !query.locking.is_empty(),
            description: None,
            not_shipped: info.not_shipped.clone(),
        };
        Ok(pg_sys::make_foreignscan(
            targets,
            local,
            (*rel).relid,
            node::make_list(statement.params.iter().copied()),
            plan.to_list(),
            std::ptr::null_mut(),
            node::make_list(remote.iter().copied()),
            outer,
        ))
    }
}

/// The locks that the query wants on rows of a table: those of a row mark, or FOR UPDATE on the target of an UPDATE
/// or DELETE, whose rows are found again by ctid.
unsafe fn row_locks(root: *mut pg_sys::PlannerInfo, rti: u32) -> Vec<Locking> {
    use pg_sys::{CmdType, LockClauseStrength as Strength, LockWaitPolicy as Wait};
    // SAFETY: the planner's root has its parse tree.
    unsafe {
        let parse = (*root).parse;
        let changed = matches!((*parse).commandType, CmdType::CMD_UPDATE | CmdType::CMD_DELETE)
            && pg_sys::bms_is_member(rti as i32, (*root).all_result_relids);
        if changed {
            return vec![Locking { rti, strength: LockStrength::Update, wait: LockWait::Wait }];
        }
        let mark = node::list::<pg_sys::PlanRowMark>((*root).rowMarks).find(|&m| (*m).rti == rti);
        let Some(mark) = mark else { return Vec::new() };
        let strength = match (*mark).strength {
            Strength::LCS_FORUPDATE => LockStrength::Update,
            Strength::LCS_FORNOKEYUPDATE => LockStrength::NoKeyUpdate,
            Strength::LCS_FORSHARE => LockStrength::Share,
            Strength::LCS_FORKEYSHARE => LockStrength::KeyShare,
            _ => return Vec::new(),
        };
        let wait = match (*mark).waitPolicy {
            Wait::LockWaitError => LockWait::NoWait,
            Wait::LockWaitSkip => LockWait::SkipLocked,
            _ => LockWait::Wait,
        };
        vec![Locking { rti, strength, wait }]
    }
}

/// RestrictInfos as a List.
pub(super) unsafe fn clause_list(clauses: &[*mut pg_sys::RestrictInfo]) -> *mut pg_sys::List {
    // SAFETY: lappend only stores the pointers.
    clauses
        .iter()
        .fold(std::ptr::null_mut(), |list, &clause| unsafe { pg_sys::lappend(list, clause.cast()) })
}

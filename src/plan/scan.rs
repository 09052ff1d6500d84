//! Planning of scans of one foreign table: size, paths, plan.

use super::private::Placement;
use super::relinfo::RelInfo;
use super::row_identity;
use super::{cost, parameterized, paths};
use super::{prune, sharded};
use crate::deparse::{self, From, NotShipped, Scope};
use crate::error::Failure;
use crate::options::load;
use crate::pg::{compat, node};
use crate::session::likeness::Servers;
use crate::shard::{self, Verdict};
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
        let rti = (*rel).relid;
        let entry = *(*root).simple_rte_array.add(rti as usize);
        let sharded = sharded::virtual_table(entry)?;
        let table = match &sharded {
            Some(sharded) => Rc::clone(&sharded.table),
            None => load::foreign_table(relid)?,
        };
        let placements = match &sharded {
            Some(sharded) => prune::placements(rel, sharded)?,
            None if prune::verdict(root, rel)? == Verdict::Refuted => Vec::new(),
            None => vec![Placement { server: table.server.oid, tables: vec![relid] }],
        };
        let not_pruned = match &sharded {
            Some(table) if placements.len() > 1 && placements.len() == table.members.len() => {
                let clauses = node::list::<pg_sys::RestrictInfo>((*rel).baserestrictinfo)
                    .map(|clause| (*clause).clause.cast());
                shard::why_all(table, clauses, rti, prune::is_honoured)
            }
            _ => Vec::new(),
        };
        let mut scope = Scope::new(root, [(rti, Rc::clone(&table))]);
        scope.carriers.extend(row_identity::carrier_of(root, rti).map(|attnum| (rti, attnum)));
        let mut info = RelInfo {
            server: Rc::clone(&table.server),
            user: compat::planning_user(root, rel),
            placements,
            parents: sharded.iter().map(|table| table.parent).collect(),
            of_placements: sharded.as_ref().map_or(0, |table| table.members.len() as u32),
            distribution: sharded.iter().map(|table| (Rc::clone(table), rti)).collect(),
            sharded,
            remote_conds: Vec::new(),
            deciding: node::list_vec((*rel).baserestrictinfo),
            local_conds: Vec::new(),
            not_shipped: Vec::new(),
            not_pruned,
            attrs_used: std::ptr::null_mut(),
            local_conds_sel: 1.0,
            local_conds_cost: Default::default(),
            estimate: None,
            use_remote_estimate: table.use_remote_estimate,
            fetch_size: table.fetch_size,
            scope,
            from: From::Table { rti },
            join_conds: Vec::new(),
            description: String::new(),
            below: None,
            upper: None,
        };
        if info.placements.is_empty() {
            // No row of this table can match: the planner leaves it out.
            pg_sys::mark_dummy_rel(rel);
            info.install(rel);
            return Ok(());
        }
        info.scope.servers = Some(Rc::new(servers(rel, &info)));
        for clause in node::list::<pg_sys::RestrictInfo>((*rel).baserestrictinfo) {
            match ships(&info, clause, rel) {
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

/// Whether the shards may evaluate a condition on the base relation `rel`. They do so in an order of their own: one that
/// could give rows away, by an error for example, must wait until row-level security has had its say.
///
/// # Safety
/// The condition is one of the query, the relation's state is `info`.
pub(super) unsafe fn ships(
    info: &RelInfo,
    clause: *mut pg_sys::RestrictInfo,
    rel: *mut pg_sys::RelOptInfo,
) -> Result<(), NotShipped> {
    // SAFETY: as the caller vouches.
    unsafe {
        deparse::foreign_expr(&info.scope, (*clause).clause)?;
        match pg_sys::restriction_is_securely_promotable(clause, rel) {
            true => Ok(()),
            false => Err(NotShipped::Secrecy),
        }
    }
}

/// The servers that the scan may ask.
unsafe fn servers(rel: *mut pg_sys::RelOptInfo, info: &RelInfo) -> Servers {
    // SAFETY: the relation's conditions are set before GetForeignRelSize.
    let all_used = unsafe {
        info.placements.len() == 1
            || !parameterized::is_pinned(rel, info, &node::list_vec((*rel).baserestrictinfo))
    };
    let servers = info.placements.iter().map(|placement| placement.server);
    Servers::new(servers, info.user, all_used)
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
            let estimate = cost::by_remote_server(rel, info, Vec::new())?;
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
        let pinned = parameterized::is_pinned(rel, info, &info.remote_conds);
        info.estimate = Some(cost::by_local_statistics(rel, info, false, pinned));
        Ok(())
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
        if info.is_shippable() {
            paths::add_base_paths(root, rel, info)?;
            parameterized::add_paths(root, rel, info)?;
        }
        Ok(())
    }
}

/// RestrictInfos as a List.
pub(super) unsafe fn clause_list(clauses: &[*mut pg_sys::RestrictInfo]) -> *mut pg_sys::List {
    // SAFETY: lappend only stores the pointers.
    clauses
        .iter()
        .fold(std::ptr::null_mut(), |list, &clause| unsafe { pg_sys::lappend(list, clause.cast()) })
}

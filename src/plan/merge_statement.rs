//! MERGE into a sharded parent: sent to the shards as a whole, or refused.
//!
//! PostgreSQL refuses foreign tables as targets, and so the children of a parent that it would look at. Where it would look
//! at none of them it would store the rows to be inserted in the parent itself, or partition by partition. So the
//! statement is read before it is planned (`merge_shipped`); what is planned then is an idle MERGE into the parent, for privileges,
//! locks, dependencies and the command tag. Its plan gets a foreign scan below, which has the shards execute the statement.

use super::merge_shipped;
use super::private::DirectPlan;
use crate::error::{Failure, SqlState};
use crate::pg::compat::merging;
use crate::pg::{catalog, ffi, node};
use crate::shard;
use pgrx::pg_sys;
use pgrx::pg_sys::{CmdType, ForeignScan, NodeTag, Query};

/// Prepares a MERGE whose target is a sharded table; true when that was done. An error when it cannot be sent.
///
/// # Safety
/// The query is valid and ours to change, its relations are locked; `top` says whether it is the statement itself.
pub(super) unsafe fn prepare(query: *mut Query, top: bool) -> Result<bool, Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        if (*query).commandType != CmdType::CMD_MERGE {
            return Ok(false);
        }
        let entry = pg_sys::list_nth((*query).rtable, (*query).resultRelation - 1)
            .cast::<pg_sys::RangeTblEntry>();
        let kind = (*entry).relkind as u8;
        if !matches!(kind, pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE)
            || !ffi::has_subclass((*entry).relid)
            || shard::sharded_for_writing((*entry).relid)?.is_none()
        {
            return Ok(false);
        }
        let shipped = match top {
            true => merge_shipped::plan(query)?,
            false => Err("it is part of another statement".to_owned()),
        };
        match shipped {
            Ok(shipped) => {
                make_idle(query, shipped);
                Ok(true)
            }
            Err(reason) => Err(refused((*entry).relid, &reason)),
        }
    }
}

fn refused(relid: pg_sys::Oid, reason: &str) -> Failure {
    let name = catalog::relation_name(relid).unwrap_or_default();
    Failure::new(
        SqlState::FEATURE_NOT_SUPPORTED,
        format!("cannot execute MERGE on relation \"{name}\""),
    )
    .with_detail(format!("The shards cannot execute it by themselves: {reason}."))
    .with_hint("Use INSERT with ON CONFLICT, or UPDATE and DELETE that join the source.")
}

/// Leaves a MERGE that does nothing, with the foreign scan in a place that planning keeps as it is.
unsafe fn make_idle(query: *mut Query, shipped: merge_shipped::Shipped) {
    // SAFETY: new nodes in the query's memory.
    unsafe {
        let scan = pg_sys::palloc0(size_of::<ForeignScan>()).cast::<ForeignScan>();
        (*scan).scan.plan.type_ = NodeTag::T_ForeignScan;
        (*scan).operation = CmdType::CMD_UPDATE;
        (*scan).resultRelation = (*query).resultRelation as u32;
        (*scan).fs_server = shipped.plan.scan.placements[0].server;
        merging::set_tables(scan, &shipped.plan.scan.relations);
        (*scan).fdw_exprs = node::make_list(shipped.exprs);
        (*scan).fdw_private = DirectPlan::to_list(&shipped.plan);
        (*query).utilityStmt = scan.cast();
        let target = pg_sys::list_nth((*query).rtable, (*query).resultRelation - 1);
        (*target.cast::<pg_sys::RangeTblEntry>()).inh = false;
        let nothing = pg_sys::palloc0(size_of::<pg_sys::RangeTblEntry>());
        let nothing = nothing.cast::<pg_sys::RangeTblEntry>();
        (*nothing).type_ = NodeTag::T_RangeTblEntry;
        (*nothing).rtekind = pg_sys::RTEKind::RTE_RESULT;
        (*nothing).eref = pg_sys::makeAlias(c"*RESULT*".as_ptr(), std::ptr::null_mut());
        (*query).rtable = pg_sys::lappend((*query).rtable, nothing.cast());
        let from = pg_sys::palloc0(size_of::<pg_sys::RangeTblRef>()).cast::<pg_sys::RangeTblRef>();
        (*from).type_ = NodeTag::T_RangeTblRef;
        (*from).rtindex = (*(*query).rtable).length;
        merging::make_idle(query, from.cast());
    }
}

/// Puts the foreign scan of a MERGE that was made idle into its plan.
///
/// # Safety
/// `plan` was made by the planner just now.
pub(super) unsafe fn settle(plan: *mut pg_sys::PlannedStmt) -> Result<(), Failure> {
    // SAFETY: as the caller vouches. Only `make_idle` gives a MERGE what utility commands have.
    unsafe {
        let top = (*plan).planTree;
        if (*plan).commandType != CmdType::CMD_MERGE || !node::is_a(top, NodeTag::T_ModifyTable) {
            return Ok(());
        }
        // Any other MERGE does something.
        if !(*top.cast::<pg_sys::ModifyTable>()).mergeActionLists.is_null() {
            return Ok(());
        }
        let lost = || Failure::internal("the plan of a MERGE is not the one that was prepared");
        let scan = std::mem::replace(&mut (*plan).utilityStmt, std::ptr::null_mut());
        if scan.is_null() || !node::is_a(scan, NodeTag::T_ForeignScan) {
            return Err(lost());
        }
        let idle = (*top).lefttree;
        if idle.is_null() {
            return Err(lost());
        }
        let scan = scan.cast::<ForeignScan>();
        let below = &raw mut (*scan).scan.plan;
        (*below).plan_node_id = (*idle).plan_node_id;
        (*below).startup_cost = (*idle).startup_cost;
        (*below).total_cost = (*idle).total_cost;
        // The executor looks for columns by which rows are found; none is ever given out.
        let columns = node::list::<pg_sys::TargetEntry>((*idle).targetlist).map(|entry| {
            let expr = (*entry).expr.cast::<pg_sys::Node>();
            let blank = pg_sys::copyObjectImpl(entry.cast()).cast::<pg_sys::TargetEntry>();
            (*blank).expr = pg_sys::makeNullConst(
                pg_sys::exprType(expr),
                pg_sys::exprTypmod(expr),
                pg_sys::exprCollation(expr),
            )
            .cast();
            blank
        });
        (*below).targetlist = node::make_list(columns);
        (*top).lefttree = below;
        Ok(())
    }
}

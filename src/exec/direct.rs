//! Execution of an UPDATE or DELETE that the shards run as a whole.
//!
//! The statement is sent once, to all shards at the same time, when the first row is asked for. What RETURNING brings
//! back is in returned.rs.

use super::alone;
use super::early;
use super::merged_row;
use super::own_rows;
use super::params::ParamEncoder;
use super::returned::Returned;
use super::route::Route;
use super::stream::Stream;
use crate::error::Failure;
use crate::pg::{compat, expr, memory};
use crate::plan::private::{DirectPlan, Placement};
use crate::txn::{self, Participant};
use crate::wire::{Formats, Params, Request, Ticket};
use pgrx::pg_sys;
use std::rc::Rc;

/// Execution state of one direct modification.
pub struct DirectState {
    plan: DirectPlan,
    /// Evaluated when the statement is sent.
    params: expr::List,
    encoder: ParamEncoder,
    returned: Option<Returned>,
    /// Rows changed, once the statement has run without RETURNING.
    affected: Option<u64>,
    /// Takes the changed row of a sharded table. (The executor's slot for it would be that of a heap.)
    changed: *mut pg_sys::TupleTableSlot,
    /// Dummy rows given out for a RETURNING that needs no column.
    given: u64,
}

impl DirectState {
    unsafe fn begin(node: *mut pg_sys::ForeignScanState) -> Result<DirectState, Failure> {
        // SAFETY: the executor has initialised the node's base part and its scan slot.
        unsafe {
            let scan = (*node).ss.ps.plan.cast::<pg_sys::ForeignScan>();
            let plan = DirectPlan::from_list((*scan).fdw_private)?;
            let params = expr::List::init((*scan).fdw_exprs, node.cast());
            let encoder = ParamEncoder::declared(&params.types())?;
            let returned = if plan.scan.retrieved.is_empty() {
                None
            } else {
                Some(Returned::new(node, scan, &plan)?)
            };
            let relation = (*(*node).resultRelInfo).ri_RelationDesc;
            let mut changed = std::ptr::null_mut();
            if (*(*relation).rd_rel).relkind as u8 != pg_sys::RELKIND_FOREIGN_TABLE {
                let (estate, ops) = ((*node).ss.ps.state, &raw const pg_sys::TTSOpsHeapTuple);
                changed = pg_sys::ExecInitExtraTupleSlot(estate, (*relation).rd_att, ops);
            }
            Ok(DirectState { plan, params, encoder, returned, affected: None, changed, given: 0 })
        }
    }

    /// Sends the statement; without RETURNING waits until it is done everywhere.
    unsafe fn execute(&mut self, node: *mut pg_sys::ForeignScanState) -> Result<(), Failure> {
        // SAFETY: the node is in execution; the state lives in the query's memory.
        unsafe {
            let estate = (*node).ss.ps.state;
            let user = compat::result_user((*node).resultRelInfo, estate);
            self.params.evaluate((*node).ss.ps.ps_ExprContext);
            let placements = self.route()?;
            self.lock(&placements, node);
            for &parent in &self.plan.scan.parents {
                own_rows::refuse(parent)?;
            }
            early::start_all(estate)?;
            let mut params = Params::default();
            let count = self.plan.scan.params as usize;
            for (i, &(value, null)) in self.params.values().iter().take(count).enumerate() {
                self.encoder.encode(i, value, null, &mut params)?;
            }
            let types = self.encoder.param_types(params.values.len());
            let mut sent = Vec::new();
            let servers: Vec<_> = placements.iter().map(|placement| placement.server).collect();
            let participants = txn::enlist_all(&servers, user)?;
            txn::rely_on(&participants, self.plan.scan.template.relies_on)?;
            if let ([placement], [participant]) = (&placements[..], &participants[..])
                && self.returned.is_none()
                && alone::is_whole_transaction(estate)
            {
                let sql = self.plan.scan.sql(placement)?;
                if let Some(reply) =
                    participant.run_and_commit(whole(&sql, &types, &params), &sql)?
                {
                    self.affected = Some(super::modify_state::affected(&reply));
                    return Ok(());
                }
            }
            for (placement, participant) in placements.iter().zip(participants) {
                let sql: Rc<str> = self.plan.scan.sql(placement)?.into();
                participant.mark_written();
                if let Some(returned) = &mut self.returned {
                    let fetch = Some(self.plan.scan.fetch_size).filter(|&rows| rows > 0);
                    let mut stream = Stream::new(participant, sql, fetch, true, false);
                    stream.start(&types, &params, Formats::Text, false)?;
                    let _context = memory::ContextGuard::switch_to((*estate).es_query_cxt);
                    returned.add(stream)?;
                } else {
                    let ticket = participant.submit(whole(&sql, &types, &params))?;
                    sent.push(Sent { participant, ticket, sql });
                }
            }
            self.affected = Some(count_all(sent)?);
            Ok(())
        }
    }

    /// Locks the foreign tables of a sharded table, as the executor locks the children of other parents.
    unsafe fn lock(&self, placements: &[Placement], node: *mut pg_sys::ForeignScanState) {
        if self.plan.scan.parents.is_empty() {
            return;
        }
        // SAFETY: the node's plan is a ForeignScan; locks are given back when the transaction ends.
        unsafe {
            let scan = (*node).ss.ps.plan.cast::<pg_sys::ForeignScan>();
            for placement in placements {
                for (&rti, &table) in self.plan.scan.relations.iter().zip(&placement.tables) {
                    let changed = rti == (*scan).resultRelation;
                    let mode =
                        if changed { pg_sys::RowExclusiveLock } else { pg_sys::AccessShareLock };
                    pg_sys::LockRelationOid(table, mode as i32);
                }
            }
        }
    }

    /// The placements that can hold a row to be changed.
    unsafe fn route(&self) -> Result<Vec<Placement>, Failure> {
        // SAFETY: the parameters have just been evaluated.
        let route = unsafe { Route::choose(&self.plan.scan, self.params.values())? };
        let mut placements = self.plan.scan.placements.clone();
        placements.retain(|placement| route.needs(placement));
        if self.plan.inserted.is_empty() {
            return Ok(placements);
        }
        if self.plan.only_inserts {
            placements.clear();
        }
        // SAFETY: the values are those of the plan's expressions.
        unsafe { merged_row::only_taker(&self.plan, self.params.values(), &placements) }
    }

    /// The next row of RETURNING, or the slot empty when there is no more, or none is wanted.
    unsafe fn iterate(
        &mut self,
        node: *mut pg_sys::ForeignScanState,
    ) -> Result<*mut pg_sys::TupleTableSlot, Failure> {
        // SAFETY: the slots are the executor's; rows decoded live until the next batch, which is taken when
        // the slots have been cleared.
        unsafe {
            if self.affected.is_none() {
                self.execute(node)?;
            }
            let estate = (*node).ss.ps.state;
            let result = (*node).resultRelInfo;
            let slot = pg_sys::ExecClearTuple((*node).ss.ss_ScanTupleSlot);
            let affected = self.affected.unwrap_or(0);
            if (*result).ri_projectReturning.is_null() {
                self.affected = Some(0);
                if self.plan.counts {
                    (*estate).es_processed += affected;
                }
                let instrument = (*node).ss.ps.instrument;
                if !instrument.is_null() {
                    (*instrument).tuplecount += affected as f64;
                }
                return Ok(slot);
            }
            let mut changed = slot;
            match &mut self.returned {
                Some(returned) => {
                    if returned.fills_changed() {
                        changed = changed_slot(estate, result, self.changed);
                        pg_sys::ExecClearTuple(changed);
                    }
                    if !returned.next(slot, changed)? {
                        return Ok(slot);
                    }
                }
                None if self.given < affected => {
                    self.given += 1;
                    pg_sys::ExecStoreAllNullTuple(slot);
                    if (*(*node).ss.ps.plan.cast::<pg_sys::ForeignScan>()).scan.scanrelid == 0 {
                        changed = changed_slot(estate, result, self.changed);
                        pg_sys::ExecStoreAllNullTuple(changed);
                    }
                }
                None => return Ok(slot),
            }
            if self.plan.counts {
                (*estate).es_processed += 1;
            }
            let context = (*(*result).ri_projectReturning).pi_exprContext;
            (*context).ecxt_scantuple = changed;
            Ok(slot)
        }
    }

    fn end(&mut self) {
        if let Some(returned) = &mut self.returned {
            returned.close();
        }
    }
}

/// The statement as one request.
fn whole<'a>(sql: &'a str, param_types: &'a [u32], params: &'a Params) -> Request<'a> {
    let formats = Formats::Text;
    Request::Execute { sql, param_types, params, formats, portal: "", max_rows: 0 }
}

/// The slot for the changed row: our own, if there is one.
unsafe fn changed_slot(
    estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    own: *mut pg_sys::TupleTableSlot,
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the result relation is an initialised one of this statement.
    if own.is_null() { unsafe { pg_sys::ExecGetReturningSlot(estate, result) } } else { own }
}

/// The statement on one placement, until it is done.
pub(super) struct Sent {
    pub(super) participant: Rc<Participant>,
    pub(super) ticket: Ticket,
    pub(super) sql: Rc<str>,
}

/// Waits until the statement is done everywhere, and adds up the rows it has changed.
pub(super) fn count_all(mut sent: Vec<Sent>) -> Result<u64, Failure> {
    let mut affected = 0;
    while !sent.is_empty() {
        if sent.len() > 1 {
            let waited: Vec<_> =
                sent.iter().map(|sent| (&*sent.participant, &sent.ticket)).collect();
            txn::wait_any(&waited, None)?;
        }
        let alone = sent.len() == 1;
        let (done, waiting): (Vec<_>, Vec<_>) =
            sent.into_iter().partition(|sent| alone || sent.participant.has_answer(&sent.ticket));
        for Sent { participant, ticket, sql } in done {
            affected += super::modify_state::affected(&participant.wait(ticket, &sql)?);
        }
        sent = waiting;
    }
    Ok(affected)
}

unsafe fn state<'a>(node: *mut pg_sys::ForeignScanState) -> Option<&'a mut DirectState> {
    // SAFETY: fdw_state is NULL or was set by `begin`.
    unsafe { (*node).fdw_state.cast::<DirectState>().as_mut() }
}

/// BeginDirectModify.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn begin(node: *mut pg_sys::ForeignScanState) -> Result<(), Failure> {
    // SAFETY: es_query_cxt lives as long as the node and is current here.
    unsafe {
        let state = DirectState::begin(node)?;
        (*node).fdw_state = memory::give((*(*node).ss.ps.state).es_query_cxt, state).cast();
        Ok(())
    }
}

/// IterateDirectModify.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn iterate(
    node: *mut pg_sys::ForeignScanState,
) -> Result<*mut pg_sys::TupleTableSlot, Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        match state(node) {
            Some(state) => state.iterate(node),
            None => Ok(pg_sys::ExecClearTuple((*node).ss.ss_ScanTupleSlot)),
        }
    }
}

/// EndDirectModify. The state itself goes with the query's memory.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn end(node: *mut pg_sys::ForeignScanState) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    if let Some(state) = unsafe { state(node) } {
        state.end();
    }
    Ok(())
}

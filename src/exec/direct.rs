//! Execution of an UPDATE or DELETE that the shard runs as a whole.
//!
//! The statement is sent once, when the first row is asked for. With RETURNING its rows come batch by batch, as
//! text: asking for them in another form after the fact would change the data twice.

use super::early;
use super::params::ParamEncoder;
use super::rows::RowDecoder;
use super::scan::name_row_types;
use super::stream::{Next, Stream};
use super::tuple::Filler;
use crate::error::Failure;
use crate::pg::{catalog, compat, expr, memory, node};
use crate::plan::private::DirectPlan;
use crate::txn;
use crate::wire::{Params, Request};
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
    /// Dummy rows given out for a RETURNING that needs no column.
    given: u64,
}

/// What takes RETURNING's rows.
struct Returned {
    decoder: RowDecoder,
    filler: Filler,
    /// Of a join: fills a slot of the changed table from the same columns.
    changed: Option<Filler>,
    stream: Option<Stream>,
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
            Ok(DirectState { plan, params, encoder, returned, affected: None, given: 0 })
        }
    }

    /// Sends the statement; without RETURNING waits until it is done.
    unsafe fn execute(&mut self, node: *mut pg_sys::ForeignScanState) -> Result<(), Failure> {
        // SAFETY: the node is in execution; the state lives in the query's memory.
        unsafe {
            let estate = (*node).ss.ps.state;
            let Some(placement) = self.plan.scan.placements.first() else {
                return Err(Failure::internal("a modification without a placement"));
            };
            let sql: Rc<str> = self.plan.scan.sql(placement)?.into();
            let user = compat::result_user((*node).resultRelInfo, estate);
            early::start_all(estate)?;
            let participant = txn::enlist(placement.server, user)?;
            self.params.evaluate((*node).ss.ps.ps_ExprContext);
            let mut params = Params::default();
            for (i, &(value, null)) in self.params.values().iter().enumerate() {
                self.encoder.encode(i, value, null, &mut params)?;
            }
            let types = self.encoder.param_types(params.values.len());
            participant.mark_written();
            let formats = crate::wire::Formats::Text;
            if let Some(returned) = &mut self.returned {
                let fetch = Some(self.plan.scan.fetch_size).filter(|&rows| rows > 0);
                let mut stream = Stream::new(participant, sql, fetch, true, false);
                stream.start(&types, &params, formats, false)?;
                returned.stream = Some(stream);
                self.affected = Some(0);
            } else {
                let request = Request::Execute {
                    sql: &sql,
                    param_types: &types,
                    params: &params,
                    formats,
                    portal: "",
                    max_rows: 0,
                };
                let reply = participant.run(request, &sql)?;
                self.affected = Some(super::modify::affected(&reply));
            }
            Ok(())
        }
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
                    if returned.changed.is_some() {
                        changed = pg_sys::ExecGetReturningSlot(estate, result);
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
                        changed = pg_sys::ExecGetReturningSlot(estate, result);
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
        if let Some(stream) = self.returned.as_mut().and_then(|returned| returned.stream.as_mut()) {
            stream.close();
        }
    }
}

impl Returned {
    unsafe fn new(
        node: *mut pg_sys::ForeignScanState,
        scan: *mut pg_sys::ForeignScan,
        plan: &DirectPlan,
    ) -> Result<Returned, Failure> {
        // SAFETY: as in `DirectState::begin`; the result relation is open.
        unsafe {
            let relation = (*(*node).resultRelInfo).ri_RelationDesc;
            let descriptor = (*(*node).ss.ss_ScanTupleSlot).tts_tupleDescriptor;
            let filler = Filler::new(descriptor, &plan.scan.retrieved)?;
            let mut columns = filler.local_columns(descriptor);
            let mut changed = None;
            let mut name = catalog::relation_name((*relation).rd_id).unwrap_or_default();
            if (*scan).scan.scanrelid == 0 {
                name_row_types(&mut columns, &plan.scan.retrieved, scan, (*node).ss.ps.state);
                let own = changed_columns(scan, &plan.scan.retrieved);
                changed = Some(Filler::new((*relation).rd_att, &own)?);
                "foreign join".clone_into(&mut name);
            }
            let mut decoder = RowDecoder::new(columns, name)?;
            decoder.text_only();
            Ok(Returned { decoder, filler, changed, stream: None })
        }
    }

    /// Stores the next row; false at the end.
    unsafe fn next(
        &mut self,
        slot: *mut pg_sys::TupleTableSlot,
        changed: *mut pg_sys::TupleTableSlot,
    ) -> Result<bool, Failure> {
        let Some(stream) = &mut self.stream else { return Ok(false) };
        loop {
            match stream.next_row() {
                Next::End => return Ok(false),
                Next::Pending => {
                    // SAFETY: both slots are empty.
                    unsafe { self.decoder.reset_batch() };
                    stream.receive()?;
                    if let Some(columns) = stream.take_columns() {
                        self.decoder.fit(&columns)?;
                    }
                }
                Next::Row(row) => {
                    // SAFETY: the slots are of the fillers' descriptors and empty.
                    unsafe {
                        self.filler.store(&mut self.decoder, stream.row(row), slot)?;
                        if let Some(own) = &mut self.changed {
                            own.store_part(&self.filler, changed);
                        }
                    }
                    return Ok(true);
                }
            }
        }
    }
}

/// For each result column its attribute number in the changed table, 0 for columns of other tables.
unsafe fn changed_columns(scan: *mut pg_sys::ForeignScan, retrieved: &[i32]) -> Vec<i32> {
    // SAFETY: the plan's scan columns.
    unsafe {
        let entries = node::list_vec::<pg_sys::TargetEntry>((*scan).fdw_scan_tlist);
        let own = |position: i32| {
            let entry = **entries.get(usize::try_from(position - 1).ok()?)?;
            let var = node::cast::<pg_sys::Var, _>(entry.expr)?;
            let oid = pg_sys::TableOidAttributeNumber;
            (var.varno as u32 == (*scan).resultRelation && i32::from(var.varattno) != oid)
                .then_some(i32::from(var.varattno))
        };
        retrieved.iter().map(|&position| own(position).unwrap_or(0)).collect()
    }
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

//! Execution of a foreign scan: the query runs on every placement of the plan at the same time, and rows are
//! given on as they come.
//!
//! A plain foreign table is the case of one placement. State lives in the query's memory context and is dropped
//! with it, so an ERROR needs no End callback.

mod merged;
mod waiting;

use super::join_columns::describe_columns;
use super::lane::{Lane, Step};
use super::merge::Merge;
use super::params::ParamEncoder;
use super::passing::Passing;
use super::route::Route;
use super::rows::{LocalColumn, RowDecoder};
use super::states;
use super::stream::Stream;
use super::tuple::Filler;
use super::{alone, own_rows, passing};
use crate::error::Failure;
use crate::pg::{catalog, compat, expr, memory, node};
use crate::plan::private::ScanPlan;
use crate::txn;
use crate::wire::Params;
use pgrx::pg_sys;
use pgrx::pg_sys::Oid;
use std::rc::Rc;

/// Execution state of one ForeignScan node.
pub struct ScanState {
    plan: ScanPlan,
    /// The user whose mapping is used.
    user: Oid,
    /// Of the placements that have been asked, in the order of the plan's.
    lanes: Vec<Lane>,
    /// The lane that gave the last row: it is asked first, so that rows of one batch stay together.
    current: usize,
    /// Evaluated at each start.
    params: expr::List,
    filler: Filler,
    columns: Vec<LocalColumn>,
    relation: String,
    keep: bool,
    started: bool,
    /// Rows are merged by an order.
    merge: Option<Merge>,
    /// Rows go to the client as they come.
    passing: Option<Rc<Passing>>,
    /// Rows that have not come yet are waited for.
    patient: bool,
    /// The last call would have had to wait.
    waits: bool,
    /// So many scans share the memory for rows that were read ahead.
    siblings: usize,
    /// The Merge Append that reads it: see together.rs.
    merged_by: Option<*mut pg_sys::MergeAppendState>,
}

impl ScanState {
    /// Builds the state of `node` (BeginForeignScan of fdwhandler.sgml). Nothing is sent yet.
    ///
    /// # Safety
    /// `node` is a ForeignScanState being initialised, its plan made by our planning callbacks.
    pub unsafe fn begin(
        node: *mut pg_sys::ForeignScanState,
        flags: i32,
    ) -> Result<ScanState, Failure> {
        // SAFETY: the executor has initialised the node's base part, its relation and its scan slot.
        unsafe {
            let scan = (*node).ss.ps.plan.cast::<pg_sys::ForeignScan>();
            let plan = ScanPlan::from_list((*scan).fdw_private)?;
            // Where the scan is one of a foreign table, PostgreSQL has looked.
            if (*scan).scan.scanrelid == 0 {
                catalog::refuse_if_restricted()?;
            }
            let slot = (*node).ss.ss_ScanTupleSlot;
            let descriptor = (*slot).tts_tupleDescriptor;
            let base = (*scan).scan.scanrelid > 0;
            let filler = Filler::new(descriptor, &plan.retrieved)?;
            let relation = match (&plan.description, plan.placements.first()) {
                (None, Some(placement)) if base => {
                    catalog::relation_name(placement.tables[0]).unwrap_or_default()
                }
                _ => "foreign join".to_owned(),
            };
            let mut columns = filler.local_columns(descriptor);
            if !base {
                describe_columns(&mut columns, &plan.retrieved, scan, (*node).ss.ps.state);
                states::mark(&mut columns, &plan.retrieved, scan);
            }
            let params = expr::List::init((*scan).fdw_exprs, node.cast());
            let rewinds = flags as u32 & pg_sys::EXEC_FLAG_REWIND != 0;
            let modifies = compat::statement_modifies((*node).ss.ps.state);
            Ok(ScanState {
                user: compat::scan_user(node),
                lanes: Vec::new(),
                current: 0,
                params,
                filler,
                columns,
                relation,
                // Rows that this statement changes must not turn up changed when the scan is read again.
                keep: modifies && rewinds,
                started: false,
                merge: Merge::new(&plan.merge, (*(*node).ss.ps.state).es_query_cxt)?,
                passing: None,
                patient: true,
                waits: false,
                siblings: 1,
                merged_by: None,
                plan,
            })
        }
    }

    /// The next row in the node's scan slot, or the slot empty (IterateForeignScan).
    ///
    /// # Safety
    /// `node` is the node this state was begun for, in execution.
    pub unsafe fn iterate(
        &mut self,
        node: *mut pg_sys::ForeignScanState,
    ) -> Result<*mut pg_sys::TupleTableSlot, Failure> {
        // SAFETY: the slot belongs to the node; decoded values live until the lane's next batch, longer than
        // the slot's contents have to.
        unsafe {
            let slot = (*node).ss.ss_ScanTupleSlot;
            pg_sys::ExecClearTuple(slot);
            if !self.started {
                self.start(node)?;
            }
            if let Some(mut merge) = self.merge.take() {
                let merged = self.next_merged(&mut merge, node, slot);
                self.merge = Some(merge);
                return merged.map(|()| slot);
            }
            let only = self.lanes.len() == 1 && self.patient;
            self.waits = false;
            loop {
                let (mut ended, mut passed) = (0, false);
                for step in 0..self.lanes.len() {
                    let index = (self.current + step) % self.lanes.len();
                    match self.lanes[index].advance(only)? {
                        Step::Row(row) if self.lanes[index].passing.is_some() => {
                            let rows = self.lanes[index].pass_on(row)?;
                            (*(*node).ss.ps.state).es_processed += rows;
                            passed = true;
                        }
                        Step::Row(row) => {
                            self.current = index;
                            let lane = &mut self.lanes[index];
                            let Some(stream) = &lane.stream else { continue };
                            self.filler.store(&mut lane.decoder, stream.row(row), slot)?;
                            return Ok(slot);
                        }
                        Step::Wait => {}
                        Step::End => ended += 1,
                    }
                }
                if ended == self.lanes.len() {
                    return Ok(slot);
                }
                if passed {
                    continue;
                }
                if !self.patient {
                    self.waits = true;
                    return Ok(slot);
                }
                let waited: Vec<_> = self.tickets().collect();
                txn::wait_any(&waited, None)?;
            }
        }
    }

    /// The columns of the result and which of the row each is, if rows may be given away as they come.
    pub(super) fn can_pass(&self) -> Option<(&[LocalColumn], &[i32])> {
        (!self.started && !self.keep).then_some((&self.columns, &self.plan.retrieved))
    }

    /// Whether, and how, the rows of the next start go to the client as they come.
    pub(super) fn pass(&mut self, passing: Option<Passing>) {
        self.passing = passing.map(Rc::new);
    }

    /// Sends the query before rows are asked for, when nothing has to be known for it that comes from other nodes;
    /// see early.rs. Tells whether it has been sent.
    ///
    /// # Safety
    /// As for [`ScanState::iterate`].
    pub unsafe fn start_early(
        &mut self,
        node: *mut pg_sys::ForeignScanState,
    ) -> Result<bool, Failure> {
        // SAFETY: the node is valid; its expressions do not change.
        unsafe {
            let scan = (*node).ss.ps.plan.cast::<pg_sys::ForeignScan>();
            if !self.started && !node::has_exec_param((*scan).fdw_exprs) {
                self.start(node)?;
            }
        }
        Ok(self.started)
    }

    /// Sends the query to every placement.
    ///
    /// # Safety
    /// As for [`ScanState::iterate`].
    pub(super) unsafe fn start(
        &mut self,
        node: *mut pg_sys::ForeignScanState,
    ) -> Result<(), Failure> {
        // SAFETY: the node is in execution.
        if self.passing.is_some() && unsafe { !passing::goes_to_client((*node).ss.ps.state) } {
            self.passing = None;
        }
        // SAFETY: the node's expression context is set up.
        unsafe { self.params.evaluate((*node).ss.ps.ps_ExprContext) };
        for &parent in &self.plan.parents {
            own_rows::refuse(parent)?;
        }
        // SAFETY: the values were evaluated just now; what is chosen lives as long as they do.
        let route = unsafe { Route::choose(&self.plan, self.params.values())? };
        for (place, placement) in self.plan.placements.iter().enumerate() {
            let active = route.needs(placement);
            match self.lanes.binary_search_by_key(&place, |lane| lane.place) {
                Ok(at) => self.lanes[at].active = active,
                Err(at) if active => {
                    // SAFETY: the decoders live as long as the query's memory, and so does this state.
                    let _context = unsafe {
                        memory::ContextGuard::switch_to((*(*node).ss.ps.state).es_query_cxt)
                    };
                    self.lanes.insert(at, self.open_lane(place)?);
                }
                Err(_) => {}
            }
        }
        let active: Vec<usize> =
            (0..self.lanes.len()).filter(|&index| self.lanes[index].active).collect();
        let servers: Vec<Oid> = active.iter().map(|&index| self.lanes[index].server).collect();
        let participants = txn::enlist_all(&servers, self.user)?;
        txn::rely_on(&participants, self.plan.template.relies_on)?;
        // SAFETY: the node is in execution.
        let alone = !self.plan.locking
            && unsafe { alone::is_alone(node) }
            && alone::once_each(servers.iter().copied());
        let streams = active.len() * self.siblings;
        for (index, participant) in active.into_iter().zip(participants) {
            let (fetch, locking, keep) = (self.plan.fetch_size, self.plan.locking, self.keep);
            if locking {
                participant.mark_locked();
            }
            let lane = &mut self.lanes[index];
            if lane.stream.as_ref().is_none_or(|s| !Rc::ptr_eq(s.participant(), &participant)) {
                // A limit, be it never reached, would keep the server from using parallel workers.
                let fetch = if self.plan.one_row { Some(0) } else { (fetch > 0).then_some(fetch) };
                let stream = Stream::new(participant, lane.sql.clone(), fetch, !locking, keep)
                    .among(streams);
                lane.stream = Some(stream);
            }
            lane.params = Params::default();
            let count = self.plan.params as usize;
            let placement = &self.plan.placements[lane.place];
            for (i, &(value, null)) in self.params.values().iter().take(count).enumerate() {
                let (value, null) =
                    route.own_value(i, placement).map_or((value, null), |value| (value, false));
                // SAFETY: the value is of the type the encoder was made for.
                unsafe { lane.encoder.encode(i, value, null, &mut lane.params)? };
            }
            lane.alone = alone;
            lane.passing = self.passing.clone();
            lane.keys = None;
            if let (Some(passing), Some(merge)) = (&self.passing, &self.merge) {
                // SAFETY: as for those of `open_lanes`.
                let _context =
                    unsafe { memory::ContextGuard::switch_to((*(*node).ss.ps.state).es_query_cxt) };
                let decoder = RowDecoder::new(self.columns.clone(), self.relation.clone())?;
                let is_key = |place: usize| merge.is_key(self.plan.retrieved[place]);
                lane.keys = Some(decoder.of_some(is_key, |place| passing.is_binary(place)));
            }
            lane.send()?;
        }
        if let Some(passing) = &self.passing {
            passing.tell();
        }
        self.current = 0;
        self.started = true;
        Ok(())
    }

    /// The lane of a placement that is asked for the first time.
    fn open_lane(&self, place: usize) -> Result<Lane, Failure> {
        let mut types = self.params.types();
        types.truncate(self.plan.params as usize);
        let placement = &self.plan.placements[place];
        Ok(Lane {
            place,
            server: placement.server,
            sql: self.plan.sql(placement)?.into(),
            decoder: RowDecoder::new(self.columns.clone(), self.relation.clone())?,
            encoder: ParamEncoder::declared(&types)?,
            active: true,
            params: Params::default(),
            stream: None,
            alone: false,
            passing: None,
            keys: None,
            row: 0,
            counted: self.columns.is_empty(),
            head: self.filler.clone(),
            batches: 0,
        })
    }

    /// Starts over (ReScanForeignScan): with changed parameters the query is sent again, else rows still at
    /// hand are read again.
    ///
    /// # Safety
    /// As for [`ScanState::iterate`].
    pub unsafe fn rescan(&mut self, node: *mut pg_sys::ForeignScanState) -> Result<(), Failure> {
        if !self.started {
            return Ok(());
        }
        // SAFETY: the node is valid.
        let changed = unsafe { !(*node).ss.ps.chgParam.is_null() };
        self.current = 0;
        if let Some(merge) = &mut self.merge {
            merge.reset();
        }
        // Rows that were passed on cannot be read again.
        if !changed && self.passing.take().is_none() {
            let mut all = true;
            for lane in &mut self.lanes {
                all &= lane.rewind()?;
            }
            if all {
                return Ok(());
            }
        }
        self.stop();
        Ok(())
    }

    /// Gives the portals up (EndForeignScan).
    pub fn stop(&mut self) {
        for lane in &mut self.lanes {
            if let Some(stream) = &mut lane.stream {
                stream.close();
            }
        }
        self.started = false;
    }

    /// The servers asked so far and how many rows each gave, over all starts of the scan, for EXPLAIN ANALYZE.
    pub fn asked(&self) -> impl Iterator<Item = (Oid, u64)> + '_ {
        let streams =
            self.lanes.iter().filter_map(|lane| Some((lane.server, lane.stream.as_ref()?)));
        streams.map(|(server, stream)| (server, stream.total()))
    }
}

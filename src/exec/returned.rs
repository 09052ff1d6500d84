//! The rows of RETURNING of an UPDATE or DELETE that the shards run as a whole: from all of them, as they come.
//!
//! Rows come batch by batch, as text: asking for them in another form after the fact would change the data twice.

use super::join_columns::describe_columns;
use super::rows::{LocalColumn, RowDecoder};
use super::stream::{Next, Stream};
use super::tuple::Filler;
use crate::error::Failure;
use crate::pg::{catalog, node};
use crate::plan::private::DirectPlan;
use crate::txn;
use pgrx::pg_sys;

/// Takes RETURNING's rows.
pub(super) struct Returned {
    columns: Vec<LocalColumn>,
    relation: String,
    filler: Filler,
    /// Of a join or a sharded table: fills a slot of the changed table from the same columns.
    changed: Option<Filler>,
    lanes: Vec<Lane>,
    /// The lane that gave the last row.
    current: usize,
}

/// The rows of one placement.
struct Lane {
    decoder: RowDecoder,
    stream: Stream,
}

impl Returned {
    /// For the scan of `node`, which runs `plan`.
    ///
    /// # Safety
    /// The node is being initialised; its result relation is open.
    pub(super) unsafe fn new(
        node: *mut pg_sys::ForeignScanState,
        scan: *mut pg_sys::ForeignScan,
        plan: &DirectPlan,
    ) -> Result<Returned, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            let relation = (*(*node).resultRelInfo).ri_RelationDesc;
            let descriptor = (*(*node).ss.ss_ScanTupleSlot).tts_tupleDescriptor;
            let filler = Filler::new(descriptor, &plan.scan.retrieved)?;
            let mut columns = filler.local_columns(descriptor);
            let mut changed = None;
            let mut name = catalog::relation_name((*relation).rd_id).unwrap_or_default();
            if (*scan).scan.scanrelid == 0 {
                describe_columns(&mut columns, &plan.scan.retrieved, scan, (*node).ss.ps.state);
                let own = changed_columns(scan, &plan.scan.retrieved);
                changed = Some(Filler::new((*relation).rd_att, &own)?);
                if plan.scan.relations.len() > 1 {
                    "foreign join".clone_into(&mut name);
                }
            }
            Ok(Returned { columns, relation: name, filler, changed, lanes: Vec::new(), current: 0 })
        }
    }

    /// Whether [`Returned::next`] fills a second slot.
    pub(super) fn fills_changed(&self) -> bool {
        self.changed.is_some()
    }

    /// Adds the statement on one placement.
    ///
    /// # Safety
    /// The current memory context lives as long as the query.
    pub(super) unsafe fn add(&mut self, stream: Stream) -> Result<(), Failure> {
        let mut decoder = RowDecoder::new(self.columns.clone(), self.relation.clone())?;
        decoder.text_only();
        self.lanes.push(Lane { decoder, stream });
        Ok(())
    }

    /// Stores the next row in `slot`, and in `changed` when [`Returned::fills_changed`]; false at the end.
    ///
    /// # Safety
    /// The slots are of the node and of its result relation, and empty.
    pub(super) unsafe fn next(
        &mut self,
        slot: *mut pg_sys::TupleTableSlot,
        changed: *mut pg_sys::TupleTableSlot,
    ) -> Result<bool, Failure> {
        loop {
            let mut ended = 0;
            for step in 0..self.lanes.len() {
                let index = (self.current + step) % self.lanes.len();
                match self.advance(index)? {
                    Next::End => ended += 1,
                    Next::Pending => {}
                    Next::Row(row) => {
                        self.current = index;
                        let lane = &mut self.lanes[index];
                        let row = lane.stream.row(row);
                        // SAFETY: as the caller vouches; decoded values live until the lane's next batch, which is
                        // taken when the slots have been cleared.
                        unsafe {
                            self.filler.store(&mut lane.decoder, row, slot)?;
                            if let Some(own) = &mut self.changed {
                                own.store_part(&self.filler, changed);
                            }
                        }
                        return Ok(true);
                    }
                }
            }
            if ended == self.lanes.len() {
                return Ok(false);
            }
            let waited: Vec<_> = self
                .lanes
                .iter()
                .filter_map(|lane| Some((&**lane.stream.participant(), lane.stream.ticket()?)))
                .collect();
            txn::wait_any(&waited, None)?;
        }
    }

    /// Moves one lane on as far as it goes without waiting; with a single lane it waits.
    fn advance(&mut self, index: usize) -> Result<Next, Failure> {
        let alone = self.lanes.len() == 1;
        let lane = &mut self.lanes[index];
        loop {
            match lane.stream.next_row() {
                Next::Pending if alone || lane.stream.is_ready() => {
                    // SAFETY: the slots that held the lane's last row are empty by now.
                    unsafe { lane.decoder.reset_batch() };
                    lane.stream.receive()?;
                    if let Some(columns) = lane.stream.take_columns() {
                        lane.decoder.fit(&columns)?;
                    }
                }
                next => return Ok(next),
            }
        }
    }

    /// Gives the portals up.
    pub(super) fn close(&mut self) {
        for lane in &mut self.lanes {
            lane.stream.close();
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

//! Many rows of an INSERT go by COPY, which a server reads and stores in a fraction of the time that statements take.
//!
//! That is known to be many when the executor has handed over a full batch and there are more. From then on it hands
//! over row by row, and each row goes into the COPY of its placement. Nothing is known of errors and of the shards' work before
//! the end of the statement; so nothing may depend on it: no RETURNING, no trigger, no function of the user's that could
//! look, no scan of a shard that would want the connection. And COPY must do to the remote table exactly what INSERT
//! does; where it does not, batches go on as they were.

use super::super::copy::{Fate, Places, Question, Run, quiet};
use super::super::early;
use super::super::placement::{Conflict, Parent};
use super::ShardedState;
use crate::deparse::OnConflict;
use crate::error::Failure;
use crate::pg::node;
use crate::settings;
use pgrx::pg_sys;
use pgrx::pg_sys::SysCacheIdentifier::{PROCOID, TYPEOID};

/// Fewer rows than this in a batch are no reason to begin a COPY.
const FEW: usize = 1000;

/// How rows that follow a full batch go.
pub enum Streaming {
    /// Not looked at yet.
    Unknown,
    /// In batches.
    No,
    /// One by one, by COPY.
    Yes(Box<Places>),
}

impl ShardedState {
    /// Sends a full batch by COPY, and all rows that follow. Gives the rows that could not be sent: with them, and
    /// after them, nothing has changed.
    ///
    /// # Safety
    /// The slots hold rows of the parent, handed over by the executor.
    pub(super) unsafe fn begin_stream(
        &mut self,
        slots: &[*mut pg_sys::TupleTableSlot],
    ) -> Result<Vec<*mut pg_sys::TupleTableSlot>, Failure> {
        // SAFETY: as the caller vouches; the result relation is the statement's.
        unsafe {
            if slots.len() < self.batch_rows.max(FEW)
                || !matches!(self.streaming, Streaming::Unknown)
                || !self.may_stream()
            {
                return Ok(slots.to_vec());
            }
            self.streaming = Streaming::No;
            let Parent { estate, result, user, .. } = self.parent;
            let context = (*estate).es_query_cxt;
            let mut places =
                Places::new(&Run::new(), self.placements.len(), user, context, Question::Insert);
            places.hold(true)?;
            let mut homes = Vec::with_capacity(slots.len());
            for &slot in slots {
                let index = self.route(slot)?;
                let placement = self.placement(index)?;
                // No triggers here: nothing is left out.
                if let Some(row) = placement.prepare(slot)? {
                    places.row(index, placement.relation(), row)??;
                }
                homes.push(index);
            }
            places.hold(false)?;
            let mut unsent = Vec::new();
            for (&slot, &index) in slots.iter().zip(&homes) {
                if places.is_refused(index) {
                    unsent.push(slot);
                } else if let Some(placement) = &mut self.placements[index] {
                    placement.rows += 1;
                }
            }
            if unsent.is_empty() {
                (*result).ri_BatchSize = 1;
                self.streaming = Streaming::Yes(Box::new(places));
            } else {
                places.finish()?;
            }
            Ok(unsent)
        }
    }

    /// Sends one more row. `false`: it has to be INSERTed.
    ///
    /// # Safety
    /// The slot holds a row of the parent.
    pub(super) unsafe fn stream_row(
        &mut self,
        slot: *mut pg_sys::TupleTableSlot,
    ) -> Result<bool, Failure> {
        if !matches!(self.streaming, Streaming::Yes(_)) {
            return Ok(false);
        }
        // SAFETY: as the caller vouches.
        unsafe {
            let index = self.route(slot)?;
            let placement = self.placement(index)?;
            let relation = placement.relation();
            let Some(row) = placement.prepare(slot)? else { return Ok(false) };
            let Streaming::Yes(places) = &mut self.streaming else { return Ok(false) };
            if let Fate::Taken = places.row(index, relation, row)?? {
                if let Some(placement) = &mut self.placements[index] {
                    placement.rows += 1;
                }
                return Ok(true);
            }
            // The first row for a placement that COPY is not for: batches again.
            self.finish()?;
            self.streaming = Streaming::No;
            (*self.parent.result).ri_BatchSize = self.batch_rows as i32;
            Ok(false)
        }
    }

    /// Sends rows that the executor had collected before the stream began: they come at the end. Gives those that have to
    /// be INSERTed.
    ///
    /// # Safety
    /// The slots hold rows of the parent.
    pub(super) unsafe fn stream_rest(
        &mut self,
        slots: &[*mut pg_sys::TupleTableSlot],
    ) -> Result<Vec<*mut pg_sys::TupleTableSlot>, Failure> {
        if !matches!(self.streaming, Streaming::Yes(_)) {
            return Ok(slots.to_vec());
        }
        let mut unsent = Vec::new();
        for &slot in slots {
            // SAFETY: as the caller vouches.
            if !unsafe { self.stream_row(slot)? } {
                unsent.push(slot);
            }
        }
        // What EXPLAIN shows, and right should more rows come.
        // SAFETY: the statement is in execution.
        unsafe { (*self.parent.result).ri_BatchSize = self.batch_rows as i32 };
        self.finish()?;
        Ok(unsent)
    }

    /// Waits until all rows that have been sent are stored.
    pub fn finish(&mut self) -> Result<(), Failure> {
        match &self.streaming {
            Streaming::Yes(places) => places.finish(),
            _ => Ok(()),
        }
    }

    /// Whether nothing in the statement can tell when its rows are stored.
    unsafe fn may_stream(&self) -> bool {
        let Parent { state, estate, result, ref conflict, .. } = self.parent;
        // SAFETY: the statement is in execution; COPY has no plan.
        unsafe {
            let statement = (*estate).es_plannedstmt;
            settings::enable_insert_by_copy()
                && !self.single
                && !self.checks_policies
                && matches!(conflict, Conflict::Any(OnConflict::Error))
                && !statement.is_null()
                && (*statement).planTree == (*state).ps.plan
                && !(*statement).hasModifyingCTE
                && !node::list::<pg_sys::PlanInvalItem>((*statement).invalItems)
                    .any(|item| [PROCOID, TYPEOID].contains(&((*item).cacheId as _)))
                && !early::has_scans(estate)
                && quiet::is_quiet((*result).ri_RelationDesc)
                && quiet::has_quiet_rules(&self.table)
        }
    }
}

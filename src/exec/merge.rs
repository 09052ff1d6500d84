//! Merging the sorted rows of several placements: which of the rows at hand is the next one.
//!
//! Every placement that has rows left is here with its next one, in a heap by the keys. The rows themselves stay with
//! the placements; here are the values of their keys, which live as long as the batch they came with.

use crate::error::{Failure, SqlState};
use crate::pg::order::Order;
use crate::plan::merge::MergeKey;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use std::cmp::Ordering;

/// The next row of one placement.
struct Head {
    lane: usize,
    keys: Vec<(Datum, bool)>,
    /// Which batch it came with.
    batch: u64,
}

/// The merge of one scan.
pub(super) struct Merge {
    keys: Vec<(usize, Order)>,
    /// A heap: each comes before the two at twice its place plus one and two.
    heads: Vec<Head>,
    /// The heap is complete.
    pub(super) begun: bool,
}

impl Merge {
    /// `None` when there are no keys.
    ///
    /// # Safety
    /// `context` lives as long as the merge.
    pub(super) unsafe fn new(
        keys: &[MergeKey],
        context: pg_sys::MemoryContext,
    ) -> Result<Option<Merge>, Failure> {
        let mut orders = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(column) = usize::try_from(key.column).ok().and_then(|c| c.checked_sub(1))
            else {
                return Err(Failure::internal("a merge by no column"));
            };
            // SAFETY: planning has chosen the operator; the context is the caller's word.
            let order =
                unsafe { Order::new(key.operator, key.collation, key.nulls_first, context) };
            orders.push((column, order));
        }
        Ok((!orders.is_empty()).then_some(Merge { keys: orders, heads: Vec::new(), begun: false }))
    }

    /// Whether rows are merged by column `attribute` (from 1) of the scan's rows.
    pub(super) fn is_key(&self, attribute: i32) -> bool {
        self.keys.iter().any(|(column, _)| usize::try_from(attribute) == Ok(column + 1))
    }

    /// Forgets all rows.
    pub(super) fn reset(&mut self) {
        self.heads.clear();
        self.begun = false;
    }

    /// The placement whose row comes next.
    pub(super) fn first(&self) -> Option<usize> {
        self.heads.first().map(|head| head.lane)
    }

    /// Adds the first row of a placement: `value` gives its columns, from 0. The merge has not begun.
    pub(super) fn add(&mut self, lane: usize, batch: u64, value: impl Fn(usize) -> (Datum, bool)) {
        let keys = self.keys.iter().map(|(column, _)| value(*column)).collect();
        self.heads.push(Head { lane, keys, batch });
    }

    /// All placements are here.
    ///
    /// # Safety
    /// The values are alive.
    pub(super) unsafe fn begin(&mut self) {
        for place in (0..self.heads.len() / 2).rev() {
            // SAFETY: as the caller vouches.
            unsafe { self.sink(place) };
        }
        self.begun = true;
    }

    /// The placement that came first has no more rows.
    ///
    /// # Safety
    /// The other values are alive.
    pub(super) unsafe fn remove_first(&mut self) {
        if !self.heads.is_empty() {
            self.heads.swap_remove(0);
            // SAFETY: as the caller vouches.
            unsafe { self.sink(0) };
        }
    }

    /// The placement that came first has this row next. Err when that row should have come before the one given out.
    ///
    /// # Safety
    /// The values are alive.
    pub(super) unsafe fn replace_first(
        &mut self,
        batch: u64,
        value: impl Fn(usize) -> (Datum, bool),
    ) -> Result<(), Failure> {
        let Some(head) = self.heads.first_mut() else { return Ok(()) };
        // The values of another batch are gone.
        let comparable = head.batch == batch;
        head.batch = batch;
        let mut risen = false;
        for ((column, order), known) in self.keys.iter().zip(&mut head.keys) {
            let new = value(*column);
            if comparable && !risen {
                // SAFETY: as the caller vouches.
                match unsafe { order.compare(*known, new) } {
                    Ordering::Less => risen = true,
                    Ordering::Equal => {}
                    Ordering::Greater => return Err(disordered()),
                }
            }
            *known = new;
        }
        // SAFETY: as the caller vouches.
        unsafe { self.sink(0) };
        Ok(())
    }

    /// Puts the head at `place` where it belongs below.
    unsafe fn sink(&mut self, mut place: usize) {
        loop {
            let left = 2 * place + 1;
            let mut least = place;
            for child in [left, left + 1] {
                // SAFETY: as the callers vouch.
                if child < self.heads.len() && unsafe { self.precedes(child, least) } {
                    least = child;
                }
            }
            if least == place {
                return;
            }
            self.heads.swap(place, least);
            place = least;
        }
    }

    unsafe fn precedes(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.heads[a], &self.heads[b]);
        for ((_, order), (own, other)) in self.keys.iter().zip(a.keys.iter().zip(&b.keys)) {
            // SAFETY: as the callers vouch: values are of the operators' types and alive.
            match unsafe { order.compare(*own, *other) } {
                Ordering::Less => return true,
                Ordering::Greater => return false,
                Ordering::Equal => {}
            }
        }
        a.lane < b.lane
    }
}

fn disordered() -> Failure {
    Failure::new(
        SqlState::DATA_CORRUPTED,
        "a server sent rows in another order than it was asked for",
    )
    .with_hint("SET shard_fdw.enable_ordered_merge = off has them sorted here.")
}

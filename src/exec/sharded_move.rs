//! Rows of a sharded parent that an UPDATE gives another place, where the parent is changed as one foreign relation: a row
//! leaves its placement and enters the one that takes its new values, in the same transaction.
//!
//! Placements with row triggers for UPDATE and DELETE, or with columns of their own, are changed child by child: see
//! movement.rs.

use super::destination::Destination;
use super::early;
use super::modify_state::ModifyState;
use super::placement::{Conflict, Parent, Placement};
use crate::deparse::OnConflict;
use crate::error::{Failure, SqlState};
use crate::pg::catalog;
use crate::pg::memory::ContextGuard;
use crate::plan;
use crate::shard::{Placer, ShardedTable};
use pgrx::pg_sys;
use pgrx::pg_sys::CmdType;
use std::rc::Rc;

/// Moves rows.
pub struct Moves {
    table: Rc<ShardedTable>,
    placer: Placer,
    parent: Parent,
    /// Delete rows that go away; parallel to the table's members, made with the first row.
    leaving: Vec<Option<Box<ModifyState>>>,
    /// Where rows go, likewise.
    entering: Vec<Option<Box<Placement>>>,
}

impl Moves {
    /// For the result relation of `state`, a sharded parent. `returned` are the columns that must come back.
    ///
    /// # Safety
    /// An initialised UPDATE of the parent of `table`.
    pub unsafe fn new(
        state: *mut pg_sys::ModifyTableState,
        table: Rc<ShardedTable>,
        user: pg_sys::Oid,
        returned: *mut pg_sys::Bitmapset,
    ) -> Moves {
        // SAFETY: as the caller vouches.
        unsafe {
            let (estate, result) = ((*state).ps.state, (*state).resultRelInfo);
            let conflict = Conflict::Any(OnConflict::Error);
            Moves {
                placer: Placer::new(Rc::clone(&table), (*estate).es_query_cxt),
                leaving: table.members.iter().map(|_| None).collect(),
                entering: table.members.iter().map(|_| None).collect(),
                parent: Parent { estate, result, user, returned, state, conflict },
                table,
            }
        }
    }

    /// The number of the placement that the new row in `slot` has to go to; `None` when it may stay on `own`.
    ///
    /// # Safety
    /// The slot holds a row of the parent.
    pub unsafe fn target(
        &mut self,
        own: usize,
        slot: *mut pg_sys::TupleTableSlot,
    ) -> Result<Option<usize>, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            if self.placer.may_keep(own, slot) {
                Ok(None)
            } else {
                self.placer.place(slot).map(Some)
            }
        }
    }

    /// Moves the row that `plan_slot` identifies from `own`, whose relation this is, to `to`, and gives the number of rows
    /// moved: 0 when it was changed before by the same statement, or a trigger there left it out. `slot` then holds the row
    /// as stored. `drained`: all rows of the statement have been found.
    ///
    /// # Safety
    /// ExecForeignUpdate's arguments; `identity` are the positions of the junk columns.
    pub unsafe fn run(
        &mut self,
        (own, relation): (usize, pg_sys::Relation),
        to: usize,
        (slot, plan_slot): (*mut pg_sys::TupleTableSlot, *mut pg_sys::TupleTableSlot),
        identity: [i16; 2],
        drained: bool,
    ) -> Result<u64, Failure> {
        // SAFETY: as the caller vouches; states live as long as the query.
        unsafe {
            let estate = self.parent.estate;
            if self.leaving[own].is_none() || self.entering[to].is_none() {
                // The row must not go where this UPDATE may still find it, and update it again.
                if !early::start_all(estate)? && !drained {
                    return Err(self.refused());
                }
                let _guard = ContextGuard::switch_to((*estate).es_query_cxt);
                if self.leaving[own].is_none() {
                    let rti = (*self.parent.result).ri_RangeTableIndex;
                    let plan = plan::modify::placement_delete((*relation).rd_id, rti)?;
                    let from = Destination { estate, relation, user: self.parent.user };
                    let mut state = ModifyState::new(&from, plan, CmdType::CMD_DELETE)?;
                    state.identity = identity;
                    self.leaving[own] = Some(Box::new(state));
                }
                if self.entering[to].is_none() {
                    let member = &self.table.members[to];
                    let mut placement = Placement::open(member, &self.parent)?;
                    placement.connect(member, &self.parent)?;
                    self.entering[to] = Some(Box::new(placement));
                }
            }
            let (Some(leaving), Some(entering)) = (&mut self.leaving[own], &mut self.entering[to])
            else {
                return Ok(0);
            };
            if leaving.change(slot, plan_slot, CmdType::CMD_DELETE)? == 0 {
                return Ok(0);
            }
            let Some(row) = entering.prepare(slot)? else { return Ok(0) };
            let stored = entering.state()?.insert(&[row])?;
            entering.rows += stored;
            if stored > 0 {
                entering.stored(row, slot);
            }
            Ok(stored)
        }
    }

    fn refused(&self) -> Failure {
        let name = catalog::relation_name(self.table.parent).unwrap_or_default();
        Failure::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("cannot move a row of \"{name}\" to another placement"),
        )
        .with_detail("The statement could find it again in its new place.")
    }

    /// The rows that have come to placement `index`.
    pub fn moved_to(&self, index: usize) -> Option<u64> {
        self.entering[index].as_ref().map(|placement| placement.rows)
    }

    /// Closes the placements.
    ///
    /// # Safety
    /// Called once, at the end of a statement that did not fail.
    pub unsafe fn end(&mut self) {
        for placement in self.entering.iter_mut().flatten() {
            // SAFETY: as the caller vouches.
            unsafe { placement.close() };
        }
        self.entering.clear();
    }
}

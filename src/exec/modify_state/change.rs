//! UPDATE and DELETE of single rows, each by a statement of its own; where possible without waiting for each answer.
//!
//! Then the statements are the same, on the same connection and in the same order, as when each is waited for; so the shard does
//! the same. Only what depends on an answer here must not: see [`ModifyState::run_behind`]. A row that turns out not to have
//! been changed (an earlier one of the same statement has done it) is counted, and taken off the command tag at the
//! end. An error is that of the first statement that failed; those behind it have been refused by the shard.

use super::super::conflict::Form;
use super::{ModifyState, Sent};
use crate::error::Failure;
use crate::wire::Params;
use pgrx::pg_sys;
use pgrx::pg_sys::CmdType;
use std::collections::VecDeque;
use std::rc::Rc;

/// So many answers are outstanding at most.
const MOST: usize = 256;
/// The first answer tells the types of the parameters, the third that the statement is prepared: what is sent before they are
/// there costs the shard more.
const WAITED_FOR: [u64; 2] = [1, 3];

/// Statements whose answers are not waited for yet.
#[derive(Default)]
pub(super) struct Behind {
    outstanding: VecDeque<Sent>,
    sent: u64,
    /// Rows reported as changed that were not.
    missed: u64,
}

impl ModifyState {
    /// Updates or deletes the row that `plan_slot` identifies; `slot` holds the new row (UPDATE). Gives the number of
    /// rows changed, or one when the answer is not waited for.
    ///
    /// # Safety
    /// The slots are the executor's; the junk columns were added by AddForeignUpdateTargets.
    pub unsafe fn change(
        &mut self,
        slot: *mut pg_sys::TupleTableSlot,
        plan_slot: *mut pg_sys::TupleTableSlot,
        operation: CmdType::Type,
    ) -> Result<u64, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            let mut params = Params::default();
            self.encode_change(slot, plan_slot, operation, &mut params)?;
            let sql = Rc::clone(&self.sql);
            let (form, before) = (Form::Plain, 0);
            let types = self.types(form, before, &params);
            let ticket = Some(self.submit(&sql, &types, &params)?);
            let sent = Sent { ticket, reply: None, sql, form, before, arrays: false };
            if self.behind.is_some() {
                return self.leave_behind(sent);
            }
            self.receive(sent, Some(slot))
        }
    }

    /// From now on rows are changed without waiting. Nothing may need to know whether a row was really changed or what it
    /// looks like then: no RETURNING, no row trigger, no check of a view. [`ModifyState::settle`] must be called before
    /// the statement ends.
    pub fn run_behind(&mut self) {
        if self.decoder.is_none() {
            self.behind = Some(Behind::default());
        }
    }

    /// Keeps a statement whose answer need not be known; waits when there are many. Gives the number of rows it is supposed
    /// to change.
    ///
    /// # Safety
    /// The statement is in execution.
    pub(super) unsafe fn leave_behind(&mut self, sent: Sent) -> Result<u64, Failure> {
        let Some(behind) = &mut self.behind else { return Ok(0) };
        behind.outstanding.push_back(sent);
        behind.sent += 1;
        let most = if WAITED_FOR.contains(&behind.sent) { 0 } else { MOST };
        // SAFETY: as the caller vouches.
        unsafe { self.reduce(most)? };
        Ok(1)
    }

    /// Waits for all answers, and gives the number of rows reported as changed since the last time that were not.
    ///
    /// # Safety
    /// The statement is in execution.
    pub unsafe fn settle(&mut self) -> Result<u64, Failure> {
        // SAFETY: as the caller vouches.
        unsafe { self.reduce(0)? };
        Ok(self.behind.as_mut().map_or(0, |behind| std::mem::take(&mut behind.missed)))
    }

    /// Takes answers until at most so many are left; then a half of them, so that they are read together.
    unsafe fn reduce(&mut self, most: usize) -> Result<(), Failure> {
        let count = |behind: &Option<Behind>| behind.as_ref().map_or(0, |b| b.outstanding.len());
        if count(&self.behind) <= most {
            return Ok(());
        }
        while count(&self.behind) > most / 2
            && let Some(sent) = self.behind.as_mut().and_then(|b| b.outstanding.pop_front())
        {
            // SAFETY: nothing comes back.
            let changed = unsafe { self.receive(sent, None)? };
            if let Some(behind) = &mut self.behind {
                behind.missed += 1 - changed.min(1);
            }
        }
        Ok(())
    }
}

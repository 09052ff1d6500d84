//! UPDATE and DELETE of single rows, each by a statement of its own; where possible without waiting for each answer, or
//! many by one statement.
//!
//! When answers are not waited for, the shard gets the same statements in the same order, so it does the same. Only what
//! depends on an answer here must not: see [`ModifyState::run_behind`]. Rows that really were changed are counted at the end
//! (one that was found twice is changed once). An error is that of the first statement that failed; those behind it have been
//! refused by the shard.

use super::super::conflict::Form;
use super::collected::Changes;
use super::{ModifyState, Sent};
use crate::error::Failure;
use crate::plan::private::ModifyPlan;
use crate::wire::Params;
use pgrx::pg_sys;
use pgrx::pg_sys::CmdType;
use std::rc::Rc;

/// Changes whose answers are not waited for.
#[derive(Default)]
pub(super) struct Behind {
    changes: Changes,
    /// Rows changed, as far as it is known.
    changed: u64,
}

impl ModifyState {
    /// Updates or deletes the row that `plan_slot` identifies; `slot` holds the new row (UPDATE). Gives the number of
    /// rows changed; none when the answer is not waited for: [`ModifyState::settle`] counts those.
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
            if let Some(mut behind) = self.behind.take() {
                let changes = &mut behind.changes;
                behind.changed += self.change_later(changes, slot, plan_slot, operation)?;
                self.behind = Some(behind);
                return Ok(0);
            }
            let mut params = Params::default();
            self.encode_change(slot, plan_slot, operation, &mut params)?;
            let sql = Rc::clone(&self.sql);
            let (form, before) = (Form::Plain, 0);
            let types = self.types(form, before, &params);
            let ticket = Some(self.submit(&sql, &types, &params)?);
            let sent = Sent { ticket, reply: None, sql, form, before, arrays: false };
            self.receive(sent, Some(slot))
        }
    }

    /// From now on rows are changed without waiting. Nothing may need to know whether a row was really changed or what it
    /// looks like then: no RETURNING, no row trigger, no check of a view. [`ModifyState::settle`] must be called before
    /// the statement ends. `together`: nor does it matter when exactly they are changed, so that many can go in one
    /// statement.
    pub fn run_behind(&mut self, together: bool) {
        if self.decoder.is_none() {
            let many = self.plan.many.as_ref().filter(|_| together);
            let many = many.map(|template| ModifyPlan::render(template, &self.table, Some(1)));
            self.behind = Some(Behind { changes: Changes::new(many), changed: 0 });
        }
    }

    /// Sends what is left and waits for all answers; gives the number of rows changed since the last time.
    ///
    /// # Safety
    /// The statement is in execution.
    pub unsafe fn settle(&mut self) -> Result<u64, Failure> {
        let Some(mut behind) = self.behind.take() else { return Ok(0) };
        self.send_changes(&mut behind.changes)?;
        // SAFETY: as the caller vouches.
        let last = unsafe { self.take_answers(&mut behind.changes, 0)? };
        let changed = std::mem::take(&mut behind.changed) + last;
        self.behind = Some(behind);
        Ok(changed)
    }
}

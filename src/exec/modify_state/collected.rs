//! UPDATE and DELETE of many rows that were found by ctid: sent in arrays, or one by one without waiting for each answer.
//!
//! The first few rows go one by one. When more come, the server is asked once whether it knows the columns by the same
//! built-in types; then the rows travel in arrays, as those of an INSERT do. No row may come back.

use super::super::conflict::Form;
use super::{ModifyState, Sent, attribute};
use crate::error::Failure;
use crate::exec::row_arrays;
use crate::wire::{Params, Request};
use pgrx::pg_sys;
use pgrx::pg_sys::CmdType;
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

/// Rows that go one by one at first.
const FIRST: u64 = 3;
/// Most rows of one statement, and how large it gets, in bytes.
const MOST_ROWS: usize = 250;
const MOST_BYTES: usize = 256 * 1024;
/// Statements on their way: of many rows, of one.
const MOST_SENT: usize = 4;
const MOST_SINGLE: usize = 100;
/// From this version on a server finds the rows of a join by their ctid, without reading the table.
const JOINS_BY_CTID: i32 = 120_000;

/// Changes of one table that have been taken on.
#[derive(Default)]
pub struct Changes {
    /// The statement for rows in arrays, if there is one.
    many: Option<Rc<str>>,
    /// Rows to be sent together, and which these are.
    rows: Params,
    known: HashSet<[u64; 2]>,
    sent: VecDeque<Sent>,
    /// Rows that went one by one.
    single: u64,
}

impl Changes {
    /// `many` is the statement that takes rows in arrays.
    pub fn new(many: Option<String>) -> Changes {
        Changes { many: many.map(Into::into), ..Changes::default() }
    }
}

impl ModifyState {
    /// Takes on the change of the row that `plan_slot` identifies; `slot` holds the new row (UPDATE). Gives the number of
    /// rows that are known to have been changed meanwhile.
    ///
    /// # Safety
    /// As for [`ModifyState::change`].
    pub unsafe fn change_later(
        &mut self,
        changes: &mut Changes,
        slot: *mut pg_sys::TupleTableSlot,
        plan_slot: *mut pg_sys::TupleTableSlot,
        operation: CmdType::Type,
    ) -> Result<u64, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            if changes.single >= FIRST && changes.many.is_some() && !self.asked {
                self.ask_for_types()?;
            }
            if changes.single >= FIRST && changes.many.is_some() && self.takes_arrays() {
                let row = self.row_id(plan_slot)?;
                // One statement changes a row once, whichever of its new values it meets first: here it is the first.
                if changes.known.insert(row) {
                    let mut rows = std::mem::take(&mut changes.rows);
                    let encoded = self.encode_change(slot, plan_slot, operation, &mut rows);
                    changes.rows = rows;
                    encoded?;
                }
                if changes.known.len() >= MOST_ROWS || changes.rows.buffer.len() >= MOST_BYTES {
                    self.send_changes(changes)?;
                }
                return self.take_answers(changes, MOST_SENT);
            }
            let mut params = Params::default();
            self.encode_change(slot, plan_slot, operation, &mut params)?;
            let sql = Rc::clone(&self.sql);
            let (form, before) = (Form::Plain, 0);
            let types = self.types(form, before, &params);
            let ticket = Some(self.submit(&sql, &types, &params)?);
            changes.sent.push_back(Sent { ticket, reply: None, sql, form, before, arrays: false });
            changes.single += 1;
            self.take_answers(changes, MOST_SINGLE)
        }
    }

    /// Sends what has been taken on and not been sent yet. Does not wait.
    pub fn send_changes(&mut self, changes: &mut Changes) -> Result<(), Failure> {
        if changes.known.is_empty() {
            return Ok(());
        }
        let (Some(sql), Some((columns, arrays))) = (&changes.many, &self.arrays) else {
            return Err(Failure::internal("rows wait for a statement that there is not"));
        };
        let (sql, types) = (Rc::clone(sql), arrays.clone());
        let turned = row_arrays::transpose(&changes.rows, 0, columns);
        changes.rows.buffer.clear();
        changes.rows.values.clear();
        changes.known.clear();
        let ticket = Some(self.submit(&sql, &types, &turned)?);
        let (form, before) = (Form::Plain, 0);
        changes.sent.push_back(Sent { ticket, reply: None, sql, form, before, arrays: true });
        Ok(())
    }

    /// Waits until no more than `most` statements are on their way; gives the number of rows changed by those that have
    /// ended.
    ///
    /// # Safety
    /// The statement is in execution.
    pub unsafe fn take_answers(
        &mut self,
        changes: &mut Changes,
        most: usize,
    ) -> Result<u64, Failure> {
        let mut changed = 0;
        while changes.sent.len() > most
            && let Some(sent) = changes.sent.pop_front()
        {
            // SAFETY: no row comes back.
            changed += unsafe { self.receive(sent, None)? };
        }
        Ok(changed)
    }

    /// Finds out whether rows can go in arrays.
    unsafe fn ask_for_types(&mut self) -> Result<(), Failure> {
        self.asked = true;
        if self.participant.session().server_version() < JOINS_BY_CTID {
            return Ok(());
        }
        // SAFETY: the statement is in execution.
        unsafe { self.begin()? };
        let request = Request::Prepare { sql: &self.sql, param_types: &[] };
        let reply = self.participant.run(request, &self.sql)?;
        if let Some(remote) = &reply.param_types {
            self.encoder.learn(remote);
            self.arrays = self.encoder.arrays();
        }
        Ok(())
    }

    /// The identity of a row, for comparison.
    unsafe fn row_id(&self, plan_slot: *mut pg_sys::TupleTableSlot) -> Result<[u64; 2], Failure> {
        let mut parts = [0; 2];
        for (part, position) in parts.iter_mut().zip(self.identity) {
            let mut null = false;
            // SAFETY: the junk columns are a tid and a number.
            unsafe {
                let value = pg_sys::slot_getattr(plan_slot, i32::from(position), &raw mut null);
                if null {
                    return Err(Failure::internal("a row's identity is NULL"));
                }
                *part = value.value() as u64;
            }
        }
        // SAFETY: the first one is a pointer to a tid.
        let tid =
            unsafe { *pg_sys::Datum::from(parts[0]).cast_mut_ptr::<pg_sys::ItemPointerData>() };
        let block = u64::from(tid.ip_blkid.bi_hi) << 32 | u64::from(tid.ip_blkid.bi_lo) << 16;
        Ok([block | u64::from(tid.ip_posid), u64::from(parts[1] as u32)])
    }

    /// Appends the parameters of one change.
    ///
    /// # Safety
    /// As for [`ModifyState::change`].
    pub(super) unsafe fn encode_change(
        &mut self,
        slot: *mut pg_sys::TupleTableSlot,
        plan_slot: *mut pg_sys::TupleTableSlot,
        operation: CmdType::Type,
        params: &mut Params,
    ) -> Result<(), Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            for (i, position) in self.identity.into_iter().enumerate() {
                let mut null = false;
                let value = pg_sys::slot_getattr(plan_slot, i32::from(position), &raw mut null);
                if null {
                    return Err(Failure::internal("a row's identity is NULL"));
                }
                self.encoder.encode(i, value, false, params)?;
            }
            if operation == CmdType::CMD_UPDATE {
                pg_sys::slot_getallattrs(slot);
                for (i, &target) in self.plan.targets.iter().enumerate() {
                    let (value, null) = attribute(slot, target);
                    self.encoder.encode(i + 2, value, null, params)?;
                }
            }
            Ok(())
        }
    }
}

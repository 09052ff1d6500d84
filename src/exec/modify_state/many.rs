//! Statements of several rows: how many they take, how they are spelled, and whether the rows go in arrays.

use super::super::conflict::{Form, Upsert};
use super::{Begun, ModifyState};
use crate::error::Failure;
use crate::plan::private::ModifyPlan;
use crate::wire::Request;
use pgrx::pg_sys;
use std::rc::Rc;

/// PostgreSQL's limit on parameters of one statement (a 16-bit count in Bind).
const MOST_PARAMS: usize = 65_535;
/// Rows after which a part of a large batch is sent.
pub(super) const PIECE: usize = 250;

impl ModifyState {
    /// How many rows one INSERT takes at most.
    pub fn most_rows(&self) -> usize {
        // "INSERT ... DEFAULT VALUES" takes one row only.
        if !self.plan.template.takes_rows() {
            return 1;
        }
        if self.arrays.is_some() {
            return (self.table.batch_size as usize).max(1);
        }
        let most = MOST_PARAMS - self.upsert.as_ref().map_or(0, Upsert::width);
        let most = most.checked_div(self.row_params).unwrap_or(usize::MAX);
        (self.table.batch_size as usize).min(most).max(1)
    }

    /// To be called before several rows are encoded: finds out, once, whether they can go in arrays. That takes a round
    /// trip for the first statement of its kind on the connection.
    ///
    /// # Safety
    /// The statement is in execution.
    pub unsafe fn prepare_for_many(&mut self) -> Result<(), Failure> {
        if self.asked || !self.plan.template.takes_arrays() {
            return Ok(());
        }
        self.asked = true;
        // SAFETY: as the caller vouches.
        unsafe { self.begin()? };
        let types = self.upsert.as_ref().map_or_else(Vec::new, |u| u.param_types(Form::Plain));
        let request = Request::Prepare { sql: &self.sql, param_types: &types };
        let reply = self.participant.run(request, &self.sql)?;
        if let Some(remote) = &reply.param_types {
            self.encoder.learn(remote.get(types.len()..).unwrap_or_default());
            self.arrays = self.encoder.arrays();
        }
        Ok(())
    }

    /// Inserts `slots` with several statements: the server works on one while the next is being written.
    ///
    /// # Safety
    /// The slots hold rows of the table.
    pub(super) unsafe fn insert_in_pieces(
        &mut self,
        slots: &[*mut pg_sys::TupleTableSlot],
    ) -> Result<u64, Failure> {
        let mut sent = Vec::new();
        for piece in slots.chunks(PIECE) {
            let mut statement = Begun::default();
            for &slot in piece {
                // SAFETY: as the caller vouches.
                unsafe { self.encode_row(slot, &mut statement.params)? };
            }
            sent.push(self.send(piece.len(), &statement)?);
        }
        let mut stored = 0;
        for sent in sent {
            // SAFETY: nothing comes back.
            stored += unsafe { self.receive(sent, None)? };
        }
        Ok(stored)
    }

    /// Whether rows go in arrays, so that the same statement takes any number of them.
    pub fn takes_arrays(&self) -> bool {
        self.arrays.is_some()
    }

    /// The INSERT of so many rows.
    pub(super) fn insert_sql(&mut self, form: Form, rows: Option<usize>) -> Rc<str> {
        const MOST_TEXTS: usize = 16;
        if rows == Some(1) && form == Form::Plain {
            return Rc::clone(&self.sql);
        }
        let known = |(f, size, _): &&(Form, Option<usize>, Rc<str>)| (*f, *size) == (form, rows);
        if let Some((_, _, sql)) = self.batches.iter().find(known) {
            return Rc::clone(sql);
        }
        let other = self.upsert.as_ref().and_then(|upsert| upsert.template(form));
        let template = other.unwrap_or(&self.plan.template);
        let sql: Rc<str> = ModifyPlan::render(template, &self.table, rows).into();
        if self.batches.len() >= MOST_TEXTS {
            self.batches.clear();
        }
        self.batches.push((form, rows, Rc::clone(&sql)));
        sql
    }
}

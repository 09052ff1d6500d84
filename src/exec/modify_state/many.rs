//! Statements of several rows: how many they take, how they are spelled, and whether the rows go in arrays.

use super::super::conflict::{Form, Upsert};
use super::{Begun, ModifyState};
use crate::error::Failure;
use crate::plan::private::ModifyPlan;
use crate::wire::{Request, Ticket};
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
        // SAFETY: as the caller vouches.
        match unsafe { self.ask_types()? } {
            Some(question) => self.learn_types(question),
            None => Ok(()),
        }
    }

    /// The first half of [`ModifyState::prepare_for_many`], which waits for nothing: the question, if there is one, goes
    /// to [`ModifyState::learn_types`].
    ///
    /// # Safety
    /// The statement is in execution.
    pub unsafe fn ask_types(&mut self) -> Result<Option<Ticket>, Failure> {
        if self.asked || !self.plan.template.takes_arrays() {
            return Ok(None);
        }
        self.asked = true;
        // SAFETY: as the caller vouches.
        unsafe { self.begin()? };
        let sql = &*self.sql;
        let request = Request::Prepare { sql, param_types: &self.types_before() };
        let context = |failure: Failure| failure.add_context(format!("remote SQL command: {sql}"));
        self.participant.submit(request).map(Some).map_err(context)
    }

    /// Waits for the answer of the server.
    pub fn learn_types(&mut self, question: Ticket) -> Result<(), Failure> {
        let reply = self.participant.wait(question, &self.sql)?;
        if let Some(remote) = &reply.param_types {
            let before = self.types_before().len();
            self.encoder.learn(remote.get(before..).unwrap_or_default());
            self.arrays = self.encoder.arrays();
        }
        Ok(())
    }

    /// The types of the parameters in front of those of rows.
    fn types_before(&self) -> Vec<u32> {
        self.upsert.as_ref().map_or_else(Vec::new, |upsert| upsert.param_types(Form::Plain))
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

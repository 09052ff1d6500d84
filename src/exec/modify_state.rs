//! Rows written to one foreign table: the statement, its parameters, what it returns.
//!
//! A table that is modified by itself has one of these, a sharded parent one for each placement that rows go to.

mod change;
pub mod collected;
mod many;

use super::alone;
use super::conflict::{Form, Upsert};
use super::destination::Destination;
use super::early;
use super::params::ParamEncoder;
use super::row_arrays;
use super::rows::RowDecoder;
use super::tuple::Filler;
use crate::error::Failure;
use crate::options::load::{self, ForeignTable};
use crate::pg::{catalog, compat};
use crate::plan::private::ModifyPlan;
use crate::txn::{self, Participant};
use crate::wire::{Formats, Params, Reply, Request, Ticket};
use change::Behind;
use many::PIECE;
use pgrx::pg_sys;
use pgrx::pg_sys::{CmdType, Datum};
use std::rc::Rc;

/// Execution state of one modified foreign table.
pub struct ModifyState {
    plan: ModifyPlan,
    table: Rc<ForeignTable>,
    participant: Rc<Participant>,
    sql: Rc<str>,
    /// INSERT texts of the forms and batch sizes used last; no size: for any number of rows, in arrays.
    batches: Vec<(Form, Option<usize>, Rc<str>)>,
    /// The columns' types and those of arrays of them, once it is known that rows can come in arrays; see row_arrays.rs.
    arrays: Option<(Vec<u32>, Vec<u32>)>,
    /// Whether the remote types have been asked for.
    asked: bool,
    /// How many rows the executor hands over at once.
    pub batch_rows: usize,
    /// ON CONFLICT DO UPDATE.
    pub upsert: Option<Upsert>,
    /// The statement it belongs to.
    estate: *mut pg_sys::EState,
    relation: pg_sys::Relation,
    /// Whether the statement's scans have been started: see early.rs.
    pub begun: bool,
    /// Of a table that an UPDATE changes: takes the rows that it moves here from other partitions.
    pub routed: Option<Box<ModifyState>>,
    encoder: ParamEncoder,
    /// Parameters of one row.
    row_params: usize,
    decoder: Option<RowDecoder>,
    filler: Filler,
    /// Rows are changed without waiting for each answer.
    behind: Option<Behind>,
    /// Positions of ctid and the remote tableoid among the subplan's junk columns.
    pub identity: [i16; 2],
}

/// An INSERT that takes rows.
#[derive(Default)]
pub struct Begun {
    /// What is to be sent with it.
    pub params: Params,
    form: Form,
    /// How many parameters come before those of the rows.
    before: usize,
}

/// A statement on its way.
pub struct Sent {
    /// Its answer is waited for with this; none when it has come.
    pub ticket: Option<Ticket>,
    reply: Option<Reply>,
    sql: Rc<str>,
    form: Form,
    /// How many parameters come before those of the rows.
    before: usize,
    /// Its rows went in arrays.
    arrays: bool,
}

impl Sent {
    /// Whether the answer is there, once it was waited for.
    pub fn is_ready(&self, participant: &Participant) -> bool {
        self.ticket.as_ref().is_none_or(|ticket| participant.has_answer(ticket))
    }
}

impl ModifyState {
    /// Builds the state that executes `plan`.
    ///
    /// # Safety
    /// The destination is a foreign table of ours, open as long as the state is used.
    pub unsafe fn new(
        to: &Destination,
        plan: ModifyPlan,
        operation: CmdType::Type,
    ) -> Result<ModifyState, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            let descriptor = (*to.relation).rd_att;
            let table = load::foreign_table((*to.relation).rd_id)?;
            let participant = txn::enlist(table.server.oid, to.user)?;
            txn::rely_on(std::slice::from_ref(&participant), plan.template.relies_on)?;
            let mut types = Vec::new();
            if operation != CmdType::CMD_INSERT {
                types.extend([pg_sys::TIDOID, pg_sys::OIDOID]);
            }
            for &target in &plan.targets {
                types.push((*compat::attribute(descriptor, target as usize - 1)).atttypid);
            }
            let sql = plan.sql(&table, 1);
            let filler = Filler::new(descriptor, &plan.retrieved)?;
            let decoder = if plan.returning {
                let mut decoder = RowDecoder::new(
                    filler.local_columns(descriptor),
                    catalog::relation_name(table.relid).unwrap_or_default(),
                )?;
                // In another form rows could only be asked for after a look at the result's description.
                decoder.text_only();
                Some(decoder)
            } else {
                None
            };
            Ok(ModifyState {
                encoder: ParamEncoder::new(&types)?,
                sql: sql.into(),
                batches: Vec::new(),
                arrays: None,
                asked: false,
                batch_rows: 1,
                upsert: None,
                estate: to.estate,
                relation: to.relation,
                begun: false,
                routed: None,
                row_params: types.len(),
                plan,
                table,
                participant,
                decoder,
                filler,
                behind: None,
                identity: [0, 0],
            })
        }
    }

    /// What inserts rows: the state itself, unless it updates.
    pub fn inserter(&mut self) -> &mut ModifyState {
        match self.routed {
            Some(ref mut routed) => routed,
            None => self,
        }
    }

    /// The server's part in the transaction.
    pub fn participant(&self) -> &Rc<Participant> {
        &self.participant
    }

    /// Inserts `slots` with one statement; with RETURNING the first slot then holds the row as stored. Gives the
    /// number of rows inserted (ON CONFLICT DO NOTHING may leave some out).
    ///
    /// # Safety
    /// The slots hold rows of the table.
    pub unsafe fn insert(&mut self, slots: &[*mut pg_sys::TupleTableSlot]) -> Result<u64, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            if slots.len() > 1 {
                self.prepare_for_many()?;
            }
            if self.takes_arrays() && self.upsert.is_none() && slots.len() >= 2 * PIECE {
                return self.insert_in_pieces(slots);
            }
            // A full batch is likely to be followed by another.
            let mut statement = self.statement(slots.len() < self.batch_rows)?;
            for &slot in slots {
                self.encode_row(slot, &mut statement.params)?;
            }
            let sent = self.send(slots.len(), &statement)?;
            self.receive(sent, slots.first().copied())
        }
    }

    /// To be called before anything is sent.
    ///
    /// # Safety
    /// The statement is in execution.
    unsafe fn begin(&mut self) -> Result<(), Failure> {
        if !self.begun {
            // SAFETY: the executor state outlives this one.
            unsafe { early::start_all(self.estate)? };
            self.begun = true;
        }
        self.participant.mark_written();
        Ok(())
    }

    /// Appends the parameters of one row.
    ///
    /// # Safety
    /// The slot holds a row of the table.
    pub unsafe fn encode_row(
        &mut self,
        slot: *mut pg_sys::TupleTableSlot,
        params: &mut Params,
    ) -> Result<(), Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            pg_sys::slot_getallattrs(slot);
            for (i, &target) in self.plan.targets.iter().enumerate() {
                let (value, null) = attribute(slot, target);
                self.encoder.encode(i, value, null, params)?;
            }
        }
        Ok(())
    }

    /// Begins an INSERT: rows are added to its parameters, then it is sent. With ON CONFLICT DO UPDATE the statement
    /// before must have been received; `last` when no more rows are to be expected behind those of this one.
    ///
    /// # Safety
    /// The statement is in execution.
    pub unsafe fn statement(&mut self, last: bool) -> Result<Begun, Failure> {
        let Some(upsert) = &mut self.upsert else { return Ok(Begun::default()) };
        let form = upsert.form(last)?;
        // SAFETY: as the caller vouches.
        let params = unsafe { upsert.params(form)? };
        Ok(Begun { form, before: params.values.len(), params })
    }

    /// Sends the INSERT of so many rows and does not wait for its end.
    pub fn send(&mut self, rows: usize, statement: &Begun) -> Result<Sent, Failure> {
        let Begun { form, before, params } = statement;
        let (form, before) = (*form, *before);
        if let Some((columns, arrays)) = self.arrays.as_ref().filter(|_| rows > 1) {
            let turned = row_arrays::transpose(params, before, columns);
            let mut types = self.upsert.as_ref().map_or_else(Vec::new, |u| u.param_types(form));
            types.extend_from_slice(arrays);
            let sql = self.insert_sql(form, None);
            let ticket = Some(self.submit(&sql, &types, &turned)?);
            return Ok(Sent { ticket, reply: None, sql, form, before, arrays: true });
        }
        let sql = self.insert_sql(form, Some(rows));
        if rows == 1
            && form == Form::Plain
            && let Some(reply) = self.run_and_commit(&sql, before, params)?
        {
            return Ok(Sent { ticket: None, reply: Some(reply), sql, form, before, arrays: false });
        }
        let types = self.types(form, before, params);
        let ticket = Some(self.submit(&sql, &types, params)?);
        Ok(Sent { ticket, reply: None, sql, form, before, arrays: false })
    }

    /// Waits for the end of an INSERT and counts its rows; RETURNING's goes into `slot`.
    ///
    /// # Safety
    /// The slot is of the table's row type.
    pub unsafe fn receive(
        &mut self,
        sent: Sent,
        slot: Option<*mut pg_sys::TupleTableSlot>,
    ) -> Result<u64, Failure> {
        let answer = match (sent.ticket, sent.reply) {
            (Some(ticket), _) => self.participant.wait(ticket, &sent.sql),
            (None, reply) => Ok(reply.unwrap_or_default()),
        };
        let mut reply = answer.map_err(|failure| Upsert::explained(sent.form, failure))?;
        if let Some(upsert) = &mut self.upsert {
            upsert.note(sent.form, &mut reply);
        }
        if let Some(remote) = reply.param_types.as_ref().filter(|_| !sent.arrays) {
            self.encoder.learn(remote.get(sent.before..).unwrap_or_default());
        }
        // SAFETY: as the caller vouches.
        unsafe { self.finish(&reply, slot) }
    }

    /// The parameters' types for Parse.
    fn types(&self, form: Form, before: usize, params: &Params) -> Vec<u32> {
        let mut types =
            self.upsert.as_ref().map_or_else(Vec::new, |upsert| upsert.param_types(form));
        types.extend(self.encoder.param_types(params.values.len() - before));
        types
    }

    fn submit(&mut self, sql: &str, types: &[u32], params: &Params) -> Result<Ticket, Failure> {
        // SAFETY: a statement in execution.
        unsafe { self.begin()? };
        let formats = Formats::Text;
        let request =
            Request::Execute { sql, param_types: types, params, formats, portal: "", max_rows: 0 };
        let context = |failure: Failure| failure.add_context(format!("remote SQL command: {sql}"));
        self.participant.submit(request).map_err(context)
    }

    /// Runs the statement of one row, and commits it, when that is all the transaction does; see alone.rs.
    fn run_and_commit(
        &mut self,
        sql: &str,
        before: usize,
        params: &Params,
    ) -> Result<Option<Reply>, Failure> {
        // SAFETY: the statement is being executed, and the table is open.
        let whole = unsafe {
            self.plan.retrieved.is_empty()
                && (*self.relation).trigdesc.is_null()
                && alone::is_whole_transaction(self.estate)
        };
        if !whole {
            return Ok(None);
        }
        let types = self.types(Form::Plain, before, params);
        let formats = Formats::Text;
        let request =
            Request::Execute { sql, param_types: &types, params, formats, portal: "", max_rows: 0 };
        self.participant.run_and_commit(request, sql)
    }

    /// Takes RETURNING's row into `slot` and counts rows.
    unsafe fn finish(
        &mut self,
        reply: &Reply,
        slot: Option<*mut pg_sys::TupleTableSlot>,
    ) -> Result<u64, Failure> {
        let Some(decoder) = &mut self.decoder else { return Ok(affected(reply)) };
        if let Some(columns) = &reply.columns {
            decoder.fit(columns)?;
        }
        let (Some(slot), Some(&start)) = (slot, reply.rows.first()) else {
            return Ok(reply.rows.len() as u64);
        };
        // SAFETY: the slot belongs to the result relation; it is materialised before the decoder's memory is
        // used again.
        unsafe {
            decoder.reset_batch();
            let end = reply.rows.get(1).map_or(reply.data.len(), |&end| end as usize);
            pg_sys::ExecClearTuple(slot);
            self.filler.store(decoder, &reply.data[start as usize..end], slot)?;
            pg_sys::ExecMaterializeSlot(slot);
        }
        Ok(reply.rows.len() as u64)
    }
}

/// Attribute `number` of a deformed slot.
unsafe fn attribute(slot: *mut pg_sys::TupleTableSlot, number: i32) -> (Datum, bool) {
    let index = number as usize - 1;
    // SAFETY: slot_getallattrs has filled all attributes; the number comes from the table's descriptor.
    unsafe { (*(*slot).tts_values.add(index), *(*slot).tts_isnull.add(index)) }
}

/// Rows counted by a command tag such as `INSERT 0 5` or `UPDATE 3`.
pub fn affected(reply: &Reply) -> u64 {
    let tag = reply.tag.as_deref().unwrap_or_default();
    tag.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0)
}

//! Where the rows of one table go: into its COPY, once that has begun.
//!
//! The first rows are kept, if nobody can look for them, until it is clear which tables they are for. Then connections
//! are made and the tables asked for what they are all at the same time, not one after the other. A table that COPY is
//! not for gives its rows back, to be INSERTed.

use super::lane::{Handle, Run};
use crate::deparse;
use crate::error::Failure;
use crate::options::load::{self, ForeignTable};
use crate::pg::memory::ContextGuard;
use crate::txn::{self, Participant};
use crate::wire::{Formats, Params, Request};
use pgrx::pg_sys::{self, MinimalTuple, Oid};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// So many rows show which tables are needed, unless they are tiny.
const ENOUGH_ROWS: usize = 500;
/// Less than this may wait in any case.
const FEW_BYTES: usize = 16 * 1024;
/// More than this is never kept.
const MANY_BYTES: usize = 256 * 1024;

/// The tables of a statement whose first rows wait.
#[derive(Default)]
pub struct Waiting {
    tables: RefCell<Vec<Rc<Table>>>,
    rows: Cell<usize>,
    bytes: Cell<usize>,
    may_hold: Cell<bool>,
}

struct Table {
    relid: Oid,
    user: Oid,
    columns: Vec<i16>,
    question: Question,
    way: RefCell<Way>,
    /// Rows that wait, in COPY's format,
    text: RefCell<Vec<u8>>,
    /// and as they are.
    rows: RefCell<Vec<MinimalTuple>>,
}

enum Way {
    Unknown,
    Copy(Handle),
    Insert,
}

/// The outlet of one table.
pub struct Outlet {
    run: Rc<Run>,
    table: Rc<Table>,
    /// The statement's.
    memory: pg_sys::MemoryContext,
}

/// What COPY must do to a table to be used for it.
#[derive(Clone, Copy)]
pub enum Question {
    /// COPY FROM: as INSERT, but for what PostgreSQL's own COPY does otherwise.
    Copy,
    /// INSERT: exactly as INSERT, and every row that is sent is stored.
    Insert,
}

/// What became of a row.
pub enum Fate {
    /// It is on its way, or waits.
    Taken,
    /// It must be INSERTed; see [`Outlet::take_back`], too.
    Refused,
    /// It is among the rows of [`Outlet::take_back`].
    Returned,
}

impl Outlet {
    /// For a foreign table of ours, in a statement whose memory is `memory`.
    pub fn new(
        run: &Rc<Run>,
        relid: Oid,
        user: Oid,
        columns: Vec<i16>,
        memory: pg_sys::MemoryContext,
        question: Question,
    ) -> Outlet {
        let table = Rc::new(Table {
            relid,
            user,
            columns,
            question,
            way: RefCell::new(Way::Unknown),
            text: RefCell::default(),
            rows: RefCell::default(),
        });
        Outlet { run: Rc::clone(run), table, memory }
    }

    /// Takes the row in `slot`, which `put` appends in COPY's format. The inner failure is not the row's own.
    ///
    /// # Safety
    /// The slot holds a row of the table.
    pub unsafe fn row(
        &self,
        slot: *mut pg_sys::TupleTableSlot,
        put: impl FnOnce(&mut Vec<u8>) -> Result<(), Failure>,
    ) -> Result<Result<Fate, Failure>, Failure> {
        let way = self.table.way.borrow();
        match &*way {
            Way::Copy(handle) => Ok(handle.row(put)?.map(|()| Fate::Taken)),
            Way::Insert => Ok(Ok(Fate::Refused)),
            Way::Unknown => {
                drop(way);
                // SAFETY: as the caller vouches.
                unsafe { self.keep(slot, put)? };
                let waiting = self.run.new_tables();
                if waiting.is_enough()
                    && let Err(failure) = waiting.open(&self.run)
                {
                    return Ok(Err(failure));
                }
                Ok(Ok(if self.is_refused() { Fate::Returned } else { Fate::Taken }))
            }
        }
    }

    /// Keeps a row until the table's COPY begins.
    unsafe fn keep(
        &self,
        slot: *mut pg_sys::TupleTableSlot,
        put: impl FnOnce(&mut Vec<u8>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let text = &mut *self.table.text.borrow_mut();
        let before = text.len();
        put(text)?;
        // SAFETY: the slot holds a row; the statement's memory outlives the outlet.
        let row = unsafe {
            let _guard = ContextGuard::switch_to(self.memory);
            pg_sys::ExecCopySlotMinimalTuple(slot)
        };
        let waiting = self.run.new_tables();
        let rows = &mut *self.table.rows.borrow_mut();
        if rows.is_empty() {
            waiting.tables.borrow_mut().push(Rc::clone(&self.table));
        }
        rows.push(row);
        waiting.rows.set(waiting.rows.get() + 1);
        waiting.bytes.set(waiting.bytes.get() + text.len() - before);
        Ok(())
    }

    /// The COPY of the table.
    pub fn sql(&self) -> Result<String, Failure> {
        Ok(deparse::copy_in(&*load::foreign_table(self.table.relid)?, &self.table.columns))
    }

    /// Whether rows have to be INSERTed, as far as it is known.
    pub fn is_refused(&self) -> bool {
        matches!(&*self.table.way.borrow(), Way::Insert)
    }

    /// Rows that were taken and must be INSERTed after all. They have to be freed.
    pub fn take_back(&self) -> Vec<MinimalTuple> {
        match &*self.table.way.borrow() {
            Way::Insert => self.table.rows.take(),
            _ => Vec::new(),
        }
    }
}

impl Waiting {
    /// Whether rows may wait at all.
    pub fn hold(&self, may: bool) {
        self.may_hold.set(may);
    }

    fn is_enough(&self) -> bool {
        let (rows, bytes) = (self.rows.get(), self.bytes.get());
        !self.may_hold.get() || bytes >= MANY_BYTES || rows >= ENOUGH_ROWS && bytes >= FEW_BYTES
    }

    /// Begins the COPY of all tables that wait, and sends their rows.
    pub fn open(&self, run: &Rc<Run>) -> Result<(), Failure> {
        let tables = self.tables.take();
        self.rows.take();
        self.bytes.take();
        let Some(user) = tables.first().map(|table| table.user) else { return Ok(()) };
        let foreign: Vec<Rc<ForeignTable>> = tables
            .iter()
            .map(|table| load::foreign_table(table.relid))
            .collect::<Result<_, _>>()?;
        let servers: Vec<Oid> = foreign.iter().map(|table| table.server.oid).collect();
        let participants = txn::enlist_all(&servers, user)?;
        let questions = tables.iter().zip(&foreign).map(|(table, foreign)| match table.question {
            Question::Copy => deparse::copy_fits(foreign),
            Question::Insert => deparse::copy_is_insert(foreign),
        });
        let fit = ask_whether_fit(&participants, questions)?;
        for (at, table) in tables.iter().enumerate() {
            if !fit[at] {
                table.text.take();
                table.way.replace(Way::Insert);
                continue;
            }
            let sql = deparse::copy_in(&foreign[at], &table.columns);
            let handle = run.add(&participants[at], sql.into());
            let text = table.text.take();
            for row in table.rows.take() {
                // SAFETY: made by `keep`, in memory that is still there; nobody else has it.
                unsafe { pg_sys::pfree(row.cast()) };
            }
            handle.row(|out| {
                out.extend_from_slice(&text);
                Ok(())
            })??;
            table.way.replace(Way::Copy(handle));
        }
        Ok(())
    }
}

/// The answers to these queries, each of which is for one of the participants.
fn ask_whether_fit(
    participants: &[Rc<Participant>],
    questions: impl Iterator<Item = String>,
) -> Result<Vec<bool>, Failure> {
    let mut asked = Vec::with_capacity(participants.len());
    for (participant, sql) in participants.iter().zip(questions) {
        participant.mark_written();
        let request = Request::Execute {
            sql: &sql,
            param_types: &[],
            params: &Params::default(),
            formats: Formats::Text,
            portal: "",
            max_rows: 0,
        };
        let ticket = participant
            .submit(request)
            .map_err(|failure| failure.add_context(format!("remote SQL command: {sql}")))?;
        asked.push((participant, ticket, sql));
    }
    let answers = asked.into_iter().map(|(participant, ticket, sql)| {
        let reply = participant.wait(ticket, &sql)?;
        Ok(reply.fields(0).next().flatten() == Some(b"t"))
    });
    answers.collect()
}

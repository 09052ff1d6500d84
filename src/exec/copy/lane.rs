//! COPY into several remote tables at once: one lane for each connection, one COPY at a time on it.
//!
//! Rows are collected per table. A full buffer of the table whose COPY is running goes out; the others of its lane
//! wait, until all that waits is too much: then the COPY ends and the fullest one's begins, without a wait for the
//! answer in between. So memory is bounded, however many tables share a connection.
//!
//! Nothing is borrowed across a wait or a call of the transaction layer.

use super::outlet::Waiting;
use crate::error::{Failure, SqlState};
use crate::pg::xact;
use crate::txn::{self, Feeder, Participant};
use crate::wire::{Session, Ticket};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// A buffer of this size goes out.
const CHUNK: usize = 32 * 1024;
/// So much may wait in a socket's queue.
const BACKLOG: usize = 256 * 1024;
/// So much may wait for other COPYs of the statement to end.
const WAITING: usize = 4 * 1024 * 1024;
/// An empty buffer that is larger is given back.
const COMFORTABLE: usize = 256 * 1024;

/// All COPYs of one statement.
pub struct Run {
    lanes: RefCell<Vec<Rc<Lane>>>,
    /// The transaction's depth at the statement.
    level: u32,
    /// Bytes in all buffers of tables whose COPY is not running.
    waiting: Cell<usize>,
    /// Tables that are not among those of the lanes yet.
    new: Waiting,
}

/// One connection's part.
pub struct Lane {
    me: Weak<Lane>,
    run: Weak<Run>,
    participant: Rc<Participant>,
    tables: RefCell<Vec<Table>>,
    /// The table whose COPY is running.
    current: Cell<Option<usize>>,
    /// The reply that tells that the server takes data, while it has not come.
    opening: RefCell<Option<Ticket>>,
    /// COPYs that end: their replies in the order of the requests.
    ending: RefCell<Vec<(Rc<str>, Ticket)>>,
}

struct Table {
    sql: Rc<str>,
    buffer: Vec<u8>,
}

/// A table's place in a run.
pub struct Handle {
    lane: Rc<Lane>,
    table: usize,
}

impl Run {
    /// Nothing is sent yet.
    pub fn new() -> Rc<Run> {
        Rc::new(Run {
            lanes: RefCell::default(),
            level: xact::nest_level(),
            waiting: Cell::new(0),
            new: Waiting::default(),
        })
    }

    /// Whether first rows may be kept for a while: nobody looks for them.
    pub fn hold(&self, may: bool) {
        self.new.hold(may);
    }

    /// Tables whose first rows wait.
    pub fn new_tables(&self) -> &Waiting {
        &self.new
    }

    /// Adds a table, filled by the COPY statement `sql`.
    pub fn add(self: &Rc<Run>, participant: &Rc<Participant>, sql: Rc<str>) -> Handle {
        let mut lanes = self.lanes.borrow_mut();
        let known = lanes.iter().find(|lane| Rc::ptr_eq(&lane.participant, participant)).cloned();
        let lane = known.unwrap_or_else(|| {
            let lane = Rc::new_cyclic(|me| Lane {
                me: Weak::clone(me),
                run: Rc::downgrade(self),
                participant: Rc::clone(participant),
                tables: RefCell::default(),
                current: Cell::new(None),
                opening: RefCell::default(),
                ending: RefCell::default(),
            });
            lanes.push(Rc::clone(&lane));
            lane
        });
        let mut tables = lane.tables.borrow_mut();
        tables.push(Table { sql, buffer: Vec::new() });
        let table = tables.len() - 1;
        drop(tables);
        Handle { lane, table }
    }

    /// Sends all that is left, and waits until every server has stored it.
    pub fn finish(self: &Rc<Run>) -> Result<(), Failure> {
        self.new.open(self)?;
        let lanes = self.lanes.borrow().clone();
        loop {
            let mut busy = Vec::new();
            for lane in &lanes {
                if lane.step()? {
                    busy.push(&**lane);
                }
            }
            if busy.is_empty() {
                return Ok(());
            }
            wait_any(&busy)?;
        }
    }

    /// The sessions of all lanes.
    fn sessions(&self) -> Vec<Session> {
        self.lanes.borrow().iter().map(|lane| lane.participant.session().clone()).collect()
    }

    /// Lets the lane with the fullest waiting buffer send that.
    fn relieve(&self) -> Result<(), Failure> {
        let lanes = self.lanes.borrow().clone();
        let fullest = lanes.iter().max_by_key(|lane| lane.fullest().map_or(0, |(_, size)| size));
        match fullest {
            Some(lane) => lane.switch(),
            None => Ok(()),
        }
    }
}

impl Handle {
    /// Appends one row by `put`, and sends what is due.
    pub fn row(
        &self,
        put: impl FnOnce(&mut Vec<u8>) -> Result<(), Failure>,
    ) -> Result<Result<(), Failure>, Failure> {
        let lane = &self.lane;
        let (before, size) = {
            let mut tables = lane.tables.borrow_mut();
            let buffer = &mut tables[self.table].buffer;
            let before = buffer.len();
            put(buffer)?;
            (before, buffer.len())
        };
        Ok(match lane.current.get() {
            Some(current) if current == self.table => {
                if before / CHUNK == size / CHUNK {
                    Ok(())
                } else {
                    lane.feed()
                }
            }
            None => {
                lane.count(size - before);
                lane.open(self.table)
            }
            Some(_) => {
                lane.count(size - before);
                lane.is_too_much()
            }
        })
    }
}

impl Lane {
    /// Counts bytes that wait.
    fn count(&self, bytes: usize) {
        if let Some(run) = self.run.upgrade() {
            run.waiting.set(run.waiting.get() + bytes);
        }
    }

    fn uncount(&self, bytes: usize) {
        if let Some(run) = self.run.upgrade() {
            run.waiting.set(run.waiting.get().saturating_sub(bytes));
        }
    }

    fn is_too_much(&self) -> Result<(), Failure> {
        match self.run.upgrade() {
            Some(run) if run.waiting.get() > WAITING => run.relieve(),
            _ => Ok(()),
        }
    }

    /// The table with the most bytes that wait.
    fn fullest(&self) -> Option<(usize, usize)> {
        let current = self.current.get();
        let tables = self.tables.borrow();
        let waiting = tables.iter().enumerate().filter(|(table, _)| Some(*table) != current);
        waiting
            .map(|(table, state)| (table, state.buffer.len()))
            .filter(|(_, size)| *size > 0)
            .max_by_key(|(_, size)| *size)
    }

    fn sql(&self, table: usize) -> Rc<str> {
        Rc::clone(&self.tables.borrow()[table].sql)
    }

    /// Begins a table's COPY; none is running.
    fn open(&self, table: usize) -> Result<(), Failure> {
        let sql = self.sql(table);
        let me = Weak::clone(&self.me);
        let ticket = self.participant.start_copy(&sql, me)?;
        self.opening.replace(Some(ticket));
        self.current.set(Some(table));
        let size = self.tables.borrow()[table].buffer.len();
        self.uncount(size);
        Ok(())
    }

    /// Whether the server takes data; with `wait`, waits until it does.
    fn is_open(&self, sql: &str, wait: bool) -> Result<bool, Failure> {
        let Some(ticket) = self.opening.take() else { return Ok(true) };
        if !wait && !self.participant.is_ready(&ticket) {
            self.opening.replace(Some(ticket));
            return Ok(false);
        }
        self.participant.wait(ticket, sql)?;
        Ok(true)
    }

    /// Sends the running COPY's buffer.
    fn feed(&self) -> Result<(), Failure> {
        let Some(table) = self.current.get() else { return Ok(()) };
        let sql = self.sql(table);
        let size = self.tables.borrow()[table].buffer.len();
        if size == 0 || !self.is_open(&sql, size > BACKLOG)? {
            return Ok(());
        }
        let mut buffer = std::mem::take(&mut self.tables.borrow_mut()[table].buffer);
        let others = || self.run.upgrade().map(|run| run.sessions()).unwrap_or_default();
        self.participant.feed_copy(&buffer, BACKLOG, &others, &sql)?;
        buffer.clear();
        if buffer.capacity() > COMFORTABLE {
            buffer = Vec::new();
        }
        self.tables.borrow_mut()[table].buffer = buffer;
        self.collect()
    }

    /// Ends the running COPY, if there is one; waits only until it has begun.
    fn close(&self) -> Result<(), Failure> {
        let Some(table) = self.current.get() else { return Ok(()) };
        let sql = self.sql(table);
        self.is_open(&sql, true)?;
        self.feed()?;
        let ticket = self.participant.finish_copy(&sql)?;
        self.current.set(None);
        // Others may be waiting, and many of them.
        self.tables.borrow_mut()[table].buffer = Vec::new();
        self.ending.borrow_mut().push((sql, ticket));
        Ok(())
    }

    /// Takes the replies that have come.
    fn collect(&self) -> Result<(), Failure> {
        loop {
            let first = {
                let mut ending = self.ending.borrow_mut();
                match ending.first() {
                    Some((_, ticket)) if self.participant.is_ready(ticket) => ending.remove(0),
                    _ => return Ok(()),
                }
            };
            self.participant.wait(first.1, &first.0)?;
        }
    }

    /// Gives the connection to the table with the most waiting bytes.
    fn switch(&self) -> Result<(), Failure> {
        let Some((table, _)) = self.fullest() else { return Ok(()) };
        self.close()?;
        self.open(table)?;
        self.feed()
    }

    /// One step towards the end of everything; true while a reply has to be waited for.
    fn step(&self) -> Result<bool, Failure> {
        loop {
            self.collect()?;
            if let Some(table) = self.current.get() {
                if !self.is_open(&self.sql(table), false)? {
                    return Ok(true);
                }
                self.close()?;
            } else if let Some((table, _)) = self.fullest() {
                self.open(table)?;
            } else {
                return Ok(!self.ending.borrow().is_empty());
            }
        }
    }

    /// The reply that this lane waits for, taken out.
    fn take_awaited(&self) -> Option<(Option<Rc<str>>, Ticket)> {
        let mut ending = self.ending.borrow_mut();
        if !ending.is_empty() {
            let (sql, ticket) = ending.remove(0);
            return Some((Some(sql), ticket));
        }
        self.opening.take().map(|ticket| (None, ticket))
    }

    fn put_back(&self, (sql, ticket): (Option<Rc<str>>, Ticket)) {
        match sql {
            Some(sql) => self.ending.borrow_mut().insert(0, (sql, ticket)),
            None => drop(self.opening.replace(Some(ticket))),
        }
    }
}

impl Feeder for Lane {
    fn make_way(&self) -> Result<(), Failure> {
        let run = self.run.upgrade();
        let deeper = run.is_some_and(|run| xact::nest_level() > run.level);
        if deeper && self.fullest().is_some() {
            return Err(Failure::new(
                SqlState::ACTIVE_SQL_TRANSACTION,
                format!(
                    "cannot use server \"{}\" in a subtransaction while COPY has rows for several tables there",
                    self.participant.server_name()
                ),
            ));
        }
        // What asks is to see the rows: they are stored before it is sent.
        self.close()?;
        while self.step()? {
            wait_any(&[self])?;
        }
        Ok(())
    }
}

/// Waits until one of the lanes can go on.
fn wait_any(lanes: &[&Lane]) -> Result<(), Failure> {
    let awaited: Vec<_> =
        lanes.iter().filter_map(|lane| Some((*lane, lane.take_awaited()?))).collect();
    let tickets: Vec<_> =
        awaited.iter().map(|(lane, (_, ticket))| (&*lane.participant, ticket)).collect();
    let outcome = txn::wait_any(&tickets, None);
    drop(tickets);
    for (lane, taken) in awaited {
        lane.put_back(taken);
    }
    outcome
}

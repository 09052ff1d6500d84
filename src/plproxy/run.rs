//! The queries of a call that are under way, and waiting for them.
//!
//! One WaitEventSet serves all the waits of a call, and of the next one over the same connections: the sockets of queries that
//! are done are left in it. Only what wakes without bringing anything (a server that went away) has it made smaller.

use super::link::Link;
use crate::pg::wait::{self, Wake, Want};
use crate::wire::{Params, Reply, Ticket};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

/// A partition whose turn has not come is not read on when it has sent this much.
const HELD_BACK: usize = 1024 * 1024;

/// One query of the call.
pub struct Run {
    pub node: usize,
    pub any: bool,
    pub params: Rc<Params>,
    pub link: Link,
    pub ticket: Option<Ticket>,
    /// Which of the codec's columns its rows are decoded by.
    pub columns: usize,
    /// The rest of the answer, once it is complete.
    pub reply: Option<Reply>,
    pub started: Instant,
    /// The last reading gave rows, so there may be more that no socket tells of (a TLS record is read as a whole).
    pub more: Cell<bool>,
    /// It has been sent a second time.
    pub again: bool,
}

impl Run {
    /// Whether the answer is complete.
    pub fn is_complete(&self) -> bool {
        self.ticket.as_ref().is_none_or(|ticket| self.link.session().is_complete(ticket))
    }

    /// Whether it has sent so much that it is not read on before its turn.
    fn is_ahead(&self) -> bool {
        let buffered = |ticket| self.link.session().buffered(ticket);
        self.ticket.as_ref().is_some_and(|ticket| buffered(ticket) >= HELD_BACK)
    }

    /// Reads what has come. A failure is told by the ticket.
    fn read(&self) {
        let session = self.link.session();
        let buffered = || self.ticket.as_ref().map_or(0, |ticket| session.buffered(ticket));
        let before = buffered();
        let _ = session.pump();
        let pending = self.ticket.as_ref().is_some_and(|ticket| !session.is_complete(ticket));
        self.more.set(pending && buffered() > before);
    }
}

/// What a call waits for.
#[derive(Default)]
pub struct Sockets {
    /// The first run on each connection: two may share one. Empty when it has to be found out.
    owners: Vec<usize>,
    wants: Vec<Want>,
    /// The run behind each of `wants`.
    waited: Vec<usize>,
    ready: Vec<usize>,
    /// Something has woken us and brought nothing: only those that are awaited may be waited for.
    selective: bool,
}

impl Sockets {
    /// A run has got another connection.
    pub fn forget(&mut self) {
        self.owners.clear();
    }

    /// Whether the last waiting has brought something.
    pub fn note(&mut self, progress: bool) {
        self.selective |= !progress;
    }

    /// Waits until something can be read for `runs` (those before `current` are done), or `deadline`; and reads it.
    pub fn wait(&mut self, runs: &[Run], current: usize, deadline: Option<Instant>) -> Wake {
        if let [run] = runs
            && !run.more.get()
        {
            let wake = wait::wait(&[run.link.session().want()], deadline);
            run.read();
            return wake;
        }
        let held = |index: usize| index > current && runs[index].is_ahead();
        self.ready.clear();
        self.ready.extend((0..runs.len()).filter(|&i| runs[i].more.get() && !held(i)));
        let wake = if self.ready.is_empty() {
            self.choose(runs, held);
            let Sockets { wants, waited, ready, .. } = self;
            wait::wait_all(wants, deadline, |socket| ready.push(waited[socket]))
        } else {
            pgrx::check_for_interrupts!();
            let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if late { Wake::Deadline } else { Wake::Event }
        };
        for &index in self.ready.iter().filter(|&&index| !held(index)) {
            runs[index].read();
        }
        wake
    }

    /// Finds out which sockets to wait for.
    fn choose(&mut self, runs: &[Run], held: impl Fn(usize) -> bool) {
        if self.selective || self.owners.is_empty() {
            self.owners.clear();
            let mut seen: Vec<u64> = Vec::with_capacity(runs.len());
            for (index, run) in runs.iter().enumerate() {
                if self.selective && (run.ticket.is_none() || held(index)) {
                    continue;
                }
                let serial = run.link.session().want().serial;
                if !seen.contains(&serial) {
                    seen.push(serial);
                    self.owners.push(index);
                }
            }
        }
        self.wants.clear();
        self.waited.clear();
        for &index in self.owners.iter().filter(|&&index| !held(index)) {
            self.wants.push(runs[index].link.session().want());
            self.waited.push(index);
        }
    }
}

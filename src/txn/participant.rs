//! One remote server's part in the running local transaction.
//!
//! A participant owns no socket: it knows which connection is used, how deep its remote transaction is nested,
//! whether anything was written, and whether the connection was lost. A connection that turns out to be dead
//! before the remote transaction's first answer is replaced once, unseen by the caller; so is a stale statement.

use super::copy::{self, Feeder};
use super::nesting::{Nesting, Stamp};
use super::prepare::Phase;
use super::retry::{self, First};
use super::statement::{self, Isolation, Mode};
use super::{registry, watch};
use crate::error::{Failure, SqlState};
use crate::pg::{wait, xact};
use crate::session::{Connection, Likeness, likeness};
use crate::wire::{Reply, Request, Session, Ticket, WireError};
use pgrx::pg_sys::Oid;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Instant;

/// Portal names of a connection that are passed over, at most, when it takes another one's place.
const MOST_PORTALS: u32 = 10_000_000;

/// One remote server's part in the running local transaction.
pub struct Participant {
    connection: Rc<Connection>,
    /// The connection that replaced the first one.
    replacement: OnceCell<Rc<Connection>>,
    /// The user the connection was asked for.
    user: Oid,
    nesting: RefCell<Nesting>,
    pub(super) written: Cell<bool>,
    pub(super) changed: Cell<bool>,
    /// A request was sent since.
    pub(super) sent_write: Cell<bool>,
    /// A new local statement has begun, and no other one is under way here: nothing depends on the snapshot.
    pub(super) renewable: Cell<bool>,
    /// What happened to the connection, once it is of no use any more in this transaction.
    lost: RefCell<Option<String>>,
    /// The one request sent so far, while it may be sent again.
    first: RefCell<Option<First>>,
    /// How far the two-phase commit has come.
    phase: Cell<Phase>,
    /// Portals nobody reads any more, closed with the next request.
    pub(super) unread: RefCell<Vec<String>>,
    /// How far what was sent relies on the server's order of text.
    pub(super) relies_on: Cell<Likeness>,
    /// Who feeds the COPY that has the connection.
    feeder: RefCell<Option<Weak<dyn Feeder>>>,
}

impl Participant {
    pub(super) fn new(connection: Rc<Connection>, user: Oid) -> Participant {
        Participant {
            connection,
            replacement: OnceCell::new(),
            user,
            nesting: RefCell::default(),
            written: Cell::new(false),
            changed: Cell::new(false),
            sent_write: Cell::new(false),
            renewable: Cell::new(false),
            lost: RefCell::default(),
            first: RefCell::default(),
            phase: Cell::default(),
            unread: RefCell::default(),
            relies_on: Cell::default(),
            feeder: RefCell::default(),
        }
    }

    /// The connection in use. It may change up to the first answer, so it is to be asked for each time.
    pub fn connection(&self) -> &Rc<Connection> {
        self.replacement.get().unwrap_or(&self.connection)
    }

    /// The session of [`Participant::connection`].
    pub fn session(&self) -> &Session {
        &self.connection().session
    }

    /// The foreign server's OID.
    pub fn server(&self) -> Oid {
        self.connection().server.oid
    }

    /// The foreign server's name.
    pub fn server_name(&self) -> &str {
        &self.connection().server.name
    }

    pub(super) fn user(&self) -> Oid {
        self.user
    }

    /// Queues `request`, preceded by what brings the remote transaction to the local nesting level, and writes
    /// what the socket takes. Does not wait for the answer.
    pub fn submit(&self, request: Request<'_>) -> Result<Ticket, Failure> {
        self.check_usable()?;
        copy::make_way(self)?;
        if !self.nesting.borrow().begun() {
            return self.submit_first(request, false);
        }
        self.first.take();
        self.renew()?;
        if self.nesting.borrow().would_nest(xact::nest_level()) {
            self.settle()?;
        }
        self.close_unread()?;
        self.enter();
        self.session().submit(request).map_err(|error| self.fail(error, None))
    }

    /// [`Participant::submit`] for a query that needs no transaction around it: one that only reads, and is all that
    /// its statement wants of the server. `None`, and nothing sent, where it has to see what the transaction sees.
    pub fn submit_alone(&self, request: Request<'_>) -> Result<Option<Ticket>, Failure> {
        self.check_usable()?;
        if self.nesting.borrow().begun()
            || self.written.get()
            || xact::uses_one_snapshot()
            || xact::is_read_only()
        {
            return Ok(None);
        }
        self.submit_first(request, true).map(Some)
    }

    /// The first request: the connection may be replaced until it is answered.
    fn submit_first(&self, request: Request<'_>, alone: bool) -> Result<Ticket, Failure> {
        let (copy, sent) = (retry::Copy::of(&request), Instant::now());
        if copy.is_none() && self.session().is_dead() {
            self.replace()?;
        }
        self.renewable.set(false);
        if !alone {
            self.enter();
        }
        match self.session().submit(request) {
            Ok(ticket) => {
                // Of two that nobody has waited for yet, neither may be taken for the other.
                let copy = copy.filter(|_| self.first.take().is_none());
                self.first.replace(copy.map(|copy| First { copy, sent, alone }));
                Ok(ticket)
            }
            Err(error) => match copy {
                Some(copy) if error.is_fatal() => self.submit_again(&copy, alone),
                _ => Err(self.fail(error, None)),
            },
        }
    }

    /// Sends the first request once more, on a new connection.
    fn submit_again(&self, copy: &retry::Copy, alone: bool) -> Result<Ticket, Failure> {
        self.replace()?;
        if let Some(portal) = copy.portal() {
            // The caller goes on using this name: it must not be given out again.
            (0..MOST_PORTALS).find(|_| self.session().new_portal_name() == portal);
        }
        self.send(copy, alone)
    }

    /// Sends the first request once more, in a new remote transaction: the statement it names could not be bound any
    /// more, so the old one has done nothing. The session has forgotten the statement and prepares it again.
    fn submit_anew(&self, first: &First) -> Result<Ticket, Failure> {
        if !first.alone {
            let undo = Request::Simple(statement::ROLLBACK);
            self.session().submit(undo).map_err(|error| self.fail(error, None))?;
            self.nesting.borrow_mut().restart();
        }
        self.send(&first.copy, first.alone)
    }

    fn send(&self, copy: &retry::Copy, alone: bool) -> Result<Ticket, Failure> {
        if !alone {
            self.enter();
        }
        self.session().submit(copy.request()).map_err(|error| self.fail(error, None))
    }

    /// Waits for the answer. `sql` is for the error's CONTEXT.
    pub fn wait(&self, ticket: Ticket, sql: &str) -> Result<Reply, Failure> {
        let error = match self.await_reply(ticket, sql)? {
            Ok(reply) => {
                self.first.take();
                return Ok(reply);
            }
            Err(error) => error,
        };
        let ticket = match self.first.take() {
            Some(first) if first.was_dead(&error) => self.submit_again(&first.copy, first.alone)?,
            Some(first) if error.is_stale_plan() => self.submit_anew(&first)?,
            _ => return Err(self.fail(error, Some(sql))),
        };
        self.await_reply(ticket, sql)?.map_err(|error| self.fail(error, Some(sql)))
    }

    /// Waits for the answer. Err: a deadlock was found, and this transaction has to end it.
    fn await_reply(&self, ticket: Ticket, sql: &str) -> Result<Result<Reply, WireError>, Failure> {
        let waited = watch::wait_for(&[(self.session(), &ticket)], None).map_err(|failure| {
            remote_sql(failure, sql).add_context(format!("server \"{}\"", self.server_name()))
        })?;
        Ok(waited.and_then(|()| self.session().wait(ticket, None)))
    }

    /// [`Participant::submit`] and [`Participant::wait`].
    pub fn run(&self, request: Request<'_>, sql: &str) -> Result<Reply, Failure> {
        let ticket = self.submit(request).map_err(|failure| remote_sql(failure, sql))?;
        self.wait(ticket, sql)
    }

    /// Reads and writes what can be done without waiting, and tells whether [`Participant::wait`] would come back
    /// at once, be it with an error.
    pub fn is_ready(&self, ticket: &Ticket) -> bool {
        self.session().pump().is_err() || self.session().is_complete(ticket)
    }

    /// Whether the answer has been read: what [`watch::wait_any`] has come back for. Reads nothing.
    pub fn has_answer(&self, ticket: &Ticket) -> bool {
        self.session().is_complete(ticket)
    }

    /// Closes a portal with the next request, if there is one: the end of the transaction closes all.
    pub fn close_portal(&self, portal: &str) {
        if !portal.is_empty() && self.lost.borrow().is_none() {
            self.unread.borrow_mut().push(portal.to_owned());
        }
    }

    /// The present moment of the remote transaction, to be kept with a portal: taken right after submitting the
    /// request that opens it.
    pub fn stamp(&self) -> Stamp {
        self.nesting.borrow_mut().stamp()
    }

    /// Whether what was opened at `stamp` is still there, or was rolled back with a subtransaction.
    pub fn lives(&self, stamp: Stamp) -> bool {
        self.lost.borrow().is_none() && self.nesting.borrow().lives(stamp)
    }

    /// The failure for an error of this participant's connection: with the remote statement and the server in
    /// its CONTEXT. Notes when the connection is gone.
    pub fn fail(&self, error: WireError, sql: Option<&str>) -> Failure {
        let cause = self.session().cause_of(&error);
        let (error, sql) = match &cause {
            Some((cause, sql)) => (cause.clone(), sql.as_deref()),
            None => (error, sql),
        };
        if error.is_fatal() {
            self.lose(error.to_string());
        }
        let mut failure = error.to_failure();
        if let Some(sql) = sql {
            failure = remote_sql(failure, sql);
        }
        failure.add_context(format!("server \"{}\"", self.server_name()))
    }

    /// Notes that the connection must not be used any more.
    pub(super) fn lose(&self, reason: String) {
        self.lost.borrow_mut().get_or_insert(reason);
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.borrow().is_some()
    }

    /// An error when the connection was lost earlier in this transaction.
    pub(super) fn check_usable(&self) -> Result<(), Failure> {
        match &*self.lost.borrow() {
            None => Ok(()),
            Some(reason) => Err(Failure::new(
                SqlState::CONNECTION_FAILURE,
                format!("connection to server \"{}\" was lost", self.server_name()),
            )
            .with_detail(reason.clone())),
        }
    }

    /// How far the two-phase commit has come.
    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.phase.set(phase);
    }

    pub(super) fn feeder(&self) -> &RefCell<Option<Weak<dyn Feeder>>> {
        &self.feeder
    }

    pub(super) fn nesting(&self) -> &RefCell<Nesting> {
        &self.nesting
    }

    /// Whether there is a remote transaction to end.
    pub(super) fn is_open(&self) -> bool {
        self.nesting.borrow().begun() && !self.is_lost()
    }

    /// Notes that the remote transaction has ended (or its end is on its way and nobody waits for it).
    pub(super) fn end(&self) {
        self.nesting.take();
        self.first.take();
        self.unread.take();
        self.feeder.take();
        self.phase.take();
    }

    /// Queues what brings the remote transaction to the local nesting level.
    fn enter(&self) {
        let level = xact::nest_level();
        let isolation = if xact::is_serializable() {
            Isolation::Serializable
        } else if self.written.get() && !xact::uses_one_snapshot() {
            Isolation::ReadCommitted
        } else {
            Isolation::RepeatableRead
        };
        let mode = Mode {
            isolation,
            read_only: registry::top_is_read_only(level),
            deferrable: xact::is_deferrable(),
        };
        let statements = self.nesting.borrow_mut().enter(level, mode);
        for sql in &statements {
            self.session().push_prefix(sql);
        }
        if self.written.get() && !self.sent_write.replace(true) {
            watch::publish(self);
        }
    }

    /// Takes a new connection in place of one that died before the remote transaction's first answer.
    pub(super) fn replace(&self) -> Result<(), Failure> {
        let old = self.connection();
        if self.replacement.get().is_some() {
            self.lose("the connection was lost twice".to_owned());
            return self.check_usable();
        }
        old.in_transaction.set(false);
        old.finish(false);
        self.nesting.borrow_mut().restart();
        // Until the new one is there, nothing can be sent.
        self.lose("the server could not be reached again".to_owned());
        let new = self.connection.again(self.user)?;
        likeness::require(self.relies_on.get(), std::iter::once(&new))?;
        new.in_transaction.set(true);
        let _ = self.replacement.set(new);
        self.lost.take();
        Ok(())
    }

    /// Waits until everything sent so far is answered: what follows may be cancelled and rolled back alone.
    fn settle(&self) -> Result<(), Failure> {
        let session = self.session();
        loop {
            session.pump().map_err(|error| self.fail(error, None))?;
            if session.outstanding() == 0 {
                return Ok(());
            }
            wait::wait(&[session.want()], None);
        }
    }

    fn close_unread(&self) -> Result<(), Failure> {
        for portal in self.unread.take() {
            self.session()
                .submit(Request::ClosePortal(&portal))
                .map_err(|error| self.fail(error, None))?;
        }
        Ok(())
    }
}

fn remote_sql(failure: Failure, sql: &str) -> Failure {
    failure.add_context(format!("remote SQL command: {sql}"))
}

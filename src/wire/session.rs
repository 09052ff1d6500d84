//! A session on a remote server as the layers above see it: requests in, tickets out, replies when they come.
//!
//! Every wait is here. The engine is never borrowed across one: a wait may be left by unwinding (a cancelled
//! query), and then the request simply stays outstanding.

mod copy;

use super::cancel::{self, Peer};
use super::engine::{Engine, SharedSlot};
use super::remote_error::{RemoteError, WireError};
use super::request::{Reply, Request, Status};
use crate::pg::wait::{self, Wake, Want};
use postgres_protocol::message::frontend;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A cancel request is repeated after this long: it may have come when the server was between two requests.
const CANCEL_AGAIN: Duration = Duration::from_secs(1);
/// How long requests may go on that nobody waits for when the connection is wanted again, and how long they may take to
/// obey then.
const UNWANTED_GRACE: Duration = Duration::from_millis(100);
const UNWANTED_DEADLINE: Duration = Duration::from_secs(5);
/// How long a COPY whose data has been broken off may take to end before it is cancelled.
const COPY_GRACE: Duration = Duration::from_millis(100);

/// One connection, shared by everything that uses it. Cloning gives another handle to the same connection.
/// Single-threaded: interior RefCell, never borrowed across a wait.
#[derive(Clone)]
pub struct Session(Rc<Shared>);

struct Shared {
    engine: RefCell<Engine>,
    peer: Peer,
    credentials: Credentials,
}

/// How the session was let in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials {
    /// The server asked for a password and got one.
    pub used_password: bool,
    /// The password came from the connection options, not from the environment or a password file.
    pub password_from_options: bool,
}

/// A queued request; its reply is taken with `Session::wait` or `Session::take`. Dropping it discards the reply.
pub struct Ticket(SharedSlot);

impl Session {
    pub(super) fn new(engine: Engine, peer: Peer, credentials: Credentials) -> Session {
        Session(Rc::new(Shared { engine: RefCell::new(engine), peer, credentials }))
    }

    /// Queues a statement without result (BEGIN, SAVEPOINT) that is sent with the NEXT request, in the same
    /// Sync group and before it: when it fails the request is not run, and the request's reply is its error.
    ///
    /// Not for session settings: a rollback of the request's transaction undoes them. See [`Session::set_up`].
    pub fn push_prefix(&self, sql: &str) {
        self.0.engine.borrow_mut().prefixes.push(sql.to_owned());
    }

    /// Takes back what [`Session::push_prefix`] has queued and no request has sent yet.
    pub fn clear_prefixes(&self) {
        self.0.engine.borrow_mut().prefixes.clear();
    }

    /// Whether prefixes wait for a request.
    pub fn has_prefixes(&self) -> bool {
        !self.0.engine.borrow().prefixes.is_empty()
    }

    /// Queues the session's settings (`SET a = ..; SET b = ..`) in a group of their own before the next request:
    /// no round trip, and no rollback undoes them. If they fail the session is dead, and their error is that of
    /// every request behind them.
    pub fn set_up(&self, sql: &str) -> Result<(), WireError> {
        self.0.engine.borrow_mut().enqueue_setup(sql)
    }

    /// Queues a request and writes what the socket takes; never waits.
    pub fn submit(&self, request: Request<'_>) -> Result<Ticket, WireError> {
        let mut engine = self.0.engine.borrow_mut();
        let slot = engine.enqueue(&request)?;
        if engine.link.flush().is_err() {
            // What the server said last is in the socket: `pump` reads it and fails the ticket with it.
            let _ = engine.pump();
        }
        Ok(Ticket(slot))
    }

    /// Reads and writes what can be done without waiting; replies are put to their tickets.
    pub fn pump(&self) -> Result<(), WireError> {
        self.0.engine.borrow_mut().pump()
    }

    /// Whether the ticket's reply is complete (after `pump`); on a dead session it is, with the session's error.
    pub fn is_complete(&self, ticket: &Ticket) -> bool {
        let mut slot = ticket.0.borrow_mut();
        if !slot.done
            && let Some(error) = &self.0.engine.borrow().dead
        {
            slot.error.get_or_insert_with(|| error.clone());
            slot.done = true;
        }
        slot.done
    }

    /// The ticket's reply if it is complete, else the ticket again. Reads nothing.
    pub fn take(&self, ticket: Ticket) -> Result<Result<Reply, WireError>, Ticket> {
        let mut slot = ticket.0.borrow_mut();
        if !slot.done {
            drop(slot);
            return Err(ticket);
        }
        let outcome = match slot.error.take() {
            Some(error) => Err(error),
            None => Ok(std::mem::take(&mut slot.reply)),
        };
        drop(slot);
        Ok(outcome)
    }

    /// How many bytes of rows have come for the ticket and were not taken yet.
    pub fn buffered(&self, ticket: &Ticket) -> usize {
        ticket.0.borrow().reply.data.len()
    }

    /// The rows that have come so far, out of a reply that need not be complete: so that a large one is never
    /// held as a whole. `take` gives the rest.
    pub fn take_rows(&self, ticket: &Ticket) -> Reply {
        let reply = &mut ticket.0.borrow_mut().reply;
        Reply {
            columns: reply.columns.clone(),
            data: std::mem::take(&mut reply.data),
            rows: std::mem::take(&mut reply.rows),
            ..Reply::default()
        }
    }

    /// Waits for the ticket's reply: interrupts are honoured (they raise), remote errors are Err.
    pub fn wait(&self, ticket: Ticket, deadline: Option<Instant>) -> Result<Reply, WireError> {
        Session::wait_any(&[(self, &ticket)], deadline)?;
        match self.take(ticket) {
            Ok(outcome) => outcome,
            Err(_) => Err(WireError::Deadline),
        }
    }

    /// submit + wait.
    pub fn run(&self, request: Request<'_>) -> Result<Reply, WireError> {
        self.wait(self.submit(request)?, None)
    }

    /// Waits until at least one of the tickets is complete. A connection that breaks completes its tickets, with
    /// their error. All that has come meanwhile is read, so [`Session::is_complete`] tells which are.
    pub fn wait_any(
        of: &[(&Session, &Ticket)],
        deadline: Option<Instant>,
    ) -> Result<(), WireError> {
        let mut wants: Vec<Want> = Vec::with_capacity(of.len());
        // Whose each of `wants` is, and which of them have something to read.
        let mut owners: Vec<usize> = Vec::with_capacity(of.len());
        let mut ready: Vec<usize> = Vec::with_capacity(of.len());
        let is_done = || of.iter().any(|(session, ticket)| session.is_complete(ticket));
        loop {
            if of.is_empty() || is_done() {
                return Ok(());
            }
            wants.clear();
            owners.clear();
            ready.clear();
            for (index, (session, _)) in of.iter().enumerate() {
                let want = session.want();
                match wants.iter_mut().find(|have| have.serial == want.serial) {
                    Some(have) => have.write |= want.write,
                    None => {
                        wants.push(want);
                        owners.push(index);
                    }
                }
            }
            let wake = wait::wait_all(&wants, deadline, |socket| ready.push(owners[socket]));
            if wake == Wake::Deadline {
                ready.clone_from(&owners);
            }
            for &index in &ready {
                // A failure is put to the tickets.
                let _ = of[index].0.pump();
            }
            if wake == Wake::Deadline && !is_done() {
                return Err(WireError::Deadline);
            }
        }
    }

    /// What to wait for, for callers with a wait loop of their own (async Append).
    pub fn want(&self) -> Want {
        self.0.engine.borrow().link.want()
    }

    /// Requests whose replies have not been read yet.
    pub fn outstanding(&self) -> usize {
        self.0.engine.borrow().groups.len()
    }

    /// Asks the server to cancel what it is doing (a CancelRequest over its own connection) and reads replies
    /// until none is outstanding, up to `deadline`. Interrupts are not raised here. Err: drop the connection.
    pub fn cancel_and_drain(&self, deadline: Instant) -> Result<(), WireError> {
        let mut again = Instant::now();
        loop {
            self.pump()?;
            {
                let mut engine = self.0.engine.borrow_mut();
                if engine.is_copying() {
                    engine.end_copy(Some(copy::CANCELED))?;
                    // It ends by itself, unless it waits for something else than data.
                    again = Instant::now() + COPY_GRACE;
                    continue;
                }
                if engine.groups.is_empty() {
                    return Ok(());
                }
            }
            let now = Instant::now();
            if now >= deadline {
                return Err(WireError::Deadline);
            }
            if now >= again {
                let key = {
                    let engine = self.0.engine.borrow();
                    (engine.facts.backend_pid, engine.facts.cancel_key)
                };
                cancel::request(&self.0.peer, key.0, key.1, deadline)?;
                again = Instant::now() + CANCEL_AGAIN;
            }
            wait::wait_quietly(&[self.want()], deadline.min(again));
        }
    }

    /// Has requests end that nobody waits for any more, so that what is sent next does not wait behind them: by
    /// themselves if that is soon, else cancelled. Interrupts are honoured while they have time. Err: drop the connection.
    pub fn hurry(&self) -> Result<(), WireError> {
        let soon = Instant::now() + UNWANTED_GRACE;
        loop {
            self.pump()?;
            if self.outstanding() == 0 {
                return Ok(());
            }
            if wait::wait(&[self.want()], Some(soon)) == Wake::Deadline {
                return self.cancel_and_drain(Instant::now() + UNWANTED_DEADLINE);
            }
        }
    }

    /// Cuts the connection: what has not reached the server is not to reach it any more.
    pub fn sever(&self) {
        let mut engine = self.0.engine.borrow_mut();
        // Closing then resets the connection, where the system would go on trying for minutes.
        let _ = engine.link.socket().raw().set_linger(Some(Duration::ZERO));
        engine.die(WireError::Broken("the connection was cut".to_owned()));
    }

    pub(super) fn with_engine<T>(&self, look: impl FnOnce(&Engine) -> T) -> T {
        look(&self.0.engine.borrow())
    }

    /// Transaction status after the last reply read.
    pub fn status(&self) -> Status {
        self.0.engine.borrow().status
    }

    /// True when the connection is broken or the socket has been closed by the server (a nonblocking look).
    pub fn is_dead(&self) -> bool {
        let mut engine = self.0.engine.borrow_mut();
        // An idle connection has nothing to read, and then one look is enough.
        engine.dead.is_some()
            || (!engine.link.socket().is_silent()
                && (engine.pump().is_err() || engine.link.socket().is_closed()))
    }

    /// True when the connection is known to be broken: nothing is looked at.
    pub fn is_broken(&self) -> bool {
        self.0.engine.borrow().dead.is_some()
    }

    /// Forgets all prepared statements of this connection (after DISCARD or DEALLOCATE; not needed after a
    /// rollback, which prepared statements survive).
    pub fn forget_statements(&self) {
        self.0.engine.borrow_mut().statements.forget_all();
    }

    /// Whether statements may be prepared under names (default) or always use the unnamed one (poolers).
    pub fn set_use_prepared(&self, enabled: bool) {
        self.0.engine.borrow_mut().statements.enable(enabled);
    }

    /// A portal name that this connection has not used yet.
    pub fn new_portal_name(&self) -> String {
        let mut engine = self.0.engine.borrow_mut();
        engine.portals += 1;
        format!("c{}", engine.portals)
    }

    /// server_version_num of the remote server, e.g. 150018.
    pub fn server_version(&self) -> i32 {
        self.parameter("server_version").map_or(0, |text| super::version::number(&text))
    }

    /// Remote backend's process id.
    pub fn backend_pid(&self) -> i32 {
        self.0.engine.borrow().facts.backend_pid
    }

    /// What the server last reported for one of its reported settings (ParameterStatus).
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.0.engine.borrow().facts.parameters.get(name).cloned()
    }

    /// The notices that came since the last call, oldest first (the last 64 of them).
    pub fn take_notices(&self) -> Vec<RemoteError> {
        let mut engine = self.0.engine.borrow_mut();
        if engine.notices.is_empty() { Vec::new() } else { engine.notices.drain(..).collect() }
    }

    /// Whether a password was asked for and given, as libpq's PQconnectionUsedPassword.
    pub fn used_password(&self) -> bool {
        self.0.credentials.used_password
    }

    /// Whether the password came from the connection options (the user mapping).
    pub fn password_from_options(&self) -> bool {
        self.0.credentials.password_from_options
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // A polite goodbye, if the socket takes it: nothing here can wait, raise or panic.
        let Ok(mut engine) = self.engine.try_borrow_mut() else { return };
        if engine.dead.is_none() {
            frontend::terminate(&mut engine.link.output);
            let _ = engine.link.flush();
        }
    }
}

//! The protocol engine: a queue of expected answers, one group (up to ReadyForQuery) for each request. Never
//! waits; what goes out is written by `submit.rs`, what comes in is read here.

use super::cause::Cause;
use super::input::Unusable;
use super::link::{Fill, Link, closed_unexpectedly, unusable};
use super::message::{self, Body};
use super::remote_error::{RemoteError, WireError};
use super::request::{Reply, Status};
use super::statements::{Key, Statements};
use crate::error::SqlState;
use postgres_protocol::message::frontend;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::rc::Rc;

/// How much one `read` takes at most before the caller gets a chance to look at interrupts.
const READ_BUDGET: usize = 8;
const MAX_NOTICES: usize = 64;

/// Where a reply is put together; shared with the ticket.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) reply: Reply,
    pub(super) error: Option<WireError>,
    pub(super) done: bool,
}

pub(super) type SharedSlot = Rc<RefCell<Slot>>;

/// The answer that comes next in a group.
pub(super) enum Step {
    /// CloseComplete.
    Close,
    /// ParseComplete, of the cached statement if there is a key.
    Parse(Option<Key>),
    /// ParameterDescription, then RowDescription or NoData.
    Describe(Option<Key>),
    /// BindComplete.
    Bind,
    /// Rows and the end of a statement before the request's own: thrown away.
    Prefix,
    /// Rows and the end of the request's statement.
    Rows,
    /// Anything up to ReadyForQuery.
    Query,
    /// As `Query`, but CopyInResponse is expected.
    CopyIn,
}

/// The expected answers up to one ReadyForQuery.
pub(super) struct Group {
    pub(super) steps: VecDeque<Step>,
    pub(super) slot: SharedSlot,
    /// The cached statement that the request uses.
    pub(super) statement: Option<Key>,
    /// The text of one that has no name.
    pub(super) text: Option<Box<str>>,
    /// The session is of no use if this fails (its settings).
    pub(super) vital: bool,
}

/// What the server told about itself and the session.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) backend_pid: i32,
    pub(super) cancel_key: i32,
}

pub(super) struct Engine {
    pub(super) link: Link,
    pub(super) groups: VecDeque<Group>,
    pub(super) prefixes: Vec<String>,
    pub(super) statements: Statements,
    pub(super) facts: Facts,
    pub(super) status: Status,
    pub(super) cause: Option<Cause>,
    pub(super) dead: Option<WireError>,
    /// The reply to `copy_end`; in copy-in mode while it is not done.
    pub(super) copy: Option<SharedSlot>,
    pub(super) notices: VecDeque<RemoteError>,
    pub(super) portals: u64,
}

impl Engine {
    pub(super) fn new(link: Link, facts: Facts) -> Engine {
        Engine {
            link,
            groups: VecDeque::new(),
            prefixes: Vec::new(),
            statements: Statements::default(),
            facts,
            status: Status::Idle,
            cause: None,
            dead: None,
            copy: None,
            notices: VecDeque::new(),
            portals: 0,
        }
    }

    /// Marks the connection dead; every outstanding request fails with `error`.
    pub(super) fn die(&mut self, error: WireError) -> WireError {
        let error = self.dead.get_or_insert(error).clone();
        for group in self.groups.drain(..) {
            let mut slot = group.slot.borrow_mut();
            slot.error.get_or_insert_with(|| error.clone());
            slot.done = true;
        }
        error
    }

    /// Whether the server waits for COPY data.
    pub(super) fn is_copying(&self) -> bool {
        self.copy.as_ref().is_some_and(|slot| !slot.borrow().done)
    }

    /// Writes and reads what can be done without waiting.
    pub(super) fn pump(&mut self) -> Result<(), WireError> {
        if let Some(error) = &self.dead {
            return Err(error.clone());
        }
        let written = self.link.flush();
        let mut outcome = self.read();
        if outcome.is_ok() {
            // What the server said before it closed the connection tells more than the failed write.
            outcome = written.and_then(|_| self.link.flush()).map(|_| ());
        }
        outcome.map_err(|error| self.die(error))
    }

    fn read(&mut self) -> Result<(), WireError> {
        let mut reads = 0;
        while reads < READ_BUDGET {
            match self.link.fill()? {
                // The socket would not tell of what is left.
                Fill::Held => self.process()?,
                Fill::More => {
                    self.process()?;
                    reads += 1;
                }
                Fill::Some => return self.process(),
                Fill::Nothing => break,
                Fill::End => return Err(closed_unexpectedly()),
            }
        }
        Ok(())
    }

    /// Takes every complete message out of the input buffer.
    fn process(&mut self) -> Result<(), WireError> {
        while let Some((tag, at)) = self.link.input.next().map_err(unusable)? {
            if tag == b'D' {
                self.data_row(at)?;
            } else {
                self.message(tag, at)?;
            }
        }
        Ok(())
    }

    #[inline]
    fn data_row(&mut self, at: Range<usize>) -> Result<(), WireError> {
        let Some(group) = self.groups.front_mut() else { return Err(unexpected(b'D')) };
        match group.steps.front() {
            Some(Step::Rows | Step::Query) => {}
            Some(Step::Prefix | Step::CopyIn) => return Ok(()),
            _ => return Err(unexpected(b'D')),
        }
        let body = self.link.input.body(at);
        if Rc::strong_count(&group.slot) == 1 {
            return Ok(());
        }
        let slot = &mut *group.slot.borrow_mut();
        if slot.error.is_some() {
            return Ok(());
        }
        let reply = &mut slot.reply;
        if !message::is_row(body, reply.columns.as_ref().map(|columns| columns.len())) {
            return Err(malformed(b'D'));
        }
        let start = u32::try_from(reply.data.len());
        let fits = start.is_ok()
            && reply.data.try_reserve(body.len()).is_ok()
            && reply.rows.try_reserve(1).is_ok();
        if let (true, Ok(start)) = (fits, start) {
            reply.rows.push(start);
            reply.data.extend_from_slice(body);
        } else {
            slot.reply = Reply::default();
            slot.error = Some(WireError::Remote(Box::new(RemoteError::local(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                "the remote result is too large to be held in memory at once",
            ))));
        }
        Ok(())
    }

    fn message(&mut self, tag: u8, at: Range<usize>) -> Result<(), WireError> {
        match tag {
            b'N' => {
                let notice = RemoteError::parse(self.link.input.body(at));
                self.notice(notice.ok_or_else(|| malformed(tag))?);
                Ok(())
            }
            b'S' => {
                let mut body = Body::new(self.link.input.body(at));
                let (Some(name), Some(value)) = (body.string(), body.string()) else {
                    return Err(malformed(tag));
                };
                self.facts.parameters.insert(name, value);
                Ok(())
            }
            b'A' => Ok(()),
            b'E' => {
                let error = RemoteError::parse(self.link.input.body(at));
                self.error(error.ok_or_else(|| malformed(tag))?)
            }
            b'Z' => {
                let status = match self.link.input.body(at) {
                    b"I" => Status::Idle,
                    b"T" => Status::InTransaction,
                    b"E" => Status::Failed,
                    _ => return Err(malformed(tag)),
                };
                self.ready(status)
            }
            _ => self.answer(tag, at),
        }
    }

    pub(super) fn notice(&mut self, notice: RemoteError) {
        if self.notices.len() >= MAX_NOTICES {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }

    fn error(&mut self, error: RemoteError) -> Result<(), WireError> {
        if error.ends_session() {
            return Err(WireError::Remote(Box::new(error)));
        }
        let Some(group) = self.groups.front_mut() else {
            self.notice(error);
            return Ok(());
        };
        for step in group.steps.drain(..) {
            // A Describe that was not answered leaves a statement on the server that this side knows nothing of:
            // forgotten here as well, under this generation's name it would be refused as a duplicate.
            match step {
                Step::Parse(Some(key)) => self.statements.parse_failed(key),
                Step::Describe(Some(key)) => self.statements.discard(key),
                _ => {}
            }
        }
        let state = error.sqlstate.as_deref();
        if state == Some("26000") {
            self.statements.forget_all();
        } else if (error.is_stale_plan()
            // A table that has changed since Parse: the inferred types of parameters may not fit any more.
            || state.is_some_and(|state| state.starts_with("42")))
            && let Some(key) = group.statement
        {
            self.statements.discard(key);
        }
        let error = WireError::Remote(Box::new(error));
        if group.vital {
            return Err(error);
        }
        group.slot.borrow_mut().error.get_or_insert(error);
        Ok(())
    }

    fn ready(&mut self, status: Status) -> Result<(), WireError> {
        let Some(group) = self.groups.pop_front() else { return Err(unexpected(b'Z')) };
        self.note_status(status, &group);
        if self.groups.is_empty() {
            self.link.input.relax();
        }
        let finished = matches!(group.steps.front(), None | Some(Step::Query | Step::CopyIn));
        let mut slot = group.slot.borrow_mut();
        slot.done = true;
        if !finished && slot.error.is_none() {
            let error = unexpected(b'Z');
            slot.error = Some(error.clone());
            return Err(error);
        }
        if matches!(group.steps.front(), Some(Step::CopyIn)) && slot.error.is_none() {
            slot.error = Some(WireError::Remote(Box::new(RemoteError::local(
                SqlState::PROTOCOL_VIOLATION,
                "the remote command did not start a COPY from the client",
            ))));
        }
        Ok(())
    }

    /// A message that answers the front group's next step.
    fn answer(&mut self, tag: u8, at: Range<usize>) -> Result<(), WireError> {
        let Some(group) = self.groups.front_mut() else { return Err(unexpected(tag)) };
        let body = self.link.input.body(at);
        let Some(step) = group.steps.front() else { return Err(unexpected(tag)) };
        match (step, tag) {
            (Step::Close, b'3') | (Step::Parse(_), b'1') | (Step::Bind, b'2') => {
                group.steps.pop_front();
            }
            (Step::Describe(_), b't') => {
                let types = message::param_types(body).ok_or_else(|| malformed(tag))?;
                group.slot.borrow_mut().reply.param_types = Some(types.into());
            }
            (&Step::Describe(key), b'T' | b'n') => {
                let mut slot = group.slot.borrow_mut();
                if tag == b'T' {
                    let columns = message::columns(body).ok_or_else(|| malformed(tag))?;
                    slot.reply.columns = Some(columns.into());
                }
                if let Some(key) = key {
                    let reply = &slot.reply;
                    self.statements.described(
                        key,
                        reply.columns.clone(),
                        reply.param_types.clone(),
                    );
                }
                group.steps.pop_front();
            }
            (Step::Prefix, b'C' | b'I' | b's') => {
                group.steps.pop_front();
            }
            (Step::Rows, b'C' | b'I' | b's') => {
                let reply = &mut group.slot.borrow_mut().reply;
                reply.suspended = tag == b's';
                reply.tag = if tag == b'C' { Body::new(body).string() } else { None };
                group.steps.pop_front();
            }
            (Step::Query, b'C' | b'I') => {
                group.slot.borrow_mut().reply.tag =
                    if tag == b'C' { Body::new(body).string() } else { None };
            }
            (Step::CopyIn, b'C' | b'I' | b'T') => {}
            (Step::Query, b'T') => {
                let columns = message::columns(body).ok_or_else(|| malformed(tag))?;
                let reply = &mut group.slot.borrow_mut().reply;
                *reply = Reply { columns: Some(columns.into()), ..Reply::default() };
            }
            (Step::CopyIn, b'G') => {
                let ready = std::mem::take(&mut group.slot);
                ready.borrow_mut().done = true;
                self.copy = Some(group.slot.clone());
                group.steps = VecDeque::from([Step::Query]);
            }
            // COPY where nobody asked for it: what comes out is dropped, what should go in is refused.
            (Step::Query | Step::Rows | Step::Prefix | Step::CopyIn, b'H' | b'd' | b'c') => {}
            (Step::Query | Step::Rows | Step::Prefix, b'G') => {
                let extended = !matches!(step, Step::Query);
                let written = frontend::copy_fail(
                    "no data: COPY FROM STDIN was not expected",
                    &mut self.link.output,
                );
                written.map_err(|_| unexpected(tag))?;
                if extended {
                    // The server has thrown away the Sync that was sent behind the statement.
                    frontend::sync(&mut self.link.output);
                }
            }
            _ => return Err(unexpected(tag)),
        }
        Ok(())
    }
}

/// A message that does not belong here.
pub(super) fn unexpected(tag: u8) -> WireError {
    WireError::Broken(format!(
        "protocol violation: unexpected message type \"{}\" from server",
        tag.escape_ascii()
    ))
}

/// A message whose body is not what its type promises.
pub(super) fn malformed(tag: u8) -> WireError {
    WireError::Broken(format!(
        "protocol violation: malformed message of type \"{}\" from server",
        tag.escape_ascii()
    ))
}

impl From<Unusable> for WireError {
    fn from(cause: Unusable) -> WireError {
        unusable(cause)
    }
}

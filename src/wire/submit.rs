//! Requests into the output buffer, and what answers they will have into the queue.

use super::engine::{Engine, Group, SharedSlot, Slot, Step};
use super::remote_error::{RemoteError, WireError};
use super::request::{Formats, Params, Reply, Request, bind, limit};
use super::statements::{Key, Way};
use crate::error::SqlState;
use postgres_protocol::message::frontend;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

/// A statement to run by the extended protocol.
struct Statement<'a> {
    sql: &'a str,
    types: &'a [u32],
    at_once: bool,
}

impl Engine {
    /// Queues `request` behind the prefixes; writes nothing yet.
    pub(super) fn enqueue(&mut self, request: &Request<'_>) -> Result<SharedSlot, WireError> {
        if let Some(error) = &self.dead {
            return Err(error.clone());
        }
        if self.is_copying() {
            return Err(WireError::Remote(Box::new(RemoteError::local(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "another request was made while a COPY is in progress on the connection",
            ))));
        }
        let mark = self.link.output.len();
        let mut group = Group {
            steps: VecDeque::new(),
            slot: Rc::new(RefCell::new(Slot::default())),
            statement: None,
            text: None,
            vital: false,
        };
        if let Err(error) = self.encode(request, &mut group) {
            self.link.output.truncate(mark);
            for step in &group.steps {
                if let Step::Parse(Some(key)) = step {
                    self.statements.parse_failed(*key);
                }
            }
            return Err(WireError::Remote(Box::new(RemoteError::local(
                SqlState::DATA_EXCEPTION,
                format!("could not encode the request for the remote server: {error}"),
            ))));
        }
        let slot = group.slot.clone();
        if group.steps.is_empty() {
            slot.borrow_mut().done = true;
        } else {
            self.prefixes.clear();
            self.groups.push_back(group);
        }
        Ok(slot)
    }

    /// Queues the session's settings: one group of its own, so that no rollback of a later request undoes them.
    /// The connection is dead if they fail.
    pub(super) fn enqueue_setup(&mut self, sql: &str) -> Result<(), WireError> {
        if let Some(error) = &self.dead {
            return Err(error.clone());
        }
        let prefixes = std::mem::take(&mut self.prefixes);
        let queued = self.enqueue(&Request::Simple(sql));
        self.prefixes = prefixes;
        queued?;
        if let Some(group) = self.groups.back_mut() {
            group.vital = true;
        }
        Ok(())
    }

    fn encode(&mut self, request: &Request<'_>, group: &mut Group) -> io::Result<()> {
        match *request {
            Request::Simple(sql) => {
                self.simple(sql)?;
                group.steps.push_back(Step::Query);
                return Ok(());
            }
            Request::CopyIn(sql) => {
                self.simple(sql)?;
                group.steps.push_back(Step::CopyIn);
                return Ok(());
            }
            Request::Prepare { sql, param_types } => {
                let way = self.statements.way(sql, param_types, true);
                if let Way::Ready { columns, params, .. } = way {
                    // Known already: nothing is sent, prefixes wait for the next request.
                    let reply = Reply { columns, param_types: params, ..Reply::default() };
                    group.slot.borrow_mut().reply = reply;
                    return Ok(());
                }
                self.preamble(group)?;
                self.parse(&Statement { sql, types: param_types, at_once: true }, way, group)?;
            }
            Request::Execute { sql, param_types, params, ref formats, portal, max_rows } => {
                self.preamble(group)?;
                let statement = Statement { sql, types: param_types, at_once: false };
                self.execute(&statement, params, formats, portal, max_rows, group)?;
            }
            Request::Fetch { portal, max_rows } => {
                self.preamble(group)?;
                frontend::execute(portal, limit(max_rows), &mut self.link.output)?;
                group.steps.push_back(Step::Rows);
            }
            Request::ClosePortal(portal) => {
                self.preamble(group)?;
                frontend::close(b'P', portal, &mut self.link.output)?;
                group.steps.push_back(Step::Close);
            }
        }
        frontend::sync(&mut self.link.output);
        Ok(())
    }

    /// One query string: the server stops at the first statement that fails.
    fn simple(&mut self, sql: &str) -> io::Result<()> {
        if self.prefixes.is_empty() {
            return frontend::query(sql, &mut self.link.output);
        }
        let mut joined = String::with_capacity(sql.len() + 64);
        for prefix in &self.prefixes {
            joined.push_str(prefix);
            joined.push_str(";\n");
        }
        joined.push_str(sql);
        frontend::query(&joined, &mut self.link.output)
    }

    /// What goes before a request of the extended protocol: statements to close, prefixes.
    fn preamble(&mut self, group: &mut Group) -> io::Result<()> {
        let out = &mut self.link.output;
        for name in self.statements.take_closing() {
            frontend::close(b'S', &name, out)?;
            group.steps.push_back(Step::Close);
        }
        for prefix in &self.prefixes {
            frontend::parse("", prefix, [], out)?;
            bind("", "", &Params::default(), &Formats::Text, out)?;
            frontend::execute("", 0, out)?;
            group.steps.extend([Step::Parse(None), Step::Bind, Step::Prefix]);
        }
        Ok(())
    }

    fn parse(&mut self, statement: &Statement<'_>, way: Way, group: &mut Group) -> io::Result<()> {
        let (key, name): (Option<Key>, Rc<str>) = match way {
            Way::Parse { key, name } => (Some(key), name),
            Way::Ready { .. } | Way::Unnamed => (None, "".into()),
        };
        group.steps.push_back(Step::Parse(key));
        let out = &mut self.link.output;
        frontend::parse(&name, statement.sql, statement.types.iter().copied(), out)?;
        frontend::describe(b'S', &name, out)?;
        group.steps.push_back(Step::Describe(key));
        Ok(())
    }

    fn execute(
        &mut self,
        statement: &Statement<'_>,
        params: &Params,
        formats: &Formats,
        portal: &str,
        max_rows: u32,
        group: &mut Group,
    ) -> io::Result<()> {
        let way = self.statements.way(statement.sql, statement.types, statement.at_once);
        let name: Rc<str> = match way {
            Way::Ready { key, name, columns, params } => {
                group.statement = Some(key);
                let reply = Reply { columns, param_types: params, ..Reply::default() };
                group.slot.borrow_mut().reply = reply;
                name
            }
            Way::Parse { key, ref name } => {
                group.statement = Some(key);
                let name = name.clone();
                self.parse(statement, way, group)?;
                name
            }
            Way::Unnamed => {
                group.text = Some(statement.sql.into());
                self.parse(statement, Way::Unnamed, group)?;
                "".into()
            }
        };
        let out = &mut self.link.output;
        bind(portal, &name, params, formats, out)?;
        frontend::execute(portal, limit(max_rows), out)?;
        group.steps.extend([Step::Bind, Step::Rows]);
        Ok(())
    }

    /// Err unless the server takes COPY data; with COPY's error once it has failed.
    pub(super) fn check_copy(&self) -> Result<(), WireError> {
        if let Some(slot) = &self.copy {
            let slot = slot.borrow();
            match &slot.error {
                Some(error) => return Err(error.clone()),
                None if !slot.done => return Ok(()),
                None => {}
            }
        }
        Err(self.dead.clone().unwrap_or_else(no_copy))
    }

    /// Leaves copy-in mode; the slot gets COPY's reply.
    pub(super) fn end_copy(&mut self, error: Option<&str>) -> Result<SharedSlot, WireError> {
        let slot = self.copy.take().ok_or_else(no_copy)?;
        if slot.borrow().done {
            // The server has given up on it.
            return Ok(slot);
        }
        match error {
            None => frontend::copy_done(&mut self.link.output),
            Some(text) => {
                let text = text.replace('\0', " ");
                if frontend::copy_fail(&text, &mut self.link.output).is_err() {
                    return Err(self.die(WireError::Broken("could not end COPY".to_owned())));
                }
            }
        }
        Ok(slot)
    }
}

fn no_copy() -> WireError {
    let error = RemoteError::local(SqlState::PROTOCOL_VIOLATION, "no COPY in progress");
    WireError::Remote(Box::new(error))
}

//! Why a remote transaction is aborted: requests that were sent behind the one that failed are refused without saying it.

use super::engine::{Engine, Group};
use super::remote_error::WireError;
use super::request::Status;
use super::session::Session;

/// The error that aborted the running remote transaction, and the statement it came from, where that is known.
pub(super) struct Cause {
    error: WireError,
    sql: Option<String>,
}

impl Engine {
    /// Takes note of the transaction status after a request.
    pub(super) fn note_status(&mut self, status: Status, group: &Group) {
        if status != Status::Failed {
            self.cause = None;
        } else if self.status != Status::Failed {
            let named = group.statement.and_then(|key| self.statements.text(key));
            let sql = named.or(group.text.as_deref()).map(str::to_owned);
            self.cause = group.slot.borrow().error.clone().map(|error| Cause { error, sql });
        }
        self.status = status;
    }
}

impl Session {
    /// For a request that was refused because the remote transaction is aborted: the error that did it, and its
    /// statement.
    pub fn cause_of(&self, error: &WireError) -> Option<(WireError, Option<String>)> {
        let refused = error.remote()?.sqlstate.as_deref() == Some("25P02");
        self.with_engine(|engine| {
            let cause = engine.cause.as_ref().filter(|_| refused)?;
            Some((cause.error.clone(), cause.sql.clone()))
        })
    }
}

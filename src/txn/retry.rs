//! What is done about connections that have died while they idled: a copy of the first request of a remote transaction,
//! so that it can be sent again on another connection.
//!
//! Until its first answer has come nothing depends on a remote transaction: it was sent together with its
//! START TRANSACTION, so whatever the lost connection's server did is rolled back, and sending it again is safe.
#![forbid(unsafe_code)]

use super::participant::Participant;
use crate::error::Failure;
use crate::wire::{Formats, Params, Request, WireError};
use std::time::{Duration, Instant};

/// Parameters larger than this are not copied; losing the connection is then an error.
const MOST_BYTES: usize = 64 * 1024;

impl Participant {
    /// Takes a new connection if the one there is has died while it idled. For callers that do not wait by
    /// [`Participant::wait`], which sees to it.
    pub fn revive(&self) -> Result<(), Failure> {
        self.check_usable()?;
        let idle = !self.nesting().borrow().begun() && self.session().outstanding() == 0;
        if idle && self.session().is_dead() { self.replace() } else { Ok(()) }
    }
}

/// A first request that may be sent again.
pub(super) struct First {
    pub(super) copy: Copy,
    pub(super) sent: Instant,
    /// It was sent without a transaction around it.
    pub(super) alone: bool,
}

/// A connection that was dead before shows within this time. What dies later, dies of the request, or somebody
/// has ended it: not to be done again.
const STALE_WITHIN: Duration = Duration::from_secs(1);

impl First {
    /// Whether this error of its connection tells that it was dead before.
    pub(super) fn was_dead(&self, error: &WireError) -> bool {
        error.is_fatal() && self.sent.elapsed() < STALE_WITHIN
    }
}

impl Participant {
    /// Replaces a connection that has died while it was idle, before anything is sent on it.
    pub(super) fn refresh(&self) -> Result<(), Failure> {
        let untouched = !self.nesting().borrow().begun() && self.session().outstanding() == 0;
        if untouched && !self.is_lost() && self.session().is_dead() {
            return self.replace();
        }
        Ok(())
    }
}

/// An owned [`Request`].
pub enum Copy {
    /// See [`Request::Simple`].
    Simple(String),
    /// See [`Request::Execute`].
    #[allow(missing_docs)]
    Execute {
        sql: String,
        param_types: Vec<u32>,
        params: Params,
        formats: Formats,
        portal: String,
        max_rows: u32,
    },
    /// See [`Request::Prepare`].
    #[allow(missing_docs)]
    Prepare { sql: String, param_types: Vec<u32> },
}

impl Copy {
    /// A copy of `request`; `None` where sending it again makes no sense.
    pub fn of(request: &Request<'_>) -> Option<Copy> {
        Some(match request {
            Request::Simple(sql) => Copy::Simple((*sql).to_owned()),
            Request::Execute { sql, param_types, params, formats, portal, max_rows } => {
                if params.buffer.len() > MOST_BYTES {
                    return None;
                }
                Copy::Execute {
                    sql: (*sql).to_owned(),
                    param_types: param_types.to_vec(),
                    params: (*params).clone(),
                    formats: formats.clone(),
                    portal: (*portal).to_owned(),
                    max_rows: *max_rows,
                }
            }
            Request::Prepare { sql, param_types } => {
                Copy::Prepare { sql: (*sql).to_owned(), param_types: param_types.to_vec() }
            }
            Request::Fetch { .. } | Request::ClosePortal(_) | Request::CopyIn(_) => return None,
        })
    }

    /// The named portal it opens.
    pub fn portal(&self) -> Option<&str> {
        match self {
            Copy::Execute { portal, .. } if !portal.is_empty() => Some(portal),
            _ => None,
        }
    }

    /// The request to send again.
    pub fn request(&self) -> Request<'_> {
        match self {
            Copy::Simple(sql) => Request::Simple(sql),
            Copy::Execute { sql, param_types, params, formats, portal, max_rows } => {
                Request::Execute {
                    sql,
                    param_types,
                    params,
                    formats: formats.clone(),
                    portal,
                    max_rows: *max_rows,
                }
            }
            Copy::Prepare { sql, param_types } => Request::Prepare { sql, param_types },
        }
    }
}

//! A modification that is a whole transaction by itself: it is sent without START TRANSACTION, and the server commits it
//! with its end, one round trip instead of two.
//!
//! The local transaction has nothing else to do, so it commits when the server has. From the moment of sending, what
//! the server says counts: a cancel that comes too late to stop the statement is dropped, as one that comes too late
//! to stop a COMMIT is; and when the connection is lost, nobody knows.

use super::participant::Participant;
use super::{ending, registry, watch};
use crate::error::Failure;
use crate::pg::{guard, xact};
use crate::wire::{Reply, Request, WireError};
use std::time::{Duration, Instant};

/// How long a server may take to obey a cancel request.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

impl Participant {
    /// Runs a statement that changes data and is all that the local transaction does, and commits it. `None`, and
    /// nothing sent, where the transaction has done something else already.
    pub fn run_and_commit(
        &self,
        request: Request<'_>,
        sql: &str,
    ) -> Result<Option<Reply>, Failure> {
        self.check_usable()?;
        let busy = |other: &Participant| other.is_open() || other.has_changed();
        if xact::uses_one_snapshot()
            || xact::is_read_only()
            || xact::has_xid()
            || xact::nest_level() != 1
            || registry::all().iter().any(|other| busy(other))
        {
            return Ok(None);
        }
        // It cannot be sent a second time, so the connection is looked at first.
        if self.session().is_dead() {
            self.replace()?;
        }
        let ticket = self.session().submit(request).map_err(|error| self.fail(error, Some(sql)))?;
        let waited = guard::catch(|| watch::wait_for(&[(self.session(), &ticket)], None));
        let stopped = match waited {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Err(error)),
            Err(failure) => {
                // A cancel, or a deadlock's victim. The answer decides.
                let end = Instant::now() + STOP_DEADLINE;
                Some(self.session().cancel_and_drain(end).map(|()| failure))
            }
        };
        let failure = match (self.session().take(ticket), stopped) {
            (Ok(Ok(reply)), _) => return Ok(Some(reply)),
            (Ok(Err(error)), _) if error.is_fatal() => ending::in_doubt(self, error),
            (Ok(Err(_)), Some(Ok(failure))) => failure,
            (Ok(Err(error)), _) => self.fail(error, Some(sql)),
            (Err(_), Some(Err(error))) => self.out_of_step(error),
            (Err(_), _) => self.out_of_step(WireError::Deadline),
        };
        Err(failure)
    }

    /// The answer did not come: the connection must not be used again, and what the server did is not known.
    fn out_of_step(&self, error: WireError) -> Failure {
        let fatal = match error {
            WireError::Deadline => WireError::Broken("the statement could not be canceled".into()),
            other => other,
        };
        ending::in_doubt(self, fatal)
    }
}

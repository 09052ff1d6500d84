//! COPY on a participant's connection: while it runs, the server takes nothing but data there. Whoever wants to
//! send something else has the COPY ended first.

use super::participant::Participant;
use super::watch;
use crate::error::Failure;
use crate::wire::{Request, Session, Ticket};
use std::rc::Weak;

/// Feeds a COPY, and can do without it.
pub trait Feeder {
    /// Ends the COPY, because another request has to be sent; what is left is sent by another one later. Err: it
    /// cannot be done now.
    fn make_way(&self) -> Result<(), Failure>;
}

impl Participant {
    /// Sends a `COPY ... FROM STDIN`: the ticket's reply comes when the server takes data. Until
    /// [`Participant::finish_copy`] all other requests ask `feeder` to make way.
    pub fn start_copy(&self, sql: &str, feeder: Weak<dyn Feeder>) -> Result<Ticket, Failure> {
        let ticket = self.submit(Request::CopyIn(sql))?;
        self.feeder().replace(Some(feeder));
        Ok(ticket)
    }

    /// Hands data to the COPY, and waits while more than `most` bytes are left to be written; what is left on the
    /// `others` is written meanwhile.
    pub fn feed_copy(
        &self,
        data: &[u8],
        most: usize,
        others: &dyn Fn() -> Vec<Session>,
        sql: &str,
    ) -> Result<(), Failure> {
        let session = self.session();
        session.copy_put(data).map_err(|error| self.fail(error, Some(sql)))?;
        if session.backlog() <= most {
            return Ok(());
        }
        let others = others();
        let others: Vec<&Session> = others.iter().collect();
        watch::wait_with(None, |end| session.wait_for_room(most / 2, &others, end))?
            .map_err(|error| self.fail(error, Some(sql)))
    }

    /// Ends the COPY: the ticket's reply tells how many rows were stored.
    pub fn finish_copy(&self, sql: &str) -> Result<Ticket, Failure> {
        self.feeder().take();
        self.session().copy_end().map_err(|error| self.fail(error, Some(sql)))
    }

    /// Breaks off the COPY that is running, if there is one.
    pub(super) fn abandon_copy(&self) {
        self.feeder().take();
        if !self.is_lost() {
            self.session().copy_abandon();
        }
    }
}

/// To be called before a request is sent.
pub fn make_way(participant: &Participant) -> Result<(), Failure> {
    let feeder = participant.feeder().borrow().as_ref().and_then(Weak::upgrade);
    match feeder {
        Some(feeder) => feeder.make_way(),
        None => Ok(()),
    }
}

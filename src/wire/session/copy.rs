//! COPY to the server: data goes out as the socket takes it. Whoever has data for several servers puts a piece to
//! each and waits only where too much is held back.

use super::super::remote_error::WireError;
use super::{Session, Ticket};
use crate::pg::wait::{self, Wake, Want};
use postgres_protocol::message::frontend;
use std::time::Instant;

/// What the server is told when the data ends before it is complete.
pub(super) const CANCELED: &str = "canceled by the local server";
/// Data goes in messages of this size at most.
const LARGEST_MESSAGE: usize = 1 << 24;

impl Session {
    /// Queues COPY data (copy-in mode) and writes what the socket takes. Err as soon as the server has refused the
    /// data; the reply to COPY then gives the same error.
    pub fn copy_put(&self, data: &[u8]) -> Result<(), WireError> {
        let mut engine = self.0.engine.borrow_mut();
        engine.check_copy()?;
        for piece in data.chunks(LARGEST_MESSAGE) {
            match frontend::CopyData::new(piece) {
                Ok(message) => message.write(&mut engine.link.output),
                Err(error) => return Err(WireError::Broken(error.to_string())),
            }
        }
        engine.pump()?;
        engine.check_copy()
    }

    /// Bytes that the socket has not taken yet.
    pub fn backlog(&self) -> usize {
        self.0.engine.borrow().link.output.len()
    }

    /// Whether the server waits for COPY data.
    pub fn is_copying(&self) -> bool {
        self.0.engine.borrow().is_copying()
    }

    /// Waits until at most `most` bytes are left to write, or COPY has failed; the `others` get written meanwhile.
    pub fn wait_for_room(
        &self,
        most: usize,
        others: &[&Session],
        deadline: Option<Instant>,
    ) -> Result<(), WireError> {
        let mut wants: Vec<Want> = Vec::with_capacity(others.len() + 1);
        loop {
            self.pump()?;
            if self.backlog() <= most || !self.is_copying() {
                return Ok(());
            }
            wants.clear();
            wants.push(self.want());
            for other in others {
                let want = other.want();
                // What has come is read by whoever waits for it.
                if other.backlog() > 0 && wants.iter().all(|have| have.serial != want.serial) {
                    wants.push(want);
                }
            }
            if wait::wait(&wants, deadline) == Wake::Deadline {
                return Err(WireError::Deadline);
            }
            for other in others {
                if other.backlog() > 0 {
                    // Its error is found by its own next request.
                    let _ = other.pump();
                }
            }
        }
    }

    /// Ends copy-in mode. The ticket's reply carries the tag.
    pub fn copy_end(&self) -> Result<Ticket, WireError> {
        let mut engine = self.0.engine.borrow_mut();
        let slot = engine.end_copy(None)?;
        let _ = engine.pump();
        Ok(Ticket(slot))
    }

    /// Breaks copy-in mode off, if the session is in it: COPY fails on the server. Waits for nothing.
    pub fn copy_abandon(&self) {
        let mut engine = self.0.engine.borrow_mut();
        if engine.is_copying() && engine.end_copy(Some(CANCELED)).is_ok() {
            let _ = engine.pump();
        }
    }
}

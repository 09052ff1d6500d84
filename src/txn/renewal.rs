//! READ COMMITTED: each statement sees what was committed before it. As long as nothing is written, the remote
//! transaction ends with the statement, and the next one's first request begins another.

use super::participant::Participant;
use super::statement;
use crate::error::Failure;
use crate::pg::xact;

impl Participant {
    /// Notes that a local statement turns to this participant while no other one uses it.
    pub(super) fn begin_statement(&self) {
        self.renewable.set(true);
    }

    /// To be called before a request is sent: ends the remote transaction if it was an earlier statement's only.
    pub(super) fn renew(&self) -> Result<(), Failure> {
        if !self.renewable.take() || self.sent_write.get() || xact::uses_one_snapshot() {
            return Ok(());
        }
        // Rows that were read ahead, and that the statement then did not want.
        if self.session().outstanding() > 0 {
            self.session().hurry().map_err(|error| self.fail(error, None))?;
        }
        self.session().push_prefix(statement::COMMIT);
        self.nesting().borrow_mut().restart();
        self.unread.take();
        Ok(())
    }
}

//! What a participant was used for: reading, locking rows, or changing data. It decides how its part of the transaction
//! ends: see ending.rs.

use super::participant::Participant;

impl Participant {
    /// To be called BEFORE anything is sent that may change data.
    pub fn mark_written(&self) {
        self.written.set(true);
        self.changed.set(true);
    }

    /// To be called BEFORE anything is sent that locks rows and changes nothing.
    pub fn mark_locked(&self) {
        self.written.set(true);
    }

    /// Whether [`Participant::mark_written`] was called.
    pub fn has_changed(&self) -> bool {
        self.changed.get()
    }

    /// Whether nothing was changed, but rows were locked.
    pub fn only_locks(&self) -> bool {
        self.written.get() && !self.changed.get()
    }
}

//! Rows on their way to the client that come one by one: those of several shards, merged.

use super::passing::{Passing, ROWS_AT_ONCE};
use crate::error::Failure;
use std::rc::Rc;

/// Rows are sent when they are so large together.
const BYTES_AT_ONCE: usize = 64 * 1024;

/// Rows on their way to the client, one by one, from any shard.
pub(super) struct Outgoing {
    passing: Rc<Passing>,
    data: Vec<u8>,
    starts: Vec<u32>,
    sent: u64,
}

impl Outgoing {
    pub(super) fn new(passing: Rc<Passing>) -> Outgoing {
        Outgoing { passing, data: Vec::new(), starts: Vec::new(), sent: 0 }
    }

    /// Sends a row, if not at once then with the next ones.
    ///
    /// # Safety
    /// As for [`Passing::send`].
    pub(super) unsafe fn add(&mut self, row: &[u8]) -> Result<(), Failure> {
        self.starts.push(self.data.len() as u32);
        self.data.extend_from_slice(row);
        if self.starts.len() == ROWS_AT_ONCE || self.data.len() > BYTES_AT_ONCE {
            // SAFETY: as the caller vouches.
            unsafe { self.flush()? };
        }
        Ok(())
    }

    unsafe fn flush(&mut self) -> Result<(), Failure> {
        // SAFETY: as the callers vouch.
        unsafe { self.passing.send(&self.data, &self.starts)? };
        self.sent += self.starts.len() as u64;
        self.data.clear();
        self.starts.clear();
        Ok(())
    }

    /// Sends what is left. How many rows were sent.
    ///
    /// # Safety
    /// As for [`Passing::send`].
    pub(super) unsafe fn finish(mut self) -> Result<u64, Failure> {
        // SAFETY: as the caller vouches.
        unsafe { self.flush()? };
        Ok(self.sent)
    }
}

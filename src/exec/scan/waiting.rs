//! Scans that run beside others: what they wait for, and that they do not wait for it themselves; see async_append.rs.

use super::ScanState;
use crate::options::load;
use crate::txn::Participant;
use crate::wire::Ticket;
use pgrx::pg_sys::{self, Oid};

impl ScanState {
    /// Whether [`ScanState::iterate`] waits for rows. If not, it may give an empty slot while there are more to come:
    /// see [`ScanState::waits`]. (Rows that are merged are always waited for.)
    pub fn set_patient(&mut self, patient: bool) {
        self.patient = patient;
    }

    /// Whether the last call gave no row because none had come yet.
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// What is awaited.
    pub fn tickets(&self) -> impl Iterator<Item = (&Participant, &Ticket)> {
        let streams =
            self.lanes.iter().filter(|lane| lane.active).filter_map(|lane| lane.stream.as_ref());
        streams.filter_map(|stream| Some((&**stream.participant(), stream.ticket()?)))
    }

    /// Whether one of the awaited answers has come, or none is awaited.
    pub fn is_ready(&self) -> bool {
        let mut tickets = self.tickets().peekable();
        tickets.peek().is_none()
            || tickets.any(|(participant, ticket)| participant.is_ready(ticket))
    }

    /// So many scans run at the same time.
    pub fn set_siblings(&mut self, count: usize) {
        self.siblings = count;
    }

    /// The user whose mapping is used.
    pub fn user(&self) -> Oid {
        self.user
    }

    /// The servers that the scan is going to ask, as far as it is known before its parameters are.
    pub fn servers_to_ask(&self) -> impl Iterator<Item = Oid> {
        let known = !self.started && self.plan.routing.is_empty();
        self.plan.placements.iter().filter(move |_| known).map(|placement| placement.server)
    }

    /// The Merge Append that reads the scan.
    pub fn merged_by(&self) -> Option<*mut pg_sys::MergeAppendState> {
        self.merged_by
    }

    /// See [`ScanState::merged_by`].
    pub fn set_merged_by(&mut self, parent: *mut pg_sys::MergeAppendState) {
        self.merged_by = Some(parent);
    }

    /// Whether it can send its query together with others: it has not done so, locks nothing, and may by its options.
    pub fn may_start(&self) -> bool {
        let tables = self.plan.placements.first().map(|placement| &placement.tables[..]);
        !self.started
            && !self.plan.locking
            && tables
                .unwrap_or_default()
                .iter()
                .all(|&table| load::foreign_table(table).is_ok_and(|table| table.async_capable))
    }
}

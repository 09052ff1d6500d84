//! How deep a remote transaction is nested compared with the local one, and which remote portals a rollback to
//! a savepoint has taken along. Pure bookkeeping: it says which statements to send and sends none.
//!
//! Savepoints are lazy: one is set only when a request is sent at that level, and a finished subtransaction is
//! released with the next request. A plpgsql exception block that sends nothing costs nothing, and one that
//! sends a request costs no round trip for its savepoint.
#![forbid(unsafe_code)]

use super::statement::{self, Mode};

/// A moment of a remote transaction: what was opened at it lives until a rollback to a savepoint older than it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp(u64);

/// Nesting state of one remote transaction. Level 1 is the transaction itself, level n > 1 the savepoint `sn`.
#[derive(Debug, Default)]
pub struct Nesting {
    /// Levels that exist remotely; 0 = no transaction yet.
    sent: u32,
    /// Levels that still stand for a running local (sub)transaction: at most `sent`. What is above has ended
    /// locally and is released with the next request.
    kept: u32,
    /// The local level whose rollback would leave nothing of the remote transaction.
    born: u32,
    clock: u64,
    /// When the savepoints of level 2, 3, ... were set.
    epochs: Vec<u64>,
    /// The youngest stamp given out.
    last_stamp: u64,
    /// Spans of the clock that were rolled back, in order, disjoint: first and last tick.
    undone: Vec<(u64, u64)>,
}

impl Nesting {
    /// Whether the remote transaction has been begun (or its begin has been queued).
    pub fn begun(&self) -> bool {
        self.sent > 0
    }

    /// The statements that must precede a request made at local nesting level `level`.
    pub fn enter(&mut self, level: u32, mode: Mode) -> Vec<String> {
        let mut statements = Vec::new();
        if self.sent == 0 {
            statements.push(statement::begin(mode));
            self.sent = 1;
            self.kept = 1;
            self.born = level;
        }
        if self.sent > self.kept {
            statements.push(statement::release(self.kept + 1));
            self.shrink_to(self.kept);
        }
        while self.sent < level {
            self.sent += 1;
            self.clock += 1;
            self.epochs.push(self.clock);
            statements.push(statement::savepoint(self.sent));
        }
        self.kept = self.sent;
        statements
    }

    /// Whether [`Nesting::enter`] at `level` would set a savepoint in a transaction that runs already.
    pub fn would_nest(&self, level: u32) -> bool {
        self.sent > 0 && self.kept < level
    }

    /// The subtransaction at `level` has committed: its work now belongs to the level below.
    pub fn commit_level(&mut self, level: u32) {
        if self.kept >= level {
            self.kept = level - 1;
        }
        self.born = self.born.min(level - 1);
    }

    /// The subtransaction at `level` is being rolled back: what must be sent to undo its remote work.
    pub fn abort_level(&mut self, level: u32) -> Option<String> {
        // A savepoint of this level above `kept` is a left-over of an earlier, committed subtransaction.
        if self.kept < level {
            return None;
        }
        if let Some(&epoch) = self.epochs.get(level as usize - 2)
            && self.last_stamp >= epoch
        {
            while self.undone.last().is_some_and(|&(first, _)| first >= epoch) {
                self.undone.pop();
            }
            self.undone.push((epoch, self.clock.max(self.last_stamp)));
        }
        self.shrink_to(level - 1);
        self.kept = self.sent;
        Some(statement::rollback_to(level))
    }

    /// Whether the rollback of local level `level` has remote work to undo.
    pub fn reaches(&self, level: u32) -> bool {
        self.kept >= level
    }

    /// Whether a rollback of the local level `level` leaves nothing that was done in the remote transaction.
    pub fn is_confined_to(&self, level: u32) -> bool {
        self.sent == 0 || self.born >= level
    }

    /// The remote transaction is gone, and another one begins in its place with the same requests. Stamps given
    /// out so far belong to what those requests open, so they have to be younger than the savepoints to come.
    pub fn restart(&mut self) {
        self.shrink_to(0);
        self.kept = 0;
        self.clock = 0;
        self.undone.clear();
    }

    /// The present moment, for something that was opened by the last request.
    pub fn stamp(&mut self) -> Stamp {
        self.clock += 1;
        self.last_stamp = self.clock;
        Stamp(self.clock)
    }

    /// Whether what was opened at `stamp` is still there.
    pub fn lives(&self, stamp: Stamp) -> bool {
        let after = self.undone.partition_point(|&(first, _)| first <= stamp.0);
        after == 0 || self.undone[after - 1].1 < stamp.0
    }

    fn shrink_to(&mut self, level: u32) {
        self.sent = level;
        self.epochs.truncate(level.saturating_sub(1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(nesting: &mut Nesting, level: u32) -> Vec<String> {
        nesting.enter(level, Mode::default())
    }

    #[test]
    fn begins_once() {
        let mut n = Nesting::default();
        assert!(!n.begun());
        assert_eq!(enter(&mut n, 1), ["START TRANSACTION ISOLATION LEVEL REPEATABLE READ"]);
        assert!(n.begun());
        assert!(enter(&mut n, 1).is_empty());
    }

    #[test]
    fn first_request_at_depth_sets_all_savepoints() {
        let mut n = Nesting::default();
        let sql = enter(&mut n, 3);
        assert_eq!(sql[1..], ["SAVEPOINT s2", "SAVEPOINT s3"]);
        assert!(n.is_confined_to(3));
        assert!(n.is_confined_to(2));
        n.commit_level(3);
        assert!(!n.is_confined_to(3));
        assert!(n.is_confined_to(2));
    }

    #[test]
    fn release_is_deferred_and_covers_deeper_levels() {
        let mut n = Nesting::default();
        enter(&mut n, 4);
        n.commit_level(4);
        n.commit_level(3);
        assert_eq!(enter(&mut n, 2), ["RELEASE SAVEPOINT s3"]);
        n.commit_level(2);
        assert_eq!(enter(&mut n, 2), ["RELEASE SAVEPOINT s2", "SAVEPOINT s2"]);
        assert_eq!(
            n.abort_level(2).as_deref(),
            Some("ROLLBACK TO SAVEPOINT s2; RELEASE SAVEPOINT s2")
        );
        assert_eq!(enter(&mut n, 2), ["SAVEPOINT s2"]);
    }

    #[test]
    fn abort_of_an_idle_level_must_not_undo_its_predecessor() {
        let mut n = Nesting::default();
        enter(&mut n, 2);
        n.commit_level(2);
        // The next subtransaction at level 2 sends nothing; s2 still exists remotely but is not its own.
        assert_eq!(n.abort_level(2), None);
        assert_eq!(enter(&mut n, 1), ["RELEASE SAVEPOINT s2"]);
    }

    #[test]
    fn abort_undoes_released_children() {
        let mut n = Nesting::default();
        enter(&mut n, 3);
        n.commit_level(3);
        assert!(n.abort_level(2).is_some());
        assert!(enter(&mut n, 1).is_empty());
    }

    #[test]
    fn levels_without_requests_are_not_rolled_back() {
        let mut n = Nesting::default();
        enter(&mut n, 1);
        assert_eq!(n.abort_level(3), None);
        assert_eq!(n.abort_level(2), None);
        assert!(n.would_nest(2));
        assert!(!n.would_nest(1));
    }

    #[test]
    fn rollback_kills_what_was_opened_since_the_savepoint() {
        let mut n = Nesting::default();
        enter(&mut n, 1);
        let outer = n.stamp();
        enter(&mut n, 2);
        let inner = n.stamp();
        assert!(n.lives(outer) && n.lives(inner));
        n.abort_level(2);
        assert!(n.lives(outer));
        assert!(!n.lives(inner));
        let later = n.stamp();
        assert!(n.lives(later));
    }

    #[test]
    fn committed_children_die_with_their_parent() {
        let mut n = Nesting::default();
        enter(&mut n, 2);
        enter(&mut n, 3);
        let a = n.stamp();
        n.commit_level(3);
        enter(&mut n, 3);
        let b = n.stamp();
        n.abort_level(3);
        assert!(n.lives(a));
        assert!(!n.lives(b));
        n.abort_level(2);
        assert!(!n.lives(a));
        assert!(!n.lives(b));
        assert_eq!(n.undone.len(), 1);
    }

    #[test]
    fn a_restart_keeps_stamps_in_their_savepoint() {
        let mut n = Nesting::default();
        enter(&mut n, 2);
        let portal = n.stamp();
        n.restart();
        assert!(!n.begun());
        assert_eq!(enter(&mut n, 2).len(), 2);
        assert!(n.lives(portal));
        n.abort_level(2);
        assert!(!n.lives(portal));
    }

    #[test]
    fn rollbacks_without_portals_leave_no_trace() {
        let mut n = Nesting::default();
        enter(&mut n, 1);
        let outer = n.stamp();
        for _ in 0..10 {
            enter(&mut n, 2);
            n.abort_level(2);
        }
        assert!(n.undone.is_empty());
        assert!(n.lives(outer));
    }
}

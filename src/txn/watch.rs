//! Long waits for a shard: told to the detector of deadlocks, and broken off when it says so.
//!
//! The lock table is all they share. After `shard_fdw.deadlock_timeout` a wait takes a lock of class `Waiting`,
//! keyed by a random number of its own; the detector chooses it by taking the lock of class `Victim` with that
//! key. So a choice can only ever meet the wait it was made for: it is gone when the wait is. Nothing is
//! cancelled from outside: the victim itself raises, and rolls its remote transactions back as for any error.
//! Whose remote process is whose is told by locks of class `Owner`.

use super::participant::Participant;
use super::{detector, registry, worker};
use crate::error::{Failure, SqlState};
use crate::pg::lock::{self, Class};
use crate::pg::random;
use crate::settings;
use crate::wire::{Session, Ticket, WireError};
use std::time::{Duration, Instant};

/// How often a long wait looks whether it was chosen.
const LOOK: Duration = Duration::from_millis(50);
/// So many looks after which it is seen to that a detector is at work.
const LOOKS_PER_CALL: u32 = 20;

/// Waits until one of the tickets is complete (see [`Session::wait_any`]) or `deadline` has passed. Err: this
/// transaction was chosen to end a deadlock.
pub fn wait_for(
    of: &[(&Session, &Ticket)],
    deadline: Option<Instant>,
) -> Result<Result<(), WireError>, Failure> {
    wait_with(deadline, |end| Session::wait_any(of, end))
}

/// Waits until at least one of the tickets is complete. A lost connection counts as complete: waiting for its
/// ticket gives the error, or the answer of a second attempt.
pub fn wait_any(of: &[(&Participant, &Ticket)], deadline: Option<Instant>) -> Result<(), Failure> {
    let tickets: Vec<_> = of.iter().map(|(p, ticket)| (p.session(), *ticket)).collect();
    match wait_for(&tickets, deadline)? {
        Err(error) if !error.is_fatal() => Err(error.to_failure()),
        _ => Ok(()),
    }
}

/// Waits by `wait`, which is given a deadline and called again when that has passed. Err as above.
pub fn wait_with(
    deadline: Option<Instant>,
    mut wait: impl FnMut(Option<Instant>) -> Result<(), WireError>,
) -> Result<Result<(), WireError>, Failure> {
    let Some(patience) = settings::deadlock_timeout() else {
        return Ok(wait(deadline));
    };
    let step = |length| {
        let end = Instant::now() + length;
        match deadline {
            Some(deadline) if deadline <= end => (deadline, true),
            _ => (end, false),
        }
    };
    let (end, is_last) = step(patience);
    match wait(Some(end)) {
        Err(WireError::Deadline) if !is_last => {}
        other => return Ok(other),
    }
    let watch = Watch::begin()?;
    for look in 0_u32.. {
        if look % LOOKS_PER_CALL == 0 {
            worker::ensure_detector();
        }
        let (end, is_last) = step(LOOK);
        match wait(Some(end)) {
            Err(WireError::Deadline) if !is_last => watch.check()?,
            other => return Ok(other),
        }
    }
    Ok(wait(deadline))
}

/// Tells that `participant`'s remote process works for this transaction.
pub fn publish(participant: &Participant) {
    // The detector asks foreign servers only.
    if settings::deadlock_timeout().is_some() && !participant.connection().is_kept() {
        let server = u64::from(u32::from(participant.server()));
        // The other side's number; a process id is never negative.
        let pid = u64::from(participant.session().backend_pid().unsigned_abs());
        lock::share_in_transaction(Class::Owner, server << 32 | pid);
    }
}

/// A wait that the detector knows of.
struct Watch {
    nonce: u64,
}

impl Watch {
    fn begin() -> Result<Watch, Failure> {
        for participant in
            registry::all().iter().filter(|p| p.is_open() || p.session().outstanding() > 0)
        {
            publish(participant);
        }
        let nonce = random::number()?;
        if !lock::try_lock(Class::Waiting, nonce) {
            return Err(Failure::internal("the number of a wait is in use"));
        }
        Ok(Watch { nonce })
    }

    /// An error when the detector has chosen this wait.
    fn check(&self) -> Result<(), Failure> {
        if lock::try_lock(Class::Victim, self.nonce) {
            lock::unlock(Class::Victim, self.nonce);
            return Ok(());
        }
        Err(Failure::new(SqlState::DEADLOCK_DETECTED, "deadlock detected")
            .with_detail(detector::describe()?))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // An error has the transaction's locks given back by PostgreSQL.
        if !std::thread::panicking() {
            lock::unlock(Class::Waiting, self.nonce);
        }
    }
}

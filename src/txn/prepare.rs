//! Two-phase commit: all written shards and the coordinator, or none.
//!
//! In PRE_COMMIT every written shard is asked to PREPARE, all at once; the decision row goes with the local
//! transaction. Once that is committed (and flushed) nothing raises any more: COMMIT PREPARED goes to all at
//! once, and what does not answer is left to the resolver. What a crash means at each step is told by [`Phase`].

use super::gid::Gid;
use super::participant::Participant;
use super::{decision, ending, fault, statement, worker};
use crate::error::{Failure, SqlState};
use crate::pg::xact;
use crate::settings;
use crate::wire::{Request, Status, Ticket, WireError};
use pgrx::pg_sys::Oid;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long the second phase may keep the session; what is left then is the resolver's.
const COMMIT_DEADLINE: Duration = Duration::from_secs(10);

/// A participant's place in the two-phase commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Phase {
    /// Nothing prepared. A crash rolls the remote transaction back with its connection.
    #[default]
    Active,
    /// PREPARE TRANSACTION is on its way. After a crash the shard may or may not have it; there is no decision
    /// row, so the resolver rolls back what it finds.
    Preparing(Gid),
    /// PREPARE TRANSACTION was answered. After a crash the decision row tells: it is there exactly if the local
    /// transaction has committed.
    Prepared(Gid),
}

type List = [Rc<Participant>];

/// Whether these written participants, and the local transaction, need two phases to be atomic.
pub fn is_needed(writers: &List) -> bool {
    let writers = writers.iter().filter(|p| p.is_open()).count();
    settings::two_phase_commit() && (writers > 1 || writers == 1 && xact::has_xid())
}

/// First phase. An error leaves the participants as they are; the abort callback cleans up.
pub fn prepare(writers: &List) -> Result<(), Failure> {
    let writers: Vec<_> = writers.iter().filter(|p| p.is_open()).collect();
    if writers.iter().any(|p| p.server() == Oid::INVALID) {
        return Err(not_findable());
    }
    let mut servers: Vec<u32> = writers.iter().map(|p| u32::from(p.server())).collect();
    servers.sort_unstable();
    servers.dedup();
    let transaction = decision::record(&servers)?;
    worker::ensure_running();
    xact::force_sync_commit();
    fault::point("before-prepare");
    let mut sent: Vec<(&Rc<Participant>, Gid, Ticket)> = Vec::new();
    let mut outcome = Ok(());
    for (part, participant) in (1..).zip(writers) {
        let (server, user) = (u32::from(participant.server()), u32::from(participant.user()));
        // Only those that are no foreign server of their own need telling apart.
        let part = if participant.connection().is_kept() { part } else { 0 };
        let gid = Gid { transaction, server, user, part };
        participant.set_phase(Phase::Preparing(gid));
        match participant.session().submit(Request::Simple(&statement::prepare(&gid))) {
            Ok(ticket) => sent.push((participant, gid, ticket)),
            Err(error) => outcome = outcome.and(Err(failed(participant, error))),
        }
        if !participant.connection().server.parallel_commit {
            outcome = outcome.and(await_prepared(&mut sent));
        }
        if outcome.is_err() {
            break;
        }
        fault::point("between-prepares");
    }
    outcome.and(await_prepared(&mut sent))?;
    fault::point("after-prepare");
    Ok(())
}

/// A transaction that is left prepared is looked for by way of the catalogs.
fn not_findable() -> Failure {
    let message =
        "cannot commit in two phases on a partition of a cluster that is no foreign server";
    Failure::new(SqlState::FEATURE_NOT_SUPPORTED, message)
        .with_detail(
            "What a crash leaves prepared could not be found again: it is looked for on the partitions of \
             foreign servers.",
        )
        .with_hint(
            "Define the cluster as a foreign server of the wrapper plproxy, or write to one partition and \
             nothing else in a transaction.",
        )
}

fn await_prepared(sent: &mut Vec<(&Rc<Participant>, Gid, Ticket)>) -> Result<(), Failure> {
    let mut outcome = Ok(());
    for (participant, gid, ticket) in sent.drain(..) {
        let result = match participant.session().wait(ticket, None) {
            Ok(reply) if reply.tag.as_deref() == Some(statement::PREPARE_TAG) => {
                participant.set_phase(Phase::Prepared(gid));
                Ok(())
            }
            Ok(_) => {
                participant.end();
                Err(ending::rolled_back(participant))
            }
            Err(error) => Err(failed(participant, error)),
        };
        outcome = outcome.and(result);
    }
    outcome
}

/// The failure of a PREPARE TRANSACTION.
fn failed(participant: &Participant, error: WireError) -> Failure {
    let disabled = error.remote().is_some_and(|remote| {
        // The server's hint is translated, the name of the setting in it is not.
        remote.hint.as_deref().is_some_and(|hint| hint.contains("max_prepared_transactions"))
    });
    if !error.is_fatal() && participant.session().status() == Status::Idle {
        // A PREPARE that fails rolls its transaction back.
        participant.end();
    }
    let failure = participant.fail(error, Some(statement::PREPARE_TAG));
    if disabled {
        failure.with_hint(format!(
            "Raise \"max_prepared_transactions\" on server \"{}\" (it needs a restart), or set \
             \"shard_fdw.two_phase_commit\" to \"off\" to do without atomic commits over several servers.",
            participant.server_name()
        ))
    } else {
        failure
    }
}

/// Second phase, after the local commit: never raises.
pub fn commit_prepared(participants: &List) {
    let deadline = Instant::now() + COMMIT_DEADLINE;
    let mut sent: Vec<(&Rc<Participant>, Gid, Ticket)> = Vec::new();
    fault::point("after-commit");
    for participant in participants {
        let Phase::Prepared(gid) = participant.phase() else { continue };
        finish(participant, &gid, || {
            let sql = statement::commit_prepared(&gid);
            sent.push((participant, gid, participant.session().submit(Request::Simple(&sql))?));
            Ok(())
        });
        fault::point("between-commits");
        if !participant.connection().server.parallel_commit {
            await_finished(&mut sent, deadline);
        }
    }
    await_finished(&mut sent, deadline);
    // The others hold locks, which are not needed any more.
    for participant in participants.iter().filter(|p| p.phase() == Phase::Active) {
        let alone = std::slice::from_ref(participant);
        let _ = ending::caught(participant, || {
            ending::send_commit(alone);
            Ok(())
        });
    }
    for participant in participants {
        ending::release(participant, !participant.is_lost());
    }
}

fn await_finished(sent: &mut Vec<(&Rc<Participant>, Gid, Ticket)>, deadline: Instant) {
    for (participant, gid, ticket) in sent.drain(..) {
        finish(participant, &gid, || {
            participant.session().wait(ticket, Some(deadline)).map(drop)?;
            participant.end();
            Ok(())
        });
    }
}

/// Runs a step of the second phase; what goes wrong is the resolver's to repair.
fn finish(participant: &Participant, gid: &Gid, step: impl FnOnce() -> Result<(), WireError>) {
    let Err(failure) = ending::caught(participant, step) else { return };
    if failure.fields().sqlstate == SqlState::UNDEFINED_OBJECT {
        // The resolver was faster.
        participant.end();
        return;
    }
    participant.lose("the second phase of a commit failed".to_owned());
    let running = worker::ensure_running();
    let failure = failure
        .with_detail(format!(
            "The transaction is committed; its part \"{gid}\" is still prepared there."
        ))
        .with_hint(if running {
            "It will be committed in the background."
        } else {
            "Call shard.resolve_now() when the server can be reached."
        });
    xact::quietly(|| Err(failure));
}

/// What undoes a participant's work, by its phase.
pub fn undo(participant: &Participant) -> String {
    match participant.phase() {
        // Its transaction may still be there, when PREPARE was cancelled before it began.
        Phase::Preparing(gid) | Phase::Prepared(gid)
            if participant.session().status() == Status::Idle =>
        {
            statement::rollback_prepared(&gid)
        }
        _ => statement::ROLLBACK.to_owned(),
    }
}

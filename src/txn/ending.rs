//! How remote transactions and savepoints end.
//!
//! Statements go to all participants before the first answer is awaited, unless `parallel_commit` or
//! `parallel_abort` is off. Nothing here raises while rolling back: a participant that cannot be rolled back
//! loses its connection, and the remote server rolls back by itself.

use super::participant::Participant;
use super::prepare::{self, Phase};
use super::{registry, statement, worker};
use crate::error::{Failure, SqlState};
use crate::pg::{guard, wait, xact};
use crate::wire::{Request, Session, Status, Ticket, WireError};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long rolling back may take on all participants together.
const ABORT_DEADLINE: Duration = Duration::from_secs(30);
/// How long servers may take to obey when a COMMIT is cancelled.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// How long requests may go on by themselves before a rollback to a savepoint cancels them: those of an outer
/// cursor would be lost.
const GRACE: Duration = Duration::from_millis(100);

/// How long one participant may take to obey a cancel request before the others have their turn.
const CANCEL_FIRST_PASS: Duration = Duration::from_secs(1);

type List = [Rc<Participant>];

/// Commits every remote transaction, or prepares it, where more than one of them, or one and the local
/// transaction, have written (PRE_COMMIT: an error still rolls everything back that has not committed). Those
/// that are prepared stay listed, and those that hold locks: others must not get at the rows before they can see what
/// this transaction has done elsewhere.
pub fn commit(participants: &List) -> Result<(), Failure> {
    let holds = |p: &Participant| p.only_locks() && !xact::is_serializable();
    let (writers, readers): (Vec<_>, Vec<_>) = participants
        .iter()
        .filter(|p| !holds(p))
        .cloned()
        .partition(|p| p.has_changed() || p.only_locks());
    for participant in participants.iter().filter(|p| p.has_changed() || p.only_locks()) {
        participant.check_usable()?;
    }
    // A SERIALIZABLE reader may be refused its COMMIT, and then what it read may be wrong.
    if xact::is_serializable() {
        for reader in &readers {
            reader.check_usable()?;
        }
        run_commit(&readers)?;
    } else {
        send_commit(&readers);
    }
    if prepare::is_needed(&writers) {
        prepare::prepare(&writers)?;
    } else {
        run_commit(&writers)?;
    }
    for participant in participants.iter().filter(|p| p.phase() == Phase::Active && !holds(p)) {
        registry::remove(participant);
        release(participant, !participant.is_lost());
    }
    Ok(())
}

/// Sends COMMIT to participants that changed nothing, and does not wait: nothing depends on the answer.
pub fn send_commit(readers: &List) {
    for reader in readers.iter().filter(|p| p.is_open()) {
        if reader.session().outstanding() > 0 {
            reader.connection().abandoned.set(true);
        }
        match reader.session().submit(Request::Simple(statement::COMMIT)) {
            Ok(_) => reader.end(),
            Err(error) => reader.lose(error.to_string()),
        }
    }
}

/// Commits and waits for every answer.
fn run_commit(participants: &List) -> Result<(), Failure> {
    let mut sent: Vec<(&Rc<Participant>, Ticket)> = Vec::new();
    let mut outcome = Ok(());
    for participant in participants.iter().filter(|p| p.is_open()) {
        match send_last(participant) {
            Ok(ticket) => sent.push((participant, ticket)),
            Err(failure) => {
                outcome = outcome.and(Err(failure));
                break;
            }
        }
        if !participant.connection().server.parallel_commit {
            outcome = outcome.and(await_commits(&mut sent));
            if outcome.is_err() {
                break;
            }
        }
    }
    // All answers are taken, also after an error: what has committed needs no rollback.
    let rest = await_commits(&mut sent);
    outcome.and(rest)
}

/// Sends COMMIT to a participant that counts. One that is found lost before that has not committed for certain.
fn send_last(participant: &Participant) -> Result<Ticket, Failure> {
    let session = participant.session();
    if session.is_dead()
        && let Err(error) = session.pump()
    {
        return Err(participant.fail(error, Some(statement::COMMIT)));
    }
    session.submit(Request::Simple(statement::COMMIT)).map_err(|error| in_doubt(participant, error))
}

/// Waits for the answers to COMMIT. A cancel is passed on to the servers, and their answers decide: one that comes too
/// late to stop any of them is dropped.
fn await_commits(sent: &mut Vec<(&Rc<Participant>, Ticket)>) -> Result<(), Failure> {
    let stopped = guard::catch(|| {
        for (participant, ticket) in sent.iter() {
            // Its error is the ticket's.
            let _ = Session::wait_any(&[(participant.session(), ticket)], None);
        }
        Ok(())
    });
    if stopped.is_err() {
        let now = Instant::now();
        // A first, short pass lets none wait for another that hangs.
        for end in [now + CANCEL_FIRST_PASS, now + STOP_DEADLINE] {
            for (participant, _) in sent.iter() {
                let _ = participant.session().cancel_and_drain(end);
            }
        }
    }
    let mut outcome = Ok(());
    for (participant, ticket) in sent.drain(..) {
        let result = match participant.session().take(ticket) {
            Ok(Ok(reply)) if reply.tag.as_deref() == Some(statement::COMMIT_TAG) => {
                participant.end();
                Ok(())
            }
            Ok(Ok(_)) => {
                participant.end();
                Err(rolled_back(participant))
            }
            Ok(Err(error)) => match &stopped {
                Err(stop) if !error.is_fatal() => Err(stop.clone()),
                _ => Err(in_doubt(participant, error)),
            },
            Err(_) => {
                let error = WireError::Broken("the COMMIT could not be canceled".into());
                Err(in_doubt(participant, error))
            }
        };
        outcome = outcome.and(result);
    }
    outcome
}

/// A COMMIT or PREPARE in a failed transaction is answered by rolling back.
pub fn rolled_back(participant: &Participant) -> Failure {
    Failure::new(
        SqlState::TRANSACTION_ROLLBACK,
        "the remote transaction was rolled back because of an earlier error",
    )
    .add_context(format!("server \"{}\"", participant.server_name()))
}

/// The failure of a COMMIT: when the connection went away nobody knows whether it was carried out.
pub fn in_doubt(participant: &Participant, error: WireError) -> Failure {
    let lost = error.is_fatal();
    let mut failure = participant.fail(error, Some(statement::COMMIT));
    if lost {
        let fields = failure.fields_mut();
        let reason = std::mem::take(&mut fields.message);
        fields.sqlstate = SqlState::TRANSACTION_RESOLUTION_UNKNOWN;
        fields.message = format!(
            "connection to server \"{}\" was lost during COMMIT: {reason}",
            participant.server_name()
        );
        fields.hint = Some(
            "The remote transaction may or may not have been committed; look before trying again."
                .to_owned(),
        );
    }
    failure
}

/// Rolls every remote transaction back. Never fails: what cannot be rolled back is disconnected.
pub fn rollback(participants: &List) {
    let deadline = Instant::now() + ABORT_DEADLINE;
    participants.iter().for_each(|participant| participant.abandon_copy());
    stop_requests(participants, deadline);
    run_quietly(participants, deadline, |participant| {
        participant.is_open().then(|| prepare::undo(participant))
    });
    for participant in participants {
        // One that is not open had nothing to roll back, or has ended already.
        let clean = !participant.is_open() || participant.session().status() == Status::Idle;
        if participant.is_lost() && participant.phase() != Phase::Active {
            // A PREPARE that came late would be nobody's.
            let _ = caught(participant, || {
                participant.session().sever();
                Ok(())
            });
            worker::ensure_running();
        }
        release(participant, clean && !participant.is_lost());
    }
}

/// Rolls the subtransaction at `level` back on every participant. A participant whose connection is lost stays
/// listed, so that the transaction cannot commit without it, unless all its work belonged to that subtransaction.
pub fn rollback_level(participants: &List, level: u32) {
    let deadline = Instant::now() + ABORT_DEADLINE;
    let affected: Vec<_> = participants
        .iter()
        .filter(|p| {
            let runs_alone = !p.is_open() && !p.is_lost() && p.session().outstanding() > 0;
            runs_alone || p.is_open() && p.nesting().borrow().reaches(level)
        })
        .cloned()
        .collect();
    let outcome = guard::catch(|| {
        affected.iter().for_each(|participant| participant.abandon_copy());
        drain(&affected, Instant::now() + GRACE);
        stop_requests(&affected, deadline);
        run_quietly(&affected, deadline, |participant| {
            participant.nesting().borrow_mut().abort_level(level)
        });
        Ok(())
    });
    if outcome.is_err() {
        // Work that was not rolled back for certain must never be committed.
        for participant in &affected {
            participant.lose("a subtransaction could not be rolled back".to_owned());
        }
    }
    for participant in participants {
        if participant.is_lost() && participant.nesting().borrow().is_confined_to(level) {
            registry::remove(participant);
            release(participant, false);
        }
    }
}

/// Lets requests finish by themselves until `deadline`.
fn drain(participants: &List, deadline: Instant) {
    for participant in participants {
        guarded(participant, || {
            let session = participant.session();
            loop {
                session.pump()?;
                if session.outstanding() == 0
                    || wait::wait(&[session.want()], Some(deadline)) == wait::Wake::Deadline
                {
                    return Ok(());
                }
            }
        });
    }
}

/// Cancels what is still running, so that the connections take statements again. A first, short pass lets none
/// wait for another that hangs.
fn stop_requests(participants: &List, deadline: Instant) {
    let busy: Vec<_> =
        participants.iter().filter(|p| !p.is_lost() && p.session().outstanding() > 0).collect();
    let soon = Instant::now() + CANCEL_FIRST_PASS;
    let slow: Vec<_> = busy
        .into_iter()
        .filter(|participant| {
            let mut in_time = true;
            guarded(participant, || match participant.session().cancel_and_drain(soon) {
                Err(WireError::Deadline) => {
                    in_time = false;
                    Ok(())
                }
                other => other,
            });
            !in_time
        })
        .collect();
    for participant in slow {
        guarded(participant, || participant.session().cancel_and_drain(deadline));
    }
}

/// Sends each participant its statement and waits for all; whoever fails is disconnected.
fn run_quietly(
    participants: &List,
    deadline: Instant,
    mut statement: impl FnMut(&Participant) -> Option<String>,
) {
    let mut sent: Vec<(&Rc<Participant>, Ticket)> = Vec::new();
    for participant in participants {
        let Some(sql) = statement(participant) else { continue };
        if participant.is_lost() {
            continue;
        }
        guarded(participant, || {
            sent.push((participant, participant.session().submit(Request::Simple(&sql))?));
            Ok(())
        });
        if !participant.connection().server.parallel_abort {
            await_quietly(&mut sent, deadline);
        }
    }
    await_quietly(&mut sent, deadline);
}

fn await_quietly(sent: &mut Vec<(&Rc<Participant>, Ticket)>, deadline: Instant) {
    for (participant, ticket) in sent.drain(..) {
        guarded(participant, || participant.session().wait(ticket, Some(deadline)).map(drop));
    }
}

/// Runs one step of a rollback: an error or panic costs the connection, and a WARNING when the server is still
/// there.
fn guarded(participant: &Participant, step: impl FnOnce() -> Result<(), WireError>) {
    let Err(failure) = caught(participant, step) else { return };
    if participant.phase() != Phase::Active
        && failure.fields().sqlstate == SqlState::UNDEFINED_OBJECT
    {
        // It never got as far as being prepared, or the resolver was faster.
        participant.end();
        return;
    }
    let gone = participant.is_lost();
    participant.lose("it could not be rolled back".to_owned());
    if !gone {
        xact::quietly(|| Err(failure));
    }
}

/// Runs a step where nothing may be raised; what was raised is the error.
pub fn caught(
    participant: &Participant,
    step: impl FnOnce() -> Result<(), WireError>,
) -> Result<(), Failure> {
    guard::catch(|| step().map_err(|error| participant.fail(error, None)))
}

/// Gives the connection back to the cache, or closes it.
pub fn release(participant: &Participant, keep: bool) {
    let connection = participant.connection();
    connection.in_transaction.set(false);
    connection.finish(keep);
}

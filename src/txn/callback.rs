//! The extension's one pair of transaction callbacks: what happens to the local transaction happens to the
//! remote ones.

use super::{ending, prepare, registry};
use crate::error::{Failure, SqlState};
use crate::pg::xact::{self, Event, SubEvent};

/// Makes sure the callbacks are registered.
pub fn register() {
    xact::register(on_event, on_sub_event);
}

fn on_event(event: Event) -> Result<(), Failure> {
    if registry::is_empty() {
        return Ok(());
    }
    match event {
        Event::PreCommit => ending::commit(&registry::all()),
        Event::PrePrepare => Err(Failure::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "cannot PREPARE a transaction that has operated on shard_fdw foreign tables",
        )),
        Event::Abort => {
            ending::rollback(&registry::take());
            Ok(())
        }
        // What is left is prepared.
        Event::Commit => {
            prepare::commit_prepared(&registry::take());
            Ok(())
        }
        // PrePrepare has refused.
        Event::Prepare => Ok(()),
    }
}

fn on_sub_event(event: SubEvent, level: u32) -> Result<(), Failure> {
    if event == SubEvent::Start {
        registry::note_subtransaction(level);
        return Ok(());
    }
    if registry::is_empty() {
        return Ok(());
    }
    let participants = registry::all();
    match event {
        SubEvent::Start => {}
        // Remotely it is released with the next request; the end of the transaction releases it anyway.
        SubEvent::PreCommit => {
            for participant in &participants {
                participant.nesting().borrow_mut().commit_level(level);
            }
        }
        SubEvent::Abort => ending::rollback_level(&participants, level),
    }
    Ok(())
}

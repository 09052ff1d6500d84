//! The local transaction: its events, nesting, characteristics and ids.
//!
//! The callbacks are registered once for the life of the backend (pgrx's own hooks are per transaction and are
//! not cleared by PREPARE TRANSACTION). Events before the point of no return may end in an ERROR; at all others
//! an ERROR would be a PANIC or an endless loop, so whatever goes wrong there ends as a WARNING.

use super::guard;
use crate::error::Failure;
use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::c_void;

/// What happens to the local transaction. Those of parallel workers are not told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// COMMIT has begun; an error makes it a rollback.
    PreCommit,
    /// PREPARE TRANSACTION has begun; an error makes it a rollback.
    PrePrepare,
    /// Committed, locks still held.
    Commit,
    /// Prepared.
    Prepare,
    /// Rolled back.
    Abort,
}

/// What happens to a local subtransaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SubEvent {
    /// It has begun.
    Start,
    /// It is about to be released; an error makes it a rollback.
    PreCommit,
    /// It is being rolled back.
    Abort,
}

/// Told of each event of the top transaction.
pub type OnEvent = fn(Event) -> Result<(), Failure>;
/// Told of each event of a subtransaction, with its nesting level (the top transaction is 1).
pub type OnSubEvent = fn(SubEvent, u32) -> Result<(), Failure>;

thread_local! {
    static HANDLERS: Cell<Option<(OnEvent, OnSubEvent)>> = const { Cell::new(None) };
}

/// Registers the extension's one pair of handlers; later calls do nothing.
pub fn register(on_event: OnEvent, on_sub_event: OnSubEvent) {
    if HANDLERS.get().is_none() {
        // SAFETY: the trampolines are static functions, registered once for the life of the backend.
        unsafe {
            pg_sys::RegisterXactCallback(Some(xact_trampoline), std::ptr::null_mut());
            pg_sys::RegisterSubXactCallback(Some(subxact_trampoline), std::ptr::null_mut());
        }
        HANDLERS.set(Some((on_event, on_sub_event)));
    }
}

unsafe extern "C-unwind" fn xact_trampoline(event: pg_sys::XactEvent::Type, _: *mut c_void) {
    use pg_sys::XactEvent::*;
    let Some((handler, _)) = HANDLERS.get() else { return };
    let event = match event {
        XACT_EVENT_PRE_COMMIT | XACT_EVENT_PARALLEL_PRE_COMMIT => Event::PreCommit,
        XACT_EVENT_PRE_PREPARE => Event::PrePrepare,
        XACT_EVENT_COMMIT | XACT_EVENT_PARALLEL_COMMIT => Event::Commit,
        XACT_EVENT_PREPARE => Event::Prepare,
        XACT_EVENT_ABORT | XACT_EVENT_PARALLEL_ABORT => Event::Abort,
        _ => return,
    };
    match event {
        // SAFETY: this frame owns nothing; an ERROR is allowed at these events.
        Event::PreCommit | Event::PrePrepare => unsafe { guard::entry(|| handler(event)) },
        Event::Commit | Event::Prepare | Event::Abort => quietly(|| handler(event)),
    }
}

unsafe extern "C-unwind" fn subxact_trampoline(
    event: pg_sys::SubXactEvent::Type,
    _subid: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _: *mut c_void,
) {
    use pg_sys::SubXactEvent::*;
    let Some((_, handler)) = HANDLERS.get() else { return };
    let level = nest_level();
    match event {
        // SAFETY: this frame owns nothing; an ERROR is allowed at these events.
        SUBXACT_EVENT_START_SUB => unsafe { guard::entry(|| handler(SubEvent::Start, level)) },
        // SAFETY: as above.
        SUBXACT_EVENT_PRE_COMMIT_SUB => unsafe {
            guard::entry(|| handler(SubEvent::PreCommit, level))
        },
        SUBXACT_EVENT_ABORT_SUB => quietly(|| handler(SubEvent::Abort, level)),
        _ => {}
    }
}

/// Runs `body` where nothing may be raised: with interrupts held, and an error or panic of it becomes a WARNING.
pub fn quietly(body: impl FnOnce() -> Result<(), Failure>) {
    let _hold = HoldInterrupts::new();
    if let Err(failure) = guard::catch(body) {
        // Reporting runs PostgreSQL code, which may itself fail (out of memory): then silence is all that is left.
        let _ = guard::catch(|| {
            guard::warn(&failure);
            Ok(())
        });
    }
}

/// Keeps cancel and termination requests waiting while it lives.
///
/// Restores the counters instead of counting down: an ERROR that was caught inside has reset them to zero, and
/// the callers further up have yet to release their own holds.
pub struct HoldInterrupts {
    interrupts: u32,
    cancels: u32,
}

impl HoldInterrupts {
    /// Holds interrupts from now on.
    pub fn new() -> HoldInterrupts {
        // SAFETY: the backend's counters, touched by this thread only.
        unsafe {
            let held = HoldInterrupts {
                interrupts: pg_sys::InterruptHoldoffCount,
                cancels: pg_sys::QueryCancelHoldoffCount,
            };
            pg_sys::InterruptHoldoffCount += 1;
            held
        }
    }
}

impl Drop for HoldInterrupts {
    fn drop(&mut self) {
        // SAFETY: as in `new`.
        unsafe {
            pg_sys::InterruptHoldoffCount = self.interrupts;
            pg_sys::QueryCancelHoldoffCount = self.cancels;
        }
    }
}

/// The nesting level of the running transaction: 1 for the top transaction, one more per subtransaction.
pub fn nest_level() -> u32 {
    // SAFETY: reads the transaction state.
    unsafe { pg_sys::GetCurrentTransactionNestLevel() }.max(0) as u32
}

/// Whether the isolation level is SERIALIZABLE.
pub fn is_serializable() -> bool {
    // SAFETY: reads a backend global.
    unsafe { pg_sys::XactIsoLevel == pg_sys::XACT_SERIALIZABLE as i32 }
}

/// Whether the (sub)transaction is READ ONLY.
pub fn is_read_only() -> bool {
    // SAFETY: reads a backend global.
    unsafe { pg_sys::XactReadOnly }
}

/// Whether the transaction is DEFERRABLE.
pub fn is_deferrable() -> bool {
    // SAFETY: reads a backend global.
    unsafe { pg_sys::XactDeferrable }
}

/// Whether the transaction has an id, that is: whether it has written anything locally.
pub fn has_xid() -> bool {
    // SAFETY: reads the transaction state.
    unsafe { pg_sys::GetTopTransactionIdIfAny() != pg_sys::InvalidTransactionId }
}

/// The transaction's full id; assigns one if it has none.
pub fn full_xid() -> u64 {
    // SAFETY: called inside a transaction.
    unsafe { pg_sys::GetTopFullTransactionId() }.value
}

/// Makes the commit wait until its WAL is on disk here and, where there are synchronous standbys, there, whatever
/// `synchronous_commit` says. One that asks for less of the standbys (`remote_write`) or more is left as it is.
pub fn force_sync_commit() {
    // SyncCommitLevel of access/xact.h: off, local, remote_write, ...
    const LOCAL_FLUSH: i32 = 1;
    // SAFETY: sets a flag of the running transaction; reads a backend global; as SET LOCAL does inside a transaction,
    // whose end undoes it.
    unsafe {
        pg_sys::ForceSyncCommit();
        if pg_sys::synchronous_commit <= LOCAL_FLUSH {
            pg_sys::set_config_option(
                c"synchronous_commit".as_ptr(),
                c"on".as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_LOCAL,
                true,
                0,
                false,
            );
        }
    }
}

/// OID of the database this backend works in.
pub fn database() -> u32 {
    // SAFETY: reads a backend global.
    u32::from(unsafe { pg_sys::MyDatabaseId })
}

/// Whether the whole transaction sees one snapshot (REPEATABLE READ and above).
pub fn uses_one_snapshot() -> bool {
    // SAFETY: reads a backend global.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 }
}

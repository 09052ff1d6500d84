//! What is to be done when a ModifyTable node has come to its end.
//!
//! PostgreSQL tells a foreign table's wrapper of the end only after the command tag has been made. So the node's own
//! function is called through another one, which does the rest. Errors are raised there as they would be in the middle
//! of the node's work, and queued AFTER triggers fire later.

use super::guard;
use crate::error::Failure;
use pgrx::pg_sys;
use std::sync::OnceLock;

/// Called when the node has no more rows, which may be several times.
pub type AtEnd = unsafe fn(node: *mut pg_sys::ModifyTableState) -> Result<(), Failure>;

type Function = unsafe extern "C-unwind" fn(*mut pg_sys::PlanState) -> *mut pg_sys::TupleTableSlot;

struct Wrapped {
    /// ExecModifyTable, which has no name outside its file.
    original: Function,
    at_end: AtEnd,
}

static WRAPPED: OnceLock<Wrapped> = OnceLock::new();

/// Has `at_end`, always the same, called at the end of `node`. False: this cannot be had.
///
/// # Safety
/// `node` is being initialised: the executor has not taken its function yet.
pub unsafe fn call_at_end(node: *mut pg_sys::ModifyTableState, at_end: AtEnd) -> bool {
    // SAFETY: as the caller vouches.
    unsafe {
        let Some(current) = (*node).ps.ExecProcNode else { return false };
        if std::ptr::fn_addr_eq(current, run as Function) {
            return true;
        }
        let known = WRAPPED.get_or_init(|| Wrapped { original: current, at_end });
        // Somebody else's.
        if !std::ptr::fn_addr_eq(current, known.original) {
            return false;
        }
        (*node).ps.ExecProcNode = Some(run);
        true
    }
}

unsafe extern "C-unwind" fn run(node: *mut pg_sys::PlanState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the executor calls it as the function it stands for; this frame owns nothing.
    unsafe {
        let Some(wrapped) = WRAPPED.get() else { return std::ptr::null_mut() };
        let slot = (wrapped.original)(node);
        if slot.is_null() || (*slot).tts_flags & pg_sys::TTS_FLAG_EMPTY as u16 != 0 {
            guard::entry(|| (wrapped.at_end)(node.cast()));
        }
        slot
    }
}

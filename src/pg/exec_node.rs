//! Plan nodes whose function is called through another one.
//!
//! PostgreSQL tells a foreign table's wrapper of the end of a modification only after the command tag has been made. So
//! the function of the ModifyTable node is called through one of ours, which does the rest: [`follow`]'s for a node that is
//! ready, [`call_at_end`]'s for one that is being made. Errors are raised there as they would be in the middle of the node's
//! work, and queued AFTER triggers fire later.

use super::guard;
use crate::error::Failure;
use pgrx::pg_sys;
use std::sync::OnceLock;

/// A plan node's function.
pub type Function =
    unsafe extern "C-unwind" fn(*mut pg_sys::PlanState) -> *mut pg_sys::TupleTableSlot;

/// What follows a call of a ModifyTable node's function. `ended`: the node has no more rows; this may come several times.
#[derive(Clone, Copy)]
pub struct Follower {
    /// The function that was there before.
    pub original: unsafe fn(node: *mut pg_sys::ModifyTableState) -> Result<Function, Failure>,
    /// Called after it.
    pub after: unsafe fn(node: *mut pg_sys::ModifyTableState, ended: bool) -> Result<(), Failure>,
}

static FOLLOWER: OnceLock<Follower> = OnceLock::new();

/// Has `follower`, always the same, called after each call of the node's function, which is returned.
///
/// # Safety
/// `node` has been initialised and not been run.
pub unsafe fn follow(
    node: *mut pg_sys::ModifyTableState,
    follower: Follower,
) -> Result<Function, Failure> {
    FOLLOWER.get_or_init(|| follower);
    // SAFETY: as the caller vouches.
    unsafe { replace(node.cast(), followed) }
}

/// Puts another function in the place of a node's, which is returned.
///
/// # Safety
/// `node` has been initialised and not been run; the function does as a node's.
pub unsafe fn replace(
    node: *mut pg_sys::PlanState,
    function: Function,
) -> Result<Function, Failure> {
    // SAFETY: the executor takes the "real" function when the node is run for the first time.
    unsafe {
        let original = (*node).ExecProcNodeReal;
        let original = original.ok_or_else(|| Failure::internal("a plan node without function"))?;
        (*node).ExecProcNodeReal = Some(function);
        Ok(original)
    }
}

/// Calls a node's function.
///
/// # Safety
/// The function is the node's, which is in execution.
pub unsafe fn call(
    function: Function,
    node: *mut pg_sys::PlanState,
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: as the caller vouches; the closure owns nothing.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| function(node)) }
}

unsafe extern "C-unwind" fn followed(node: *mut pg_sys::PlanState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the executor calls it as the function it stands for; this frame owns nothing.
    unsafe {
        let node = node.cast::<pg_sys::ModifyTableState>();
        let Some(&follower) = FOLLOWER.get() else { return std::ptr::null_mut() };
        let original = guard::entry(|| (follower.original)(node));
        let slot = original(node.cast());
        guard::entry(|| (follower.after)(node, is_end(slot)));
        slot
    }
}

/// Whether what a node gave says that there are no more rows.
unsafe fn is_end(slot: *const pg_sys::TupleTableSlot) -> bool {
    // SAFETY: the caller hands a slot or NULL.
    unsafe { slot.as_ref() }.is_none_or(|slot| slot.tts_flags & pg_sys::TTS_FLAG_EMPTY as u16 != 0)
}

/// Called when the node has no more rows, which may be several times.
pub type AtEnd = unsafe fn(node: *mut pg_sys::ModifyTableState) -> Result<(), Failure>;

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
        if std::ptr::fn_addr_eq(current, ending as Function) {
            return true;
        }
        let known = WRAPPED.get_or_init(|| Wrapped { original: current, at_end });
        // Somebody else's.
        if !std::ptr::fn_addr_eq(current, known.original) {
            return false;
        }
        (*node).ps.ExecProcNode = Some(ending);
        true
    }
}

unsafe extern "C-unwind" fn ending(node: *mut pg_sys::PlanState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the executor calls it as the function it stands for; this frame owns nothing.
    unsafe {
        let Some(wrapped) = WRAPPED.get() else { return std::ptr::null_mut() };
        let slot = (wrapped.original)(node);
        if is_end(slot) {
            guard::entry(|| (wrapped.at_end)(node.cast()));
        }
        slot
    }
}

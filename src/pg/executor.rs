//! What PostgreSQL's executor does in inline functions, for nodes of our own that have children.

use pgrx::pg_sys;
use std::ptr;

/// ExecProcNode.
///
/// # Safety
/// `node` is an initialised node in execution.
pub unsafe fn next_row(node: *mut pg_sys::PlanState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: an initialised node in execution; the closure owns nothing.
    unsafe {
        if !(*node).chgParam.is_null() {
            pg_sys::ExecReScan(node);
        }
        match (*node).ExecProcNode {
            Some(next) => pg_sys::ffi::pg_guard_ffi_boundary(|| next(node)),
            None => ptr::null_mut(),
        }
    }
}

/// TupIsNull.
///
/// # Safety
/// `slot` is NULL or valid.
pub unsafe fn is_empty(slot: *mut pg_sys::TupleTableSlot) -> bool {
    // SAFETY: NULL or a valid slot.
    slot.is_null() || unsafe { u32::from((*slot).tts_flags) & pg_sys::TTS_FLAG_EMPTY != 0 }
}

/// Has all columns of the slot's row set.
///
/// # Safety
/// The slot holds a row.
pub unsafe fn deform(slot: *mut pg_sys::TupleTableSlot) {
    // SAFETY: the slot holds a row.
    unsafe {
        let natts = (*(*slot).tts_tupleDescriptor).natts;
        if i32::from((*slot).tts_nvalid) < natts {
            pg_sys::slot_getsomeattrs_int(slot, natts);
        }
    }
}

/// ExecQual: no condition holds always.
///
/// # Safety
/// The condition was initialised for the context's node, by ExecInitQual, or is NULL.
pub unsafe fn holds(condition: *mut pg_sys::ExprState, context: *mut pg_sys::ExprContext) -> bool {
    // SAFETY: the condition was initialised for the context's node; it gives a boolean, never NULL.
    unsafe {
        let mut null = false;
        condition.is_null()
            || pg_sys::ExecEvalExprSwitchContext(condition, context, &raw mut null).value() != 0
    }
}

/// The row in the scan slot as the node gives it out.
///
/// # Safety
/// `node` is in execution, the row in its scan slot; its expression context knows of the slot.
pub unsafe fn project(node: *mut pg_sys::CustomScanState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: PostgreSQL has set up the projection, if there has to be one.
    unsafe {
        let projection = (*node).ss.ps.ps_ProjInfo;
        if projection.is_null() {
            (*node).ss.ss_ScanTupleSlot
        } else {
            pg_sys::ExecProject(projection)
        }
    }
}

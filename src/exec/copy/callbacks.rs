//! The callbacks that stand in for the foreign data wrapper's own while rows are copied: trampolines, nothing else.
// One SAFETY note stands for all: PostgreSQL calls them on its one thread with the arguments that fdwhandler.sgml
// promises; the frames own nothing, as `entry` asks.
#![allow(clippy::undocumented_unsafe_blocks)]

use crate::pg::guard::entry;
use pgrx::pg_sys;

/// A copy of `own` with the callbacks for COPY.
///
/// # Safety
/// `own` is a valid routine, `context` alive.
pub unsafe fn routine(
    own: *mut pg_sys::FdwRoutine,
    context: pg_sys::MemoryContext,
) -> *mut pg_sys::FdwRoutine {
    unsafe {
        let copy = pg_sys::MemoryContextAlloc(context, size_of::<pg_sys::FdwRoutine>())
            .cast::<pg_sys::FdwRoutine>();
        copy.copy_from_nonoverlapping(own, 1);
        (*copy).ExecForeignInsert = Some(exec_foreign_insert);
        // One row at a time: it is encoded at once, kept nowhere, and errors know its line.
        (*copy).ExecForeignBatchInsert = None;
        (*copy).GetForeignModifyBatchSize = None;
        (*copy).EndForeignInsert = Some(end_foreign_insert);
        copy
    }
}

unsafe extern "C-unwind" fn exec_foreign_insert(
    estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    _plan_slot: *mut pg_sys::TupleTableSlot,
) -> *mut pg_sys::TupleTableSlot {
    unsafe { entry(|| super::insert(estate, result, slot)) }
}

unsafe extern "C-unwind" fn end_foreign_insert(
    _estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
) {
    unsafe { entry(|| super::end(result)) }
}

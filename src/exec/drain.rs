//! A plan whose rows are all taken before the first of them is given on.
//!
//! Scans that are started anew for each row of another one (with its values as parameters) would see what the statement
//! has changed so far. Where there are such, all rows to be changed are found before the first change.

use crate::error::Failure;
use crate::pg::exec_node::{self, Function};
use crate::pg::guard;
use crate::pg::memory::{self, ContextGuard};
use pgrx::pg_sys;
use std::cell::RefCell;

/// The rows of a plan.
pub struct Drain {
    node: *mut pg_sys::PlanState,
    original: Function,
    /// Filled with the first call.
    rows: *mut pg_sys::Tuplestorestate,
    stored: *mut pg_sys::TupleTableSlot,
    /// What is given on: whoever looks at it has been made for rows whose columns are all there.
    given: *mut pg_sys::TupleTableSlot,
}

thread_local! {
    /// Those in execution.
    static DRAINS: RefCell<Vec<*mut Drain>> = const { RefCell::new(Vec::new()) };
}

impl Drop for Drain {
    fn drop(&mut self) {
        let own = std::ptr::from_mut(self);
        let _ = DRAINS.try_with(|drains| {
            if let Ok(mut drains) = drains.try_borrow_mut() {
                drains.retain(|&other| other != own);
            }
        });
    }
}

/// Has all rows of `node` taken when the first one is asked for.
///
/// # Safety
/// The node has been initialised and not been run; [`end`] must be called before it ends, unless there is an ERROR.
pub unsafe fn install(node: *mut pg_sys::PlanState) -> Result<*mut Drain, Failure> {
    // SAFETY: as the caller vouches; slots and state go with the query's memory.
    unsafe {
        let context = (*(*node).state).es_query_cxt;
        let _guard = ContextGuard::switch_to(context);
        let row_type = pg_sys::ExecGetResultType(node);
        let minimal = &raw const pg_sys::TTSOpsMinimalTuple;
        let stored = pg_sys::MakeSingleTupleTableSlot(row_type, minimal);
        let given = pg_sys::MakeSingleTupleTableSlot(row_type, &raw const pg_sys::TTSOpsVirtual);
        let original = exec_node::replace(node, next)?;
        let rows = std::ptr::null_mut();
        let drain = memory::give(context, Drain { node, original, rows, stored, given });
        DRAINS.with_borrow_mut(|drains| drains.push(drain));
        Ok(drain)
    }
}

/// Gives back what the rows take.
///
/// # Safety
/// `drain` is what [`install`] gave; called once.
pub unsafe fn end(drain: *mut Drain) {
    // SAFETY: as the caller vouches.
    unsafe {
        pg_sys::ExecClearTuple((*drain).stored);
        pg_sys::ExecClearTuple((*drain).given);
        let rows = std::mem::replace(&mut (*drain).rows, std::ptr::null_mut());
        if !rows.is_null() {
            pg_sys::tuplestore_end(rows);
        }
    }
}

unsafe extern "C-unwind" fn next(node: *mut pg_sys::PlanState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the executor calls it as the function it stands for; this frame owns nothing.
    unsafe { guard::entry(|| take(node)) }
}

unsafe fn take(node: *mut pg_sys::PlanState) -> Result<*mut pg_sys::TupleTableSlot, Failure> {
    let known = DRAINS.with_borrow(|drains| {
        // SAFETY: those in the list are alive.
        drains.iter().copied().find(|&drain| unsafe { (*drain).node == node })
    });
    let drain = known.ok_or_else(|| Failure::internal("a plan node's rows are gone"))?;
    // SAFETY: it lives as long as the statement's execution.
    unsafe {
        let Drain { original, stored, given, .. } = *drain;
        if (*drain).rows.is_null() {
            let _guard = ContextGuard::switch_to((*(*node).state).es_query_cxt);
            (*drain).rows = pg_sys::tuplestore_begin_heap(false, false, pg_sys::work_mem);
            loop {
                let slot = exec_node::call(original, node);
                if slot.is_null() || (*slot).tts_flags & pg_sys::TTS_FLAG_EMPTY as u16 != 0 {
                    break;
                }
                pg_sys::tuplestore_puttupleslot((*drain).rows, slot);
            }
        }
        pg_sys::ExecClearTuple(given);
        let (forward, copy) = (true, false);
        if !pg_sys::tuplestore_gettupleslot((*drain).rows, forward, copy, stored) {
            return Ok(std::ptr::null_mut());
        }
        Ok(pg_sys::ExecCopySlot(given, stored))
    }
}

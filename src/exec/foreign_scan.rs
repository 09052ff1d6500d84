//! The ForeignScan node's callbacks: where its state is kept, and what each does with it.

use super::scan::ScanState;
use super::{early, own_routine, together};
use crate::error::Failure;
use crate::pg::{compat, memory, node};
use pgrx::pg_sys;

/// Puts a new state into the node (in the query's memory context).
///
/// # Safety
/// As for [`ScanState::begin`].
pub unsafe fn begin(node: *mut pg_sys::ForeignScanState, flags: i32) -> Result<(), Failure> {
    // SAFETY: es_query_cxt lives as long as the node.
    unsafe {
        let scan = (*node).ss.ps.plan.cast::<pg_sys::ForeignScan>();
        compat::show_windows(scan);
        if flags as u32 & pg_sys::EXEC_FLAG_EXPLAIN_ONLY != 0 || names_only(node) {
            return Ok(());
        }
        if (*scan).scan.scanrelid == 0 {
            // Core would have rows of a sharded table say `tableoid` of the relation that is scanned, and there is
            // none: the column is one of the result's. The flag is only known after GetForeignPlan; clearing it again
            // and again changes nothing.
            (*scan).fsSystemCol = false;
        }
        let state = ScanState::begin(node, flags)?;
        let context = (*(*node).ss.ps.state).es_query_cxt;
        let modifies = compat::statement_modifies((*node).ss.ps.state);
        (*node).fdw_state = memory::give(context, state).cast();
        together::note((*node).ss.ps.state);
        if modifies {
            early::register(node);
        }
    }
    Ok(())
}

/// The node's state; `None` when it was never begun (EXPLAIN without ANALYZE).
///
/// # Safety
/// `node` is a ForeignScanState of ours; the reference must not outlive the callback.
pub unsafe fn state<'a>(node: *mut pg_sys::ForeignScanState) -> Option<&'a mut ScanState> {
    // SAFETY: fdw_state is NULL or was set by `begin`; the executor calls one callback of a node at a time.
    unsafe { (*node).fdw_state.cast::<ScanState>().as_mut() }
}

/// [`state`] of any node of a plan in execution; `None` for one that is no foreign scan of ours.
///
/// # Safety
/// `node` is the state of an initialised plan node; the reference must not outlive the callback.
pub unsafe fn own_state<'a>(node: *mut pg_sys::ForeignScanState) -> Option<&'a mut ScanState> {
    // SAFETY: cast by its tag; a ForeignScanState has its routine, and all of ours have the same functions.
    unsafe {
        let is_own = node::is_a(node, pg_sys::NodeTag::T_ForeignScanState)
            && (*node).fdwroutine.as_ref().is_some_and(own_routine::is_own);
        if is_own { state(node) } else { None }
    }
}

/// Whether the node has no remote query, and only names the columns of the node below it.
///
/// # Safety
/// `node` is a ForeignScanState of ours.
pub unsafe fn names_only(node: *mut pg_sys::ForeignScanState) -> bool {
    // SAFETY: as the caller vouches; every remote query has private data.
    unsafe { (*(*node).ss.ps.plan.cast::<pg_sys::ForeignScan>()).fdw_private.is_null() }
}

/// The next row of the node below.
unsafe fn pass(node: *mut pg_sys::ForeignScanState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the node below was initialised with this one; its columns are those of the scan slot.
    unsafe {
        let slot = (*node).ss.ss_ScanTupleSlot;
        // We are called in memory that lasts for a row. Nodes run in the query's: sorting starts there.
        let _context = memory::ContextGuard::switch_to((*(*node).ss.ps.state).es_query_cxt);
        let below = pg_sys::ExecProcNode((*node).ss.ps.lefttree);
        if below.is_null() || (*below).tts_flags & pg_sys::TTS_FLAG_EMPTY as u16 != 0 {
            return pg_sys::ExecClearTuple(slot);
        }
        pg_sys::ExecCopySlot(slot, below);
        slot
    }
}

/// IterateForeignScan.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn iterate(
    node: *mut pg_sys::ForeignScanState,
) -> Result<*mut pg_sys::TupleTableSlot, Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        match state(node) {
            Some(state) => {
                if state.merged_by().is_some() {
                    together::start_others(node)?;
                }
                state.iterate(node)
            }
            None if names_only(node) => Ok(pass(node)),
            None => Ok(pg_sys::ExecClearTuple((*node).ss.ss_ScanTupleSlot)),
        }
    }
}

/// ReScanForeignScan.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn rescan(node: *mut pg_sys::ForeignScanState) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe { state(node).map_or(Ok(()), |state| state.rescan(node)) }
}

/// EndForeignScan. The state itself goes with the query's memory.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn end(node: *mut pg_sys::ForeignScanState) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    if let Some(state) = unsafe { state(node) } {
        state.stop();
    }
    Ok(())
}

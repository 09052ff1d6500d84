//! Scans that the executor asks one after the other, and whose queries are sent together.
//!
//! A Merge Append asks each of its inputs for its first row before it gives one out. So when the first of our scans below it
//! begins, the others are certain to be asked, and their queries can be on their way meanwhile; nothing is sent that would not be
//! sent anyway. Scans that lock rows are left out: they lock in the order in which they are read. So are those that a
//! parameter has changed for, which the executor begins again in its own time.
//!
//! Nodes do not know their parents. Once a statement is prepared for execution, its Merge Appends are looked for, if it has
//! several of our scans.

use super::foreign_scan;
use crate::error::Failure;
use crate::pg::node;
use crate::txn;
use pgrx::pg_sys;
use pgrx::pg_sys::{EState, ForeignScanState, MergeAppendState, NodeTag, PlanState};
use std::cell::Cell;
use std::ffi::c_void;

thread_local! {
    /// The executor state that a scan was begun for last, and how many were begun for it in a row.
    static BEGUN: Cell<(*mut EState, u32)> = const { Cell::new((std::ptr::null_mut(), 0)) };
}

/// Takes note of a scan that is being initialised.
pub(super) fn note(estate: *mut EState) {
    let (last, count) = BEGUN.get();
    BEGUN.set((estate, if last == estate { count.saturating_add(1) } else { 1 }));
}

/// Tells our scans below Merge Appends of a statement so.
///
/// # Safety
/// The statement's execution has been prepared.
pub unsafe fn find(query: *mut pg_sys::QueryDesc) {
    let (estate, count) = BEGUN.replace((std::ptr::null_mut(), 0));
    // SAFETY: as the caller vouches; the walker takes NULL.
    unsafe {
        if count > 1 && (*query).estate == estate {
            mark((*query).planstate, std::ptr::null_mut());
        }
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn mark(state: *mut PlanState, context: *mut c_void) -> bool {
    // SAFETY: nodes of a plan being executed, cast by their tags.
    unsafe {
        if state.is_null() {
            return false;
        }
        if node::is_a(state, NodeTag::T_MergeAppendState) {
            let parent = state.cast::<MergeAppendState>();
            for index in 0..(*parent).ms_nplans as usize {
                if let Some(scan) = scan_below(*(*parent).mergeplans.add(index))
                    && let Some(state) = foreign_scan::own_state(scan)
                {
                    state.set_merged_by(parent);
                }
            }
        }
        pg_sys::planstate_tree_walker(state, Some(mark), context)
    }
}

/// The foreign scan whose rows `state` asks for as soon as it is asked itself.
unsafe fn scan_below(mut state: *mut PlanState) -> Option<*mut ForeignScanState> {
    use NodeTag::*;
    // SAFETY: nodes of a plan being executed, cast by their tags.
    unsafe {
        // Otherwise the node is begun again first.
        while !state.is_null() && (*state).chgParam.is_null() {
            state = match node::tag(state.cast::<pg_sys::Node>()) {
                T_ForeignScanState => return Some(state.cast()),
                T_SortState | T_IncrementalSortState | T_AggState | T_UniqueState => {
                    (*state).lefttree
                }
                T_SubqueryScanState => (*state.cast::<pg_sys::SubqueryScanState>()).subplan,
                _ => return None,
            };
        }
        None
    }
}

/// To be called before `scan` sends its query: sends those of the other scans below the same Merge Append.
///
/// # Safety
/// `scan` is a node of ours in execution.
pub(super) unsafe fn start_others(scan: *mut ForeignScanState) -> Result<(), Failure> {
    // SAFETY: as the caller vouches; a Merge Append that executes its inputs knows which are valid.
    unsafe {
        let parent = foreign_scan::state(scan).and_then(|state| state.merged_by());
        let Some(parent) = parent else { return Ok(()) };
        let mut scans = vec![scan];
        for index in node::members((*parent).ms_valid_subplans) {
            if let Some(other) = scan_below(*(*parent).mergeplans.add(index as usize))
                && other != scan
                && foreign_scan::own_state(other).is_some_and(|state| state.may_start())
            {
                scans.push(other);
            }
        }
        if !foreign_scan::state(scan).is_some_and(|state| state.may_start()) || scans.len() == 1 {
            return Ok(());
        }
        prepare(&scans)?;
        for other in scans {
            if let Some(state) = foreign_scan::state(other) {
                state.start(other)?;
            }
        }
        Ok(())
    }
}

/// Before the first of `scans` begins: logs in to the servers of all of them at the same time, and has them share the
/// memory for rows that are read ahead.
///
/// # Safety
/// Nodes of ours in execution.
pub(super) unsafe fn prepare(scans: &[*mut ForeignScanState]) -> Result<(), Failure> {
    let (mut user, mut servers) = (None, Vec::new());
    for &scan in scans {
        // SAFETY: as the caller vouches.
        let Some(state) = (unsafe { foreign_scan::state(scan) }) else { continue };
        state.set_siblings(scans.len());
        if *user.get_or_insert(state.user()) == state.user() {
            servers.extend(state.servers_to_ask());
        }
    }
    match user {
        Some(user) if servers.len() > 1 => txn::enlist_ready(&servers, user),
        _ => Ok(()),
    }
}

//! All parts of a statement see the data as it was when the statement began. A statement that changes data starts
//! its foreign scans before the first change is sent: a portal keeps the snapshot it was opened with, but one that
//! is opened later would show the changes.
//!
//! Scans with parameters that come from other nodes have to wait for them.

use super::foreign_scan;
use crate::error::Failure;
use crate::pg::{memory, node};
use pgrx::pg_sys;
use std::cell::RefCell;

thread_local! {
    /// Scans begun in statements that change data, with the executor state they belong to.
    static SCANS: RefCell<Vec<(*mut pg_sys::EState, *mut pg_sys::ForeignScanState)>> =
        const { RefCell::new(Vec::new()) };
}

/// Forgets the scans of an executor state when its memory goes.
struct Registration(*mut pg_sys::EState);

impl Drop for Registration {
    fn drop(&mut self) {
        let _ = SCANS.try_with(|scans| {
            if let Ok(mut scans) = scans.try_borrow_mut() {
                scans.retain(|(estate, _)| *estate != self.0);
            }
        });
    }
}

/// Notes a scan of a statement that changes data.
///
/// # Safety
/// `node` is being initialised; it lives as long as its executor state's memory.
pub unsafe fn register(node: *mut pg_sys::ForeignScanState) {
    // SAFETY: as the caller vouches.
    unsafe {
        let estate = (*node).ss.ps.state;
        let known = SCANS.with_borrow_mut(|scans| {
            let known = scans.iter().any(|(other, _)| *other == estate);
            scans.push((estate, node));
            known
        });
        if !known {
            memory::give((*estate).es_query_cxt, Registration(estate));
        }
    }
}

/// Whether the statement scans foreign tables of ours.
pub fn has_scans(estate: *mut pg_sys::EState) -> bool {
    SCANS.with_borrow(|scans| scans.iter().any(|(of, _)| *of == estate))
}

/// To be called before a change is sent: starts the statement's scans that can be. False when some cannot.
///
/// # Safety
/// `estate` is the executor state of the statement being executed.
pub unsafe fn start_all(estate: *mut pg_sys::EState) -> Result<bool, Failure> {
    let waiting: Vec<_> = SCANS.with_borrow(|scans| {
        scans.iter().filter(|(of, _)| *of == estate).map(|(_, node)| *node).collect()
    });
    let mut all = true;
    for node in waiting {
        // SAFETY: registered nodes are alive as long as the executor state is.
        unsafe {
            match foreign_scan::state(node) {
                Some(state) => all &= state.start_early(node)?,
                None => all = false,
            }
        }
    }
    Ok(all)
}

/// Whether the statement has scans that cannot be started before the first change, since their parameters come from other
/// nodes.
///
/// # Safety
/// As for [`start_all`].
pub unsafe fn any_late(estate: *mut pg_sys::EState) -> bool {
    SCANS.with_borrow(|scans| {
        // SAFETY: registered nodes are alive as long as the executor state is; their plans are ForeignScans.
        scans.iter().filter(|(of, _)| *of == estate).any(|(_, node)| unsafe {
            let scan = (**node).ss.ps.plan.cast::<pg_sys::ForeignScan>();
            node::has_exec_param((*scan).fdw_exprs)
        })
    })
}

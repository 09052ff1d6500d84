//! Scans under an Append that run at the same time: ForeignAsyncRequest and what belongs to it.
//!
//! Append asks each of its scans for a row; those that have none send their queries and say so. When nobody has one, Append
//! lets each add its socket to an event set and waits for that. We add none: the first of our scans that is asked waits
//! itself, for all of them, with `txn::wait_any`. So a cancel is seen at once in every version of PostgreSQL, the detector of
//! deadlocks knows of the wait, sockets that several scans share are waited for once, and what TLS holds back is read
//! before. An Append without registered events looks again at once, and then finds who has a row.
//!
//! The answers of several scans on one connection come one after the other, each to its own scan.

use super::scan::ScanState;
use super::{foreign_scan, together};
use crate::error::Failure;
use crate::pg::ffi::{ExecAsyncRequestDone, ExecAsyncRequestPending, ExecAsyncResponse};
use crate::pg::node;
use crate::txn;
use pgrx::pg_sys;
use pgrx::pg_sys::{AppendState, AsyncRequest, ForeignScanState};

/// ForeignAsyncRequest: a row if there is one, else the query is sent.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn request(request: *mut AsyncRequest) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        connect(request)?;
        produce(request)
    }
}

/// ForeignAsyncNotify. Only called for a socket of ours, and we register none.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn notify(request: *mut AsyncRequest) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe { produce(request) }
}

/// ForeignAsyncConfigureWait: gives the row if it is there by now. If nobody has one and Append has nothing else to do, waits
/// until one of our scans can go on.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn configure_wait(request: *mut AsyncRequest) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let Some(state) = state_of(request) else { return produce(request) };
        if !state.is_ready() {
            let append = requestor(request);
            if (*append).as_nasyncresults > 0 || !(*append).as_syncdone {
                return Ok(());
            }
            wait_for_any(append)?;
            if !state_of(request).is_some_and(|state| state.is_ready()) {
                return Ok(());
            }
        }
        (*request).callback_pending = false;
        produce(request)?;
        if (*request).request_complete {
            let counter = (*(*request).requestee).instrument;
            if !counter.is_null() && !is_empty((*request).result) {
                // Append counts the rows of the other two callbacks.
                (*counter).tuplecount += 1.0;
            }
        }
        ExecAsyncResponse(request);
        Ok(())
    }
}

/// Runs the scan node as far as it goes without waiting.
unsafe fn produce(request: *mut AsyncRequest) -> Result<(), Failure> {
    // SAFETY: a request for a scan of ours; the node's function is that of ForeignScan, without the instrumentation that
    // Append sees to.
    unsafe {
        let scan = (*request).requestee;
        if let Some(state) = state_of(request) {
            state.set_patient(false);
        }
        let Some(run) = (*scan).ExecProcNodeReal else {
            return Err(Failure::internal("a scan was not initialised"));
        };
        let slot = loop {
            let slot = pg_sys::ffi::pg_guard_ffi_boundary(|| run(scan));
            let Some(state) = state_of(request).filter(|state| is_empty(slot) && state.waits())
            else {
                break Some(slot);
            };
            // A look at what has come. That a connection has died while it idled shows here, too: as long as there is one
            // request on it, it can be sent again.
            if !state.is_ready() {
                break None;
            }
        };
        if let Some(state) = state_of(request) {
            state.set_patient(true);
        }
        match slot {
            None => ExecAsyncRequestPending(request),
            Some(slot) => ExecAsyncRequestDone(request, slot),
        }
        Ok(())
    }
}

/// Waits until one of our scans under `append` can go on.
unsafe fn wait_for_any(append: *mut AppendState) -> Result<(), Failure> {
    // SAFETY: an Append in execution has a request for each of its asynchronous plans.
    unsafe {
        let mut waiting = Vec::new();
        for index in node::members((*append).as_asyncplans) {
            let request = *(*append).as_asyncrequests.add(index as usize);
            let scan = (*request).requestee.cast::<ForeignScanState>();
            if (*request).callback_pending
                && let Some(state) = foreign_scan::own_state(scan)
            {
                waiting.extend(state.tickets());
            }
        }
        txn::wait_any(&waiting, None)
    }
}

/// Before the first request of an Append: logs in to the servers of all its scans at the same time.
unsafe fn connect(request: *mut AsyncRequest) -> Result<(), Failure> {
    // SAFETY: as for `wait_for_any`.
    unsafe {
        let append = requestor(request);
        let plans = (*append).as_valid_asyncplans;
        if pg_sys::bms_next_member(plans, -1) != (*request).request_index {
            return Ok(());
        }
        let scans: Vec<_> = node::members(plans)
            .map(|index| (**(*append).as_asyncrequests.add(index as usize)).requestee.cast())
            .filter(|&scan: &*mut ForeignScanState| foreign_scan::own_state(scan).is_some())
            .collect();
        together::prepare(&scans)
    }
}

unsafe fn requestor(request: *mut AsyncRequest) -> *mut AppendState {
    // SAFETY: only Append makes requests.
    unsafe { (*request).requestor.cast() }
}

unsafe fn state_of<'a>(request: *mut AsyncRequest) -> Option<&'a mut ScanState> {
    // SAFETY: the requests that reach us are for scans of ours.
    unsafe { foreign_scan::state((*request).requestee.cast()) }
}

unsafe fn is_empty(slot: *mut pg_sys::TupleTableSlot) -> bool {
    // SAFETY: NULL or a slot.
    unsafe { slot.is_null() || (*slot).tts_flags & pg_sys::TTS_FLAG_EMPTY as u16 != 0 }
}

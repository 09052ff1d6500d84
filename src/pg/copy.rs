//! What of PostgreSQL's COPY is not in pgrx's bindings.

use crate::error::Failure;
use pgrx::pg_sys;
use std::ffi::c_void;

/// Contexts looked through for COPY's: what pgrx and this crate put above it.
const DEPTH: usize = 4;

/// `failure` of the COPY that is running, but not of the row it is at: CONTEXT names the `table`
/// and no line. The failure has to be raised: the line is gone for good.
///
/// # Safety
/// Inside a callback of COPY FROM.
pub unsafe fn of_table(failure: Failure, table: &str) -> Failure {
    // SAFETY: the stack of contexts consists of live frames; one of COPY is changed in place, which matters to
    // nobody else, as its frame is left by this error.
    unsafe {
        let mut frame = pg_sys::error_context_stack;
        for _ in 0..DEPTH {
            if frame.is_null() {
                break;
            }
            let is_copy = (*frame).callback.is_some_and(|callback| {
                callback as usize == bare::CopyFromErrorCallback as *const () as usize
            });
            if is_copy {
                (*frame).callback = Some(nothing);
                break;
            }
            frame = (*frame).previous;
        }
    }
    failure.add_context(format!("COPY {table}"))
}

mod bare {
    // SAFETY: the signature of commands/copy.h, the same in PostgreSQL 15 to 18. Only its address is used.
    unsafe extern "C-unwind" {
        pub fn CopyFromErrorCallback(arg: *mut std::ffi::c_void);
    }
}

unsafe extern "C-unwind" fn nothing(_arg: *mut c_void) {}

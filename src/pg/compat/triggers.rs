//! Differences between versions in what fires triggers.

use pgrx::pg_sys;
use std::ptr;

/// Fires the BEFORE DELETE row triggers of a foreign table for `row`; false when one of them keeps it.
///
/// # Safety
/// `result` is an initialised result relation of `estate`, which is in execution; `row` is a row of it.
pub unsafe fn before_delete(
    estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    row: pg_sys::HeapTuple,
) -> bool {
    // SAFETY: as the caller vouches; what is left out is for rows that are stored here.
    unsafe {
        pg_sys::ExecBRDeleteTriggers(
            estate,
            ptr::null_mut(),
            result,
            ptr::null_mut(),
            row,
            ptr::null_mut(),
            #[cfg(not(feature = "pg15"))]
            ptr::null_mut(),
            #[cfg(not(feature = "pg15"))]
            ptr::null_mut(),
            #[cfg(feature = "pg18")]
            false,
        )
    }
}

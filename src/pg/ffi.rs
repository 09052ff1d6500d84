//! PostgreSQL functions that pgrx 0.18 does not bind, and a few that it binds but that must be called
//! without its guard.
//!
//! pgrx turns an ERROR into a Rust panic at every bound call and, on the way, drops all fields of the error
//! that its own report type lacks. The functions in [`raw`] are declared bare: the ERROR they raise jumps
//! straight to PostgreSQL's handler. Call them only from frames that own nothing.

/// Bare declarations; see the module's rules.
pub mod raw {
    use pgrx::pg_sys::{ErrorData, MemoryContext};
    use std::ffi::{c_char, c_int, c_void};

    // SAFETY: signatures as in utils/elog.h and utils/palloc.h, the same in PostgreSQL 15 to 18.
    unsafe extern "C" {
        /// Raises `edata` again as it is, adding the context of the frames above (utils/elog.h).
        pub fn ThrowErrorData(edata: *mut ErrorData);
        /// Copies the error being reported into the current memory context (utils/elog.h).
        pub fn CopyErrorData() -> *mut ErrorData;
        /// Frees a copy made by `CopyErrorData` (utils/elog.h).
        pub fn FreeErrorData(edata: *mut ErrorData);
        /// palloc0 in `context` (utils/palloc.h).
        pub fn MemoryContextAllocZero(context: MemoryContext, size: usize) -> *mut c_void;
        /// Adds a line to the CONTEXT of the error being reported (utils/elog.h).
        pub fn errcontext_msg(format: *const c_char, ...) -> c_int;
        /// Message domain of the next context line (utils/elog.h).
        pub fn set_errcontext_domain(domain: *const c_char) -> c_int;
        /// The session's client encoding; cannot raise (mb/pg_wchar.h).
        pub fn pg_get_client_encoding() -> c_int;
        /// Changes it; cannot raise for an encoding that was in force before (mb/pg_wchar.h).
        pub fn SetClientEncoding(encoding: c_int) -> c_int;
    }
}

//! PostgreSQL functions that pgrx 0.18 does not bind, and a few that it binds but that must be called
//! without its guard.
//!
//! pgrx turns an ERROR into a Rust panic at every bound call and, on the way, drops all fields of the error
//! that its own report type lacks. The functions in [`raw`] are declared bare: the ERROR they raise jumps
//! straight to PostgreSQL's handler. Call them only from frames that own nothing.

use pgrx::pg_sys;

/// The partition constraint of a relation, implicitly ANDed, NULL when it is no partition (utils/partcache.h).
/// The list is the caller's.
///
/// # Safety
/// `relation` is open and locked.
#[allow(non_snake_case)]
pub unsafe fn RelationGetPartitionQual(relation: pg_sys::Relation) -> *mut pg_sys::List {
    unsafe extern "C-unwind" {
        fn RelationGetPartitionQual(relation: pg_sys::Relation) -> *mut pg_sys::List;
    }
    // SAFETY: signature as in utils/partcache.h, PostgreSQL 15 to 18; the boundary turns an ERROR into a panic and the
    // closure owns nothing.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| RelationGetPartitionQual(relation)) }
}

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
        /// The parameter "xmloption" (utils/xml.h): 0 = document, 1 = content.
        pub static xmloption: c_int;
        /// The parameter "bytea_output" (utils/bytea.h): 0 = escape, 1 = hex.
        pub static bytea_output: c_int;
        /// The parameter "lc_monetary" (utils/pg_locale.h).
        pub static locale_monetary: *const c_char;
    }
}

/// PostgreSQL's signal handlers, to be installed and never called: pgrx binds them as Rust functions.
pub mod handlers {
    // SAFETY: signatures as in tcop/tcopprot.h and postmaster/interrupt.h, the same in PostgreSQL 15 to 18.
    unsafe extern "C-unwind" {
        /// SIGTERM: ends the process at the next CHECK_FOR_INTERRUPTS.
        pub fn die(signal: i32);
        /// SIGHUP: sets ConfigReloadPending.
        pub fn SignalHandlerForConfigReload(signal: i32);
    }
}

/// Stops this process (SIGSTOP) until somebody continues or kills it.
pub fn stop_process() {
    unsafe extern "C" {
        fn raise(signal: i32) -> i32;
    }
    const SIGSTOP: i32 = 19;
    // SAFETY: raise(3) has no other effect than the signal.
    unsafe { raise(SIGSTOP) };
}

/// The OIDs of the direct children of a relation, each locked (catalog/pg_inherits.h).
///
/// # Safety
/// `parent` is locked.
pub unsafe fn find_inheritance_children(
    parent: pg_sys::Oid,
    lock: pg_sys::LOCKMODE,
) -> *mut pg_sys::List {
    mod bare {
        use pgrx::pg_sys;
        // SAFETY: the signature of catalog/pg_inherits.h, the same in PostgreSQL 15 to 18.
        unsafe extern "C-unwind" {
            pub fn find_inheritance_children(
                parent: pg_sys::Oid,
                lock: pg_sys::LOCKMODE,
            ) -> *mut pg_sys::List;
        }
    }
    // SAFETY: the closure owns nothing; the caller vouches for the arguments.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| bare::find_inheritance_children(parent, lock)) }
}

/// Whether the relation has, or once had, children (catalog/pg_inherits.h).
///
/// # Safety
/// Inside a transaction.
pub unsafe fn has_subclass(relation: pg_sys::Oid) -> bool {
    mod bare {
        // SAFETY: the signature of catalog/pg_inherits.h, the same in PostgreSQL 15 to 18.
        unsafe extern "C-unwind" {
            pub fn has_subclass(relation: pgrx::pg_sys::Oid) -> bool;
        }
    }
    // SAFETY: the closure owns nothing.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| bare::has_subclass(relation)) }
}

/// The columns that an UPDATE of `rel` sets, generated ones included (optimizer/inherit.h).
///
/// # Safety
/// `rel` is a result relation of the query of `root`.
#[allow(non_snake_case)]
pub unsafe fn get_rel_all_updated_cols(
    root: *mut pgrx::pg_sys::PlannerInfo,
    rel: *mut pgrx::pg_sys::RelOptInfo,
) -> *mut pgrx::pg_sys::Bitmapset {
    mod bare {
        // SAFETY: the signature of optimizer/inherit.h, the same in PostgreSQL 15 (from 15.2) to 18.
        unsafe extern "C-unwind" {
            pub fn get_rel_all_updated_cols(
                root: *mut pgrx::pg_sys::PlannerInfo,
                rel: *mut pgrx::pg_sys::RelOptInfo,
            ) -> *mut pgrx::pg_sys::Bitmapset;
        }
    }
    // SAFETY: the closure owns nothing; the caller vouches for the arguments.
    unsafe {
        pgrx::pg_sys::ffi::pg_guard_ffi_boundary(|| bare::get_rel_all_updated_cols(root, rel))
    }
}

/// Delivers a row, or the end of the rows, to Append (executor/execAsync.h).
///
/// # Safety
/// In a callback for `request`; the slot is the scan node's.
#[allow(non_snake_case)]
pub unsafe fn ExecAsyncRequestDone(
    request: *mut pg_sys::AsyncRequest,
    result: *mut pg_sys::TupleTableSlot,
) {
    // SAFETY: the closure owns nothing; the caller vouches for the arguments.
    unsafe {
        pg_sys::ffi::pg_guard_ffi_boundary(|| bare_async::ExecAsyncRequestDone(request, result));
    }
}

/// Tells Append that the row has not come yet (executor/execAsync.h).
///
/// # Safety
/// In a callback for `request`.
#[allow(non_snake_case)]
pub unsafe fn ExecAsyncRequestPending(request: *mut pg_sys::AsyncRequest) {
    // SAFETY: the closure owns nothing; the caller vouches for the argument.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| bare_async::ExecAsyncRequestPending(request)) }
}

/// Has Append take what was delivered by a callback that it does not expect it from (executor/execAsync.h).
///
/// # Safety
/// In ForeignAsyncConfigureWait.
#[allow(non_snake_case)]
pub unsafe fn ExecAsyncResponse(request: *mut pg_sys::AsyncRequest) {
    // SAFETY: the closure owns nothing; the caller vouches for the argument.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| bare_async::ExecAsyncResponse(request)) }
}

mod bare_async {
    use pgrx::pg_sys::{AsyncRequest, TupleTableSlot};
    // SAFETY: signatures as in executor/execAsync.h, the same in PostgreSQL 15 to 18.
    unsafe extern "C-unwind" {
        pub fn ExecAsyncRequestDone(request: *mut AsyncRequest, result: *mut TupleTableSlot);
        pub fn ExecAsyncRequestPending(request: *mut AsyncRequest);
        pub fn ExecAsyncResponse(request: *mut AsyncRequest);
    }
}

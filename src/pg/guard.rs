//! The way in and out of Rust: every callback that PostgreSQL calls runs inside [`entry`].
//!
//! `entry` runs a body that returns `Result`, and raises what went wrong as a PostgreSQL ERROR after the last
//! Rust destructor has run. Three kinds of trouble end there: a [`Failure`], an ERROR raised by a PostgreSQL
//! function that the body called (pgrx makes a panic of it), and a Rust panic of our own (a bug: XX000).
//!
//! pgrx's own `#[pg_guard]` loses fields of an ERROR that passes through (CONTEXT, unlisted SQLSTATEs, schema,
//! table and constraint names). Here an error-context callback, the one hook PostgreSQL offers between the
//! raising and the jump, keeps a copy of the whole `ErrorData`, and that copy is what is thrown on.

use super::ffi::raw;
use super::text;
use crate::error::{Failure, SqlState};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport, ErrorReportWithLevel};
use std::any::Any;
use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

/// Runs `body`; returns its value, or raises its failure as an ERROR.
///
/// # Safety
/// To be called on PostgreSQL's one thread, as the outermost frame of an `extern "C-unwind"` callback that owns
/// nothing with a destructor: an ERROR leaves that frame by `longjmp`.
pub unsafe fn entry<T: Copy>(body: impl FnOnce() -> Result<T, Failure>) -> T {
    match run(body) {
        Ok(value) => value,
        // SAFETY: `run` returns a valid, palloc'd ErrorData of level ERROR or above; this frame owns nothing.
        Err(error) => unsafe { throw(error) },
    }
}

/// Raises `error`.
///
/// # Safety
/// No frame between here and PostgreSQL's handler may own anything.
unsafe fn throw(error: *mut pg_sys::ErrorData) -> ! {
    // SAFETY: the caller vouches for the frames; ThrowErrorData does not return for ERROR and above.
    unsafe { raw::ThrowErrorData(error) };
    unreachable!("ThrowErrorData returned from an ERROR")
}

/// Keeps the ErrorData of the ERROR that is being raised below the current [`run`].
struct Keeper {
    kept: *mut pg_sys::ErrorData,
    context: pg_sys::MemoryContext,
}

/// `ErrorContextCallback`: runs inside errfinish(), before the jump.
unsafe extern "C-unwind" fn keep(arg: *mut c_void) {
    // SAFETY: `arg` is the Keeper of the enclosing `run`, alive as long as the callback is linked. The frame owns
    // nothing, so an out-of-memory ERROR of the copy may jump over it.
    unsafe {
        let keeper = arg.cast::<Keeper>();
        let reporting = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = (*keeper).context;
        let copy = raw::CopyErrorData();
        if (*copy).elevel >= pgrx::PgLogLevel::ERROR as i32 {
            if !(*keeper).kept.is_null() {
                raw::FreeErrorData((*keeper).kept);
            }
            (*keeper).kept = copy;
        } else {
            raw::FreeErrorData(copy);
        }
        pg_sys::CurrentMemoryContext = reporting;
    }
}

/// Runs `body` and gives its value or the ErrorData to raise; never unwinds, never jumps.
fn run<T>(body: impl FnOnce() -> Result<T, Failure>) -> Result<T, *mut pg_sys::ErrorData> {
    // SAFETY: plain reads and writes of the backend's globals on its only thread. The callback struct lives on
    // this frame and is unlinked on both ways out: catch_unwind lets nothing pass.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let previous = pg_sys::error_context_stack;
        let mut keeper = Keeper { kept: ptr::null_mut(), context };
        let mut callback = pg_sys::ErrorContextCallback {
            previous,
            callback: Some(keep),
            arg: (&raw mut keeper).cast(),
        };
        pg_sys::error_context_stack = &raw mut callback;
        let outcome = catch_unwind(AssertUnwindSafe(body));
        pg_sys::error_context_stack = previous;
        // Read through the raw pointer's pointee: `keep` has written it behind the compiler's back.
        let kept = ptr::read_volatile(&raw const keeper.kept);
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(failure)) => Err(error_data(&failure, context)),
            Err(payload) => {
                pg_sys::CurrentMemoryContext = context;
                Err(match classify(payload) {
                    Caught::Postgres(_) if !kept.is_null() => kept,
                    Caught::Postgres(failure) | Caught::Rust(failure) => {
                        error_data(&failure, context)
                    }
                })
            }
        }
    }
}

/// Runs `body` and turns an ERROR or panic into a [`Failure`] instead of raising it.
///
/// Only for places that end the transaction or the connection anyway (abort and commit callbacks, clean-up):
/// catching an ERROR does not undo what the failed call had begun.
pub fn catch<T>(body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    // SAFETY: plain read of a global; restoring it after an unwind is what PostgreSQL's own PG_TRY users do.
    let (context, previous) =
        unsafe { (pg_sys::CurrentMemoryContext, pg_sys::error_context_stack) };
    // SAFETY: as above. An ERROR sets both to zero, but callers further up may hold interrupts.
    let (interrupts, cancels) =
        unsafe { (pg_sys::InterruptHoldoffCount, pg_sys::QueryCancelHoldoffCount) };
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(payload) => {
            // SAFETY: as above.
            unsafe {
                pg_sys::CurrentMemoryContext = context;
                pg_sys::error_context_stack = previous;
                pg_sys::InterruptHoldoffCount = interrupts;
                pg_sys::QueryCancelHoldoffCount = cancels;
            }
            Err(match classify(payload) {
                Caught::Postgres(failure) | Caught::Rust(failure) => failure,
            })
        }
    }
}

/// Raises `failure` from inside a pgrx function (`#[pg_extern]`), where [`entry`] cannot stand: pgrx carries SQLSTATE,
/// message, DETAIL and HINT.
pub fn raise(failure: &Failure) -> ! {
    report(failure).report(pgrx::PgLogLevel::ERROR);
    unreachable!("an ERROR returned")
}

/// Reports `failure` as a WARNING: for places where raising is not allowed.
pub fn warn(failure: &Failure) {
    report(failure).report(pgrx::PgLogLevel::WARNING);
}

fn report(failure: &Failure) -> ErrorReport {
    let fields = failure.fields();
    let code = pgrx::PgSqlErrorCode::from(fields.sqlstate.encode());
    let mut report = ErrorReport::new(code, fields.message.clone(), "shard_fdw");
    if let Some(detail) = &fields.detail {
        report = report.set_detail(detail.clone());
    }
    if let Some(hint) = &fields.hint {
        report = report.set_hint(hint.clone());
    }
    report
}

enum Caught {
    /// Raised by a PostgreSQL function: the kept ErrorData knows more.
    Postgres(Failure),
    /// Raised by Rust code.
    Rust(Failure),
}

fn classify(payload: Box<dyn Any + Send>) -> Caught {
    let payload = match payload.downcast::<CaughtError>() {
        Ok(caught) => {
            return match *caught {
                CaughtError::PostgresError(report) => Caught::Postgres(from_report(&report)),
                CaughtError::ErrorReport(report) => Caught::Rust(from_report(&report)),
                CaughtError::RustPanic { ereport, .. } => Caught::Rust(from_report(&ereport)),
            };
        }
        Err(payload) => payload,
    };
    let payload = match payload.downcast::<ErrorReportWithLevel>() {
        Ok(report) => return Caught::Rust(from_report(&report)),
        Err(payload) => payload,
    };
    let message = match payload.downcast::<ErrorReport>() {
        Ok(report) => {
            let mut failure = Failure::internal(report.message());
            failure.fields_mut().detail = report.detail().map(str::to_owned);
            failure.fields_mut().hint = report.hint().map(str::to_owned);
            return Caught::Rust(failure);
        }
        Err(payload) => match payload.downcast::<String>() {
            Ok(message) => *message,
            Err(payload) => payload.downcast_ref::<&str>().copied().unwrap_or("panic").to_owned(),
        },
    };
    Caught::Rust(
        Failure::internal(format!("internal error: {message}"))
            .with_hint("This is a bug in shard_fdw; please report it."),
    )
}

fn from_report(report: &ErrorReportWithLevel) -> Failure {
    let mut failure =
        Failure::new(SqlState::decode(report.sql_error_code() as i32), report.message());
    failure.fields_mut().detail = report.detail().map(str::to_owned);
    failure.fields_mut().hint = report.hint().map(str::to_owned);
    failure
}

/// Builds the ErrorData of `failure` in `context`.
fn error_data(failure: &Failure, context: pg_sys::MemoryContext) -> *mut pg_sys::ErrorData {
    let fields = failure.fields();
    // SAFETY: `context` is the memory context that was current when the callback began, still alive. A zeroed
    // ErrorData is a valid one (errstart does the same); every string is palloc'd in `context`.
    unsafe {
        let data = raw::MemoryContextAllocZero(context, size_of::<pg_sys::ErrorData>())
            .cast::<pg_sys::ErrorData>();
        (*data).elevel = pgrx::PgLogLevel::ERROR as i32;
        (*data).sqlerrcode = fields.sqlstate.encode();
        (*data).message = text::to_server_in(&fields.message, context);
        (*data).detail = optional(fields.detail.as_deref(), context);
        (*data).hint = optional(fields.hint.as_deref(), context);
        (*data).context = optional(fields.context.as_deref(), context);
        (*data).schema_name = optional(fields.schema.as_deref(), context);
        (*data).table_name = optional(fields.table.as_deref(), context);
        (*data).column_name = optional(fields.column.as_deref(), context);
        (*data).datatype_name = optional(fields.datatype.as_deref(), context);
        (*data).constraint_name = optional(fields.constraint.as_deref(), context);
        (*data).assoc_context = context;
        data
    }
}

unsafe fn optional(text: Option<&str>, context: pg_sys::MemoryContext) -> *mut c_char {
    match text {
        // SAFETY: the caller vouches for `context`.
        Some(text) => unsafe { text::to_server_in(text, context) },
        None => ptr::null_mut(),
    }
}

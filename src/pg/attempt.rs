//! Evaluating what may fail: an ERROR raised while something is only *tried* must not end the statement.
//!
//! Catching an ERROR does not undo what the failed call had begun (locks, pins, reference counts), so how a
//! body is run depends on what it can do:
//!
//! - [`Trust::Builtin`]: only immutable built-in functions written in C. They hold nothing when they complain about
//!   their arguments, so an error of class 22 (data exception: division by zero, out of range, ...) is simply
//!   caught, and so is the lack of the right to call them; no other error is.
//! - [`Trust::Arbitrary`]: functions of users. They run in an internal subtransaction, as the body of a PL/pgSQL
//!   block with EXCEPTION does.
//!
//! Cancel requests, shutdowns and exhausted resources are never swallowed.

use super::guard;
use crate::error::{Failure, SqlState};
use pgrx::pg_sys;
use std::ptr;

/// What a body may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Only immutable built-in C functions.
    Builtin,
    /// Anything.
    Arbitrary,
}

/// Runs `body`; `None` when it raised an error that says only that its arguments do not fit, or when it cannot be
/// tried here (a subtransaction inside a parallel worker). What `body` allocates it allocates in the caller's
/// memory context.
///
/// # Safety
/// To be called inside a transaction, on PostgreSQL's thread; a [`Trust::Builtin`] body keeps its promise.
pub unsafe fn attempt<T>(
    trust: Trust,
    body: impl FnOnce() -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    match trust {
        Trust::Builtin => match guard::catch(body) {
            Ok(value) => Ok(Some(value)),
            Err(failure)
                if failure.fields().sqlstate.class() == "22"
                    || failure.fields().sqlstate == SqlState::INSUFFICIENT_PRIVILEGE =>
            {
                Ok(None)
            }
            Err(failure) => Err(failure),
        },
        // SAFETY: the caller vouches for the transaction.
        Trust::Arbitrary => unsafe { in_subtransaction(body) },
    }
}

unsafe fn in_subtransaction<T>(
    body: impl FnOnce() -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    // SAFETY: the calls and the order of them are those of PL/pgSQL's exec_stmt_block; context and resource owner
    // outlive the subtransaction, they were current before it.
    unsafe {
        if pg_sys::IsInParallelMode() {
            return Ok(None);
        }
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::BeginInternalSubTransaction(ptr::null());
        pg_sys::CurrentMemoryContext = context;
        let outcome = guard::catch(body);
        match outcome {
            Ok(_) => pg_sys::ReleaseCurrentSubTransaction(),
            Err(_) => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        pg_sys::CurrentMemoryContext = context;
        pg_sys::CurrentResourceOwner = owner;
        match outcome {
            Ok(value) => Ok(Some(value)),
            // 53 insufficient resources, 57 operator intervention, 58 system error.
            Err(failure) if matches!(failure.fields().sqlstate.class(), "53" | "57" | "58") => {
                Err(failure)
            }
            Err(_) => Ok(None),
        }
    }
}

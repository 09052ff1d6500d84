//! The hook of utility commands, chained as `hooks.rs` says.

use super::guard;
use crate::error::Failure;
use pgrx::pg_sys;
use std::ffi::c_char;
use std::sync::OnceLock;

/// A utility command about to be executed.
#[derive(Clone, Copy)]
pub struct Command {
    /// The statement around it.
    pub statement: *mut pg_sys::PlannedStmt,
    /// Its text, perhaps with others.
    pub text: *const c_char,
    /// Relations that only the query knows.
    pub environment: *mut pg_sys::QueryEnvironment,
    /// Takes the command tag; may be NULL.
    pub completion: *mut pg_sys::QueryCompletion,
}

/// What is left to do for a command.
#[derive(Clone, Copy)]
pub enum Rest {
    /// All: execute this statement.
    Execute(*mut pg_sys::PlannedStmt),
    /// All: execute this statement, and then call the function with whether that went well; an ERROR goes on after it.
    ExecuteThen(*mut pg_sys::PlannedStmt, fn(bool) -> Result<(), Failure>),
    /// Nothing.
    Nothing,
}

/// Calls the function at the end, be it by unwinding.
struct Then(Option<fn(bool) -> Result<(), Failure>>);

impl Drop for Then {
    fn drop(&mut self) {
        if let Some(then) = self.0.take() {
            // It fails already.
            let _ = then(false);
        }
    }
}

/// Looks at a command, and perhaps executes it.
pub type Executor = unsafe fn(command: Command) -> Result<Rest, Failure>;

struct Hook {
    execute: Executor,
    next: pg_sys::ProcessUtility_hook_type,
}

static HOOK: OnceLock<Hook> = OnceLock::new();

/// Has every command shown to `execute` first. Once, from `_PG_init`.
pub fn install(execute: Executor) {
    // SAFETY: the hook variable is read and written by the backend's one thread, at load time.
    unsafe {
        let hook = Hook { execute, next: pg_sys::ProcessUtility_hook };
        if HOOK.set(hook).is_ok() {
            pg_sys::ProcessUtility_hook = Some(process_utility);
        }
    }
}

mod bare {
    use super::{c_char, pg_sys};
    // SAFETY: tcop/utility.h, the same in PostgreSQL 15 to 18.
    unsafe extern "C-unwind" {
        pub fn standard_ProcessUtility(
            statement: *mut pg_sys::PlannedStmt,
            text: *const c_char,
            read_only_tree: bool,
            context: pg_sys::ProcessUtilityContext::Type,
            params: pg_sys::ParamListInfo,
            environment: *mut pg_sys::QueryEnvironment,
            dest: *mut pg_sys::DestReceiver,
            completion: *mut pg_sys::QueryCompletion,
        );
    }
}

#[allow(clippy::too_many_arguments)]
unsafe extern "C-unwind" fn process_utility(
    statement: *mut pg_sys::PlannedStmt,
    text: *const c_char,
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    params: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    dest: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: PostgreSQL calls the hook as it would call standard_ProcessUtility; this frame owns nothing.
    unsafe {
        let mut statement = statement;
        let mut next = None;
        let mut then = None;
        if let Some(hook) = HOOK.get() {
            next = hook.next;
            let command = Command { statement, text, environment, completion };
            match guard::entry(|| (hook.execute)(command)) {
                Rest::Nothing => return,
                Rest::Execute(other) => statement = other,
                Rest::ExecuteThen(other, function) => {
                    statement = other;
                    then = Some(function);
                }
            }
        }
        let run = next.unwrap_or(bare::standard_ProcessUtility);
        if let Some(function) = then {
            guard::entry(|| {
                let mut at_end = Then(Some(function));
                pg_sys::ffi::pg_guard_ffi_boundary(|| {
                    run(
                        statement,
                        text,
                        read_only_tree,
                        context,
                        params,
                        environment,
                        dest,
                        completion,
                    )
                });
                at_end.0 = None;
                function(true)
            });
            return;
        }
        run(statement, text, read_only_tree, context, params, environment, dest, completion);
    }
}

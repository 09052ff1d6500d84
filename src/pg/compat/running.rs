//! The executor's run hook, whose arguments changed with 18.

use crate::error::Failure;
use crate::pg::{guard, node};
use pgrx::pg_sys;
use pgrx::pg_sys::ScanDirection::{ForwardScanDirection, Type as Direction};
use std::sync::OnceLock;

/// Looks at a statement of which all rows are about to be asked for, and whose plan begins with a foreign scan.
pub type BeforeRun = unsafe fn(query: *mut pg_sys::QueryDesc) -> Result<(), Failure>;

struct Hooks {
    before_run: BeforeRun,
    next: pg_sys::ExecutorRun_hook_type,
}

static HOOKS: OnceLock<Hooks> = OnceLock::new();

/// Has `before_run` called. Once, from `_PG_init`.
pub fn install_run(before_run: BeforeRun) {
    // SAFETY: the hook variable is read and written by the backend's one thread, at load time.
    unsafe {
        let hooks = Hooks { before_run, next: pg_sys::ExecutorRun_hook };
        if HOOKS.set(hooks).is_ok() {
            pg_sys::ExecutorRun_hook = Some(executor_run);
        }
    }
}

macro_rules! executor_run {
    ($($once:ident: $bool:ty)?) => {
        mod bare {
            use pgrx::pg_sys;
            // SAFETY: the signatures of executor/executor.h.
            unsafe extern "C-unwind" {
                pub fn standard_ExecutorRun(
                    query: *mut pg_sys::QueryDesc,
                    direction: pg_sys::ScanDirection::Type,
                    count: u64,
                    $($once: $bool)?
                );
            }
        }

        unsafe extern "C-unwind" fn executor_run(
            query: *mut pg_sys::QueryDesc,
            direction: Direction,
            count: u64,
            $($once: $bool)?
        ) {
            // SAFETY: PostgreSQL's arguments are handed on; this frame owns nothing.
            unsafe {
                let hooks = HOOKS.get();
                let top = (*query).planstate;
                // No row limit is 0. Most statements end here.
                if let Some(hooks) = hooks
                    && direction == ForwardScanDirection
                    && count == 0
                    && !top.is_null()
                    && node::is_a(top, pg_sys::NodeTag::T_ForeignScanState)
                {
                    guard::entry(|| (hooks.before_run)(query));
                }
                match hooks.and_then(|hooks| hooks.next) {
                    Some(next) => next(query, direction, count, $($once)?),
                    None => bare::standard_ExecutorRun(query, direction, count, $($once)?),
                }
            }
        }
    };
}

#[cfg(not(feature = "pg18"))]
executor_run!(once: bool);
#[cfg(feature = "pg18")]
executor_run!();

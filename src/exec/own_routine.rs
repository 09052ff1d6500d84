//! Whether a foreign table's callbacks are ours. (Who they are is known one layer up.)

use pgrx::pg_sys;
use std::sync::OnceLock;

/// Whether callbacks are ours.
pub type IsOwn = fn(&pg_sys::FdwRoutine) -> bool;

static IS_OWN: OnceLock<IsOwn> = OnceLock::new();

/// Once, from `_PG_init`; false if it was set before.
pub fn set(test: IsOwn) -> bool {
    IS_OWN.set(test).is_ok()
}

/// Whether these are ours.
pub(super) fn is_own(routine: &pg_sys::FdwRoutine) -> bool {
    IS_OWN.get().is_some_and(|test| test(routine))
}

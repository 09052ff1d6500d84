//! Writing to EXPLAIN's output in any of its formats.

use super::text;
use pgrx::pg_sys;

/// EXPLAIN's output while one of our nodes is shown.
#[derive(Clone, Copy)]
pub struct Explainer(*mut pg_sys::ExplainState);

impl Explainer {
    /// Wraps PostgreSQL's state.
    ///
    /// # Safety
    /// `state` is valid for the duration of the callback.
    pub unsafe fn new(state: *mut pg_sys::ExplainState) -> Explainer {
        Explainer(state)
    }

    /// EXPLAIN (VERBOSE).
    pub fn verbose(self) -> bool {
        // SAFETY: valid by construction.
        unsafe { (*self.0).verbose }
    }

    /// EXPLAIN (ANALYZE).
    pub fn analyze(self) -> bool {
        // SAFETY: valid by construction.
        unsafe { (*self.0).analyze }
    }

    /// Adds `label: value`.
    pub fn text(self, label: &std::ffi::CStr, value: &str) {
        // SAFETY: the strings are copied into the output.
        unsafe {
            pg_sys::ExplainPropertyText(label.as_ptr(), text::to_server(value), self.0);
        }
    }

    /// Adds `label: value`.
    pub fn integer(self, label: &std::ffi::CStr, value: i64) {
        // SAFETY: as above; no unit.
        unsafe {
            pg_sys::ExplainPropertyInteger(label.as_ptr(), std::ptr::null(), value, self.0);
        }
    }
}

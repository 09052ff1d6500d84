//! Places where a test can stop the process, to kill it there or to cut its connections.
//!
//! `shard_fdw.debug_fault = 'name'` (superusers only) makes the backend stop itself (SIGSTOP) at the point of
//! that name, as if the machine had frozen; whoever watches the process goes on from there.

use crate::pg::ffi;
use crate::settings;

/// Stops the process here if the setting says so.
pub fn point(name: &str) {
    if settings::debug_fault().is_some_and(|wanted| wanted.as_bytes() == name.as_bytes()) {
        ffi::stop_process();
    }
}

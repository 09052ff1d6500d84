//! File descriptors of ours in the server's books, and who the server process is.

use pgrx::pg_sys;

/// One file descriptor that fd.c knows of, so that the server's own virtual files leave room for it. Given back
/// when dropped.
pub struct ExternalFd(());

impl ExternalFd {
    /// Asks for one; `None` when too many external descriptors are open already.
    pub fn acquire() -> Option<ExternalFd> {
        // SAFETY: counts and perhaps closes a virtual file; does not raise.
        unsafe { pg_sys::AcquireExternalFD() }.then_some(ExternalFd(()))
    }
}

impl Drop for ExternalFd {
    fn drop(&mut self) {
        // SAFETY: decrements a counter; cannot raise.
        unsafe { pg_sys::ReleaseExternalFD() }
    }
}

/// The operating system's name of the user that the server runs as: whom libpq connects as by default.
pub fn os_user() -> Option<String> {
    let mut buffer = [0u8; 4096];
    let mut found = std::ptr::null_mut();
    // SAFETY: a zeroed passwd is valid, the buffer outlives it, and `found` is NULL or points to `entry`, whose
    // name is NUL-terminated in the buffer.
    unsafe {
        let mut entry: libc::passwd = std::mem::zeroed();
        libc::getpwuid_r(
            libc::geteuid(),
            &raw mut entry,
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            &raw mut found,
        );
        if found.is_null() {
            return None;
        }
        std::ffi::CStr::from_ptr(entry.pw_name).to_str().ok().map(str::to_owned)
    }
}

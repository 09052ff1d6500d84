//! Version differences of the connection to the client.

/// Whether something the client has sent waits to be read.
pub fn client_has_sent() -> bool {
    // SAFETY: signatures as in libpq/libpq.h; they look at two counters.
    unsafe extern "C-unwind" {
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        #[link_name = "pq_buffer_has_data"]
        safe fn buffered() -> bool;
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        #[link_name = "pq_buffer_remaining_data"]
        safe fn buffered() -> isize;
    }
    buffered() as isize > 0
}

/// Whether a client's SCRAM keys can be had at all.
pub const KEEPS_SCRAM_KEYS: bool = cfg!(feature = "pg18");

/// ClientKey and ServerKey of the client's log-in at this server, when it was one by SCRAM. (Not in parallel workers
/// and background workers: they have no client.)
pub fn scram_keys() -> Option<([u8; 32], [u8; 32])> {
    #[cfg(not(feature = "pg18"))]
    {
        None
    }
    #[cfg(feature = "pg18")]
    {
        use std::ffi::{c_char, c_int, c_void};

        #[repr(C)]
        struct Address {
            address: libc::sockaddr_storage,
            length: libc::socklen_t,
        }

        /// The beginning of 18's struct Port, which pgrx does not describe. Nothing up to here depends on how the server
        /// was configured, "for extension ABI compatibility" as libpq-be.h says.
        #[repr(C)]
        struct Port {
            sock: c_int,
            noblock: bool,
            proto: u32,
            addresses: [Address; 2],
            remote_host: *mut c_char,
            remote_hostname: *mut c_char,
            remote_hostname_results: [c_int; 2],
            remote_port: *mut c_char,
            local_host: [c_char; 64],
            startup_packet: [*mut c_void; 5],
            hba: *mut c_void,
            keepalives: [c_int; 8],
            client_key: [u8; 32],
            server_key: [u8; 32],
            has_keys: u8,
        }

        // SAFETY: the port is the process's own and outlives the session; see above for its layout. Every bit pattern
        // of the fields that are read is valid.
        unsafe {
            let port = pgrx::pg_sys::MyProcPort.cast::<Port>();
            if port.is_null() || (*port).has_keys != 1 {
                return None;
            }
            Some(((*port).client_key, (*port).server_key))
        }
    }
}

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

//! What the client has sent beyond the message that is being worked on.

use super::compat;
use pgrx::pg_sys;

// SAFETY: signatures as in libpq/libpq.h, the same in PostgreSQL 15 to 18.
unsafe extern "C-unwind" {
    fn pq_startmsgread();
    fn pq_peekbyte() -> i32;
    fn pq_endmsgread();
}

/// Whether the client's next message is here already and is Sync: nothing can join the running transaction any more.
///
/// # Safety
/// To be called while a statement of the client's is executed, not while a message is being read.
pub unsafe fn sync_is_next() -> bool {
    // SAFETY: as the caller vouches, no message is being read. With something in the buffer nothing is waited for, and
    // nothing is taken out.
    unsafe {
        if pg_sys::whereToSendOutput != pg_sys::CommandDest::DestRemote
            || !compat::client_has_sent()
        {
            return false;
        }
        pq_startmsgread();
        let next = pq_peekbyte();
        pq_endmsgread();
        next == i32::from(b'S')
    }
}

//! The connection to the client: what it has sent beyond the message that is being worked on, and rows for it.

use super::compat;
use pgrx::pg_sys;
use std::cell::Cell;

// SAFETY: signatures as in libpq/libpq.h, the same in PostgreSQL 15 to 18.
unsafe extern "C-unwind" {
    fn pq_startmsgread();
    fn pq_peekbyte() -> i32;
    fn pq_endmsgread();
    // libpq/pqformat.h: sends a message whose type is in the buffer's cursor; only reads the buffer.
    fn pq_endmessage_reuse(buffer: *mut pg_sys::StringInfoData);
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

type ReceiveSlot =
    unsafe extern "C-unwind" fn(*mut pg_sys::TupleTableSlot, *mut pg_sys::DestReceiver) -> bool;

/// Whether what is given to `receiver` goes to the client and nowhere else.
///
/// # Safety
/// `receiver` is valid or NULL.
pub unsafe fn is_client(receiver: *mut pg_sys::DestReceiver) -> bool {
    const CLIENT: [pg_sys::CommandDest::Type; 2] =
        [pg_sys::CommandDest::DestRemote, pg_sys::CommandDest::DestRemoteExecute];
    thread_local! {
        static PRINTTUP: Cell<Option<ReceiveSlot>> = const { Cell::new(None) };
    }
    // SAFETY: as the caller vouches; a receiver of PostgreSQL's own is made and given back to look at its function.
    unsafe {
        if receiver.is_null()
            || !CLIENT.contains(&(*receiver).mydest)
            || pg_sys::whereToSendOutput != CLIENT[0]
        {
            return false;
        }
        if PRINTTUP.get().is_none() {
            let own = pg_sys::CreateDestReceiver(CLIENT[0]);
            PRINTTUP.set((*own).receiveSlot);
            pg_sys::pfree(own.cast());
        }
        match ((*receiver).receiveSlot, PRINTTUP.get()) {
            (Some(function), Some(own)) => std::ptr::fn_addr_eq(function, own),
            _ => false,
        }
    }
}

/// Sends DataRow messages with the bodies `rows` to the client. How many: not all when there is an interrupt to be
/// looked at, but at least one.
///
/// # Safety
/// To be called while the rows of a statement are sent to the client, which has been told of their columns.
pub unsafe fn put_rows(rows: &[&[u8]]) -> usize {
    // SAFETY: as the caller vouches; the closure owns nothing and cannot panic, the buffer is only read.
    unsafe {
        pg_sys::ffi::pg_guard_ffi_boundary(|| {
            let mut put = 0;
            for row in rows {
                let mut message = pg_sys::StringInfoData {
                    data: row.as_ptr().cast_mut().cast(),
                    len: row.len() as i32,
                    maxlen: row.len() as i32,
                    cursor: i32::from(b'D'),
                };
                pq_endmessage_reuse(&raw mut message);
                put += 1;
                if (&raw const pg_sys::InterruptPending).read_volatile() != 0 {
                    break;
                }
            }
            put
        })
    }
}

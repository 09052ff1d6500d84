//! Version differences of waiting for sockets.

use pgrx::pg_sys;

/// A WaitEventSet that lives as long as the backend.
///
/// # Safety
/// To be called on PostgreSQL's thread.
pub unsafe fn create_wait_event_set(events: i32) -> *mut pg_sys::WaitEventSet {
    // SAFETY: TopMemoryContext lives as long as the backend; from 17 on the owner is a ResourceOwner, and NULL
    // means that nobody frees the set.
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    unsafe {
        pg_sys::CreateWaitEventSet(pg_sys::TopMemoryContext, events)
    }
    // SAFETY: as above.
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    unsafe {
        pg_sys::CreateWaitEventSet(std::ptr::null_mut(), events)
    }
}

/// The wait event shown in pg_stat_activity while a shard is waited for: `Extension` up to 16, our own name
/// from 17 on.
pub fn wait_event() -> u32 {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    {
        pg_sys::PG_WAIT_EXTENSION
    }
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    {
        thread_local! {
            static EVENT: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
        }
        EVENT.with(|event| {
            if event.get() == 0 {
                // SAFETY: the name is a static C string.
                event.set(unsafe { pg_sys::WaitEventExtensionNew(c"ShardFdwWait".as_ptr()) });
            }
            event.get()
        })
    }
}

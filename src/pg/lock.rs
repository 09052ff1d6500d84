//! Advisory locks of the extension's own: they live in the lock table beside those of `pg_advisory_lock`, in
//! classes that no SQL function reaches.

use pgrx::pg_sys;

/// What a lock stands for. The numbers are the lock tag's fourth field; SQL's advisory locks use 1 and 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// A backend is carrying out the two-phase transaction with this nonce.
    TwoPhase = 0x5301,
    /// A resolver works in this database.
    Resolver = 0x5302,
}

/// Takes the lock until the transaction ends, unless somebody else has it.
pub fn try_lock(class: Class, key: u64) -> bool {
    acquire(class, key, false)
}

/// Takes the lock until [`unlock_session`] or the end of the process, unless somebody else has it.
pub fn try_lock_session(class: Class, key: u64) -> bool {
    acquire(class, key, true)
}

/// Gives back a lock taken by [`try_lock`].
pub fn unlock(class: Class, key: u64) {
    // SAFETY: the lock is held by this transaction; otherwise PostgreSQL warns and does nothing.
    unsafe { pg_sys::LockRelease(&tag(class, key), MODE, false) };
}

/// Gives back a lock taken by [`try_lock_session`].
pub fn unlock_session(class: Class, key: u64) {
    // SAFETY: as in `unlock`.
    unsafe { pg_sys::LockRelease(&tag(class, key), MODE, true) };
}

const MODE: pg_sys::LOCKMODE = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;

fn acquire(class: Class, key: u64, session: bool) -> bool {
    let tag = tag(class, key);
    // SAFETY: the tag is copied into the lock table.
    let result = unsafe { pg_sys::LockAcquire(&raw const tag, MODE, session, true) };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

fn tag(class: Class, key: u64) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: reads a backend global.
        locktag_field1: u32::from(unsafe { pg_sys::MyDatabaseId }),
        locktag_field2: (key >> 32) as u32,
        locktag_field3: key as u32,
        locktag_field4: class as u16,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}

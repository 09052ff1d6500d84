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
    /// A backend has waited long for a shard; the key is random.
    Waiting = 0x5303,
    /// The process `key & 0xffffffff` of the foreign server `key >> 32` works for the holder's transaction.
    Owner = 0x5304,
    /// The wait with this key is to be broken off, to end a deadlock.
    Victim = 0x5305,
    /// A detector of deadlocks works in this database.
    Detector = 0x5306,
}

/// Where the classes of notes begin: two for each number, see [`note`].
const FIRST_NOTE: u16 = 0x5400;

/// Takes the lock until the transaction ends, unless somebody else has it.
pub fn try_lock(class: Class, key: u64) -> bool {
    acquire(tag(class as u16, key), false)
}

/// Takes the lock until [`unlock_session`] or the end of the process, unless somebody else has it.
pub fn try_lock_session(class: Class, key: u64) -> bool {
    acquire(tag(class as u16, key), true)
}

/// Takes a lock that others may have, too, until the transaction (not a subtransaction) ends.
pub fn share_in_transaction(class: Class, key: u64) {
    let tag = tag(class as u16, key);
    let mode = pg_sys::ShareLock as pg_sys::LOCKMODE;
    // SAFETY: inside a transaction. Should taking the lock raise (the lock table is full), the transaction
    // aborts, which sets the resource owner anew.
    unsafe {
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::CurrentResourceOwner = pg_sys::TopTransactionResourceOwner;
        pg_sys::LockAcquire(&raw const tag, mode, false, true);
        pg_sys::CurrentResourceOwner = owner;
    }
}

/// Leaves a note in the lock table until the transaction ends: the `number`th of a few, with a flag and a key.
pub fn note(number: u16, flag: bool, key: u64) {
    acquire(tag(FIRST_NOTE + 2 * number + u16::from(flag), key), false);
}

/// The flag of a note, by its class.
pub fn note_flag(class: u16) -> bool {
    class & 1 == 1
}

/// Gives back a lock taken by [`try_lock`].
pub fn unlock(class: Class, key: u64) {
    // SAFETY: the lock is held by this transaction; otherwise PostgreSQL warns and does nothing.
    unsafe { pg_sys::LockRelease(&tag(class as u16, key), MODE, false) };
}

/// Gives back a lock taken by [`try_lock_session`].
pub fn unlock_session(class: Class, key: u64) {
    // SAFETY: as in `unlock`.
    unsafe { pg_sys::LockRelease(&tag(class as u16, key), MODE, true) };
}

const MODE: pg_sys::LOCKMODE = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;

fn acquire(tag: pg_sys::LOCKTAG, session: bool) -> bool {
    // SAFETY: the tag is copied into the lock table.
    let result = unsafe { pg_sys::LockAcquire(&raw const tag, MODE, session, true) };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

fn tag(class: u16, key: u64) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: reads a backend global.
        locktag_field1: u32::from(unsafe { pg_sys::MyDatabaseId }),
        locktag_field2: (key >> 32) as u32,
        locktag_field3: key as u32,
        locktag_field4: class,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}

//! Telling caches that catalogs have changed.
//!
//! PostgreSQL has few slots for invalidation callbacks (64 for syscaches, 10 for the relcache) and calls them at
//! any catalog access, also in the middle of an abort: a listener only marks or drops what it has cached, never
//! waits, raises or calls into PostgreSQL. One C callback a cache serves all listeners.

use pgrx::pg_sys;
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Called with the hash value of the changed entry's key ([`hash_of`]); 0 = any may have changed.
pub type OnSyscache = fn(hash: u32);
/// Called with the OID of the changed relation; `InvalidOid` = any may have changed.
pub type OnRelcache = fn(relid: pg_sys::Oid);

#[derive(Default)]
struct Listeners {
    syscache: Vec<(i32, OnSyscache)>,
    relcache: Vec<OnRelcache>,
}

thread_local! {
    // Never dropped: callbacks may come until the process is gone.
    static LISTENERS: ManuallyDrop<RefCell<Listeners>> =
        ManuallyDrop::new(RefCell::new(Listeners::default()));
}

/// From now on `listener` is called when entries of the syscache `cache`
/// (`pg_sys::SysCacheIdentifier::...`) change.
pub fn on_syscache(cache: pg_sys::SysCacheIdentifier::Type, listener: OnSyscache) {
    let cache = cache as i32;
    let first = LISTENERS.with(|cell| {
        let mut listeners = cell.borrow_mut();
        let first = listeners.syscache.iter().all(|(known, _)| *known != cache);
        listeners.syscache.push((cache, listener));
        first
    });
    if first {
        // SAFETY: the callback is a static function that lives as long as the library, which is never unloaded.
        unsafe {
            pg_sys::CacheRegisterSyscacheCallback(
                cache,
                Some(syscache_changed),
                pg_sys::Datum::from(0usize),
            )
        }
    }
}

/// From now on `listener` is called when a relation changes.
pub fn on_relcache(listener: OnRelcache) {
    let first = LISTENERS.with(|cell| {
        let mut listeners = cell.borrow_mut();
        listeners.relcache.push(listener);
        listeners.relcache.len() == 1
    });
    if first {
        // SAFETY: as above.
        unsafe {
            pg_sys::CacheRegisterRelcacheCallback(
                Some(relcache_changed),
                pg_sys::Datum::from(0usize),
            )
        }
    }
}

/// The hash value with which a change of the entry for `key` is announced.
pub fn hash_of(cache: pg_sys::SysCacheIdentifier::Type, key: pg_sys::Oid) -> u32 {
    let none = pg_sys::Datum::from(0usize);
    // SAFETY: the caches used with this function have one key, an OID.
    unsafe { pg_sys::GetSysCacheHashValue(cache as i32, key.into(), none, none, none) }
}

unsafe extern "C-unwind" fn syscache_changed(_: pg_sys::Datum, cache: i32, hash: u32) {
    tell(|| {
        LISTENERS.with(|cell| {
            for (_, listener) in cell.borrow().syscache.iter().filter(|(id, _)| *id == cache) {
                listener(hash);
            }
        });
    });
}

unsafe extern "C-unwind" fn relcache_changed(_: pg_sys::Datum, relid: pg_sys::Oid) {
    tell(|| {
        LISTENERS.with(|cell| {
            for listener in &cell.borrow().relcache {
                listener(relid);
            }
        });
    });
}

/// A panic in a listener must not reach PostgreSQL: invalidations come during aborts too.
fn tell(body: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(body));
}

/// Has every cached plan made anew before it is used again.
pub fn forget_plans() {
    // SAFETY: marks plans only.
    unsafe { pg_sys::ResetPlanCache() }
}

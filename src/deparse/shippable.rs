//! Does an object mean the same on the remote server? Yes when it is built in, or when it belongs to an extension
//! that the server's option `extensions` says is there too, in the same version.
//!
//! The extension that an object belongs to costs a scan of pg_depend, so it is kept per (class, object) until a server's
//! definition changes. The list of extensions itself is the caller's (`options::load`).

use pgrx::pg_sys::{self, Oid};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

thread_local! {
    /// The extension of each object, by its class and OID.
    static KNOWN: RefCell<HashMap<(Oid, Oid), Oid>> = RefCell::new(HashMap::new());
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// Whether the OID was given out by hand in PostgreSQL's sources: such objects are on every server. (Those that
/// initdb makes from 10000 on, such as information_schema's, are not sure to be the same.)
pub fn is_builtin(object: Oid) -> bool {
    object.to_u32() < pg_sys::FirstGenbkiObjectId
}

/// Whether `object` of catalog `class` may be named in SQL for servers that have `extensions`.
pub fn is_shippable(object: Oid, class: Oid, extensions: &[Oid]) -> bool {
    if is_builtin(object) {
        return true;
    }
    if extensions.is_empty() {
        return false;
    }
    register();
    let known = KNOWN.with(|known| known.borrow().get(&(class, object)).copied());
    let extension = known.unwrap_or_else(|| {
        // SAFETY: a catalog scan, made inside a transaction (planning).
        let extension = unsafe { pg_sys::getExtensionOfObject(class, object) };
        KNOWN.with(|known| known.borrow_mut().insert((class, object), extension));
        extension
    });
    extension != Oid::INVALID && extensions.contains(&extension)
}

/// Forgets everything when a server is altered. Once per backend.
fn register() {
    if REGISTERED.with(|done| done.replace(true)) {
        return;
    }
    // SAFETY: the callback lives as long as the library, which is never unloaded.
    unsafe {
        pg_sys::CacheRegisterSyscacheCallback(
            pg_sys::SysCacheIdentifier::FOREIGNSERVEROID as i32,
            Some(forget),
            pg_sys::Datum::null(),
        );
    }
}

/// Called from invalidation, possibly amid [`is_shippable`]'s catalog scan: no borrow is held there.
unsafe extern "C-unwind" fn forget(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    KNOWN.with(|known| {
        if let Ok(mut known) = known.try_borrow_mut() {
            known.clear();
        }
    });
}

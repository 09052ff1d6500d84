//! Opening and closing relations, safe under unwinding.

use pgrx::pg_sys;

/// An open relation; closed when dropped (its lock, if one was taken, is kept to the end of the transaction, as
/// `table_close(rel, NoLock)` does). After an ERROR the resource owner closes it.
pub struct Relation(pg_sys::Relation);

impl Relation {
    /// Opens `relid`, taking `lock` (`NoLock` when the caller knows it is held).
    pub fn open(relid: pg_sys::Oid, lock: pg_sys::LOCKMODE) -> Relation {
        // SAFETY: table_open raises when there is no such relation and returns a referenced one otherwise.
        Relation(unsafe { pg_sys::table_open(relid, lock) })
    }

    /// Takes over a relation that was opened otherwise.
    ///
    /// # Safety
    /// The relation is open and nobody else closes it.
    pub unsafe fn over(opened: pg_sys::Relation) -> Relation {
        Relation(opened)
    }

    /// PostgreSQL's pointer, valid as long as this value.
    pub fn raw(&self) -> pg_sys::Relation {
        self.0
    }

    /// Its row type.
    pub fn descriptor(&self) -> pg_sys::TupleDesc {
        // SAFETY: an open relation has a valid descriptor.
        unsafe { (*self.0).rd_att }
    }

    /// Its OID.
    pub fn oid(&self) -> pg_sys::Oid {
        // SAFETY: an open relation is readable.
        unsafe { (*self.0).rd_id }
    }
}

impl Drop for Relation {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: opened by `open` and closed once. While unwinding the resource owner does it, because
            // this call could raise.
            unsafe { pg_sys::table_close(self.0, pg_sys::NoLock as i32) }
        }
    }
}

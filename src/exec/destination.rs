//! The foreign table that rows are written to.

use crate::pg::compat;
use pgrx::pg_sys;

/// What is written to, and for whom.
pub struct Destination {
    /// The statement.
    pub estate: *mut pg_sys::EState,
    /// The foreign table, open and locked.
    pub relation: pg_sys::Relation,
    /// The user whose mapping is used.
    pub user: pg_sys::Oid,
}

impl Destination {
    /// The foreign table that `result` is.
    ///
    /// # Safety
    /// `result` is an initialised result relation of `estate`.
    pub unsafe fn of(
        estate: *mut pg_sys::EState,
        result: *mut pg_sys::ResultRelInfo,
    ) -> Destination {
        // SAFETY: as the caller vouches.
        unsafe {
            let relation = (*result).ri_RelationDesc;
            Destination { estate, relation, user: compat::result_user(result, estate) }
        }
    }
}

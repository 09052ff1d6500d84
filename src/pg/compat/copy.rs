//! Differences between versions that COPY's checks of privileges meet.

use pgrx::pg_sys;

/// Raises PostgreSQL's error unless the current user may insert these columns (numbered as permissions are) into the
/// relation of `item`, the only one of `pstate`.
///
/// # Safety
/// Both are valid.
pub unsafe fn check_insert(
    pstate: *mut pg_sys::ParseState,
    item: *mut pg_sys::ParseNamespaceItem,
    columns: *mut pg_sys::Bitmapset,
) {
    // SAFETY: as the caller vouches.
    unsafe {
        #[cfg(feature = "pg15")]
        {
            (*(*item).p_rte).requiredPerms = pg_sys::ACL_INSERT as pg_sys::AclMode;
            (*(*item).p_rte).insertedCols = columns;
            pg_sys::ExecCheckRTPerms((*pstate).p_rtable, true);
        }
        #[cfg(not(feature = "pg15"))]
        {
            (*(*item).p_perminfo).requiredPerms = pg_sys::ACL_INSERT as pg_sys::AclMode;
            (*(*item).p_perminfo).insertedCols = columns;
            pg_sys::ExecCheckPermissions((*pstate).p_rtable, (*pstate).p_rteperminfos, true);
        }
    }
}

/// Makes the range-table entry that of another relation, a foreign table.
///
/// # Safety
/// The item is valid, the relation locked; privileges have been checked.
pub unsafe fn retarget(item: *mut pg_sys::ParseNamespaceItem, relation: pg_sys::Oid) {
    // SAFETY: as the caller vouches.
    unsafe {
        (*(*item).p_rte).relid = relation;
        (*(*item).p_rte).relkind = pg_sys::RELKIND_FOREIGN_TABLE as _;
        #[cfg(not(feature = "pg15"))]
        {
            (*(*item).p_perminfo).relid = relation;
        }
    }
}

//! Every difference between PostgreSQL 15, 16, 17 and 18 that the extension meets.

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

/// Attribute `index` (from 0) of a row type.
///
/// # Safety
/// `descriptor` is valid and has more than `index` attributes.
pub unsafe fn attribute(
    descriptor: pg_sys::TupleDesc,
    index: usize,
) -> *mut pg_sys::FormData_pg_attribute {
    // SAFETY: the caller vouches for the index.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        {
            (*descriptor).attrs.as_mut_ptr().add(index)
        }
        #[cfg(feature = "pg18")]
        {
            pg_sys::TupleDescAttr(descriptor, index as i32)
        }
    }
}

/// The operator that sorts values of `type_oid` as the path key says; `InvalidOid` if its family has none.
///
/// # Safety
/// `pathkey` is valid planner data.
pub unsafe fn sort_operator(pathkey: &pg_sys::PathKey, type_oid: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: a catalog look-up.
    #[cfg(not(feature = "pg18"))]
    unsafe {
        let strategy = pathkey.pk_strategy as i16;
        pg_sys::get_opfamily_member(pathkey.pk_opfamily, type_oid, type_oid, strategy)
    }
    // SAFETY: as above.
    #[cfg(feature = "pg18")]
    unsafe {
        let order = pathkey.pk_cmptype;
        pg_sys::get_opfamily_member_for_cmptype(pathkey.pk_opfamily, type_oid, type_oid, order)
    }
}

/// Whether `user` has USAGE on a foreign server.
pub fn may_use_server(server: pg_sys::Oid, user: pg_sys::Oid) -> bool {
    let mode = pg_sys::ACL_USAGE as pg_sys::AclMode;
    // SAFETY: catalog look-ups.
    #[cfg(feature = "pg15")]
    let result = unsafe { pg_sys::pg_foreign_server_aclcheck(server, user, mode) };
    // SAFETY: as above.
    #[cfg(not(feature = "pg15"))]
    let result =
        unsafe { pg_sys::object_aclcheck(pg_sys::ForeignServerRelationId, server, user, mode) };
    result == pg_sys::AclResult::ACLCHECK_OK
}

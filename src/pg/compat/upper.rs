//! Differences in the planning of DISTINCT, window functions, grouping sets and sort orders.

use pgrx::pg_sys;

/// DISTINCT as the planner uses it: from 16 on without redundant columns.
///
/// # Safety
/// `root` is a planner's root.
pub unsafe fn distinct_clause(root: *mut pg_sys::PlannerInfo) -> *mut pg_sys::List {
    // SAFETY: as the caller vouches.
    unsafe {
        #[cfg(feature = "pg15")]
        {
            (*(*root).parse).distinctClause
        }
        #[cfg(not(feature = "pg15"))]
        {
            (*root).processed_distinctClause
        }
    }
}

/// Whether a condition from above was made part of the window, as 15 and 16 note it.
///
/// # Safety
/// `window` is valid.
pub unsafe fn has_run_condition(window: *mut pg_sys::WindowClause) -> bool {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    // SAFETY: as the caller vouches.
    unsafe {
        !(*window).runCondition.is_null()
    }
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    {
        let _ = window;
        false
    }
}

/// The same, as it is noted from 17 on.
pub fn is_run_condition(call: &pg_sys::WindowFunc) -> bool {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    {
        let _ = call;
        false
    }
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    {
        !call.runCondition.is_null()
    }
}

/// The members of an equivalence class that may be of the relations: from 18 on those of child tables are in lists of
/// their own.
///
/// # Safety
/// Planner data.
pub unsafe fn equal_members(
    class: *mut pg_sys::EquivalenceClass,
    relids: pg_sys::Relids,
) -> Vec<*mut pg_sys::EquivalenceMember> {
    // SAFETY: as the caller vouches.
    #[cfg(not(feature = "pg18"))]
    unsafe {
        let _ = relids;
        crate::pg::node::list_vec((*class).ec_members)
    }
    // SAFETY: as above; the iterator is initialised by the first function.
    #[cfg(feature = "pg18")]
    unsafe {
        let mut iterator = pg_sys::EquivalenceMemberIterator::default();
        pg_sys::setup_eclass_member_iterator(&raw mut iterator, class, relids);
        std::iter::from_fn(|| {
            let member = pg_sys::eclass_member_iterator_next(&raw mut iterator);
            (!member.is_null()).then_some(member)
        })
        .collect()
    }
}

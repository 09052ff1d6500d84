//! What the functions that a statement calls may do.

use pgrx::pg_sys;
use pgrx::pg_sys::{NodeTag, Oid};
use std::ffi::c_void;

/// Whether the statement calls volatile functions of the users' own, which may look at data or change them. (Of those
/// that PostgreSQL brings along none does.)
///
/// # Safety
/// `root` is a planner's root of the statement being planned, and `glob` what all its roots share; sub-queries that
/// became plans of their own have been planned.
pub unsafe fn calls_volatile_of_users(
    glob: *mut pg_sys::PlannerGlobal,
    root: *mut pg_sys::PlannerInfo,
) -> bool {
    // SAFETY: as the caller vouches; the walker only looks.
    unsafe {
        let subroots = super::node::list::<pg_sys::PlannerInfo>((*glob).subroots);
        std::iter::once(root)
            .chain(subroots)
            .any(|root| !root.is_null() && walk((*root).parse.cast(), std::ptr::null_mut()))
    }
}

/// Tree walker: true when such a function is found.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn walk(found: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: nodes of a query, cast by their tags.
    unsafe {
        if found.is_null() {
            return false;
        }
        if pg_sys::check_functions_in_node(found, Some(is_volatile_of_users), context) {
            return true;
        }
        if super::node::is_a(found, NodeTag::T_Query) {
            return pg_sys::query_tree_walker(found.cast(), Some(walk), context, 0);
        }
        pg_sys::expression_tree_walker(found, Some(walk), context)
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn is_volatile_of_users(function: Oid, _context: *mut c_void) -> bool {
    // SAFETY: a look-up in the catalogs.
    function.to_u32() >= pg_sys::FirstNormalObjectId
        && unsafe { pg_sys::func_volatile(function) as u8 == pg_sys::PROVOLATILE_VOLATILE }
}

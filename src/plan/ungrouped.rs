//! Columns that stand in a grouped query without being grouped by: PostgreSQL lets them if a primary key of their table is.
//! A shard need not have such a key.

use crate::pg::node;
use pgrx::pg_sys;
use std::ffi::c_void;

/// Whether the expression has columns of this query that are neither in `groups` nor aggregated.
///
/// # Safety
/// Valid expressions of the query being planned.
pub(super) unsafe fn has(expr: *mut pg_sys::Node, groups: &[*mut pg_sys::Expr]) -> bool {
    struct Groups<'a>(&'a [*mut pg_sys::Expr]);

    #[pgrx::pg_guard]
    unsafe extern "C-unwind" fn walk(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
        // SAFETY: `context` is the value below; nodes are valid or NULL.
        unsafe {
            let Groups(groups) = &*context.cast::<Groups<'_>>();
            if node.is_null() || groups.iter().any(|&own| pg_sys::equal(own.cast(), node.cast())) {
                return false;
            }
            match node::tag(node) {
                pg_sys::NodeTag::T_Aggref | pg_sys::NodeTag::T_GroupingFunc => false,
                pg_sys::NodeTag::T_Var => true,
                _ => pg_sys::expression_tree_walker(node, Some(walk), context),
            }
        }
    }

    let mut groups = Groups(groups);
    // SAFETY: the caller hands a valid expression.
    unsafe { walk(expr, (&raw mut groups).cast()) }
}

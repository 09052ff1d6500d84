//! Differences in the planning of DISTINCT, window functions and grouping sets.

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

/// Whether columns of grouping sets look like those of the table: from 18 on they belong to a relation of their own.
pub fn can_ship_grouping_sets() -> bool {
    cfg!(not(feature = "pg18"))
}

//! MERGE in a query tree: PostgreSQL 17 moved its condition and counts three kinds of WHEN.

use pgrx::pg_sys;
use pgrx::pg_sys::{List, Node, Oid, Query, RangeTblEntry};

/// When an action is carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, dead_code)]
pub enum When {
    Matched,
    NotMatched,
    NotMatchedBySource,
}

/// When the action is carried out.
pub fn when(action: &pg_sys::MergeAction) -> When {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    {
        if action.matched { When::Matched } else { When::NotMatched }
    }
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    {
        use pg_sys::MergeMatchKind::{MERGE_WHEN_MATCHED, MERGE_WHEN_NOT_MATCHED_BY_TARGET};
        match action.matchKind {
            MERGE_WHEN_MATCHED => When::Matched,
            MERGE_WHEN_NOT_MATCHED_BY_TARGET => When::NotMatched,
            _ => When::NotMatchedBySource,
        }
    }
}

/// ON.
///
/// # Safety
/// The query is a MERGE.
pub unsafe fn condition(query: *mut Query) -> *mut Node {
    // SAFETY: as the caller vouches.
    unsafe {
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        {
            (*(*query).jointree).quals
        }
        #[cfg(not(any(feature = "pg15", feature = "pg16")))]
        {
            (*query).mergeJoinCondition
        }
    }
}

/// Leaves the query no actions, and no rows to carry them out for.
///
/// # Safety
/// The query is a MERGE and ours to change; `source` is the only item of its FROM from now on.
pub unsafe fn make_idle(query: *mut Query, source: *mut Node) {
    // SAFETY: as the caller vouches; makes nodes.
    unsafe {
        let never = pg_sys::makeBoolConst(false, false);
        (*(*query).jointree).fromlist = pg_sys::lappend(std::ptr::null_mut(), source.cast());
        (*query).mergeActionList = std::ptr::null_mut();
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        {
            (*(*query).jointree).quals = never;
            (*query).mergeUseOuterJoin = false;
        }
        #[cfg(not(any(feature = "pg15", feature = "pg16")))]
        {
            (*query).mergeJoinCondition = never;
        }
    }
}

/// Says which tables a foreign scan that stands for a join is over.
///
/// # Safety
/// `scan` is a plan node being made, `rtis` are of its query's range table.
pub unsafe fn set_tables(scan: *mut pg_sys::ForeignScan, rtis: &[u32]) {
    // SAFETY: as the caller vouches.
    unsafe {
        for &rti in rtis {
            (*scan).fs_relids = pg_sys::bms_add_member((*scan).fs_relids, rti as i32);
        }
        #[cfg(not(feature = "pg15"))]
        {
            (*scan).fs_base_relids = pg_sys::bms_copy((*scan).fs_relids);
        }
    }
}

/// Takes the tables of a query inside into that of `query`, behind its own. Nothing else refers to `inner` any more.
///
/// # Safety
/// Both queries are valid, and ours to change.
pub unsafe fn take_tables(query: *mut Query, inner: *mut Query) {
    // SAFETY: as the caller vouches.
    unsafe {
        #[cfg(feature = "pg15")]
        {
            (*query).rtable = pg_sys::list_concat((*query).rtable, (*inner).rtable);
        }
        #[cfg(not(feature = "pg15"))]
        pg_sys::CombineRangeTables(
            &raw mut (*query).rtable,
            &raw mut (*query).rteperminfos,
            (*inner).rtable,
            (*inner).rteperminfos,
        );
    }
}

/// The role whose rights count for a table of the query; InvalidOid for the current user.
///
/// # Safety
/// The entry is one of the query's tables.
pub unsafe fn acts_as(query: *mut Query, entry: *mut RangeTblEntry) -> Oid {
    // SAFETY: as the caller vouches.
    unsafe {
        #[cfg(feature = "pg15")]
        {
            let _ = query;
            (*entry).checkAsUser
        }
        #[cfg(not(feature = "pg15"))]
        {
            (*pg_sys::getRTEPermissionInfo((*query).rteperminfos, entry)).checkAsUser
        }
    }
}

/// The expression with the columns of table `rti` replaced by the target list's.
///
/// # Safety
/// All arguments are valid nodes of the query; `targets` has an entry for each column that is named.
pub unsafe fn replace_columns(
    expr: *mut Node,
    rti: i32,
    entry: *mut RangeTblEntry,
    targets: *mut List,
    result: i32,
) -> *mut Node {
    let report = pg_sys::ReplaceVarsNoMatchOption::REPLACEVARS_REPORT_ERROR;
    let mut links = false;
    #[cfg(not(feature = "pg18"))]
    let _ = result;
    // SAFETY: as the caller vouches.
    unsafe {
        pg_sys::ReplaceVarsFromTargetList(
            expr,
            rti,
            0,
            entry,
            targets,
            #[cfg(feature = "pg18")]
            result,
            report,
            0,
            &raw mut links,
        )
    }
}

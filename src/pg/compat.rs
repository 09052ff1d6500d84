//! Every difference between PostgreSQL 15, 16, 17 and 18 that the extension meets.

mod client;
pub mod copy;
pub mod merging;
mod running;
pub mod triggers;
pub mod upper;
mod waiting;
mod windows;

pub use client::{KEEPS_SCRAM_KEYS, client_has_sent, scram_keys};
pub use running::install_run;
pub use waiting::{create_wait_event_set, wait_event};
pub use windows::show_windows;

use pgrx::pg_sys;

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

/// Whether attribute `index` of an open relation is declared NOT NULL, for all its rows: from 18 on it may be so for
/// new rows only (NOT VALID).
///
/// # Safety
/// `descriptor` is the relation's own and has more than `index` attributes.
pub unsafe fn is_not_null(descriptor: pg_sys::TupleDesc, index: usize) -> bool {
    // SAFETY: as the caller vouches.
    unsafe {
        #[cfg(feature = "pg18")]
        {
            let compact = (*descriptor).compact_attrs.as_ptr().add(index);
            if (*compact).attnullability as u8 != pg_sys::ATTNULLABLE_VALID {
                return false;
            }
        }
        (*attribute(descriptor, index)).attnotnull
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

/// The user whose mapping a scan uses: the one permissions are checked for (a view's owner), else the current.
///
/// # Safety
/// `node` is a ForeignScanState being initialised.
pub unsafe fn scan_user(node: *mut pg_sys::ForeignScanState) -> pg_sys::Oid {
    // SAFETY: the plan and the range table are there when a node is initialised.
    unsafe {
        let scan = (*node).ss.ps.plan.cast::<pg_sys::ForeignScan>();
        #[cfg(feature = "pg15")]
        let user = {
            let mut rti = (*scan).scan.scanrelid as i32;
            if rti == 0 {
                rti = pg_sys::bms_next_member((*scan).fs_relids, -1);
            }
            (*pg_sys::exec_rt_fetch(rti as u32, (*node).ss.ps.state)).checkAsUser
        };
        #[cfg(not(feature = "pg15"))]
        let user = (*scan).checkAsUser;
        if user == pg_sys::InvalidOid { pg_sys::GetUserId() } else { user }
    }
}

/// The user whose mapping a modification uses.
///
/// # Safety
/// `result` is an initialised result relation of `estate`.
pub unsafe fn result_user(
    result: *mut pg_sys::ResultRelInfo,
    estate: *mut pg_sys::EState,
) -> pg_sys::Oid {
    // SAFETY: as the caller vouches. A relation that tuple routing opened has no range-table entry of its own:
    // its root's entry holds the permissions.
    unsafe {
        #[cfg(feature = "pg15")]
        let user = {
            let mut rti = (*result).ri_RangeTableIndex;
            if rti == 0 && !(*result).ri_RootResultRelInfo.is_null() {
                rti = (*(*result).ri_RootResultRelInfo).ri_RangeTableIndex;
            }
            if rti == 0 {
                pg_sys::InvalidOid
            } else {
                (*pg_sys::exec_rt_fetch(rti, estate)).checkAsUser
            }
        };
        #[cfg(not(feature = "pg15"))]
        let user = pg_sys::ExecGetResultRelCheckAsUser(result, estate);
        if user == pg_sys::InvalidOid { pg_sys::GetUserId() } else { user }
    }
}

/// The user whose mapping counts while planning `rel`.
///
/// # Safety
/// `rel` is a base relation of `root`.
pub unsafe fn planning_user(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
) -> pg_sys::Oid {
    // SAFETY: as the caller vouches.
    unsafe {
        #[cfg(feature = "pg15")]
        let user = {
            let entry = *(*root).simple_rte_array.add((*rel).relid as usize);
            (*entry).checkAsUser
        };
        #[cfg(not(feature = "pg15"))]
        let user = {
            let _ = root;
            (*rel).userid
        };
        if user == pg_sys::InvalidOid { pg_sys::GetUserId() } else { user }
    }
}

/// Whether the statement being executed changes data anywhere.
///
/// # Safety
/// `estate` is an executor state with its plan.
pub unsafe fn statement_modifies(estate: *mut pg_sys::EState) -> bool {
    // SAFETY: as the caller vouches.
    unsafe {
        let statement = (*estate).es_plannedstmt;
        !statement.is_null()
            && ((*statement).commandType != pg_sys::CmdType::CMD_SELECT
                || (*statement).hasModifyingCTE)
    }
}

/// The columns an UPDATE of `rel` sets, generated ones included, as pull_varattnos numbers them.
///
/// # Safety
/// `rel` is a result relation of the query of `root`.
pub unsafe fn updated_columns(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
) -> *mut pg_sys::Bitmapset {
    // SAFETY: as the caller vouches; the function is optimizer/inherit.h's on all versions.
    unsafe { super::ffi::get_rel_all_updated_cols(root, rel) }
}

/// Whether the Var asks for the row before or after a change explicitly (`old.x`, `new.x` in RETURNING; from
/// PostgreSQL 18 on), which an older remote server does not know.
pub fn is_old_or_new(var: &pg_sys::Var) -> bool {
    #[cfg(not(feature = "pg18"))]
    {
        let _ = var;
        false
    }
    #[cfg(feature = "pg18")]
    {
        var.varreturningtype != pg_sys::VarReturningType::VAR_RETURNING_DEFAULT
    }
}

/// Blocks of a relation's main fork, by the size of its file.
///
/// # Safety
/// `relation` is open and has storage.
pub unsafe fn relation_blocks(relation: pg_sys::Relation) -> u32 {
    // SAFETY: as the caller vouches.
    unsafe { pg_sys::RelationGetNumberOfBlocksInFork(relation, pg_sys::ForkNumber::MAIN_FORKNUM) }
}

/// Drops what the planner believes of NOT NULL columns of `rel` (from 17 on it keeps a list).
///
/// # Safety
/// `rel` is a relation being planned.
pub unsafe fn forget_not_null(rel: *mut pg_sys::RelOptInfo) {
    // SAFETY: NULL is the empty set.
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    unsafe {
        (*rel).notnullattnums = std::ptr::null_mut();
    }
    let _ = rel;
}

/// Installs a signal handler in a background worker.
///
/// # Safety
/// `handler` does nothing but what a signal handler may.
pub unsafe fn handle_signal(signal: u32, handler: unsafe extern "C-unwind" fn(i32)) {
    // SAFETY: as the caller vouches; 18 has a name of its own for the backend's variant.
    #[cfg(not(feature = "pg18"))]
    unsafe {
        pg_sys::pqsignal(signal as i32, Some(handler));
    }
    // SAFETY: as above.
    #[cfg(feature = "pg18")]
    unsafe {
        pg_sys::pqsignal_be(signal as i32, Some(handler));
    }
}

/// GROUP BY as the planner uses it: from 16 on without redundant columns.
///
/// # Safety
/// `root` is a planner's root.
pub unsafe fn group_clause(root: *mut pg_sys::PlannerInfo) -> *mut pg_sys::List {
    // SAFETY: as the caller vouches.
    unsafe {
        #[cfg(feature = "pg15")]
        {
            (*(*root).parse).groupClause
        }
        #[cfg(not(feature = "pg15"))]
        {
            (*root).processed_groupClause
        }
    }
}

/// The order in which rows of one group follow each other. (16 made aggregates' own orders part of it.)
///
/// # Safety
/// `root` is a planner's root past query_planner.
pub unsafe fn grouping_pathkeys(root: *mut pg_sys::PlannerInfo) -> *mut pg_sys::List {
    // SAFETY: as the caller vouches.
    unsafe {
        #[cfg(feature = "pg15")]
        {
            (*root).group_pathkeys
        }
        #[cfg(not(feature = "pg15"))]
        {
            let keys = (*root).group_pathkeys;
            if keys.is_null() {
                keys
            } else {
                pg_sys::list_copy_head(keys, (*root).num_groupby_pathkeys)
            }
        }
    }
}

/// A ForeignPath by one of the three constructors, whose arguments grew: 17 added `fdw_restrictinfo`, 18 the number of
/// disabled nodes.
macro_rules! foreign_path {
    ($make:ident, $root:expr, $rel:expr, $target:expr, $cost:expr, $keys:expr, $($outer:expr),+) => {{
        let (cost, private) = ($cost, std::ptr::null_mut());
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        let path = pg_sys::$make(
            $root, $rel, $target, cost.rows, cost.startup, cost.total, $keys, $($outer),+, private,
        );
        #[cfg(feature = "pg17")]
        let path = pg_sys::$make(
            $root, $rel, $target, cost.rows, cost.startup, cost.total, $keys, $($outer),+,
            std::ptr::null_mut(), private,
        );
        #[cfg(feature = "pg18")]
        let path = pg_sys::$make(
            $root, $rel, $target, cost.rows, 0, cost.startup, cost.total, $keys, $($outer),+,
            std::ptr::null_mut(), private,
        );
        path
    }};
}

/// Rows and cost of a path.
#[derive(Clone, Copy, Debug)]
pub struct PathCost {
    /// Rows it gives.
    pub rows: f64,
    /// Cost until the first row.
    pub startup: f64,
    /// Cost until the last row.
    pub total: f64,
}

/// A ForeignPath for a base relation.
///
/// # Safety
/// In a GetForeignPaths callback for `rel`.
pub unsafe fn create_foreignscan_path(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    cost: PathCost,
    pathkeys: *mut pg_sys::List,
    required_outer: pg_sys::Relids,
    outer: *mut pg_sys::Path,
) -> *mut pg_sys::ForeignPath {
    let target = std::ptr::null_mut();
    // SAFETY: as the caller vouches; a NULL target stands for the relation's own.
    unsafe {
        foreign_path!(
            create_foreignscan_path,
            root,
            rel,
            target,
            cost,
            pathkeys,
            required_outer,
            outer
        )
    }
}

/// A ForeignPath for a join.
///
/// # Safety
/// In a GetForeignJoinPaths callback for `rel`.
pub unsafe fn create_foreign_join_path(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    cost: PathCost,
    pathkeys: *mut pg_sys::List,
    required_outer: pg_sys::Relids,
    outer: *mut pg_sys::Path,
) -> *mut pg_sys::ForeignPath {
    let target = std::ptr::null_mut();
    // SAFETY: as above.
    unsafe {
        foreign_path!(
            create_foreign_join_path,
            root,
            rel,
            target,
            cost,
            pathkeys,
            required_outer,
            outer
        )
    }
}

/// A ForeignPath for an upper relation.
///
/// # Safety
/// In a GetForeignUpperPaths callback for `rel`.
pub unsafe fn create_foreign_upper_path(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    target: *mut pg_sys::PathTarget,
    cost: PathCost,
    pathkeys: *mut pg_sys::List,
) -> *mut pg_sys::ForeignPath {
    let outer = std::ptr::null_mut();
    // SAFETY: as above.
    unsafe { foreign_path!(create_foreign_upper_path, root, rel, target, cost, pathkeys, outer) }
}

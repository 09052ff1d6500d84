//! What the planner knows of the values in a sharded table's columns.
//!
//! The table is planned as one foreign relation, for which PostgreSQL would look for statistics of the parent's own
//! (no) rows. What is right are those of the parent with its children, which ANALYZE of the parent makes. Without
//! them, one child stands for all in columns whose values are spread over the children as they come.

use super::sharded;
use crate::error::Failure;
use crate::pg::{compat, hooks};
use crate::shard::ShardedTable;
use pgrx::pg_sys;
use pgrx::pg_sys::{AttrNumber, Datum, Oid, SysCacheIdentifier};
use std::rc::Rc;

/// Children without statistics that are passed over: planning must not take longer with every shard.
const MOST_LOOKED_AT: usize = 4;

/// Installs the hook; once, from `_PG_init`.
pub fn init() {
    hooks::install_statistics(of_column);
}

/// get_relation_stats_hook: whether we have answered.
unsafe fn of_column(
    root: *mut pg_sys::PlannerInfo,
    entry: *mut pg_sys::RangeTblEntry,
    attno: AttrNumber,
    data: *mut pg_sys::VariableStatData,
) -> Result<bool, Failure> {
    // SAFETY: called by the planner for a column of a relation of `root`.
    unsafe {
        let Some(table) = sharded::virtual_table(entry)? else { return Ok(false) };
        let Some(tuple) = tuple_of(&table, attno) else { return Ok(false) };
        (*data).statsTuple = tuple;
        (*data).freefunc = Some(release);
        (*data).acl_ok = may_read(root, entry, attno);
        Ok(true)
    }
}

unsafe fn tuple_of(table: &Rc<ShardedTable>, attno: AttrNumber) -> Option<pg_sys::HeapTuple> {
    // SAFETY: a look-up in the system cache; the tuple is released by `release`.
    let look_up = |relation: Oid, inherited: bool| unsafe {
        let id = SysCacheIdentifier::STATRELATTINH as i32;
        let (attno, inherited) = (Datum::from(attno), Datum::from(inherited));
        let tuple = pg_sys::SearchSysCache3(id, relation.into(), attno, inherited);
        (!tuple.is_null()).then_some(tuple)
    };
    look_up(table.parent, true).or_else(|| {
        if table.uses(attno) && !table.scatters(attno) {
            return None;
        }
        table.members.iter().take(MOST_LOOKED_AT).find_map(|member| look_up(member.relid, false))
    })
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn release(tuple: pg_sys::HeapTuple) {
    // SAFETY: a tuple of the system cache.
    unsafe { pg_sys::ReleaseSysCache(tuple) }
}

/// Whether the user may see all values of the column, so that operators that could give them away may be tried on those
/// that the statistics hold. The rules are PostgreSQL's.
unsafe fn may_read(
    root: *mut pg_sys::PlannerInfo,
    entry: *mut pg_sys::RangeTblEntry,
    attno: AttrNumber,
) -> bool {
    // SAFETY: planner data; the arrays are as long as the range table.
    unsafe {
        let place = (1..(*root).simple_rel_array_size as usize)
            .find(|&rti| *(*root).simple_rte_array.add(rti) == entry);
        let Some(rel) = place.map(|rti| *(*root).simple_rel_array.add(rti)) else { return false };
        if rel.is_null() || !(*entry).securityQuals.is_null() {
            return false;
        }
        let user = compat::planning_user(root, rel);
        let select = pg_sys::ACL_SELECT as pg_sys::AclMode;
        let ok = pg_sys::AclResult::ACLCHECK_OK;
        pg_sys::pg_class_aclcheck((*entry).relid, user, select) == ok
            || pg_sys::pg_attribute_aclcheck((*entry).relid, attno, user, select) == ok
    }
}

//! MERGE into a sharded parent is refused.
//!
//! PostgreSQL refuses foreign tables as targets, and so the children of a parent that it would look at. Where it would look
//! at none of them it would store the rows to be inserted in the parent itself, or partition by partition.

use crate::error::{Failure, SqlState};
use crate::pg::{catalog, ffi};
use crate::shard;
use pgrx::pg_sys;
use pgrx::pg_sys::CmdType;

/// An error for a MERGE whose target is a sharded table.
///
/// # Safety
/// The query is valid, its relations are locked.
pub(super) unsafe fn refuse(query: *mut pg_sys::Query) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        if (*query).commandType != CmdType::CMD_MERGE {
            return Ok(());
        }
        let entry = pg_sys::list_nth((*query).rtable, (*query).resultRelation - 1)
            .cast::<pg_sys::RangeTblEntry>();
        let kind = (*entry).relkind as u8;
        if !matches!(kind, pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE)
            || !ffi::has_subclass((*entry).relid)
            || shard::sharded_for_writing((*entry).relid)?.is_none()
        {
            return Ok(());
        }
        let name = catalog::relation_name((*entry).relid).unwrap_or_default();
        Err(Failure::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("cannot execute MERGE on relation \"{name}\""),
        )
        .with_detail("This operation is not supported for sharded tables.")
        .with_hint("Use INSERT with ON CONFLICT, or UPDATE and DELETE that join the source."))
    }
}

//! Rows that a sharded table holds itself: a plan that reads it as one foreign table does not know of them.

use crate::error::{Failure, SqlState};
use crate::pg::relation::Relation;
use crate::pg::{catalog, compat, invalidate};
use pgrx::pg_sys;
use pgrx::pg_sys::Oid;

/// A sharded table that is no partitioned table was planned as holding no rows itself. If it does by now, the plan's
/// answer would lack them.
pub fn refuse(parent: Oid) -> Result<(), Failure> {
    let relation = Relation::open(parent, pg_sys::NoLock as i32);
    // SAFETY: the executor holds a lock on the statement's relations; a partitioned table has no storage.
    unsafe {
        if (*(*relation.raw()).rd_rel).relkind as u8 == pg_sys::RELKIND_PARTITIONED_TABLE
            || compat::relation_blocks(relation.raw()) == 0
        {
            return Ok(());
        }
    }
    // The next execution plans anew, and then reads the rows.
    invalidate::forget_plans();
    let name = catalog::relation_name(parent).unwrap_or_default();
    Err(Failure::new(
        SqlState::SERIALIZATION_FAILURE,
        format!("sharded table \"{name}\" holds rows of its own since the statement was planned"),
    )
    .with_hint("Run the statement again; move the rows to a shard, or TRUNCATE ONLY the table."))
}

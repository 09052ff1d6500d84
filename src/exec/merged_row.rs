//! Where a MERGE of one row goes that may insert it.

use crate::error::{Failure, SqlState};
use crate::pg::relation::Relation;
use crate::plan::private::{DirectPlan, Placement};
use crate::shard::{self, Placer};
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;

/// The placement that would take the row. An error when there is none, or when a row that matches could be on another one
/// of those that `can_match`.
///
/// # Safety
/// The values are those of the plan's expressions, just evaluated.
pub(super) unsafe fn only_taker(
    plan: &DirectPlan,
    values: &[(Datum, bool)],
    can_match: &[Placement],
) -> Result<Vec<Placement>, Failure> {
    // SAFETY: as the caller vouches; the executor holds a lock on the parent, the first of the plan's.
    unsafe {
        let changed = || {
            Failure::new(
                SqlState::SERIALIZATION_FAILURE,
                "a sharded table changed while a MERGE into it was being executed",
            )
        };
        let parent = plan.scan.parents.first().copied().ok_or_else(changed)?;
        let table = shard::sharded(parent)?.ok_or_else(changed)?;
        let relation = Relation::open(parent, pg_sys::NoLock as i32);
        let ops = &raw const pg_sys::TTSOpsVirtual;
        let slot = pg_sys::MakeSingleTupleTableSlot(relation.descriptor(), ops);
        pg_sys::ExecStoreAllNullTuple(slot);
        for &(attnum, at) in &plan.inserted {
            let Some(&(value, null)) = values.get(at) else { return Err(changed()) };
            *(*slot).tts_values.add(attnum as usize - 1) = value;
            *(*slot).tts_isnull.add(attnum as usize - 1) = null;
        }
        let mut placer = Placer::new(table.clone(), pg_sys::CurrentMemoryContext);
        let taker = placer.place(slot);
        pg_sys::ExecDropSingleTupleTableSlot(slot);
        let taker = table.members[taker?].relid;
        let takes = |placement: &&Placement| placement.tables.first() == Some(&taker);
        if !can_match.iter().all(|placement| takes(&placement)) {
            return Err(Failure::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "the row to be merged could match rows on other shards than the one it would be inserted on",
            )
            .with_hint("ON has to fix the columns that decide where a row is stored to the values that are inserted."));
        }
        let taker = plan.scan.placements.iter().find(takes).cloned().ok_or_else(changed)?;
        Ok(vec![taker])
    }
}

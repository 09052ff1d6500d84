//! Foreign tables that are planned one by one: is this one worth asking at all?
//!
//! First by our own rule, which evaluates the constraints at the values the query fixes (`crate::shard`), then by
//! core's predicate refutation where core itself has not tried it.
//!
//! `constraint_exclusion = off` is PostgreSQL's word for "do not trust CHECK constraints" and is obeyed, as is
//! `enable_partition_pruning = off` for partition bounds. Core applies its default, `partition`, to inheritance
//! children only; our rule applies to every foreign table: leaving out a remote query pays more than leaving out a
//! local scan.

use super::private::Placement;
use crate::error::Failure;
use crate::pg::memory;
use crate::pg::node::list;
use crate::shard::{self, Origin, Rule, ShardedTable, Verdict};
use pgrx::pg_sys;
use pgrx::pg_sys::ConstraintExclusionType as Exclusion;
use std::rc::Rc;

/// Whether rows of the foreign table `rel` can satisfy the query's restrictions on it, with the reason.
///
/// # Safety
/// To be called from GetForeignRelSize with its arguments.
pub unsafe fn verdict(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
) -> Result<Verdict, Failure> {
    // SAFETY: as the caller vouches: the planner's arrays are set up, the relation is locked by the planner.
    unsafe {
        let rte = *(*root).simple_rte_array.add((*rel).relid as usize);
        let relation = pg_sys::relation_open((*rte).relid, pg_sys::NoLock as pg_sys::LOCKMODE);
        let rule = shard::rule_of(relation);
        pg_sys::relation_close(relation, pg_sys::NoLock as pg_sys::LOCKMODE);
        let Some(rule) = rule? else { return Ok(Verdict::NoRule) };
        let verdict = by_values(&rule, rel)?;
        if verdict != Verdict::Refuted && by_core(root, rel, rte) {
            return Ok(Verdict::Refuted);
        }
        Ok(verdict)
    }
}

/// The placements of a sharded table that can hold rows which the query's restrictions on `rel` let through.
///
/// # Safety
/// As for [`verdict`]; `rel` is the sharded table's relation in this query.
pub unsafe fn placements(
    rel: *mut pg_sys::RelOptInfo,
    table: &ShardedTable,
) -> Result<Vec<Placement>, Failure> {
    // SAFETY: as in `by_values`.
    unsafe {
        let context = memory::create_child(pg_sys::CurrentMemoryContext, c"shard_fdw pruning");
        let selected = {
            let _guard = memory::ContextGuard::switch_to(context);
            let pins = shard::read_clauses(
                list((*rel).baserestrictinfo)
                    .map(|info: *mut pg_sys::RestrictInfo| (*info).clause.cast()),
                (*rel).relid,
                &|attno| table.uses(attno),
            );
            let rti = (*rel).relid;
            table.select(&pins, is_honoured).map(|selected| match selected.len() {
                0 | 1 => selected,
                _ => table.unrefuted(selected, (*rel).baserestrictinfo, rti, is_honoured),
            })
        };
        pg_sys::MemoryContextDelete(context);
        Ok(selected?
            .into_iter()
            .map(|index| &table.members[index])
            .map(|member| Placement { server: member.server, tables: vec![member.relid] })
            .collect())
    }
}

/// The placements, by number, that can hold rows of the table (`rti` in the conditions) which all these conditions let
/// through.
///
/// # Safety
/// The conditions are valid, simplified expressions; the table is locked.
pub(super) unsafe fn by_conditions(
    table: &ShardedTable,
    rti: u32,
    conditions: &[*mut pg_sys::Expr],
) -> Result<Vec<usize>, Failure> {
    // SAFETY: as the caller vouches; the pins live in the current memory context.
    unsafe {
        let clauses = conditions.iter().map(|&condition| condition.cast());
        let pins = shard::read_clauses(clauses, rti, &|attno| table.uses(attno));
        table.select(&pins, is_honoured)
    }
}

unsafe fn by_values(rule: &Rc<Rule>, rel: *mut pg_sys::RelOptInfo) -> Result<Verdict, Failure> {
    // SAFETY: baserestrictinfo holds RestrictInfos. The temporary context outlives the pins made in it; after an error
    // it goes with its parent.
    unsafe {
        let context = memory::create_child(pg_sys::CurrentMemoryContext, c"shard_fdw pruning");
        let verdict = {
            let _guard = memory::ContextGuard::switch_to(context);
            let pins = shard::read_clauses(
                list((*rel).baserestrictinfo)
                    .map(|info: *mut pg_sys::RestrictInfo| (*info).clause.cast()),
                (*rel).relid,
                &|attno| rule.uses(attno),
            );
            shard::refute(rule, &pins, is_honoured)
        };
        pg_sys::MemoryContextDelete(context);
        verdict
    }
}

/// Whether the settings allow to leave placements out by conditions of this origin.
pub fn is_honoured(origin: Origin) -> bool {
    // SAFETY: reads settings of this backend.
    unsafe {
        match origin {
            Origin::Check => {
                pg_sys::constraint_exclusion != Exclusion::CONSTRAINT_EXCLUSION_OFF as i32
            }
            Origin::Partition => pg_sys::enable_partition_pruning,
        }
    }
}

/// Core's constraint exclusion, for a table which it skips under `constraint_exclusion = partition`.
unsafe fn by_core(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    rte: *mut pg_sys::RangeTblEntry,
) -> bool {
    /// Puts the setting back, also when unwinding.
    struct Restore(i32);
    impl Drop for Restore {
        fn drop(&mut self) {
            // SAFETY: a plain global of this backend.
            unsafe { pg_sys::constraint_exclusion = self.0 };
        }
    }
    // SAFETY: as the caller of `verdict` vouches; the function reads the setting and nothing else depends on it.
    unsafe {
        if (*rel).reloptkind != pg_sys::RelOptKind::RELOPT_BASEREL
            || pg_sys::constraint_exclusion != Exclusion::CONSTRAINT_EXCLUSION_PARTITION as i32
        {
            return false;
        }
        let _restore = Restore(pg_sys::constraint_exclusion);
        pg_sys::constraint_exclusion = Exclusion::CONSTRAINT_EXCLUSION_ON as i32;
        pg_sys::relation_excluded_by_constraints(root, rel, rte)
    }
}

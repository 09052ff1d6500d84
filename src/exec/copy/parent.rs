//! A sharded parent as the target of COPY FROM.
//!
//! COPY has opened one of the placements in the parent's stead, because a foreign table is what has callbacks. When it
//! begins with it, the result relation is made the parent's: relation, triggers, generated columns. Each row is then
//! placed as an INSERT's is, and goes to the COPY of its placement. Where something has to see the rows one by one
//! (row triggers, transition tables) they are INSERTed.

use super::lane::Run;
use super::outlet::{Fate, Question};
use super::places::Places;
use super::quiet;
use crate::error::Failure;
use crate::exec::modify;
use crate::exec::sharded_insert::ShardedState;
use crate::exec::sharded_result::{check_supported, doctored};
use crate::pg::compat;
use crate::pg::memory::{self, ContextGuard};
use crate::pg::relation::Relation;
use crate::shard::ShardedTable;
use pgrx::pg_sys::{self, Oid};
use std::cell::RefCell;
use std::rc::Rc;

/// The parent that a COPY is about to begin with, by the name of one of its placements.
pub struct Pending {
    nominal: Oid,
    relation: pg_sys::Relation,
    table: Rc<ShardedTable>,
    quiet: bool,
}

thread_local! {
    static PENDING: RefCell<Option<Pending>> = const { RefCell::new(None) };
}

/// Takes the announcement back.
pub struct Announced;

impl Drop for Announced {
    fn drop(&mut self) {
        PENDING.take();
    }
}

impl Pending {
    /// For the COPY that is executed next, with this condition. The relation stays open that long.
    ///
    /// # Safety
    /// The condition is valid.
    pub unsafe fn announce(
        nominal: Oid,
        relation: &Relation,
        table: Rc<ShardedTable>,
        condition: *mut pg_sys::Node,
    ) -> Announced {
        // SAFETY: the relation is open.
        let quiet = unsafe {
            quiet::is_quiet(relation.raw())
                && quiet::has_quiet_rules(&table)
                && quiet::runs_nothing(condition)
        };
        PENDING.replace(Some(Pending { nominal, relation: relation.raw(), table, quiet }));
        Announced
    }

    /// Whether nothing of the user's runs for the rows, as far as the parent is concerned.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// What was announced for a relation.
    pub fn take(relid: Oid) -> Option<Pending> {
        PENDING.with_borrow_mut(|pending| pending.take_if(|pending| pending.nominal == relid))
    }
}

/// Rows of a parent on their way to its placements.
pub struct Rows {
    sharded: ShardedState,
    places: Places,
}

impl Rows {
    /// Makes `result` the parent's. `None`: rows are INSERTed, everything is prepared.
    ///
    /// # Safety
    /// BeginForeignInsert's arguments; the relation that was announced stays open.
    pub unsafe fn begin(
        node: *mut pg_sys::ModifyTableState,
        result: *mut pg_sys::ResultRelInfo,
        pending: Pending,
        run: &Rc<Run>,
    ) -> Result<Option<Rows>, Failure> {
        // SAFETY: as the caller vouches; what is made lives in the statement's memory.
        unsafe {
            let context = (*(*node).ps.state).es_query_cxt;
            let _guard = ContextGuard::switch_to(context);
            (*result).ri_RelationDesc = doctored(pending.relation);
            take_triggers(result, (*pending.relation).trigdesc);
            check_supported(node, result, &pending.table)?;
            let estate = (*node).ps.state;
            let user = compat::result_user(result, estate);
            let count = pending.table.members.len();
            let places = Places::new(run, count, user, context, Question::Copy);
            let sharded = ShardedState::new(node, result, pending.relation, pending.table)?;
            if sharded.is_single() {
                let state = modify::State::Sharded(Box::new(sharded));
                (*result).ri_FdwState = memory::give(context, state).cast();
                return Ok(None);
            }
            Ok(Some(Rows { sharded, places }))
        }
    }

    /// Sends one row on its way. The inner failure is not the row's own. False when it is left out.
    ///
    /// # Safety
    /// The slot holds a row of the parent, in the statement that `begin` was called for.
    pub unsafe fn put(
        &mut self,
        slot: *mut pg_sys::TupleTableSlot,
    ) -> Result<Result<bool, Failure>, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            let index = self.sharded.route(slot)?;
            let placement = self.sharded.placement(index)?;
            let relation = placement.relation();
            if !self.places.is_known(index)
                && !quiet::is_quiet(relation)
                && let Err(failure) = self.places.hold(false)
            {
                return Ok(Err(failure));
            }
            let Some(row) = placement.prepare(slot)? else { return Ok(Ok(false)) };
            match self.places.row(index, relation, row)? {
                Ok(Fate::Refused) => {
                    self.insert_back(index)?;
                    Ok(Ok(self.sharded.insert_placed(index, row)?))
                }
                Ok(Fate::Returned) => Ok(Ok(self.insert_back(index)?)),
                taken => Ok(taken.map(|_| true)),
            }
        }
    }

    /// INSERTs rows that were taken for the COPY of a placement that COPY is not for. Whether the last one was stored.
    unsafe fn insert_back(&mut self, index: usize) -> Result<bool, Failure> {
        let Some((rows, descriptor)) = self.places.take_back(index) else { return Ok(false) };
        // SAFETY: rows of the placement, in a statement in execution.
        unsafe { super::replay(rows, descriptor, |slot| self.sharded.insert_placed(index, slot)) }
    }

    /// Stores what is left, and closes the placements. The run has been finished.
    ///
    /// # Safety
    /// Called once, at the end of a statement that did not fail.
    pub unsafe fn end(&mut self) -> Result<(), Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            for index in 0..self.places.count() {
                self.insert_back(index)?;
            }
            self.sharded.end();
        }
        Ok(())
    }
}

/// Gives the result relation the parent's triggers in place of the placement's.
unsafe fn take_triggers(result: *mut pg_sys::ResultRelInfo, triggers: *mut pg_sys::TriggerDesc) {
    // SAFETY: as InitResultRelInfo does.
    unsafe {
        let triggers = pg_sys::CopyTriggerDesc(triggers);
        (*result).ri_TrigDesc = triggers;
        let count = if triggers.is_null() { 0 } else { (*triggers).numtriggers as usize };
        (*result).ri_TrigFunctions = array(count);
        (*result).ri_TrigWhenExprs = array(count);
        (*result).ri_TrigInstrument = std::ptr::null_mut();
    }
}

/// Room for `count` values, zeroed; NULL for none.
unsafe fn array<T>(count: usize) -> *mut T {
    if count == 0 {
        return std::ptr::null_mut();
    }
    // SAFETY: the current memory context is alive.
    unsafe { pg_sys::palloc0(count * size_of::<T>()).cast() }
}

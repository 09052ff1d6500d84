//! INSERT into a sharded parent: each row goes to the placement that its rule names.
//!
//! The rows of a batch are sorted out by placement and sent to all of them before any answer is waited for. A batch
//! of a shard is cut into pieces whose sizes are powers of two, so that few statements have to be prepared.
//!
//! What PostgreSQL does for rows of a local table but leaves to the wrapper of a foreign one is done here: policies of
//! row-level security, constraints, the partition constraint of the parent itself.

mod batch;
mod stream;

use super::early;
use super::layout::{has_null, not_null_columns};
use super::placement::{Conflict, Parent, Placement};
use crate::deparse::{self, OnConflict};
use crate::error::{Failure, SqlState};
use crate::options::load;
use crate::pg::memory::ContextGuard;
use crate::pg::{catalog, compat, node};
use crate::plan::conflict_sharded;
use crate::shard::{Placer, ShardedTable};
use crate::txn;
use pgrx::pg_sys;
use pgrx::pg_sys::{OnConflictAction, WCOKind};
use std::rc::Rc;
use stream::Streaming;

/// Memory that the rows of one batch may take, roughly.
const BATCH_MEMORY: usize = 16 * 1024 * 1024;

/// Execution state of a sharded parent that rows are inserted into.
pub struct ShardedState {
    table: Rc<ShardedTable>,
    parent: Parent,
    placer: Placer,
    /// Parallel to the table's members; opened when a row comes.
    placements: Vec<Option<Box<Placement>>>,
    not_null: Vec<usize>,
    checks_policies: bool,
    /// Whether rows go one by one: something looks at each row as it was stored.
    single: bool,
    /// Whether RETURNING asks for the row's tableoid.
    tells_table: bool,
    /// Whether the statement's scans have been started: see early.rs.
    begun: bool,
    /// ON CONFLICT DO UPDATE: the statements of a placement go one after the other.
    updates: bool,
    /// Rows that the executor hands over at once, unless there are no more.
    batch_rows: usize,
    streaming: Streaming,
}

impl ShardedState {
    /// The state for `result`, whose relation is the doctored copy of `original`. Opens nothing.
    ///
    /// # Safety
    /// An initialised INSERT whose query context is current.
    pub unsafe fn new(
        state: *mut pg_sys::ModifyTableState,
        result: *mut pg_sys::ResultRelInfo,
        original: pg_sys::Relation,
        table: Rc<ShardedTable>,
    ) -> Result<ShardedState, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            let estate = (*state).ps.state;
            let triggers = (*result).ri_TrigDesc;
            let fires =
                |which: fn(&pg_sys::TriggerDesc) -> bool| triggers.as_ref().is_some_and(which);
            let returning = (*result).ri_returningList;
            let checks = (*result).ri_WithCheckOptions;
            let rti = (*result).ri_RangeTableIndex;
            let has_check = |policy: bool| {
                node::list::<pg_sys::WithCheckOption>(checks)
                    .any(|check| policy == ((*check).kind == WCOKind::WCO_RLS_INSERT_CHECK))
            };
            // Triggers see the row as it was stored, and so does the error of a view's check.
            let seen = fires(|triggers| triggers.trig_insert_after_row) || has_check(false);
            let returned = deparse::returning_attrs(rti, seen, checks, returning);
            let tells_table = node::has_member(
                returned,
                pg_sys::TableOidAttributeNumber - pg_sys::FirstLowInvalidHeapAttributeNumber,
            );
            if tells_table && !triggers.is_null() {
                let name = catalog::relation_name(table.parent).unwrap_or_default();
                return Err(Failure::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    format!(
                        "tableoid of rows inserted into \"{name}\" cannot be returned: it has triggers"
                    ),
                ));
            }
            let single = !(*result).ri_projectReturning.is_null()
                || seen
                || fires(|triggers| triggers.trig_insert_before_row)
                || table.members.iter().any(|member| member.insert_triggers);
            // COPY has no plan.
            let plan = (*state).ps.plan.cast::<pg_sys::ModifyTable>();
            let action = plan.as_ref().map(|plan| plan.onConflictAction);
            let conflict = match conflict_sharded::settled(plan, original, &table)? {
                Some(clause) => Conflict::Clause(clause),
                None if action == Some(OnConflictAction::ONCONFLICT_NOTHING) => {
                    Conflict::Any(OnConflict::DoNothing)
                }
                None => Conflict::Any(OnConflict::Error),
            };
            let user = compat::result_user(result, estate);
            Ok(ShardedState {
                placer: Placer::new(Rc::clone(&table), (*estate).es_query_cxt),
                placements: table.members.iter().map(|_| None).collect(),
                not_null: not_null_columns(original),
                checks_policies: has_check(true),
                single,
                tells_table,
                begun: false,
                updates: conflict.updates(),
                batch_rows: 1,
                streaming: Streaming::Unknown,
                parent: Parent { state, estate, result, user, returned, conflict },
                table,
            })
        }
    }

    /// Rows that the executor is to collect before it hands them over.
    pub fn batch_size(&mut self) -> i32 {
        let rows = if self.single { 1 } else { self.most_rows() };
        self.batch_rows = rows as usize;
        rows
    }

    fn most_rows(&self) -> i32 {
        // SAFETY: the parent is open.
        let row = unsafe {
            let descriptor = (*(*self.parent.result).ri_RelationDesc).rd_att;
            // Each row has a slot of its own, with its own row type, twice.
            let slots = 2 * (200 + (*descriptor).natts as usize * 128);
            let columns = (0..(*descriptor).natts as usize).map(|index| {
                let column = compat::attribute(descriptor, index);
                pg_sys::get_typavgwidth((*column).atttypid, (*column).atttypmod).max(1) as usize
            });
            slots + 3 * columns.sum::<usize>()
        };
        let each = self.table.table.batch_size.max(1) as usize;
        let all = each.saturating_mul(self.table.members.len());
        all.min((BATCH_MEMORY / row).max(each)).min(i32::MAX as usize) as i32
    }

    /// Inserts one row; `None` when it is left out. `slot` then holds the row as stored.
    ///
    /// # Safety
    /// ExecForeignInsert's arguments.
    pub unsafe fn insert_one(
        &mut self,
        slot: *mut pg_sys::TupleTableSlot,
    ) -> Result<bool, Failure> {
        // SAFETY: as the caller vouches; the doctored relation is ours to change.
        unsafe {
            let relation = (*self.parent.result).ri_RelationDesc;
            (*relation).rd_id = self.table.parent;
            if self.stream_row(slot)? {
                return Ok(true);
            }
            let index = self.route(slot)?;
            self.open(&[index])?;
            let Some(placement) = self.placements[index].as_mut() else { return Ok(false) };
            let Some(row) = placement.prepare(slot)? else { return Ok(false) };
            let stored = placement.state()?.insert(&[row])?;
            if stored == 0 {
                return Ok(false);
            }
            placement.rows += stored;
            placement.stored(row, slot);
            if self.tells_table {
                // The executor gives this OID to the slot next.
                (*relation).rd_id = self.table.members[index].relid;
            }
            Ok(true)
        }
    }

    /// Whether something has to see the rows one by one, as they are stored.
    pub fn is_single(&self) -> bool {
        self.single
    }

    /// INSERTs a row into its placement.
    ///
    /// # Safety
    /// The slot holds a row of the placement that the placement has prepared.
    pub unsafe fn insert_placed(
        &mut self,
        index: usize,
        row: *mut pg_sys::TupleTableSlot,
    ) -> Result<bool, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            self.open(&[index])?;
            let Some(placement) = self.placements[index].as_mut() else { return Ok(false) };
            Ok(placement.state()?.insert(&[row])? > 0)
        }
    }

    /// A placement, open; its server may not have heard of it yet.
    ///
    /// # Safety
    /// The statement is in execution.
    pub unsafe fn placement(&mut self, index: usize) -> Result<&mut Placement, Failure> {
        if self.placements[index].is_none() {
            // SAFETY: as the caller vouches.
            unsafe { self.open_here(index)? };
        }
        let placement = self.placements[index].as_deref_mut();
        placement.ok_or_else(|| Failure::internal("a placement is not open"))
    }

    /// The number of the placement of a row, which satisfies what the parent demands.
    ///
    /// # Safety
    /// The slot holds a row of the parent.
    pub unsafe fn route(&mut self, slot: *mut pg_sys::TupleTableSlot) -> Result<usize, Failure> {
        // SAFETY: the slot holds a row of the parent.
        unsafe {
            let Parent { estate, result, .. } = self.parent;
            if self.checks_policies {
                pg_sys::ExecWithCheckOptions(WCOKind::WCO_RLS_INSERT_CHECK, result, slot, estate);
            }
            if !self.not_null.is_empty() && has_null(slot, &self.not_null) {
                // Raises the error; NOT NULL is looked at before other constraints.
                pg_sys::ExecConstraints(result, slot, estate);
            }
            if (*(*(*result).ri_RelationDesc).rd_rel).relispartition {
                pg_sys::ExecPartitionCheck(result, slot, estate, true);
            }
            self.placer.place(slot)
        }
    }

    /// Opens placements and starts the statement's scans before anything is written.
    unsafe fn open(&mut self, indexes: &[usize]) -> Result<(), Failure> {
        let members = &self.table.members;
        let connected = |index: usize| {
            self.placements[index].as_ref().is_some_and(|placement| placement.is_connected())
        };
        let new: Vec<usize> = indexes.iter().copied().filter(|&index| !connected(index)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let servers: Vec<pg_sys::Oid> = new.iter().map(|&index| members[index].server).collect();
        if servers.len() > 1 {
            txn::enlist_all(&servers, self.parent.user)?;
        }
        // SAFETY: the statement is being executed; its query context lives as long as the state.
        unsafe {
            if !std::mem::replace(&mut self.begun, true) {
                early::start_all(self.parent.estate)?;
            }
            for index in new {
                if self.placements[index].is_none() {
                    self.open_here(index)?;
                }
                let _guard = ContextGuard::switch_to((*self.parent.estate).es_query_cxt);
                let Some(placement) = self.placements[index].as_mut() else { continue };
                placement.connect(&self.table.members[index], &self.parent)?;
                placement.state()?.begun = true;
            }
        }
        Ok(())
    }

    /// Opens a placement that is not open; its server hears nothing of it.
    unsafe fn open_here(&mut self, index: usize) -> Result<(), Failure> {
        // SAFETY: the statement is being executed; its query context lives as long as the state.
        unsafe {
            let _guard = ContextGuard::switch_to((*self.parent.estate).es_query_cxt);
            let mut placement = Placement::open(&self.table.members[index], &self.parent)?;
            placement.settle(&self.table, index);
            self.placements[index] = Some(Box::new(placement));
            Ok(())
        }
    }

    /// Closes the placements.
    ///
    /// # Safety
    /// Called once, at the end of a statement that did not fail.
    pub unsafe fn end(&mut self) {
        for placement in self.placements.iter_mut().flatten() {
            // SAFETY: as the caller vouches.
            unsafe { placement.close() };
        }
        self.placements.clear();
    }

    /// The sharded table.
    pub fn table(&self) -> &ShardedTable {
        &self.table
    }

    /// The COPY that the rows have gone by, for EXPLAIN: that of the first placement which took some.
    pub fn streamed(&self) -> Result<Option<String>, Failure> {
        match &self.streaming {
            Streaming::Yes(places) => places.example(),
            _ => Ok(None),
        }
    }

    /// The SQL for one row of the first placement, for EXPLAIN.
    ///
    /// # Safety
    /// The statement has been started.
    pub unsafe fn example(&self) -> Result<Option<String>, Failure> {
        let Some(member) = self.table.members.first() else { return Ok(None) };
        // SAFETY: as the caller vouches.
        unsafe {
            let plan = Placement::plan(member, &self.parent)?;
            let table = load::foreign_table(member.relid)?;
            Ok(Some(plan.sql(&table, 1)))
        }
    }

    /// Servers written to, with the rows stored on each.
    pub fn written(&self) -> impl Iterator<Item = (pg_sys::Oid, u64)> {
        let members = self.table.members.iter();
        members
            .zip(&self.placements)
            .filter_map(|(member, placement)| Some((member.server, placement.as_ref()?.rows)))
    }
}

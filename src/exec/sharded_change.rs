//! UPDATE and DELETE of a sharded parent row by row: each row is changed on the placement it was found on.
//!
//! One scan of the whole table has found and locked the rows. Changes are collected for each placement and sent without
//! waiting, so that all shards are at work; the rows they have changed are counted for the command tag when the node has
//! no more. Where something here must know what became of a row (RETURNING, a view's CHECK OPTION), or could look at the
//! data in between (a function of the users'), each row is changed before the next one is looked at.
//!
//! Policies of row-level security are looked at by the caller.

use super::destination::Destination;
use super::drain::{self, Drain};
use super::early;
use super::modify_state::ModifyState;
use super::modify_state::collected::Changes;
use super::sharded_move::Moves;
use crate::deparse;
use crate::error::Failure;
use crate::options::load;
use crate::pg::exec_node::{self, Follower, Function};
use crate::pg::memory::ContextGuard;
use crate::pg::{compat, node};
use crate::plan;
use crate::plan::change_plan::ChangePlan;
use crate::plan::private::ModifyPlan;
use crate::plan::row_identity::{self, PLACEMENT, WHOLE_ROW};
use crate::shard::ShardedTable;
use pgrx::pg_sys;
use pgrx::pg_sys::{CmdType, WCOKind};
use std::rc::Rc;

/// Execution state of a sharded parent that is changed.
pub struct ShardedChange {
    table: Rc<ShardedTable>,
    plan: ChangePlan,
    estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    operation: CmdType::Type,
    user: pg_sys::Oid,
    /// The columns that must come back of changed rows.
    returned: *mut pg_sys::Bitmapset,
    /// Whether RETURNING asks for the row's tableoid.
    tells_table: bool,
    /// Whether rows are changed one by one.
    single: bool,
    /// Whether the rows changed count for the command tag.
    counts: bool,
    /// Positions of the junk columns: ctid and remote tableoid, and the placement.
    identity: [i16; 2],
    placement: i16,
    /// Parallel to the table's members; opened when a row comes.
    placements: Vec<Option<Box<Changed>>>,
    /// The ModifyTable node's own function.
    function: Function,
    drain: Option<*mut Drain>,
    /// Rows may get another place.
    moves: Option<Box<Moves>>,
}

/// A placement whose rows are changed.
struct Changed {
    relation: pg_sys::Relation,
    state: ModifyState,
    changes: Changes,
    rows: u64,
}

impl ShardedChange {
    /// The state for `result`, whose relation is a doctored copy already. Opens nothing.
    ///
    /// # Safety
    /// An initialised UPDATE or DELETE, not run yet, that was planned for this; its query context is current. `after` is
    /// called when the node's function has been.
    pub unsafe fn new(
        state: *mut pg_sys::ModifyTableState,
        result: *mut pg_sys::ResultRelInfo,
        table: Rc<ShardedTable>,
        private: *mut pg_sys::List,
        follower: Follower,
    ) -> Result<ShardedChange, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            let plan = ChangePlan::from_list(private)?;
            let (estate, operation) = ((*state).ps.state, (*state).operation);
            let (checks, rti) = ((*result).ri_WithCheckOptions, (*result).ri_RangeTableIndex);
            let mut returned =
                deparse::returning_attrs(rti, false, checks, (*result).ri_returningList);
            // Known here.
            let oid = pg_sys::TableOidAttributeNumber - pg_sys::FirstLowInvalidHeapAttributeNumber;
            let tells_table = node::has_member(returned, oid);
            returned = pg_sys::bms_del_member(returned, oid);
            let checks_stored = node::list::<pg_sys::WithCheckOption>(checks)
                .any(|check| (*check).kind != WCOKind::WCO_RLS_UPDATE_CHECK);
            let below = (*state).ps.lefttree;
            let targets = (*(*below).plan).targetlist;
            let junk = |name: &std::ffi::CStr| {
                pg_sys::ExecFindJunkAttributeInTlist(targets, name.as_ptr())
            };
            let (ctid, remote) = (junk(c"ctid"), row_identity::junk_column(targets));
            let placement = junk(PLACEMENT);
            (*result).ri_RowIdAttNo = match operation {
                CmdType::CMD_UPDATE => junk(WHOLE_ROW),
                _ => 0,
            };
            if ctid == 0 || remote == 0 || placement == 0 {
                return Err(Failure::internal(
                    "could not find a row's identity among junk columns",
                ));
            }
            let single = plan.single || !(*result).ri_projectReturning.is_null() || checks_stored;
            let function = exec_node::follow(state, follower)?;
            let drain = early::any_late(estate).then(|| drain::install(below)).transpose()?;
            let user = compat::result_user(result, estate);
            let moves = || Box::new(Moves::new(state, Rc::clone(&table), user, returned));
            Ok(ShardedChange {
                moves: plan.moves.then(moves),
                placements: table.members.iter().map(|_| None).collect(),
                plan,
                estate,
                result,
                operation,
                user,
                returned,
                tells_table,
                single,
                counts: (*state).canSetTag,
                identity: [ctid, remote],
                placement,
                function,
                drain,
                table,
            })
        }
    }

    /// The node's own function.
    pub fn function(&self) -> Function {
        self.function
    }

    /// Changes the row that `plan_slot` identifies, or takes that on; `slot` holds the new row (UPDATE) and then, if true
    /// is returned, the row as it was stored or deleted. False: there is nothing more to be done for it.
    ///
    /// # Safety
    /// ExecForeignUpdate's or ExecForeignDelete's arguments.
    pub unsafe fn change(
        &mut self,
        slot: *mut pg_sys::TupleTableSlot,
        plan_slot: *mut pg_sys::TupleTableSlot,
    ) -> Result<bool, Failure> {
        // SAFETY: as the caller vouches; the doctored relation is ours to change.
        unsafe {
            let mut null = false;
            let oid = pg_sys::slot_getattr(plan_slot, i32::from(self.placement), &raw mut null);
            let number = pg_sys::Oid::from(oid.value() as u32);
            let index = self
                .table
                .number_of(number)
                .filter(|_| !null)
                .ok_or_else(|| Failure::internal("a row is from no placement of its table"))?;
            if self.placements[index].is_none() {
                self.open(index)?;
            }
            let to = match &mut self.moves {
                Some(moves) => moves.target(index, slot)?,
                None => None,
            };
            let Some(placement) = self.placements[index].as_deref_mut() else { return Ok(false) };
            if let (Some(to), Some(moves)) = (to, &mut self.moves) {
                // Earlier changes may be of the same row.
                placement.state.send_changes(&mut placement.changes)?;
                let (from, drained) = ((index, placement.relation), self.drain.is_some());
                let moved = moves.run(from, to, (slot, plan_slot), self.identity, drained)?;
                if !self.single {
                    self.count(None, moved);
                } else if moved > 0 && self.tells_table {
                    (*(*self.result).ri_RelationDesc).rd_id = self.table.members[to].relid;
                }
                return Ok(self.single && moved > 0);
            }
            if !self.single {
                let Changed { state, changes, .. } = placement;
                let done = state.change_later(changes, slot, plan_slot, self.operation)?;
                self.count(Some(index), done);
                return Ok(false);
            }
            let changed = placement.state.change(slot, plan_slot, self.operation)?;
            placement.rows += changed;
            if changed > 0 && self.tells_table {
                // The executor gives this OID to the slot next.
                (*(*self.result).ri_RelationDesc).rd_id = self.table.members[index].relid;
            }
            Ok(changed > 0)
        }
    }

    /// To be called after each call of the node's function; `ended` when it has no more rows.
    ///
    /// # Safety
    /// The statement is in execution.
    pub unsafe fn after(&mut self, ended: bool) -> Result<(), Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            (*(*self.result).ri_RelationDesc).rd_id = self.table.parent;
            if !ended || self.single {
                return Ok(());
            }
            for Changed { state, changes, .. } in
                self.placements.iter_mut().flatten().map(|placement| &mut **placement)
            {
                state.send_changes(changes)?;
            }
            for index in 0..self.placements.len() {
                if let Some(placement) = self.placements[index].as_deref_mut() {
                    let Changed { state, changes, .. } = placement;
                    let done = state.take_answers(changes, 0)?;
                    self.count(Some(index), done);
                }
            }
            Ok(())
        }
    }

    /// Counts rows changed on a placement, or moved.
    unsafe fn count(&mut self, on: Option<usize>, rows: u64) {
        if let Some(placement) = on.and_then(|index| self.placements[index].as_mut()) {
            placement.rows += rows;
        }
        if self.counts {
            // SAFETY: the statement is in execution.
            unsafe { (*self.estate).es_processed += rows };
        }
    }

    /// Locks and opens a placement.
    unsafe fn open(&mut self, index: usize) -> Result<(), Failure> {
        // SAFETY: the statement is being executed; its query context lives as long as this. The relation is closed by
        // `end`, or by the resource owner after an ERROR.
        unsafe {
            let _guard = ContextGuard::switch_to((*self.estate).es_query_cxt);
            let relid = self.table.members[index].relid;
            let relation = pg_sys::table_open(relid, pg_sys::RowExclusiveLock as i32);
            let rti = (*self.result).ri_RangeTableIndex;
            let (plan, many) = plan::modify::placement_change(
                self.operation,
                relid,
                rti,
                &self.plan.targets,
                self.returned,
            )?;
            let table = load::foreign_table(relid)?;
            let many = many.map(|template| ModifyPlan::render(&template, &table, Some(1)));
            let to = Destination { estate: self.estate, relation, user: self.user };
            let mut state = ModifyState::new(&to, plan, self.operation)?;
            state.identity = self.identity;
            let changed = Changed { relation, state, changes: Changes::new(many), rows: 0 };
            self.placements[index] = Some(Box::new(changed));
            Ok(())
        }
    }

    /// Closes the placements.
    ///
    /// # Safety
    /// Called once, at the end of a statement that did not fail.
    pub unsafe fn end(&mut self) {
        // SAFETY: as the caller vouches.
        unsafe {
            for placement in self.placements.iter_mut().flatten() {
                pg_sys::table_close(placement.relation, pg_sys::NoLock as i32);
            }
            if let Some(moves) = &mut self.moves {
                moves.end();
            }
            if let Some(drain) = self.drain.take() {
                drain::end(drain);
            }
        }
        self.placements.clear();
    }

    /// Whether rows are changed one by one.
    pub fn is_single(&self) -> bool {
        self.single
    }

    /// The SQL for one row of the first placement, for EXPLAIN.
    ///
    /// # Safety
    /// The statement has been started.
    pub unsafe fn example(&self) -> Result<Option<String>, Failure> {
        let Some(member) = self.table.members.first() else { return Ok(None) };
        // SAFETY: as the caller vouches.
        unsafe {
            pg_sys::LockRelationOid(member.relid, pg_sys::AccessShareLock as i32);
            let rti = (*self.result).ri_RangeTableIndex;
            let (plan, _) = plan::modify::placement_change(
                self.operation,
                member.relid,
                rti,
                &self.plan.targets,
                self.returned,
            )?;
            let table = load::foreign_table(member.relid)?;
            Ok(Some(plan.sql(&table, 1)))
        }
    }

    /// Servers written to, with the rows changed on each, or moved there.
    pub fn written(&self) -> impl Iterator<Item = (pg_sys::Oid, u64)> {
        self.table.members.iter().enumerate().filter_map(|(index, member)| {
            let moved = self.moves.as_ref().and_then(|moves| moves.moved_to(index));
            let changed = self.placements.get(index)?.as_ref().map(|placement| placement.rows);
            let rows = moved.into_iter().chain(changed).reduce(|a, b| a + b)?;
            Some((member.server, rows))
        })
    }
}

//! An UPDATE that gives a row another place: the row leaves its placement and enters the one that takes its new values,
//! in the same transaction.
//!
//! The executor changes the placements of a sharded parent one by one and knows nothing of the others (PostgreSQL moves
//! rows into foreign partitions, but never out of them). So each new row that could have another place is held against
//! the rules here. A row that its own placement may keep stays, also when others would take it.

use super::destination::Destination;
use super::early;
use super::leaving::Leaving;
use super::modify_state::ModifyState;
use super::placement::{Conflict, Parent, Placement};
use crate::deparse::OnConflict;
use crate::error::{Failure, SqlState};
use crate::pg::memory::ContextGuard;
use crate::pg::{catalog, compat, node};
use crate::plan;
use crate::shard::{self, Keeper, Placer, ShardedTable};
use pgrx::pg_sys;
use pgrx::pg_sys::CmdType;
use std::rc::Rc;

/// Watches over the rows that an UPDATE of one foreign table changes.
pub enum Watch {
    /// The table is a placement of a sharded table: rows move.
    Moves(Box<Movement>),
    /// It is another kind of child: rows that do not belong there any more are refused.
    Keeps(Keeper),
}

impl Watch {
    /// For `result`, a foreign table that an UPDATE of the columns `targets` changes; `None` when none of them has to do
    /// with the rows' places.
    ///
    /// # Safety
    /// `result` is an initialised result relation of `estate`, a foreign table of ours; the query's memory context is
    /// current.
    pub unsafe fn new(
        estate: *mut pg_sys::EState,
        result: *mut pg_sys::ResultRelInfo,
        targets: &[i32],
    ) -> Result<Option<Watch>, Failure> {
        // SAFETY: as the caller vouches; parents are locked while they are looked at.
        unsafe {
            let relation = (*result).ri_RelationDesc;
            let parents = catalog::parents((*relation).rd_id);
            if parents.is_empty() {
                return Ok(None);
            }
            let descriptor = (*relation).rd_att;
            let given = |attnum: &i32| {
                let generated = (*compat::attribute(descriptor, *attnum as usize - 1)).attgenerated;
                generated != 0 || targets.contains(attnum)
            };
            let columns: Vec<i16> =
                (1..=(*descriptor).natts).filter(given).map(|attnum| attnum as i16).collect();
            if let [parent] = parents[..] {
                pg_sys::LockRelationOid(parent, pg_sys::AccessShareLock as i32);
                if let Some(table) = shard::sharded_for_writing(parent)?
                    && let Some(own) = table.number_of((*relation).rd_id)
                {
                    let member = &table.members[own];
                    let mut numbers = columns.iter().map(|&attno| member.parent_column(attno));
                    let decides = numbers.any(|attno| table.distributes_by(attno));
                    return Ok(decides.then(|| {
                        let movement = Movement::new(estate, result, table, own);
                        Watch::Moves(Box::new(movement))
                    }));
                }
            }
            let Some(rule) = shard::rule_of(relation)? else { return Ok(None) };
            let decides = columns.iter().any(|&attno| rule.uses(attno));
            Ok(decides.then(|| Watch::Keeps(Keeper::new(rule, (*estate).es_query_cxt))))
        }
    }
}

/// Moves rows of one placement that an UPDATE changes.
pub struct Movement {
    table: Rc<ShardedTable>,
    /// The number of the placement in its parent.
    own: usize,
    placer: Placer,
    /// The row as the parent has it, where that is another layout.
    conversion: Option<Conversion>,
    result: *mut pg_sys::ResultRelInfo,
    estate: *mut pg_sys::EState,
    user: pg_sys::Oid,
    /// Deletes a row that goes away; made with the first one.
    delete: Option<Box<ModifyState>>,
    triggers: Leaving,
    /// Where rows went, parallel to the table's members.
    placements: Vec<Option<Box<Placement>>>,
}

/// Between a placement's layout and the parent's.
struct Conversion {
    slot: *mut pg_sys::TupleTableSlot,
    to_parent: *mut pg_sys::AttrMap,
    to_own: *mut pg_sys::AttrMap,
    /// Whether the placement has columns that the parent lacks.
    loses: bool,
}

impl Movement {
    unsafe fn new(
        estate: *mut pg_sys::EState,
        result: *mut pg_sys::ResultRelInfo,
        table: Rc<ShardedTable>,
        own: usize,
    ) -> Movement {
        // SAFETY: as for `Watch::new`.
        unsafe {
            let member = &table.members[own];
            let relation = (*result).ri_RelationDesc;
            let conversion = (!member.has_parents_layout())
                .then(|| Conversion::new(estate, relation, table.parent, member));
            Movement {
                own,
                placer: Placer::new(Rc::clone(&table), (*estate).es_query_cxt),
                conversion,
                result,
                estate,
                user: compat::result_user(result, estate),
                delete: None,
                triggers: Leaving::new(estate, result),
                placements: table.members.iter().map(|_| None).collect(),
                table,
            }
        }
    }

    /// Looks where the new row in `slot` belongs. When it belongs elsewhere, moves it and gives the number of rows moved
    /// (0 when the old row, which `plan_slot` identifies, was changed before by the same statement); `slot` then holds the
    /// row as stored.
    ///
    /// # Safety
    /// ExecForeignUpdate's arguments; `identity` are the positions of the junk columns.
    pub unsafe fn run(
        &mut self,
        slot: *mut pg_sys::TupleTableSlot,
        plan_slot: *mut pg_sys::TupleTableSlot,
        identity: [i16; 2],
    ) -> Result<Option<u64>, Failure> {
        // SAFETY: as the caller vouches; slots are of the layouts that the maps were made for.
        unsafe {
            let row = match &self.conversion {
                Some(conversion) => {
                    pg_sys::execute_attr_map_slot(conversion.to_parent, slot, conversion.slot)
                }
                None => slot,
            };
            if self.placer.may_keep(self.own, row) {
                self.triggers.stays();
                return Ok(None);
            }
            let to = self.placer.place(row)?;
            self.open(to)?;
            if !self.triggers.before(plan_slot) {
                return Ok(Some(0));
            }
            let deleted = match &mut self.delete {
                Some(delete) => {
                    delete.identity = identity;
                    delete.change(slot, plan_slot, CmdType::CMD_DELETE)?
                }
                None => 0,
            };
            if deleted == 0 {
                return Ok(Some(0));
            }
            self.triggers.after(plan_slot);
            let Some(placement) = self.placements[to].as_mut() else { return Ok(Some(0)) };
            let Some(ready) = placement.prepare(row)? else { return Ok(Some(0)) };
            let stored = placement.state()?.insert(&[ready])?;
            if stored > 0 {
                placement.stored(ready, row);
                if let Some(conversion) = &self.conversion {
                    let tid = (*row).tts_tid;
                    pg_sys::execute_attr_map_slot(conversion.to_own, row, slot);
                    pg_sys::ExecMaterializeSlot(slot);
                    (*slot).tts_tid = tid;
                }
            }
            Ok(Some(stored))
        }
    }

    /// Makes ready what moves a row to placement `to`.
    unsafe fn open(&mut self, to: usize) -> Result<(), Failure> {
        // SAFETY: the statement is being executed; its query context lives as long as this.
        unsafe {
            let _guard = ContextGuard::switch_to((*self.estate).es_query_cxt);
            if self.delete.is_none() {
                self.check_movable()?;
                let relation = (*self.result).ri_RelationDesc;
                let rti = (*self.result).ri_RangeTableIndex;
                let delete = plan::modify::placement_delete((*relation).rd_id, rti)?;
                let from = Destination { estate: self.estate, relation, user: self.user };
                let state = ModifyState::new(&from, delete, CmdType::CMD_DELETE)?;
                self.delete = Some(Box::new(state));
            }
            if self.placements[to].is_none() {
                let result = (*self.result).ri_RootResultRelInfo;
                let parent = Parent {
                    state: std::ptr::null_mut(),
                    estate: self.estate,
                    result,
                    user: self.user,
                    returned: self.returned(),
                    conflict: Conflict::Any(OnConflict::Error),
                };
                let mut placement = Placement::open(&self.table.members[to], &parent)?;
                placement.connect(&self.table.members[to], &parent)?;
                self.placements[to] = Some(Box::new(placement));
            }
            Ok(())
        }
    }

    /// Refuses to move rows where that could not be done rightly.
    unsafe fn check_movable(&self) -> Result<(), Failure> {
        // SAFETY: an initialised result relation.
        unsafe {
            let refuse = |why: &str| {
                let name = catalog::relation_name((*(*self.result).ri_RelationDesc).rd_id);
                Err(Failure::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    format!("cannot move a row out of \"{}\"", name.unwrap_or_default()),
                )
                .with_detail(why))
            };
            let root = (*self.result).ri_RootResultRelInfo;
            if root.is_null() || (*(*root).ri_RelationDesc).rd_id != self.table.parent {
                return Err(out_of_place(self.result)
                    .with_hint("An UPDATE of its parent moves rows to where they belong."));
            }
            if self.conversion.as_ref().is_some_and(|conversion| conversion.loses) {
                return refuse("It has columns that its parent lacks: the row would lose them.");
            }
            let mut read = std::ptr::null_mut();
            let rti = (*self.result).ri_RangeTableIndex;
            pg_sys::pull_varattnos((*self.result).ri_returningList.cast(), rti, &raw mut read);
            if node::has_attribute(read, pg_sys::TableOidAttributeNumber) {
                return refuse("RETURNING asks for its tableoid.");
            }
            // The row must not go where this UPDATE may still find it, and update it again.
            if !early::start_all(self.estate)? {
                return refuse("The statement could find it again in its new place.");
            }
            Ok(())
        }
    }

    /// What has to come back of a row that was stored elsewhere, as pull_varattnos numbers it.
    unsafe fn returned(&self) -> *mut pg_sys::Bitmapset {
        // SAFETY: an initialised result relation.
        unsafe {
            let result = self.result;
            if (*result).ri_projectReturning.is_null() && (*result).ri_WithCheckOptions.is_null() {
                return std::ptr::null_mut();
            }
            let (mut read, mut returned) = (std::ptr::null_mut(), std::ptr::null_mut());
            let rti = (*result).ri_RangeTableIndex;
            pg_sys::pull_varattnos((*result).ri_returningList.cast(), rti, &raw mut read);
            // System columns are numbered alike everywhere.
            for attno in pg_sys::FirstLowInvalidHeapAttributeNumber + 1..0 {
                if node::has_attribute(read, attno) {
                    returned = node::add_attribute(returned, attno);
                }
            }
            node::add_attribute(returned, 0)
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
}

/// The error for a row that must not stay and cannot go.
///
/// # Safety
/// `result` is an initialised result relation.
pub unsafe fn out_of_place(result: *mut pg_sys::ResultRelInfo) -> Failure {
    // SAFETY: as the caller vouches.
    let name = catalog::relation_name(unsafe { (*(*result).ri_RelationDesc).rd_id });
    let message = "violates the constraints that tell which rows are there";
    Failure::new(
        SqlState::CHECK_VIOLATION,
        format!("new row for relation \"{}\" {message}", name.unwrap_or_default()),
    )
}

impl Conversion {
    unsafe fn new(
        estate: *mut pg_sys::EState,
        relation: pg_sys::Relation,
        parent: pg_sys::Oid,
        member: &shard::Member,
    ) -> Conversion {
        // SAFETY: the relations are locked; maps have one entry per column of what they lead to. The slot's descriptor
        // is a copy.
        unsafe {
            let parent = crate::pg::relation::Relation::open(parent, pg_sys::NoLock as i32);
            let theirs = pg_sys::CreateTupleDescCopy(parent.descriptor());
            let own = (*relation).rd_att;
            let to_own = pg_sys::make_attrmap((*own).natts);
            let to_parent = pg_sys::make_attrmap((*theirs).natts);
            let mut loses = false;
            for index in 0..(*own).natts as usize {
                let number = member.parent_column(index as i16 + 1);
                if number > 0 {
                    *(*to_own).attnums.add(index) = number;
                    *(*to_parent).attnums.add(number as usize - 1) = index as i16 + 1;
                } else {
                    loses |= !(*compat::attribute(own, index)).attisdropped;
                }
            }
            let ops = &raw const pg_sys::TTSOpsHeapTuple;
            let slot = pg_sys::ExecInitExtraTupleSlot(estate, theirs, ops);
            Conversion { slot, to_parent, to_own, loses }
        }
    }
}

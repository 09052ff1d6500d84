//! One placement of a sharded parent that rows are written to: what PostgreSQL's tuple routing is for a partition.
//!
//! The foreign table is locked and opened when the first row comes. Rows are brought into its layout, and what it
//! demands of a row is enforced here: queries believe it. Row triggers of the foreign table fire as for an INSERT
//! into it.

use super::conflict::Upsert;
use super::destination::Destination;
use super::layout::{Layout, has_null, has_virtual_columns, not_null_columns};
use super::modify_state::ModifyState;
use crate::deparse::OnConflict;
use crate::error::{Failure, SqlState};
use crate::options::load;
use crate::pg::relation::Relation;
use crate::pg::{catalog, node};
use crate::plan;
use crate::plan::private::ModifyPlan;
use crate::shard::{self, Member, Rule, ShardedTable};
use crate::txn::Participant;
use pgrx::pg_sys;
use pgrx::pg_sys::CmdType;
use std::rc::Rc;

/// What placements have to know of the statement and its result relation, the parent.
pub struct Parent {
    /// The statement.
    pub estate: *mut pg_sys::EState,
    /// The parent as result relation.
    pub result: *mut pg_sys::ResultRelInfo,
    /// The user whose mappings are used.
    pub user: pg_sys::Oid,
    /// The columns that must come back of stored rows, numbered as the parent's.
    pub returned: *mut pg_sys::Bitmapset,
    /// The node that is executed; needed where `conflict` is a clause.
    pub state: *mut pg_sys::ModifyTableState,
    /// What happens to a row that is there already.
    pub conflict: Conflict,
}

/// ON CONFLICT.
pub enum Conflict {
    /// Without a conflict target.
    Any(OnConflict),
    /// A clause that is written for each placement.
    Clause(plan::conflict::Found),
}

impl Conflict {
    /// Whether it is DO UPDATE.
    pub fn updates(&self) -> bool {
        matches!(self, Conflict::Clause(clause) if clause.excluded().is_some())
    }
}

/// A placement that rows are written to.
pub struct Placement {
    relation: pg_sys::Relation,
    result: *mut pg_sys::ResultRelInfo,
    estate: *mut pg_sys::EState,
    layout: Option<Layout>,
    fires_after: bool,
    not_null: Vec<usize>,
    rule: Option<Rc<Rule>>,
    /// Whether it has CHECK constraints or is a partition.
    constrained: bool,
    /// Whether a row that has been placed here satisfies the rule, and all constraints with it.
    settled: bool,
    /// The statement and its connection; none before [`Placement::connect`].
    state: Option<Box<ModifyState>>,
    /// Rows stored.
    pub rows: u64,
}

impl Placement {
    /// Locks and opens the placement. Its server hears nothing of it.
    ///
    /// # Safety
    /// The parent's statement is being executed; its query context is current and outlives the placement.
    pub unsafe fn open(member: &Member, parent: &Parent) -> Result<Placement, Failure> {
        // SAFETY: as the caller vouches. The relation is closed by `close`, or by the resource owner after an ERROR.
        unsafe {
            let relation = pg_sys::table_open(member.relid, pg_sys::RowExclusiveLock as i32);
            let result =
                pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            (*result).type_ = pg_sys::NodeTag::T_ResultRelInfo;
            let instrument = (*parent.estate).es_instrument;
            pg_sys::InitResultRelInfo(result, relation, 0, parent.result, instrument);
            let table = load::foreign_table(member.relid)?;
            if !table.updatable {
                let name = catalog::relation_name(member.relid).unwrap_or_default();
                return Err(Failure::new(
                    SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                    format!("foreign table \"{name}\" does not allow inserts"),
                ));
            }
            let triggers = (*result).ri_TrigDesc;
            let fires =
                |which: fn(&pg_sys::TriggerDesc) -> bool| triggers.as_ref().is_some_and(which);
            let fires_after = fires(|triggers| triggers.trig_insert_after_row);
            let layout = (!member.has_parents_layout()
                || fires_after
                || fires(|triggers| triggers.trig_insert_before_row))
            .then(|| Layout::new(member, relation, parent));
            let constraints = (*(*relation).rd_att).constr;
            Ok(Placement {
                relation,
                result,
                estate: parent.estate,
                layout,
                fires_after,
                not_null: not_null_columns(relation),
                // What held when rows were placed may have changed before the table was locked.
                rule: shard::rule_of(relation)?,
                constrained: (*(*relation).rd_rel).relispartition
                    || (!constraints.is_null()
                        && ((*constraints).num_check > 0 || has_virtual_columns(relation))),
                settled: false,
                state: None,
                rows: 0,
            })
        }
    }

    /// Spares rows what has been found out when they were placed: the placement is number `index` of `table`.
    pub fn settle(&mut self, table: &ShardedTable, index: usize) {
        // SAFETY: the result relation is initialised. A trigger may change the row.
        let triggers = unsafe { (*self.result).ri_TrigDesc.as_ref() };
        self.settled = !triggers.is_some_and(|triggers| triggers.trig_insert_before_row)
            && self.rule.as_ref().is_some_and(|rule| table.is_settled(index, rule));
    }

    /// Makes ready what INSERTs rows, unless it is. Everything that reads the database first has been started.
    ///
    /// # Safety
    /// As for [`Placement::open`], with the same arguments.
    pub unsafe fn connect(&mut self, member: &Member, parent: &Parent) -> Result<(), Failure> {
        if self.state.is_some() {
            return Ok(());
        }
        // SAFETY: as the caller vouches.
        unsafe {
            let (plan, params) = plan_for(member, self.relation, parent, self.fires_after)?;
            let conflict = plan.conflict.clone();
            let to =
                Destination { estate: parent.estate, relation: self.relation, user: parent.user };
            let mut state = ModifyState::new(&to, plan, CmdType::CMD_INSERT)?;
            if let Some(conflict) = conflict {
                state.upsert = Some(Upsert::new(parent.state, conflict, params)?);
            }
            self.state = Some(Box::new(state));
            Ok(())
        }
    }

    /// Whether rows can be INSERTed.
    pub fn is_connected(&self) -> bool {
        self.state.is_some()
    }

    /// What INSERTs rows.
    pub fn state(&mut self) -> Result<&mut ModifyState, Failure> {
        self.state.as_deref_mut().ok_or_else(|| Failure::internal("a placement is not connected"))
    }

    /// Its server's part in the transaction.
    pub fn participant(&self) -> Option<&Rc<Participant>> {
        self.state.as_deref().map(ModifyState::participant)
    }

    /// The statement that such a placement gets, for EXPLAIN.
    ///
    /// # Safety
    /// As for [`Placement::open`].
    pub unsafe fn plan(member: &Member, parent: &Parent) -> Result<ModifyPlan, Failure> {
        let opened = Relation::open(member.relid, pg_sys::AccessShareLock as i32);
        // SAFETY: as the caller vouches.
        unsafe {
            let triggers = (*opened.raw()).trigdesc.as_ref();
            let after = triggers.is_some_and(|triggers| triggers.trig_insert_after_row);
            Ok(plan_for(member, opened.raw(), parent, after)?.0)
        }
    }

    /// The foreign table, open.
    pub fn relation(&self) -> pg_sys::Relation {
        self.relation
    }

    /// The row as the placement takes it, or `None` when a trigger of the placement leaves it out. The slot given
    /// back is good until the next row.
    ///
    /// # Safety
    /// `slot` holds a row of the parent.
    pub unsafe fn prepare(
        &mut self,
        slot: *mut pg_sys::TupleTableSlot,
    ) -> Result<Option<*mut pg_sys::TupleTableSlot>, Failure> {
        // SAFETY: as the caller vouches; the result relation is initialised.
        unsafe {
            let row = match &self.layout {
                Some(layout) => layout.fill(slot, self.estate),
                None => slot,
            };
            (*row).tts_tableOid = (*self.relation).rd_id;
            let triggers = (*self.result).ri_TrigDesc;
            if !triggers.is_null()
                && (*triggers).trig_insert_before_row
                && !pg_sys::ExecBRInsertTriggers(self.estate, self.result, row)
            {
                return Ok(None);
            }
            self.check(row);
            Ok(Some(row))
        }
    }

    /// Raises the error of the constraint that a row breaks, if it breaks one. PostgreSQL's own way compiles all
    /// constraints anew for each statement; it is taken for what the rule does not cover, and to raise the error.
    unsafe fn check(&self, row: *mut pg_sys::TupleTableSlot) {
        // SAFETY: the row is of the placement's type.
        unsafe {
            let null = has_null(row, &self.not_null);
            let fits = match &self.rule {
                _ if self.settled => true,
                Some(rule) => rule.is_broken_by(row) == Some(false),
                None => !self.constrained,
            };
            if fits && !null {
                return;
            }
            if !(*(*self.relation).rd_att).constr.is_null() {
                pg_sys::ExecConstraints(self.result, row, self.estate);
            }
            if (*(*self.relation).rd_rel).relispartition {
                pg_sys::ExecPartitionCheck(self.result, row, self.estate, true);
            }
        }
    }

    /// What follows when `row` is stored: triggers of the placement, and the row as stored comes back into `slot`.
    ///
    /// # Safety
    /// `row` is what `prepare` gave for `slot`.
    pub unsafe fn stored(
        &mut self,
        row: *mut pg_sys::TupleTableSlot,
        slot: *mut pg_sys::TupleTableSlot,
    ) {
        // SAFETY: as the caller vouches.
        unsafe {
            if self.fires_after {
                (*row).tts_tableOid = (*self.relation).rd_id;
                let none = std::ptr::null_mut();
                pg_sys::ExecARInsertTriggers(
                    self.estate,
                    self.result,
                    row,
                    none,
                    std::ptr::null_mut(),
                );
            }
            if let Some(layout) = &self.layout {
                layout.give_back(row, slot);
            }
        }
    }

    /// Closes the foreign table; the lock stays.
    ///
    /// # Safety
    /// Called once, at the end of a statement that did not fail.
    pub unsafe fn close(&mut self) {
        // SAFETY: opened by `open`.
        unsafe { pg_sys::table_close(self.relation, pg_sys::NoLock as i32) };
    }
}

unsafe fn plan_for(
    member: &Member,
    relation: pg_sys::Relation,
    parent: &Parent,
    fires_after: bool,
) -> Result<(ModifyPlan, Vec<*mut pg_sys::Expr>), Failure> {
    // SAFETY: the relation is open.
    unsafe {
        let mut returned = returned_columns(member, relation, parent.returned)?;
        if fires_after {
            returned = node::add_attribute(returned, 0);
        }
        let rti = (*parent.result).ri_RangeTableIndex;
        let (action, single) = match &parent.conflict {
            Conflict::Any(action) => (action.clone(), false),
            Conflict::Clause(clause) => {
                let table = load::foreign_table(member.relid)?;
                let excluded = clause.excluded();
                let scope = plan::conflict::clause_scope(table, rti, excluded, parent.user);
                (clause.shipped(&scope)?, clause.is_single())
            }
        };
        let mut made = plan::modify::placement_insert(member.relid, rti, returned, action)?;
        if let Some(update) = &mut made.0.conflict {
            update.single = single;
        }
        Ok(made)
    }
}

/// The columns that must come back, in the placement's numbers. Its OID is known here.
unsafe fn returned_columns(
    member: &Member,
    relation: pg_sys::Relation,
    parents: *mut pg_sys::Bitmapset,
) -> Result<*mut pg_sys::Bitmapset, Failure> {
    // SAFETY: the relation is open, the set valid.
    unsafe {
        let first = pg_sys::FirstLowInvalidHeapAttributeNumber;
        let mut returned = std::ptr::null_mut();
        for attno in node::members(parents).map(|attribute| attribute + first) {
            if attno == pg_sys::TableOidAttributeNumber {
                continue;
            }
            let same = member.has_parents_layout();
            if attno < 0 && attno != pg_sys::SelfItemPointerAttributeNumber && !same {
                return Err(Failure::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "system columns of a row in a placement with another column order cannot be returned",
                ));
            }
            if attno <= 0 || same {
                returned = node::add_attribute(returned, attno);
                continue;
            }
            let natts = (*(*relation).rd_att).natts as i16;
            let theirs = (1..=natts).find(|&own| i32::from(member.parent_column(own)) == attno);
            if let Some(theirs) = theirs {
                returned = node::add_attribute(returned, i32::from(theirs));
            }
        }
        Ok(returned)
    }
}

//! UPDATE and DELETE of a sharded parent as one foreign relation.
//!
//! The target becomes one foreign relation, as tables that are read do. The change is then shipped as a whole (`direct`),
//! or its rows are found by one scan and changed one by one (`change_plan`). Only planning tells whether either can be
//! done; so a copy of the query is kept, and when the hope was in vain that copy is planned child by child.

use super::row_identity;
use crate::error::Failure;
use crate::pg::relation::Relation;
use crate::pg::{compat, node};
use crate::shard::{self, ShardedTable};
use pgrx::pg_sys;
use pgrx::pg_sys::{CmdType, NodeTag, RTEKind};

/// Whether the query changes rows of `table`, its target, in a way that may be planned as that of one foreign relation:
/// nothing is called here for each row that would have to belong to the row's own placement.
///
/// # Safety
/// `query` is a valid query of the statement being planned; its relations are locked.
pub(super) unsafe fn may_be_one(
    query: *mut pg_sys::Query,
    table: &ShardedTable,
) -> Result<bool, Failure> {
    // SAFETY: as the caller vouches; the lists hold what their names say.
    unsafe {
        let parent = Relation::open(table.parent, pg_sys::NoLock as i32);
        let fit = match (*query).commandType {
            CmdType::CMD_UPDATE => {
                table.changes_whole
                    && !has_triggers(&parent, CmdType::CMD_UPDATE)
                    && is_generated_there(&parent, table)
            }
            CmdType::CMD_DELETE => {
                table.deletes_whole && !has_triggers(&parent, CmdType::CMD_DELETE)
            }
            _ => false,
        };
        if !fit {
            return Ok(false);
        }
        let target = (*query).resultRelation;
        let vars = pg_sys::pull_vars_of_level(query.cast(), 0);
        Ok(!node::list::<pg_sys::Var>(vars).any(|var| {
            node::cast::<pg_sys::Var, _>(var)
                .is_some_and(|var| var.varno == target && compat::is_old_or_new(var))
        }))
    }
}

/// Whether a change of relation `rti`, which is one foreign relation, asks for ordinary columns only: whole rows and
/// system columns are those of a placement, which a statement for all of them does not give.
///
/// # Safety
/// `root` is a planner's root with its query preprocessed.
pub(super) unsafe fn names_ordinary_columns(root: *mut pg_sys::PlannerInfo, rti: u32) -> bool {
    // SAFETY: as the caller vouches.
    unsafe {
        let parse = (*root).parse;
        let mut attrs = row_identity::mentioned_by_user(root);
        pg_sys::pull_varattnos((*parse).returningList.cast(), rti, &raw mut attrs);
        pg_sys::pull_varattnos((*parse).withCheckOptions.cast(), rti, &raw mut attrs);
        node::members(attrs).all(|member| member + pg_sys::FirstLowInvalidHeapAttributeNumber > 0)
    }
}

/// Row triggers for the operation, or statement triggers that want to see the rows.
fn has_triggers(relation: &Relation, operation: CmdType::Type) -> bool {
    // SAFETY: the relation is open.
    unsafe {
        let Some(triggers) = (*relation.raw()).trigdesc.as_ref() else { return false };
        match operation {
            CmdType::CMD_UPDATE => {
                triggers.trig_update_before_row
                    || triggers.trig_update_after_row
                    || triggers.trig_update_old_table
                    || triggers.trig_update_new_table
            }
            _ => {
                triggers.trig_delete_before_row
                    || triggers.trig_delete_after_row
                    || triggers.trig_delete_old_table
            }
        }
    }
}

/// Whether generated columns, if there are any, are the shard's business alone in an UPDATE: they are stored there, and
/// no rule needs them, which would have to know what the row's own placement makes of them.
fn is_generated_there(parent: &Relation, table: &ShardedTable) -> bool {
    // SAFETY: the relation is open; numbers run over its attributes.
    unsafe {
        let descriptor = parent.descriptor();
        (0..(*descriptor).natts as usize).all(|index| {
            match (*compat::attribute(descriptor, index)).attgenerated as u8 {
                0 => true,
                pg_sys::ATTRIBUTE_GENERATED_STORED => !table.uses(index as i16 + 1),
                _ => false,
            }
        })
    }
}

/// Whether the relation has generated columns.
pub(super) fn has_generated(relation: &Relation) -> bool {
    // SAFETY: the relation is open; numbers run over its attributes.
    unsafe {
        let descriptor = relation.descriptor();
        (0..(*descriptor).natts as usize)
            .any(|index| (*compat::attribute(descriptor, index)).attgenerated != 0)
    }
}

/// Whether the plan changes sharded parents only in ways that can be executed: by statements that run on the shards as
/// a whole, row by row as planned in change_plan.rs, or not at all.
///
/// # Safety
/// `plan` was made by the planner just now.
pub(super) unsafe fn is_executable(plan: *mut pg_sys::PlannedStmt) -> Result<bool, Failure> {
    // SAFETY: as the caller vouches. What changes data is at the top of the statement or of one of its CTEs.
    unsafe {
        let subplans = node::list_vec::<pg_sys::Plan>((*plan).subplans);
        let entries = node::list_vec::<pg_sys::RangeTblEntry>((*plan).rtable);
        for top in std::iter::once((*plan).planTree).chain(subplans) {
            if top.is_null() || node::tag(top) != NodeTag::T_ModifyTable {
                continue;
            }
            let modify = top.cast::<pg_sys::ModifyTable>();
            for (index, rti) in node::int_list((*modify).resultRelations).enumerate() {
                let Some(&entry) = usize::try_from(rti - 1).ok().and_then(|i| entries.get(i))
                else {
                    continue;
                };
                let by_row = super::modify::nth_list((*modify).fdwPrivLists, index as i32);
                if is_virtual(entry)
                    && by_row.is_null()
                    && !node::has_member((*modify).fdwDirectModifyPlans, index as i32)
                    && !finds_nothing((*modify).plan.lefttree)
                {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

/// Whether the query changes a sharded parent as one foreign relation.
///
/// # Safety
/// `root` is a planner's root with its array of range-table entries.
pub(super) unsafe fn changes_virtual(root: *mut pg_sys::PlannerInfo) -> bool {
    // SAFETY: as the caller vouches.
    unsafe {
        let parse = (*root).parse;
        matches!((*parse).commandType, CmdType::CMD_UPDATE | CmdType::CMD_DELETE)
            && is_virtual(*(*root).simple_rte_array.add((*parse).resultRelation as usize))
    }
}

/// Whether the range-table entry is a parent that was made a foreign relation, and is to be changed.
unsafe fn is_virtual(entry: *mut pg_sys::RangeTblEntry) -> bool {
    // SAFETY: the caller hands a valid entry.
    unsafe {
        (*entry).rtekind == RTEKind::RTE_RELATION
            && (*entry).relkind as u8 == pg_sys::RELKIND_FOREIGN_TABLE
            && pg_sys::get_rel_relkind((*entry).relid) as u8 != pg_sys::RELKIND_FOREIGN_TABLE
    }
}

/// Whether the plan is known to give no rows.
unsafe fn finds_nothing(plan: *mut pg_sys::Plan) -> bool {
    // SAFETY: a plan tree; casts are by tag.
    unsafe {
        if plan.is_null() || node::tag(plan) != NodeTag::T_Result || !(*plan).lefttree.is_null() {
            return false;
        }
        let once = (*plan.cast::<pg_sys::Result>()).resconstantqual.cast::<pg_sys::List>();
        node::list::<pg_sys::Node>(once).any(|qual| {
            node::cast::<pg_sys::Const, _>(qual)
                .is_some_and(|value| value.constisnull || value.constvalue.value() == 0)
        })
    }
}

/// The sharded table that a query changes.
///
/// # Safety
/// As for [`may_be_one`].
pub(super) unsafe fn of(
    query: *mut pg_sys::Query,
) -> Result<Option<std::rc::Rc<ShardedTable>>, Failure> {
    // SAFETY: as the caller vouches; the index is that of a range-table entry.
    unsafe {
        let target = (*query).resultRelation;
        if target <= 0 || !matches!((*query).commandType, CmdType::CMD_UPDATE | CmdType::CMD_DELETE)
        {
            return Ok(None);
        }
        let entry = pg_sys::list_nth((*query).rtable, target - 1).cast::<pg_sys::RangeTblEntry>();
        if super::sharded::is_candidate(entry) { shard::sharded((*entry).relid) } else { Ok(None) }
    }
}

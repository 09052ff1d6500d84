//! ON CONFLICT of an INSERT into a sharded parent.
//!
//! A parent is no foreign table when it is planned, and its ModifyTable gets no FDW data. So when planning is over, the
//! clause that was set aside is moved from the SET list, where the executor would stumble over it, to the place of
//! the FDW data ([`settle`]), and read there when execution starts ([`settled`]).

use super::conflict::{self, Found, refused};
use crate::error::{Failure, SqlState};
use crate::pg::relation::Relation;
use crate::pg::{catalog, node};
use crate::shard::ShardedTable;
use pgrx::pg_sys;
use pgrx::pg_sys::{CmdType, NodeTag, Oid};
use std::ptr;

/// Moves clauses that were set aside for sharded parents to where execution looks for them.
///
/// # Safety
/// `plan` was made by the planner just now.
pub(super) unsafe fn settle(plan: *mut pg_sys::PlannedStmt) -> Result<(), Failure> {
    // SAFETY: as the caller vouches. What changes data is at the top of the statement or of one of its CTEs.
    unsafe {
        if (*plan).commandType != CmdType::CMD_INSERT && !(*plan).hasModifyingCTE {
            return Ok(());
        }
        let subplans = node::list_vec::<pg_sys::Plan>((*plan).subplans);
        for top in std::iter::once((*plan).planTree).chain(subplans) {
            if !node::is_a(top, NodeTag::T_ModifyTable) {
                continue;
            }
            let modify = top.cast::<pg_sys::ModifyTable>();
            let set = (*modify).onConflictSet;
            if (*modify).operation != CmdType::CMD_INSERT || !conflict::was_set_aside(set) {
                continue;
            }
            let (columns, conditions) = ((*modify).onConflictCols, (*modify).onConflictWhere);
            let clause = Found::read(modify, set, columns, conditions.cast())?;
            let mut kept = ptr::null_mut();
            for list in [set, columns, conditions.cast(), (*modify).exclRelTlist] {
                kept = pg_sys::lappend(kept, list.cast());
            }
            (*modify).fdwPrivLists = pg_sys::lappend(ptr::null_mut(), kept.cast());
            conflict::clean(modify, clause.update);
        }
        Ok(())
    }
}

/// Whether a clause was moved in the plan of this INSERT, whose result relation is no foreign table.
///
/// # Safety
/// `modify` is NULL or a finished plan.
pub unsafe fn is_settled(modify: *mut pg_sys::ModifyTable) -> bool {
    // SAFETY: as the caller vouches; one list per result relation.
    unsafe { !modify.is_null() && !super::modify::nth_list((*modify).fdwPrivLists, 0).is_null() }
}

/// The clause of an INSERT into a sharded parent, in the current memory context; `None` where there is none to be
/// sent but DO NOTHING. An error when the shards cannot decide by themselves.
///
/// # Safety
/// `modify` is NULL or a finished plan whose result relation `relation`, entry `rti`, is the sharded table.
pub unsafe fn settled(
    modify: *mut pg_sys::ModifyTable,
    relation: pg_sys::Relation,
    table: &ShardedTable,
) -> Result<Option<Found>, Failure> {
    // SAFETY: as the caller vouches; `settle` made the lists.
    unsafe {
        if !is_settled(modify) {
            return Ok(None);
        }
        let kept = super::modify::nth_list((*modify).fdwPrivLists, 0);
        let list = |index| super::modify::nth_list(kept, index);
        let own = |list: *mut pg_sys::List| {
            let copy = pg_sys::copyObjectImpl(list.cast()).cast::<pg_sys::List>();
            name_excluded(copy, (*modify).exclRelRTI, kept);
            copy
        };
        let mut clause = Found::read(modify, own(list(0)), list(1), own(list(2)))?;
        check_placements(&clause, relation, modify, table)?;
        let columns = target_columns(&mut clause, table)?;
        let name = || catalog::relation_name(table.parent).unwrap_or_default();
        let deciding: Vec<i16> = (1..=(*(*relation).rd_att).natts as i16)
            .filter(|&attno| table.distributes_by(attno))
            .collect();
        if let Some(missing) = deciding.iter().find(|attno| !columns.contains(attno)) {
            return Err(Failure::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("the conflict target is not unique over the shards of \"{}\"", name()),
            )
            .with_detail(format!(
                "It lacks column \"{}\", which decides where a row is stored: a row in conflict may be on another shard.",
                column_name(relation, *missing)
            ))
            .with_hint("Name all columns of the sharding expression in the conflict target, and in a unique index of each shard."));
        }
        for &(attno, value) in &clause.assignments {
            let kept = node::cast::<pg_sys::Var, _>(value)
                .is_some_and(|var| i32::from(var.varattno) == attno);
            if !kept && deciding.iter().any(|&deciding| i32::from(deciding) == attno) {
                return Err(Failure::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    format!(
                        "ON CONFLICT DO UPDATE cannot change column \"{}\" of sharded table \"{}\"",
                        column_name(relation, attno as i16),
                        name()
                    ),
                )
                .with_detail("It decides where a row is stored."));
            }
        }
        Ok(Some(clause))
    }
}

/// Columns of `excluded` have become references to the inner side of a join; they get their names back.
unsafe fn name_excluded(tree: *mut pg_sys::List, excluded: u32, kept: *mut pg_sys::List) {
    // SAFETY: the caller hands a copy of its own, and what `settle` kept.
    unsafe {
        let columns = super::modify::nth_list(kept, 3);
        node::any_node(tree.cast(), &mut |part| {
            if node::is_a(part, NodeTag::T_Var) {
                let var = part.cast::<pg_sys::Var>();
                if (*var).varno == pg_sys::INNER_VAR {
                    let number = (*var).varattno;
                    let entry = node::list::<pg_sys::TargetEntry>(columns)
                        .find(|entry| (**entry).resno == number);
                    let own = entry.and_then(|e| node::cast::<pg_sys::Var, _>((*e).expr));
                    // What is not found keeps a number that no table has, and is refused.
                    if let Some(own) = own {
                        (*var).varno = excluded as i32;
                        (*var).varattno = own.varattno;
                    }
                }
            }
            false
        });
    }
}

/// What the placements must be like: the clause is written once, for all of them.
unsafe fn check_placements(
    clause: &Found,
    relation: pg_sys::Relation,
    modify: *mut pg_sys::ModifyTable,
    table: &ShardedTable,
) -> Result<(), Failure> {
    let refuse = |detail: &str| {
        let name = catalog::relation_name(table.parent).unwrap_or_default();
        let message = format!("this ON CONFLICT is not supported on sharded table \"{name}\"");
        Err(Failure::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_detail(detail))
    };
    if table.members.iter().any(|member| !member.has_parents_layout()) {
        return refuse("Not all children have the parent's columns in the parent's order.");
    }
    if !clause.update {
        return Ok(());
    }
    if !table.changes_whole || table.members.iter().any(|member| member.insert_triggers) {
        return refuse(
            "A child is not updatable, or has row triggers or generated columns that the parent does not have.",
        );
    }
    // SAFETY: the relation is open.
    unsafe {
        let opened = Relation::open((*relation).rd_id, pg_sys::NoLock as i32);
        let first = |lists| super::modify::nth_list(lists, 0);
        let (returning, checks) = ((*modify).returningLists, (*modify).withCheckOptionLists);
        conflict::check_update(&opened, first(returning), first(checks))
    }
}

/// The columns of the conflict target. A unique constraint of the parent becomes what it is over: the shards call
/// theirs what they like.
unsafe fn target_columns(clause: &mut Found, table: &ShardedTable) -> Result<Vec<i16>, Failure> {
    // SAFETY: the clause's nodes are ours; the index is opened under the parent's lock.
    unsafe {
        if let Some(constraint) = clause.constraint.take() {
            let index = pg_sys::get_constraint_index(constraint);
            if index == Oid::INVALID {
                return Err(refused("the constraint has no index that tells what is unique"));
            }
            let columns = super::modify::columns_of(table.parent, clause.target_index());
            let opened = pg_sys::relation_open(index, pg_sys::AccessShareLock as i32);
            let form = (*opened).rd_index;
            let count = usize::from((*form).indnkeyatts as u16);
            let keys = (*form).indkey.values.as_slice(count).to_vec();
            let unique = (*form).indisunique;
            pg_sys::relation_close(opened, pg_sys::AccessShareLock as i32);
            if !unique {
                return Err(refused("an exclusion constraint"));
            }
            for key in keys {
                let Some(&var) = columns.iter().find(|var| (***var).varattno == key) else {
                    return Err(refused("the constraint's index is over expressions"));
                };
                let element = node::make::<pg_sys::InferenceElem>();
                (*element).expr = var.cast();
                clause.elements.push(element);
            }
        }
        let columns = clause.elements.iter().filter_map(|element| {
            node::cast::<pg_sys::Var, _>((**element).expr).map(|var| var.varattno)
        });
        Ok(columns.collect())
    }
}

unsafe fn column_name(relation: pg_sys::Relation, attno: i16) -> String {
    // SAFETY: the caller vouches for the number.
    unsafe {
        let column = crate::pg::compat::attribute((*relation).rd_att, attno as usize - 1);
        crate::pg::text::from_server((*column).attname.data.as_ptr())
    }
}

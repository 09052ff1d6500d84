//! Planning of INSERT, UPDATE and DELETE on one foreign table, row by row.

use super::change_plan;
use super::conflict;
use super::conflict_plan::ConflictPlan;
use super::private::ModifyPlan;
use super::stays;
use crate::deparse::{self, OnConflict, Returning, RowId, Template};
use crate::error::Failure;
use crate::options::load;
use crate::pg::relation::Relation;
use crate::pg::{compat, functions, node};
use pgrx::pg_sys;
use pgrx::pg_sys::CmdType;

/// PlanForeignModify.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn plan(
    root: *mut pg_sys::PlannerInfo,
    node: *mut pg_sys::ModifyTable,
    result: pg_sys::Index,
    subplan: i32,
) -> Result<*mut pg_sys::List, Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let entry = *(*root).simple_rte_array.add(result as usize);
        if let Some(table) = super::sharded::virtual_table(entry)? {
            return change_plan::plan(root, node, result, &table);
        }
        // The rewriter has locked it.
        let relation = Relation::open((*entry).relid, pg_sys::NoLock as i32);
        let operation = (*node).operation;
        let set_aside = conflict::found(node)?;
        let do_nothing = (*node).onConflictAction == pg_sys::OnConflictAction::ONCONFLICT_NOTHING;
        let targets = match operation {
            CmdType::CMD_INSERT => all_columns(&relation),
            // A BEFORE UPDATE trigger may change any column.
            CmdType::CMD_UPDATE if has_before_update(&relation) => all_columns(&relation),
            CmdType::CMD_UPDATE => updated_columns(root, result, &relation),
            _ => Vec::new(),
        };
        let returning = nth_list((*node).returningLists, subplan);
        let checks = nth_list((*node).withCheckOptionLists, subplan);
        let trigger = has_after_trigger(&relation, operation);
        let attrs = deparse::returning_attrs(result, trigger, checks, returning);
        let action = match &set_aside {
            Some(clause) => {
                let table = load::foreign_table(relation.oid())?;
                let user = compat::merging::acts_as((*root).parse, entry);
                clause.shipped(&conflict::clause_scope(table, result, clause.excluded(), user))?
            }
            None if do_nothing => OnConflict::DoNothing,
            None => OnConflict::Error,
        };
        if action.excluded().is_some() {
            conflict::check_update(&relation, returning, checks)?;
            if let Some(clause) = &set_aside {
                stays::check_conflict(relation.oid(), &clause.assignments)?;
            }
        }
        let (mut plan, params) = build(operation, &relation, result, &targets, action, attrs)?;
        if let (Some(clause), Some(update)) = (&set_aside, &mut plan.conflict) {
            update.single = clause.is_single();
            conflict::keep_params(node, &params);
        }
        let changes = matches!(operation, CmdType::CMD_UPDATE | CmdType::CMD_DELETE);
        if changes && !plan.returning && !functions::calls_volatile_of_users((*root).glob, root) {
            plan.many = Some(many_rows(operation, relation.oid(), result, &targets)?);
        }
        Ok(plan.to_list())
    }
}

/// The INSERT of COPY FROM or of a partition that rows are routed to.
///
/// # Safety
/// `result` is an initialised result relation, a foreign table of ours.
pub unsafe fn insert_plan(
    node: *mut pg_sys::ModifyTableState,
    result: *mut pg_sys::ResultRelInfo,
    do_nothing: bool,
) -> Result<ModifyPlan, Failure> {
    // SAFETY: as the caller vouches; the relation is open and locked.
    unsafe {
        let relation = Relation::open((*(*result).ri_RelationDesc).rd_id, pg_sys::NoLock as i32);
        let targets = all_columns(&relation);
        // Expressions of a routed partition are numbered by its own entry or, when it has none, by that of its root;
        // in an UPDATE of the root, by that of the first table changed.
        let mut rti = (*result).ri_RangeTableIndex;
        let root = (*result).ri_RootResultRelInfo;
        if rti == 0 && !root.is_null() {
            rti = (*root).ri_RangeTableIndex;
            let plan = (*node).ps.plan.cast::<pg_sys::ModifyTable>();
            if !plan.is_null()
                && (*plan).operation == CmdType::CMD_UPDATE
                && (*plan).rootRelation == rti
            {
                rti = (*(*node).resultRelInfo).ri_RangeTableIndex;
            }
        }
        let returning = (*result).ri_returningList;
        let checks = (*result).ri_WithCheckOptions;
        let trigger = has_after_trigger(&relation, CmdType::CMD_INSERT);
        let attrs = deparse::returning_attrs(rti, trigger, checks, returning);
        let conflict = if do_nothing { OnConflict::DoNothing } else { OnConflict::Error };
        Ok(build(CmdType::CMD_INSERT, &relation, rti, &targets, conflict, attrs)?.0)
    }
}

/// The INSERT of the rows that a sharded parent, range-table entry `rti`, sends to one of its placements. `returned`
/// are the columns that must come back, numbered as the placement's. Also gives the expressions of the parameters
/// before those of the rows.
///
/// # Safety
/// The relation is locked; `conflict` holds valid nodes in terms of `rti`, numbered as the placement's.
pub unsafe fn placement_insert(
    relid: pg_sys::Oid,
    rti: pg_sys::Index,
    returned: *mut pg_sys::Bitmapset,
    conflict: OnConflict,
) -> Result<(ModifyPlan, Vec<*mut pg_sys::Expr>), Failure> {
    let relation = Relation::open(relid, pg_sys::NoLock as i32);
    let targets = all_columns(&relation);
    // SAFETY: as the caller vouches.
    unsafe { build(CmdType::CMD_INSERT, &relation, rti, &targets, conflict, returned) }
}

/// The DELETE of rows that leave a placement for another one.
///
/// # Safety
/// The relation is locked; `rti` is its range-table index.
pub unsafe fn placement_delete(
    relid: pg_sys::Oid,
    rti: pg_sys::Index,
) -> Result<ModifyPlan, Failure> {
    let relation = Relation::open(relid, pg_sys::NoLock as i32);
    // SAFETY: as the caller vouches.
    unsafe {
        let nothing = std::ptr::null_mut();
        build(CmdType::CMD_DELETE, &relation, rti, &[], OnConflict::Error, nothing)
            .map(|(plan, _)| plan)
    }
}

/// The UPDATE (of the columns `targets`) or DELETE of rows of a placement that were found through its parent,
/// range-table entry `rti`; and the same for rows that come in arrays, where nothing has to come back. `returned` are the
/// columns that must come back.
///
/// # Safety
/// The placement is locked and has the parent's columns under the same numbers.
pub unsafe fn placement_change(
    operation: CmdType::Type,
    relid: pg_sys::Oid,
    rti: pg_sys::Index,
    targets: &[i32],
    returned: *mut pg_sys::Bitmapset,
) -> Result<(ModifyPlan, Option<Template>), Failure> {
    let relation = Relation::open(relid, pg_sys::NoLock as i32);
    // SAFETY: as the caller vouches.
    unsafe {
        let (plan, _) = build(operation, &relation, rti, targets, OnConflict::Error, returned)?;
        let many = match plan.returning {
            true => None,
            false => Some(many_rows(operation, relid, rti, targets)?),
        };
        Ok((plan, many))
    }
}

/// The UPDATE or DELETE of many rows that come in arrays.
fn many_rows(
    operation: CmdType::Type,
    relid: pg_sys::Oid,
    rti: pg_sys::Index,
    targets: &[i32],
) -> Result<Template, Failure> {
    let scope = conflict::scope(load::foreign_table(relid)?, rti, None);
    match operation {
        CmdType::CMD_UPDATE => deparse::update_many(&scope, rti, targets),
        _ => Ok(deparse::delete_many(&scope, rti)),
    }
}

unsafe fn build(
    operation: CmdType::Type,
    relation: &Relation,
    rti: pg_sys::Index,
    targets: &[i32],
    action: OnConflict,
    attrs: *mut pg_sys::Bitmapset,
) -> Result<(ModifyPlan, Vec<*mut pg_sys::Expr>), Failure> {
    // SAFETY: the relation is open, the nodes are the statement's.
    unsafe {
        let table = load::foreign_table(relation.oid())?;
        let updates = action.excluded();
        let scope = conflict::scope(table, rti, updates);
        let returned = Returning::Columns(attrs);
        let statement = match operation {
            CmdType::CMD_INSERT => {
                deparse::insert(&scope, rti, targets, action.clone(), &returned)?
            }
            CmdType::CMD_UPDATE => {
                deparse::update(&scope, rti, targets, RowId::CtidAndTable, &returned)?
            }
            _ => deparse::delete(&scope, rti, RowId::CtidAndTable, &returned)?,
        };
        let generated = |attnum: &i32| {
            (*compat::attribute(relation.descriptor(), *attnum as usize - 1)).attgenerated != 0
        };
        let returning = !statement.retrieved.is_empty();
        let mut plan = ModifyPlan {
            template: statement.template,
            targets: targets.iter().copied().filter(|attnum| !generated(attnum)).collect(),
            returning,
            retrieved: statement.retrieved,
            conflict: None,
            many: None,
        };
        if updates.is_some() {
            let mut first = plan.template.clone();
            let before = if returning { "," } else { " RETURNING" };
            first.push_str(&format!("{before} r{rti}.xmin, r{rti}.cmin"));
            let again = deparse::insert(&scope, rti, targets, action.guarded(), &returned)?;
            plan.conflict = Some(ConflictPlan { first, again: again.template, single: false });
        }
        Ok((plan, statement.params))
    }
}

/// An AFTER ROW trigger sees the row as the shard stored it.
fn has_after_trigger(relation: &Relation, operation: CmdType::Type) -> bool {
    // SAFETY: the relation is open.
    unsafe {
        let triggers = (*relation.raw()).trigdesc;
        !triggers.is_null()
            && match operation {
                CmdType::CMD_INSERT => (*triggers).trig_insert_after_row,
                CmdType::CMD_UPDATE => (*triggers).trig_update_after_row,
                _ => (*triggers).trig_delete_after_row,
            }
    }
}

/// IsForeignRelUpdatable, as bits of CmdType.
///
/// # Safety
/// `relation` is an open foreign table of ours.
pub unsafe fn updatable(relation: pg_sys::Relation) -> Result<i32, Failure> {
    // SAFETY: as the caller vouches.
    let table = load::foreign_table(unsafe { (*relation).rd_id })?;
    Ok(if table.updatable {
        (1 << CmdType::CMD_INSERT) | (1 << CmdType::CMD_UPDATE) | (1 << CmdType::CMD_DELETE)
    } else {
        0
    })
}

/// All columns that are not dropped. INSERT names them all: what the user left out has its local default by now.
fn all_columns(relation: &Relation) -> Vec<i32> {
    // SAFETY: the relation is open; numbers run over its attributes.
    unsafe {
        let descriptor = relation.descriptor();
        (1..=(*descriptor).natts)
            .filter(|&n| !(*compat::attribute(descriptor, n as usize - 1)).attisdropped)
            .collect()
    }
}

pub(super) unsafe fn updated_columns(
    root: *mut pg_sys::PlannerInfo,
    result: pg_sys::Index,
    relation: &Relation,
) -> Vec<i32> {
    // SAFETY: `result` is a base relation of `root`; columns are numbered from FirstLowInvalidHeapAttributeNumber.
    unsafe {
        let rel = pg_sys::find_base_rel(root, result as i32);
        let columns = compat::updated_columns(root, rel);
        let natts = (*relation.descriptor()).natts;
        node::members(columns)
            .map(|member| member + pg_sys::FirstLowInvalidHeapAttributeNumber)
            .filter(|attnum| (1..=natts).contains(attnum))
            .collect()
    }
}

fn has_before_update(relation: &Relation) -> bool {
    // SAFETY: the relation is open.
    unsafe {
        let triggers = (*relation.raw()).trigdesc;
        !triggers.is_null() && (*triggers).trig_update_before_row
    }
}

/// Vars of all columns of an open table.
pub(super) unsafe fn columns_of(relid: pg_sys::Oid, rti: u32) -> Vec<*mut pg_sys::Var> {
    let relation = Relation::open(relid, pg_sys::NoLock as i32);
    let columns = all_columns(&relation).into_iter().map(|attnum| {
        // SAFETY: the number is one of the open relation's.
        unsafe {
            let column = compat::attribute(relation.descriptor(), attnum as usize - 1);
            let (type_oid, typmod) = ((*column).atttypid, (*column).atttypmod);
            pg_sys::makeVar(rti as i32, attnum as i16, type_oid, typmod, (*column).attcollation, 0)
        }
    });
    columns.collect()
}

/// List number `index` of a list of lists, NIL when there is none.
pub(super) unsafe fn nth_list(lists: *mut pg_sys::List, index: i32) -> *mut pg_sys::List {
    // SAFETY: the index is checked.
    unsafe {
        if lists.is_null() || index >= (*lists).length {
            return std::ptr::null_mut();
        }
        (*(*lists).elements.add(index as usize)).ptr_value.cast()
    }
}

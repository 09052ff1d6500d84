//! UPDATE and DELETE that the shard runs as a whole: PlanDirectModify.
//!
//! Core has made sure that nothing has to happen here for each row (no row triggers, generated columns or WITH
//! CHECK OPTION). What is left to see to: the scan below the ModifyTable finds the rows by itself, the new values can be
//! computed where the rows are, and the rows stay there.

use super::private::DirectPlan;
use super::relinfo::RelInfo;
use super::routing::Routing;
use super::stays::{self, Distribution};
use super::targets;
use crate::deparse::{self, Direct, Returning, Scope};
use crate::error::Failure;
use crate::pg::node;
use pgrx::pg_sys;
use pgrx::pg_sys::{CmdType, Expr, TargetEntry};
use std::collections::HashMap;
use std::ptr;
use std::rc::Rc;

/// PlanDirectModify: turns the scan below the ModifyTable into the modification, where that is possible.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn plan(
    root: *mut pg_sys::PlannerInfo,
    node: *mut pg_sys::ModifyTable,
    rti: pg_sys::Index,
    index: i32,
) -> Result<bool, Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let operation = (*node).operation;
        if !matches!(operation, CmdType::CMD_UPDATE | CmdType::CMD_DELETE) {
            return Ok(false);
        }
        let Some(found) = find_scan(node, rti, index) else { return Ok(false) };
        let scan = found.scan;
        if !(*scan).scan.plan.qual.is_null() {
            return Ok(false);
        }
        // The rows of a sharded parent's scan are described as a join's are.
        let base = (*scan).scan.scanrelid > 0;
        let alone = pg_sys::bms_membership((*scan).fs_relids);
        let rel = if alone == pg_sys::BMS_Membership::BMS_SINGLETON {
            *(*root).simple_rel_array.add(rti as usize)
        } else {
            pg_sys::find_join_rel(root, (*scan).fs_relids)
        };
        if rel.is_null() {
            return Ok(false);
        }
        let Some(info) = RelInfo::of(rel) else { return Ok(false) };
        if info.placements.is_empty()
            || info.upper.is_some()
            || !(base || info.from.can_leave_out(rti))
        {
            return Ok(false);
        }
        if info.distribution.iter().any(|(_, own)| *own == rti)
            && !targets::names_ordinary_columns(root, rti)
        {
            return Ok(false);
        }
        let assignments = match operation {
            CmdType::CMD_UPDATE => match assignments(root, info, rti) {
                Some(assignments) => assignments,
                None => return Ok(false),
            },
            _ => Vec::new(),
        };
        let conditions: Vec<*mut Expr> = if base {
            node::list_vec((*scan).fdw_recheck_quals)
        } else {
            info.remote_conds.iter().map(|&clause| (*clause).clause).collect()
        };
        let sharded = info.distribution.iter().find(|(_, own)| *own == rti).map(|(table, _)| table);
        let distribution = match sharded {
            Some(table) => Distribution::Of(Rc::clone(table)),
            None if assignments.is_empty() => Distribution::None,
            None => Distribution::of_table((**(*root).simple_rte_array.add(rti as usize)).relid)?,
        };
        // What every row to be changed satisfies; of a join more than stands in WHERE.
        let mut deciding = conditions.clone();
        if info.from.tables().len() > 1 {
            deciding.extend(info.deciding.iter().map(|&clause| (*clause).clause));
        }
        if !stays::stay(&distribution, rti, &assignments, &deciding) {
            return Ok(false);
        }
        let returning = super::modify::nth_list((*node).returningLists, index);
        // Rows given out pass what computes the new values for a local UPDATE: it must not fail on them.
        if !returning.is_null() && !found.immediate && assignments.iter().any(|&(_, e)| !is_leaf(e))
        {
            return Ok(false);
        }
        let fetched =
            if base { Vec::new() } else { fetched(root, rti, returning, found.immediate) };
        let change = Direct {
            rti,
            assignments,
            from: (!base).then(|| info.from.clone()),
            conditions: conditions.clone(),
            returning: if base {
                Returning::Columns(deparse::returning_attrs(rti, false, ptr::null_mut(), returning))
            } else {
                Returning::Exprs(fetched.clone())
            },
        };
        // RETURNING's system columns are what they are called.
        let scope = Scope { carriers: HashMap::new(), ..info.scope.clone() };
        let statement = match operation {
            CmdType::CMD_UPDATE => deparse::direct_update(&scope, &change)?,
            _ => deparse::direct_delete(&scope, &change)?,
        };
        let mut plan = DirectPlan {
            scan: info.scan_plan(&if base { vec![rti] } else { info.from.tables() }),
            counts: (*node).canSetTag,
            ..DirectPlan::default()
        };
        plan.scan.template = statement.template;
        plan.scan.retrieved = statement.retrieved;
        let mut exprs = statement.params;
        plan.scan.params = exprs.len() as u32;
        if info.placements.len() > 1 {
            let own = info.from.tables();
            for (table, rti) in &info.distribution {
                let routing = Routing::plan(table, *rti, &own, &deciding, &[], &mut exprs);
                plan.scan.routing.extend(routing);
            }
        }
        (*scan).operation = operation;
        if (*scan).scan.scanrelid == 0 {
            // The executor would set the rows' tableoid to that of the scan's relation, which has none.
            (*scan).fsSystemCol = false;
        }
        (*scan).resultRelation = rti;
        (*scan).fdw_exprs = node::make_list(exprs);
        (*scan).fdw_private = plan.to_list();
        (*scan).scan.plan.async_capable = false;
        if !base {
            // EvalPlanQual is the shard's business now.
            (*scan).scan.plan.lefttree = ptr::null_mut();
        }
        if !returning.is_null() {
            blank_unread(scan, returning, found.immediate);
            if !base {
                set_scan_columns(scan, &fetched, found.immediate);
            }
        }
        Ok(true)
    }
}

/// The scan that finds the rows of one result relation.
struct Found {
    scan: *mut pg_sys::ForeignScan,
    /// Whether it is right below the ModifyTable.
    immediate: bool,
}

/// Only right below the ModifyTable, or below an Append there, do the scan's rows reach it as they are.
unsafe fn find_scan(node: *mut pg_sys::ModifyTable, rti: u32, index: i32) -> Option<Found> {
    // SAFETY: a plan tree; each cast is by tag.
    unsafe {
        let mut plan = (*node).plan.lefttree;
        let top = plan;
        // A Result on top computes the new values of an UPDATE.
        if node::is_a(plan, pg_sys::NodeTag::T_Result)
            && !(*plan).lefttree.is_null()
            && node::is_a((*plan).lefttree, pg_sys::NodeTag::T_Append)
        {
            plan = (*plan).lefttree;
        }
        if node::is_a(plan, pg_sys::NodeTag::T_Append) {
            let children = (*plan.cast::<pg_sys::Append>()).appendplans;
            plan = *node::list_vec::<pg_sys::Plan>(children).get(index as usize)?;
        }
        if !node::is_a(plan, pg_sys::NodeTag::T_ForeignScan) {
            return None;
        }
        let scan = plan.cast::<pg_sys::ForeignScan>();
        node::has_member((*scan).fs_relids, rti as i32)
            .then_some(Found { scan, immediate: plan == top })
    }
}

/// SET's columns and values; `None` when the shard cannot compute one.
unsafe fn assignments(
    root: *mut pg_sys::PlannerInfo,
    info: &RelInfo,
    rti: u32,
) -> Option<Vec<(i32, *mut Expr)>> {
    // SAFETY: `rti` is a result relation of the query.
    unsafe {
        let (mut targets, mut columns) = (ptr::null_mut(), ptr::null_mut());
        pg_sys::get_translated_update_targetlist(root, rti, &raw mut targets, &raw mut columns);
        let mut assignments = Vec::new();
        for (entry, attnum) in node::list::<TargetEntry>(targets).zip(node::int_list(columns)) {
            if attnum <= 0 || deparse::foreign_expr(&info.scope, (*entry).expr).is_err() {
                return None;
            }
            assignments.push((attnum, (*entry).expr));
        }
        Some(assignments)
    }
}

unsafe fn is_leaf(expr: *mut Expr) -> bool {
    use pg_sys::NodeTag::{T_Const, T_Param, T_Var};
    // SAFETY: the caller vouches for the node.
    matches!(unsafe { node::tag(expr) }, T_Const | T_Param | T_Var)
}

/// What RETURNING over a join has to bring back: the changed table's columns, those of the other tables that the
/// list names, and the table's OID where an Append above tells its children by it.
unsafe fn fetched(
    root: *mut pg_sys::PlannerInfo,
    rti: u32,
    returning: *mut pg_sys::List,
    immediate: bool,
) -> Vec<*mut Expr> {
    let mut fetched: Vec<*mut Expr> = Vec::new();
    if returning.is_null() {
        return fetched;
    }
    // SAFETY: planner data; the relation is open while its query is planned.
    unsafe {
        let mut add = |expr: *mut Expr| {
            if !fetched.iter().any(|&known| pg_sys::equal(known.cast(), expr.cast())) {
                fetched.push(expr);
            }
        };
        let flags = (pg_sys::PVC_RECURSE_PLACEHOLDERS | pg_sys::PVC_RECURSE_AGGREGATES) as i32;
        for var in node::list::<pg_sys::Var>(pg_sys::pull_var_clause(returning.cast(), flags)) {
            let own = (*var).varno == rti as i32;
            match i32::from((*var).varattno) {
                0 if own => {
                    // The whole row is put together here, from all columns.
                    let entry = *(*root).simple_rte_array.add(rti as usize);
                    for var in super::modify::columns_of((*entry).relid, rti) {
                        add(var.cast());
                    }
                }
                pg_sys::TableOidAttributeNumber if own => {}
                _ => add(var.cast()),
            }
        }
        if !immediate {
            let oid = pg_sys::TableOidAttributeNumber as i16;
            add(pg_sys::makeVar(rti as i32, oid, pg_sys::OIDOID, -1, pg_sys::InvalidOid, 0).cast());
        }
        fetched
    }
}

/// Blanks what RETURNING does not read in the scan's output: it was for a local UPDATE, and computing it from
/// changed rows could fail. Where an Append above passes rows on, these are only the system columns.
unsafe fn blank_unread(
    scan: *mut pg_sys::ForeignScan,
    returning: *mut pg_sys::List,
    immediate: bool,
) {
    // SAFETY: the plan's target list; entries are replaced by new ones.
    unsafe {
        let flags = (pg_sys::PVC_INCLUDE_PLACEHOLDERS | pg_sys::PVC_RECURSE_AGGREGATES) as i32;
        let read = node::list_vec::<Expr>(pg_sys::pull_var_clause(returning.cast(), flags));
        let is_read = |expr: *mut Expr| read.iter().any(|&r| pg_sys::equal(r.cast(), expr.cast()));
        let own_column = |expr: *mut Expr| {
            node::cast::<pg_sys::Var, _>(expr)
                .filter(|var| var.varno == (*scan).resultRelation as i32)
                .map(|var| i32::from(var.varattno))
        };
        let entries = node::list::<TargetEntry>((*scan).scan.plan.targetlist).map(|entry| {
            let expr = (*entry).expr;
            let own = own_column(expr);
            let keep = if immediate {
                // A new value that is another table's column serves RETURNING as well.
                ((*entry).resjunk || node::is_a(expr, pg_sys::NodeTag::T_Var))
                    && own.is_none()
                    && is_read(expr)
            } else {
                own.is_none_or(|attnum| attnum >= 0 || attnum == pg_sys::TableOidAttributeNumber)
            };
            if keep {
                return entry;
            }
            let blank = pg_sys::copyObjectImpl(entry.cast()).cast::<TargetEntry>();
            (*blank).expr = pg_sys::makeNullConst(
                pg_sys::exprType(expr.cast()),
                pg_sys::exprTypmod(expr.cast()),
                pg_sys::exprCollation(expr.cast()),
            )
            .cast();
            blank
        });
        (*scan).scan.plan.targetlist = node::make_list(entries);
    }
}

/// The scan's columns are those fetched; of the others, a target list that is still there may speak.
unsafe fn set_scan_columns(scan: *mut pg_sys::ForeignScan, fetched: &[*mut Expr], immediate: bool) {
    // SAFETY: planner data; new entries in the current memory context.
    unsafe {
        let mut columns = fetched.to_vec();
        if !immediate {
            for entry in node::list::<TargetEntry>((*scan).fdw_scan_tlist) {
                let expr = (*entry).expr;
                if !columns.iter().any(|&known| pg_sys::equal(known.cast(), expr.cast())) {
                    columns.push(expr);
                }
            }
        }
        let entries = columns
            .into_iter()
            .enumerate()
            .map(|(i, expr)| pg_sys::makeTargetEntry(expr, i as i16 + 1, ptr::null_mut(), false));
        (*scan).fdw_scan_tlist = node::make_list(entries);
    }
}

//! Aggregation in two steps: each shard aggregates its rows, the coordinator combines.
//!
//! The planner's own partial aggregation is used: above, a Finalize Aggregate; below, a foreign scan that gives out
//! transition states. What the shards are asked for, so that these can be had, is transition.rs's matter.
//!
//! Other aggregates (DISTINCT, ORDER BY, ordered sets, states that are not known) are computed here from rows.

use super::relinfo::{RelInfo, Upper};
use super::{cost, deciding, naming, transition, upper};
use crate::deparse::{self, GroupBy};
use crate::error::Failure;
use crate::pg::{aggregate, compat, node};
use pgrx::pg_sys;
use pgrx::pg_sys::{AggSplit, AggStrategy};
use std::ptr;

type Expr = *mut pg_sys::Expr;

/// Adds a Finalize Aggregate over partial results of all placements, when every aggregate can be taken apart; tells
/// whether they can.
///
/// # Safety
/// In GetForeignUpperPaths for grouping, with its arguments.
pub(super) unsafe fn paths(
    root: *mut pg_sys::PlannerInfo,
    input: &RelInfo,
    input_rel: *mut pg_sys::RelOptInfo,
    grouped: *mut pg_sys::RelOptInfo,
    extra: *mut pg_sys::GroupPathExtraData,
) -> Result<bool, Failure> {
    // SAFETY: planner data.
    unsafe {
        let parse = (*root).parse;
        let having: *mut pg_sys::List = (*extra).havingQual.cast();
        let groups = upper::estimate_groups(root, input_rel);
        let Some(split) = Split::new(root, input, grouped, having, groups) else {
            return Ok(false);
        };
        let Some(partial) = upper::step_relation(root, input_rel, grouped) else { return Ok(true) };
        (*partial).reltarget = split.target;
        let Ok(group_by) = GroupBy::from_query(parse, split.tlist) else { return Ok(false) };
        let step = Upper {
            tlist: split.tlist,
            shipped: Some(split.shipped),
            group_by,
            ..Upper::default()
        };
        let name = format!("Aggregate on ({})", input.named(root, input_rel));
        let mut info = input.derived(step, name);
        info.scope = input.scope.grouped();
        // Each placement has at most all groups.
        let most = groups * input.placements.len() as f64;
        let estimate = cost::grouping(input, partial, most);
        info.estimate = Some(estimate);
        info.install(partial);
        let path = compat::create_foreign_upper_path(
            root,
            partial,
            split.target,
            estimate.path_cost(),
            ptr::null_mut(),
        );
        let mut costs: pg_sys::AggClauseCosts = std::mem::zeroed();
        aggregate::clause_costs(root, AggSplit::AGGSPLIT_FINAL_DESERIAL, &raw mut costs);
        let named = split.named.is_some();
        upper::drop_first_rows(grouped);
        let finalize = |path, strategy| {
            let (target, having) = match split.named {
                Some(target) => (target, ptr::null_mut()),
                None => ((*grouped).reltarget, having),
            };
            let path = pg_sys::create_agg_path(
                root,
                grouped,
                path,
                target,
                strategy,
                AggSplit::AGGSPLIT_FINAL_DESERIAL,
                compat::group_clause(root),
                having,
                &raw const costs,
                groups,
            );
            let path = if named { naming::path(root, grouped, path.cast()) } else { path.cast() };
            pg_sys::add_path(grouped, path);
        };
        if named {
            naming::install(input, grouped, split.names, node::list_vec(having));
        }
        let keys = compat::grouping_pathkeys(root);
        let clause = compat::group_clause(root);
        if (*parse).groupClause.is_null() {
            finalize(path.cast(), AggStrategy::AGG_PLAIN);
            return Ok(true);
        }
        if !clause.is_null() && pg_sys::grouping_is_hashable(clause) {
            finalize(path.cast(), AggStrategy::AGG_HASHED);
        }
        if keys.is_null() {
            // All rows are of one group, or the groups cannot be sorted.
            if clause.is_null() {
                finalize(path.cast(), AggStrategy::AGG_SORTED);
            }
        } else if pg_sys::grouping_is_sortable(clause) {
            let sorted = pg_sys::create_sort_path(root, partial, path.cast(), keys, -1.0);
            finalize(sorted.cast(), AggStrategy::AGG_SORTED);
        }
        Ok(true)
    }
}

/// What the partial step gives out, and how the shards are asked for it.
struct Split {
    /// Grouping columns and partial aggregates.
    target: *mut pg_sys::PathTarget,
    /// The same as a list of TargetEntry.
    tlist: *mut pg_sys::List,
    /// What is sent for each of them.
    shipped: Vec<Expr>,
    /// What the query calls each of them, a list of TargetEntry.
    names: *mut pg_sys::List,
    /// The finalised columns, when these have other names: see naming.rs.
    named: Option<*mut pg_sys::PathTarget>,
}

impl Split {
    unsafe fn new(
        root: *mut pg_sys::PlannerInfo,
        input: &RelInfo,
        grouped: *mut pg_sys::RelOptInfo,
        having: *mut pg_sys::List,
        most: f64,
    ) -> Option<Split> {
        // SAFETY: planner data.
        unsafe {
            let scope = input.scope.grouped();
            let wanted = (*grouped).reltarget;
            let target = pg_sys::create_empty_pathtarget();
            let mut others: Vec<Expr> = Vec::new();
            for (i, expr) in node::list::<pg_sys::Expr>((*wanted).exprs).enumerate() {
                let references = (*wanted).sortgrouprefs;
                let reference = if references.is_null() { 0 } else { *references.add(i) };
                let is_group = reference != 0
                    && !pg_sys::get_sortgroupref_clause_noerr(
                        reference,
                        (*(*root).parse).groupClause,
                    )
                    .is_null();
                if is_group {
                    pg_sys::add_column_to_pathtarget(target, expr, reference);
                } else {
                    others.push(expr);
                }
            }
            others.extend(node::list::<pg_sys::Expr>(having));
            let flags = pg_sys::PVC_INCLUDE_AGGREGATES | pg_sys::PVC_INCLUDE_PLACEHOLDERS;
            let parts = pg_sys::pull_var_clause(node::make_list(others).cast(), flags as i32);
            pg_sys::add_new_columns_to_pathtarget(target, parts);
            let mut split = Split {
                target,
                tlist: ptr::null_mut(),
                shipped: Vec::new(),
                names: ptr::null_mut(),
                named: None,
            };
            let groups = upper::grouping_exprs(root);
            let kept_apart = |argument| deciding::kept_apart(input, argument, &groups);
            // A group may be on one placement, the rows of all groups are on all of them.
            let rows = input.estimate.unwrap_or_default().retrieved;
            let rows = rows / most.max(input.placements.len() as f64);
            let finalized = pg_sys::create_empty_pathtarget();
            let calls: Vec<&pg_sys::Aggref> = node::list::<pg_sys::Expr>((*target).exprs)
                .filter_map(|expr| node::cast(expr))
                .collect();
            let references = (*target).sortgrouprefs;
            for (i, expr) in node::list_vec::<pg_sys::Expr>((*target).exprs).into_iter().enumerate()
            {
                let reference = if references.is_null() { 0 } else { *references.add(i) };
                let shipped = if reference != 0 {
                    expr
                } else {
                    // A column that merely depends on the grouping columns has no place in the shard's query.
                    let call = node::cast::<pg_sys::Aggref, _>(expr)?;
                    let alone = calls.iter().all(|other| {
                        other.aggtransno != call.aggtransno || other.aggfnoid == call.aggfnoid
                    });
                    transition::shipped(call, kept_apart, alone, rows)?
                };
                let own = naming::without_distinct(expr);
                if own != expr {
                    split.named = Some(finalized);
                }
                pg_sys::add_column_to_pathtarget(finalized, own, reference);
                if deparse::foreign_expr(&scope, shipped).is_err()
                    || deparse::is_parameter(&scope, shipped)
                {
                    return None;
                }
                split.shipped.push(shipped);
                split.add_entry(i, own, reference);
                split.add_name(i, expr, reference);
            }
            pg_sys::set_pathtarget_cost_width(root, target);
            pg_sys::set_pathtarget_cost_width(root, finalized);
            Some(split)
        }
    }

    /// Puts the expression's partial form into the target, and an entry for it into the list.
    unsafe fn add_entry(&mut self, index: usize, expr: Expr, reference: u32) {
        // SAFETY: planner data; the Aggref is copied before it is marked.
        unsafe {
            let mut own = expr;
            if reference == 0 {
                let copy = pg_sys::copyObjectImpl(expr.cast()).cast::<pg_sys::Aggref>();
                pg_sys::mark_partial_aggref(copy, AggSplit::AGGSPLIT_INITIAL_SERIAL);
                own = copy.cast();
                (*(*(*self.target).exprs).elements.add(index)).ptr_value = own.cast();
            }
            let entry = pg_sys::makeTargetEntry(own, index as i16 + 1, ptr::null_mut(), false);
            (*entry).ressortgroupref = reference;
            self.tlist = pg_sys::lappend(self.tlist, entry.cast());
        }
    }
    unsafe fn add_name(&mut self, index: usize, expr: Expr, reference: u32) {
        // SAFETY: planner data.
        unsafe {
            let entry = pg_sys::makeTargetEntry(expr, index as i16 + 1, ptr::null_mut(), false);
            (*entry).ressortgroupref = reference;
            self.names = pg_sys::lappend(self.names, entry.cast());
        }
    }
}

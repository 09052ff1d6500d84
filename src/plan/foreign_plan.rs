//! GetForeignPlan: the chosen path becomes a ForeignScan with its remote statement.

use super::merge::Order;
use super::private::ScanPlan;
use super::relinfo::RelInfo;
use super::routing::{self, Routing};
use super::upper::{self, Finish};
use super::{batched, epq, naming, paths, row_marks};
use crate::deparse::{GroupBy, Limit, Params, Select, SortKey, Statement, Target};
use crate::error::Failure;
use crate::pg::node;
use pgrx::pg_sys;
use std::ptr;

/// GetForeignPlan.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn foreign_plan(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    path: *mut pg_sys::ForeignPath,
    targets: *mut pg_sys::List,
    clauses: *mut pg_sys::List,
    outer: *mut pg_sys::Plan,
) -> Result<*mut pg_sys::ForeignScan, Failure> {
    // SAFETY: as the caller vouches; planning the relation's size has set fdw_private.
    unsafe {
        let Some(info) = RelInfo::of(rel) else {
            return Err(Failure::internal("a foreign relation was planned without its size"));
        };
        if let Some(upper) = info.upper.as_ref().filter(|upper| upper.names_only) {
            return Ok(naming::plan(upper, targets, outer));
        }
        let finish = Finish::of(path);
        let mut order = Order { keys: order_by(root, rel, info, path, finish)?, merged: false };
        order.merged = info.placements.len() > 1 && !(*path).path.pathkeys.is_null();
        let limit = limit(root, finish, info.placements.len() > 1);
        if !node::is_simple_rel(&*rel) {
            return upper_plan(root, rel, info, targets, outer, order, limit);
        }
        let (remote, local) = split(rel, info, clauses);
        if info.sharded.is_some() {
            sharded_plan(root, rel, info, path, targets, remote, local, order, limit)
        } else {
            base_plan(root, rel, info, targets, remote, local, outer, order.keys, limit)
        }
    }
}

/// The conditions of a base relation's scan: those the shard evaluates, and those evaluated here.
unsafe fn split(
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
    clauses: *mut pg_sys::List,
) -> (Exprs, Exprs) {
    // SAFETY: the planner's list of RestrictInfos.
    unsafe {
        let (mut remote, mut local) = (Vec::new(), Vec::new());
        for clause in node::list::<pg_sys::RestrictInfo>(clauses) {
            // Pseudoconstants are gating quals of a Result node above us.
            if (*clause).pseudoconstant {
                continue;
            }
            let expr = (*clause).clause;
            let ships = info.remote_conds.contains(&clause)
                || (!info.local_conds.contains(&clause)
                    // A join condition that a parameterised path brought in.
                    && super::scan::ships(info, clause, rel).is_ok());
            if ships { remote.push(expr) } else { local.push(expr) }
        }
        (remote, local)
    }
}

type Exprs = Vec<*mut pg_sys::Expr>;

/// A scan of a sharded table: the parent's relation is no foreign table, so the rows are described by
/// `fdw_scan_tlist`, as a join's are.
#[allow(clippy::too_many_arguments)]
unsafe fn sharded_plan(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
    path: *mut pg_sys::ForeignPath,
    targets: *mut pg_sys::List,
    remote: Exprs,
    local: Exprs,
    order: Order,
    limit: Limit,
) -> Result<*mut pg_sys::ForeignScan, Failure> {
    // SAFETY: as in `foreign_plan`.
    unsafe {
        let rti = (*rel).relid;
        let targets = needed_targets(rel, targets);
        // A row that is looked at again (EvalPlanQual) is the same, but values of other tables' may have changed.
        let again = row_marks::may_recheck(root) && !(*path).path.param_info.is_null();
        let recheck = if again { remote.clone() } else { Vec::new() };
        let here: Exprs = local.iter().chain(&recheck).copied().collect();
        let mut scan_tlist = scan_tlist((*(*rel).reltarget).exprs, &here);
        let (order_by, merge) = order.keys(&mut scan_tlist);
        let mut query = Select::new(Target::from_tlist(scan_tlist), info.from.clone());
        let mut remote = remote;
        if let Some((condition, values)) = batched::condition(path) {
            remote.push(condition);
            query.own_params.push(values);
        }
        query.conditions = remote.clone();
        query.order_by = order_by;
        query.limit = limit;
        query.locking = row_marks::locks(root, &[rti]);
        let clauses: Exprs = remote.iter().chain(&local).copied().collect();
        let (statement, exprs, routing) = routed(info, &mut query, &[rti], &clauses)?;
        let plan = ScanPlan {
            template: statement.template,
            retrieved: statement.retrieved,
            description: Some(info.named(root, rel)),
            locking: !query.locking.is_empty(),
            routing,
            merge,
            params: statement.params.len() as u32,
            ..info.scan_plan(&[rti])
        };
        Ok(pg_sys::make_foreignscan(
            targets,
            node::make_list(local),
            0,
            node::make_list(exprs),
            plan.to_list(),
            scan_tlist,
            node::make_list(recheck),
            ptr::null_mut(),
        ))
    }
}

/// The statement for `query`, the expressions for `fdw_exprs`, and how placements are chosen at execution. Of several
/// placements each is sent only its own members of an array.
unsafe fn routed(
    info: &RelInfo,
    query: &mut Select,
    tables: &[u32],
    deciding: &[*mut pg_sys::Expr],
) -> Result<(Statement, Exprs, Vec<Routing>), Failure> {
    // SAFETY: as in `foreign_plan`.
    unsafe {
        let sharded = || info.distribution.iter().filter(|_| info.placements.len() > 1);
        for (table, rti) in sharded() {
            let arrays = routing::arrays_to_spread(table, *rti, tables, deciding);
            query.own_params.extend(arrays);
        }
        let statement = info.statement(query, Params::Numbered)?;
        let (mut exprs, mut routing) = (statement.params.clone(), Vec::new());
        for (table, rti) in sharded() {
            let own = &statement.own;
            routing.extend(Routing::plan(table, *rti, tables, deciding, own, &mut exprs));
        }
        Ok((statement, exprs, routing))
    }
}

/// The planner likes a scan to give out all columns of its table, which costs nothing where a tuple has them anyway.
/// Here each column would travel: only those are kept that something above needs.
unsafe fn needed_targets(
    rel: *mut pg_sys::RelOptInfo,
    targets: *mut pg_sys::List,
) -> *mut pg_sys::List {
    // SAFETY: a target list made for this plan alone.
    unsafe {
        // Where conditions are checked above (pseudoconstants), the planner asks for bare columns, also of a target that has
        // become one of expressions.
        let flags = pg_sys::PVC_RECURSE_PLACEHOLDERS as i32;
        let columns = pg_sys::pull_var_clause((*(*rel).reltarget).exprs.cast(), flags);
        let needed = node::list_vec::<pg_sys::Node>(columns);
        let mut kept = Vec::new();
        for entry in node::list_vec::<pg_sys::TargetEntry>(targets) {
            let expr = (*entry).expr;
            if node::cast::<pg_sys::Var, _>(expr).is_none()
                || needed.iter().any(|&own| pg_sys::equal(own.cast(), expr.cast()))
            {
                kept.push(entry);
                (*entry).resno = kept.len() as i16;
            }
        }
        node::make_list(kept)
    }
}

/// A scan of one table, whose rows have the table's columns.
#[allow(clippy::too_many_arguments)]
unsafe fn base_plan(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
    targets: *mut pg_sys::List,
    remote: Exprs,
    local: Exprs,
    outer: *mut pg_sys::Plan,
    order_by: Vec<SortKey>,
    limit: Limit,
) -> Result<*mut pg_sys::ForeignScan, Failure> {
    // SAFETY: as in `foreign_plan`.
    unsafe {
        let rti = (*rel).relid;
        let mut query = info.base_query(rti, remote.clone());
        query.order_by = order_by;
        query.limit = limit;
        query.locking = row_marks::locks(root, &[rti]);
        let statement = info.statement(&query, Params::Numbered)?;
        let plan = ScanPlan {
            template: statement.template,
            retrieved: statement.retrieved,
            locking: !query.locking.is_empty(),
            description: None,
            params: statement.params.len() as u32,
            ..info.scan_plan(&[rti])
        };
        Ok(pg_sys::make_foreignscan(
            targets,
            node::make_list(local),
            rti,
            node::make_list(statement.params),
            plan.to_list(),
            ptr::null_mut(),
            node::make_list(remote),
            outer,
        ))
    }
}

/// A scan of a join or a grouping, whose rows have the columns of `fdw_scan_tlist`.
unsafe fn upper_plan(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
    targets: *mut pg_sys::List,
    mut outer: *mut pg_sys::Plan,
    order: Order,
    limit: Limit,
) -> Result<*mut pg_sys::ForeignScan, Failure> {
    // SAFETY: as in `foreign_plan`.
    unsafe {
        let tables = info.from.tables();
        let conds: Exprs = info.local_conds.iter().map(|&clause| (*clause).clause).collect();
        let mut local = node::make_list(conds.iter().copied());
        let (mut scan_tlist, group_by, having) = match &info.upper {
            Some(upper) => {
                local = node::make_list(upper.local_having.iter().copied());
                (upper.tlist, upper.group_by.clone(), upper.having.clone())
            }
            None => (scan_tlist((*(*rel).reltarget).exprs, &conds), GroupBy::Nothing, Vec::new()),
        };
        let (order_by, merge) = order.keys(&mut scan_tlist);
        let target = match info.upper.as_ref().and_then(|upper| upper.shipped.clone()) {
            Some(shipped) => Target::Exprs(shipped),
            None => Target::from_tlist(scan_tlist),
        };
        let mut query = Select::new(target, info.from.clone());
        query.conditions = info.remote_conds.iter().map(|&clause| (*clause).clause).collect();
        query.group_by = group_by;
        query.having = having;
        if let Some(upper) = &info.upper {
            query.distinct = upper.distinct.clone();
        }
        query.order_by = order_by;
        query.limit = limit;
        query.locking = row_marks::locks(root, &tables);
        let deciding: Exprs = info.deciding.iter().map(|&clause| (*clause).clause).collect();
        let (statement, exprs, routing) = routed(info, &mut query, &tables, &deciding)?;
        if !outer.is_null() {
            outer = epq::fit_outer_plan(outer, scan_tlist, local, (*outer).parallel_safe)?;
        }
        let plan = ScanPlan {
            template: statement.template,
            retrieved: statement.retrieved,
            locking: !query.locking.is_empty(),
            description: Some(info.description.clone()),
            routing,
            merge,
            params: statement.params.len() as u32,
            one_row: info.upper.as_ref().is_some_and(|upper| upper.is_one_row()),
            ..info.scan_plan(&tables)
        };
        Ok(pg_sys::make_foreignscan(
            targets,
            local,
            0,
            node::make_list(exprs),
            plan.to_list(),
            scan_tlist,
            ptr::null_mut(),
            outer,
        ))
    }
}

/// The columns that a scan without a table of its own has to give out: those of its target list and of conditions
/// evaluated here.
unsafe fn scan_tlist(targets: *mut pg_sys::List, local: &[*mut pg_sys::Expr]) -> *mut pg_sys::List {
    let flags = pg_sys::PVC_RECURSE_PLACEHOLDERS as i32;
    // SAFETY: planner data.
    unsafe {
        let vars = pg_sys::pull_var_clause(targets.cast(), flags);
        let mut tlist = pg_sys::add_to_flat_tlist(ptr::null_mut(), vars);
        for &clause in local {
            let vars = pg_sys::pull_var_clause(clause.cast(), flags);
            tlist = pg_sys::add_to_flat_tlist(tlist, vars);
        }
        tlist
    }
}

unsafe fn order_by(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
    path: *mut pg_sys::ForeignPath,
    finish: Finish,
) -> Result<Vec<SortKey>, Failure> {
    // SAFETY: planner data.
    unsafe {
        let chosen = info.upper.as_ref().map_or(ptr::null_mut(), |upper| upper.order);
        let pathkeys = match (finish.sort, (*path).path.pathkeys) {
            (true, _) => (*root).sort_pathkeys,
            (false, none) if none.is_null() => chosen,
            (false, own) => own,
        };
        let keys = match &info.upper {
            Some(upper) => upper::sort_keys_of_group(info, upper, pathkeys),
            None => paths::sort_keys(rel, info, pathkeys),
        };
        keys.ok_or_else(|| Failure::internal("a remote order was planned that cannot be had"))
    }
}

/// LIMIT and OFFSET. Of several placements each has to give the rows that are skipped as well: they may all be its own.
unsafe fn limit(root: *mut pg_sys::PlannerInfo, finish: Finish, many: bool) -> Limit {
    if !finish.limit {
        return Limit::default();
    }
    // SAFETY: planner data; both expressions are bigint.
    unsafe {
        let parse = (*root).parse;
        let (count, offset) = ((*parse).limitCount, (*parse).limitOffset);
        if !many {
            use pg_sys::LimitOption::LIMIT_OPTION_WITH_TIES;
            let with_ties = (*parse).limitOption == LIMIT_OPTION_WITH_TIES;
            return Limit { count: count.cast(), offset: offset.cast(), with_ties };
        }
        let sum = limit_of_each(count, offset).unwrap_or(count);
        Limit { count: sum.cast(), offset: ptr::null_mut(), with_ties: false }
    }
}

/// LIMIT for each of several placements, which have to give the skipped rows as well; `None` when it is not known
/// while planning.
///
/// # Safety
/// Both are NULL or expressions of type bigint.
pub(super) unsafe fn limit_of_each(
    count: *mut pg_sys::Node,
    offset: *mut pg_sys::Node,
) -> Option<*mut pg_sys::Node> {
    // SAFETY: as the caller vouches.
    unsafe {
        if count.is_null() || offset.is_null() {
            return (!count.is_null()).then_some(count);
        }
        let (limit, skip) = (
            node::cast::<pg_sys::Const, _>(count).filter(|c| !c.constisnull)?,
            node::cast::<pg_sys::Const, _>(offset).filter(|c| !c.constisnull)?,
        );
        let sum = (limit.constvalue.value() as i64).checked_add(skip.constvalue.value() as i64)?;
        let (int8, none) = (pg_sys::INT8OID, pg_sys::InvalidOid);
        Some(pg_sys::makeConst(int8, -1, none, 8, pg_sys::Datum::from(sum), false, true).cast())
    }
}

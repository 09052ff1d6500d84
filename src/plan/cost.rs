//! What a scan costs: from local statistics, or from the remote server's EXPLAIN (`use_remote_estimate`).

use super::batched::BATCH;
use super::relinfo::{Estimate, RelInfo};
use crate::deparse::SortKey;
use crate::error::Failure;
use crate::pg::compat::PathCost;
use crate::txn;
use crate::wire::Request;
use pgrx::pg_sys;

/// A sorted remote scan is taken to cost this much more than an unsorted one; enough to make the planner avoid
/// sorts it does not need, little enough to prefer the shard's sort to ours.
const SORT_FACTOR: f64 = 1.2;

/// Size and cost of scanning `rel` by local statistics. `sorted`: in a remote ORDER BY. `pinned`: parameters choose the
/// placements, so that the conditions are on sharding columns, for which the shards are supposed to have an index.
///
/// # Safety
/// `rel` is a base relation whose size estimates are set.
pub unsafe fn by_local_statistics(
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
    sorted: bool,
    pinned: bool,
) -> Estimate {
    // SAFETY: reads of the relation's estimates and of cost parameters.
    unsafe {
        let rows = (*rel).rows;
        let retrieved = pg_sys::clamp_row_est(rows / info.local_conds_sel.max(1e-9))
            .min((*rel).tuples.max(1.0));
        let per_tuple = pg_sys::cpu_tuple_cost + (*rel).baserestrictcost.per_tuple;
        let mut startup = (*rel).baserestrictcost.startup;
        let mut run = pg_sys::seq_page_cost * f64::from((*rel).pages) + per_tuple * (*rel).tuples;
        if pinned {
            run = run.min(lookup(retrieved) + pg_sys::cpu_tuple_cost * retrieved);
        }
        if sorted {
            startup *= SORT_FACTOR;
            run *= SORT_FACTOR;
        }
        let mut estimate = Estimate {
            rows,
            width: (*(*rel).reltarget).width,
            startup,
            total: startup + run,
            retrieved,
        };
        add_transfer(&mut estimate, info);
        estimate
    }
}

/// How a parameterised scan finds its rows.
pub struct Access {
    /// The values choose the placement.
    pub pinned: bool,
    /// Some condition is an equality.
    pub equality: bool,
    /// Cost of the conditions.
    pub quals: pg_sys::QualCost,
}

/// Size and cost of one execution of a parameterised scan, without the transfer.
///
/// The shard is supposed to have an index for an equality that finds (about) one row, as a key does, and for
/// sharding columns. Where it has none, a nested loop would read the remote table again and again: anything else is
/// taken to read it all.
///
/// # Safety
/// `rel` is a base relation whose size estimates are set.
pub unsafe fn parameterised(
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
    rows: f64,
    retrieved: f64,
    access: Access,
) -> Estimate {
    // SAFETY: reads of the relation's estimates and of cost parameters.
    unsafe {
        let asked = asked(info, access.pinned);
        let share = asked / info.placements.len().max(1) as f64;
        let base = (*rel).baserestrictcost;
        let startup = base.startup + access.quals.startup;
        let per_tuple = pg_sys::cpu_tuple_cost + base.per_tuple + access.quals.per_tuple;
        let mut run =
            share * (pg_sys::seq_page_cost * f64::from((*rel).pages) + per_tuple * (*rel).tuples);
        if access.equality && (access.pinned || retrieved <= KEY_ROWS) {
            run = run.min(lookup(retrieved) + per_tuple * retrieved);
        }
        // Each further placement is one more request.
        let startup = startup + (asked - 1.0) * info.server.fdw_startup_cost;
        let width = (*(*rel).reltarget).width;
        Estimate { rows, width, startup, total: startup + run, retrieved }
    }
}

/// A condition that lets no more rows through is taken for one on a key.
const KEY_ROWS: f64 = 1.5;

/// Finding rows by an index: down the tree, and a page for each.
fn lookup(rows: f64) -> f64 {
    // SAFETY: reads a cost parameter.
    unsafe { pg_sys::random_page_cost * (1.0 + rows) }
}

/// Rows and cost of the scan below a batched join: all batches of `outer` rows, of which each finds `share` of the table's
/// rows by an index on the sharding column.
///
/// # Safety
/// `rel` is a base relation whose state `info` is.
pub unsafe fn batched(
    info: &RelInfo,
    rel: *mut pg_sys::RelOptInfo,
    outer: f64,
    share: f64,
) -> PathCost {
    // SAFETY: reads of the relation's estimates and of cost parameters.
    unsafe {
        let base = (*rel).baserestrictcost;
        let each =
            (share * info.estimate.map_or((*rel).rows, |estimate| estimate.retrieved)).max(0.0);
        let retrieved = pg_sys::clamp_row_est(outer * each);
        let batches = (outer / BATCH as f64).ceil().max(1.0);
        let per_tuple = pg_sys::cpu_tuple_cost + base.per_tuple;
        let all =
            pg_sys::seq_page_cost * f64::from((*rel).pages) + per_tuple * (*rel).tuples.max(1.0);
        // The shard looks values up, or reads the table for each batch.
        let work = (outer * lookup(each)).min(batches * all) + per_tuple * retrieved;
        let requests = batches * info.server.fdw_startup_cost;
        let startup = base.startup + info.server.fdw_startup_cost;
        let transfer = (info.server.fdw_tuple_cost + pg_sys::cpu_tuple_cost) * retrieved;
        let rows = pg_sys::clamp_row_est(retrieved * info.local_conds_sel);
        PathCost { rows, startup, total: base.startup + requests + work + transfer }
    }
}

/// Adds what moving the rows here costs.
pub fn add_transfer(estimate: &mut Estimate, info: &RelInfo) {
    // SAFETY: reads a cost parameter.
    let cpu_tuple_cost = unsafe { pg_sys::cpu_tuple_cost };
    estimate.startup += info.server.fdw_startup_cost;
    estimate.total += info.server.fdw_startup_cost
        + (info.server.fdw_tuple_cost + cpu_tuple_cost) * estimate.retrieved;
}

/// Size and cost of scanning `rel`, sorted or not, by the remote server's own estimate.
///
/// # Safety
/// `rel` is the base relation whose state `info` is.
pub unsafe fn by_remote_server(
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
    order_by: Vec<SortKey>,
) -> Result<Estimate, Failure> {
    // SAFETY: as the caller vouches; cost parameters are read.
    unsafe {
        let asked = asked(info, super::parameterized::is_pinned(rel, info, &info.remote_conds));
        let sql = info.explain_sql(rel, &[], order_by)?;
        let mut estimate = by_remote_explain(info, &sql, asked)?;
        estimate.rows = pg_sys::clamp_row_est(estimate.retrieved * info.local_conds_sel);
        estimate.startup += info.local_conds_cost.startup;
        estimate.total += info.local_conds_cost.startup
            + (pg_sys::cpu_tuple_cost + info.local_conds_cost.per_tuple) * estimate.retrieved;
        add_transfer(&mut estimate, info);
        Ok(estimate)
    }
}

/// How many placements are asked.
pub fn asked(info: &RelInfo, is_pinned: bool) -> f64 {
    if is_pinned { 1.0 } else { info.placements.len().max(1) as f64 }
}

/// Asks the first placement's server what `sql` would cost there, and supposes the same of all that are `asked`.
pub fn by_remote_explain(info: &RelInfo, sql: &str, asked: f64) -> Result<Estimate, Failure> {
    let explain = format!("EXPLAIN {sql}");
    // Not that of the table's first placement, which may have been left out.
    let server = info.placements.first().map_or(info.server.oid, |placement| placement.server);
    let participant = txn::enlist(server, info.user)?;
    let reply = participant.run(Request::Simple(&explain), &explain)?;
    let line = reply
        .rows
        .first()
        .and_then(|&start| first_field(&reply.data[start as usize..]))
        .unwrap_or_default();
    let one = parse_explain(&line).ok_or_else(|| {
        Failure::internal(format!("could not interpret EXPLAIN output: \"{line}\""))
    })?;
    let (rows, retrieved) = (one.rows * asked, one.retrieved * asked);
    Ok(Estimate { rows, retrieved, total: one.total * asked, ..one })
}

/// The first field of a DataRow body, as text.
fn first_field(row: &[u8]) -> Option<String> {
    let length = i32::from_be_bytes(row.get(2..6)?.try_into().ok()?);
    let bytes = row.get(6..6 + usize::try_from(length).ok()?)?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

/// Reads `... (cost=1.00..2.50 rows=10 width=36)`.
fn parse_explain(line: &str) -> Option<Estimate> {
    let costs = &line[line.rfind("(cost=")? + 6..];
    let (startup, costs) = costs.split_once("..")?;
    let (total, costs) = costs.split_once(" rows=")?;
    let (rows, costs) = costs.split_once(" width=")?;
    let rows: f64 = rows.parse().ok()?;
    Some(Estimate {
        rows,
        width: costs.split_once(')')?.0.parse().ok()?,
        startup: startup.parse().ok()?,
        total: total.parse().ok()?,
        retrieved: rows,
    })
}

/// Startup and total cost of the same scan with a remote ORDER BY: the shard works more, no more rows travel.
pub fn sorted(estimate: &Estimate, info: &RelInfo) -> (f64, f64) {
    let mut transfer = Estimate { retrieved: estimate.retrieved, ..Estimate::default() };
    add_transfer(&mut transfer, info);
    let more = |all: f64, transfer: f64| all + (all - transfer).max(0.0) * (SORT_FACTOR - 1.0);
    // Rows of several shards are merged here: a heap of their next ones.
    let depth = (info.placements.len().max(1) as f64).log2();
    // SAFETY: reads a cost parameter.
    let merge = estimate.rows * depth * 2.0 * unsafe { pg_sys::cpu_operator_cost };
    (more(estimate.startup, transfer.startup), more(estimate.total, transfer.total) + merge)
}

/// Size and cost of a join on the shard, from those of its sides.
///
/// # Safety
/// Arguments are those of GetForeignJoinPaths, `info` the join's state being made.
pub unsafe fn join(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    outer: *mut pg_sys::RelOptInfo,
    inner: *mut pg_sys::RelOptInfo,
    info: &mut RelInfo,
) -> Result<(), Failure> {
    // SAFETY: the sides are ours and have been estimated.
    unsafe {
        let side = |rel| RelInfo::of(rel).and_then(|info| info.estimate);
        let (Some(left), Some(right)) = (side(outer), side(inner)) else { return Ok(()) };
        let rows = (*rel).rows;
        let retrieved = pg_sys::clamp_row_est(rows / info.local_conds_sel.max(1e-9));
        if info.use_remote_estimate {
            let sql = info.explain_sql(rel, &[], Vec::new())?;
            let mut estimate = by_remote_explain(info, &sql, asked(info, false))?;
            estimate.rows = pg_sys::clamp_row_est(estimate.retrieved * info.local_conds_sel);
            estimate.startup += info.local_conds_cost.startup;
            estimate.total += info.local_conds_cost.startup
                + (pg_sys::cpu_tuple_cost + info.local_conds_cost.per_tuple) * estimate.retrieved;
            add_transfer(&mut estimate, info);
            (*rel).rows = estimate.rows;
            info.estimate = Some(estimate);
            return Ok(());
        }
        let mut conditions: pg_sys::QualCost = Default::default();
        let clauses = super::scan::clause_list(&info.join_conds);
        pg_sys::cost_qual_eval(&raw mut conditions, clauses, root);
        let (left_cost, right_cost) =
            (without_transfer(&left, outer), without_transfer(&right, inner));
        // The shard joins at least as cleverly as a hash join: each row of both sides is looked at once. Where one side is
        // small it looks the rows of the other up, as a nested loop here would, but without a request for each.
        let startup = left_cost.0 + right_cost.0 + conditions.startup;
        let by_lookup = |rows: f64, all: f64| match info.join_conds.is_empty() {
            true => all,
            false => all.min(rows * (lookup(1.0) + info.server.fdw_startup_cost / 2.0)),
        };
        let sides = (left_cost.1 + by_lookup(left.retrieved, right_cost.1))
            .min(right_cost.1 + by_lookup(right.retrieved, left_cost.1));
        let run = sides
            + (left.retrieved + right.retrieved) * pg_sys::cpu_operator_cost
            + retrieved * (conditions.per_tuple + pg_sys::cpu_tuple_cost);
        let mut estimate = Estimate {
            rows,
            width: (*(*rel).reltarget).width,
            startup: startup + info.local_conds_cost.startup,
            total: startup
                + run
                + info.local_conds_cost.startup
                + info.local_conds_cost.per_tuple * retrieved,
            retrieved,
        };
        add_transfer(&mut estimate, info);
        info.estimate = Some(estimate);
        Ok(())
    }
}

/// What the work on the shard costs alone: startup, and the rest.
unsafe fn without_transfer(estimate: &Estimate, rel: *mut pg_sys::RelOptInfo) -> (f64, f64) {
    // SAFETY: the relation is ours.
    let Some(info) = (unsafe { RelInfo::of(rel) }) else { return (estimate.startup, 0.0) };
    let mut bare = Estimate { retrieved: estimate.retrieved, ..Estimate::default() };
    add_transfer(&mut bare, info);
    let startup = (estimate.startup - bare.startup).max(0.0);
    (startup, (estimate.total - bare.total - startup).max(0.0))
}

/// Size and cost of grouping the rows of `input` on the shard.
///
/// # Safety
/// `grouped` is the upper relation being planned.
pub unsafe fn grouping(input: &RelInfo, grouped: *mut pg_sys::RelOptInfo, groups: f64) -> Estimate {
    let base = input.estimate.unwrap_or_default();
    let mut transfer = Estimate { retrieved: base.retrieved, ..Estimate::default() };
    add_transfer(&mut transfer, input);
    // SAFETY: cost parameters and the relation's target.
    let (operator, width) = unsafe { (pg_sys::cpu_operator_cost, (*(*grouped).reltarget).width) };
    // Every row is aggregated before the first group is known.
    let work = (base.total - transfer.total).max(0.0) + base.retrieved * operator * 2.0;
    let mut estimate = Estimate {
        rows: groups.max(1.0),
        width,
        startup: work,
        total: work + groups * operator,
        retrieved: groups.max(1.0),
    };
    add_transfer(&mut estimate, input);
    estimate
}

/// What computing window functions or distinct rows there costs of doing it here; see limit.rs.
const UPPER_FACTOR: f64 = 0.97;

/// Size and cost of a scan whose window functions the shard computes.
///
/// # Safety
/// `target` is what comes out.
pub unsafe fn window(input: &RelInfo, target: *mut pg_sys::PathTarget) -> Estimate {
    let base = input.estimate.unwrap_or_default();
    // SAFETY: a path target.
    let width = unsafe { (*target).width };
    Estimate {
        width,
        startup: base.startup * UPPER_FACTOR,
        total: base.total * UPPER_FACTOR,
        ..base
    }
}

/// Size and cost of a scan that gives out `groups` distinct rows.
///
/// # Safety
/// `target` is what comes out.
pub unsafe fn distinct(input: &RelInfo, target: *mut pg_sys::PathTarget, groups: f64) -> Estimate {
    let base = input.estimate.unwrap_or_default();
    let rows = groups.min(base.rows).max(1.0);
    // SAFETY: a path target.
    let width = unsafe { (*target).width };
    let spared = (base.retrieved - rows).max(0.0) * input.server.fdw_tuple_cost;
    let total = (base.total - spared).max(base.startup) * UPPER_FACTOR;
    Estimate { rows, width, startup: base.startup * UPPER_FACTOR, total, retrieved: rows }
}

//! What a scan costs: from local statistics, or from the remote server's EXPLAIN (`use_remote_estimate`).

use super::relinfo::{Estimate, RelInfo};
use crate::error::Failure;
use crate::txn;
use crate::wire::Request;
use pgrx::pg_sys;

/// A sorted remote scan is taken to cost this much more than an unsorted one; enough to make the planner avoid
/// sorts it does not need, little enough to prefer the shard's sort to ours.
const SORT_FACTOR: f64 = 1.2;

/// Size and cost of scanning `rel` by local statistics. `sorted`: in a remote ORDER BY.
///
/// # Safety
/// `rel` is a base relation whose size estimates are set.
pub unsafe fn by_local_statistics(
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
    sorted: bool,
) -> Estimate {
    // SAFETY: reads of the relation's estimates and of cost parameters.
    unsafe {
        let rows = (*rel).rows;
        let retrieved = pg_sys::clamp_row_est(rows / info.local_conds_sel.max(1e-9))
            .min((*rel).tuples.max(1.0));
        let per_tuple = pg_sys::cpu_tuple_cost + (*rel).baserestrictcost.per_tuple;
        let mut startup = (*rel).baserestrictcost.startup;
        let mut run = pg_sys::seq_page_cost * f64::from((*rel).pages) + per_tuple * (*rel).tuples;
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

/// Adds what moving the rows here costs.
pub fn add_transfer(estimate: &mut Estimate, info: &RelInfo) {
    // SAFETY: reads a cost parameter.
    let cpu_tuple_cost = unsafe { pg_sys::cpu_tuple_cost };
    estimate.startup += info.server.fdw_startup_cost;
    estimate.total += info.server.fdw_startup_cost
        + (info.server.fdw_tuple_cost + cpu_tuple_cost) * estimate.retrieved;
}

/// Asks the first placement's server what `sql` would cost there.
pub fn by_remote_explain(info: &RelInfo, sql: &str) -> Result<Estimate, Failure> {
    let explain = format!("EXPLAIN {sql}");
    let participant = txn::enlist(info.server.oid, info.user)?;
    let reply = participant.run(Request::Simple(&explain), &explain)?;
    let line = reply
        .rows
        .first()
        .and_then(|&start| first_field(&reply.data[start as usize..]))
        .unwrap_or_default();
    parse_explain(&line)
        .ok_or_else(|| Failure::internal(format!("could not interpret EXPLAIN output: \"{line}\"")))
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

//! What EXPLAIN tells of foreign scans and modifications. Wording as in postgres_fdw where it has one.

use super::sharded_change::ShardedChange;
use super::sharded_insert::ShardedState;
use super::{foreign_scan, modify};
use crate::error::Failure;
use crate::options::load;
use crate::pg::explain::Explainer;
use crate::plan::private::{DirectPlan, ModifyPlan, ScanPlan};
use pgrx::pg_sys;

/// ExplainForeignScan.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn scan(
    node: *mut pg_sys::ForeignScanState,
    out: *mut pg_sys::ExplainState,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        if foreign_scan::names_only(node) {
            return Ok(());
        }
        let out = Explainer::new(out);
        let scan = (*node).ss.ps.plan.cast::<pg_sys::ForeignScan>();
        let plan = ScanPlan::from_list((*scan).fdw_private)?;
        if let Some(description) = &plan.description {
            out.text(c"Relations", description);
        }
        if plan.of_placements > 0 {
            out.text(c"Shards", &shards(&plan)?);
            if out.analyze()
                && let Some(state) = foreign_scan::state(node)
            {
                let asked = state
                    .asked()
                    .map(|(server, rows)| {
                        Ok(format!("{} ({rows} rows)", load::server(server)?.name))
                    })
                    .collect::<Result<Vec<String>, Failure>>()?;
                out.integer(c"Shards Asked", asked.len() as i64);
                if out.verbose() {
                    out.text(c"Rows by Shard", &asked.join(", "));
                }
            }
        }
        if out.verbose() {
            if let Some(placement) = plan.placements.first() {
                out.text(c"Remote SQL", &plan.sql(placement)?);
            }
            let spread: Vec<String> = plan
                .routing
                .iter()
                .flat_map(|routing| routing.spread_params())
                .map(|number| format!("${number}"))
                .collect();
            if !spread.is_empty() {
                out.text(c"Split by Shard", &spread.join(", "));
            }
            let decided = plan.placements.len() < plan.of_placements as usize
                || plan.routing.iter().any(|routing| routing.chooses());
            if !plan.not_pruned.is_empty() && !decided {
                out.text(c"Not pruned", &plan.not_pruned.join("; "));
            }
            if !plan.not_shipped.is_empty() {
                out.text(c"Not shipped", &plan.not_shipped.join("; "));
            }
        }
        Ok(())
    }
}

/// Most servers that are named.
const MOST_NAMES: usize = 8;

/// `1 of 4 (db2)`, or how they are chosen at execution.
fn shards(plan: &ScanPlan) -> Result<String, Failure> {
    let chosen = plan.placements.len();
    let mut text = format!("{chosen} of {}", plan.of_placements);
    if chosen <= MOST_NAMES {
        let names = plan
            .placements
            .iter()
            .map(|placement| Ok(load::server(placement.server)?.name.clone()))
            .collect::<Result<Vec<String>, Failure>>()?;
        text.push_str(&format!(" ({})", names.join(", ")));
    }
    if let Some(routing) = plan.routing.iter().find(|routing| routing.chooses()) {
        // SAFETY: EXPLAIN runs inside a transaction that holds locks on the statement's relations.
        let table = unsafe { crate::shard::sharded(routing.parent)? };
        match table.and_then(|table| table.expression()) {
            Some(expression) => text.push_str(&format!(", by {expression}")),
            None => text.push_str(", by the values of parameters"),
        }
    }
    Ok(text)
}

/// ExplainDirectModify.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn direct(
    node: *mut pg_sys::ForeignScanState,
    out: *mut pg_sys::ExplainState,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let out = Explainer::new(out);
        let scan = (*node).ss.ps.plan.cast::<pg_sys::ForeignScan>();
        let plan = DirectPlan::from_list((*scan).fdw_private)?.scan;
        if plan.of_placements > 0 {
            out.text(c"Shards", &shards(&plan)?);
        }
        if !out.verbose() {
            return Ok(());
        }
        if let Some(placement) = plan.placements.first() {
            out.text(c"Remote SQL", &plan.sql(placement)?);
        }
        Ok(())
    }
}

/// ExplainForeignModify.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn foreign_modify(
    result: *mut pg_sys::ResultRelInfo,
    private: *mut pg_sys::List,
    out: *mut pg_sys::ExplainState,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let out = Explainer::new(out);
        if let Some(modify::State::Sharded(state)) = modify::state(result) {
            return sharded(state, (*result).ri_BatchSize, out);
        }
        if let Some(modify::State::Changed(state)) = modify::state(result) {
            return changed(state, out);
        }
        if !out.verbose() {
            return Ok(());
        }
        let plan = ModifyPlan::from_list(private)?;
        let table = load::foreign_table((*(*result).ri_RelationDesc).rd_id)?;
        out.text(c"Remote SQL", &plan.sql(&table, 1));
        if (*result).ri_BatchSize > 0 {
            out.integer(c"Batch Size", i64::from((*result).ri_BatchSize));
        }
        Ok(())
    }
}

/// UPDATE or DELETE of a sharded parent, row by row.
unsafe fn changed(state: &ShardedChange, out: Explainer) -> Result<(), Failure> {
    if out.analyze() {
        rows_by_shard(state.written(), out)?;
    }
    if out.verbose() {
        // SAFETY: EXPLAIN has started the statement.
        if let Some(sql) = unsafe { state.example()? } {
            out.text(c"Remote SQL", &sql);
        }
        if state.is_single() {
            out.text(c"Rows", "one by one");
        }
    }
    Ok(())
}

fn rows_by_shard(
    written: impl Iterator<Item = (pg_sys::Oid, u64)>,
    out: Explainer,
) -> Result<(), Failure> {
    let written = written
        .map(|(server, rows)| Ok(format!("{} ({rows} rows)", load::server(server)?.name)))
        .collect::<Result<Vec<String>, Failure>>()?;
    out.integer(c"Shards Asked", written.len() as i64);
    if out.verbose() {
        out.text(c"Rows by Shard", &written.join(", "));
    }
    Ok(())
}

/// INSERT into a sharded parent.
unsafe fn sharded(state: &ShardedState, batch: i32, out: Explainer) -> Result<(), Failure> {
    let table = state.table();
    let count = table.members.len();
    let mut text = format!("{count} of {count}");
    if count <= MOST_NAMES {
        let names =
            table.members.iter().map(|member| Ok(load::server(member.server)?.name.clone()));
        text.push_str(&format!(" ({})", names.collect::<Result<Vec<_>, Failure>>()?.join(", ")));
    }
    match table.expression() {
        Some(expression) => text.push_str(&format!(", by {expression}")),
        None => text.push_str(", by the placements' rules"),
    }
    out.text(c"Shards", &text);
    if out.analyze() {
        rows_by_shard(state.written(), out)?;
    }
    if !out.verbose() {
        return Ok(());
    }
    if let Some(copy) = state.streamed()? {
        out.text(c"Remote SQL", &copy);
        return Ok(());
    }
    // SAFETY: EXPLAIN has started the statement.
    if let Some(sql) = unsafe { state.example()? } {
        out.text(c"Remote SQL", &sql);
    }
    out.integer(c"Batch Size", i64::from(batch));
    Ok(())
}

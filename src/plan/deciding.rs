//! Do equal values of some expressions lie on one shard? Then a group of them is whole there, and counting distinct
//! ones there and adding up is counting them all.

use super::relinfo::RelInfo;
use crate::deparse::{From, JoinKind};
use crate::pg::node;
use crate::shard;
use pgrx::pg_sys;

type Expr = *mut pg_sys::Expr;

/// Whether rows that agree in all of `exprs` are on one placement: the sharding columns of some table are among them.
///
/// # Safety
/// The expressions are valid.
pub(super) unsafe fn covered(info: &RelInfo, exprs: &[Expr]) -> bool {
    let mut tables = Vec::new();
    whole_rows(&info.from, &mut tables);
    // SAFETY: as the caller vouches.
    info.distribution
        .iter()
        .any(|&(ref table, rti)| tables.contains(&rti) && unsafe { among(table, rti, exprs) })
}

/// Whether equal values of `argument` that are not NULL are on one placement, among rows that agree in `others`.
///
/// # Safety
/// The expressions are valid.
pub(super) unsafe fn kept_apart(info: &RelInfo, argument: Expr, others: &[Expr]) -> bool {
    // SAFETY: as the caller vouches.
    unsafe {
        let Some(var) = node::cast::<pg_sys::Var, _>(argument) else { return false };
        let mut exprs = others.to_vec();
        exprs.push(argument);
        // Where an outer join has made a row of the table NULL, the argument is NULL as well.
        info.distribution.iter().any(|&(ref table, rti)| {
            var.varno as u32 == rti
                && table.deciding_columns().is_some_and(|columns| columns.contains(&var.varattno))
                && among(table, rti, &exprs)
        })
    }
}

/// Whether all sharding columns of `table` are among the expressions.
unsafe fn among(table: &shard::ShardedTable, rti: u32, exprs: &[Expr]) -> bool {
    let Some(columns) = table.deciding_columns() else { return false };
    let is_column = |expr: Expr, column: i16| {
        // SAFETY: the caller vouches for the expressions.
        unsafe {
            node::cast::<pg_sys::Var, _>(expr).is_some_and(|var| {
                var.varno as u32 == rti
                    && var.varattno == column
                    && var.varlevelsup == 0
                    && shard::equal_is_same(var.vartype, var.varcollid)
            })
        }
    };
    !columns.is_empty()
        && columns.iter().all(|&column| exprs.iter().any(|&expr| is_column(expr, column)))
}

/// The tables whose rows no outer join makes NULL: a NULL for a sharding column may come from any shard.
fn whole_rows(from: &From, tables: &mut Vec<u32>) {
    match from {
        From::Table { rti } => tables.push(*rti),
        From::Subquery { select, .. } => whole_rows(&select.from, tables),
        From::Join { kind, outer, inner, .. } => {
            if matches!(kind, JoinKind::Inner | JoinKind::Left | JoinKind::Semi | JoinKind::Anti) {
                whole_rows(outer, tables);
            }
            if matches!(kind, JoinKind::Inner | JoinKind::Right) {
                whole_rows(inner, tables);
            }
        }
    }
}

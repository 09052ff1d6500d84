//! MERGE as a whole.

use super::catalog;
use super::scope::Scope;
use super::template::Piece;
use super::writer::{Params, Statement, Writer};
use crate::error::Failure;
use pgrx::pg_sys::{self, Expr};

/// A MERGE for one shard.
pub struct Merge {
    /// The changed table.
    pub target: u32,
    /// What it is merged with.
    pub source: MergeSource,
    /// ON, all of them.
    pub on: Vec<*mut Expr>,
    /// WHEN, in order.
    pub whens: Vec<MergeWhen>,
}

/// What a MERGE reads.
pub enum MergeSource {
    /// One row, whose values stand in the expressions.
    Row,
    /// The rows of a table that satisfy the conditions.
    Table {
        /// Its range-table index.
        rti: u32,
        /// WHERE, all of them.
        conditions: Vec<*mut Expr>,
    },
}

/// One WHEN.
pub struct MergeWhen {
    /// WHEN MATCHED, or WHEN NOT MATCHED.
    pub matched: bool,
    /// AND, all of them.
    pub conditions: Vec<*mut Expr>,
    /// THEN.
    pub action: MergeAction,
}

/// What is done to, or for, a row.
pub enum MergeAction {
    /// UPDATE SET: column and new value.
    Update(Vec<(i32, *mut Expr)>),
    /// DELETE.
    Delete,
    /// INSERT: column and value; the others become NULL.
    Insert(Vec<(i32, *mut Expr)>),
    /// DO NOTHING.
    Nothing,
}

/// `MERGE INTO t r1 USING s r2 ON ... WHEN ...`
///
/// # Safety
/// All expressions are valid nodes of the scope's query.
pub unsafe fn merge(scope: &Scope, merge: &Merge) -> Result<Statement, Failure> {
    let mut writer = Writer::new(scope, Params::Numbered);
    writer.qualified = true;
    let target = writer.alias(merge.target);
    writer.push("MERGE INTO ");
    writer.out.push(Piece::Relation(merge.target));
    writer.push(&format!(" {target} USING "));
    // SAFETY: the caller vouches for the expressions.
    unsafe {
        match &merge.source {
            MergeSource::Row => writer.push("(SELECT 1) s"),
            MergeSource::Table { rti, conditions } => {
                let alias = writer.alias(*rti);
                if !conditions.is_empty() {
                    writer.push("(SELECT * FROM ");
                }
                writer.out.push(Piece::Relation(*rti));
                writer.push(&format!(" {alias}"));
                if !conditions.is_empty() {
                    writer.push(" WHERE ");
                    writer.conditions(conditions)?;
                    writer.push(&format!(") {alias}"));
                }
            }
        }
        writer.push(" ON (");
        if merge.on.is_empty() {
            writer.push("true");
        }
        writer.conditions(&merge.on)?;
        writer.push(")");
        // A condition that turned out to be true has gone. The shard refuses a WHEN that is never reached.
        let mut settled = [false; 2];
        for when in &merge.whens {
            let settled = &mut settled[usize::from(when.matched)];
            if *settled {
                continue;
            }
            *settled = when.conditions.is_empty();
            writer.push(if when.matched { " WHEN MATCHED" } else { " WHEN NOT MATCHED" });
            if !when.conditions.is_empty() {
                writer.push(" AND (");
                writer.conditions(&when.conditions)?;
                writer.push(")");
            }
            writer.push(" THEN ");
            writer.action(merge.target, &when.action)?;
        }
    }
    Ok(writer.finish(Vec::new()))
}

impl Writer<'_> {
    unsafe fn action(&mut self, target: u32, action: &MergeAction) -> Result<(), Failure> {
        // SAFETY: the caller vouches for the expressions.
        unsafe {
            match action {
                MergeAction::Nothing => self.push("DO NOTHING"),
                MergeAction::Delete => self.push("DELETE"),
                MergeAction::Update(assignments) => {
                    self.push("UPDATE SET ");
                    self.separated(assignments, ", ", |writer, (attnum, value)| {
                        writer.column(target, *attnum, false)?;
                        writer.push(" = ");
                        writer.assigned(*value)
                    })?;
                }
                MergeAction::Insert(values) => {
                    let relid = self.scope.tables.get(&target).map(|table| table.relid);
                    let columns = catalog::columns(relid.unwrap_or(pg_sys::InvalidOid))?;
                    self.push("INSERT (");
                    self.separated(&columns, ", ", |writer, column| {
                        writer.column(target, column.attnum, false)
                    })?;
                    self.push(") VALUES (");
                    // Defaults are the coordinator's: what has none is NULL, whatever the shard says.
                    self.separated(&columns, ", ", |writer, column| {
                        match values.iter().find(|(attnum, _)| *attnum == column.attnum) {
                            Some((_, value)) => writer.assigned(*value),
                            None => {
                                writer.push("NULL");
                                Ok(())
                            }
                        }
                    })?;
                    self.push(")");
                }
            }
            Ok(())
        }
    }
}

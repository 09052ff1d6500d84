//! FROM: tables, joins and sub-queries.
//!
//! A semi-join or anti-join is no join of SQL's: its outer side stays in FROM and its inner side becomes an
//! (NOT) EXISTS condition, which the nearest place that may hold conditions takes up.

use super::select::Select;
use super::template::{Piece, Template};
use super::writer::{Output, Writer};
use crate::error::Failure;
use pgrx::pg_sys::Expr;

/// Kinds of joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    /// Rows of the outer side that have a match.
    Semi,
    /// Rows of the outer side that have none.
    Anti,
}

impl JoinKind {
    /// The planner's join type as one of ours; `None` for those that are only steps in its own work.
    pub fn from_planner(kind: pgrx::pg_sys::JoinType::Type) -> Option<JoinKind> {
        use pgrx::pg_sys::JoinType as Planner;
        Some(match kind {
            Planner::JOIN_INNER => JoinKind::Inner,
            Planner::JOIN_LEFT => JoinKind::Left,
            Planner::JOIN_RIGHT => JoinKind::Right,
            Planner::JOIN_FULL => JoinKind::Full,
            Planner::JOIN_SEMI => JoinKind::Semi,
            Planner::JOIN_ANTI => JoinKind::Anti,
            _ => return None,
        })
    }

    fn sql(self) -> &'static str {
        match self {
            JoinKind::Inner => "INNER",
            JoinKind::Left => "LEFT",
            JoinKind::Right => "RIGHT",
            JoinKind::Full => "FULL",
            JoinKind::Semi => "SEMI",
            JoinKind::Anti => "ANTI",
        }
    }
}

/// What a query reads from.
#[derive(Clone, Debug)]
pub enum From {
    /// A table of the scope.
    Table {
        /// Its range-table index.
        rti: u32,
    },
    /// A join.
    Join {
        /// Its kind.
        kind: JoinKind,
        /// Left side.
        outer: Box<From>,
        /// Right side.
        inner: Box<From>,
        /// ON, all of them. Of a semi- or anti-join: all that makes a match, conditions on the inner table
        /// alone included (they cannot go anywhere else).
        on: Vec<*mut Expr>,
    },
    /// A sub-query. The tables in it are named by its output columns outside.
    Subquery {
        /// The query; its target is not looked at.
        select: Box<Select>,
        /// Number of its alias, not used by another of the statement.
        index: u32,
        /// The Vars it gives out.
        columns: Vec<*mut Expr>,
    },
}

impl From {
    /// The tables in it, those in sub-queries included.
    pub fn tables(&self) -> Vec<u32> {
        match self {
            From::Table { rti } => vec![*rti],
            From::Join { outer, inner, .. } => {
                let mut tables = outer.tables();
                tables.extend(inner.tables());
                tables
            }
            From::Subquery { select, .. } => select.from.tables(),
        }
    }

    /// Whether semi- or anti-joins in it become conditions of the WHERE above.
    pub fn leaves_conditions(&self) -> bool {
        match self {
            From::Table { .. } | From::Subquery { .. } => false,
            From::Join { kind, outer, inner, .. } => match kind {
                JoinKind::Semi | JoinKind::Anti => true,
                JoinKind::Inner => outer.leaves_conditions() || inner.leaves_conditions(),
                JoinKind::Left => outer.leaves_conditions(),
                JoinKind::Right => inner.leaves_conditions(),
                JoinKind::Full => false,
            },
        }
    }

    /// The sub-queries in it, but not those within them.
    pub(super) fn outputs(&self) -> Vec<Output> {
        match self {
            From::Table { .. } => Vec::new(),
            From::Join { outer, inner, .. } => {
                let mut outputs = outer.outputs();
                outputs.extend(inner.outputs());
                outputs
            }
            From::Subquery { select, index, columns } => vec![Output {
                index: *index,
                tables: select.from.tables(),
                columns: columns.clone(),
            }],
        }
    }
}

impl Writer<'_> {
    /// An item of FROM. Returns conditions that belong to the WHERE above it.
    pub(super) unsafe fn from(
        &mut self,
        from: &From,
        alias: bool,
    ) -> Result<Vec<Template>, Failure> {
        match from {
            From::Table { rti } => {
                self.out.push(Piece::Relation(*rti));
                if alias {
                    let alias = self.alias(*rti);
                    self.push(&format!(" {alias}"));
                }
                Ok(Vec::new())
            }
            // SAFETY: the caller vouches for the expressions.
            From::Join { kind, outer, inner, on } => unsafe { self.join(*kind, outer, inner, on) },
            From::Subquery { select, index, columns } => {
                self.push("(");
                // SAFETY: as above.
                unsafe { self.subquery(select, columns)? };
                self.push(&format!(") s{index}"));
                if !columns.is_empty() {
                    let names: Vec<String> = (1..=columns.len()).map(|i| format!("c{i}")).collect();
                    self.push(&format!("({})", names.join(", ")));
                }
                Ok(Vec::new())
            }
        }
    }

    unsafe fn join(
        &mut self,
        kind: JoinKind,
        outer: &From,
        inner: &From,
        on: &[*mut Expr],
    ) -> Result<Vec<Template>, Failure> {
        let (mut above_outer, mut above_inner) = (Vec::new(), Vec::new());
        let outer_sql = self.capture(|writer| {
            // SAFETY: the caller vouches for the expressions.
            above_outer = unsafe { writer.from(outer, true)? };
            Ok(())
        })?;
        let inner_sql = self.capture(|writer| {
            // SAFETY: as above.
            above_inner = unsafe { writer.from(inner, true)? };
            Ok(())
        })?;
        if matches!(kind, JoinKind::Semi | JoinKind::Anti) {
            // SAFETY: as above.
            let exists = unsafe { self.exists(kind, inner_sql, on, above_inner)? };
            self.out.append(outer_sql);
            above_outer.push(exists);
            return Ok(above_outer);
        }
        // Where rows of a side may be made NULL, its conditions hold for the join, not for the result.
        let (above, within) = match kind {
            JoinKind::Inner => {
                above_outer.append(&mut above_inner);
                (above_outer, Vec::new())
            }
            JoinKind::Left => (above_outer, above_inner),
            JoinKind::Right => (above_inner, above_outer),
            _ if above_outer.is_empty() && above_inner.is_empty() => (Vec::new(), Vec::new()),
            _ => return Err(Failure::internal("a full join of a semi-join needs a sub-query")),
        };
        self.push("(");
        self.out.append(outer_sql);
        self.push(&format!(" {} JOIN ", kind.sql()));
        self.out.append(inner_sql);
        self.push(" ON (");
        if on.is_empty() && within.is_empty() {
            self.push("TRUE");
        }
        // SAFETY: as above.
        unsafe { self.filter("", on, within)? };
        self.push("))");
        Ok(above)
    }

    /// A semi-join or anti-join as a condition. `above` are conditions that its inner side left.
    pub(super) unsafe fn exists(
        &mut self,
        kind: JoinKind,
        inner: Template,
        on: &[*mut Expr],
        above: Vec<Template>,
    ) -> Result<Template, Failure> {
        self.capture(|writer| {
            writer.push(if kind == JoinKind::Anti { "NOT EXISTS (" } else { "EXISTS (" });
            writer.push("SELECT NULL FROM ");
            writer.out.append(inner);
            // SAFETY: the caller vouches for the expressions.
            unsafe { writer.filter(" WHERE ", on, above)? };
            writer.push(")");
            Ok(())
        })
    }

    /// Conditions behind `keyword`, expressions first; nothing without any.
    pub(super) unsafe fn filter(
        &mut self,
        keyword: &str,
        conditions: &[*mut Expr],
        written: Vec<Template>,
    ) -> Result<(), Failure> {
        if conditions.is_empty() && written.is_empty() {
            return Ok(());
        }
        self.push(keyword);
        // SAFETY: the caller vouches for the expressions.
        unsafe { self.conditions(conditions)? };
        let mut first = conditions.is_empty();
        for condition in written {
            if !first {
                self.push(" AND ");
            }
            first = false;
            self.out.append(condition);
        }
        Ok(())
    }
}

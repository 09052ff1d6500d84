//! ON CONFLICT of an INSERT.

use super::quote;
use super::writer::Writer;
use crate::error::Failure;
use pgrx::pg_sys::Expr;

/// What an INSERT does about a row that is there already.
#[derive(Clone, Debug, Default)]
pub enum OnConflict {
    /// It fails.
    #[default]
    Error,
    /// Whatever the conflict, the row is left out.
    DoNothing,
    /// As the conflict with one unique index says.
    On {
        /// The index.
        target: Arbiter,
        /// DO UPDATE; without it DO NOTHING.
        update: Option<ConflictUpdate>,
    },
}

/// How the remote server finds the unique index.
#[derive(Clone, Debug)]
pub enum Arbiter {
    /// By what it indexes: columns and expressions, and its predicate.
    Index {
        /// Columns (Vars of the table) and expressions.
        elements: Vec<*mut Expr>,
        /// WHERE, all of them.
        predicate: Vec<*mut Expr>,
    },
    /// By the name of the constraint there.
    Constraint(String),
}

/// DO UPDATE. The scope must know the table under the range-table index of `excluded` as well.
#[derive(Clone, Debug)]
pub struct ConflictUpdate {
    /// Range-table index that stands for the row proposed.
    pub excluded: u32,
    /// SET: column and new value.
    pub assignments: Vec<(i32, *mut Expr)>,
    /// WHERE, all of them.
    pub conditions: Vec<*mut Expr>,
}

impl OnConflict {
    /// The range-table index of `excluded`, where the table needs an alias to be told from it.
    pub(super) fn excluded(&self) -> Option<u32> {
        match self {
            OnConflict::On { update: Some(update), .. } => Some(update.excluded),
            _ => None,
        }
    }
}

impl Writer<'_> {
    pub(super) unsafe fn on_conflict(
        &mut self,
        rti: u32,
        action: &OnConflict,
    ) -> Result<(), Failure> {
        let (target, update) = match action {
            OnConflict::Error => return Ok(()),
            OnConflict::DoNothing => {
                self.push(" ON CONFLICT DO NOTHING");
                return Ok(());
            }
            OnConflict::On { target, update } => (target, update),
        };
        // SAFETY: the caller vouches for the expressions.
        unsafe {
            match target {
                Arbiter::Constraint(name) => {
                    self.push(&format!(" ON CONFLICT ON CONSTRAINT {}", quote::identifier(name)));
                }
                Arbiter::Index { elements, predicate } => {
                    self.push(" ON CONFLICT (");
                    // Names in an index's definition are not qualified.
                    let qualified = std::mem::replace(&mut self.qualified, false);
                    self.separated(elements, ", ", |writer, element| writer.sort_expr(*element))?;
                    self.push(")");
                    self.filter(" WHERE ", predicate, Vec::new())?;
                    self.qualified = qualified;
                }
            }
            let Some(update) = update else {
                self.push(" DO NOTHING");
                return Ok(());
            };
            self.push(" DO UPDATE SET ");
            self.separated(&update.assignments, ", ", |writer, (attnum, value)| {
                writer.column(rti, *attnum, false)?;
                writer.push(" = ");
                writer.top(*value)
            })?;
            self.filter(" WHERE ", &update.conditions, Vec::new())
        }
    }
}

//! ON CONFLICT of an INSERT.

use super::quote;
use super::writer::Writer;
use crate::error::Failure;
use crate::pg::node;
use pgrx::pg_sys::{self, Expr};

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
        /// What it is over.
        elements: Vec<ArbiterElement>,
        /// WHERE, all of them.
        predicate: Vec<*mut Expr>,
    },
    /// By the name of the constraint there.
    Constraint(String),
}

/// A column or an expression of an index.
#[derive(Clone, Debug)]
pub struct ArbiterElement {
    /// A Var of the table, or an expression over it.
    pub expr: *mut Expr,
    /// COLLATE, quoted.
    pub collation: Option<&'static str>,
}

/// What the error of a guarded DO UPDATE says of a row that the statement has changed before (see
/// [`ConflictUpdate::guarded`]); PostgreSQL's words for it within one statement.
pub const SECOND_TIME: &str = "ON CONFLICT DO UPDATE command cannot affect row a second time";

/// DO UPDATE. The scope must know the table under the range-table index of `excluded` as well.
#[derive(Clone, Debug)]
pub struct ConflictUpdate {
    /// Range-table index that stands for the row proposed.
    pub excluded: u32,
    /// SET: column and new value.
    pub assignments: Vec<(i32, *mut Expr)>,
    /// WHERE, all of them.
    pub conditions: Vec<*mut Expr>,
    /// Whether it fails on a row that was written by the transaction `$1` in its command `$2` or a later one.
    pub guarded: bool,
}

impl OnConflict {
    /// The range-table index of `excluded`, where the table needs an alias to be told from it.
    pub fn excluded(&self) -> Option<u32> {
        match self {
            OnConflict::On { update: Some(update), .. } => Some(update.excluded),
            _ => None,
        }
    }

    /// The same with [`ConflictUpdate::guarded`].
    pub fn guarded(mut self) -> OnConflict {
        if let OnConflict::On { update: Some(update), .. } = &mut self {
            update.guarded = true;
        }
        self
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
                    // Names in an index's definition are not qualified. It is compared with this, nothing is evaluated.
                    let qualified = std::mem::replace(&mut self.qualified, false);
                    let reliance = self.reliance;
                    self.separated(elements, ", ", |writer, element| writer.element(element))?;
                    self.push(")");
                    self.filter(" WHERE ", predicate, Vec::new())?;
                    (self.qualified, self.reliance) = (qualified, reliance);
                }
            }
            let Some(update) = update else {
                self.push(" DO NOTHING");
                return Ok(());
            };
            self.push(" DO UPDATE SET ");
            if update.guarded {
                // Numbered first, whatever the expressions need.
                self.params.extend([pg_sys::XIDOID, pg_sys::INT8OID].map(|type_oid| {
                    pg_sys::makeNullConst(type_oid, -1, pg_sys::InvalidOid).cast()
                }));
            }
            self.separated(&update.assignments, ", ", |writer, (attnum, value)| {
                writer.column(rti, *attnum, false)?;
                writer.push(" = ");
                writer.assigned(*value)
            })?;
            if !update.guarded {
                return self.filter(" WHERE ", &update.conditions, Vec::new());
            }
            // Before the conditions, as PostgreSQL looks at a row before it evaluates them. The words are no number.
            let table = self.alias(rti);
            self.push(&format!(
                " WHERE CASE WHEN {table}.xmin = $1::xid AND {table}.cmin::text::bigint >= $2::bigint \
                 THEN '{SECOND_TIME}' ELSE '1' END::integer = 1"
            ));
            self.filter(" AND ", &update.conditions, Vec::new())
        }
    }

    unsafe fn element(&mut self, element: &ArbiterElement) -> Result<(), Failure> {
        // SAFETY: the caller vouches for the expression.
        let is_column = unsafe { node::is_a(element.expr, pg_sys::NodeTag::T_Var) };
        self.push(if is_column { "" } else { "(" });
        // SAFETY: the caller vouches for the expression.
        unsafe { self.top(element.expr)? };
        self.push(if is_column { "" } else { ")" });
        if let Some(collation) = element.collation {
            self.push(&format!(" COLLATE {collation}"));
        }
        Ok(())
    }
}

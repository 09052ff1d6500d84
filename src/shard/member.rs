//! One placement of a sharded table, with the rule that says which rows it holds.

use super::rule::Rule;
use pgrx::pg_sys;
use pgrx::pg_sys::Oid;
use std::rc::Rc;

/// One placement of a sharded table.
pub struct Member {
    /// The foreign table.
    pub relid: Oid,
    /// Its server.
    pub server: Oid,
    /// Whether it has row triggers for INSERT.
    pub insert_triggers: bool,
    pub(super) rule: Option<Rc<Rule>>,
    /// Where its columns are not the parent's under the same numbers: the parent's number of each, 0 for none.
    pub(super) columns: Option<Vec<i16>>,
}

impl Member {
    /// The expressions that the rule consists of, over the placement's columns.
    pub fn rule_expressions(&self) -> impl Iterator<Item = *mut pg_sys::Expr> {
        self.rule.iter().flat_map(|rule| rule.leaves.iter().map(|leaf| leaf.expression()))
    }

    /// The number that its column `attno` has in the parent; 0 when the parent has no such column.
    pub fn parent_column(&self, attno: i16) -> i16 {
        match &self.columns {
            None => attno,
            Some(columns) => columns.get(attno as usize - 1).copied().unwrap_or(0),
        }
    }

    /// Whether its columns are the parent's under the same numbers.
    pub fn has_parents_layout(&self) -> bool {
        self.columns.is_none()
    }
}

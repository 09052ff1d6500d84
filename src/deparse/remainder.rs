//! A join without one of its tables: UPDATE and DELETE name the changed table themselves, and FROM or USING holds
//! what it is joined to.

use super::relation::{From, JoinKind};
use crate::error::Failure;
use crate::pg::node;
use pgrx::pg_sys::{self, Expr};

/// What is left of a join.
#[derive(Default)]
pub(super) struct Remainder {
    /// The other tables.
    pub from: Option<From>,
    /// What joined the table to them, for WHERE.
    pub conditions: Vec<*mut Expr>,
    /// Semi- and anti-joins with nothing but the table on the outer side, for WHERE.
    pub exists: Vec<Exists>,
}

/// `[NOT] EXISTS (SELECT ... FROM inner WHERE on)`.
pub(super) struct Exists {
    pub kind: JoinKind,
    pub inner: From,
    pub on: Vec<*mut Expr>,
}

impl From {
    /// Whether the table can be changed by a statement over the rest of the join.
    pub fn can_leave_out(&self, target: u32) -> bool {
        self.clone().without(target).is_ok()
    }

    /// What is left without the table. It may only be inner-joined or be on the outer side of a semi- or
    /// anti-join: on the nullable side of an outer join there would be rows without it, and ON of an outer join
    /// cannot name it.
    pub(super) fn without(self, target: u32) -> Result<Remainder, Failure> {
        match self {
            From::Table { rti } if rti == target => Ok(Remainder::default()),
            From::Join { kind, outer, inner, mut on } => {
                let in_outer = outer.tables().contains(&target);
                let in_inner = inner.tables().contains(&target);
                if !in_outer && !in_inner {
                    let from = Some(From::Join { kind, outer, inner, on });
                    return Ok(Remainder { from, ..Remainder::default() });
                }
                let (side, other) = if in_outer { (outer, inner) } else { (inner, outer) };
                let mut rest = side.without(target)?;
                match (kind, rest.from.take()) {
                    (JoinKind::Inner, left) => {
                        rest.conditions.append(&mut on);
                        rest.from = Some(match left {
                            Some(left) if in_outer => join(kind, left, *other, Vec::new()),
                            Some(left) => join(kind, *other, left, Vec::new()),
                            None => *other,
                        });
                    }
                    (JoinKind::Semi | JoinKind::Anti, left) if in_outer => match left {
                        // What becomes of these stands in WHERE, where the target can be named.
                        Some(left) => rest.from = Some(join(kind, left, *other, on)),
                        None => rest.exists.push(Exists { kind, inner: *other, on }),
                    },
                    (JoinKind::Left, Some(left)) if in_outer && !mention(&on, target) => {
                        rest.from = Some(join(kind, left, *other, on));
                    }
                    (JoinKind::Right, Some(left)) if in_inner && !mention(&on, target) => {
                        rest.from = Some(join(kind, *other, left, on));
                    }
                    _ => {
                        return Err(Failure::internal("the changed table is outer-joined"));
                    }
                }
                Ok(rest)
            }
            From::Subquery { .. } if self.tables().contains(&target) => {
                Err(Failure::internal("the changed table is in a sub-query"))
            }
            from => Ok(Remainder { from: Some(from), ..Remainder::default() }),
        }
    }
}

fn join(kind: JoinKind, outer: From, inner: From, on: Vec<*mut Expr>) -> From {
    From::Join { kind, outer: outer.into(), inner: inner.into(), on }
}

fn mention(conditions: &[*mut Expr], target: u32) -> bool {
    conditions.iter().any(|&condition| {
        // SAFETY: conditions of a join are valid expressions.
        unsafe {
            node::any_node(condition.cast(), &mut |part| {
                node::cast::<pg_sys::Var, _>(part)
                    .is_some_and(|var| var.varno == target as i32 && var.varlevelsup == 0)
            })
        }
    })
}

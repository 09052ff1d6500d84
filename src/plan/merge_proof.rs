//! What must hold for a MERGE that the shards execute: its expressions mean the same there, rows that match are on one
//! shard, rows stay where they are, and what is inserted belongs where it is.

use super::colocated;
use super::merge_shipped::Parts;
use super::merge_source::{Reason, Source};
use super::stays::{self, Distribution};
use crate::deparse::{self, MergeAction, MergeWhen, Scope};
use crate::pg::relation::Relation;
use crate::pg::{compat, node};
use crate::shard::ShardedTable;
use pgrx::pg_sys;
use pgrx::pg_sys::Expr;
use std::rc::Rc;

impl Parts {
    /// Whether every expression means the same there, and the rows of an UPDATE stay where they are.
    ///
    /// # Safety
    /// The parts are those of the query being planned.
    pub(super) unsafe fn check(&self, scope: &Scope) -> Result<(), Reason> {
        // SAFETY: expressions of the query.
        unsafe {
            for expr in self.exprs() {
                let vars = pg_sys::pull_vars_of_level(expr.cast(), 0);
                let plain = node::list::<pg_sys::Var>(vars).all(|var| {
                    node::cast::<pg_sys::Var, _>(var).is_some_and(|var| {
                        var.varattno > 0 && !compat::is_old_or_new(var) && scope.owns(var)
                    })
                });
                if !plain {
                    return Err("it asks for whole rows or system columns".to_owned());
                }
                if pg_sys::contain_volatile_functions(expr.cast()) {
                    return Err("it calls a volatile function".to_owned());
                }
                deparse::foreign_expr(scope, expr).map_err(|reason| reason.to_string())?;
            }
            let distribution = Distribution::Of(Rc::clone(&self.target));
            for when in &self.whens {
                if let MergeAction::Update(values) = &when.action
                    && !stays::stay(&distribution, self.rti, values, &self.on)
                {
                    return Err("it changes a column that decides where a row is stored".to_owned());
                }
                if let Some(values) = when.inserts() {
                    self.check_constraints()?;
                    self.check_missing(values)?;
                }
            }
            Ok(())
        }
    }

    /// The columns that decide where a row is stored.
    fn deciding(&self) -> Vec<i16> {
        (1..=self.target.table.columns() as i16)
            .filter(|&attno| self.target.distributes_by(attno))
            .collect()
    }

    /// A row that is inserted must satisfy the constraints of its placement, which queries believe.
    fn check_constraints(&self) -> Result<(), Reason> {
        let deciding = self.deciding();
        let mut others = (1..=self.target.table.columns() as i16)
            .filter(|&attno| self.target.uses(attno) && !deciding.contains(&attno));
        match others.next() {
            None => Ok(()),
            Some(_) => {
                Err("CHECK constraints of other columns have to be looked at here".to_owned())
            }
        }
    }

    /// A column that is not named is NULL, which a domain may forbid.
    unsafe fn check_missing(&self, values: &[(i32, *mut Expr)]) -> Result<(), Reason> {
        let relation = Relation::open(self.target.parent, pg_sys::NoLock as i32);
        // SAFETY: numbers run over the relation's attributes.
        unsafe {
            let missing = (1..=(*relation.descriptor()).natts)
                .filter(|number| values.iter().all(|(attnum, _)| attnum != number))
                .map(|number| compat::attribute(relation.descriptor(), number as usize - 1));
            for column in missing {
                if pg_sys::get_typtype((*column).atttypid) as u8 == pg_sys::TYPTYPE_DOMAIN {
                    return Err("a column of a domain is not given a value".to_owned());
                }
            }
            Ok(())
        }
    }

    /// Whether rows that match are on placements of the same number, and what is inserted belongs there.
    ///
    /// # Safety
    /// As for [`Parts::check`].
    pub(super) unsafe fn check_key(
        &self,
        rti: u32,
        table: &ShardedTable,
        conditions: &[*mut Expr],
    ) -> Result<(), Reason> {
        // SAFETY: expressions of the query.
        unsafe {
            let servers = |table: &ShardedTable| {
                table.members.iter().map(|member| member.server).collect::<Vec<_>>()
            };
            let agrees = |a: &pg_sys::Var, b: &pg_sys::Var| {
                a.varno as u32 == self.rti
                    && b.varno as u32 == rti
                    && self.target.agrees_with(a.varattno, table, b.varattno)
            };
            let key = self.on.iter().find_map(|&condition| {
                let (a, b) = colocated::equated(condition.cast())?;
                if agrees(a, b) {
                    return Some((a, b));
                }
                agrees(b, a).then_some((b, a))
            });
            let Some((own, theirs)) = key else {
                return Err("it does not join a table sharded alike by the sharding column".into());
            };
            if servers(&self.target) != servers(table) {
                return Err("the two tables are not on the same servers".to_owned());
            }
            let not_null = |condition: &*mut Expr| {
                node::cast::<pg_sys::NullTest, _>(*condition).is_some_and(|test| {
                    test.nulltesttype == pg_sys::NullTestType::IS_NOT_NULL
                        && pg_sys::equal(test.arg.cast(), (&raw const *theirs).cast())
                })
            };
            for when in &self.whens {
                let Some(values) = when.inserts() else { continue };
                let same = values.iter().any(|&(attnum, value)| {
                    attnum == i32::from(own.varattno)
                        && pg_sys::equal(value.cast(), (&raw const *theirs).cast())
                });
                if !same || self.deciding() != [own.varattno] {
                    return Err(
                        "the sharding column of a row that is inserted is not that of the source's row"
                            .to_owned(),
                    );
                }
                if table.deciding_columns() != Some(&[theirs.varattno][..])
                    && !conditions.iter().chain(&when.conditions).any(not_null)
                {
                    return Err(
                        "the source's sharding column may be NULL (declare it NOT NULL on every child, or add AND ... IS NOT NULL)"
                            .to_owned(),
                    );
                }
            }
            Ok(())
        }
    }

    /// Of one row that may be inserted: the values of the columns that decide where it is stored.
    ///
    /// # Safety
    /// As for [`Parts::check`].
    pub(super) unsafe fn inserted(&self) -> Result<Vec<(i32, *mut Expr)>, Reason> {
        if !matches!(self.read.source, Source::Row) {
            return Ok(Vec::new());
        }
        let mut found: Option<Vec<(i32, *mut Expr)>> = None;
        for values in self.whens.iter().filter_map(MergeWhen::inserts) {
            // SAFETY: expressions of the query; columns of the target.
            unsafe {
                let own = self.deciding().into_iter().map(|attno| {
                    let value = values.iter().find(|(attnum, _)| *attnum == i32::from(attno));
                    let relation = Relation::open(self.target.parent, pg_sys::NoLock as i32);
                    let column = compat::attribute(relation.descriptor(), attno as usize - 1);
                    let null = || {
                        let type_oid = (*column).atttypid;
                        pg_sys::makeNullConst(type_oid, -1, pg_sys::InvalidOid).cast::<Expr>()
                    };
                    (i32::from(attno), value.map_or_else(null, |(_, value)| *value))
                });
                let own: Vec<_> = own.collect();
                let alike = |others: &Vec<(i32, *mut Expr)>| {
                    others.iter().zip(&own).all(|(a, b)| pg_sys::equal(a.1.cast(), b.1.cast()))
                };
                if found.as_ref().is_some_and(|others| !alike(others)) {
                    return Err("its INSERTs have several values for a sharding column".to_owned());
                }
                found = Some(own);
            }
        }
        Ok(found.unwrap_or_default())
    }
}

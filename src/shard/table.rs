//! A parent whose rows live in foreign tables: its placements, and which of them a query needs.
//!
//! Built from the catalogs once and kept (tables.rs). All children of
//! a sharded table are foreign tables of this wrapper without children of their own. For reading it must also be
//! possible to ask them with one statement: they have the parent's columns under the same numbers, and the same
//! remote column names. Everything else is planned child by child, which is always right. Rows can be written
//! to children of any layout.

use super::cache::rule_of;
use super::layout::{
    columns_by_name, deletes_row_by_row, has_insert_triggers, same_columns, same_generated,
    updates_row_by_row,
};
use super::member::Member;
use super::pin::{Pins, Value};
use super::place::Decisive;
use super::refute::{Verdict, refute};
use super::routes::Routes;
use super::rule::Origin;
use crate::error::Failure;
use crate::options::load::{self, ForeignTable};
use crate::pg::relation::Relation;
use crate::pg::{catalog, compat, ffi, node, partition};
use pgrx::pg_sys;
use pgrx::pg_sys::Oid;
use std::cell::OnceCell;
use std::rc::Rc;

/// A parent with its placements.
pub struct ShardedTable {
    /// The parent.
    pub parent: Oid,
    /// Its placements, in the order of their OIDs.
    pub members: Vec<Member>,
    /// The first placement under the parent's OID, with what all of them share: names, extensions.
    pub table: Rc<ForeignTable>,
    /// Rows of all placements by the last ANALYZE of each; negative when one is not known.
    pub tuples: f64,
    /// Pages likewise.
    pub pages: u32,
    /// Columns declared NOT NULL on every placement. (A CHECK lets a NULL pass, on any placement.)
    not_null: Vec<i16>,
    /// Whether every placement can be changed by a statement that runs there as a whole: it is updatable, has no row
    /// triggers for UPDATE and DELETE, and its generated columns are the parent's. The same for DELETE alone.
    pub changes_whole: bool,
    pub deletes_whole: bool,
    /// The columns it is partitioned by, if it is, and by columns only: each of their values has one partition.
    key: Option<Vec<i16>>,
    /// Whether one statement can ask all placements.
    pub(super) uniform: bool,
    /// Columns that rules need.
    used: Vec<i16>,
    pub(super) routes: Option<Routes>,
    /// What tells the placements apart, made when a row is first placed without the help of `routes`.
    pub(super) decisive: OnceCell<Vec<Vec<Decisive>>>,
}

impl ShardedTable {
    /// Whether some placement's rule needs column `attno`.
    pub fn uses(&self, attno: i16) -> bool {
        self.used.contains(&attno)
    }

    /// The columns whose values decide alone on which placement a row is: those of the sharding expression, when the
    /// placements share one, or of the partition key; and none of the columns can be NULL, which could be anywhere.
    pub fn deciding_columns(&self) -> Option<&[i16]> {
        let routes = self.routes.as_ref().filter(|routes| routes.decides());
        let by_key = self.key.as_deref();
        let can_be_null = |column: &i16| !self.not_null.contains(column);
        [routes.map(Routes::columns), by_key]
            .into_iter()
            .flatten()
            .find(|columns| !columns.iter().any(can_be_null))
    }

    /// Whether column `attno` is declared NOT NULL on every placement.
    pub fn is_not_null(&self, attno: i16) -> bool {
        self.not_null.contains(&attno)
    }

    /// Whether rows with the same value in column `own` here and `theirs` there are on placements of the same number.
    /// Both tables are locked.
    pub fn agrees_with(&self, own: i16, other: &ShardedTable, theirs: i16) -> bool {
        if self.members.len() != other.members.len() {
            return false;
        }
        let by_routes = match (&self.routes, &other.routes) {
            (Some(routes), Some(others)) => routes.agrees_with(own, others, theirs),
            _ => false,
        };
        by_routes
            || (self.key.as_deref() == Some(&[own])
                && other.key.as_deref() == Some(&[theirs])
                && partition::alike(self.parent, own, other.parent, theirs).is_some_and(
                    |mut pairs| {
                        pairs.all(|(ours, theirs)| {
                            let number = self.number_of(ours);
                            number.is_some() && number == other.number_of(theirs)
                        })
                    },
                ))
    }

    /// The number of a placement.
    pub fn number_of(&self, relid: Oid) -> Option<usize> {
        self.members.iter().position(|member| member.relid == relid)
    }

    /// The sharding expression, for people; `None` when the placements do not share one.
    pub fn expression(&self) -> Option<String> {
        self.routes.as_ref().map(|routes| routes.describe(self.parent))
    }

    /// The placements that can hold a row with one of the pinned values, as indexes.
    ///
    /// # Safety
    /// The pinned values are of the parent's columns' types and alive; a transaction is open.
    pub unsafe fn select(
        &self,
        pins: &Pins,
        honoured: fn(Origin) -> bool,
    ) -> Result<Vec<usize>, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            let mapped = match &self.routes {
                Some(routes) if honoured(Origin::Check) && honoured(Origin::Partition) => {
                    routes.find(pins)?.map(|found| (routes, found))
                }
                _ => None,
            };
            let (mut selected, candidates): (Vec<_>, Vec<_>) = match mapped {
                Some((routes, found)) => found.into_iter().partition(|&i| routes.settles(i)),
                None => (Vec::new(), (0..self.members.len()).collect()),
            };
            let in_order = candidates.is_empty() || selected.is_empty();
            for index in candidates {
                let verdict = match &self.members[index].rule {
                    Some(rule) => refute(rule, pins, honoured)?,
                    None => Verdict::NoRule,
                };
                if verdict != Verdict::Refuted {
                    selected.push(index);
                }
            }
            if !in_order {
                selected.sort_unstable();
            }
            Ok(selected)
        }
    }

    /// Whether placements share the values of column `attno` out by a function of it, not by the values themselves.
    pub fn scatters(&self, attno: i16) -> bool {
        self.routes.as_ref().is_some_and(|routes| routes.scatters(attno))
    }

    /// Whether column `attno` alone decides on which placements a row can be.
    pub fn is_spread_by(&self, attno: i16) -> bool {
        self.routes.as_ref().is_some_and(|routes| routes.columns() == [attno])
    }

    /// See [`Routes::spread`].
    ///
    /// # Safety
    /// As there.
    pub unsafe fn spread(
        &self,
        attno: i16,
        values: &[Value],
        honoured: fn(Origin) -> bool,
    ) -> Result<Option<Vec<Option<Vec<usize>>>>, Failure> {
        match &self.routes {
            Some(routes) if honoured(Origin::Check) && honoured(Origin::Partition) => {
                // SAFETY: as the caller vouches.
                unsafe { routes.spread(attno, values) }
            }
            _ => Ok(None),
        }
    }

    /// Those of `selected` whose rules the planner's predicate refutation cannot refute by `clauses` (expressions or
    /// RestrictInfos on relation `rti`): redundant conditions on the sharding expression itself, ranges.
    ///
    /// # Safety
    /// The clauses are valid; a transaction is open.
    pub unsafe fn unrefuted(
        &self,
        selected: Vec<usize>,
        clauses: *mut pg_sys::List,
        rti: u32,
        honoured: fn(Origin) -> bool,
    ) -> Vec<usize> {
        // SAFETY: as the caller vouches.
        unsafe {
            let mut used = std::ptr::null_mut();
            for clause in node::list::<pg_sys::Node>(clauses) {
                pg_sys::pull_varattnos(node::bare_clause(clause).cast(), rti, &raw mut used);
            }
            let of_interest = node::members(used)
                .filter_map(|m| i16::try_from(m + pg_sys::FirstLowInvalidHeapAttributeNumber).ok())
                .any(|attno| self.uses(attno));
            if !of_interest {
                return selected;
            }
            // A CHECK lets NULL pass, so it has to be refuted as false, not as "not true".
            selected
                .into_iter()
                .filter(|&index| match &self.members[index].rule {
                    Some(rule) => {
                        !pg_sys::predicate_refuted_by(rule.conjuncts(rti, honoured), clauses, false)
                    }
                    None => true,
                })
                .collect()
        }
    }

    /// Builds the description of `parent`; `None` when it must be planned child by child.
    ///
    /// # Safety
    /// Inside a transaction; `parent` is locked.
    pub(super) unsafe fn load(parent: Oid) -> Result<Option<ShardedTable>, Failure> {
        // SAFETY: catalog look-ups inside a transaction; every relation is opened with its lock.
        unsafe {
            let lock = pg_sys::AccessShareLock as i32;
            let relation = Relation::open(parent, lock);
            let children = ffi::find_inheritance_children(parent, lock);
            let children: Vec<Oid> = node::oid_list(children).collect();
            let (mut members, mut tables) = (Vec::new(), Vec::<Rc<ForeignTable>>::new());
            let (mut tuples, mut pages) = (0.0, 0u32);
            let (mut changes_whole, mut deletes_whole) = (true, true);
            let mut not_null: Vec<i16> = (1..=(*relation.descriptor()).natts as i16).collect();
            let mut uniform = true;
            for child in children {
                if pg_sys::get_rel_relkind(child) as u8 != pg_sys::RELKIND_FOREIGN_TABLE
                    || ffi::has_subclass(child)
                    || !catalog::is_ours(child)
                {
                    return Ok(None);
                }
                let table = load::foreign_table(child)?;
                let opened = Relation::open(child, pg_sys::NoLock as i32);
                let same = same_columns(relation.descriptor(), opened.descriptor());
                uniform &= same && tables.first().is_none_or(|first| first.has_columns_of(&table));
                let columns =
                    (!same).then(|| columns_by_name(opened.descriptor(), relation.descriptor()));
                deletes_whole &= same && table.updatable && !deletes_row_by_row(&opened);
                changes_whole &= deletes_whole
                    && !updates_row_by_row(&opened)
                    && same_generated(relation.descriptor(), opened.descriptor());
                let class = (*opened.raw()).rd_rel;
                let own = f64::from((*class).reltuples);
                tuples = if tuples < 0.0 || own < 0.0 { -1.0 } else { tuples + own };
                pages = pages.saturating_add((*class).relpages.max(0) as u32);
                not_null.retain(|&attno| {
                    same && compat::is_not_null(opened.descriptor(), attno as usize - 1)
                });
                members.push(Member {
                    relid: child,
                    server: table.server.oid,
                    insert_triggers: has_insert_triggers(&opened),
                    rule: rule_of(opened.raw())?,
                    columns,
                });
                tables.push(table);
            }
            let Some(first) = tables.first() else { return Ok(None) };
            let full_names = tables.iter().any(|table| table.full_names);
            let mut shared = first.server.extensions.clone();
            shared.retain(|own| tables.iter().all(|table| table.server.extensions.contains(own)));
            let table = Rc::new(first.standing_for(parent, full_names, shared));
            let routes = Routes::new(&members, relation.descriptor());
            let rules = members.iter().filter_map(|member| member.rule.as_deref());
            let of_rules = rules.flat_map(|rule| rule.columns().iter().copied());
            let of_map = routes.iter().flat_map(|routes| routes.columns().iter().copied());
            let mut used: Vec<i16> = of_rules.chain(of_map).collect();
            used.sort_unstable();
            used.dedup();
            let key = partition::key(parent).map(|key| key.columns);
            Ok(Some(ShardedTable {
                key: key.filter(|columns| !columns.contains(&0)),
                used,
                parent,
                members,
                table,
                tuples,
                pages,
                not_null,
                changes_whole,
                deletes_whole,
                uniform,
                routes,
                decisive: OnceCell::new(),
            }))
        }
    }
}

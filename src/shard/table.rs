//! A parent whose rows live in foreign tables: its placements, and which of them a query needs.
//!
//! Built from the catalogs once and kept until the parent, a child or anything it is made of changes. A parent is a
//! sharded table here only when its children can be asked with one statement: all are foreign tables of this
//! wrapper, without children of their own, with the parent's columns under the same numbers, and with the same
//! remote column names. Everything else is planned child by child, which is always right.

use super::cache::rule_of;
use super::pin::Pins;
use super::refute::{Verdict, refute};
use super::routes::Routes;
use super::rule::{Origin, Rule};
use crate::error::Failure;
use crate::options::load::{self, ForeignTable};
use crate::pg::relation::Relation;
use crate::pg::{catalog, compat, ffi, invalidate, node, text};
use pgrx::pg_sys;
use pgrx::pg_sys::Oid;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// One placement of a sharded table.
pub struct Member {
    /// The foreign table.
    pub relid: Oid,
    /// Its server.
    pub server: Oid,
    rule: Option<Rc<Rule>>,
}

/// A parent with its placements.
pub struct ShardedTable {
    /// The parent.
    pub parent: Oid,
    /// Its placements, in the order of their OIDs.
    pub members: Vec<Member>,
    /// The first placement under the parent's OID: names and options that all of them share.
    pub table: Rc<ForeignTable>,
    /// Rows of all placements by the last ANALYZE of each; negative when one is not known.
    pub tuples: f64,
    /// Pages likewise.
    pub pages: u32,
    /// Columns declared NOT NULL on every placement. (A CHECK lets a NULL pass, on any placement.)
    not_null: Vec<i16>,
    /// Whether every placement can be changed by a statement that runs there as a whole: it is updatable, has no row
    /// triggers for UPDATE and DELETE, and its generated columns are the parent's.
    pub changes_whole: bool,
    routes: Option<Routes>,
}

impl ShardedTable {
    /// Whether some placement's rule, or the map of all, needs column `attno`.
    pub fn uses(&self, attno: i16) -> bool {
        self.routes.as_ref().is_some_and(|routes| routes.columns().contains(&attno))
            || self.members.iter().any(|member| member.rule.as_ref().is_some_and(|r| r.uses(attno)))
    }

    /// The columns whose values decide alone on which placement a row is: those of the sharding expression, when the
    /// placements share one and none of the columns can be NULL, which could be anywhere.
    pub fn deciding_columns(&self) -> Option<&[i16]> {
        let columns = self.routes.as_ref()?.columns();
        columns.iter().all(|column| self.not_null.contains(column)).then_some(columns)
    }

    /// Whether a new value of column `attno` may take a row to another placement. Conditions that all placements
    /// have do not tell them apart.
    pub fn distributes_by(&self, attno: i16) -> bool {
        self.members.iter().any(|member| {
            member.rule.as_ref().is_some_and(|rule| {
                // SAFETY: rules are alive as long as their members are.
                rule.uses_apart(attno, |leaf| unsafe { self.is_common(leaf) })
            })
        })
    }

    /// Whether all of several placements have this condition.
    unsafe fn is_common(&self, leaf: *mut pg_sys::Expr) -> bool {
        self.members.len() > 1
            && self.members.iter().all(|member| {
                member.rule.as_ref().is_some_and(|rule| {
                    // SAFETY: expressions of live rules, over the same columns.
                    rule.leaves
                        .iter()
                        .any(|own| unsafe { pg_sys::equal(own.expression().cast(), leaf.cast()) })
                })
            })
    }

    /// Whether rows with the same value in column `own` here and `theirs` there are on placements of the same number.
    pub fn agrees_with(&self, own: i16, other: &ShardedTable, theirs: i16) -> bool {
        match (&self.routes, &other.routes) {
            (Some(routes), Some(others)) => {
                self.members.len() == other.members.len() && routes.agrees_with(own, others, theirs)
            }
            _ => false,
        }
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
            let all = || (0..self.members.len()).collect::<Vec<_>>();
            let candidates = match &self.routes {
                Some(routes) if honoured(Origin::Check) && honoured(Origin::Partition) => {
                    routes.find(pins)?.unwrap_or_else(all)
                }
                _ => all(),
            };
            let mut selected = Vec::with_capacity(candidates.len());
            for index in candidates {
                let verdict = match &self.members[index].rule {
                    Some(rule) => refute(rule, pins, honoured)?,
                    None => Verdict::NoRule,
                };
                if verdict != Verdict::Refuted {
                    selected.push(index);
                }
            }
            Ok(selected)
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
            let strong = false;
            selected
                .into_iter()
                .filter(|&index| match &self.members[index].rule {
                    Some(rule) => !pg_sys::predicate_refuted_by(
                        rule.conjuncts(rti, honoured),
                        clauses,
                        strong,
                    ),
                    None => true,
                })
                .collect()
        }
    }

    /// Builds the description of `parent`; `None` when it must be planned child by child.
    unsafe fn load(parent: Oid) -> Result<Option<ShardedTable>, Failure> {
        // SAFETY: catalog look-ups inside a transaction; every relation is opened with its lock.
        unsafe {
            let lock = pg_sys::AccessShareLock as i32;
            let relation = Relation::open(parent, lock);
            let children = ffi::find_inheritance_children(parent, lock);
            let children: Vec<Oid> = node::oid_list(children).collect();
            let (mut members, mut tables) = (Vec::new(), Vec::<Rc<ForeignTable>>::new());
            let (mut tuples, mut pages) = (0.0, 0u32);
            let natts = (*relation.descriptor()).natts;
            let mut changes_whole = true;
            let mut not_null: Vec<i16> = (1..=natts as i16).collect();
            for child in children {
                if pg_sys::get_rel_relkind(child) as u8 != pg_sys::RELKIND_FOREIGN_TABLE
                    || ffi::has_subclass(child)
                    || !catalog::is_ours(child)
                {
                    return Ok(None);
                }
                let table = load::foreign_table(child)?;
                let opened = Relation::open(child, pg_sys::NoLock as i32);
                if !same_columns(relation.descriptor(), opened.descriptor())
                    || tables.first().is_some_and(|first| !first.has_columns_of(&table))
                {
                    return Ok(None);
                }
                changes_whole &= table.updatable
                    && !changes_row_by_row(&opened)
                    && same_generated(relation.descriptor(), opened.descriptor());
                let class = (*opened.raw()).rd_rel;
                let known = f64::from((*class).reltuples);
                tuples = if tuples < 0.0 || known < 0.0 { -1.0 } else { tuples + known };
                pages = pages.saturating_add((*class).relpages.max(0) as u32);
                not_null.retain(|&attno| {
                    (*compat::attribute(opened.descriptor(), attno as usize - 1)).attnotnull
                });
                let rule = rule_of(opened.raw())?;
                members.push(Member { relid: child, server: table.server.oid, rule });
                tables.push(table);
            }
            let Some(first) = tables.first() else { return Ok(None) };
            let table = Rc::new(first.standing_for(parent));
            let rules: Option<Vec<&Rule>> =
                members.iter().map(|member| member.rule.as_deref()).collect();
            let routes = rules.and_then(|rules| Routes::new(&rules, relation.descriptor()));
            Ok(Some(ShardedTable {
                parent,
                members,
                table,
                tuples,
                pages,
                not_null,
                changes_whole,
                routes,
            }))
        }
    }
}

/// Whether a trigger has to see each row that is updated or deleted.
fn changes_row_by_row(relation: &Relation) -> bool {
    // SAFETY: the relation is open.
    unsafe {
        let triggers = (*relation.raw()).trigdesc;
        !triggers.is_null()
            && ((*triggers).trig_update_before_row
                || (*triggers).trig_update_after_row
                || (*triggers).trig_delete_before_row
                || (*triggers).trig_delete_after_row)
    }
}

/// Whether the same columns of both row types, which have the same numbers, are generated.
unsafe fn same_generated(left: pg_sys::TupleDesc, right: pg_sys::TupleDesc) -> bool {
    // SAFETY: the caller hands valid row types with as many columns.
    (0..unsafe { (*left).natts } as usize).all(|index| unsafe {
        (*compat::attribute(left, index)).attgenerated
            == (*compat::attribute(right, index)).attgenerated
    })
}

/// Whether both row types have the same columns under the same numbers.
unsafe fn same_columns(left: pg_sys::TupleDesc, right: pg_sys::TupleDesc) -> bool {
    // SAFETY: the caller hands valid row types; numbers are within both.
    unsafe {
        (*left).natts == (*right).natts
            && (0..(*left).natts as usize).all(|index| {
                let (a, b) = (compat::attribute(left, index), compat::attribute(right, index));
                (*a).attisdropped == (*b).attisdropped
                    && ((*a).attisdropped
                        || ((*a).atttypid == (*b).atttypid
                            && (*a).atttypmod == (*b).atttypmod
                            && (*a).attcollation == (*b).attcollation
                            && text::from_server((*a).attname.data.as_ptr())
                                == text::from_server((*b).attname.data.as_ptr())))
            })
    }
}

#[derive(Default)]
struct Cache {
    tables: RefCell<HashMap<u32, Rc<ShardedTable>>>,
    stale: Cell<bool>,
    /// Relations that changed; looked at on the next use, not inside a callback.
    changed: RefCell<Vec<u32>>,
    epoch: Cell<u64>,
}

thread_local! {
    /// Leaked: no destructor may run at the exit of the backend.
    static CACHE: &'static Cache = register();
}

fn register() -> &'static Cache {
    invalidate::on_relcache(|oid| {
        CACHE.with(|cache| {
            cache.epoch.set(cache.epoch.get() + 1);
            match cache.changed.try_borrow_mut() {
                Ok(mut changed) if oid != pg_sys::InvalidOid && changed.len() < 1000 => {
                    changed.push(oid.to_u32());
                }
                _ => cache.stale.set(true),
            }
        });
    });
    use pg_sys::SysCacheIdentifier as Id;
    for id in [Id::FOREIGNSERVEROID, Id::FOREIGNDATAWRAPPEROID, Id::PROCOID, Id::TYPEOID] {
        invalidate::on_syscache(id, |_| CACHE.with(|cache| cache.stale.set(true)));
    }
    Box::leak(Box::default())
}

impl Cache {
    /// Takes out what has changed; freed by the caller, after the borrows have ended.
    fn sweep(&self) -> Vec<Rc<ShardedTable>> {
        let mut tables = self.tables.borrow_mut();
        let changed = std::mem::take(&mut *self.changed.borrow_mut());
        if self.stale.take() {
            return tables.drain().map(|(_, table)| table).collect();
        }
        if changed.is_empty() {
            return Vec::new();
        }
        let gone: Vec<u32> = tables
            .iter()
            .filter(|(parent, table)| {
                changed.contains(parent)
                    || table.members.iter().any(|m| changed.contains(&m.relid.to_u32()))
            })
            .map(|(parent, _)| *parent)
            .collect();
        gone.into_iter().filter_map(|parent| tables.remove(&parent)).collect()
    }
}

/// The sharded table that `parent` is; `None` when it must be planned child by child. Takes AccessShareLock on the
/// children the first time.
///
/// # Safety
/// Inside a transaction; `parent` is locked.
pub unsafe fn sharded(parent: Oid) -> Result<Option<Rc<ShardedTable>>, Failure> {
    let cache = CACHE.with(|cache| *cache);
    drop(cache.sweep());
    if let Some(table) = cache.tables.borrow().get(&parent.to_u32()) {
        return Ok(Some(Rc::clone(table)));
    }
    let epoch = cache.epoch.get();
    // SAFETY: as the caller vouches.
    let table = unsafe { ShardedTable::load(parent) }?.map(Rc::new);
    if let Some(table) = &table
        && epoch == cache.epoch.get()
    {
        cache.tables.borrow_mut().insert(parent.to_u32(), Rc::clone(table));
    }
    Ok(table)
}

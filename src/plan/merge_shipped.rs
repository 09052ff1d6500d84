//! Whether the shards can execute a MERGE by themselves, and the statement for each.
//!
//! Every row of the target that a row of the source matches must be on the shard where that row is, and what is inserted must
//! belong there. Two forms are: one row of values, which goes where its key says; and a sharded table that is joined by the
//! sharding column, where both are on placements of the same number.

use super::merge_source::{Read, Reason, Source, conjuncts};
use super::private::{DirectPlan, Placement, ScanPlan};
use super::routing::Routing;
use super::{prune, sharded, targets};
use crate::deparse::{self, MergeAction, MergeSource, MergeWhen, Scope};
use crate::error::Failure;
use crate::pg::compat::merging;
use crate::pg::relation::Relation;
use crate::pg::{catalog, node};
use crate::session::likeness::Servers;
use crate::settings;
use crate::shard::{self, ShardedTable};
use pgrx::pg_sys;
use pgrx::pg_sys::{CmdType, Expr, Oid, Query};
use std::rc::Rc;

/// A MERGE that the shards execute.
pub(super) struct Shipped {
    pub(super) plan: DirectPlan,
    /// Parameters of the statement, and values that choose the shards.
    pub(super) exprs: Vec<*mut Expr>,
}

/// The statement's parts, over the tables that are really read.
pub(super) struct Parts {
    pub(super) rti: u32,
    pub(super) target: Rc<ShardedTable>,
    pub(super) read: Read,
    pub(super) on: Vec<*mut Expr>,
    pub(super) whens: Vec<MergeWhen>,
}

/// Plans a MERGE whose target is a sharded table; the inner error says why it cannot be sent.
///
/// # Safety
/// The query is the statement, ours to change; its relations are locked.
pub(super) unsafe fn plan(query: *mut Query) -> Result<Result<Shipped, Reason>, Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        if let Some(reason) = obstacle(query) {
            return Ok(Err(reason.to_owned()));
        }
        let rti = (*query).resultRelation;
        let entry = pg_sys::list_nth((*query).rtable, rti - 1).cast::<pg_sys::RangeTblEntry>();
        let target = match target(entry)? {
            Ok(target) => target,
            Err(reason) => return Ok(Err(reason)),
        };
        let read = match Read::of(query)? {
            Ok(read) => read,
            Err(reason) => return Ok(Err(reason)),
        };
        let on = conjuncts(read.settle(merging::condition(query)));
        let mut whens = Vec::new();
        for action in node::list::<pg_sys::MergeAction>((*query).mergeActionList) {
            match when(&read, &*action) {
                Ok(when) => whens.push(when),
                Err(reason) => return Ok(Err(reason)),
            }
        }
        let parts = Parts { rti: rti as u32, target, read, on, whens };
        let mut scope = parts.scope();
        if let Ok(placements) = parts.placements()? {
            // Of several placements execution uses those that parameters choose, and looks at these.
            let (servers, one) = (placements.iter().map(|p| p.server), placements.len() == 1);
            let user = match merging::acts_as(query, entry) {
                Oid::INVALID => catalog::current_user(),
                user => user,
            };
            scope.servers = Some(Rc::new(Servers::new(servers, user, one)));
        }
        if let Err(reason) = parts.check(&scope) {
            return Ok(Err(reason));
        }
        parts.ship(&scope)
    }
}

/// What stands against it at first sight.
unsafe fn obstacle(query: *mut Query) -> Option<&'static str> {
    // SAFETY: a valid query.
    unsafe {
        let query = &*query;
        if !settings::enable_sharded_scan() {
            Some("shard_fdw.enable_sharded_scan is off")
        } else if catalog::foreign_tables_restricted() {
            Some("foreign tables are restricted")
        } else if !query.cteList.is_null() {
            Some("it has WITH")
        } else if query.hasSubLinks {
            Some("it has a sub-query in an expression")
        } else if query.hasRowSecurity || !query.withCheckOptions.is_null() {
            Some("row-level security or WITH CHECK OPTION has to be looked at here")
        } else if !query.returningList.is_null() {
            Some("it has RETURNING")
        } else {
            None
        }
    }
}

/// The target, if nothing has to be done here for its rows.
unsafe fn target(
    entry: *mut pg_sys::RangeTblEntry,
) -> Result<Result<Rc<ShardedTable>, Reason>, Failure> {
    let refused = |reason: &str| Ok(Err(reason.to_owned()));
    // SAFETY: a valid entry, its relation locked.
    unsafe {
        if !sharded::is_candidate(entry) {
            return refused("ONLY means the parent's own rows");
        }
        if !(*entry).securityQuals.is_null() {
            return refused("row-level security has to be looked at here");
        }
        let Some(table) = shard::sharded((*entry).relid)? else {
            return refused("not all children have the parent's columns in the parent's order");
        };
        if sharded::has_own_rows(&table)? {
            return refused("the parent holds rows itself");
        }
        let inserts = table.members.iter().any(|member| member.insert_triggers);
        let parent = Relation::open(table.parent, pg_sys::NoLock as i32);
        if inserts || !table.changes_whole || !(*parent.raw()).trigdesc.is_null() {
            return refused("the table or a child has triggers, or a child is not updatable");
        }
        if targets::has_generated(&parent) {
            return refused("the table has generated columns");
        }
        Ok(Ok(table))
    }
}

/// One WHEN, over the tables that are really read.
unsafe fn when(read: &Read, action: &pg_sys::MergeAction) -> Result<MergeWhen, Reason> {
    // SAFETY: an action of the query.
    unsafe {
        let matched = match merging::when(action) {
            merging::When::Matched => true,
            merging::When::NotMatched => false,
            merging::When::NotMatchedBySource => {
                return Err("it has WHEN NOT MATCHED BY SOURCE".to_owned());
            }
        };
        let mut conditions = Vec::new();
        if !action.qual.is_null() {
            conditions = conjuncts(read.settle(action.qual));
        }
        let values = || {
            node::list::<pg_sys::TargetEntry>(action.targetList)
                .filter(|entry| !(**entry).resjunk)
                .map(|entry| (i32::from((*entry).resno), read.settle((*entry).expr.cast())))
                .collect::<Vec<_>>()
        };
        let action = match action.commandType {
            CmdType::CMD_UPDATE => MergeAction::Update(values()),
            CmdType::CMD_INSERT => MergeAction::Insert(values()),
            CmdType::CMD_DELETE => MergeAction::Delete,
            _ => MergeAction::Nothing,
        };
        Ok(MergeWhen { matched, conditions, action })
    }
}

impl MergeWhen {
    fn values(&self) -> &[(i32, *mut Expr)] {
        match &self.action {
            MergeAction::Update(values) | MergeAction::Insert(values) => values,
            _ => &[],
        }
    }

    /// The row that it inserts.
    pub(super) fn inserts(&self) -> Option<&[(i32, *mut Expr)]> {
        match &self.action {
            MergeAction::Insert(values) => Some(values),
            _ => None,
        }
    }
}

impl Parts {
    fn scope(&self) -> Scope {
        let target = (self.rti, Rc::clone(&self.target.table));
        let source = match &self.read.source {
            Source::Row => None,
            Source::Table { rti, table, .. } => Some((*rti, Rc::clone(&table.table))),
        };
        Scope::new(std::ptr::null_mut(), std::iter::once(target).chain(source))
    }

    /// All expressions of the statement.
    pub(super) fn exprs(&self) -> impl Iterator<Item = *mut Expr> {
        let conditions = match &self.read.source {
            Source::Row => &[][..],
            Source::Table { conditions, .. } => conditions,
        };
        let whens = self.whens.iter().flat_map(|when| {
            when.conditions.iter().copied().chain(when.values().iter().map(|(_, value)| *value))
        });
        self.on.iter().chain(conditions).copied().chain(whens)
    }

    fn may_insert(&self) -> bool {
        self.whens.iter().any(|when| when.inserts().is_some())
    }

    unsafe fn ship(self, scope: &Scope) -> Result<Result<Shipped, Reason>, Failure> {
        // SAFETY: expressions of the query, checked; what is made lives in its memory.
        unsafe {
            let placements = match self.placements()? {
                Ok(placements) => placements,
                Err(reason) => return Ok(Err(reason)),
            };
            let (source, own, parents) = match &self.read.source {
                Source::Row => (MergeSource::Row, vec![self.rti], vec![self.target.parent]),
                Source::Table { rti, table, conditions } => (
                    MergeSource::Table { rti: *rti, conditions: conditions.clone() },
                    vec![self.rti, *rti],
                    vec![self.target.parent, table.parent],
                ),
            };
            let inserted = match self.inserted() {
                Ok(inserted) => inserted,
                Err(reason) => return Ok(Err(reason)),
            };
            let several = placements.len() > 1;
            let only_inserts = !inserted.is_empty()
                && prune::by_conditions(&self.target, self.rti, &self.on)?.is_empty();
            let (on, of_placements) = (self.on.clone(), self.target.members.len() as u32);
            let merge = deparse::Merge { target: self.rti, source, on: self.on, whens: self.whens };
            let statement = deparse::merge(scope, &merge)?;
            let mut exprs = statement.params;
            let mut plan = DirectPlan {
                scan: ScanPlan {
                    template: statement.template,
                    relations: own.clone(),
                    placements,
                    parents,
                    of_placements,
                    params: exprs.len() as u32,
                    ..ScanPlan::default()
                },
                counts: true,
                only_inserts,
                ..DirectPlan::default()
            };
            // Rows of a table choose the shards by its conditions, one row by what it can match.
            let routing = match &self.read.source {
                Source::Row => Routing::plan(&self.target, self.rti, &own, &on, &[], &mut exprs),
                Source::Table { rti, table, conditions } => {
                    Routing::plan(table, *rti, &own, conditions, &[], &mut exprs)
                }
            };
            if several {
                if routing.is_none() && !inserted.is_empty() && !only_inserts {
                    return Ok(Err(
                        "ON does not fix the columns that decide where a row is stored".to_owned(),
                    ));
                }
                plan.scan.routing.extend(routing);
            }
            for (attnum, value) in inserted {
                plan.inserted.push((attnum, exprs.len()));
                exprs.push(value);
            }
            Ok(Ok(Shipped { plan, exprs }))
        }
    }

    /// Where the statement goes as far as that is known now.
    unsafe fn placements(&self) -> Result<Result<Vec<Placement>, Reason>, Failure> {
        // SAFETY: expressions of the query.
        unsafe {
            match &self.read.source {
                Source::Row => {
                    let mut found = prune::by_conditions(&self.target, self.rti, &self.on)?;
                    if found.is_empty() {
                        // What matches nothing may still be inserted, anywhere.
                        let all = if self.may_insert() { self.target.members.len() } else { 1 };
                        found = (0..all).collect();
                    }
                    let at = |index: usize| {
                        let member = &self.target.members[index];
                        Placement { server: member.server, tables: vec![member.relid] }
                    };
                    Ok(Ok(found.into_iter().map(at).collect()))
                }
                Source::Table { rti, table, conditions } => {
                    if let Err(reason) = self.check_key(*rti, table, conditions) {
                        return Ok(Err(reason));
                    }
                    let mut found = prune::by_conditions(table, *rti, conditions)?;
                    if found.is_empty() {
                        // One that finds nothing is as good as none.
                        found.push(0);
                    }
                    let at = |index: usize| {
                        let (to, from) = (&self.target.members[index], &table.members[index]);
                        Placement { server: to.server, tables: vec![to.relid, from.relid] }
                    };
                    Ok(Ok(found.into_iter().map(at).collect()))
                }
            }
        }
    }
}

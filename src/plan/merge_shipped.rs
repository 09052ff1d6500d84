//! Whether the shards can execute a MERGE by themselves, and the statement for each.
//!
//! Every row of the target that a row of the source matches must be on the shard where that row is, and what is inserted must
//! belong there. Two forms are: one row of values, which goes where its key says; and a sharded table that is joined by the
//! sharding column, where both are on placements of the same number.

use super::merge_source::{Read, Reason, Source, conjuncts};
use super::private::{DirectPlan, Placement, ScanPlan};
use super::routing::Routing;
use super::stays::{self, Distribution};
use super::{colocated, prune, sharded, targets};
use crate::deparse::{self, MergeAction, MergeSource, MergeWhen, Scope};
use crate::error::Failure;
use crate::pg::compat::{self, merging};
use crate::pg::relation::Relation;
use crate::pg::{catalog, node};
use crate::settings;
use crate::shard::{self, ShardedTable};
use pgrx::pg_sys;
use pgrx::pg_sys::{CmdType, Expr, Query};
use std::rc::Rc;

/// A MERGE that the shards execute.
pub(super) struct Shipped {
    pub(super) plan: DirectPlan,
    /// Parameters of the statement, and values that choose the shards.
    pub(super) exprs: Vec<*mut Expr>,
}

/// The statement's parts, over the tables that are really read.
struct Parts {
    rti: u32,
    target: Rc<ShardedTable>,
    read: Read,
    on: Vec<*mut Expr>,
    whens: Vec<MergeWhen>,
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
        let scope = parts.scope();
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

    fn inserts(&self) -> Option<&[(i32, *mut Expr)]> {
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
    fn exprs(&self) -> impl Iterator<Item = *mut Expr> {
        let conditions = match &self.read.source {
            Source::Row => &[][..],
            Source::Table { conditions, .. } => conditions,
        };
        let whens = self.whens.iter().flat_map(|when| {
            when.conditions.iter().copied().chain(when.values().iter().map(|(_, value)| *value))
        });
        self.on.iter().chain(conditions).copied().chain(whens)
    }

    /// Whether every expression means the same there, and the rows of an UPDATE stay where they are.
    unsafe fn check(&self, scope: &Scope) -> Result<(), Reason> {
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

    fn may_insert(&self) -> bool {
        self.whens.iter().any(|when| when.inserts().is_some())
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

    /// Whether rows that match are on placements of the same number, and what is inserted belongs there.
    unsafe fn check_key(
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
    unsafe fn inserted(&self) -> Result<Vec<(i32, *mut Expr)>, Reason> {
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

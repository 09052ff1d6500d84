//! What planning knows of one foreign relation (a table, later a join or a grouping): kept in
//! `RelOptInfo.fdw_private` while a query is planned.

use super::private::{Placement, ScanPlan};
use crate::deparse::{
    Distinct, From, GroupBy, Params, Scope, Select, SortKey, Statement, Target, select,
};
use crate::error::Failure;
use crate::options::load::Server;
use crate::pg::compat::PathCost;
use crate::pg::{catalog, memory, node, text};
use crate::shard::ShardedTable;
use pgrx::pg_sys;
use pgrx::pg_sys::Oid;
use std::rc::Rc;

/// Planning state of one relation. Rust-owned, dropped with the planner's memory context.
pub struct RelInfo {
    /// Its tables, as deparsing knows them.
    pub scope: Scope,
    /// What it reads from.
    pub from: From,
    /// The server whose options count.
    pub server: Rc<Server>,
    /// The user whose mapping is used while planning (remote estimates).
    pub user: Oid,
    /// Where its rows are.
    pub placements: Vec<Placement>,
    /// Sharded tables in it.
    pub parents: Vec<Oid>,
    /// How many placements there would be without pruning; 0 for plain foreign tables.
    pub of_placements: u32,
    /// The sharded tables in it, with their range-table indexes: a row's placement follows from the columns of any.
    pub distribution: Vec<(Rc<ShardedTable>, u32)>,
    /// The sharded table that a base relation is.
    pub sharded: Option<Rc<ShardedTable>>,
    /// Conditions the shards evaluate, as RestrictInfos.
    pub remote_conds: Vec<*mut pg_sys::RestrictInfo>,
    /// Conditions evaluated here, as RestrictInfos.
    pub local_conds: Vec<*mut pg_sys::RestrictInfo>,
    /// Why the latter are not sent.
    pub not_shipped: Vec<String>,
    /// Why its conditions leave no placement out.
    pub not_pruned: Vec<String>,
    /// Conditions that the rows of its tables satisfy wherever a row of the result comes from: by them placements can be
    /// left out. (Not those in ON of an outer join.)
    pub deciding: Vec<*mut pg_sys::RestrictInfo>,
    /// Conditions in ON of a join, for its cost.
    pub join_conds: Vec<*mut pg_sys::RestrictInfo>,
    /// For EXPLAIN's `Relations:`; empty for a base relation that is its own scan.
    pub description: String,
    /// The relation that this one merely orders.
    pub below: Option<*mut pg_sys::RelOptInfo>,
    /// What a grouping, or the end of a query, adds to it.
    pub upper: Option<Upper>,
    /// Attributes that have to be fetched, offset as pull_varattnos does.
    pub attrs_used: *mut pg_sys::Bitmapset,
    /// Selectivity of `local_conds`.
    pub local_conds_sel: f64,
    /// Cost of evaluating `local_conds`.
    pub local_conds_cost: pg_sys::QualCost,
    /// Estimates for the unparameterised, unsorted scan.
    pub estimate: Option<Estimate>,
    /// Table-level options, resolved.
    pub use_remote_estimate: bool,
    /// Rows per fetch set by the user.
    pub fetch_size: Option<u32>,
}

/// What the shard does beyond scanning and joining.
#[derive(Clone, Debug)]
pub struct Upper {
    /// The output columns, a list of TargetEntry.
    pub tlist: *mut pg_sys::List,
    /// What is sent for each of them, where that differs.
    pub shipped: Option<Vec<*mut pg_sys::Expr>>,
    /// GROUP BY.
    pub group_by: GroupBy,
    /// HAVING, all of them.
    pub having: Vec<*mut pg_sys::Expr>,
    /// Conditions on groups that are evaluated here.
    pub local_having: Vec<*mut pg_sys::Expr>,
    /// It only names columns: see naming.rs.
    pub names_only: bool,
    /// DISTINCT.
    pub distinct: Distinct,
    /// The path keys that DISTINCT ON chooses rows by.
    pub order: *mut pg_sys::List,
}

impl Upper {
    /// Whether a server has no more than one row: aggregates without GROUP BY.
    ///
    /// # Safety
    /// During planning.
    pub unsafe fn is_one_row(&self) -> bool {
        // SAFETY: planner data; both functions only look at expressions.
        unsafe {
            let entries = node::list::<pg_sys::TargetEntry>(self.tlist);
            let columns: Vec<_> = match &self.shipped {
                Some(shipped) => shipped.clone(),
                None => entries.map(|entry| (*entry).expr).collect(),
            };
            self.group_by == GroupBy::Nothing
                && columns.iter().any(|&column| pg_sys::contain_agg_clause(column.cast()))
                && !columns.iter().any(|&column| pg_sys::expression_returns_set(column.cast()))
        }
    }

    /// Whether its rows are as the shards send them, so that more can be done there.
    pub fn is_complete(&self) -> bool {
        self.local_having.is_empty()
            && self.shipped.is_none()
            && !self.names_only
            && self.distinct == Distinct::No
    }
}

/// Size and cost of a scan, in the planner's units.
#[derive(Clone, Copy, Debug, Default)]
pub struct Estimate {
    /// Rows after all conditions.
    pub rows: f64,
    /// Average width of a row in bytes.
    pub width: i32,
    /// Cost until the first row.
    pub startup: f64,
    /// Cost until the last row.
    pub total: f64,
    /// Rows that travel, before local conditions.
    pub retrieved: f64,
}

impl Estimate {
    /// As a path's cost.
    pub fn path_cost(&self) -> PathCost {
        PathCost { rows: self.rows, startup: self.startup, total: self.total }
    }
}

impl Default for Upper {
    fn default() -> Upper {
        Upper {
            tlist: std::ptr::null_mut(),
            shipped: None,
            group_by: GroupBy::Nothing,
            having: Vec::new(),
            local_having: Vec::new(),
            names_only: false,
            distinct: Distinct::No,
            order: std::ptr::null_mut(),
        }
    }
}

impl RelInfo {
    /// Hands `self` to `rel`.
    ///
    /// # Safety
    /// `rel` is being planned; the current memory context lives as long as its planning.
    pub unsafe fn install(self, rel: *mut pg_sys::RelOptInfo) {
        // SAFETY: the planner's context is current in every planning callback.
        unsafe { (*rel).fdw_private = memory::give(pg_sys::CurrentMemoryContext, self).cast() }
    }

    /// Whether it can be part of a larger remote query. (A table that no row can match has not been looked at.)
    pub fn is_shippable(&self) -> bool {
        self.estimate.is_some()
    }

    /// The query for a scan of the base relation `rti` under `conditions`.
    ///
    /// # Safety
    /// The conditions are valid expressions of the query being planned.
    pub unsafe fn base_query(&self, rti: u32, conditions: Vec<*mut pg_sys::Expr>) -> Select {
        let target = Target::Columns { rti, attrs_used: self.attrs_used };
        let mut query = Select::new(target, self.from.clone());
        query.conditions = conditions;
        query
    }

    /// The SQL for a remote EXPLAIN of the whole relation, with `more` conditions and sorted.
    ///
    /// # Safety
    /// `rel` is the relation whose state this is; the conditions are of its query.
    pub unsafe fn explain_sql(
        &self,
        rel: *mut pg_sys::RelOptInfo,
        more: &[*mut pg_sys::Expr],
        order_by: Vec<SortKey>,
    ) -> Result<String, Failure> {
        // SAFETY: conditions are live RestrictInfos of the relation.
        unsafe {
            let mut conditions: Vec<_> =
                self.remote_conds.iter().map(|&clause| (*clause).clause).collect();
            conditions.extend(more);
            let mut query = if (*rel).relid > 0 {
                self.base_query((*rel).relid, conditions)
            } else {
                let exprs = node::list_vec((*(*rel).reltarget).exprs);
                let mut query = Select::new(Target::Exprs(exprs), self.from.clone());
                query.conditions = conditions;
                query
            };
            query.order_by = order_by;
            let statement = self.statement(&query, Params::Unknown)?;
            let plan =
                ScanPlan { template: statement.template, ..self.scan_plan(&self.from.tables()) };
            self.placements.first().map_or(Ok(String::new()), |placement| plan.sql(placement))
        }
    }

    /// The plan of a scan, but for its statement. `tables` are those of the statement, in the placements' order.
    pub fn scan_plan(&self, tables: &[u32]) -> ScanPlan {
        ScanPlan {
            relations: tables.to_vec(),
            placements: self.placements.clone(),
            fetch_size: self.fetch_size.unwrap_or(0),
            not_shipped: self.not_shipped.clone(),
            not_pruned: self.not_pruned.clone(),
            parents: self.parents.clone(),
            of_placements: self.of_placements,
            ..ScanPlan::default()
        }
    }

    /// The state of a relation that orders `below`, whose state this is.
    pub fn pointer(&self, below: *mut pg_sys::RelOptInfo) -> RelInfo {
        RelInfo {
            below: Some(below),
            upper: None,
            estimate: self.estimate,
            ..self.derived(Upper::default(), self.description.clone())
        }
    }

    /// The state of an upper relation over this one.
    pub fn derived(&self, upper: Upper, description: String) -> RelInfo {
        RelInfo {
            scope: self.scope.clone(),
            from: self.from.clone(),
            server: Rc::clone(&self.server),
            placements: self.placements.clone(),
            parents: self.parents.clone(),
            of_placements: self.of_placements,
            distribution: self.distribution.clone(),
            sharded: None,
            remote_conds: self.remote_conds.clone(),
            deciding: self.deciding.clone(),
            local_conds: Vec::new(),
            not_shipped: Vec::new(),
            not_pruned: self.not_pruned.clone(),
            join_conds: Vec::new(),
            description,
            below: None,
            upper: Some(upper),
            attrs_used: std::ptr::null_mut(),
            local_conds_sel: 1.0,
            local_conds_cost: Default::default(),
            estimate: None,
            user: self.user,
            use_remote_estimate: self.use_remote_estimate,
            fetch_size: self.fetch_size,
        }
    }

    /// The relation's name in EXPLAIN's `Relations:`.
    ///
    /// # Safety
    /// `rel` is the relation whose state this is.
    pub unsafe fn named(
        &self,
        root: *mut pg_sys::PlannerInfo,
        rel: *mut pg_sys::RelOptInfo,
    ) -> String {
        if !self.description.is_empty() {
            return self.description.clone();
        }
        // SAFETY: a base relation has a range-table entry.
        unsafe {
            let entry = *(*root).simple_rte_array.add((*rel).relid as usize);
            let relation = catalog::relation_name((*entry).relid).unwrap_or_default();
            let schema = pg_sys::get_namespace_name(pg_sys::get_rel_namespace((*entry).relid));
            let mut name = format!(
                "{}.{}",
                catalog::quote_identifier(&text::from_server(schema)),
                catalog::quote_identifier(&relation)
            );
            let alias = text::from_server((*(*entry).eref).aliasname);
            if alias != relation {
                name.push(' ');
                name.push_str(&catalog::quote_identifier(&alias));
            }
            name
        }
    }

    /// The statement for `query`.
    ///
    /// # Safety
    /// The query's expressions are valid.
    pub unsafe fn statement(&self, query: &Select, params: Params) -> Result<Statement, Failure> {
        // SAFETY: as the caller vouches.
        unsafe { select(&self.scope, query, params) }
    }

    /// The state that [`RelInfo::install`] gave to `rel`.
    ///
    /// # Safety
    /// `rel` is a relation of ours (its `fdwroutine` is our handler's); the reference must not outlive the
    /// callback.
    pub unsafe fn of<'a>(rel: *mut pg_sys::RelOptInfo) -> Option<&'a mut RelInfo> {
        // SAFETY: nobody else writes fdw_private of our relations.
        unsafe { (*rel).fdw_private.cast::<RelInfo>().as_mut() }
    }
}

//! What planning knows of one foreign relation (a table, later a join or a grouping): kept in
//! `RelOptInfo.fdw_private` while a query is planned.

use super::private::Placement;
use crate::deparse::{From, Params, Scope, Select, Statement, Target, select};
use crate::error::Failure;
use crate::options::load::Server;
use crate::pg::memory;
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
    /// Conditions the shards evaluate, as RestrictInfos.
    pub remote_conds: Vec<*mut pg_sys::RestrictInfo>,
    /// Conditions evaluated here, as RestrictInfos.
    pub local_conds: Vec<*mut pg_sys::RestrictInfo>,
    /// Why the latter are not sent.
    pub not_shipped: Vec<String>,
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

impl RelInfo {
    /// Hands `self` to `rel`.
    ///
    /// # Safety
    /// `rel` is being planned; the current memory context lives as long as its planning.
    pub unsafe fn install(self, rel: *mut pg_sys::RelOptInfo) {
        // SAFETY: the planner's context is current in every planning callback.
        unsafe { (*rel).fdw_private = memory::give(pg_sys::CurrentMemoryContext, self).cast() }
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

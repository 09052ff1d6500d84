//! What a MERGE reads: one row of values, or the rows of one sharded table.
//!
//! A sub-query is taken apart as PostgreSQL pulls sub-queries up: its table becomes one of the statement's, and what it
//! selects takes the place of its columns.

use super::sharded;
use crate::error::Failure;
use crate::pg::compat::merging;
use crate::pg::node;
use crate::shard::{self, ShardedTable};
use pgrx::pg_sys;
use pgrx::pg_sys::{CmdType, Expr, NodeTag, Query, RTEKind, RangeTblEntry};
use std::ptr;
use std::rc::Rc;

/// The source of a MERGE.
pub(super) enum Source {
    /// One row. Its values stand in the expressions.
    Row,
    /// The rows of a sharded table that satisfy the conditions.
    Table { rti: u32, table: Rc<ShardedTable>, conditions: Vec<*mut Expr> },
}

/// What the columns of a sub-query stand for.
struct Replacement {
    rti: i32,
    entry: *mut RangeTblEntry,
    targets: *mut pg_sys::List,
}

/// The source, and what puts its values into an expression.
pub(super) struct Read {
    pub(super) source: Source,
    replacement: Option<Replacement>,
    target: i32,
}

/// Why a MERGE cannot be sent, in words.
pub(super) type Reason = String;

impl Read {
    /// Reads the only source of the query.
    ///
    /// # Safety
    /// The query is a MERGE, ours to change; its relations are locked.
    pub(super) unsafe fn of(query: *mut Query) -> Result<Result<Read, Reason>, Failure> {
        // SAFETY: as the caller vouches; nodes are cast by their tags.
        unsafe {
            let from = node::list_vec::<pg_sys::Node>((*(*query).jointree).fromlist);
            let [only] = from[..] else { return refused("its source is a join") };
            if !node::is_a(only, NodeTag::T_RangeTblRef) {
                return refused("its source is a join");
            }
            let rti = (*only.cast::<pg_sys::RangeTblRef>()).rtindex;
            let entry = entry_of(query, rti);
            let target = (*query).resultRelation;
            match (*entry).rtekind {
                RTEKind::RTE_RELATION => {
                    let source = match table(query, rti)? {
                        Ok(table) => {
                            Source::Table { rti: rti as u32, table, conditions: Vec::new() }
                        }
                        Err(reason) => return Ok(Err(reason)),
                    };
                    Ok(Ok(Read { source, replacement: None, target }))
                }
                RTEKind::RTE_SUBQUERY => {
                    let inner = (*entry).subquery;
                    if !is_simple(inner) || (*entry).lateral {
                        return refused("its source is a sub-query of more than columns and WHERE");
                    }
                    let (source, targets) = match subquery(query, inner)? {
                        Ok(found) => found,
                        Err(reason) => return Ok(Err(reason)),
                    };
                    let replacement = Some(Replacement { rti, entry, targets });
                    Ok(Ok(Read { source, replacement, target }))
                }
                _ => refused("its source is no table"),
            }
        }
    }

    /// The expression over the tables that are really read, simplified.
    ///
    /// # Safety
    /// A valid expression of the query.
    pub(super) unsafe fn settle(&self, expr: *mut pg_sys::Node) -> *mut Expr {
        // SAFETY: as the caller vouches.
        unsafe {
            let mut expr = pg_sys::copyObjectImpl(expr.cast()).cast::<pg_sys::Node>();
            if let Some(Replacement { rti, entry, targets }) = self.replacement {
                expr = merging::replace_columns(expr, rti, entry, targets, self.target);
            }
            pg_sys::expression_planner(expr.cast())
        }
    }
}

fn refused<T>(reason: &str) -> Result<Result<T, Reason>, Failure> {
    Ok(Err(reason.to_owned()))
}

unsafe fn entry_of(query: *mut Query, rti: i32) -> *mut RangeTblEntry {
    // SAFETY: the caller hands an index of the query's range table.
    unsafe { pg_sys::list_nth((*query).rtable, rti - 1).cast() }
}

/// The sharded table that an entry of the range table is.
unsafe fn table(query: *mut Query, rti: i32) -> Result<Result<Rc<ShardedTable>, Reason>, Failure> {
    // SAFETY: a valid entry of a query whose relations are locked.
    unsafe {
        let entry = entry_of(query, rti);
        let target = entry_of(query, (*query).resultRelation);
        if !(*entry).securityQuals.is_null()
            || merging::acts_as(query, entry) != merging::acts_as(query, target)
        {
            return refused("its source is read through a view, or with row-level security");
        }
        if !sharded::is_candidate(entry) {
            return refused("its source is no sharded table");
        }
        match shard::sharded((*entry).relid)? {
            Some(table) if !sharded::has_own_rows(&table)? => Ok(Ok(table)),
            _ => refused("its source is no sharded table, or holds rows itself"),
        }
    }
}

/// Whether a sub-query gives a row for each row that it reads and WHERE lets through.
unsafe fn is_simple(inner: *mut Query) -> bool {
    // SAFETY: a valid query.
    unsafe {
        let inner = &*inner;
        inner.commandType == CmdType::CMD_SELECT
            && inner.utilityStmt.is_null()
            && !inner.hasAggs
            && !inner.hasWindowFuncs
            && !inner.hasTargetSRFs
            && !inner.hasSubLinks
            && !inner.hasRowSecurity
            && inner.cteList.is_null()
            && inner.groupClause.is_null()
            && inner.groupingSets.is_null()
            && inner.havingQual.is_null()
            && inner.windowClause.is_null()
            && inner.distinctClause.is_null()
            && inner.sortClause.is_null()
            && inner.limitCount.is_null()
            && inner.limitOffset.is_null()
            && inner.rowMarks.is_null()
            && inner.setOperations.is_null()
    }
}

/// Takes a simple sub-query apart: its source, and its columns over that.
unsafe fn subquery(
    query: *mut Query,
    inner: *mut Query,
) -> Result<Result<(Source, *mut pg_sys::List), Reason>, Failure> {
    // SAFETY: valid queries, ours to change; nodes are cast by their tags.
    unsafe {
        let from = node::list_vec::<pg_sys::Node>((*(*inner).jointree).fromlist);
        let quals = (*(*inner).jointree).quals;
        let targets = pg_sys::copyObjectImpl((*inner).targetList.cast()).cast::<pg_sys::List>();
        let only = match from[..] {
            [] if quals.is_null() => return Ok(Ok((Source::Row, targets))),
            [only] if node::is_a(only, NodeTag::T_RangeTblRef) => only,
            _ => return refused("its source is a join, or a row with a condition"),
        };
        let own = (*only.cast::<pg_sys::RangeTblRef>()).rtindex;
        let entry = entry_of(inner, own);
        if (*entry).rtekind == RTEKind::RTE_VALUES {
            let rows = node::list_vec::<pg_sys::List>((*entry).values_lists);
            let [row] = rows[..] else { return refused("its source has several rows of VALUES") };
            if !quals.is_null() {
                return refused("its source is a join, or a row with a condition");
            }
            let values = node::list_vec::<Expr>(row);
            let columns = node::make_list(values.into_iter().enumerate().map(|(i, value)| {
                pg_sys::makeTargetEntry(value, i as i16 + 1, ptr::null_mut(), false)
            }));
            let targets = targets.cast::<pg_sys::Node>();
            let targets = merging::replace_columns(targets, own, entry, columns, 0);
            return Ok(Ok((Source::Row, targets.cast())));
        }
        if (*entry).rtekind != RTEKind::RTE_RELATION {
            return refused("its source is no sharded table");
        }
        let before = (*(*query).rtable).length;
        merging::take_tables(query, inner);
        let rti = before + own;
        let table = match table(query, rti)? {
            Ok(table) => table,
            Err(reason) => return Ok(Err(reason)),
        };
        pg_sys::ChangeVarNodes(targets.cast(), own, rti, 0);
        let mut conditions = Vec::new();
        if !quals.is_null() {
            let quals = pg_sys::copyObjectImpl(quals.cast()).cast::<pg_sys::Node>();
            pg_sys::ChangeVarNodes(quals, own, rti, 0);
            conditions = conjuncts(pg_sys::expression_planner(quals.cast()));
        }
        Ok(Ok((Source::Table { rti: rti as u32, table, conditions }, targets)))
    }
}

/// The parts of a condition that are joined by AND; of a simplified one.
///
/// # Safety
/// NULL or a valid expression.
pub(super) unsafe fn conjuncts(condition: *mut Expr) -> Vec<*mut Expr> {
    // SAFETY: as the caller vouches.
    unsafe {
        if condition.is_null() {
            return Vec::new();
        }
        node::list_vec(pg_sys::make_ands_implicit(pg_sys::canonicalize_qual(condition, false)))
    }
}

//! Whether an UPDATE leaves rows where they are: nothing that decides on their placement gets another value.

use crate::error::{Failure, SqlState};
use crate::pg::{catalog, node};
use crate::shard::{self, ShardedTable};
use pgrx::pg_sys;
use pgrx::pg_sys::{Expr, Oid};

/// What decides where the rows of one changed table are.
pub(super) enum Distribution {
    /// Nothing: it is no part of a sharded table.
    None,
    /// It is a sharded parent, or a placement of one.
    Of(std::rc::Rc<ShardedTable>),
    /// It is a child of another kind of parent: all its constraints may.
    Rule(std::rc::Rc<shard::Rule>),
}

impl Distribution {
    /// Of a plain foreign table.
    ///
    /// # Safety
    /// `relid` is locked; a transaction is open.
    pub(super) unsafe fn of_table(relid: Oid) -> Result<Distribution, Failure> {
        // SAFETY: as the caller vouches; parents are locked while they are looked at.
        unsafe {
            let parents = catalog::parents(relid);
            if parents.is_empty() {
                return Ok(Distribution::None);
            }
            if let [parent] = parents[..] {
                let lock =
                    crate::pg::relation::Relation::open(parent, pg_sys::AccessShareLock as i32);
                let table = shard::sharded(lock.oid())?;
                if let Some(table) = table {
                    return Ok(Distribution::Of(table));
                }
            }
            let own = crate::pg::relation::Relation::open(relid, pg_sys::NoLock as i32);
            let rule = shard::rule_of(own.raw())?;
            Ok(rule.map_or(Distribution::None, Distribution::Rule))
        }
    }

    /// Whether the value of a column has to do with it.
    pub(super) fn depends_on(&self, attno: i16) -> bool {
        match self {
            Distribution::None => false,
            Distribution::Of(table) => table.distributes_by(attno),
            Distribution::Rule(rule) => rule.uses(attno),
        }
    }
}

/// Whether these assignments to columns of `rti`, made to rows that satisfy `conditions`, give no new value to a column
/// that decides: `SET id = id`, or `SET id = 5` where `id = 5`.
///
/// # Safety
/// Valid expressions of the query being planned; assignments are those of an UPDATE.
pub(super) unsafe fn stay(
    distribution: &Distribution,
    rti: u32,
    assignments: &[(i32, *mut Expr)],
    conditions: &[*mut Expr],
) -> bool {
    assignments.iter().all(|&(attnum, value)| {
        // SAFETY: as the caller vouches.
        i16::try_from(attnum).is_ok_and(|attno| unsafe {
            !distribution.depends_on(attno)
                || is_column(value.cast(), rti, attno)
                || conditions.iter().any(|&condition| fixes(condition, rti, attno, value))
        })
    })
}

/// Refuses ON CONFLICT DO UPDATE of a placement by its own name that gives a deciding column another value than the old one
/// or that of `excluded`: the shard would keep the row.
///
/// # Safety
/// The assignments are those of an INSERT into `relid`, which is locked.
pub(super) unsafe fn check_conflict(
    relid: Oid,
    assignments: &[(i32, *mut Expr)],
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches; nodes are cast by their tags.
    unsafe {
        let distribution = Distribution::of_table(relid)?;
        for &(attnum, value) in assignments {
            let same = node::cast::<pg_sys::Var, _>(value)
                .is_some_and(|var| i32::from(var.varattno) == attnum);
            if !same && distribution.depends_on(attnum as i16) {
                let name = catalog::relation_name(relid).unwrap_or_default();
                return Err(Failure::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    format!(
                        "ON CONFLICT DO UPDATE cannot change what decides which rows are in \"{name}\""
                    ),
                ));
            }
        }
        Ok(())
    }
}

unsafe fn is_column(expr: *mut pg_sys::Node, rti: u32, attno: i16) -> bool {
    // SAFETY: cast by the node's tag.
    unsafe { node::cast::<pg_sys::Var, _>(expr) }
        .is_some_and(|var| var.varno as u32 == rti && var.varattno == attno && var.varlevelsup == 0)
}

/// Whether the condition is `column = value`, of a type whose equal values are the same, and `value` is one value for the
/// whole statement.
unsafe fn fixes(condition: *mut Expr, rti: u32, attno: i16, value: *mut Expr) -> bool {
    // SAFETY: nodes are cast by their tags.
    unsafe {
        let Some(operator) = node::cast::<pg_sys::OpExpr, _>(condition) else { return false };
        let args = node::list_vec::<pg_sys::Node>(operator.args);
        let [left, right] = args[..] else { return false };
        let column = match (is_column(left, rti, attno), is_column(right, rti, attno)) {
            (true, false) if pg_sys::equal(right.cast(), value.cast()) => left,
            (false, true) if pg_sys::equal(left.cast(), value.cast()) => right,
            _ => return false,
        };
        use pg_sys::NodeTag::{T_Const, T_Param};
        if !matches!(node::tag(value), T_Const | T_Param) {
            return false;
        }
        let type_oid = pg_sys::exprType(column);
        let entry = pg_sys::lookup_type_cache(type_oid, pg_sys::TYPECACHE_EQ_OPR as i32);
        pg_sys::exprType(value.cast()) == type_oid
            && operator.opno == (*entry).eq_opr
            && shard::equal_is_same(type_oid, operator.inputcollid)
    }
}

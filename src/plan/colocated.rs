//! Where two relations can be joined: on one server, or on every shard between rows that live there.
//!
//! Rows of two sharded tables match on the same placement when the join equates their sharding columns, both are
//! sharded by the same function of them, and placements of the same number are on the same server. NULL equals
//! nothing, so it does not matter where rows with NULL in the sharding column live; an outer join extends them
//! wherever they are.

use super::private::Placement;
use super::relinfo::RelInfo;
use crate::deparse::JoinKind;
use crate::pg::node;
use crate::shard::{self, ShardedTable};
use pgrx::pg_sys;

/// The placements of the join of `left` and `right`; `None` when it has to be computed here.
///
/// # Safety
/// `restrictions` is the planner's list for this join, `relids` the join's relations.
pub(super) unsafe fn placements(
    left: &RelInfo,
    right: &RelInfo,
    kind: JoinKind,
    restrictions: *mut pg_sys::List,
    relids: pg_sys::Relids,
) -> Option<Vec<Placement>> {
    if left.placements.len() != right.placements.len() {
        return None;
    }
    let pairs = || left.placements.iter().zip(&right.placements);
    if !pairs().all(|(a, b)| a.server == b.server) {
        return None;
    }
    // SAFETY: as the caller vouches.
    let by_key = || unsafe {
        is_by_key(left, right, kind, restrictions, relids) || is_at_one_key(left, right)
    };
    if left.placements.len() != 1 && !by_key() {
        return None;
    }
    let joined = |(a, b): (&Placement, &Placement)| Placement {
        server: a.server,
        tables: a.tables.iter().chain(&b.tables).copied().collect(),
    };
    Some(pairs().map(joined).collect())
}

/// Whether some condition of the join equates sharding columns of both sides.
unsafe fn is_by_key(
    left: &RelInfo,
    right: &RelInfo,
    kind: JoinKind,
    restrictions: *mut pg_sys::List,
    relids: pg_sys::Relids,
) -> bool {
    // SAFETY: planner data; nodes are cast by their tags.
    unsafe {
        node::list::<pg_sys::RestrictInfo>(restrictions).any(|clause| {
            // A condition above an outer join does not decide which rows match.
            if kind != JoinKind::Inner
                && kind != JoinKind::Semi
                && node::is_pushed_down(&*clause, relids)
            {
                return false;
            }
            let Some((a, b)) = equated((*clause).clause.cast()) else { return false };
            keys_agree(left, a, right, b) || keys_agree(left, b, right, a)
        })
    }
}

/// Whether both sides have rows of one and the same key only, that of a parameter. (PostgreSQL then drops the join's
/// condition, which both sides' own conditions imply.)
unsafe fn is_at_one_key(left: &RelInfo, right: &RelInfo) -> bool {
    // SAFETY: conditions of the query being planned.
    unsafe {
        let (ours, theirs) = (fixed(left), fixed(right));
        ours.iter().any(|&(a, value)| {
            theirs.iter().any(|&(b, other)| {
                a.vartype == b.vartype
                    && pg_sys::equal(value.cast(), other.cast())
                    && keys_agree(left, a, right, b)
            })
        })
    }
}

/// The conditions `column = value` that all rows of a side satisfy, where values that are equal are the same and the
/// value does not depend on the row.
unsafe fn fixed(info: &RelInfo) -> Vec<(&pg_sys::Var, *mut pg_sys::Node)> {
    // SAFETY: conditions of the query being planned.
    unsafe {
        let read = |&clause: &*mut pg_sys::RestrictInfo| {
            let operator = node::cast::<pg_sys::OpExpr, _>((*clause).clause)?;
            let args = node::list_vec::<pg_sys::Node>(operator.args);
            let [a, b] = args[..] else { return None };
            let (column, value) = match node::cast::<pg_sys::Var, _>(a) {
                Some(column) => (column, b),
                None => (node::cast::<pg_sys::Var, _>(b)?, a),
            };
            let entry = pg_sys::lookup_type_cache(column.vartype, pg_sys::TYPECACHE_EQ_OPR as i32);
            (operator.opno == (*entry).eq_opr
                && shard::equal_is_same(column.vartype, operator.inputcollid)
                && pg_sys::pull_varnos(std::ptr::null_mut(), value).is_null()
                && !pg_sys::contain_volatile_functions(value)
                && !pg_sys::contain_subplans(value))
            .then_some((column, value))
        };
        info.deciding.iter().filter_map(read).collect()
    }
}

/// The two columns of `column = column`, when values that are equal are the same.
pub(super) unsafe fn equated<'a>(
    clause: *mut pg_sys::Node,
) -> Option<(&'a pg_sys::Var, &'a pg_sys::Var)> {
    // SAFETY: a valid expression of the query.
    unsafe {
        let operator = node::cast::<pg_sys::OpExpr, _>(clause)?;
        let args = node::list_vec::<pg_sys::Node>(operator.args);
        let [a, b] = args[..] else { return None };
        let a = node::cast::<pg_sys::Var, _>(a)?;
        let b = node::cast::<pg_sys::Var, _>(b)?;
        let entry = pg_sys::lookup_type_cache(a.vartype, pg_sys::TYPECACHE_EQ_OPR as i32);
        (a.vartype == b.vartype
            && operator.opno == (*entry).eq_opr
            && shard::equal_is_same(a.vartype, operator.inputcollid))
        .then_some((a, b))
    }
}

/// Whether `a` is a sharding column of the left side and `b` one of the right side, of tables that are distributed
/// alike over the placements in question.
fn keys_agree(left: &RelInfo, a: &pg_sys::Var, right: &RelInfo, b: &pg_sys::Var) -> bool {
    let of = |info: &RelInfo, var: &pg_sys::Var| {
        info.distribution
            .iter()
            .find(|(_, rti)| var.varno as u32 == *rti && var.varlevelsup == 0)
            .map(|(table, _)| std::rc::Rc::clone(table))
    };
    let (Some(ours), Some(theirs)) = (of(left, a), of(right, b)) else { return false };
    ours.agrees_with(a.varattno, &theirs, b.varattno)
        && left.placements.iter().zip(&right.placements).all(|(x, y)| {
            let number = numbered(&ours, x);
            number.is_some() && number == numbered(&theirs, y)
        })
}

/// The number that a placement has in `table`.
fn numbered(table: &ShardedTable, placement: &Placement) -> Option<usize> {
    placement.tables.iter().find_map(|&relid| table.number_of(relid))
}

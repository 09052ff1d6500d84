//! Sorted streams of several placements, merged here into one.
//!
//! Each shard must sort exactly as this server would: a stream that came in another order would be merged wrongly,
//! and so would a join or a grouping above it be. So a key is one of the built-in types below, in its default order, and
//! what has a collation is sorted by "C", "POSIX" or the database's default one, which the statement then says itself: how
//! a column is declared on the shard does not matter. That each database means the same by it is asked of the servers:
//! see session/likeness.rs.

use crate::deparse::{self, SortKey};
use crate::pg::node;
use crate::settings;
use pgrx::pg_sys;
use pgrx::pg_sys::Oid;

/// One key by which execution merges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeKey {
    /// The column of the scan's rows, from 1.
    pub column: i32,
    /// The `<` or `>` of the order.
    pub operator: Oid,
    /// The collation, where the type has one.
    pub collation: Oid,
    /// NULLs come first.
    pub nulls_first: bool,
}

impl MergeKey {
    /// As plain numbers, for plans.
    pub fn to_numbers(&self) -> [i32; 4] {
        let oid = |oid: Oid| oid.to_u32().cast_signed();
        [self.column, oid(self.operator), oid(self.collation), i32::from(self.nulls_first)]
    }

    /// Back from [`MergeKey::to_numbers`].
    pub fn from_numbers(numbers: &[i32]) -> Option<MergeKey> {
        let &[column, operator, collation, nulls_first] = numbers else { return None };
        let oid = |number: i32| Oid::from(number.cast_unsigned());
        let (operator, collation) = (oid(operator), oid(collation));
        Some(MergeKey { column, operator, collation, nulls_first: nulls_first != 0 })
    }
}

/// Whether streams that are sorted by `keys` can be merged here.
///
/// # Safety
/// The keys are valid expressions of the query being planned.
pub(super) unsafe fn can_merge(keys: &[SortKey]) -> bool {
    // SAFETY: as the caller vouches.
    settings::enable_ordered_merge() && keys.iter().all(|key| unsafe { is_same_everywhere(key) })
}

unsafe fn is_same_everywhere(key: &SortKey) -> bool {
    // SAFETY: catalog look-ups.
    unsafe {
        let (mut left, mut right) = (Oid::INVALID, Oid::INVALID);
        pg_sys::op_input_types(key.operator, &raw mut left, &raw mut right);
        let flags = pg_sys::TYPECACHE_LT_OPR | pg_sys::TYPECACHE_GT_OPR;
        let entry = pg_sys::lookup_type_cache(left, flags as i32);
        if left != right || ((*entry).lt_opr != key.operator && (*entry).gt_opr != key.operator) {
            return false;
        }
        let collation = pg_sys::exprCollation(key.expr.cast());
        match left {
            pg_sys::TEXTOID | pg_sys::BPCHAROID => deparse::sort_collation(collation).is_some(),
            pg_sys::BOOLOID
            | pg_sys::CHAROID
            | pg_sys::INT2OID
            | pg_sys::INT4OID
            | pg_sys::INT8OID
            | pg_sys::OIDOID
            | pg_sys::FLOAT4OID
            | pg_sys::FLOAT8OID
            | pg_sys::NUMERICOID
            | pg_sys::DATEOID
            | pg_sys::TIMEOID
            | pg_sys::TIMETZOID
            | pg_sys::TIMESTAMPOID
            | pg_sys::TIMESTAMPTZOID
            | pg_sys::INTERVALOID
            | pg_sys::UUIDOID
            | pg_sys::BYTEAOID
            | pg_sys::MACADDROID
            | pg_sys::INETOID => collation == Oid::INVALID,
            _ => false,
        }
    }
}

/// How the shards sort, and whether their rows are merged so.
pub(super) struct Order {
    pub(super) keys: Vec<SortKey>,
    pub(super) merged: bool,
}

impl Order {
    /// The ORDER BY, and the keys of the merge: columns of the scan that are added where need be.
    ///
    /// # Safety
    /// As for [`can_merge`]; `tlist` is the scan's list of columns.
    pub(super) unsafe fn keys(
        mut self,
        tlist: &mut *mut pg_sys::List,
    ) -> (Vec<SortKey>, Vec<MergeKey>) {
        let mut merge = Vec::new();
        if self.merged {
            // SAFETY: as the caller vouches.
            merge = unsafe { prepare(&mut self.keys, tlist) };
        }
        (self.keys, merge)
    }
}

/// Has the shards sort by the very collations that the merge compares by, and gives the scan a column for each key: one
/// of `tlist`, or one that is added to it.
///
/// # Safety
/// As for [`can_merge`]; `tlist` is the scan's list of columns.
unsafe fn prepare(keys: &mut [SortKey], tlist: &mut *mut pg_sys::List) -> Vec<MergeKey> {
    // SAFETY: as the caller vouches.
    unsafe {
        let mut merge = Vec::with_capacity(keys.len());
        for key in keys {
            let collation = pg_sys::exprCollation(key.expr.cast());
            key.collate = deparse::sort_collation(collation);
            let entries = node::list_vec::<pg_sys::TargetEntry>(*tlist);
            let same = |entry: &&*mut pg_sys::TargetEntry| {
                pg_sys::equal((***entry).expr.cast(), key.expr.cast())
            };
            let entry = entries.iter().find(same).copied().unwrap_or_else(|| {
                let number = entries.len() as i16 + 1;
                let name = std::ptr::null_mut();
                let entry = pg_sys::makeTargetEntry(key.expr, number, name, false);
                *tlist = pg_sys::lappend(*tlist, entry.cast());
                entry
            });
            merge.push(MergeKey {
                column: i32::from((*entry).resno),
                operator: key.operator,
                collation,
                nulls_first: key.nulls_first,
            });
        }
        merge
    }
}

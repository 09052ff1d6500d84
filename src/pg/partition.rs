//! Partitioned tables: by what they are partitioned, and whether two are partitioned alike.

use super::compat;
use super::relation::Relation;
use pgrx::pg_sys::{self, Oid};
use std::slice;

/// pg_partitioned_table.h: columns of the catalog.
const STRATEGY: i16 = 2;
const COLUMNS: i16 = 5;
const CLASSES: i16 = 6;
const COLLATIONS: i16 = 7;

/// By what a table is partitioned.
pub struct PartitionKey {
    /// The columns' numbers; 0 for an expression.
    pub columns: Vec<i16>,
    /// Strategy, operator classes and collations.
    how: (u8, Vec<Oid>, Vec<Oid>),
}

/// The partition key of a relation; `None` for one that is no partitioned table.
pub fn key(relid: Oid) -> Option<PartitionKey> {
    let cache = pg_sys::SysCacheIdentifier::PARTRELID as i32;
    // SAFETY: the columns are NOT NULL and of the types they are read as; the tuple is pinned while they are.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(cache, pg_sys::Datum::from(relid));
        if tuple.is_null() {
            return None;
        }
        let read = |column: i16| {
            let mut null = false;
            pg_sys::SysCacheGetAttr(cache, tuple, column, &raw mut null)
        };
        let oids = |column: i16| {
            let vector = read(column).cast_mut_ptr::<pg_sys::oidvector>();
            slice::from_raw_parts((*vector).values.as_ptr(), (*vector).dim1 as usize).to_vec()
        };
        let vector = read(COLUMNS).cast_mut_ptr::<pg_sys::int2vector>();
        let columns =
            slice::from_raw_parts((*vector).values.as_ptr(), (*vector).dim1 as usize).to_vec();
        let how = (read(STRATEGY).value() as u8, oids(CLASSES), oids(COLLATIONS));
        pg_sys::ReleaseSysCache(tuple);
        Some(PartitionKey { columns, how })
    }
}

/// The partitions of two tables, in the same order, if both are partitioned by one column, `own` and `theirs`, of the
/// same type, in the same way and with the same bounds: what is a value's partition of one has the same place among
/// those of the other as that of the same value there.
pub fn alike(
    left: Oid,
    own: i16,
    right: Oid,
    theirs: i16,
) -> Option<impl Iterator<Item = (Oid, Oid)>> {
    let (ours, others) = (key(left)?, key(right)?);
    if ours.columns != [own] || others.columns != [theirs] || ours.how != others.how {
        return None;
    }
    let (left, right) = (open(left), open(right));
    // SAFETY: open relations that are partitioned, with columns of these numbers; the descriptions live as long as they
    // are open, and their arrays have `nparts` entries.
    unsafe {
        let column = compat::attribute(left.descriptor(), own as usize - 1);
        let other = compat::attribute(right.descriptor(), theirs as usize - 1);
        if (*column).atttypid != (*other).atttypid {
            return None;
        }
        let (mut length, mut by_value) = ((*column).attlen, (*column).attbyval);
        let a = pg_sys::RelationGetPartitionDesc(left.raw(), true);
        let b = pg_sys::RelationGetPartitionDesc(right.raw(), true);
        if (*a).nparts == 0
            || (*a).nparts != (*b).nparts
            || (*a).detached_exist
            || (*b).detached_exist
            || !pg_sys::partition_bounds_equal(
                1,
                &raw mut length,
                &raw mut by_value,
                (*a).boundinfo,
                (*b).boundinfo,
            )
        {
            return None;
        }
        let oids = |of: pg_sys::PartitionDesc| {
            slice::from_raw_parts((*of).oids, (*of).nparts as usize).to_vec()
        };
        Some(oids(a).into_iter().zip(oids(b)))
    }
}

/// A relation that the query has locked.
fn open(relid: Oid) -> Relation {
    Relation::open(relid, pg_sys::NoLock as i32)
}

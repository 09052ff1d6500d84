//! What two relations have in common: columns, generated or not; and which rows their triggers want to see.

use crate::pg::relation::Relation;
use crate::pg::{compat, text};
use pgrx::pg_sys;

/// Whether a trigger has to see each row that is updated.
pub(super) fn updates_row_by_row(relation: &Relation) -> bool {
    // SAFETY: the relation is open.
    unsafe {
        let triggers = (*relation.raw()).trigdesc;
        !triggers.is_null()
            && ((*triggers).trig_update_before_row || (*triggers).trig_update_after_row)
    }
}

/// Whether a trigger has to see each row that is deleted. (A row that an UPDATE moves is deleted, too.)
pub(super) fn deletes_row_by_row(relation: &Relation) -> bool {
    // SAFETY: the relation is open.
    unsafe {
        let triggers = (*relation.raw()).trigdesc;
        !triggers.is_null()
            && ((*triggers).trig_delete_before_row || (*triggers).trig_delete_after_row)
    }
}

/// Whether the same columns of both row types, which have the same numbers, are generated.
pub(super) unsafe fn same_generated(left: pg_sys::TupleDesc, right: pg_sys::TupleDesc) -> bool {
    // SAFETY: the caller hands valid row types with as many columns.
    (0..unsafe { (*left).natts } as usize).all(|index| unsafe {
        (*compat::attribute(left, index)).attgenerated
            == (*compat::attribute(right, index)).attgenerated
    })
}

/// Whether both row types have the same columns under the same numbers.
pub(super) unsafe fn same_columns(left: pg_sys::TupleDesc, right: pg_sys::TupleDesc) -> bool {
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

/// For each column of `child` the number of the column of that name in `parent`, 0 for none.
pub(super) unsafe fn columns_by_name(
    child: pg_sys::TupleDesc,
    parent: pg_sys::TupleDesc,
) -> Vec<i16> {
    // SAFETY: the caller hands valid row types; numbers are within them.
    unsafe {
        let name = |of, index| {
            let column = compat::attribute(of, index);
            (!(*column).attisdropped).then(|| text::from_server((*column).attname.data.as_ptr()))
        };
        let find = |wanted: String| {
            (0..(*parent).natts as usize)
                .find(|&index| name(parent, index).is_some_and(|own| own == wanted))
                .map_or(0, |index| index as i16 + 1)
        };
        (0..(*child).natts as usize).map(|index| name(child, index).map_or(0, find)).collect()
    }
}

pub(super) fn has_insert_triggers(relation: &Relation) -> bool {
    // SAFETY: the relation is open.
    unsafe {
        let triggers = (*relation.raw()).trigdesc;
        !triggers.is_null()
            && ((*triggers).trig_insert_before_row || (*triggers).trig_insert_after_row)
    }
}

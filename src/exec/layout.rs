//! From the layout of a parent's rows to that of a placement, and what both say of single columns.

use super::placement::Parent;
use crate::pg::compat;
use crate::shard::Member;
use pgrx::pg_sys;

/// How rows get from the parent's layout to the placement's and back.
pub struct Layout {
    slot: *mut pg_sys::TupleTableSlot,
    /// NULL when both are the same.
    to_child: *mut pg_sys::AttrMap,
    to_parent: *mut pg_sys::AttrMap,
    /// Columns that only the placement has, with their defaults.
    defaults: Vec<(usize, *mut pg_sys::ExprState)>,
}

impl Layout {
    /// In the current memory context.
    ///
    /// # Safety
    /// `relation` is the placement, open; the parent's statement is being executed.
    pub unsafe fn new(member: &Member, relation: pg_sys::Relation, parent: &Parent) -> Layout {
        // SAFETY: the relations are open; maps have one entry per column of what they lead to.
        unsafe {
            let child = (*relation).rd_att;
            let slot = pg_sys::table_slot_create(relation, &raw mut (*parent.estate).es_tupleTable);
            let (mut to_child, mut to_parent) = (std::ptr::null_mut(), std::ptr::null_mut());
            let mut defaults = Vec::new();
            if !member.has_parents_layout() {
                let own = (*(*parent.result).ri_RelationDesc).rd_att;
                to_child = pg_sys::make_attrmap((*child).natts);
                to_parent = pg_sys::make_attrmap((*own).natts);
                for index in 0..(*child).natts as usize {
                    let column = compat::attribute(child, index);
                    let theirs = member.parent_column(index as i16 + 1);
                    if theirs > 0 {
                        *(*to_child).attnums.add(index) = theirs;
                        *(*to_parent).attnums.add(theirs as usize - 1) = index as i16 + 1;
                    } else if !(*column).attisdropped && (*column).attgenerated == 0 {
                        let default = pg_sys::build_column_default(relation, index as i32 + 1);
                        if !default.is_null() {
                            let state = pg_sys::ExecPrepareExpr(default.cast(), parent.estate);
                            defaults.push((index, state));
                        }
                    }
                }
            }
            Layout { slot, to_child, to_parent, defaults }
        }
    }

    /// The parent's row in the placement's slot.
    ///
    /// # Safety
    /// `slot` holds a row of the parent.
    pub unsafe fn fill(
        &self,
        slot: *mut pg_sys::TupleTableSlot,
        estate: *mut pg_sys::EState,
    ) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: the slots are of the layouts that the maps were made for.
        unsafe {
            if self.to_child.is_null() {
                return pg_sys::ExecCopySlot(self.slot, slot);
            }
            pg_sys::execute_attr_map_slot(self.to_child, slot, self.slot);
            if self.defaults.is_empty() {
                return self.slot;
            }
            let mut context = (*estate).es_per_tuple_exprcontext;
            if context.is_null() {
                context = pg_sys::MakePerTupleExprContext(estate);
            }
            for &(index, state) in &self.defaults {
                let null = (*self.slot).tts_isnull.add(index);
                *(*self.slot).tts_values.add(index) =
                    pg_sys::ExecEvalExprSwitchContext(state, context, null);
            }
            // The values live in memory that the next evaluation may take.
            pg_sys::ExecMaterializeSlot(self.slot);
            self.slot
        }
    }

    /// The placement's row in the parent's slot.
    ///
    /// # Safety
    /// `row` holds a row of the placement, `slot` is of the parent.
    pub unsafe fn give_back(
        &self,
        row: *mut pg_sys::TupleTableSlot,
        slot: *mut pg_sys::TupleTableSlot,
    ) {
        // SAFETY: as for `fill`.
        unsafe {
            if self.to_parent.is_null() {
                pg_sys::ExecCopySlot(slot, row);
                return;
            }
            pg_sys::execute_attr_map_slot(self.to_parent, row, slot);
            (*slot).tts_tid = (*row).tts_tid;
            pg_sys::ExecMaterializeSlot(slot);
        }
    }
}

/// Whether some column is computed when it is read (from PostgreSQL 18 on).
///
/// # Safety
/// The relation is open.
pub unsafe fn has_virtual_columns(relation: pg_sys::Relation) -> bool {
    // SAFETY: the relation is open.
    unsafe {
        let descriptor = (*relation).rd_att;
        (0..(*descriptor).natts as usize)
            .any(|index| (*compat::attribute(descriptor, index)).attgenerated as u8 == b'v')
    }
}

/// The columns of an open relation that may not be NULL, from 0; not those that are computed when they are read.
///
/// # Safety
/// The relation is open.
pub unsafe fn not_null_columns(relation: pg_sys::Relation) -> Vec<usize> {
    // SAFETY: as the caller vouches; numbers are within the row type.
    unsafe {
        let descriptor = (*relation).rd_att;
        if (*descriptor).constr.is_null() || !(*(*descriptor).constr).has_not_null {
            return Vec::new();
        }
        (0..(*descriptor).natts as usize)
            .filter(|&index| {
                let column = compat::attribute(descriptor, index);
                (*column).attnotnull && (*column).attgenerated as u8 != b'v'
            })
            .collect()
    }
}

/// Whether one of these columns (from 0) is NULL in a slot.
///
/// # Safety
/// The slot holds a row that has the columns.
pub unsafe fn has_null(slot: *mut pg_sys::TupleTableSlot, columns: &[usize]) -> bool {
    // SAFETY: as the caller vouches.
    unsafe {
        pg_sys::slot_getallattrs(slot);
        columns.iter().any(|&index| *(*slot).tts_isnull.add(index))
    }
}

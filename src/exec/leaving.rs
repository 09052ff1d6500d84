//! The row triggers of a placement that a row leaves: as in PostgreSQL, the UPDATE has become a DELETE there and an INSERT
//! elsewhere. BEFORE UPDATE triggers have fired by then; those BEFORE and AFTER DELETE fire now, and those AFTER UPDATE
//! must not.

use crate::pg::compat::triggers;
use pgrx::pg_sys;

/// The triggers of one result relation.
pub struct Leaving {
    estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    /// A copy that the executor is made to see, where there are triggers AFTER UPDATE.
    own: *mut pg_sys::TriggerDesc,
}

impl Leaving {
    /// For `result`; in the current memory context.
    ///
    /// # Safety
    /// `result` is an initialised result relation of `estate`, a foreign table, that an UPDATE changes.
    pub unsafe fn new(estate: *mut pg_sys::EState, result: *mut pg_sys::ResultRelInfo) -> Leaving {
        let mut own = std::ptr::null_mut();
        // SAFETY: as the caller vouches; a plain copy of the struct.
        unsafe {
            let triggers = (*result).ri_TrigDesc;
            if triggers.as_ref().is_some_and(|triggers| triggers.trig_update_after_row) {
                own = pg_sys::palloc(size_of::<pg_sys::TriggerDesc>()).cast();
                *own = *triggers;
                (*result).ri_TrigDesc = own;
            }
        }
        Leaving { estate, result, own }
    }

    /// Another row is being updated: when it stays, triggers AFTER UPDATE fire.
    pub fn stays(&self) {
        // SAFETY: the copy lives as long as the statement.
        if let Some(own) = unsafe { self.own.as_mut() } {
            own.trig_update_after_row = true;
        }
    }

    /// The row is leaving: fires triggers BEFORE DELETE; false when one of them keeps it.
    ///
    /// # Safety
    /// `plan_slot` is the executor's for the row; the statement is in execution.
    pub unsafe fn before(&self, plan_slot: *mut pg_sys::TupleTableSlot) -> bool {
        // SAFETY: as the caller vouches; the copy is ours.
        unsafe {
            if let Some(own) = self.own.as_mut() {
                own.trig_update_after_row = false;
            }
            let fires = |triggers: &pg_sys::TriggerDesc| triggers.trig_delete_before_row;
            if !(*self.result).ri_TrigDesc.as_ref().is_some_and(fires) {
                return true;
            }
            let mut row = self.old_row(plan_slot);
            triggers::before_delete(self.estate, self.result, &raw mut row)
        }
    }

    /// The row has left: triggers AFTER DELETE will fire at the end of the statement.
    ///
    /// # Safety
    /// As for [`Leaving::before`].
    pub unsafe fn after(&self, plan_slot: *mut pg_sys::TupleTableSlot) {
        // SAFETY: as the caller vouches.
        unsafe {
            let fires = |triggers: &pg_sys::TriggerDesc| triggers.trig_delete_after_row;
            if !(*self.result).ri_TrigDesc.as_ref().is_some_and(fires) {
                return;
            }
            let mut row = self.old_row(plan_slot);
            let (tid, capture) = (std::ptr::null_mut(), std::ptr::null_mut());
            let (estate, result) = (self.estate, self.result);
            pg_sys::ExecARDeleteTriggers(estate, result, tid, &raw mut row, capture, false);
        }
    }

    /// The row as it was: the executor's whole-row column, which an UPDATE of a foreign table always has.
    unsafe fn old_row(&self, plan_slot: *mut pg_sys::TupleTableSlot) -> pg_sys::HeapTupleData {
        // SAFETY: the column holds a row of the relation.
        unsafe {
            let mut null = false;
            let position = i32::from((*self.result).ri_RowIdAttNo);
            let value = pg_sys::slot_getattr(plan_slot, position, &raw mut null);
            let header = pg_sys::pg_detoast_datum(value.cast_mut_ptr());
            // No place here, as the executor has it.
            let nowhere = pg_sys::BlockIdData { bi_hi: u16::MAX, bi_lo: u16::MAX };
            pg_sys::HeapTupleData {
                t_len: pgrx::varlena::varsize_any(header) as u32,
                t_self: pg_sys::ItemPointerData { ip_blkid: nowhere, ip_posid: 0 },
                t_tableOid: (*(*self.result).ri_RelationDesc).rd_id,
                t_data: header.cast(),
            }
        }
    }
}

//! RecheckForeignScan: EvalPlanQual evaluates a query again, here, for one row that has changed.
//!
//! A join is computed by the local plan below its scan. A sharded table's row is the one that the plan carried along as
//! a whole; its system columns came in columns of their own. A base relation of PostgreSQL's own kind never comes
//! here with anything to do: the executor itself takes its row and evaluates the conditions.

use super::foreign_scan;
use crate::error::Failure;
use crate::pg::node;
use crate::pg::relation::Relation;
use crate::plan::private::ScanPlan;
use crate::plan::row_marks;
use pgrx::pg_sys;
use pgrx::pg_sys::{Datum, Oid};
use std::ffi::CString;

/// RecheckForeignScan.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn recheck(
    node: *mut pg_sys::ForeignScanState,
    slot: *mut pg_sys::TupleTableSlot,
) -> Result<bool, Failure> {
    // SAFETY: as the caller vouches; a join that may be rechecked was planned with a local plan below it.
    unsafe {
        let scan = (*node).ss.ps.plan.cast::<pg_sys::ForeignScan>();
        if (*scan).scan.scanrelid > 0 {
            return Ok(true);
        }
        let outer = (*node).ss.ps.lefttree;
        if !outer.is_null() {
            let result = pg_sys::ExecProcNode(outer);
            if is_empty(result) {
                return Ok(false);
            }
            pg_sys::ExecCopySlot(slot, result);
            return Ok(true);
        }
        let epq = (*(*node).ss.ps.state).es_epq_active;
        let parent = sharded_table(scan)?;
        let rti = pg_sys::bms_next_member((*scan).fs_relids, -1);
        if let (Some(parent), Ok(index)) = (parent, usize::try_from(rti - 1))
            && !(*(*epq).relsubs_rowmark.add(index)).is_null()
        {
            // As ExecScanFetch does: the one row is given out once.
            let done = (*epq).relsubs_done.add(index);
            return Ok(
                !std::mem::replace(&mut *done, true) && copy_row(epq, scan, parent, index, slot)
            );
        }
        // Not part of what is evaluated again (below a sub-query): its rows are read as always.
        Ok(!is_empty(foreign_scan::iterate(node)?))
    }
}

/// The sharded table whose rows, and nothing else, the scan gives out.
unsafe fn sharded_table(scan: *mut pg_sys::ForeignScan) -> Result<Option<Oid>, Failure> {
    // SAFETY: a plan of ours.
    let plan = unsafe { ScanPlan::from_list((*scan).fdw_private)? };
    Ok(match plan.parents[..] {
        [parent] if plan.relations.len() == 1 => Some(parent),
        _ => None,
    })
}

unsafe fn is_empty(slot: *mut pg_sys::TupleTableSlot) -> bool {
    // SAFETY: NULL or a valid slot.
    unsafe { slot.is_null() || (*slot).tts_flags & pg_sys::TTS_FLAG_EMPTY as u16 != 0 }
}

/// Stores the row that the row mark carries, if there is one (an outer join may have none).
unsafe fn copy_row(
    epq: *mut pg_sys::EPQState,
    scan: *mut pg_sys::ForeignScan,
    parent: Oid,
    index: usize,
    slot: *mut pg_sys::TupleTableSlot,
) -> bool {
    // SAFETY: an EvalPlanQual in progress; the parent is locked by the statement. What the values point to is the
    // row that EvalPlanQual was started for, or a copy of it in the current memory context.
    unsafe {
        let relation = Relation::open(parent, pg_sys::NoLock as i32);
        let descriptor = relation.descriptor();
        let whole = pg_sys::MakeSingleTupleTableSlot(descriptor, &raw const pg_sys::TTSOpsVirtual);
        let found = pg_sys::EvalPlanQualFetchRowMark(epq, index as u32 + 1, whole);
        pg_sys::ExecClearTuple(slot);
        if found && !is_empty(whole) {
            let entries = node::list_vec::<pg_sys::TargetEntry>((*scan).fdw_scan_tlist);
            for (i, entry) in entries.into_iter().enumerate() {
                let value = node::cast::<pg_sys::Var, _>((*entry).expr)
                    .and_then(|var| column(epq, whole, index, var.varattno));
                *(*slot).tts_isnull.add(i) = value.is_none();
                *(*slot).tts_values.add(i) = value.unwrap_or(Datum::null());
            }
            pg_sys::ExecStoreVirtualTuple(slot);
        }
        pg_sys::ExecDropSingleTupleTableSlot(whole);
        !is_empty(slot)
    }
}

/// A column of the row: a system column from the junk column that carries it, the whole row from the row mark's.
unsafe fn column(
    epq: *mut pg_sys::EPQState,
    whole: *mut pg_sys::TupleTableSlot,
    index: usize,
    attno: i16,
) -> Option<Datum> {
    // SAFETY: as in `copy_row`; attribute numbers are of the parent's row type.
    unsafe {
        if attno > 0 {
            let column = attno as usize - 1;
            let is_null = *(*whole).tts_isnull.add(column);
            return (!is_null).then(|| *(*whole).tts_values.add(column));
        }
        let mark = *(*epq).relsubs_rowmark.add(index);
        let mut junk = (*mark).wholeAttNo;
        if attno < 0 {
            let id = (*(*mark).rowmark).rowmarkId;
            let name = CString::new(row_marks::system_column_name(id, attno)).ok()?;
            junk = pg_sys::ExecFindJunkAttributeInTlist((*(*epq).plan).targetlist, name.as_ptr());
        }
        if junk <= 0 {
            return None;
        }
        let mut null = false;
        let value = pg_sys::slot_getattr((*epq).origslot, i32::from(junk), &raw mut null);
        (!null).then_some(value)
    }
}

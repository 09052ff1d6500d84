//! Row marks: what a query locks, and how its rows are found again when one of them has changed (EvalPlanQual).

use super::{sharded, targets};
use crate::deparse::{LockStrength, LockWait, Locking};
use crate::pg::{node, text};
use pgrx::pg_sys;
use pgrx::pg_sys::{CmdType, RowMarkType};

/// The locks that the query wants on rows of these tables: those of row marks, or FOR UPDATE on the target of an
/// UPDATE or DELETE, whose rows are found again by ctid.
///
/// # Safety
/// `root` is a planner's root.
pub(super) unsafe fn locks(root: *mut pg_sys::PlannerInfo, tables: &[u32]) -> Vec<Locking> {
    // SAFETY: as the caller vouches.
    tables.iter().filter_map(|&rti| unsafe { lock(root, rti) }).collect()
}

unsafe fn lock(root: *mut pg_sys::PlannerInfo, rti: u32) -> Option<Locking> {
    use pg_sys::{LockClauseStrength as Strength, LockWaitPolicy as Wait};
    // SAFETY: planner data.
    unsafe {
        let changes = matches!(
            (*(*root).parse).commandType,
            CmdType::CMD_UPDATE | CmdType::CMD_DELETE | CmdType::CMD_MERGE
        );
        if changes && pg_sys::bms_is_member(rti as i32, (*root).all_result_relids) {
            return Some(Locking { rti, strength: LockStrength::Update, wait: LockWait::Wait });
        }
        let mark = mark_of(root, rti)?;
        let strength = match (*mark).strength {
            Strength::LCS_FORUPDATE => LockStrength::Update,
            Strength::LCS_FORNOKEYUPDATE => LockStrength::NoKeyUpdate,
            Strength::LCS_FORSHARE => LockStrength::Share,
            Strength::LCS_FORKEYSHARE => LockStrength::KeyShare,
            _ => return None,
        };
        let wait = match (*mark).waitPolicy {
            Wait::LockWaitError => LockWait::NoWait,
            Wait::LockWaitSkip => LockWait::SkipLocked,
            _ => LockWait::Wait,
        };
        Some(Locking { rti, strength, wait })
    }
}

unsafe fn mark_of(root: *mut pg_sys::PlannerInfo, rti: u32) -> Option<*mut pg_sys::PlanRowMark> {
    // SAFETY: planner data.
    unsafe { node::list::<pg_sys::PlanRowMark>((*root).rowMarks).find(|&mark| (*mark).rti == rti) }
}

/// Whether a row that has changed meanwhile can be found here, so that the query is evaluated again for it: rows of
/// foreign tables are locked and looked at again on their shards. So are those of a sharded parent that is to be changed
/// as a whole: else the query is planned again.
///
/// # Safety
/// `root` is a planner's root.
pub(super) unsafe fn may_recheck(root: *mut pg_sys::PlannerInfo) -> bool {
    // SAFETY: as the caller vouches.
    unsafe {
        if targets::changes_virtual(root) {
            return false;
        }
        (*(*root).parse).commandType != CmdType::CMD_SELECT
            || node::list::<pg_sys::PlanRowMark>((*root).rowMarks).any(|mark| {
                let entry = *(*root).simple_rte_array.add((*mark).rti as usize);
                (*mark).markType != RowMarkType::ROW_MARK_COPY
                    && (*entry).relkind as u8 != sharded::MARKED
            })
    }
}

/// Completes the row mark of a foreign table, or of a sharded parent that was planned as a plain table. Its rows are
/// not read again by ctid: where the query may have to be evaluated again the whole row travels with the plan's rows.
/// Must run before the planner builds the target lists of base relations.
///
/// # Safety
/// `root` is a planner's root whose target list has been prepared; `rti` is a base relation of it.
pub(super) unsafe fn complete(root: *mut pg_sys::PlannerInfo, rti: u32) {
    // SAFETY: as the caller vouches; the entry was made for this query.
    unsafe {
        let Some(mark) = mark_of(root, rti) else { return };
        let again = may_recheck(root);
        let was_plain = (*mark).markType != RowMarkType::ROW_MARK_COPY;
        if again && !was_plain {
            return;
        }
        (*mark).markType = RowMarkType::ROW_MARK_COPY;
        (*mark).allMarkTypes = 1 << RowMarkType::ROW_MARK_COPY;
        let id = (*mark).rowmarkId;
        let (ctid, whole) = (format!("ctid{id}"), format!("wholerow{id}"));
        let entry = *(*root).simple_rte_array.add(rti as usize);
        for target in node::list::<pg_sys::TargetEntry>((*root).processed_tlist) {
            if !(*target).resjunk
                || (*target).resname.is_null()
                || node::cast::<pg_sys::Var, _>((*target).expr)
                    .is_none_or(|var| var.varno as u32 != rti)
            {
                continue;
            }
            let name = text::from_server((*target).resname);
            if name == ctid || name == whole {
                let row = pg_sys::makeWholeRowVar(entry, rti as i32, 0, false);
                (*target).expr = if again {
                    row.cast()
                } else {
                    // The executor wants to see the column, but nobody will read it.
                    pg_sys::makeNullConst((*row).vartype, -1, pg_sys::InvalidOid).cast()
                };
                (*target).resname = text::to_server(&whole);
            }
        }
        if again {
            carry_system_columns(root, rti, id);
        }
    }
}

/// The copy of a row has no system columns: those that the query mentions travel in columns of their own.
unsafe fn carry_system_columns(root: *mut pg_sys::PlannerInfo, rti: u32, id: u32) {
    // SAFETY: as for `complete`.
    unsafe {
        let parse = (*root).parse;
        let mut attrs = std::ptr::null_mut();
        let (targets, tables) = ((*root).processed_tlist.cast(), (*parse).jointree.cast());
        // RETURNING and MERGE may have found a column they need in the one that was replaced.
        let (actions, returned) = ((*parse).mergeActionList.cast(), (*parse).returningList.cast());
        for part in [targets, tables, actions, returned] {
            pg_sys::pull_varattnos(part, rti, &raw mut attrs);
        }
        for attnum in pg_sys::FirstLowInvalidHeapAttributeNumber + 1..0 {
            if !node::has_attribute(attrs, attnum) {
                continue;
            }
            let (attno, typmod, none) = (attnum as i16, -1, pg_sys::InvalidOid);
            let type_oid = (*pg_sys::SystemAttributeDefinition(attno)).atttypid;
            let var = pg_sys::makeVar(rti as i32, attno, type_oid, typmod, none, 0);
            let tlist = (*root).processed_tlist;
            let number = node::list_vec::<pg_sys::Node>(tlist).len() as i16 + 1;
            let name = text::to_server(&system_column_name(id, attno));
            let target = pg_sys::makeTargetEntry(var.cast(), number, name, true);
            (*root).processed_tlist = pg_sys::lappend(tlist, target.cast());
        }
    }
}

/// The junk column with a system column of the table whose row mark is `id`.
pub fn system_column_name(id: u32, attno: i16) -> String {
    format!("shard_fdw{id}_{}", -attno)
}

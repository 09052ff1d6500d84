//! UPDATE and DELETE of a sharded parent, row by row, as one foreign relation: what may be done that way, and what
//! planning hands to execution.
//!
//! The rows that one scan of the whole table finds bear the placement they are from besides their identity there (see
//! row_identity.rs). Execution sends each change to that placement; see exec/sharded_change.rs.

use super::modify;
use super::private::{Reader, Writer};
use crate::error::Failure;
use crate::pg::relation::Relation;
use crate::pg::{functions, node};
use crate::shard::ShardedTable;
use pgrx::pg_sys;
use pgrx::pg_sys::{CmdType, TargetEntry};

/// A change of a sharded parent, as execution needs it.
#[derive(Clone, Debug)]
pub struct ChangePlan {
    /// The columns that are set.
    pub targets: Vec<i32>,
    /// Whether each change is to be done before the next row is looked at: something could see it.
    pub single: bool,
    /// Whether rows may get another place.
    pub moves: bool,
}

impl ChangePlan {
    /// As one element of `fdwPrivLists` of a ModifyTable.
    ///
    /// # Safety
    /// In planner context.
    unsafe fn to_list(&self) -> *mut pg_sys::List {
        // SAFETY: list and node makers only allocate.
        unsafe {
            let mut out = Writer::new();
            out.integers(self.targets.iter().copied());
            out.integer(i32::from(self.single));
            out.integer(i32::from(self.moves));
            out.finish()
        }
    }

    /// From one element of `fdwPrivLists`.
    ///
    /// # Safety
    /// `list` was made by planning a change of a sharded parent, possibly copied since.
    pub unsafe fn from_list(list: *mut pg_sys::List) -> Result<ChangePlan, Failure> {
        // SAFETY: as the caller vouches; Reader checks lengths.
        unsafe {
            let mut list = Reader::new(list);
            Ok(ChangePlan {
                targets: list.integers()?,
                single: list.integer()? != 0,
                moves: list.integer()? != 0,
            })
        }
    }
}

/// PlanForeignModify of a sharded parent that was made one foreign relation: NIL when its rows cannot be changed that
/// way, so that the statement is planned child by child.
///
/// # Safety
/// Arguments as fdwhandler.sgml says; `table` is what the result relation is.
pub(super) unsafe fn plan(
    root: *mut pg_sys::PlannerInfo,
    plan: *mut pg_sys::ModifyTable,
    result: pg_sys::Index,
    table: &ShardedTable,
) -> Result<*mut pg_sys::List, Failure> {
    // SAFETY: as the caller vouches; the rewriter has locked the relation.
    unsafe {
        let operation = (*plan).operation;
        if !matches!(operation, CmdType::CMD_UPDATE | CmdType::CMD_DELETE)
            || !has_row_identity((*(*plan).plan.lefttree).targetlist, operation)
        {
            return Ok(std::ptr::null_mut());
        }
        let (mut targets, mut moves) = (Vec::new(), false);
        if operation == CmdType::CMD_UPDATE {
            let relation = Relation::open(table.parent, pg_sys::NoLock as i32);
            targets = modify::updated_columns(root, result, &relation);
            moves = targets.iter().any(|&attnum| {
                i16::try_from(attnum).is_ok_and(|attno| table.distributes_by(attno))
            });
        }
        let single = functions::calls_volatile_of_users((*root).glob, root);
        Ok(ChangePlan { targets, single, moves }.to_list())
    }
}

/// Whether the plan's rows have all that is needed to find and change them.
unsafe fn has_row_identity(targets: *mut pg_sys::List, operation: CmdType::Type) -> bool {
    use super::row_identity::{PLACEMENT, WHOLE_ROW, junk_column};
    // SAFETY: the target list of a finished plan.
    unsafe {
        let has = |name: &std::ffi::CStr| {
            pg_sys::ExecFindJunkAttributeInTlist(targets, name.as_ptr()) > 0
        };
        node::list::<TargetEntry>(targets).count() > 0
            && has(c"ctid")
            && has(PLACEMENT)
            && junk_column(targets) > 0
            && (operation == CmdType::CMD_DELETE || has(WHOLE_ROW))
    }
}

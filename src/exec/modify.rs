//! INSERT, UPDATE and DELETE of foreign tables, row by row and in batches.

use super::conflict::Upsert;
use super::destination::Destination;
use super::early;
use super::modify_state::ModifyState;
use super::movement::{self, Watch};
use super::own_routine;
use super::sharded_change::ShardedChange;
use super::sharded_insert::ShardedState;
use crate::error::{Failure, SqlState};
use crate::options::load;
use crate::pg::{exec_node, memory};
use crate::plan::private::ModifyPlan;
use crate::plan::row_identity;
use pgrx::pg_sys;
use pgrx::pg_sys::CmdType;

/// What a result relation's `ri_FdwState` points to.
pub enum State {
    /// A foreign table.
    Plain(Box<ModifyState>),
    /// One whose rows an UPDATE may take to another place.
    Watched(Box<ModifyState>, Box<Watch>),
    /// A sharded parent that the executor takes for one: see sharded_result.rs.
    Sharded(Box<ShardedState>),
    /// One whose rows are changed.
    Changed(Box<ShardedChange>),
}

/// The state of a result relation of ours; `None` for EXPLAIN without ANALYZE of a plain foreign table.
///
/// # Safety
/// `result` is a result relation of ours; the reference must not outlive the callback.
pub unsafe fn state<'a>(result: *mut pg_sys::ResultRelInfo) -> Option<&'a mut State> {
    // SAFETY: ri_FdwState is NULL or ours.
    unsafe { (*result).ri_FdwState.cast::<State>().as_mut() }
}

unsafe fn plain<'a>(result: *mut pg_sys::ResultRelInfo) -> Result<&'a mut ModifyState, Failure> {
    // SAFETY: as the caller vouches.
    match unsafe { state(result) } {
        Some(State::Plain(state) | State::Watched(state, _)) => Ok(state),
        _ => Err(Failure::internal("a modification was not begun")),
    }
}

unsafe fn keep(
    estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    state: ModifyState,
) {
    // SAFETY: the state goes with the query's memory.
    unsafe {
        let state = State::Plain(Box::new(state));
        (*result).ri_FdwState = memory::give((*estate).es_query_cxt, state).cast();
    }
}

/// BeginForeignModify.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn begin(
    node: *mut pg_sys::ModifyTableState,
    result: *mut pg_sys::ResultRelInfo,
    private: *mut pg_sys::List,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let estate = (*node).ps.state;
        let operation = (*node).operation;
        let plan = ModifyPlan::from_list(private)?;
        let conflict = plan.conflict.clone();
        let watch = match operation {
            CmdType::CMD_UPDATE => Watch::new(estate, result, &plan.targets)?,
            _ => None,
        };
        let mut state = ModifyState::new(&Destination::of(estate, result), plan, operation)?;
        if let Some(plan) = conflict {
            state.upsert = Some(Upsert::new(node, plan, Upsert::values_of(node))?);
        }
        if operation != CmdType::CMD_INSERT {
            let targets = (*(*(*node).ps.lefttree).plan).targetlist;
            state.identity = [
                pg_sys::ExecFindJunkAttributeInTlist(targets, c"ctid".as_ptr()),
                row_identity::junk_column(targets),
            ];
            if state.identity.contains(&0) {
                return Err(Failure::internal(
                    "could not find a row's identity among junk columns",
                ));
            }
        }
        if operation != CmdType::CMD_INSERT && needs_no_answers(node, result) {
            // The order among several tables is to be kept.
            let together = (*node).mt_nrels == 1
                && !(*(*estate).es_plannedstmt).hasModifyingCTE
                && !matches!(watch, Some(Watch::Moves(_)))
                && !early::any_late(estate);
            state.run_behind(together);
        }
        let state = match watch {
            Some(watch) => State::Watched(Box::new(state), Box::new(watch)),
            None => State::Plain(Box::new(state)),
        };
        (*result).ri_FdwState = memory::give((*estate).es_query_cxt, state).cast();
        Ok(())
    }
}

/// Whether rows can be changed without waiting for each answer: nothing here depends on them, and the end of the
/// statement will be known in time.
unsafe fn needs_no_answers(
    node: *mut pg_sys::ModifyTableState,
    result: *mut pg_sys::ResultRelInfo,
) -> bool {
    // SAFETY: an initialised result relation of a node that is being initialised.
    unsafe {
        let plan = (*node).ps.plan.cast::<pg_sys::ModifyTable>();
        (*plan).returningLists.is_null()
            && (*plan).withCheckOptionLists.is_null()
            && (*node).mt_transition_capture.is_null()
            && (*result).ri_TrigDesc.as_ref().is_none_or(|triggers| {
                !triggers.trig_update_before_row
                    && !triggers.trig_update_after_row
                    && !triggers.trig_delete_before_row
                    && !triggers.trig_delete_after_row
            })
            && exec_node::call_at_end(node, settle)
    }
}

/// At the end of an UPDATE or DELETE: waits for what was not waited for, and has the command tag count the rows that were
/// really changed.
unsafe fn settle(node: *mut pg_sys::ModifyTableState) -> Result<(), Failure> {
    // SAFETY: the node is in execution; its result relations are an array of so many.
    unsafe {
        for index in 0..(*node).mt_nrels as usize {
            let result = (*node).resultRelInfo.add(index);
            let Some(routine) = (*result).ri_FdwRoutine.as_ref() else { continue };
            // Another wrapper's state, or one that is none of these.
            if (*result).ri_usesFdwDirectModify || !own_routine::is_own(routine) {
                continue;
            }
            let changed = match state(result) {
                Some(State::Plain(state) | State::Watched(state, _)) => state.settle()?,
                _ => 0,
            };
            if (*node).canSetTag {
                (*(*node).ps.state).es_processed += changed;
            }
        }
        Ok(())
    }
}

/// ExecForeignInsert.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn insert_one(
    _estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
) -> Result<*mut pg_sys::TupleTableSlot, Failure> {
    // SAFETY: as the caller vouches.
    let inserted = unsafe {
        match state(result) {
            Some(State::Sharded(state)) => state.insert_one(slot)?,
            _ => plain(result)?.inserter().insert(&[slot])? > 0,
        }
    };
    Ok(if inserted { slot } else { std::ptr::null_mut() })
}

/// ExecForeignBatchInsert.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn insert_batch(
    _estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    slots: *mut *mut pg_sys::TupleTableSlot,
    count: *mut i32,
) -> Result<*mut *mut pg_sys::TupleTableSlot, Failure> {
    // SAFETY: as the caller vouches: `slots` has `count` slots.
    unsafe {
        let rows = std::slice::from_raw_parts(slots, *count as usize);
        let inserted = match state(result) {
            Some(State::Sharded(state)) => state.insert_batch(rows)?,
            _ => plain(result)?.inserter().insert(rows)?,
        };
        *count = inserted as i32;
        Ok(if inserted > 0 { slots } else { std::ptr::null_mut() })
    }
}

/// GetForeignModifyBatchSize: rows per statement. One where the statement must see its rows one by one.
///
/// # Safety
/// `result` is an initialised result relation of ours.
pub unsafe fn batch_size(result: *mut pg_sys::ResultRelInfo) -> Result<i32, Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let triggers = (*result).ri_TrigDesc;
        if !(*result).ri_projectReturning.is_null()
            || !(*result).ri_WithCheckOptions.is_null()
            || (!triggers.is_null()
                && ((*triggers).trig_insert_before_row || (*triggers).trig_insert_after_row))
        {
            return Ok(1);
        }
        if (*result).ri_FdwState.is_null() {
            // EXPLAIN without ANALYZE.
            return Ok(load::foreign_table((*(*result).ri_RelationDesc).rd_id)?.batch_size as i32);
        }
        let state = plain(result)?.inserter();
        state.batch_rows = state.most_rows();
        Ok(state.batch_rows as i32)
    }
}

/// ExecForeignUpdate and ExecForeignDelete.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn change(
    estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    plan_slot: *mut pg_sys::TupleTableSlot,
    operation: CmdType::Type,
) -> Result<*mut pg_sys::TupleTableSlot, Failure> {
    // SAFETY: as the caller vouches.
    let changed = unsafe {
        if operation == CmdType::CMD_UPDATE && !(*result).ri_WithCheckOptions.is_null() {
            // The executor leaves policies of row-level security to the wrapper.
            let policies = pg_sys::WCOKind::WCO_RLS_UPDATE_CHECK;
            pg_sys::ExecWithCheckOptions(policies, result, slot, estate);
        }
        match state(result) {
            Some(State::Changed(state)) => u64::from(state.change(slot, plan_slot)?),
            Some(State::Watched(state, watch)) => {
                let moved = match &mut **watch {
                    Watch::Moves(movement) => movement.run(slot, plan_slot, state.identity)?,
                    Watch::Keeps(keeper) if keeper.allows(slot) => None,
                    Watch::Keeps(_) => return Err(movement::out_of_place(result)),
                };
                match moved {
                    Some(moved) => moved,
                    None => state.change(slot, plan_slot, operation)?,
                }
            }
            _ => plain(result)?.change(slot, plan_slot, operation)?,
        }
    };
    Ok(if changed > 0 { slot } else { std::ptr::null_mut() })
}

/// EndForeignModify and EndForeignInsert. The state itself goes with the query's memory.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn end(result: *mut pg_sys::ResultRelInfo) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        match state(result) {
            Some(State::Sharded(state)) => {
                state.finish()?;
                state.end();
            }
            Some(State::Changed(state)) => state.end(),
            Some(State::Watched(_, watch)) => {
                if let Watch::Moves(movement) = &mut **watch {
                    movement.end();
                }
            }
            _ => {}
        }
        (*result).ri_FdwState = std::ptr::null_mut();
    }
    Ok(())
}

/// BeginForeignInsert: COPY FROM and rows that partition routing sends here.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn begin_insert(
    node: *mut pg_sys::ModifyTableState,
    result: *mut pg_sys::ResultRelInfo,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let estate = (*node).ps.state;
        let relation = (*result).ri_RelationDesc;
        let plan = (*node).ps.plan.cast::<pg_sys::ModifyTable>();
        let updates = !plan.is_null() && (*plan).operation == CmdType::CMD_UPDATE;
        let changed = (*result).ri_usesFdwDirectModify || !(*result).ri_FdwState.is_null();
        // The row must not go where this UPDATE may still find it, and update it again.
        if updates && changed && ((*result).ri_usesFdwDirectModify || !early::start_all(estate)?) {
            return Err(Failure::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!(
                    "cannot route tuples into foreign table to be updated \"{}\"",
                    crate::pg::text::from_server((*(*relation).rd_rel).relname.data.as_ptr())
                ),
            ));
        }
        let do_nothing = !plan.is_null()
            && (*plan).onConflictAction == pg_sys::OnConflictAction::ONCONFLICT_NOTHING;
        let insert = crate::plan::modify::insert_plan(node, result, do_nothing)?;
        let to = Destination::of(estate, result);
        let new = ModifyState::new(&to, insert, CmdType::CMD_INSERT)?;
        if changed {
            plain(result)?.routed = Some(Box::new(new));
            return Ok(());
        }
        keep(estate, result, new);
        Ok(())
    }
}

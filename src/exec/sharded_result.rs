//! A sharded parent as a result relation.
//!
//! The parent keeps its place in the plan. When the executor has been started, the statement's ModifyTable nodes are
//! looked at, and where the result relation is a sharded parent the executor is made to see a foreign table: its
//! `ResultRelInfo` gets our FdwRoutine, and a doctored copy of the relation whose kind is "foreign table". From there
//! triggers, generated columns, batches, RETURNING, WITH CHECK OPTION, command tags and EXPLAIN are PostgreSQL's own,
//! and permissions are the parent's.
//!
//! Nothing of this is in the plan: it holds for one execution. The executor closes relations through its own list,
//! where the original stays.

use super::sharded_change::ShardedChange;
use super::sharded_insert::ShardedState;
use super::{modify, together};
use crate::error::{Failure, SqlState};
use crate::pg::exec_node::{Follower, Function};
use crate::pg::memory::{self, ContextGuard};
use crate::pg::{hooks, node};
use crate::plan::conflict_sharded;
use crate::shard::{self, ShardedTable};
use pgrx::pg_sys;
use pgrx::pg_sys::{CmdType, NodeTag};
use std::cell::Cell;

/// Installs the executor's hook; once, from `_PG_init`.
pub fn init() {
    hooks::install_executor(started);
}

/// Looks at a statement whose execution has been prepared, be it for EXPLAIN only.
unsafe fn started(query: *mut pg_sys::QueryDesc) -> Result<(), Failure> {
    // SAFETY: standard_ExecutorStart has filled estate and planstate.
    unsafe {
        let estate = (*query).estate;
        if estate.is_null() {
            return Ok(());
        }
        together::find(query);
        let top = (*query).planstate;
        if !top.is_null() && node::is_a(top, NodeTag::T_ModifyTableState) {
            adapt(top.cast())?;
        }
        for state in node::list::<pg_sys::ModifyTableState>((*estate).es_auxmodifytables) {
            adapt(state)?;
        }
        Ok(())
    }
}

/// Makes the result relation of an UPDATE or DELETE a foreign one, when it is a sharded parent whose rows are to be changed
/// through itself; see plan/change_plan.rs.
unsafe fn adapt_change(state: *mut pg_sys::ModifyTableState) -> Result<(), Failure> {
    // SAFETY: the node is initialised; such a statement has one result relation.
    unsafe {
        let result = (*state).resultRelInfo;
        let (plan, estate) = ((*state).ps.plan.cast::<pg_sys::ModifyTable>(), (*state).ps.state);
        if (*state).mt_nrels != 1 || (*result).ri_usesFdwDirectModify {
            return Ok(());
        }
        let private = node::list::<pg_sys::List>((*plan).fdwPrivLists).next();
        let Some(private) = private.filter(|private| !private.is_null()) else { return Ok(()) };
        let relation = (*result).ri_RelationDesc;
        if !(*result).ri_FdwRoutine.is_null() {
            return Ok(());
        }
        let Some(table) = shard::sharded((*relation).rd_id)? else {
            return Err(Failure::internal("a sharded table changed since its change was planned"));
        };
        let context = (*estate).es_query_cxt;
        let _guard = ContextGuard::switch_to(context);
        (*result).ri_RelationDesc = doctored(relation);
        (*result).ri_FdwRoutine = routine(table.members[0].server);
        let follower = Follower { original: own_function, after: after_change };
        let changed = ShardedChange::new(state, result, table, private, follower)?;
        let state = modify::State::Changed(Box::new(changed));
        (*result).ri_FdwState = memory::give(context, state).cast();
        Ok(())
    }
}

unsafe fn changed<'a>(
    node: *mut pg_sys::ModifyTableState,
) -> Result<&'a mut ShardedChange, Failure> {
    // SAFETY: the node's state was made above.
    match unsafe { modify::state((*node).resultRelInfo) } {
        Some(modify::State::Changed(state)) => Ok(state),
        _ => Err(Failure::internal("a modification was not begun")),
    }
}

unsafe fn own_function(node: *mut pg_sys::ModifyTableState) -> Result<Function, Failure> {
    // SAFETY: as for `changed`.
    unsafe { changed(node).map(|state| state.function()) }
}

unsafe fn after_change(node: *mut pg_sys::ModifyTableState, ended: bool) -> Result<(), Failure> {
    // SAFETY: as for `changed`; the node is in execution.
    unsafe { changed(node)?.after(ended) }
}

/// Makes the result relation of an INSERT a foreign one, when it is a sharded parent.
unsafe fn adapt(state: *mut pg_sys::ModifyTableState) -> Result<(), Failure> {
    // SAFETY: the node is initialised.
    unsafe {
        let result = (*state).resultRelInfo;
        if matches!((*state).operation, CmdType::CMD_UPDATE | CmdType::CMD_DELETE) {
            return adapt_change(state);
        }
        if (*state).operation != CmdType::CMD_INSERT || !(*result).ri_FdwRoutine.is_null() {
            return Ok(());
        }
        let relation = (*result).ri_RelationDesc;
        let class = (*relation).rd_rel;
        // A clause that only the shards can execute: PostgreSQL must not insert the rows its own way.
        let refuse_clause = || {
            let plan = (*state).ps.plan.cast::<pg_sys::ModifyTable>();
            if !conflict_sharded::is_settled(plan) {
                return Ok(());
            }
            let name = crate::pg::catalog::relation_name((*relation).rd_id).unwrap_or_default();
            Err(Failure::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!(
                    "ON CONFLICT with a conflict target is not supported on \"{name}\" with its triggers"
                ),
            ))
        };
        let partitioned = (*class).relkind as u8 == pg_sys::RELKIND_PARTITIONED_TABLE;
        if !(*class).relhassubclass
            || !(partitioned || (*class).relkind as u8 == pg_sys::RELKIND_RELATION)
        {
            return refuse_clause();
        }
        let Some(table) = shard::sharded_for_writing((*relation).rd_id)? else {
            return refuse_clause();
        };
        if partitioned {
            // Row triggers of a partitioned table are those of its partitions: PostgreSQL's own routing fires them.
            if has_row_triggers(result)
                || table.members.iter().any(|member| member.insert_triggers)
                || !(*state).mt_transition_capture.is_null()
            {
                return refuse_clause();
            }
            (*state).mt_partition_tuple_routing = std::ptr::null_mut();
        }
        check_supported(state, result, &table)?;
        let context = (*(*state).ps.state).es_query_cxt;
        let _guard = ContextGuard::switch_to(context);
        (*result).ri_RelationDesc = doctored(relation);
        (*result).ri_FdwRoutine = routine(table.members[0].server);
        let mut sharded = ShardedState::new(state, result, relation, table)?;
        (*result).ri_BatchSize = sharded.batch_size();
        let state = modify::State::Sharded(Box::new(sharded));
        (*result).ri_FdwState = memory::give(context, state).cast();
        Ok(())
    }
}

/// A copy of an open relation that says it is a foreign table without indexes; in the current memory context.
///
/// # Safety
/// The relation is open, and stays so as long as the copy is used.
pub unsafe fn doctored(relation: pg_sys::Relation) -> pg_sys::Relation {
    // SAFETY: plain copies of the two structs; what they point to lives as long as the original is open.
    unsafe {
        let copy = pg_sys::palloc(size_of::<pg_sys::RelationData>()).cast::<pg_sys::RelationData>();
        copy.copy_from_nonoverlapping(relation, 1);
        let class = pg_sys::palloc(size_of::<pg_sys::FormData_pg_class>())
            .cast::<pg_sys::FormData_pg_class>();
        class.copy_from_nonoverlapping((*relation).rd_rel, 1);
        (*class).relkind = pg_sys::RELKIND_FOREIGN_TABLE as _;
        (*class).relhasindex = false;
        (*copy).rd_rel = class;
        (*copy).rd_tableam = std::ptr::null();
        (*copy).rd_smgr = std::ptr::null_mut();
        copy
    }
}

/// Our FdwRoutine, made once per backend.
unsafe fn routine(server: pg_sys::Oid) -> *mut pg_sys::FdwRoutine {
    thread_local! {
        static ROUTINE: Cell<*mut pg_sys::FdwRoutine> = const { Cell::new(std::ptr::null_mut()) };
    }
    ROUTINE.with(|known| {
        if known.get().is_null() {
            // SAFETY: a server of ours; the routine stays for the backend's life.
            known.set(unsafe {
                let _guard = ContextGuard::switch_to(pg_sys::TopMemoryContext);
                pg_sys::GetFdwRoutineByServerId(server)
            });
        }
        known.get()
    })
}

unsafe fn has_row_triggers(result: *mut pg_sys::ResultRelInfo) -> bool {
    // SAFETY: an initialised result relation.
    unsafe {
        let triggers = (*result).ri_TrigDesc;
        !triggers.is_null()
            && ((*triggers).trig_insert_before_row || (*triggers).trig_insert_after_row)
    }
}

/// Refuses what could not be kept, before anything is done.
///
/// # Safety
/// An initialised node and its result relation, the parent of `table`.
pub unsafe fn check_supported(
    state: *mut pg_sys::ModifyTableState,
    result: *mut pg_sys::ResultRelInfo,
    table: &ShardedTable,
) -> Result<(), Failure> {
    let refuse = |what: String| Err(Failure::new(SqlState::FEATURE_NOT_SUPPORTED, what));
    // SAFETY: an initialised node; a TrigDesc has `numtriggers` triggers.
    unsafe {
        let name = crate::pg::catalog::relation_name(table.parent).unwrap_or_default();
        // COPY has no plan.
        let plan = (*state).ps.plan.cast::<pg_sys::ModifyTable>();
        // Planned when the library was not there yet, or the table another one.
        if !plan.is_null()
            && !conflict_sharded::is_settled(plan)
            && ((*plan).onConflictAction == pg_sys::OnConflictAction::ONCONFLICT_UPDATE
                || !(*plan).arbiterIndexes.is_null())
        {
            return refuse(format!(
                "ON CONFLICT with a conflict target is not supported on sharded table \"{name}\""
            ));
        }
        // COPY prepares for them later.
        let new_table = (*result).ri_TrigDesc.as_ref().is_some_and(|t| t.trig_insert_new_table);
        if !(*state).mt_transition_capture.is_null() || (plan.is_null() && new_table) {
            return refuse(format!(
                "transition tables are not supported on sharded table \"{name}\""
            ));
        }
        let triggers = (*result).ri_TrigDesc;
        let count = if triggers.is_null() { 0 } else { (*triggers).numtriggers };
        for index in 0..count as usize {
            let trigger = (*triggers).triggers.add(index);
            let kind = (*trigger).tgtype as u32;
            if (*trigger).tgenabled as u8 == b'D'
                || kind & pg_sys::TRIGGER_TYPE_INSERT == 0
                || kind & pg_sys::TRIGGER_TYPE_ROW == 0
            {
                continue;
            }
            if pg_sys::RI_FKey_trigger_type((*trigger).tgfoid) != pg_sys::RI_TRIGGER_NONE as i32 {
                return refuse(format!(
                    "foreign keys of sharded table \"{name}\" cannot be checked: its rows are not stored here"
                ));
            }
            if (*trigger).tgdeferrable && !(*trigger).tgisinternal {
                return refuse(format!(
                    "deferrable constraint triggers are not supported on sharded table \"{name}\""
                ));
            }
        }
        Ok(())
    }
}

//! The foreign data wrapper's handler: the FdwRoutine and its trampolines, nothing else.
//!
//! Each trampoline runs its work inside `guard::entry`, which raises what went wrong after the last Rust
//! destructor has run. The contracts are those of fdwhandler.sgml.
// One SAFETY note stands for all trampolines, which differ only in what they call.
#![allow(clippy::undocumented_unsafe_blocks)]

use crate::exec::{
    analyze, async_append, copy, direct, explain, foreign_scan, import, modify, recheck, truncate,
};
use crate::pg::guard::entry;
use crate::plan;
use pgrx::pg_sys::{
    AcquireSampleRowsFunc, AsyncRequest, BlockNumber, CmdType, DropBehavior, EState, ExplainState,
    FdwRoutine, ForeignPath, ForeignScan, ForeignScanState, ImportForeignSchemaStmt, Index,
    JoinPathExtraData, JoinType, List, ModifyTable, ModifyTableState, Oid, Plan, PlannerInfo,
    RangeTblEntry, RelOptInfo, Relation, ResultRelInfo, TupleTableSlot, UpperRelationKind,
};
use pgrx::prelude::*;
use std::ffi::{c_int, c_void};

/// The handler of the foreign data wrapper `shard_fdw`.
#[pg_extern]
fn shard_fdw_handler() -> PgBox<FdwRoutine> {
    // SAFETY: FdwRoutine is a node; all members left out are NULL, which means "not supported".
    let mut routine =
        unsafe { PgBox::<FdwRoutine>::alloc_node(pgrx::pg_sys::NodeTag::T_FdwRoutine) };
    routine.GetForeignRelSize = Some(get_foreign_rel_size);
    routine.GetForeignPaths = Some(get_foreign_paths);
    routine.GetForeignPlan = Some(get_foreign_plan);
    routine.GetForeignJoinPaths = Some(get_foreign_join_paths);
    routine.GetForeignUpperPaths = Some(get_foreign_upper_paths);
    routine.BeginForeignScan = Some(begin_foreign_scan);
    routine.IterateForeignScan = Some(iterate_foreign_scan);
    routine.ReScanForeignScan = Some(rescan_foreign_scan);
    routine.EndForeignScan = Some(end_foreign_scan);
    routine.RecheckForeignScan = Some(recheck_foreign_scan);
    routine.AddForeignUpdateTargets = Some(add_foreign_update_targets);
    routine.PlanForeignModify = Some(plan_foreign_modify);
    routine.BeginForeignModify = Some(begin_foreign_modify);
    routine.ExecForeignInsert = Some(exec_foreign_insert);
    routine.ExecForeignBatchInsert = Some(exec_foreign_batch_insert);
    routine.GetForeignModifyBatchSize = Some(get_foreign_modify_batch_size);
    routine.ExecForeignUpdate = Some(exec_foreign_update);
    routine.ExecForeignDelete = Some(exec_foreign_delete);
    routine.EndForeignModify = Some(end_foreign_modify);
    routine.BeginForeignInsert = Some(begin_foreign_insert);
    routine.EndForeignInsert = Some(end_foreign_insert);
    routine.PlanDirectModify = Some(plan_direct_modify);
    routine.BeginDirectModify = Some(begin_direct_modify);
    routine.IterateDirectModify = Some(iterate_direct_modify);
    routine.EndDirectModify = Some(end_direct_modify);
    routine.ExplainDirectModify = Some(explain_direct_modify);
    routine.IsForeignRelUpdatable = Some(is_foreign_rel_updatable);
    routine.ExecForeignTruncate = Some(exec_foreign_truncate);
    routine.ExplainForeignScan = Some(explain_foreign_scan);
    routine.ExplainForeignModify = Some(explain_foreign_modify);
    routine.AnalyzeForeignTable = Some(analyze_foreign_table);
    routine.ImportForeignSchema = Some(import_foreign_schema);
    routine.IsForeignPathAsyncCapable = Some(is_foreign_path_async_capable);
    routine.ForeignAsyncRequest = Some(foreign_async_request);
    routine.ForeignAsyncConfigureWait = Some(foreign_async_configure_wait);
    routine.ForeignAsyncNotify = Some(foreign_async_notify);
    routine.into_pg_boxed()
}

extension_sql!(
    r#"
CREATE FOREIGN DATA WRAPPER shard_fdw
    HANDLER shard_fdw_handler
    VALIDATOR shard_fdw_validator;
COMMENT ON FOREIGN DATA WRAPPER shard_fdw IS 'PostgreSQL servers, one or many, with shard routing';
"#,
    name = "foreign_data_wrapper",
    requires = [shard_fdw_handler, shard_fdw_validator]
);

/// Whether a scan's callbacks are these.
pub fn is_own(routine: &FdwRoutine) -> bool {
    routine.IterateForeignScan.is_some_and(|function| {
        std::ptr::fn_addr_eq(
            function,
            iterate_foreign_scan as unsafe extern "C-unwind" fn(*mut ForeignScanState) -> _,
        )
    })
}

// SAFETY (of every trampoline below): PostgreSQL calls it on its one thread with the arguments that
// fdwhandler.sgml promises; the frames own nothing, as `entry` asks.

unsafe extern "C-unwind" fn get_foreign_rel_size(
    root: *mut PlannerInfo,
    rel: *mut RelOptInfo,
    relid: Oid,
) {
    unsafe { entry(|| plan::scan::rel_size(root, rel, relid)) }
}

unsafe extern "C-unwind" fn get_foreign_paths(
    root: *mut PlannerInfo,
    rel: *mut RelOptInfo,
    _relid: Oid,
) {
    unsafe { entry(|| plan::scan::paths(root, rel)) }
}

unsafe extern "C-unwind" fn get_foreign_plan(
    root: *mut PlannerInfo,
    rel: *mut RelOptInfo,
    _relid: Oid,
    path: *mut ForeignPath,
    targets: *mut List,
    clauses: *mut List,
    outer: *mut Plan,
) -> *mut ForeignScan {
    unsafe { entry(|| plan::foreign_plan::foreign_plan(root, rel, path, targets, clauses, outer)) }
}

unsafe extern "C-unwind" fn get_foreign_join_paths(
    root: *mut PlannerInfo,
    rel: *mut RelOptInfo,
    outer: *mut RelOptInfo,
    inner: *mut RelOptInfo,
    kind: JoinType::Type,
    extra: *mut JoinPathExtraData,
) {
    unsafe { entry(|| plan::join::paths(root, rel, outer, inner, kind, extra)) }
}

unsafe extern "C-unwind" fn get_foreign_upper_paths(
    root: *mut PlannerInfo,
    stage: UpperRelationKind::Type,
    input: *mut RelOptInfo,
    output: *mut RelOptInfo,
    extra: *mut c_void,
) {
    unsafe { entry(|| plan::upper::paths(root, stage, input, output, extra)) }
}

unsafe extern "C-unwind" fn recheck_foreign_scan(
    node: *mut ForeignScanState,
    slot: *mut TupleTableSlot,
) -> bool {
    unsafe { entry(|| recheck::recheck(node, slot)) }
}

unsafe extern "C-unwind" fn begin_foreign_scan(node: *mut ForeignScanState, flags: c_int) {
    unsafe { entry(|| foreign_scan::begin(node, flags)) }
}

unsafe extern "C-unwind" fn iterate_foreign_scan(
    node: *mut ForeignScanState,
) -> *mut TupleTableSlot {
    unsafe { entry(|| foreign_scan::iterate(node)) }
}

unsafe extern "C-unwind" fn rescan_foreign_scan(node: *mut ForeignScanState) {
    unsafe { entry(|| foreign_scan::rescan(node)) }
}

unsafe extern "C-unwind" fn end_foreign_scan(node: *mut ForeignScanState) {
    unsafe { entry(|| foreign_scan::end(node)) }
}

unsafe extern "C-unwind" fn add_foreign_update_targets(
    root: *mut PlannerInfo,
    rtindex: Index,
    _entry: *mut RangeTblEntry,
    _relation: Relation,
) {
    unsafe { entry(|| plan::row_identity::add_update_targets(root, rtindex)) }
}

unsafe extern "C-unwind" fn plan_foreign_modify(
    root: *mut PlannerInfo,
    node: *mut ModifyTable,
    result: Index,
    subplan: c_int,
) -> *mut List {
    unsafe { entry(|| plan::modify::plan(root, node, result, subplan)) }
}

unsafe extern "C-unwind" fn begin_foreign_modify(
    state: *mut ModifyTableState,
    result: *mut ResultRelInfo,
    private: *mut List,
    _subplan: c_int,
    flags: c_int,
) {
    unsafe {
        entry(|| match flags as u32 & pgrx::pg_sys::EXEC_FLAG_EXPLAIN_ONLY {
            0 => modify::begin(state, result, private),
            _ => Ok(()),
        })
    }
}

unsafe extern "C-unwind" fn exec_foreign_insert(
    estate: *mut EState,
    result: *mut ResultRelInfo,
    slot: *mut TupleTableSlot,
    _plan_slot: *mut TupleTableSlot,
) -> *mut TupleTableSlot {
    unsafe { entry(|| modify::insert_one(estate, result, slot)) }
}

unsafe extern "C-unwind" fn exec_foreign_batch_insert(
    estate: *mut EState,
    result: *mut ResultRelInfo,
    slots: *mut *mut TupleTableSlot,
    _plan_slots: *mut *mut TupleTableSlot,
    count: *mut c_int,
) -> *mut *mut TupleTableSlot {
    unsafe { entry(|| modify::insert_batch(estate, result, slots, count)) }
}

unsafe extern "C-unwind" fn get_foreign_modify_batch_size(result: *mut ResultRelInfo) -> c_int {
    unsafe { entry(|| modify::batch_size(result)) }
}

unsafe extern "C-unwind" fn exec_foreign_update(
    estate: *mut EState,
    result: *mut ResultRelInfo,
    slot: *mut TupleTableSlot,
    plan_slot: *mut TupleTableSlot,
) -> *mut TupleTableSlot {
    unsafe { entry(|| modify::change(estate, result, slot, plan_slot, CmdType::CMD_UPDATE)) }
}

unsafe extern "C-unwind" fn exec_foreign_delete(
    estate: *mut EState,
    result: *mut ResultRelInfo,
    slot: *mut TupleTableSlot,
    plan_slot: *mut TupleTableSlot,
) -> *mut TupleTableSlot {
    unsafe { entry(|| modify::change(estate, result, slot, plan_slot, CmdType::CMD_DELETE)) }
}

unsafe extern "C-unwind" fn end_foreign_modify(_estate: *mut EState, result: *mut ResultRelInfo) {
    unsafe { entry(|| modify::end(result)) }
}

unsafe extern "C-unwind" fn begin_foreign_insert(
    state: *mut ModifyTableState,
    result: *mut ResultRelInfo,
) {
    unsafe { entry(|| copy::begin_insert(state, result)) }
}

unsafe extern "C-unwind" fn end_foreign_insert(_estate: *mut EState, result: *mut ResultRelInfo) {
    unsafe { entry(|| modify::end(result)) }
}

unsafe extern "C-unwind" fn plan_direct_modify(
    root: *mut PlannerInfo,
    node: *mut ModifyTable,
    result: Index,
    subplan: c_int,
) -> bool {
    unsafe { entry(|| plan::direct::plan(root, node, result, subplan)) }
}

unsafe extern "C-unwind" fn begin_direct_modify(node: *mut ForeignScanState, flags: c_int) {
    unsafe {
        entry(|| match flags as u32 & pgrx::pg_sys::EXEC_FLAG_EXPLAIN_ONLY {
            0 => direct::begin(node),
            _ => Ok(()),
        })
    }
}

unsafe extern "C-unwind" fn iterate_direct_modify(
    node: *mut ForeignScanState,
) -> *mut TupleTableSlot {
    unsafe { entry(|| direct::iterate(node)) }
}

unsafe extern "C-unwind" fn end_direct_modify(node: *mut ForeignScanState) {
    unsafe { entry(|| direct::end(node)) }
}

unsafe extern "C-unwind" fn explain_direct_modify(
    node: *mut ForeignScanState,
    out: *mut ExplainState,
) {
    unsafe { entry(|| explain::direct(node, out)) }
}

unsafe extern "C-unwind" fn is_foreign_rel_updatable(relation: Relation) -> c_int {
    unsafe { entry(|| plan::modify::updatable(relation)) }
}

unsafe extern "C-unwind" fn exec_foreign_truncate(
    relations: *mut List,
    behavior: DropBehavior::Type,
    restart_sequences: bool,
) {
    unsafe { entry(|| truncate::truncate(relations, behavior, restart_sequences)) }
}

unsafe extern "C-unwind" fn explain_foreign_scan(
    node: *mut ForeignScanState,
    out: *mut ExplainState,
) {
    unsafe { entry(|| explain::scan(node, out)) }
}

unsafe extern "C-unwind" fn explain_foreign_modify(
    _state: *mut ModifyTableState,
    result: *mut ResultRelInfo,
    private: *mut List,
    _subplan: c_int,
    out: *mut ExplainState,
) {
    unsafe { entry(|| explain::foreign_modify(result, private, out)) }
}

unsafe extern "C-unwind" fn analyze_foreign_table(
    relation: Relation,
    sampler: *mut AcquireSampleRowsFunc,
    pages: *mut BlockNumber,
) -> bool {
    unsafe { entry(|| analyze::analyze(relation, sampler, pages)) }
}

unsafe extern "C-unwind" fn import_foreign_schema(
    statement: *mut ImportForeignSchemaStmt,
    server: Oid,
) -> *mut List {
    unsafe { entry(|| import::import(statement, server)) }
}

unsafe extern "C-unwind" fn is_foreign_path_async_capable(path: *mut ForeignPath) -> bool {
    unsafe { entry(|| Ok(plan::paths::is_async_capable(path))) }
}

unsafe extern "C-unwind" fn foreign_async_request(request: *mut AsyncRequest) {
    unsafe { entry(|| async_append::request(request)) }
}

unsafe extern "C-unwind" fn foreign_async_configure_wait(request: *mut AsyncRequest) {
    unsafe { entry(|| async_append::configure_wait(request)) }
}

unsafe extern "C-unwind" fn foreign_async_notify(request: *mut AsyncRequest) {
    unsafe { entry(|| async_append::notify(request)) }
}

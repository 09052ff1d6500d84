//! PostgreSQL's hooks of planner and executor, chained.
//!
//! A hook first does our part inside [`guard::entry`], then calls the next one in the chain without pgrx's guard, so
//! that an ERROR raised there keeps all its fields: the frame owns nothing that could be jumped over.

use super::guard;
use crate::error::Failure;
use pgrx::pg_sys;
use std::ffi::{c_char, c_int};
use std::sync::OnceLock;

/// Looks at (and may change) a query before it is planned. What it gives, unless that is NULL, is planned instead
/// when [`AfterPlanning`] refuses the plan.
pub type BeforePlanning =
    unsafe fn(query: *mut pg_sys::Query) -> Result<*mut pg_sys::Query, Failure>;
/// Whether the plan can be executed; else prepares the other query.
pub type AfterPlanning =
    unsafe fn(plan: *mut pg_sys::PlannedStmt, other: *mut pg_sys::Query) -> Result<bool, Failure>;
/// Puts the last hand to a plan.
pub type FinishPlan = unsafe fn(plan: *mut pg_sys::PlannedStmt) -> Result<(), Failure>;
/// Completes what the planner knows of a relation.
pub type RelationInfo =
    unsafe fn(root: *mut pg_sys::PlannerInfo, rel: *mut pg_sys::RelOptInfo) -> Result<(), Failure>;

/// Looks at a statement whose execution has been prepared.
pub type AfterStart = unsafe fn(query: *mut pg_sys::QueryDesc) -> Result<(), Failure>;

struct Hooks {
    before_planning: BeforePlanning,
    after_planning: AfterPlanning,
    finish_plan: FinishPlan,
    relation_info: RelationInfo,
    next_planner: pg_sys::planner_hook_type,
    next_relation_info: pg_sys::get_relation_info_hook_type,
}

static HOOKS: OnceLock<Hooks> = OnceLock::new();

/// Puts our hooks in front of those that are installed. Once, from `_PG_init`.
pub fn install(
    before_planning: BeforePlanning,
    after_planning: AfterPlanning,
    finish_plan: FinishPlan,
    relation_info: RelationInfo,
) {
    // SAFETY: the hook variables are read and written by the backend's one thread, at load time.
    unsafe {
        let hooks = Hooks {
            before_planning,
            after_planning,
            finish_plan,
            relation_info,
            next_planner: pg_sys::planner_hook,
            next_relation_info: pg_sys::get_relation_info_hook,
        };
        if HOOKS.set(hooks).is_ok() {
            pg_sys::planner_hook = Some(planner);
            pg_sys::get_relation_info_hook = Some(relation_info_hook);
        }
    }
}

struct ExecutorHooks {
    after_start: AfterStart,
    next_start: pg_sys::ExecutorStart_hook_type,
}

static EXECUTOR_HOOKS: OnceLock<ExecutorHooks> = OnceLock::new();

/// Has every statement looked at when its execution has been prepared. Once, from `_PG_init`.
pub fn install_executor(after_start: AfterStart) {
    // SAFETY: as for `install`.
    unsafe {
        let hooks = ExecutorHooks { after_start, next_start: pg_sys::ExecutorStart_hook };
        if EXECUTOR_HOOKS.set(hooks).is_ok() {
            pg_sys::ExecutorStart_hook = Some(executor_start);
        }
    }
}

/// Adds paths for a join.
pub type JoinPaths = unsafe fn(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    outer: *mut pg_sys::RelOptInfo,
    inner: *mut pg_sys::RelOptInfo,
    kind: pg_sys::JoinType::Type,
    extra: *mut pg_sys::JoinPathExtraData,
) -> Result<(), Failure>;

struct JoinHooks {
    paths: JoinPaths,
    next: pg_sys::set_join_pathlist_hook_type,
}

static JOIN_HOOKS: OnceLock<JoinHooks> = OnceLock::new();

/// Has every join that is planned looked at. Once, from `_PG_init`.
pub fn install_join(paths: JoinPaths) {
    // SAFETY: as for `install`.
    unsafe {
        let hooks = JoinHooks { paths, next: pg_sys::set_join_pathlist_hook };
        if JOIN_HOOKS.set(hooks).is_ok() {
            pg_sys::set_join_pathlist_hook = Some(join_paths);
        }
    }
}

unsafe extern "C-unwind" fn join_paths(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    outer: *mut pg_sys::RelOptInfo,
    inner: *mut pg_sys::RelOptInfo,
    kind: pg_sys::JoinType::Type,
    extra: *mut pg_sys::JoinPathExtraData,
) {
    // SAFETY: the planner's arguments are handed on; this frame owns nothing.
    unsafe {
        let Some(hooks) = JOIN_HOOKS.get() else { return };
        if let Some(next) = hooks.next {
            next(root, rel, outer, inner, kind, extra);
        }
        guard::entry(|| (hooks.paths)(root, rel, outer, inner, kind, extra));
    }
}

/// Finds statistics of a relation's column; false: it has none of its own.
pub type RelationStatistics = unsafe fn(
    root: *mut pg_sys::PlannerInfo,
    entry: *mut pg_sys::RangeTblEntry,
    attno: pg_sys::AttrNumber,
    data: *mut pg_sys::VariableStatData,
) -> Result<bool, Failure>;

struct StatisticsHooks {
    of_relation: RelationStatistics,
    next: pg_sys::get_relation_stats_hook_type,
}

static STATISTICS_HOOKS: OnceLock<StatisticsHooks> = OnceLock::new();

/// Has the planner ask for statistics of columns. Once, from `_PG_init`.
pub fn install_statistics(of_relation: RelationStatistics) {
    // SAFETY: as for `install`.
    unsafe {
        let hooks = StatisticsHooks { of_relation, next: pg_sys::get_relation_stats_hook };
        if STATISTICS_HOOKS.set(hooks).is_ok() {
            pg_sys::get_relation_stats_hook = Some(relation_statistics);
        }
    }
}

unsafe extern "C-unwind" fn relation_statistics(
    root: *mut pg_sys::PlannerInfo,
    entry: *mut pg_sys::RangeTblEntry,
    attno: pg_sys::AttrNumber,
    data: *mut pg_sys::VariableStatData,
) -> bool {
    // SAFETY: the planner's arguments are handed on; this frame owns nothing.
    unsafe {
        let Some(hooks) = STATISTICS_HOOKS.get() else { return false };
        guard::entry(|| (hooks.of_relation)(root, entry, attno, data))
            || hooks.next.is_some_and(|next| next(root, entry, attno, data))
    }
}

mod bare {
    use super::{c_char, c_int, pg_sys};
    // SAFETY: optimizer/planner.h, the same in PostgreSQL 15 to 18.
    unsafe extern "C-unwind" {
        pub fn standard_planner(
            parse: *mut pg_sys::Query,
            query_string: *const c_char,
            cursor_options: c_int,
            params: pg_sys::ParamListInfo,
        ) -> *mut pg_sys::PlannedStmt;
        // executor/executor.h.
        pub fn standard_ExecutorStart(query: *mut pg_sys::QueryDesc, flags: c_int);
    }
}

unsafe extern "C-unwind" fn planner(
    parse: *mut pg_sys::Query,
    query_string: *const c_char,
    cursor_options: c_int,
    params: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: PostgreSQL calls the hook as it would call standard_planner; this frame owns nothing.
    unsafe {
        let Some(hooks) = HOOKS.get() else {
            return bare::standard_planner(parse, query_string, cursor_options, params);
        };
        let next = hooks.next_planner.unwrap_or(bare::standard_planner);
        let spare = guard::entry(|| (hooks.before_planning)(parse));
        let mut plan = next(parse, query_string, cursor_options, params);
        if !spare.is_null() && !guard::entry(|| (hooks.after_planning)(plan, spare)) {
            plan = next(spare, query_string, cursor_options, params);
        }
        guard::entry(|| (hooks.finish_plan)(plan));
        plan
    }
}

unsafe extern "C-unwind" fn relation_info_hook(
    root: *mut pg_sys::PlannerInfo,
    relation: pg_sys::Oid,
    inhparent: bool,
    rel: *mut pg_sys::RelOptInfo,
) {
    // SAFETY: as above.
    unsafe {
        let Some(hooks) = HOOKS.get() else { return };
        if let Some(next) = hooks.next_relation_info {
            next(root, relation, inhparent, rel);
        }
        guard::entry(|| (hooks.relation_info)(root, rel));
    }
}

unsafe extern "C-unwind" fn executor_start(query: *mut pg_sys::QueryDesc, flags: c_int) {
    // SAFETY: as above.
    unsafe {
        let hooks = EXECUTOR_HOOKS.get();
        match hooks.and_then(|hooks| hooks.next_start) {
            Some(next) => next(query, flags),
            None => bare::standard_ExecutorStart(query, flags),
        }
        if let Some(hooks) = hooks {
            guard::entry(|| (hooks.after_start)(query));
        }
    }
}

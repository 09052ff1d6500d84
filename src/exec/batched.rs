//! The CustomScan node of a batched join: its callbacks, and what EXPLAIN tells of it. The work is in batched_join.rs.

use super::batched_join::State;
use crate::error::Failure;
use crate::pg::explain::Explainer;
use crate::pg::guard::entry;
use crate::pg::{memory, node};
use crate::plan::batched::NAME;
use crate::plan::batched_plan::BatchedPlan;
use pgrx::pg_sys;
use pgrx::pg_sys::JoinType;

/// The node: PostgreSQL's part first.
#[repr(C)]
struct Node {
    base: pg_sys::CustomScanState,
    state: *mut State,
}

struct ScanMethods(pg_sys::CustomScanMethods);
struct ExecMethods(pg_sys::CustomExecMethods);
// SAFETY: constant data; PostgreSQL only reads it.
unsafe impl Sync for ScanMethods {}
// SAFETY: as above.
unsafe impl Sync for ExecMethods {}

static SCAN: ScanMethods = ScanMethods(pg_sys::CustomScanMethods {
    CustomName: NAME.as_ptr(),
    CreateCustomScanState: Some(create),
});

static EXEC: ExecMethods = ExecMethods(pg_sys::CustomExecMethods {
    CustomName: NAME.as_ptr(),
    BeginCustomScan: Some(begin),
    ExecCustomScan: Some(next),
    EndCustomScan: Some(end),
    ReScanCustomScan: Some(rescan),
    MarkPosCustomScan: None,
    RestrPosCustomScan: None,
    EstimateDSMCustomScan: None,
    InitializeDSMCustomScan: None,
    ReInitializeDSMCustomScan: None,
    InitializeWorkerCustomScan: None,
    ShutdownCustomScan: None,
    ExplainCustomScan: Some(explain),
});

/// To be called when the library is loaded.
pub fn init() {
    // SAFETY: the table lives for ever; an ERROR (the name is taken) is one of loading.
    unsafe { pg_sys::RegisterCustomScanMethods(&raw const SCAN.0) };
}

// SAFETY (of the callbacks below): PostgreSQL calls them on its one thread with nodes of ours; the frames own nothing, as
// `entry` asks.

unsafe extern "C-unwind" fn create(_scan: *mut pg_sys::CustomScan) -> *mut pg_sys::Node {
    // SAFETY: see above.
    unsafe {
        entry(|| {
            let node = pg_sys::palloc0(size_of::<Node>()).cast::<Node>();
            (*node).base.ss.ps.type_ = pg_sys::NodeTag::T_CustomScanState;
            (*node).base.methods = &raw const EXEC.0;
            Ok(node.cast::<pg_sys::Node>())
        })
    }
}

unsafe extern "C-unwind" fn begin(
    node: *mut pg_sys::CustomScanState,
    estate: *mut pg_sys::EState,
    flags: i32,
) {
    // SAFETY: see above.
    unsafe {
        entry(|| {
            let state = State::begin(node, estate, flags)?;
            (*node.cast::<Node>()).state = memory::give((*estate).es_query_cxt, state);
            Ok(())
        })
    }
}

unsafe extern "C-unwind" fn next(
    node: *mut pg_sys::CustomScanState,
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: see above.
    unsafe { entry(|| (*(*node.cast::<Node>()).state).next(node)) }
}

unsafe extern "C-unwind" fn end(node: *mut pg_sys::CustomScanState) {
    // SAFETY: see above; the state goes with the query's memory.
    unsafe {
        entry(|| {
            for child in node::list_vec::<pg_sys::PlanState>((*node).custom_ps) {
                pg_sys::ExecEndNode(child);
            }
            Ok(())
        })
    }
}

unsafe extern "C-unwind" fn rescan(node: *mut pg_sys::CustomScanState) {
    // SAFETY: see above.
    unsafe { entry(|| (*(*node.cast::<Node>()).state).rescan(node)) }
}

unsafe extern "C-unwind" fn explain(
    node: *mut pg_sys::CustomScanState,
    ancestors: *mut pg_sys::List,
    out: *mut pg_sys::ExplainState,
) {
    // SAFETY: see above.
    unsafe { entry(|| describe(node, ancestors, out)) }
}

unsafe fn describe(
    node: *mut pg_sys::CustomScanState,
    ancestors: *mut pg_sys::List,
    out: *mut pg_sys::ExplainState,
) -> Result<(), Failure> {
    // SAFETY: the node's plan is ours; EXPLAIN's state is valid.
    unsafe {
        let plan = (*node).ss.ps.plan;
        let scan = plan.cast::<pg_sys::CustomScan>();
        let private = BatchedPlan::from_list((*scan).custom_private)?;
        let explainer = Explainer::new(out);
        explainer.text(
            c"Join Type",
            match private.kind {
                JoinType::JOIN_LEFT => "Left",
                JoinType::JOIN_SEMI => "Semi",
                JoinType::JOIN_ANTI => "Anti",
                _ => "Inner",
            },
        );
        let context = pg_sys::set_deparse_context_plan((*out).deparse_cxt, plan, ancestors);
        let lists = node::list_vec::<pg_sys::Node>((*scan).custom_exprs);
        for (label, &list) in [c"Join Cond", c"Join Filter"].into_iter().zip(&lists) {
            if list.is_null() {
                continue;
            }
            let all = pg_sys::make_ands_explicit(list.cast());
            let text = pg_sys::deparse_expression(all.cast(), context, true, false);
            explainer.text(label, &crate::pg::text::from_server(text));
        }
        Ok(())
    }
}

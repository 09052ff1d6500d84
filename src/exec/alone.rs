//! Whether a scan is all that its statement reads from elsewhere.
//!
//! Scans of one statement must see the same state of a server, so they share a remote transaction with one
//! snapshot. A statement whose only remote request is one query needs none: the query by itself is a transaction
//! with one snapshot, and neither START TRANSACTION nor COMMIT has to be sent, parsed, run and answered. For a lookup by
//! key that is most of the work. What has to be certain for it:
//!
//! - The scan is the one leaf of the plan, and is run once; nothing else in the plan can read a table, not even
//!   through a function: all functions are built-in and immutable.
//! - The statement is the client's own. One inside a function may share its snapshot with others.
//! - The rows fit into one answer. If they turn out not to, the query is run again in a transaction, before any row
//!   has been given out.
//!
//! A modification may likewise be the whole transaction, and is then committed by its server in the same round trip:
//! see [`is_whole_transaction`].
//!
//! Whether the transaction as a whole has one snapshot, writes, or is at work on the server already is looked at by
//! the transaction layer.

use crate::pg::{client, node};
use pgrx::pg_sys;
use pgrx::pg_sys::{NodeTag, Oid, Plan};
use std::collections::HashSet;
use std::ffi::c_void;

/// A result that is expected to be larger is not tried in one answer.
const MOST_EXPECTED: f64 = 500.0;

/// Whether the scan `node`, about to be started, is all that its statement reads from elsewhere.
///
/// # Safety
/// `node` is a ForeignScanState in execution.
pub unsafe fn is_alone(node: *mut pg_sys::ForeignScanState) -> bool {
    // SAFETY: the executor's state and its plan are valid; a running portal is, and has a name.
    unsafe {
        let estate = (*node).ss.ps.state;
        let portal = pg_sys::ActivePortal;
        if portal.is_null() || *(*portal).name != 0 {
            return false;
        }
        let running = (*portal).queryDesc;
        if running.is_null() || (*running).estate != estate {
            return false;
        }
        let statement = (*estate).es_plannedstmt;
        let scan = (*node).ss.ps.plan;
        if (*statement).commandType != pg_sys::CmdType::CMD_SELECT
            || (*statement).hasModifyingCTE
            || !(*statement).subplans.is_null()
            || !(*statement).rowMarks.is_null()
            || (*scan).plan_rows > MOST_EXPECTED
            || !is_harmless((*scan.cast::<pg_sys::ForeignScan>()).fdw_exprs.cast())
        {
            return false;
        }
        let mut plan = (*statement).planTree;
        while !plan.is_null() && !(*plan).parallel_aware {
            if !(*plan).righttree.is_null()
                || !is_harmless((*plan).targetlist.cast())
                || !is_harmless((*plan).qual.cast())
            {
                return false;
            }
            if plan == scan {
                return (*plan).lefttree.is_null();
            }
            if !runs_its_input_once(plan) {
                return false;
            }
            plan = (*plan).lefttree;
        }
        false
    }
}

/// Whether the one request that changes data, about to be sent, is all that its transaction does: when it has run,
/// nothing is left that could fail, and nothing more can join it.
///
/// # Safety
/// `estate` is the executor state of the running statement, which INSERTs into, UPDATEs or DELETEs from a foreign or
/// sharded table.
pub unsafe fn is_whole_transaction(estate: *mut pg_sys::EState) -> bool {
    // SAFETY: as for `is_alone`; the plan of such a statement is cast by tags.
    unsafe {
        let portal = pg_sys::ActivePortal;
        let statement = (*estate).es_plannedstmt;
        // The client's own statement, alone in its query string or Bind message. A function's has another portal or
        // another plan.
        if pg_sys::IsTransactionBlock()
            || portal.is_null()
            || *(*portal).name != 0
            || pg_sys::list_length((*portal).stmts) != 1
            || pg_sys::list_nth((*portal).stmts, 0) != statement.cast()
            || (*statement).hasModifyingCTE
            || !(*statement).subplans.is_null()
            || !(*statement).rowMarks.is_null()
            || !node::is_a((*statement).planTree, NodeTag::T_ModifyTable)
        {
            return false;
        }
        let modify = (*statement).planTree.cast::<pg_sys::ModifyTable>();
        let input = (*modify).plan.lefttree;
        // One request: a row of constants, or a modification shipped whole.
        let is_one = match (*modify).operation {
            pg_sys::CmdType::CMD_INSERT => {
                node::is_a(input, NodeTag::T_Result) && (*input).lefttree.is_null()
            }
            _ => {
                node::is_a(input, NodeTag::T_ForeignScan)
                    && node::has_member((*modify).fdwDirectModifyPlans, 0)
            }
        };
        if !is_one
            || !(*modify).returningLists.is_null()
            || !(*modify).withCheckOptionLists.is_null()
            || (*modify).rootRelation != 0
            || pg_sys::list_length((*modify).resultRelations) != 1
        {
            return false;
        }
        let target = pg_sys::list_nth_int((*modify).resultRelations, 0);
        let result = *(*estate).es_result_relations.add(target as usize - 1);
        if result.is_null() || !(*result).ri_TrigDesc.is_null() {
            return false;
        }
        // A portal of the simple protocol is not visible, and its statement ends the transaction. With the extended
        // one, more may come before Sync.
        !(*portal).visible || client::sync_is_next()
    }
}

/// Whether no server is asked twice: two queries there would be two transactions.
pub fn once_each(servers: impl Iterator<Item = Oid>) -> bool {
    let mut seen = HashSet::new();
    let mut servers = servers;
    servers.all(|server| seen.insert(server))
}

/// Nodes that read the plan below them once, and whose other expressions are none or harmless too.
unsafe fn runs_its_input_once(plan: *mut Plan) -> bool {
    use NodeTag::*;
    // SAFETY: a plan node, cast by its tag.
    unsafe {
        match (*plan).type_ {
            T_Sort | T_IncrementalSort | T_Agg | T_Group | T_Unique | T_Material => true,
            T_Limit => {
                let limit = plan.cast::<pg_sys::Limit>();
                is_harmless((*limit).limitCount) && is_harmless((*limit).limitOffset)
            }
            T_Result => (*plan.cast::<pg_sys::Result>()).resconstantqual.is_null(),
            _ => false,
        }
    }
}

/// Whether an expression (or list of them) reads nothing but its input.
unsafe fn is_harmless(expression: *mut pg_sys::Node) -> bool {
    // SAFETY: the caller hands an expression of a plan, or none.
    unsafe { !may_read(expression, std::ptr::null_mut()) }
}

/// Tree walker: true when something is found that might read a table.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn may_read(found: *mut pg_sys::Node, context: *mut c_void) -> bool {
    use NodeTag::*;
    // SAFETY: nodes of a plan's expressions, cast by their tags.
    unsafe {
        if found.is_null() {
            return false;
        }
        let function = match node::tag(found) {
            T_Var | T_Const | T_TargetEntry | T_List | T_RelabelType | T_BoolExpr | T_NullTest
            | T_BooleanTest | T_ArrayExpr | T_CoalesceExpr | T_CaseExpr | T_CaseWhen
            | T_CaseTestExpr => None,
            T_Param => {
                let kind = (*found.cast::<pg_sys::Param>()).paramkind;
                return kind != pg_sys::ParamKind::PARAM_EXTERN;
            }
            T_Aggref => Some((*found.cast::<pg_sys::Aggref>()).aggfnoid),
            T_FuncExpr => Some((*found.cast::<pg_sys::FuncExpr>()).funcid),
            T_OpExpr => {
                let operator = found.cast::<pg_sys::OpExpr>();
                pg_sys::set_opfuncid(operator);
                Some((*operator).opfuncid)
            }
            T_ScalarArrayOpExpr => {
                let operator = found.cast::<pg_sys::ScalarArrayOpExpr>();
                pg_sys::set_sa_opfuncid(operator);
                Some((*operator).opfuncid)
            }
            _ => return true,
        };
        if let Some(function) = function
            && (function.to_u32() >= pg_sys::FirstGenbkiObjectId
                || pg_sys::func_volatile(function) as u8 != pg_sys::PROVOLATILE_IMMUTABLE)
        {
            return true;
        }
        pg_sys::expression_tree_walker(found, Some(may_read), context)
    }
}

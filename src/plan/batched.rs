//! Joins of any rows with those of a sharded table whose sharding column they name: instead of a request for each outer
//! row, or of all rows of the table, batches of outer rows become one request to each shard.
//!
//! The path is a CustomScan ("ShardBatchedJoin") over the outer path and a scan of the sharded table with the condition
//! `column = ANY (values)`. The values have no parameter of the plan: a CaseTestExpr stands for them, which reads a slot
//! of the scan's expression context that the join fills (exec/batched.rs). The join's conditions are all evaluated
//! here again, so the condition on the shard only has to let enough rows through.
//!
//! Only in queries that change and lock nothing: each batch is a request of its own, and rows are never looked at again.

use super::batched_plan;
use super::parameterized;
use super::relinfo::RelInfo;
use super::sharded;
use crate::deparse;
use crate::error::Failure;
use crate::pg::guard::entry;
use crate::pg::{compat, hooks, node};
use crate::settings;
use crate::shard;
use pgrx::pg_sys;
use pgrx::pg_sys::{JoinType, Oid};
use std::ptr;

/// The name of the CustomScan.
pub const NAME: &std::ffi::CStr = c"ShardBatchedJoin";

/// How many outer rows are in a batch, at most.
pub const BATCH: usize = 1024;

struct Methods(pg_sys::CustomPathMethods);
// SAFETY: constant data; PostgreSQL only reads it.
unsafe impl Sync for Methods {}

static METHODS: Methods = Methods(pg_sys::CustomPathMethods {
    CustomName: NAME.as_ptr(),
    PlanCustomPath: Some(plan_custom_path),
    ReparameterizeCustomPathByChild: None,
});

/// To be called when the library is loaded.
pub fn init() {
    hooks::install_join(consider);
}

/// The condition by which both sides find each other.
struct Key {
    clause: *mut pg_sys::RestrictInfo,
    operator: *mut pg_sys::OpExpr,
    outer: *mut pg_sys::Var,
    inner: *mut pg_sys::Var,
    /// `inner = ANY (values)`
    any: *mut pg_sys::ScalarArrayOpExpr,
    hashes: [Oid; 2],
}

/// set_join_pathlist_hook: adds a path for the join of `outer` with the sharded table `inner`.
unsafe fn consider(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    outer: *mut pg_sys::RelOptInfo,
    inner: *mut pg_sys::RelOptInfo,
    kind: JoinType::Type,
    extra: *mut pg_sys::JoinPathExtraData,
) -> Result<(), Failure> {
    use JoinType::{JOIN_ANTI, JOIN_INNER, JOIN_LEFT, JOIN_SEMI};
    // SAFETY: the planner's arguments, for two relations that have paths.
    unsafe {
        if !settings::enable_batched_join()
            || !matches!(kind, JOIN_INNER | JOIN_LEFT | JOIN_SEMI | JOIN_ANTI)
            || (*rel).reloptkind != pg_sys::RelOptKind::RELOPT_JOINREL
            || (*inner).reloptkind != pg_sys::RelOptKind::RELOPT_BASEREL
            || !(*rel).lateral_relids.is_null()
            || !(*inner).lateral_relids.is_null()
            || !(*root).placeholder_list.is_null()
        {
            return Ok(());
        }
        let entry = *(*root).simple_rte_array.add((*inner).relid as usize);
        let Some(table) = sharded::virtual_table(entry)? else { return Ok(()) };
        let Some(info) = RelInfo::of(inner).filter(|info| info.is_shippable()) else {
            return Ok(());
        };
        let path = (*outer).cheapest_total_path;
        if path.is_null() || !(*path).param_info.is_null() || !only_reads(root) {
            return Ok(());
        }
        let clauses = node::list_vec::<pg_sys::RestrictInfo>((*extra).restrictlist);
        if clauses.iter().any(|&clause| {
            let expr: *mut pg_sys::Node = (*clause).clause.cast();
            (*clause).pseudoconstant
                || pg_sys::contain_volatile_functions(expr)
                || pg_sys::contain_subplans(expr)
        }) {
            return Ok(());
        }
        let keys = clauses.iter().filter(|&&clause| {
            kind == JOIN_INNER
                || kind == JOIN_SEMI
                || !node::is_pushed_down(&*clause, (*rel).relids)
        });
        let mut keys = keys.filter_map(|&clause| key(info, &table, clause, outer, inner));
        if let Some(key) = keys.next() {
            add(root, rel, outer, inner, kind, extra, info, &key);
        }
        Ok(())
    }
}

/// Whether the whole statement neither changes nor locks rows.
unsafe fn only_reads(root: *mut pg_sys::PlannerInfo) -> bool {
    // SAFETY: planner data of this query level and those around it.
    unsafe {
        let mut level = root;
        while !level.is_null() {
            if (*(*level).parse).commandType != pg_sys::CmdType::CMD_SELECT
                || !(*level).rowMarks.is_null()
                || !(*(*level).parse).rowMarks.is_null()
            {
                return false;
            }
            level = (*level).parent_root;
        }
        !parameterized::changes_foreign_tables(root)
    }
}

/// Reads `clause` as `outer column = inner column`, either way round, where the inner column alone tells the placement.
unsafe fn key(
    info: &RelInfo,
    table: &shard::ShardedTable,
    clause: *mut pg_sys::RestrictInfo,
    outer: *mut pg_sys::RelOptInfo,
    inner: *mut pg_sys::RelOptInfo,
) -> Option<Key> {
    // SAFETY: a condition of the join; nodes are cast by their tags.
    unsafe {
        let operator = node::cast::<pg_sys::OpExpr, _>((*clause).clause)?;
        let args = node::list_vec::<pg_sys::Node>(operator.args);
        let &[left, right] = args.as_slice() else { return None };
        let of = |arg, rel: *mut pg_sys::RelOptInfo| {
            column(arg).filter(|&var| pg_sys::bms_is_member((*var).varno, (*rel).relids))
        };
        let mut hashes = [Oid::INVALID; 2];
        let [first, second] = &mut hashes;
        if !pg_sys::op_hashjoinable(operator.opno, pg_sys::exprType(left))
            || !pg_sys::op_strict(operator.opno)
            || !pg_sys::get_op_hash_functions(operator.opno, first, second)
        {
            return None;
        }
        let (outer_arg, inner_arg, opno) = match (of(left, outer), of(right, inner)) {
            (Some(_), Some(_)) => {
                let commuted = pg_sys::get_commutator(operator.opno);
                (left, right, commuted)
            }
            _ => {
                of(left, inner)?;
                of(right, outer)?;
                hashes.reverse();
                (right, left, operator.opno)
            }
        };
        let array_type = pg_sys::get_array_type(pg_sys::exprType(outer_arg));
        if opno == Oid::INVALID || array_type == Oid::INVALID || !deparse::is_builtin(array_type) {
            return None;
        }
        let any = |values: *mut pg_sys::Node| {
            let any = node::make::<pg_sys::ScalarArrayOpExpr>();
            (*any).opno = opno;
            (*any).opfuncid = pg_sys::get_opcode(opno);
            (*any).useOr = true;
            (*any).inputcollid = operator.inputcollid;
            (*any).args = node::make_list([inner_arg, values]);
            (*any).location = -1;
            any
        };
        let param = node::make::<pg_sys::Param>();
        (*param).paramkind = pg_sys::ParamKind::PARAM_EXTERN;
        (*param).paramid = 1;
        (*param).paramtype = array_type;
        (*param).paramtypmod = -1;
        // What is sent is a parameter like any other: the column's collation counts there, and must be the condition's.
        (*param).paramcollid = match pg_sys::exprCollation(outer_arg) {
            Oid::INVALID => Oid::INVALID,
            _ => pg_sys::DEFAULT_COLLATION_OID,
        };
        (*param).location = -1;
        let ships = any(param.cast());
        if !shard::can_spread(table, ships.cast(), (*inner).relid)
            || deparse::foreign_expr(&info.scope, ships).is_err()
        {
            return None;
        }
        let values = node::make::<pg_sys::CaseTestExpr>();
        (*values).typeId = array_type;
        (*values).typeMod = -1;
        (*values).collation = (*param).paramcollid;
        Some(Key {
            clause,
            operator: ptr::from_ref(operator).cast_mut(),
            outer: column(outer_arg)?,
            inner: column(inner_arg)?,
            any: any(values.cast()),
            hashes,
        })
    }
}

/// The column that the expression is, maybe under another name of its type.
unsafe fn column(expr: *mut pg_sys::Node) -> Option<*mut pg_sys::Var> {
    // SAFETY: cast by the node's tag.
    unsafe {
        let bare = match node::cast::<pg_sys::RelabelType, _>(expr) {
            Some(relabel) => relabel.arg.cast(),
            None => expr,
        };
        let var = node::cast::<pg_sys::Var, _>(bare)?;
        (var.varlevelsup == 0 && var.varattno > 0).then_some(bare.cast())
    }
}

#[allow(clippy::too_many_arguments)]
unsafe fn add(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    outer: *mut pg_sys::RelOptInfo,
    inner: *mut pg_sys::RelOptInfo,
    kind: JoinType::Type,
    extra: *mut pg_sys::JoinPathExtraData,
    info: &RelInfo,
    key: &Key,
) {
    // SAFETY: planner data; the nodes are made in the planner's context.
    unsafe {
        let outer_path = (*outer).cheapest_total_path;
        let sjinfo = (*extra).sjinfo;
        let clause = node::make_list([key.clause]);
        let share = pg_sys::clauselist_selectivity(root, clause, 0, JoinType::JOIN_INNER, sjinfo);
        let cost = super::cost::batched(info, inner, (*outer_path).rows, share);
        let (required, none) = ((*inner).lateral_relids, ptr::null_mut());
        let scan = compat::create_foreignscan_path(root, inner, cost, none, required, none.cast());
        // See `condition`.
        (*scan).fdw_private = node::make_list([key.any]);
        let path = node::make::<pg_sys::CustomPath>();
        (*path).path.pathtype = pg_sys::NodeTag::T_CustomScan;
        (*path).path.parent = rel;
        (*path).path.pathtarget = (*rel).reltarget;
        (*path).path.rows = (*rel).rows;
        let mut quals: pg_sys::QualCost = Default::default();
        pg_sys::cost_qual_eval(&raw mut quals, (*extra).restrictlist, root);
        let target = &(*(*rel).reltarget).cost;
        let operator = pg_sys::cpu_operator_cost;
        (*path).path.startup_cost =
            (*outer_path).startup_cost + cost.startup + quals.startup + target.startup;
        (*path).path.total_cost = (*outer_path).total_cost
            + cost.total
            + quals.startup
            + target.startup
            + (*outer_path).rows * (operator + pg_sys::cpu_tuple_cost)
            + cost.rows * (operator + quals.per_tuple)
            + (*rel).rows * (pg_sys::cpu_tuple_cost + target.per_tuple);
        (*path).flags = pg_sys::CUSTOMPATH_SUPPORT_PROJECTION;
        (*path).custom_paths = node::make_list([outer_path, scan.cast()]);
        let numbers = node::make_int_list([kind as i32]);
        let hashes = node::make_int_list(key.hashes.map(|oid| oid.to_u32().cast_signed()));
        (*path).custom_private = node::make_list::<pg_sys::Node>([
            (*extra).restrictlist.cast(),
            numbers.cast(),
            hashes.cast(),
            key.operator.cast(),
            key.outer.cast(),
            key.inner.cast(),
        ]);
        (*path).methods = &raw const METHODS.0;
        pg_sys::add_path(rel, path.cast());
    }
}

/// The condition that a batched join adds to the scan of `path`, and its array.
///
/// # Safety
/// `path` is a foreign path of ours.
pub(super) unsafe fn condition(
    path: *mut pg_sys::ForeignPath,
) -> Option<(*mut pg_sys::Expr, *mut pg_sys::Expr)> {
    // SAFETY: other paths have an integer list there, or nothing.
    unsafe {
        let list = (*path).fdw_private;
        if list.is_null() || (*list).type_ != pg_sys::NodeTag::T_List {
            return None;
        }
        let any = node::list::<pg_sys::Expr>(list).next()?;
        let args = (*any.cast::<pg_sys::ScalarArrayOpExpr>()).args;
        Some((any, node::list::<pg_sys::Expr>(args).nth(1)?))
    }
}

unsafe extern "C-unwind" fn plan_custom_path(
    _root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    path: *mut pg_sys::CustomPath,
    targets: *mut pg_sys::List,
    _clauses: *mut pg_sys::List,
    plans: *mut pg_sys::List,
) -> *mut pg_sys::Plan {
    // SAFETY: PostgreSQL calls it with a path of ours, on its one thread; the frame owns nothing.
    unsafe { entry(|| batched_plan::plan(rel, path, targets, plans)) }
}

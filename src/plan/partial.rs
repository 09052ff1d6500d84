//! Aggregation in two steps: each shard aggregates its rows, the coordinator combines.
//!
//! The planner's own partial aggregation is used: above, a Finalize Aggregate; below, a foreign scan that gives out
//! transition states. Shards are asked for plain SQL whose value IS the transition state:
//!
//! - an aggregate without final function gives out its state as it is (count, sum of int and float, min, max, bool_and,
//!   bit_or, ...);
//! - avg of small integers has the state `{count, sum}`;
//! - the float8 family has `{N, Sx, Sxx}`, for which SQL has count, sum and regr_sxx.
//!
//! Other aggregates (states in C structures, DISTINCT, ORDER BY, ordered sets) are computed here from rows.

use super::relinfo::{RelInfo, Upper};
use super::{cost, upper};
use crate::deparse::{self, GroupBy};
use crate::error::Failure;
use crate::pg::{aggregate, compat, node};
use pgrx::pg_sys;
use pgrx::pg_sys::{AggSplit, AggStrategy, Oid};
use std::ptr;

type Expr = *mut pg_sys::Expr;

/// Adds a Finalize Aggregate over partial results of all placements, when every aggregate can be taken apart.
///
/// # Safety
/// In GetForeignUpperPaths for grouping, with its arguments.
pub(super) unsafe fn paths(
    root: *mut pg_sys::PlannerInfo,
    input: &RelInfo,
    input_rel: *mut pg_sys::RelOptInfo,
    grouped: *mut pg_sys::RelOptInfo,
    extra: *mut pg_sys::GroupPathExtraData,
) -> Result<(), Failure> {
    // SAFETY: planner data.
    unsafe {
        let parse = (*root).parse;
        let flags = (*extra).flags as u32;
        let hashed = !(*parse).groupClause.is_null();
        if flags & pg_sys::GROUPING_CAN_PARTIAL_AGG == 0
            || (hashed && flags & pg_sys::GROUPING_CAN_USE_HASH == 0)
        {
            return Ok(());
        }
        let having: *mut pg_sys::List = (*extra).havingQual.cast();
        let Some(split) = Split::new(root, input, grouped, having) else { return Ok(()) };
        let partial = pg_sys::fetch_upper_rel(
            root,
            pg_sys::UpperRelationKind::UPPERREL_PARTIAL_GROUP_AGG,
            (*grouped).relids,
        );
        // A parallel plan may have made it already; it is ours only if nobody uses it.
        if !(*partial).fdw_private.is_null() || !(*partial).pathlist.is_null() {
            return Ok(());
        }
        (*partial).serverid = (*input_rel).serverid;
        (*partial).userid = (*input_rel).userid;
        (*partial).useridiscurrent = (*input_rel).useridiscurrent;
        (*partial).fdwroutine = (*input_rel).fdwroutine;
        (*partial).reltarget = split.target;
        let Ok(group_by) = GroupBy::from_query(parse, split.tlist) else { return Ok(()) };
        let step = Upper {
            tlist: split.tlist,
            shipped: Some(split.shipped),
            group_by,
            having: Vec::new(),
            local_having: Vec::new(),
        };
        let name = format!("Aggregate on ({})", input.named(root, input_rel));
        let mut info = input.derived(step, name);
        info.scope = input.scope.grouped();
        let groups = upper::estimate_groups(root, input_rel);
        // Each placement has at most all groups.
        let most = groups * input.placements.len() as f64;
        let estimate = cost::grouping(input, partial, most);
        info.estimate = Some(estimate);
        info.install(partial);
        let path = compat::create_foreign_upper_path(
            root,
            partial,
            split.target,
            estimate.path_cost(),
            ptr::null_mut(),
        );
        let mut costs: pg_sys::AggClauseCosts = std::mem::zeroed();
        aggregate::clause_costs(root, AggSplit::AGGSPLIT_FINAL_DESERIAL, &raw mut costs);
        let strategy = if hashed { AggStrategy::AGG_HASHED } else { AggStrategy::AGG_PLAIN };
        let finalize = pg_sys::create_agg_path(
            root,
            grouped,
            path.cast(),
            (*grouped).reltarget,
            strategy,
            AggSplit::AGGSPLIT_FINAL_DESERIAL,
            compat::group_clause(root),
            having,
            &raw const costs,
            groups,
        );
        pg_sys::add_path(grouped, finalize.cast());
        Ok(())
    }
}

/// What the partial step gives out, and how the shards are asked for it.
struct Split {
    /// Grouping columns and partial aggregates.
    target: *mut pg_sys::PathTarget,
    /// The same as a list of TargetEntry.
    tlist: *mut pg_sys::List,
    /// What is sent for each of them.
    shipped: Vec<Expr>,
}

impl Split {
    unsafe fn new(
        root: *mut pg_sys::PlannerInfo,
        input: &RelInfo,
        grouped: *mut pg_sys::RelOptInfo,
        having: *mut pg_sys::List,
    ) -> Option<Split> {
        // SAFETY: planner data.
        unsafe {
            let scope = input.scope.grouped();
            let wanted = (*grouped).reltarget;
            let target = pg_sys::create_empty_pathtarget();
            let mut others: Vec<Expr> = Vec::new();
            for (i, expr) in node::list::<pg_sys::Expr>((*wanted).exprs).enumerate() {
                let references = (*wanted).sortgrouprefs;
                let reference = if references.is_null() { 0 } else { *references.add(i) };
                let is_group = reference != 0
                    && !pg_sys::get_sortgroupref_clause_noerr(
                        reference,
                        (*(*root).parse).groupClause,
                    )
                    .is_null();
                if is_group {
                    pg_sys::add_column_to_pathtarget(target, expr, reference);
                } else {
                    others.push(expr);
                }
            }
            others.extend(node::list::<pg_sys::Expr>(having));
            let flags = pg_sys::PVC_INCLUDE_AGGREGATES | pg_sys::PVC_INCLUDE_PLACEHOLDERS;
            let parts = pg_sys::pull_var_clause(node::make_list(others).cast(), flags as i32);
            pg_sys::add_new_columns_to_pathtarget(target, parts);
            let mut split = Split { target, tlist: ptr::null_mut(), shipped: Vec::new() };
            let references = (*target).sortgrouprefs;
            for (i, expr) in node::list_vec::<pg_sys::Expr>((*target).exprs).into_iter().enumerate()
            {
                let reference = if references.is_null() { 0 } else { *references.add(i) };
                let shipped = if reference != 0 {
                    expr
                } else {
                    // A column that merely depends on the grouping columns has no place in the shard's query.
                    transition_state(node::cast::<pg_sys::Aggref, _>(expr)?)?
                };
                if deparse::foreign_expr(&scope, shipped).is_err()
                    || deparse::is_parameter(&scope, shipped)
                {
                    return None;
                }
                split.shipped.push(shipped);
                split.add_entry(i, expr, reference);
            }
            pg_sys::set_pathtarget_cost_width(root, target);
            Some(split)
        }
    }

    /// Puts the expression's partial form into the target, and an entry for it into the list.
    unsafe fn add_entry(&mut self, index: usize, expr: Expr, reference: u32) {
        // SAFETY: planner data; the Aggref is copied before it is marked.
        unsafe {
            let mut own = expr;
            if reference == 0 {
                let copy = pg_sys::copyObjectImpl(expr.cast()).cast::<pg_sys::Aggref>();
                pg_sys::mark_partial_aggref(copy, AggSplit::AGGSPLIT_INITIAL_SERIAL);
                own = copy.cast();
                (*(*(*self.target).exprs).elements.add(index)).ptr_value = own.cast();
            }
            let entry = pg_sys::makeTargetEntry(own, index as i16 + 1, ptr::null_mut(), false);
            (*entry).ressortgroupref = reference;
            self.tlist = pg_sys::lappend(self.tlist, entry.cast());
        }
    }
}

/// The expression whose value over some rows is the aggregate's transition state after those rows.
unsafe fn transition_state(aggregate: &pg_sys::Aggref) -> Option<Expr> {
    // SAFETY: the Aggref is the planner's.
    unsafe {
        if !aggregate.aggdistinct.is_null()
            || !aggregate.aggorder.is_null()
            || !aggregate.aggdirectargs.is_null()
            || aggregate.aggkind as u8 != b'n'
        {
            return None;
        }
        let whole = pg_sys::copyObjectImpl((&raw const *aggregate).cast()).cast::<pg_sys::Expr>();
        let definition = aggregate::definition(aggregate.aggfnoid)?;
        if !definition.combines {
            return None;
        }
        if !definition.finalizes
            && definition.state_type == aggregate.aggtype
            && definition.state_type != pg_sys::INTERNALOID
        {
            return Some(whole);
        }
        let call = |function, result| call(aggregate, function, result);
        let argument = first_argument(aggregate)?;
        match aggregate.aggfnoid.to_u32() {
            pg_sys::F_AVG_INT2 | pg_sys::F_AVG_INT4 => {
                let sum = match aggregate.aggfnoid.to_u32() {
                    pg_sys::F_AVG_INT2 => pg_sys::F_SUM_INT2,
                    _ => pg_sys::F_SUM_INT4,
                };
                let count = count(aggregate, argument);
                let sum = or_zero(call(sum, pg_sys::INT8OID), pg_sys::INT8OID);
                Some(array(&[count, sum], pg_sys::INT8ARRAYOID, pg_sys::INT8OID))
            }
            pg_sys::F_AVG_FLOAT8
            | pg_sys::F_VARIANCE_FLOAT8
            | pg_sys::F_VAR_POP_FLOAT8
            | pg_sys::F_VAR_SAMP_FLOAT8
            | pg_sys::F_STDDEV_FLOAT8
            | pg_sys::F_STDDEV_POP_FLOAT8
            | pg_sys::F_STDDEV_SAMP_FLOAT8 => {
                let float = pg_sys::FLOAT8OID;
                let count = function(pg_sys::F_FLOAT8_INT8, count(aggregate, argument), float);
                let sum = or_zero(call(pg_sys::F_SUM_FLOAT8, float), float);
                let squares = or_zero(squares(aggregate, argument), float);
                Some(array(&[count, sum, squares], pg_sys::FLOAT8ARRAYOID, float))
            }
            _ => None,
        }
    }
}

unsafe fn first_argument(aggregate: &pg_sys::Aggref) -> Option<Expr> {
    // SAFETY: aggregated arguments are TargetEntries.
    unsafe {
        let entry = node::list::<pg_sys::TargetEntry>(aggregate.args).next()?;
        Some((*entry).expr)
    }
}

/// The same aggregation with another aggregate function of the same arguments.
unsafe fn call(aggregate: &pg_sys::Aggref, function: u32, result: Oid) -> Expr {
    // SAFETY: a copy of a valid node, changed in its function only.
    unsafe {
        let copy = pg_sys::copyObjectImpl((&raw const *aggregate).cast()).cast::<pg_sys::Aggref>();
        (*copy).aggfnoid = Oid::from(function);
        (*copy).aggtype = result;
        copy.cast()
    }
}

unsafe fn count(aggregate: &pg_sys::Aggref, argument: Expr) -> Expr {
    // SAFETY: as in `call`; count("any") declares its argument's own type.
    unsafe {
        let copy = call(aggregate, pg_sys::F_COUNT_ANY, pg_sys::INT8OID).cast::<pg_sys::Aggref>();
        let argument_type = pg_sys::exprType(argument.cast());
        (*copy).aggargtypes = pg_sys::lappend_oid(ptr::null_mut(), argument_type);
        copy.cast()
    }
}

/// `regr_sxx(x, x)`: the sum of squared deviations, as float8_accum keeps it.
unsafe fn squares(aggregate: &pg_sys::Aggref, argument: Expr) -> Expr {
    // SAFETY: as in `call`; the second argument is a copy of the first.
    unsafe {
        let float = pg_sys::FLOAT8OID;
        let copy = call(aggregate, pg_sys::F_REGR_SXX, float).cast::<pg_sys::Aggref>();
        let second = pg_sys::copyObjectImpl(argument.cast()).cast::<pg_sys::Expr>();
        let entry = pg_sys::makeTargetEntry(second, 2, ptr::null_mut(), false);
        (*copy).args = pg_sys::lappend((*copy).args, entry.cast());
        let types = pg_sys::lappend_oid(ptr::null_mut(), float);
        (*copy).aggargtypes = pg_sys::lappend_oid(types, float);
        copy.cast()
    }
}

unsafe fn function(function: u32, argument: Expr, result: Oid) -> Expr {
    // SAFETY: a call of a built-in function.
    unsafe {
        pg_sys::makeFuncExpr(
            Oid::from(function),
            result,
            node::make_list([argument]),
            pg_sys::InvalidOid,
            pg_sys::InvalidOid,
            pg_sys::CoercionForm::COERCE_EXPLICIT_CALL,
        )
        .cast()
    }
}

/// `COALESCE(value, 0)`.
unsafe fn or_zero(value: Expr, of_type: Oid) -> Expr {
    // SAFETY: a zeroed node of the right size with its tag set; zero is 0 in both types used here.
    unsafe {
        let zero = pg_sys::makeConst(
            of_type,
            -1,
            pg_sys::InvalidOid,
            8,
            pg_sys::Datum::from(0),
            false,
            true,
        );
        let coalesce = node::make::<pg_sys::CoalesceExpr>();
        (*coalesce).coalescetype = of_type;
        (*coalesce).args = node::make_list([value, zero.cast()]);
        (*coalesce).location = -1;
        coalesce.cast()
    }
}

unsafe fn array(elements: &[Expr], array_type: Oid, element_type: Oid) -> Expr {
    // SAFETY: as in `or_zero`.
    unsafe {
        let array = node::make::<pg_sys::ArrayExpr>();
        (*array).array_typeid = array_type;
        (*array).element_typeid = element_type;
        (*array).elements = node::make_list(elements.iter().copied());
        (*array).location = -1;
        array.cast()
    }
}

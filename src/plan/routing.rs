//! Pruning at execution: which placements a scan needs can depend on parameters.
//!
//! Conditions such as `id = $1` or `id = ANY ($1)` travel in the plan with a numbered placeholder where the value
//! belongs; the expression for the value is one of `fdw_exprs`. At each start of the scan the values are put in,
//! and the conditions are read exactly as constants are read when a query is planned.

use super::private::{Reader, Writer};
use super::prune;
use crate::error::Failure;
use crate::pg::{memory, node};
use crate::shard;
use pgrx::pg_sys;
use pgrx::pg_sys::{Datum, Oid};

/// The conditions of a scan of one sharded table that choose placements at execution.
#[derive(Clone, Debug)]
pub struct Routing {
    /// The sharded table.
    pub parent: Oid,
    /// Its range-table index, as the conditions' Vars have it.
    rti: u32,
    /// OpExpr and ScalarArrayOpExpr nodes. Where the value belongs stands a Param whose `paramid` is the value's index
    /// in `fdw_exprs`.
    conditions: Vec<*mut pg_sys::Node>,
}

impl Routing {
    /// Those of `clauses` that may choose placements, their value expressions added to `exprs` unless they are there.
    ///
    /// # Safety
    /// The clauses are valid expressions of the query being planned.
    pub unsafe fn plan(
        table: &shard::ShardedTable,
        rti: u32,
        clauses: &[*mut pg_sys::Expr],
        exprs: &mut Vec<*mut pg_sys::Expr>,
    ) -> Option<Routing> {
        // SAFETY: as the caller vouches.
        let conditions: Vec<_> = clauses
            .iter()
            .filter_map(|&clause| unsafe { condition(table, rti, clause.cast(), exprs) })
            .collect();
        (!conditions.is_empty()).then_some(Routing { parent: table.parent, rti, conditions })
    }

    /// The placements needed for these values of `fdw_exprs`, as OIDs of foreign tables; `None` when the sharded
    /// table is none any more.
    ///
    /// # Safety
    /// The values are those of the plan's expressions, alive; a transaction is open.
    pub unsafe fn select(&self, values: &[(Datum, bool)]) -> Result<Option<Vec<Oid>>, Failure> {
        // SAFETY: as the caller vouches; what is made here lives in a context that is deleted below, or with its
        // parent after an ERROR.
        unsafe {
            let Some(table) = shard::sharded(self.parent)? else { return Ok(None) };
            let context = memory::create_child(pg_sys::CurrentMemoryContext, c"shard_fdw routing");
            let selected = {
                let _guard = memory::ContextGuard::switch_to(context);
                let clauses: Vec<_> =
                    self.conditions.iter().map(|&condition| filled(condition, values)).collect();
                let pins = shard::read_clauses(clauses, self.rti, &|attno| table.uses(attno));
                table.select(&pins, prune::is_honoured)
            };
            pg_sys::MemoryContextDelete(context);
            Ok(Some(selected?.into_iter().map(|index| table.members[index].relid).collect()))
        }
    }

    /// As part of a plan's private list.
    pub(super) unsafe fn write(this: Option<&Routing>, out: &mut Writer) {
        // SAFETY: list makers only allocate.
        unsafe {
            let parent = this.map_or(Oid::INVALID, |routing| routing.parent);
            out.oids(std::iter::once(parent));
            out.integer(this.map_or(0, |routing| routing.rti as i32));
            out.list(node::make_list(this.iter().flat_map(|r| r.conditions.iter().copied())));
        }
    }

    /// Back from [`Routing::write`].
    pub(super) unsafe fn read(list: &mut Reader) -> Result<Option<Routing>, Failure> {
        // SAFETY: the caller vouches for the layout.
        unsafe {
            let parent = list.oids()?.first().copied().unwrap_or(Oid::INVALID);
            let rti = list.integer()? as u32;
            let conditions = node::list_vec(list.list()?);
            Ok((parent != Oid::INVALID).then_some(Routing { parent, rti, conditions }))
        }
    }
}

/// The arguments of an operator or `operator ANY`.
unsafe fn arguments(clause: *mut pg_sys::Node) -> Option<*mut pg_sys::List> {
    // SAFETY: cast by the node's tag.
    unsafe {
        if let Some(operator) = node::cast::<pg_sys::OpExpr, _>(clause) {
            return Some(operator.args);
        }
        node::cast::<pg_sys::ScalarArrayOpExpr, _>(clause).map(|operator| operator.args)
    }
}

unsafe fn condition(
    table: &shard::ShardedTable,
    rti: u32,
    clause: *mut pg_sys::Node,
    exprs: &mut Vec<*mut pg_sys::Expr>,
) -> Option<*mut pg_sys::Node> {
    // SAFETY: a valid expression of the query.
    unsafe {
        let args = node::list_vec::<pg_sys::Node>(arguments(clause)?);
        let [left, right] = args[..] else { return None };
        let position = match (is_value(left, rti), is_value(right, rti)) {
            (false, true) => 1,
            (true, false) => 0,
            _ => return None,
        };
        let (value, other) = (args[position], args[1 - position]);
        // Only conditions on columns that rules are about.
        let mut used = std::ptr::null_mut();
        pg_sys::pull_varattnos(other, rti, &raw mut used);
        let of_interest = node::members(used)
            .filter_map(|m| i16::try_from(m + pg_sys::FirstLowInvalidHeapAttributeNumber).ok())
            .any(|attno| table.uses(attno));
        if !of_interest {
            return None;
        }
        let index = match exprs.iter().position(|&own| pg_sys::equal(own.cast(), value.cast())) {
            Some(index) => index,
            None => {
                exprs.push(value.cast());
                exprs.len() - 1
            }
        };
        let skeleton = pg_sys::copyObjectImpl(clause.cast()).cast::<pg_sys::Node>();
        let param = pg_sys::palloc0(size_of::<pg_sys::Param>()).cast::<pg_sys::Param>();
        (*param).xpr.type_ = pg_sys::NodeTag::T_Param;
        (*param).paramkind = pg_sys::ParamKind::PARAM_EXTERN;
        (*param).paramid = index as i32;
        (*param).paramtype = pg_sys::exprType(value);
        (*param).paramtypmod = pg_sys::exprTypmod(value);
        (*param).paramcollid = pg_sys::exprCollation(value);
        (*param).location = -1;
        let list = arguments(skeleton)?;
        (*(*list).elements.add(position)).ptr_value = param.cast();
        Some(skeleton)
    }
}

/// Whether the expression has one value for the whole scan that is not known when the query is planned: a parameter, or
/// a column of an outer relation.
unsafe fn is_value(expr: *mut pg_sys::Node, rti: u32) -> bool {
    // SAFETY: a valid expression of the query.
    unsafe {
        !node::is_a(expr, pg_sys::NodeTag::T_Const)
            && !pg_sys::bms_is_member(rti as i32, pg_sys::pull_varnos(std::ptr::null_mut(), expr))
            && !pg_sys::contain_volatile_functions(expr)
            && !pg_sys::contain_subplans(expr)
    }
}

/// The condition with its value in it.
unsafe fn filled(condition: *mut pg_sys::Node, values: &[(Datum, bool)]) -> *mut pg_sys::Node {
    // SAFETY: a node that `condition` made, possibly copied since; the values are of the placeholders' types.
    unsafe {
        let copy = pg_sys::copyObjectImpl(condition.cast()).cast::<pg_sys::Node>();
        let Some(list) = arguments(copy) else { return copy };
        for index in 0..(*list).length as usize {
            let cell = (*list).elements.add(index);
            let Some(param) = node::cast::<pg_sys::Param, _>((*cell).ptr_value) else { continue };
            let Some(&(value, null)) = values.get(param.paramid as usize) else { continue };
            let (mut len, mut by_value) = (0i16, false);
            pg_sys::get_typlenbyval(param.paramtype, &raw mut len, &raw mut by_value);
            let value = if null {
                Datum::null()
            } else if len == -1 {
                // Plain values only: neither compressed nor out of line.
                Datum::from(pg_sys::pg_detoast_datum(value.cast_mut_ptr()))
            } else {
                value
            };
            (*cell).ptr_value = pg_sys::makeConst(
                param.paramtype,
                param.paramtypmod,
                param.paramcollid,
                i32::from(len),
                value,
                null,
                by_value,
            )
            .cast();
        }
        copy
    }
}

//! Pruning at execution: which placements a scan needs can depend on parameters.
//!
//! Conditions such as `id = $1` or `id = ANY ($1)` travel in the plan with a numbered placeholder where the value
//! belongs; the expression for the value is one of `fdw_exprs`. At each start of the scan the values are put in,
//! and the conditions are read exactly as constants are read when a query is planned.

use super::private::{Reader, Writer};
use super::prune;
use crate::error::Failure;
use crate::pg::{memory, node};
use crate::{deparse, shard};
use pgrx::pg_sys;
use pgrx::pg_sys::{Datum, Oid};
use std::collections::{HashMap, HashSet};

/// The conditions of a scan on one sharded table that choose placements at execution.
#[derive(Clone, Debug)]
pub struct Routing {
    /// The sharded table.
    pub parent: Oid,
    /// Its range-table index, as the conditions' Vars have it.
    pub rti: u32,
    /// OpExpr and ScalarArrayOpExpr nodes. Where the value belongs stands a Param whose `paramid` is the value's index
    /// in `fdw_exprs`.
    conditions: Vec<*mut pg_sys::Node>,
    /// ScalarArrayOpExpr nodes likewise, whose array is a parameter of the statement that nothing else uses: each
    /// placement gets the members that can be there.
    spreads: Vec<*mut pg_sys::Node>,
    /// Whether something is known at execution only.
    open: bool,
}

/// What one start of a scan needs of a sharded table.
#[derive(Debug, Default)]
pub struct Selection {
    /// The placements to ask, as OIDs of foreign tables; `None` when the table is not sharded any more: all.
    tables: Option<HashSet<u32>>,
    /// Parameters of the statement and their values by foreign table.
    arrays: Vec<(usize, HashMap<u32, Option<Datum>>)>,
}

impl Selection {
    /// Whether rows can come from the foreign table.
    pub fn needs(&self, table: Oid) -> bool {
        let key = table.to_u32();
        self.tables.as_ref().is_none_or(|tables| tables.contains(&key))
            && self.arrays.iter().all(|(_, of)| of.get(&key).is_none_or(|array| array.is_some()))
    }

    /// The value of parameter `index` of the statement for the foreign table, where it has one of its own.
    pub fn array(&self, index: usize, table: Oid) -> Option<Datum> {
        let (_, of) = self.arrays.iter().find(|(own, _)| *own == index)?;
        of.get(&table.to_u32()).copied().flatten()
    }
}

/// The arrays in `clauses` (conditions that every row of the scan satisfies) whose members can be told apart by the
/// placements of `table`: to be sent as parameters of their own, and given to [`Routing::plan`].
///
/// # Safety
/// The clauses are valid expressions of the query being planned; `own` are the tables of the scan.
pub unsafe fn arrays_to_spread(
    table: &shard::ShardedTable,
    rti: u32,
    own: &[u32],
    clauses: &[*mut pg_sys::Expr],
) -> Vec<*mut pg_sys::Expr> {
    // SAFETY: as the caller vouches.
    unsafe {
        let mut arrays = Vec::new();
        for &clause in clauses {
            if !shard::can_spread(table, clause.cast(), rti) {
                continue;
            }
            let args = arguments(clause.cast()).map(|list| node::list_vec::<pg_sys::Expr>(list));
            let Some(&array) = args.as_ref().and_then(|args| args.get(1)) else { continue };
            let several = match node::cast::<pg_sys::Const, _>(array) {
                Some(constant) => {
                    !constant.constisnull && crate::pg::array::length(constant.constvalue) > 1
                }
                None => is_value(array.cast(), own),
            };
            // Types of users would need a cast by name; a literal does not.
            if several && deparse::is_builtin(pg_sys::exprType(array.cast())) {
                arrays.push(array);
            }
        }
        arrays
    }
}

impl Routing {
    /// Those of `clauses` that may choose placements, their value expressions added to `exprs` unless they are there.
    /// `spread`: arrays that are parameters of their own, with their places in `exprs`.
    ///
    /// # Safety
    /// The clauses are valid expressions of the query being planned; `own` are the tables of the scan.
    pub unsafe fn plan(
        table: &shard::ShardedTable,
        rti: u32,
        own: &[u32],
        clauses: &[*mut pg_sys::Expr],
        spread: &[(*mut pg_sys::Expr, usize)],
        exprs: &mut Vec<*mut pg_sys::Expr>,
    ) -> Option<Routing> {
        let (mut conditions, mut spreads) = (Vec::new(), Vec::new());
        let mut open = false;
        for &clause in clauses {
            let clause: *mut pg_sys::Node = clause.cast();
            // SAFETY: as the caller vouches.
            unsafe {
                let args = arguments(clause).map(|list| node::list_vec::<pg_sys::Expr>(list));
                let array = args.as_ref().and_then(|args| args.get(1));
                match spread.iter().find(|(expr, _)| Some(expr) == array) {
                    Some(&(expr, index)) if shard::can_spread(table, clause, rti) => {
                        open |= !node::is_a(expr, pg_sys::NodeTag::T_Const);
                        spreads.extend(skeleton(clause, 1, index));
                    }
                    _ => conditions.extend(condition(table, rti, own, clause, exprs)),
                }
            }
        }
        let any = !conditions.is_empty() || !spreads.is_empty();
        let open = open || !conditions.is_empty();
        any.then_some(Routing { parent: table.parent, rti, conditions, spreads, open })
    }

    /// Whether the placements depend on what is only known at execution.
    pub fn chooses(&self) -> bool {
        self.open
    }

    /// The numbers of the statement's parameters, from 1, of which each placement gets its own part.
    pub fn spread_params(&self) -> Vec<i32> {
        let number = |&clause: &*mut pg_sys::Node| {
            // SAFETY: made by `plan`, possibly copied since.
            unsafe {
                let args = node::list_vec::<pg_sys::Node>(arguments(clause)?);
                Some(node::cast::<pg_sys::Param, _>(*args.get(1)?)?.paramid + 1)
            }
        };
        self.spreads.iter().filter_map(number).collect()
    }

    /// The placements needed for these values of `fdw_exprs`, and what is different for each.
    ///
    /// # Safety
    /// The values are those of the plan's expressions, alive; a transaction is open. What is selected lives in the
    /// current memory context.
    pub unsafe fn select(&self, values: &[(Datum, bool)]) -> Result<Selection, Failure> {
        // SAFETY: as the caller vouches; what is made here lives in a context that is deleted below, or with its
        // parent after an ERROR.
        unsafe {
            let Some(table) = shard::sharded(self.parent)? else { return Ok(Selection::default()) };
            let outside = pg_sys::CurrentMemoryContext;
            let context = memory::create_child(outside, c"shard_fdw routing");
            let selected = {
                let _guard = memory::ContextGuard::switch_to(context);
                self.select_from(&table, values, outside)
            };
            pg_sys::MemoryContextDelete(context);
            selected
        }
    }

    unsafe fn select_from(
        &self,
        table: &shard::ShardedTable,
        values: &[(Datum, bool)],
        outside: pg_sys::MemoryContext,
    ) -> Result<Selection, Failure> {
        // SAFETY: as in `select`.
        unsafe {
            let mut clauses: Vec<_> =
                self.conditions.iter().map(|&condition| filled(condition, values)).collect();
            let mut arrays = Vec::new();
            for (&spread, number) in self.spreads.iter().zip(self.spread_params()) {
                let clause = filled(spread, values);
                let read = shard::Spread::read(table, clause, self.rti, prune::is_honoured)?;
                let Some(read) = read else {
                    clauses.push(clause);
                    continue;
                };
                let _guard = memory::ContextGuard::switch_to(outside);
                let members = table.members.iter().enumerate();
                let of = members.map(|(i, member)| (member.relid.to_u32(), read.array(i)));
                arrays.push((number as usize - 1, of.collect()));
            }
            let mut tables = None;
            if !clauses.is_empty() {
                let pins = shard::read_clauses(clauses, self.rti, &|attno| table.uses(attno));
                let selected = table.select(&pins, prune::is_honoured)?;
                let relid = |index: usize| table.members[index].relid.to_u32();
                tables = Some(selected.into_iter().map(relid).collect());
            }
            Ok(Selection { tables, arrays })
        }
    }

    /// As part of a plan's private list.
    pub(super) unsafe fn write(all: &[Routing], out: &mut Writer) {
        // SAFETY: list makers only allocate.
        unsafe {
            let mut inner = Writer::new();
            for routing in all {
                inner.oids(std::iter::once(routing.parent));
                inner.integer(routing.rti as i32);
                inner.list(node::make_list(routing.conditions.iter().copied()));
                inner.list(node::make_list(routing.spreads.iter().copied()));
                inner.integer(i32::from(routing.open));
            }
            out.list(inner.finish());
        }
    }

    /// Back from [`Routing::write`].
    pub(super) unsafe fn read(list: &mut Reader) -> Result<Vec<Routing>, Failure> {
        // SAFETY: the caller vouches for the layout.
        unsafe {
            let mut inner = Reader::new(list.list()?);
            let mut all = Vec::new();
            while !inner.at_end() {
                all.push(Routing {
                    parent: inner.oids()?.first().copied().unwrap_or(Oid::INVALID),
                    rti: inner.integer()? as u32,
                    conditions: node::list_vec(inner.list()?),
                    spreads: node::list_vec(inner.list()?),
                    open: inner.integer()? != 0,
                });
            }
            Ok(all)
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
    own: &[u32],
    clause: *mut pg_sys::Node,
    exprs: &mut Vec<*mut pg_sys::Expr>,
) -> Option<*mut pg_sys::Node> {
    // SAFETY: a valid expression of the query.
    unsafe {
        let args = node::list_vec::<pg_sys::Node>(arguments(clause)?);
        let [left, right] = args[..] else { return None };
        let position = match (is_value(left, own), is_value(right, own)) {
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
        skeleton(clause, position, index)
    }
}

/// A copy of the condition with a placeholder for value `index` as its operand `position`.
unsafe fn skeleton(
    clause: *mut pg_sys::Node,
    position: usize,
    index: usize,
) -> Option<*mut pg_sys::Node> {
    // SAFETY: a valid operator expression of the query with two operands.
    unsafe {
        let skeleton = pg_sys::copyObjectImpl(clause.cast()).cast::<pg_sys::Node>();
        let list = arguments(skeleton)?;
        let cell = (*list).elements.add(position);
        let value: *mut pg_sys::Node = (*cell).ptr_value.cast();
        let param = pg_sys::palloc0(size_of::<pg_sys::Param>()).cast::<pg_sys::Param>();
        (*param).xpr.type_ = pg_sys::NodeTag::T_Param;
        (*param).paramkind = pg_sys::ParamKind::PARAM_EXTERN;
        (*param).paramid = index as i32;
        (*param).paramtype = pg_sys::exprType(value);
        (*param).paramtypmod = pg_sys::exprTypmod(value);
        (*param).paramcollid = pg_sys::exprCollation(value);
        (*param).location = -1;
        (*cell).ptr_value = param.cast();
        Some(skeleton)
    }
}

/// Whether the expression has one value for the whole scan that is not known when the query is planned: a parameter, or
/// a column of an outer relation.
unsafe fn is_value(expr: *mut pg_sys::Node, own: &[u32]) -> bool {
    // SAFETY: a valid expression of the query.
    unsafe {
        !node::is_a(expr, pg_sys::NodeTag::T_Const)
            && {
                let used = pg_sys::pull_varnos(std::ptr::null_mut(), expr);
                !own.iter().any(|&rti| pg_sys::bms_is_member(rti as i32, used))
            }
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

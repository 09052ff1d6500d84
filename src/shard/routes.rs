//! From a sharding value to its placements in one step.
//!
//! Where all placements of a table say `expression = constant` (or IN a list of constants) of the same immutable
//! expression, the constants are a map: the expression is evaluated once at the values a query fixes, and what the
//! map does not name is left out. Placements that say nothing of the kind are always named.

use super::expression::trust_of;
use super::pin::{MAX_CANDIDATES, Pins, Value};
use super::rule::{Condition, Rule};
use super::table::Member;
use super::truth::Formula;
use crate::error::Failure;
use crate::pg::attempt::{Trust, attempt};
use crate::pg::memory::{self, ContextGuard};
use crate::pg::node::{self, cast, list_vec};
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use std::collections::HashMap;

/// The map of one sharded table; lives in a memory context of its own.
pub struct Routes {
    /// In terms of the parent's attributes.
    expression: *mut pg_sys::Node,
    columns: Vec<i16>,
    trust: Trust,
    places: HashMap<u64, Vec<usize>>,
    context: pg_sys::MemoryContext,
    descriptor: pg_sys::TupleDesc,
}

/// `expression = ANY (constants)`, as one placement says it.
struct Saying {
    expression: *mut pg_sys::Node,
    constants: Vec<u64>,
}

impl Routes {
    /// The map of these placements, when there is one. `descriptor` is their parent's row type.
    ///
    /// # Safety
    /// `descriptor` is a valid row type; what the placements say of their columns is right.
    pub unsafe fn new(members: &[Member], descriptor: pg_sys::TupleDesc) -> Option<Routes> {
        // SAFETY: as the caller vouches; the new context belongs to the map.
        unsafe {
            let sayings: Vec<Vec<Saying>> = members
                .iter()
                .map(|member| member.rule.as_ref().map(|rule| sayings(rule, member)))
                .collect::<Option<_>>()?;
            // The first placement's sayings are tried one after the other.
            for first in sayings.first()? {
                let mut places: HashMap<u64, Vec<usize>> = HashMap::new();
                let everywhere = sayings.iter().enumerate().all(|(index, own)| {
                    let Some(same) = own.iter().find(|saying| {
                        pg_sys::equal(saying.expression.cast(), first.expression.cast())
                    }) else {
                        return false;
                    };
                    for &constant in &same.constants {
                        places.entry(constant).or_default().push(index);
                    }
                    true
                });
                if everywhere {
                    return Some(Routes::made(first.expression, places, descriptor));
                }
            }
            None
        }
    }

    unsafe fn made(
        expression: *mut pg_sys::Node,
        places: HashMap<u64, Vec<usize>>,
        descriptor: pg_sys::TupleDesc,
    ) -> Routes {
        // SAFETY: copies into a new context, a child of CacheMemoryContext.
        unsafe {
            let context = memory::create_child(pg_sys::CacheMemoryContext, c"shard_fdw routes");
            let _guard = ContextGuard::switch_to(context);
            let expression = pg_sys::copyObjectImpl(expression.cast()).cast::<pg_sys::Node>();
            let mut used = std::ptr::null_mut();
            pg_sys::pull_varattnos(expression, 1, &raw mut used);
            let columns = node::members(used)
                .filter_map(|m| i16::try_from(m + pg_sys::FirstLowInvalidHeapAttributeNumber).ok())
                .collect();
            Routes {
                trust: trust_of(expression),
                columns,
                expression,
                places,
                descriptor: pg_sys::CreateTupleDescCopy(descriptor),
                context,
            }
        }
    }

    /// The expression, over the parent's columns as those of range-table index 1.
    pub(super) fn expression(&self) -> *mut pg_sys::Node {
        self.expression
    }

    /// The placements that say they take this value of the expression, ascending.
    pub(super) fn takers(&self, value: Datum) -> &[usize] {
        self.places.get(&(value.value() as u64)).map_or(&[], Vec::as_slice)
    }

    /// The columns the expression needs.
    pub fn columns(&self) -> &[i16] {
        &self.columns
    }

    /// Whether the expression is more than column `attno` itself.
    pub fn scatters(&self, attno: i16) -> bool {
        // SAFETY: the expression is a valid node.
        self.columns.contains(&attno)
            && !unsafe { node::is_a(self.expression, pg_sys::NodeTag::T_Var) }
    }

    /// Whether a value of `own` column here and the same value of the `theirs` column there are on placements of the
    /// same number: both expressions are the same function of that one column, and the maps are equal.
    pub fn agrees_with(&self, own: i16, other: &Routes, theirs: i16) -> bool {
        if self.columns != [own] || other.columns != [theirs] || self.places != other.places {
            return false;
        }
        // SAFETY: copies of valid expressions, in which the one column is given one number.
        unsafe {
            let renumbered = |routes: &Routes| {
                let copy = pg_sys::copyObjectImpl(routes.expression.cast()).cast::<pg_sys::Node>();
                node::any_node(copy, &mut |part| {
                    if node::is_a(part, pg_sys::NodeTag::T_Var) {
                        let var = part.cast::<pg_sys::Var>();
                        (*var).varattno = 1;
                        set_syntactic(var);
                    }
                    false
                });
                copy
            };
            pg_sys::equal(renumbered(self).cast(), renumbered(other).cast())
        }
    }

    /// The expression, for people, with `relation`'s column names.
    pub fn describe(&self, relation: pg_sys::Oid) -> String {
        // SAFETY: the expression's Vars are of range-table index 1, which deparse_context_for calls `relation`.
        unsafe {
            let name = pg_sys::get_rel_name(relation);
            if name.is_null() {
                return String::new();
            }
            let context = pg_sys::deparse_context_for(name, relation);
            crate::pg::text::take_from_server(pg_sys::deparse_expression(
                self.expression,
                context,
                false,
                false,
            ))
        }
    }

    /// The placements that can hold a row with one of the pinned values, ascending; `None` when that is not known.
    ///
    /// # Safety
    /// The pinned values are of the columns' types and alive; a transaction is open.
    pub unsafe fn find(&self, pins: &Pins) -> Result<Option<Vec<usize>>, Failure> {
        if pins.is_never() {
            return Ok(Some(Vec::new()));
        }
        let mut columns = Vec::with_capacity(self.columns.len());
        for &attno in &self.columns {
            let Some(candidates) = pins.get(attno) else { return Ok(None) };
            columns.push((attno, candidates.values()));
        }
        let mut found = Some(Vec::new());
        // SAFETY: as the caller vouches.
        let known = unsafe {
            self.evaluate(&columns, |places| {
                match (&mut found, places) {
                    (Some(found), Some(places)) => found.extend_from_slice(places),
                    // The row may be anywhere.
                    _ => found = None,
                }
                found.is_some()
            })?
        };
        if let Some(found) = &mut found {
            found.sort_unstable();
            found.dedup();
        }
        Ok(found.filter(|_| known))
    }

    /// For each of `values` the placements that can hold a row with it in column `attno`; `None` for one that may be
    /// anywhere. `None` at all when that column alone does not decide, or when nothing is known.
    ///
    /// # Safety
    /// The values are of the column's type and alive; a transaction is open.
    pub unsafe fn spread(
        &self,
        attno: i16,
        values: &[Value],
    ) -> Result<Option<Vec<Option<Vec<usize>>>>, Failure> {
        if self.columns != [attno] {
            return Ok(None);
        }
        let mut spread = Vec::with_capacity(values.len());
        // SAFETY: as the caller vouches.
        let known = unsafe {
            self.evaluate(&[(attno, values)], |places| {
                spread.push(places.map(<[usize]>::to_vec));
                true
            })?
        };
        Ok(known.then_some(spread))
    }

    /// Evaluates the expression at each combination of values, the first column's changing fastest, and gives `take`
    /// the placements, or `None` when the CHECKs are NULL there, which they let pass; it says whether to go on. False
    /// when nothing is known: too many combinations, or the evaluation failed.
    unsafe fn evaluate(
        &self,
        columns: &[(i16, &[Value])],
        mut take: impl FnMut(Option<&[usize]>) -> bool,
    ) -> Result<bool, Failure> {
        let sizes = columns.iter().map(|(_, values)| values.len());
        let combinations = sizes.fold(1, usize::saturating_mul);
        if combinations > MAX_CANDIDATES {
            return Ok(false);
        }
        // SAFETY: as the callers vouch; the scratch context is deleted below, or with its parent after an ERROR.
        unsafe {
            let scratch = memory::create_child(pg_sys::CurrentMemoryContext, c"shard_fdw routing");
            let outcome = attempt(self.trust, || {
                let _guard = ContextGuard::switch_to(scratch);
                self.evaluate_all(columns, combinations, &mut take);
                Ok(())
            });
            pg_sys::MemoryContextDelete(scratch);
            // An error of evaluation says nothing.
            Ok(outcome?.is_some())
        }
    }

    unsafe fn evaluate_all(
        &self,
        columns: &[(i16, &[Value])],
        combinations: usize,
        take: &mut dyn FnMut(Option<&[usize]>) -> bool,
    ) {
        // SAFETY: a virtual slot's arrays have one entry per column; everything is allocated in the scratch context.
        unsafe {
            let slot =
                pg_sys::MakeSingleTupleTableSlot(self.descriptor, &raw const pg_sys::TTSOpsVirtual);
            pg_sys::ExecStoreAllNullTuple(slot);
            let context = pg_sys::CreateStandaloneExprContext();
            (*context).ecxt_scantuple = slot;
            let state = pg_sys::ExecInitExpr(self.expression.cast(), std::ptr::null_mut());
            for combination in 0..combinations {
                let mut rest = combination;
                for &(attno, values) in columns {
                    let value = values[rest % values.len()];
                    rest /= values.len();
                    let index = attno as usize - 1;
                    *(*slot).tts_values.add(index) = value.unwrap_or(Datum::null());
                    *(*slot).tts_isnull.add(index) = value.is_none();
                }
                let mut null = false;
                let value = pg_sys::ExecEvalExprSwitchContext(state, context, &raw mut null);
                let places = self.places.get(&(value.value() as u64));
                if !take((!null).then(|| places.map_or(&[][..], |places| places))) {
                    break;
                }
            }
            pg_sys::FreeExprContext(context, true);
            pg_sys::ExecDropSingleTupleTableSlot(slot);
        }
    }
}

impl Drop for Routes {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: the context is this map's own. While unwinding it is leaked rather than risk an ERROR.
            unsafe { pg_sys::MemoryContextDelete(self.context) }
        }
    }
}

/// What the rule says of the form `expression = ANY (constants)`.
unsafe fn sayings(rule: &Rule, member: &Member) -> Vec<Saying> {
    let conditions = rule.conditions.iter();
    // SAFETY: the rule's expressions are valid nodes.
    conditions.flat_map(|condition| unsafe { saying(rule, member, condition) }).collect()
}

unsafe fn saying(rule: &Rule, member: &Member, condition: &Condition) -> Vec<Saying> {
    let mut parts = Vec::new();
    // AND may hold several (a list partition says IS NOT NULL besides); under OR a part alone says nothing.
    match &condition.formula {
        Formula::Leaf(leaf) => parts.push(*leaf),
        Formula::All(members) => parts.extend(members.iter().filter_map(|member| match member {
            Formula::Leaf(leaf) => Some(*leaf),
            _ => None,
        })),
        Formula::Any(_) => {}
    }
    parts
        .into_iter()
        .filter_map(|leaf| {
            let leaf = &rule.leaves[leaf];
            let columns = leaf.columns.as_ref()?;
            if columns.iter().any(|&column| member.parent_column(column) == 0) {
                return None;
            }
            // SAFETY: as the caller vouches.
            unsafe { read(in_parents_terms(leaf.expression().cast(), member)) }
        })
        .collect()
}

/// `expression = constant`, `constant = expression` or `expression = ANY (array constant)`, of a type that is passed
/// by value and whose equality is identity.
unsafe fn read(expression: *mut pg_sys::Node) -> Option<Saying> {
    // SAFETY: nodes are cast by their tags.
    unsafe {
        if let Some(operator) = cast::<pg_sys::OpExpr, _>(expression) {
            let args = list_vec::<pg_sys::Node>(operator.args);
            let [left, right] = args[..] else { return None };
            if !is_plain_equality(operator.opno) {
                return None;
            }
            let (expression, constant) = match (constant(left), constant(right)) {
                (None, Some(constant)) => (left, constant),
                (Some(constant), None) => (right, constant),
                _ => return None,
            };
            return Some(Saying { expression, constants: vec![constant] });
        }
        let any = cast::<pg_sys::ScalarArrayOpExpr, _>(expression)?;
        let args = list_vec::<pg_sys::Node>(any.args);
        let [left, right] = args[..] else { return None };
        let array = cast::<pg_sys::Const, _>(right)?;
        if !any.useOr || array.constisnull || !is_plain_equality(any.opno) {
            return None;
        }
        let constants = crate::pg::array::by_value_elements(array.constvalue)?;
        Some(Saying { expression: left, constants })
    }
}

unsafe fn constant(node: *mut pg_sys::Node) -> Option<u64> {
    // SAFETY: the node is cast by its tag.
    let constant = unsafe { cast::<pg_sys::Const, _>(node) }?;
    (!constant.constisnull && constant.constbyval).then_some(constant.constvalue.value() as u64)
}

/// Equality of two values of the same built-in type whose Datum is the value: equal means the same Datum.
fn is_plain_equality(operator: pg_sys::Oid) -> bool {
    /// pg_operator.dat: `=` of smallint, integer, bigint, boolean, oid and date.
    const EQUALITIES: [u32; 6] = [94, 96, 410, 91, 607, 1093];
    EQUALITIES.contains(&operator.to_u32())
}

/// An expression over a placement's columns as one over those of the parent, which must have them all.
///
/// # Safety
/// `expression` is valid, its Vars are of the placement.
pub(super) unsafe fn in_parents_terms(
    expression: *mut pg_sys::Node,
    member: &Member,
) -> *mut pg_sys::Node {
    if member.has_parents_layout() {
        return expression;
    }
    // SAFETY: a copy of a valid expression, whose Vars are renumbered.
    unsafe {
        let copy = pg_sys::copyObjectImpl(expression.cast()).cast::<pg_sys::Node>();
        node::any_node(copy, &mut |part| {
            if node::is_a(part, pg_sys::NodeTag::T_Var) {
                let var = part.cast::<pg_sys::Var>();
                (*var).varattno = member.parent_column((*var).varattno);
                (*var).varattnosyn = (*var).varattno;
            }
            false
        });
        copy
    }
}

/// The number a Var was written with is not compared by `equal`, but kept in step.
unsafe fn set_syntactic(var: *mut pg_sys::Var) {
    // SAFETY: the caller hands a Var of a copied expression.
    unsafe { (*var).varattnosyn = 1 }
}

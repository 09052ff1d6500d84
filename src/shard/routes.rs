//! From a sharding value to its placements in one step.
//!
//! Where all placements of a table say `expression = constant` (or IN a list of constants) of the same immutable
//! expression, the constants are a map: the expression is evaluated once at the values a query fixes, and what the
//! map does not name is left out. Placements that say nothing of the kind are always named.

use super::expression::trust_of;
use super::member::Member;
use super::nullness::is_null_only_of_null;
use super::pin::{MAX_CANDIDATES, Pins, Value};
use super::saying::{Saying, is_never_null, is_whole, sayings};
use crate::error::Failure;
use crate::pg::attempt::{Trust, attempt};
use crate::pg::memory::{self, ContextGuard};
use crate::pg::node;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Constants of rules and the placements that they name.
type Places = HashMap<u64, Vec<usize>, BuildHasherDefault<Scatter>>;

/// Hashes one number. Who makes the rules chooses the numbers: nobody gains by collisions.
#[derive(Default)]
struct Scatter(u64);

impl Hasher for Scatter {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // Fibonacci hashing; the table looks at the upper and at the lower bits.
        let product = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ (product >> 32);
    }
}

/// The map of one sharded table; lives in a memory context of its own.
pub struct Routes {
    /// In terms of the parent's attributes.
    expression: *mut pg_sys::Node,
    columns: Vec<i16>,
    trust: Trust,
    places: Places,
    /// Whether a row whose columns are not NULL is where the map says: the expression is not NULL there, which the
    /// placements' rules would let pass.
    binding: bool,
    /// Per placement: whether what the map says of it is all that its rule says.
    whole: Vec<bool>,
    context: pg_sys::MemoryContext,
    descriptor: pg_sys::TupleDesc,
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
                let mut places = Places::default();
                let mut whole = Vec::with_capacity(members.len());
                let mut never_null = true;
                let everywhere = sayings.iter().enumerate().all(|(index, own)| {
                    let Some(same) = own.iter().find(|saying| {
                        pg_sys::equal(saying.expression.cast(), first.expression.cast())
                    }) else {
                        return false;
                    };
                    for &constant in &same.constants {
                        places.entry(constant).or_default().push(index);
                    }
                    whole.push(is_whole(&members[index], same));
                    never_null &= is_never_null(&members[index], same);
                    true
                });
                if everywhere {
                    let binding = never_null || is_null_only_of_null(first.expression);
                    return Some(Routes::made(
                        first.expression,
                        places,
                        binding,
                        whole,
                        descriptor,
                    ));
                }
            }
            None
        }
    }

    unsafe fn made(
        expression: *mut pg_sys::Node,
        places: Places,
        binding: bool,
        whole: Vec<bool>,
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
                binding,
                whole,
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

    /// Whether placement `index` can hold a row for every value that the map gives it: its rule demands nothing else.
    pub fn settles(&self, index: usize) -> bool {
        self.whole[index]
    }

    /// Whether rows that agree in the columns, none of them NULL, are on one placement. Rules may overlap, or be NULL.
    pub fn decides(&self) -> bool {
        self.binding && self.is_disjoint()
    }

    fn is_disjoint(&self) -> bool {
        self.places.values().all(|places| places.iter().all(|place| Some(place) == places.first()))
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
        if self.columns != [own]
            || other.columns != [theirs]
            || self.places != other.places
            || !self.decides()
            || !other.decides()
        {
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

/// The number a Var was written with is not compared by `equal`, but kept in step.
unsafe fn set_syntactic(var: *mut pg_sys::Var) {
    // SAFETY: the caller hands a Var of a copied expression.
    unsafe { (*var).varattnosyn = 1 }
}

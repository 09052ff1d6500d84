//! The rule of a placement: what every row in it satisfies.
//!
//! Taken from the relation's own validated CHECK constraints and from its partition bound, as core's constraint
//! exclusion takes them (plancat.c, get_relation_constraints). A NOT VALID constraint is not trusted: old rows may
//! break it. A NO INHERIT constraint of the relation itself does hold for its own rows, which are the ones scanned;
//! one of its parent is not among its constraints at all.
//!
//! A CHECK passes unless it is false, and the executor treats a partition constraint alike (which excludes NULL keys
//! by an explicit IS NOT NULL where they do not belong): so a placement cannot hold a row for which one of
//! its conditions is false, and NULL proves nothing.

use super::expression::trust_of;
use super::truth::{Formula, Truth};
use crate::error::Failure;
use crate::pg::attempt::{Trust, attempt};
use crate::pg::compat;
use crate::pg::ffi::RelationGetPartitionQual;
use crate::pg::memory::{self, ContextGuard};
use crate::pg::node::{cast, list_vec, members};
use pgrx::pg_sys;
use std::cell::OnceCell;
use std::ptr;

/// Where a condition comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A CHECK constraint.
    Check,
    /// The partition bound.
    Partition,
}

/// One condition, false for no row of the placement. Leaves are indexes into [`Rule::leaves`].
pub struct Condition {
    /// Where it comes from.
    pub origin: Origin,
    /// The condition.
    pub formula: Formula<usize>,
}

/// A part of a condition that is evaluated as a whole.
pub struct Leaf {
    expression: *mut pg_sys::Expr,
    /// The columns it needs; `None` when it can't be evaluated at all: it uses a system column or the whole row, or is
    /// not immutable.
    pub columns: Option<Vec<i16>>,
    /// What evaluating it may run.
    pub trust: Trust,
}

impl Leaf {
    /// The expression itself, alive as long as its rule.
    pub fn expression(&self) -> *mut pg_sys::Expr {
        self.expression
    }
}

/// The rule of one relation, compiled; lives in a memory context of its own.
pub struct Rule {
    /// Each is false for no row of the relation.
    pub conditions: Vec<Condition>,
    /// What the conditions are made of.
    pub leaves: Vec<Leaf>,
    /// Whether this is all that the relation demands of a row besides NOT NULL, and can be evaluated at any time.
    complete: bool,
    /// The columns that some leaf needs.
    used: Vec<i16>,
    context: pg_sys::MemoryContext,
    descriptor: pg_sys::TupleDesc,
    /// For leaves of built-in functions: their state can be kept. It can't for functions of users, whose caches are
    /// made for one statement.
    evaluator: OnceCell<Evaluator>,
}

impl Rule {
    /// The rule of `relation`; `None` when it has no usable condition.
    ///
    /// # Safety
    /// `relation` is open and locked.
    pub unsafe fn load(relation: pg_sys::Relation) -> Result<Option<Rule>, Failure> {
        // SAFETY: as the caller vouches. The new context is a child of CacheMemoryContext and owned by the rule.
        unsafe {
            let (conjuncts, all) = conjuncts_of(relation)?;
            if conjuncts.is_empty() {
                return Ok(None);
            }
            let context = memory::create_child(pg_sys::CacheMemoryContext, c"shard_fdw rule");
            let mut rule = Rule {
                conditions: Vec::new(),
                leaves: Vec::new(),
                complete: false,
                used: Vec::new(),
                context,
                descriptor: ptr::null_mut(),
                evaluator: OnceCell::new(),
            };
            {
                let _guard = ContextGuard::switch_to(context);
                rule.descriptor = pg_sys::CreateTupleDescCopy((*relation).rd_att);
                for (origin, conjunct) in conjuncts {
                    let formula = rule.formula(conjunct);
                    rule.conditions.push(Condition { origin, formula });
                }
            }
            rule.complete = all
                && !has_virtual_columns((*relation).rd_att)
                && rule.leaves.iter().all(|l| l.columns.is_some() && l.trust == Trust::Builtin);
            rule.used =
                rule.leaves.iter().flat_map(|l| l.columns.clone().unwrap_or_default()).collect();
            rule.used.sort_unstable();
            rule.used.dedup();
            Ok(rule.leaves.iter().any(|leaf| leaf.columns.is_some()).then_some(rule))
        }
    }

    /// What must not be false for a row of relation `rti`: copies of the immutable conjuncts whose origin `honoured`
    /// accepts, for the planner's predicate refutation.
    ///
    /// # Safety
    /// The current memory context outlives the use of the list.
    pub unsafe fn conjuncts(&self, rti: u32, honoured: fn(Origin) -> bool) -> *mut pg_sys::List {
        let mut leaves = Vec::new();
        for condition in self.conditions.iter().filter(|c| honoured(c.origin)) {
            match &condition.formula {
                Formula::Leaf(leaf) => leaves.push(*leaf),
                Formula::All(members) => leaves.extend(members.iter().filter_map(|m| match m {
                    Formula::Leaf(leaf) => Some(*leaf),
                    _ => None,
                })),
                Formula::Any(_) => {}
            }
        }
        let usable = leaves.iter().map(|&leaf| &self.leaves[leaf]).filter(|l| l.columns.is_some());
        // SAFETY: copies of valid expressions whose Vars are of range-table index 1.
        crate::pg::node::make_list(usable.map(|leaf| unsafe {
            let copy = pg_sys::copyObjectImpl(leaf.expression.cast()).cast::<pg_sys::Node>();
            pg_sys::ChangeVarNodes(copy, 1, rti as i32, 0);
            copy
        }))
    }

    /// Whether this is all that the relation demands of a row besides NOT NULL.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether a row of the relation breaks one of its constraints, NOT NULL apart; `None` when that can't be told here.
    ///
    /// # Safety
    /// `slot` holds a row of the relation, deformed.
    pub unsafe fn is_broken_by(&self, slot: *mut pg_sys::TupleTableSlot) -> Option<bool> {
        if !self.complete {
            return None;
        }
        // SAFETY: as the caller vouches; all columns that leaves need are set.
        unsafe {
            let evaluator = self.evaluator();
            for &column in &self.used {
                let index = column as usize - 1;
                let null = *(*slot).tts_isnull.add(index);
                evaluator.set(column, (!null).then_some(*(*slot).tts_values.add(index)));
            }
            Some(self.conditions.iter().any(|condition| {
                let value = condition.formula.eval(&mut |&leaf| {
                    Ok::<_, std::convert::Infallible>(evaluator.leaf(self, leaf))
                });
                matches!(value, Ok(Truth::False))
            }))
        }
    }

    /// The columns that conditions need, as far as these can be evaluated.
    pub fn columns(&self) -> &[i16] {
        &self.used
    }

    /// Whether some condition that can be evaluated needs column `attno`.
    pub fn uses(&self, attno: i16) -> bool {
        self.leaves.iter().filter_map(|leaf| leaf.columns.as_ref()).any(|c| c.contains(&attno))
    }

    unsafe fn formula(&mut self, node: *mut pg_sys::Node) -> Formula<usize> {
        // SAFETY: the caller hands a valid, simplified expression; the copy goes to the rule's context, which is current.
        unsafe {
            if let Some(expr) = cast::<pg_sys::BoolExpr, _>(node) {
                let parts = || list_vec(expr.args);
                match expr.boolop {
                    pg_sys::BoolExprType::AND_EXPR => {
                        return Formula::All(
                            parts().into_iter().map(|n| self.formula(n)).collect(),
                        );
                    }
                    pg_sys::BoolExprType::OR_EXPR => {
                        return Formula::Any(
                            parts().into_iter().map(|n| self.formula(n)).collect(),
                        );
                    }
                    _ => {}
                }
            }
            let expression: *mut pg_sys::Expr = pg_sys::copyObjectImpl(node.cast()).cast();
            pg_sys::fix_opfuncids(expression.cast());
            let columns = (!pg_sys::contain_mutable_functions(expression.cast()))
                .then(|| columns_of(expression.cast()))
                .flatten();
            self.leaves.push(Leaf { expression, columns, trust: trust_of(expression.cast()) });
            Formula::Leaf(self.leaves.len() - 1)
        }
    }

    /// The evaluator kept for leaves of built-in functions.
    ///
    /// # Safety
    /// To be called on PostgreSQL's thread.
    pub unsafe fn evaluator(&self) -> &Evaluator {
        // SAFETY: the rule's context lives as long as the evaluator in it.
        self.evaluator.get_or_init(|| unsafe { Evaluator::new(self, self.context) })
    }
}

impl Drop for Rule {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: the context is this rule's own; deleting a context raises nothing.
            unsafe { pg_sys::MemoryContextDelete(self.context) };
        }
    }
}

/// Expressions that are ANDed.
type Conjuncts = Vec<(Origin, *mut pg_sys::Node)>;

/// The relation's conditions, simplified, in the current memory context. What can't even be simplified is left out, as
/// are constraints that old rows may break; tells whether nothing was.
unsafe fn conjuncts_of(relation: pg_sys::Relation) -> Result<(Conjuncts, bool), Failure> {
    let (mut found, mut all) = (Conjuncts::new(), true);
    // SAFETY: the caller's relation is open; `check` has `num_check` entries; ccbin is a stored expression.
    unsafe {
        let constraints = (*(*relation).rd_att).constr;
        let count = if constraints.is_null() { 0 } else { (*constraints).num_check };
        for i in 0..usize::from(count) {
            let check = (*constraints).check.add(i);
            if !(*check).ccvalid {
                all = false;
                continue;
            }
            let stored: *mut pg_sys::Node = pg_sys::stringToNode((*check).ccbin).cast();
            all &= simplify(Origin::Check, stored, &mut found)?;
        }
        if (*(*relation).rd_rel).relispartition {
            for member in list_vec(RelationGetPartitionQual(relation)) {
                all &= simplify(Origin::Partition, member, &mut found)?;
            }
        }
    }
    Ok((found, all))
}

/// Whether some column is computed when it is read (from PostgreSQL 18 on): no slot holds its value.
unsafe fn has_virtual_columns(descriptor: pg_sys::TupleDesc) -> bool {
    // SAFETY: the caller hands a valid row type.
    unsafe {
        (0..(*descriptor).natts as usize)
            .any(|index| (*compat::attribute(descriptor, index)).attgenerated as u8 == b'v')
    }
}

unsafe fn simplify(
    origin: Origin,
    stored: *mut pg_sys::Node,
    found: &mut Conjuncts,
) -> Result<bool, Failure> {
    // SAFETY: the caller hands a valid expression. Simplifying calls what is immutable in it: hence the attempt.
    unsafe {
        pg_sys::fix_opfuncids(stored);
        let simplified = attempt(trust_of(stored), || {
            Ok(pg_sys::eval_const_expressions(ptr::null_mut(), stored))
        })?;
        if let Some(expression) = simplified {
            let list = pg_sys::make_ands_implicit(expression.cast());
            found.extend(list_vec(list).into_iter().map(|member| (origin, member)));
        }
        Ok(simplified.is_some())
    }
}

/// The columns that an expression over the relation itself (varno 1) uses; `None` if there are others than plain ones.
unsafe fn columns_of(node: *mut pg_sys::Node) -> Option<Vec<i16>> {
    // SAFETY: the caller hands a valid expression without subqueries.
    unsafe {
        let mut set: *mut pg_sys::Bitmapset = ptr::null_mut();
        pg_sys::pull_varattnos(node, 1, &mut set);
        members(set)
            .map(|member| member + pg_sys::FirstLowInvalidHeapAttributeNumber)
            .map(|attno| i16::try_from(attno).ok().filter(|&attno| attno > 0))
            .collect()
    }
}

/// Evaluates a rule's leaves against a row of which some columns have been set.
pub struct Evaluator {
    slot: *mut pg_sys::TupleTableSlot,
    expressions: *mut pg_sys::ExprContext,
    states: Vec<OnceCell<*mut pg_sys::ExprState>>,
    context: pg_sys::MemoryContext,
}

impl Evaluator {
    /// An evaluator whose memory is in `context`.
    ///
    /// # Safety
    /// `context` is alive for as long as the evaluator is used, and so is the rule.
    pub unsafe fn new(rule: &Rule, context: pg_sys::MemoryContext) -> Evaluator {
        // SAFETY: as the caller vouches; a slot may share a descriptor that outlives it.
        unsafe {
            let _guard = ContextGuard::switch_to(context);
            let slot =
                pg_sys::MakeSingleTupleTableSlot(rule.descriptor, &raw const pg_sys::TTSOpsVirtual);
            pg_sys::ExecStoreAllNullTuple(slot);
            let expressions = pg_sys::CreateStandaloneExprContext();
            (*expressions).ecxt_scantuple = slot;
            let states = rule.leaves.iter().map(|_| OnceCell::new()).collect();
            Evaluator { slot, expressions, states, context }
        }
    }

    /// Gives column `attno` a value.
    ///
    /// # Safety
    /// The column exists; the value is of its type and lives until the last `leaf` that uses it.
    pub unsafe fn set(&self, attno: i16, value: Option<pg_sys::Datum>) {
        // SAFETY: a virtual slot's arrays have one entry per column.
        unsafe {
            let index = attno as usize - 1;
            *(*self.slot).tts_values.add(index) = value.unwrap_or(pg_sys::Datum::from(0));
            *(*self.slot).tts_isnull.add(index) = value.is_none();
        }
    }

    /// Evaluates a leaf of the rule; raises what its functions raise.
    ///
    /// # Safety
    /// All columns that the leaf needs have been set.
    pub unsafe fn leaf(&self, rule: &Rule, index: usize) -> Truth {
        // SAFETY: as the caller vouches; the state is made in the evaluator's context, the result is a boolean and
        // needs no memory of its own.
        unsafe {
            let state = *self.states[index].get_or_init(|| {
                let _guard = ContextGuard::switch_to(self.context);
                pg_sys::ExecInitExpr(rule.leaves[index].expression, ptr::null_mut())
            });
            let mut is_null = false;
            let value = pg_sys::ExecEvalExprSwitchContext(state, self.expressions, &mut is_null);
            pg_sys::MemoryContextReset((*self.expressions).ecxt_per_tuple_memory);
            match (is_null, value.value() != 0) {
                (true, _) => Truth::Null,
                (false, true) => Truth::True,
                (false, false) => Truth::False,
            }
        }
    }

    /// Runs the shutdown callbacks of functions that asked for it.
    ///
    /// # Safety
    /// The evaluator is not used again.
    pub unsafe fn finish(self) {
        // SAFETY: as the caller vouches.
        unsafe { pg_sys::FreeExprContext(self.expressions, true) };
    }
}

//! What a placement's rule says of the form `expression = constant`, the stuff that maps are made of.

use super::member::Member;
use super::rule::{Condition, Rule};
use super::truth::Formula;
use crate::pg::node::{self, cast, list_vec};
use pgrx::pg_sys;

/// `expression = ANY (constants)`, as one placement says it.
pub(super) struct Saying {
    pub(super) expression: *mut pg_sys::Node,
    pub(super) constants: Vec<u64>,
    /// The leaf of the rule that says it.
    leaf: usize,
}

/// As it stands in a condition.
type Read = (*mut pg_sys::Node, Vec<u64>);

/// What the rule says of the form `expression = ANY (constants)`.
///
/// # Safety
/// The rule is the member's.
pub(super) unsafe fn sayings(rule: &Rule, member: &Member) -> Vec<Saying> {
    let conditions = rule.conditions.iter();
    // SAFETY: the rule's expressions are valid nodes.
    conditions.flat_map(|condition| unsafe { saying(rule, member, condition) }).collect()
}

/// Whether the placement's rule is the saying alone, but for `expression IS NOT NULL`, which follows from it.
///
/// # Safety
/// The saying is one of the member's rule.
pub(super) unsafe fn is_whole(member: &Member, saying: &Saying) -> bool {
    let Some(rule) = &member.rule else { return false };
    rule.conditions.iter().all(|condition| {
        let Formula::Leaf(index) = condition.formula else { return false };
        // SAFETY: as the caller vouches.
        index == saying.leaf || unsafe { excludes_null(rule, index, member, saying) }
    })
}

/// Whether the placement's rule says `expression IS NOT NULL` besides: without it, a row for which the saying is NULL
/// may be there.
///
/// # Safety
/// The saying is one of the member's rule.
pub(super) unsafe fn is_never_null(member: &Member, saying: &Saying) -> bool {
    let Some(rule) = &member.rule else { return false };
    rule.conditions.iter().flat_map(conjuncts).any(|index| {
        // SAFETY: as the caller vouches.
        unsafe { excludes_null(rule, index, member, saying) }
    })
}

/// Whether leaf `index` is `expression IS NOT NULL`.
unsafe fn excludes_null(rule: &Rule, index: usize, member: &Member, saying: &Saying) -> bool {
    // SAFETY: the rule's expressions are valid nodes.
    unsafe {
        let leaf = rule.leaves[index].expression().cast::<pg_sys::Node>();
        cast::<pg_sys::NullTest, _>(in_parents_terms(leaf, member)).is_some_and(|test| {
            test.nulltesttype == pg_sys::NullTestType::IS_NOT_NULL
                && !test.argisrow
                && pg_sys::equal(test.arg.cast(), saying.expression.cast())
        })
    }
}

/// The leaves of which a row must not break any. AND may hold several (a list partition says IS NOT NULL besides);
/// under OR a part alone says nothing.
fn conjuncts(condition: &Condition) -> Vec<usize> {
    match &condition.formula {
        Formula::Leaf(leaf) => vec![*leaf],
        Formula::All(members) => members
            .iter()
            .filter_map(|member| match member {
                Formula::Leaf(leaf) => Some(*leaf),
                _ => None,
            })
            .collect(),
        Formula::Any(_) => Vec::new(),
    }
}

unsafe fn saying(rule: &Rule, member: &Member, condition: &Condition) -> Vec<Saying> {
    conjuncts(condition)
        .into_iter()
        .filter_map(|index| {
            let leaf = &rule.leaves[index];
            let columns = leaf.columns.as_ref()?;
            if columns.iter().any(|&column| member.parent_column(column) == 0) {
                return None;
            }
            // SAFETY: as the caller vouches.
            let (expression, constants) =
                unsafe { read(in_parents_terms(leaf.expression().cast(), member)) }?;
            Some(Saying { expression, constants, leaf: index })
        })
        .collect()
}

/// `expression = constant`, `constant = expression` or `expression = ANY (array constant)`, of a type that is passed
/// by value and whose equality is identity. With a NULL in the array a CHECK lets every value pass.
unsafe fn read(expression: *mut pg_sys::Node) -> Option<Read> {
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
            return Some((expression, vec![constant]));
        }
        let any = cast::<pg_sys::ScalarArrayOpExpr, _>(expression)?;
        let args = list_vec::<pg_sys::Node>(any.args);
        let [left, right] = args[..] else { return None };
        let array = cast::<pg_sys::Const, _>(right)?;
        if !any.useOr || array.constisnull || !is_plain_equality(any.opno) {
            return None;
        }
        let constants = crate::pg::array::by_value_elements(array.constvalue)?;
        Some((left, constants))
    }
}

unsafe fn constant(node: *mut pg_sys::Node) -> Option<u64> {
    // SAFETY: the node is cast by its tag.
    let constant = unsafe { cast::<pg_sys::Const, _>(node) }?;
    (!constant.constisnull && constant.constbyval).then_some(constant.constvalue.value() as u64)
}

/// Equality of two values of built-in types whose Datum is the value: equal means the same Datum. That holds between
/// integers of different widths, too, whose Datums are sign-extended: for a bigint, `id % 4 = 0` compares it with an
/// integer.
fn is_plain_equality(operator: pg_sys::Oid) -> bool {
    /// pg_operator.dat: `=` of smallint, integer, bigint, boolean, oid and date; of integers with one another.
    const EQUALITIES: [u32; 12] = [94, 96, 410, 91, 607, 1093, 15, 416, 532, 533, 1862, 1868];
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

//! Where a new row goes: the placement whose rule is true for it.
//!
//! Where the placements share a sharding expression, its value names the placement. Otherwise every rule is
//! evaluated; conditions that all placements have (those inherited from the parent) tell nothing. A placement takes a
//! row when none of its own conditions is false and those on the columns that rules are about are true: a NULL there
//! fits no rule. The first such placement is taken; failing that, the only one that has no rule of its own.
//!
//! Whether the row satisfies all constraints of the chosen placement is not looked at here.

use super::member::Member;
use super::rule::{Condition, Evaluator, Origin, Rule};
use super::saying::in_parents_terms;
use super::table::ShardedTable;
use super::truth::{Formula, Truth};
use crate::error::{Failure, SqlState};
use crate::pg::attempt::Trust;
use crate::pg::memory::ContextGuard;
use crate::pg::{catalog, compat, text};
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use std::collections::HashMap;
use std::rc::Rc;

/// A condition of a placement that others do not have.
pub struct Decisive {
    condition: usize,
    /// Whether it is about the columns that rules are about, so that it must be true.
    key: bool,
    /// The columns of the parent it is about.
    columns: Vec<i16>,
}

/// Places the rows of one statement.
pub struct Placer {
    table: Rc<ShardedTable>,
    memory: pg_sys::MemoryContext,
    /// The sharding expression that all placements share, compiled.
    shared: Option<*mut pg_sys::ExprState>,
    context: *mut pg_sys::ExprContext,
    /// Of rules that run functions of users: their state must not outlive the statement.
    evaluators: HashMap<usize, Evaluator>,
}

impl Placer {
    /// For rows of the parent of `table`, in a statement that ends before `memory` does. Nothing has to be done at
    /// its end.
    ///
    /// # Safety
    /// `memory` is alive; the placer is not used after its end.
    pub unsafe fn new(table: Rc<ShardedTable>, memory: pg_sys::MemoryContext) -> Placer {
        // SAFETY: as the caller vouches; the expression is over range-table index 1, which is compiled as the slot to
        // be scanned.
        unsafe {
            let _guard = ContextGuard::switch_to(memory);
            let context = pg_sys::CreateStandaloneExprContext();
            let shared = table.routes.as_ref().map(|routes| {
                pg_sys::ExecInitExpr(routes.expression().cast(), std::ptr::null_mut())
            });
            Placer { table, memory, shared, context, evaluators: HashMap::new() }
        }
    }

    /// The number of the placement that takes the row in `slot`, which is of the parent's row type.
    ///
    /// # Safety
    /// The slot holds a row of the parent; the statement has an active snapshot.
    pub unsafe fn place(&mut self, slot: *mut pg_sys::TupleTableSlot) -> Result<usize, Failure> {
        // SAFETY: as the caller vouches; the expression's memory is reset before each row.
        unsafe {
            pg_sys::slot_getallattrs(slot);
            let table = Rc::clone(&self.table);
            let (Some(state), Some(routes)) = (self.shared, &table.routes) else {
                let all = 0..table.members.len();
                return self.choose(all, slot)?.ok_or_else(|| self.refused(slot, None));
            };
            pg_sys::MemoryContextReset((*self.context).ecxt_per_tuple_memory);
            (*self.context).ecxt_scantuple = slot;
            let mut null = false;
            let value = pg_sys::ExecEvalExprSwitchContext(state, self.context, &raw mut null);
            let takers = if null { &[] } else { routes.takers(value) };
            let found = match takers {
                [] => None,
                [only] => Some(*only),
                several => self.choose(several.iter().copied(), slot)?,
            };
            found.ok_or_else(|| self.refused(slot, Some((value, null))))
        }
    }

    /// Whether the row may stay on a placement where it is: none of the conditions that tell the placement from others is
    /// false for it.
    ///
    /// # Safety
    /// As for [`Placer::place`].
    pub unsafe fn may_keep(&mut self, index: usize, slot: *mut pg_sys::TupleTableSlot) -> bool {
        let table = Rc::clone(&self.table);
        let Some(rule) = table.members[index].rule.as_deref() else { return true };
        // SAFETY: as the caller vouches.
        unsafe {
            pg_sys::slot_getallattrs(slot);
            table.decisive()[index].iter().all(|own| {
                let condition = &rule.conditions[own.condition];
                !matches!(self.truth(index, rule, condition, slot), Truth::False)
            })
        }
    }

    /// The first of `candidates` whose rule is true for the row, else the only one without a rule.
    unsafe fn choose(
        &mut self,
        candidates: impl Iterator<Item = usize>,
        slot: *mut pg_sys::TupleTableSlot,
    ) -> Result<Option<usize>, Failure> {
        let table = Rc::clone(&self.table);
        let decisive = table.decisive();
        let (mut rest, mut without) = (None, 0);
        for index in candidates {
            let member = &table.members[index];
            let rule = member.rule.as_deref().filter(|_| !decisive[index].is_empty());
            let Some(rule) = rule else {
                without += 1;
                rest = Some(index);
                continue;
            };
            // SAFETY: as the caller vouches.
            let accepts = decisive[index].iter().all(|own| unsafe {
                let condition = &rule.conditions[own.condition];
                match self.truth(index, rule, condition, slot) {
                    Truth::True => true,
                    Truth::False => false,
                    Truth::Null | Truth::Unknown => !own.key,
                }
            });
            if accepts && decisive[index].iter().any(|own| own.key) {
                return Ok(Some(index));
            }
        }
        Ok(rest.filter(|_| without == 1))
    }

    /// The value of a placement's condition for the row.
    unsafe fn truth(
        &mut self,
        index: usize,
        rule: &Rule,
        condition: &Condition,
        slot: *mut pg_sys::TupleTableSlot,
    ) -> Truth {
        let memory = self.memory;
        let member = &self.table.members[index];
        let evaluator = if rule.leaves.iter().all(|leaf| leaf.trust == Trust::Builtin) {
            // SAFETY: on PostgreSQL's thread.
            unsafe { rule.evaluator() }
        } else {
            // SAFETY: the statement's memory, and the table keeps the rule.
            self.evaluators.entry(index).or_insert_with(|| unsafe { Evaluator::new(rule, memory) })
        };
        let value = condition.formula.eval(&mut |&leaf| {
            let Some(columns) = &rule.leaves[leaf].columns else {
                return Ok::<_, std::convert::Infallible>(Truth::Unknown);
            };
            for &column in columns {
                let own = member.parent_column(column);
                if own == 0 {
                    return Ok(Truth::Unknown);
                }
                // SAFETY: the slot is deformed; both columns have the same type.
                unsafe {
                    let (value, null) = attribute(slot, own);
                    evaluator.set(column, (!null).then_some(value));
                }
            }
            // SAFETY: all columns have been set.
            Ok(unsafe { evaluator.leaf(rule, leaf) })
        });
        let Ok(value) = value;
        value
    }

    /// The error for a row that fits nowhere, in PostgreSQL's words for partitions.
    unsafe fn refused(
        &self,
        slot: *mut pg_sys::TupleTableSlot,
        value: Option<(Datum, bool)>,
    ) -> Failure {
        let table = &self.table;
        let name = catalog::relation_name(table.parent).unwrap_or_default();
        let failure = Failure::new(
            SqlState::CHECK_VIOLATION,
            format!("no partition of relation \"{name}\" found for row"),
        );
        // SAFETY: as for `place`.
        unsafe {
            let (columns, names, values) = match (&table.routes, value) {
                (Some(routes), Some((value, null))) => {
                    let type_oid = pg_sys::exprType(routes.expression().cast());
                    let shown = shown(value, null, type_oid);
                    (routes.columns().to_vec(), routes.describe(table.parent), shown)
                }
                _ => self.key_values(slot),
            };
            if columns.is_empty() || !may_read(table.parent, &columns) {
                return failure;
            }
            failure.with_detail(format!(
                "Partition key of the failing row contains ({names}) = ({values})."
            ))
        }
    }

    /// The columns that rules are about, their names and values.
    unsafe fn key_values(&self, slot: *mut pg_sys::TupleTableSlot) -> (Vec<i16>, String, String) {
        let decisive = self.table.decisive();
        let keys = decisive.iter().flatten().filter(|own| own.key);
        let mut columns: Vec<i16> = keys.flat_map(|own| own.columns.iter().copied()).collect();
        columns.sort_unstable();
        columns.dedup();
        // SAFETY: the slot is deformed, the numbers are of its row type.
        let shown: (Vec<String>, Vec<String>) = columns
            .iter()
            .map(|&column| unsafe {
                let form = compat::attribute((*slot).tts_tupleDescriptor, column as usize - 1);
                let (value, null) = attribute(slot, column);
                let name = text::from_server((*form).attname.data.as_ptr());
                (catalog::quote_identifier(&name), shown(value, null, (*form).atttypid))
            })
            .unzip();
        (columns, shown.0.join(", "), shown.1.join(", "))
    }
}

/// Attribute `number` of a deformed slot.
unsafe fn attribute(slot: *mut pg_sys::TupleTableSlot, number: i16) -> (Datum, bool) {
    let index = number as usize - 1;
    // SAFETY: the caller hands a deformed slot that has the attribute.
    unsafe { (*(*slot).tts_values.add(index), *(*slot).tts_isnull.add(index)) }
}

/// A value as an error's DETAIL shows it: cut off when it is long.
unsafe fn shown(value: Datum, null: bool, type_oid: pg_sys::Oid) -> String {
    const LONGEST: usize = 64;
    if null {
        return "null".to_owned();
    }
    // SAFETY: the caller hands a value of the type.
    let full = unsafe {
        let (mut output, mut varlena) = (pg_sys::InvalidOid, false);
        pg_sys::getTypeOutputInfo(type_oid, &raw mut output, &raw mut varlena);
        text::take_from_server(pg_sys::OidOutputFunctionCall(output, value))
    };
    match full.char_indices().map(|(at, _)| at).find(|&at| at >= LONGEST) {
        Some(end) => format!("{}...", &full[..end]),
        None => full,
    }
}

/// Whether the current user may see these columns of any row, as PostgreSQL asks before it shows a partition key.
unsafe fn may_read(relation: pg_sys::Oid, columns: &[i16]) -> bool {
    let select = pg_sys::ACL_SELECT as pg_sys::AclMode;
    // SAFETY: catalog look-ups.
    unsafe {
        let user = pg_sys::GetUserId();
        let enabled = pg_sys::CheckEnableRlsResult::RLS_ENABLED as i32;
        if pg_sys::check_enable_rls(relation, pg_sys::InvalidOid, true) == enabled {
            return false;
        }
        let allowed = pg_sys::AclResult::ACLCHECK_OK;
        pg_sys::pg_class_aclcheck(relation, user, select) == allowed
            || columns.iter().all(|&column| {
                pg_sys::pg_attribute_aclcheck(relation, column, user, select) == allowed
            })
    }
}

impl ShardedTable {
    /// For each placement the conditions that tell it from others.
    fn decisive(&self) -> &[Vec<Decisive>] {
        self.decisive.get_or_init(|| decisive(&self.members))
    }

    /// Whether a row that [`Placer::place`] has put into placement `index` satisfies `rule`, which the placement has now, and
    /// with it all that the placement demands besides NOT NULL.
    pub fn is_settled(&self, index: usize, rule: &Rc<Rule>) -> bool {
        let same = self.members[index].rule.as_ref().is_some_and(|own| Rc::ptr_eq(own, rule));
        let settles = self.routes.as_ref().is_some_and(|routes| routes.settles(index));
        same && settles && rule.is_complete()
    }

    /// Whether a new value of column `attno` may take a row to another placement. Conditions that all placements
    /// have do not tell them apart.
    pub fn distributes_by(&self, attno: i16) -> bool {
        self.decisive().iter().flatten().any(|own| own.columns.contains(&attno))
    }
}

/// For each placement the conditions that not all others have too.
fn decisive(members: &[Member]) -> Vec<Vec<Decisive>> {
    let own = decisive_unless(members, |member, condition| {
        members.len() > 1
            && condition.origin == Origin::Check
            && members.iter().all(|other| {
                let rule = other.rule.as_deref();
                rule.is_some_and(|rule| {
                    rule.conditions.iter().any(|theirs| same((member, condition), (other, theirs)))
                })
            })
    });
    // All alike: then the first takes what its rule allows.
    if own.iter().all(Vec::is_empty) { decisive_unless(members, |_, _| false) } else { own }
}

fn decisive_unless(
    members: &[Member],
    common: impl Fn(&Member, &Condition) -> bool,
) -> Vec<Vec<Decisive>> {
    let mut all: Vec<Vec<Decisive>> = members
        .iter()
        .map(|member| {
            let rule = member.rule.as_deref();
            let conditions = rule.map_or(&[][..], |rule| &rule.conditions[..]);
            conditions
                .iter()
                .enumerate()
                .filter(|(_, condition)| !common(member, condition))
                .map(|(index, condition)| Decisive {
                    condition: index,
                    key: false,
                    columns: columns_of(member, condition),
                })
                .collect()
        })
        .collect();
    let of = |own: &Vec<Decisive>| own.iter().flat_map(|c| c.columns.clone()).collect::<Vec<i16>>();
    let mut lists = all.iter().filter(|own| !own.is_empty()).map(of);
    let mut keys = lists.next().unwrap_or_default();
    lists.for_each(|columns| keys.retain(|key| columns.contains(key)));
    for own in all.iter_mut().flatten() {
        own.key = !own.columns.is_empty()
            && (keys.is_empty() || own.columns.iter().any(|column| keys.contains(column)));
    }
    all
}

/// The columns of the parent that a condition is about; none when it cannot be evaluated.
fn columns_of(member: &Member, condition: &Condition) -> Vec<i16> {
    let rule = member.rule.as_deref();
    let mut columns = Some(Vec::new());
    condition.formula.leaves(&mut |&leaf| {
        let own = rule.and_then(|rule| rule.leaves[leaf].columns.as_ref());
        let mapped = own.map(|own| own.iter().map(|&column| member.parent_column(column)));
        match (&mut columns, mapped) {
            (Some(columns), Some(mapped)) => columns.extend(mapped),
            (columns, _) => *columns = None,
        }
    });
    columns.filter(|columns| !columns.contains(&0)).unwrap_or_default()
}

/// Whether two placements' conditions say the same of the parent's columns.
fn same(left: (&Member, &Condition), right: (&Member, &Condition)) -> bool {
    same_formula((left.0, &left.1.formula), (right.0, &right.1.formula))
}

fn same_formula(left: (&Member, &Formula<usize>), right: (&Member, &Formula<usize>)) -> bool {
    let pairs = |a: &[Formula<usize>], b: &[Formula<usize>]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_formula((left.0, a), (right.0, b)))
    };
    match (left.1, right.1) {
        (Formula::All(a), Formula::All(b)) | (Formula::Any(a), Formula::Any(b)) => pairs(a, b),
        (Formula::Leaf(a), Formula::Leaf(b)) => {
            let (Some(own), Some(other)) = (&left.0.rule, &right.0.rule) else { return false };
            // SAFETY: the rules' expressions are valid.
            unsafe {
                let a = in_parents_terms(own.leaves[*a].expression().cast(), left.0);
                let b = in_parents_terms(other.leaves[*b].expression().cast(), right.0);
                pg_sys::equal(a.cast(), b.cast())
            }
        }
        _ => false,
    }
}

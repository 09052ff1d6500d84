//! A rule against pins: can the placement hold a matching row?
//!
//! Every combination of candidate values is put into the rule's conditions, which are then evaluated by
//! PostgreSQL's executor as for an INSERT. The placement is out when some condition is false for each of them. An
//! error of evaluation proves nothing: the placement stays in.

use super::pin::{Candidates, MAX_CANDIDATES, Pins};
use super::rule::{Condition, Evaluator, Origin, Rule};
use super::truth::Truth;
use crate::error::Failure;
use crate::pg::attempt::{Trust, attempt};
use crate::pg::memory;
use pgrx::pg_sys;
use std::collections::BTreeMap;
use std::fmt;

/// Whether a placement can hold a matching row, and if so, why it is not left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It can't.
    Refuted,
    /// The placement has no constraints that could be used.
    NoRule,
    /// The settings forbid to use its constraints.
    Disabled,
    /// The conditions of the query do not fix the columns that the constraints are about.
    Unpinned,
    /// They leave too many values to look at each.
    TooMany,
    /// Evaluating the constraints at the values of the query failed.
    Failed,
    /// A row with these values belongs here.
    Possible,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Refuted => "no row can match",
            Verdict::NoRule => "no validated CHECK constraint or partition bound",
            Verdict::Disabled => "constraint_exclusion or enable_partition_pruning is off",
            Verdict::Unpinned => "the columns of the constraints are not compared with constants",
            Verdict::TooMany => "too many values",
            Verdict::Failed => "the constraints cannot be evaluated at these values",
            Verdict::Possible => "the constraints allow a matching row",
        })
    }
}

/// Puts `pins` into the conditions of `rule` that come from an origin which `honoured` accepts.
///
/// # Safety
/// The pinned values are of the types of the rule's relation's columns, alive, and a transaction is open.
pub unsafe fn refute(
    rule: &Rule,
    pins: &Pins,
    honoured: impl Fn(Origin) -> bool,
) -> Result<Verdict, Failure> {
    if pins.is_never() {
        return Ok(Verdict::Refuted);
    }
    let conditions: Vec<_> = rule.conditions.iter().filter(|c| honoured(c.origin)).collect();
    if conditions.is_empty() {
        return Ok(Verdict::Disabled);
    }
    let trial = Trial::new(rule, pins);
    let all = trial.columns(&conditions);
    if all.is_none() {
        return Ok(Verdict::Unpinned);
    }
    // All conditions at once know more: one may rule out one value, and another the rest.
    if let Some(columns) = all.filter(|columns| combinations(columns) <= MAX_CANDIDATES) {
        // SAFETY: as the caller vouches.
        return unsafe { trial.run(&conditions, &columns) };
    }
    let mut verdict = Verdict::TooMany;
    for condition in conditions {
        let alone = [condition];
        if let Some(columns) = trial.columns(&alone)
            && combinations(&columns) <= MAX_CANDIDATES
        {
            // SAFETY: as the caller vouches.
            match unsafe { trial.run(&alone, &columns) }? {
                Verdict::Refuted => return Ok(Verdict::Refuted),
                other => verdict = other,
            }
        }
    }
    Ok(verdict)
}

type Columns<'a> = BTreeMap<i16, &'a Candidates>;

fn combinations(columns: &Columns<'_>) -> usize {
    columns.values().fold(1, |product: usize, c| product.saturating_mul(c.values().len()))
}

struct Trial<'a> {
    rule: &'a Rule,
    pins: &'a Pins,
    /// Per leaf: whether all its columns are pinned.
    evaluable: Vec<bool>,
}

impl<'a> Trial<'a> {
    fn new(rule: &'a Rule, pins: &'a Pins) -> Trial<'a> {
        let evaluable = rule
            .leaves
            .iter()
            .map(|leaf| {
                leaf.columns.as_ref().is_some_and(|c| c.iter().all(|&a| pins.get(a).is_some()))
            })
            .collect();
        Trial { rule, pins, evaluable }
    }

    fn leaves(&self, conditions: &[&Condition]) -> Vec<usize> {
        let mut found = Vec::new();
        for condition in conditions {
            condition.formula.leaves(&mut |&leaf| {
                if self.evaluable[leaf] {
                    found.push(leaf);
                }
            });
        }
        found
    }

    /// The pinned columns that the evaluable leaves of these conditions need; `None` when no leaf is.
    fn columns(&self, conditions: &[&Condition]) -> Option<Columns<'a>> {
        let leaves = self.leaves(conditions);
        let needed = leaves.iter().filter_map(|&leaf| self.rule.leaves[leaf].columns.as_ref());
        let columns = needed.flatten().filter_map(|&a| Some((a, self.pins.get(a)?))).collect();
        (!leaves.is_empty()).then_some(columns)
    }

    unsafe fn run(
        &self,
        conditions: &[&Condition],
        columns: &Columns<'a>,
    ) -> Result<Verdict, Failure> {
        let arbitrary = self
            .leaves(conditions)
            .into_iter()
            .any(|leaf| self.rule.leaves[leaf].trust == Trust::Arbitrary);
        // SAFETY: the caller vouches for the values. The temporary context is a child of the current one, so it goes
        // with that one when an error skips its deletion.
        let outcome = unsafe {
            if arbitrary {
                let context =
                    memory::create_child(pg_sys::CurrentMemoryContext, c"shard_fdw refutation");
                let outcome = attempt(Trust::Arbitrary, || {
                    let evaluator = Evaluator::new(self.rule, context);
                    let refuted = self.every(&evaluator, conditions, columns);
                    evaluator.finish();
                    Ok(refuted)
                })?;
                pg_sys::MemoryContextDelete(context);
                outcome
            } else {
                attempt(Trust::Builtin, || {
                    Ok(self.every(self.rule.evaluator(), conditions, columns))
                })?
            }
        };
        Ok(match outcome {
            Some(true) => Verdict::Refuted,
            Some(false) => Verdict::Possible,
            None => Verdict::Failed,
        })
    }

    /// Whether every combination makes a condition false.
    unsafe fn every(
        &self,
        evaluator: &Evaluator,
        conditions: &[&Condition],
        columns: &Columns<'a>,
    ) -> bool {
        let columns: Vec<_> = columns.iter().map(|(&attno, c)| (attno, c.values())).collect();
        let mut wheel = vec![0usize; columns.len()];
        loop {
            // SAFETY: all columns that evaluable leaves need are among these.
            let excluded = unsafe {
                for (&at, &(attno, values)) in wheel.iter().zip(&columns) {
                    evaluator.set(attno, values[at]);
                }
                conditions.iter().any(|c| self.is_false(evaluator, c))
            };
            if !excluded {
                return false;
            }
            pgrx::check_for_interrupts!();
            if !advance(&mut wheel, &columns) {
                return true;
            }
        }
    }

    unsafe fn is_false(&self, evaluator: &Evaluator, condition: &Condition) -> bool {
        let value = condition.formula.eval(&mut |&leaf| {
            Ok::<_, std::convert::Infallible>(if self.evaluable[leaf] {
                // SAFETY: the leaf's columns have been set by `every`.
                unsafe { evaluator.leaf(self.rule, leaf) }
            } else {
                Truth::Unknown
            })
        });
        matches!(value, Ok(Truth::False))
    }
}

/// Turns to the next combination; false after the last.
fn advance<T>(wheel: &mut [usize], columns: &[(i16, &[T])]) -> bool {
    for (at, (_, values)) in wheel.iter_mut().zip(columns) {
        *at += 1;
        if *at < values.len() {
            return true;
        }
        *at = 0;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::advance;

    #[test]
    fn all_combinations() {
        let columns = [(1, &[0, 1][..]), (2, &[0, 1, 2][..])];
        let mut wheel = [0, 0];
        let mut seen = 1;
        while advance(&mut wheel, &columns) {
            seen += 1;
        }
        assert_eq!(seen, 6);
        assert!(!advance::<u8>(&mut [], &[]));
    }
}

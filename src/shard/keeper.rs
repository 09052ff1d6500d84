//! Whether a changed row still satisfies the rule of the placement it is on.

use super::rule::{Evaluator, Rule};
use super::truth::Truth;
use pgrx::pg_sys;
use std::rc::Rc;

/// Holds the rows of one placement against its rule, for one statement.
pub struct Keeper {
    rule: Rc<Rule>,
    evaluator: Evaluator,
}

impl Keeper {
    /// For rows of the relation whose rule it is, in a statement that ends before `memory` does.
    ///
    /// # Safety
    /// `memory` is alive; the keeper is not used after its end.
    pub unsafe fn new(rule: Rc<Rule>, memory: pg_sys::MemoryContext) -> Keeper {
        // SAFETY: as the caller vouches; the rule is kept.
        let evaluator = unsafe { Evaluator::new(&rule, memory) };
        Keeper { rule, evaluator }
    }

    /// Whether no condition of the rule is false for the row.
    ///
    /// # Safety
    /// The slot holds a row of the relation; the statement has an active snapshot.
    pub unsafe fn allows(&self, slot: *mut pg_sys::TupleTableSlot) -> bool {
        // SAFETY: as the caller vouches.
        unsafe { pg_sys::slot_getallattrs(slot) };
        self.rule.conditions.iter().all(|condition| {
            let value = condition.formula.eval(&mut |&leaf| {
                let Some(columns) = &self.rule.leaves[leaf].columns else {
                    return Ok::<_, std::convert::Infallible>(Truth::Unknown);
                };
                for &column in columns {
                    let index = column as usize - 1;
                    // SAFETY: the slot is deformed and has the rule's columns.
                    unsafe {
                        let null = *(*slot).tts_isnull.add(index);
                        let value = *(*slot).tts_values.add(index);
                        self.evaluator.set(column, (!null).then_some(value));
                    }
                }
                // SAFETY: all columns have been set.
                Ok(unsafe { self.evaluator.leaf(&self.rule, leaf) })
            });
            !matches!(value, Ok(Truth::False))
        })
    }
}

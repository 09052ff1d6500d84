//! Rules by relation, kept as long as the backend lives and nothing they depend on changes.

use super::rule::Rule;
use crate::error::Failure;
use crate::pg::invalidate;
use pgrx::pg_sys;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

#[derive(Default)]
struct Cache {
    /// `None`: looked at, has no rule.
    rules: RefCell<HashMap<u32, Option<Rc<Rule>>>>,
    /// Relations whose rules have been invalidated; freed at the next lookup, not inside a callback.
    stale: RefCell<Vec<u32>>,
    all_stale: Cell<bool>,
    /// Counts invalidations, to notice those that arrive while a rule is being made.
    epoch: Cell<u64>,
}

thread_local! {
    /// Leaked: no destructor may run at the exit of the backend.
    static CACHE: &'static Cache = register();
}

fn register() -> &'static Cache {
    invalidate::on_relcache(|oid| {
        CACHE.with(|cache| cache.mark(Some(oid).filter(|&oid| oid != pg_sys::InvalidOid)));
    });
    // Rules contain inlined SQL functions, and caches of the types' support functions.
    for cache in [pg_sys::SysCacheIdentifier::PROCOID, pg_sys::SysCacheIdentifier::TYPEOID] {
        invalidate::on_syscache(cache, |_| CACHE.with(|cache| cache.mark(None)));
    }
    Box::leak(Box::default())
}

impl Cache {
    fn mark(&self, relation: Option<pg_sys::Oid>) {
        self.epoch.set(self.epoch.get() + 1);
        match (relation.map(pg_sys::Oid::to_u32), self.stale.try_borrow_mut()) {
            (Some(relation), Ok(mut stale)) => {
                if self.rules.try_borrow().is_ok_and(|rules| rules.contains_key(&relation)) {
                    stale.push(relation);
                }
            }
            _ => self.all_stale.set(true),
        }
    }

    /// Takes stale rules out; they are freed by the caller, after the borrows have ended.
    fn sweep(&self) -> Vec<Option<Rc<Rule>>> {
        let mut rules = self.rules.borrow_mut();
        if self.all_stale.take() {
            self.stale.borrow_mut().clear();
            return rules.drain().map(|(_, rule)| rule).collect();
        }
        self.stale.borrow_mut().drain(..).filter_map(|relation| rules.remove(&relation)).collect()
    }
}

/// The rule of a relation; `None` when nothing is known of its rows.
///
/// # Safety
/// `relation` is open and locked.
pub unsafe fn rule_of(relation: pg_sys::Relation) -> Result<Option<Rc<Rule>>, Failure> {
    let cache = CACHE.with(|cache| *cache);
    drop(cache.sweep());
    // SAFETY: as the caller vouches.
    let oid = unsafe { (*relation).rd_id }.to_u32();
    if let Some(rule) = cache.rules.borrow().get(&oid) {
        return Ok(rule.clone());
    }
    let epoch = cache.epoch.get();
    // SAFETY: as the caller vouches.
    let rule = unsafe { Rule::load(relation) }?.map(Rc::new);
    if epoch == cache.epoch.get() {
        cache.rules.borrow_mut().insert(oid, rule.clone());
    }
    Ok(rule)
}

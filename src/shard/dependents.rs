//! Cached plans that were made from the placements of sharded tables.
//!
//! Such a plan must be made anew when any placement changes, those that it leaves out too. A thousand dependencies in
//! each plan would make planning slower with every shard. So the plan depends on the parent, and a change of any
//! placement that was ever planned with resets the plan cache, as a change of any foreign server does.

use crate::pg::invalidate;
use pgrx::pg_sys;
use std::cell::{OnceCell, RefCell};
use std::collections::HashSet;

thread_local! {
    /// Never taken out, so that no plan is ever forgotten. Leaked: no destructor may run at the exit of the backend.
    static PLACEMENTS: OnceCell<&'static RefCell<HashSet<u32>>> = const { OnceCell::new() };
}

/// Makes all cached plans go when one of these foreign tables changes.
pub fn watch(placements: impl Iterator<Item = pg_sys::Oid>) {
    let known = PLACEMENTS.with(|cell| *cell.get_or_init(start));
    known.borrow_mut().extend(placements.map(|oid| oid.to_u32()));
}

fn start() -> &'static RefCell<HashSet<u32>> {
    let known: &'static RefCell<HashSet<u32>> = Box::leak(Box::default());
    invalidate::on_relcache(|oid| {
        let watched = PLACEMENTS.with(|cell| cell.get().copied());
        // An invalidation in the middle of `watch` cannot be: it calls nothing. If it could, all would be reset.
        let is_meant = watched.is_some_and(|known| {
            known.try_borrow().map_or(true, |known| known.contains(&oid.to_u32()))
        });
        if is_meant {
            // SAFETY: marks plans; looks at nothing but the cache's own list, as PostgreSQL's callbacks do.
            unsafe { pg_sys::ResetPlanCache() };
        }
    });
    known
}

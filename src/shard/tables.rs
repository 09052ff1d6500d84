//! Sharded tables by parent, kept as long as the backend lives and neither the parent, a child nor anything that rules are
//! made of changes.

use super::dependents;
use super::table::ShardedTable;
use crate::error::Failure;
use crate::pg::invalidate;
use pgrx::pg_sys;
use pgrx::pg_sys::Oid;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

#[derive(Default)]
struct Cache {
    tables: RefCell<HashMap<u32, Rc<ShardedTable>>>,
    stale: Cell<bool>,
    /// Relations that changed; looked at on the next use, not inside a callback.
    changed: RefCell<Vec<u32>>,
    epoch: Cell<u64>,
}

thread_local! {
    /// Leaked: no destructor may run at the exit of the backend.
    static CACHE: &'static Cache = register();
}

fn register() -> &'static Cache {
    invalidate::on_relcache(|oid| {
        CACHE.with(|cache| {
            cache.epoch.set(cache.epoch.get() + 1);
            match cache.changed.try_borrow_mut() {
                Ok(mut changed) if oid != pg_sys::InvalidOid && changed.len() < 1000 => {
                    changed.push(oid.to_u32());
                }
                _ => cache.stale.set(true),
            }
        });
    });
    use pg_sys::SysCacheIdentifier as Id;
    for id in [Id::FOREIGNSERVEROID, Id::FOREIGNDATAWRAPPEROID, Id::PROCOID, Id::TYPEOID] {
        invalidate::on_syscache(id, |_| CACHE.with(|cache| cache.stale.set(true)));
    }
    Box::leak(Box::default())
}

impl Cache {
    /// Takes out what has changed; freed by the caller, after the borrows have ended.
    fn sweep(&self) -> Vec<Rc<ShardedTable>> {
        let mut tables = self.tables.borrow_mut();
        let changed = std::mem::take(&mut *self.changed.borrow_mut());
        if self.stale.take() {
            return tables.drain().map(|(_, table)| table).collect();
        }
        if changed.is_empty() {
            return Vec::new();
        }
        let gone: Vec<u32> = tables
            .iter()
            .filter(|(parent, table)| {
                changed.contains(parent)
                    || table.members.iter().any(|m| changed.contains(&m.relid.to_u32()))
            })
            .map(|(parent, _)| *parent)
            .collect();
        gone.into_iter().filter_map(|parent| tables.remove(&parent)).collect()
    }
}

/// The sharded table that `parent` is; `None` when it must be planned child by child. Takes AccessShareLock on the
/// children the first time.
///
/// # Safety
/// Inside a transaction; `parent` is locked.
pub unsafe fn sharded(parent: Oid) -> Result<Option<Rc<ShardedTable>>, Failure> {
    // SAFETY: as the caller vouches.
    Ok(unsafe { described(parent)? }.filter(|table| table.uniform))
}

/// The sharded table that rows may be written to through `parent`: its placements may have layouts of their own, but
/// some rule must say where rows belong.
///
/// # Safety
/// As for [`sharded`].
pub unsafe fn sharded_for_writing(parent: Oid) -> Result<Option<Rc<ShardedTable>>, Failure> {
    // SAFETY: as the caller vouches.
    let table = unsafe { described(parent)? };
    Ok(table.filter(|table| table.members.iter().any(|member| member.rule.is_some())))
}

unsafe fn described(parent: Oid) -> Result<Option<Rc<ShardedTable>>, Failure> {
    let cache = CACHE.with(|cache| *cache);
    drop(cache.sweep());
    if let Some(table) = cache.tables.borrow().get(&parent.to_u32()) {
        return Ok(Some(Rc::clone(table)));
    }
    let epoch = cache.epoch.get();
    // SAFETY: as the caller vouches.
    let table = unsafe { ShardedTable::load(parent) }?.map(Rc::new);
    if let Some(table) = &table {
        dependents::watch(table.members.iter().map(|member| member.relid));
    }
    if let Some(table) = &table
        && epoch == cache.epoch.get()
    {
        cache.tables.borrow_mut().insert(parent.to_u32(), Rc::clone(table));
    }
    Ok(table)
}

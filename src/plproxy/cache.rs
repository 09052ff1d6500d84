//! Compiled functions, kept until something they were made from changes.
//!
//! Invalidations only mark: a function may be running, and catalogs must not be read while they come. What is
//! compiled is looked at in [`get`], which recompiles what is marked.

use super::compile::{self, Depth};
use super::function::Function;
use crate::error::Failure;
use crate::pg::invalidate;
use pgrx::pg_sys::SysCacheIdentifier as Cache;
use pgrx::pg_sys::{self, Oid};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::rc::Rc;

#[derive(Default)]
struct Entries {
    functions: RefCell<HashMap<Oid, (u32, Rc<Function>)>>,
    listening: Cell<bool>,
    /// Counts invalidations, so that one that comes during a compilation is not lost.
    changes: Cell<u64>,
}

thread_local! {
    // Never dropped: destructors at process exit would find PostgreSQL half gone.
    static ENTRIES: ManuallyDrop<Entries> = ManuallyDrop::new(Entries::default());
}

/// The function `oid`, compiled.
pub fn get(oid: Oid) -> Result<Rc<Function>, Failure> {
    ENTRIES.with(|entries| {
        entries.listen();
        let known = entries.functions.borrow().get(&oid).map(|(_, function)| function.clone());
        match known {
            Some(function) if !function.stale.get() => Ok(function),
            _ => entries.compile(oid),
        }
    })
}

impl Entries {
    fn compile(&self, oid: Oid) -> Result<Rc<Function>, Failure> {
        let gone = self.functions.borrow_mut().remove(&oid);
        drop(gone);
        let changes = self.changes.get();
        let hash = invalidate::hash_of(Cache::PROCOID, oid);
        let function = Rc::new(compile::compile(oid, Depth::Full)?);
        if self.changes.get() != changes {
            // Something changed meanwhile; it need not concern this function, but who knows.
            function.stale.set(true);
        }
        self.functions.borrow_mut().insert(oid, (hash, function.clone()));
        Ok(function)
    }

    fn listen(&self) {
        if self.listening.replace(true) {
            return;
        }
        invalidate::on_syscache(Cache::PROCOID, |hash| mark(|own, _| hash == 0 || own == hash));
        invalidate::on_syscache(Cache::TYPEOID, |hash| {
            mark(|_, function| hash == 0 || function.dependencies.types.contains(&hash));
        });
        // Schemas' names are part of the SQL that is sent.
        invalidate::on_syscache(Cache::NAMESPACEOID, |_| mark(|_, _| true));
        invalidate::on_relcache(|relation| {
            mark(|_, function| {
                let relations = &function.dependencies.relations;
                !relations.is_empty()
                    && (relation == pg_sys::InvalidOid || relations.contains(&relation))
            });
        });
    }
}

fn mark(is_meant: impl Fn(u32, &Function) -> bool) {
    ENTRIES.with(|entries| {
        entries.changes.set(entries.changes.get() + 1);
        // Borrowed only while a function is put in or taken out, when no invalidation can come.
        let Ok(functions) = entries.functions.try_borrow() else { return };
        for (hash, function) in functions.values() {
            if is_meant(*hash, function) {
                function.stale.set(true);
            }
        }
    });
}

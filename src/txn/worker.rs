//! Who runs the resolver: a background worker in each database that has something to resolve.
//!
//! It is started by the launcher when the server starts (after a crash, too) and by whoever begins a two-phase
//! commit, looks after the shards every few seconds, and ends when there has been nothing to do for a while: an
//! idle database has no worker, and can be dropped.

use super::resolver::{self, Outcome};
use crate::error::Failure;
use crate::pg::lock::{self, Class};
use crate::pg::worker::{self, Main};
use crate::pg::{guard, spi};
use crate::settings;
use std::collections::BTreeMap;

/// Passes without anything to do after which the worker ends.
const IDLE_PASSES: u32 = 2;

const IS_INSTALLED: &str = "SELECT WHERE pg_catalog.to_regclass('shard.commit_log') IS NOT NULL";

/// Registers the launcher; at server start only.
pub fn register_launcher() {
    if worker::is_preloading() {
        worker::register("shard_fdw launcher", Main::Launcher);
    }
}

/// Makes sure that a resolver works in this database. False if none could be started. Never raises.
pub fn ensure_running() -> bool {
    if settings::resolver_interval().is_none() {
        return false;
    }
    let started = guard::catch(|| {
        if !lock::try_lock(Class::Resolver, 0) {
            return Ok(true);
        }
        lock::unlock(Class::Resolver, 0);
        Ok(worker::start("shard_fdw resolver", Main::Resolver, worker::this_database()))
    });
    started.unwrap_or(false)
}

/// Makes sure that a detector of deadlocks works in this database; without a free worker slot there is none.
/// Never raises.
pub fn ensure_detector() {
    let _ = guard::catch(|| {
        if lock::try_lock(Class::Detector, 0) {
            lock::unlock(Class::Detector, 0);
            worker::start("shard_fdw detector", Main::Detector, worker::this_database());
        }
        Ok(())
    });
}

/// The launcher's life: starts a resolver in every database, once, and stays to be restarted after a crash.
pub fn launcher() -> Result<(), Failure> {
    for database in worker::databases() {
        while !worker::start("shard_fdw resolver", Main::Resolver, database) {
            // All worker slots are taken; those of databases without the extension are free again soon.
            worker::sleep(1);
        }
    }
    loop {
        worker::sleep(3600);
    }
}

/// The resolver's life.
pub fn resolver() -> Result<(), Failure> {
    let mut idle = 0;
    let mut told = BTreeMap::new();
    if !worker::transaction(|| Ok(is_installed()? && lock::try_lock_session(Class::Resolver, 0)))? {
        return Ok(());
    }
    while let Some(interval) = settings::resolver_interval() {
        let Some(outcome) = pass(&mut told)? else { return Ok(()) };
        idle = if outcome.unfinished { 0 } else { idle + 1 };
        if idle > IDLE_PASSES {
            // From here on others start a new worker; what came before is seen by one more look.
            worker::transaction(|| {
                lock::unlock_session(Class::Resolver, 0);
                Ok(())
            })?;
            let Some(outcome) = pass(&mut told)? else { return Ok(()) };
            let back = outcome.unfinished
                && worker::transaction(|| Ok(lock::try_lock_session(Class::Resolver, 0)))?;
            if !back {
                return Ok(());
            }
            idle = 0;
        }
        worker::sleep(interval);
    }
    Ok(())
}

fn is_installed() -> Result<bool, Failure> {
    Ok(!spi::run(IS_INSTALLED, &[])?.is_empty())
}

/// One pass in a transaction of its own; `None` when the extension is gone. Says what is wrong, once.
fn pass(told: &mut BTreeMap<String, String>) -> Result<Option<Outcome>, Failure> {
    let outcome = worker::transaction(|| {
        Ok(if is_installed()? { Some(resolver::resolve()?) } else { None })
    })?;
    let Some(outcome) = outcome else { return Ok(None) };
    let problems: BTreeMap<_, _> =
        outcome.problems.iter().map(|(name, f)| (name.clone(), f.to_string())).collect();
    for (name, failure) in &outcome.problems {
        if told.get(name) != problems.get(name) {
            guard::warn(&failure.clone().with_detail(format!(
                "The resolver of shard_fdw could not look after server \"{name}\"; it goes on trying."
            )));
        }
    }
    *told = problems;
    if outcome.finished > 0 {
        pgrx::log!("shard_fdw: {} prepared transactions finished on shards", outcome.finished);
    }
    Ok(Some(outcome))
}

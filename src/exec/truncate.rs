//! TRUNCATE of foreign tables: one statement for all tables of a server, to all servers at the same time.
//!
//! PostgreSQL hands over the tables of one server after the other. When it comes with those of the first, all tables
//! are locked, so what the command is about can be looked up as PostgreSQL has done it. If there are several servers,
//! their statements are sent at once; what it comes with later is held against that.

use super::direct::{Sent, count_all};
use crate::deparse;
use crate::error::{Failure, SqlState};
use crate::options::load;
use crate::pg::utility::{Command, Rest};
use crate::pg::{catalog, ffi, node};
use crate::txn;
use crate::wire::Request;
use pgrx::pg_sys;
use pgrx::pg_sys::{Oid, TruncateStmt};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The tables of each server.
type Tables = BTreeMap<u32, Vec<u32>>;

/// A command under way.
struct Running {
    statement: *mut TruncateStmt,
    /// What was sent and PostgreSQL has not come with yet.
    sent: Option<Tables>,
}

thread_local! {
    /// The innermost is the last.
    static RUNNING: RefCell<Vec<Running>> = const { RefCell::new(Vec::new()) };
}

/// Notes a TRUNCATE for as long as it is executed.
///
/// # Safety
/// The command is a TRUNCATE about to be executed.
pub unsafe fn begin(command: Command) -> Rest {
    // SAFETY: as the caller vouches.
    let statement = unsafe { (*command.statement).utilityStmt.cast::<TruncateStmt>() };
    RUNNING.with_borrow_mut(|running| running.push(Running { statement, sent: None }));
    Rest::ExecuteThen(command.statement, end)
}

fn end(succeeded: bool) -> Result<(), Failure> {
    let last = RUNNING.with_borrow_mut(Vec::pop);
    match last.and_then(|running| running.sent) {
        Some(left) if succeeded && !left.is_empty() => Err(changed()),
        _ => Ok(()),
    }
}

fn changed() -> Failure {
    Failure::new(
        SqlState::SERIALIZATION_FAILURE,
        "the tables to be truncated changed while the command was executed",
    )
}

/// ExecForeignTruncate.
///
/// # Safety
/// `relations` is a list of open foreign tables of one server, as fdwhandler.sgml says.
pub unsafe fn truncate(
    relations: *mut pg_sys::List,
    behavior: pg_sys::DropBehavior::Type,
    restart_sequences: bool,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let tables: Vec<u32> = node::list::<pg_sys::RelationData>(relations)
            .map(|relation| (*relation).rd_id.to_u32())
            .collect();
        let Some(&first) = tables.first() else { return Ok(()) };
        let server = load::foreign_table(Oid::from(first))?.server.oid.to_u32();
        if let Some(known) = take_sent(server) {
            return if known.is_some_and(|known| same(&known, &tables)) {
                Ok(())
            } else {
                Err(changed())
            };
        }
        let cascade = behavior == pg_sys::DropBehavior::DROP_CASCADE;
        let mut all = expected()?;
        if !all.get(&server).is_some_and(|own| same(own, &tables)) {
            all = Tables::from([(server, tables)]);
        }
        send(&all, restart_sequences, cascade)?;
        all.remove(&server);
        RUNNING.with_borrow_mut(|running| {
            if let Some(running) = running.last_mut().filter(|_| !all.is_empty()) {
                running.sent = Some(all);
            }
        });
        Ok(())
    }
}

/// Whether these are the same tables; none is named twice.
fn same(a: &[u32], b: &[u32]) -> bool {
    a.len() == b.len() && a.iter().all(|table| b.contains(table))
}

/// The server's tables that were sent before; `None` when nothing was.
fn take_sent(server: u32) -> Option<Option<Vec<u32>>> {
    RUNNING.with_borrow_mut(|running| {
        let sent = running.last_mut()?.sent.as_mut()?;
        Some(sent.remove(&server))
    })
}

/// Our foreign tables that the command names, with the children of those that are not named with ONLY.
unsafe fn expected() -> Result<Tables, Failure> {
    let mut found = Tables::new();
    let statement = RUNNING.with_borrow(|running| running.last().map(|last| last.statement));
    let Some(statement) = statement else { return Ok(found) };
    // SAFETY: the command is being executed; its tables are locked.
    unsafe {
        for name in node::list::<pg_sys::RangeVar>((*statement).relations) {
            let lock = pg_sys::NoLock as i32;
            let missing_ok = pg_sys::RVROption::RVR_MISSING_OK;
            let none = std::ptr::null_mut();
            let relid = pg_sys::RangeVarGetRelidExtended(name, lock, missing_ok, None, none);
            if relid == Oid::INVALID {
                continue;
            }
            let mut tables = vec![relid];
            let mut next = 0;
            while let Some(&relid) = tables.get(next) {
                next += 1;
                if (*name).inh && ffi::has_subclass(relid) {
                    tables.extend(node::oid_list(ffi::find_inheritance_children(relid, lock)));
                }
                if pg_sys::get_rel_relkind(relid) as u8 == pg_sys::RELKIND_FOREIGN_TABLE
                    && catalog::is_ours(relid)
                {
                    let server = catalog::foreign_table(relid)?.server.to_u32();
                    let tables = found.entry(server).or_default();
                    if !tables.contains(&relid.to_u32()) {
                        tables.push(relid.to_u32());
                    }
                }
            }
        }
    }
    Ok(found)
}

/// Truncates the tables of all these servers; waits until that is done everywhere.
fn send(all: &Tables, restart_sequences: bool, cascade: bool) -> Result<(), Failure> {
    let mut statements = Vec::new();
    for tables in all.values() {
        let mut names = Vec::new();
        for &relid in tables {
            let table = load::foreign_table(Oid::from(relid))?;
            if !table.truncatable {
                let name = catalog::relation_name(Oid::from(relid)).unwrap_or_default();
                return Err(Failure::new(
                    SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                    format!("foreign table \"{name}\" does not allow truncates"),
                ));
            }
            names.push(table.remote_name());
        }
        statements.push(deparse::truncate(&names, restart_sequences, cascade));
    }
    let servers: Vec<Oid> = all.keys().map(|&server| Oid::from(server)).collect();
    let mut sent = Vec::new();
    for (participant, sql) in
        txn::enlist_all(&servers, catalog::current_user())?.into_iter().zip(statements)
    {
        participant.mark_written();
        let ticket = participant.submit(Request::Simple(&sql))?;
        sent.push(Sent { participant, ticket, sql: sql.into() });
    }
    count_all(sent)?;
    Ok(())
}

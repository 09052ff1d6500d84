//! COPY FROM into a partitioned table whose partitions are foreign tables of ours: PostgreSQL routes the rows.
//!
//! A partition begins when its first row comes. So that the statement connects to all servers at the same time, first
//! rows are kept for a while, as those of other sharded parents are, where nothing of the user's runs that could look for
//! them: not in the command, the table, its rules or any partition that has got a row.

use super::lane::Run;
use super::quiet;
use crate::error::Failure;
use crate::pg::relation::Relation;
use crate::pg::utility::{Command, Rest};
use crate::shard;
use pgrx::pg_sys::{self, CopyStmt, Oid};
use std::cell::RefCell;
use std::rc::Rc;

/// A COPY that is being executed.
struct Running {
    relid: Oid,
    /// Whether nothing of the user's runs, as far as it has come.
    quiet: bool,
}

thread_local! {
    /// COPYs into partitioned tables of ours. The innermost is the last.
    static RUNNING: RefCell<Vec<Running>> = const { RefCell::new(Vec::new()) };
}

/// Notes a COPY FROM for as long as it is executed.
///
/// # Safety
/// The command is a COPY FROM into a partitioned table, about to be executed; PostgreSQL would open the table next.
pub unsafe fn begin(command: Command, statement: *mut CopyStmt) -> Result<Rest, Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let lock = pg_sys::RowExclusiveLock as i32;
        let relation = Relation::over(pg_sys::table_openrv((*statement).relation, lock));
        let Some(table) = shard::sharded_for_writing(relation.oid())? else {
            return Ok(Rest::Execute(command.statement));
        };
        // A condition is not looked at: it has not been parsed.
        let quiet = (*statement).whereClause.is_null()
            && quiet::is_quiet(relation.raw())
            && quiet::has_quiet_rules(&table);
        let running = Running { relid: relation.oid(), quiet };
        RUNNING.with_borrow_mut(|stack| stack.push(running));
        Ok(Rest::ExecuteThen(command.statement, end))
    }
}

fn end(_succeeded: bool) -> Result<(), Failure> {
    RUNNING.with_borrow_mut(Vec::pop);
    Ok(())
}

/// Lets the first rows for `partition` wait, or, where something might look for them, has those that wait sent. Does
/// nothing for a COPY of another kind.
///
/// # Safety
/// `root` is the statement's result relation; a row is about to come for the partition, which is open.
pub unsafe fn hold(
    run: &Rc<Run>,
    root: *mut pg_sys::ResultRelInfo,
    partition: pg_sys::Relation,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    let (relid, own) = unsafe { ((*(*root).ri_RelationDesc).rd_id, quiet::is_quiet(partition)) };
    let before = RUNNING.with_borrow_mut(|stack| {
        let running = stack.last_mut().filter(|running| running.relid == relid)?;
        let before = running.quiet;
        running.quiet &= own;
        Some(before)
    });
    match before {
        Some(true) if own => run.hold(true),
        Some(true) => {
            run.hold(false);
            run.new_tables().open(run)?;
        }
        _ => {}
    }
    Ok(())
}

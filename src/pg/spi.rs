//! SQL from inside, for the extension's own tables: text in, text out.
//!
//! Each call runs with a snapshot of its own and as the bootstrap superuser, whoever the session's user is:
//! nothing that a user wrote reaches this module but as a parameter. Statements name schemas, of
//! functions and operators too: the user's search_path applies.

use super::text;
use crate::error::{Failure, SqlState};
use pgrx::{IntoDatum, pg_sys};
use std::cell::RefCell;
use std::collections::HashMap;
use std::mem::ManuallyDrop;

/// A row: its columns as text, `None` for NULL.
pub type Row = Vec<Option<String>>;

thread_local! {
    /// Plans kept for the life of the backend; PostgreSQL itself notices when they have to be made anew.
    static PLANS: ManuallyDrop<RefCell<HashMap<&'static str, pg_sys::SPIPlanPtr>>> =
        ManuallyDrop::new(RefCell::new(HashMap::new()));
}

/// Runs one statement with text parameters (cast them in the SQL) and gives its rows.
pub fn run(sql: &'static str, params: &[&str]) -> Result<Vec<Row>, Failure> {
    let _user = Superuser::become_it();
    let _snapshot = Snapshot::push();
    let _spi = Connected::new()?;
    let plan = plan(sql, params.len())?;
    let mut values: Vec<pg_sys::Datum> =
        params.iter().map(|param| param.into_datum().unwrap_or(pg_sys::Datum::null())).collect();
    // SAFETY: as many values as the plan has parameters, all text and not NULL; not read-only, so PostgreSQL
    // takes a new snapshot. The result's tuples live until SPI_finish.
    unsafe {
        let status =
            pg_sys::SPI_execute_plan(plan, values.as_mut_ptr(), std::ptr::null(), false, 0);
        if status < 0 {
            return Err(Failure::internal(format!("SPI_execute_plan failed: {status}")));
        }
        let table = pg_sys::SPI_tuptable;
        if table.is_null() {
            return Ok(Vec::new());
        }
        let columns = (*(*table).tupdesc).natts;
        let rows = (0..pg_sys::SPI_processed as usize)
            .map(|row| {
                let tuple = *(*table).vals.add(row);
                (1..=columns)
                    .map(|column| {
                        let value = pg_sys::SPI_getvalue(tuple, (*table).tupdesc, column);
                        (!value.is_null()).then(|| text::from_server(value))
                    })
                    .collect()
            })
            .collect();
        Ok(rows)
    }
}

fn plan(sql: &'static str, params: usize) -> Result<pg_sys::SPIPlanPtr, Failure> {
    if let Some(plan) = PLANS.with(|plans| plans.borrow().get(sql).copied()) {
        return Ok(plan);
    }
    let source = text::c_string(sql)?;
    let mut types = vec![pg_sys::TEXTOID; params];
    // SAFETY: connected to SPI; keepplan moves the plan into long-lived memory.
    let plan = unsafe {
        let plan = pg_sys::SPI_prepare(source.as_ptr(), params as i32, types.as_mut_ptr());
        if plan.is_null() || pg_sys::SPI_keepplan(plan) != 0 {
            return Err(Failure::new(
                SqlState::INTERNAL_ERROR,
                "could not prepare an internal statement",
            )
            .with_detail(sql));
        }
        plan
    };
    PLANS.with(|plans| plans.borrow_mut().insert(sql, plan));
    Ok(plan)
}

/// An active snapshot, which planning needs; execution takes a newer one.
struct Snapshot;

impl Snapshot {
    fn push() -> Snapshot {
        // SAFETY: inside a transaction.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
        Snapshot
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: pushed by `push`, and whatever was pushed above it has been popped.
            unsafe { pg_sys::PopActiveSnapshot() };
        }
    }
}

/// A connection to SPI. After an ERROR PostgreSQL has closed, or will close, it with the (sub)transaction.
struct Connected;

impl Connected {
    fn new() -> Result<Connected, Failure> {
        // SAFETY: inside a transaction.
        match unsafe { pg_sys::SPI_connect() } {
            status if status == pg_sys::SPI_OK_CONNECT as i32 => Ok(Connected),
            status => Err(Failure::internal(format!("SPI_connect failed: {status}"))),
        }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: connected, innermost; cannot raise then.
            unsafe { pg_sys::SPI_finish() };
        }
    }
}

/// The bootstrap superuser as the current user.
struct Superuser {
    user: pg_sys::Oid,
    context: i32,
}

impl Superuser {
    fn become_it() -> Superuser {
        let mut saved = Superuser { user: pg_sys::InvalidOid, context: 0 };
        // SAFETY: plain reads and writes of backend globals.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&mut saved.user, &mut saved.context);
            pg_sys::SetUserIdAndSecContext(
                pg_sys::BOOTSTRAP_SUPERUSERID.into(),
                saved.context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32,
            );
        }
        saved
    }
}

impl Drop for Superuser {
    fn drop(&mut self) {
        // SAFETY: plain writes of backend globals; cannot raise.
        unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.context) }
    }
}

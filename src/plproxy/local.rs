//! Queries that a function runs on this server, to find out where to go: through SPI, read-only, each planned
//! once for the life of the compiled function.

use super::ast::Sql;
use crate::error::{Failure, SqlState};
use crate::pg::text;
use pgrx::pg_sys::{self, Datum, Oid};
use std::cell::Cell;

/// One column of one row.
#[derive(Clone, Copy, Debug)]
pub struct Cellular {
    pub type_oid: Oid,
    /// `None` for NULL. A by-reference value dies when the reader returns.
    pub value: Option<Datum>,
}

impl Cellular {
    /// The value as text.
    pub fn text(&self) -> Option<String> {
        // SAFETY: SPI gave the value as one of that type.
        self.value.map(|value| unsafe { to_text(self.type_oid, value) })
    }
}

/// A query with parameters taken from a function's arguments.
#[derive(Debug)]
pub struct LocalQuery {
    sql: String,
    /// The argument behind each parameter.
    arguments: Vec<usize>,
    /// The arguments' types.
    types: Vec<Oid>,
    plan: Cell<pg_sys::SPIPlanPtr>,
}

impl LocalQuery {
    /// `argument_type` gives the type of an argument.
    pub fn new(sql: &Sql, argument_type: impl Fn(usize) -> Oid) -> LocalQuery {
        let (sql, arguments) = sql.render(|_| String::new());
        let types = arguments.iter().map(|&a| argument_type(a)).collect();
        LocalQuery { sql, arguments, types, plan: Cell::new(std::ptr::null_mut()) }
    }

    /// A query with parameters given directly, in order.
    pub fn direct(sql: &str, types: &[Oid]) -> LocalQuery {
        LocalQuery {
            sql: sql.to_owned(),
            arguments: (0..types.len()).collect(),
            types: types.to_vec(),
            plan: Cell::new(std::ptr::null_mut()),
        }
    }

    /// Runs the query and gives each row's first `columns` columns to `reader`. Missing columns are left out.
    pub fn run<T>(
        &self,
        arguments: &[Option<Datum>],
        read_only: bool,
        columns: usize,
        mut reader: impl FnMut(&[Cellular]) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        let mut values: Vec<Datum> = Vec::with_capacity(self.arguments.len());
        let mut nulls: Vec<std::ffi::c_char> = Vec::with_capacity(self.arguments.len());
        for &argument in &self.arguments {
            let value = arguments.get(argument).copied().flatten();
            values.push(value.unwrap_or(Datum::null()));
            nulls.push(if value.is_some() { b' ' } else { b'n' } as _);
        }
        // SAFETY: SPI is connected and finished on all ways out but an ERROR's, where the end of the
        // (sub)transaction cleans up. Rows are read before SPI_finish; arrays outlive the call.
        unsafe {
            let connected = pg_sys::SPI_connect();
            if connected != pg_sys::SPI_OK_CONNECT as i32 {
                return Err(spi_failure("SPI_connect", connected));
            }
            let result = self.execute(&mut values, &mut nulls, read_only).and_then(|()| {
                let table = pg_sys::SPI_tuptable;
                let count = pg_sys::SPI_processed as usize;
                let mut rows = Vec::with_capacity(count);
                if table.is_null() {
                    return Ok(rows);
                }
                let description = (*table).tupdesc;
                let columns = columns.min((*description).natts as usize);
                for n in 0..count {
                    let tuple = *(*table).vals.add(n);
                    let mut cells = Vec::with_capacity(columns);
                    for column in 1..=columns as i32 {
                        let mut is_null = false;
                        let value =
                            pg_sys::SPI_getbinval(tuple, description, column, &raw mut is_null);
                        let type_oid = pg_sys::SPI_gettypeid(description, column);
                        cells.push(Cellular { type_oid, value: (!is_null).then_some(value) });
                    }
                    rows.push(reader(&cells)?);
                }
                Ok(rows)
            });
            pg_sys::SPI_finish();
            result
        }
    }

    unsafe fn execute(
        &self,
        values: &mut [Datum],
        nulls: &mut [std::ffi::c_char],
        read_only: bool,
    ) -> Result<(), Failure> {
        // SAFETY: SPI is connected. A procedure may run without an active snapshot, which a read-only
        // execution needs.
        unsafe {
            let plan = self.plan()?;
            let pushed = read_only && !pg_sys::ActiveSnapshotSet();
            if pushed {
                pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            }
            let code =
                pg_sys::SPI_execute_plan(plan, values.as_mut_ptr(), nulls.as_ptr(), read_only, 0);
            if pushed {
                pg_sys::PopActiveSnapshot();
            }
            if code < 0 {
                return Err(spi_failure("SPI_execute_plan", code));
            }
        }
        Ok(())
    }

    unsafe fn plan(&self) -> Result<pg_sys::SPIPlanPtr, Failure> {
        if !self.plan.get().is_null() {
            return Ok(self.plan.get());
        }
        // SAFETY: SPI is connected; the kept plan lives until it is freed by Drop.
        unsafe {
            let mut types = self.types.clone();
            let sql = text::to_server(&self.sql);
            let plan = pg_sys::SPI_prepare(sql, types.len() as i32, types.as_mut_ptr());
            if plan.is_null() {
                return Err(spi_failure("SPI_prepare", pg_sys::SPI_result));
            }
            let code = pg_sys::SPI_keepplan(plan);
            if code != 0 {
                return Err(spi_failure("SPI_keepplan", code));
            }
            self.plan.set(plan);
            Ok(plan)
        }
    }
}

impl Drop for LocalQuery {
    fn drop(&mut self) {
        let plan = self.plan.get();
        if !plan.is_null() && !std::thread::panicking() {
            // SAFETY: the plan was kept by us and nobody runs it: who does holds a reference to its function.
            // Freeing a plan only drops its cache entries.
            unsafe { pg_sys::SPI_freeplan(plan) };
        }
    }
}

fn spi_failure(what: &str, code: i32) -> Failure {
    // SAFETY: the result is a static or backend-owned string.
    let text = unsafe { text::from_server(pg_sys::SPI_result_code_string(code)) };
    Failure::new(SqlState::INTERNAL_ERROR, format!("{what} failed: {text}"))
}

/// The text of a value of a type that is text by nature (text, varchar, name, or through its output function).
///
/// # Safety
/// `value` is a value of `type_oid`.
pub unsafe fn to_text(type_oid: Oid, value: Datum) -> String {
    // SAFETY: as the caller vouches; the output function's result is palloc'd.
    unsafe {
        let (mut function, mut varlena) = (Oid::INVALID, false);
        pg_sys::getTypeOutputInfo(type_oid, &raw mut function, &raw mut varlena);
        text::take_from_server(pg_sys::OidOutputFunctionCall(function, value))
    }
}

//! Background workers: registering them, and the frame in which they run.
//!
//! What a worker does is given by the layers above ([`set_lives`]); this file knows how PostgreSQL starts one,
//! connects it to a database and ends it.

use super::ffi::{handlers, raw};
use super::{compat, guard, wait};
use crate::error::{Failure, SqlState};
use pgrx::{pg_guard, pg_sys};
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_void};
use std::time::{Duration, Instant};

/// What a worker does until it ends.
pub type Life = fn() -> Result<(), Failure>;

/// Which worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Main {
    /// Starts the others; connected to no database.
    Launcher,
    /// Works in one database.
    Resolver,
    /// Works in one database, while somebody needs it.
    Detector,
}

impl Main {
    fn function(self) -> &'static CStr {
        match self {
            Main::Launcher => c"shard_fdw_launcher_main",
            Main::Resolver => c"shard_fdw_resolver_main",
            Main::Detector => c"shard_fdw_detector_main",
        }
    }
}

/// A worker that has failed is started again after this many seconds.
const RESTART_SECONDS: i32 = 5;

thread_local! {
    static LIVES: Cell<Option<Lives>> = const { Cell::new(None) };
}

/// What each worker does.
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct Lives {
    pub launcher: Life,
    pub resolver: Life,
    pub detector: Life,
}

/// To be called when the library is loaded.
pub fn set_lives(lives: Lives) {
    LIVES.set(Some(lives));
}

/// Whether the server is starting and loads `shared_preload_libraries`.
pub fn is_preloading() -> bool {
    // SAFETY: reads a global.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Registers a worker that starts with the server.
pub fn register(name: &str, main: Main) {
    let mut worker = describe(name, main, 0);
    // SAFETY: called while the server loads its preload libraries; the struct is copied.
    unsafe { pg_sys::RegisterBackgroundWorker(&raw mut worker) }
}

/// Starts a worker in `database`; false if no slot is free, or this server is a standby: the worker would not start before
/// its promotion, and nobody would see that it has been asked for.
pub fn start(name: &str, main: Main, database: u32) -> bool {
    // SAFETY: reads the server's state.
    if unsafe { pg_sys::RecoveryInProgress() } {
        return false;
    }
    let mut worker = describe(name, main, database);
    // SAFETY: the struct is copied; nobody wants a handle.
    unsafe { pg_sys::RegisterDynamicBackgroundWorker(&raw mut worker, std::ptr::null_mut()) }
}

fn describe(name: &str, main: Main, database: u32) -> pg_sys::BackgroundWorker {
    let mut worker = pg_sys::BackgroundWorker {
        bgw_flags: (pg_sys::BGWORKER_SHMEM_ACCESS | pg_sys::BGWORKER_BACKEND_DATABASE_CONNECTION)
            as i32,
        bgw_start_time: pg_sys::BgWorkerStartTime::BgWorkerStart_RecoveryFinished,
        bgw_restart_time: match main {
            // Whoever needs it starts another.
            Main::Detector => pg_sys::BGW_NEVER_RESTART,
            Main::Launcher | Main::Resolver => RESTART_SECONDS,
        },
        bgw_main_arg: pg_sys::Datum::from(database),
        ..Default::default()
    };
    put(&mut worker.bgw_name, name.as_bytes());
    put(&mut worker.bgw_type, name.as_bytes());
    put(&mut worker.bgw_library_name, library().as_bytes());
    put(&mut worker.bgw_function_name, main.function().to_bytes());
    worker
}

/// Fills a C string field that is zeroed.
fn put(field: &mut [c_char], value: &[u8]) {
    let room = field.len() - 1;
    for (to, from) in field.iter_mut().zip(value.iter().take(room)) {
        *to = *from as c_char;
    }
}

fn library() -> &'static str {
    "shard_fdw"
}

/// OID of the database this backend works in.
pub fn this_database() -> u32 {
    super::xact::database()
}

/// Entry point of the launcher.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn shard_fdw_launcher_main(_nothing: pg_sys::Datum) {
    // SAFETY: PostgreSQL calls this as the worker's main function; no database.
    unsafe {
        begin();
        pg_sys::BackgroundWorkerInitializeConnection(std::ptr::null(), std::ptr::null(), 0);
    }
    live(|lives| lives.launcher);
}

/// Entry point of a resolver; the argument is the database's OID.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn shard_fdw_resolver_main(database: pg_sys::Datum) {
    begin_in(database);
    live(|lives| lives.resolver);
}

/// Entry point of a detector; the argument is the database's OID.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn shard_fdw_detector_main(database: pg_sys::Datum) {
    begin_in(database);
    live(|lives| lives.detector);
}

/// Connects to a database, with settings that nobody's configuration changes.
fn begin_in(database: pg_sys::Datum) {
    // SAFETY: at the start of a worker's main function; the bootstrap superuser always exists.
    unsafe {
        begin();
        let database = pg_sys::Oid::from(database.value() as u32);
        let previous = pg_sys::error_context_stack;
        let mut callback = pg_sys::ErrorContextCallback {
            previous,
            callback: Some(end_without_database),
            arg: std::ptr::null_mut(),
        };
        pg_sys::error_context_stack = &raw mut callback;
        pg_sys::BackgroundWorkerInitializeConnectionByOid(database, pg_sys::InvalidOid, 0);
        pg_sys::error_context_stack = previous;
        for (name, value) in [
            (c"default_transaction_isolation", c"read committed"),
            (c"default_transaction_read_only", c"off"),
            (c"search_path", c"pg_catalog"),
            (c"statement_timeout", c"0"),
            (c"lock_timeout", c"0"),
        ] {
            pg_sys::SetConfigOption(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_SUSET,
                pg_sys::GucSource::PGC_S_OVERRIDE,
            );
        }
    }
}

/// `ErrorContextCallback` while a worker connects: one whose database has been dropped ends for good, where the FATAL error
/// about to be raised would have it started again every few seconds.
unsafe extern "C-unwind" fn end_without_database(_: *mut c_void) {
    // SAFETY: runs inside errfinish(), which would end the process the same way right after; the frame owns nothing.
    unsafe {
        let error = raw::CopyErrorData();
        if (*error).elevel == pg_sys::FATAL as i32
            && (*error).sqlerrcode == SqlState::UNDEFINED_DATABASE.encode()
        {
            pg_sys::proc_exit(0);
        }
        raw::FreeErrorData(error);
    }
}

/// Signals: SIGTERM ends the worker at the next look at interrupts, SIGHUP has the configuration read again.
unsafe fn begin() {
    // SAFETY: both handlers are PostgreSQL's own.
    unsafe {
        compat::handle_signal(pg_sys::SIGTERM, handlers::die);
        compat::handle_signal(pg_sys::SIGHUP, handlers::SignalHandlerForConfigReload);
        pg_sys::BackgroundWorkerUnblockSignals();
    }
}

fn live(which: fn(Lives) -> Life) {
    let Some(lives) = LIVES.get() else { return };
    if let Err(failure) = which(lives)() {
        guard::raise(&failure);
    }
}

/// Runs `body` in a transaction of its own. Its error ends the worker, which is then started anew.
pub fn transaction<T>(body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    // SAFETY: no transaction is open in a worker between two calls.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
    }
    let value = body()?;
    // SAFETY: begun above.
    unsafe { pg_sys::CommitTransactionCommand() };
    Ok(value)
}

/// Sleeps, awake for signals; reads the configuration again if asked to.
pub fn sleep(seconds: u64) {
    nap(Duration::from_secs(seconds));
}

/// [`sleep`] for any time.
pub fn nap(length: Duration) {
    let until = Instant::now() + length;
    while wait::wait(&[], Some(until)) != wait::Wake::Deadline {
        // SAFETY: as PostgreSQL's own workers do.
        unsafe {
            if pg_sys::ConfigReloadPending != 0 {
                pg_sys::ConfigReloadPending = 0;
                pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
            }
        }
    }
}

/// OIDs of the databases that can be connected to.
pub fn databases() -> Vec<u32> {
    let scanned = transaction(|| {
        let mut found = Vec::new();
        // SAFETY: pg_database is a shared catalog, readable without a database; the scan is closed before the
        // transaction ends, and FormData_pg_database is its fixed part.
        unsafe {
            let relation = pg_sys::table_open(
                pg_sys::DatabaseRelationId,
                pg_sys::AccessShareLock as pg_sys::LOCKMODE,
            );
            let scan = pg_sys::table_beginscan_catalog(relation, 0, std::ptr::null_mut());
            loop {
                let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
                if tuple.is_null() {
                    break;
                }
                let header = (*tuple).t_data;
                let row = header
                    .cast::<u8>()
                    .add((*header).t_hoff as usize)
                    .cast::<pg_sys::FormData_pg_database>();
                if (*row).datallowconn && !(*row).datistemplate {
                    found.push(u32::from((*row).oid));
                }
            }
            pg_sys::table_endscan(scan);
            pg_sys::table_close(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        }
        Ok(found)
    });
    scanned.unwrap_or_default()
}

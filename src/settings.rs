//! The extension's configuration parameters (`shard_fdw.*`).

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};
use std::ffi::CString;
use std::time::Duration;

/// `shard_fdw.application_name`.
static APPLICATION_NAME: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// `shard_fdw.enable_sharded_scan`.
static ENABLE_SHARDED_SCAN: GucSetting<bool> = GucSetting::<bool>::new(true);
/// `shard_fdw.enable_ordered_merge`.
static ENABLE_ORDERED_MERGE: GucSetting<bool> = GucSetting::<bool>::new(true);
/// `shard_fdw.enable_result_passthrough`.
static ENABLE_RESULT_PASSTHROUGH: GucSetting<bool> = GucSetting::<bool>::new(true);
/// `shard_fdw.enable_insert_by_copy`.
static ENABLE_INSERT_BY_COPY: GucSetting<bool> = GucSetting::<bool>::new(true);
/// `shard_fdw.enable_batched_join`.
static ENABLE_BATCHED_JOIN: GucSetting<bool> = GucSetting::<bool>::new(true);
/// `shard_fdw.two_phase_commit`.
static TWO_PHASE_COMMIT: GucSetting<bool> = GucSetting::<bool>::new(true);
/// `shard_fdw.resolver_role`.
static RESOLVER_ROLE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
/// `shard_fdw.resolver_interval`.
static RESOLVER_INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(5);
/// `shard_fdw.deadlock_timeout`.
static DEADLOCK_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(1000);
/// `shard_fdw.debug_fault`.
static DEBUG_FAULT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// Defines the parameters; called once from `_PG_init`.
pub fn init() {
    GucRegistry::define_string_guc(
        c"shard_fdw.application_name",
        c"Sets the application name to be used on the remote server.",
        c"Escapes: %a application name, %C cluster name, %c session ID, %d database, %u user, %p process ID.",
        &APPLICATION_NAME,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"shard_fdw.enable_sharded_scan",
        c"Plans a parent whose children are placements as one foreign table.",
        c"Without it, every child is planned by itself.",
        &ENABLE_SHARDED_SCAN,
        GucContext::Userset,
        GucFlags::EXPLAIN,
    );
    GucRegistry::define_bool_guc(
        c"shard_fdw.enable_ordered_merge",
        c"Has shards sort, and merges their rows.",
        c"Without it, rows of several shards are sorted here.",
        &ENABLE_ORDERED_MERGE,
        GucContext::Userset,
        GucFlags::EXPLAIN,
    );
    GucRegistry::define_bool_guc(
        c"shard_fdw.enable_result_passthrough",
        c"Gives rows of shards to the client as they come, where they need not be changed.",
        c"Without it, every value is read here and written again.",
        &ENABLE_RESULT_PASSTHROUGH,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"shard_fdw.enable_insert_by_copy",
        c"Sends many rows that are inserted into a sharded table by COPY.",
        c"Without it, they go in INSERT statements.",
        &ENABLE_INSERT_BY_COPY,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"shard_fdw.enable_batched_join",
        c"Joins with a sharded table by asking for the rows of many outer rows at a time.",
        c"Without it, for those of one outer row or for all rows.",
        &ENABLE_BATCHED_JOIN,
        GucContext::Userset,
        GucFlags::EXPLAIN,
    );
    GucRegistry::define_bool_guc(
        c"shard_fdw.two_phase_commit",
        c"Commits atomically over several servers (PREPARE TRANSACTION on each).",
        c"Without it, a failure during COMMIT may leave some servers committed and others not.",
        &TWO_PHASE_COMMIT,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"shard_fdw.resolver_role",
        c"Sets the role whose user mappings the resolver uses to look at servers.",
        c"If empty, it uses any user mapping of the server.",
        &RESOLVER_ROLE,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"shard_fdw.resolver_interval",
        c"Sets how often the resolver looks for transactions in doubt while there may be any.",
        c"0 turns it off; shard.resolve_now() does its work then.",
        &RESOLVER_INTERVAL,
        0,
        3600,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_int_guc(
        c"shard_fdw.deadlock_timeout",
        c"Sets how long a statement waits for a shard before deadlocks over several servers are looked for.",
        c"0 turns it off.",
        &DEADLOCK_TIMEOUT,
        0,
        i32::MAX,
        GucContext::Suset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_string_guc(
        c"shard_fdw.debug_fault",
        c"Stops the process at a named point of the commit protocol, for tests.",
        c"",
        &DEBUG_FAULT,
        GucContext::Suset,
        GucFlags::NO_SHOW_ALL,
    );
    // SAFETY: the name is a static C string.
    #[allow(unsafe_code)]
    unsafe {
        pgrx::pg_sys::MarkGUCPrefixReserved(c"shard_fdw".as_ptr());
    }
}

/// `shard_fdw.application_name`, in the server's encoding; `None` when it is unset or empty.
pub fn application_name() -> Option<CString> {
    APPLICATION_NAME.get().filter(|name| !name.is_empty())
}

/// `shard_fdw.two_phase_commit`.
pub fn two_phase_commit() -> bool {
    TWO_PHASE_COMMIT.get()
}

/// `shard_fdw.resolver_role`; `None` when it is unset or empty.
pub fn resolver_role() -> Option<String> {
    let role = RESOLVER_ROLE.get()?;
    Some(role.to_str().ok()?.to_owned()).filter(|role| !role.is_empty())
}

/// `shard_fdw.resolver_interval`, in seconds; `None` when there is to be no resolver.
pub fn resolver_interval() -> Option<u64> {
    u64::try_from(RESOLVER_INTERVAL.get()).ok().filter(|&seconds| seconds > 0)
}

/// `shard_fdw.deadlock_timeout`; `None` when deadlocks over several servers are not looked for.
pub fn deadlock_timeout() -> Option<Duration> {
    u64::try_from(DEADLOCK_TIMEOUT.get()).ok().filter(|&ms| ms > 0).map(Duration::from_millis)
}

/// `shard_fdw.debug_fault`.
pub fn debug_fault() -> Option<CString> {
    DEBUG_FAULT.get()
}

/// Whether sharded parents are planned as one foreign table (`shard_fdw.enable_sharded_scan`).
pub fn enable_sharded_scan() -> bool {
    ENABLE_SHARDED_SCAN.get()
}

/// Whether the planner may join in batches (`shard_fdw.enable_batched_join`).
pub fn enable_batched_join() -> bool {
    ENABLE_BATCHED_JOIN.get()
}

/// Whether sorted rows of several placements are merged (`shard_fdw.enable_ordered_merge`).
pub fn enable_ordered_merge() -> bool {
    ENABLE_ORDERED_MERGE.get()
}

/// Whether rows may go to the client as they come (`shard_fdw.enable_result_passthrough`).
pub fn enable_result_passthrough() -> bool {
    ENABLE_RESULT_PASSTHROUGH.get()
}

/// Whether many rows of an INSERT go by COPY (`shard_fdw.enable_insert_by_copy`).
pub fn enable_insert_by_copy() -> bool {
    ENABLE_INSERT_BY_COPY.get()
}

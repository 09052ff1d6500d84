//! The only spelling of the statements that begin, nest and end remote transactions.
#![forbid(unsafe_code)]

use super::gid::Gid;
use std::fmt::Write as _;

/// Isolation level of a remote transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Isolation {
    /// For a local READ COMMITTED transaction that writes: each remote statement sees what is committed, and an
    /// update waits for a concurrent one instead of failing.
    ReadCommitted,
    /// One snapshot, for as long as the remote transaction lasts. A local READ COMMITTED transaction that only
    /// reads begins a new one with each statement: one local statement may become several remote ones, and all
    /// must see the same state.
    #[default]
    RepeatableRead,
    /// For a local SERIALIZABLE transaction.
    Serializable,
}

/// The characteristics of a remote transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mode {
    /// The isolation level.
    pub isolation: Isolation,
    /// The local transaction is READ ONLY.
    pub read_only: bool,
    /// The local transaction is DEFERRABLE.
    pub deferrable: bool,
}

/// What begins a remote transaction. DEFERRABLE has a meaning only together with SERIALIZABLE READ ONLY.
pub fn begin(mode: Mode) -> String {
    let level = match mode.isolation {
        Isolation::ReadCommitted => "READ COMMITTED",
        Isolation::RepeatableRead => "REPEATABLE READ",
        Isolation::Serializable => "SERIALIZABLE",
    };
    let mut sql = format!("START TRANSACTION ISOLATION LEVEL {level}");
    if mode.read_only {
        sql.push_str(" READ ONLY");
        if mode.isolation == Isolation::Serializable && mode.deferrable {
            sql.push_str(" DEFERRABLE");
        }
    }
    sql
}

/// The remote savepoint that stands for the subtransaction at `level` (the top transaction is level 1).
pub fn savepoint(level: u32) -> String {
    format!("SAVEPOINT s{level}")
}

/// Ends the savepoint of `level` and all above it, keeping what was done.
pub fn release(level: u32) -> String {
    format!("RELEASE SAVEPOINT s{level}")
}

/// Undoes what was done since the savepoint of `level`, and ends it.
pub fn rollback_to(level: u32) -> String {
    let mut sql = format!("ROLLBACK TO SAVEPOINT s{level}");
    // Writing to a String cannot fail.
    let _ = write!(sql, "; RELEASE SAVEPOINT s{level}");
    sql
}

/// Ends a remote transaction, keeping what it did.
pub const COMMIT: &str = "COMMIT TRANSACTION";
/// Ends a remote transaction, undoing what it did.
pub const ROLLBACK: &str = "ROLLBACK TRANSACTION";

/// The command tag of a COMMIT that did commit: one in a failed transaction answers `ROLLBACK`, without an error.
pub const COMMIT_TAG: &str = "COMMIT";

/// First phase of a commit: from now on the shard can do either, crash or not. `gid` needs no quoting: it holds
/// digits, letters, `_` and `:` only.
pub fn prepare(gid: &Gid) -> String {
    format!("PREPARE TRANSACTION '{gid}'")
}

/// The command tag of a PREPARE TRANSACTION that did prepare; in a failed transaction it answers `ROLLBACK`.
pub const PREPARE_TAG: &str = "PREPARE TRANSACTION";

/// Second phase: carries a prepared transaction out.
pub fn commit_prepared(gid: &Gid) -> String {
    format!("COMMIT PREPARED '{gid}'")
}

/// Second phase: undoes a prepared transaction.
pub fn rollback_prepared(gid: &Gid) -> String {
    format!("ROLLBACK PREPARED '{gid}'")
}

/// Lists the prepared transactions of one coordinator and database on a shard, with the time they were
/// prepared at and their age, both in seconds. `prefix` needs no quoting. A row without a name says that the server is a
/// standby, which has them and does not show them.
pub fn list_prepared(prefix: &str) -> String {
    format!(
        "SELECT gid, pg_catalog.date_part('epoch', prepared), \
         pg_catalog.date_part('epoch', pg_catalog.now() - prepared) \
         FROM pg_catalog.pg_prepared_xacts \
         WHERE database = pg_catalog.current_database() AND pg_catalog.starts_with(gid, '{prefix}') \
         UNION ALL SELECT NULL, NULL, NULL WHERE pg_catalog.pg_is_in_recovery()"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begin_follows_the_mode() {
        let mode = |serializable, read_only, deferrable| Mode {
            isolation: if serializable { Isolation::Serializable } else { Isolation::default() },
            read_only,
            deferrable,
        };
        let committed = Mode { isolation: Isolation::ReadCommitted, ..Mode::default() };
        assert_eq!(begin(committed), "START TRANSACTION ISOLATION LEVEL READ COMMITTED");
        let common = "START TRANSACTION ISOLATION LEVEL";
        assert_eq!(begin(mode(false, false, false)), format!("{common} REPEATABLE READ"));
        assert_eq!(begin(mode(false, false, true)), format!("{common} REPEATABLE READ"));
        assert_eq!(begin(mode(false, true, true)), format!("{common} REPEATABLE READ READ ONLY"));
        assert_eq!(begin(mode(true, false, true)), format!("{common} SERIALIZABLE"));
        assert_eq!(
            begin(mode(true, true, true)),
            format!("{common} SERIALIZABLE READ ONLY DEFERRABLE")
        );
    }

    #[test]
    fn savepoints_are_named_by_level() {
        assert_eq!(savepoint(2), "SAVEPOINT s2");
        assert_eq!(release(3), "RELEASE SAVEPOINT s3");
        assert_eq!(rollback_to(2), "ROLLBACK TO SAVEPOINT s2; RELEASE SAVEPOINT s2");
    }
}

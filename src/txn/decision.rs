//! The decision: a row in `shard.commit_log`, written by the local transaction itself.
//!
//! Row there = the transaction is committed, and what it prepared is to be committed. No row, and nobody holds
//! the transaction's lock any more = rolled back. Row and commit are one: that is all the atomicity there is.

use super::gid::TransactionName;
use crate::error::{Failure, SqlState};
use crate::pg::lock::{self, Class};
use crate::pg::{random, spi, xact};

const IDENTITY: &str = "SELECT id FROM shard.identity";
const RECORD: &str = "INSERT INTO shard.commit_log (gid, servers) \
     VALUES ($1, $2::pg_catalog.oid[])";
const IS_COMMITTED: &str = "SELECT FROM shard.commit_log WHERE gid OPERATOR(pg_catalog.=) $1";
const COMMITTED: &str = "SELECT gid, servers::pg_catalog.text FROM shard.commit_log";
const FORGET: &str =
    "DELETE FROM shard.commit_log WHERE gid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])";

/// Names the running transaction, takes its lock, and writes its decision row. It counts once the transaction
/// has committed.
pub fn record(servers: &[u32]) -> Result<TransactionName, Failure> {
    let name = TransactionName {
        identity: identity()?,
        database: xact::database(),
        xid: xact::full_xid(),
        nonce: random::number()?,
    };
    if !lock::try_lock(Class::TwoPhase, name.nonce) {
        return Err(Failure::internal("the name of a two-phase transaction is in use"));
    }
    let servers: Vec<String> = servers.iter().map(u32::to_string).collect();
    spi::run(RECORD, &[&name.to_string(), &format!("{{{}}}", servers.join(","))])?;
    Ok(name)
}

/// This coordinator's identity.
pub fn identity() -> Result<u128, Failure> {
    spi::run(IDENTITY, &[])?
        .first()
        .and_then(|row| u128::from_str_radix(row.first()?.as_deref()?, 16).ok())
        .ok_or_else(|| {
            Failure::new(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                "this coordinator has no identity: table shard.identity is empty",
            )
            .with_hint("Call shard.new_identity().")
        })
}

/// Whether the transaction is committed, by a snapshot taken now.
pub fn is_committed(name: &TransactionName) -> Result<bool, Failure> {
    Ok(!spi::run(IS_COMMITTED, &[&name.to_string()])?.is_empty())
}

/// All decision rows with the servers that take part.
pub fn committed() -> Result<Vec<(TransactionName, Vec<u32>)>, Failure> {
    let rows = spi::run(COMMITTED, &[])?;
    Ok(rows
        .iter()
        .filter_map(|row| {
            let name = row.first()?.as_deref()?.parse().ok()?;
            let servers = row.get(1)?.as_deref()?.trim_matches(['{', '}']);
            Some((name, servers.split(',').filter_map(|oid| oid.parse().ok()).collect()))
        })
        .collect())
}

/// Deletes decision rows that nobody will ask for again.
pub fn forget(names: &[TransactionName]) -> Result<(), Failure> {
    if names.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = names.iter().map(TransactionName::to_string).collect();
    spi::run(FORGET, &[&format!("{{{}}}", names.join(","))])?;
    Ok(())
}

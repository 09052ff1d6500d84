//! Finishing transactions that a crash, a lost connection or a vanished coordinator left prepared on a shard.
//!
//! For each prepared transaction the order of looking is what makes it safe: first it is seen on the shard, then
//! the lock of its transaction is taken (its backend holds it up to the very end, so it is over), and only then,
//! with a snapshot younger than both, the decision row is looked for. Only names of this coordinator's identity
//! and this database are touched.

use super::gid::{Gid, TransactionName};
use super::places::{self, Place};
use super::{decision, registry, statement};
use crate::error::{Failure, SqlState};
use crate::pg::lock::{self, Class};
use crate::pg::{guard, spi, xact};
use crate::session::{Connection, cache};
use crate::settings;
use crate::wire::{Reply, Request};
use pgrx::pg_sys::Oid;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long one request to one shard may take.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// The servers of this extension's wrappers.
const SERVERS: &str = "SELECT s.oid, s.srvname FROM pg_catalog.pg_foreign_server s \
     JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid OPERATOR(pg_catalog.=) s.srvfdw \
     JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) w.fdwhandler \
     WHERE p.prosrc OPERATOR(pg_catalog.=) 'shard_fdw_handler_wrapper' ORDER BY s.oid";
/// Roles that have a way to a server: the configured one first, then owners of mappings (10, the bootstrap
/// superuser, stands for PUBLIC's).
const ROLES: &str = "SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) $2 \
     UNION ALL (SELECT CASE WHEN umuser OPERATOR(pg_catalog.=) 0 THEN 10 ELSE umuser END FROM pg_catalog.pg_user_mapping \
     WHERE umserver OPERATOR(pg_catalog.=) $1::pg_catalog.oid ORDER BY umuser)";

/// What is to be done with a prepared transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Its transaction is still at work; leave it alone.
    Running,
    /// Its transaction has committed.
    Commit,
    /// Its transaction has been rolled back.
    Rollback,
}

/// A prepared transaction of ours on a shard.
pub struct Prepared {
    /// Its name.
    pub gid: Gid,
    /// When it was prepared, by the shard's clock, in seconds since 1970.
    pub since: f64,
    /// How long ago that is, in seconds.
    pub age: f64,
}

/// One shard and what is prepared there.
pub struct Shard {
    /// The foreign server.
    pub server: Oid,
    /// Its name.
    pub name: String,
    /// What is prepared there, or why it could not be asked.
    pub prepared: Result<Vec<Prepared>, Failure>,
    connection: Option<Rc<Connection>>,
    /// How it is connected to, when it is no foreign server of ours.
    place: Option<Rc<dyn Place>>,
}

impl Shard {
    fn connect(&self, role: Oid) -> Result<Rc<Connection>, Failure> {
        match &self.place {
            None => cache::acquire(self.server, role, false),
            Some(place) => place.connect(role),
        }
    }
}

/// What one pass has done.
#[derive(Default)]
pub struct Outcome {
    /// Prepared transactions finished.
    pub finished: i64,
    /// Something is left to do, or a shard could not be asked.
    pub unfinished: bool,
    /// What went wrong, by server name.
    pub problems: Vec<(String, Failure)>,
}

/// Asks every shard for what this coordinator and database have prepared there.
pub fn survey() -> Result<Vec<Shard>, Failure> {
    let prefix = TransactionName::prefix(decision::identity()?, xact::database());
    let mut shards = Vec::new();
    for row in spi::run(SERVERS, &[])? {
        let [Some(oid), Some(name)] = &row[..] else { continue };
        let server = Oid::from(oid.parse::<u32>().unwrap_or_default());
        let listed = ask(server, &statement::list_prepared(&prefix), REQUEST_DEADLINE);
        let (prepared, connection) = read(listed);
        shards.push(Shard { server, name: name.clone(), prepared, connection, place: None });
    }
    let decided: Vec<u32> = decision::committed()?.into_iter().flat_map(|(_, on)| on).collect();
    for place in places::find(&decided)? {
        let listing = statement::list_prepared(&prefix);
        let listed = ask_by(place.server(), |role| place.connect(role), &listing, REQUEST_DEADLINE);
        let (prepared, connection) = read(listed);
        let (server, name) = (place.server(), place.name());
        shards.push(Shard { server, name, prepared, connection, place: Some(place) });
    }
    Ok(shards)
}

/// One pass over all shards: finishes what can be decided, and forgets decisions nobody needs any more.
pub fn resolve() -> Result<Outcome, Failure> {
    check_alone()?;
    let mut outcome = Outcome::default();
    // Read before the shards are asked: what is gone from a shard afterwards was carried out there.
    let decided = decision::committed()?;
    let mut unasked: HashSet<u32> = HashSet::new();
    let mut left: HashSet<TransactionName> = HashSet::new();
    for shard in survey()? {
        match &shard.prepared {
            Err(failure) => {
                unasked.insert(u32::from(shard.server));
                outcome.problems.push((shard.name.clone(), failure.clone()));
            }
            Ok(prepared) => {
                for prepared in prepared {
                    match finish_if_over(&shard, &prepared.gid) {
                        Ok(true) => outcome.finished += 1,
                        Ok(false) => {
                            left.insert(prepared.gid.transaction);
                        }
                        Err(failure) => {
                            left.insert(prepared.gid.transaction);
                            outcome.problems.push((shard.name.clone(), failure));
                        }
                    }
                }
            }
        }
    }
    let (kept, done): (Vec<_>, Vec<_>) = decided.into_iter().partition(|(name, servers)| {
        left.contains(name) || servers.iter().any(|server| unasked.contains(server))
    });
    decision::forget(&done.into_iter().map(|(name, _)| name).collect::<Vec<_>>())?;
    outcome.unfinished = !(left.is_empty() && unasked.is_empty() && kept.is_empty());
    Ok(outcome)
}

/// Carries out `decision` for one prepared transaction, whatever the decision row says.
pub fn force(gid: &Gid, commit: bool) -> Result<(), Failure> {
    check_alone()?;
    // One foreign server may describe several databases: that where it was seen, else one that could not be asked.
    let rank = |shard: &Shard| match &shard.prepared {
        Ok(prepared) => 2 * u8::from(!prepared.iter().any(|prepared| prepared.gid == *gid)),
        Err(_) => 1,
    };
    let shards = survey()?.into_iter().filter(|shard| u32::from(shard.server) == gid.server);
    let shard = shards.min_by_key(rank).ok_or_else(|| {
        Failure::new(SqlState::UNDEFINED_OBJECT, "the foreign server does not exist")
    })?;
    if let Err(failure) = &shard.prepared {
        return Err(failure.clone());
    }
    if decide(gid)? == Decision::Running {
        return Err(Failure::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            "the transaction is still being carried out",
        ));
    }
    carry_out(&shard, gid, commit)
}

/// The decision about a transaction that was seen prepared on a shard before this call. Unless it is running its
/// lock is taken for the rest of the local transaction.
pub fn decide(gid: &Gid) -> Result<Decision, Failure> {
    if !lock::try_lock(Class::TwoPhase, gid.transaction.nonce) {
        return Ok(Decision::Running);
    }
    let committed = decision::is_committed(&gid.transaction)?;
    Ok(if committed { Decision::Commit } else { Decision::Rollback })
}

/// Finishes a prepared transaction unless it is running; whether it did.
fn finish_if_over(shard: &Shard, gid: &Gid) -> Result<bool, Failure> {
    let commit = match decide(gid)? {
        Decision::Running => return Ok(false),
        Decision::Commit => true,
        Decision::Rollback => false,
    };
    let outcome = carry_out(shard, gid, commit);
    lock::unlock(Class::TwoPhase, gid.transaction.nonce);
    outcome.map(|()| true)
}

/// Only who prepared a transaction, or a superuser, may finish it: its own user first, then whoever listed it.
fn carry_out(shard: &Shard, gid: &Gid, commit: bool) -> Result<(), Failure> {
    let sql =
        if commit { statement::commit_prepared(gid) } else { statement::rollback_prepared(gid) };
    let own = guard::catch(|| shard.connect(Oid::from(gid.user)));
    let mut outcome =
        own.and_then(|connection| request(&connection, &sql, REQUEST_DEADLINE).map(drop));
    if outcome.is_err()
        && let Some(connection) = &shard.connection
    {
        outcome = outcome.or_else(|_| request(connection, &sql, REQUEST_DEADLINE).map(drop));
    }
    match outcome {
        // Another server of ours points at the same database, or somebody has done it by hand.
        Err(failure) if failure.fields().sqlstate == SqlState::UNDEFINED_OBJECT => Ok(()),
        other => other,
    }
}

/// Asks a server, by the first role that gets through.
pub fn ask(server: Oid, sql: &str, within: Duration) -> Result<(Reply, Rc<Connection>), Failure> {
    ask_by(server, |role| cache::acquire(server, role, false), sql, within)
}

/// [`ask`] by connections that `connect` makes for a role.
fn ask_by(
    server: Oid,
    connect: impl Fn(Oid) -> Result<Rc<Connection>, Failure>,
    sql: &str,
    within: Duration,
) -> Result<(Reply, Rc<Connection>), Failure> {
    let role = settings::resolver_role().unwrap_or_default();
    let oid = server.to_u32().to_string();
    let mut last = Failure::new(SqlState::UNDEFINED_OBJECT, "no user mapping leads to the server");
    for row in spi::run(ROLES, &[&oid, &role])? {
        let Some(role) = row.first().and_then(|oid| oid.as_deref()?.parse::<u32>().ok()) else {
            continue;
        };
        let answer = guard::catch(|| {
            let connection = connect(Oid::from(role))?;
            let reply = request(&connection, sql, within)?;
            Ok((reply, connection))
        });
        match answer {
            Ok(answer) => return Ok(answer),
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

/// Runs one statement outside any transaction block, with a deadline.
fn request(connection: &Rc<Connection>, sql: &str, within: Duration) -> Result<Reply, Failure> {
    let session = &connection.session;
    let outcome = session
        .submit(Request::Simple(sql))
        .and_then(|ticket| session.wait(ticket, Some(Instant::now() + within)));
    outcome.map_err(|error| {
        if error.remote().is_none() || error.is_fatal() {
            connection.finish(false);
        }
        error
            .to_failure()
            .add_context(format!("remote SQL command: {sql}"))
            .add_context(format!("server \"{}\"", connection.server.name))
    })
}

/// A connection inside a remote transaction cannot finish another one.
fn check_alone() -> Result<(), Failure> {
    if !registry::is_empty() {
        return Err(Failure::new(
            SqlState::ACTIVE_SQL_TRANSACTION,
            "prepared transactions cannot be finished inside a transaction that uses foreign tables",
        ));
    }
    if xact::uses_one_snapshot() {
        return Err(Failure::new(
            SqlState::ACTIVE_SQL_TRANSACTION,
            "prepared transactions can only be finished in a READ COMMITTED transaction",
        ));
    }
    Ok(())
}

/// What an answer to [`statement::list_prepared`] says, and the connection that it came by. A standby's says nothing: what
/// is prepared there shows when it has been promoted, and its decision must not have been forgotten by then.
fn read(
    listed: Result<(Reply, Rc<Connection>), Failure>,
) -> (Result<Vec<Prepared>, Failure>, Option<Rc<Connection>>) {
    let (reply, connection) = match listed {
        Ok(listed) => listed,
        Err(failure) => return (Err(failure), None),
    };
    let rows = rows(&reply);
    if rows.iter().any(|row| matches!(row.first(), Some(None))) {
        // The next look may find the primary.
        connection.finish(false);
        let failure = Failure::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            "the server is a standby, and does not tell what is prepared there",
        )
        .with_hint("Server option target_session_attrs 'read-write' looks for the primary.")
        .add_context(format!("server \"{}\"", connection.server.name));
        return (Err(failure), None);
    }
    let prepared = rows.iter().filter_map(|row| {
        let gid = row.first()?.as_deref()?.parse().ok()?;
        let since = row.get(1)?.as_deref()?.parse().ok()?;
        let age = row.get(2)?.as_deref()?.parse().ok()?;
        Some(Prepared { gid, since, age })
    });
    (Ok(prepared.collect()), Some(connection))
}

/// The rows of a reply in text.
pub fn rows(reply: &Reply) -> Vec<spi::Row> {
    let start = |row: &u32| &reply.data[*row as usize..];
    reply
        .rows
        .iter()
        .map(|row| fields(start(row)).map(|f| f.map(str::to_owned)).collect())
        .collect()
}

/// The text fields of a DataRow body.
fn fields(body: &[u8]) -> impl Iterator<Item = Option<&str>> {
    let count = body.get(..2).map_or(0, |n| u16::from_be_bytes([n[0], n[1]]));
    let mut at = 2;
    (0..count).map_while(move |_| {
        let length = i32::from_be_bytes(body.get(at..at + 4)?.try_into().ok()?);
        at += 4;
        let Ok(length) = usize::try_from(length) else { return Some(None) };
        let value = std::str::from_utf8(body.get(at..at + length)?).ok();
        at += length;
        Some(value)
    })
}

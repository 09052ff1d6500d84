//! The connections of this backend, one for each user mapping.
//!
//! A connection lives until it breaks, its server or user mapping changes, `keep_connections` is off, or
//! someone closes it; never does it go away inside a transaction that uses it. The cache outlives everything
//! and is never dropped.

use super::connect;
use crate::error::Failure;
use crate::options::load::{self, Mapping, Server};
use crate::pg::invalidate;
use crate::wire::Session;
use pgrx::pg_sys::{Oid, SysCacheIdentifier};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::rc::Rc;

/// A cached connection.
pub struct Connection {
    /// The session on the server.
    pub session: Session,
    /// OID of the user mapping: the key in the cache.
    pub key: u32,
    /// The server as it was when the connection was made.
    pub server: Rc<Server>,
    /// The user mapping as it was when the connection was made.
    pub mapping: Rc<Mapping>,
    /// The running transaction uses the connection; set and cleared by the transaction layer.
    pub in_transaction: Cell<bool>,
    user: Oid,
    used_password: bool,
    server_hash: u32,
    mapping_hash: u32,
    stale: Cell<bool>,
}

impl Connection {
    /// Whether server or user mapping have changed since the connection was made, so that it ends with the
    /// transaction that uses it.
    pub fn is_stale(&self) -> bool {
        self.stale.get()
    }

    /// Users share a mapping for PUBLIC, and so the connection; each must be allowed to have made it.
    fn check_user(&self, user: Oid) -> Result<(), Failure> {
        if user == self.user {
            return Ok(());
        }
        connect::login(user, &self.mapping).check_after(self.used_password)
    }
}

struct Cache {
    connections: RefCell<HashMap<u32, Rc<Connection>>>,
    /// Counts invalidations: tells whether one came while a connection was being made.
    changes: Cell<u64>,
    any_stale: Cell<bool>,
    listening: Cell<bool>,
}

thread_local! {
    // Never dropped: closing sessions at process exit, with PostgreSQL half gone, would be too late.
    static CACHE: ManuallyDrop<Cache> = ManuallyDrop::new(Cache {
        connections: RefCell::new(HashMap::new()),
        changes: Cell::new(0),
        any_stale: Cell::new(false),
        listening: Cell::new(false),
    });
}

/// The connection to `server` for the local role `user`; made if there is none or if the one there was is dead.
///
/// One that the running transaction uses (`in_transaction`, or the connection's own mark) is given as it is.
pub fn acquire(server: Oid, user: Oid, in_transaction: bool) -> Result<Rc<Connection>, Failure> {
    listen();
    let changes = CACHE.with(|cache| cache.changes.get());
    let mapping = load::mapping(server, user)?;
    let key = mapping.oid.to_u32();
    close_stale();
    if let Some(known) = find(key) {
        if in_transaction || known.in_transaction.get() || !known.session.is_dead() {
            known.check_user(user)?;
            return Ok(known);
        }
        forget(key);
    }
    let server = load::server(server)?;
    let login = connect::login(user, &mapping);
    let (session, used_password) = connect::connect(&server, &mapping, login)?;
    let connection = Rc::new(Connection {
        session,
        key,
        server_hash: invalidate::hash_of(SysCacheIdentifier::FOREIGNSERVEROID, server.oid),
        mapping_hash: invalidate::hash_of(SysCacheIdentifier::USERMAPPINGOID, mapping.oid),
        server,
        mapping,
        in_transaction: Cell::new(false),
        user,
        used_password,
        stale: Cell::new(false),
    });
    CACHE.with(|cache| {
        if cache.changes.get() != changes {
            connection.stale.set(true);
            cache.any_stale.set(true);
        }
        cache.connections.borrow_mut().insert(key, connection.clone());
    });
    Ok(connection)
}

/// To be called when a transaction that used the connection `key` has ended on its server: closes it unless
/// `keep` is set and nothing else speaks against keeping it. Never raises.
pub fn finish(key: u32, keep: bool) {
    let Some(connection) = find(key) else { return };
    connection.in_transaction.set(false);
    if !keep || connection.is_stale() || !connection.server.keep_connections {
        forget(key);
    }
}

/// All connections, those to the same server together; what is stale and unused has been closed.
pub fn all() -> Vec<Rc<Connection>> {
    close_stale();
    let mut all: Vec<_> = CACHE.with(|cache| {
        cache
            .connections
            .try_borrow()
            .map(|map| map.values().cloned().collect())
            .unwrap_or_default()
    });
    all.sort_by(|a, b| (&a.server.name, a.key).cmp(&(&b.server.name, b.key)));
    all
}

/// Closes the connection `key` if no transaction uses it; whether it did.
pub fn close(key: u32) -> bool {
    match find(key) {
        Some(connection) if !connection.in_transaction.get() => {
            forget(key);
            true
        }
        _ => false,
    }
}

fn find(key: u32) -> Option<Rc<Connection>> {
    CACHE.with(|cache| cache.connections.try_borrow().ok()?.get(&key).cloned())
}

/// Takes a connection out; it is closed with its last user. The borrow ends before that.
fn forget(key: u32) {
    let gone = CACHE.with(|cache| cache.connections.try_borrow_mut().ok()?.remove(&key));
    drop(gone);
}

/// Closes stale connections that no transaction uses.
fn close_stale() {
    if !CACHE.with(|cache| cache.any_stale.replace(false)) {
        return;
    }
    let mut left = false;
    let stale: Vec<_> = CACHE.with(|cache| {
        let map = cache.connections.borrow();
        map.values().filter(|connection| connection.is_stale()).cloned().collect()
    });
    for connection in stale {
        if connection.in_transaction.get() {
            left = true;
        } else {
            forget(connection.key);
        }
    }
    if left {
        CACHE.with(|cache| cache.any_stale.set(true));
    }
}

fn listen() {
    if CACHE.with(|cache| cache.listening.replace(true)) {
        return;
    }
    invalidate::on_syscache(SysCacheIdentifier::FOREIGNSERVEROID, |hash| {
        mark(|connection| hash == 0 || connection.server_hash == hash);
    });
    invalidate::on_syscache(SysCacheIdentifier::USERMAPPINGOID, |hash| {
        mark(|connection| hash == 0 || connection.mapping_hash == hash);
    });
}

fn mark(is_meant: impl Fn(&Connection) -> bool) {
    CACHE.with(|cache| {
        cache.changes.set(cache.changes.get() + 1);
        let Ok(map) = cache.connections.try_borrow() else { return };
        for connection in map.values().filter(|connection| is_meant(connection)) {
            connection.stale.set(true);
            cache.any_stale.set(true);
        }
    });
}

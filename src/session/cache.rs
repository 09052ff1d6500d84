//! The connections of this backend, one for each user mapping.
//!
//! A connection lives until it breaks, its server or user mapping changes, `keep_connections` is off, or
//! someone closes it; never does it go away inside a transaction that uses it. The cache outlives everything
//! and is never dropped.

use super::keeper::Keeper;
use super::locale::Locale;
use super::{connect, likeness};
use crate::error::Failure;
use crate::options::load::{self, Mapping, Server};
use crate::pg::invalidate;
use crate::wire::{Session, Status, Ticket};
use pgrx::pg_sys::{Oid, SysCacheIdentifier};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A connection that was in use this lately is not looked at before it is used again: should it have died since, the
/// first request is repeated on a new one.
const LATELY: Duration = Duration::from_secs(1);

/// Keys from here on belong to connections with a keeper.
const KEPT: u64 = 1 << 32;

/// A cached connection.
pub struct Connection {
    /// The session on the server.
    pub session: Session,
    /// Tells it from every other one. OID of the user mapping: the key in the cache; more than that for one with a keeper.
    pub key: u64,
    /// The server as it was when the connection was made.
    pub server: Rc<Server>,
    /// The user mapping as it was when the connection was made.
    pub mapping: Rc<Mapping>,
    /// The running transaction uses the connection; set and cleared by the transaction layer.
    pub in_transaction: Cell<bool>,
    /// When the last transaction that used it ended.
    released: Cell<Instant>,
    user: Oid,
    used_password: bool,
    server_hash: u32,
    mapping_hash: u32,
    stale: Cell<bool>,
    /// The last transaction has left requests that nobody waits for: rows read ahead that nobody wanted.
    pub abandoned: Cell<bool>,
    /// Who looks after it in the cache's place.
    keeper: Option<Rc<dyn Keeper>>,
    /// The question how the server orders text, asked at log-in.
    question: RefCell<Option<Rc<Ticket>>>,
    locale: OnceCell<Option<Locale>>,
}

impl Connection {
    /// A connection that is not the cache's: `keeper` made it and looks after it. `number` is never the same for two.
    pub fn kept(
        session: Session,
        number: u32,
        server: Rc<Server>,
        keeper: Rc<dyn Keeper>,
    ) -> Rc<Connection> {
        let mapping = Mapping {
            oid: Oid::INVALID,
            user: Oid::INVALID,
            connect: Vec::new(),
            password_required: false,
        };
        Rc::new(Connection {
            session,
            key: KEPT + u64::from(number),
            server,
            mapping: Rc::new(mapping),
            in_transaction: Cell::new(false),
            released: Cell::new(Instant::now()),
            user: Oid::INVALID,
            used_password: false,
            server_hash: 0,
            mapping_hash: 0,
            stale: Cell::new(false),
            abandoned: Cell::new(false),
            keeper: Some(keeper),
            question: RefCell::default(),
            locale: OnceCell::new(),
        })
    }

    /// Whether somebody else than the cache looks after it.
    pub fn is_kept(&self) -> bool {
        self.keeper.is_some()
    }

    /// To be called when a transaction that used the connection has ended on its server: closes it unless `keep` is
    /// set and nothing else speaks against keeping it. Never raises.
    pub fn finish(&self, keep: bool) {
        match &self.keeper {
            None => finish(self.key, keep),
            Some(keeper) => {
                self.in_transaction.set(false);
                keeper.finish(self, keep);
            }
        }
    }

    /// Another connection in place of this one, which is dead and finished.
    pub fn again(&self, user: Oid) -> Result<Rc<Connection>, Failure> {
        match &self.keeper {
            None => acquire(self.server.oid, user, false),
            Some(keeper) => keeper.again(),
        }
    }

    /// Whether server or user mapping have changed since the connection was made, so that it ends with the
    /// transaction that uses it.
    pub fn is_stale(&self) -> bool {
        self.stale.get()
    }

    /// How the server orders text; `None` if it has not told. Waits for the answer, which is on its way since log-in.
    pub(super) fn locale(&self) -> Option<&Locale> {
        if let Some(known) = self.locale.get() {
            return known.as_ref();
        }
        // It stays there while it is waited for: a wait may be left by a cancel.
        let question = self.question.borrow().clone();
        if let Some(question) = &question {
            let _ = Session::wait_any(&[(&self.session, question)], None);
        }
        drop(question);
        let ticket = self.question.take().and_then(Rc::into_inner);
        let reply = ticket.and_then(|ticket| self.session.take(ticket).ok()).and_then(Result::ok);
        self.locale.get_or_init(|| reply.as_ref().and_then(Locale::from_reply)).as_ref()
    }

    /// Whether what is sent now is not held up by what an earlier transaction has left behind.
    fn is_free(&self) -> bool {
        self.in_transaction.get()
            || !self.abandoned.take()
            || self.session.hurry().is_ok() && self.session.status() == Status::Idle
    }

    /// Users share a mapping for PUBLIC, and so the connection; each must be allowed to have made it.
    fn check_user(&self, user: Oid) -> Result<(), Failure> {
        if user == self.user {
            return Ok(());
        }
        connect::login(user, &self.server, &self.mapping).check_after(self.used_password)
    }
}

struct Cache {
    connections: RefCell<HashMap<u64, Rc<Connection>>>,
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
    match look_up(server, user, in_transaction)? {
        Found::Known(known) => Ok(known),
        Found::Missing(missing) => {
            let key = u64::from(missing.mapping.oid.to_u32());
            make(vec![missing])?;
            find(key).ok_or_else(|| Failure::internal("a new connection is gone"))
        }
    }
}

/// The connections to `servers` for the local role `user`, in their order: as [`acquire`] gives them, but those that
/// have to be made are made at the same time, so that it takes as long as the slowest log-in.
pub fn acquire_all(servers: &[Oid], user: Oid) -> Result<Vec<Rc<Connection>>, Failure> {
    let mut missing: Vec<Missing> = Vec::new();
    let mut all: Vec<(u64, Option<Rc<Connection>>)> = Vec::with_capacity(servers.len());
    for &server in servers {
        all.push(match look_up(server, user, false)? {
            Found::Known(known) => (known.key, Some(known)),
            Found::Missing(new) => {
                let key = u64::from(new.mapping.oid.to_u32());
                if missing.iter().all(|other| other.mapping.oid != new.mapping.oid) {
                    missing.push(new);
                }
                (key, None)
            }
        });
    }
    if !missing.is_empty() {
        make(missing)?;
    }
    let gone = || Failure::internal("a new connection is gone");
    all.into_iter().map(|(key, known)| known.or_else(|| find(key)).ok_or_else(gone)).collect()
}

enum Found {
    Known(Rc<Connection>),
    Missing(Missing),
}

/// What a connection that is not there would be made from.
struct Missing {
    server: Rc<Server>,
    mapping: Rc<Mapping>,
    user: Oid,
    changes: u64,
}

fn look_up(server: Oid, user: Oid, in_transaction: bool) -> Result<Found, Failure> {
    listen();
    let changes = CACHE.with(|cache| cache.changes.get());
    let mapping = load::mapping(server, user)?;
    let key = u64::from(mapping.oid.to_u32());
    close_stale();
    if let Some(known) = find(key) {
        let sure =
            in_transaction || known.in_transaction.get() || known.released.get().elapsed() < LATELY;
        if (sure || !known.session.is_dead()) && known.is_free() {
            known.check_user(user)?;
            return Ok(Found::Known(known));
        }
        forget(key);
    }
    Ok(Found::Missing(Missing { server: load::server(server)?, mapping, user, changes }))
}

/// Makes connections and keeps them. When one cannot be made the others stay, as far as they have come.
fn make(missing: Vec<Missing>) -> Result<(), Failure> {
    let plans = missing.iter().map(|one| connect::Plan::new(one.user, &one.server, &one.mapping));
    let plans = plans.collect::<Result<Vec<_>, _>>()?;
    connect::connect_all(plans, |index, session, question, used_password| {
        let Some(Missing { server, mapping, user, changes }) = missing.get(index) else { return };
        let key = u64::from(mapping.oid.to_u32());
        let connection = Rc::new(Connection {
            session,
            key,
            server_hash: invalidate::hash_of(SysCacheIdentifier::FOREIGNSERVEROID, server.oid),
            mapping_hash: invalidate::hash_of(SysCacheIdentifier::USERMAPPINGOID, mapping.oid),
            server: server.clone(),
            mapping: mapping.clone(),
            in_transaction: Cell::new(false),
            released: Cell::new(Instant::now()),
            user: *user,
            used_password,
            stale: Cell::new(false),
            abandoned: Cell::new(false),
            keeper: None,
            question: RefCell::new(question.map(Rc::new)),
            locale: OnceCell::new(),
        });
        let old = CACHE.with(|cache| {
            if cache.changes.get() != *changes {
                connection.stale.set(true);
                cache.any_stale.set(true);
            }
            cache.connections.borrow_mut().insert(key, connection)
        });
        drop(old);
    })
}

/// See [`Connection::finish`].
fn finish(key: u64, keep: bool) {
    let Some(connection) = find(key) else { return };
    connection.in_transaction.set(false);
    connection.released.set(Instant::now());
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
pub fn close(key: u64) -> bool {
    match find(key) {
        Some(connection) if !connection.in_transaction.get() => {
            forget(key);
            true
        }
        _ => false,
    }
}

fn find(key: u64) -> Option<Rc<Connection>> {
    CACHE.with(|cache| cache.connections.try_borrow().ok()?.get(&key).cloned())
}

/// Takes a connection out; it is closed with its last user. The borrow ends before that.
fn forget(key: u64) {
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
        likeness::forget();
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

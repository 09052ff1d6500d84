//! The connections to partitions, kept from call to call.
//!
//! One per login and backend. Between calls, or between transactions where calls take part in the caller's
//! (other logins, so other connections), nothing survives in them: one that is idle can be dropped and made again at
//! any time.

use super::login::Login;
use crate::pg::wait::{self, Want};
use crate::session::Connection;
use crate::wire::{self, Session, Status, WireError};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What values as text would depend on otherwise. TimeZone and search_path are left as the partition has them:
/// they are part of what its functions do, and no value's text form needs them.
const SETTINGS: &str = "SET datestyle = ISO; SET intervalstyle = postgres; SET extra_float_digits = 3; \
     SET bytea_output = hex; SET array_nulls = on; SET standard_conforming_strings = on";

/// A transaction holds locks: a coordinator that has vanished without a word is noticed within two minutes.
const KEEPALIVES: &str = "SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 10; \
     SET tcp_keepalives_count = 6";

/// A connection.
pub struct Pooled {
    pub session: Session,
    key: String,
    opened: Instant,
    /// Never the same for two.
    number: u32,
    /// It is not to be used by anyone else any more.
    gone: Cell<bool>,
    /// What stands for it in transactions, once it has taken part in one.
    connection: OnceCell<Rc<Connection>>,
}

impl Pooled {
    /// What stands for it in transactions: the first time it is made by `make`, with the number it is given.
    pub fn connection(&self, make: impl FnOnce(u32) -> Rc<Connection>) -> Rc<Connection> {
        self.connection.get_or_init(|| make(self.number)).clone()
    }
}

thread_local! {
    static LAST: Cell<u32> = const { Cell::new(0) };
    // Never dropped: closing sessions at process exit, with PostgreSQL half gone, would be too late.
    static POOL: ManuallyDrop<RefCell<HashMap<String, Rc<Pooled>>>> =
        ManuallyDrop::new(RefCell::new(HashMap::new()));
}

/// A connection for `login`, logged in: one that is there, if it is not older than `lifetime` and not dead.
pub fn acquire(login: &Login, lifetime: Option<Duration>) -> Result<Rc<Pooled>, WireError> {
    match ready(login, lifetime) {
        Some(known) => Ok(known),
        None => keep(login, wire::connect(&login.keywords)?),
    }
}

/// The connections for `logins`, in their order: as [`acquire`] gives them, but those that have to be made are made at
/// the same time, so that it takes as long as the slowest. The first one that cannot be made ends it, and those under
/// way are abandoned; Err has its place.
pub fn acquire_all(
    logins: &[Rc<Login>],
    lifetime: Option<Duration>,
) -> Result<Vec<Rc<Pooled>>, (usize, WireError)> {
    let mut all = ready_all(logins, lifetime);
    let mut missing: Vec<usize> = Vec::new();
    for (place, login) in logins.iter().enumerate().filter(|(place, _)| all[*place].is_none()) {
        if missing.iter().all(|&other| logins[other].key != login.key) {
            missing.push(place);
        }
    }
    if let &[place] = missing.as_slice() {
        let session = wire::connect(&logins[place].keywords);
        let made = session.and_then(|session| keep(&logins[place], session));
        all[place] = Some(made.map_err(|error| (place, error))?);
    } else if !missing.is_empty() {
        let keywords: Vec<_> =
            missing.iter().map(|&place| logins[place].keywords.clone()).collect();
        let mut failed = None;
        wire::connect_all(&keywords, |index, outcome| {
            let place = missing[index];
            match outcome.and_then(|session| keep(&logins[place], session)) {
                Ok(made) => {
                    all[place] = Some(made);
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    failed = Some((place, error));
                    ControlFlow::Break(())
                }
            }
        });
        if let Some(failed) = failed {
            return Err(failed);
        }
    }
    let mut out = Vec::with_capacity(all.len());
    for (place, pooled) in all.into_iter().enumerate() {
        // Missing still: another place's login is the same.
        let pooled = pooled.or_else(|| find(&logins[place].key));
        out.push(pooled.ok_or_else(|| (place, WireError::Broken("no connection".to_owned())))?);
    }
    Ok(out)
}

/// The connection that is there, if it may be used.
fn ready(login: &Login, lifetime: Option<Duration>) -> Option<Rc<Pooled>> {
    known(login).filter(|known| usable(known, lifetime, Session::is_dead))
}

/// [`ready`] for each of `logins`. That nothing has come on those that idle, such as news of their end, one look at all
/// of them tells.
fn ready_all(logins: &[Rc<Login>], lifetime: Option<Duration>) -> Vec<Option<Rc<Pooled>>> {
    let mut all: Vec<Option<Rc<Pooled>>> = logins.iter().map(|login| known(login)).collect();
    let mut wants: Vec<Want> = Vec::with_capacity(all.len());
    for known in all.iter().flatten() {
        let want = known.session.want();
        if wants.iter().all(|other| other.serial != want.serial) {
            wants.push(want);
        }
    }
    let mut noisy: Vec<u64> = Vec::new();
    let looked = wants.len() > 1 && wait::look(&wants, |place| noisy.push(wants[place].serial));
    for slot in &mut all {
        let is_dead = |session: &Session| match looked && !noisy.contains(&session.want().serial) {
            true => session.is_broken(),
            false => session.is_dead(),
        };
        *slot = slot.take().filter(|known| usable(known, lifetime, is_dead));
    }
    all
}

/// The connection that is there.
fn known(login: &Login) -> Option<Rc<Pooled>> {
    let last = login.pooled.borrow().upgrade().filter(|last| !last.gone.get());
    last.or_else(|| {
        let known = find(&login.key)?;
        login.pooled.replace(Rc::downgrade(&known));
        Some(known)
    })
}

/// Whether a connection may be used; it is taken out if not.
fn usable(
    known: &Rc<Pooled>,
    lifetime: Option<Duration>,
    is_dead: impl Fn(&Session) -> bool,
) -> bool {
    if known.connection.get().is_some_and(|connection| connection.in_transaction.get()) {
        return true;
    }
    let aged = lifetime.is_some_and(|lifetime| known.opened.elapsed() > lifetime);
    let in_use = known.session.outstanding() > 0;
    if in_use || !(aged || is_dead(&known.session) || known.session.status() != Status::Idle) {
        return true;
    }
    discard(known);
    false
}

/// Sets a new session up and keeps it.
fn keep(login: &Login, session: Session) -> Result<Rc<Pooled>, WireError> {
    session.set_up(SETTINGS)?;
    if login.transactional {
        session.set_up(KEEPALIVES)?;
    }
    let number = LAST.get() + 1;
    LAST.set(number);
    let new = Rc::new(Pooled {
        session,
        key: login.key.clone(),
        opened: Instant::now(),
        number,
        gone: Cell::new(false),
        connection: OnceCell::new(),
    });
    login.pooled.replace(Rc::downgrade(&new));
    let old = POOL.with(|pool| pool.borrow_mut().insert(login.key.clone(), new.clone()));
    if let Some(old) = old {
        old.gone.set(true);
    }
    Ok(new)
}

/// Takes a connection out; it is closed with its last user.
pub fn discard(gone: &Rc<Pooled>) {
    gone.gone.set(true);
    let removed = POOL.with(|pool| {
        let mut pool = pool.try_borrow_mut().ok()?;
        match pool.get(&gone.key) {
            Some(known) if Rc::ptr_eq(known, gone) => pool.remove(&gone.key),
            _ => None,
        }
    });
    drop(removed);
}

/// [`discard`] for the connection that stands for one in transactions.
pub fn discard_connection(key: &str, gone: &Connection) {
    let is_it = |known: &Connection| known.key == gone.key;
    if let Some(known) = find(key).filter(|known| known.connection.get().is_some_and(|c| is_it(c)))
    {
        discard(&known);
    }
}

fn find(key: &str) -> Option<Rc<Pooled>> {
    POOL.with(|pool| pool.borrow().get(key).cloned())
}

//! The connections to partitions, kept from call to call.
//!
//! One per login and backend. Nothing of a call survives in them: each call commits by itself, so a connection
//! that is idle can be dropped and made again at any time.

use super::login::Login;
use crate::wire::{self, Session, Status, WireError};
use std::cell::RefCell;
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What values as text would depend on otherwise. TimeZone and search_path are left as the partition has them:
/// they are part of what its functions do, and no value's text form needs them.
const SETTINGS: &str = "SET datestyle = ISO; SET intervalstyle = postgres; SET extra_float_digits = 3; \
     SET bytea_output = hex; SET standard_conforming_strings = on";

/// A connection.
pub struct Pooled {
    pub session: Session,
    key: String,
    opened: Instant,
}

thread_local! {
    // Never dropped: closing sessions at process exit, with PostgreSQL half gone, would be too late.
    static POOL: ManuallyDrop<RefCell<HashMap<String, Rc<Pooled>>>> =
        ManuallyDrop::new(RefCell::new(HashMap::new()));
}

/// A connection for `login`, logged in: one that is there, if it is not older than `lifetime` and not dead.
pub fn acquire(login: &Login, lifetime: Option<Duration>) -> Result<Rc<Pooled>, WireError> {
    if let Some(known) = find(&login.key) {
        let aged = lifetime.is_some_and(|lifetime| known.opened.elapsed() > lifetime);
        let in_use = known.session.outstanding() > 0;
        if in_use || !(aged || known.session.is_dead() || known.session.status() != Status::Idle) {
            return Ok(known);
        }
        discard(&known);
    }
    let session = wire::connect(&login.keywords)?;
    session.set_up(SETTINGS)?;
    let new = Rc::new(Pooled { session, key: login.key.clone(), opened: Instant::now() });
    let old = POOL.with(|pool| pool.borrow_mut().insert(login.key.clone(), new.clone()));
    drop(old);
    Ok(new)
}

/// Takes a connection out; it is closed with its last user.
pub fn discard(gone: &Rc<Pooled>) {
    let removed = POOL.with(|pool| {
        let mut pool = pool.try_borrow_mut().ok()?;
        match pool.get(&gone.key) {
            Some(known) if Rc::ptr_eq(known, gone) => pool.remove(&gone.key),
            _ => None,
        }
    });
    drop(removed);
}

fn find(key: &str) -> Option<Rc<Pooled>> {
    POOL.with(|pool| pool.borrow().get(key).cloned())
}

//! Which servers order text as this database does.
//!
//! Planning asks of the servers of a query, execution of the connections that it uses: what counts is the answer of the
//! connection that is used, since a server may have become another one behind its name. What connections have
//! answered is kept for planning, per server.

use super::cache::{self, Connection};
use super::locale::{self, Likeness, Locale};
use crate::error::{Failure, SqlState};
use crate::options::load;
use crate::pg::{invalidate, spi};
use pgrx::pg_sys::Oid;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::rc::Rc;

thread_local! {
    /// What connections to the server have answered last.
    static KNOWN: ManuallyDrop<RefCell<HashMap<Oid, Likeness>>> = ManuallyDrop::default();
    /// This database's: it does not change.
    static OWN: ManuallyDrop<OnceCell<Locale>> = ManuallyDrop::default();
}

/// Forgets what is known of servers: their options have changed.
pub(super) fn forget() {
    KNOWN.with(|known| {
        if let Ok(mut known) = known.try_borrow_mut() {
            known.clear();
        }
    });
}

fn own() -> Result<Locale, Failure> {
    if let Some(own) = OWN.with(|own| own.get().cloned()) {
        return Ok(own);
    }
    let rows = spi::run(locale::QUERY, &[])?;
    let own = rows.first().and_then(|row| Locale::from_row(row)).unwrap_or_default();
    OWN.with(|kept| {
        let _ = kept.set(own.clone());
    });
    Ok(own)
}

/// How far the connection's server orders text as this database does, by what it has answered after log-in. Waits for
/// that answer if nobody has yet.
fn of_connection(connection: &Connection) -> Result<Likeness, Failure> {
    let server = &connection.server;
    if let Some(said) = server.collation_compatible {
        return Ok(if said { Likeness::Collation } else { Likeness::Nothing });
    }
    let own = own()?;
    // An answer that makes no sense, or none: then nothing is known.
    let likeness = connection.locale().map_or(Likeness::Nothing, |locale| own.likeness(locale));
    KNOWN.with(|known| known.borrow_mut().insert(server.oid, likeness));
    Ok(likeness)
}

/// Fails unless each connection's server orders text as this database does, as far as the statement relies on it.
pub fn require<'a>(
    needed: Likeness,
    connections: impl Iterator<Item = &'a Rc<Connection>> + Clone,
) -> Result<(), Failure> {
    if needed == Likeness::Nothing {
        return Ok(());
    }
    // All of them send what is still to be sent before one is waited for.
    for connection in connections.clone() {
        let _ = connection.session.pump();
    }
    for connection in connections {
        if of_connection(connection)? < needed {
            invalidate::forget_plans();
            return Err(differs(&connection.server.name));
        }
    }
    Ok(())
}

fn differs(server: &str) -> Failure {
    Failure::new(
        SqlState::SERIALIZATION_FAILURE,
        format!("server \"{server}\" does not order text as the statement was planned for"),
    )
    .with_detail("Its default collation is not known to be that of this database.")
    .with_hint(
        "Run the statement again: it will be planned anew. Server option collation_compatible says whether the \
         collation is the same, so that it need not be found out.",
    )
}

/// The servers of a query that is being planned.
#[derive(Debug)]
pub struct Servers {
    servers: Vec<Oid>,
    user: Oid,
    /// Execution will use all of them, so a log-in now is none later.
    all_used: bool,
    found: Cell<Option<Likeness>>,
}

impl Servers {
    /// Those of `servers`, used by `user`.
    pub fn new(servers: impl Iterator<Item = Oid>, user: Oid, all_used: bool) -> Servers {
        Servers { servers: servers.collect(), user, all_used, found: Cell::new(None) }
    }

    /// Both.
    pub fn join(&self, other: &Servers) -> Servers {
        let servers = self.servers.iter().chain(&other.servers).copied().collect();
        let all_used = self.all_used && other.all_used;
        let found = match (self.found.get(), other.found.get()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            _ => None,
        };
        Servers { servers, user: self.user, all_used, found: Cell::new(found) }
    }

    /// Whether a statement for all of them may rely on `needed`. Where it is not known yet it may: execution looks.
    pub fn allow(&self, needed: Likeness) -> bool {
        needed == Likeness::Nothing || self.likeness() >= needed
    }

    fn likeness(&self) -> Likeness {
        if let Some(found) = self.found.get() {
            return found;
        }
        let mut servers = self.servers.clone();
        servers.sort_unstable_by_key(|server| server.to_u32());
        servers.dedup();
        let mut least = Likeness::Collation;
        let mut unknown = Vec::new();
        for server in servers {
            let known = match load::server(server).map(|server| server.collation_compatible) {
                Ok(Some(true)) => Some(Likeness::Collation),
                Ok(Some(false)) => Some(Likeness::Nothing),
                _ => KNOWN.with(|known| known.borrow().get(&server).copied()),
            };
            match known {
                Some(known) => least = least.min(known),
                None => unknown.push(server),
            }
        }
        if self.all_used && !unknown.is_empty() && least > Likeness::Nothing {
            // A server that cannot be reached is execution's to report.
            least = least.min(ask(&unknown, self.user).unwrap_or(Likeness::Collation));
        }
        self.found.set(Some(least));
        least
    }
}

/// Logs in to the servers.
fn ask(servers: &[Oid], user: Oid) -> Result<Likeness, Failure> {
    let connections = cache::acquire_all(servers, user)?;
    for connection in &connections {
        let _ = connection.session.pump();
    }
    let mut least = Likeness::Collation;
    for connection in &connections {
        least = least.min(of_connection(connection)?);
    }
    Ok(least)
}

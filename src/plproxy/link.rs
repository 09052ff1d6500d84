//! The connection that one task of a call uses.

use super::cluster::Cluster;
use super::login;
use super::pool::{self, Pooled};
use crate::error::Failure;
use crate::wire::{Request, Session, Ticket, WireError};
use pgrx::pg_sys::Oid;
use std::rc::Rc;
use std::time::Instant;

/// Why there is no connection.
pub enum Refused {
    /// The partition could not be reached; another one may be.
    Unreachable { database: String, error: WireError },
    /// Something else is wrong.
    Failed(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Refused {
        Refused::Failed(failure)
    }
}

/// A connection in use by a task.
pub struct Link {
    pooled: Rc<Pooled>,
    /// The database, for messages.
    pub database: String,
}

impl Link {
    /// A connection to the connection string `node` of `cluster`.
    pub fn open(cluster: &Cluster, node: usize, user: Oid) -> Result<Link, Refused> {
        let login = login::of(cluster, node, user)?;
        let database = login.database.clone();
        match pool::acquire(&login, cluster.config.connection_lifetime) {
            Ok(pooled) => Ok(Link { pooled, database }),
            Err(error) => Err(Refused::Unreachable { database, error }),
        }
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.pooled.session
    }

    /// Queues a request.
    pub fn submit(&self, request: Request<'_>) -> Result<Ticket, WireError> {
        self.session().submit(request)
    }

    /// The connection must not be used again.
    pub fn discard(&self) {
        pool::discard(&self.pooled);
    }

    /// Stops what is still running, up to `deadline`; a connection that does not obey is dropped. Raises
    /// nothing; false when it did not stop in time.
    pub fn stop(&self, deadline: Instant) -> bool {
        self.session().outstanding() == 0 || self.session().cancel_and_drain(deadline).is_ok()
    }
}

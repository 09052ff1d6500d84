//! The connection that one task of a call uses: one of the pool's, where the call commits by itself, or one that
//! is part of the caller's transaction: a foreign server's, or any partition's of a cluster that is transactional.

use super::cluster::Cluster;
use super::fault::Label;
use super::login::{self, Login};
use super::partner;
use super::pool::{self, Pooled};
use super::report;
use crate::error::{Failure, SqlState};
use crate::pg::catalog;
use crate::txn::{self, Participant};
use crate::wire::{Request, Session, Ticket, WireError};
use pgrx::pg_sys::{self, Oid};
use std::rc::Rc;
use std::time::Instant;

/// Why there is no connection.
pub enum Refused {
    /// The partition could not be reached; another one may be.
    Unreachable(Failure),
    /// Something else is wrong.
    Failed(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Refused {
        Refused::Failed(failure)
    }
}

/// Why a request was not taken.
pub enum Unsent {
    /// The connection said so; a pool's may be made anew.
    Wire(WireError),
    /// Told already as it is to be raised.
    Failed(Failure),
}

impl From<Failure> for Unsent {
    fn from(failure: Failure) -> Unsent {
        Unsent::Failed(failure)
    }
}

enum Kind {
    Pool(Rc<Pooled>),
    Transaction(Rc<Participant>),
}

/// A connection in use by a task.
pub struct Link {
    kind: Kind,
    /// The database, for messages.
    pub database: Rc<str>,
}

impl Link {
    /// A connection to the connection string `node` of `cluster`.
    pub fn open(label: &Label, cluster: &Cluster, node: usize, user: Oid) -> Result<Link, Refused> {
        if cluster.nodes[node].server.is_none() && !cluster.config.transactional {
            let login = login::of(cluster, node, user)?;
            let pooled = pool::acquire(&login, cluster.config.connection_lifetime);
            let pooled = pooled.map_err(|error| {
                Refused::Unreachable(report::failure(label, &login.database, &error))
            })?;
            return Ok(Link { kind: Kind::Pool(pooled), database: login.database.clone() });
        }
        let links = Link::open_all(label, cluster, &[node], user)?;
        links.into_iter().next().ok_or_else(|| Failure::internal("no connection").into())
    }

    /// Connections to the connection strings `nodes` of `cluster`, in their order; those that have to be made are
    /// made at the same time.
    pub fn open_all(
        label: &Label,
        cluster: &Cluster,
        nodes: &[usize],
        user: Oid,
    ) -> Result<Vec<Link>, Refused> {
        let (mut servers, mut logins) = (Vec::new(), Vec::new());
        for &node in nodes {
            match &cluster.nodes[node].server {
                Some(name) => servers.push(foreign_server(name)?),
                None => logins.push(login::of(cluster, node, user)?),
            }
        }
        let unreachable = |(place, error): (usize, WireError)| {
            Refused::Unreachable(report::failure(label, &logins[place].database, &error))
        };
        let (lifetime, transactional) =
            (cluster.config.connection_lifetime, cluster.config.transactional);
        let mut pooled = pool::acquire_all(&logins, lifetime).map_err(unreachable)?.into_iter();
        let mut participants = enlisted(&servers, user)?.into_iter();
        let mut logins = logins.iter();
        let pooled_kind = |node: usize, login: &Rc<Login>, pooled: Rc<Pooled>| match transactional {
            false => Ok(Kind::Pool(pooled)),
            true => partner::enlist(cluster, node, login, &pooled, user).map(Kind::Transaction),
        };
        let link = |&node: &usize| match &cluster.nodes[node].server {
            Some(name) => {
                let kind = Kind::Transaction(participants.next()?);
                Some(Ok(Link { kind, database: name.as_str().into() }))
            }
            None => {
                let login = logins.next()?;
                let kind = pooled_kind(node, login, pooled.next()?);
                Some(kind.map(|kind| Link { kind, database: login.database.clone() }))
            }
        };
        nodes.iter().filter_map(link).collect::<Result<_, Failure>>().map_err(Refused::Failed)
    }

    /// The session.
    pub fn session(&self) -> &Session {
        match &self.kind {
            Kind::Pool(pooled) => &pooled.session,
            Kind::Transaction(participant) => participant.session(),
        }
    }

    /// Queues a request.
    pub fn submit(&self, request: Request<'_>) -> Result<Ticket, Unsent> {
        match &self.kind {
            Kind::Pool(pooled) => pooled.session.submit(request).map_err(Unsent::Wire),
            Kind::Transaction(participant) => {
                participant.revive()?;
                // What a remote function does is not known here: it may write.
                participant.mark_written();
                participant.submit(request).map_err(Unsent::Failed)
            }
        }
    }

    /// Whether a statement that could not be sent, or was refused before it began, may be sent once more. An
    /// error in a transaction has ended it.
    pub fn may_repeat(&self) -> bool {
        matches!(self.kind, Kind::Pool(_))
    }

    /// To be told of every error of the connection.
    pub fn note(&self, error: &WireError) {
        match &self.kind {
            Kind::Pool(_) if error.is_fatal() => self.discard(),
            Kind::Pool(_) => {}
            Kind::Transaction(participant) => drop(participant.fail(error.clone(), None)),
        }
    }

    /// A connection of the pool must not be used again.
    pub fn discard(&self) {
        if let Kind::Pool(pooled) = &self.kind {
            pool::discard(pooled);
        }
    }

    /// Stops what is still running, up to `deadline`. Raises nothing; false when it did not stop in time. What
    /// belongs to a transaction is stopped by the rollback of that.
    pub fn stop(&self, deadline: Instant) -> bool {
        match &self.kind {
            Kind::Pool(pooled) if pooled.session.outstanding() > 0 => {
                pooled.session.cancel_and_drain(deadline).is_ok()
            }
            _ => true,
        }
    }
}

/// The server `name` of the wrapper shard_fdw.
fn foreign_server(name: &str) -> Result<Oid, Failure> {
    let oid = catalog::server_by_name(name).ok_or_else(|| {
        Failure::new(SqlState::UNDEFINED_OBJECT, format!("server \"{name}\" does not exist"))
    })?;
    // SAFETY: a static C string; missing_ok.
    let wrapper = unsafe { pg_sys::get_foreign_data_wrapper_oid(c"shard_fdw".as_ptr(), true) };
    if catalog::server(oid)?.wrapper != wrapper {
        let message = format!("server \"{name}\" is not one of the wrapper shard_fdw");
        return Err(Failure::new(SqlState::WRONG_OBJECT_TYPE, message));
    }
    Ok(oid)
}

/// Foreign servers as participants of the running transaction.
fn enlisted(servers: &[Oid], user: Oid) -> Result<Vec<Rc<Participant>>, Refused> {
    if servers.is_empty() {
        return Ok(Vec::new());
    }
    txn::enlist_all(servers, user).map_err(|failure| match failure.fields().sqlstate.class() {
        "08" => Refused::Unreachable(failure),
        _ => Refused::Failed(failure),
    })
}

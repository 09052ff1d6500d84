//! Partitions given by connection strings as parts of the caller's transaction, and what the resolver needs to find what
//! a crash has left prepared on them.
//!
//! It looks by way of the catalogs: at the partitions of the foreign servers that are transactional clusters. Partitions
//! of other clusters have no foreign server (OID 0), and the transaction layer refuses to prepare anything there.

use super::cluster::{self, Cluster};
use super::login::{self, Login};
use super::pool::{self, Pooled};
use crate::error::{Failure, SqlState};
use crate::options::load::Server;
use crate::pg::spi;
use crate::session::{Connection, Keeper};
use crate::txn::{self, Participant, Place};
use crate::wire::WireError;
use pgrx::pg_sys::Oid;
use std::rc::Rc;
use std::time::Duration;

/// Foreign servers that are clusters of ours: PL/Proxy itself may own a wrapper of that name.
const CLUSTERS: &str = "SELECT s.oid, s.srvname FROM pg_catalog.pg_foreign_server s \
     JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid OPERATOR(pg_catalog.=) s.srvfdw \
     JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) w.fdwvalidator \
     WHERE p.prosrc OPERATOR(pg_catalog.=) 'shard_fdw_plproxy_fdw_validator' ORDER BY s.oid";

/// How a partition's connection is made again and given back.
struct Way {
    login: Rc<Login>,
    server: Oid,
    name: String,
    lifetime: Option<Duration>,
}

impl Way {
    fn to(cluster: &Cluster, node: usize, login: &Rc<Login>) -> Way {
        let lifetime = cluster.config.connection_lifetime;
        let (server, name) = (cluster.server(), name(cluster, node));
        Way { login: login.clone(), server, name, lifetime }
    }

    fn connection(self, pooled: &Pooled) -> Rc<Connection> {
        pooled.connection(|number| {
            let server = Rc::new(Server::plain(self.server, self.name.clone()));
            Connection::kept(pooled.session.clone(), number, server, Rc::new(self))
        })
    }
}

impl Keeper for Way {
    fn again(&self) -> Result<Rc<Connection>, Failure> {
        let pooled = pool::acquire(&self.login, self.lifetime)
            .map_err(|error| unreachable(&self.name, &error))?;
        let Way { login, server, name, lifetime } = self;
        let way =
            Way { login: login.clone(), server: *server, name: name.clone(), lifetime: *lifetime };
        Ok(way.connection(&pooled))
    }

    fn finish(&self, connection: &Connection, keep: bool) {
        if !keep {
            pool::discard_connection(&self.login.key, connection);
        }
    }
}

fn unreachable(name: &str, error: &WireError) -> Failure {
    let state = SqlState::SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION;
    Failure::new(state, format!("could not connect to server \"{name}\""))
        .with_detail(error.to_string())
}

/// A partition as people know it: `userdb p0`.
fn name(cluster: &Cluster, node: usize) -> String {
    let number = cluster.partitions.iter().position(|&of| of == node).unwrap_or(node);
    format!("{} p{number}", cluster.name)
}

/// The participant that a connection of the pool is in the running transaction.
pub fn enlist(
    cluster: &Cluster,
    node: usize,
    login: &Rc<Login>,
    pooled: &Pooled,
    user: Oid,
) -> Result<Rc<Participant>, Failure> {
    txn::enlist_kept(Way::to(cluster, node, login).connection(pooled), user)
}

/// A partition that the resolver looks after.
struct Partition {
    server: Oid,
    cluster: Rc<Cluster>,
    node: usize,
}

impl Place for Partition {
    fn server(&self) -> Oid {
        self.server
    }

    fn name(&self) -> String {
        name(&self.cluster, self.node)
    }

    fn connect(&self, role: Oid) -> Result<Rc<Connection>, Failure> {
        let login = login::of(&self.cluster, self.node, role)?;
        let pooled = pool::acquire(&login, self.cluster.config.connection_lifetime)
            .map_err(|error| unreachable(&self.name(), &error))?;
        Ok(Way::to(&self.cluster, self.node, &login).connection(&pooled))
    }
}

/// A cluster whose partitions cannot be read.
struct Unreadable {
    server: Oid,
    name: String,
    reason: Failure,
}

impl Place for Unreadable {
    fn server(&self) -> Oid {
        self.server
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn connect(&self, _: Oid) -> Result<Rc<Connection>, Failure> {
        Err(self.reason.clone())
    }
}

/// The partitions, given by connection strings, of the transactional clusters and of those in `named`.
pub fn places(named: &[u32]) -> Result<Vec<Rc<dyn Place>>, Failure> {
    let mut out: Vec<Rc<dyn Place>> = Vec::new();
    for row in spi::run(CLUSTERS, &[])? {
        let [Some(oid), Some(name)] = &row[..] else { continue };
        let oid: u32 = oid.parse().unwrap_or_default();
        let (server, name) = (Oid::from(oid), name.clone());
        match cluster::of_server(&name, server) {
            Ok(cluster) if cluster.config.transactional || named.contains(&oid) => {
                let cluster = Rc::new(cluster);
                let strings =
                    (0..cluster.nodes.len()).filter(|&n| cluster.nodes[n].server.is_none());
                out.extend(strings.map(|node| -> Rc<dyn Place> {
                    Rc::new(Partition { server, cluster: cluster.clone(), node })
                }));
            }
            Ok(_) => {}
            Err(reason) => out.push(Rc::new(Unreadable { server, name, reason })),
        }
    }
    Ok(out)
}

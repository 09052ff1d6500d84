//! SQL functions over this session's connections; as postgres_fdw has them.

use crate::error::{Failure, SqlState};
use crate::pg::{catalog, guard};
use crate::session::Connection;
use crate::session::cache;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// The connections of this session to other servers.
///
/// `server_name` and `user_name` are NULL when the server or user mapping has been dropped in the running
/// transaction. `closed` tells whether the other side has hung up, and is NULL unless `check_conn` is set.
#[pg_extern(volatile, strict, parallel_restricted)]
#[allow(clippy::type_complexity)]
fn shard_fdw_get_connections(
    check_conn: default!(bool, false),
) -> TableIterator<
    'static,
    (
        name!(server_name, Option<String>),
        name!(valid, bool),
        name!(user_name, Option<String>),
        name!(used_in_xact, bool),
        name!(closed, Option<bool>),
        name!(remote_backend_pid, i32),
    ),
> {
    let rows: Vec<_> = cache::all()
        .iter()
        .map(|connection| {
            (
                server_name(connection),
                !connection.is_stale(),
                catalog::mapping_user(connection.mapping.oid),
                connection.in_transaction.get(),
                check_conn.then(|| connection.session.is_dead()),
                connection.session.backend_pid(),
            )
        })
        .collect();
    TableIterator::new(rows)
}

/// Closes this session's connections to a server, but not one that the running transaction uses (WARNING).
/// True if any was closed.
#[pg_extern(volatile, strict, parallel_restricted)]
fn shard_fdw_disconnect(server_name: &str) -> bool {
    match catalog::server_by_name(server_name) {
        Some(server) => disconnect(Some(server)),
        None => guard::raise(&Failure::new(
            SqlState::UNDEFINED_OBJECT,
            format!("server \"{server_name}\" does not exist"),
        )),
    }
}

/// Closes all this session's connections to other servers, but not those that the running transaction uses
/// (WARNING). True if any was closed.
#[pg_extern(volatile, strict, parallel_restricted)]
fn shard_fdw_disconnect_all() -> bool {
    disconnect(None)
}

fn disconnect(server: Option<Oid>) -> bool {
    let mut any = false;
    for connection in cache::all() {
        if server.is_some_and(|server| server != connection.server.oid) {
            continue;
        }
        if !connection.in_transaction.get() {
            any |= cache::close(connection.key);
            continue;
        }
        let message = match self::server_name(&connection) {
            Some(name) => {
                format!("cannot close connection for server \"{name}\" because it is still in use")
            }
            None => "cannot close dropped server connection because it is still in use".to_owned(),
        };
        guard::warn(&Failure::new(SqlState::WARNING, message));
    }
    any
}

/// The server's name now; `None` when it has been dropped.
fn server_name(connection: &Connection) -> Option<String> {
    catalog::server(connection.server.oid).ok().map(|server| server.name)
}

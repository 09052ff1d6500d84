//! SQL functions over this session's connections; as postgres_fdw has them.
//!
//! pgrx takes every text for UTF-8, so names cross as bytea here, which has the form of text, and are converted
//! by `pg::text`; the SQL declares them as text.

use crate::error::{Failure, SqlState};
use crate::pg::{catalog, guard, text};
use crate::session::Connection;
use crate::session::cache;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// The connections of this session to other servers, in the form of PostgreSQL 18's postgres_fdw.
///
/// `server_name` and `user_name` are NULL when the server or user mapping has been dropped in the running
/// transaction. `closed` tells whether the other side has hung up, and is NULL unless `check_conn` is set.
#[pg_extern(sql = "
CREATE FUNCTION shard_fdw_get_connections(
    check_conn boolean DEFAULT false, OUT server_name text, OUT user_name text, OUT valid boolean,
    OUT used_in_xact boolean, OUT closed boolean, OUT remote_backend_pid integer)
RETURNS SETOF record VOLATILE STRICT PARALLEL RESTRICTED
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';")]
#[allow(clippy::type_complexity)]
fn shard_fdw_get_connections(
    check_conn: bool,
) -> TableIterator<
    'static,
    (
        name!(server_name, Option<Vec<u8>>),
        name!(user_name, Option<Vec<u8>>),
        name!(valid, bool),
        name!(used_in_xact, bool),
        name!(closed, Option<bool>),
        name!(remote_backend_pid, i32),
    ),
> {
    let rows: Vec<_> = cache::all()
        .iter()
        .map(|connection| {
            (
                server_name(connection).as_deref().map(text::to_server_bytes),
                user_name(connection).as_deref().map(text::to_server_bytes),
                !connection.is_stale(),
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
#[pg_extern(sql = "
CREATE FUNCTION shard_fdw_disconnect(server_name text) RETURNS boolean VOLATILE STRICT PARALLEL RESTRICTED
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';")]
fn shard_fdw_disconnect(server_name: &[u8]) -> bool {
    let named = text::from_server_bytes(server_name).and_then(|name| {
        catalog::server_by_name(&name).ok_or_else(|| {
            Failure::new(SqlState::UNDEFINED_OBJECT, format!("server \"{name}\" does not exist"))
        })
    });
    match named {
        Ok(server) => disconnect(Some(server)),
        Err(failure) => guard::raise(&failure),
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

/// The local user whose mapping it uses; `None` when that has been dropped.
fn user_name(connection: &Connection) -> Option<String> {
    catalog::mapping_user(connection.mapping.oid)
}

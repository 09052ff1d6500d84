//! Settings of a new session on another server, so that no value depends on that server's configuration.
//!
//! They travel ahead of the first request, but in a group of their own: a rollback of the first transaction must not
//! take them back. Start-up parameters would cost nothing at all, but connection poolers refuse them or, worse,
//! ignore them.
#![forbid(unsafe_code)]

use super::locale;
use crate::options::load::Server;
use crate::wire::{Request, Session, Ticket, WireError};

/// Times and numbers are written without
/// loss, amounts of money (inside composites; others travel in binary) without a country's signs, strings as the
/// standard has them, NULL in an array is one; xml is taken as it comes; a query without a transaction around it is one of the usual kind. A coordinator that has vanished without a word is noticed by the shard
/// within two minutes, and its locks are gone; the system's own keepalives would take more than two hours.
const SETTINGS: &str = "SET timezone = 'GMT'; \
     SET datestyle = ISO; \
     SET intervalstyle = postgres; \
     SET extra_float_digits = 3; \
     SET bytea_output = hex; \
     SET array_nulls = on; \
     SET lc_monetary = 'C'; \
     SET xmloption = content; \
     SET default_transaction_isolation = 'read committed'; \
     SET standard_conforming_strings = on; \
     SET tcp_keepalives_idle = 60; \
     SET tcp_keepalives_interval = 10; \
     SET tcp_keepalives_count = 6";

/// Sets up `session`, and asks how it orders text, without waiting. The question is a request of its own: whoever cannot
/// answer it is a server all the same.
pub fn queue(session: &Session, server: &Server) -> Result<Option<Ticket>, WireError> {
    session.set_up(&format!("{}; {SETTINGS}", search_path(server)))?;
    Ok(session.submit(Request::Simple(locale::query(session.server_version()))).ok())
}

/// Where names without a schema are looked up: in pg_catalog (deparsed SQL has schemas), and behind it, for functions of the
/// server's own, in what the server's option says.
pub fn search_path(server: &Server) -> String {
    let mut sql = PLAIN_SEARCH_PATH.to_owned();
    for schema in server.search_path.iter().filter(|schema| *schema != "pg_catalog") {
        sql.push_str(&format!(", \"{}\"", schema.replace('"', "\"\"")));
    }
    sql
}

/// Nothing but pg_catalog: types and functions are written with their schemas.
pub const PLAIN_SEARCH_PATH: &str = "SET search_path = pg_catalog";

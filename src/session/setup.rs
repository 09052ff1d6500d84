//! Settings of a new session on another server, so that no value depends on that server's configuration.
//!
//! They are a request of their own, not sent together with the first transaction: a rollback of that
//! transaction would take them back. Start-up parameters would cost no request, but connection poolers refuse
//! them or, worse, ignore them.

use crate::error::Failure;
use crate::wire::{Request, Session};

/// Names are looked up in pg_catalog only (deparsed SQL has schemas), times and numbers are written without
/// loss, amounts of money (inside composites; others travel in binary) without a country's signs, strings as the
/// standard has them; xml is taken as it comes.
const SETTINGS: &str = "SET search_path = pg_catalog; \
     SET timezone = 'GMT'; \
     SET datestyle = ISO; \
     SET intervalstyle = postgres; \
     SET extra_float_digits = 3; \
     SET bytea_output = hex; \
     SET lc_monetary = 'C'; \
     SET xmloption = content; \
     SET standard_conforming_strings = on";

/// Sets up `session`; waits for the answer.
pub fn apply(session: &Session) -> Result<(), Failure> {
    session.run(Request::Simple(SETTINGS)).map(drop).map_err(|error| {
        Failure::from(error).add_context(format!("remote SQL command: {SETTINGS}"))
    })
}

//! shard_fdw: many ordinary PostgreSQL databases look like one.
//!
//! The layers, bottom up; a module imports only from its own layer or from those above it in this list.

// The floor.
mod error;
mod settings;

// Layer 0: the fence around PostgreSQL's C side.
#[allow(unsafe_code)]
mod pg;
// Layer 1: what users have set.
mod options;
// Layer 2: one connection to one remote server.
mod wire;
// Layer 3: which connection.
mod session;
// Layer 4: where a row lives. Reads planner nodes, hence inside the fence.
#[allow(unsafe_code)]
mod shard;
// Layer 5: planner trees to SQL text.
#[allow(unsafe_code)]
mod deparse;
// Layer 6: remote transactions.
mod txn;
// Layer 7: planning.
#[allow(unsafe_code)]
mod plan;
// Layer 8: execution.
#[allow(unsafe_code)]
mod exec;
// Layer 9: the function language.
#[allow(unsafe_code)]
mod plproxy;
// Layer 10: the surface.
mod admin;
#[allow(unsafe_code)]
mod fdw;

use pgrx::prelude::*;

pgrx::pg_module_magic!(name, version);

/// Called by the server when the library is loaded.
#[pg_guard]
#[allow(non_snake_case)]
pub extern "C-unwind" fn _PG_init() {
    settings::init();
    txn::init();
    plan::sharded::init();
    plan::statistics::init();
    plan::batched::init();
    exec::sharded_result::init();
    exec::batched::init();
    exec::commands::init();
    plproxy::init();
    exec::passing::init(fdw::is_own);
}

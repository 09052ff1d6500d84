//! shard_fdw: many ordinary PostgreSQL databases look like one.
//!
//! The layers, bottom up; a module imports only from its own layer or from those above it in this list.

// The floor.
mod error;

// Layer 0: the fence around PostgreSQL's C side.
#[allow(unsafe_code)]
mod pg;

pgrx::pg_module_magic!(name, version);

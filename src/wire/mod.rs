//! One connection to one remote server: sockets, TLS, log-in and the frontend/backend protocol.
//!
//! Knows nothing of foreign tables, transactions or the connection cache. Messages are encoded and decoded by
//! the `postgres-protocol` crate; what is ours is the engine around it: requests are queued without waiting,
//! answered in order, and driven by [`crate::pg::wait`].
#![allow(dead_code)]

mod address;
mod auth;
mod cancel;
mod cause;
mod certificate;
mod connect;
mod conninfo;
mod drive;
mod engine;
mod input;
mod link;
mod login;
mod message;
pub mod remote_error;
pub mod request;
mod scram_keys;
pub mod session;
mod socket;
mod statements;
mod submit;
mod tls;
mod trust;
mod version;

#[allow(unused_imports)]
pub use connect::{Options, connect, connect_all};
#[allow(unused_imports)]
pub use remote_error::{RemoteError, WireError};
#[allow(unused_imports)]
pub use request::{Column, Fields, Formats, Params, Reply, Request, Status};
#[allow(unused_imports)]
pub use session::{Credentials, Session, Ticket};

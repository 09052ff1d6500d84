//! One connection to one remote server: sockets, TLS, log-in and the frontend/backend protocol.
//!
//! Knows nothing of foreign tables, transactions or the connection cache. Messages are encoded and decoded by
//! the `postgres-protocol` crate; what is ours is the engine around it: requests are queued without waiting,
//! answered in order, and driven by [`crate::pg::wait`].

pub mod session;
pub mod remote_error;

pub use remote_error::{RemoteError, WireError};
pub use session::{Column, Formats, Params, Reply, Request, Session, Ticket, Status};

//! Remote transactions: they follow the local one, and end as it ends.
//!
//! [`enlist`] gives the [`Participant`] of a server in the running transaction; everything that is sent to a
//! shard on behalf of a local transaction goes through it. The remote transaction begins with the first
//! request, in the same round trip; savepoints follow the local subtransactions; the end comes from the
//! transaction callbacks, which register themselves.
#![allow(dead_code, unused_imports)]

mod callback;
mod ending;
mod nesting;
mod participant;
mod registry;
mod retry;
mod statement;

pub use nesting::Stamp;
pub use participant::{Participant, wait_any};
pub use registry::enlist;

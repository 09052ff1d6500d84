//! Remote transactions: they follow the local one, and end as it ends.
//!
//! [`enlist`] gives the [`Participant`] of a server in the running transaction; everything that is sent to a
//! shard on behalf of a local transaction goes through it. The remote transaction begins with the first
//! request, in the same round trip; savepoints follow the local subtransactions; the end comes from the
//! transaction callbacks: one phase for a single writer, two for several (`prepare`). What a crash leaves behind
//! is finished by the `resolver`; deadlocks over several servers are found by the `detector`.

mod alone;
mod callback;
mod copy;
mod deadlock;
mod decision;
mod detector;
mod ending;
mod fault;
mod gid;
mod nesting;
mod participant;
mod places;
mod prepare;
mod registry;
mod renewal;
mod resolver;
mod retry;
mod statement;
mod watch;
mod work;
mod worker;

pub use copy::Feeder;
pub use gid::{Gid, NotOurs};
pub use nesting::Stamp;
pub use participant::Participant;
pub use places::{Place, set_finder};
pub use registry::{enlist, enlist_all, enlist_kept, enlist_ready, rely_on};
pub use resolver::{Decision, decide, force, resolve, survey};
pub use watch::wait_any;

use crate::pg::worker::Lives;

pgrx::extension_sql_file!("../../sql/transactions.sql", name = "transactions");

/// To be called when the library is loaded.
pub fn init() {
    callback::register();
    crate::pg::worker::set_lives(Lives {
        launcher: worker::launcher,
        resolver: worker::resolver,
        detector: detector::live,
    });
    worker::register_launcher();
}

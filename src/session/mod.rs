//! Which connection: the cache of sessions per backend and user mapping, log-in rules, invalidation.
//!
//! [`cache`] gives a connection that is logged in by the rules of [`security`] and set up by [`setup`]; [`likeness`] tells
//! whether its server orders text as this database does. What is
//! sent over it, and when a remote transaction begins and ends, is not decided here.
#![allow(dead_code)]

pub mod cache;
mod connect;
mod keeper;
mod keywords;
pub mod likeness;
mod locale;
mod passthrough;
mod security;
mod setup;

pub use cache::Connection;
pub use keeper::Keeper;
pub use locale::Likeness;
pub use setup::{PLAIN_SEARCH_PATH, search_path};

//! Options of servers, tables, columns and user mappings: which there are, what they mean, what is set.
//!
//! [`spec`] is the one table of options, [`parse`] reads values, [`validate`] is what CREATE and ALTER call,
//! [`load`] gives the planner and executor what is set. Names and meanings are postgres_fdw's wherever it has
//! them.
#![allow(dead_code)]

pub mod appname;
mod error;
pub mod load;
mod names;
pub mod parse;
pub mod spec;
#[allow(unsafe_code)]
mod validate;

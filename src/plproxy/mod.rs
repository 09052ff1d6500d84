//! The function language: PL/Proxy's function and cluster definitions, run on the project's own wire.
//!
//! A body is read by [`lexer`] and [`parser`] into an [`ast`], compiled with its row of pg_proc into a
//! [`function`] and kept in [`cache`]. A [`call`] finds its [`cluster`], its partitions ([`route`], [`split`])
//! and who logs in there ([`login`], [`pool`], [`partner`]), runs on all of them at once ([`execute`]) and puts the rows
//! where PostgreSQL wants them ([`codec`], [`output`]).

#![allow(dead_code)]

mod ast;
mod cache;
mod call;
mod cluster;
mod codec;
mod compile;
mod config;
mod conninfo;
mod execute;
mod fault;
mod function;
mod handler;
mod lexer;
mod link;
mod local;
mod login;
mod output;
mod parser;
mod partner;
mod pool;
mod report;
mod route;
mod rowwise;
mod run;
mod shape;
mod split;
mod types;

/// To be called when the library is loaded.
pub fn init() {
    crate::txn::set_finder(partner::places);
}

pgrx::extension_sql_file!("../../sql/language.sql", name = "language");

//! The function language: PL/Proxy's function and cluster definitions, run on the project's own wire.
#![allow(dead_code)]

mod ast;
mod lexer;
mod parser;

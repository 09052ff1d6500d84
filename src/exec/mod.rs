//! Execution callbacks of the foreign data wrapper.
#![allow(dead_code)]

pub mod analyze;
mod arena;
mod codec;
mod field;
pub mod import;
mod imported;
mod kinds;
mod native;
pub mod params;
mod plain_check;
pub mod rows;

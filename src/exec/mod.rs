//! Execution callbacks of the foreign data wrapper.
#![allow(dead_code)]

mod arena;
mod codec;
mod field;
mod kinds;
mod native;
pub mod params;
pub mod rows;

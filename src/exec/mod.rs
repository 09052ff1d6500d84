//! Execution callbacks of the foreign data wrapper.

pub mod analyze;
mod arena;
mod codec;
pub mod direct;
mod early;
pub mod explain;
mod field;
pub mod foreign_scan;
pub mod import;
mod imported;
mod kinds;
pub mod modify;
mod native;
pub mod params;
mod plain_check;
pub mod rows;
mod scan;
mod stream;
pub mod truncate;
mod tuple;

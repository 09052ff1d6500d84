//! Execution callbacks of the foreign data wrapper.

mod alone;
pub mod analyze;
mod arena;
mod codec;
pub mod copy;
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
mod own_rows;
pub mod params;
mod plain_check;
mod returned;
pub mod rows;
mod scan;
mod states;
mod stream;
pub mod truncate;
mod tuple;

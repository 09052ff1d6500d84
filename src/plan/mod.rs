//! Planning callbacks of the foreign data wrapper.

#[allow(dead_code)]
pub mod prune;

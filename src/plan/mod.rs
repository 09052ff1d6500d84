//! Planning callbacks of the foreign data wrapper.

mod cost;
pub mod modify;
pub mod private;
mod prune;
mod relinfo;
pub mod scan;

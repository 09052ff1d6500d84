//! Planning callbacks of the foreign data wrapper.

mod colocated;
pub mod conflict;
mod cost;
mod deciding;
pub mod direct;
mod epq;
pub mod foreign_plan;
pub mod join;
mod limit;
pub mod modify;
mod naming;
mod parameterized;
mod partial;
mod pathkeys;
mod paths;
pub mod private;
mod prune;
mod relinfo;
pub mod routing;
pub mod row_identity;
pub mod row_marks;
pub mod scan;
pub mod sharded;
mod stays;
mod targets;
mod transition;
pub mod upper;

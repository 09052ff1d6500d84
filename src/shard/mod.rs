//! Where a row lives: the rules of placements and what a query's conditions say about them.
//!
//! A placement (a foreign table) has a [`Rule`]: what every row in it satisfies, by its CHECK constraints and its
//! partition bound. Conditions of a query become [`Pins`]: columns and the few values they can have in a matching
//! row. [`refute`] evaluates the rule at those values, exactly as an INSERT would check them: where it is
//! false for all of them, the placement holds no matching row.
//!
//! Nothing here knows of connections, plans or SQL text. Wherever a proof is missing the answer is "may match".

mod cache;
mod clause;
mod dependents;
mod equality;
mod exact;
mod expression;
mod keeper;
mod layout;
mod member;
mod nullness;
mod pin;
mod place;
mod reason;
mod refute;
mod routes;
mod rule;
mod saying;
mod spread;
mod table;
mod tables;
mod truth;

pub use cache::rule_of;
pub use clause::read_clauses;
pub use equality::equal_is_same;
pub use keeper::Keeper;
pub use member::Member;
pub use place::Placer;
pub use reason::why_all;
pub use refute::{Verdict, refute};
pub use rule::{Origin, Rule};
pub use spread::{Spread, can_spread};
pub use table::ShardedTable;
pub use tables::{sharded, sharded_for_writing};

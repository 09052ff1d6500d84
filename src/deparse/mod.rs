//! Planner trees to remote SQL, and what of them may be sent at all.
//!
//! The layer knows nothing of paths and plans. It works on its own description of a remote query, which the
//! planning code fills in:
//!
//! ```text
//! let scope = Scope::new(root, [(rti, foreign_table)]);          // the tables whose columns it may name
//! match foreign_expr(&scope, clause) {                           // RestrictInfo or bare expression
//!     Ok(()) => remote.push(bare clause),
//!     Err(reason) => local.push((clause, reason.to_string())),   // "Not shipped: ..." in EXPLAIN
//! }
//! let mut query = Select::new(Target::Columns { rti, attrs_used }, From::Table { rti });
//! query.conditions = remote;
//! let statement = select(&scope, &query, Params::Numbered)?;     // Params::Unknown for a remote EXPLAIN
//! // statement.template          -> plan: template.to_list(), Template::from_list(list)
//! // statement.params            -> fdw_exprs, `$1` first (whole expressions, to be evaluated per execution)
//! // statement.retrieved         -> what the result columns are; empty: one dummy NULL column comes
//! template.render(|rti| placement.remote_name(), |rti| placement.relid)   // SQL for one placement
//! template.render_rows(rows, name, oid)                          // an INSERT of so many rows
//! ```
//!
//! - Joins: one scope over all tables of the join; `From::Join`, conditions of ON in `on`; a side of a full join
//!   that has conditions of its own becomes `From::Subquery`. `Target::Exprs` (or `Target::from_tlist`) names
//!   what is fetched; `retrieved` are then positions 1...
//! - Grouping: `scope.grouped()` for [`foreign_expr`] of targets and HAVING and for [`select`];
//!   `GroupBy::from_query`. A target for which [`is_parameter`] says true must not be fetched.
//! - Sorting: `SortKey::from_pathkey(&scope, pathkey, member expression, em_datatype)`.
//! - Rows: [`insert`], [`update`], [`delete`] (scope of the one table) with [`returning_attrs`]; parameters are
//!   `RowId::params()` identities first, then column values without those of generated columns.
//! - Whole changes: [`direct_update`], [`direct_delete`].
//! - Tables: [`truncate`], [`copy_in`], [`copy_fits`], [`copy_is_insert`], [`analyze_size`], [`analyze_info`], [`analyze_sample`].
//!
//! `tableoid` is never fetched by `Target::Columns` (the scan knows it); in a join's targets it is written as the
//! placement's local OID. Subexpressions without remote columns that the remote server could not compute the
//! same way (`now()`, `current_user`, functions of this server's own) are parameters: computed here, once per
//! execution.
#![allow(dead_code, unused_imports)]

mod aggregate;
mod casts;
mod catalog;
mod collation;
mod compound;
mod conflict;
mod dml;
mod expr;
mod forms;
mod group;
mod indifferent;
mod literal;
mod merge;
mod moment;
mod not_shipped;
mod operand;
mod order_limit;
mod output_names;
mod plan_list;
pub mod quote;
mod relation;
mod remainder;
mod safety;
mod scope;
mod select;
mod shippable;
mod target;
mod template;
mod utility;
mod window;
mod writer;

pub use collation::{portable_name as portable_collation, sort_name as sort_collation};
pub use conflict::{Arbiter, ArbiterElement, ConflictUpdate, OnConflict, SECOND_TIME};
pub use dml::{
    Direct, Returning, RowId, delete, delete_many, direct_delete, direct_update, insert,
    returning_attrs, update, update_many,
};
pub use group::{Distinct, GroupBy, Set};
pub use merge::{Merge, MergeAction, MergeSource, MergeWhen, merge};
pub use not_shipped::{NotShipped, system_column};
pub use order_limit::{Limit, SortKey};
pub use relation::{From, JoinKind};
pub use safety::{Local, Verdict, foreign_expr, is_parameter, judge};
pub use scope::{Names, Scope};
pub use select::{LockStrength, LockWait, Locking, Select, select};
pub use shippable::{is_builtin, is_shippable};
pub use target::{Target, is_fetched_system_column};
pub use template::{Piece, Rows, Template};
pub use utility::{
    Sample, analyze_info, analyze_sample, analyze_size, copy_fits, copy_in, copy_is_insert,
    truncate,
};
pub use writer::{Params, Statement};

//! The extension's configuration parameters (`shard_fdw.*`).

/// Defines the parameters; called once from `_PG_init`.
pub fn init() {}

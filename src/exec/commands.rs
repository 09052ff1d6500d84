//! Utility commands that want more than PostgreSQL by itself does: COPY and TRUNCATE.

use super::copy::statement;
use super::truncate;
use crate::error::Failure;
use crate::pg::node;
use crate::pg::utility::{self, Command, Rest};
use pgrx::pg_sys;

/// Installs the hook; once, from `_PG_init`.
pub fn init() {
    utility::install(execute);
}

unsafe fn execute(command: Command) -> Result<Rest, Failure> {
    // SAFETY: a utility command about to be executed.
    unsafe {
        match node::tag((*command.statement).utilityStmt) {
            pg_sys::NodeTag::T_TruncateStmt => Ok(truncate::begin(command)),
            pg_sys::NodeTag::T_CopyStmt => statement::execute(command),
            _ => Ok(Rest::Execute(command.statement)),
        }
    }
}

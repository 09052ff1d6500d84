//! TRUNCATE of foreign tables: one statement for all tables of a server.

use crate::deparse;
use crate::error::{Failure, SqlState};
use crate::options::load;
use crate::pg::{node, text};
use crate::txn;
use crate::wire::Request;
use pgrx::pg_sys;

/// ExecForeignTruncate.
///
/// # Safety
/// `relations` is a list of open foreign tables of one server, as fdwhandler.sgml says.
pub unsafe fn truncate(
    relations: *mut pg_sys::List,
    behavior: pg_sys::DropBehavior::Type,
    restart_sequences: bool,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let mut tables = Vec::new();
        for relation in node::list::<pg_sys::RelationData>(relations) {
            let table = load::foreign_table((*relation).rd_id)?;
            if !table.truncatable {
                let name = text::from_server((*(*relation).rd_rel).relname.data.as_ptr());
                return Err(Failure::new(
                    SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                    format!("foreign table \"{name}\" does not allow truncates"),
                ));
            }
            tables.push(table);
        }
        let Some(first) = tables.first() else { return Ok(()) };
        let participant = txn::enlist(first.server.oid, pg_sys::GetUserId())?;
        let cascade = behavior == pg_sys::DropBehavior::DROP_CASCADE;
        let names: Vec<String> = tables.iter().map(|table| table.remote_name()).collect();
        let sql = deparse::truncate(&names, restart_sequences, cascade);
        participant.mark_written();
        participant.run(Request::Simple(&sql), &sql)?;
        Ok(())
    }
}

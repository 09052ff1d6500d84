//! What partitions say, told to the caller in PL/Proxy's words.

use super::fault::{Fault, Label};
use crate::error::{Failure, SqlState};
use crate::wire::{RemoteError, WireError};
use pgrx::PgLogLevel;
use pgrx::pg_sys::panic::ErrorReport;

/// The failure for an error of the partition `database`.
pub fn failure(label: &Label, database: &str, error: &WireError) -> Failure {
    let Some(remote) = error.remote() else {
        let mut failure = label
            .fault(Fault::Connection { database: database.to_owned(), reason: error.to_string() });
        if matches!(error, WireError::Connect(_)) {
            failure.fields_mut().sqlstate = SqlState::SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION;
        }
        return failure;
    };
    let mut failure = error.to_failure();
    let fields = failure.fields_mut();
    fields.message = message(label, database, remote);
    for (field, what) in [
        (&mut fields.detail, "detail"),
        (&mut fields.hint, "hint"),
        (&mut fields.context, "context"),
    ] {
        if let Some(text) = field {
            *text = format!("Remote {what}: {text}");
        }
    }
    failure
}

fn message(label: &Label, database: &str, remote: &RemoteError) -> String {
    format!("{label}: [{database}] REMOTE {}: {}", remote.severity, remote.message)
}

/// Passes a notice on: as NOTICE when its SQLSTATE says success, else as WARNING.
pub fn notice(label: &Label, database: &str, remote: &RemoteError) {
    let state = remote.state().unwrap_or(SqlState::INTERNAL_ERROR);
    let level = if state.class() == "00" { PgLogLevel::NOTICE } else { PgLogLevel::WARNING };
    let code = pgrx::PgSqlErrorCode::from(state.encode());
    let mut report = ErrorReport::new(code, message(label, database, remote), "shard_fdw");
    if let Some(detail) = &remote.detail {
        report = report.set_detail(format!("Remote detail: {detail}"));
    }
    if let Some(hint) = &remote.hint {
        report = report.set_hint(format!("Remote hint: {hint}"));
    }
    report.report(level);
}

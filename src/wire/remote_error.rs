//! What can go wrong with a remote server, and how it is told to the user.
#![forbid(unsafe_code)]

use super::message::Body;
use crate::error::{Failure, Report, SqlState};

/// An ErrorResponse or NoticeResponse of the remote server, all fields kept
/// (protocol-error-fields of PostgreSQL's documentation).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct RemoteError {
    /// ERROR, FATAL, WARNING, ...: never translated (unless the server is older than 9.6).
    pub severity: String,
    pub sqlstate: Option<String>,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    pub context: Option<String>,
    pub schema: Option<String>,
    pub table: Option<String>,
    pub column: Option<String>,
    pub datatype: Option<String>,
    pub constraint: Option<String>,
    /// The server's function that raised it.
    pub routine: Option<String>,
}

impl RemoteError {
    /// Takes a message body apart; unknown fields are skipped. `None` if it is malformed.
    pub(super) fn parse(body: &[u8]) -> Option<RemoteError> {
        let mut body = Body::new(body);
        let mut error = RemoteError::default();
        let mut translated = None;
        loop {
            let field = body.u8()?;
            if field == 0 {
                break;
            }
            let text = body.string()?;
            match field {
                b'V' => error.severity = text,
                b'S' => translated = Some(text),
                b'C' => error.sqlstate = Some(text),
                b'M' => error.message = text,
                b'D' => error.detail = Some(text),
                b'H' => error.hint = Some(text),
                b'W' => error.context = Some(text),
                b's' => error.schema = Some(text),
                b't' => error.table = Some(text),
                b'c' => error.column = Some(text),
                b'd' => error.datatype = Some(text),
                b'n' => error.constraint = Some(text),
                b'R' => error.routine = Some(text),
                _ => {}
            }
        }
        if error.severity.is_empty() {
            error.severity = translated.unwrap_or_default();
        }
        Some(error)
    }

    /// An error that this side makes up, in the form of a remote one.
    pub(super) fn local(sqlstate: SqlState, message: impl Into<String>) -> RemoteError {
        RemoteError {
            severity: "ERROR".to_owned(),
            sqlstate: Some(sqlstate.to_string()),
            message: message.into(),
            ..RemoteError::default()
        }
    }

    /// Whether the server ends the session after it.
    pub fn ends_session(&self) -> bool {
        matches!(self.severity.as_str(), "FATAL" | "PANIC")
    }

    /// Whether a prepared statement was refused because its result has other columns by now: found when it is bound, so
    /// nothing of it has run.
    pub fn is_stale_plan(&self) -> bool {
        self.sqlstate.as_deref() == Some("0A000")
            && self.routine.as_deref() == Some("RevalidateCachedQuery")
    }

    /// The SQLSTATE, if the server sent a valid one.
    pub fn state(&self) -> Option<SqlState> {
        self.sqlstate.as_deref().and_then(SqlState::parse)
    }
}

/// An error of this layer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WireError {
    /// The remote server answered a request with an error. The connection is still in step, unless the error
    /// ends the session: ask [`WireError::is_fatal`].
    #[error("{}", .0.message)]
    Remote(Box<RemoteError>),
    /// The connection is gone or out of step: it must be dropped.
    #[error("{0}")]
    Broken(String),
    /// The server could not be reached or did not let us in.
    #[error("{0}")]
    Connect(String),
    /// A deadline passed.
    #[error("timeout expired")]
    Deadline,
}

impl WireError {
    /// Whether the connection is of no use after this error.
    pub fn is_fatal(&self) -> bool {
        match self {
            WireError::Remote(error) => error.ends_session(),
            WireError::Broken(_) | WireError::Connect(_) => true,
            WireError::Deadline => false,
        }
    }

    /// The remote error, if the server sent one.
    pub fn remote(&self) -> Option<&RemoteError> {
        match self {
            WireError::Remote(error) => Some(error),
            _ => None,
        }
    }

    /// See [`RemoteError::is_stale_plan`].
    pub fn is_stale_plan(&self) -> bool {
        self.remote().is_some_and(RemoteError::is_stale_plan)
    }

    /// The failure with all the fields that the server sent; the plain conversion (`?`) lacks the names of
    /// schema, table, column, data type and constraint.
    pub fn to_failure(&self) -> Failure {
        let mut failure = Failure::new(self.sqlstate(), self.to_string());
        if let Some(error) = self.remote() {
            let fields = failure.fields_mut();
            fields.detail.clone_from(&error.detail);
            fields.hint.clone_from(&error.hint);
            fields.context.clone_from(&error.context);
            fields.schema.clone_from(&error.schema);
            fields.table.clone_from(&error.table);
            fields.column.clone_from(&error.column);
            fields.datatype.clone_from(&error.datatype);
            fields.constraint.clone_from(&error.constraint);
        }
        failure
    }
}

impl Report for WireError {
    fn sqlstate(&self) -> SqlState {
        match self {
            WireError::Remote(error) => error.state().unwrap_or(SqlState::CONNECTION_FAILURE),
            WireError::Broken(_) | WireError::Deadline => SqlState::CONNECTION_FAILURE,
            WireError::Connect(_) => SqlState::SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
        }
    }

    fn detail(&self) -> Option<String> {
        self.remote().and_then(|error| error.detail.clone())
    }

    fn hint(&self) -> Option<String> {
        self.remote().and_then(|error| error.hint.clone())
    }

    fn context(&self) -> Option<String> {
        self.remote().and_then(|error| error.context.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_fields_arrive() {
        let body = b"SFEHLER\0VERROR\0C23505\0Mdup\0Dd\0Hh\0Ww\0ss\0tt\0cc\0dd\0nn\0P12\0Rr\0\0";
        let error = RemoteError::parse(body).unwrap();
        assert_eq!(error.severity, "ERROR");
        let failure = WireError::Remote(Box::new(error)).to_failure();
        let fields = failure.fields();
        assert_eq!(fields.sqlstate.as_str(), "23505");
        assert_eq!(fields.message, "dup");
        assert_eq!(fields.context.as_deref(), Some("w"));
        assert_eq!(fields.constraint.as_deref(), Some("n"));
    }

    #[test]
    fn malformed_bodies_are_refused() {
        assert_eq!(RemoteError::parse(b""), None);
        assert_eq!(RemoteError::parse(b"Mabc"), None);
        assert_eq!(RemoteError::parse(b"Mabc\0"), None);
    }

    #[test]
    fn an_old_servers_severity_is_the_translated_one() {
        let error = RemoteError::parse(b"SFATAL\0C57P01\0Mx\0\0").unwrap();
        assert!(error.ends_session());
        assert!(WireError::Remote(Box::new(error)).is_fatal());
    }
}

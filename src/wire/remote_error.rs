//! What can go wrong with a remote server, and how it is told to the user.
#![forbid(unsafe_code)]

use crate::error::{Report, SqlState};

/// An ErrorResponse or NoticeResponse of the remote server, all fields kept
/// (protocol-error-fields of PostgreSQL's documentation).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct RemoteError {
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
}

/// An error of this layer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WireError {
    /// The remote server answered a request with an error; the connection is still in step.
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

impl Report for WireError {
    fn sqlstate(&self) -> SqlState {
        match self {
            WireError::Remote(error) => error
                .sqlstate
                .as_deref()
                .and_then(SqlState::parse)
                .unwrap_or(SqlState::CONNECTION_FAILURE),
            WireError::Broken(_) | WireError::Deadline => SqlState::CONNECTION_FAILURE,
            WireError::Connect(_) => SqlState::SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
        }
    }
}

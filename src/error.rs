//! The error every layer ends in.
//!
//! A layer describes what can go wrong in an enum of its own and implements [`Report`] for it, which chooses
//! SQLSTATE, DETAIL and HINT in one place. [`Failure`] is the form that leaves the extension: all fields of a
//! PostgreSQL error, not yet raised. Raising it is the fence's business (`pg::guard`), so everything below
//! returns `Result` and no destructor is ever jumped over. This file knows no layer.
#![forbid(unsafe_code)]

use std::fmt;

/// A five-character SQLSTATE. Any code is allowed, also one that PostgreSQL does not list: a remote function
/// may raise its own and it must arrive unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState([u8; 5]);

macro_rules! states {
    ($($name:ident = $code:literal),* $(,)?) => {
        #[allow(missing_docs)]
        impl SqlState { $(pub const $name: SqlState = SqlState(*$code);)* }
    };
}

states! {
    WARNING = b"01000",
    SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION = b"08001",
    CONNECTION_FAILURE = b"08006",
    ACTIVE_SQL_TRANSACTION = b"25001",
    TRANSACTION_RESOLUTION_UNKNOWN = b"08007",
    PROTOCOL_VIOLATION = b"08P01",
    FEATURE_NOT_SUPPORTED = b"0A000",
    CARDINALITY_VIOLATION = b"21000",
    DATA_EXCEPTION = b"22000",
    NUMERIC_VALUE_OUT_OF_RANGE = b"22003",
    INVALID_PARAMETER_VALUE = b"22023",
    CHARACTER_NOT_IN_REPERTOIRE = b"22021",
    INVALID_BINARY_REPRESENTATION = b"22P03",
    CHECK_VIOLATION = b"23514",
    TRANSACTION_ROLLBACK = b"40000",
    DEADLOCK_DETECTED = b"40P01",
    SERIALIZATION_FAILURE = b"40001",
    SYNTAX_ERROR = b"42601",
    INSUFFICIENT_PRIVILEGE = b"42501",
    INVALID_COLUMN_REFERENCE = b"42P10",
    UNDEFINED_COLUMN = b"42703",
    UNDEFINED_OBJECT = b"42704",
    UNDEFINED_DATABASE = b"3D000",
    WRONG_OBJECT_TYPE = b"42809",
    DATATYPE_MISMATCH = b"42804",
    PROGRAM_LIMIT_EXCEEDED = b"54000",
    OBJECT_NOT_IN_PREREQUISITE_STATE = b"55000",
    INTERNAL_ERROR = b"XX000",
    DATA_CORRUPTED = b"XX001",
    S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED = b"2F003",
    FDW_INCONSISTENT_DESCRIPTOR_INFORMATION = b"HV021",
    FDW_INVALID_ATTRIBUTE_VALUE = b"HV024",
    FDW_INVALID_OPTION_NAME = b"HV00D",
    FDW_INVALID_STRING_FORMAT = b"HV00A",
    FDW_SCHEMA_NOT_FOUND = b"HV00Q",
}

impl SqlState {
    /// The state spelled in `code`; `None` unless it is five digits or upper-case letters.
    pub fn parse(code: &str) -> Option<SqlState> {
        let bytes: [u8; 5] = code.as_bytes().try_into().ok()?;
        bytes
            .iter()
            .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
            .then_some(SqlState(bytes))
    }

    /// PostgreSQL's packed form (`MAKE_SQLSTATE` of utils/elog.h).
    pub fn encode(self) -> i32 {
        self.0.iter().rev().fold(0, |acc, &c| (acc << 6) | (i32::from(c.wrapping_sub(b'0')) & 0x3F))
    }

    /// The inverse of [`SqlState::encode`].
    pub fn decode(packed: i32) -> SqlState {
        let mut out = [0u8; 5];
        for (i, slot) in out.iter_mut().enumerate() {
            *slot = (((packed >> (6 * i)) & 0x3F) as u8).wrapping_add(b'0');
        }
        SqlState(out)
    }

    /// The five characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XX000")
    }

    /// The first two characters, the SQLSTATE class.
    pub fn class(&self) -> &str {
        &self.as_str()[..2]
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlState({self})")
    }
}

/// How a layer's error becomes a PostgreSQL error. `Display` gives the primary message.
pub trait Report: fmt::Display {
    /// The SQLSTATE that fits this error.
    fn sqlstate(&self) -> SqlState;
    /// DETAIL, where there is something to add.
    fn detail(&self) -> Option<String> {
        None
    }
    /// HINT: what the user can do about it.
    fn hint(&self) -> Option<String> {
        None
    }
    /// CONTEXT: where it happened (server, remote SQL).
    fn context(&self) -> Option<String> {
        None
    }
}

/// A PostgreSQL error with all its fields, not yet raised.
#[derive(Clone)]
pub struct Failure(Box<Fields>);

/// The fields of a [`Failure`]; names as in PostgreSQL's `ErrorData`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Fields {
    pub sqlstate: SqlState,
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

impl Failure {
    /// A failure with a message and nothing else.
    pub fn new(sqlstate: SqlState, message: impl Into<String>) -> Failure {
        Failure(Box::new(Fields {
            sqlstate,
            message: message.into(),
            detail: None,
            hint: None,
            context: None,
            schema: None,
            table: None,
            column: None,
            datatype: None,
            constraint: None,
        }))
    }

    /// "Cannot happen": a broken invariant of ours, XX000.
    pub fn internal(message: impl Into<String>) -> Failure {
        Failure::new(SqlState::INTERNAL_ERROR, message)
    }

    /// Sets DETAIL.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Failure {
        self.0.detail = Some(detail.into());
        self
    }

    /// Sets HINT.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Failure {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a CONTEXT line below those already there (innermost first, as PostgreSQL prints them).
    pub fn add_context(mut self, line: impl AsRef<str>) -> Failure {
        match &mut self.0.context {
            Some(context) => {
                context.push('\n');
                context.push_str(line.as_ref());
            }
            None => self.0.context = Some(line.as_ref().to_owned()),
        }
        self
    }

    /// All fields.
    pub fn fields(&self) -> &Fields {
        &self.0
    }

    /// All fields, to change.
    pub fn fields_mut(&mut self) -> &mut Fields {
        &mut self.0
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<R: Report> From<R> for Failure {
    fn from(error: R) -> Failure {
        let mut failure = Failure::new(error.sqlstate(), error.to_string());
        failure.0.detail = error.detail();
        failure.0.hint = error.hint();
        failure.0.context = error.context();
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstate_round_trip() {
        for code in ["00000", "23505", "57014", "XX000", "ZZ123", "P0001", "HV00J"] {
            let state = SqlState::parse(code).unwrap();
            assert_eq!(SqlState::decode(state.encode()).as_str(), code);
        }
        // The value PostgreSQL's errcodes.h gives ERRCODE_UNIQUE_VIOLATION.
        assert_eq!(SqlState::parse("23505").unwrap().encode(), 83_906_754);
        assert_eq!(SqlState::parse("2350"), None);
        assert_eq!(SqlState::parse("23 05"), None);
    }

    #[test]
    fn context_lines_stack_outward() {
        let failure = Failure::internal("x").add_context("inner").add_context("outer");
        assert_eq!(failure.fields().context.as_deref(), Some("inner\nouter"));
    }
}

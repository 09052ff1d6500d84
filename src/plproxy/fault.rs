//! What can go wrong in this layer, in PL/Proxy's words.
//!
//! PL/Proxy raises nearly everything as XX000; here each kind has an SQLSTATE that says what it is. The function
//! that was called is named in front of the message ([`Label`]).

use crate::error::{Failure, Report, SqlState};
use std::fmt;

/// An error of a function call or of its compilation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("{0}")]
    Parse(#[from] super::parser::ParseError),
    #[error("SPLIT parameter is not an array: {0}")]
    SplitNoArray(String),
    #[error("SELECT statement not allowed for dynamic RECORD functions")]
    SelectForRecord,
    #[error("RUN ON ALL requires set-returning function")]
    AllNeedsSet,
    #[error("unsupported pseudo type: {name} ({oid})")]
    PseudoType { name: String, oid: u32 },
    #[error("unsupported type")]
    UnsupportedType,
    #[error("Hash result must be int2, int4 or int8")]
    HashType,
    #[error("Hash function returned NULL")]
    HashNull,
    #[error("Only set-returning function allows hashcount <> 1")]
    HashCount,
    #[error("part number out of range")]
    PartNumber,
    #[error("Cluster/connect name map func returned NULL")]
    NameNull,
    #[error("Cluster/connect name map func must return one row, got {0}")]
    NameCount(usize),
    #[error("split multi-dimensional arrays are not supported")]
    SplitDimensions,
    #[error("split arrays must be of identical lengths")]
    SplitLengths,
    #[error("single field function but got record")]
    NotSingle,
    #[error("Got too few fields from remote end")]
    TooFewFields,
    #[error("Got too many fields from remote end")]
    TooManyFields,
    #[error("Field {0} does not exists in result")]
    NoField(String),
    #[error("Non-SETOF function requires 1 row from remote query, got {0}")]
    RowCount(u64),
    #[error("Nested PL/Proxy calls to the same cluster are not supported.")]
    Nested,
    #[error("{0}")]
    Cluster(String),
    #[error("[{database}] query timeout")]
    QueryTimeout { database: String },
    #[error("[{database}] {reason}")]
    Connection { database: String, reason: String },
}

impl Report for Fault {
    fn sqlstate(&self) -> SqlState {
        let code = match self {
            Fault::Parse(_) => "42601",
            Fault::SplitNoArray(_) | Fault::HashType => "42804",
            Fault::SelectForRecord | Fault::AllNeedsSet => "42P13",
            Fault::PseudoType { .. } | Fault::UnsupportedType | Fault::Nested => "0A000",
            Fault::HashNull | Fault::NameNull => "22004",
            Fault::HashCount | Fault::NameCount(_) => "21000",
            Fault::PartNumber => "22003",
            Fault::SplitDimensions | Fault::SplitLengths => "2202E",
            Fault::NotSingle | Fault::TooFewFields | Fault::TooManyFields | Fault::NoField(_) => {
                "42804"
            }
            Fault::RowCount(0) => "P0002",
            Fault::RowCount(_) => "P0003",
            Fault::Cluster(_) => "55000",
            // Not query_canceled: a caller's WHEN OTHERS is to see it.
            Fault::QueryTimeout { .. } | Fault::Connection { .. } => "08006",
        };
        SqlState::parse(code).unwrap_or(SqlState::INTERNAL_ERROR)
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Fault::UnsupportedType => {
                "A function returning record needs the columns named where it is called: \
                 SELECT * FROM f(...) AS t(a int, b text)."
            }
            Fault::PartNumber => "Partitions are numbered from 0.",
            Fault::HashCount => {
                "Declare the function RETURNS SETOF to run it on several partitions."
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// A function as messages name it: `schema.name(number of arguments)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Qualified and quoted: also what is called on the other side.
    pub name: String,
    pub arguments: usize,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name, self.arguments)
    }
}

impl Label {
    /// `fault`, told of this function.
    pub fn fault(&self, fault: Fault) -> Failure {
        let mut failure = Failure::from(fault);
        let fields = failure.fields_mut();
        fields.message = format!("PL/Proxy function {self}: {}", fields.message);
        failure
    }

    /// `Err` of [`Label::fault`].
    pub fn err<T>(&self, fault: Fault) -> Result<T, Failure> {
        Err(self.fault(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_stands_in_front() {
        let label = Label { name: "public.f".into(), arguments: 2 };
        let failure = label.fault(Fault::RowCount(0));
        assert_eq!(
            failure.to_string(),
            "PL/Proxy function public.f(2): Non-SETOF function requires 1 row from remote query, got 0"
        );
        assert_eq!(failure.fields().sqlstate.as_str(), "P0002");
        assert_eq!(Fault::RowCount(2).sqlstate().as_str(), "P0003");
    }
}

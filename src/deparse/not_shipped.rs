//! Why something is computed here and not on the remote server, for EXPLAIN to tell.

use crate::pg::text;
use pgrx::pg_sys::{self, NodeTag, Oid};
use std::fmt;

/// The first obstacle found. `Display` looks names up in the catalogs: inside a transaction only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotShipped {
    /// A function (or aggregate) the server is not known to have.
    Function(Oid),
    /// An operator the server is not known to have.
    Operator(Oid),
    /// A type the server is not known to have.
    Type(Oid),
    /// An operator family the server is not known to have.
    OperatorFamily(Oid),
    /// The function's result may differ there: it is not immutable, and it needs a row.
    Mutable(Oid),
    /// The collation does not come from a column of the remote table.
    Collation,
    /// The server is known, or was found, to order text in another way.
    TextOrder,
    /// The server is known, or was found, to have another encoding.
    Encoding,
    /// A value that names an object, or whose text depends on settings.
    Constant(Oid),
    /// The system column has another value there.
    SystemColumn(i32),
    /// An aggregate where nothing is grouped, or a partial one.
    Aggregate,
    /// It could give away rows that row-level security hides.
    Secrecy,
    /// The form of the expression cannot be sent.
    Form(&'static str),
    /// A kind of node nobody taught this layer.
    Node(NodeTag),
}

impl fmt::Display for NotShipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotShipped::Function(oid) => {
                write!(f, "function {} is not known to be on the server", function(*oid))
            }
            NotShipped::Operator(oid) => {
                write!(f, "operator {} is not known to be on the server", operator(*oid))
            }
            NotShipped::Type(oid) => {
                write!(f, "type {} is not known to be on the server", type_name(*oid))
            }
            NotShipped::OperatorFamily(oid) => {
                write!(f, "operator family {} is not known to be on the server", oid.to_u32())
            }
            NotShipped::Mutable(oid) => write!(f, "function {} is not immutable", function(*oid)),
            NotShipped::Collation => f.write_str("collation is not that of a remote column"),
            NotShipped::TextOrder => f.write_str("the server may order text in another way"),
            NotShipped::Encoding => f.write_str("the server may have another encoding"),
            NotShipped::Constant(oid) => {
                write!(f, "value of type {} may mean something else there", type_name(*oid))
            }
            NotShipped::SystemColumn(attnum) => {
                write!(f, "system column {}", system_column(*attnum).unwrap_or("unknown"))
            }
            NotShipped::Aggregate => f.write_str("aggregate cannot be computed there"),
            NotShipped::Secrecy => f.write_str("it could show rows that row-level security hides"),
            NotShipped::Form(what) => f.write_str(what),
            NotShipped::Node(tag) => {
                write!(f, "expression of kind {}", format!("{tag:?}").trim_start_matches("T_"))
            }
        }
    }
}

/// The name of a system column.
pub fn system_column(attnum: i32) -> Option<&'static str> {
    Some(match attnum {
        pg_sys::SelfItemPointerAttributeNumber => "ctid",
        pg_sys::MinTransactionIdAttributeNumber => "xmin",
        pg_sys::MinCommandIdAttributeNumber => "cmin",
        pg_sys::MaxTransactionIdAttributeNumber => "xmax",
        pg_sys::MaxCommandIdAttributeNumber => "cmax",
        pg_sys::TableOidAttributeNumber => "tableoid",
        _ => return None,
    })
}

fn function(oid: Oid) -> String {
    // SAFETY: gives a palloc'd name, a number for an unknown OID.
    unsafe { text::take_from_server(pg_sys::format_procedure(oid)) }
}

fn operator(oid: Oid) -> String {
    // SAFETY: as above.
    unsafe { text::take_from_server(pg_sys::format_operator(oid)) }
}

fn type_name(oid: Oid) -> String {
    let flags = pg_sys::FORMAT_TYPE_ALLOW_INVALID;
    // SAFETY: as above; an unknown OID gives "???".
    unsafe { text::take_from_server(pg_sys::format_type_extended(oid, -1, flags as _)) }
}

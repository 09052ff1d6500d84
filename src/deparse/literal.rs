//! Constants as SQL text that means the same on the remote server, whatever is set here.
//!
//! A value is written by its type's output function. Where that function's text depends on settings, they are
//! set for the moment ([`Transmission::literals`]) to what the remote session has too.

use super::{catalog, collation, quote};
use crate::pg::text;
use crate::pg::transmission::Transmission;
use pgrx::pg_sys::{self, Const, Oid};

/// Whether a constant carries its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// Where the remote parser would take it for another type.
    IfNeeded,
    /// As `IfNeeded`, but not on a plain string or NULL: the remote parser gives it the type of the column it
    /// is compared with, which may be declared otherwise there.
    NotOnStrings,
    /// Always.
    Always,
}

/// The constant as SQL.
///
/// # Safety
/// `constant` is a valid node.
pub(super) unsafe fn constant(constant: &Const, label: Label) -> String {
    let collation = constant.constcollid;
    if let Some(name) = collation::portable_name(collation)
        && collation::is_portable_constant(constant.consttype, collation)
    {
        // SAFETY: as the caller vouches.
        let value = unsafe { plain_constant(constant, Label::IfNeeded) };
        return format!("({value} COLLATE {name})");
    }
    // SAFETY: as the caller vouches.
    unsafe { plain_constant(constant, label) }
}

unsafe fn plain_constant(constant: &Const, label: Label) -> String {
    let type_name = || catalog::type_name(constant.consttype, constant.consttypmod);
    if constant.constisnull {
        return match label {
            Label::NotOnStrings => "NULL".to_owned(),
            _ => format!("NULL::{}", type_name()),
        };
    }
    // SAFETY: the node's value is of the node's type.
    let value = unsafe { output(constant) };
    let mut is_float = false;
    let mut is_string = false;
    let sql = match constant.consttype {
        pg_sys::INT2OID
        | pg_sys::INT4OID
        | pg_sys::INT8OID
        | pg_sys::OIDOID
        | pg_sys::FLOAT4OID
        | pg_sys::FLOAT8OID
        | pg_sys::NUMERICOID => {
            if is_number(&value) {
                is_float = value.contains(['e', 'E', '.']);
                // A sign would bind looser than what follows: -1::int2.
                if value.starts_with(['+', '-']) { format!("({value})") } else { value }
            } else {
                format!("'{value}'")
            }
        }
        pg_sys::BITOID | pg_sys::VARBITOID => format!("B'{value}'"),
        pg_sys::BOOLOID => (if value == "t" { "true" } else { "false" }).to_owned(),
        _ => {
            is_string = true;
            quote::literal(&value)
        }
    };
    let needed = match constant.consttype {
        pg_sys::BOOLOID | pg_sys::INT4OID | pg_sys::UNKNOWNOID => false,
        pg_sys::NUMERICOID => !is_float || constant.consttypmod >= 0,
        _ => label != Label::NotOnStrings || !is_string,
    };
    if needed || label == Label::Always { format!("{sql}::{}", type_name()) } else { sql }
}

fn is_number(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'e' | b'E' | b'.'))
}

unsafe fn output(constant: &Const) -> String {
    let _settings = (!has_fixed_text(constant.consttype)).then(Transmission::literals);
    let mut function = Oid::INVALID;
    let mut is_varlena = false;
    // SAFETY: the caller vouches for the value; the output function returns a palloc'd C string.
    unsafe {
        pg_sys::getTypeOutputInfo(constant.consttype, &raw mut function, &raw mut is_varlena);
        text::take_from_server(pg_sys::OidOutputFunctionCall(function, constant.constvalue))
    }
}

/// Types whose text no setting changes; the frequent ones, to spare the trouble.
fn has_fixed_text(type_oid: Oid) -> bool {
    matches!(
        type_oid,
        pg_sys::BOOLOID
            | pg_sys::INT2OID
            | pg_sys::INT4OID
            | pg_sys::INT8OID
            | pg_sys::OIDOID
            | pg_sys::NUMERICOID
            | pg_sys::TEXTOID
            | pg_sys::VARCHAROID
            | pg_sys::BPCHAROID
            | pg_sys::NAMEOID
            | pg_sys::UUIDOID
            | pg_sys::INT4ARRAYOID
            | pg_sys::INT8ARRAYOID
            | pg_sys::TEXTARRAYOID
    )
}

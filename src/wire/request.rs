//! What can be asked of a remote server, what comes back, and how requests are spelled on the wire.
#![forbid(unsafe_code)]

use bytes::BytesMut;
use postgres_protocol::IsNull;
use postgres_protocol::message::frontend::{self, BindError};
use std::io;
use std::ops::Range;
use std::rc::Rc;

/// A result column as the remote server describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Column {
    pub name: String,
    pub type_oid: u32,
    pub typmod: i32,
}

/// Result formats asked for in Bind: 0 text, 1 binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formats {
    /// All columns as text.
    Text,
    /// All columns in binary.
    Binary,
    /// One by one; as many as the result has columns.
    PerColumn(Vec<i16>),
}

/// Parameter values of one Bind: one buffer, no allocation per value.
#[derive(Clone, Debug, Default)]
pub struct Params {
    /// Values one after the other.
    pub buffer: Vec<u8>,
    /// Per parameter: its bytes in `buffer` (None = NULL) and its format (0 text, 1 binary).
    pub values: Vec<(Option<Range<usize>>, i16)>,
}

/// One request. Everything up to and including its Sync is queued and written together.
pub enum Request<'a> {
    /// Simple query protocol ('Q'); may hold several statements; rows come as text. The reply is the last
    /// statement's.
    Simple(&'a str),
    /// Parse (unless this connection has `sql` prepared already) + Describe + Bind + Execute + Sync.
    Execute {
        /// One statement.
        sql: &'a str,
        /// Type OIDs for Parse; 0 or missing = let the server infer.
        param_types: &'a [u32],
        /// Values of the statement's parameters.
        params: &'a Params,
        /// Formats of the result's columns.
        formats: Formats,
        /// Portal name; "" = unnamed. A named portal stays open (inside a transaction) until closed.
        portal: &'a str,
        /// Execute's row limit, 0 = all.
        max_rows: u32,
    },
    /// Execute again on an open portal.
    #[allow(missing_docs)]
    Fetch { portal: &'a str, max_rows: u32 },
    /// Close a portal (no result).
    ClosePortal(&'a str),
    /// Parse + Describe only, to learn parameter and column types (then cached).
    #[allow(missing_docs)]
    Prepare { sql: &'a str, param_types: &'a [u32] },
    /// COPY ... FROM STDIN: the reply comes when the server takes data; the connection stays in copy-in mode
    /// until `copy_end`.
    CopyIn(&'a str),
}

/// The answer to one request.
#[derive(Debug, Default)]
pub struct Reply {
    /// Columns, when the request was described (Execute, Prepare, Simple with rows).
    pub columns: Option<Rc<[Column]>>,
    /// Parameter types the server inferred (Prepare, Execute).
    pub param_types: Option<Rc<[u32]>>,
    /// DataRow message bodies (int16 field count, then int32 length + bytes each), one after the other. Every
    /// body has been checked: lengths fit.
    pub data: Vec<u8>,
    /// Where each row starts in `data`.
    pub rows: Vec<u32>,
    /// CommandComplete tag of the last statement, e.g. "UPDATE 3"; None if the portal was suspended.
    pub tag: Option<String>,
    /// True when Execute stopped at its row limit.
    pub suspended: bool,
}

impl Reply {
    /// The DataRow body of one row; empty if there is no such row.
    pub fn row(&self, index: usize) -> &[u8] {
        let Some(&start) = self.rows.get(index) else { return &[] };
        let end = self.rows.get(index + 1).map_or(self.data.len(), |&end| end as usize);
        self.data.get(start as usize..end).unwrap_or_default()
    }

    /// The fields of one row, None for NULL.
    pub fn fields(&self, row: usize) -> Fields<'_> {
        Fields(self.row(row).get(2..).unwrap_or_default())
    }

    /// The rows that the statement touched, from its command tag ("INSERT 0 5", "UPDATE 3", "SELECT 7").
    pub fn affected(&self) -> Option<u64> {
        self.tag.as_deref()?.rsplit(' ').next()?.parse().ok()
    }
}

/// Iterator over the fields of a row.
pub struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            self.0 = rest;
            return Some(None);
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Some(value))
    }
}

/// The remote transaction status from ReadyForQuery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Status {
    Idle,
    InTransaction,
    Failed,
}

/// Bind of `params` to `statement`.
pub(super) fn bind(
    portal: &str,
    statement: &str,
    params: &Params,
    formats: &Formats,
    out: &mut BytesMut,
) -> io::Result<()> {
    let one;
    let formats = match formats {
        Formats::Text => &[][..],
        Formats::Binary => {
            one = [1i16];
            &one[..]
        }
        Formats::PerColumn(formats) => &formats[..],
    };
    let written = frontend::bind(
        portal,
        statement,
        params.values.iter().map(|(_, format)| *format),
        params.values.iter(),
        |(range, _), out| match range {
            None => Ok(IsNull::Yes),
            Some(range) => {
                let value =
                    params.buffer.get(range.clone()).ok_or("parameter out of its buffer")?;
                out.extend_from_slice(value);
                Ok(IsNull::No)
            }
        },
        formats.iter().copied(),
        out,
    );
    written.map_err(|error| match error {
        BindError::Serialization(error) => error,
        BindError::Conversion(error) => io::Error::other(error),
    })
}

/// The row limit as Execute carries it.
pub(super) fn limit(max_rows: u32) -> i32 {
    i32::try_from(max_rows).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_rows() {
        let mut reply = Reply::default();
        reply.rows.push(0);
        reply.data.extend_from_slice(&[0, 2, 0, 0, 0, 1, b'x', 255, 255, 255, 255]);
        reply.rows.push(reply.data.len() as u32);
        reply.data.extend_from_slice(&[0, 1, 0, 0, 0, 0]);
        assert_eq!(reply.fields(0).collect::<Vec<_>>(), [Some(&b"x"[..]), None]);
        assert_eq!(reply.fields(1).collect::<Vec<_>>(), [Some(&b""[..])]);
        assert_eq!(reply.fields(2).count(), 0);
    }

    #[test]
    fn affected_rows() {
        let mut reply = Reply::default();
        for (tag, count) in [("INSERT 0 5", Some(5)), ("UPDATE 3", Some(3)), ("BEGIN", None)] {
            reply.tag = Some(tag.to_owned());
            assert_eq!(reply.affected(), count);
        }
    }

    #[test]
    fn a_parameter_out_of_its_buffer_is_an_error() {
        let params = Params { buffer: vec![1], values: vec![(Some(0..2), 0)] };
        let mut out = BytesMut::new();
        assert!(bind("", "", &params, &Formats::Text, &mut out).is_err());
    }
}

//! The rows of an INSERT as one array for each column: `INSERT INTO t(a, b) SELECT * FROM unnest($1, $2)`.
//!
//! A server reads a few arrays in a fraction of the time that it takes for thousands of parameters, and the
//! statement is the same for any number of rows. The arrays go in binary, so both sides must know the columns by the same
//! built-in types.

use super::kinds;
use crate::pg::typeio::element_type;
use crate::wire::Params;
use pgrx::pg_sys::{self, Oid};

/// The array type of a column of type `base` (not a domain) whose values go in binary; `None` if its values cannot
/// travel in an array.
pub fn array_type(base: u32) -> Option<u32> {
    // An array in an array is one of more dimensions, which unnest takes apart.
    let is_array = element_type(base) != 0 && !kinds::is_text_like(base);
    // Sent as text, and another thing in binary.
    if is_array || kinds::prefers_text(base) && !kinds::is_text_like(base) {
        return None;
    }
    // SAFETY: a look-up in the catalogs.
    let array = unsafe { pg_sys::get_array_type(Oid::from(base)) };
    (array != pg_sys::InvalidOid).then(|| array.to_u32())
}

/// The first `before` of `params` as they are; of the others, which are rows of the columns of these types one after the
/// other, an array for each column (array_send's form in utils/adt/arrayfuncs.c).
pub fn transpose(params: &Params, before: usize, columns: &[u32]) -> Params {
    let rows = (params.values.len() - before) / columns.len();
    let mut out = Params::default();
    out.buffer.reserve(params.buffer.len() + 4 * params.values.len() + 20 * columns.len());
    for (value, format) in &params.values[..before] {
        let start = out.buffer.len();
        let value = value.clone().map(|range| {
            out.buffer.extend_from_slice(&params.buffer[range]);
            start..out.buffer.len()
        });
        out.values.push((value, *format));
    }
    for (column, &element) in columns.iter().enumerate() {
        let cells = || params.values[before + column..].iter().step_by(columns.len());
        let has_null = cells().any(|(value, _)| value.is_none());
        let start = out.buffer.len();
        let (dimensions, lower_bound) = (1u32, 1u32);
        for word in [dimensions, u32::from(has_null), element, rows as u32, lower_bound] {
            out.buffer.extend_from_slice(&word.to_be_bytes());
        }
        for (value, _) in cells() {
            match value {
                None => out.buffer.extend_from_slice(&(-1i32).to_be_bytes()),
                Some(range) => {
                    out.buffer.extend_from_slice(&(range.len() as u32).to_be_bytes());
                    out.buffer.extend_from_slice(&params.buffer[range.clone()]);
                }
            }
        }
        out.values.push((Some(start..out.buffer.len()), 1));
    }
    out
}

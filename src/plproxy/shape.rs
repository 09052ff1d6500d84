//! The columns of a composite result.

use super::fault::Label;
use super::function::{ResultColumn, Shape};
use super::types::{self, Dependencies, Use};
use crate::error::Failure;
use crate::pg::{compat, text};
use pgrx::pg_sys;

/// Reads a tuple descriptor: its columns without the dropped ones, each of a type that can be had.
///
/// # Safety
/// `descriptor` is valid and outlives the result.
pub unsafe fn of(
    label: &Label,
    descriptor: pg_sys::TupleDesc,
    dependencies: &mut Dependencies,
) -> Result<Shape, Failure> {
    // SAFETY: attribute numbers below natts are there.
    unsafe {
        let count = (*descriptor).natts as usize;
        let mut columns = Vec::with_capacity(count);
        for attribute in 0..count {
            let form = compat::attribute(descriptor, attribute);
            if (*form).attisdropped {
                continue;
            }
            types::lookup(label, (*form).atttypid, Use::Argument, dependencies)?;
            columns.push(ResultColumn {
                attribute,
                name: text::from_server((*form).attname.data.as_ptr()),
                oid: (*form).atttypid,
                typmod: (*form).atttypmod,
            });
        }
        Ok(Shape { descriptor, columns })
    }
}

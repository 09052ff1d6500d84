//! Rows of a slot into COPY's text format.

use super::text::{self, DELIMITER, END_OF_ROW};
use crate::error::Failure;
use crate::exec::kinds::{self, TextForm, oid};
use crate::exec::params::{settings_for, with_varlena};
use crate::pg::compat;
use crate::pg::memory::{self, ContextGuard};
use crate::pg::text::{server_is_sql_ascii, server_is_utf8};
use crate::pg::transmission::server_to_wire;
use crate::pg::typeio::{self, Output, element_type, type_kind};
use pgrx::pg_sys::{self, Datum, Oid};
use std::ffi::CStr;

/// How a column's values are turned into text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Bool,
    Int2,
    Int4,
    Int8,
    /// Four bytes without sign.
    Word,
    Uuid,
    Bytea,
    /// The characters themselves.
    Text,
    /// By the type's output function.
    Function,
}

struct Column {
    /// From 0, in the slot.
    index: usize,
    /// The type below domains.
    base: u32,
    way: Way,
    form: TextForm,
    output: Option<Output>,
}

/// Encodes rows of one row type.
pub struct RowEncoder {
    columns: Vec<Column>,
    /// Some column's text depends on settings.
    styled: bool,
    /// Characters go as they are.
    same_encoding: bool,
    converted: Vec<u8>,
    owner: pg_sys::MemoryContext,
    scratch: pg_sys::MemoryContext,
}

impl RowEncoder {
    /// For the columns `attnums` of rows described by `descriptor`. What it looks up lives in `owner`.
    ///
    /// # Safety
    /// The descriptor is valid and has the columns; `owner` outlives the encoder's use.
    pub unsafe fn new(
        descriptor: pg_sys::TupleDesc,
        attnums: &[i16],
        owner: pg_sys::MemoryContext,
    ) -> RowEncoder {
        // SAFETY: as the caller vouches.
        let columns: Vec<Column> = attnums
            .iter()
            .map(|&attnum| unsafe {
                let index = attnum as usize - 1;
                let declared = (*compat::attribute(descriptor, index)).atttypid;
                let base = typeio::base_type(declared, -1).0.to_u32();
                let form = if type_kind(base) == pg_sys::TYPTYPE_ENUM {
                    TextForm::Plain
                } else {
                    kinds::text_form(base, element_type)
                };
                Column { index, base, way: way(base), form, output: None }
            })
            .collect();
        RowEncoder {
            styled: columns.iter().any(|column| column.form != TextForm::Plain),
            same_encoding: server_is_utf8() || server_is_sql_ascii(),
            converted: Vec::new(),
            columns,
            owner,
            // SAFETY: the owner is alive.
            scratch: unsafe { memory::create_child(owner, c"shard_fdw COPY") },
        }
    }

    /// Appends the row in `slot`, with the end of the row.
    ///
    /// # Safety
    /// The slot holds a row of the type the encoder was made for.
    pub unsafe fn row(
        &mut self,
        slot: *mut pg_sys::TupleTableSlot,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        // SAFETY: as the caller vouches; after slot_getallattrs all columns are there.
        unsafe {
            if (*slot).tts_nvalid < (*(*slot).tts_tupleDescriptor).natts as i16 {
                pg_sys::slot_getallattrs(slot);
            }
            let is_null = |column: &Column| *(*slot).tts_isnull.add(column.index);
            let form = if self.styled {
                let there = self.columns.iter().filter(|column| !is_null(column));
                there.map(|column| column.form).max().unwrap_or(TextForm::Plain)
            } else {
                TextForm::Plain
            };
            let settings = settings_for(form);
            let mut used_scratch = false;
            for (place, column) in self.columns.iter_mut().enumerate() {
                if place > 0 {
                    out.push(DELIMITER);
                }
                if is_null(column) {
                    text::put_null(out);
                    continue;
                }
                let value = *(*slot).tts_values.add(column.index);
                match column.way {
                    Way::Bool => out.push(if value.value() as u8 != 0 { b't' } else { b'f' }),
                    Way::Int2 => text::put_integer(i64::from(value.value() as i16), out),
                    Way::Int4 => text::put_integer(i64::from(value.value() as i32), out),
                    Way::Int8 => text::put_integer(value.value() as i64, out),
                    Way::Word => text::put_integer(i64::from(value.value() as u32), out),
                    Way::Uuid => text::put_uuid(&*value.cast_mut_ptr::<[u8; 16]>(), out),
                    Way::Bytea => with_varlena(value, |bytes| text::put_bytea(bytes, out)),
                    Way::Text if self.same_encoding => {
                        with_varlena(value, |bytes| text::put_escaped(bytes, out));
                    }
                    Way::Text => with_varlena(value, |bytes| {
                        put_converted(bytes, &mut self.converted, out);
                    }),
                    Way::Function => {
                        let _context = ContextGuard::switch_to(self.scratch);
                        used_scratch = true;
                        let shown = show(column, value, self.owner);
                        if self.same_encoding {
                            text::put_escaped(shown.to_bytes(), out);
                        } else {
                            put_converted(shown.to_bytes(), &mut self.converted, out);
                        }
                    }
                }
            }
            out.push(END_OF_ROW);
            if used_scratch {
                pg_sys::MemoryContextReset(self.scratch);
            }
            drop(settings);
            Ok(())
        }
    }
}

/// The text of a value by its type's output function, in the current memory context.
unsafe fn show<'a>(column: &mut Column, value: Datum, owner: pg_sys::MemoryContext) -> &'a CStr {
    // SAFETY: the caller vouches for the value and the context; the result is a palloc'd string.
    unsafe {
        let output = match column.output {
            Some(output) => output,
            None => *column.output.insert(Output::lookup(Oid::from(column.base), owner)),
        };
        CStr::from_ptr(output.call(value))
    }
}

fn put_converted(bytes: &[u8], buffer: &mut Vec<u8>, out: &mut Vec<u8>) {
    buffer.clear();
    server_to_wire(bytes, buffer);
    text::put_escaped(buffer, out);
}

fn way(base: u32) -> Way {
    match base {
        oid::BOOL => Way::Bool,
        oid::INT2 => Way::Int2,
        oid::INT4 => Way::Int4,
        oid::INT8 => Way::Int8,
        oid::OID | oid::XID | oid::CID => Way::Word,
        oid::UUID => Way::Uuid,
        oid::BYTEA => Way::Bytea,
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::JSON | oid::REFCURSOR => Way::Text,
        _ => Way::Function,
    }
}

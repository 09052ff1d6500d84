//! Datums into the parameters of a statement.
//!
//! Values go as text, whose meaning the remote server finds out from where it stands, until the types are known to
//! be the same on both sides; then in binary, and Parse says so.

use super::codec;
use super::kinds::{self, Native, TextForm};
use super::row_arrays;
use crate::error::Failure;
use crate::pg::memory::{self, ContextGuard};
use crate::pg::transmission::{Transmission, WireEncoding, server_to_wire};
use crate::pg::typeio::{self, Output, Send, element_type, type_kind};
use crate::wire::Params;
use pgrx::pg_sys::{self, Datum, Oid};
use std::ffi::CStr;

/// One parameter's type.
struct Param {
    /// The type below domains.
    base: u32,
    native: Option<Native>,
    /// Whether the remote server is known to take it as this very type, and binary is safe.
    binary: bool,
    /// What changes the text form.
    form: TextForm,
    output: Option<Output>,
    send: Option<Send>,
}

/// Encodes the parameters of one statement.
pub struct ParamEncoder {
    params: Vec<Param>,
    owner: pg_sys::MemoryContext,
    /// What output functions allocate; emptied now and then.
    scratch: pg_sys::MemoryContext,
}

impl ParamEncoder {
    /// For a statement whose parameters' types the remote server infers from where they stand: `INSERT ... VALUES
    /// ($1, $2)`, `SET x = $2`. `types` may be one row of several: parameters repeat with that period.
    ///
    /// What it looks up lives in the memory context that is current now; the encoder must not be used after that
    /// context's end (dropping is safe).
    pub fn new(types: &[Oid]) -> Result<ParamEncoder, Failure> {
        Ok(ParamEncoder::build(types, false))
    }

    /// For a statement that casts each parameter to the built-in type it has here (`$1::integer`): Parse may
    /// name the types, so the first execution has them in binary already.
    pub fn declared(types: &[Oid]) -> Result<ParamEncoder, Failure> {
        Ok(ParamEncoder::build(types, true))
    }

    fn build(types: &[Oid], declared: bool) -> ParamEncoder {
        // SAFETY: the current context is alive, and its lifetime is the contract of `new`.
        let (owner, scratch) = unsafe {
            let owner = pg_sys::CurrentMemoryContext;
            (owner, memory::create_child(owner, c"shard_fdw parameters"))
        };
        let params = types
            .iter()
            .map(|&declared_type| {
                let base = typeio::base_type(declared_type, -1).0.to_u32();
                Param {
                    base,
                    native: kinds::native(base),
                    binary: declared && goes_binary(base),
                    form: if type_kind(base) == pg_sys::TYPTYPE_ENUM {
                        TextForm::Plain
                    } else {
                        kinds::text_form(base, element_type)
                    },
                    output: None,
                    send: None,
                }
            })
            .collect();
        ParamEncoder { params, owner, scratch }
    }

    /// The types for Parse, of `count` parameters: of those that go in binary; 0, or nothing at all, for those that
    /// the server infers. What goes in binary is always named, so that the server cannot take it for anything else.
    pub fn param_types(&self, count: usize) -> Vec<u32> {
        if !self.params.iter().any(|p| p.binary) {
            return Vec::new();
        }
        let types = self.params.iter().map(|p| if p.binary { p.base } else { 0 });
        types.cycle().take(count).collect()
    }

    /// Takes note of the types that the remote server says the parameters have (`Reply::param_types`): where they
    /// are the local ones, values go in binary from now on.
    pub fn learn(&mut self, remote: &[u32]) {
        if self.params.is_empty() {
            return;
        }
        let period = self.params.len();
        for (i, param) in self.params.iter_mut().enumerate() {
            let mut same = remote.iter().skip(i).step_by(period).peekable();
            param.binary =
                same.peek().is_some() && same.all(|&t| t == param.base) && goes_binary(param.base);
        }
    }

    /// The types of the parameters and of arrays of them, when all their values go in a form that arrays can have.
    pub fn arrays(&self) -> Option<(Vec<u32>, Vec<u32>)> {
        let arrays = self
            .params
            .iter()
            .map(|param| row_arrays::array_type(param.base).filter(|_| param.binary));
        let arrays = arrays.collect::<Option<Vec<u32>>>().filter(|arrays| !arrays.is_empty())?;
        Some((self.params.iter().map(|param| param.base).collect(), arrays))
    }

    /// Appends the value of one parameter to `out`: `index` is its place in the types. Several values are better
    /// given to [`ParamEncoder::encode_all`].
    ///
    /// # Safety
    /// `value` is of the parameter's type; the memory context of [`ParamEncoder::new`] is alive.
    pub unsafe fn encode(
        &mut self,
        index: usize,
        value: Datum,
        is_null: bool,
        out: &mut Params,
    ) -> Result<(), Failure> {
        let settings = settings_for(if is_null { TextForm::Plain } else { self.form(index) });
        // SAFETY: as the caller vouches.
        let result = unsafe { self.put(index, value, is_null, out) };
        drop(settings);
        result
    }

    /// Appends one value for each of the types.
    ///
    /// # Safety
    /// The values are of the parameters' types; the memory context of [`ParamEncoder::new`] is alive.
    pub unsafe fn encode_all(
        &mut self,
        values: &[Datum],
        nulls: &[bool],
        out: &mut Params,
    ) -> Result<(), Failure> {
        if values.len() != self.params.len() || nulls.len() != values.len() {
            return Err(Failure::internal("wrong number of parameters"));
        }
        let forms = (0..nulls.len()).filter(|&i| !nulls[i]).map(|i| self.form(i));
        let settings = settings_for(forms.max().unwrap_or(TextForm::Plain));
        let result = values.iter().zip(nulls).enumerate().try_for_each(|(i, (value, null))| {
            // SAFETY: as the caller vouches.
            unsafe { self.put(i, *value, *null, out) }
        });
        drop(settings);
        result
    }

    /// What changes the form in which the parameter goes.
    fn form(&self, index: usize) -> TextForm {
        match self.params.get(index) {
            Some(param) if !param.binary => param.form,
            _ => TextForm::Plain,
        }
    }

    unsafe fn put(
        &mut self,
        index: usize,
        value: Datum,
        is_null: bool,
        out: &mut Params,
    ) -> Result<(), Failure> {
        let Some(param) = self.params.get_mut(index) else {
            return Err(Failure::internal(format!("no parameter {index}")));
        };
        let format = i16::from(param.binary && !kinds::prefers_text(param.base));
        if is_null {
            out.values.push((None, format));
            return Ok(());
        }
        let start = out.buffer.len();
        // SAFETY: as the caller vouches; nothing is kept in the scratch context across values.
        unsafe {
            let done = match param.native {
                Some(native) if format == 1 => put_native(native, value, &mut out.buffer),
                Some(native) => put_native_text(native, value, &mut out.buffer),
                None => false,
            };
            if !done {
                let _context = ContextGuard::switch_to(self.scratch);
                if format == 1 {
                    let send = match param.send {
                        Some(send) => send,
                        None => *param.send.insert(Send::lookup(Oid::from(param.base), self.owner)),
                    };
                    let _encoding = WireEncoding::enter();
                    send.call(value, &mut out.buffer);
                } else {
                    let output = match param.output {
                        Some(output) => output,
                        None => {
                            *param.output.insert(Output::lookup(Oid::from(param.base), self.owner))
                        }
                    };
                    let text = output.call(value);
                    server_to_wire(CStr::from_ptr(text).to_bytes(), &mut out.buffer);
                }
                pg_sys::MemoryContextReset(self.scratch);
            }
        }
        out.values.push((Some(start..out.buffer.len()), format));
        Ok(())
    }
}

/// Whether values of a built-in type may go in binary once the other side is known to have the same type.
fn goes_binary(base: u32) -> bool {
    kinds::binary_safe(base, element_type)
}

/// Puts aside what would change text forms. The time zone stays: the text names it, and a remote column without
/// one takes the local time.
pub(super) fn settings_for(form: TextForm) -> Option<Transmission> {
    match form {
        TextForm::Plain => None,
        TextForm::Styled | TextForm::Zoned => Transmission::styles(),
        TextForm::Unknown => Some(Transmission::local()),
    }
}

/// Appends the binary form; false for a type that its send function must encode.
unsafe fn put_native(native: Native, value: Datum, out: &mut Vec<u8>) -> bool {
    if codec::put_by_value(native, value.value() as i64, out) {
        return true;
    }
    // SAFETY: the caller vouches that the Datum is of the type.
    unsafe {
        match native {
            Native::Uuid => out.extend_from_slice(std::slice::from_raw_parts(
                value.cast_mut_ptr::<u8>().cast_const(),
                16,
            )),
            Native::Bytea => with_varlena(value, |bytes| out.extend_from_slice(bytes)),
            _ => return false,
        }
    }
    true
}

/// Appends the text form; false for a type that its output function must show.
unsafe fn put_native_text(native: Native, value: Datum, out: &mut Vec<u8>) -> bool {
    if codec::put_text(native, value.value() as i64, out) {
        return true;
    }
    // SAFETY: the caller vouches that the Datum is of the type.
    unsafe {
        match native {
            Native::Text => with_varlena(value, |bytes| server_to_wire(bytes, out)),
            Native::Name => {
                let name = CStr::from_ptr(value.cast_mut_ptr());
                server_to_wire(name.to_bytes(), out);
            }
            _ => return false,
        }
    }
    true
}

/// Calls `with` with the contents of a varlena, de-toasted if need be.
pub(super) unsafe fn with_varlena(value: Datum, with: impl FnOnce(&[u8])) {
    // SAFETY: the caller vouches that the Datum is a varlena; a copy is freed here.
    unsafe {
        let stored = value.cast_mut_ptr::<pg_sys::varlena>();
        let plain = pg_sys::pg_detoast_datum_packed(stored);
        with(typeio::varlena_bytes(plain));
        if plain != stored {
            pg_sys::pfree(plain.cast());
        }
    }
}

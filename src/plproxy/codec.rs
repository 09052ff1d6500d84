//! How one function's arguments become parameters and its remote rows become values.
//!
//! A codec lives in a memory context of its own and is used for call after call. One kind of result has one
//! [`Columns`]; a query that was written by the user may be described differently by each partition.

use super::fault::Fault;
use super::function::{Argument, Memory, Remote, Returns, Shape};
use crate::error::Failure;
use crate::exec::params::ParamEncoder;
use crate::exec::rows::{Fit, LocalColumn, RowDecoder};
use crate::pg::memory::ContextGuard;
use crate::wire::{Column, Formats, Params};
use pgrx::pg_sys::{self, Datum, Oid};

/// What rows become.
#[derive(Clone, Copy)]
pub enum Result<'a> {
    Void,
    Scalar(Oid),
    Composite(&'a Shape),
}

impl<'a> Result<'a> {
    /// `record` is the shape of the call's own record.
    pub fn of(returns: &'a Returns, record: Option<&'a Shape>) -> Option<Result<'a>> {
        match returns {
            Returns::Void => Some(Result::Void),
            Returns::Scalar(kind) => Some(Result::Scalar(kind.oid)),
            Returns::Composite { shape, .. } => Some(Result::Composite(shape)),
            Returns::Record => record.map(Result::Composite),
        }
    }

    /// How many values a row has: a tuple's attributes, dropped ones included.
    pub fn width(&self) -> usize {
        match self {
            Result::Void | Result::Scalar(_) => 1,
            // SAFETY: the shape's descriptor is valid as long as the shape.
            Result::Composite(shape) => unsafe { (*shape.descriptor).natts as usize },
        }
    }
}

/// The columns of a remote result.
pub struct Columns {
    decoder: RowDecoder,
    /// Where each decoded column goes.
    places: Vec<usize>,
    /// The names and types they were made for; `None` when the query was made here.
    described: Option<Vec<(String, u32)>>,
    /// Rows cannot be used, and why: an error once there is one.
    unfit: Option<Fault>,
    values: Vec<Datum>,
    nulls: Vec<bool>,
}

impl Columns {
    /// For a query made here: the columns are those asked for. Lives in the current memory context.
    pub fn exact(result: Result<'_>, text_only: bool) -> std::result::Result<Columns, Failure> {
        let (locals, places) = match result {
            Result::Void => (Vec::new(), Vec::new()),
            Result::Scalar(oid) => (vec![local(oid, -1, "")], vec![0]),
            Result::Composite(shape) => shape
                .columns
                .iter()
                .map(|column| (local(column.oid, column.typmod, &column.name), column.attribute))
                .unzip(),
        };
        Columns::new(locals, places, None, None, text_only)
    }

    /// For a query that was written by the user and gives the columns `remote`.
    pub fn described(
        result: Result<'_>,
        remote: &[Column],
        text_only: bool,
    ) -> std::result::Result<Columns, Failure> {
        let mut unfit = None;
        let (mut locals, mut places) = (Vec::new(), Vec::new());
        match result {
            Result::Void | Result::Scalar(_) if remote.len() != 1 => unfit = Some(Fault::NotSingle),
            Result::Void => {}
            Result::Scalar(oid) => (locals, places) = (vec![local(oid, -1, "")], vec![0]),
            Result::Composite(shape) if remote.len() < shape.columns.len() => {
                unfit = Some(Fault::TooFewFields);
            }
            Result::Composite(shape) if remote.len() > shape.columns.len() => {
                unfit = Some(Fault::TooManyFields);
            }
            Result::Composite(shape) => {
                let missing =
                    shape.columns.iter().find(|c| !remote.iter().any(|r| r.name == c.name));
                unfit = missing.map(|column| Fault::NoField(column.name.clone()));
                for found in remote {
                    if let Some(column) = shape.columns.iter().find(|c| c.name == found.name) {
                        locals.push(local(column.oid, column.typmod, &column.name));
                        places.push(column.attribute);
                    }
                }
            }
        }
        if unfit.is_some() {
            (locals, places) = (Vec::new(), Vec::new());
        }
        let names = remote.iter().map(|c| (c.name.clone(), c.type_oid)).collect();
        Columns::new(locals, places, Some(names), unfit, text_only)
    }

    fn new(
        locals: Vec<LocalColumn>,
        places: Vec<usize>,
        described: Option<Vec<(String, u32)>>,
        unfit: Option<Fault>,
        text_only: bool,
    ) -> std::result::Result<Columns, Failure> {
        let names: Vec<String> = locals.iter().map(|column| column.name.clone()).collect();
        let mut decoder = RowDecoder::new(locals, String::new())?;
        for (index, name) in names.into_iter().enumerate() {
            let place = match name.is_empty() {
                true => "result of the remote query".to_owned(),
                false => format!("column \"{name}\" of the remote query's result"),
            };
            decoder.describe(index, place);
        }
        if text_only {
            decoder.text_only();
        }
        let count = places.len();
        Ok(Columns {
            decoder,
            places,
            described,
            unfit,
            values: vec![Datum::null(); count],
            nulls: vec![true; count],
        })
    }

    /// Whether these columns were made for that description.
    pub fn is_for(&self, remote: &[Column]) -> bool {
        self.described.as_ref().is_some_and(|described| {
            described.len() == remote.len()
                && described.iter().zip(remote).all(|(d, r)| d.0 == r.name && d.1 == r.type_oid)
        })
    }

    /// The formats to ask for.
    pub fn formats(&self) -> Formats {
        self.decoder.formats()
    }

    /// Takes note of the description of the result whose rows come next. `Some`: they must have been asked for
    /// in these formats.
    pub fn fit(&mut self, remote: &[Column]) -> std::result::Result<Option<Formats>, Failure> {
        Ok(match self.decoder.fit(remote)? {
            Fit::Ready => None,
            Fit::Rebind(formats) => Some(formats),
        })
    }

    /// Decodes a row into the places of `values` and `nulls`. What values refer to lives until [`Columns::reset`].
    ///
    /// # Safety
    /// The memory context that the columns were made in is alive.
    pub unsafe fn decode(
        &mut self,
        row: &[u8],
        values: &mut [Datum],
        nulls: &mut [bool],
    ) -> std::result::Result<(), Failure> {
        // SAFETY: as the caller vouches.
        unsafe { self.decoder.decode(row, &mut self.values, &mut self.nulls)? };
        for ((place, value), null) in self.places.iter().zip(&self.values).zip(&self.nulls) {
            values[*place] = *value;
            nulls[*place] = *null;
        }
        Ok(())
    }

    /// Why rows cannot be used.
    pub fn unfit(&self) -> Option<&Fault> {
        self.unfit.as_ref()
    }

    /// Frees what decoded rows refer to.
    ///
    /// # Safety
    /// Nobody uses their values any more; the memory context that the columns were made in is alive.
    pub unsafe fn reset(&mut self) {
        // SAFETY: as the caller vouches.
        unsafe { self.decoder.reset_batch() }
    }
}

/// Parameters and columns of one function.
pub struct Codec {
    pub encoder: ParamEncoder,
    pub param_types: Vec<u32>,
    pub columns: Vec<Columns>,
    text_only: bool,
    memory: Memory,
}

impl Codec {
    /// For `remote`, whose parameters are among `arguments`.
    pub fn new(
        remote: &Remote,
        arguments: &[Argument],
        result: Result<'_>,
        text_only: bool,
    ) -> std::result::Result<Codec, Failure> {
        let memory = Memory::new();
        let types: Vec<Oid> = remote.arguments.iter().map(|&a| arguments[a].kind.oid).collect();
        // SAFETY: the context lives as long as the codec.
        let _context = unsafe { ContextGuard::switch_to(memory.context()) };
        let encoder =
            if text_only { ParamEncoder::new(&types)? } else { ParamEncoder::declared(&types)? };
        let columns =
            if remote.exact { vec![Columns::exact(result, text_only)?] } else { Vec::new() };
        Ok(Codec {
            param_types: encoder.param_types(types.len()),
            encoder,
            columns,
            text_only,
            memory,
        })
    }

    /// Whether the codec keeps to text as `text_only` says.
    pub fn suits(&self, text_only: bool) -> bool {
        self.text_only == text_only
    }

    /// The place in `columns` of those for the description `remote`.
    pub fn columns_for(
        &mut self,
        result: Result<'_>,
        remote: &[Column],
    ) -> std::result::Result<usize, Failure> {
        if let Some(known) = self.columns.iter().position(|columns| columns.is_for(remote)) {
            return Ok(known);
        }
        // SAFETY: the context lives as long as the codec.
        let _context = unsafe { ContextGuard::switch_to(self.memory.context()) };
        let mut columns = Columns::described(result, remote, self.text_only)?;
        if columns.unfit().is_none() {
            // In text every type can be read, so the second look is the last.
            columns.fit(remote)?;
        }
        self.columns.push(columns);
        Ok(self.columns.len() - 1)
    }

    /// The values of a query's parameters.
    ///
    /// # Safety
    /// `values` are of the arguments' types.
    pub unsafe fn encode(
        &mut self,
        remote: &Remote,
        values: &[Option<Datum>],
    ) -> std::result::Result<Params, Failure> {
        let mut params = Params::default();
        let datums: Vec<Datum> =
            remote.arguments.iter().map(|&a| values[a].unwrap_or(Datum::null())).collect();
        let nulls: Vec<bool> = remote.arguments.iter().map(|&a| values[a].is_none()).collect();
        // SAFETY: as the caller vouches; the memory lives as long as the codec.
        unsafe { self.encoder.encode_all(&datums, &nulls, &mut params)? };
        Ok(params)
    }
}

fn local(type_oid: Oid, typmod: i32, name: &str) -> LocalColumn {
    // An attribute of a result has no modifier but a composite type's.
    LocalColumn { type_oid, typmod, name: name.to_owned(), state: None, place: None }
}

/// A datum that outlives its row: a copy in the current memory context.
///
/// # Safety
/// `value` is of a type with that layout.
pub unsafe fn copy(value: Datum, by_value: bool, length: i16) -> Datum {
    if by_value {
        return value;
    }
    // SAFETY: as the caller vouches: a varlena, a C string or that many bytes.
    unsafe {
        match usize::try_from(length) {
            Ok(length) => {
                let copy = pg_sys::palloc(length).cast::<u8>();
                std::ptr::copy_nonoverlapping(value.cast_mut_ptr::<u8>(), copy, length);
                Datum::from(copy)
            }
            Err(_) if length == -1 => {
                Datum::from(pg_sys::pg_detoast_datum_copy(value.cast_mut_ptr()))
            }
            Err(_) => Datum::from(pg_sys::pstrdup(value.cast_mut_ptr())),
        }
    }
}

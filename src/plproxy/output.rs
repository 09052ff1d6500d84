//! Where a call's rows go: one value that is returned, a few that are given out one by one, or a tuplestore that belongs to
//! this very call.

use super::codec::{self, Columns, Result as Kind};
use super::fault::{Fault, Label};
use super::function::{Function, Returns, Shape};
use super::rowwise;
use crate::error::{Failure, SqlState};
use crate::pg::memory::ContextGuard;
use crate::pg::typeio::Domain;
use crate::wire::Reply;
use pgrx::pg_sys::{self, Datum, FunctionCallInfo};

/// So many rows, and so large a part of them, are given out one by one.
const FEW: usize = 8;
const FEW_BYTES: usize = 8 * 1024;

/// A call's result in the making.
pub struct Output<'a> {
    label: &'a Label,
    returns: &'a Returns,
    pub kind: Kind<'a>,
    sink: Sink,
    /// Rows so far.
    count: u64,
    values: Vec<Datum>,
    nulls: Vec<bool>,
    info: FunctionCallInfo,
}

enum Sink {
    /// Not a set: the first row's value, `None` for NULL.
    One(Option<Datum>),
    /// A set that is small so far, in the call's memory.
    Few(Vec<Option<Datum>>),
    /// A set.
    Store { store: *mut pg_sys::Tuplestorestate, descriptor: pg_sys::TupleDesc },
}

impl<'a> Output<'a> {
    /// # Safety
    /// `info` is the call's; it and `record`'s descriptor outlive the result.
    pub unsafe fn new(
        function: &'a Function,
        record: Option<&'a Shape>,
        info: FunctionCallInfo,
    ) -> Result<Output<'a>, Failure> {
        let label = &function.label;
        let Some(kind) = Kind::of(&function.returns, record) else {
            return label.err(Fault::UnsupportedType);
        };
        let sink = match function.set {
            // SAFETY: as the caller vouches.
            true if unsafe { rowwise::is_wanted(info) } && !has_domain(&function.returns) => {
                Sink::Few(Vec::new())
            }
            // SAFETY: as the caller vouches.
            true => unsafe { store(kind, info)? },
            false => Sink::One(None),
        };
        let width = kind.width();
        Ok(Output {
            label,
            returns: &function.returns,
            kind,
            sink,
            count: 0,
            values: vec![Datum::null(); width],
            nulls: vec![true; width],
            info,
        })
    }

    /// Takes the rows of `reply`. Only the first row of a function that returns no set is looked at, the others
    /// are counted.
    pub fn take(&mut self, reply: &Reply, columns: &mut Columns) -> Result<(), Failure> {
        if reply.rows.is_empty() {
            return Ok(());
        }
        if let Some(fault) = columns.unfit() {
            return self.label.err(fault.clone());
        }
        if let Some(described) = &reply.columns
            && columns.fit(described)?.is_some()
        {
            return Err(Failure::new(
                SqlState::DATATYPE_MISMATCH,
                "the remote query's result changed its types while it was used",
            ));
        }
        if let Sink::Few(rows) = &self.sink
            && (rows.len() + reply.rows.len() > FEW || reply.data.len() > FEW_BYTES)
        {
            // SAFETY: the rows are the call's.
            unsafe { self.spill()? };
        }
        for row in 0..reply.rows.len() {
            self.count += 1;
            if matches!(self.sink, Sink::One(_)) && self.count > 1 {
                continue;
            }
            // SAFETY: the columns' memory is the codec's, alive as long as they are.
            unsafe {
                columns.decode(reply.row(row), &mut self.values, &mut self.nulls)?;
                self.put();
            }
        }
        // SAFETY: what was decoded has been copied.
        unsafe { columns.reset() };
        Ok(())
    }

    /// Copies the decoded row.
    unsafe fn put(&mut self) {
        if matches!(self.kind, Kind::Void) {
            // Void is a value, not NULL.
            self.nulls[0] = false;
        }
        // SAFETY: values and nulls are as wide as the descriptor; the store lives in the query's memory.
        unsafe {
            match &mut self.sink {
                Sink::Store { store, descriptor } => {
                    let (values, nulls) = (self.values.as_mut_ptr(), self.nulls.as_mut_ptr());
                    pg_sys::tuplestore_putvalues(*store, *descriptor, values, nulls);
                }
                Sink::Few(_) => {
                    let value = self.value();
                    if let Sink::Few(rows) = &mut self.sink {
                        rows.push(value);
                    }
                }
                Sink::One(_) => self.sink = Sink::One(self.value()),
            }
        }
    }

    /// The decoded row as a value in the current memory context; `None` for NULL.
    unsafe fn value(&self) -> Option<Datum> {
        // SAFETY: values and nulls are as wide as the descriptor.
        unsafe {
            match (self.returns, &self.kind) {
                (_, Kind::Void) => Some(Datum::null()),
                (_, Kind::Composite(shape)) => Some(tuple(shape, &self.values, &self.nulls)),
                (Returns::Scalar(kind), _) if !self.nulls[0] => {
                    let layout = kind.layout;
                    Some(codec::copy(self.values[0], layout.by_value, layout.length))
                }
                _ => None,
            }
        }
    }

    /// Puts the rows so far into a tuplestore: there will be many, or large ones.
    unsafe fn spill(&mut self) -> Result<(), Failure> {
        // SAFETY: composite values were made by `tuple`, others are of the store's only column's type.
        unsafe {
            let store = store(self.kind, self.info)?;
            if let (Sink::Few(rows), Sink::Store { store, descriptor }) = (&self.sink, &store) {
                for row in rows {
                    match (&self.kind, row) {
                        (Kind::Composite(_), Some(row)) => put_composite(*store, *row),
                        _ => {
                            let (mut value, mut null) =
                                (row.unwrap_or(Datum::null()), row.is_none());
                            let (value, null) = (&raw mut value, &raw mut null);
                            pg_sys::tuplestore_putvalues(*store, *descriptor, value, null);
                        }
                    }
                }
            }
            self.sink = store;
        }
        Ok(())
    }

    /// What the call returns.
    pub fn finish(self) -> Result<Datum, Failure> {
        // SAFETY: the call's info; a set's ReturnSetInfo was checked when the store was made.
        unsafe {
            match self.sink {
                Sink::Store { store, descriptor } => {
                    let set = (*self.info).resultinfo.cast::<pg_sys::ReturnSetInfo>();
                    (*set).returnMode = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
                    (*set).setResult = store;
                    (*set).setDesc = descriptor;
                    (*self.info).isnull = true;
                    Ok(Datum::null())
                }
                Sink::Few(rows) => {
                    let (by_value, length) = match (self.returns, self.kind) {
                        (Returns::Scalar(kind), _) => (kind.layout.by_value, kind.layout.length),
                        (_, Kind::Void) => (true, 4),
                        _ => (false, -1),
                    };
                    Ok(rowwise::begin(self.info, &rows, by_value, length))
                }
                Sink::One(_) if self.count != 1 => self.label.err(Fault::RowCount(self.count)),
                Sink::One(value) => {
                    (*self.info).isnull = value.is_none();
                    let value = value.unwrap_or(Datum::null());
                    if let Returns::Composite { domain: Some(domain), .. } = self.returns {
                        Domain::new(*domain, pg_sys::CurrentMemoryContext)
                            .check(value, (*self.info).isnull);
                    }
                    Ok(value)
                }
            }
        }
    }
}

/// A composite Datum in the current memory context.
unsafe fn tuple(shape: &Shape, values: &[Datum], nulls: &[bool]) -> Datum {
    // SAFETY: values and nulls are as wide as the descriptor, which is blessed.
    unsafe {
        let (values, nulls) = (values.as_ptr().cast_mut(), nulls.as_ptr().cast_mut());
        let tuple = pg_sys::heap_form_tuple(shape.descriptor, values, nulls);
        pg_sys::heap_copy_tuple_as_datum(tuple, shape.descriptor)
    }
}

/// Adds a composite Datum to a tuplestore.
unsafe fn put_composite(store: *mut pg_sys::Tuplestorestate, row: Datum) {
    // SAFETY: a tuple as `tuple` makes them, never toasted; it is copied.
    unsafe {
        let header = row.cast_mut_ptr::<pg_sys::HeapTupleHeaderData>();
        let mut tuple: pg_sys::HeapTupleData = std::mem::zeroed();
        tuple.t_len = pgrx::varlena::varsize_4b(header.cast()) as u32;
        tuple.t_data = header;
        pg_sys::tuplestore_puttuple(store, &raw mut tuple);
    }
}

/// Whether rows have to be checked as values of a domain.
fn has_domain(returns: &Returns) -> bool {
    matches!(returns, Returns::Composite { domain: Some(_), .. })
}

/// The tuplestore of a set, in the query's memory.
unsafe fn store(kind: Kind<'_>, info: FunctionCallInfo) -> Result<Sink, Failure> {
    // SAFETY: resultinfo is NULL or a node; a ReturnSetInfo has an expression context.
    unsafe {
        let set = (*info).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        let is_set = !set.is_null() && (*set).type_ == pg_sys::NodeTag::T_ReturnSetInfo;
        let modes = if is_set { (*set).allowedModes } else { 0 };
        if modes & pg_sys::SetFunctionReturnMode::SFRM_Materialize as i32 == 0 {
            return Err(Failure::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "set-valued function called in context that cannot accept a set",
            ));
        }
        let random = modes & pg_sys::SetFunctionReturnMode::SFRM_Materialize_Random as i32 != 0;
        let _context = ContextGuard::switch_to((*(*set).econtext).ecxt_per_query_memory);
        let descriptor = match kind {
            Kind::Composite(shape) => pg_sys::CreateTupleDescCopy(shape.descriptor),
            Kind::Void => single(pg_sys::VOIDOID),
            Kind::Scalar(oid) => single(oid),
        };
        let store = pg_sys::tuplestore_begin_heap(random, false, pg_sys::work_mem);
        Ok(Sink::Store { store, descriptor })
    }
}

/// A descriptor with one column, in the current memory context.
unsafe fn single(type_oid: pg_sys::Oid) -> pg_sys::TupleDesc {
    // SAFETY: attribute 1 of 1.
    unsafe {
        let descriptor = pg_sys::CreateTemplateTupleDesc(1);
        pg_sys::TupleDescInitEntry(descriptor, 1, c"result".as_ptr(), type_oid, -1, 0);
        descriptor
    }
}

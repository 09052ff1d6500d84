//! Rows as they come over the wire into Datums.
//!
//! A [`RowDecoder`] says which format to ask for, looks at what the remote server describes, and then decodes
//! row by row. It belongs to one stream of rows: streams of several servers have one each, because each server
//! may describe its columns differently.
//!
//! The rule for what a value means is postgres_fdw's: the text that the remote server shows for it, read by the
//! local type's input function. Everything faster is used only where it is provably the same.

use super::arena::Arena;
use super::codec::{Fields, Malformed};
use super::field::Fieldwise;
use crate::error::{Failure, SqlState};
use crate::pg::aggregate_state::Layout;
use crate::wire::{Column, Formats};
use pgrx::pg_sys::{self, Datum, Oid};

/// A local column that rows are decoded for.
#[derive(Clone, Debug)]
pub struct LocalColumn {
    /// Its type; domains, composites and arrays as they are.
    pub type_oid: Oid,
    /// Its type modifier, -1 for none.
    pub typmod: i32,
    /// Its name, for the CONTEXT of errors; empty for a whole-row reference.
    pub name: String,
    /// It is the transition state of an aggregate, to be made from what the server has computed.
    pub state: Option<Layout>,
    /// What the CONTEXT of errors says, where it is not the name.
    pub place: Option<String>,
}

/// What the description of a result means for the decoder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fit {
    /// Rows can be decoded.
    Ready,
    /// The result must be asked for again, in these formats; nothing of it can be used. A statement that
    /// changes data must therefore be described (`Request::Prepare`) before it is run.
    Rebind(Formats),
}

/// Decodes the rows of one result into Datums.
pub struct RowDecoder {
    columns: Vec<Fieldwise>,
    /// Which columns are NULL whatever comes; empty: none.
    skipped: Vec<bool>,
    arena: Arena,
    /// The description that the columns were fitted to last.
    fitted: Option<Vec<(u32, i32)>>,
}

impl RowDecoder {
    /// A decoder for `columns` of the foreign table `relation`. What it looks up and decodes lives in the memory
    /// context that is current now; the decoder must not be used after that context's end (dropping is safe).
    pub fn new(columns: Vec<LocalColumn>, relation: String) -> Result<RowDecoder, Failure> {
        // SAFETY: the current context is alive, and its lifetime is the contract above.
        unsafe {
            let owner = pg_sys::CurrentMemoryContext;
            let columns = columns
                .into_iter()
                .map(|column| {
                    let place = column.place.unwrap_or_else(|| place(&column.name, &relation));
                    Fieldwise::new(column.type_oid, column.typmod, place, owner)
                        .assembled(column.state)
                })
                .collect();
            Ok(RowDecoder { columns, skipped: Vec::new(), arena: Arena::new(owner), fitted: None })
        }
    }

    /// Changes what the CONTEXT of an error in column `index` (from 0) says; for results that mix relations or
    /// hold expressions, e.g. `processing expression at position 2 in select list`.
    pub fn describe(&mut self, index: usize, place: String) {
        if let Some(column) = self.columns.get_mut(index) {
            column.set_place(place);
        }
    }

    /// Only the columns that `read` names are decoded, the others become NULL. All come in binary that `binary` names,
    /// the others as text.
    pub fn of_some(
        mut self,
        read: impl Fn(usize) -> bool,
        binary: impl Fn(usize) -> bool,
    ) -> RowDecoder {
        self.skipped = (0..self.columns.len()).map(|place| !read(place)).collect();
        for (place, column) in self.columns.iter_mut().enumerate() {
            column.binary = binary(place);
        }
        self
    }

    fn skips(&self, place: usize) -> bool {
        self.skipped.get(place).copied().unwrap_or(false)
    }

    /// Has everything come as text.
    pub fn text_only(&mut self) {
        self.columns.iter_mut().for_each(|column| column.binary = false);
    }

    /// The formats to ask for in Bind.
    pub fn formats(&self) -> Formats {
        if self.columns.iter().all(|c| !c.binary) {
            Formats::Text
        } else if self.columns.iter().all(|c| c.binary) {
            Formats::Binary
        } else {
            Formats::PerColumn(self.columns.iter().map(|c| i16::from(c.binary)).collect())
        }
    }

    /// Looks at what the remote server says it sends in the formats of [`RowDecoder::formats`]. Cheap when the
    /// description is the same as the last time.
    pub fn fit(&mut self, remote: &[Column]) -> Result<Fit, Failure> {
        if let Some(fitted) = &self.fitted
            && fitted.len() == remote.len()
            && fitted.iter().zip(remote).all(|(a, b)| *a == (b.type_oid, b.typmod))
        {
            return Ok(Fit::Ready);
        }
        self.fitted = None;
        if self.columns.is_empty() {
            // "SELECT NULL FROM ...": only the number of rows matters.
            self.fitted = Some(remote.iter().map(|c| (c.type_oid, c.typmod)).collect());
            return Ok(Fit::Ready);
        }
        if remote.len() != self.columns.len() {
            return Err(mismatch());
        }
        let mut ready = true;
        for place in 0..self.columns.len() {
            if self.skips(place) {
                continue;
            }
            let (column, remote) = (&mut self.columns[place], &remote[place]);
            if column.wanted().is_some_and(|wanted| wanted != remote.type_oid) {
                return Err(mismatch());
            }
            // SAFETY: the owner context is alive, see `new`.
            ready &= unsafe { column.fit(remote.type_oid, remote.typmod) };
        }
        if !ready {
            return Ok(Fit::Rebind(self.formats()));
        }
        self.fitted = Some(remote.iter().map(|c| (c.type_oid, c.typmod)).collect());
        Ok(Fit::Ready)
    }

    /// Decodes one DataRow message body (see `Reply::data`) into `values` and `nulls`, which are as long as the
    /// columns. What values refer to lives until [`RowDecoder::reset_batch`].
    ///
    /// # Safety
    /// The memory context of [`RowDecoder::new`] is alive; the row is of the result that was fitted last.
    pub unsafe fn decode(
        &mut self,
        row: &[u8],
        values: &mut [Datum],
        nulls: &mut [bool],
    ) -> Result<(), Failure> {
        if self.fitted.is_none() {
            return Err(Failure::internal("a row came before its description"));
        }
        let mut fields = Fields::new(row).map_err(malformed)?;
        if self.columns.is_empty() {
            return Ok(());
        }
        if fields.count != self.columns.len() {
            return Err(mismatch());
        }
        let outputs = values.iter_mut().zip(nulls.iter_mut());
        let mut skipped = self.skipped.iter().copied();
        for (column, (value, null)) in self.columns.iter_mut().zip(outputs) {
            let field = fields.field().map_err(malformed)?;
            if skipped.next() == Some(true) {
                (*value, *null) = (Datum::null(), true);
                continue;
            }
            // SAFETY: as the caller vouches.
            let decoded = unsafe { column.decode(field, &mut self.arena)? };
            *null = decoded.is_none();
            *value = decoded.unwrap_or(Datum::null());
        }
        if fields.at_end() { Ok(()) } else { Err(malformed(Malformed)) }
    }

    /// Frees what the rows decoded so far refer to.
    ///
    /// # Safety
    /// Nobody uses their values any more; the memory context of [`RowDecoder::new`] is alive.
    pub unsafe fn reset_batch(&mut self) {
        // SAFETY: as the caller vouches.
        unsafe { self.arena.reset() }
    }
}

/// A column of a foreign table, or the whole row, in postgres_fdw's words.
pub fn place(column: &str, relation: &str) -> String {
    if column.is_empty() {
        format!("whole-row reference to foreign table \"{relation}\"")
    } else {
        format!("column \"{column}\" of foreign table \"{relation}\"")
    }
}

fn mismatch() -> Failure {
    Failure::new(
        SqlState::DATATYPE_MISMATCH,
        "remote query result does not match the foreign table",
    )
}

fn malformed(_: Malformed) -> Failure {
    Failure::new(SqlState::PROTOCOL_VIOLATION, "malformed data row from the remote server")
}

//! From result columns to the columns of a slot: which goes where, and what becomes of system columns.
//!
//! Ordinary columns are stored without forming a tuple. xmin, xmax, cmin and cmax can only be read from a
//! physical tuple, so one is formed when the query asks for them; they are the shard's own values.

use super::rows::{LocalColumn, RowDecoder};
use crate::error::Failure;
use crate::pg::text;
use pgrx::pg_sys;
use pgrx::pg_sys::{Datum, Oid};

/// Where a result column goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Target {
    /// Zero-based attribute of the slot.
    Attribute(usize),
    /// A system column, by its negative attribute number.
    System(i32),
    /// Nowhere: the column belongs to another row.
    Nowhere,
}

/// Fills slots from result rows.
#[derive(Clone)]
pub struct Filler {
    targets: Vec<Target>,
    width: usize,
    /// Whether a physical tuple is needed.
    physical: bool,
    values: Vec<Datum>,
    nulls: Vec<bool>,
}

impl Filler {
    /// For results whose columns are `retrieved`: attribute numbers of `descriptor` (system columns negative, 0
    /// for a column that does not belong to it).
    ///
    /// # Safety
    /// `descriptor` is a valid row type.
    pub unsafe fn new(descriptor: pg_sys::TupleDesc, retrieved: &[i32]) -> Result<Filler, Failure> {
        // SAFETY: as the caller vouches.
        let width = unsafe { (*descriptor).natts } as usize;
        let mut targets = Vec::with_capacity(retrieved.len());
        for &attribute in retrieved {
            targets.push(match usize::try_from(attribute) {
                Err(_) => Target::System(attribute),
                Ok(0) => Target::Nowhere,
                Ok(number) if (1..=width).contains(&number) => Target::Attribute(number - 1),
                Ok(_) => {
                    return Err(Failure::internal(format!("no attribute {attribute} in a result")));
                }
            });
        }
        let physical = targets.iter().any(|target| {
            matches!(target, Target::System(n) if *n != pg_sys::SelfItemPointerAttributeNumber)
        });
        let (values, nulls) = (vec![Datum::null(); targets.len()], vec![true; targets.len()]);
        Ok(Filler { targets, width, physical, values, nulls })
    }

    /// The local types the result columns are decoded to.
    ///
    /// # Safety
    /// `descriptor` is the one given to [`Filler::new`].
    pub unsafe fn local_columns(&self, descriptor: pg_sys::TupleDesc) -> Vec<LocalColumn> {
        self.targets
            .iter()
            .map(|target| match target {
                // SAFETY: the attribute number was checked against the descriptor.
                Target::Attribute(index) => unsafe {
                    let attribute = crate::pg::compat::attribute(descriptor, *index);
                    LocalColumn {
                        type_oid: (*attribute).atttypid,
                        typmod: (*attribute).atttypmod,
                        name: text::from_server((*attribute).attname.data.as_ptr()),
                        state: None,
                        place: None,
                    }
                },
                Target::System(number) => {
                    let (type_oid, name) = system_column(*number);
                    LocalColumn {
                        type_oid,
                        typmod: -1,
                        name: name.to_owned(),
                        state: None,
                        place: None,
                    }
                }
                Target::Nowhere => LocalColumn {
                    type_oid: pg_sys::TEXTOID,
                    typmod: -1,
                    name: String::new(),
                    state: None,
                    place: None,
                },
            })
            .collect()
    }

    /// Decodes `row` into `slot`, which is empty. Columns that were not asked for become NULL.
    ///
    /// # Safety
    /// `slot` is a heap-tuple or virtual slot of the descriptor given to [`Filler::new`].
    pub unsafe fn store(
        &mut self,
        decoder: &mut RowDecoder,
        row: &[u8],
        slot: *mut pg_sys::TupleTableSlot,
    ) -> Result<(), Failure> {
        // SAFETY: decoded values outlive the slot's contents (see RowDecoder::reset_batch).
        unsafe {
            self.take(decoder, row)?;
            self.place(slot);
        }
        Ok(())
    }

    /// Decodes `row` and keeps its values, for [`Filler::place`].
    ///
    /// # Safety
    /// As for [`RowDecoder::decode`].
    pub unsafe fn take(&mut self, decoder: &mut RowDecoder, row: &[u8]) -> Result<(), Failure> {
        if self.targets.is_empty() {
            return Ok(());
        }
        // SAFETY: as the caller vouches.
        unsafe { decoder.decode(row, &mut self.values, &mut self.nulls) }
    }

    /// The value that column `index` (from 0) of the slot would have, and whether it is NULL.
    pub fn value(&self, index: usize) -> (Datum, bool) {
        let place = self.targets.iter().position(|target| *target == Target::Attribute(index));
        match place {
            Some(place) if !self.nulls[place] => (self.values[place], false),
            _ => (Datum::null(), true),
        }
    }

    /// Fills `slot` from the row that another filler of the same columns stored last.
    ///
    /// # Safety
    /// As for [`Filler::store`].
    pub unsafe fn store_part(&mut self, of: &Filler, slot: *mut pg_sys::TupleTableSlot) {
        self.values.clone_from(&of.values);
        self.nulls.clone_from(&of.nulls);
        // SAFETY: as the caller vouches.
        unsafe { self.place(slot) }
    }

    /// Fills `slot`, which is empty, with the row taken last.
    ///
    /// # Safety
    /// As for [`Filler::store`].
    pub unsafe fn place(&self, slot: *mut pg_sys::TupleTableSlot) {
        // SAFETY: the slot's arrays are `width` long.
        unsafe {
            let values = std::slice::from_raw_parts_mut((*slot).tts_values, self.width);
            let nulls = std::slice::from_raw_parts_mut((*slot).tts_isnull, self.width);
            nulls.fill(true);
            let mut ctid = None;
            for (target, (value, null)) in
                self.targets.iter().zip(self.values.iter().zip(&self.nulls))
            {
                match target {
                    Target::Attribute(index) => {
                        values[*index] = *value;
                        nulls[*index] = *null;
                    }
                    Target::System(pg_sys::SelfItemPointerAttributeNumber) if !*null => {
                        ctid = Some(*value.cast_mut_ptr::<pg_sys::ItemPointerData>());
                    }
                    Target::System(_) | Target::Nowhere => {}
                }
            }
            for (value, null) in values.iter_mut().zip(nulls.iter()) {
                if *null {
                    *value = Datum::null();
                }
            }
            if self.physical {
                self.store_physical(slot, ctid);
            } else {
                pg_sys::ExecStoreVirtualTuple(slot);
                if let Some(ctid) = ctid {
                    (*slot).tts_tid = ctid;
                }
            }
        }
    }

    /// Forms a tuple from the slot's values and gives it the shard's transaction ids.
    unsafe fn store_physical(
        &self,
        slot: *mut pg_sys::TupleTableSlot,
        ctid: Option<pg_sys::ItemPointerData>,
    ) {
        // SAFETY: values and nulls of the slot are filled; the tuple is palloc'd in the slot's context and owned
        // by the slot.
        unsafe {
            let _context = crate::pg::memory::ContextGuard::switch_to((*slot).tts_mcxt);
            let tuple = pg_sys::heap_form_tuple(
                (*slot).tts_tupleDescriptor,
                (*slot).tts_values,
                (*slot).tts_isnull,
            );
            let header = (*tuple).t_data;
            let heap = &mut (*header).t_choice.t_heap;
            heap.t_xmin = pg_sys::InvalidTransactionId;
            heap.t_xmax = pg_sys::InvalidTransactionId;
            heap.t_field3.t_cid = 0;
            for (target, value) in self.targets.iter().zip(&self.values) {
                let id = value.value() as u32;
                match target {
                    Target::System(pg_sys::MinTransactionIdAttributeNumber) => {
                        heap.t_xmin = compat_xid(id);
                    }
                    Target::System(pg_sys::MaxTransactionIdAttributeNumber) => {
                        heap.t_xmax = compat_xid(id);
                    }
                    Target::System(
                        pg_sys::MinCommandIdAttributeNumber | pg_sys::MaxCommandIdAttributeNumber,
                    ) => heap.t_field3.t_cid = id,
                    _ => {}
                }
            }
            if let Some(ctid) = ctid {
                (*tuple).t_self = ctid;
                (*header).t_ctid = ctid;
            }
            pg_sys::ExecForceStoreHeapTuple(tuple, slot, true);
            if let Some(ctid) = ctid {
                (*slot).tts_tid = ctid;
            }
        }
    }
}

fn compat_xid(id: u32) -> pg_sys::TransactionId {
    pg_sys::TransactionId::from(id)
}

/// Type and name of a system column.
pub(super) fn system_column(number: i32) -> (Oid, &'static str) {
    match number {
        pg_sys::SelfItemPointerAttributeNumber => (pg_sys::TIDOID, "ctid"),
        pg_sys::MinTransactionIdAttributeNumber => (pg_sys::XIDOID, "xmin"),
        pg_sys::MaxTransactionIdAttributeNumber => (pg_sys::XIDOID, "xmax"),
        pg_sys::MinCommandIdAttributeNumber => (pg_sys::CIDOID, "cmin"),
        pg_sys::MaxCommandIdAttributeNumber => (pg_sys::CIDOID, "cmax"),
        _ => (pg_sys::OIDOID, "tableoid"),
    }
}

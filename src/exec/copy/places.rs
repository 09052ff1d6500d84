//! The placements of a sharded parent that rows are copied to, each with its outlet.

use super::encode::RowEncoder;
use super::lane::Run;
use super::outlet::{Fate, Outlet, Question};
use crate::error::Failure;
use pgrx::pg_sys::{self, MinimalTuple, Oid};
use std::rc::Rc;

/// The outlets of a statement.
pub struct Places {
    run: Rc<Run>,
    user: Oid,
    /// The statement's.
    memory: pg_sys::MemoryContext,
    question: Question,
    /// Parallel to the sharded table's members.
    places: Vec<Option<Place>>,
}

struct Place {
    outlet: Outlet,
    encoder: RowEncoder,
    descriptor: pg_sys::TupleDesc,
}

impl Places {
    /// For `count` placements; `memory` is the statement's.
    pub fn new(
        run: &Rc<Run>,
        count: usize,
        user: Oid,
        memory: pg_sys::MemoryContext,
        question: Question,
    ) -> Places {
        let places = (0..count).map(|_| None).collect();
        Places { run: Rc::clone(run), user, memory, question, places }
    }

    /// Whether rows have come for a placement.
    pub fn is_known(&self, index: usize) -> bool {
        self.places[index].is_some()
    }

    /// How many placements there could be.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// Whether the first rows may be kept for a while; if not, those that are there go out.
    pub fn hold(&self, may: bool) -> Result<(), Failure> {
        self.run.hold(may);
        if may { Ok(()) } else { self.run.new_tables().open(&self.run) }
    }

    /// Takes a row for placement `index`, which is `relation`. The inner failure is not the row's own.
    ///
    /// # Safety
    /// The slot holds a row of the placement, which is open as long as this lives.
    pub unsafe fn row(
        &mut self,
        index: usize,
        relation: pg_sys::Relation,
        row: *mut pg_sys::TupleTableSlot,
    ) -> Result<Result<Fate, Failure>, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            let place = match &mut self.places[index] {
                Some(place) => place,
                none => {
                    let descriptor = (*relation).rd_att;
                    let columns = super::columns(descriptor);
                    let encoder = RowEncoder::new(descriptor, &columns, self.memory);
                    let (user, memory) = (self.user, self.memory);
                    let outlet = Outlet::new(
                        &self.run,
                        (*relation).rd_id,
                        user,
                        columns,
                        memory,
                        self.question,
                    );
                    none.insert(Place { outlet, encoder, descriptor })
                }
            };
            let Place { outlet, encoder, .. } = place;
            outlet.row(row, |out| encoder.row(row, out))
        }
    }

    /// Whether rows of a placement have to be INSERTed, as far as it is known.
    pub fn is_refused(&self, index: usize) -> bool {
        self.places[index].as_ref().is_some_and(|place| place.outlet.is_refused())
    }

    /// Rows that were taken for a placement and have to be INSERTed, which are the caller's to free, and their type.
    pub fn take_back(&self, index: usize) -> Option<(Vec<MinimalTuple>, pg_sys::TupleDesc)> {
        let place = self.places[index].as_ref()?;
        Some((place.outlet.take_back(), place.descriptor))
    }

    /// The COPY of the first placement that rows have come for.
    pub fn example(&self) -> Result<Option<String>, Failure> {
        self.places.iter().flatten().next().map(|place| place.outlet.sql()).transpose()
    }

    /// Sends all that is left, and waits until every server has stored it. Rows may follow.
    pub fn finish(&self) -> Result<(), Failure> {
        self.run.finish()
    }
}

//! One placement of a running scan: its stream of rows, and how they are decoded.

use super::params::ParamEncoder;
use super::passing::Passing;
use super::rows::{Fit, RowDecoder};
use super::stream::{Next, Stream};
use super::tuple::Filler;
use crate::error::Failure;
use crate::txn;
use crate::wire::Params;
use pgrx::pg_sys::Oid;
use std::rc::Rc;

/// One placement of a scan.
pub(super) struct Lane {
    /// Which of the plan's placements.
    pub(super) place: usize,
    pub(super) server: Oid,
    pub(super) sql: Rc<str>,
    pub(super) decoder: RowDecoder,
    pub(super) encoder: ParamEncoder,
    /// Whether this start of the scan needs the placement.
    pub(super) active: bool,
    /// As sent last.
    pub(super) params: Params,
    pub(super) stream: Option<Stream>,
    /// Nothing else of the statement reads from elsewhere.
    pub(super) alone: bool,
    /// Rows go to the client as they come.
    pub(super) passing: Option<Rc<Passing>>,
    /// Reads what such rows are merged by.
    pub(super) keys: Option<RowDecoder>,
    /// The row that the next one was read from.
    pub(super) row: usize,
    /// Rows have no columns: they are only counted.
    pub(super) counted: bool,
    /// The next row, when rows are merged.
    pub(super) head: Filler,
    /// Counts the batches that have come.
    pub(super) batches: u64,
}

/// What [`Lane::advance`] found.
pub(super) enum Step {
    /// A row: `Stream::row` of this number.
    Row(usize),
    /// Rows are on their way.
    Wait,
    /// No more rows.
    End,
}

impl Lane {
    /// Sends the query with the lane's parameters.
    pub(super) fn send(&mut self) -> Result<(), Failure> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let types = self.encoder.param_types(self.params.values.len());
        let formats = match &self.passing {
            Some(passing) => passing.formats.clone(),
            None => self.decoder.formats(),
        };
        stream.start(&types, &self.params, formats, self.alone)
    }

    /// Gives the rest of the batch, from row `first` on, to the client; how many rows that are.
    ///
    /// # Safety
    /// In the run of the statement that rows are passed on for.
    pub(super) unsafe fn pass_on(&mut self, first: usize) -> Result<u64, Failure> {
        let (Some(stream), Some(passing)) = (&mut self.stream, &self.passing) else {
            return Ok(0);
        };
        let (data, starts) = stream.take_rest(first);
        // SAFETY: as the caller vouches.
        unsafe { passing.send(data, starts)? };
        Ok(starts.len() as u64)
    }

    /// Moves on as far as it goes without waiting; with `wait`, to the next row or the end.
    ///
    /// # Safety
    /// Nobody uses the values of the last row any more; the decoder's memory context is alive.
    pub(super) unsafe fn advance(&mut self, wait: bool) -> Result<Step, Failure> {
        loop {
            let Some(stream) = self.stream.as_mut().filter(|_| self.active) else {
                return Ok(Step::End);
            };
            match stream.next_row() {
                Next::Row(row) => return Ok(Step::Row(row)),
                Next::End => return Ok(Step::End),
                Next::Pending if wait || stream.is_ready() => {
                    // SAFETY: as the caller vouches.
                    unsafe {
                        self.decoder.reset_batch();
                        if let Some(keys) = &mut self.keys {
                            keys.reset_batch();
                        }
                    }
                    self.batches += 1;
                    stream.receive()?;
                    self.check_columns()?;
                }
                Next::Pending => return Ok(Step::Wait),
            }
        }
    }

    /// Goes back to the first row without asking the server, where that is possible.
    pub(super) fn rewind(&mut self) -> Result<bool, Failure> {
        while self.stream.as_ref().is_some_and(Stream::must_drain) {
            if let Some(stream) = &mut self.stream {
                stream.receive()?;
            }
            // It may be the first batch.
            self.check_columns()?;
        }
        Ok(self.stream.as_mut().is_none_or(Stream::rewind))
    }

    /// Decodes the next row into [`Lane::head`], waiting for it; false when there is none.
    ///
    /// # Safety
    /// As for [`Lane::advance`].
    pub(super) unsafe fn take_head(&mut self) -> Result<bool, Failure> {
        loop {
            // SAFETY: as the caller vouches.
            match unsafe { self.advance(false)? } {
                Step::Row(row) => {
                    let Some(stream) = &self.stream else { return Ok(false) };
                    self.row = row;
                    let decoder = match &mut self.keys {
                        Some(keys) if self.passing.is_some() => keys,
                        _ => &mut self.decoder,
                    };
                    // SAFETY: as the caller vouches.
                    unsafe { self.head.take(decoder, stream.row(row))? };
                    return Ok(true);
                }
                Step::End => return Ok(false),
                Step::Wait => {
                    if let Some(stream) = &self.stream
                        && let Some(ticket) = stream.ticket()
                    {
                        txn::wait_any(&[(stream.participant(), ticket)], None)?;
                    }
                }
            }
        }
    }

    /// The DataRow body of the next row.
    pub(super) fn head_row(&self) -> &[u8] {
        self.stream.as_ref().map_or(&[], |stream| stream.row(self.row))
    }

    /// Looks at the remote description of the first batch; asks again in other formats where it does not fit.
    fn check_columns(&mut self) -> Result<(), Failure> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        if stream.take_overflow() {
            self.alone = false;
            return self.send();
        }
        let Some(remote) = stream.take_columns() else {
            return match &self.passing {
                Some(passing) => passing.check(stream.participant().session()),
                None => Ok(()),
            };
        };
        if self.counted {
            return Ok(());
        }
        if let Some(passing) = &self.passing {
            let keys_fit = match &mut self.keys {
                Some(keys) => matches!(keys.fit(&remote), Ok(Fit::Ready)),
                None => true,
            };
            let session = stream.participant().session();
            if keys_fit && passing.accepts(&remote, session, stream.first_row()) {
                return Ok(());
            }
            // To be read here, after all.
            self.passing = None;
            stream.close();
            return self.send();
        }
        let fit = self.decoder.fit(&remote).map_err(|failure| {
            failure.add_context(format!("remote SQL command: {}", stream.sql()))
        })?;
        if let Fit::Rebind(formats) = fit {
            stream.close();
            let types = self.encoder.param_types(self.params.values.len());
            stream.start(&types, &self.params, formats, self.alone)?;
        }
        Ok(())
    }
}

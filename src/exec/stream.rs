//! One query running on one placement: its portal, the batch being read and the batch asked for.
//!
//! The first batch comes with the request itself (one round trip for a lookup); the next one is asked for as
//! soon as a batch has arrived, so the shard works while its rows are used. At most two batches are in memory.

use crate::error::{Failure, SqlState};
use crate::txn::{Participant, Stamp};
use crate::wire::{Column, Formats, Params, Reply, Request, Ticket};
use std::rc::Rc;

/// Rows asked for with the request when the user has set no `fetch_size`.
const FIRST_FETCH: u32 = 100;
/// Rows taken of a query that runs without a transaction; if there are more, it is run again within one.
const ALONE_FETCH: u32 = 1000;
/// What a later batch should weigh then, in bytes.
const BATCH_BYTES: usize = 256 * 1024;
/// As long as the batches of all placements together do not weigh more than this; but no batch is made smaller than
/// `LEAST_BYTES`.
const ALL_BYTES: usize = 4 * 1024 * 1024;
const LEAST_BYTES: usize = 16 * 1024;
/// Most rows of one batch then.
const MOST_ROWS: usize = 16 * 1024;

/// A query on one placement.
pub struct Stream {
    participant: Rc<Participant>,
    sql: Rc<str>,
    portal: String,
    /// Rows per fetch as the user set them; 0: all at once.
    fetch_size: Option<u32>,
    /// What a batch should weigh when there is no such number.
    batch_bytes: usize,
    read_ahead: bool,
    pending: Option<Ticket>,
    batch: Reply,
    next: usize,
    /// Batches to read again after a rewind, when they are kept.
    kept: Option<Vec<Reply>>,
    /// Portal open on the server with rows left.
    suspended: bool,
    /// When the portal was opened: a rolled-back subtransaction takes its portals with it.
    opened: Option<Stamp>,
    started: bool,
    /// The query was sent without a transaction: there is one answer, and no portal after it.
    alone: bool,
    /// That answer was not the whole result.
    overflowed: bool,
    first_batch: bool,
    /// Rows received since the last start.
    received: u64,
    /// Rows received before it.
    before: u64,
}

/// What [`Stream::next_row`] found.
pub enum Next {
    /// A row; its DataRow body is `Stream::row(index)`.
    Row(usize),
    /// Rows are on their way: wait for [`Stream::ticket`].
    Pending,
    /// No more rows.
    End,
}

impl Stream {
    /// A stream that has sent nothing yet. Without `read_ahead` a batch is asked for only when the last one is
    /// used up; with `keep` all batches stay in memory, so that a rewind reads the same rows again.
    pub fn new(
        participant: Rc<Participant>,
        sql: Rc<str>,
        fetch_size: Option<u32>,
        read_ahead: bool,
        keep: bool,
    ) -> Stream {
        let portal = participant.session().new_portal_name();
        Stream {
            participant,
            sql,
            portal,
            fetch_size,
            batch_bytes: BATCH_BYTES,
            read_ahead,
            pending: None,
            batch: Reply::default(),
            next: 0,
            kept: keep.then(Vec::new),
            suspended: false,
            opened: None,
            started: false,
            alone: false,
            overflowed: false,
            first_batch: true,
            received: 0,
            before: 0,
        }
    }

    /// Has the stream take no more memory than one of `streams` should.
    pub fn among(mut self, streams: usize) -> Stream {
        self.batch_bytes = (ALL_BYTES / streams.max(1)).clamp(LEAST_BYTES, BATCH_BYTES);
        self
    }

    /// The connection it runs on.
    pub fn participant(&self) -> &Rc<Participant> {
        &self.participant
    }

    /// The remote SQL.
    pub fn sql(&self) -> &Rc<str> {
        &self.sql
    }

    /// Rows received over all starts.
    pub fn total(&self) -> u64 {
        self.before + self.received
    }

    /// Sends the query with `params`; does not wait. `alone`: it is all that the statement wants of the server, so it
    /// may run without a transaction; see [`Stream::take_overflow`].
    pub fn start(
        &mut self,
        param_types: &[u32],
        params: &Params,
        formats: Formats,
        alone: bool,
    ) -> Result<(), Failure> {
        self.alone = alone && {
            let max_rows = self.fetch_size.unwrap_or(ALONE_FETCH);
            let (sql, formats) = (&self.sql, formats.clone());
            let request =
                Request::Execute { sql, param_types, params, formats, portal: "", max_rows };
            self.pending = self.participant.submit_alone(request)?;
            self.pending.is_some()
        };
        if !self.alone {
            let request = Request::Execute {
                sql: &self.sql,
                param_types,
                params,
                formats,
                portal: &self.portal,
                max_rows: self.fetch_size.unwrap_or(FIRST_FETCH),
            };
            self.pending = Some(self.participant.submit(request)?);
            self.opened = Some(self.participant.stamp());
        }
        self.started = true;
        self.overflowed = false;
        self.first_batch = true;
        self.batch = Reply::default();
        self.next = 0;
        self.suspended = false;
        Ok(())
    }

    /// Whether the last answer was that of a query without a transaction, and not all of its result. Nothing of it
    /// was given out; the query has to be started again, within a transaction.
    pub fn take_overflow(&mut self) -> bool {
        std::mem::take(&mut self.overflowed)
    }

    /// The request whose reply is awaited, if any.
    pub fn ticket(&self) -> Option<&Ticket> {
        self.pending.as_ref()
    }

    /// Whether [`Stream::receive`] would not wait, as far as answers have been read: whoever waits reads them.
    pub fn is_ready(&self) -> bool {
        self.pending.as_ref().is_none_or(|ticket| self.participant.has_answer(ticket))
    }

    /// The columns of the first batch, once received, if they have not been looked at yet.
    pub fn take_columns(&mut self) -> Option<Rc<[Column]>> {
        self.batch.columns.take()
    }

    /// The next row of the current batch, without waiting.
    pub fn next_row(&mut self) -> Next {
        if self.next < self.batch.rows.len() {
            self.next += 1;
            Next::Row(self.next - 1)
        } else if self.pending.is_some() || self.suspended {
            Next::Pending
        } else {
            Next::End
        }
    }

    /// The DataRow body of a row of the current batch.
    pub fn row(&self, index: usize) -> &[u8] {
        let start = self.batch.rows[index] as usize;
        let end = self.batch.rows.get(index + 1).map_or(self.batch.data.len(), |&end| end as usize);
        &self.batch.data[start..end]
    }

    /// The first row of the current batch; empty when there is none.
    pub fn first_row(&self) -> &[u8] {
        self.batch.row(0)
    }

    /// The rows of the current batch from number `first` on, which are used up by this: their DataRow bodies one
    /// after the other, and where each starts.
    pub fn take_rest(&mut self, first: usize) -> (&[u8], &[u32]) {
        self.next = self.batch.rows.len();
        (&self.batch.data, self.batch.rows.get(first..).unwrap_or_default())
    }

    /// Asks for the next batch, if one is there and none is asked for.
    pub fn request_more(&mut self) -> Result<(), Failure> {
        if self.pending.is_none() && self.suspended {
            if self.opened.is_some_and(|stamp| !self.participant.lives(stamp)) {
                return Err(Failure::new(
                    SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "the remote cursor was closed when its subtransaction was rolled back",
                ));
            }
            let max_rows = self.fetch_rows();
            let request = Request::Fetch { portal: &self.portal, max_rows };
            self.pending = Some(self.participant.submit(request)?);
        }
        Ok(())
    }

    /// Takes the awaited batch, waiting for it, and asks for the one after it. Must only be called when the
    /// current batch is used up.
    pub fn receive(&mut self) -> Result<(), Failure> {
        self.request_more()?;
        let Some(ticket) = self.pending.take() else { return Ok(()) };
        let reply = self.participant.wait(ticket, &self.sql)?;
        if self.alone && reply.suspended {
            self.overflowed = true;
            return Ok(());
        }
        self.suspended = reply.suspended;
        self.received += reply.rows.len() as u64;
        let previous = std::mem::replace(&mut self.batch, reply);
        if let Some(kept) = &mut self.kept
            && !self.first_batch
        {
            kept.push(previous);
        }
        self.first_batch = false;
        self.next = 0;
        if self.read_ahead {
            self.request_more()?;
        }
        Ok(())
    }

    fn fetch_rows(&self) -> u32 {
        if let Some(rows) = self.fetch_size {
            return rows;
        }
        let width = self.batch.data.len().checked_div(self.batch.rows.len()).unwrap_or(0).max(8);
        (self.batch_bytes / width).clamp(16, MOST_ROWS) as u32
    }

    /// Goes back to the first row without asking the server, where that is possible.
    pub fn rewind(&mut self) -> bool {
        match &mut self.kept {
            // Everything so far is one batch, and it is still here.
            _ if self.started && self.received == self.batch.rows.len() as u64 => {}
            Some(kept) if self.pending.is_none() && !self.suspended => {
                // All batches are here: join them to one.
                let last = std::mem::take(&mut self.batch);
                let mut all = Reply::default();
                for part in kept.drain(..).chain(std::iter::once(last)) {
                    let base = all.data.len() as u32;
                    all.rows.extend(part.rows.iter().map(|start| start + base));
                    all.data.extend_from_slice(&part.data);
                }
                self.batch = all;
            }
            _ => return false,
        }
        self.next = 0;
        true
    }

    /// Whether the stream has to be read to its end for [`Stream::rewind`] to work.
    pub fn must_drain(&self) -> bool {
        self.kept.is_some() && (self.pending.is_some() || self.suspended)
    }

    /// Gives the portal up; the stream can be started again.
    pub fn close(&mut self) {
        if self.started {
            self.pending = None;
            if self.opened.take().is_some_and(|stamp| self.participant.lives(stamp)) {
                self.participant.close_portal(&self.portal);
            }
            if !self.alone {
                self.portal = self.participant.session().new_portal_name();
            }
            self.started = false;
            self.suspended = false;
            self.batch = Reply::default();
            self.next = 0;
            self.before += std::mem::take(&mut self.received);
            if let Some(kept) = &mut self.kept {
                kept.clear();
            }
        }
    }
}

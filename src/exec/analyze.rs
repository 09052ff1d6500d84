//! ANALYZE of a foreign table: its size, and a sample of its rows drawn on the remote server where possible.
//!
//! The remote table may be partitioned or have children: their sizes and row counts are added up, since their rows
//! are what a scan gives. Where the remote server draws the sample, only about as many rows as are
//! wanted come over; the number of rows is then the remote statistics' unless the sample contradicts them.

use super::rows::{Fit, LocalColumn, RowDecoder};
use crate::deparse::{self, Sample, quote};
use crate::error::{Failure, SqlState};
use crate::options::load::{self, ForeignTable};
use crate::options::parse::Sampling;
use crate::pg::text;
use crate::txn::{self, Participant};
use crate::wire::{Params, Reply, Request};
use pgrx::pg_sys;
use std::rc::Rc;

/// The first version with TABLESAMPLE.
const TABLESAMPLE_VERSION: i32 = 90_500;

/// Rows to fetch at a time when the user has set no `fetch_size`.
const FETCH_ROWS: u32 = 1000;

/// AnalyzeForeignTable: the number of pages, and the function that takes the sample.
///
/// # Safety
/// The arguments are those of the callback.
pub unsafe fn analyze(
    relation: pg_sys::Relation,
    sampler: *mut pg_sys::AcquireSampleRowsFunc,
    pages: *mut pg_sys::BlockNumber,
) -> Result<bool, Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let table = load::foreign_table((*relation).rd_id)?;
        let info = Info::ask(&table, &*enlist(relation, &table)?)?;
        *sampler = Some(acquire_sample);
        // A parent's sample leaves out children without pages: a view has none, yet has rows.
        *pages = info.pages().clamp(1.0, f64::from(u32::MAX - 1)) as u32;
    }
    Ok(true)
}

/// The connection as which ANALYZE reads: that of the table's owner.
unsafe fn enlist(
    relation: pg_sys::Relation,
    table: &ForeignTable,
) -> Result<Rc<Participant>, Failure> {
    // SAFETY: the caller's relation is open.
    txn::enlist(table.server.oid, unsafe { (*(*relation).rd_rel).relowner })
}

/// `AcquireSampleRowsFunc`.
unsafe extern "C-unwind" fn acquire_sample(
    relation: pg_sys::Relation,
    level: i32,
    rows: *mut pg_sys::HeapTuple,
    wanted: i32,
    total: *mut f64,
    dead: *mut f64,
) -> i32 {
    // SAFETY: PostgreSQL calls with an open relation, an array of `wanted` tuples and places for two numbers.
    unsafe {
        crate::pg::guard::entry(|| {
            let outcome = sample(relation, rows, wanted)?;
            *total = outcome.total;
            *dead = 0.0;
            let name = text::from_server((*(*relation).rd_rel).relname.data.as_ptr());
            pgrx::ereport!(
                pgrx::PgLogLevel::from(level as isize),
                pgrx::PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
                format!(
                    "\"{name}\": table contains {:.0} rows, {} rows in sample",
                    outcome.total, outcome.kept
                )
            );
            Ok(outcome.kept)
        })
    }
}

/// What the remote catalogs say of a table and its children.
#[derive(Clone, Copy, Debug)]
struct Info {
    bytes: f64,
    /// `None` when some of them has never been analyzed, or keeps no count.
    rows: Option<f64>,
    /// All of them are tables or materialized views.
    sampleable: bool,
}

impl Info {
    /// The size in pages of ours.
    fn pages(self) -> f64 {
        (self.bytes / f64::from(pg_sys::BLCKSZ)).ceil()
    }

    fn ask(table: &ForeignTable, participant: &Participant) -> Result<Info, Failure> {
        let sql = format!(
            "WITH RECURSIVE tree (oid) AS (SELECT {}::pg_catalog.regclass::pg_catalog.oid \
             UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.oid) \
             SELECT sum(pg_catalog.pg_relation_size(c.oid)), \
             CASE WHEN bool_and(c.relkind = 'p' OR c.relkind IN ('r', 'm') AND c.reltuples >= 0) \
             THEN sum(CASE WHEN c.relkind = 'p' THEN 0 ELSE c.reltuples::pg_catalog.float8 END) END, \
             bool_and(c.relkind IN ('r', 'm', 'p')) \
             FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid",
            quote::literal(&table.remote_name())
        );
        let reply = participant.run(Request::Simple(&sql), &sql)?;
        let fields: Vec<_> =
            reply.fields(0).map(|field| field.and_then(|f| std::str::from_utf8(f).ok())).collect();
        let [bytes, rows, sampleable] = fields[..] else {
            return Err(Failure::new(
                SqlState::FDW_INCONSISTENT_DESCRIPTOR_INFORMATION,
                "unexpected answer to the query for a table's size",
            ));
        };
        Ok(Info {
            bytes: bytes.and_then(|b| b.parse().ok()).unwrap_or(0.0),
            rows: rows.and_then(|r| r.parse().ok()),
            sampleable: sampleable == Some("t"),
        })
    }
}

/// Rows that a page of a large table has at least, most probably.
const LEAST_ROWS_OF_PAGE: f64 = 10.0;

/// How the remote server draws the sample, and which part of the rows.
fn method(sampling: Sampling, info: Info, version: i32, wanted: i32) -> (Sample, f64) {
    let wanted = f64::from(wanted);
    // 0 means "never analyzed" before PostgreSQL 14.
    let known = info.rows.filter(|&rows| rows > 0.0);
    // Nobody has counted them: as many as pages of wide rows hold, so that the sample is not too small.
    let rows = known.unwrap_or_else(|| info.pages() * LEAST_ROWS_OF_PAGE);
    // Nothing is known, or all rows are wanted anyway.
    if rows <= wanted {
        return (Sample::All, 1.0);
    }
    let fraction = wanted / rows;
    let sample = match sampling {
        Sampling::Off => return (Sample::All, 1.0),
        Sampling::Random => Sample::Random,
        Sampling::System => Sample::System,
        Sampling::Bernoulli => Sample::Bernoulli,
        Sampling::Auto if version >= TABLESAMPLE_VERSION && info.sampleable => Sample::Bernoulli,
        Sampling::Auto => Sample::Random,
    };
    (sample, fraction)
}

/// The number of rows of the table, when `seen` rows came of a sample of this fraction. The sample's own estimate has a
/// standard error of 1/sqrt(units), where a unit is what is drawn: a row, or a page by TABLESAMPLE SYSTEM. Remote
/// statistics that are within four of these are taken as they are, others are out of date.
fn estimate(seen: f64, fraction: f64, units: f64, known: Option<f64>) -> f64 {
    let estimated = seen / fraction;
    match known {
        Some(rows)
            if fraction < 1.0 && (rows - estimated).abs() <= 4.0 / units.max(1.0).sqrt() * rows =>
        {
            rows
        }
        _ => estimated.round(),
    }
}

struct Outcome {
    kept: i32,
    total: f64,
}

unsafe fn sample(
    relation: pg_sys::Relation,
    rows: *mut pg_sys::HeapTuple,
    wanted: i32,
) -> Result<Outcome, Failure> {
    // SAFETY: the caller hands the callback's arguments.
    unsafe {
        let table = load::foreign_table((*relation).rd_id)?;
        let participant = enlist(relation, &table)?;
        let info = match table.analyze_sampling {
            Sampling::Off => Info { bytes: 0.0, rows: None, sampleable: false },
            _ => Info::ask(&table, &participant)?,
        };
        let version = participant.session().server_version();
        let (sample, fraction) = method(table.analyze_sampling, info, version, wanted);
        let (sql, attnums) = deparse::analyze_sample(&table, sample, fraction)?;
        let mut former = Former::new((*relation).rd_att, &attnums, &table)?;
        let max_rows = table.fetch_size.unwrap_or(FETCH_ROWS);
        let portal = participant.session().new_portal_name();
        let mut batch = former.first_batch(&participant, &sql, &portal, max_rows)?;
        let mut reservoir = Reservoir::new(rows, wanted);
        loop {
            // The next batch is on its way while this one is used.
            let next = batch
                .suspended
                .then(|| participant.submit(Request::Fetch { portal: &portal, max_rows }))
                .transpose()?;
            for row in 0..batch.rows.len() {
                reservoir.offer(|| former.form(batch.row(row)))?;
            }
            pgrx::check_for_interrupts!();
            let Some(ticket) = next else { break };
            batch = participant.wait(ticket, &sql)?;
        }
        participant.close_portal(&portal);
        let units = match sample {
            Sample::System => fraction * info.pages(),
            _ => reservoir.seen,
        };
        let total = estimate(reservoir.seen, fraction, units, info.rows);
        Ok(Outcome { kept: reservoir.kept, total })
    }
}

/// Makes tuples of the local table from result rows.
struct Former {
    decoder: RowDecoder,
    descriptor: pg_sys::TupleDesc,
    attnums: Vec<i32>,
    decoded: (Vec<pg_sys::Datum>, Vec<bool>),
    whole: (Vec<pg_sys::Datum>, Vec<bool>),
}

impl Former {
    unsafe fn new(
        descriptor: pg_sys::TupleDesc,
        attnums: &[i32],
        table: &ForeignTable,
    ) -> Result<Former, Failure> {
        // SAFETY: the descriptor is that of the relation being analyzed; the attribute numbers are its columns'.
        unsafe {
            let width = (*descriptor).natts as usize;
            let columns = attnums
                .iter()
                .map(|&attnum| {
                    let attribute = crate::pg::compat::attribute(descriptor, attnum as usize - 1);
                    LocalColumn {
                        type_oid: (*attribute).atttypid,
                        typmod: (*attribute).atttypmod,
                        name: text::from_server((*attribute).attname.data.as_ptr()),
                        state: None,
                        place: None,
                    }
                })
                .collect();
            let name = crate::pg::catalog::relation_name(table.relid).unwrap_or_default();
            let none = pg_sys::Datum::from(0);
            Ok(Former {
                decoder: RowDecoder::new(columns, name)?,
                descriptor,
                attnums: attnums.to_vec(),
                decoded: (vec![none; attnums.len()], vec![true; attnums.len()]),
                whole: (vec![none; width], vec![true; width]),
            })
        }
    }

    /// Sends the query and takes its first rows, in formats that the decoder understands.
    fn first_batch(
        &mut self,
        participant: &Participant,
        sql: &str,
        portal: &str,
        max_rows: u32,
    ) -> Result<Reply, Failure> {
        loop {
            let request = Request::Execute {
                sql,
                param_types: &[],
                params: &Params::default(),
                formats: self.decoder.formats(),
                portal,
                max_rows,
            };
            let reply = participant.run(request, sql)?;
            let columns = reply.columns.clone().unwrap_or_default();
            match self.decoder.fit(&columns)? {
                Fit::Ready => return Ok(reply),
                // The decoder has changed its formats.
                Fit::Rebind(_) => {
                    participant.run(Request::ClosePortal(portal), sql)?;
                }
            }
        }
    }

    unsafe fn form(&mut self, row: &[u8]) -> Result<pg_sys::HeapTuple, Failure> {
        // SAFETY: the row is of the fitted result; the arrays are as long as the descriptor says; heap_form_tuple copies
        // what the values refer to.
        unsafe {
            let (values, nulls) = &mut self.decoded;
            self.decoder.decode(row, values, nulls)?;
            for (at, &attnum) in self.attnums.iter().enumerate() {
                self.whole.0[attnum as usize - 1] = values[at];
                self.whole.1[attnum as usize - 1] = nulls[at];
            }
            let tuple = pg_sys::heap_form_tuple(
                self.descriptor,
                self.whole.0.as_mut_ptr(),
                self.whole.1.as_mut_ptr(),
            );
            self.decoder.reset_batch();
            Ok(tuple)
        }
    }
}

/// Vitter's algorithm Z, as ANALYZE uses it for local tables: each row has the same chance to stay.
struct Reservoir {
    rows: *mut pg_sys::HeapTuple,
    wanted: i32,
    kept: i32,
    seen: f64,
    to_skip: f64,
    state: pg_sys::ReservoirStateData,
}

impl Reservoir {
    unsafe fn new(rows: *mut pg_sys::HeapTuple, wanted: i32) -> Reservoir {
        let mut state = pg_sys::ReservoirStateData::default();
        // SAFETY: initialises the state.
        unsafe { pg_sys::reservoir_init_selection_state(&mut state, wanted) };
        Reservoir { rows, wanted, kept: 0, seen: 0.0, to_skip: -1.0, state }
    }

    /// Counts a row, and keeps it if chance will have it so; only then it is formed.
    unsafe fn offer(
        &mut self,
        form: impl FnOnce() -> Result<pg_sys::HeapTuple, Failure>,
    ) -> Result<(), Failure> {
        // SAFETY: `rows` has room for `wanted` tuples, of which the first `kept` are set; each was palloc'd.
        unsafe {
            if self.kept < self.wanted {
                *self.rows.add(self.kept as usize) = form()?;
                self.kept += 1;
            } else {
                if self.to_skip < 0.0 {
                    self.to_skip =
                        pg_sys::reservoir_get_next_S(&mut self.state, self.seen, self.wanted);
                }
                if self.to_skip <= 0.0 {
                    let chance = pg_sys::sampler_random_fract(&mut self.state.randstate);
                    let place = self.rows.add((f64::from(self.wanted) * chance) as usize);
                    pg_sys::heap_freetuple(*place);
                    *place = form()?;
                }
                self.to_skip -= 1.0;
            }
        }
        self.seen += 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_sample() {
        let info = |rows, sampleable| Info { bytes: 0.0, rows, sampleable };
        let of = |sampling, info, version| method(sampling, info, version, 300);
        let big = info(Some(3000.0), true);
        assert_eq!(of(Sampling::Auto, big, 150_000), (Sample::Bernoulli, 0.1));
        assert_eq!(of(Sampling::Auto, big, 90_400), (Sample::Random, 0.1));
        assert_eq!(of(Sampling::Auto, info(Some(3000.0), false), 150_000), (Sample::Random, 0.1));
        assert_eq!(of(Sampling::System, big, 150_000), (Sample::System, 0.1));
        assert_eq!(of(Sampling::Off, big, 150_000), (Sample::All, 1.0));
        assert_eq!(of(Sampling::Auto, info(None, true), 150_000), (Sample::All, 1.0));
        assert_eq!(of(Sampling::Bernoulli, info(Some(200.0), true), 150_000), (Sample::All, 1.0));
        // Never analyzed: by its size.
        let pages = |pages: f64| Info { bytes: pages * 8192.0, rows: None, sampleable: true };
        assert_eq!(of(Sampling::Auto, pages(300.0), 150_000), (Sample::Bernoulli, 0.1));
        assert_eq!(of(Sampling::Auto, pages(30.0), 150_000), (Sample::All, 1.0));
    }

    #[test]
    fn totals() {
        assert_eq!(estimate(500.0, 1.0, 500.0, None), 500.0);
        // All rows came: what statistics say does not matter.
        assert_eq!(estimate(500.0, 1.0, 500.0, Some(510.0)), 500.0);
        assert_eq!(estimate(302.0, 0.1, 302.0, Some(3000.0)), 3000.0);
        assert_eq!(estimate(600.0, 0.1, 600.0, Some(3000.0)), 6000.0);
        // Few pages say little.
        assert_eq!(estimate(450.0, 0.1, 44.0, Some(3000.0)), 3000.0);
    }
}

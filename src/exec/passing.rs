//! Rows that go from the shards to the client as they come, without being read here.
//!
//! When a statement of the client's is one foreign scan and nothing else, each of its rows would be taken apart into
//! values and put together again, to give the bytes that came. That is left out where it is certain to give the
//! same bytes: the columns are the scan's, their types are built in, the same here and there, and all that changes how
//! their values are written is the same here as in the sessions on the shards.
//!
//! The statement runs as any other: hooks, counters, snapshots and the receiver of its rows see it begin and end. Only
//! the scan gives no rows to the executor; it sends them, and counts them for the command tag. What a shard says of
//! its columns decides shard by shard: where it does not fit, that shard's rows are read here as usual.

use super::foreign_scan;
use super::kinds;
use super::own_routine::{self, IsOwn};
use super::rows::LocalColumn;
use super::same_form::{self, Settings};
use crate::error::{Failure, SqlState};
use crate::pg::compat;
use crate::pg::transmission;
use crate::pg::typeio::element_type;
use crate::pg::{client, node, text};
use crate::settings;
use crate::wire::{Column, Formats, Session};
use pgrx::{PgLogLevel, pg_sys};
use std::ops::Range;

/// So many rows are sent before the next are looked at.
pub(super) const ROWS_AT_ONCE: usize = 64;
/// From this version on servers write floating-point numbers in the shortest exact form.
const SHORTEST_FLOATS: i32 = 120_000;

/// Installs the executor's hook; once, from `_PG_init`.
pub fn init(is_own: IsOwn) {
    if own_routine::set(is_own) {
        compat::install_run(before_run);
    }
}

/// A column of the remote result that the client gets.
struct Given {
    type_oid: u32,
    typmod: i32,
    /// The client wants it in binary.
    binary: bool,
    /// Its bytes are characters, to be verified.
    characters: bool,
    /// They are those of a bytea.
    hex: bool,
}

/// How rows are passed on.
pub(super) struct Passing {
    /// The columns of the remote result; `None`: not given to the client.
    columns: Vec<Option<Given>>,
    /// What to ask the shards for.
    pub(super) formats: Formats,
    /// For each column of the client's row the one of the remote row; `None`: the rows are the same.
    order: Option<Vec<usize>>,
    /// The settings that must be the same there as here.
    written_by: Settings,
    utf8: bool,
}

/// All rows of a statement, whose plan begins with a foreign scan, are about to be asked for.
unsafe fn before_run(query: *mut pg_sys::QueryDesc) -> Result<(), Failure> {
    // SAFETY: the statement's execution was prepared; the node is cast by its tag.
    unsafe {
        let node = (*query).planstate.cast::<pg_sys::ForeignScanState>();
        if !settings::enable_result_passthrough()
            || !(*node).fdwroutine.as_ref().is_some_and(own_routine::is_own)
            || !is_clients_own(query)
            || !(*node).ss.ps.instrument.is_null()
            || !(*node).ss.ps.qual.is_null()
            || (*(*node).ss.ps.plan.cast::<pg_sys::ForeignScan>()).operation
                != pg_sys::CmdType::CMD_SELECT
            || !transmission::client_speaks_wire()
        {
            return Ok(());
        }
        if let Some(state) = foreign_scan::state(node)
            && let Some((columns, retrieved)) = state.can_pass()
        {
            let passing = Passing::plan(query, columns, retrieved);
            state.pass(passing);
        }
        Ok(())
    }
}

/// Whether the statement is run by a portal for the client: its rows go there, in the portal's formats.
unsafe fn is_clients_own(query: *mut pg_sys::QueryDesc) -> bool {
    // SAFETY: a running portal is valid.
    unsafe {
        let portal = pg_sys::ActivePortal;
        !portal.is_null()
            && (*portal).queryDesc == query
            && (*portal).strategy == pg_sys::PortalStrategy::PORTAL_ONE_SELECT
            && (*query).operation == pg_sys::CmdType::CMD_SELECT
            && client::is_client((*query).dest)
    }
}

/// Whether that is still so now that the statement runs: others who look at it may have put a receiver of their own
/// before the client's.
///
/// # Safety
/// `estate` is the state of a running statement.
pub(super) unsafe fn goes_to_client(estate: *mut pg_sys::EState) -> bool {
    // SAFETY: as the caller vouches; a running portal's statement is valid.
    unsafe {
        let portal = pg_sys::ActivePortal;
        !portal.is_null()
            && (*portal).queryDesc.as_ref().is_some_and(|query| query.estate == estate)
            && is_clients_own((*portal).queryDesc)
    }
}

impl Passing {
    /// How to pass the rows of the running portal's statement on, if it can be done.
    ///
    /// # Safety
    /// The statement is the active portal's, its plan is one ForeignScan, whose remote result has `columns`, which
    /// are those of its row that `retrieved` tells.
    unsafe fn plan(
        query: *mut pg_sys::QueryDesc,
        columns: &[LocalColumn],
        retrieved: &[i32],
    ) -> Option<Passing> {
        // SAFETY: as the caller vouches; expressions are cast by their tags.
        unsafe {
            let scan = (*(*query).planstate).plan.cast::<pg_sys::ForeignScan>();
            let relation = (*scan).scan.scanrelid as i32;
            let descriptor = (*query).tupDesc;
            let width = (*descriptor).natts as usize;
            let formats = (*pg_sys::ActivePortal).formats;
            let mut given: Vec<Option<Given>> = columns.iter().map(|_| None).collect();
            let mut order = Vec::with_capacity(width);
            let mut written_by = 0;
            for entry in node::list::<pg_sys::TargetEntry>((*scan).scan.plan.targetlist) {
                if (*entry).resjunk {
                    continue;
                }
                let var = node::cast::<pg_sys::Var, _>((*entry).expr)?;
                let of_scan = match relation {
                    0 => var.varno == pg_sys::INDEX_VAR,
                    _ => var.varno == relation,
                };
                let attribute = i32::from(var.varattno);
                if !of_scan || attribute == 0 || order.len() == width {
                    return None;
                }
                let place = retrieved.iter().position(|&own| own == attribute)?;
                let column = columns.get(place)?;
                let own_type = (*compat::attribute(descriptor, order.len())).atttypid;
                if column.state.is_some() || own_type != column.type_oid {
                    return None;
                }
                let binary = !formats.is_null() && *formats.add(order.len()) != 0;
                let (wanted, its) = Given::of(column, binary)?;
                match &given[place] {
                    Some(other) if other.binary != wanted.binary => return None,
                    _ => given[place] = Some(wanted),
                }
                written_by |= its;
                order.push(place);
            }
            if order.len() != width || width == 0 || !is_written_alike(written_by) {
                return None;
            }
            let same = width == given.len() && order.iter().enumerate().all(|(at, &of)| at == of);
            let binary = |column: &Option<Given>| column.as_ref().is_some_and(|c| c.binary);
            Some(Passing {
                formats: if given.iter().all(|column| !binary(column)) {
                    Formats::Text
                } else {
                    Formats::PerColumn(given.iter().map(|c| i16::from(binary(c))).collect())
                },
                columns: given,
                order: (!same).then_some(order),
                written_by,
                utf8: text::server_is_utf8(),
            })
        }
    }

    /// Tells those who want to know (client_min_messages = debug2).
    pub(super) fn tell(&self) {
        let level = PgLogLevel::DEBUG2;
        // SAFETY: looks at settings.
        if unsafe { pg_sys::message_level_is_interesting(level as i32) } {
            pgrx::ereport!(
                level,
                pgrx::PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
                "rows go from the shards to the client as they come"
            );
        }
    }

    /// Whether column `place` of the remote result comes in binary.
    pub(super) fn is_binary(&self, place: usize) -> bool {
        matches!(self.columns.get(place), Some(Some(column)) if column.binary)
    }

    /// Whether a shard's result is what it has to be for that, as far as its description and its first row tell.
    pub(super) fn accepts(&self, remote: &[Column], session: &Session, first: &[u8]) -> bool {
        remote.len() == self.columns.len()
            && self.columns.iter().zip(remote).all(|(own, remote)| {
                own.as_ref().is_none_or(|own| own.accepts(remote.type_oid, remote.typmod))
            })
            && self.is_written_alike(session)
            && (first.is_empty() || self.verify(first).is_ok_and(|alike| alike))
    }

    /// Whether the shard's settings are those of its session's beginning, as far as it tells of them.
    fn is_written_alike(&self, session: &Session) -> bool {
        let same = |name: &str, value: &str| {
            let reported = session.parameter(name);
            reported.is_some_and(|reported| reported.split(',').next() == Some(value))
        };
        let by = |setting| self.written_by & setting != 0;
        (!by(same_form::FLOATS) || session.server_version() >= SHORTEST_FLOATS)
            && (!by(same_form::DATES) || same("DateStyle", "ISO"))
            && (!by(same_form::INTERVALS) || same("IntervalStyle", "postgres"))
            && (!by(same_form::ZONE) || same("TimeZone", "GMT"))
    }

    /// An error when the shard's settings have changed since its first rows came.
    pub(super) fn check(&self, session: &Session) -> Result<(), Failure> {
        if self.is_written_alike(session) { Ok(()) } else { Err(changed()) }
    }

    /// Sends rows to the client: `data` holds their bodies up to its end, each from one of `starts` on.
    ///
    /// # Safety
    /// In the run that [`Passing::plan`] was called for.
    pub(super) unsafe fn send(&self, data: &[u8], starts: &[u32]) -> Result<(), Failure> {
        let mut bodies: Vec<&[u8]> = Vec::with_capacity(ROWS_AT_ONCE);
        let (mut sent, mut built, mut ends, mut fields) = (0, Vec::new(), Vec::new(), Vec::new());
        while sent < starts.len() {
            let some = sent..starts.len().min(sent + ROWS_AT_ONCE);
            bodies.clear();
            built.clear();
            ends.clear();
            for row in some.clone() {
                let end = starts.get(row + 1).map_or(data.len(), |&end| end as usize);
                let body = data.get(starts[row] as usize..end).ok_or_else(malformed)?;
                if !self.verify(body)? {
                    return Err(changed());
                }
                match &self.order {
                    None => bodies.push(body),
                    Some(order) => {
                        rearrange(body, order, &mut fields, &mut built)?;
                        ends.push(built.len());
                    }
                }
            }
            if self.order.is_none() {
                // SAFETY: as the caller vouches.
                unsafe { put(&bodies) };
            } else {
                let mut start = 0;
                let mut rebuilt: Vec<&[u8]> = Vec::with_capacity(ends.len());
                for &end in &ends {
                    rebuilt.push(&built[start..end]);
                    start = end;
                }
                // SAFETY: as the caller vouches.
                unsafe { put(&rebuilt) };
            }
            sent = some.end;
        }
        Ok(())
    }

    /// An error unless the row has the right columns, and what must be characters is. False: a value is written in another
    /// way than here.
    fn verify(&self, body: &[u8]) -> Result<bool, Failure> {
        let mut fields = super::codec::Fields::new(body).map_err(|_| malformed())?;
        if fields.count != self.columns.len() {
            return Err(malformed());
        }
        let mut alike = true;
        for column in &self.columns {
            let field = fields.field().map_err(|_| malformed())?;
            if let (Some(column), Some(bytes)) = (column, field)
                && column.characters
                && !is_plain(bytes)
                && (bytes.contains(&0) || self.utf8 && std::str::from_utf8(bytes).is_err())
            {
                // PostgreSQL finds the words for it.
                transmission::wire_to_server(bytes);
                return Err(malformed());
            }
            if let (Some(column), Some(bytes)) = (column, field)
                && column.hex
            {
                alike &= same_form::is_hex(bytes);
            }
        }
        if fields.at_end() { Ok(alike) } else { Err(malformed()) }
    }
}

impl Given {
    /// A column that the client wants, and what changes how it is written; `None`: it must be read here.
    fn of(column: &LocalColumn, binary: bool) -> Option<(Given, Settings)> {
        let type_oid = column.type_oid.to_u32();
        let (written_by, characters) = if binary {
            let same = same_form::in_binary(type_oid, element_type);
            (same.then_some(0)?, same_form::is_all_text(type_oid))
        } else {
            (same_form::in_text(type_oid, element_type)?, true)
        };
        let hex = !binary && same_form::is_bytea(type_oid);
        Some((Given { type_oid, typmod: column.typmod, binary, characters, hex }, written_by))
    }

    /// Whether a remote column of this type holds the column's values as they are: see `Fieldwise::fit`.
    fn accepts(&self, remote: u32, remote_typmod: i32) -> bool {
        let any_text = kinds::is_any_text(self.type_oid) && self.typmod < 0;
        remote == self.type_oid && (self.typmod < 0 || self.typmod == remote_typmod)
            || any_text && (!self.binary || kinds::is_text_like(remote))
    }
}

/// Whether the session's settings are those of the sessions on the shards.
fn is_written_alike(written_by: Settings) -> bool {
    let alike = |setting, plain: fn() -> bool| written_by & setting == 0 || plain();
    alike(same_form::DATES, transmission::dates_are_plain)
        && alike(same_form::INTERVALS, transmission::intervals_are_plain)
        && alike(same_form::FLOATS, transmission::floats_are_plain)
        && alike(same_form::ZONE, transmission::zone_is_plain)
        && alike(same_form::BYTEA, transmission::bytea_is_plain)
}

/// Whether all bytes are ASCII and none is NUL.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().fold(0, |all, &byte| all | byte | byte.wrapping_sub(1)) < 0x80
}

/// Appends a row with the fields of `body`, which is in order, that `order` names.
fn rearrange(
    body: &[u8],
    order: &[usize],
    fields: &mut Vec<Range<usize>>,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    fields.clear();
    let mut rest = 2;
    while let Some(head) = body.get(rest..).and_then(|tail| tail.first_chunk::<4>()) {
        let length = usize::try_from(i32::from_be_bytes(*head)).unwrap_or(0);
        fields.push(rest..rest + 4 + length);
        rest += 4 + length;
    }
    out.extend_from_slice(&(order.len() as u16).to_be_bytes());
    for &of in order {
        let field = fields.get(of).and_then(|at| body.get(at.clone()));
        out.extend_from_slice(field.ok_or_else(malformed)?);
    }
    Ok(())
}

/// Sends rows to the client.
unsafe fn put(mut rows: &[&[u8]]) {
    while !rows.is_empty() {
        // SAFETY: as the callers vouch.
        let put = unsafe { client::put_rows(rows) };
        rows = rows.get(put..).unwrap_or_default();
        pgrx::check_for_interrupts!();
    }
}

fn changed() -> Failure {
    Failure::new(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        "a server has changed how it writes values while they were sent to the client",
    )
    .with_hint(
        "Something there sets DateStyle, IntervalStyle, TimeZone or bytea_output. SET \
         shard_fdw.enable_result_passthrough = off has its rows read here.",
    )
}

fn malformed() -> Failure {
    Failure::new(SqlState::PROTOCOL_VIOLATION, "malformed data row from the remote server")
}

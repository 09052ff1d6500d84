//! What planning hands to execution: plain nodes only, because plans are copied, cached and serialised.
//!
//! This is the only channel from `plan` to `exec`. Each struct has one `to_list`/`from_list` pair; the list's
//! layout is known to nobody else.

use super::conflict_plan::ConflictPlan;
use super::merge::MergeKey;
use super::routing::Routing;
use crate::deparse::Template;
use crate::error::Failure;
use crate::options::load::{self, ForeignTable};
use crate::pg::text;
use pgrx::pg_sys;
use pgrx::pg_sys::Oid;

/// One place a scan reads from: a server, and the foreign table there of each relation of the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The foreign server.
    pub server: Oid,
    /// Foreign tables, parallel to [`ScanPlan::relations`].
    pub tables: Vec<Oid>,
}

/// A foreign scan, as execution needs it.
#[derive(Clone, Debug, Default)]
pub struct ScanPlan {
    /// The remote SQL; `Piece::Relation(rti)` stands for the table of range-table entry `rti`.
    pub template: Template,
    /// For each result column: the attribute number (base scan) or 1-based position in `fdw_scan_tlist`.
    pub retrieved: Vec<i32>,
    /// Range-table indexes that the template mentions.
    pub relations: Vec<u32>,
    /// Where to send it.
    pub placements: Vec<Placement>,
    /// Rows per fetch as set by the user; 0 lets execution choose by width.
    pub fetch_size: u32,
    /// Whether rows are locked or modified behind this scan: then nothing is read ahead of need.
    pub locking: bool,
    /// Names of the relations of a join or grouping, for EXPLAIN's `Relations:`.
    pub description: Option<String>,
    /// Why conditions were not sent, for EXPLAIN VERBOSE's `Not shipped:`.
    pub not_shipped: Vec<String>,
    /// Why conditions left no placement out, for EXPLAIN VERBOSE's `Not pruned:`.
    pub not_pruned: Vec<String>,
    /// Sharded tables in it, whose own heaps must be empty.
    pub parents: Vec<Oid>,
    /// How many placements there would be without pruning; 0 for plain foreign tables.
    pub of_placements: u32,
    /// How placements are chosen at execution: all must agree on one.
    pub routing: Vec<Routing>,
    /// How many of `fdw_exprs` are parameters of the statement; further ones are routing's.
    pub params: u32,
    /// By what the sorted rows of several placements are merged.
    pub merge: Vec<MergeKey>,
    /// Each placement gives one row at most.
    pub one_row: bool,
}

impl ScanPlan {
    /// As `fdw_private` of a ForeignScan.
    ///
    /// # Safety
    /// In planner context: the nodes are made in the current memory context.
    pub unsafe fn to_list(&self) -> *mut pg_sys::List {
        // SAFETY: list and node makers only allocate.
        unsafe {
            let mut out = Writer::new();
            out.list(self.template.to_list());
            out.integers(self.retrieved.iter().copied());
            out.integers(self.relations.iter().map(|&rti| rti as i32));
            let mut placements = Writer::new();
            for placement in &self.placements {
                placements.oids(
                    std::iter::once(placement.server).chain(placement.tables.iter().copied()),
                );
            }
            out.list(placements.finish());
            out.integer(self.fetch_size as i32);
            out.integer(i32::from(self.locking));
            out.strings(self.description.iter());
            out.strings(self.not_shipped.iter());
            out.strings(self.not_pruned.iter());
            out.oids(self.parents.iter().copied());
            out.integer(self.of_placements as i32);
            Routing::write(&self.routing, &mut out);
            out.integer(self.params as i32);
            out.integers(self.merge.iter().flat_map(MergeKey::to_numbers));
            out.integer(i32::from(self.one_row));
            out.finish()
        }
    }

    /// The SQL that `placement` gets.
    pub fn sql(&self, placement: &Placement) -> Result<String, Failure> {
        let mut names = Vec::with_capacity(self.relations.len());
        for (&rti, &table) in self.relations.iter().zip(&placement.tables) {
            names.push((rti, load::foreign_table(table)?));
        }
        let table = |rti: u32| names.iter().find(|(r, _)| *r == rti).map(|(_, table)| table);
        Ok(self.template.render(
            |rti| table(rti).map(|table| table.remote_name()).unwrap_or_default(),
            |rti| table(rti).map_or(0, |table| table.relid.to_u32()),
        ))
    }

    /// From `fdw_private` of a ForeignScan.
    ///
    /// # Safety
    /// `list` was made by [`ScanPlan::to_list`], possibly copied since.
    pub unsafe fn from_list(list: *mut pg_sys::List) -> Result<ScanPlan, Failure> {
        // SAFETY: the caller vouches for the layout; Reader checks lengths.
        unsafe {
            let mut list = Reader::new(list);
            let template = Template::from_list(list.list()?)?;
            let retrieved = list.integers()?;
            let relations = list.integers()?.into_iter().map(|rti| rti as u32).collect();
            let mut placements = Vec::new();
            let mut nested = Reader::new(list.list()?);
            while !nested.at_end() {
                let oids = nested.oids()?;
                let (&server, tables) = oids.split_first().ok_or_else(malformed)?;
                placements.push(Placement { server, tables: tables.to_vec() });
            }
            Ok(ScanPlan {
                template,
                retrieved,
                relations,
                placements,
                fetch_size: list.integer()? as u32,
                locking: list.integer()? != 0,
                description: list.strings()?.into_iter().next(),
                not_shipped: list.strings()?,
                not_pruned: list.strings()?,
                parents: list.oids()?,
                of_placements: list.integer()? as u32,
                routing: Routing::read(&mut list)?,
                params: list.integer()? as u32,
                merge: list.integers()?.chunks(4).filter_map(MergeKey::from_numbers).collect(),
                one_row: list.integer()? != 0,
            })
        }
    }
}

/// A row-by-row INSERT, UPDATE or DELETE, as execution needs it.
#[derive(Clone, Debug)]
pub struct ModifyPlan {
    /// The remote SQL; that of an INSERT takes any number of rows.
    pub template: Template,
    /// Attributes whose values are sent, in parameter order (behind the row's identity for UPDATE and DELETE).
    pub targets: Vec<i32>,
    /// Whether the statement returns rows.
    pub returning: bool,
    /// Attributes that RETURNING brings back.
    pub retrieved: Vec<i32>,
    /// ON CONFLICT DO UPDATE.
    pub conflict: Option<ConflictPlan>,
    /// The same for many rows in arrays (UPDATE, DELETE), if that makes no difference to anything else.
    pub many: Option<Template>,
}

impl ModifyPlan {
    /// As one element of `fdwPrivLists` of a ModifyTable.
    ///
    /// # Safety
    /// In planner context.
    pub unsafe fn to_list(&self) -> *mut pg_sys::List {
        // SAFETY: list and node makers only allocate.
        unsafe {
            let mut out = Writer::new();
            out.list(self.template.to_list());
            out.integers(self.targets.iter().copied());
            out.integer(i32::from(self.returning));
            out.integers(self.retrieved.iter().copied());
            ConflictPlan::write(self.conflict.as_ref(), &mut out);
            let none = std::ptr::null_mut();
            out.list(self.many.as_ref().map_or(none, |template| template.to_list()));
            out.finish()
        }
    }

    /// From one element of `fdwPrivLists`.
    ///
    /// # Safety
    /// `list` was made by [`ModifyPlan::to_list`], possibly copied since.
    pub unsafe fn from_list(list: *mut pg_sys::List) -> Result<ModifyPlan, Failure> {
        // SAFETY: as above.
        unsafe {
            let mut list = Reader::new(list);
            Ok(ModifyPlan {
                template: Template::from_list(list.list()?)?,
                targets: list.integers()?,
                returning: list.integer()? != 0,
                retrieved: list.integers()?,
                conflict: ConflictPlan::read(&mut list)?,
                many: match list.list()? {
                    none if none.is_null() => None,
                    template => Some(Template::from_list(template)?),
                },
            })
        }
    }

    /// The SQL for `rows` rows of `table`.
    pub fn sql(&self, table: &ForeignTable, rows: usize) -> String {
        ModifyPlan::render(&self.template, table, Some(rows))
    }

    /// The same for one of the plan's other templates.
    pub fn render(template: &Template, table: &ForeignTable, rows: Option<usize>) -> String {
        template.render_rows(rows, |_| table.remote_name(), |_| table.relid.to_u32())
    }
}

/// An UPDATE or DELETE that the shard runs as a whole.
#[derive(Clone, Debug, Default)]
pub struct DirectPlan {
    /// The statement and where it goes; `retrieved` are RETURNING's columns.
    pub scan: ScanPlan,
    /// Whether the rows it changes count for the command tag.
    pub counts: bool,
    /// Of a MERGE that may insert one row: columns that decide where it goes, and which of `fdw_exprs` are their values.
    pub inserted: Vec<(i32, usize)>,
    /// Of such a MERGE: no row can match.
    pub only_inserts: bool,
}

impl DirectPlan {
    /// As `fdw_private` of the ForeignScan below the ModifyTable.
    ///
    /// # Safety
    /// In planner context.
    pub unsafe fn to_list(&self) -> *mut pg_sys::List {
        // SAFETY: list and node makers only allocate.
        unsafe {
            let mut out = Writer::new();
            out.list(self.scan.to_list());
            out.integer(i32::from(self.counts));
            out.integers(self.inserted.iter().flat_map(|&(attnum, at)| [attnum, at as i32]));
            out.integer(i32::from(self.only_inserts));
            out.finish()
        }
    }

    /// From `fdw_private`.
    ///
    /// # Safety
    /// `list` was made by [`DirectPlan::to_list`], possibly copied since.
    pub unsafe fn from_list(list: *mut pg_sys::List) -> Result<DirectPlan, Failure> {
        // SAFETY: as above.
        unsafe {
            let mut list = Reader::new(list);
            let scan = ScanPlan::from_list(list.list()?)?;
            let counts = list.integer()? != 0;
            let numbers = list.integers()?;
            let pairs = numbers.chunks(2).filter_map(|pair| match pair {
                &[attnum, at] => Some((attnum, at as usize)),
                _ => None,
            });
            let inserted = pairs.collect();
            Ok(DirectPlan { scan, counts, inserted, only_inserts: list.integer()? != 0 })
        }
    }
}

fn malformed() -> Failure {
    Failure::internal("malformed plan data of a foreign scan")
}

/// Builds a List of nodes and nested lists.
pub(super) struct Writer(*mut pg_sys::List);

impl Writer {
    pub(super) fn new() -> Writer {
        Writer(std::ptr::null_mut())
    }

    pub(super) unsafe fn list(&mut self, list: *mut pg_sys::List) {
        // SAFETY: lappend stores the pointer; a NIL element is allowed.
        unsafe { self.0 = pg_sys::lappend(self.0, list.cast()) }
    }

    pub(super) unsafe fn integer(&mut self, value: i32) {
        // SAFETY: makes a node and appends it.
        unsafe { self.0 = pg_sys::lappend(self.0, pg_sys::makeInteger(value).cast()) }
    }

    pub(super) unsafe fn integers(&mut self, values: impl Iterator<Item = i32>) {
        // SAFETY: lappend_int keeps plain integers.
        unsafe {
            let list = values.fold(std::ptr::null_mut(), |list, v| pg_sys::lappend_int(list, v));
            self.list(list);
        }
    }

    pub(super) unsafe fn oids(&mut self, values: impl Iterator<Item = Oid>) {
        // SAFETY: lappend_oid keeps plain OIDs.
        unsafe {
            let list = values.fold(std::ptr::null_mut(), |list, v| pg_sys::lappend_oid(list, v));
            self.list(list);
        }
    }

    pub(super) unsafe fn strings<'a>(&mut self, values: impl Iterator<Item = &'a String>) {
        // SAFETY: makeString keeps the palloc'd copy.
        unsafe {
            let list = values.fold(std::ptr::null_mut(), |list, v| {
                pg_sys::lappend(list, pg_sys::makeString(text::to_server(v)).cast())
            });
            self.list(list);
        }
    }

    pub(super) fn finish(self) -> *mut pg_sys::List {
        self.0
    }
}

/// Reads back what [`Writer`] wrote.
pub(super) struct Reader {
    list: *mut pg_sys::List,
    next: i32,
}

impl Reader {
    pub(super) fn new(list: *mut pg_sys::List) -> Reader {
        Reader { list, next: 0 }
    }

    unsafe fn length(list: *mut pg_sys::List) -> i32 {
        // SAFETY: NIL or a valid list.
        if list.is_null() { 0 } else { unsafe { (*list).length } }
    }

    pub(super) unsafe fn at_end(&self) -> bool {
        // SAFETY: the list is valid.
        self.next >= unsafe { Self::length(self.list) }
    }

    unsafe fn cell(&mut self) -> Result<*mut pg_sys::ListCell, Failure> {
        // SAFETY: the index is checked against the length.
        unsafe {
            if self.at_end() {
                return Err(malformed());
            }
            let cell = (*self.list).elements.add(self.next as usize);
            self.next += 1;
            Ok(cell)
        }
    }

    pub(super) unsafe fn list(&mut self) -> Result<*mut pg_sys::List, Failure> {
        // SAFETY: the writer put a list pointer here.
        unsafe { Ok((*self.cell()?).ptr_value.cast()) }
    }

    pub(super) unsafe fn integer(&mut self) -> Result<i32, Failure> {
        // SAFETY: the writer put an Integer node here.
        unsafe {
            let node = (*self.cell()?).ptr_value.cast::<pg_sys::Integer>();
            if node.is_null() { Err(malformed()) } else { Ok((*node).ival) }
        }
    }

    pub(super) unsafe fn integers(&mut self) -> Result<Vec<i32>, Failure> {
        // SAFETY: the writer put an integer list here.
        unsafe {
            let list = self.list()?;
            Ok((0..Self::length(list))
                .map(|i| (*(*list).elements.add(i as usize)).int_value)
                .collect())
        }
    }

    pub(super) unsafe fn oids(&mut self) -> Result<Vec<Oid>, Failure> {
        // SAFETY: the writer put an OID list here.
        unsafe {
            let list = self.list()?;
            Ok((0..Self::length(list))
                .map(|i| (*(*list).elements.add(i as usize)).oid_value)
                .collect())
        }
    }

    pub(super) unsafe fn strings(&mut self) -> Result<Vec<String>, Failure> {
        // SAFETY: the writer put a list of String nodes here.
        unsafe {
            let list = self.list()?;
            Ok((0..Self::length(list))
                .map(|i| {
                    let node =
                        (*(*list).elements.add(i as usize)).ptr_value.cast::<pg_sys::String>();
                    text::from_server((*node).sval)
                })
                .collect())
        }
    }
}

//! COPY FROM into foreign tables by the COPY protocol.
//!
//! PostgreSQL's own COPY reads, converts and routes the rows, so every format and option is its own. It calls a
//! foreign table through the callbacks of the ResultRelInfo: while that belongs to a COPY they are those of this
//! module, which put each row into the COPY of the remote table. All tables of the statement share one
//! [`lane::Run`]; what goes wrong on a shard is known later than the row, so its error names the table and no line.
//!
//! Row triggers, and remote tables that COPY does not treat as INSERT does, keep the INSERTs.

mod callbacks;
mod encode;
mod lane;
mod outlet;
mod parent;
mod places;
pub mod quiet;
mod routed;
pub mod statement;
mod text;

use super::modify;
use crate::error::Failure;
use crate::pg::text::from_server;
use crate::pg::{compat, copy as pg_copy, memory};
use encode::RowEncoder;
pub use lane::Run;
use outlet::Outlet;
pub use outlet::{Fate, Question};
use pgrx::pg_sys::{self, MinimalTuple};
pub use places::Places;
use std::cell::RefCell;
use std::rc::{Rc, Weak};

thread_local! {
    /// The runs of the COPY statements that are being executed, by their executor state.
    static RUNS: RefCell<Vec<(*mut pg_sys::EState, Weak<Run>)>> = const { RefCell::new(Vec::new()) };
}

/// A foreign table or sharded parent that rows are copied to.
struct CopyState {
    run: Rc<Run>,
    target: Target,
    /// The table that the statement names.
    name: String,
}

enum Target {
    Table(Box<Table>),
    Parent(Box<parent::Rows>),
}

/// A foreign table.
struct Table {
    encoder: RowEncoder,
    outlet: Outlet,
    /// What PostgreSQL would call by itself.
    original: *mut pg_sys::FdwRoutine,
    node: *mut pg_sys::ModifyTableState,
}

/// BeginForeignInsert: rows that come from COPY FROM or from partition routing.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn begin_insert(
    node: *mut pg_sys::ModifyTableState,
    result: *mut pg_sys::ResultRelInfo,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches. Only COPY has no plan.
    unsafe {
        if (*node).ps.plan.is_null() && begin(node, result)? {
            return Ok(());
        }
        modify::begin_insert(node, result)
    }
}

/// Takes the table over for COPY. False when its rows are to be inserted.
unsafe fn begin(
    node: *mut pg_sys::ModifyTableState,
    result: *mut pg_sys::ResultRelInfo,
) -> Result<bool, Failure> {
    // SAFETY: as the caller vouches. The state, the run and the routine live as long as the executor state.
    unsafe {
        let estate = (*node).ps.state;
        let context = (*estate).es_query_cxt;
        let relation = (*result).ri_RelationDesc;
        let run = run_of(estate);
        let user = compat::result_user(result, estate);
        let target = if let Some(pending) = parent::Pending::take((*relation).rd_id) {
            run.hold(pending.is_quiet());
            let Some(rows) = parent::Rows::begin(node, result, pending, &run)? else {
                return Ok(true);
            };
            Target::Parent(Box::new(rows))
        } else {
            let triggers = (*result).ri_TrigDesc;
            let columns = columns((*relation).rd_att);
            routed::hold(&run, (*node).rootResultRelInfo, relation)?;
            if columns.is_empty()
                || !triggers.is_null()
                    && ((*triggers).trig_insert_before_row || (*triggers).trig_insert_after_row)
            {
                return Ok(false);
            }
            Target::Table(Box::new(Table {
                encoder: RowEncoder::new((*relation).rd_att, &columns, context),
                outlet: Outlet::new(
                    &run,
                    (*relation).rd_id,
                    user,
                    columns,
                    context,
                    Question::Copy,
                ),
                original: (*result).ri_FdwRoutine,
                node,
            }))
        };
        let state = CopyState { run, target, name: relation_name((*node).rootResultRelInfo) };
        (*result).ri_FdwRoutine = callbacks::routine((*result).ri_FdwRoutine, context);
        (*result).ri_FdwState = memory::give(context, state).cast();
        Ok(true)
    }
}

unsafe fn relation_name(result: *mut pg_sys::ResultRelInfo) -> String {
    // SAFETY: the caller hands an initialised result relation.
    unsafe { from_server((*(*(*result).ri_RelationDesc).rd_rel).relname.data.as_ptr()) }
}

/// The columns whose values are sent: those that the shard does not generate.
unsafe fn columns(descriptor: pg_sys::TupleDesc) -> Vec<i16> {
    // SAFETY: the caller hands a valid row type.
    unsafe {
        let sent = (1..=(*descriptor).natts as i16).filter(|&attnum| {
            let column = compat::attribute(descriptor, attnum as usize - 1);
            !(*column).attisdropped && (*column).attgenerated == 0
        });
        sent.collect()
    }
}

fn run_of(estate: *mut pg_sys::EState) -> Rc<Run> {
    RUNS.with_borrow_mut(|runs| {
        runs.retain(|(_, run)| run.strong_count() > 0);
        let known = runs.iter().find(|(of, _)| *of == estate).and_then(|(_, run)| run.upgrade());
        known.unwrap_or_else(|| {
            let run = Run::new();
            runs.push((estate, Rc::downgrade(&run)));
            run
        })
    })
}

unsafe fn state<'a>(result: *mut pg_sys::ResultRelInfo) -> Result<&'a mut CopyState, Failure> {
    // SAFETY: with this module's callbacks, ri_FdwState is what `begin` has put there, or NULL after the end.
    unsafe { (*result).ri_FdwState.cast::<CopyState>().as_mut() }
        .ok_or_else(|| Failure::internal("a COPY was not begun"))
}

/// ExecForeignInsert.
unsafe fn insert(
    estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
) -> Result<*mut pg_sys::TupleTableSlot, Failure> {
    // SAFETY: the callback's arguments are as fdwhandler.sgml says.
    unsafe {
        let CopyState { target, name, .. } = state(result)?;
        let kept = match target {
            Target::Parent(rows) => rows.put(slot)?,
            Target::Table(table) => {
                match table.outlet.row(slot, |out| table.encoder.row(slot, out))? {
                    Ok(fate @ (Fate::Refused | Fate::Returned)) => {
                        let (node, original) = (table.node, table.original);
                        let stored = leave(result, node, original, table.outlet.take_back())?;
                        return match fate {
                            Fate::Refused => modify::insert_one(estate, result, slot),
                            _ => Ok(if stored { slot } else { std::ptr::null_mut() }),
                        };
                    }
                    taken => taken.map(|_| true),
                }
            }
        };
        let kept = kept.map_err(|failure| pg_copy::of_table(failure, name))?;
        Ok(if kept { slot } else { std::ptr::null_mut() })
    }
}

/// Gives a table back to the foreign data wrapper's own callbacks, with rows that were taken for COPY.
unsafe fn leave(
    result: *mut pg_sys::ResultRelInfo,
    node: *mut pg_sys::ModifyTableState,
    original: *mut pg_sys::FdwRoutine,
    rows: Vec<MinimalTuple>,
) -> Result<bool, Failure> {
    // SAFETY: the callers hand what `begin` has kept.
    unsafe {
        let estate = (*node).ps.state;
        (*result).ri_FdwRoutine = original;
        (*result).ri_FdwState = std::ptr::null_mut();
        modify::begin_insert(node, result)?;
        replay(rows, (*(*result).ri_RelationDesc).rd_att, |slot| {
            modify::insert_one(estate, result, slot).map(|stored| !stored.is_null())
        })
    }
}

/// Hands the rows, which are freed, to `insert` one by one. Gives what it says of the last one.
unsafe fn replay(
    rows: Vec<MinimalTuple>,
    descriptor: pg_sys::TupleDesc,
    mut insert: impl FnMut(*mut pg_sys::TupleTableSlot) -> Result<bool, Failure>,
) -> Result<bool, Failure> {
    let mut stored = false;
    if rows.is_empty() {
        return Ok(stored);
    }
    // SAFETY: the callers hand rows of the type; the slot owns each until the next.
    unsafe {
        let form = &raw const pg_sys::TTSOpsMinimalTuple;
        let slot = pg_sys::MakeSingleTupleTableSlot(descriptor, form);
        for row in rows {
            pg_sys::ExecStoreMinimalTuple(row, slot, true);
            stored = insert(slot)?;
        }
        pg_sys::ExecDropSingleTupleTableSlot(slot);
        Ok(stored)
    }
}

/// EndForeignInsert. The first of the statement's tables ends the COPYs of all.
unsafe fn end(result: *mut pg_sys::ResultRelInfo) -> Result<(), Failure> {
    // SAFETY: as above.
    unsafe {
        if let Ok(CopyState { run, target, name, .. }) = state(result) {
            let of_table = |failure: Failure| failure.add_context(format!("COPY {name}"));
            run.finish().map_err(of_table)?;
            match target {
                Target::Parent(rows) => rows.end().map_err(of_table)?,
                Target::Table(table) => {
                    let rows = table.outlet.take_back();
                    if !rows.is_empty() {
                        let (node, original) = (table.node, table.original);
                        leave(result, node, original, rows).map_err(of_table)?;
                        return modify::end(result);
                    }
                }
            }
        }
        (*result).ri_FdwState = std::ptr::null_mut();
        Ok(())
    }
}

//! INSERT, UPDATE and DELETE of foreign tables, row by row and in batches.

use super::early;
use super::params::ParamEncoder;
use super::rows::RowDecoder;
use super::tuple::Filler;
use crate::error::{Failure, SqlState};
use crate::options::load::{self, ForeignTable};
use crate::pg::{catalog, compat, memory};
use crate::plan::private::ModifyPlan;
use crate::plan::row_identity;
use crate::txn::{self, Participant};
use crate::wire::{Formats, Params, Reply, Request};
use pgrx::pg_sys;
use pgrx::pg_sys::{CmdType, Datum};
use std::rc::Rc;

/// PostgreSQL's limit on parameters of one statement (a 16-bit count in Bind).
const MOST_PARAMS: usize = 65_535;

/// Execution state of one modified foreign table.
pub struct ModifyState {
    plan: ModifyPlan,
    table: Rc<ForeignTable>,
    participant: Rc<Participant>,
    sql: Rc<str>,
    /// The INSERT text of the batch size used last.
    batch: Option<(usize, Rc<str>)>,
    /// The statement it belongs to.
    estate: *mut pg_sys::EState,
    /// Whether the statement's scans have been started: see early.rs.
    begun: bool,
    /// Of a table that an UPDATE changes: takes the rows that it moves here from other partitions.
    routed: Option<Box<ModifyState>>,
    encoder: ParamEncoder,
    /// Parameters of one row.
    row_params: usize,
    decoder: Option<RowDecoder>,
    filler: Filler,
    /// Positions of ctid and the remote tableoid among the subplan's junk columns.
    identity: [i16; 2],
}

impl ModifyState {
    /// Builds the state for `result`, which executes `plan`.
    ///
    /// # Safety
    /// `result` is an initialised result relation of `estate`, a foreign table of ours.
    pub unsafe fn new(
        estate: *mut pg_sys::EState,
        result: *mut pg_sys::ResultRelInfo,
        plan: ModifyPlan,
        operation: CmdType::Type,
    ) -> Result<ModifyState, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            let relation = (*result).ri_RelationDesc;
            let descriptor = (*relation).rd_att;
            let table = load::foreign_table((*relation).rd_id)?;
            let participant = txn::enlist(table.server.oid, compat::result_user(result, estate))?;
            let mut types = Vec::new();
            if operation != CmdType::CMD_INSERT {
                types.extend([pg_sys::TIDOID, pg_sys::OIDOID]);
            }
            for &target in &plan.targets {
                types.push((*compat::attribute(descriptor, target as usize - 1)).atttypid);
            }
            let sql = plan.sql(&table, 1);
            let filler = Filler::new(descriptor, &plan.retrieved)?;
            let decoder = if plan.returning {
                let mut decoder = RowDecoder::new(
                    filler.local_columns(descriptor),
                    catalog::relation_name(table.relid).unwrap_or_default(),
                )?;
                // In another form rows could only be asked for after a look at the result's description.
                decoder.text_only();
                Some(decoder)
            } else {
                None
            };
            Ok(ModifyState {
                encoder: ParamEncoder::new(&types)?,
                sql: sql.into(),
                batch: None,
                estate,
                begun: false,
                routed: None,
                row_params: types.len(),
                plan,
                table,
                participant,
                decoder,
                filler,
                identity: [0, 0],
            })
        }
    }

    /// What inserts rows: the state itself, unless it updates.
    fn inserter(&mut self) -> &mut ModifyState {
        match self.routed {
            Some(ref mut routed) => routed,
            None => self,
        }
    }

    /// Inserts `slots` with one statement; with RETURNING the slots then hold the rows as stored. Gives the
    /// number of rows inserted (ON CONFLICT DO NOTHING may leave some out).
    unsafe fn insert(&mut self, slots: &[*mut pg_sys::TupleTableSlot]) -> Result<u64, Failure> {
        // SAFETY: the slots hold rows of the table.
        unsafe {
            let sql = self.insert_sql(slots.len());
            let mut params = Params::default();
            for &slot in slots {
                pg_sys::slot_getallattrs(slot);
                for (i, &target) in self.plan.targets.iter().enumerate() {
                    let (value, null) = attribute(slot, target);
                    self.encoder.encode(i, value, null, &mut params)?;
                }
            }
            let reply = self.run(&sql, &params)?;
            self.finish(&reply, slots.first().copied())
        }
    }

    /// The INSERT of so many rows.
    fn insert_sql(&mut self, rows: usize) -> Rc<str> {
        match &self.batch {
            _ if rows == 1 => Rc::clone(&self.sql),
            Some((size, sql)) if *size == rows => Rc::clone(sql),
            _ => {
                let sql: Rc<str> = self.plan.sql(&self.table, rows).into();
                self.batch = Some((rows, Rc::clone(&sql)));
                sql
            }
        }
    }

    fn run(&mut self, sql: &str, params: &Params) -> Result<Reply, Failure> {
        if !self.begun {
            // SAFETY: the executor state outlives this one.
            unsafe { early::start_all(self.estate)? };
            self.begun = true;
        }
        self.participant.mark_written();
        let types = self.encoder.param_types(params.values.len());
        let formats = Formats::Text;
        let request =
            Request::Execute { sql, param_types: &types, params, formats, portal: "", max_rows: 0 };
        let reply = self.participant.run(request, sql)?;
        if let Some(remote) = &reply.param_types {
            self.encoder.learn(remote);
        }
        Ok(reply)
    }

    /// Takes RETURNING's row into `slot` and counts rows.
    unsafe fn finish(
        &mut self,
        reply: &Reply,
        slot: Option<*mut pg_sys::TupleTableSlot>,
    ) -> Result<u64, Failure> {
        let Some(decoder) = &mut self.decoder else { return Ok(affected(reply)) };
        if let Some(columns) = &reply.columns {
            decoder.fit(columns)?;
        }
        let (Some(slot), Some(&start)) = (slot, reply.rows.first()) else {
            return Ok(reply.rows.len() as u64);
        };
        // SAFETY: the slot belongs to the result relation; it is materialised before the decoder's memory is
        // used again.
        unsafe {
            decoder.reset_batch();
            let end = reply.rows.get(1).map_or(reply.data.len(), |&end| end as usize);
            pg_sys::ExecClearTuple(slot);
            self.filler.store(decoder, &reply.data[start as usize..end], slot)?;
            pg_sys::ExecMaterializeSlot(slot);
        }
        Ok(reply.rows.len() as u64)
    }

    /// Updates or deletes the row that `plan_slot` identifies; `slot` holds the new row (UPDATE).
    unsafe fn change(
        &mut self,
        slot: *mut pg_sys::TupleTableSlot,
        plan_slot: *mut pg_sys::TupleTableSlot,
        operation: CmdType::Type,
    ) -> Result<u64, Failure> {
        // SAFETY: the slots are the executor's; the junk column was added by AddForeignUpdateTargets.
        unsafe {
            let mut params = Params::default();
            for (i, position) in self.identity.into_iter().enumerate() {
                let mut null = false;
                let value = pg_sys::slot_getattr(plan_slot, i32::from(position), &raw mut null);
                if null {
                    return Err(Failure::internal("a row's identity is NULL"));
                }
                self.encoder.encode(i, value, false, &mut params)?;
            }
            if operation == CmdType::CMD_UPDATE {
                pg_sys::slot_getallattrs(slot);
                for (i, &target) in self.plan.targets.iter().enumerate() {
                    let (value, null) = attribute(slot, target);
                    self.encoder.encode(i + 2, value, null, &mut params)?;
                }
            }
            let sql = Rc::clone(&self.sql);
            let reply = self.run(&sql, &params)?;
            self.finish(&reply, Some(slot))
        }
    }
}

/// Attribute `number` of a deformed slot.
unsafe fn attribute(slot: *mut pg_sys::TupleTableSlot, number: i32) -> (Datum, bool) {
    let index = number as usize - 1;
    // SAFETY: slot_getallattrs has filled all attributes; the number comes from the table's descriptor.
    unsafe { (*(*slot).tts_values.add(index), *(*slot).tts_isnull.add(index)) }
}

/// Rows counted by a command tag such as `INSERT 0 5` or `UPDATE 3`.
pub fn affected(reply: &Reply) -> u64 {
    let tag = reply.tag.as_deref().unwrap_or_default();
    tag.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0)
}

unsafe fn state<'a>(result: *mut pg_sys::ResultRelInfo) -> Result<&'a mut ModifyState, Failure> {
    // SAFETY: ri_FdwState is NULL or ours.
    unsafe { (*result).ri_FdwState.cast::<ModifyState>().as_mut() }
        .ok_or_else(|| Failure::internal("a modification was not begun"))
}

/// BeginForeignModify.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn begin(
    node: *mut pg_sys::ModifyTableState,
    result: *mut pg_sys::ResultRelInfo,
    private: *mut pg_sys::List,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let estate = (*node).ps.state;
        let operation = (*node).operation;
        let plan = ModifyPlan::from_list(private)?;
        let mut state = ModifyState::new(estate, result, plan, operation)?;
        if operation != CmdType::CMD_INSERT {
            let targets = (*(*(*node).ps.lefttree).plan).targetlist;
            state.identity = [
                pg_sys::ExecFindJunkAttributeInTlist(targets, c"ctid".as_ptr()),
                row_identity::junk_column(targets),
            ];
            if state.identity.contains(&0) {
                return Err(Failure::internal(
                    "could not find a row's identity among junk columns",
                ));
            }
        }
        (*result).ri_FdwState = memory::give((*estate).es_query_cxt, state).cast();
        Ok(())
    }
}

/// ExecForeignInsert.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn insert_one(
    _estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
) -> Result<*mut pg_sys::TupleTableSlot, Failure> {
    // SAFETY: as the caller vouches.
    let inserted = unsafe { state(result)?.inserter().insert(&[slot])? };
    Ok(if inserted > 0 { slot } else { std::ptr::null_mut() })
}

/// ExecForeignBatchInsert.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn insert_batch(
    _estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    slots: *mut *mut pg_sys::TupleTableSlot,
    count: *mut i32,
) -> Result<*mut *mut pg_sys::TupleTableSlot, Failure> {
    // SAFETY: as the caller vouches: `slots` has `count` slots.
    unsafe {
        let rows = std::slice::from_raw_parts(slots, *count as usize);
        let inserted = state(result)?.inserter().insert(rows)?;
        *count = inserted as i32;
        Ok(if inserted > 0 { slots } else { std::ptr::null_mut() })
    }
}

/// GetForeignModifyBatchSize: rows per statement. One where the statement must see its rows one by one.
///
/// # Safety
/// `result` is an initialised result relation of ours.
pub unsafe fn batch_size(result: *mut pg_sys::ResultRelInfo) -> Result<i32, Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let triggers = (*result).ri_TrigDesc;
        if !(*result).ri_projectReturning.is_null()
            || !(*result).ri_WithCheckOptions.is_null()
            || (!triggers.is_null()
                && ((*triggers).trig_insert_before_row || (*triggers).trig_insert_after_row))
        {
            return Ok(1);
        }
        if (*result).ri_FdwState.is_null() {
            // EXPLAIN without ANALYZE.
            return Ok(load::foreign_table((*(*result).ri_RelationDesc).rd_id)?.batch_size as i32);
        }
        let state = state(result)?.inserter();
        // "INSERT ... DEFAULT VALUES" takes one row only.
        if !state.plan.template.takes_rows() {
            return Ok(1);
        }
        let most = MOST_PARAMS.checked_div(state.row_params).unwrap_or(usize::MAX);
        Ok((state.table.batch_size as usize).min(most).max(1) as i32)
    }
}

/// ExecForeignUpdate and ExecForeignDelete.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn change(
    _estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    plan_slot: *mut pg_sys::TupleTableSlot,
    operation: CmdType::Type,
) -> Result<*mut pg_sys::TupleTableSlot, Failure> {
    // SAFETY: as the caller vouches.
    let changed = unsafe { state(result)?.change(slot, plan_slot, operation)? };
    Ok(if changed > 0 { slot } else { std::ptr::null_mut() })
}

/// EndForeignModify and EndForeignInsert. The state itself goes with the query's memory.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn end(result: *mut pg_sys::ResultRelInfo) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe { (*result).ri_FdwState = std::ptr::null_mut() };
    Ok(())
}

/// BeginForeignInsert: COPY FROM and rows that partition routing sends here.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn begin_insert(
    node: *mut pg_sys::ModifyTableState,
    result: *mut pg_sys::ResultRelInfo,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let estate = (*node).ps.state;
        let relation = (*result).ri_RelationDesc;
        let plan = (*node).ps.plan.cast::<pg_sys::ModifyTable>();
        let updates = !plan.is_null() && (*plan).operation == CmdType::CMD_UPDATE;
        let changed = (*result).ri_usesFdwDirectModify || !(*result).ri_FdwState.is_null();
        // The row must not go where this UPDATE may still find it, and update it again.
        if updates && changed && ((*result).ri_usesFdwDirectModify || !early::start_all(estate)?) {
            return Err(Failure::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!(
                    "cannot route tuples into foreign table to be updated \"{}\"",
                    crate::pg::text::from_server((*(*relation).rd_rel).relname.data.as_ptr())
                ),
            ));
        }
        let do_nothing = !plan.is_null()
            && (*plan).onConflictAction == pg_sys::OnConflictAction::ONCONFLICT_NOTHING;
        let insert = crate::plan::modify::insert_plan(node, result, do_nothing)?;
        let new = ModifyState::new(estate, result, insert, CmdType::CMD_INSERT)?;
        if changed {
            state(result)?.routed = Some(Box::new(new));
            return Ok(());
        }
        (*result).ri_FdwState = memory::give((*estate).es_query_cxt, new).cast();
        Ok(())
    }
}

//! How a batched join finds its rows; see plan/batched.rs for what it is, batched.rs for its node.
//!
//! Outer rows are collected, their keys are handed to the scan of the sharded table, and the rows that come back find
//! their outer rows by a hash of the key; the join's conditions decide. So memory holds one batch of outer rows, and inner
//! rows are given on as they come. Rows come in no order.

use crate::error::Failure;
use crate::pg::executor::{deform, holds, is_empty, next_row, project};
use crate::pg::{memory, node};
use crate::plan::batched::BATCH;
use crate::plan::batched_plan::BatchedPlan;
use pgrx::pg_sys;
use pgrx::pg_sys::{Datum, JoinType};
use std::collections::HashMap;
use std::ptr;

/// Outer rows of the first batch; each further one has four times as many. A LIMIT may need few.
const FIRST_BATCH: usize = 64;

/// An outer row of the batch.
struct Outer {
    row: pg_sys::MinimalTuple,
    matched: bool,
}

/// What is done next.
#[derive(Clone, Copy)]
enum Phase {
    /// Collect a batch.
    Fill,
    /// Read an inner row.
    Read,
    /// Join the inner row at hand with the outer rows of this hash, from this one of them on.
    Probe(u32, usize),
    /// Give out outer rows without a match, from this one on.
    Unmatched(usize),
    Done,
}

/// Execution state of a batched join.
pub(super) struct State {
    plan: BatchedPlan,
    outer: *mut pg_sys::PlanState,
    inner: *mut pg_sys::PlanState,
    /// Conditions that make a match, and those that a joined row must satisfy besides.
    matches: *mut pg_sys::ExprState,
    filter: *mut pg_sys::ExprState,
    hashes: [pg_sys::FmgrInfo; 2],
    /// Holds the outer rows and the keys of a batch.
    batch: pg_sys::MemoryContext,
    /// An outer row of the batch, taken apart.
    outer_row: *mut pg_sys::TupleTableSlot,
    inner_row: *mut pg_sys::TupleTableSlot,
    rows: Vec<Outer>,
    by_hash: HashMap<u32, Vec<u32>>,
    size: usize,
    exhausted: bool,
    phase: Phase,
}

impl State {
    /// Builds the state, and initialises both sides.
    ///
    /// # Safety
    /// `node` is a node of ours being initialised.
    pub(super) unsafe fn begin(
        node: *mut pg_sys::CustomScanState,
        estate: *mut pg_sys::EState,
        flags: i32,
    ) -> Result<State, Failure> {
        // SAFETY: PostgreSQL has initialised the node's own part; its plan is ours.
        unsafe {
            let scan = (*node).ss.ps.plan.cast::<pg_sys::CustomScan>();
            let plan = BatchedPlan::from_list((*scan).custom_private)?;
            let once =
                pg_sys::EXEC_FLAG_REWIND | pg_sys::EXEC_FLAG_BACKWARD | pg_sys::EXEC_FLAG_MARK;
            let flags = flags & !(once as i32);
            let mut children = Vec::new();
            for child in node::list_vec::<pg_sys::Plan>((*scan).custom_plans) {
                children.push(pg_sys::ExecInitNode(child, estate, flags));
            }
            let &[outer, inner] = children.as_slice() else {
                return Err(Failure::internal("a batched join without its two sides"));
            };
            (*node).custom_ps = node::make_list([outer, inner]);
            let parent = &raw mut (*node).ss.ps;
            let conditions = node::list_vec::<pg_sys::Node>((*scan).custom_exprs);
            let condition = |index: usize| {
                let list = conditions.get(index).copied().unwrap_or(ptr::null_mut());
                pg_sys::ExecInitQual(list.cast(), parent)
            };
            let mut hashes = [pg_sys::FmgrInfo::default(); 2];
            for (function, info) in plan.hashes.iter().zip(&mut hashes) {
                pg_sys::fmgr_info(*function, info);
            }
            let outer_row = pg_sys::ExecInitExtraTupleSlot(
                estate,
                pg_sys::ExecGetResultType(outer),
                &raw const pg_sys::TTSOpsMinimalTuple,
            );
            Ok(State {
                outer,
                inner,
                matches: condition(0),
                filter: condition(1),
                hashes,
                batch: memory::create_child((*estate).es_query_cxt, c"shard_fdw batched join"),
                outer_row,
                inner_row: ptr::null_mut(),
                rows: Vec::new(),
                by_hash: HashMap::new(),
                size: FIRST_BATCH,
                exhausted: false,
                phase: Phase::Fill,
                plan,
            })
        }
    }

    /// The next joined row, or NULL.
    ///
    /// # Safety
    /// `node` is the node the state was begun for, in execution.
    pub(super) unsafe fn next(
        &mut self,
        node: *mut pg_sys::CustomScanState,
    ) -> Result<*mut pg_sys::TupleTableSlot, Failure> {
        let semi = self.plan.kind == JoinType::JOIN_SEMI;
        let anti = self.plan.kind == JoinType::JOIN_ANTI;
        // SAFETY: the node is in execution. Values of the row given out live until the next call: in the batch, in the
        // inner side's slot or in the per-tuple memory, which is reset below.
        unsafe {
            let context = (*node).ss.ps.ps_ExprContext;
            loop {
                pgrx::check_for_interrupts!();
                pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
                match self.phase {
                    Phase::Fill => self.phase = self.fill()?,
                    Phase::Read => {
                        self.inner_row = next_row(self.inner);
                        self.phase = if is_empty(self.inner_row) {
                            Phase::Unmatched(0)
                        } else {
                            deform(self.inner_row);
                            match self.hash(1, self.inner_row) {
                                Some(hash) => Phase::Probe(hash, 0),
                                None => Phase::Read,
                            }
                        };
                    }
                    Phase::Probe(hash, position) => {
                        let row = self.by_hash.get(&hash).and_then(|rows| rows.get(position));
                        let Some(&index) = row else {
                            self.phase = Phase::Read;
                            continue;
                        };
                        self.phase = Phase::Probe(hash, position + 1);
                        let index = index as usize;
                        if (semi || anti) && self.rows[index].matched {
                            continue;
                        }
                        self.join(node, index, self.inner_row);
                        if !holds(self.matches, context) {
                            continue;
                        }
                        self.rows[index].matched = true;
                        if !anti && holds(self.filter, context) {
                            return Ok(project(node));
                        }
                    }
                    Phase::Unmatched(index) => {
                        let extends = anti || self.plan.kind == JoinType::JOIN_LEFT;
                        if !extends || index >= self.rows.len() {
                            self.phase = Phase::Fill;
                            continue;
                        }
                        self.phase = Phase::Unmatched(index + 1);
                        if self.rows[index].matched {
                            continue;
                        }
                        self.join(node, index, ptr::null_mut());
                        if holds(self.filter, context) {
                            return Ok(project(node));
                        }
                    }
                    Phase::Done => return Ok(ptr::null_mut()),
                }
            }
        }
    }

    /// Collects outer rows and asks for the inner rows that have their keys.
    unsafe fn fill(&mut self) -> Result<Phase, Failure> {
        self.rows.clear();
        self.by_hash.clear();
        // SAFETY: nobody uses a row of the last batch any more: the slots that point there are emptied first.
        unsafe {
            pg_sys::ExecClearTuple(self.outer_row);
            pg_sys::MemoryContextReset(self.batch);
            if self.exhausted {
                return Ok(Phase::Done);
            }
            let mut keys: Vec<Datum> = Vec::new();
            let (mut len, mut by_value, mut align) = (0i16, false, 0);
            let of_keys = self.plan.key_type;
            pg_sys::get_typlenbyvalalign(of_keys, &raw mut len, &raw mut by_value, &raw mut align);
            let most = (pg_sys::work_mem as usize).saturating_mul(1024);
            let mut bytes = 0;
            while self.rows.len() < self.size && bytes < most {
                let slot = next_row(self.outer);
                if is_empty(slot) {
                    self.exhausted = true;
                    break;
                }
                let row = {
                    let _guard = memory::ContextGuard::switch_to(self.batch);
                    pg_sys::ExecCopySlotMinimalTuple(slot)
                };
                bytes += (*row).t_len as usize;
                let index = self.rows.len();
                self.rows.push(Outer { row, matched: false });
                self.take(index);
                // NULL equals nothing, and is not asked for.
                let Some(hash) = self.hash(0, self.outer_row) else { continue };
                let key = *(*self.outer_row).tts_values.add(self.plan.keys[0]);
                let same = self.by_hash.entry(hash).or_default();
                // Values that are their own Datum are asked for once.
                if same.is_empty() || !by_value || !keys.contains_datum(key) {
                    keys.push(key);
                }
                same.push(index as u32);
            }
            self.size = (self.size * 4).min(BATCH);
            if self.rows.is_empty() {
                return Ok(Phase::Done);
            }
            if keys.is_empty() {
                return Ok(Phase::Unmatched(0));
            }
            let array = {
                let _guard = memory::ContextGuard::switch_to(self.batch);
                let (count, len) = (keys.len() as i32, i32::from(len));
                pg_sys::construct_array(keys.as_mut_ptr(), count, of_keys, len, by_value, align)
            };
            let context = (*self.inner).ps_ExprContext;
            (*context).caseValue_datum = Datum::from(array);
            (*context).caseValue_isNull = false;
            self.start_anew();
            Ok(Phase::Read)
        }
    }

    /// Has the inner side send its query again.
    unsafe fn start_anew(&mut self) {
        // SAFETY: any changed parameter makes a foreign scan start over; ExecReScan frees the set.
        unsafe {
            let _guard = memory::ContextGuard::switch_to((*(*self.inner).state).es_query_cxt);
            (*self.inner).chgParam = pg_sys::bms_add_member((*self.inner).chgParam, 0);
        }
    }

    /// The hash of the key in the side's row, which is taken apart; `None` for NULL.
    unsafe fn hash(&mut self, side: usize, row: *mut pg_sys::TupleTableSlot) -> Option<u32> {
        // SAFETY: the slot's columns are set; the function is one for the key's type.
        unsafe {
            let column = self.plan.keys[side];
            if *(*row).tts_isnull.add(column) {
                return None;
            }
            let value = *(*row).tts_values.add(column);
            let function = &raw mut self.hashes[side];
            Some(pg_sys::FunctionCall1Coll(function, self.plan.collation, value).value() as u32)
        }
    }

    /// Takes an outer row apart, in its slot.
    unsafe fn take(&mut self, index: usize) {
        // SAFETY: the row lives as long as the batch.
        unsafe {
            pg_sys::ExecStoreMinimalTuple(self.rows[index].row, self.outer_row, false);
            deform(self.outer_row);
        }
    }

    /// Puts an outer row and an inner one, or NULLs, into the scan slot.
    unsafe fn join(
        &mut self,
        node: *mut pg_sys::CustomScanState,
        index: usize,
        inner: *mut pg_sys::TupleTableSlot,
    ) {
        // SAFETY: the slots have as many columns as the plan says.
        unsafe {
            self.take(index);
            let slot = (*node).ss.ss_ScanTupleSlot;
            pg_sys::ExecClearTuple(slot);
            let width = (*(*self.outer_row).tts_tupleDescriptor).natts as usize;
            let all = (*(*slot).tts_tupleDescriptor).natts as usize;
            copy_columns(self.outer_row, slot, 0, width);
            if inner.is_null() {
                for column in width..all {
                    *(*slot).tts_isnull.add(column) = true;
                }
            } else {
                copy_columns(inner, slot, width, all - width);
            }
            pg_sys::ExecStoreVirtualTuple(slot);
            (*(*node).ss.ps.ps_ExprContext).ecxt_scantuple = slot;
        }
    }

    /// Starts over.
    ///
    /// # Safety
    /// As for [`State::next`].
    pub(super) unsafe fn rescan(
        &mut self,
        node: *mut pg_sys::CustomScanState,
    ) -> Result<(), Failure> {
        // SAFETY: the node is in execution.
        unsafe {
            pg_sys::ExecClearTuple((*node).ss.ss_ScanTupleSlot);
            let changed = (*node).ss.ps.chgParam;
            for child in [self.outer, self.inner] {
                if !changed.is_null() {
                    pg_sys::UpdateChangedParamSet(child, changed);
                }
            }
            // The inner side starts over with each batch.
            if (*self.outer).chgParam.is_null() {
                pg_sys::ExecReScan(self.outer);
            }
            pg_sys::ExecClearTuple(self.outer_row);
            pg_sys::MemoryContextReset(self.batch);
        }
        self.rows.clear();
        self.by_hash.clear();
        self.exhausted = false;
        self.size = FIRST_BATCH;
        self.phase = Phase::Fill;
        Ok(())
    }
}

trait Datums {
    fn contains_datum(&self, datum: Datum) -> bool;
}

impl Datums for Vec<Datum> {
    /// Whether the last few hold it: rows that come with the same key tend to come together.
    fn contains_datum(&self, datum: Datum) -> bool {
        self.iter().rev().take(8).any(|own| own.value() == datum.value())
    }
}

/// Copies the first columns of `from`, which is taken apart, to `to` from column `at` on.
unsafe fn copy_columns(
    from: *mut pg_sys::TupleTableSlot,
    to: *mut pg_sys::TupleTableSlot,
    at: usize,
    count: usize,
) {
    // SAFETY: the caller vouches for the columns of both.
    unsafe {
        ptr::copy_nonoverlapping((*from).tts_values, (*to).tts_values.add(at), count);
        ptr::copy_nonoverlapping((*from).tts_isnull, (*to).tts_isnull.add(at), count);
    }
}

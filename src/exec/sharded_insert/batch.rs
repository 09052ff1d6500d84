//! A batch of rows for a sharded parent: sorted out by placement, and sent to all of them before any answer is waited for.

use super::super::modify_state::{ModifyState, Sent};
use super::ShardedState;
use crate::error::Failure;
use crate::txn;
use pgrx::pg_sys;

impl ShardedState {
    /// Inserts a batch and gives the number of rows stored.
    ///
    /// # Safety
    /// ExecForeignBatchInsert's arguments.
    pub unsafe fn insert_batch(
        &mut self,
        slots: &[*mut pg_sys::TupleTableSlot],
    ) -> Result<u64, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            let unsent = self.stream_rest(slots)?;
            let unsent = self.begin_stream(&unsent)?;
            let sent = (slots.len() - unsent.len()) as u64;
            Ok(sent + self.insert_all(&unsent, slots.len() < self.batch_rows)?)
        }
    }

    /// Inserts rows, which are the last ones or not.
    unsafe fn insert_all(
        &mut self,
        slots: &[*mut pg_sys::TupleTableSlot],
        last: bool,
    ) -> Result<u64, Failure> {
        // SAFETY: as for `insert_batch`.
        unsafe {
            let mut groups: Vec<Vec<*mut pg_sys::TupleTableSlot>> =
                vec![Vec::new(); self.placements.len()];
            for &slot in slots {
                groups[self.route(slot)?].push(slot);
            }
            let used: Vec<usize> = (0..groups.len()).filter(|&i| !groups[i].is_empty()).collect();
            self.open(&used)?;
            let many = used.iter().copied().filter(|&index| groups[index].len() > 1);
            self.prepare_for_many(many.collect())?;
            let mut rest: Vec<_> = used.iter().map(|&index| (index, &groups[index][..])).collect();
            let mut stored = 0;
            while !rest.is_empty() {
                let mut sent = Vec::new();
                for (index, rows) in &mut rest {
                    let Some(placement) = self.placements[*index].as_mut() else { continue };
                    while !rows.is_empty() {
                        let (piece, behind) =
                            rows.split_at(piece(rows.len(), self.updates, placement.state()?));
                        let mut statement =
                            placement.state()?.statement(last && behind.is_empty())?;
                        for &slot in piece {
                            // No triggers here: nothing is left out.
                            if let Some(row) = placement.prepare(slot)? {
                                placement.state()?.encode_row(row, &mut statement.params)?;
                            }
                        }
                        sent.push((*index, placement.state()?.send(piece.len(), &statement)?));
                        *rows = behind;
                        if self.updates {
                            break;
                        }
                    }
                }
                stored += self.collect(sent)?;
                rest.retain(|(_, rows)| !rows.is_empty());
            }
            Ok(stored)
        }
    }

    /// Has all these placements find out at the same time how several rows go to their servers.
    unsafe fn prepare_for_many(&mut self, indexes: Vec<usize>) -> Result<(), Failure> {
        let mut asked = Vec::new();
        // SAFETY: the statement is in execution.
        unsafe {
            for index in indexes {
                let Some(placement) = self.placements[index].as_mut() else { continue };
                if let Some(question) = placement.state()?.ask_types()? {
                    asked.push((index, question));
                }
            }
        }
        for (index, question) in asked {
            let Some(placement) = self.placements[index].as_mut() else { continue };
            placement.state()?.learn_types(question)?;
        }
        Ok(())
    }

    /// Waits for all statements, in the order in which they end.
    unsafe fn collect(&mut self, mut sent: Vec<(usize, Sent)>) -> Result<u64, Failure> {
        let mut total = 0;
        while !sent.is_empty() {
            let participant = |index: usize| {
                self.placements[index].as_ref().and_then(|placement| placement.participant())
            };
            if sent.len() > 1 {
                let waited: Vec<_> = sent
                    .iter()
                    .filter_map(|(index, sent)| {
                        Some((&**participant(*index)?, sent.ticket.as_ref()?))
                    })
                    .collect();
                txn::wait_any(&waited, None)?;
            }
            let alone = sent.len() == 1;
            let (ready, rest): (Vec<_>, Vec<_>) =
                std::mem::take(&mut sent).into_iter().partition(|(index, sent)| {
                    alone || participant(*index).is_none_or(|p| sent.is_ready(p))
                });
            sent = rest;
            for (index, sent) in ready {
                let Some(placement) = self.placements[index].as_mut() else { continue };
                // SAFETY: no row comes back.
                let stored = unsafe { placement.state()?.receive(sent, None)? };
                placement.rows += stored;
                total += stored;
            }
        }
        Ok(total)
    }
}

/// How many of `rows` rows go into the next statement.
fn piece(rows: usize, all: bool, state: &ModifyState) -> usize {
    let most = state.most_rows();
    if rows >= most {
        most
    } else if all || state.takes_arrays() {
        rows
    } else {
        1 << rows.ilog2()
    }
}

//! The rows of several placements in one order: each call gives the next one.

use super::ScanState;
use crate::error::Failure;
use crate::exec::merge::Merge;
use crate::exec::outgoing::Outgoing;
use pgrx::pg_sys;

impl ScanState {
    /// The next row of the merge in the slot, which is empty. Rows that go to the client as they come are sent before.
    ///
    /// # Safety
    /// As for [`ScanState::iterate`].
    pub(super) unsafe fn next_merged(
        &mut self,
        merge: &mut Merge,
        node: *mut pg_sys::ForeignScanState,
        slot: *mut pg_sys::TupleTableSlot,
    ) -> Result<(), Failure> {
        let mut outgoing = self.passing.clone().map(Outgoing::new);
        // SAFETY: as the caller vouches; rows are passed on in the run of their statement only.
        unsafe {
            loop {
                self.move_on(merge)?;
                let Some(index) = merge.first() else { break };
                let lane = &self.lanes[index];
                match (&lane.passing, &mut outgoing) {
                    (Some(_), Some(outgoing)) => outgoing.add(lane.head_row())?,
                    _ => {
                        lane.head.place(slot);
                        break;
                    }
                }
            }
            if let Some(outgoing) = outgoing {
                (*(*node).ss.ps.state).es_processed += outgoing.finish()?;
            }
            Ok(())
        }
    }

    /// Has the merge begin, or go on to the next row.
    ///
    /// # Safety
    /// As for [`ScanState::iterate`].
    unsafe fn move_on(&mut self, merge: &mut Merge) -> Result<(), Failure> {
        // SAFETY: a lane's values live until its next batch, which is taken when its row has been given out and the
        // slot is empty again.
        unsafe {
            if merge.begun {
                if let Some(index) = merge.first() {
                    match self.lanes[index].take_head()? {
                        true => {
                            let lane = &self.lanes[index];
                            merge.replace_first(lane.batches, |column| lane.head.value(column))?;
                        }
                        false => merge.remove_first(),
                    }
                }
            } else {
                for index in 0..self.lanes.len() {
                    if self.lanes[index].take_head()? {
                        let lane = &self.lanes[index];
                        merge.add(index, lane.batches, |column| lane.head.value(column));
                    }
                }
                merge.begin();
            }
            Ok(())
        }
    }
}

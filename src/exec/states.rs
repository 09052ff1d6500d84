//! Which columns of a scan are transition states that have to be put together: partial aggregates whose state is a C
//! structure. Planning has asked the shards for what they are made of (plan/transition.rs).

use super::rows::LocalColumn;
use crate::pg::{calibration, node};
use pgrx::pg_sys;

/// Notes it in the columns of a scan that gives out `retrieved`, positions in its `fdw_scan_tlist`.
///
/// # Safety
/// `scan` is a plan of ours.
pub(super) unsafe fn mark(
    columns: &mut [LocalColumn],
    retrieved: &[i32],
    scan: *mut pg_sys::ForeignScan,
) {
    // SAFETY: the plan's target list; positions are checked.
    unsafe {
        let entries = node::list_vec::<pg_sys::TargetEntry>((*scan).fdw_scan_tlist);
        for (column, &position) in columns.iter_mut().zip(retrieved) {
            let entry = usize::try_from(position - 1).ok().and_then(|index| entries.get(index));
            let Some(&entry) = entry else { continue };
            let state = node::cast::<pg_sys::Aggref, _>((*entry).expr).filter(|call| {
                call.aggsplit == pg_sys::AggSplit::AGGSPLIT_INITIAL_SERIAL
                    && call.aggtranstype == pg_sys::INTERNALOID
            });
            column.state = state.and_then(|call| calibration::layout(call.aggfnoid));
        }
    }
}

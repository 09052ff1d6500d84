//! Which placements a start of a scan asks, and with which members of the arrays in its conditions.

use crate::error::Failure;
use crate::plan::private::{Placement, ScanPlan};
use crate::plan::routing::Selection;
use pgrx::pg_sys::Datum;

/// What one start of a scan asks of whom.
pub(super) struct Route {
    /// For each routing of the plan: the table's place among a placement's, and what was selected.
    selections: Vec<(usize, Selection)>,
}

impl Route {
    /// # Safety
    /// The values are those of the plan's expressions, just evaluated. The result lives in the current memory context.
    pub(super) unsafe fn choose(
        plan: &ScanPlan,
        values: &[(Datum, bool)],
    ) -> Result<Route, Failure> {
        let mut selections = Vec::with_capacity(plan.routing.len());
        for routing in &plan.routing {
            let Some(place) = plan.relations.iter().position(|&rti| rti == routing.rti) else {
                continue;
            };
            // SAFETY: as the caller vouches.
            selections.push((place, unsafe { routing.select(values)? }));
        }
        Ok(Route { selections })
    }

    /// Whether rows can come from the placement.
    pub(super) fn needs(&self, placement: &Placement) -> bool {
        self.selections.iter().all(|(place, selection)| {
            placement.tables.get(*place).is_none_or(|&table| selection.needs(table))
        })
    }

    /// The value of parameter `index` (from 0) where the placement gets one of its own.
    pub(super) fn own_value(&self, index: usize, placement: &Placement) -> Option<Datum> {
        let of = |(place, selection): &(usize, Selection)| {
            selection.array(index, *placement.tables.get(*place)?)
        };
        self.selections.iter().find_map(of)
    }
}

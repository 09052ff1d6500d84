//! GROUP BY and DISTINCT. Both refer to output columns by position, which says "the same expression" without
//! writing it twice.

use super::not_shipped::NotShipped;
use super::writer::Writer;
use crate::error::Failure;
use crate::pg::node;
use pgrx::pg_sys::{self, GroupingSet, Node, NodeTag, Query, SortGroupClause, TargetEntry};

/// GROUP BY.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GroupBy {
    /// None (a query with aggregates makes one group then).
    #[default]
    Nothing,
    /// Output columns, from 1.
    Positions(Vec<u32>),
    /// Grouping sets.
    Sets {
        /// The items of GROUP BY; several are multiplied out.
        items: Vec<Set>,
        /// GROUP BY DISTINCT.
        distinct: bool,
    },
}

/// An item of a GROUP BY with grouping sets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Set {
    /// `(1, 2)`; `()` when empty.
    Columns(Vec<u32>),
    Rollup(Vec<Set>),
    Cube(Vec<Set>),
    Sets(Vec<Set>),
}

/// DISTINCT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distinct {
    /// Without.
    No,
    /// DISTINCT.
    Yes,
    /// DISTINCT ON output columns, from 1.
    On(Vec<u32>),
}

impl GroupBy {
    /// The query's GROUP BY, its columns looked up in the remote query's target list by `ressortgroupref`.
    ///
    /// # Safety
    /// `query` and `tlist` (a list of TargetEntry) are valid.
    pub unsafe fn from_query(
        query: *mut Query,
        tlist: *mut pg_sys::List,
    ) -> Result<GroupBy, NotShipped> {
        // SAFETY: as the caller vouches.
        unsafe {
            let query = &*query;
            if !query.groupingSets.is_null() {
                let items = sets(query.groupingSets, tlist)?;
                if items.iter().all(|item| matches!(item, Set::Columns(_))) {
                    return Ok(GroupBy::Sets { items: vec![Set::Sets(items)], distinct: false });
                }
                return Ok(GroupBy::Sets { items, distinct: query.groupDistinct });
            }
            let positions = node::list::<SortGroupClause>(query.groupClause)
                .map(|clause| position((*clause).tleSortGroupRef, tlist))
                .collect::<Result<Vec<u32>, NotShipped>>()?;
            Ok(if positions.is_empty() { GroupBy::Nothing } else { GroupBy::Positions(positions) })
        }
    }
}

unsafe fn position(reference: u32, tlist: *mut pg_sys::List) -> Result<u32, NotShipped> {
    // SAFETY: the caller vouches for the list.
    unsafe {
        node::list::<TargetEntry>(tlist)
            .find(|entry| (**entry).ressortgroupref == reference)
            .map(|entry| (*entry).resno as u32)
            .ok_or(NotShipped::Form("grouping by something that is not fetched"))
    }
}

unsafe fn columns(
    references: *mut pg_sys::List,
    tlist: *mut pg_sys::List,
) -> Result<Vec<u32>, NotShipped> {
    // SAFETY: the caller vouches for the lists.
    unsafe {
        node::int_list(references).map(|reference| position(reference as u32, tlist)).collect()
    }
}

unsafe fn sets(list: *mut pg_sys::List, tlist: *mut pg_sys::List) -> Result<Vec<Set>, NotShipped> {
    // SAFETY: the caller vouches for the lists.
    unsafe { node::list::<Node>(list).map(|item| set(item, tlist)).collect() }
}

/// One item: as the parser left it, or a plain list of columns, which the planner makes of it when it has
/// multiplied everything out.
unsafe fn set(item: *mut Node, tlist: *mut pg_sys::List) -> Result<Set, NotShipped> {
    use pg_sys::GroupingSetKind as Kind;
    // SAFETY: the caller vouches for the node; the kind tells what its content is.
    unsafe {
        if item.is_null() || node::is_a(item, NodeTag::T_IntList) {
            return Ok(Set::Columns(columns(item.cast(), tlist)?));
        }
        let Some(item) = node::cast::<GroupingSet, _>(item) else {
            return Err(NotShipped::Form("grouping sets"));
        };
        Ok(match item.kind {
            Kind::GROUPING_SET_EMPTY => Set::Columns(Vec::new()),
            Kind::GROUPING_SET_SIMPLE => Set::Columns(columns(item.content, tlist)?),
            Kind::GROUPING_SET_ROLLUP => Set::Rollup(sets(item.content, tlist)?),
            Kind::GROUPING_SET_CUBE => Set::Cube(sets(item.content, tlist)?),
            Kind::GROUPING_SET_SETS => Set::Sets(sets(item.content, tlist)?),
            _ => return Err(NotShipped::Form("grouping sets")),
        })
    }
}

impl Set {
    fn sql(&self) -> String {
        match self {
            Set::Columns(columns) => format!("({})", numbers(columns)),
            Set::Rollup(items) => format!("ROLLUP({})", all(items)),
            Set::Cube(items) => format!("CUBE({})", all(items)),
            Set::Sets(items) => format!("GROUPING SETS ({})", all(items)),
        }
    }
}

fn all(items: &[Set]) -> String {
    items.iter().map(Set::sql).collect::<Vec<_>>().join(", ")
}

fn numbers(columns: &[u32]) -> String {
    columns.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

impl Writer<'_> {
    pub(super) fn group_by(&mut self, group_by: &GroupBy) -> Result<(), Failure> {
        let text = match group_by {
            GroupBy::Nothing => return Ok(()),
            GroupBy::Positions(positions) => format!(" GROUP BY {}", numbers(positions)),
            GroupBy::Sets { items, distinct } => {
                format!(" GROUP BY {}{}", if *distinct { "DISTINCT " } else { "" }, all(items))
            }
        };
        self.push(&text);
        Ok(())
    }

    pub(super) fn distinct(&mut self, distinct: &Distinct) {
        match distinct {
            Distinct::No => {}
            Distinct::Yes => self.push("DISTINCT "),
            Distinct::On(columns) => self.push(&format!("DISTINCT ON ({}) ", numbers(columns))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grouping_sets() {
        let sets = Set::Sets(vec![
            Set::Rollup(vec![Set::Columns(vec![1, 2]), Set::Columns(vec![3])]),
            Set::Columns(vec![]),
        ]);
        assert_eq!(sets.sql(), "GROUPING SETS (ROLLUP((1, 2), (3)), ())");
    }
}

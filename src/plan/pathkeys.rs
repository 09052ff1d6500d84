//! Orders that could spare the planner a sort before a merge join.
//!
//! Asked for under `use_remote_estimate` only: without an estimate from the server that has the indexes, a sort there
//! looks no cheaper than one here.

use crate::pg::node;
use pgrx::pg_sys;
use std::ptr;

/// One-column orders of `rel` by which it could be merged with other relations.
///
/// # Safety
/// `rel` is being planned in `root`.
pub(super) unsafe fn for_merging(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
) -> Vec<*mut pg_sys::List> {
    // SAFETY: planner data.
    unsafe {
        let wanted = node::list_vec::<pg_sys::PathKey>((*root).query_pathkeys);
        let mut orders = Vec::new();
        for class in classes(root, rel) {
            // This one the query wants itself.
            if let [only] = wanted[..]
                && (*only).pk_eclass == class
            {
                continue;
            }
            if (*class).ec_has_volatile {
                continue;
            }
            let Some(family) = node::oid_list((*class).ec_opfamilies).next() else { continue };
            let ascending = pg_sys::BTLessStrategyNumber as _;
            let key = pg_sys::make_canonical_pathkey(root, class, family, ascending, false);
            orders.push(pg_sys::lappend(ptr::null_mut(), key.cast()));
        }
        orders
    }
}

/// Equivalence classes whose value in `rel` is compared with that in another relation.
unsafe fn classes(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
) -> Vec<*mut pg_sys::EquivalenceClass> {
    // SAFETY: planner data.
    unsafe {
        let mut found = Vec::new();
        if (*rel).has_eclass_joins {
            for class in node::list_vec::<pg_sys::EquivalenceClass>((*root).eq_classes) {
                if pg_sys::eclass_useful_for_merging(root, class, rel) {
                    found.push(class);
                }
            }
        }
        let relids = match (*rel).top_parent_relids {
            none if none.is_null() => (*rel).relids,
            parents => parents,
        };
        // Conditions of outer joins make no common class, but have one on each side.
        for clause in node::list_vec::<pg_sys::RestrictInfo>((*rel).joininfo) {
            if (*clause).mergeopfamilies.is_null() {
                continue;
            }
            pg_sys::update_mergeclause_eclasses(root, clause);
            for class in [(*clause).right_ec, (*clause).left_ec] {
                if !class.is_null() && pg_sys::bms_overlap(relids, (*class).ec_relids) {
                    if !found.contains(&class) {
                        found.push(class);
                    }
                    break;
                }
            }
        }
        found
    }
}

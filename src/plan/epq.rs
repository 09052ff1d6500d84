//! EvalPlanQual: when a locked row has changed, the query is evaluated again for that row, here.

use crate::error::Failure;
use crate::pg::node;
use pgrx::pg_sys;

/// Fits the local join `outer` below a foreign join: it gives out the scan's columns, and does not evaluate what the
/// scan evaluates itself.
///
/// # Safety
/// `outer` is a plan made for the local path of the same join; `targets` is the scan's target list.
pub(super) unsafe fn fit_outer_plan(
    outer: *mut pg_sys::Plan,
    targets: *mut pg_sys::List,
    local: *mut pg_sys::List,
    parallel_safe: bool,
) -> Result<*mut pg_sys::Plan, Failure> {
    // SAFETY: as the caller vouches; the quals are removed from the plan's own lists.
    unsafe {
        for qual in node::list_vec::<pg_sys::Node>(local) {
            (*outer).qual = pg_sys::list_delete((*outer).qual, qual.cast());
            let tag = node::tag(outer);
            use pg_sys::NodeTag::{T_HashJoin, T_MergeJoin, T_NestLoop};
            if matches!(tag, T_NestLoop | T_MergeJoin | T_HashJoin) {
                let join = outer.cast::<pg_sys::Join>();
                if (*join).jointype == pg_sys::JoinType::JOIN_INNER {
                    (*join).joinqual = pg_sys::list_delete((*join).joinqual, qual.cast());
                }
            }
        }
        Ok(pg_sys::change_plan_targetlist(outer, targets, parallel_safe))
    }
}

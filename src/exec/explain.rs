//! What EXPLAIN tells of foreign scans and modifications. Wording as in postgres_fdw where it has one.

use crate::error::Failure;
use crate::options::load;
use crate::pg::explain::Explainer;
use crate::plan::private::{ModifyPlan, ScanPlan};
use pgrx::pg_sys;

/// ExplainForeignScan.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn scan(
    node: *mut pg_sys::ForeignScanState,
    out: *mut pg_sys::ExplainState,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let out = Explainer::new(out);
        let scan = (*node).ss.ps.plan.cast::<pg_sys::ForeignScan>();
        let plan = ScanPlan::from_list((*scan).fdw_private)?;
        if let Some(description) = &plan.description {
            out.text(c"Relations", description);
        }
        if out.verbose() {
            if let Some(placement) = plan.placements.first() {
                out.text(c"Remote SQL", &plan.sql(placement)?);
            }
            if !plan.not_shipped.is_empty() {
                out.text(c"Not shipped", &plan.not_shipped.join("; "));
            }
        }
        Ok(())
    }
}

/// ExplainForeignModify.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn modify(
    result: *mut pg_sys::ResultRelInfo,
    private: *mut pg_sys::List,
    out: *mut pg_sys::ExplainState,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let out = Explainer::new(out);
        if !out.verbose() {
            return Ok(());
        }
        let plan = ModifyPlan::from_list(private)?;
        let table = load::foreign_table((*(*result).ri_RelationDesc).rd_id)?;
        out.text(c"Remote SQL", &plan.sql(&table, 1));
        if (*result).ri_BatchSize > 0 {
            out.integer(c"Batch Size", i64::from((*result).ri_BatchSize));
        }
        Ok(())
    }
}

//! Comparing values as a sort by an ordering operator does.

use crate::pg::memory;
use pgrx::pg_sys;
use pgrx::pg_sys::{Datum, Oid};
use std::cmp::Ordering;

/// One key of an order.
pub struct Order {
    support: *mut pg_sys::SortSupportData,
}

impl Order {
    /// The order of the `<` or `>` operator, under `collation`. It lives in `context`.
    ///
    /// # Safety
    /// The operator is a btree ordering operator; the context outlives the order's use.
    pub unsafe fn new(
        operator: Oid,
        collation: Oid,
        nulls_first: bool,
        context: pg_sys::MemoryContext,
    ) -> Order {
        // SAFETY: as the caller vouches; the struct is zeroed, as the function asks.
        unsafe {
            let _guard = memory::ContextGuard::switch_to(context);
            let support = pg_sys::palloc0(size_of::<pg_sys::SortSupportData>())
                .cast::<pg_sys::SortSupportData>();
            (*support).ssup_cxt = context;
            (*support).ssup_collation = collation;
            (*support).ssup_nulls_first = nulls_first;
            pg_sys::PrepareSortSupportFromOrderingOp(operator, support);
            Order { support }
        }
    }

    /// Which of two values, with whether they are NULL, comes first.
    ///
    /// # Safety
    /// Both are of the operator's type, alive.
    pub unsafe fn compare(&self, a: (Datum, bool), b: (Datum, bool)) -> Ordering {
        // SAFETY: PrepareSortSupportFromOrderingOp has set the comparator, or raised.
        unsafe {
            let support = &*self.support;
            let first = if support.ssup_nulls_first { Ordering::Less } else { Ordering::Greater };
            match (a.1, b.1) {
                (true, true) => return Ordering::Equal,
                (true, false) => return first,
                (false, true) => return first.reverse(),
                (false, false) => {}
            }
            let Some(comparator) = support.comparator else { return Ordering::Equal };
            let of = self.support;
            let result = pg_sys::ffi::pg_guard_ffi_boundary(|| comparator(a.0, b.0, of));
            let order = result.cmp(&0);
            if support.ssup_reverse { order.reverse() } else { order }
        }
    }
}

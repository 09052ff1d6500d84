//! What EXPLAIN makes of window functions that a shard computes.

use pgrx::pg_sys;

/// Has EXPLAIN show the window functions among the columns of a scan as calls without OVER: from 18 on it looks for the
/// WindowAgg that computes them, and fails where there is none.
///
/// # Safety
/// `scan` is a finished plan. Its `fdw_scan_tlist` only says what the columns are, it is never evaluated; the change is
/// the same each time, so it does not matter how often a cached plan is executed.
pub unsafe fn show_windows(scan: *mut pg_sys::ForeignScan) {
    #[cfg(not(feature = "pg18"))]
    let _ = scan;
    // SAFETY: as the caller vouches. A call in its place needs no more memory than the node has.
    #[cfg(feature = "pg18")]
    unsafe {
        use crate::pg::node;
        use pg_sys::{FuncExpr, WindowFunc};
        const { assert!(size_of::<FuncExpr>() <= size_of::<WindowFunc>()) }
        node::any_node((*scan).fdw_scan_tlist.cast(), &mut |part| {
            if node::is_a(part, pg_sys::NodeTag::T_WindowFunc) {
                let window = part.cast::<WindowFunc>().read();
                part.cast::<FuncExpr>().write(FuncExpr {
                    xpr: pg_sys::Expr { type_: pg_sys::NodeTag::T_FuncExpr },
                    funcid: window.winfnoid,
                    funcresulttype: window.wintype,
                    funcretset: false,
                    funcvariadic: false,
                    funcformat: pg_sys::CoercionForm::COERCE_EXPLICIT_CALL,
                    funccollid: window.wincollid,
                    inputcollid: window.inputcollid,
                    args: window.args,
                    location: -1,
                });
            }
            false
        });
    }
}

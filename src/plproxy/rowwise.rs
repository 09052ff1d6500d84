//! Sets given to the caller row by row, one call for each: what small ones cost least by.
//!
//! The rows are all there before the first is given out. They live in memory that PostgreSQL keeps for the function
//! between its calls, and frees when the last row was taken or the caller wants no more.

use super::codec;
use crate::pg::memory::ContextGuard;
use pgrx::pg_sys::{self, Datum, ExprDoneCond, FunctionCallInfo, NullableDatum};

/// Whether the caller takes rows one by one, and not rather all at once.
///
/// # Safety
/// `info` is a call's.
pub unsafe fn is_wanted(info: FunctionCallInfo) -> bool {
    use pg_sys::SetFunctionReturnMode::{SFRM_Materialize_Preferred, SFRM_ValuePerCall};
    // SAFETY: resultinfo is NULL or a node.
    unsafe {
        let set = (*info).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        if set.is_null() || (*set).type_ != pg_sys::NodeTag::T_ReturnSetInfo {
            return false;
        }
        let modes = (*set).allowedModes;
        modes & SFRM_ValuePerCall as i32 != 0 && modes & SFRM_Materialize_Preferred as i32 == 0
    }
}

/// Whether rows of an earlier call are left to be given out (or only the news that there are none).
///
/// # Safety
/// `info` is a call's.
pub unsafe fn goes_on(info: FunctionCallInfo) -> bool {
    // SAFETY: nobody but `begin` sets it for functions of this language.
    unsafe { !(*(*info).flinfo).fn_extra.is_null() }
}

/// Gives the first of `rows`, which live in the current memory context, and keeps the others.
///
/// # Safety
/// As [`is_wanted`] found; the rows are values of a type stored so.
pub unsafe fn begin(
    info: FunctionCallInfo,
    rows: &[Option<Datum>],
    by_value: bool,
    length: i16,
) -> Datum {
    // SAFETY: PostgreSQL's functions for this purpose, in their order; the array is as long as max_calls says.
    unsafe {
        let Some((first, rest)) = rows.split_first() else { return end(info) };
        let context = pg_sys::init_MultiFuncCall(info);
        {
            let _context = ContextGuard::switch_to((*context).multi_call_memory_ctx);
            let size = size_of::<NullableDatum>() * rest.len().max(1);
            let kept = pg_sys::palloc(size).cast::<NullableDatum>();
            for (place, row) in rest.iter().enumerate() {
                let value = row.map_or(Datum::null(), |row| codec::copy(row, by_value, length));
                kept.add(place).write(NullableDatum { value, isnull: row.is_none() });
            }
            (*context).user_fctx = kept.cast();
            (*context).max_calls = rest.len() as u64;
        }
        more(info, *first)
    }
}

/// Gives the next row, or tells that there is none.
///
/// # Safety
/// [`goes_on`].
pub unsafe fn next(info: FunctionCallInfo) -> Datum {
    // SAFETY: what `begin` has left.
    unsafe {
        let context = pg_sys::per_MultiFuncCall(info);
        if (*context).call_cntr >= (*context).max_calls {
            pg_sys::end_MultiFuncCall(info, context);
            return end(info);
        }
        let row = *(*context).user_fctx.cast::<NullableDatum>().add((*context).call_cntr as usize);
        (*context).call_cntr += 1;
        more(info, (!row.isnull).then_some(row.value))
    }
}

unsafe fn more(info: FunctionCallInfo, value: Option<Datum>) -> Datum {
    // SAFETY: as the callers vouch.
    unsafe {
        let set = (*info).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        (*set).isDone = ExprDoneCond::ExprMultipleResult;
        (*info).isnull = value.is_none();
    }
    value.unwrap_or(Datum::null())
}

unsafe fn end(info: FunctionCallInfo) -> Datum {
    // SAFETY: as the callers vouch.
    unsafe {
        let set = (*info).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        (*set).isDone = ExprDoneCond::ExprEndResult;
        (*info).isnull = true;
    }
    Datum::null()
}

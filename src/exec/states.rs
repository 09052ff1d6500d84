//! Which columns of a scan are transition states that have to be put together: partial aggregates whose state is a C
//! structure. Planning has asked the shards for what they are made of (plan/transition.rs).

use super::arena::Arena;
use super::codec;
use super::kinds::{self, Native};
use super::native::{Encoding, native_value};
use super::rows::LocalColumn;
use crate::error::{Failure, SqlState};
use crate::pg::aggregate_state::{Defect, Layout};
use crate::pg::{calibration, node};
use pgrx::pg_sys::{self, Datum, Oid};

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
            column.state = state.and_then(calibration::layout);
            // Such a state may be made of arrays of another type, too.
            if let Some(Layout::Collected(element)) = column.state {
                column.type_oid = Oid::from(element.array_type);
            }
        }
    }
}

/// The transition state that `bytes` are the values for; NULL when there were no values. `scratch` is room to work in,
/// `place` says which column it is.
///
/// # Safety
/// The arena's owner context is alive.
pub(super) unsafe fn assemble(
    layout: Layout,
    bytes: &[u8],
    scratch: &mut Vec<u8>,
    arena: &mut Arena,
    place: &str,
) -> Result<Option<Datum>, Failure> {
    let state = match layout.write(bytes, datum, scratch) {
        Ok(false) => return Ok(None),
        // SAFETY: as the caller vouches.
        Ok(true) => unsafe { native_value(Native::Bytea, scratch, Encoding::Unknown, arena) }
            .ok_or(Defect::Size),
        Err(defect) => Err(defect),
    };
    state.map(Some).map_err(|defect| {
        let (code, message) = match defect {
            Defect::Malformed => {
                (SqlState::INVALID_BINARY_REPRESENTATION, "incorrect binary data format")
            }
            Defect::Precision => (
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                "the values have too many decimal places to be squared on the server",
            ),
            Defect::Size => (
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                "the values that the server has collected are too many for one value",
            ),
        };
        let failure = Failure::new(code, message);
        if defect == Defect::Malformed {
            return failure.add_context(place);
        }
        failure
            .with_hint("SET shard_fdw.enable_sharded_scan = off has the aggregate computed here.")
    })
}

/// The Datum of a value of a type that is passed by value.
fn datum(type_oid: u32, bytes: &[u8]) -> Option<i64> {
    codec::by_value(kinds::native(type_oid)?, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pg::aggregate_collected::Element;

    #[test]
    fn what_is_collected_travels_in_binary() {
        let collected = |of_type| {
            Element { array_type: 0, of_type, length: 0, by_value: false, alignment: 0 }
                .is_collected()
        };
        for of_type in (0..20_000).filter(|&of_type| collected(of_type)) {
            assert!(kinds::binary_scalar(of_type), "{of_type}");
        }
        // All that are passed by value.
        for (of_type, length) in
            [(16, 1), (21, 2), (23, 4), (26, 4), (700, 4), (1082, 4), (20, 8), (701, 8), (1083, 8)]
                .into_iter()
                .chain([(1114, 8), (1184, 8), (3220, 8), (5069, 8)])
        {
            assert!(collected(of_type), "{of_type}");
            assert_eq!(datum(of_type, &vec![0; length]), Some(0), "{of_type}");
        }
    }
}

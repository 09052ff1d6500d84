//! What pg_aggregate says of an aggregate, and what aggregates cost.

use super::typeio;
use pgrx::pg_sys;
use pgrx::pg_sys::Oid;

// catalog/pg_aggregate.h, the same in PostgreSQL 11 to 18; pgrx does not bind the row type.
const TRANSFN: i32 = 4;
const FINALFN: i32 = 5;
const COMBINEFN: i32 = 6;
const SERIALFN: i32 = 7;
const SORTOP: i32 = 16;
const TRANSTYPE: i32 = 17;
const INITVAL: i32 = 21;

/// An aggregate's way of working.
#[derive(Clone, Debug)]
pub struct Definition {
    /// What takes a value into its transition state.
    pub transition: Oid,
    /// What makes bytes of a state that is a C structure.
    pub serialize: Oid,
    /// The type of its transition state.
    pub state_type: Oid,
    /// The state before the first value, as text.
    pub initial: Option<String>,
    /// It has a final function: its result is not its state.
    pub finalizes: bool,
    /// It has a combine function.
    pub combines: bool,
    /// It gives out the first of its values in some order, such as min and bool_and: how often each is there does not
    /// matter.
    pub picks: bool,
}

/// The definition of a built-in aggregate; `None` for others, of which nothing is assumed.
pub fn definition(function: Oid) -> Option<Definition> {
    if function.to_u32() >= pg_sys::FirstGenbkiObjectId {
        return None;
    }
    // SAFETY: looks a row of pg_aggregate up, reads OID columns of it and releases it.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::AGGFNOID as i32,
            pg_sys::Datum::from(function),
        );
        if tuple.is_null() {
            return None;
        }
        let oid = |column: i32| {
            let mut null = false;
            let id = pg_sys::SysCacheIdentifier::AGGFNOID as i32;
            let value = pg_sys::SysCacheGetAttr(id, tuple, column as i16, &raw mut null);
            Oid::from(if null { 0 } else { value.value() as u32 })
        };
        let mut null = false;
        let id = pg_sys::SysCacheIdentifier::AGGFNOID as i32;
        let initial = pg_sys::SysCacheGetAttr(id, tuple, INITVAL as i16, &raw mut null);
        let initial = (!null).then(|| {
            String::from_utf8_lossy(typeio::varlena_bytes(initial.cast_mut_ptr())).into_owned()
        });
        let definition = Definition {
            transition: oid(TRANSFN),
            serialize: oid(SERIALFN),
            state_type: oid(TRANSTYPE),
            initial,
            finalizes: oid(FINALFN) != pg_sys::InvalidOid,
            combines: oid(COMBINEFN) != pg_sys::InvalidOid,
            picks: oid(SORTOP) != pg_sys::InvalidOid,
        };
        pg_sys::ReleaseSysCache(tuple);
        Some(definition)
    }
}

/// Adds up what evaluating the query's aggregates costs (optimizer/prep.h).
///
/// # Safety
/// `root` is a planner's root past preprocess_aggrefs, `costs` is valid.
pub unsafe fn clause_costs(
    root: *mut pg_sys::PlannerInfo,
    split: pg_sys::AggSplit::Type,
    costs: *mut pg_sys::AggClauseCosts,
) {
    mod bare {
        use pgrx::pg_sys;
        // SAFETY: the signature of optimizer/prep.h, the same in PostgreSQL 15 to 18.
        unsafe extern "C-unwind" {
            pub fn get_agg_clause_costs(
                root: *mut pg_sys::PlannerInfo,
                aggsplit: pg_sys::AggSplit::Type,
                costs: *mut pg_sys::AggClauseCosts,
            );
        }
    }
    // SAFETY: the closure owns nothing; the caller vouches for the arguments.
    unsafe {
        pg_sys::ffi::pg_guard_ffi_boundary(|| bare::get_agg_clause_costs(root, split, costs));
    }
}

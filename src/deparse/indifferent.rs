//! Builtin functions that take strings but whose result does not depend on the collation, as long as it is a
//! deterministic one: equality is that of bytes, and cutting, joining and looking up do not compare at all. Some look at
//! the bytes themselves, though, which depend on the database's encoding.
//!
//! Every function of a string has an input collation, be it for the word 'day' in `date_trunc('day', t)`. Asking
//! that it come from a remote column would keep `j ->> 'a' = 'b'` or `extract(year from d)` here for nothing.
#![forbid(unsafe_code)]

use super::collation;
use crate::session::Likeness;
use pgrx::pg_sys::Oid;

/// OIDs of such functions, sorted; by PostgreSQL's rules they never change.
const FUNCTIONS: &[u32] = &[
    // texteq, textne, string_to_array, array_ne, string_to_array, hashtext, and casts among string types
    67, 157, 376, 390, 394, 400, 401, 406, 407, 408, 409, 448, 668, 669,
    // array_eq, array_ndims, hashtext..., position, like, strpos
    744, 748, 849, 850, 851, 868, // pads and trims, substr, translate, substring by number
    873, 874, 875, 876, 877, 878, 879, 880, 881, 882, 883, 884, 885, 936, 937,
    // hashbpcharextended, bpchareq, bpcharne, hashbpchar, timezone, date_part, date_trunc of intervals
    972, 1048, 1053, 1080, 1159, 1172, 1218, // textlen, textcat, date_part(timetz), lengths
    1257, 1258, 1273, 1317, 1318, 1367, 1369, 1372, 1374, 1375, 1381,
    // date_part of date and time, name casts, overlay, ascii, repeat, like of bpchar, bit_length
    1384, 1385, 1400, 1401, 1404, 1405, 1620, 1622, 1631, 1632, 1811,
    // encode, decode, date_trunc, date_part, timezone, replace, split_part, array bounds, md5
    1946, 1947, 2020, 2021, 2069, 2087, 2088, 2091, 2092, 2176, 2311,
    // array overlap and containment, left, right, reverse, cardinality
    2747, 2748, 2749, 3060, 3061, 3062,
    3179, // fields, paths and keys of json and jsonb, starts_with
    3214, 3217, 3302, 3304, 3343, 3478, 3696, 3940, 3947, 3948, 3951, 3953, 4047, 4048, 4049,
    // extract
    6199, 6200, 6201, 6202, 6204,
];

/// Aggregates that do not compare their input: array_agg (both), string_agg, count.
const AGGREGATES: &[u32] = &[2147, 2335, 3538, 4053];

/// Functions that look at the bytes of a text, or make one of a code, sorted: `hashtext` and its kin, `octet_length`,
/// `bit_length`, `ascii`, `chr`, `md5`; casts to `name`, which cut off by bytes.
const OF_BYTES: &[u32] = &[400, 407, 409, 448, 972, 1080, 1374, 1375, 1400, 1620, 1621, 1811, 2311];

/// `jsonb_lt`, `jsonb_gt`, `jsonb_le`, `jsonb_ge`
const JSONB_LT: u32 = 4039;
const JSONB_GE: u32 = 4042;
/// `record_lt`, `record_gt`, `record_le`, `record_ge`
const RECORD_LT: u32 = 2983;
const RECORD_GE: u32 = 2986;

/// Whether the function gives the same under every deterministic collation.
pub fn function(oid: Oid) -> bool {
    FUNCTIONS.binary_search(&oid.to_u32()).is_ok()
}

/// What a call of the function under the collation relies on.
pub fn reliance(function: Oid, collation: Oid) -> Likeness {
    let number = function.to_u32();
    // Strings within jsonb are ordered by the database's default collation, although the type has none; those within rows
    // by that of their columns.
    if (JSONB_LT..=JSONB_GE).contains(&number) || (RECORD_LT..=RECORD_GE).contains(&number) {
        Likeness::Collation
    } else if OF_BYTES.binary_search(&number).is_ok() {
        Likeness::Encoding
    } else if self::function(function) {
        Likeness::Nothing
    } else {
        collation::reliance(collation)
    }
}

/// The same of an aggregate; `sorts`: it has an ORDER BY.
pub fn aggregate_reliance(oid: Oid, collation: Oid, sorts: bool) -> Likeness {
    if aggregate(oid) && !sorts { Likeness::Nothing } else { collation::reliance(collation) }
}

/// Whether the aggregate, without ORDER BY, gives the same under every deterministic collation. (DISTINCT asks
/// for equality only.)
pub fn aggregate(oid: Oid) -> bool {
    AGGREGATES.contains(&oid.to_u32())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        assert!(FUNCTIONS.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(OF_BYTES.windows(2).all(|pair| pair[0] < pair[1]));
    }
}

//! Which types' values have the same bytes on every server, in text or in binary, so that nobody has to read them on
//! the way from one to a client of the other.
#![forbid(unsafe_code)]

use super::kinds::{binary_safe, binary_scalar, is_text_like, oid};

/// Settings that change how values are written: a set of the constants below.
pub type Settings = u8;
/// DateStyle.
pub const DATES: Settings = 1;
/// IntervalStyle.
pub const INTERVALS: Settings = 2;
/// extra_float_digits; and servers before PostgreSQL 12 write more digits than are needed.
pub const FLOATS: Settings = 4;
/// TimeZone.
pub const ZONE: Settings = 8;
/// bytea_output.
pub const BYTEA: Settings = 16;

/// What changes the text of values of the type; `None` when more than that may differ between two servers. `element`
/// gives the element type of an array type, 0 for another type.
pub fn in_text(type_oid: u32, element: impl Fn(u32) -> u32) -> Option<Settings> {
    // A shard does not tell when its bytea_output changes. It shows in a value (`is_hex`), but not easily in an array.
    let of_element = |element: u32| (element != oid::BYTEA).then_some(element);
    scalar_in_text(type_oid).or_else(|| scalar_in_text(of_element(element(type_oid))?))
}

/// Whether the text of a bytea is that of bytea_output = hex: the other form never begins so.
pub fn is_hex(text: &[u8]) -> bool {
    text.starts_with(b"\\x")
}

/// Whether a type's text has to be looked at with [`is_hex`].
pub fn is_bytea(type_oid: u32) -> bool {
    type_oid == oid::BYTEA
}

/// Not here are types whose output functions were changed once ("char", jsonpath, tsquery), and those that other
/// settings or catalogs change.
fn scalar_in_text(type_oid: u32) -> Option<Settings> {
    match type_oid {
        oid::BOOL
        | oid::INT2
        | oid::INT4
        | oid::INT8
        | oid::XID8
        | oid::PG_LSN
        | oid::OID
        | oid::XID
        | oid::CID
        | oid::TID
        | oid::UUID
        | oid::NUMERIC
        | oid::TEXT
        | oid::VARCHAR
        | oid::BPCHAR
        | oid::NAME
        | oid::JSON
        | oid::JSONB
        | oid::REFCURSOR
        | oid::TSVECTOR
        // macaddr, macaddr8, inet, cidr, bit, varbit.
        | 829 | 774 | 869 | 650 | 1560 | 1562
        // Ranges and multiranges of numbers.
        | 3904 | 3906 | 3926 | 4451 | 4532 | 4536 => Some(0),
        oid::BYTEA => Some(BYTEA),
        // With geometry.
        oid::FLOAT4 | oid::FLOAT8 | 600..=604 | 628 | 718 => Some(FLOATS),
        // With timetz, ranges and multiranges of date and timestamp.
        oid::DATE | oid::TIME | 1266 | oid::TIMESTAMP | 3908 | 3912 | 4533 | 4535 => Some(DATES),
        oid::INTERVAL => Some(INTERVALS),
        oid::TIMESTAMPTZ | 3910 | 4534 => Some(DATES | ZONE),
        _ => None,
    }
}

/// Whether the binary form is the same: one that holds no characters, or nothing but characters ([`is_all_text`]).
pub fn in_binary(type_oid: u32, element: impl Fn(u32) -> u32) -> bool {
    let plain = |t| {
        binary_scalar(t)
            && !is_text_like(t)
            && !matches!(t, oid::TSVECTOR | oid::JSONB | oid::JSONPATH)
    };
    binary_safe(type_oid, &element)
        && (is_all_text(type_oid) || plain(type_oid) || plain(element(type_oid)))
}

/// Whether the binary form is characters from its first to its last byte (the byte 1 that jsonb begins with is one).
pub fn is_all_text(type_oid: u32) -> bool {
    is_text_like(type_oid) || type_oid == oid::JSONB
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(type_oid: u32) -> u32 {
        match type_oid {
            1001 => oid::BYTEA,
            1002 => oid::CHAR,
            1007 => oid::INT4,
            1009 => oid::TEXT,
            1185 => oid::TIMESTAMPTZ,
            20001 => oid::INT4,
            _ => 0,
        }
    }

    #[test]
    fn text() {
        assert_eq!(in_text(oid::TEXT, element), Some(0));
        assert_eq!(in_text(oid::BYTEA, element), Some(BYTEA));
        assert_eq!(in_text(1185, element), Some(DATES | ZONE));
        assert_eq!(in_text(oid::FLOAT8, element), Some(FLOATS));
        // Arrays of bytea, "char" and its array, money, xml, regclass, int2vector, record, an enum.
        for other in
            [1001, oid::CHAR, 1002, oid::MONEY, oid::XML, 2205, oid::INT2VECTOR, 2249, 20002]
        {
            assert_eq!(in_text(other, element), None, "{other}");
        }
    }

    #[test]
    fn binary() {
        for same in [oid::INT4, oid::TEXT, oid::JSONB, oid::MONEY, oid::CHAR, 1007, 1185, 3904] {
            assert!(in_binary(same, element), "{same}");
        }
        // Characters among other bytes, which would have to be verified; OIDs that mean something else there.
        for other in [1009, oid::TSVECTOR, oid::JSONPATH, oid::XML, 2205, 20001, 20002] {
            assert!(!in_binary(other, element), "{other}");
        }
    }
}

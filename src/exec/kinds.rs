//! What is known of the built-in types by their OID: which of them travel in binary, which of those are decoded
//! here without calling PostgreSQL, and whose text form depends on settings.
//!
//! OIDs below 10000 mean the same on every server and never change, so they are the contract between two servers
//! of different versions. Anything not listed here is unknown and travels as text through its input and output
//! functions: that is always right, only slower.
#![forbid(unsafe_code)]

/// The OIDs used by name.
#[allow(missing_docs)]
pub mod oid {
    pub const BOOL: u32 = 16;
    pub const BYTEA: u32 = 17;
    pub const CHAR: u32 = 18;
    pub const NAME: u32 = 19;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT2VECTOR: u32 = 22;
    pub const INT4: u32 = 23;
    pub const TEXT: u32 = 25;
    pub const OID: u32 = 26;
    pub const TID: u32 = 27;
    pub const XID: u32 = 28;
    pub const CID: u32 = 29;
    pub const OIDVECTOR: u32 = 30;
    pub const JSON: u32 = 114;
    pub const XML: u32 = 142;
    pub const FLOAT4: u32 = 700;
    pub const FLOAT8: u32 = 701;
    pub const MONEY: u32 = 790;
    pub const BPCHAR: u32 = 1042;
    pub const VARCHAR: u32 = 1043;
    pub const DATE: u32 = 1082;
    pub const TIME: u32 = 1083;
    pub const TIMESTAMP: u32 = 1114;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const INTERVAL: u32 = 1186;
    pub const NUMERIC: u32 = 1700;
    pub const REFCURSOR: u32 = 1790;
    pub const UUID: u32 = 2950;
    pub const PG_LSN: u32 = 3220;
    pub const TSVECTOR: u32 = 3614;
    pub const TSQUERY: u32 = 3615;
    pub const JSONB: u32 = 3802;
    pub const JSONPATH: u32 = 4072;
    pub const XID8: u32 = 5069;
}

/// Built-in types end here; from here on an OID means nothing on another server.
const FIRST_UNPINNED: u32 = 10000;

/// A type whose wire form is turned into a Datum, and back, without a call into PostgreSQL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Native {
    /// One byte, not zero = true.
    Bool,
    /// `"char"`: one byte.
    Char,
    /// Two bytes.
    Int2,
    /// Four bytes.
    Int4,
    /// Eight bytes: int8, money, xid8, pg_lsn.
    Int8,
    /// Four bytes without sign: oid, xid, cid.
    Word,
    /// The bits of a float4.
    Float4,
    /// The bits of a float8.
    Float8,
    /// Days since 2000-01-01.
    Date,
    /// Microseconds since midnight.
    Time,
    /// Microseconds since 2000-01-01, with or without time zone.
    Timestamp,
    /// Microseconds, days, months.
    Interval,
    /// Digits to the base 10000.
    Numeric,
    /// Sixteen bytes.
    Uuid,
    /// The bytes themselves.
    Bytea,
    /// A block number and a line number.
    Tid,
    /// Characters, padded to a fixed length in memory.
    Name,
    /// Characters: text, varchar, character, json. Wire form and text form are the same.
    Text,
}

/// How a built-in type is decoded here, if it is.
pub fn native(type_oid: u32) -> Option<Native> {
    Some(match type_oid {
        oid::BOOL => Native::Bool,
        oid::CHAR => Native::Char,
        oid::INT2 => Native::Int2,
        oid::INT4 => Native::Int4,
        oid::INT8 | oid::MONEY | oid::XID8 | oid::PG_LSN => Native::Int8,
        oid::OID | oid::XID | oid::CID => Native::Word,
        oid::FLOAT4 => Native::Float4,
        oid::FLOAT8 => Native::Float8,
        oid::DATE => Native::Date,
        oid::TIME => Native::Time,
        oid::TIMESTAMP | oid::TIMESTAMPTZ => Native::Timestamp,
        oid::INTERVAL => Native::Interval,
        oid::NUMERIC => Native::Numeric,
        oid::UUID => Native::Uuid,
        oid::BYTEA => Native::Bytea,
        oid::TID => Native::Tid,
        oid::NAME => Native::Name,
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::JSON | oid::REFCURSOR => Native::Text,
        _ => return None,
    })
}

/// Scalars whose binary form says everything by itself: no OIDs of user's objects in it, nothing that a
/// setting changes. Not among them are tsquery, which comes back with its operands swapped, another value to its
/// own comparison, and int2vector and oidvector, whose receive functions refuse what they sent when it is empty.
pub fn binary_scalar(type_oid: u32) -> bool {
    native(type_oid).is_some()
        || matches!(
            type_oid,
            oid::TSVECTOR
                | oid::JSONB
                | oid::JSONPATH
                // Geometry: point, lseg, path, box, polygon, line, circle.
                | 600..=604 | 628 | 718
                // macaddr, macaddr8, inet, cidr.
                | 829 | 774 | 869 | 650
                // timetz, bit, varbit.
                | 1266 | 1560 | 1562
                // txid_snapshot, pg_snapshot.
                | 2970 | 5038
                // Ranges and multiranges of int4, int8, numeric, date, timestamp, timestamptz.
                | 3904 | 3906 | 3908 | 3910 | 3912 | 3926
                | 4451 | 4532..=4536
        )
}

/// Whether values may travel in binary. `element` gives the element type of an array type, 0 for another type.
pub fn binary_safe(type_oid: u32, element: impl Fn(u32) -> u32) -> bool {
    if type_oid == 0 || type_oid >= FIRST_UNPINNED || is_vector(type_oid) {
        return false;
    }
    binary_scalar(type_oid) || binary_scalar(element(type_oid))
}

/// int2vector and oidvector: arrays by their catalog rows, with input functions of their own.
fn is_vector(type_oid: u32) -> bool {
    matches!(type_oid, oid::INT2VECTOR | oid::OIDVECTOR)
}

/// Whether the binary form is the text form, so that text may be asked for at no loss. Text is then the
/// better choice: it also fits when the other side's column turns out to be of any other type.
pub fn is_text_like(type_oid: u32) -> bool {
    matches!(native(type_oid), Some(Native::Text | Native::Name))
}

/// Whether any text is a value of the type, as long as no modifier limits it.
pub fn is_any_text(type_oid: u32) -> bool {
    matches!(type_oid, oid::TEXT | oid::VARCHAR | oid::BPCHAR)
}

/// Types that may travel in binary but are asked for as text: parsing is the work either way.
pub fn prefers_text(type_oid: u32) -> bool {
    is_text_like(type_oid) || matches!(type_oid, oid::JSONB | oid::JSONPATH)
}

/// Whether values are, or may hold, xml, money or arrays, whose text is read by the session's settings. `kind` gives the typtype of a type or its elements.
pub fn is_particular(
    type_oid: u32,
    element: impl Fn(u32) -> u32,
    kind: impl Fn(u32) -> u8,
) -> bool {
    let scalar = |t| matches!(t, oid::XML | oid::MONEY);
    scalar(type_oid)
        || element(type_oid) != 0
        // Not a base type, not an enum: there is something inside.
        || text_form(type_oid, element) == TextForm::Unknown && !matches!(kind(type_oid), b'b' | b'e')
}

/// What changes the text form of a type; each includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TextForm {
    /// Nothing.
    Plain,
    /// DateStyle, IntervalStyle or extra_float_digits.
    Styled,
    /// TimeZone too.
    Zoned,
    /// Not known.
    Unknown,
}

/// What changes the text form of values of the type. `element` as for [`binary_safe`].
pub fn text_form(type_oid: u32, element: impl Fn(u32) -> u32) -> TextForm {
    match scalar_text_form(type_oid) {
        TextForm::Unknown => scalar_text_form(element(type_oid)),
        known => known,
    }
}

fn scalar_text_form(type_oid: u32) -> TextForm {
    if is_text_like(type_oid) {
        return TextForm::Plain;
    }
    match type_oid {
        oid::BOOL
        | oid::BYTEA
        | oid::CHAR
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
        | oid::JSONB
        | oid::JSONPATH
        | oid::TSVECTOR
        | oid::TSQUERY
        | oid::XML
        | oid::INT2VECTOR
        | oid::OIDVECTOR
        // macaddr, macaddr8, inet, cidr, bit, varbit.
        | 829 | 774 | 869 | 650 | 1560 | 1562
        // Ranges and multiranges of numbers.
        | 3904 | 3906 | 3926 | 4451 | 4532 | 4536 => TextForm::Plain,
        oid::FLOAT4
        | oid::FLOAT8
        | oid::DATE
        | oid::TIME
        | oid::TIMESTAMP
        | oid::INTERVAL
        // Geometry, timetz, ranges and multiranges of date and timestamp.
        | 600..=604 | 628 | 718 | 1266 | 3908 | 3912 | 4533 | 4535 => TextForm::Styled,
        oid::TIMESTAMPTZ | 3910 | 4534 => TextForm::Zoned,
        _ => TextForm::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(type_oid: u32) -> u32 {
        match type_oid {
            1007 => oid::INT4,
            1009 => oid::TEXT,
            1034 => 1033,
            1182 => oid::DATE,
            2210 => 2205,
            20001 => oid::INT4,
            _ => 0,
        }
    }

    #[test]
    fn only_self_contained_types_are_binary() {
        for safe in [16, 20, 23, 25, 701, 1700, 1184, 2950, 3802, 3904, 4536, 1007, 1009] {
            assert!(binary_safe(safe, element), "{safe}");
        }
        // regclass, xml, aclitem, their arrays, pg_node_tree, record, cstring, unknown, user's types.
        for unsafe_oid in [2205, 142, 1033, 1034, 2210, 194, 2249, 2275, 705, 0, 16384, 20001] {
            assert!(!binary_safe(unsafe_oid, element), "{unsafe_oid}");
        }
    }

    #[test]
    fn particular() {
        let kind = |t| if t == 30000 { b'c' } else { b'b' };
        for yes in [oid::XML, oid::MONEY, 30000, 1007, 20001] {
            assert!(is_particular(yes, element, kind), "{yes}");
        }
        for no in [oid::INT4, oid::TEXT, 30001] {
            assert!(!is_particular(no, element, kind), "{no}");
        }
    }

    #[test]
    fn settings() {
        assert_eq!(text_form(1007, element), TextForm::Plain);
        assert_eq!(text_form(1182, element), TextForm::Styled);
        assert_eq!(text_form(oid::FLOAT8, element), TextForm::Styled);
        assert_eq!(text_form(oid::TIMESTAMPTZ, element), TextForm::Zoned);
        assert_eq!(text_form(oid::MONEY, element), TextForm::Unknown);
        assert_eq!(text_form(20002, element), TextForm::Unknown);
    }
}

//! Serialised transition states of aggregates that collect their values: array_agg and string_agg of PostgreSQL 16
//! and later.
//!
//! Values are taken as they come. Those of an array are read by their type's receive function when PostgreSQL takes
//! the state in, which takes characters to be in the client's encoding; strings are verified here, because nobody
//! does it afterwards.
#![forbid(unsafe_code)]

use super::aggregate_state::{Bytes, Defect};

/// MaxAllocSize of utils/memutils.h, and a varlena's header less.
const LARGEST: usize = 0x3fff_ffff - 4;

/// The type of an array's elements, as pg_type of this server describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// The array type.
    pub array_type: u32,
    /// The type itself.
    pub of_type: u32,
    /// `typlen`.
    pub length: i16,
    /// `typbyval`.
    pub by_value: bool,
    /// `typalign`.
    pub alignment: u8,
}

impl Element {
    /// Whether values of the type are collected by the shards: built-in ones whose binary form says everything by itself,
    /// is the same in all versions and goes through the type's send and receive functions unchanged.
    pub fn is_collected(self) -> bool {
        self.holds_characters()
            || matches!(
                self.of_type,
                // bool, bytea, int8, int2, int4, oid, tid, float4, float8, date, time, timestamp, timestamptz, interval, timetz.
                16 | 17 | 20 | 21 | 23 | 26 | 27 | 700 | 701 | 1082 | 1083 | 1114 | 1184 | 1186 | 1266
                // numeric, uuid, pg_lsn, xid8, bit, varbit, macaddr, macaddr8, inet, cidr.
                | 1700 | 2950 | 3220 | 5069 | 1560 | 1562 | 829 | 774 | 869 | 650
                // Geometry, ranges and multiranges.
                | 600..=604 | 628 | 718
                | 3904 | 3906 | 3908 | 3910 | 3912 | 3926 | 4451 | 4532..=4536
            )
    }

    /// Whether values hold characters: name, text, json, bpchar, varchar, tsvector, jsonb.
    pub fn holds_characters(self) -> bool {
        matches!(self.of_type, 19 | 25 | 114 | 1042 | 1043 | 3614 | 3802)
    }

    /// As array_agg_serialize writes the state of `count` values.
    pub(super) fn write(
        self,
        count: i32,
        elements: &mut Bytes<'_>,
        datum: fn(u32, &[u8]) -> Option<i64>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Defect> {
        // Each element has a length in front, so this is all that a true count can be.
        let count = usize::try_from(count).map_err(|_| Defect::Malformed)?;
        if count == 0 || count > elements.rest.len() / 4 {
            return Err(Defect::Malformed);
        }
        let values = if self.by_value { count * 8 } else { elements.rest.len() };
        reserve(16 + count + values, out)?;
        out.extend_from_slice(&self.of_type.to_be_bytes());
        out.extend_from_slice(&(count as i64).to_be_bytes());
        out.extend_from_slice(&self.length.to_be_bytes());
        out.push(u8::from(self.by_value));
        out.push(self.alignment);
        let nulls = out.len();
        out.resize(nulls + count, 0);
        for null in nulls..nulls + count {
            let value = elements.element()?;
            out[null] = u8::from(value.is_none());
            if self.by_value {
                let value = value.map_or(Some(0), |value| datum(self.of_type, value));
                out.extend_from_slice(&value.ok_or(Defect::Malformed)?.to_ne_bytes());
            } else if let Some(value) = value {
                // It was an int4 before.
                out.extend_from_slice(&(value.len() as u32).to_be_bytes());
                out.extend_from_slice(value);
            }
        }
        Ok(true)
    }
}

/// As string_agg_serialize writes it: the length of the first delimiter, which comes before the first value, and all
/// characters.
pub(super) fn string(
    elements: &mut Bytes<'_>,
    is_text: bool,
    out: &mut Vec<u8>,
) -> Result<bool, Defect> {
    let delimiter = elements.element()?.unwrap_or_default();
    let Some(string) = elements.element()? else { return Ok(false) };
    let characters = |part: &[u8]| std::str::from_utf8(part).is_ok() && !part.contains(&0);
    if is_text && !(characters(delimiter) && characters(string)) {
        return Err(Defect::Malformed);
    }
    reserve(4 + delimiter.len() + string.len(), out)?;
    out.extend_from_slice(&(delimiter.len() as u32).to_be_bytes());
    out.extend_from_slice(delimiter);
    out.extend_from_slice(string);
    Ok(true)
}

fn reserve(size: usize, out: &mut Vec<u8>) -> Result<(), Defect> {
    if size > LARGEST {
        return Err(Defect::Size);
    }
    out.try_reserve(size).map_err(|_| Defect::Size)
}

#[cfg(test)]
mod tests {
    use super::super::aggregate_state::Layout;
    use super::*;

    const INTEGERS: Layout = Layout::Collected(Element {
        array_type: 1007,
        of_type: 23,
        length: 4,
        by_value: true,
        alignment: b'i',
    });
    const TEXTS: Layout = Layout::Collected(Element {
        array_type: 1009,
        of_type: 25,
        length: -1,
        by_value: false,
        alignment: b'i',
    });

    fn int4(_: u32, bytes: &[u8]) -> Option<i64> {
        Some(i32::from_be_bytes(bytes.try_into().ok()?).into())
    }

    fn array(elements: &[Option<&[u8]>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [1, 1, 25, elements.len() as i32, 1] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        for element in elements {
            bytes.extend_from_slice(&element.map_or(-1, |e| e.len() as i32).to_be_bytes());
            bytes.extend_from_slice(element.unwrap_or_default());
        }
        bytes
    }

    #[test]
    fn by_value() {
        let mut out = Vec::new();
        let source = array(&[Some(&[255, 255, 255, 254]), None]);
        assert_eq!(INTEGERS.write(&source, int4, &mut out), Ok(true));
        assert_eq!(out[..18], [0, 0, 0, 23, 0, 0, 0, 0, 0, 0, 0, 2, 0, 4, 1, b'i', 0, 1]);
        assert_eq!(out[18..], [(-2i64).to_ne_bytes(), [0; 8]].concat());
        let short = array(&[Some(&[1])]);
        assert_eq!(INTEGERS.write(&short, int4, &mut out), Err(Defect::Malformed));
    }

    #[test]
    fn by_reference() {
        let mut out = Vec::new();
        let source = array(&[None, Some(b"ab"), Some(b"")]);
        assert_eq!(TEXTS.write(&source, int4, &mut out), Ok(true));
        assert_eq!(out[12..], *b"\xff\xff\0i\x01\0\0\0\0\0\x02ab\0\0\0\0");
    }

    #[test]
    fn strings() {
        let mut out = Vec::new();
        let source = array(&[Some(b", "), Some(b"a, b")]);
        assert_eq!(Layout::Text.write(&source, int4, &mut out), Ok(true));
        assert_eq!(out, *b"\0\0\0\x02, a, b");
        let source = array(&[None, Some(b"")]);
        assert_eq!(Layout::Bytes.write(&source, int4, &mut out), Ok(true));
        assert_eq!(out, [0; 4]);
        let source = array(&[Some(b","), None]);
        assert_eq!(Layout::Text.write(&source, int4, &mut out), Ok(false));
        for wrong in [b"\xff".as_slice(), b"a\0"] {
            let source = array(&[Some(b","), Some(wrong)]);
            assert_eq!(Layout::Text.write(&source, int4, &mut out), Err(Defect::Malformed));
            assert_eq!(Layout::Bytes.write(&source, int4, &mut out), Ok(true));
        }
    }

    #[test]
    fn nothing_is_trusted() {
        let mut out = Vec::new();
        let whole = array(&[Some(b"abcd"), None, Some(b"efgh")]);
        let string = array(&[Some(b","), Some(b"a,b")]);
        for (layout, whole) in [(INTEGERS, &whole), (TEXTS, &whole), (Layout::Text, &string)] {
            for length in 0..whole.len() {
                let part = layout.write(&whole[..length], int4, &mut out);
                assert_eq!(part, Err(Defect::Malformed), "{length}");
            }
        }
        assert_eq!(Layout::Text.write(&whole, int4, &mut out), Err(Defect::Malformed));
        for count in [0i32, -1, 2, 4, i32::MAX] {
            let mut wrong = whole.clone();
            wrong[12..16].copy_from_slice(&count.to_be_bytes());
            assert_eq!(TEXTS.write(&wrong, int4, &mut out), Err(Defect::Malformed), "{count}");
        }
    }
}

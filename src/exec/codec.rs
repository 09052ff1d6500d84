//! The wire forms of the types that are handled without calling PostgreSQL, as pure functions over bytes.
//!
//! Nothing is trusted: a length or a range that is not right gives `None`, and the caller lets the type's own
//! receive function say what is wrong with it.
#![forbid(unsafe_code)]

use super::kinds::Native;

/// The fields of one DataRow message body.
pub struct Fields<'a> {
    rest: &'a [u8],
    /// How many fields the row says it has.
    pub count: usize,
}

/// A message body that does not hold what it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

impl<'a> Fields<'a> {
    /// The fields of `row`.
    pub fn new(row: &'a [u8]) -> Result<Fields<'a>, Malformed> {
        let (count, rest) = row.split_first_chunk::<2>().ok_or(Malformed)?;
        Ok(Fields { rest, count: usize::from(u16::from_be_bytes(*count)) })
    }

    /// The next field, `None` for NULL. Not to be called more than `count` times.
    #[inline]
    pub fn field(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let (length, rest) = self.rest.split_first_chunk::<4>().ok_or(Malformed)?;
        let length = i32::from_be_bytes(*length);
        if length < 0 {
            self.rest = rest;
            return if length == -1 { Ok(None) } else { Err(Malformed) };
        }
        let (value, rest) = rest.split_at_checked(length as usize).ok_or(Malformed)?;
        self.rest = rest;
        Ok(Some(value))
    }

    /// Whether nothing is left behind the last field.
    pub fn at_end(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Dates that have a text form: from the Julian day 0 up to the last one an int4 timestamp arithmetic allows,
/// as days since 2000-01-01 (utils/datetime.h: DATETIME_MIN_JULIAN, DATE_END_JULIAN, POSTGRES_EPOCH_JDATE).
const DATES: std::ops::Range<i32> = -2_451_545..2_145_031_949;
/// MIN_TIMESTAMP, END_TIMESTAMP of datatype/timestamp.h.
const TIMESTAMPS: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;
/// USECS_PER_DAY; 24:00:00 is a time.
const DAY: i64 = 86_400_000_000;

/// A pass-by-value Datum of the binary form `bytes`, as PostgreSQL's macros would make it (signed types are
/// sign-extended); `None` when they are no valid value or the type is passed by reference.
#[inline]
pub fn by_value(native: Native, bytes: &[u8]) -> Option<i64> {
    match native {
        Native::Bool => one(bytes).map(|b| i64::from(b != 0)),
        Native::Char => one(bytes).map(|b| i64::from(b as i8)),
        Native::Int2 => int2(bytes).map(i64::from),
        Native::Int4 | Native::Float4 => int4(bytes).map(i64::from),
        Native::Word => int4(bytes).map(|v| i64::from(v as u32)),
        Native::Int8 | Native::Float8 => int8(bytes),
        Native::Date => int4(bytes)
            .filter(|d| DATES.contains(d) || matches!(*d, i32::MIN | i32::MAX))
            .map(i64::from),
        Native::Time => int8(bytes).filter(|t| (0..=DAY).contains(t)),
        Native::Timestamp => {
            int8(bytes).filter(|t| TIMESTAMPS.contains(t) || matches!(*t, i64::MIN | i64::MAX))
        }
        Native::Interval
        | Native::Numeric
        | Native::Uuid
        | Native::Bytea
        | Native::Tid
        | Native::Name
        | Native::Text => None,
    }
}

/// Appends the binary form of a pass-by-value Datum; false when the type is passed by reference.
pub fn put_by_value(native: Native, datum: i64, out: &mut Vec<u8>) -> bool {
    match native {
        Native::Bool => out.push(u8::from(datum as u8 != 0)),
        Native::Char => out.push(datum as u8),
        Native::Int2 => out.extend_from_slice(&(datum as i16).to_be_bytes()),
        Native::Int4 | Native::Float4 | Native::Word | Native::Date => {
            out.extend_from_slice(&(datum as i32).to_be_bytes());
        }
        Native::Int8 | Native::Float8 | Native::Time | Native::Timestamp => {
            out.extend_from_slice(&datum.to_be_bytes());
        }
        Native::Interval
        | Native::Numeric
        | Native::Uuid
        | Native::Bytea
        | Native::Tid
        | Native::Name
        | Native::Text => return false,
    }
    true
}

/// Appends the text form of a pass-by-value Datum where it is trivial; false for another type.
pub fn put_text(native: Native, datum: i64, out: &mut Vec<u8>) -> bool {
    use std::io::Write;
    let written = match native {
        Native::Bool => out.write_all(if datum as u8 != 0 { b"t" } else { b"f" }),
        Native::Int2 => write!(out, "{}", datum as i16),
        Native::Int4 => write!(out, "{}", datum as i32),
        _ => return false,
    };
    written.is_ok()
}

/// An integer of 2, 4 or 8 bytes.
pub fn integer(bytes: &[u8]) -> Option<i64> {
    match bytes.len() {
        2 => int2(bytes).map(i64::from),
        4 => int4(bytes).map(i64::from),
        _ => int8(bytes),
    }
}

/// An integer in text, as servers write it; `None` for anything else.
pub fn decimal(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, bytes),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value = 0;
    for digit in digits {
        value = value * 10 + i64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
    }
    Some(if negative { -value } else { value })
}

/// Whether an integer fits a local integer type.
pub fn fits(native: Native, value: i64) -> bool {
    match native {
        Native::Int2 => i16::try_from(value).is_ok(),
        Native::Int4 => i32::try_from(value).is_ok(),
        Native::Int8 => true,
        _ => false,
    }
}

/// Microseconds, days and months of an interval.
pub fn interval(bytes: &[u8]) -> Option<(i64, i32, i32)> {
    let (time, rest) = bytes.split_first_chunk::<8>()?;
    let (day, month) = rest.split_first_chunk::<4>()?;
    Some((i64::from_be_bytes(*time), i32::from_be_bytes(*day), int4(month)?))
}

/// Block and line number of a tuple identifier.
pub fn tid(bytes: &[u8]) -> Option<(u32, u16)> {
    let (block, line) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*block), int2(line)? as u16))
}

/// The header of a stored numeric of the short form (NumericShort of utils/adt/numeric.c) and its digits to the
/// base 10000, big-endian, for the wire form of a numeric. `None` for what the short form cannot hold, for
/// NaN and the infinities, and for what is not normalised: leading or trailing zero digits, digits behind the
/// display scale.
pub fn short_numeric(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (head, digits) = bytes.split_first_chunk::<8>()?;
    let word = |i: usize| u16::from_be_bytes([head[i], head[i + 1]]);
    let (count, weight, sign, scale) = (word(0), word(2) as i16, word(4), word(6));
    let negative = match sign {
        0 => false,
        0x4000 => true,
        _ => return None,
    };
    if scale > 63 || !(-64..=63).contains(&weight) || digits.len() != usize::from(count) * 2 {
        return None;
    }
    if count == 0 {
        return (weight == 0 && !negative).then_some((0x8000 | scale << 7, digits));
    }
    let digit = |i: usize| u16::from_be_bytes([digits[2 * i], digits[2 * i + 1]]);
    let last = usize::from(count) - 1;
    if (0..=last).any(|i| digit(i) > 9999) || digit(0) == 0 || digit(last) == 0 {
        return None;
    }
    // Decimal places that the digits reach beyond the display scale: zeros of the last digit only.
    let beyond = (last as i32 - i32::from(weight)) * 4 - i32::from(scale);
    let in_scale = match beyond {
        1 => digit(last) % 10 == 0,
        2 => digit(last) % 100 == 0,
        3 => digit(last) % 1000 == 0,
        _ => beyond <= 0,
    };
    let sign_bit = if negative { 0x2000 } else { 0 };
    // Seven bits, two's complement.
    let weight_bits = (weight as u16) & 0x7f;
    in_scale.then_some((0x8000 | sign_bit | scale << 7 | weight_bits, digits))
}

fn one(bytes: &[u8]) -> Option<u8> {
    match bytes {
        [byte] => Some(*byte),
        _ => None,
    }
}

fn int2(bytes: &[u8]) -> Option<i16> {
    Some(i16::from_be_bytes(bytes.try_into().ok()?))
}

fn int4(bytes: &[u8]) -> Option<i32> {
    Some(i32::from_be_bytes(bytes.try_into().ok()?))
}

fn int8(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_row() {
        let row = b"\x00\x03\x00\x00\x00\x02ab\xff\xff\xff\xff\x00\x00\x00\x00";
        let mut fields = Fields::new(row).unwrap();
        assert_eq!(fields.count, 3);
        assert_eq!(fields.field(), Ok(Some(&b"ab"[..])));
        assert_eq!(fields.field(), Ok(None));
        assert_eq!(fields.field(), Ok(Some(&b""[..])));
        assert!(fields.at_end());
        assert_eq!(fields.field(), Err(Malformed));
    }

    #[test]
    fn lying_rows() {
        assert!(Fields::new(b"\x00").is_err());
        for row in [
            &b"\x00\x01"[..],
            b"\x00\x01\x00\x00\x00",
            b"\x00\x01\x00\x00\x00\x05abcd",
            b"\x00\x01\x7f\xff\xff\xffx",
            b"\x00\x01\xff\xff\xff\xfe",
            b"\x00\x01\x80\x00\x00\x00",
        ] {
            assert_eq!(Fields::new(row).unwrap().field(), Err(Malformed), "{row:?}");
        }
    }

    #[test]
    fn values_by_value() {
        assert_eq!(by_value(Native::Bool, &[2]), Some(1));
        assert_eq!(by_value(Native::Char, &[0x80]), Some(-128));
        assert_eq!(by_value(Native::Int2, &[0xff, 0xfe]), Some(-2));
        assert_eq!(by_value(Native::Int4, &[0xff, 0xff, 0xff, 0xff]), Some(-1));
        assert_eq!(by_value(Native::Word, &[0xff, 0xff, 0xff, 0xff]), Some(0xffff_ffff));
        assert_eq!(by_value(Native::Int8, &i64::MIN.to_be_bytes()), Some(i64::MIN));
        let negative_zero = (-0.0f32).to_be_bytes();
        assert_eq!(by_value(Native::Float4, &negative_zero), Some(i64::from(i32::MIN)));
        for native in [Native::Bool, Native::Int2, Native::Int4, Native::Int8, Native::Date] {
            assert_eq!(by_value(native, &[]), None);
            assert_eq!(by_value(native, &[0; 3]), None);
            assert_eq!(by_value(native, &[0; 9]), None);
        }
    }

    #[test]
    fn ranges_of_time() {
        let date = |d: i32| by_value(Native::Date, &d.to_be_bytes());
        assert!(date(i32::MIN).is_some() && date(i32::MAX).is_some());
        assert!(date(-2_451_545).is_some() && date(-2_451_546).is_none());
        assert!(date(2_145_031_948).is_some() && date(2_145_031_949).is_none());
        let time = |t: i64| by_value(Native::Time, &t.to_be_bytes());
        assert!(time(0).is_some() && time(DAY).is_some());
        assert!(time(-1).is_none() && time(DAY + 1).is_none());
        let stamp = |t: i64| by_value(Native::Timestamp, &t.to_be_bytes());
        assert!(stamp(i64::MIN).is_some() && stamp(i64::MAX).is_some());
        assert!(stamp(TIMESTAMPS.start).is_some() && stamp(TIMESTAMPS.start - 1).is_none());
        assert!(stamp(TIMESTAMPS.end).is_none());
    }

    #[test]
    fn decimals() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(decimal(b"-42"), Some(-42));
        assert_eq!(decimal(b"999999999999999999"), Some(999_999_999_999_999_999));
        for other in [&b""[..], b"-", b"+1", b" 1", b"1 ", b"1.0", b"9223372036854775807", b"1e3"] {
            assert_eq!(decimal(other), None);
        }
    }

    #[test]
    fn there_and_back() {
        let values = [
            (Native::Bool, 1),
            (Native::Char, -128),
            (Native::Int2, -32768),
            (Native::Int4, -2),
            (Native::Word, 0xffff_fffe),
            (Native::Int8, i64::MIN),
            (Native::Date, -2_451_545),
            (Native::Time, DAY),
            (Native::Timestamp, i64::MAX),
        ];
        for (native, value) in values {
            let mut wire = Vec::new();
            assert!(put_by_value(native, value, &mut wire));
            assert_eq!(by_value(native, &wire), Some(value), "{native:?}");
        }
        let mut text = Vec::new();
        assert!(put_text(Native::Int2, i64::from(i16::MIN), &mut text));
        assert_eq!(text, b"-32768");
    }

    #[test]
    fn numerics() {
        let wire = |words: &[i32]| -> Vec<u8> {
            words.iter().flat_map(|w| (*w as u16).to_be_bytes()).collect()
        };
        let header = |words: &[i32]| short_numeric(&wire(words)).map(|(header, _)| header);
        // 12.5, -12.50, 0, 0.00, 0.0001, 10000: headers as in a table's pages.
        assert_eq!(header(&[2, 0, 0, 1, 12, 5000]), Some(0x8080));
        assert_eq!(header(&[2, 0, 0x4000, 2, 12, 5000]), Some(0xa100));
        assert_eq!(header(&[0, 0, 0, 0]), Some(0x8000));
        assert_eq!(header(&[0, 0, 0, 2]), Some(0x8100));
        assert_eq!(header(&[1, -1, 0, 4, 1]), Some(0x827f));
        assert_eq!(header(&[1, 1, 0, 0, 1]), Some(0x8001));
        // NaN, infinity, out of the short form, not normalised, digits behind the scale, wrong lengths.
        for words in [
            &[0, 0, 0xc000, 0][..],
            &[0, 0, 0xd000, 0],
            &[1, 64, 0, 0, 1],
            &[1, -65, 0, 63, 1],
            &[1, 0, 0, 64, 1],
            &[2, 0, 0, 4, 0, 1],
            &[2, 0, 0, 4, 1, 0],
            &[1, 0, 0, 0, 10000],
            &[1, 0, 0, 0, -1],
            &[2, 0, 0, 0, 12, 5000],
            &[2, 0, 0, 1, 12, 5010],
            &[0, 0, 0x4000, 0],
            &[2, 0, 0, 4, 1],
            &[1, 0, 0, 4, 1, 1],
            &[1, 0, 0],
            &[],
        ] {
            assert_eq!(header(words), None, "{words:?}");
        }
    }

    #[test]
    fn odd_lengths() {
        assert_eq!(interval(&[0; 15]), None);
        assert_eq!(interval(&[0; 17]), None);
        assert_eq!(interval(&[0xff; 16]), Some((-1, -1, -1)));
        assert_eq!(tid(&[0; 5]), None);
        assert_eq!(tid(&[0, 0, 0, 7, 0, 9]), Some((7, 9)));
    }
}

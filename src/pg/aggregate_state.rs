//! Serialised transition states of aggregates whose state is a C structure, written from values that any server can
//! compute in SQL: a count, a sum, a sum of squares. Those that collect values are in aggregate_collected.rs.
//!
//! Which bytes a server's own functions write is not promised from one version to the next, so nobody uses a layout
//! that has not been compared with them: see calibration.rs.
#![forbid(unsafe_code)]

use super::aggregate_collected::{self as collected, Element};

/// `numeric[]` and `interval[]`.
const NUMERIC_ARRAY: u32 = 1231;
const INTERVAL_ARRAY: u32 = 1187;
/// `text[]` and `bytea[]`.
const TEXT_ARRAY: u32 = 1009;
const BYTEA_ARRAY: u32 = 1001;

/// How a state is laid out, and from what it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// int8_avg_serialize, from `{count, sum}`.
    IntegerSum,
    /// numeric_poly_serialize, from `{count, sum, sum of squares}`.
    IntegerSquares,
    /// numeric_avg_serialize, from `{count, sum}`.
    NumericSum,
    /// numeric_serialize, from `{count, sum, sum of squares}`.
    NumericSquares,
    /// interval_avg_serialize (PostgreSQL 17), from `{sum, count in microseconds}`.
    Interval,
    /// array_agg_serialize (PostgreSQL 16), from the array of the values.
    Collected(Element),
    /// string_agg_serialize (PostgreSQL 16) of text, from `{delimiter, string}`.
    Text,
    /// The same of bytea.
    Bytes,
}

/// Why no state can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The bytes are not an array of that form.
    Malformed,
    /// The squares have more decimal places than a numeric can hold.
    Precision,
    /// The state is larger than a value can be.
    Size,
}

impl Layout {
    /// The array type that the values come in.
    pub fn array_type(self) -> u32 {
        match self {
            Layout::Interval => INTERVAL_ARRAY,
            Layout::Collected(element) => element.array_type,
            Layout::Text => TEXT_ARRAY,
            Layout::Bytes => BYTEA_ARRAY,
            _ => NUMERIC_ARRAY,
        }
    }

    /// Writes the state for the binary form of such an array; false for the state of no values at all, which is NULL.
    /// `datum` gives the Datum of the binary form of a value of a type that is passed by value.
    pub fn write(
        self,
        array: &[u8],
        datum: fn(u32, &[u8]) -> Option<i64>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Defect> {
        out.clear();
        let length = Bytes { rest: array.get(12..).unwrap_or_default() }.int4();
        let mut elements = elements(array)?;
        let written = match self {
            Layout::Interval => interval(&mut elements, out)?,
            Layout::Collected(element) => element.write(length?, &mut elements, datum, out)?,
            Layout::Text => collected::string(&mut elements, true, out)?,
            Layout::Bytes => collected::string(&mut elements, false, out)?,
            _ => self.numeric(&mut elements, out)?,
        };
        if elements.rest.is_empty() { Ok(written) } else { Err(Defect::Malformed) }
    }

    fn numeric(self, elements: &mut Bytes<'_>, out: &mut Vec<u8>) -> Result<bool, Defect> {
        let count = Numeric::parse(elements.element()?.ok_or(Defect::Malformed)?)?.integer()?;
        let sum = elements.element()?.map(Numeric::parse).transpose()?;
        let squared = matches!(self, Layout::IntegerSquares | Layout::NumericSquares);
        let squares =
            if squared { elements.element()?.map(Numeric::parse).transpose()? } else { None };
        let Some(mut sum) = sum.filter(|_| count > 0) else { return Ok(false) };
        let squares = if squared { Some(squares.ok_or(Defect::Malformed)?) } else { None };
        if matches!(self, Layout::IntegerSum | Layout::IntegerSquares) {
            if sum.is_special() || squares.is_some_and(|squares| squares.is_special()) {
                return Err(Defect::Malformed);
            }
            out.extend_from_slice(&count.to_be_bytes());
            sum.put(out);
            if let Some(squares) = squares {
                squares.put(out);
            }
            return Ok(true);
        }
        // Values that are no finite numbers are counted apart. The sum tells all that matters of them: it is NaN
        // if there was a NaN or both infinities, and then nothing that may follow changes the result.
        let specials = [NAN, PLUS_INFINITY, MINUS_INFINITY].map(|kind| sum.sign == kind);
        let finite = !sum.is_special();
        if !finite {
            sum = ZERO;
        }
        out.extend_from_slice(&(if finite { count } else { 0 }).to_be_bytes());
        sum.put(out);
        if let Some(squares) = squares {
            let squares = if finite { squares } else { ZERO };
            if squares.is_special() {
                return Err(Defect::Malformed);
            }
            if i32::from(squares.scale) != 2 * i32::from(sum.scale) {
                return Err(Defect::Precision);
            }
            squares.put(out);
        }
        // The largest scale, and how many values have it: only moving aggregates ever look at the latter.
        let of_largest = if sum.scale == 0 { count } else { 1 };
        out.extend_from_slice(&i32::from(sum.scale).to_be_bytes());
        out.extend_from_slice(&(if finite { of_largest } else { 0 }).to_be_bytes());
        for special in specials {
            out.extend_from_slice(&(if special { count } else { 0 }).to_be_bytes());
        }
        Ok(true)
    }
}

fn interval(elements: &mut Bytes<'_>, out: &mut Vec<u8>) -> Result<bool, Defect> {
    let mut sum: [u8; 16] =
        elements.element()?.ok_or(Defect::Malformed)?.try_into().map_err(|_| Defect::Malformed)?;
    let count = Bytes { rest: elements.element()?.ok_or(Defect::Malformed)? }.int8()?;
    if count == 0 {
        return Ok(false);
    }
    let plus = sum == infinite_interval(i64::MAX, i32::MAX);
    let minus = sum == infinite_interval(i64::MIN, i32::MIN);
    if plus || minus {
        sum = [0; 16];
    }
    let when = |condition: bool| (if condition { count } else { 0 }).to_be_bytes();
    out.extend_from_slice(&when(!plus && !minus));
    out.extend_from_slice(&sum);
    out.extend_from_slice(&when(plus));
    out.extend_from_slice(&when(minus));
    Ok(true)
}

fn infinite_interval(time: i64, part: i32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&time.to_be_bytes());
    bytes[8..12].copy_from_slice(&part.to_be_bytes());
    bytes[12..].copy_from_slice(&part.to_be_bytes());
    bytes
}

/// NUMERIC_NAN and its kin of utils/adt/numeric.c, as numeric_send sends them.
const NAN: u16 = 0xc000;
const PLUS_INFINITY: u16 = 0xd000;
const MINUS_INFINITY: u16 = 0xf000;
const NEGATIVE: u16 = 0x4000;

const ZERO: Numeric<'static> = Numeric { weight: 0, sign: 0, scale: 0, digits: &[] };

/// A numeric as numeric_send sends it.
#[derive(Clone, Copy)]
struct Numeric<'a> {
    weight: i16,
    sign: u16,
    scale: u16,
    /// To the base 10000, two bytes each.
    digits: &'a [u8],
}

impl<'a> Numeric<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Numeric<'a>, Defect> {
        let (head, digits) = bytes.split_first_chunk::<8>().ok_or(Defect::Malformed)?;
        let word = |i: usize| u16::from_be_bytes([head[i], head[i + 1]]);
        let (count, weight, sign, scale) = (word(0), word(2) as i16, word(4), word(6));
        let known = matches!(sign, 0 | NEGATIVE | NAN | PLUS_INFINITY | MINUS_INFINITY);
        let sound = digits.chunks_exact(2).all(|d| u16::from_be_bytes([d[0], d[1]]) < 10_000);
        if !known || !sound || scale > 0x3fff || digits.len() != usize::from(count) * 2 {
            return Err(Defect::Malformed);
        }
        Ok(Numeric { weight, sign, scale, digits })
    }

    fn is_special(&self) -> bool {
        self.sign & NAN == NAN
    }

    /// The value, when it is an integer that is not negative.
    fn integer(&self) -> Result<i64, Defect> {
        let digits = self.digits.chunks_exact(2).map(|d| u16::from_be_bytes([d[0], d[1]]));
        let places = i32::from(self.weight) + 1;
        if self.sign != 0 || !(0..=5).contains(&places) || digits.len() as i32 > places {
            return Err(Defect::Malformed);
        }
        let all = digits.chain(std::iter::repeat(0)).take(places as usize);
        all.into_iter()
            .try_fold(0i64, |value, digit| value.checked_mul(10_000)?.checked_add(digit.into()))
            .ok_or(Defect::Malformed)
    }

    /// As numericvar_serialize writes it.
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&((self.digits.len() / 2) as i32).to_be_bytes());
        out.extend_from_slice(&i32::from(self.weight).to_be_bytes());
        out.extend_from_slice(&i32::from(self.sign).to_be_bytes());
        out.extend_from_slice(&i32::from(self.scale).to_be_bytes());
        out.extend_from_slice(self.digits);
    }
}

pub(super) struct Bytes<'a> {
    pub(super) rest: &'a [u8],
}

/// The elements of an array with one dimension, behind its header.
fn elements(array: &[u8]) -> Result<Bytes<'_>, Defect> {
    let mut bytes = Bytes { rest: array };
    let dimensions = bytes.int4()?;
    // Flags and element type; length and lower bound.
    for _ in 0..4 {
        bytes.int4()?;
    }
    if dimensions == 1 { Ok(bytes) } else { Err(Defect::Malformed) }
}

impl<'a> Bytes<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Defect> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Defect::Malformed)?;
        self.rest = rest;
        Ok(*head)
    }

    fn int4(&mut self) -> Result<i32, Defect> {
        Ok(i32::from_be_bytes(self.take()?))
    }

    fn int8(&mut self) -> Result<i64, Defect> {
        Ok(i64::from_be_bytes(self.take()?))
    }

    /// The next element, `None` for NULL.
    pub(super) fn element(&mut self) -> Result<Option<&'a [u8]>, Defect> {
        let length = self.int4()?;
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| Defect::Malformed)?;
        let (value, rest) = self.rest.split_at_checked(length).ok_or(Defect::Malformed)?;
        self.rest = rest;
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: u32, _: &[u8]) -> Option<i64> {
        None
    }

    fn array(elements: &[Option<&[u16]>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [1, 0, 1700, elements.len() as i32, 1] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        for element in elements {
            let words = element.unwrap_or_default();
            let length = if element.is_some() { words.len() as i32 * 2 } else { -1 };
            bytes.extend_from_slice(&length.to_be_bytes());
            words.iter().for_each(|word| bytes.extend_from_slice(&word.to_be_bytes()));
        }
        bytes
    }

    const THREE: &[u16] = &[1, 0, 0, 0, 3];
    const THIRTY_THOUSAND: &[u16] = &[1, 1, 0, 0, 3];

    #[test]
    fn sums() {
        let mut out = Vec::new();
        let source = array(&[Some(THIRTY_THOUSAND), Some(&[1, 0, NEGATIVE, 2, 5])]);
        assert_eq!(Layout::IntegerSum.write(&source, none, &mut out), Ok(true));
        assert_eq!(out[..8], 30_000i64.to_be_bytes());
        assert_eq!(out.len(), 8 + 16 + 2);
        assert_eq!(Layout::NumericSum.write(&source, none, &mut out), Ok(true));
        assert_eq!(out.len(), 8 + 16 + 2 + 4 + 4 * 8);
    }

    #[test]
    fn no_values() {
        let mut out = Vec::new();
        let source = array(&[Some(&[0, 0, 0, 0]), None]);
        assert_eq!(Layout::NumericSum.write(&source, none, &mut out), Ok(false));
        let source = array(&[Some(&[0, 0, 0, 0]), None, None]);
        assert_eq!(Layout::IntegerSquares.write(&source, none, &mut out), Ok(false));
    }

    #[test]
    fn specials_are_counted_apart() {
        let mut out = Vec::new();
        let infinity: &[u16] = &[0, 0, PLUS_INFINITY, 0];
        let source = array(&[Some(THREE), Some(infinity), Some(infinity)]);
        assert_eq!(Layout::NumericSquares.write(&source, none, &mut out), Ok(true));
        assert_eq!(out[..8], [0; 8]);
        assert_eq!(out[out.len() - 16..out.len() - 8], 3i64.to_be_bytes());
        assert_eq!(Layout::IntegerSquares.write(&source, none, &mut out), Err(Defect::Malformed));
    }

    #[test]
    fn squares_must_be_exact() {
        let mut out = Vec::new();
        let value: &[u16] = &[1, 0, 0, 2, 3];
        let square: &[u16] = &[1, 0, 0, 3, 9];
        let source = array(&[Some(THREE), Some(value), Some(square)]);
        assert_eq!(Layout::NumericSquares.write(&source, none, &mut out), Err(Defect::Precision));
    }

    #[test]
    fn nothing_is_trusted() {
        let mut out = Vec::new();
        let whole = array(&[Some(THREE), Some(THREE), Some(THREE)]);
        for length in 0..whole.len() {
            let part = Layout::NumericSquares.write(&whole[..length], none, &mut out);
            assert_eq!(part, Err(Defect::Malformed), "{length}");
        }
        assert_eq!(Layout::NumericSum.write(&whole, none, &mut out), Err(Defect::Malformed));
        let negative = array(&[Some(&[1, 0, NEGATIVE, 0, 3]), Some(THREE)]);
        assert_eq!(Layout::NumericSum.write(&negative, none, &mut out), Err(Defect::Malformed));
    }
}

//! Which integers equal a constant of another number type, provably.
//!
//! `id = 5.0` is `id::numeric = 5.0`: the cast of an integer to numeric is exact and one-to-one, so the only integer
//! that can match is the constant's own value, and there is none when it has a fraction. With double
//! precision the same holds as long as the constant lies within ±2^53: beyond, several bigints are rounded to one.
#![forbid(unsafe_code)]

/// The integers that equal a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Equal {
    /// Only this one.
    One(i64),
    /// None at all.
    None,
    /// Not known.
    Unknown,
}

/// For a numeric constant as `numeric_out` prints it.
pub fn to_numeric(text: &str) -> Equal {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        // NaN and the infinities equal no integer; anything else is no numeric.
        return if matches!(text, "NaN" | "Infinity" | "-Infinity") {
            Equal::None
        } else {
            Equal::Unknown
        };
    }
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Equal::Unknown;
    }
    if fraction.bytes().any(|b| b != b'0') {
        return Equal::None;
    }
    whole.parse().map_or(Equal::None, Equal::One)
}

/// For a float constant compared as double precision.
pub fn to_float(value: f64) -> Equal {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.is_nan() || value.is_infinite() {
        return Equal::None;
    }
    if value.abs() >= EXACT {
        return Equal::Unknown;
    }
    if value.fract() != 0.0 {
        return Equal::None;
    }
    // Exact: integral and below 2^53.
    Equal::One(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric() {
        assert_eq!(to_numeric("5.0"), Equal::One(5));
        assert_eq!(to_numeric("-5"), Equal::One(-5));
        assert_eq!(to_numeric("0.000"), Equal::One(0));
        assert_eq!(to_numeric("5.5"), Equal::None);
        assert_eq!(to_numeric("-9223372036854775808"), Equal::One(i64::MIN));
        assert_eq!(to_numeric("9223372036854775808"), Equal::None);
        assert_eq!(to_numeric("NaN"), Equal::None);
        assert_eq!(to_numeric("-Infinity"), Equal::None);
        assert_eq!(to_numeric("1e5"), Equal::Unknown);
        assert_eq!(to_numeric(""), Equal::Unknown);
    }

    #[test]
    fn float() {
        assert_eq!(to_float(5.0), Equal::One(5));
        assert_eq!(to_float(-0.0), Equal::One(0));
        assert_eq!(to_float(0.5), Equal::None);
        assert_eq!(to_float(f64::NAN), Equal::None);
        assert_eq!(to_float(9_007_199_254_740_991.0), Equal::One(9_007_199_254_740_991));
        assert_eq!(to_float(9_007_199_254_740_992.0), Equal::Unknown);
    }
}

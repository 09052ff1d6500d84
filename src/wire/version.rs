//! `server_version` as a number.
#![forbid(unsafe_code)]

/// "15.8 (Debian ...)" → 150008, "9.6.24" → 90624, "18beta1" → 180000; 0 if it is no version.
pub(super) fn number(text: &str) -> i32 {
    let mut parts = text.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<i32>());
    let Some(Ok(major)) = parts.next() else { return 0 };
    let dotted = text.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with('.');
    let minor = if dotted { parts.next().and_then(Result::ok).unwrap_or(0) } else { 0 };
    if major > 20_000 || minor > 9_999 {
        0
    } else if major >= 10 {
        major * 10_000 + minor
    } else {
        let patch = parts.next().and_then(Result::ok).unwrap_or(0).min(99);
        major * 10_000 + minor.min(99) * 100 + patch
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn versions() {
        assert_eq!(number("15.18 (Debian 15.18-0+deb12u1)"), 150_018);
        assert_eq!(number("9.6.24"), 90_624);
        assert_eq!(number("18beta1"), 180_000);
        assert_eq!(number("17devel"), 170_000);
        assert_eq!(number("99999999999.1"), 0);
        assert_eq!(number(""), 0);
        assert_eq!(number("x"), 0);
    }
}

//! The text format of COPY: what the server reads back as the same values.
#![forbid(unsafe_code)]

/// Between two values of a row.
pub const DELIMITER: u8 = b'\t';
/// Behind a row.
pub const END_OF_ROW: u8 = b'\n';

/// Appends NULL.
pub fn put_null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\N");
}

/// Appends characters, with what means something to COPY escaped.
pub fn put_escaped(text: &[u8], out: &mut Vec<u8>) {
    let mut start = 0;
    for (at, &byte) in text.iter().enumerate() {
        if byte > b'\r' && byte != b'\\' {
            continue;
        }
        let code = match byte {
            b'\\' => b'\\',
            8 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            11 => b'v',
            12 => b'f',
            b'\r' => b'r',
            _ => continue,
        };
        out.extend_from_slice(&text[start..at]);
        out.extend_from_slice(&[b'\\', code]);
        start = at + 1;
    }
    out.extend_from_slice(&text[start..]);
}

/// Appends a number.
pub fn put_integer(value: i64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        start -= 1;
        // A digit.
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends a bytea, whose text form begins with a backslash.
pub fn put_bytea(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\\\x");
    put_hex(bytes, out);
}

/// Appends a uuid.
pub fn put_uuid(bytes: &[u8; 16], out: &mut Vec<u8>) {
    let mut rest = &bytes[..];
    for length in [4, 2, 2, 2, 6] {
        let (part, others) = rest.split_at(length);
        put_hex(part, out);
        if !others.is_empty() {
            out.push(b'-');
        }
        rest = others;
    }
}

fn put_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(put: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        put(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escapes() {
        for (text, expected) in [
            ("", ""),
            ("plain ä€", "plain ä€"),
            ("\\N", "\\\\N"),
            ("\\.", "\\\\."),
            ("a\tb\nc\rd\\", "a\\tb\\nc\\rd\\\\"),
            ("\u{8}\u{b}\u{c}\u{1}\u{1f}", "\\b\\v\\f\u{1}\u{1f}"),
        ] {
            assert_eq!(made(|out| put_escaped(text.as_bytes(), out)), expected);
        }
    }

    #[test]
    fn numbers() {
        for value in [0, 7, -1, 10, 1234567890, i64::MAX, i64::MIN, i64::from(i32::MIN)] {
            assert_eq!(made(|out| put_integer(value, out)), value.to_string());
        }
    }

    #[test]
    fn bytes() {
        assert_eq!(made(|out| put_bytea(&[0, 0x5c, 0xff], out)), "\\\\x005cff");
        let id = [
            0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17,
            0x40, 0,
        ];
        assert_eq!(made(|out| put_uuid(&id, out)), "123e4567-e89b-12d3-a456-426614174000");
    }
}

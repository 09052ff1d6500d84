//! Message bodies of the backend, taken apart. Never trusts a length: what does not fit is `None`, which the
//! engine calls a protocol violation.
#![forbid(unsafe_code)]

use super::request::Column;

/// Reads a message body from front to back.
pub(super) struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Body<'a> {
        Body(bytes)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    /// A NUL-terminated string; bytes that are no UTF-8 become U+FFFD.
    pub(super) fn string(&mut self) -> Option<String> {
        let end = self.0.iter().position(|&b| b == 0)?;
        let text = String::from_utf8_lossy(self.bytes(end)?).into_owned();
        self.bytes(1)?;
        Some(text)
    }

    /// What has not been read yet.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// RowDescription.
pub(super) fn columns(body: &[u8]) -> Option<Vec<Column>> {
    let mut body = Body::new(body);
    let count = usize::from(body.u16()?);
    // Each column takes at least 19 bytes: a lying count cannot make a large allocation.
    let mut columns = Vec::with_capacity(count.min(body.0.len() / 19));
    for _ in 0..count {
        let name = body.string()?;
        body.bytes(6)?; // table OID, column number
        let type_oid = body.u32()?;
        body.bytes(2)?; // type length
        let typmod = body.i32()?;
        body.bytes(2)?; // format
        columns.push(Column { name, type_oid, typmod });
    }
    body.is_empty().then_some(columns)
}

/// ParameterDescription.
pub(super) fn param_types(body: &[u8]) -> Option<Vec<u32>> {
    let mut body = Body::new(body);
    let count = usize::from(body.u16()?);
    let types: Vec<u32> = std::iter::from_fn(|| body.u32()).take(count).collect();
    (types.len() == count && body.is_empty()).then_some(types)
}

/// Whether a DataRow body is well-formed and holds `expected` fields (if that is known).
pub(super) fn is_row(body: &[u8], expected: Option<usize>) -> bool {
    let mut body = Body::new(body);
    let Some(count) = body.u16() else { return false };
    if expected.is_some_and(|expected| expected != usize::from(count)) {
        return false;
    }
    for _ in 0..count {
        match body.i32() {
            Some(-1) => {}
            Some(length) => {
                let Ok(length) = usize::try_from(length) else { return false };
                if body.bytes(length).is_none() {
                    return false;
                }
            }
            None => return false,
        }
    }
    body.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cheap deterministic source of garbage.
    fn garbage(seed: u64) -> impl Iterator<Item = u8> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        std::iter::from_fn(move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            Some((state >> 24) as u8)
        })
    }

    fn description() -> Vec<u8> {
        let mut body = vec![0, 1];
        body.extend_from_slice(b"id\xff\0");
        body.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 23, 0, 4, 255, 255, 255, 255, 0, 1]);
        body
    }

    #[test]
    fn row_description() {
        let columns = columns(&description()).unwrap();
        assert_eq!(columns, [Column { name: "id\u{fffd}".into(), type_oid: 23, typmod: -1 }]);
    }

    #[test]
    fn truncations_and_trailing_bytes_are_refused() {
        let good = description();
        for end in 0..good.len() {
            assert_eq!(columns(&good[..end]), None);
        }
        let mut long = good;
        long.push(0);
        assert_eq!(columns(&long), None);
        assert_eq!(param_types(&[0, 1, 0, 0, 0, 23]), Some(vec![23]));
        assert_eq!(param_types(&[0, 2, 0, 0, 0, 23]), None);
        assert_eq!(param_types(&[0, 0, 9]), None);
    }

    #[test]
    fn rows() {
        let row = [0, 2, 0, 0, 0, 1, b'x', 255, 255, 255, 255];
        assert!(is_row(&row, None) && is_row(&row, Some(2)));
        assert!(!is_row(&row, Some(1)));
        assert!(!is_row(&row[..10], None));
        assert!(!is_row(&[0, 1, 255, 255, 255, 254], None));
        assert!(!is_row(&[0, 1, 0x7f, 255, 255, 255], None));
        assert!(is_row(&[0, 0], Some(0)));
    }

    #[test]
    fn garbage_never_panics() {
        for seed in 0..20_000 {
            let length = (seed % 97) as usize;
            let mut bytes: Vec<u8> = garbage(seed).take(length).collect();
            // Small counts, so that the bodies are entered and not only refused by their first bytes.
            if let Some(first) = bytes.first_mut() {
                *first = 0;
            }
            let _ = (columns(&bytes), param_types(&bytes), is_row(&bytes, None));
            let _ = super::super::RemoteError::parse(&bytes);
        }
    }
}

//! The input buffer: bytes from the socket, cut into protocol messages.
#![forbid(unsafe_code)]

use std::ops::Range;

/// PostgreSQL cannot build a message of a gigabyte or more (its strings end there).
const MAX_MESSAGE: usize = 1 << 30;
/// libpq's bound for messages of kinds that are short by nature.
const MAX_SHORT_MESSAGE: usize = 30_000;
const INITIAL: usize = 16 * 1024;
/// Up to this size the buffer is kept and grown to save system calls, whatever the messages' sizes.
const COMFORTABLE: usize = 256 * 1024;

/// What makes a stream unusable.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// A length that no server sends.
    Length { tag: u8, length: i32 },
    /// No memory for a message.
    Memory,
}

/// Bytes read and not used yet. The storage is always initialised to its whole length, so that reading into it
/// clears nothing twice.
#[derive(Default)]
pub(super) struct Input {
    storage: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    /// Room to read into; never empty.
    pub(super) fn room(&mut self) -> Result<&mut [u8], Unusable> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            if self.storage.len() > COMFORTABLE {
                self.storage = Vec::new();
            }
        }
        if self.storage.len() - self.end < INITIAL / 2 {
            if self.start > 0 {
                self.storage.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            if self.storage.len() - self.end < INITIAL / 2 {
                let larger = (self.storage.len() * 2).max(INITIAL);
                let more = larger - self.storage.len();
                self.storage.try_reserve_exact(more).map_err(|_| Unusable::Memory)?;
                self.storage.resize(larger, 0);
            }
        }
        Ok(&mut self.storage[self.end..])
    }

    /// Notes that `count` bytes were read into [`Input::room`].
    pub(super) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.storage.len());
    }

    /// Nothing is expected for now: a connection that idles keeps a small buffer only.
    pub(super) fn relax(&mut self) {
        if self.start == self.end && self.storage.len() > INITIAL {
            *self = Input::default();
        }
    }

    /// The whole room was used: there may be more in the socket, and a larger buffer saves calls.
    pub(super) fn was_full(&mut self) {
        let size = self.storage.len();
        if size < COMFORTABLE && self.storage.try_reserve_exact(size).is_ok() {
            self.storage.resize(size * 2, 0);
        }
    }

    /// The next complete message: its tag and where its body is ([`Input::body`]).
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<(u8, Range<usize>)>, Unusable> {
        let Some(header) = self.storage[self.start..self.end].first_chunk::<5>() else {
            return Ok(None);
        };
        let [tag, length @ ..] = *header;
        let length = i32::from_be_bytes(length);
        let bound = if may_be_long(tag) { MAX_MESSAGE } else { MAX_SHORT_MESSAGE };
        let Some(size) = usize::try_from(length).ok().filter(|s| (4..=bound).contains(s)) else {
            return Err(Unusable::Length { tag, length });
        };
        if self.end - self.start < size + 1 {
            return Ok(None);
        }
        let body = self.start + 5..self.start + 1 + size;
        self.start = body.end;
        Ok(Some((tag, body)))
    }

    /// The body of a message that [`Input::next`] has just found.
    #[inline]
    pub(super) fn body(&self, at: Range<usize>) -> &[u8] {
        self.storage.get(at).unwrap_or_default()
    }
}

fn may_be_long(tag: u8) -> bool {
    matches!(tag, b'T' | b't' | b'D' | b'd' | b'E' | b'N' | b'A' | b'S')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(input: &mut Input, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = input.room().unwrap();
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            input.filled(count);
            bytes = &bytes[count..];
        }
    }

    #[test]
    fn messages_come_whole() {
        let mut input = Input::default();
        assert_eq!(input.next(), Ok(None));
        let stream = b"Z\0\0\0\x05ID\0\0\0\x06\0\0";
        for (i, byte) in stream.iter().enumerate() {
            feed(&mut input, &[*byte]);
            let found = input.next().unwrap();
            match i {
                5 => assert_eq!(
                    found.map(|(t, b)| (t, input.body(b).to_vec())),
                    Some((b'Z', b"I".to_vec()))
                ),
                12 => assert_eq!(found.map(|(t, b)| (t, b.len())), Some((b'D', 2))),
                _ => assert_eq!(found, None),
            }
        }
    }

    #[test]
    fn absurd_lengths_are_refused() {
        for (tag, length) in
            [(b'D', 3), (b'D', -1), (b'D', i32::MIN), (b'D', i32::MAX), (b'Z', 40_000)]
        {
            let mut input = Input::default();
            let mut bytes = vec![tag];
            bytes.extend_from_slice(&length.to_be_bytes());
            feed(&mut input, &bytes);
            assert_eq!(input.next(), Err(Unusable::Length { tag, length }));
        }
    }

    #[test]
    fn idle_buffers_are_small() {
        let mut input = Input::default();
        input.was_full();
        for _ in 0..4 {
            let _ = input.room().unwrap();
            input.was_full();
        }
        feed(&mut input, b"Z\0\0");
        input.relax();
        assert!(input.storage.len() > INITIAL);
        feed(&mut input, b"\0\x05I");
        assert!(input.next().unwrap().is_some());
        input.relax();
        assert_eq!((input.storage.len(), input.next()), (0, Ok(None)));
    }

    #[test]
    fn large_messages_grow_the_buffer_and_small_ones_shrink_it() {
        let mut input = Input::default();
        let length: i32 = 3_000_004;
        let mut bytes = vec![b'D'];
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.resize(3_000_005, 7);
        feed(&mut input, &bytes);
        let (_, body) = input.next().unwrap().unwrap();
        assert!(input.body(body.clone()).iter().all(|&b| b == 7) && body.len() == 3_000_000);
        assert!(input.storage.len() > 3_000_000);
        let _ = input.room().unwrap();
        assert!(input.storage.len() <= COMFORTABLE);
    }
}

//! Datums of the types that are decoded without calling PostgreSQL.

use super::arena::Arena;
use super::codec;
use super::kinds::Native;
use crate::pg::text;
use pgrx::pg_sys::{self, Datum};
use std::ptr;

/// The header of a varlena.
const HEADER: usize = pg_sys::VARHDRSZ;
/// MaxAllocSize of utils/memutils.h.
const LARGEST_VALUE: usize = 0x3fff_ffff;

/// What characters of the wire must undergo to be characters of the server's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// Both are UTF-8: to be verified.
    Utf8,
    /// SQL_ASCII: only a NUL is wrong.
    Unknown,
    /// To be converted by PostgreSQL, unless ASCII.
    Other,
}

impl Encoding {
    /// This database's.
    pub fn current() -> Encoding {
        if text::server_is_utf8() {
            Encoding::Utf8
        } else if text::server_is_sql_ascii() {
            Encoding::Unknown
        } else {
            Encoding::Other
        }
    }

    /// Whether `bytes` are text of the server's encoding as they are.
    #[inline]
    fn accepts(self, bytes: &[u8]) -> bool {
        let valid = match self {
            Encoding::Utf8 => std::str::from_utf8(bytes).is_ok(),
            Encoding::Unknown => true,
            Encoding::Other => bytes.is_ascii(),
        };
        valid && !bytes.contains(&0)
    }
}

// Eight-byte types are passed by value, which PostgreSQL does on 64-bit machines.
const _: () = assert!(size_of::<Datum>() == 8);

/// The Datum of the wire form `bytes`, allocated in `arena` when it is passed by reference. `None` when the
/// bytes are not right, or cannot be judged here.
///
/// # Safety
/// The arena's owner context is alive.
#[inline]
pub unsafe fn native_value(
    native: Native,
    bytes: &[u8],
    encoding: Encoding,
    arena: &mut Arena,
) -> Option<Datum> {
    if let Some(value) = codec::by_value(native, bytes) {
        return Some(Datum::from(value));
    }
    // SAFETY: every block is as large as what is written to it, and MAXALIGNed.
    unsafe {
        match native {
            Native::Text if encoding.accepts(bytes) => varlena(bytes, arena),
            Native::Bytea => varlena(bytes, arena),
            Native::Numeric => {
                let (header, digits) = codec::short_numeric(bytes)?;
                let size = HEADER + 2 + digits.len();
                let place = arena.alloc(size);
                pgrx::varlena::set_varsize_4b(place.cast(), size as i32);
                let mut words = place.add(HEADER).cast::<u16>();
                words.write(header);
                for digit in digits.chunks_exact(2) {
                    words = words.add(1);
                    words.write(u16::from_be_bytes([digit[0], digit[1]]));
                }
                Some(Datum::from(place))
            }
            Native::Uuid if bytes.len() == 16 => {
                let place = arena.alloc(16);
                ptr::copy_nonoverlapping(bytes.as_ptr(), place, 16);
                Some(Datum::from(place))
            }
            Native::Name if bytes.len() < NAME && encoding.accepts(bytes) => {
                let place = arena.alloc(NAME);
                ptr::write_bytes(place, 0, NAME);
                ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len());
                Some(Datum::from(place))
            }
            Native::Interval => {
                let (time, day, month) = codec::interval(bytes)?;
                let place = arena.alloc(size_of::<pg_sys::Interval>()).cast::<pg_sys::Interval>();
                place.write(pg_sys::Interval { time, day, month });
                Some(Datum::from(place))
            }
            Native::Tid => {
                let (block, line) = codec::tid(bytes)?;
                let place = arena
                    .alloc(size_of::<pg_sys::ItemPointerData>())
                    .cast::<pg_sys::ItemPointerData>();
                place.write(pg_sys::ItemPointerData {
                    ip_blkid: pg_sys::BlockIdData {
                        bi_hi: (block >> 16) as u16,
                        bi_lo: (block & 0xffff) as u16,
                    },
                    ip_posid: line,
                });
                Some(Datum::from(place))
            }
            _ => None,
        }
    }
}

/// Room for a name in memory.
const NAME: usize = pg_sys::NAMEDATALEN as usize;

#[inline]
unsafe fn varlena(bytes: &[u8], arena: &mut Arena) -> Option<Datum> {
    let size = bytes.len() + HEADER;
    if size > LARGEST_VALUE {
        return None;
    }
    // SAFETY: the block holds the header and the bytes.
    unsafe {
        let place = arena.alloc(size);
        pgrx::varlena::set_varsize_4b(place.cast(), size as i32);
        ptr::copy_nonoverlapping(bytes.as_ptr(), place.add(HEADER), bytes.len());
        Some(Datum::from(place))
    }
}

//! Random numbers that nobody can guess.

use crate::error::Failure;
use pgrx::pg_sys;

/// A random number, from the operating system's generator.
pub fn number() -> Result<u64, Failure> {
    let mut bytes = [0u8; 8];
    // SAFETY: fills the buffer it is given.
    if unsafe { pg_sys::pg_strong_random(bytes.as_mut_ptr().cast(), bytes.len()) } {
        Ok(u64::from_ne_bytes(bytes))
    } else {
        Err(Failure::internal("could not generate random values"))
    }
}

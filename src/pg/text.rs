//! Strings across the fence: the server's encoding on PostgreSQL's side, UTF-8 on Rust's.
//!
//! The wire speaks UTF-8 too (`client_encoding`), except for a SQL_ASCII database, where nobody knows what the
//! bytes mean and they pass as they are.

use crate::error::{Failure, SqlState};
use pgrx::pg_sys;
use std::ffi::{CStr, c_char};

/// Whether strings of this database are UTF-8 already, so that no conversion is needed.
pub fn server_is_utf8() -> bool {
    // SAFETY: reads a backend global.
    unsafe { pg_sys::GetDatabaseEncoding() == pg_sys::pg_enc::PG_UTF8 as i32 }
}

/// Whether the database has no known encoding.
pub fn server_is_sql_ascii() -> bool {
    // SAFETY: reads a backend global.
    unsafe { pg_sys::GetDatabaseEncoding() == pg_sys::pg_enc::PG_SQL_ASCII as i32 }
}

/// `client_encoding` for sessions on other servers.
pub fn wire_encoding() -> &'static str {
    if server_is_sql_ascii() { "SQL_ASCII" } else { "UTF8" }
}

/// A string of the server's as a Rust string. A NULL pointer gives the empty string; bytes that are no text
/// (possible in SQL_ASCII databases) become U+FFFD.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string in the server's encoding.
pub unsafe fn from_server(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller vouches for the string; pg_server_to_any returns its argument or a palloc'd string.
    unsafe {
        let bytes = CStr::from_ptr(text);
        if server_is_utf8() || server_is_sql_ascii() || bytes.to_bytes().is_ascii() {
            return bytes.to_string_lossy().into_owned();
        }
        let converted = pg_sys::pg_server_to_any(
            text,
            bytes.to_bytes().len() as i32,
            pg_sys::pg_enc::PG_UTF8 as i32,
        );
        let owned = CStr::from_ptr(converted).to_string_lossy().into_owned();
        if converted.cast_const() != text {
            pg_sys::pfree(converted.cast());
        }
        owned
    }
}

/// A C string of the server's as a Rust string; see [`from_server`].
pub fn from_c_str(text: &CStr) -> String {
    // SAFETY: a CStr is NUL-terminated.
    unsafe { from_server(text.as_ptr()) }
}

/// The bytes of a text datum as a Rust string; see [`from_server`].
pub fn from_server_bytes(bytes: &[u8]) -> Result<String, Failure> {
    let text = std::ffi::CString::new(bytes).map_err(|_| nul_inside())?;
    Ok(from_c_str(&text))
}

/// `text` as the bytes of a text datum; see [`to_server`].
pub fn to_server_bytes(text: &str) -> Vec<u8> {
    // SAFETY: to_server gives a palloc'd, NUL-terminated string.
    unsafe {
        let converted = to_server(text);
        let bytes = CStr::from_ptr(converted).to_bytes().to_vec();
        pg_sys::pfree(converted.cast());
        bytes
    }
}

/// Like [`from_server`], and frees the palloc'd `text`.
///
/// # Safety
/// `text` is a palloc'd, NUL-terminated string in the server's encoding that nobody else uses.
pub unsafe fn take_from_server(text: *mut c_char) -> String {
    // SAFETY: as the caller vouches.
    unsafe {
        let owned = from_server(text);
        pg_sys::pfree(text.cast());
        owned
    }
}

/// `text` as a palloc'd C string of the server's encoding, in the current memory context. A character that the
/// server's encoding lacks is an ERROR (22P05), an embedded NUL cuts the string.
pub fn to_server(text: &str) -> *mut c_char {
    // SAFETY: the copy is NUL-terminated; pg_any_to_server returns its argument or a palloc'd string.
    unsafe {
        let copy = copy_in(text, pg_sys::CurrentMemoryContext);
        if server_is_utf8() || server_is_sql_ascii() || text.is_ascii() {
            return copy;
        }
        let length = CStr::from_ptr(copy).count_bytes() as i32;
        pg_sys::pg_any_to_server(copy, length, pg_sys::pg_enc::PG_UTF8 as i32)
    }
}

/// `text` for an error message, in `context`: what the server's encoding may lack becomes `?`, so that it
/// cannot fail.
///
/// # Safety
/// `context` is a live memory context.
pub unsafe fn to_server_in(text: &str, context: pg_sys::MemoryContext) -> *mut c_char {
    // SAFETY: the caller vouches for `context`.
    unsafe {
        if server_is_utf8() || server_is_sql_ascii() || text.is_ascii() {
            copy_in(text, context)
        } else {
            let plain: String = text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
            copy_in(&plain, context)
        }
    }
}

unsafe fn copy_in(text: &str, context: pg_sys::MemoryContext) -> *mut c_char {
    let bytes = text.as_bytes().split(|&b| b == 0).next().unwrap_or_default();
    // SAFETY: room for the bytes and the NUL that MemoryContextAllocZero has put behind them.
    unsafe {
        let out = super::ffi::raw::MemoryContextAllocZero(context, bytes.len() + 1).cast::<u8>();
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), out, bytes.len());
        out.cast()
    }
}

/// `text` as a C string for a call into PostgreSQL.
pub fn c_string(text: &str) -> Result<std::ffi::CString, Failure> {
    std::ffi::CString::new(text).map_err(|_| nul_inside())
}

fn nul_inside() -> Failure {
    Failure::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, "a string contains a NUL character")
}

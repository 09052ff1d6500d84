//! What lies between a value here and the same value there: settings that change text forms, and encodings.

use super::ffi::raw;
use super::text;
use pgrx::pg_sys;
use std::ffi::{CStr, c_char};
use std::ptr;

/// Settings that values as text must not depend on, put aside until dropped: output in the form any server reads
/// the same, names of objects with their schemas.
pub struct Transmission {
    nest_level: i32,
}

impl Transmission {
    /// For parameters of any type. What is as it should be is left alone: this is done for every row.
    pub fn local() -> Transmission {
        const SETTINGS: [(&CStr, &CStr); 5] = [
            // Names of objects come with their schemas, and nothing of the user's can be called.
            (c"search_path", c"pg_catalog"),
            (c"lc_monetary", c"C"),
            (c"datestyle", c"ISO"),
            (c"intervalstyle", c"postgres"),
            (c"extra_float_digits", c"3"),
        ];
        let wanted = if styles_are_plain() { &SETTINGS[..2] } else { &SETTINGS[..] };
        if money_is_plain() {
            return Transmission::with(&[&SETTINGS[..1], &wanted[2..]].concat());
        }
        Transmission::with(wanted)
    }

    /// For constants in SQL text.
    pub fn literals() -> Transmission {
        Transmission::with(&[
            (c"datestyle", c"ISO"),
            (c"intervalstyle", c"postgres"),
            (c"extra_float_digits", c"3"),
            (c"bytea_output", c"hex"),
            // Names that reg* types print are qualified then, unless they are in pg_catalog.
            (c"search_path", c"pg_catalog"),
        ])
    }

    /// For types that only the styles change; nothing to do while these are as they should be.
    pub fn styles() -> Option<Transmission> {
        (!styles_are_plain()).then(|| {
            Transmission::with(&[
                (c"datestyle", c"ISO"),
                (c"intervalstyle", c"postgres"),
                (c"extra_float_digits", c"3"),
            ])
        })
    }

    /// For showing a value as the remote session, whose time zone is GMT, shows it.
    pub fn remote() -> Transmission {
        Transmission::with(&[
            (c"datestyle", c"ISO"),
            (c"intervalstyle", c"postgres"),
            (c"extra_float_digits", c"3"),
            (c"lc_monetary", c"C"),
            (c"timezone", c"GMT"),
        ])
    }

    /// For input of values that may hold xml, money or arrays as the remote session shows them; nothing to do while
    /// the session reads them so anyway.
    pub fn input() -> Option<Transmission> {
        const XMLOPTION_CONTENT: i32 = 1;
        // SAFETY: reads backend globals.
        let plain = unsafe { raw::xmloption == XMLOPTION_CONTENT && pg_sys::Array_nulls }
            && money_is_plain();
        (!plain).then(|| {
            Transmission::with(&[
                (c"xmloption", c"content"),
                (c"lc_monetary", c"C"),
                (c"array_nulls", c"on"),
            ])
        })
    }

    /// For input of names of objects: what comes without a schema is in pg_catalog.
    pub fn names() -> Transmission {
        Transmission::with(&[(c"search_path", c"pg_catalog")])
    }

    fn with(settings: &[(&'static CStr, &'static CStr)]) -> Transmission {
        // SAFETY: as PostgreSQL's own "SET LOCAL for one function" code does. The guard exists before the first
        // setting is changed; should one raise, the end of the (sub)transaction undoes all.
        unsafe {
            let guard = Transmission { nest_level: pg_sys::NewGUCNestLevel() };
            for (name, value) in settings {
                pg_sys::set_config_option(
                    name.as_ptr(),
                    value.as_ptr(),
                    pg_sys::GucContext::PGC_USERSET,
                    pg_sys::GucSource::PGC_S_SESSION,
                    pg_sys::GucAction::GUC_ACTION_SAVE,
                    true,
                    0,
                    false,
                );
            }
            guard
        }
    }
}

/// Whether the styles of dates, intervals and floating-point numbers are those of the wire.
fn styles_are_plain() -> bool {
    dates_are_plain() && intervals_are_plain() && floats_are_plain()
}

/// Whether dates and times are written as on the wire (but for the time zone).
pub fn dates_are_plain() -> bool {
    // SAFETY: reads a backend global.
    unsafe { pg_sys::DateStyle == pg_sys::USE_ISO_DATES as i32 }
}

/// Whether intervals are written as on the wire.
pub fn intervals_are_plain() -> bool {
    // SAFETY: reads a backend global.
    unsafe { pg_sys::IntervalStyle == pg_sys::INTSTYLE_POSTGRES as i32 }
}

/// Whether floating-point numbers are written as on the wire.
pub fn floats_are_plain() -> bool {
    // SAFETY: reads a backend global. From 1 on it means the shortest exact form.
    unsafe { pg_sys::extra_float_digits > 0 }
}

/// Whether bytea is written as on the wire.
pub fn bytea_is_plain() -> bool {
    // SAFETY: reads a backend global.
    unsafe { raw::bytea_output == 1 }
}

/// Whether points in time are written in the time zone of the wire, GMT, which has other names.
pub fn zone_is_plain() -> bool {
    // SAFETY: the session always has a time zone, and the zone a name.
    unsafe {
        let zone = pg_sys::session_timezone;
        if zone.is_null() {
            return false;
        }
        let name = CStr::from_ptr(pg_sys::pg_get_timezone_name(zone)).to_bytes();
        let name = name.strip_prefix(b"Etc/").unwrap_or(name);
        matches!(name, b"UTC" | b"GMT" | b"UCT" | b"Zulu" | b"Universal" | b"Greenwich")
    }
}

/// Whether characters of the wire are characters of the client's, as they are.
pub fn client_speaks_wire() -> bool {
    // SAFETY: reads backend globals, cannot raise.
    let client = unsafe { raw::pg_get_client_encoding() };
    (text::server_is_utf8() && client == wire_encoding())
        || client == pg_sys::pg_enc::PG_SQL_ASCII as i32
            && (text::server_is_utf8() || text::server_is_sql_ascii())
}

/// Whether money is written as on the wire.
fn money_is_plain() -> bool {
    // SAFETY: lc_monetary is a string or NULL.
    unsafe {
        !raw::locale_monetary.is_null()
            && matches!(CStr::from_ptr(raw::locale_monetary).to_bytes(), b"C" | b"POSIX")
    }
}

impl Drop for Transmission {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: the level was opened by this guard. While unwinding it is left to the end of the
            // (sub)transaction, which undoes settings itself.
            unsafe { pg_sys::AtEOXact_GUC(true, self.nest_level) };
        }
    }
}

/// Makes the wire's encoding the session's client encoding until dropped: receive and send functions take
/// characters to be in it.
pub struct WireEncoding {
    previous: i32,
}

impl WireEncoding {
    /// Nothing to do, and nothing done, while the client speaks the wire's encoding anyway.
    pub fn enter() -> Option<WireEncoding> {
        let wire = wire_encoding();
        // SAFETY: reads a backend global, cannot raise.
        let previous = unsafe { raw::pg_get_client_encoding() };
        if previous == wire {
            return None;
        }
        // SAFETY: both only look at and change the session's conversion functions.
        unsafe {
            pg_sys::PrepareClientEncoding(wire);
            let guard = WireEncoding { previous };
            pg_sys::SetClientEncoding(wire);
            Some(guard)
        }
    }
}

impl Drop for WireEncoding {
    fn drop(&mut self) {
        // SAFETY: the previous encoding was in force, so its functions are prepared and this cannot raise.
        unsafe { raw::SetClientEncoding(self.previous) };
    }
}

/// Characters of the wire in the server's encoding, NUL-terminated, in the current memory context; raises for
/// bytes that are no text or that the server's encoding cannot show.
pub fn wire_to_server(bytes: &[u8]) -> *mut c_char {
    // SAFETY: pg_any_to_server reads `bytes.len()` bytes and gives them back (verified), or a palloc'd,
    // NUL-terminated string; the copy has room for a NUL.
    unsafe {
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        let converted = pg_sys::pg_any_to_server(bytes.as_ptr().cast(), length, wire_encoding());
        if !ptr::eq(converted, bytes.as_ptr().cast()) {
            return converted;
        }
        let copy = pg_sys::palloc(bytes.len() + 1).cast::<u8>();
        ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
        *copy.add(bytes.len()) = 0;
        copy.cast()
    }
}

/// Appends characters of the server's encoding as the wire wants them.
pub fn server_to_wire(bytes: &[u8], out: &mut Vec<u8>) {
    if text::server_is_utf8() || text::server_is_sql_ascii() || bytes.is_ascii() {
        out.extend_from_slice(bytes);
        return;
    }
    // SAFETY: pg_server_to_any reads `bytes.len()` bytes and gives them back or a palloc'd, NUL-terminated
    // string.
    unsafe {
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        let converted = pg_sys::pg_server_to_any(bytes.as_ptr().cast(), length, wire_encoding());
        if ptr::eq(converted, bytes.as_ptr().cast()) {
            out.extend_from_slice(bytes);
        } else {
            out.extend_from_slice(CStr::from_ptr(converted).to_bytes());
            pg_sys::pfree(converted.cast());
        }
    }
}

/// PostgreSQL's number of the encoding that `text::wire_encoding` names.
fn wire_encoding() -> i32 {
    if text::server_is_sql_ascii() {
        pg_sys::pg_enc::PG_SQL_ASCII as i32
    } else {
        pg_sys::pg_enc::PG_UTF8 as i32
    }
}

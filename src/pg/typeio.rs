//! Input, output, receive and send functions of types, looked up once and called many times; domains; the
//! CONTEXT of their errors.
//!
//! Everything here raises as PostgreSQL does (a panic of pgrx's), with the message of the type's own function.

use super::ffi::raw;
use pgrx::pg_sys::{self, Datum, Oid};
use std::ffi::{c_char, c_void};
use std::ptr;

/// A cached function of a type. The struct lies in the memory context given at look-up and dies with it.
#[derive(Clone, Copy)]
struct Function {
    info: *mut pg_sys::FmgrInfo,
}

impl Function {
    /// # Safety
    /// `context` is a live memory context that outlives every use.
    unsafe fn lookup(function: Oid, context: pg_sys::MemoryContext) -> Function {
        // SAFETY: the struct is zeroed memory of the right size in `context`, filled by fmgr_info_cxt.
        unsafe {
            let info = pg_sys::MemoryContextAllocZero(context, size_of::<pg_sys::FmgrInfo>())
                .cast::<pg_sys::FmgrInfo>();
            pg_sys::fmgr_info_cxt(function, info, context);
            Function { info }
        }
    }
}

/// Text to Datum: a type's input function with a type modifier.
#[derive(Clone, Copy)]
pub struct Input {
    function: Function,
    io_param: Oid,
    typmod: i32,
}

impl Input {
    /// # Safety
    /// `context` is a live memory context that outlives every use of the result.
    pub unsafe fn lookup(type_oid: Oid, typmod: i32, context: pg_sys::MemoryContext) -> Input {
        let (mut function, mut io_param) = (Oid::INVALID, Oid::INVALID);
        // SAFETY: out parameters are plain Oids; `context` as the caller vouches.
        unsafe {
            pg_sys::getTypeInputInfo(type_oid, &raw mut function, &raw mut io_param);
            Input { function: Function::lookup(function, context), io_param, typmod }
        }
    }

    /// Reads `text`, NULL for SQL NULL (a domain may refuse it). The result is in the current memory context.
    ///
    /// # Safety
    /// `text` is NULL or a NUL-terminated string in the server's encoding; the context of the look-up is alive.
    pub unsafe fn call(&self, text: *mut c_char) -> Datum {
        // SAFETY: as the caller vouches.
        unsafe { pg_sys::InputFunctionCall(self.function.info, text, self.io_param, self.typmod) }
    }
}

/// Binary to Datum: a type's receive function with a type modifier.
#[derive(Clone, Copy)]
pub struct Receive {
    function: Function,
    io_param: Oid,
    typmod: i32,
}

impl Receive {
    /// # Safety
    /// `context` is a live memory context that outlives every use of the result.
    pub unsafe fn lookup(type_oid: Oid, typmod: i32, context: pg_sys::MemoryContext) -> Receive {
        let (mut function, mut io_param) = (Oid::INVALID, Oid::INVALID);
        // SAFETY: out parameters are plain Oids; `context` as the caller vouches.
        unsafe {
            pg_sys::getTypeBinaryInputInfo(type_oid, &raw mut function, &raw mut io_param);
            Receive { function: Function::lookup(function, context), io_param, typmod }
        }
    }

    /// Reads `bytes`; `None` when the function left some of them unread. The result is in the current memory
    /// context.
    ///
    /// `scratch` is the buffer the function works on: several of them want a NUL behind the value, some write
    /// to it.
    ///
    /// # Safety
    /// The context of the look-up is alive.
    pub unsafe fn call(&self, bytes: &[u8], scratch: &mut Vec<u8>) -> Option<Datum> {
        scratch.clear();
        scratch.extend_from_slice(bytes);
        scratch.push(0);
        let length = i32::try_from(bytes.len()).ok()?;
        let mut buffer = pg_sys::StringInfoData {
            data: scratch.as_mut_ptr().cast(),
            len: length,
            maxlen: length.checked_add(1)?,
            cursor: 0,
        };
        // SAFETY: the buffer holds `length` bytes and a NUL; receive functions only read from it (array_recv
        // swaps a byte in place) and never enlarge it.
        let value = unsafe {
            pg_sys::ReceiveFunctionCall(
                self.function.info,
                &raw mut buffer,
                self.io_param,
                self.typmod,
            )
        };
        (buffer.cursor == buffer.len).then_some(value)
    }
}

/// Datum to text: a type's output function.
#[derive(Clone, Copy)]
pub struct Output {
    function: Function,
}

impl Output {
    /// # Safety
    /// `context` is a live memory context that outlives every use of the result.
    pub unsafe fn lookup(type_oid: Oid, context: pg_sys::MemoryContext) -> Output {
        let (mut function, mut is_varlena) = (Oid::INVALID, false);
        // SAFETY: out parameters are plain values; `context` as the caller vouches.
        unsafe {
            pg_sys::getTypeOutputInfo(type_oid, &raw mut function, &raw mut is_varlena);
            Output { function: Function::lookup(function, context) }
        }
    }

    /// A palloc'd string in the server's encoding, in the current memory context.
    ///
    /// # Safety
    /// `value` is a value, not NULL, of the looked-up type; the context of the look-up is alive.
    pub unsafe fn call(&self, value: Datum) -> *mut c_char {
        // SAFETY: as the caller vouches.
        unsafe { pg_sys::OutputFunctionCall(self.function.info, value) }
    }
}

/// Datum to binary: a type's send function.
#[derive(Clone, Copy)]
pub struct Send {
    function: Function,
}

impl Send {
    /// # Safety
    /// `context` is a live memory context that outlives every use of the result.
    pub unsafe fn lookup(type_oid: Oid, context: pg_sys::MemoryContext) -> Send {
        let (mut function, mut is_varlena) = (Oid::INVALID, false);
        // SAFETY: out parameters are plain values; `context` as the caller vouches.
        unsafe {
            pg_sys::getTypeBinaryOutputInfo(type_oid, &raw mut function, &raw mut is_varlena);
            Send { function: Function::lookup(function, context) }
        }
    }

    /// Appends the binary form of `value` to `out`.
    ///
    /// # Safety
    /// `value` is a value, not NULL, of the looked-up type; the context of the look-up is alive.
    pub unsafe fn call(&self, value: Datum, out: &mut Vec<u8>) {
        // SAFETY: send functions return a palloc'd bytea with a four-byte header.
        unsafe {
            let sent = pg_sys::SendFunctionCall(self.function.info, value);
            out.extend_from_slice(varlena_bytes(sent.cast()));
            pg_sys::pfree(sent.cast());
        }
    }
}

/// The constraints of a domain, checked on values that did not come through its input function.
pub struct Domain {
    type_oid: Oid,
    cache: *mut c_void,
    context: pg_sys::MemoryContext,
}

impl Domain {
    /// `context` holds what is cached about the constraints.
    pub fn new(type_oid: Oid, context: pg_sys::MemoryContext) -> Domain {
        Domain { type_oid, cache: ptr::null_mut(), context }
    }

    /// Raises unless the domain allows `value`.
    ///
    /// # Safety
    /// `value` is NULL (`is_null`) or of the domain's base type; the context given to [`Domain::new`] is alive.
    pub unsafe fn check(&mut self, value: Datum, is_null: bool) {
        // SAFETY: as the caller vouches; the cache pointer is owned by domain_check.
        unsafe {
            pg_sys::domain_check(value, is_null, self.type_oid, &raw mut self.cache, self.context);
        }
    }
}

/// The type below a domain and the modifier it imposes; another type is its own.
pub fn base_type(type_oid: Oid, typmod: i32) -> (Oid, i32) {
    let mut base_typmod = typmod;
    // SAFETY: a syscache look-up; raises for an OID that is no type.
    let base = unsafe { pg_sys::getBaseTypeAndTypmod(type_oid, &raw mut base_typmod) };
    (base, base_typmod)
}

/// The element type of a true array type, 0 for any other type.
pub fn element_type(type_oid: u32) -> u32 {
    // SAFETY: a syscache look-up that gives InvalidOid for what it does not know.
    unsafe { pg_sys::get_element_type(Oid::from(type_oid)).to_u32() }
}

/// What may be inside a value of a type: the kind of the type (`pg_type.typtype`), for arrays of their elements.
pub fn type_kind(type_oid: u32) -> u8 {
    let element = element_type(type_oid);
    let scalar = if element == 0 { type_oid } else { element };
    // SAFETY: a syscache look-up that gives NUL for what it does not know.
    unsafe { pg_sys::get_typtype(Oid::from(scalar)) as u8 }
}

/// Whether values are, or hold, names of objects (regclass and its kin), which are looked up when they are read.
pub fn holds_names(type_oid: Oid) -> bool {
    /// regproc, regprocedure, regoper, regoperator, regclass, regtype, regconfig, regdictionary, regnamespace, regrole,
    /// regcollation.
    const NAMES: [u32; 11] = [24, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191];
    let number = type_oid.to_u32();
    let element = element_type(number);
    if element != 0 {
        return holds_names(Oid::from(element));
    }
    if number < pg_sys::FirstGenbkiObjectId {
        return NAMES.contains(&number);
    }
    // SAFETY: look-ups of a type that exists; the stack is looked after, should they be nested deeply.
    unsafe {
        pg_sys::check_stack_depth();
        match type_kind(number) {
            pg_sys::TYPTYPE_DOMAIN => holds_names(pg_sys::getBaseType(type_oid)),
            pg_sys::TYPTYPE_COMPOSITE => {
                let row = pg_sys::lookup_rowtype_tupdesc_copy(type_oid, -1);
                (0..(*row).natts as usize).any(|index| {
                    let column = super::compat::attribute(row, index);
                    !(*column).attisdropped && holds_names((*column).atttypid)
                })
            }
            pg_sys::TYPTYPE_RANGE => holds_names(pg_sys::get_range_subtype(type_oid)),
            pg_sys::TYPTYPE_MULTIRANGE => holds_names(pg_sys::get_multirange_range(type_oid)),
            _ => false,
        }
    }
}

/// The contents of a varlena that is not toasted or compressed.
///
/// # Safety
/// `value` is such a varlena and outlives the result.
pub unsafe fn varlena_bytes<'a>(value: *const pg_sys::varlena) -> &'a [u8] {
    // SAFETY: as the caller vouches; the header tells the length.
    unsafe {
        std::slice::from_raw_parts(
            pgrx::varlena::vardata_any(value).cast::<u8>(),
            pgrx::varlena::varsize_any_exhdr(value),
        )
    }
}

/// An error-context line (`column "x" of foreign table "y"`) for PostgreSQL errors raised below.
pub struct ContextLine {
    callback: pg_sys::ErrorContextCallback,
}

impl ContextLine {
    /// # Safety
    /// `line` is a NUL-terminated string in the server's encoding that outlives the result.
    pub unsafe fn new(line: *const c_char) -> ContextLine {
        ContextLine {
            callback: pg_sys::ErrorContextCallback {
                previous: ptr::null_mut(),
                callback: Some(add_line),
                arg: line.cast_mut().cast(),
            },
        }
    }

    /// Puts the line on top of the stack of contexts until the result is dropped; the borrow keeps the callback
    /// where it is.
    pub fn link(&mut self) -> Linked<'_> {
        // SAFETY: plain reads and writes of a backend global on its only thread.
        unsafe {
            self.callback.previous = pg_sys::error_context_stack;
            pg_sys::error_context_stack = &raw mut self.callback;
            Linked { previous: self.callback.previous, _line: std::marker::PhantomData }
        }
    }
}

/// A [`ContextLine`] in force.
pub struct Linked<'a> {
    previous: *mut pg_sys::ErrorContextCallback,
    _line: std::marker::PhantomData<&'a mut ContextLine>,
}

impl Drop for Linked<'_> {
    fn drop(&mut self) {
        // SAFETY: what was on top when the line was linked outlives it.
        unsafe { pg_sys::error_context_stack = self.previous };
    }
}

/// `ErrorContextCallback`: runs inside errfinish(). The frame owns nothing.
unsafe extern "C-unwind" fn add_line(arg: *mut c_void) {
    // SAFETY: `arg` is the string given to ContextLine::new.
    unsafe {
        raw::set_errcontext_domain(ptr::null());
        raw::errcontext_msg(c"%s".as_ptr(), arg.cast::<c_char>());
    }
}

//! One column of a result: how its fields become Datums.

use super::arena::Arena;
use super::codec;
use super::kinds::{self, Native, TextForm, oid};
use super::native::{Encoding, native_value};
use super::states;
use crate::error::{Failure, SqlState};
use crate::pg::aggregate_state::Layout;
use crate::pg::memory::ContextGuard;
use crate::pg::text;
use crate::pg::transmission::{Transmission, WireEncoding, client_speaks_wire, wire_to_server};
use crate::pg::typeio::{
    self, ContextLine, Domain, Input, Output, Receive, Send, element_type, type_kind,
};
use pgrx::pg_sys::{self, Datum, Oid};
use std::ffi::c_char;

/// How fields of a column are decoded, once it is known what the remote server sends.
#[derive(Clone, Copy)]
enum How {
    /// Here. Whatever is refused here goes to the type's own function for its verdict.
    Native(Native),
    /// An integer of another width.
    Integer(Native, Convert),
    /// An integer in text.
    Decimal(Native),
    /// By the receive function of the local type.
    Receive(Receive),
    /// The bytes are text for the input function of the local type.
    Input,
    /// Binary of another built-in type: through its text to the local input function.
    Convert(Convert),
    /// The values that a transition state is made of.
    State(Layout),
}

/// Receive and output functions of the remote type.
#[derive(Clone, Copy)]
struct Convert {
    receive: Receive,
    output: Output,
    /// What changes that output.
    form: TextForm,
}

/// A column of a result.
pub struct Fieldwise {
    /// The type as declared, and below domains.
    declared: Oid,
    typmod: i32,
    base: u32,
    base_typmod: i32,
    domain: Option<Domain>,
    /// Whether binary is asked for.
    pub binary: bool,
    /// Whether values are, or may hold, xml or money: settings change how these are read.
    particular: bool,
    names: bool,
    /// The column is a transition state.
    state: Option<Layout>,
    /// Which holds characters as they come.
    characters: bool,
    how: Option<How>,
    input: Option<Input>,
    place: String,
    line: *const c_char,
    encoding: Encoding,
    scratch: Vec<u8>,
    owner: pg_sys::MemoryContext,
}

impl Fieldwise {
    /// # Safety
    /// `owner` is a live memory context that outlives every use of the result.
    pub unsafe fn new(
        declared: Oid,
        typmod: i32,
        place: String,
        owner: pg_sys::MemoryContext,
    ) -> Fieldwise {
        let (base_oid, base_typmod) = typeio::base_type(declared, typmod);
        let base = base_oid.to_u32();
        Fieldwise {
            declared,
            typmod,
            base,
            base_typmod,
            domain: (base_oid != declared).then(|| Domain::new(declared, owner)),
            binary: kinds::binary_safe(base, element_type) && !kinds::prefers_text(base),
            particular: kinds::is_particular(base, element_type, type_kind),
            names: typeio::holds_names(base_oid),
            state: None,
            characters: false,
            how: None,
            input: None,
            // SAFETY: the caller vouches for `owner`.
            line: unsafe { text::to_server_in(&place, owner) },
            place,
            encoding: Encoding::current(),
            scratch: Vec::new(),
            owner,
        }
    }

    /// Has the fields be what a transition state is made of.
    pub fn assembled(mut self, state: Option<Layout>) -> Fieldwise {
        self.binary |= state.is_some();
        self.characters = match state {
            Some(Layout::Collected(element)) => element.holds_characters(),
            _ => false,
        };
        self.state = state;
        self
    }

    /// The remote type without which nothing can be made of the fields.
    pub fn wanted(&self) -> Option<u32> {
        // Any array is one of the values' type, when these are of that type.
        self.state.filter(|state| !matches!(state, Layout::Collected(_))).map(Layout::array_type)
    }

    /// Changes what the CONTEXT of errors says.
    pub fn set_place(&mut self, place: String) {
        // SAFETY: the owner context is alive, see `new`.
        self.line = unsafe { text::to_server_in(&place, self.owner) };
        self.place = place;
    }

    /// Decides how to decode fields of the remote type. False: they must be asked for as text, and `binary`
    /// says so now.
    ///
    /// # Safety
    /// The owner context is alive.
    pub unsafe fn fit(&mut self, remote: u32, remote_typmod: i32) -> bool {
        let same = remote == self.base;
        if let Some(layout) = self.state
            && (self.wanted().is_some() || same && self.binary)
        {
            self.how = Some(How::State(layout));
            return true;
        }
        // Values of a column with the same modifier are as that modifier makes them.
        let fits_as_is = same && (self.base_typmod < 0 || self.base_typmod == remote_typmod);
        // SAFETY: as the caller vouches.
        let how = unsafe {
            match kinds::native(self.base) {
                // Fields come in the form that `native` decodes only if it was asked for.
                Some(native) if fits_as_is && (self.binary || kinds::prefers_text(self.base)) => {
                    How::Native(native)
                }
                // Any text is a text.
                Some(native)
                    if !self.binary && kinds::is_any_text(self.base) && self.base_typmod < 0 =>
                {
                    How::Native(native)
                }
                Some(native) if !self.binary && is_integer(self.base) => How::Decimal(native),
                _ if !self.binary => How::Input,
                _ if same => How::Receive(self.receive(self.base, self.base_typmod)),
                Some(native) if is_integer(self.base) && is_integer(remote) => {
                    How::Integer(native, self.convert(remote))
                }
                _ if kinds::is_text_like(remote) => How::Input,
                _ if kinds::binary_safe(remote, element_type) => How::Convert(self.convert(remote)),
                _ => {
                    self.binary = false;
                    self.how = None;
                    return false;
                }
            }
        };
        self.how = Some(how);
        true
    }

    unsafe fn receive(&self, type_oid: u32, typmod: i32) -> Receive {
        // SAFETY: the owner context is alive, as the caller vouches.
        unsafe { Receive::lookup(Oid::from(type_oid), typmod, self.owner) }
    }

    unsafe fn convert(&self, remote: u32) -> Convert {
        // SAFETY: the owner context is alive, as the caller vouches.
        unsafe {
            Convert {
                receive: self.receive(remote, -1),
                output: Output::lookup(Oid::from(remote), self.owner),
                form: kinds::text_form(remote, element_type),
            }
        }
    }

    /// The Datum of a field, `None` for NULL. What it refers to lies in `arena`.
    ///
    /// # Safety
    /// The owner context is alive; the field is of the type that was fitted last.
    #[inline]
    pub unsafe fn decode(
        &mut self,
        field: Option<&[u8]>,
        arena: &mut Arena,
    ) -> Result<Option<Datum>, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            match (field, &self.how) {
                (None, _) if self.domain.is_none() => Ok(None),
                (Some(bytes), Some(How::Native(native))) if self.domain.is_none() => {
                    match native_value(*native, bytes, self.encoding, arena) {
                        Some(value) => Ok(Some(value)),
                        None => self.decode_slowly(bytes, arena).map(Some),
                    }
                }
                (Some(bytes), Some(How::Decimal(native))) if self.domain.is_none() => {
                    match codec::decimal(bytes).filter(|value| codec::fits(*native, *value)) {
                        Some(value) => Ok(Some(Datum::from(value))),
                        None => self.decode_slowly(bytes, arena).map(Some),
                    }
                }
                (Some(bytes), Some(How::State(layout)))
                    if !self.characters || client_speaks_wire() =>
                {
                    self.assemble(*layout, bytes, arena)
                }
                (Some(bytes), _) if self.state.is_some() => {
                    let array = self.decode_slowly(bytes, arena)?;
                    self.assemble_array(array, arena)
                }
                (Some(bytes), _) => self.decode_slowly(bytes, arena).map(Some),
                (None, _) => {
                    self.check_null(arena);
                    Ok(None)
                }
            }
        }
    }

    /// The transition state that `bytes` are the values for; NULL when there were no values.
    unsafe fn assemble(
        &mut self,
        layout: Layout,
        bytes: &[u8],
        arena: &mut Arena,
    ) -> Result<Option<Datum>, Failure> {
        // SAFETY: the owner context is alive, as the caller vouches.
        unsafe { states::assemble(layout, bytes, &mut self.scratch, arena, &self.place) }
    }

    /// The same for an array that has been read: its values are written as the receive functions of this session
    /// read them.
    unsafe fn assemble_array(
        &mut self,
        array: Datum,
        arena: &mut Arena,
    ) -> Result<Option<Datum>, Failure> {
        let Some(layout) = self.state else { return Ok(None) };
        let mut bytes = Vec::new();
        // SAFETY: the contexts are alive, as the caller vouches; `line` is with its owner.
        unsafe {
            let _context = ContextGuard::switch_to(arena.context());
            let mut line = ContextLine::new(self.line);
            let _linked = line.link();
            Send::lookup(Oid::from(self.base), arena.context()).call(array, &mut bytes);
        }
        // SAFETY: as the caller vouches.
        unsafe { self.assemble(layout, &bytes, arena) }
    }

    unsafe fn check_null(&mut self, arena: &Arena) {
        // SAFETY: the contexts are alive and `line` is with its owner.
        unsafe {
            let _context = ContextGuard::switch_to(arena.context());
            let mut line = ContextLine::new(self.line);
            let _linked = line.link();
            if let Some(domain) = &mut self.domain {
                domain.check(Datum::null(), true);
            }
        }
    }

    /// Everything that may call PostgreSQL.
    unsafe fn decode_slowly(&mut self, bytes: &[u8], arena: &mut Arena) -> Result<Datum, Failure> {
        // SAFETY: the contexts are alive, as the caller of `decode` vouches; `line` is with its owner.
        unsafe {
            let _context = ContextGuard::switch_to(arena.context());
            let mut line = ContextLine::new(self.line);
            let _linked = line.link();
            let Some(how) = self.how else {
                return Err(Failure::internal("a row came before its description"));
            };
            let value = match how {
                How::Native(native) => match native_value(native, bytes, self.encoding, arena) {
                    Some(value) => value,
                    None if matches!(native, Native::Text | Native::Name) => {
                        return Ok(self.input_of_wire(bytes));
                    }
                    None => {
                        let receive = self.receive(self.base, -1);
                        self.received(receive, bytes)?
                    }
                },
                How::Integer(native, convert) => {
                    match codec::integer(bytes).filter(|v| codec::fits(native, *v)) {
                        Some(value) => Datum::from(value),
                        None => {
                            let text = self.remote_text(&convert, bytes)?;
                            return Ok(self.input(text));
                        }
                    }
                }
                How::Receive(receive) => self.received(receive, bytes)?,
                How::Input | How::Decimal(_) => return Ok(self.input_of_wire(bytes)),
                How::Convert(convert) => {
                    let text = self.remote_text(&convert, bytes)?;
                    return Ok(self.input(text));
                }
                // The array itself.
                How::State(_) => {
                    let receive = self.receive(self.base, -1);
                    self.received(receive, bytes)?
                }
            };
            if let Some(domain) = &mut self.domain {
                domain.check(value, false);
            }
            Ok(value)
        }
    }

    unsafe fn received(&mut self, receive: Receive, bytes: &[u8]) -> Result<Datum, Failure> {
        let _encoding = WireEncoding::enter();
        // SAFETY: the look-up's context is alive, as the caller vouches.
        unsafe { receive.call(bytes, &mut self.scratch) }.ok_or_else(|| {
            Failure::new(SqlState::INVALID_BINARY_REPRESENTATION, "incorrect binary data format")
                .add_context(&self.place)
        })
    }

    /// The text that the remote server would show for a binary value of its type.
    unsafe fn remote_text(
        &mut self,
        convert: &Convert,
        bytes: &[u8],
    ) -> Result<*mut c_char, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            let value = self.received(convert.receive, bytes)?;
            let settings = match convert.form {
                TextForm::Plain => None,
                TextForm::Styled => Transmission::styles(),
                TextForm::Zoned | TextForm::Unknown => Some(Transmission::remote()),
            };
            let text = convert.output.call(value);
            drop(settings);
            Ok(text)
        }
    }

    /// The value that the bytes, characters of the wire, stand for.
    unsafe fn input_of_wire(&mut self, bytes: &[u8]) -> Datum {
        let text = wire_to_server(bytes);
        // SAFETY: as the caller vouches.
        unsafe { self.input(text) }
    }

    /// The value that `text` stands for, by the declared type's input function: domains check it themselves.
    unsafe fn input(&mut self, text: *mut c_char) -> Datum {
        // SAFETY: as the caller vouches.
        unsafe {
            let input = match self.input {
                Some(input) => input,
                None => *self.input.insert(Input::lookup(self.declared, self.typmod, self.owner)),
            };
            let settings = if self.particular { Transmission::input() } else { None };
            let names = self.names.then(Transmission::names);
            let value = input.call(text);
            drop(names);
            drop(settings);
            value
        }
    }
}

fn is_integer(type_oid: u32) -> bool {
    matches!(type_oid, oid::INT2 | oid::INT4 | oid::INT8)
}

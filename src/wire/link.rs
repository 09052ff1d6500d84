//! A socket, plain or under TLS, with its buffers: bytes in, messages out, and back. Never waits.

use super::certificate;
use super::input::{Input, Unusable};
use super::remote_error::WireError;
use super::socket::{Socket, text_of};
use super::tls::Stream;
use crate::pg::wait::Want;
use bytes::{Buf, BytesMut};
use std::io;

/// An output buffer larger than this is given back once it is written.
const COMFORTABLE: usize = 1 << 20;

/// What carries the bytes.
pub(super) enum Transport {
    Plain(Socket),
    Tls(Box<Stream>),
}

impl Transport {
    pub(super) fn socket(&self) -> &Socket {
        match self {
            Transport::Plain(socket) => socket,
            Transport::Tls(stream) => stream.socket(),
        }
    }

    /// Whether a short read means that the socket is empty.
    fn is_plain(&self) -> bool {
        matches!(self, Transport::Plain(_))
    }

    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(socket) => socket.read(room),
            Transport::Tls(stream) => stream.read(room),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(socket) => socket.write(bytes),
            Transport::Tls(stream) => stream.write(bytes),
        }
    }

    /// Writes what TLS holds back; true when it holds nothing.
    fn flush(&mut self) -> io::Result<bool> {
        match self {
            Transport::Plain(_) => Ok(true),
            Transport::Tls(stream) => stream.flush(),
        }
    }

    fn want(&self, write: bool) -> Want {
        match self {
            Transport::Plain(socket) => socket.want(true, write),
            Transport::Tls(stream) => stream.want(write),
        }
    }
}

/// What a reading attempt gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fill {
    /// As much as there was room for: there may be more.
    More,
    /// The same under TLS, which may hold the rest back: it must be read before the socket is waited for.
    Held,
    /// Less than there was room for.
    Some,
    /// Nothing at the moment.
    Nothing,
    /// The server has closed the connection.
    End,
}

/// The two directions of one connection.
pub(super) struct Link {
    transport: Transport,
    pub(super) input: Input,
    pub(super) output: BytesMut,
}

impl Link {
    pub(super) fn new(transport: Transport) -> Link {
        Link { transport, input: Input::default(), output: BytesMut::with_capacity(8192) }
    }

    pub(super) fn socket(&self) -> &Socket {
        self.transport.socket()
    }

    /// Whether the connection is under TLS.
    pub(super) fn is_tls(&self) -> bool {
        !self.transport.is_plain()
    }

    /// The hash of the server's certificate for channel binding.
    pub(super) fn end_point(&self) -> Option<Vec<u8>> {
        match &self.transport {
            Transport::Plain(_) => None,
            Transport::Tls(stream) => certificate::end_point_hash(stream.certificate()?),
        }
    }

    /// Reads once.
    pub(super) fn fill(&mut self) -> Result<Fill, WireError> {
        let room = self.input.room().map_err(unusable)?;
        let size = room.len();
        match self.transport.read(room) {
            Ok(0) => Ok(Fill::End),
            Ok(count) => {
                self.input.filled(count);
                if count < size && self.transport.is_plain() {
                    return Ok(Fill::Some);
                }
                if count < size {
                    return Ok(Fill::More);
                }
                self.input.was_full();
                Ok(if self.transport.is_plain() { Fill::More } else { Fill::Held })
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Fill::Nothing),
            Err(error) if is_reset(&error) => Ok(Fill::End),
            Err(error) => Err(WireError::Broken(format!(
                "could not receive data from server: {}",
                text_of(&error)
            ))),
        }
    }

    /// Writes what the socket takes; true when nothing is left to write.
    pub(super) fn flush(&mut self) -> Result<bool, WireError> {
        let mut written = Ok(true);
        while !self.output.is_empty() && written.is_ok() {
            match self.transport.write(&self.output) {
                Ok(0) => return Ok(false),
                Ok(count) => self.output.advance(count),
                Err(error) => written = Err(error),
            }
        }
        match written.and_then(|_| self.transport.flush()) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if is_reset(&error) => return Err(closed_unexpectedly()),
            Err(error) => {
                return Err(WireError::Broken(format!(
                    "could not send data to server: {}",
                    text_of(&error)
                )));
            }
        }
        if self.output.capacity() > COMFORTABLE {
            self.output = BytesMut::with_capacity(8192);
        } else {
            self.output.clear();
        }
        Ok(true)
    }

    /// What the socket is to be waited for.
    pub(super) fn want(&self) -> Want {
        self.transport.want(!self.output.is_empty())
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// The end of a connection that nobody announced, in libpq's words.
pub(super) fn closed_unexpectedly() -> WireError {
    WireError::Broken(
        "server closed the connection unexpectedly\n\
         \tThis probably means the server terminated abnormally\n\
         \tbefore or while processing the request."
            .to_owned(),
    )
}

/// A stream that cannot be read on, in libpq's words.
pub(super) fn unusable(cause: Unusable) -> WireError {
    WireError::Broken(match cause {
        Unusable::Length { tag, length } => format!(
            "lost synchronization with server: got message type \"{}\", length {length}",
            tag.escape_ascii()
        ),
        Unusable::Memory => "out of memory while receiving data from server".to_owned(),
    })
}

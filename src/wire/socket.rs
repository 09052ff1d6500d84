//! A connected (or connecting) nonblocking socket, counted among the server's file descriptors.

use super::remote_error::WireError;
use crate::pg::fd::ExternalFd;
use crate::pg::wait::{self, Want};
use socket2::{Protocol, SockAddr, Type};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

static NEXT_SERIAL: AtomicU64 = AtomicU64::new(1);

/// The socket. Dropping it closes it, and cannot raise.
pub(super) struct Socket {
    inner: socket2::Socket,
    serial: u64,
    // After the socket: given back when the descriptor is closed.
    _fd: ExternalFd,
}

impl Socket {
    /// A new nonblocking socket for `address`; not connected.
    pub(super) fn open(address: &SockAddr) -> Result<Socket, WireError> {
        let fd = ExternalFd::acquire().ok_or_else(|| {
            WireError::Connect(
                "could not establish connection: there are too many open files on the local server \
                 (raise the server's max_files_per_process and/or \"ulimit -n\" limits)"
                    .to_owned(),
            )
        })?;
        let protocol = if address.is_unix() { None } else { Some(Protocol::TCP) };
        let inner = socket2::Socket::new(address.domain(), Type::STREAM, protocol)
            .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
            .map_err(|error| {
                WireError::Connect(format!("could not create socket: {}", text_of(&error)))
            })?;
        let serial = NEXT_SERIAL.fetch_add(1, Ordering::Relaxed);
        Ok(Socket { inner, serial, _fd: fd })
    }

    /// The socket itself, for its options.
    pub(super) fn raw(&self) -> &socket2::Socket {
        &self.inner
    }

    /// Starts to connect: Ok(true) when that is done at once.
    pub(super) fn connect(&self, address: &SockAddr) -> io::Result<bool> {
        match self.inner.connect(address) {
            Ok(()) => Ok(true),
            Err(error) if is_under_way(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn read(&self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match io::Read::read(&mut &self.inner, room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.inner.send(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Whether there is nothing to read, and the connection is open.
    pub(super) fn is_silent(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let nothing = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
        self.inner.peek(&mut byte).is_err_and(|error| nothing(&error))
    }

    /// Whether the peer has closed the connection; takes nothing out of the socket.
    pub(super) fn is_closed(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        match self.inner.peek(&mut byte) {
            Ok(count) => count == 0,
            Err(error) => {
                !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
            }
        }
    }

    pub(super) fn want(&self, read: bool, write: bool) -> Want {
        Want { fd: self.inner.as_raw_fd(), serial: self.serial, read, write }
    }

    pub(super) fn fd(&self) -> RawFd {
        self.inner.as_raw_fd()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The number of the descriptor comes again: no kept set may still hold it.
        wait::forget();
    }
}

fn is_under_way(error: &io::Error) -> bool {
    // EAGAIN comes from Unix-domain sockets whose server has a full backlog: that is a refusal for libpq too.
    error.raw_os_error() == Some(EINPROGRESS) || error.kind() == io::ErrorKind::Interrupted
}

const EINPROGRESS: i32 = if cfg!(target_os = "linux") { 115 } else { 36 };

/// An operating-system error as C programs print it: without Rust's "(os error N)".
pub(super) fn text_of(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

//! TLS by rustls, driven by hand over the nonblocking socket.

use super::drive::Pause;
use super::login::Refusal;
use super::socket::{Socket, text_of};
use super::trust::{self, Plan};
use crate::pg::wait::Want;
use rustls::ClientConnection;
use rustls::pki_types::CertificateDer;
use std::io::{self, Read, Write};

/// A connection under TLS.
pub(super) struct Stream {
    connection: ClientConnection,
    socket: Socket,
}

/// rustls wants `Read` and `Write`.
struct Io<'a>(&'a Socket);

impl Read for Io<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.0.read(room)
    }
}

impl Write for Io<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream {
    /// Shakes hands.
    pub(super) async fn start(
        socket: Socket,
        plan: &Plan,
        pause: Pause<'_>,
    ) -> Result<Stream, Refusal> {
        let connection =
            ClientConnection::new(plan.config.clone(), plan.name.clone()).map_err(|error| {
                Refusal::last(format!("could not establish SSL connection: {error}"))
            })?;
        let mut stream = Stream { connection, socket };
        loop {
            stream.step().map_err(|error| Refusal::tls(trust::explain(&error)))?;
            if !stream.connection.is_handshaking() && !stream.connection.wants_write() {
                return Ok(stream);
            }
            pause.until(stream.want(false)).await?;
        }
    }

    /// One round of reading and writing during the handshake.
    fn step(&mut self) -> io::Result<()> {
        self.push()?;
        while self.connection.is_handshaking() && self.pull()? {
            self.push()?;
        }
        self.push()
    }

    /// Writes what TLS has to say; a full socket is no error.
    fn push(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Io(&self.socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads from the socket; false when it has nothing.
    fn pull(&mut self) -> io::Result<bool> {
        match self.connection.read_tls(&mut Io(&self.socket)) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
        if let Err(error) = self.connection.process_new_packets() {
            // The alert for the server, as far as it goes.
            let _ = self.push();
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(true)
    }

    pub(super) fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(room) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Closed without TLS's own goodbye: PostgreSQL's messages tell where they end.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                result => return result,
            }
            match self.pull() {
                Ok(true) => {}
                Ok(false) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(io::Error::other(trust::explain(&error)));
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.connection.writer().write(bytes)?;
        self.push()?;
        if taken == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(taken)
    }

    /// Writes what was taken and is not in the socket yet; true when that is all of it.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        self.push()?;
        Ok(!self.connection.wants_write())
    }

    pub(super) fn want(&self, write: bool) -> Want {
        self.socket.want(true, write || self.connection.wants_write())
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The server's certificate.
    pub(super) fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.connection.peer_certificates().and_then(|chain| chain.first())
    }
}

/// Asks the server for TLS; false when it has none.
pub(super) async fn ask(socket: &Socket, pause: Pause<'_>) -> Result<bool, Refusal> {
    let lost = |error: io::Error| {
        Refusal::next(format!("could not negotiate SSL with server: {}", text_of(&error)))
    };
    let mut request = bytes::BytesMut::new();
    postgres_protocol::message::frontend::ssl_request(&mut request);
    let mut sent = 0;
    while let Some(rest) = request.get(sent..).filter(|rest| !rest.is_empty()) {
        match socket.write(rest) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                pause.until(socket.want(false, true)).await?;
            }
            Err(error) => return Err(lost(error)),
        }
    }
    loop {
        // One byte and not more: what follows belongs to TLS, or nobody has asked for it.
        let mut answer = [0];
        match socket.read(&mut answer) {
            Ok(0) => return Err(super::link::closed_unexpectedly().into()),
            Ok(_) => {
                return match answer[0] {
                    b'S' => Ok(true),
                    b'N' => Ok(false),
                    b'E' => Err(Refusal::next("server sent an error response during SSL exchange")),
                    other => Err(Refusal::last(format!(
                        "received invalid response to SSL negotiation: {}",
                        other.escape_ascii()
                    ))),
                };
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                pause.until(socket.want(true, false)).await?;
            }
            Err(error) => return Err(lost(error)),
        }
    }
}

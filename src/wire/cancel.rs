//! Cancel requests: a second connection to the very address that the first one uses, for one message.

use super::drive::{self, Pause};
use super::link::{Fill, Link, Transport};
use super::remote_error::WireError;
use super::socket::{Socket, text_of};
use super::tls::{self, Stream};
use super::trust::Plan;
use crate::pg::wait::{self, Wake};
use postgres_protocol::message::frontend;
use socket2::SockAddr;
use std::time::Instant;

/// Whom a session talks to.
pub(super) struct Peer {
    pub(super) address: SockAddr,
    /// How TLS is done, if it is.
    pub(super) plan: Option<Plan>,
}

/// Sends a cancel request and waits until the server has taken it: it closes the connection then, or says something, which
/// it should not. Interrupts are not raised.
pub(super) fn request(peer: &Peer, pid: i32, key: i32, deadline: Instant) -> Result<(), WireError> {
    let socket = Socket::open(&peer.address)?;
    let connected = socket.connect(&peer.address).map_err(|error| failed(&text_of(&error)))?;
    if !connected {
        if wait::wait_quietly(&[socket.want(false, true)], deadline) == Wake::Deadline {
            return Err(WireError::Deadline);
        }
        if let Ok(Some(error)) = socket.raw().take_error() {
            return Err(failed(&text_of(&error)));
        }
    }
    let transport = match &peer.plan {
        None => Transport::Plain(socket),
        Some(plan) => drive::run_quietly(|waiter| async move {
            let pause = Pause { waiter: &waiter, deadline: Some(deadline) };
            match tls::ask(&socket, pause).await {
                Ok(true) => Stream::start(socket, plan, pause)
                    .await
                    .map(|stream| Transport::Tls(Box::new(stream)))
                    .map_err(|refusal| failed(&refusal.text)),
                Ok(false) => Err(failed("the server does not offer SSL any more")),
                Err(refusal) => Err(failed(&refusal.text)),
            }
        })?,
    };
    let mut link = Link::new(transport);
    frontend::cancel_request(pid, key, &mut link.output);
    loop {
        link.flush()?;
        match link.fill() {
            Ok(Fill::End | Fill::Some | Fill::More | Fill::Held) | Err(_) => return Ok(()),
            Ok(Fill::Nothing) => {}
        }
        if wait::wait_quietly(&[link.want()], deadline) == Wake::Deadline {
            return Err(WireError::Deadline);
        }
    }
}

fn failed(text: &str) -> WireError {
    WireError::Broken(format!("could not send cancel request: {text}"))
}

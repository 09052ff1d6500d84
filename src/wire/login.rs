//! The start of a session on a connected link: startup packet, authentication, up to the first ReadyForQuery.

use super::auth::Authenticator;
use super::cancel::Peer;
use super::conninfo::{ConnInfo, Host};
use super::drive::Pause;
use super::engine::{Engine, Facts};
use super::link::{Fill, Link, closed_unexpectedly};
use super::message::Body;
use super::remote_error::{RemoteError, WireError};
use super::session::{Credentials, Session};
use crate::pg::text::wire_encoding;
use postgres_protocol::message::frontend;

/// Why an address did not work out.
pub(super) struct Refusal {
    pub(super) text: String,
    /// Other addresses need not be tried: the answer would be the same.
    pub(super) is_final: bool,
    /// The server's own error.
    pub(super) sqlstate: Option<String>,
    /// TLS itself failed.
    pub(super) in_tls: bool,
}

impl Refusal {
    /// The next address may do better.
    pub(super) fn next(text: impl Into<String>) -> Refusal {
        Refusal { text: text.into(), is_final: false, sqlstate: None, in_tls: false }
    }

    /// Trying on would not help.
    pub(super) fn last(text: impl Into<String>) -> Refusal {
        Refusal { text: text.into(), is_final: true, sqlstate: None, in_tls: false }
    }

    /// The handshake failed.
    pub(super) fn tls(text: String) -> Refusal {
        Refusal { text, is_final: true, sqlstate: None, in_tls: true }
    }

    /// Whether the other kind of connection (with or without TLS) may be let in.
    pub(super) fn is_about_encryption(&self) -> bool {
        // 28000: pg_hba.conf has no line, or a "reject", for this kind.
        self.in_tls || self.sqlstate.as_deref() == Some("28000")
    }

    /// The server has said no. Only "not now" (starting up, shutting down) lets other hosts be tried.
    fn remote(error: RemoteError) -> Refusal {
        let mut text = format!("{}:  {}", error.severity, error.message);
        for (label, line) in [("DETAIL", &error.detail), ("HINT", &error.hint)] {
            if let Some(line) = line {
                text.push_str(&format!("\n{label}:  {line}"));
            }
        }
        let is_final = error.sqlstate.as_deref() != Some("57P03");
        Refusal { text, is_final, sqlstate: error.sqlstate, in_tls: false }
    }
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Refusal {
        Refusal::next(error.to_string())
    }
}

/// A server that sends more before it is ready for a query means no good: while it sends, nobody looks at interrupts.
const MOST_MESSAGES: u32 = 1000;

/// Logs in.
pub(super) async fn log_in(
    info: &ConnInfo,
    host: &Host,
    mut link: Link,
    peer: Peer,
    pause: Pause<'_>,
) -> Result<Session, Refusal> {
    let mut parameters = vec![
        ("user", info.user.as_str()),
        ("database", &info.dbname),
        ("client_encoding", wire_encoding()),
    ];
    for (name, value) in [
        ("application_name", &info.application_name),
        ("options", &info.options),
        ("replication", &info.replication),
    ] {
        if let Some(value) = value {
            parameters.push((name, value));
        }
    }
    frontend::startup_message(parameters, &mut link.output)
        .map_err(|error| Refusal::last(error.to_string()))?;

    let password = info.password(host);
    let mut authenticator = Authenticator {
        user: &info.user,
        password: password.as_ref(),
        keys: info.scram_keys.as_ref(),
        tls: link.is_tls(),
        end_point: link.end_point(),
        channel_binding: info.channel_binding,
        require: info.require_auth.as_deref(),
        used_password: false,
        scram: None,
        finished: None,
        bound: false,
        answered: false,
    };
    let mut facts = Facts::default();
    let mut notices = Vec::new();
    let mut admitted = false;
    for count in 0.. {
        if count == MOST_MESSAGES {
            return Err(Refusal::last("the server does not come to the end of the log-in"));
        }
        let (tag, body) = next(&mut link, pause).await?;
        match tag {
            b'R' if !admitted => {
                let mut out = std::mem::take(&mut link.output);
                let step = authenticator.step(&body, &mut out);
                link.output = out;
                admitted = step.map_err(Refusal::last)?;
            }
            b'E' => {
                let error = RemoteError::parse(&body).ok_or_else(|| lost(tag))?;
                let mut refusal = Refusal::remote(error);
                if refusal.sqlstate.as_deref() == Some("28P01")
                    && let Some(file) = password.as_ref().and_then(|found| found.file.as_ref())
                {
                    let line = format!("\npassword retrieved from file \"{}\"", file.display());
                    refusal.text.push_str(&line);
                }
                return Err(refusal);
            }
            b'N' => notices.extend(RemoteError::parse(&body)),
            b'v' => {}
            b'S' if admitted => {
                let mut body = Body::new(&body);
                if let (Some(name), Some(value)) = (body.string(), body.string()) {
                    facts.parameters.insert(name, value);
                }
            }
            b'K' if admitted => {
                let mut body = Body::new(&body);
                let (Some(pid), Some(key)) = (body.i32(), body.i32()) else {
                    return Err(lost(tag));
                };
                facts.backend_pid = pid;
                facts.cancel_key = key;
            }
            b'Z' if admitted => break,
            _ => return Err(lost(tag)),
        }
    }
    let credentials = Credentials {
        used_password: authenticator.used_password,
        password_from_options: info.password_from_options,
    };
    let mut engine = Engine::new(link, facts);
    for notice in notices {
        engine.notice(notice);
    }
    Ok(Session::new(engine, peer, credentials))
}

/// The next message of the server.
async fn next(link: &mut Link, pause: Pause<'_>) -> Result<(u8, Vec<u8>), Refusal> {
    loop {
        if let Some((tag, at)) = link.input.next().map_err(WireError::from)? {
            return Ok((tag, link.input.body(at).to_vec()));
        }
        let written = link.flush();
        match link.fill()? {
            Fill::End => return Err(closed_unexpectedly().into()),
            Fill::Held | Fill::More | Fill::Some => continue,
            Fill::Nothing => {}
        }
        written?;
        pause.until(link.want()).await?;
    }
}

fn lost(tag: u8) -> Refusal {
    Refusal::last(format!(
        "expected authentication request from server, but received {}",
        tag.escape_ascii()
    ))
}

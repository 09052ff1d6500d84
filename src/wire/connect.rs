//! Opening a session: hosts and addresses one after the other, until one lets us in and is of the kind asked for.

use super::address::{identity, resolve, shuffle};
use super::cancel::Peer;
use super::conninfo::{ConnInfo, Host, SslMode, Surroundings, Target};
use super::link::{Link, Transport};
use super::login::{self, Refusal};
use super::remote_error::WireError;
use super::request::Request;
use super::session::Session;
use super::socket::{Socket, text_of};
use super::tls::{self, Stream};
use super::trust::Plan;
use crate::pg::fd::os_user;
use crate::pg::wait::{self, Wake, Want};
use socket2::{SockAddr, TcpKeepalive};
use std::path::Path;
use std::time::Instant;

/// Opens a session with libpq's keywords (`host`, `port`, `user`, ...); what is not given comes from the server
/// process's environment and libpq's defaults. Waits, and honours interrupts.
pub fn connect(options: &[(String, String)]) -> Result<Session, WireError> {
    let debian = "/var/run/postgresql";
    let around = Surroundings {
        env: &|name| std::env::var(name).ok(),
        os_user: os_user(),
        socket_dir: if Path::new(debian).is_dir() { debian } else { "/tmp" },
    };
    let info = ConnInfo::parse(options, &around).map_err(WireError::Connect)?;
    let mut order: Vec<usize> = (0..info.hosts.len()).collect();
    if info.shuffle {
        shuffle(&mut order);
    }
    let targets = match info.target {
        Target::PreferStandby => &[Target::Standby, Target::Any][..],
        ref target => std::slice::from_ref(target),
    };
    let mut failures: Vec<String> = Vec::new();
    for target in targets {
        for host in order.iter().filter_map(|index| info.hosts.get(*index)) {
            let mut addresses = match resolve(host) {
                Ok(addresses) => addresses,
                Err(text) => {
                    note(&mut failures, text);
                    continue;
                }
            };
            if info.shuffle {
                shuffle(&mut addresses);
            }
            for address in addresses {
                match attempt(&info, host, &address, *target) {
                    Ok(session) => return Ok(session),
                    Err(refusal) => {
                        let text = format!("{}{}", identity(host, &address), refusal.text);
                        note(&mut failures, text);
                        if refusal.is_final {
                            return Err(WireError::Connect(failures.join("\n")));
                        }
                    }
                }
            }
        }
    }
    Err(WireError::Connect(failures.join("\n")))
}

fn note(failures: &mut Vec<String>, text: String) {
    if !failures.contains(&text) {
        failures.push(text);
    }
}

/// How a wait during connecting is done: interruptible while connecting, not so while cancelling.
pub(super) type Pause<'a> = &'a mut dyn FnMut(Want) -> Result<(), Refusal>;

/// Whether a connection is under TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tls {
    Never,
    IfOffered,
    Always,
}

/// Tries one address, with and without TLS as `sslmode` says.
fn attempt(
    info: &ConnInfo,
    host: &Host,
    address: &SockAddr,
    target: Target,
) -> Result<Session, Refusal> {
    let ways = match info.tls.mode {
        _ if host.is_unix() => &[Tls::Never][..],
        SslMode::Disable => &[Tls::Never],
        SslMode::Allow => &[Tls::Never, Tls::Always],
        SslMode::Prefer => &[Tls::IfOffered, Tls::Never],
        _ => &[Tls::Always],
    };
    let deadline = info.connect_timeout.map(|timeout| Instant::now() + timeout);
    let mut first: Option<Refusal> = None;
    for way in ways {
        match attempt_once(info, host, address, *way, deadline) {
            Ok(session) => {
                check_target(&session, target, deadline)?;
                return Ok(session);
            }
            Err((mut refusal, under_tls)) => {
                if let Some(first) = &first {
                    let before = format!("{}\n{}", first.text, identity(host, address));
                    refusal.text.insert_str(0, &before);
                }
                // Only what was really tried without TLS need not be tried so again.
                let pointless = *way == Tls::IfOffered && !under_tls;
                if !refusal.is_about_encryption() || pointless {
                    return Err(refusal);
                }
                first = Some(refusal);
            }
        }
    }
    Err(first.unwrap_or_else(|| Refusal::last("no way to connect")))
}

/// Tries one address in one way. Err tells whether TLS was in use.
fn attempt_once(
    info: &ConnInfo,
    host: &Host,
    address: &SockAddr,
    way: Tls,
    deadline: Option<Instant>,
) -> Result<Session, (Refusal, bool)> {
    let plain = |refusal: Refusal| (refusal, false);
    let plan = if way == Tls::Never {
        None
    } else {
        Some(Plan::new(&info.tls, host).map_err(|text| (Refusal::tls(text), true))?)
    };
    let socket = open(info, address, deadline).map_err(plain)?;
    let mut pause = |want| await_socket(want, deadline);
    let mut peer = Peer { address: address.clone(), plan: None };
    let transport = match plan {
        Some(plan) if tls::ask(&socket, &mut pause).map_err(plain)? => {
            let stream =
                Stream::start(socket, &plan, &mut pause).map_err(|refusal| (refusal, true))?;
            peer.plan = Some(plan);
            Transport::Tls(Box::new(stream))
        }
        Some(_) if way == Tls::Always => {
            let text = "server does not support SSL, but SSL was required";
            return Err(plain(Refusal::last(text)));
        }
        _ => Transport::Plain(socket),
    };
    let under_tls = peer.plan.is_some();
    login::log_in(info, host, Link::new(transport), peer, deadline)
        .map_err(|refusal| (refusal, under_tls))
}

/// A connected socket.
fn open(info: &ConnInfo, address: &SockAddr, deadline: Option<Instant>) -> Result<Socket, Refusal> {
    let socket = Socket::open(address).map_err(|error| Refusal::last(error.to_string()))?;
    if !address.is_unix() {
        tune(info, &socket).map_err(|error| {
            Refusal::next(format!("could not set socket options: {}", text_of(&error)))
        })?;
    }
    let refused = |error: std::io::Error| {
        let hint = if address.is_unix() {
            "Is the server running locally and accepting connections on that socket?"
        } else {
            "Is the server running on that host and accepting TCP/IP connections?"
        };
        Refusal::next(format!("{}\n\t{hint}", text_of(&error)))
    };
    if !socket.connect(address).map_err(refused)? {
        await_socket(socket.want(false, true), deadline)?;
        if let Some(error) = socket.raw().take_error().unwrap_or_else(Some) {
            return Err(refused(error));
        }
    }
    Ok(socket)
}

fn tune(info: &ConnInfo, socket: &Socket) -> std::io::Result<()> {
    let raw = socket.raw();
    raw.set_tcp_nodelay(true)?;
    if info.tcp.keepalives {
        let mut keepalive = TcpKeepalive::new();
        if let Some(idle) = info.tcp.idle {
            keepalive = keepalive.with_time(idle);
        }
        if let Some(interval) = info.tcp.interval {
            keepalive = keepalive.with_interval(interval);
        }
        if let Some(count) = info.tcp.count {
            keepalive = keepalive.with_retries(count);
        }
        raw.set_tcp_keepalive(&keepalive)?;
    }
    #[cfg(target_os = "linux")]
    if info.tcp.user_timeout.is_some() {
        raw.set_tcp_user_timeout(info.tcp.user_timeout)?;
    }
    Ok(())
}

/// Waits for the socket; interrupts raise, the deadline refuses.
pub(super) fn await_socket(want: Want, deadline: Option<Instant>) -> Result<(), Refusal> {
    // The latch may have been set for another reason: the callers look again and come back.
    match wait::wait(&[want], deadline) {
        Wake::Event => Ok(()),
        Wake::Deadline => Err(Refusal::next("timeout expired")),
    }
}

/// Whether the server is of the kind that `target_session_attrs` asks for.
fn check_target(
    session: &Session,
    target: Target,
    deadline: Option<Instant>,
) -> Result<(), Refusal> {
    let shows_on = |sql: &str| -> Result<bool, Refusal> {
        let reply = session
            .submit(Request::Simple(sql))
            .and_then(|ticket| session.wait(ticket, deadline))
            .map_err(|error| Refusal::next(error.to_string()))?;
        Ok(matches!(reply.fields(0).next(), Some(Some(b"on" | b"t"))))
    };
    // Reported by PostgreSQL 14 and later.
    let reported = |name: &str| session.parameter(name).map(|value| value == "on");
    let read_only = || match (reported("default_transaction_read_only"), standby_reported(session))
    {
        (Some(read_only), Some(standby)) => Ok(read_only || standby),
        _ => shows_on("SHOW transaction_read_only"),
    };
    let standby = || match standby_reported(session) {
        Some(standby) => Ok(standby),
        None => shows_on("SELECT pg_catalog.pg_is_in_recovery()"),
    };
    match target {
        Target::ReadWrite if read_only()? => Err(Refusal::next("session is read-only")),
        Target::ReadOnly if !read_only()? => Err(Refusal::next("session is not read-only")),
        Target::Primary if standby()? => Err(Refusal::next("server is in hot standby mode")),
        Target::Standby if !standby()? => Err(Refusal::next("server is not in hot standby mode")),
        _ => Ok(()),
    }
}

fn standby_reported(session: &Session) -> Option<bool> {
    session.parameter("in_hot_standby").map(|value| value == "on")
}

//! Opening a session: hosts and addresses one after the other, until one lets us in and is of the kind asked for.

use super::address::{identity, resolve, shuffle};
use super::cancel::Peer;
use super::conninfo::{ConnInfo, Host, SslMode, Surroundings, Target};
use super::drive::{self, Pause, Waiter};
use super::link::{Link, Transport};
use super::login::{self, Refusal};
use super::remote_error::WireError;
use super::request::{Reply, Request};
use super::session::Session;
use super::socket::{Socket, text_of};
use super::tls::{self, Stream};
use super::trust::Plan;
use crate::pg::fd::os_user;
use socket2::{SockAddr, TcpKeepalive};
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

/// Keywords of libpq (`host`, `port`, `user`, ...) and their values.
pub type Options = Vec<(String, String)>;

/// Opens a session with libpq's keywords; what is not given comes from the server process's environment and libpq's
/// defaults. Waits, and honours interrupts.
pub fn connect(options: &[(String, String)]) -> Result<Session, WireError> {
    let mut outcome = Err(WireError::Broken("no connection was tried".to_owned()));
    drive::run_all(
        1,
        |_, waiter| establish(options, waiter),
        |_, result| {
            outcome = result;
            ControlFlow::Break(())
        },
    );
    outcome
}

/// Opens a session for each of `options`, all at the same time: it takes as long as the slowest. `done` gets each
/// outcome as it comes, with its place in `options`; Break abandons those that are still under way.
pub fn connect_all(
    options: &[Options],
    done: impl FnMut(usize, Result<Session, WireError>) -> ControlFlow<()>,
) {
    drive::run_all(options.len(), |index, waiter| establish(&options[index], waiter), done);
}

async fn establish(options: &[(String, String)], waiter: Rc<Waiter>) -> Result<Session, WireError> {
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
                match attempt(&info, host, &address, *target, &waiter).await {
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

/// Whether a connection is under TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tls {
    Never,
    IfOffered,
    Always,
}

/// Tries one address, with and without TLS as `sslmode` says.
async fn attempt(
    info: &ConnInfo,
    host: &Host,
    address: &SockAddr,
    target: Target,
    waiter: &Waiter,
) -> Result<Session, Refusal> {
    let ways = match info.tls.mode {
        _ if host.is_unix() => &[Tls::Never][..],
        SslMode::Disable => &[Tls::Never],
        SslMode::Allow => &[Tls::Never, Tls::Always],
        SslMode::Prefer => &[Tls::IfOffered, Tls::Never],
        _ => &[Tls::Always],
    };
    let deadline = info.connect_timeout.map(|timeout| Instant::now() + timeout);
    let pause = Pause { waiter, deadline };
    let mut first: Option<Refusal> = None;
    for way in ways {
        match attempt_once(info, host, address, *way, pause).await {
            Ok(session) => {
                check_target(&session, target, pause).await?;
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
async fn attempt_once(
    info: &ConnInfo,
    host: &Host,
    address: &SockAddr,
    way: Tls,
    pause: Pause<'_>,
) -> Result<Session, (Refusal, bool)> {
    let plain = |refusal: Refusal| (refusal, false);
    let plan = if way == Tls::Never {
        None
    } else {
        Some(Plan::new(&info.tls, host).map_err(|text| (Refusal::tls(text), true))?)
    };
    let socket = open(info, address, pause).await.map_err(plain)?;
    let mut peer = Peer { address: address.clone(), plan: None };
    let transport = match plan {
        Some(plan) if tls::ask(&socket, pause).await.map_err(plain)? => {
            let stream =
                Stream::start(socket, &plan, pause).await.map_err(|refusal| (refusal, true))?;
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
    login::log_in(info, host, Link::new(transport), peer, pause)
        .await
        .map_err(|refusal| (refusal, under_tls))
}

/// A connected socket.
async fn open(info: &ConnInfo, address: &SockAddr, pause: Pause<'_>) -> Result<Socket, Refusal> {
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
        pause.until(socket.want(false, true)).await?;
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

/// Whether the server is of the kind that `target_session_attrs` asks for.
async fn check_target(session: &Session, target: Target, pause: Pause<'_>) -> Result<(), Refusal> {
    // Reported by PostgreSQL 14 and later.
    let reported = |name: &str| session.parameter(name).map(|value| value == "on");
    let standby = reported("in_hot_standby");
    match target {
        Target::Any | Target::PreferStandby => Ok(()),
        Target::ReadWrite | Target::ReadOnly => {
            let read_only = match (reported("default_transaction_read_only"), standby) {
                (Some(read_only), Some(standby)) => read_only || standby,
                _ => shows_on(session, "SHOW transaction_read_only", pause).await?,
            };
            match (target, read_only) {
                (Target::ReadWrite, true) => Err(Refusal::next("session is read-only")),
                (Target::ReadOnly, false) => Err(Refusal::next("session is not read-only")),
                _ => Ok(()),
            }
        }
        Target::Primary | Target::Standby => {
            let standby = match standby {
                Some(standby) => standby,
                None => shows_on(session, "SELECT pg_catalog.pg_is_in_recovery()", pause).await?,
            };
            match (target, standby) {
                (Target::Primary, true) => Err(Refusal::next("server is in hot standby mode")),
                (Target::Standby, false) => Err(Refusal::next("server is not in hot standby mode")),
                _ => Ok(()),
            }
        }
    }
}

async fn shows_on(session: &Session, sql: &str, pause: Pause<'_>) -> Result<bool, Refusal> {
    let mut ticket = session.submit(Request::Simple(sql))?;
    let reply: Reply = loop {
        session.pump()?;
        match session.take(ticket) {
            Ok(outcome) => break outcome?,
            Err(again) => ticket = again,
        }
        pause.until(session.want()).await?;
    };
    Ok(matches!(reply.fields(0).next(), Some(Some(b"on" | b"t"))))
}

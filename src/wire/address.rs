//! From a host to the addresses to try, and how an address is called in messages.

use super::conninfo::Host;
use super::socket::text_of;
use socket2::SockAddr;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::ToSocketAddrs;

/// The addresses of `host`, in the resolver's order. Looking a name up blocks, and cannot be interrupted.
pub(super) fn resolve(host: &Host) -> Result<Vec<SockAddr>, String> {
    if host.is_unix() {
        let path = host.socket_path();
        // An abstract socket's name begins with a NUL byte.
        let name = match path.strip_prefix('@') {
            Some(rest) => format!("\0{rest}"),
            None => path.clone(),
        };
        return match SockAddr::unix(name) {
            Ok(address) => Ok(vec![address]),
            Err(_) => {
                Err(format!("Unix-domain socket path \"{path}\" is too long (maximum 107 bytes)"))
            }
        };
    }
    let (name, what) = match &host.hostaddr {
        Some(address) => (address.as_str(), "could not parse network address"),
        None => (host.host.as_str(), "could not translate host name"),
    };
    if host.hostaddr.is_some() && !name.contains(':') && name.parse::<std::net::Ipv4Addr>().is_err()
    {
        return Err(format!("{what} \"{name}\": Name or service not known"));
    }
    match (name, host.port).to_socket_addrs() {
        Ok(found) => {
            let found: Vec<SockAddr> = found.map(SockAddr::from).collect();
            if found.is_empty() {
                return Err(format!("{what} \"{name}\" to address: no address found"));
            }
            Ok(found)
        }
        Err(error) => {
            let text = text_of(&error);
            let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
            let to = if host.hostaddr.is_some() { "" } else { " to address" };
            Err(format!("{what} \"{name}\"{to}: {text}"))
        }
    }
}

/// "connection to server at "db1" (10.0.0.1), port 5432 failed: ", in libpq's words.
pub(super) fn identity(host: &Host, address: &SockAddr) -> String {
    if host.is_unix() {
        return format!("connection to server on socket \"{}\" failed: ", host.socket_path());
    }
    let name = host.name();
    let ip = address.as_socket().map(|address| address.ip().to_string());
    match ip {
        Some(ip) if ip != name => {
            format!("connection to server at \"{name}\" ({ip}), port {} failed: ", host.port)
        }
        _ => format!("connection to server at \"{name}\", port {} failed: ", host.port),
    }
}

/// Puts `items` into random order, for `load_balance_hosts`.
pub(super) fn shuffle<T>(items: &mut [T]) {
    for last in (1..items.len()).rev() {
        // std's hash keys are random for each RandomState: enough to spread connections.
        let random = RandomState::new().build_hasher().finish();
        items.swap(last, (random % (last as u64 + 1)) as usize);
    }
}

//! What to connect to and how: libpq's keywords, with its defaults from a service file, the environment and the
//! compiled-in values. Looks nothing up on the network.
#![forbid(unsafe_code)]

mod keywords;
mod passfile;
mod service;

use super::scram_keys::Keys;
use keywords::Given;
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// Where libpq looks besides the keywords themselves.
pub(super) struct Surroundings<'a> {
    /// An environment variable.
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    /// The operating system's name of the user that the server runs as.
    pub(super) os_user: Option<String>,
    /// The directory of Unix-domain sockets when no host is given.
    pub(super) socket_dir: &'a str,
}

/// One of the hosts to try.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// A name, an address or a directory of Unix-domain sockets; empty if only `hostaddr` was given.
    pub(super) host: String,
    /// The address to use instead of looking up the name.
    pub(super) hostaddr: Option<String>,
    pub(super) port: u16,
}

impl Host {
    /// Whether it is a Unix-domain socket.
    pub(super) fn is_unix(&self) -> bool {
        self.hostaddr.is_none() && (self.host.starts_with('/') || self.host.starts_with('@'))
    }

    /// The socket's path.
    pub(super) fn socket_path(&self) -> String {
        format!("{}/.s.PGSQL.{}", self.host, self.port)
    }

    /// How the host is called in messages: its name, else its address.
    pub(super) fn name(&self) -> &str {
        if self.host.is_empty() { self.hostaddr.as_deref().unwrap_or("") } else { &self.host }
    }
}

/// `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
#[allow(missing_docs)]
pub(super) enum SslMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// `channel_binding` and `sslcertmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(super) enum Wish {
    Disable,
    Prefer,
    Require,
}

/// `target_session_attrs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(super) enum Target {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

/// A TLS version bound; what is older than 1.2 is not spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
#[allow(missing_docs)]
pub(super) enum TlsVersion {
    Old,
    V12,
    V13,
}

/// Everything about TLS.
#[derive(Debug)]
pub(super) struct TlsOptions {
    pub(super) mode: SslMode,
    /// `sslrootcert`: a file, or "system".
    pub(super) root: Option<String>,
    pub(super) cert: Option<String>,
    pub(super) key: Option<String>,
    pub(super) key_password: bool,
    pub(super) crl: Option<String>,
    pub(super) cert_mode: Wish,
    pub(super) sni: bool,
    pub(super) min: TlsVersion,
    pub(super) max: Option<TlsVersion>,
    /// `~/.postgresql`, if there is a home.
    pub(super) directory: Option<PathBuf>,
}

/// TCP options.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TcpOptions {
    pub(super) keepalives: bool,
    pub(super) idle: Option<Duration>,
    pub(super) interval: Option<Duration>,
    pub(super) count: Option<u32>,
    pub(super) user_timeout: Option<Duration>,
}

/// A connection's parameters, complete. Not `Debug`: it holds the password.
pub(super) struct ConnInfo {
    pub(super) hosts: Vec<Host>,
    pub(super) dbname: String,
    pub(super) user: String,
    password: Option<Zeroizing<String>>,
    /// The password was among the options given, not in the environment.
    pub(super) password_from_options: bool,
    /// Keys to log in with by SCRAM, and by nothing else.
    pub(super) scram_keys: Option<Keys>,
    passfile: Option<PathBuf>,
    socket_dir: String,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) tcp: TcpOptions,
    pub(super) options: Option<String>,
    pub(super) application_name: Option<String>,
    pub(super) replication: Option<String>,
    pub(super) tls: TlsOptions,
    pub(super) channel_binding: Wish,
    pub(super) require_auth: Option<String>,
    pub(super) target: Target,
    pub(super) shuffle: bool,
}

/// The password for one host.
pub(super) struct Password {
    pub(super) text: Zeroizing<String>,
    /// The file it was found in.
    pub(super) file: Option<PathBuf>,
}

impl ConnInfo {
    /// Completes the keywords `options`. Err is the message.
    pub(super) fn parse(
        options: &[(String, String)],
        around: &Surroundings<'_>,
    ) -> Result<ConnInfo, String> {
        let mut given = Given::collect(options, around.env)?;
        let scram_keys = scram_keys(&mut given)?;
        let password_from_options =
            given.was_explicit(if scram_keys.is_some() { "scram_client_key" } else { "password" });
        let home = (around.env)("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let hosts = hosts(&given, around.socket_dir)?;
        let user = given
            .take("user")
            .or_else(|| around.os_user.clone())
            .ok_or("no user name is known for the connection")?;
        let dbname = given.take("dbname").unwrap_or_else(|| user.clone());
        if !matches!(given.take("gssencmode").as_deref(), None | Some("disable" | "prefer")) {
            return Err(
                "gssencmode \"require\" is not supported: there is no GSSAPI encryption".into()
            );
        }
        let directory = home.as_ref().map(|home| home.join(".postgresql"));
        Ok(ConnInfo {
            hosts,
            dbname,
            user,
            password_from_options,
            scram_keys,
            password: given.take("password").map(Zeroizing::new),
            passfile: given
                .take("passfile")
                .map(PathBuf::from)
                .or_else(|| home.as_ref().map(|home| home.join(".pgpass"))),
            socket_dir: around.socket_dir.to_owned(),
            connect_timeout: given
                .integer("connect_timeout")?
                .and_then(|seconds| u64::try_from(seconds).ok())
                .filter(|seconds| *seconds > 0)
                .map(|seconds| Duration::from_secs(seconds.max(2))),
            tcp: tcp(&mut given)?,
            options: given.take("options"),
            application_name: given
                .take("application_name")
                .or_else(|| given.take("fallback_application_name")),
            replication: given.take("replication"),
            tls: tls(&mut given, directory)?,
            channel_binding: wish(&mut given, "channel_binding", "prefer")?,
            require_auth: given.take("require_auth"),
            target: target(&mut given)?,
            shuffle: match given.take("load_balance_hosts").as_deref() {
                None | Some("disable") => false,
                Some("random") => true,
                Some(other) => return Err(invalid("load_balance_hosts", other)),
            },
        })
    }

    /// The password to use at `host`: the one given, else what the password file has for it.
    pub(super) fn password(&self, host: &Host) -> Option<Password> {
        if let Some(text) = &self.password {
            return Some(Password { text: text.clone(), file: None });
        }
        let name = if host.name() == self.socket_dir { "localhost" } else { host.name() };
        let file = self.passfile.as_ref()?;
        let text = passfile::look_up(file, name, host.port, &self.dbname, &self.user)?;
        Some(Password { text, file: Some(file.clone()) })
    }
}

fn scram_keys(given: &mut Given) -> Result<Option<Keys>, String> {
    match (given.take("scram_client_key"), given.take("scram_server_key")) {
        (None, None) => Ok(None),
        (Some(client), Some(server)) => {
            Keys::parse(&Zeroizing::new(client), &Zeroizing::new(server)).map(Some)
        }
        _ => Err("scram_client_key and scram_server_key go together".to_owned()),
    }
}

fn invalid(keyword: &str, value: &str) -> String {
    format!("invalid {keyword} value: \"{value}\"")
}

fn hosts(given: &Given, socket_dir: &str) -> Result<Vec<Host>, String> {
    let split = |keyword: &str| -> Vec<String> {
        given
            .get(keyword)
            .map_or_else(Vec::new, |list| list.split(',').map(str::to_owned).collect())
    };
    let (names, addresses, ports) = (split("host"), split("hostaddr"), split("port"));
    let count = if addresses.is_empty() { names.len().max(1) } else { addresses.len() };
    if !addresses.is_empty() && !names.is_empty() && names.len() != count {
        return Err(format!(
            "could not match {} host names to {count} hostaddr values",
            names.len()
        ));
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(format!("could not match {} port numbers to {count} hosts", ports.len()));
    }
    let mut hosts = Vec::with_capacity(count);
    for index in 0..count {
        let hostaddr = addresses.get(index).filter(|text| !text.is_empty()).cloned();
        let mut host = names.get(index).cloned().unwrap_or_default();
        if host.is_empty() && hostaddr.is_none() {
            socket_dir.clone_into(&mut host);
        }
        let port =
            ports.get(if ports.len() == 1 { 0 } else { index }).map_or("", |port| port.trim());
        let port = match port {
            "" => 5432,
            text => match text.parse::<u16>() {
                Ok(port) if port > 0 => port,
                _ => return Err(format!("invalid port number: \"{text}\"")),
            },
        };
        hosts.push(Host { host, hostaddr, port });
    }
    Ok(hosts)
}

fn tcp(given: &mut Given) -> Result<TcpOptions, String> {
    let mut positive = |keyword: &str| -> Result<Option<u32>, String> {
        Ok(given.integer(keyword)?.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0))
    };
    let seconds = |n: Option<u32>| n.map(|n| Duration::from_secs(u64::from(n)));
    Ok(TcpOptions {
        idle: seconds(positive("keepalives_idle")?),
        interval: seconds(positive("keepalives_interval")?),
        count: positive("keepalives_count")?,
        user_timeout: positive("tcp_user_timeout")?.map(|ms| Duration::from_millis(u64::from(ms))),
        keepalives: given.integer("keepalives")?.is_none_or(|on| on != 0),
    })
}

fn tls(given: &mut Given, directory: Option<PathBuf>) -> Result<TlsOptions, String> {
    let root = given.take("sslrootcert");
    let system = root.as_deref() == Some("system");
    let mode = match given.take("sslmode").as_deref() {
        None if system => SslMode::VerifyFull,
        None | Some("prefer") => SslMode::Prefer,
        Some("disable") => SslMode::Disable,
        Some("allow") => SslMode::Allow,
        Some("require") => SslMode::Require,
        Some("verify-ca") => SslMode::VerifyCa,
        Some("verify-full") => SslMode::VerifyFull,
        Some(other) => return Err(invalid("sslmode", other)),
    };
    if system && mode != SslMode::VerifyFull {
        return Err(
            "weak sslmode may not be used with sslrootcert=system (use \"verify-full\")".into()
        );
    }
    let min = version(given, "ssl_min_protocol_version")?.unwrap_or(TlsVersion::V12);
    let max = version(given, "ssl_max_protocol_version")?;
    if max.is_some_and(|max| max < min) {
        return Err("invalid SSL protocol version range".into());
    }
    Ok(TlsOptions {
        mode,
        root,
        cert: given.take("sslcert"),
        key: given.take("sslkey"),
        key_password: given.take("sslpassword").map(Zeroizing::new).is_some(),
        crl: given.take("sslcrl"),
        cert_mode: wish(given, "sslcertmode", "allow")?,
        sni: given.take("sslsni").is_none_or(|on| on != "0"),
        min,
        max,
        directory,
    })
}

fn version(given: &mut Given, keyword: &str) -> Result<Option<TlsVersion>, String> {
    let Some(text) = given.take(keyword) else { return Ok(None) };
    match text.to_ascii_lowercase().as_str() {
        "tlsv1" | "tlsv1.1" => Ok(Some(TlsVersion::Old)),
        "tlsv1.2" => Ok(Some(TlsVersion::V12)),
        "tlsv1.3" => Ok(Some(TlsVersion::V13)),
        _ => Err(invalid(keyword, &text)),
    }
}

fn wish(given: &mut Given, keyword: &str, default: &str) -> Result<Wish, String> {
    match given.take(keyword).as_deref() {
        None => Ok(Wish::Prefer),
        Some("disable") => Ok(Wish::Disable),
        Some("require") => Ok(Wish::Require),
        Some(text) if text == default => Ok(Wish::Prefer),
        Some(other) => Err(invalid(keyword, other)),
    }
}

fn target(given: &mut Given) -> Result<Target, String> {
    match given.take("target_session_attrs").as_deref() {
        None | Some("any") => Ok(Target::Any),
        Some("read-write") => Ok(Target::ReadWrite),
        Some("read-only") => Ok(Target::ReadOnly),
        Some("primary") => Ok(Target::Primary),
        Some("standby") => Ok(Target::Standby),
        Some("prefer-standby") => Ok(Target::PreferStandby),
        Some(other) => Err(invalid("target_session_attrs", other)),
    }
}

#[cfg(test)]
mod tests;

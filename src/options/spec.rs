//! The table of every option: its name, the objects it may sit on, its type, default and meaning.
//!
//! Connection keywords are libpq's up to PostgreSQL 18, without those that postgres_fdw keeps to itself
//! (client_encoding, fallback_application_name, replication, OAuth and debug keywords). Their values are looked
//! at when connecting, as libpq does; all others are checked by CREATE and ALTER.
#![forbid(unsafe_code)]

use super::error::OptionError;

/// What an option can be set on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Object {
    Wrapper,
    Server,
    Mapping,
    Table,
    Column,
}

impl Object {
    /// What users call it.
    fn name(self) -> &'static str {
        match self {
            Object::Wrapper => "foreign-data wrapper",
            Object::Server => "server",
            Object::Mapping => "user mapping",
            Object::Table => "foreign table",
            Object::Column => "column",
        }
    }
}

/// How an option's value is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Any text.
    Text,
    /// true, false, on or off.
    Boolean,
    /// An integer greater than zero.
    Positive,
    /// A number not below zero.
    Cost,
    /// Names of extensions, separated by commas.
    Extensions,
    /// Names of schemas, separated by commas.
    Schemas,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// Where it may be set; the first object is the usual one.
    pub on: &'static [Object],
    /// Type of its value.
    pub kind: Kind,
    /// Whether it goes to the connection as it is.
    pub connection: bool,
    /// The value that counts when it is not set; empty = none.
    pub default: &'static str,
    /// What it does.
    pub doc: &'static str,
}

/// Words of `analyze_sampling`.
pub const SAMPLING: &[&str] = &["off", "auto", "random", "system", "bernoulli"];

use Object::{Column, Mapping, Server, Table};

const fn own(
    name: &'static str,
    on: &'static [Object],
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Spec {
    Spec { name, on, kind, connection: false, default, doc }
}

const fn libpq(
    name: &'static str,
    on: &'static [Object],
    default: &'static str,
    doc: &'static str,
) -> Spec {
    Spec { name, on, kind: Kind::Text, connection: true, default, doc }
}

/// All options.
#[rustfmt::skip]
pub const OPTIONS: &[Spec] = &[
    // Who and where.
    libpq("host", &[Server], "", "host names or socket directories, separated by commas"),
    libpq("hostaddr", &[Server], "", "IP addresses, used instead of resolving host"),
    libpq("port", &[Server], "5432", "ports, one for all hosts or one each"),
    libpq("dbname", &[Server], "the user's name", "database"),
    libpq("user", &[Mapping], "", "user name on the server"),
    libpq("password", &[Mapping], "", "password on the server"),
    own("password_required", &[Mapping], Kind::Boolean, "true", "users other than superusers must have a password in the mapping, and the server must ask for it; only a superuser may set it to false"),
    Spec { connection: true, ..own("use_scram_passthrough", &[Server, Mapping], Kind::Boolean, "false", "log in by the keys of the client's own SCRAM log-in, not by a password; true is refused before PostgreSQL 18") },
    libpq("passfile", &[Server], "~/.pgpass", "password file; of use to those who may log in without a password in the user mapping"),
    libpq("service", &[Server], "", "entry of the service file"),
    libpq("target_session_attrs", &[Server], "any", "which of several hosts is wanted: any, read-write, read-only, primary, standby, prefer-standby"),
    libpq("load_balance_hosts", &[Server], "disable", "order in which several hosts are tried: disable, random"),
    libpq("connect_timeout", &[Server], "0", "seconds to wait for each host, 0 = no limit"),
    libpq("application_name", &[Server], "", "application name on the server; may hold the escapes of shard_fdw.application_name"),
    libpq("options", &[Server], "", "command-line options for the remote backend"),
    libpq("require_auth", &[Server], "", "authentication methods that are acceptable"),
    libpq("channel_binding", &[Server], "prefer", "channel binding: disable, prefer, require"),
    libpq("requirepeer", &[Server], "", "not supported: connecting fails when it is set"),
    libpq("min_protocol_version", &[Server], "", "accepted and ignored: protocol 3.0 is spoken"),
    libpq("max_protocol_version", &[Server], "", "accepted and ignored: protocol 3.0 is spoken"),
    // Keeping the connection.
    libpq("keepalives", &[Server], "1", "TCP keepalives, 0 = off"),
    libpq("keepalives_idle", &[Server], "0", "seconds of silence before the first keepalive, 0 = system's"),
    libpq("keepalives_interval", &[Server], "0", "seconds between keepalives, 0 = system's"),
    libpq("keepalives_count", &[Server], "0", "lost keepalives before giving up, 0 = system's"),
    libpq("tcp_user_timeout", &[Server], "0", "milliseconds that sent data may stay unacknowledged, 0 = system's"),
    // TLS.
    libpq("sslmode", &[Server], "prefer", "disable, allow, prefer, require, verify-ca, verify-full"),
    libpq("sslnegotiation", &[Server], "postgres", "postgres; with direct, connecting fails"),
    libpq("sslcompression", &[Server], "0", "accepted and ignored: there is no TLS compression"),
    libpq("sslcert", &[Server, Mapping], "", "client certificate file; on user mappings for superusers only"),
    libpq("sslkey", &[Server, Mapping], "", "client key file; on user mappings for superusers only"),
    libpq("sslcertmode", &[Server], "allow", "whether to send a client certificate: disable, allow, require"),
    libpq("sslpassword", &[Mapping], "", "accepted; encrypted client keys are not supported"),
    libpq("sslrootcert", &[Server], "", "file of trusted certificate authorities, or system"),
    libpq("sslcrl", &[Server], "", "certificate revocation list file"),
    libpq("sslcrldir", &[Server], "", "not supported: connecting fails when it is set"),
    libpq("sslsni", &[Server], "1", "tell the server its name when TLS starts, 0 = do not"),
    libpq("ssl_min_protocol_version", &[Server], "TLSv1.2", "lowest TLS version"),
    libpq("ssl_max_protocol_version", &[Server], "", "highest TLS version"),
    // GSSAPI.
    libpq("gssencmode", &[Server], "disable", "disable or prefer, which mean the same; with require, connecting fails"),
    libpq("krbsrvname", &[Server], "postgres", "accepted and ignored"),
    libpq("gsslib", &[Server], "", "accepted and ignored"),
    libpq("gssdelegation", &[Server], "0", "accepted and ignored"),
    // Names.
    own("schema_name", &[Table], Kind::Text, "the local schema", "schema of the remote table"),
    own("table_name", &[Table], Kind::Text, "the local name", "name of the remote table"),
    own("column_name", &[Column], Kind::Text, "the local name", "name of the remote column"),
    // Costs.
    own("use_remote_estimate", &[Server, Table], Kind::Boolean, "false", "ask the server (EXPLAIN) for cost estimates"),
    own("fdw_startup_cost", &[Server], Kind::Cost, "100", "cost of starting a remote query"),
    own("fdw_tuple_cost", &[Server], Kind::Cost, "0.2", "cost of fetching a row"),
    own("search_path", &[Server], Kind::Schemas, "pg_catalog alone", "schemas, separated by commas, in which functions of the server's triggers, views and defaults find what they name without a schema; pg_catalog always comes first"),
    own("analyze_sampling", &[Server, Table], Kind::Choice(SAMPLING), "auto", "how ANALYZE takes its sample: off, auto, random, system, bernoulli"),
    // Execution.
    own("extensions", &[Server], Kind::Extensions, "", "extensions, installed on both sides in compatible versions, whose functions and operators may be sent"),
    own("fetch_size", &[Server, Table], Kind::Positive, "adaptive", "rows to fetch at a time"),
    own("batch_size", &[Server, Table], Kind::Positive, "1000", "rows to insert at a time"),
    own("collation_compatible", &[Server], Kind::Boolean, "found out", "whether the server's default collation orders text as that of this database"),
    own("async_capable", &[Server, Table], Kind::Boolean, "true", "scan several foreign tables at the same time"),
    own("updatable", &[Server, Table], Kind::Boolean, "true", "allow INSERT, UPDATE and DELETE"),
    own("truncatable", &[Server, Table], Kind::Boolean, "true", "allow TRUNCATE"),
    own("parallel_commit", &[Server], Kind::Boolean, "true", "commit on all servers at the same time"),
    own("parallel_abort", &[Server], Kind::Boolean, "true", "abort on all servers at the same time"),
    own("keep_connections", &[Server], Kind::Boolean, "true", "keep the connection for later transactions"),
];

/// The option `name` of `object`, if there is one.
pub fn find(name: &str, object: Object) -> Option<&'static Spec> {
    OPTIONS.iter().find(|spec| spec.name == name && spec.on.contains(&object))
}

/// The option `name` of `object`, or an error that names the one that was probably meant.
pub fn require(name: &str, object: Object) -> Result<&'static Spec, OptionError> {
    find(name, object).ok_or_else(|| {
        let candidates =
            OPTIONS.iter().filter(|spec| spec.on.contains(&object)).map(|spec| spec.name);
        let hint = elsewhere(name).or_else(|| hint(name, candidates));
        OptionError::UnknownName { name: name.to_owned(), hint }
    })
}

/// HINT for an option that was set on the wrong object.
fn elsewhere(name: &str) -> Option<String> {
    let spec = OPTIONS.iter().find(|spec| spec.name == name)?;
    let objects: Vec<&str> = spec.on.iter().map(|object| object.name()).collect();
    Some(format!("The option \"{name}\" belongs to a {}.", objects.join(" or a ")))
}

/// HINT for an unknown name. The nearest candidate counts when it is at most four edits away and no more than
/// half the letters are wrong, as PostgreSQL's own ClosestMatch has it.
pub fn hint<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut any = false;
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        any = true;
        let distance = strsim::levenshtein(name, candidate);
        if distance <= 4
            && distance <= name.len() / 2
            && best.is_none_or(|(least, _)| distance < least)
        {
            best = Some((distance, candidate));
        }
    }
    match best {
        Some((_, nearest)) => Some(format!("Perhaps you meant the option \"{nearest}\".")),
        None if any => None,
        None => Some("There are no valid options in this context.".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint_for(name: &str, object: Object) -> Option<String> {
        match require(name, object) {
            Err(OptionError::UnknownName { hint, .. }) => hint,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_are_unique_and_have_a_place() {
        for (n, spec) in OPTIONS.iter().enumerate() {
            assert!(!spec.on.is_empty(), "{}", spec.name);
            assert!(!spec.doc.is_empty(), "{}", spec.name);
            assert!(OPTIONS[..n].iter().all(|other| other.name != spec.name), "{}", spec.name);
        }
    }

    #[test]
    fn objects() {
        assert!(find("user", Object::Server).is_none());
        assert!(find("password", Object::Server).is_none());
        assert!(find("user", Object::Mapping).is_some());
        assert!(find("sslcert", Object::Server).is_some());
        assert!(find("sslcert", Object::Mapping).is_some());
        assert!(find("fetch_size", Object::Table).is_some());
        assert!(find("fdw_startup_cost", Object::Table).is_none());
        for hidden in ["client_encoding", "fallback_application_name", "replication"] {
            assert!(find(hidden, Object::Server).is_none());
        }
    }

    #[test]
    fn every_option_is_documented() {
        let doc = include_str!("../../docs/10_options.md");
        for spec in OPTIONS {
            let name = format!("`{}`", spec.name);
            assert!(doc.lines().any(|l| l.starts_with('|') && l.contains(&name)), "{name}");
        }
    }

    #[test]
    fn nearest_names() {
        let perhaps = |name: &str| Some(format!("Perhaps you meant the option \"{name}\"."));
        assert_eq!(hint_for("usr", Object::Mapping), perhaps("user"));
        assert_eq!(hint_for("fetchsize", Object::Table), perhaps("fetch_size"));
        assert_eq!(hint_for("dbnam", Object::Server), perhaps("dbname"));
        assert_eq!(hint_for("frobnicate", Object::Server), None);
        assert_eq!(
            hint_for("user", Object::Server).as_deref(),
            Some("The option \"user\" belongs to a user mapping.")
        );
        assert_eq!(
            hint_for("fetch_size", Object::Column).as_deref(),
            Some("The option \"fetch_size\" belongs to a server or a foreign table.")
        );
        assert_eq!(
            hint_for("anything", Object::Wrapper).as_deref(),
            Some("There are no valid options in this context.")
        );
    }
}

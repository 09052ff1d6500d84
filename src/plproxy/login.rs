//! Who connects to a cluster's partitions, and with which keywords.
//!
//! A `user=` in the connection string counts as it is. Else a foreign server's user mapping says, and without
//! one (function clusters, CONNECT) the current user's name is taken: inside a SECURITY DEFINER function that is
//! its owner.

use super::cluster::{Cluster, Origin};
use super::config::DefaultUser;
use super::conninfo::{self, Keywords};
use super::pool::Pooled;
use crate::error::{Failure, SqlState};
use crate::pg::{catalog, compat, invalidate, text};
use pgrx::pg_sys::SysCacheIdentifier as Cache;
use pgrx::pg_sys::{self, Oid};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// How to reach one partition.
pub struct Login {
    /// Equal keys can share a connection. May hold a password: never shown.
    pub key: String,
    pub keywords: Keywords,
    /// The database's name, for messages.
    pub database: Rc<str>,
    /// The connection takes part in callers' transactions.
    pub transactional: bool,
    /// The connection that the pool had for it last.
    pub pooled: RefCell<Weak<Pooled>>,
}

/// The logins of so many users are kept.
const MOST_USERS: usize = 16;

/// One user's logins, by connection string.
type OfNodes = Vec<Option<Rc<Login>>>;

/// The logins of one cluster, by user and connection string.
#[derive(Default)]
pub struct Logins {
    /// By user; a session has few of them.
    known: RefCell<Vec<(Oid, OfNodes)>>,
    as_of: Cell<u64>,
}

thread_local! {
    static CHANGES: Cell<u64> = const { Cell::new(0) };
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

/// The user whose rights and mapping count for a call now.
pub fn user_of(cluster: &Cluster) -> Oid {
    match cluster.config.default_user {
        DefaultUser::Current => catalog::current_user(),
        // SAFETY: reads a backend global.
        DefaultUser::Session => unsafe { pg_sys::GetSessionUserId() },
    }
}

/// An error unless `user` may use the cluster.
pub fn check_usage(cluster: &Cluster, user: Oid) -> Result<(), Failure> {
    let Origin::Server(server) = cluster.origin else { return Ok(()) };
    if compat::may_use_server(server, user) {
        return Ok(());
    }
    Err(Failure::new(
        SqlState::INSUFFICIENT_PRIVILEGE,
        format!("permission denied for foreign server {}", cluster.name),
    ))
}

/// The login of `user` at the connection string `node`.
pub fn of(cluster: &Cluster, node: usize, user: Oid) -> Result<Rc<Login>, Failure> {
    listen();
    let logins = &cluster.logins;
    if logins.as_of.get() != CHANGES.get() {
        logins.known.borrow_mut().clear();
        logins.as_of.set(CHANGES.get());
    }
    let known = logins.known.borrow();
    let of_user = known.iter().find(|(owner, _)| *owner == user).map(|(_, nodes)| nodes);
    if let Some(Some(login)) = of_user.and_then(|nodes| nodes.get(node)) {
        return Ok(login.clone());
    }
    drop(known);
    let login = Rc::new(make(cluster, node, user)?);
    let mut known = logins.known.borrow_mut();
    if known.iter().all(|(owner, _)| *owner != user) {
        if known.len() >= MOST_USERS {
            known.clear();
        }
        known.push((user, vec![None; cluster.nodes.len()]));
    }
    let of_user = known.iter_mut().find(|(owner, _)| *owner == user);
    if let Some(slot) = of_user.and_then(|(_, nodes)| nodes.get_mut(node)) {
        *slot = Some(login.clone());
    }
    Ok(login)
}

fn listen() {
    if LISTENING.replace(true) {
        return;
    }
    for cache in [Cache::USERMAPPINGOID, Cache::AUTHOID] {
        invalidate::on_syscache(cache, |_| CHANGES.set(CHANGES.get() + 1));
    }
}

fn make(cluster: &Cluster, node: usize, user: Oid) -> Result<Login, Failure> {
    let name = || catalog::user_name(user).unwrap_or_else(|| user.to_u32().to_string());
    let mut keywords = cluster.nodes[node].keywords.clone();
    let own_user = conninfo::get(&keywords, "user").map(str::to_owned);
    let (mut mapped_user, mut password) = (None, None);
    if let Origin::Server(server) = cluster.origin {
        let Some(mapping) = catalog::user_mapping(server, user) else {
            return Err(Failure::new(
                SqlState::UNDEFINED_OBJECT,
                format!(
                    "user mapping not found for user \"{}\", server \"{}\"",
                    name(),
                    cluster.name
                ),
            ));
        };
        for (option, value) in mapping.options {
            match option.to_ascii_lowercase().as_str() {
                "user" => mapped_user = Some(value),
                _ => password = Some(value),
            }
        }
    }
    // A password belongs to the user it was given for.
    let fits = own_user.is_none() || mapped_user.is_none() || own_user == mapped_user;
    if let Some(password) = password.filter(|_| fits)
        && conninfo::get(&keywords, "password").is_none()
    {
        keywords.push(("password".to_owned(), password));
    }
    let login_user = own_user.clone().or(mapped_user).unwrap_or_else(name);
    if own_user.is_none() {
        keywords.push(("user".to_owned(), login_user.clone()));
    }
    if let Some(timeout) = cluster.config.connect_timeout
        && conninfo::get(&keywords, "connect_timeout").is_none()
    {
        keywords.push(("connect_timeout".to_owned(), timeout.as_secs().to_string()));
    }
    keywords.retain(|(key, _)| key != "client_encoding");
    keywords.push(("client_encoding".to_owned(), text::wire_encoding().to_owned()));
    let database =
        conninfo::get(&keywords, "dbname").filter(|name| !name.is_empty()).unwrap_or(&login_user);
    let database: Rc<str> = database.into();
    let mut key = match cluster.config.transactional {
        // A connection that takes part in transactions is no other cluster's.
        true => format!("transaction;{};", cluster.server().to_u32()),
        false => String::new(),
    };
    for (keyword, value) in &keywords {
        // Lengths keep apart what only looks alike.
        key.push_str(&format!("{keyword}={}:{value};", value.len()));
    }
    let transactional = cluster.config.transactional;
    Ok(Login { key, keywords, database, transactional, pooled: RefCell::default() })
}

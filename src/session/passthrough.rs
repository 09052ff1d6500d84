//! SCRAM pass-through: may the keys of the client's own log-in be used for a server?
//!
//! Whoever runs a server that is logged in to can hand the exchange on to another one that keeps the same secret, this
//! coordinator for instance, and be let in there in the client's name; only a bound channel (TLS) prevents that. So keys
//! are used for the user who has logged in here and for nobody he has become since (a view's owner, SET ROLE), and a
//! server of another user who is no superuser must bind the channel.
#![forbid(unsafe_code)]

use super::keywords;
use crate::options::load::{Mapping, Server};
use crate::pg::{catalog, compat};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pgrx::pg_sys::Oid;

/// The client's keys, to be used instead of a password.
pub struct Pass {
    keys: ([u8; 32], [u8; 32]),
    bound: bool,
}

/// The keys for `user` to log in to `server` with `mapping`, if that is asked for and can be.
pub fn of(user: Oid, server: &Server, mapping: &Mapping) -> Option<Pass> {
    if !keywords::passes_scram(&server.connect, &mapping.connect)
        || user != catalog::authenticated_user()
    {
        return None;
    }
    let keys = compat::scram_keys()?;
    let owner = catalog::server_owner(server.oid)?;
    Some(Pass { keys, bound: owner != user && !catalog::is_superuser(owner) })
}

impl Pass {
    /// Puts the keys in the place of the password.
    pub fn put(&self, keywords: &mut Vec<(String, String)>) {
        keywords
            .retain(|(name, _)| name != "password" && !(self.bound && name == "channel_binding"));
        if self.bound {
            keywords.push(("channel_binding".to_owned(), "require".to_owned()));
        }
        for (name, key) in [("scram_client_key", self.keys.0), ("scram_server_key", self.keys.1)] {
            keywords.push((name.to_owned(), STANDARD.encode(key)));
        }
    }
}

//! Making a new connection.

use super::keywords;
use super::security::Login;
use super::setup;
use crate::error::{Failure, SqlState};
use crate::options::appname::{self, Values};
use crate::options::load::{Mapping, Server};
use crate::pg::{catalog, text};
use crate::settings;
use crate::wire::{self, Session};
use pgrx::pg_sys::Oid;

/// How `user` logs in with `mapping`.
pub fn login(user: Oid, mapping: &Mapping) -> Login {
    Login {
        superuser: catalog::is_superuser(user),
        password_required: mapping.password_required,
        has_password: mapping
            .connect
            .iter()
            .any(|(name, value)| name == "password" && !value.is_empty()),
    }
}

/// A new session on `server`, logged in, its settings queued; and whether the mapping's password was asked for.
pub fn connect(
    server: &Server,
    mapping: &Mapping,
    login: Login,
) -> Result<(Session, bool), Failure> {
    login.check_before()?;
    let me = catalog::myself();
    let values = Values {
        application_name: &me.application_name,
        cluster_name: &me.cluster_name,
        database: &me.database,
        user: &me.user,
        started: me.started,
        pid: me.pid,
    };
    let application_name = settings::application_name().map(|name| text::from_c_str(&name));
    let mut keywords = keywords::compose(
        &server.connect,
        &mapping.connect,
        application_name.as_deref(),
        text::wire_encoding(),
        |template| appname::expand(template, &values),
    );
    if !login.is_trusted() {
        keywords::restrict(&mut keywords);
    }
    let session = wire::connect(&keywords).map_err(|error| {
        Failure::new(
            SqlState::SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
            format!("could not connect to server \"{}\"", server.name),
        )
        .with_detail(error.to_string())
    })?;
    let used_password = session.used_password() && session.password_from_options();
    login.check_after(used_password)?;
    setup::queue(&session)
        .map_err(|error| Failure::from(error).add_context(format!("server \"{}\"", server.name)))?;
    Ok((session, used_password))
}

//! Making new connections: one, or those to many servers at the same time.

use super::security::Login;
use super::setup;
use super::{keywords, passthrough};
use crate::error::{Failure, SqlState};
use crate::options::appname::{self, Values};
use crate::options::load::{Mapping, Server};
use crate::pg::{catalog, text};
use crate::settings;
use crate::wire::{self, Session, Ticket, WireError};
use pgrx::pg_sys::Oid;
use std::ops::ControlFlow;
use std::rc::Rc;

/// How `user` logs in to `server` with `mapping`.
pub fn login(user: Oid, server: &Server, mapping: &Mapping) -> Login {
    Login {
        superuser: catalog::is_superuser(user),
        password_required: mapping.password_required,
        has_password: mapping
            .connect
            .iter()
            .any(|(name, value)| name == "password" && !value.is_empty())
            || passthrough::of(user, server, mapping).is_some(),
    }
}

/// A log-in that is about to be made.
pub struct Plan {
    server: Rc<Server>,
    login: Login,
    keywords: wire::Options,
}

impl Plan {
    /// The way of `user` to `server` with `mapping`, if he may log in so.
    pub fn new(user: Oid, server: &Rc<Server>, mapping: &Mapping) -> Result<Plan, Failure> {
        let login = login(user, server, mapping);
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
        if let Some(pass) = passthrough::of(user, server, mapping) {
            pass.put(&mut keywords);
        }
        if !login.is_trusted() {
            keywords::restrict(&mut keywords);
        }
        Ok(Plan { server: server.clone(), login, keywords })
    }

    /// A session, logged in, its settings queued; the question how it orders text; and whether the mapping's password
    /// was asked for.
    fn finish(&self, outcome: Result<Session, WireError>) -> Result<Made, Failure> {
        let session = outcome.map_err(|error| {
            Failure::new(
                SqlState::SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
                format!("could not connect to server \"{}\"", self.server.name),
            )
            .with_detail(error.to_string())
        })?;
        let used_password = session.used_password() && session.password_from_options();
        self.login.check_after(used_password)?;
        let question = setup::queue(&session, &self.server).map_err(|error| {
            Failure::from(error).add_context(format!("server \"{}\"", self.server.name))
        })?;
        Ok((session, question, used_password))
    }
}

type Made = (Session, Option<Ticket>, bool);

/// Makes the sessions of `plans`, all at the same time. `made` gets each, with its place in `plans`, as it comes. The
/// first one that cannot be made is the failure of all; those under way are then abandoned.
pub fn connect_all(
    mut plans: Vec<Plan>,
    mut made: impl FnMut(usize, Session, Option<Ticket>, bool),
) -> Result<(), Failure> {
    let keywords: Vec<_> =
        plans.iter_mut().map(|plan| std::mem::take(&mut plan.keywords)).collect();
    let mut failure = None;
    wire::connect_all(&keywords, |index, outcome| match plans[index].finish(outcome) {
        Ok((session, question, used_password)) => {
            made(index, session, question, used_password);
            ControlFlow::Continue(())
        }
        Err(error) => {
            failure = Some(error);
            ControlFlow::Break(())
        }
    });
    failure.map_or(Ok(()), Err)
}

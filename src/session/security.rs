//! Who may log in how.
//!
//! A user who is no superuser must not act as the operating-system user that runs this server: he gives a
//! password in his user mapping, and the other server must have asked for it. A superuser may lift that with
//! `password_required 'false'` on the mapping. The rules and texts are postgres_fdw's (those of PostgreSQL 15;
//! there is no GSSAPI here that later texts speak of).
#![forbid(unsafe_code)]

use crate::error::{Failure, SqlState};

/// What counts when a user logs in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Login {
    /// The local user is a superuser.
    pub superuser: bool,
    /// `password_required` of his user mapping.
    pub password_required: bool,
    /// The user mapping has a password, not an empty one; or the keys of the client's own log-in are used instead.
    pub has_password: bool,
}

impl Login {
    /// Whether the environment, password files, service files and default certificates of the operating-system
    /// user may be used.
    pub fn is_trusted(self) -> bool {
        self.superuser || !self.password_required
    }

    /// To be asked before connecting.
    pub fn check_before(self) -> Result<(), Failure> {
        if self.is_trusted() || self.has_password {
            return Ok(());
        }
        Err(required().with_detail("Non-superusers must provide a password in the user mapping."))
    }

    /// To be asked when logged in, and when another user wants to use the connection: `used_password` tells
    /// whether the server asked for the password and got it.
    pub fn check_after(self, used_password: bool) -> Result<(), Failure> {
        if self.is_trusted() || (self.has_password && used_password) {
            return Ok(());
        }
        Err(required()
            .with_detail("Non-superuser cannot connect if the server does not request a password.")
            .with_hint(
                "Target server's authentication method must be changed or \
                 password_required=false set in the user mapping attributes.",
            ))
    }
}

fn required() -> Failure {
    Failure::new(SqlState::S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED, "password is required")
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn login(superuser: bool, password_required: bool, has_password: bool) -> Login {
        Login { superuser, password_required, has_password }
    }

    #[test]
    fn superusers_and_excepted_mappings_pass() {
        for login in [login(true, true, false), login(false, false, false)] {
            assert!(login.is_trusted());
            assert!(login.check_before().is_ok());
            assert!(login.check_after(false).is_ok());
        }
    }

    #[test]
    fn others_need_a_password_that_was_asked_for() {
        let with = login(false, true, true);
        assert!(!with.is_trusted());
        assert!(with.check_before().is_ok());
        assert!(with.check_after(true).is_ok());
        assert!(with.check_after(false).is_err());
        let without = login(false, true, false);
        assert!(without.check_before().is_err());
        assert!(without.check_after(true).is_err());
    }
}

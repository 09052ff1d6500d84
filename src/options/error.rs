//! What can be wrong with an option; texts as postgres_fdw has them.
#![forbid(unsafe_code)]

use crate::error::{Report, SqlState};

/// Why an option or its value was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum OptionError {
    #[error("invalid option \"{name}\"")]
    UnknownName { name: String, hint: Option<String> },
    #[error("{name} requires a Boolean value")]
    NotBoolean { name: String },
    #[error("invalid value for integer option \"{name}\": {value}")]
    NotInteger { name: String, value: String },
    #[error("\"{name}\" must be an integer value greater than zero")]
    NotPositive { name: String },
    #[error("invalid value for floating point option \"{name}\": {value}")]
    NotFloat { name: String, value: String },
    #[error("\"{name}\" must be a floating point value greater than or equal to zero")]
    Negative { name: String },
    #[error("invalid value for string option \"{name}\": {value}")]
    NotAChoice { name: String, value: String, choices: &'static [&'static str] },
    #[error("parameter \"{name}\" must be a list of extension names")]
    NotAList { name: String },
    #[error("parameter \"{name}\" must be a list of schema names")]
    NotSchemas { name: String },
    #[error("option \"{name}\" is not supported")]
    Unsupported { name: String },
    #[error("password_required=false is superuser-only")]
    PasswordRequired,
    #[error("sslcert and sslkey are superuser-only")]
    ClientCertificate,
}

impl Report for OptionError {
    fn sqlstate(&self) -> SqlState {
        match self {
            OptionError::UnknownName { .. } => SqlState::FDW_INVALID_OPTION_NAME,
            OptionError::NotBoolean { .. } => SqlState::SYNTAX_ERROR,
            OptionError::Unsupported { .. } => SqlState::FEATURE_NOT_SUPPORTED,
            OptionError::PasswordRequired | OptionError::ClientCertificate => {
                SqlState::INSUFFICIENT_PRIVILEGE
            }
            _ => SqlState::INVALID_PARAMETER_VALUE,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            OptionError::UnknownName { hint, .. } => hint.clone(),
            OptionError::NotAChoice { choices, .. } => {
                Some(format!("Valid values are: {}.", choices.join(", ")))
            }
            OptionError::Unsupported { .. } => {
                Some("Give the user mapping a password instead.".to_owned())
            }
            OptionError::PasswordRequired => Some(
                "User mappings with the password_required option set to false may only be created \
                 or modified by the superuser."
                    .to_owned(),
            ),
            OptionError::ClientCertificate => Some(
                "User mappings with the sslcert or sslkey options set may only be created or \
                 modified by the superuser."
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

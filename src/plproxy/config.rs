//! What a cluster's options say: the partitions in order, and the settings.
//!
//! Options come from a foreign-data wrapper and its server (checked by the validator) or from the
//! `plproxy.get_cluster_*` functions (checked here when read).
#![forbid(unsafe_code)]

use crate::error::{Report, SqlState};
use std::time::Duration;

/// Names whose values are whole numbers.
const NUMBERS: [&str; 11] = [
    "statement_timeout",
    "connection_lifetime",
    "query_timeout",
    "disable_binary",
    "modular_mapping",
    "transactional",
    "connect_timeout",
    "keepalive_idle",
    "keepalive_interval",
    "keepalive_count",
    "keepalive_intvl",
];

/// What an options list may belong to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    Wrapper,
    Server,
    Mapping,
    Other,
}

/// What is wrong with an options list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("Pl/Proxy: invalid server option: {0}")]
    Unknown(String),
    #[error("Pl/Proxy: only integer options are allowed: {name}={value}")]
    NotInteger { name: String, value: String },
    #[error("Pl/Proxy: partition numbers must start from 0 and be numbered consecutively")]
    Numbering { count: usize, number: u64 },
    #[error("Pl/Proxy: duplicate partition number: {0}")]
    Duplicate(u64),
    #[error("Pl/Proxy: invalid number of partitions")]
    Count { count: usize, modular: bool },
    #[error("option \"{0}\" requires a value")]
    NoValue(String),
    #[error("Pl/Proxy: invalid option to user mapping")]
    Mapping,
    #[error("Pl/Proxy: options are not allowed here")]
    Elsewhere,
}

impl Report for ConfigError {
    fn sqlstate(&self) -> SqlState {
        match self {
            ConfigError::Unknown(_) | ConfigError::Elsewhere => SqlState::FDW_INVALID_OPTION_NAME,
            ConfigError::NotInteger { .. } => SqlState::FDW_INVALID_ATTRIBUTE_VALUE,
            _ => SqlState::SYNTAX_ERROR,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ConfigError::Unknown(name) => closest(name),
            ConfigError::Numbering { count, number } => {
                Some(format!("number of options is {count}, got {number}"))
            }
            ConfigError::Duplicate(number) => Some(format!("got {number} twice")),
            ConfigError::Count { count, modular: false } => Some(format!(
                "the number of partitions in a cluster must be power of 2 (attempted {count}), \
                 unless modular_mapping is set"
            )),
            ConfigError::Count { .. } => Some("a cluster needs at least one partition".to_owned()),
            ConfigError::Mapping => Some("valid options are \"user\" and \"password\"".to_owned()),
            _ => None,
        }
    }
}

fn closest(name: &str) -> Option<String> {
    NUMBERS
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&name.to_ascii_lowercase(), known), known))
        .min()
        .filter(|(distance, _)| *distance <= 4)
        .map(|(_, known)| format!("Perhaps you meant the option \"{known}\"."))
}

/// Whose mapping and name are used for a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DefaultUser {
    #[default]
    Current,
    Session,
}

/// The settings of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// A connection older than this is not used again.
    pub connection_lifetime: Option<Duration>,
    /// The time a remote query may take, all of it.
    pub query_timeout: Option<Duration>,
    /// The time a connection may take to be made, unless the connection string says it.
    pub connect_timeout: Option<Duration>,
    /// Everything goes as text.
    pub disable_binary: bool,
    /// Partition = abs(hash % n).
    pub modular_mapping: bool,
    /// Calls join the caller's transaction.
    pub transactional: bool,
    pub default_user: DefaultUser,
}

impl Config {
    /// Applies one setting; `Ok(false)` when there is none of that name.
    pub fn set(&mut self, name: &str, value: &str) -> Result<bool, ConfigError> {
        let name = name.to_ascii_lowercase();
        if name == "default_user" {
            self.default_user = match value {
                "current_user" => DefaultUser::Current,
                "session_user" => DefaultUser::Session,
                _ => {
                    return Err(ConfigError::NotInteger { name, value: value.to_owned() });
                }
            };
            return Ok(true);
        }
        if !NUMBERS.contains(&name.as_str()) {
            return Ok(false);
        }
        if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ConfigError::NotInteger { name, value: value.to_owned() });
        }
        let number: u64 = value.parse().unwrap_or(u64::from(u32::MAX));
        let seconds = (number > 0).then(|| Duration::from_secs(number.min(u64::from(u32::MAX))));
        match name.as_str() {
            "connection_lifetime" => self.connection_lifetime = seconds,
            "query_timeout" => self.query_timeout = seconds,
            "connect_timeout" => self.connect_timeout = seconds,
            "disable_binary" => self.disable_binary = number != 0,
            "modular_mapping" => self.modular_mapping = number != 0,
            "transactional" => self.transactional = number != 0,
            // Accepted for old definitions' sake: the connection string's keywords are what counts.
            _ => {}
        }
        Ok(true)
    }

    /// The partition, of `count`, that `hash` belongs to.
    pub fn partition(&self, hash: i64, count: usize) -> usize {
        if self.modular_mapping {
            (hash.unsigned_abs() % count as u64) as usize
        } else {
            (hash as u64 & (count as u64 - 1)) as usize
        }
    }

    /// Err unless a cluster may have `count` partitions.
    pub fn check_count(&self, count: usize) -> Result<(), ConfigError> {
        let valid = count > 0 && (self.modular_mapping || count.is_power_of_two());
        let modular = self.modular_mapping;
        valid.then_some(()).ok_or(ConfigError::Count { count, modular })
    }
}

/// The partition number in an option's name.
fn partition_number(name: &str) -> Option<u64> {
    let name = name.to_ascii_lowercase();
    let digits = name.strip_prefix("partition_").or_else(|| name.strip_prefix('p'))?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

/// A server's partitions in order and its settings, on top of its wrapper's.
pub fn of_server(
    wrapper: &[(String, String)],
    server: &[(String, String)],
) -> Result<(Vec<String>, Config), ConfigError> {
    let mut config = Config::default();
    for (name, value) in wrapper {
        set_known(&mut config, name, value)?;
    }
    let mut numbered: Vec<(u64, &str)> = Vec::new();
    for (name, value) in server {
        match partition_number(name) {
            Some(number) => numbered.push((number, value)),
            None => set_known(&mut config, name, value)?,
        }
    }
    let count = numbered.len();
    let mut partitions: Vec<Option<String>> = vec![None; count];
    for (number, text) in numbered {
        let slot = usize::try_from(number).ok().and_then(|n| partitions.get_mut(n));
        let slot = slot.ok_or(ConfigError::Numbering { count, number })?;
        if slot.replace(text.to_owned()).is_some() {
            return Err(ConfigError::Duplicate(number));
        }
    }
    // So many different numbers below their count leave none out: PL/Proxy's "missing partition" cannot come up.
    let partitions: Vec<String> = partitions.into_iter().flatten().collect();
    config.check_count(partitions.len())?;
    Ok((partitions, config))
}

fn set_known(config: &mut Config, name: &str, value: &str) -> Result<(), ConfigError> {
    // Of the settings only whole numbers may be options; default_user is for function clusters.
    let known = !name.eq_ignore_ascii_case("default_user") && config.set(name, value)?;
    known.then_some(()).ok_or_else(|| ConfigError::Unknown(name.to_owned()))
}

/// What the validator does: `options` as stored, `name=value`, a missing value being `None`.
pub fn validate(options: &[(String, Option<String>)], owner: Owner) -> Result<(), ConfigError> {
    let mut complete = Vec::with_capacity(options.len());
    for (name, value) in options {
        let value = value.as_ref().ok_or_else(|| ConfigError::NoValue(name.clone()))?;
        complete.push((name.clone(), value.clone()));
    }
    match owner {
        Owner::Server => of_server(&[], &complete).map(|_| ()),
        Owner::Wrapper => {
            let mut config = Config::default();
            complete.iter().try_for_each(|(name, value)| set_known(&mut config, name, value))
        }
        Owner::Mapping => {
            let known =
                |name: &str| ["user", "password"].iter().any(|k| name.eq_ignore_ascii_case(k));
            if complete.iter().all(|(name, _)| known(name)) {
                Ok(())
            } else {
                Err(ConfigError::Mapping)
            }
        }
        Owner::Other if complete.is_empty() => Ok(()),
        Owner::Other => Err(ConfigError::Elsewhere),
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;

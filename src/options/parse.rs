//! Option values as they are written to option values as they are used.
//!
//! Values read like PostgreSQL reads them (`defGetBoolean`, `parse_int`, `parse_real`), so that what
//! postgres_fdw took is taken here and what it refused is refused.
#![forbid(unsafe_code)]

use super::error::OptionError;
use super::names;
use super::spec::{self, Kind, Object, Spec};

/// How ANALYZE takes its sample (`analyze_sampling`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sampling {
    /// All rows come over, the sample is taken here.
    Off,
    /// The best way that the server can.
    #[default]
    Auto,
    /// `random()` in the remote WHERE clause.
    Random,
    /// `TABLESAMPLE system`.
    System,
    /// `TABLESAMPLE bernoulli`.
    Bernoulli,
}

/// Options that a server and its tables share; what is not set on the table counts as on the server.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Shared {
    pub use_remote_estimate: Option<bool>,
    pub fetch_size: Option<u32>,
    pub batch_size: Option<u32>,
    pub async_capable: Option<bool>,
    pub updatable: Option<bool>,
    pub truncatable: Option<bool>,
    pub analyze_sampling: Option<Sampling>,
}

/// Options of a server.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct ServerOptions {
    pub shared: Shared,
    /// Connection keywords and their values.
    pub connect: Vec<(String, String)>,
    pub fdw_startup_cost: Option<f64>,
    pub fdw_tuple_cost: Option<f64>,
    /// Names of extensions.
    pub extensions: Vec<String>,
    /// Names of schemas.
    pub search_path: Vec<String>,
    pub parallel_commit: Option<bool>,
    pub parallel_abort: Option<bool>,
    pub keep_connections: Option<bool>,
    pub collation_compatible: Option<bool>,
}

/// Options of a user mapping.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct MappingOptions {
    pub connect: Vec<(String, String)>,
    pub password_required: Option<bool>,
}

/// Options of a foreign table.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct TableOptions {
    pub shared: Shared,
    pub schema_name: Option<String>,
    pub table_name: Option<String>,
}

/// Options of IMPORT FOREIGN SCHEMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ImportOptions {
    pub collate: bool,
    pub default: bool,
    pub generated: bool,
    pub not_null: bool,
    pub check: bool,
}

/// One checked value.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    Boolean(bool),
    Positive(u32),
    Cost(f64),
    Extensions(Vec<String>),
    Schemas(Vec<String>),
    Sampling(Sampling),
}

/// Checks the option `name` = `value` on `object`; the names of extensions it lists are returned for a look
/// whether they are installed.
pub fn check(name: &str, value: &str, object: Object) -> Result<Vec<String>, OptionError> {
    match read(spec::require(name, object)?, value)? {
        Value::Extensions(names) => Ok(names),
        _ => Ok(Vec::new()),
    }
}

/// Options of a server.
pub fn server(options: &[(String, String)]) -> Result<ServerOptions, OptionError> {
    let mut out = ServerOptions::default();
    for (name, value) in options {
        let spec = spec::require(name, Object::Server)?;
        if spec.connection {
            out.connect.push((name.clone(), value.clone()));
            continue;
        }
        match (spec.name, read(spec, value)?) {
            ("fdw_startup_cost", Value::Cost(cost)) => out.fdw_startup_cost = Some(cost),
            ("fdw_tuple_cost", Value::Cost(cost)) => out.fdw_tuple_cost = Some(cost),
            ("extensions", Value::Extensions(names)) => out.extensions = names,
            ("search_path", Value::Schemas(names)) => out.search_path = names,
            ("parallel_commit", Value::Boolean(on)) => out.parallel_commit = Some(on),
            ("parallel_abort", Value::Boolean(on)) => out.parallel_abort = Some(on),
            ("keep_connections", Value::Boolean(on)) => out.keep_connections = Some(on),
            ("collation_compatible", Value::Boolean(on)) => out.collation_compatible = Some(on),
            (name, value) => out.shared.set(name, &value),
        }
    }
    Ok(out)
}

/// Options of a user mapping.
pub fn mapping(options: &[(String, String)]) -> Result<MappingOptions, OptionError> {
    let mut out = MappingOptions::default();
    for (name, value) in options {
        let spec = spec::require(name, Object::Mapping)?;
        match read(spec, value)? {
            Value::Boolean(on) if !spec.connection => out.password_required = Some(on),
            _ => out.connect.push((name.clone(), value.clone())),
        }
    }
    Ok(out)
}

/// Options of a foreign table.
pub fn table(options: &[(String, String)]) -> Result<TableOptions, OptionError> {
    let mut out = TableOptions::default();
    for (name, value) in options {
        let spec = spec::require(name, Object::Table)?;
        match (spec.name, read(spec, value)?) {
            ("schema_name", Value::Text(schema)) => out.schema_name = Some(schema),
            ("table_name", Value::Text(table)) => out.table_name = Some(table),
            (name, value) => out.shared.set(name, &value),
        }
    }
    Ok(out)
}

/// The remote name that a column's options give, if any.
pub fn column(options: &[(String, String)]) -> Result<Option<String>, OptionError> {
    let mut out = None;
    for (name, value) in options {
        spec::require(name, Object::Column)?;
        out = Some(value.clone());
    }
    Ok(out)
}

/// Options of an IMPORT FOREIGN SCHEMA statement.
pub fn import(options: &[(String, String)]) -> Result<ImportOptions, OptionError> {
    let mut out = ImportOptions {
        collate: true,
        default: false,
        generated: true,
        not_null: true,
        check: false,
    };
    for (name, value) in options {
        let mut fields = [
            ("import_collate", &mut out.collate),
            ("import_default", &mut out.default),
            ("import_generated", &mut out.generated),
            ("import_not_null", &mut out.not_null),
            ("import_check", &mut out.check),
        ];
        let hint = spec::hint(name, fields.iter().map(|(known, _)| *known));
        let Some((_, field)) = fields.iter_mut().find(|(known, _)| known == name) else {
            return Err(OptionError::UnknownName { name: name.clone(), hint });
        };
        **field = boolean(name, value)?;
    }
    Ok(out)
}

impl Shared {
    fn set(&mut self, name: &str, value: &Value) {
        match (name, value) {
            ("use_remote_estimate", Value::Boolean(on)) => self.use_remote_estimate = Some(*on),
            ("async_capable", Value::Boolean(on)) => self.async_capable = Some(*on),
            ("updatable", Value::Boolean(on)) => self.updatable = Some(*on),
            ("truncatable", Value::Boolean(on)) => self.truncatable = Some(*on),
            ("fetch_size", Value::Positive(rows)) => self.fetch_size = Some(*rows),
            ("batch_size", Value::Positive(rows)) => self.batch_size = Some(*rows),
            ("analyze_sampling", Value::Sampling(how)) => self.analyze_sampling = Some(*how),
            // The table of options has no others; a test goes through all of them.
            _ => debug_assert!(false, "option {name} is not read"),
        }
    }
}

fn read(spec: &Spec, value: &str) -> Result<Value, OptionError> {
    let name = || spec.name.to_owned();
    Ok(match spec.kind {
        Kind::Text => Value::Text(value.to_owned()),
        Kind::Boolean => Value::Boolean(boolean(spec.name, value)?),
        Kind::Positive => match integer(value) {
            None => {
                return Err(OptionError::NotInteger { name: name(), value: value.to_owned() });
            }
            Some(number) => match u32::try_from(number) {
                Ok(number) if number > 0 => Value::Positive(number),
                _ => return Err(OptionError::NotPositive { name: name() }),
            },
        },
        Kind::Cost => match float(value) {
            None => return Err(OptionError::NotFloat { name: name(), value: value.to_owned() }),
            Some(number) if number < 0.0 => return Err(OptionError::Negative { name: name() }),
            Some(number) => Value::Cost(number),
        },
        Kind::Extensions => match names::split(value) {
            None => return Err(OptionError::NotAList { name: name() }),
            Some(names) => Value::Extensions(names),
        },
        Kind::Schemas => match names::split(value) {
            None => return Err(OptionError::NotSchemas { name: name() }),
            Some(names) => Value::Schemas(names),
        },
        Kind::Choice(choices) => Value::Sampling(match value {
            "off" => Sampling::Off,
            "auto" => Sampling::Auto,
            "random" => Sampling::Random,
            "system" => Sampling::System,
            "bernoulli" => Sampling::Bernoulli,
            _ => {
                let value = value.to_owned();
                return Err(OptionError::NotAChoice { name: name(), value, choices });
            }
        }),
    })
}

fn boolean(name: &str, value: &str) -> Result<bool, OptionError> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" => Ok(true),
        "false" | "off" => Ok(false),
        _ => Err(OptionError::NotBoolean { name: name.to_owned() }),
    }
}

/// Whether a valid boolean value says no.
pub fn is_off(value: &str) -> bool {
    matches!(boolean("", value), Ok(false))
}

/// An int32 in decimal, `0x` or leading-zero octal notation, or a fraction to be rounded.
fn integer(value: &str) -> Option<i32> {
    let text = value.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let whole = if let Some(hex) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        i64::from_str_radix(digit_start(hex)?, 16).ok()
    } else if digits.len() > 1
        && digits.starts_with('0')
        && digits.bytes().all(|b| b.is_ascii_digit())
    {
        i64::from_str_radix(digits, 8).ok()
    } else if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        digits.parse().ok()
    } else {
        let number = float(text)?.round_ties_even();
        return (number >= f64::from(i32::MIN) && number <= f64::from(i32::MAX))
            .then_some(number as i32);
    }?;
    i32::try_from(if negative { -whole } else { whole }).ok()
}

/// `text` unless it starts with a sign, which `from_str_radix` would take.
fn digit_start(text: &str) -> Option<&str> {
    text.starts_with(|c: char| c.is_ascii_hexdigit()).then_some(text)
}

fn float(value: &str) -> Option<f64> {
    let text = value.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    text.parse::<f64>().ok().filter(|number| !number.is_nan())
}

#[cfg(test)]
mod tests;

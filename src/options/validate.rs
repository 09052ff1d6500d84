//! The validator: what CREATE and ALTER of servers, user mappings, foreign tables and their columns call.

use super::error::OptionError;
use super::parse;
use super::spec::Object;
use crate::error::{Failure, SqlState};
use crate::pg::{catalog, compat, guard};
use pgrx::pg_sys;
use pgrx::prelude::*;

/// Checks the options of one object of the catalog `catalog`.
#[pg_extern(
    sql = "CREATE FUNCTION shard_fdw_validator(text[], oid) RETURNS void STRICT LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';"
)]
fn shard_fdw_validator(options: pgrx::AnyArray, catalog: pg_sys::Oid) {
    // SAFETY: the function is declared with text[]; PostgreSQL passes an array without NULLs.
    let options = unsafe { catalog::options_of(options.datum()) };
    if let Err(failure) = validate(&options, catalog) {
        guard::raise(&failure);
    }
}

fn validate(options: &[(String, String)], catalog: pg_sys::Oid) -> Result<(), Failure> {
    let object = match catalog {
        pg_sys::ForeignServerRelationId => Object::Server,
        pg_sys::UserMappingRelationId => Object::Mapping,
        pg_sys::ForeignTableRelationId => Object::Table,
        pg_sys::AttributeRelationId => Object::Column,
        _ => Object::Wrapper,
    };
    for (name, value) in options {
        for extension in parse::check(name, value, object)? {
            if catalog::extension(&extension).is_none() {
                guard::warn(&Failure::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("extension \"{extension}\" is not installed"),
                ));
            }
        }
        if name == "use_scram_passthrough" && !parse::is_off(value) && !compat::KEEPS_SCRAM_KEYS {
            return Err(OptionError::Unsupported { name: name.clone() }.into());
        }
        if object == Object::Mapping && !catalog::is_superuser(catalog::current_user()) {
            match name.as_str() {
                "password_required" if parse::is_off(value) => {
                    return Err(OptionError::PasswordRequired.into());
                }
                "sslcert" | "sslkey" => return Err(OptionError::ClientCertificate.into()),
                _ => {}
            }
        }
    }
    Ok(())
}

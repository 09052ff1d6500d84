//! Names of catalog objects as the remote session has to read them: qualified unless they are in pg_catalog. Where
//! more than pg_catalog is in the remote search_path, functions and operators are always qualified; it comes first there, so
//! types need not be.

use super::scope::Names;
use super::{quote, shippable};
use crate::error::Failure;
use crate::pg::text;
use pgrx::pg_sys::{self, Oid};

/// pg_catalog's OID.
pub const PG_CATALOG: Oid = pg_sys::Oid::from_u32(pg_sys::PG_CATALOG_NAMESPACE);

/// A type's name with its modifier.
pub fn type_name(type_oid: Oid, typmod: i32) -> String {
    let mut flags = pg_sys::FORMAT_TYPE_TYPEMOD_GIVEN;
    if !shippable::is_builtin(type_oid) {
        flags |= pg_sys::FORMAT_TYPE_FORCE_QUALIFY;
    }
    // SAFETY: returns a palloc'd string or raises.
    unsafe { text::take_from_server(pg_sys::format_type_extended(type_oid, typmod, flags as _)) }
}

/// A function's or aggregate's name.
pub fn function_name(function: Oid, names: Names) -> Result<String, Failure> {
    // SAFETY: both lookups return palloc'd strings or NULL.
    let (name, schema) =
        unsafe { (pg_sys::get_func_name(function), pg_sys::get_func_namespace(function)) };
    if name.is_null() {
        return Err(Failure::internal(format!("no function with OID {}", function.to_u32())));
    }
    // SAFETY: just palloc'd.
    let name = quote::identifier(&unsafe { text::take_from_server(name) });
    Ok(if schema == PG_CATALOG && names == Names::Short {
        name
    } else {
        format!("{}.{name}", schema_name(schema)?)
    })
}

/// What an operator is called, and where it stands.
pub struct Operator {
    /// `=`
    pub name: String,
    /// Its schema.
    pub schema: Oid,
    /// Whether it takes one operand, behind it.
    pub is_prefix: bool,
}

impl Operator {
    /// Looks it up.
    pub fn load(operator: Oid) -> Result<Operator, Failure> {
        // SAFETY: the tuple stays pinned while its fields are read and is released once.
        unsafe {
            let tuple = pg_sys::SearchSysCache1(
                pg_sys::SysCacheIdentifier::OPEROID as i32,
                pg_sys::Datum::from(operator),
            );
            if tuple.is_null() {
                return Err(Failure::internal(format!(
                    "no operator with OID {}",
                    operator.to_u32()
                )));
            }
            let form = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_operator>();
            let found = Operator {
                name: text::from_server((*form).oprname.data.as_ptr()),
                schema: (*form).oprnamespace,
                is_prefix: (*form).oprkind == b'l' as std::ffi::c_char,
            };
            pg_sys::ReleaseSysCache(tuple);
            Ok(found)
        }
    }

    /// As it is written between its operands.
    pub fn sql(&self, names: Names) -> Result<String, Failure> {
        Ok(if self.schema == PG_CATALOG && names == Names::Short {
            self.name.clone()
        } else {
            format!("OPERATOR({}.{})", schema_name(self.schema)?, self.name)
        })
    }
}

fn schema_name(schema: Oid) -> Result<String, Failure> {
    // SAFETY: returns a palloc'd string or NULL.
    let name = unsafe { pg_sys::get_namespace_name(schema) };
    if name.is_null() {
        return Err(Failure::internal(format!("no schema with OID {}", schema.to_u32())));
    }
    // SAFETY: just palloc'd.
    Ok(quote::identifier(&unsafe { text::take_from_server(name) }))
}

/// A column of a local table that is not dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its number.
    pub attnum: i32,
    /// GENERATED ALWAYS AS (...): the remote server computes it.
    pub generated: bool,
}

/// The columns of a local table, in order.
pub fn columns(relid: Oid) -> Result<Vec<Column>, Failure> {
    // SAFETY: a referenced relation's descriptor is read and let go; an ERROR in between releases it too.
    unsafe {
        let relation = pg_sys::RelationIdGetRelation(relid);
        if relation.is_null() {
            return Err(Failure::internal(format!("no relation with OID {}", relid.to_u32())));
        }
        let descriptor = (*relation).rd_att;
        let found = (0..(*descriptor).natts)
            .map(|index| crate::pg::compat::attribute(descriptor, index as usize))
            .filter(|attribute| !(**attribute).attisdropped)
            .map(|attribute| Column {
                attnum: i32::from((*attribute).attnum),
                generated: (*attribute).attgenerated != 0,
            })
            .collect();
        pg_sys::RelationClose(relation);
        Ok(found)
    }
}

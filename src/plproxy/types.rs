//! Types of arguments and results as the function language sees them: how they are called on the other side,
//! whether they can be split, which changes make a compiled function stale.

use super::fault::{Fault, Label};
use crate::error::Failure;
use crate::pg::invalidate::hash_of;
use crate::pg::{catalog, text};
use pgrx::pg_sys::SysCacheIdentifier as Cache;
use pgrx::pg_sys::{self, Oid};

/// How values of a type are stored.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub length: i16,
    pub by_value: bool,
    pub align: i8,
}

/// An array's element type.
#[derive(Clone, Copy, Debug)]
pub struct Element {
    pub oid: Oid,
    pub layout: Layout,
}

/// A type with a name for the other side.
#[derive(Clone, Debug)]
pub struct TypeRef {
    pub oid: Oid,
    /// As SQL: with its schema unless that is pg_catalog, without modifier.
    pub sql: String,
    pub layout: Layout,
    /// For arrays.
    pub element: Option<Element>,
}

/// What a type is good for here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    Argument,
    Result,
}

/// Everything a compiled function depends on besides its own row in pg_proc: hash values of types' catalog
/// entries and relations of composite types.
#[derive(Clone, Debug, Default)]
pub struct Dependencies {
    pub types: Vec<u32>,
    pub relations: Vec<Oid>,
}

impl Dependencies {
    fn add(&mut self, type_oid: Oid) {
        // Built-in types do not change.
        if type_oid.to_u32() >= pg_sys::FirstNormalObjectId {
            self.types.push(hash_of(Cache::TYPEOID, type_oid));
            // SAFETY: a syscache look-up.
            let relation = unsafe { pg_sys::get_typ_typrelid(type_oid) };
            if relation != Oid::INVALID {
                self.relations.push(relation);
            }
        }
    }
}

/// Looks `oid` up. Pseudo types are refused, but void as a result.
pub fn lookup(
    label: &Label,
    oid: Oid,
    purpose: Use,
    dependencies: &mut Dependencies,
) -> Result<TypeRef, Failure> {
    dependencies.add(oid);
    // SAFETY: a syscache look-up; 0 for a type that is gone.
    let kind = unsafe { pg_sys::get_typtype(oid) } as u8;
    let allowed_pseudo = purpose == Use::Result && oid == pg_sys::VOIDOID;
    if kind == pg_sys::TYPTYPE_PSEUDO && !allowed_pseudo {
        let (_, name) = names(oid);
        return label.err(Fault::PseudoType { name, oid: oid.to_u32() });
    }
    if kind == 0 {
        return label.err(Fault::UnsupportedType);
    }
    Ok(TypeRef { oid, sql: sql_name(oid), layout: layout(oid), element: element(oid) })
}

fn layout(oid: Oid) -> Layout {
    let mut layout = Layout { length: 0, by_value: false, align: 0 };
    // SAFETY: out parameters are plain values.
    unsafe {
        pg_sys::get_typlenbyvalalign(
            oid,
            &raw mut layout.length,
            &raw mut layout.by_value,
            &raw mut layout.align,
        );
    }
    layout
}

/// The element type of a true array (or of a domain over one).
fn element(oid: Oid) -> Option<Element> {
    // SAFETY: syscache look-ups.
    let element = unsafe { pg_sys::get_base_element_type(oid) };
    (element != Oid::INVALID).then(|| Element { oid: element, layout: layout(element) })
}

/// Schema and name.
fn names(oid: Oid) -> (Oid, String) {
    // SAFETY: the row is copied from before it is released; a type that is gone gives no row.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(Cache::TYPEOID as i32, oid.into());
        if tuple.is_null() {
            return (Oid::INVALID, oid.to_u32().to_string());
        }
        let form = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_type>();
        let schema = (*form).typnamespace;
        let name = text::from_server((*form).typname.data.as_ptr());
        pg_sys::ReleaseSysCache(tuple);
        (schema, name)
    }
}

/// The type's name as SQL.
pub fn sql_name(oid: Oid) -> String {
    let (schema, name) = names(oid);
    let name = catalog::quote_identifier(&name);
    if schema == Oid::from(pg_sys::PG_CATALOG_NAMESPACE) {
        return name;
    }
    let schema = catalog::namespace_name(schema).unwrap_or_default();
    format!("{}.{name}", catalog::quote_identifier(&schema))
}

/// Adds what a composite type's columns depend on.
pub fn depend_on(dependencies: &mut Dependencies, type_oid: Oid) {
    dependencies.add(type_oid);
}

//! pg_proc row to [`Function`]: arguments, result, body, and every check that needs no cluster.

use super::ast::{self, Body, Run, Source};
use super::fault::{Fault, Label};
use super::function::{self, Argument, Function, Memory, Name, Place, Remote, Returns, Shape};
use super::local::LocalQuery;
use super::parser;
use super::shape;
use super::types::{self, Dependencies, Use};
use crate::error::{Failure, SqlState};
use crate::pg::memory::ContextGuard;
use crate::pg::{catalog, text};
use pgrx::pg_sys::SysCacheIdentifier as Cache;
use pgrx::pg_sys::{self, Oid};
use std::cell::{Cell, RefCell};
use std::ffi::c_char;

/// What pg_proc says.
struct Row {
    label: Label,
    source: String,
    volatile: bool,
    set: bool,
    returns: Oid,
    arguments: Vec<(Oid, Option<String>)>,
    variadic: bool,
}

/// How thorough a compilation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Depth {
    /// For CREATE FUNCTION: all but the return type, which may be completed later.
    Validate,
    /// For a call.
    Full,
}

/// Compiles the function `oid`.
pub fn compile(oid: Oid, depth: Depth) -> Result<Function, Failure> {
    let row = read(oid)?;
    let Row { label, source, set, returns, .. } = row;
    if !row.volatile {
        return Err(plain("PL/Proxy functions must be volatile", "42P13"));
    }
    if row.variadic {
        return Err(plain("PL/Proxy does not support variadic args", "0A000"));
    }
    let mut dependencies = Dependencies::default();
    let memory = Memory::new();
    let mut arguments = Vec::with_capacity(row.arguments.len());
    for (oid, name) in row.arguments {
        let kind = types::lookup(&label, oid, Use::Argument, &mut dependencies)?;
        arguments.push(Argument { name, kind });
    }
    let names: Vec<Option<String>> = arguments.iter().map(|a| a.name.clone()).collect();
    // SAFETY: reads a backend global.
    let standard_strings = unsafe { pg_sys::standard_conforming_strings };
    let body = parser::parse(&source, &names, standard_strings)
        .map_err(|error| label.fault(Fault::Parse(error)))?;
    if returns == pg_sys::RECORDOID && body.select.is_some() && is_dynamic(oid) {
        return label.err(Fault::SelectForRecord);
    }
    if body.run == Run::All && !set {
        return label.err(Fault::AllNeedsSet);
    }
    let split = split(&label, &body, &arguments)?;
    let returns = match depth {
        Depth::Validate => Returns::Record,
        Depth::Full => returned(&label, oid, &memory, &mut dependencies)?,
    };
    let Body { place, run, target, select, .. } = body;
    let target = target.unwrap_or_else(|| label.name.clone());
    let remote = match (&returns, select) {
        (_, Some(select)) => {
            let (sql, arguments) =
                select.render(|argument| format!("::{}", arguments[argument].kind.sql));
            Some(Remote { sql, arguments, exact: false })
        }
        (Returns::Record, None) => None,
        (Returns::Composite { shape, .. }, None) => {
            Some(call_of(&target, &arguments, Some(&shape.columns), false))
        }
        (Returns::Void, None) => Some(scalar_call(&target, &arguments, "void")),
        (Returns::Scalar(kind), None) => Some(scalar_call(&target, &arguments, &kind.sql)),
    };
    let whole = |argument: usize| arguments[argument].kind.oid;
    let element = |argument: usize| match arguments[argument].kind.element {
        Some(element) if split.contains(&argument) => element.oid,
        _ => whole(argument),
    };
    let name = |source: Source| match source {
        Source::Literal(text) => Name::Literal(text),
        Source::Argument(argument) => Name::Argument(argument),
        Source::Query(sql) => Name::Query(LocalQuery::new(&sql, whole)),
    };
    let place = match place {
        ast::Place::Connect(source) => Place::Connect(name(source)),
        ast::Place::Cluster(source) => Place::Cluster(name(source)),
    };
    let route = function::route_of(run, element);
    Ok(Function {
        label,
        oid,
        arguments,
        returns,
        set,
        place,
        route,
        split,
        remote,
        target,
        dependencies,
        stale: Cell::new(false),
        codec: RefCell::new(None),
        memory,
    })
}

fn plain(message: &str, code: &str) -> Failure {
    Failure::new(SqlState::parse(code).unwrap_or(SqlState::INTERNAL_ERROR), message)
}

/// `f($1::t, ...)` as a query for one value.
fn scalar_call(target: &str, arguments: &[Argument], kind: &str) -> Remote {
    let mut remote = call_of(target, arguments, None, false);
    remote.sql = format!("select r::{kind} from {} r", remote.sql);
    remote
}

/// The call of a function, with the columns of a composite result around it. `listed`: the other side must be
/// told the columns' types (`as (...)`).
pub fn call_of(
    target: &str,
    arguments: &[Argument],
    columns: Option<&[function::ResultColumn]>,
    listed: bool,
) -> Remote {
    let parameters: Vec<String> = arguments
        .iter()
        .enumerate()
        .map(|(n, argument)| format!("${}::{}", n + 1, argument.kind.sql))
        .collect();
    let mut sql = format!("{target}({})", parameters.join(", "));
    if let Some(columns) = columns {
        let names: Vec<(String, String)> = columns
            .iter()
            .map(|c| (catalog::quote_identifier(&c.name), types::sql_name(c.oid)))
            .collect();
        let casts: Vec<String> =
            names.iter().map(|(name, kind)| format!("{name}::{kind}")).collect();
        sql = format!("select {} from {sql}", casts.join(", "));
        if listed {
            let list: Vec<String> =
                names.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
            sql.push_str(&format!(" as ({})", list.join(", ")));
        }
    }
    Remote { sql, arguments: (0..arguments.len()).collect(), exact: true }
}

/// Which arguments are split.
fn split(label: &Label, body: &Body, arguments: &[Argument]) -> Result<Vec<usize>, Failure> {
    let Some(split) = &body.split else { return Ok(Vec::new()) };
    let Some(named) = function::split_names(split) else {
        let is_array = |&n: &usize| arguments[n].kind.element.is_some();
        return Ok((0..arguments.len()).filter(is_array).collect());
    };
    for &argument in named {
        if arguments[argument].kind.element.is_none() {
            let name = arguments[argument].name.clone();
            let name = name.unwrap_or_else(|| format!("${}", argument + 1));
            return label.err(Fault::SplitNoArray(name));
        }
    }
    Ok(named.to_vec())
}

/// Whether the function's record is described by its callers only.
fn is_dynamic(oid: Oid) -> bool {
    // SAFETY: out parameters may be NULL but for the class's sake a descriptor is asked for.
    unsafe {
        let (mut kind, mut descriptor) = (Oid::INVALID, std::ptr::null_mut());
        let class = pg_sys::get_func_result_type(oid, &raw mut kind, &raw mut descriptor);
        class == pg_sys::TypeFuncClass::TYPEFUNC_RECORD
    }
}

/// The result's type as pg_proc has it.
fn returned(
    label: &Label,
    oid: Oid,
    memory: &Memory,
    dependencies: &mut Dependencies,
) -> Result<Returns, Failure> {
    use pg_sys::TypeFuncClass as Class;
    // SAFETY: the descriptor is made in the function's own memory, and blessed there.
    let (class, kind, descriptor) = unsafe {
        let _context = ContextGuard::switch_to(memory.context());
        let (mut kind, mut descriptor) = (Oid::INVALID, std::ptr::null_mut());
        let class = pg_sys::get_func_result_type(oid, &raw mut kind, &raw mut descriptor);
        if !descriptor.is_null() {
            descriptor = pg_sys::BlessTupleDesc(pg_sys::CreateTupleDescCopy(descriptor));
        }
        (class, kind, descriptor)
    };
    match class {
        Class::TYPEFUNC_COMPOSITE | Class::TYPEFUNC_COMPOSITE_DOMAIN => {
            let domain = (class == Class::TYPEFUNC_COMPOSITE_DOMAIN).then_some(kind);
            types::depend_on(dependencies, kind);
            if domain.is_some() {
                // SAFETY: a syscache look-up.
                types::depend_on(dependencies, unsafe { pg_sys::getBaseType(kind) });
            }
            // SAFETY: the descriptor lives in the function's memory.
            let shape = unsafe { shape::of(label, descriptor, dependencies)? };
            Ok(Returns::Composite { shape, domain })
        }
        Class::TYPEFUNC_SCALAR => {
            let kind = types::lookup(label, kind, Use::Result, dependencies)?;
            Ok(if kind.oid == pg_sys::VOIDOID { Returns::Void } else { Returns::Scalar(kind) })
        }
        Class::TYPEFUNC_RECORD => Ok(Returns::Record),
        // "Other" pseudo types; void is a scalar's class.
        _ if kind == pg_sys::VOIDOID => Ok(Returns::Void),
        _ => {
            types::lookup(label, kind, Use::Result, dependencies)?;
            label.err(Fault::UnsupportedType)
        }
    }
}

/// The shape of a call's own record.
///
/// # Safety
/// `descriptor` outlives the result.
pub unsafe fn record_shape(label: &Label, descriptor: pg_sys::TupleDesc) -> Result<Shape, Failure> {
    // SAFETY: as the caller vouches.
    unsafe { shape::of(label, descriptor, &mut Dependencies::default()) }
}

fn read(oid: Oid) -> Result<Row, Failure> {
    // SAFETY: the row is pinned until everything has been copied; arrays of get_func_arg_info are palloc'd and
    // as long as it says.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(Cache::PROCOID as i32, oid.into());
        if tuple.is_null() {
            let message = format!("cache lookup failed for function {}", oid.to_u32());
            return Err(Failure::internal(message));
        }
        let form = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_proc>();
        let schema = catalog::namespace_name((*form).pronamespace).unwrap_or_default();
        let name = text::from_server((*form).proname.data.as_ptr());
        let mut is_null = false;
        let source = pg_sys::SysCacheGetAttr(
            Cache::PROCOID as i32,
            tuple,
            pg_sys::Anum_pg_proc_prosrc as i16,
            &raw mut is_null,
        );
        let source = if is_null {
            String::new()
        } else {
            text::take_from_server(pg_sys::text_to_cstring(source.cast_mut_ptr()))
        };
        let mut kinds: *mut Oid = std::ptr::null_mut();
        let mut names: *mut *mut c_char = std::ptr::null_mut();
        let mut modes: *mut c_char = std::ptr::null_mut();
        let count =
            pg_sys::get_func_arg_info(tuple, &raw mut kinds, &raw mut names, &raw mut modes);
        let mut arguments = Vec::new();
        let mut variadic = (*form).provariadic != Oid::INVALID;
        for n in 0..count as usize {
            let mode = if modes.is_null() { b'i' } else { *modes.add(n) as u8 };
            match mode {
                b'i' | b'b' => {}
                b'v' => variadic = true,
                _ => continue,
            }
            let name = (!names.is_null())
                .then(|| text::from_server(*names.add(n)))
                .filter(|name| !name.is_empty());
            arguments.push((*kinds.add(n), name));
        }
        let row = Row {
            label: Label {
                name: format!(
                    "{}.{}",
                    catalog::quote_identifier(&schema),
                    catalog::quote_identifier(&name)
                ),
                arguments: arguments.len(),
            },
            source,
            volatile: (*form).provolatile as u8 == pg_sys::PROVOLATILE_VOLATILE,
            set: (*form).proretset,
            returns: (*form).prorettype,
            arguments,
            variadic,
        };
        pg_sys::ReleaseSysCache(tuple);
        Ok(row)
    }
}

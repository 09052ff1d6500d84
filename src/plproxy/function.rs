//! A compiled function: everything a call needs to know that does not change from call to call.

use super::ast::{Run, Split};
use super::codec::Codec;
use super::fault::Label;
use super::local::LocalQuery;
use super::types::{Dependencies, TypeRef};
use crate::pg::memory;
use pgrx::pg_sys::{self, Oid};
use std::cell::{Cell, RefCell};

/// An IN or INOUT argument.
#[derive(Clone, Debug)]
pub struct Argument {
    pub name: Option<String>,
    pub kind: TypeRef,
}

/// A column of a composite result, dropped ones left out.
#[derive(Clone, Debug)]
pub struct ResultColumn {
    /// Its place in the tuple, from 0.
    pub attribute: usize,
    pub name: String,
    pub oid: Oid,
    pub typmod: i32,
}

/// What a function returns.
#[derive(Debug)]
pub enum Returns {
    Void,
    Scalar(TypeRef),
    /// OUT arguments, a table or a named composite type; `domain` when it is a domain over one.
    Composite {
        shape: Shape,
        domain: Option<Oid>,
    },
    /// Said by each call.
    Record,
}

/// The tuples of a composite result.
#[derive(Debug)]
pub struct Shape {
    /// Blessed; lives in the function's memory.
    pub descriptor: pg_sys::TupleDesc,
    pub columns: Vec<ResultColumn>,
}

/// Where a name or connection string comes from.
#[derive(Debug)]
pub enum Name {
    Literal(String),
    Argument(usize),
    Query(LocalQuery),
}

/// Which server.
#[derive(Debug)]
pub enum Place {
    Connect(Name),
    Cluster(Name),
}

/// Which partitions.
#[derive(Debug)]
pub enum Route {
    All,
    Any,
    Exact(u32),
    Argument(usize),
    Query(LocalQuery),
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Remote {
    pub sql: String,
    /// The argument behind each parameter.
    pub arguments: Vec<usize>,
    /// Whether the result's columns are those asked for, in order and with their types, because the query was
    /// made here; else they must be looked at.
    pub exact: bool,
}

/// A compiled function.
pub struct Function {
    pub label: Label,
    pub oid: Oid,
    pub arguments: Vec<Argument>,
    pub returns: Returns,
    pub set: bool,
    pub place: Place,
    pub route: Route,
    /// The arguments that are split; empty = no SPLIT.
    pub split: Vec<usize>,
    /// `None` for a dynamic record: made for each call.
    pub remote: Option<Remote>,
    /// What is called on the other side when the query is made here.
    pub target: String,
    pub dependencies: Dependencies,
    /// Set when something it depends on has changed.
    pub stale: Cell<bool>,
    /// How its values are encoded and decoded, when no call is using it.
    pub codec: RefCell<Option<Codec>>,
    /// Holds what the function refers to; deleted with it.
    pub memory: Memory,
}

/// A memory context that is deleted when dropped.
#[derive(Debug)]
pub struct Memory(pg_sys::MemoryContext);

impl Memory {
    /// A new one, as long-lived as the backend.
    pub fn new() -> Memory {
        // SAFETY: TopMemoryContext is alive for the backend's life.
        Memory(unsafe {
            memory::create_child(pg_sys::TopMemoryContext, c"shard_fdw plproxy function")
        })
    }
}

impl Memory {
    /// The context, alive as long as `self`.
    pub fn context(&self) -> pg_sys::MemoryContext {
        self.0
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: made by `new`, deleted once; deletion does not raise. Nobody is left in it, also while an ERROR unwinds:
        // whoever switched to it has switched back by now, and copies of the error are elsewhere.
        unsafe { pg_sys::MemoryContextDelete(self.0) }
    }
}

/// The route as written, with its query made ready. `element` gives an argument's type as the query sees it.
pub fn route_of(run: Run, element: impl Fn(usize) -> Oid) -> Route {
    match run {
        Run::All => Route::All,
        Run::Any => Route::Any,
        Run::Exact(number) => Route::Exact(number),
        Run::Argument(argument) => Route::Argument(argument),
        Run::Query(sql) => Route::Query(LocalQuery::new(&sql, element)),
    }
}

/// The arguments that SPLIT names, or `None` for all arrays.
pub fn split_names(split: &Split) -> Option<&[usize]> {
    match split {
        Split::All => None,
        Split::Arguments(arguments) => Some(arguments),
    }
}

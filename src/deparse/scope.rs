//! What a remote query may refer to: the tables whose columns it can name, and the server it is for.

use super::not_shipped::NotShipped;
use super::shippable;
use crate::options::load::ForeignTable;
use crate::pg::compat;
use crate::session::Likeness;
use crate::session::likeness::Servers;
use pgrx::pg_sys::{self, Oid};
use std::collections::HashMap;
use std::rc::Rc;

/// The tables and the server of one remote query. A Var of any other relation is a parameter to it.
#[derive(Clone)]
pub struct Scope {
    /// The query being planned; NULL where there is none (then no Var is a parameter).
    pub root: *mut pg_sys::PlannerInfo,
    /// The extensions that its servers share with us.
    pub extensions: Vec<Oid>,
    /// The tables, by range-table index.
    pub tables: HashMap<u32, Rc<ForeignTable>>,
    /// System columns that stand for the remote tableoid, by range-table index: see plan/row_identity.rs.
    pub carriers: HashMap<u32, i32>,
    /// Whether the query groups: aggregates and GROUPING() may be shipped.
    pub grouping: bool,
    /// Whether window functions may be shipped.
    pub windows: bool,
    /// How functions and operators are named.
    pub names: Names,
    /// Where it goes; `None` where nobody asks how text is ordered there.
    pub servers: Option<Rc<Servers>>,
}

/// How objects of pg_catalog are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Without schema: nothing else is in the remote search_path.
    Short,
    /// With it: a function or operator in another schema of the search_path could fit the arguments better.
    Full,
}

impl Names {
    fn of<'a>(tables: impl IntoIterator<Item = &'a Rc<ForeignTable>>) -> Names {
        if tables.into_iter().any(|table| table.full_names) { Names::Full } else { Names::Short }
    }
}

impl Scope {
    /// The scope of a base relation or join over `tables`, all of one server.
    pub fn new(
        root: *mut pg_sys::PlannerInfo,
        tables: impl IntoIterator<Item = (u32, Rc<ForeignTable>)>,
    ) -> Scope {
        let tables: HashMap<u32, Rc<ForeignTable>> = tables.into_iter().collect();
        let any = tables.values().next();
        Scope {
            root,
            extensions: any.map_or_else(Vec::new, |table| table.server.extensions.clone()),
            names: Names::of(tables.values()),
            tables,
            carriers: HashMap::new(),
            grouping: false,
            windows: false,
            servers: None,
        }
    }

    /// The same tables, grouped: for the targets and HAVING of an upper relation.
    pub fn grouped(&self) -> Scope {
        Scope { grouping: true, ..self.clone() }
    }

    /// Whether the Var is a column of the remote query's.
    pub fn owns(&self, var: &pg_sys::Var) -> bool {
        var.varlevelsup == 0
            && var.varno > 0
            && !compat::is_old_or_new(var)
            && self.tables.contains_key(&(var.varno as u32))
    }

    /// Whether the Var's value can come from elsewhere in the local plan: it belongs to a relation that has rows
    /// of its own. (A Var of a join's or, from PostgreSQL 18 on, a grouping's range-table entry has not been
    /// resolved, and nobody could compute it.)
    pub fn is_outer(&self, var: &pg_sys::Var) -> bool {
        let is_own = self.tables.contains_key(&(var.varno as u32));
        if self.root.is_null() || var.varlevelsup != 0 || var.varno <= 0 || is_own {
            return false;
        }
        // SAFETY: a planner's root has a parse tree with a range table; the index is checked.
        unsafe {
            let table = (*(*self.root).parse).rtable;
            if table.is_null() || var.varno > (*table).length {
                return false;
            }
            let entry = pg_sys::list_nth(table, var.varno - 1).cast::<pg_sys::RangeTblEntry>();
            use pg_sys::RTEKind::{
                RTE_CTE, RTE_FUNCTION, RTE_NAMEDTUPLESTORE, RTE_RELATION, RTE_SUBQUERY,
                RTE_TABLEFUNC, RTE_VALUES,
            };
            matches!(
                (*entry).rtekind,
                RTE_RELATION
                    | RTE_SUBQUERY
                    | RTE_FUNCTION
                    | RTE_TABLEFUNC
                    | RTE_VALUES
                    | RTE_CTE
                    | RTE_NAMEDTUPLESTORE
            )
        }
    }

    /// Whether the object may be named in this query.
    pub fn ships(&self, object: Oid, class: Oid) -> bool {
        shippable::is_shippable(object, class, &self.extensions)
    }

    /// Whether the query may rely on the servers to order text as this database does, as far as `needed`.
    pub fn rely_on(&self, needed: Likeness) -> Result<(), NotShipped> {
        match &self.servers {
            Some(servers) if !servers.allow(needed) => Err(match needed {
                Likeness::Encoding => NotShipped::Encoding,
                _ => NotShipped::TextOrder,
            }),
            _ => Ok(()),
        }
    }

    /// Whether values of the type mean the same there.
    pub fn ships_type(&self, type_oid: Oid) -> bool {
        self.ships(type_oid, pg_sys::TypeRelationId)
    }

    /// Takes the tables of another scope in.
    pub fn take_in(&mut self, other: &Scope) {
        self.tables.extend(other.tables.iter().map(|(rti, table)| (*rti, Rc::clone(table))));
        self.carriers.extend(&other.carriers);
        self.names = Names::of(self.tables.values());
        self.servers = match (self.servers.take(), &other.servers) {
            (Some(own), Some(other)) => Some(Rc::new(own.join(other))),
            (one, other) => one.or_else(|| other.clone()),
        };
    }

    /// Whether columns need their table's alias.
    pub fn is_qualified(&self) -> bool {
        self.tables.len() > 1
    }
}

//! ON CONFLICT of an INSERT into a foreign table.
//!
//! The planner looks for the unique index that a conflict target names, and a foreign table has none here. So
//! before planning the target is taken out of its sight ([`set_aside`]): it travels as junk entries of DO UPDATE's SET
//! list, through everything that planning does to expressions, and is found again in the ModifyTable
//! ([`found`]). There the clause becomes remote SQL; what is left in the plan's SET list are the values that are
//! computed here and sent.

use crate::deparse::{
    self, Arbiter, ArbiterElement, ConflictUpdate, NotShipped, OnConflict, Scope,
};
use crate::error::{Failure, SqlState};
use crate::options::load::ForeignTable;
use crate::pg::relation::Relation;
use crate::pg::{catalog, compat, ffi, node, text};
use crate::session::likeness::Servers;
use crate::shard;
use pgrx::pg_sys;
use pgrx::pg_sys::{CmdType, Expr, Oid, OnConflictAction, TargetEntry};
use std::ptr;
use std::rc::Rc;

/// Junk entries of the SET list.
const UPDATE: &std::ffi::CStr = c"shard_fdw update";
const ELEMENT: &std::ffi::CStr = c"shard_fdw element";
const PREDICATE: &std::ffi::CStr = c"shard_fdw predicate";
const CONSTRAINT: &std::ffi::CStr = c"shard_fdw constraint";

/// Takes the conflict target of an INSERT into a foreign table of ours, or a sharded parent, out of the planner's sight.
///
/// # Safety
/// The query is valid and ours to change, before planning.
pub(super) unsafe fn set_aside(query: *mut pg_sys::Query) -> Result<(), Failure> {
    // SAFETY: as the caller vouches; new nodes are made in the query's memory.
    unsafe {
        let clause = (*query).onConflict;
        if clause.is_null() || (*query).commandType != CmdType::CMD_INSERT {
            return Ok(());
        }
        let updates = (*clause).action == OnConflictAction::ONCONFLICT_UPDATE;
        if !updates && (*clause).arbiterElems.is_null() && (*clause).constraint == Oid::INVALID {
            return Ok(());
        }
        let entry = pg_sys::list_nth((*query).rtable, (*query).resultRelation - 1)
            .cast::<pg_sys::RangeTblEntry>();
        if !is_ours(entry)? {
            return Ok(());
        }
        let mut set = (*clause).onConflictSet;
        let mut add = |name: &'static std::ffi::CStr, expr: *mut Expr| {
            let resno = if set.is_null() { 1 } else { (*set).length + 1 };
            let name = pg_sys::pstrdup(name.as_ptr());
            set = pg_sys::lappend(
                set,
                pg_sys::makeTargetEntry(expr, resno as i16, name, true).cast(),
            );
        };
        add(UPDATE, pg_sys::makeBoolConst(updates, false).cast());
        for element in node::list::<pg_sys::InferenceElem>((*clause).arbiterElems) {
            add(ELEMENT, element.cast());
        }
        if !(*clause).arbiterWhere.is_null() {
            add(PREDICATE, (*clause).arbiterWhere.cast());
        }
        if (*clause).constraint != Oid::INVALID {
            let value = pg_sys::Datum::from((*clause).constraint);
            let none = pg_sys::InvalidOid;
            add(
                CONSTRAINT,
                pg_sys::makeConst(pg_sys::OIDOID, -1, none, 4, value, false, true).cast(),
            );
        }
        (*clause).onConflictSet = set;
        (*clause).action = OnConflictAction::ONCONFLICT_NOTHING;
        (*clause).arbiterElems = ptr::null_mut();
        (*clause).arbiterWhere = ptr::null_mut();
        (*clause).constraint = Oid::INVALID;
        Ok(())
    }
}

unsafe fn is_ours(entry: *mut pg_sys::RangeTblEntry) -> Result<bool, Failure> {
    // SAFETY: the caller hands the entry of a result relation, which is locked.
    unsafe {
        let relid = (*entry).relid;
        Ok(match (*entry).relkind as u8 {
            pg_sys::RELKIND_FOREIGN_TABLE => catalog::is_ours(relid),
            pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE => {
                ffi::has_subclass(relid) && shard::sharded_for_writing(relid)?.is_some()
            }
            _ => false,
        })
    }
}

/// What [`set_aside`] took, after planning.
pub struct Found {
    pub(super) update: bool,
    pub(super) elements: Vec<*mut pg_sys::InferenceElem>,
    predicate: Vec<*mut Expr>,
    pub(super) constraint: Option<Oid>,
    pub(super) assignments: Vec<(i32, *mut Expr)>,
    conditions: Vec<*mut Expr>,
    excluded: u32,
    target: u32,
    single: bool,
}

/// Finds the clause in a ModifyTable that is being made, and leaves there what PostgreSQL should see: DO UPDATE fires
/// triggers of both statements. `None` where nothing was set aside.
///
/// # Safety
/// `node` is the ModifyTable of an INSERT, complete but for its FDW data.
pub(super) unsafe fn found(node: *mut pg_sys::ModifyTable) -> Result<Option<Found>, Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let set = (*node).onConflictSet;
        if !was_set_aside(set) {
            return Ok(None);
        }
        let found = Found::read(node, set, (*node).onConflictCols, (*node).onConflictWhere.cast())?;
        clean(node, found.update);
        Ok(Some(found))
    }
}

/// Whether [`set_aside`] was at work on this SET list.
///
/// # Safety
/// A valid list of TargetEntries.
pub(super) unsafe fn was_set_aside(set: *mut pg_sys::List) -> bool {
    // SAFETY: as the caller vouches.
    unsafe { node::list::<TargetEntry>(set).any(|entry| is_named(entry, UPDATE)) }
}

unsafe fn is_named(entry: *mut TargetEntry, name: &std::ffi::CStr) -> bool {
    // SAFETY: a valid entry; names are NULL or C strings.
    unsafe {
        (*entry).resjunk
            && !(*entry).resname.is_null()
            && std::ffi::CStr::from_ptr((*entry).resname) == name
    }
}

/// Leaves of the clause what PostgreSQL should see.
///
/// # Safety
/// `node` is a plan of the planner's, not yet in use.
pub(super) unsafe fn clean(node: *mut pg_sys::ModifyTable, updates: bool) {
    // SAFETY: as the caller vouches.
    unsafe {
        if updates {
            (*node).onConflictAction = OnConflictAction::ONCONFLICT_UPDATE;
        }
        (*node).onConflictSet = ptr::null_mut();
        (*node).onConflictCols = ptr::null_mut();
        (*node).onConflictWhere = ptr::null_mut();
        (*node).exclRelTlist = ptr::null_mut();
    }
}

impl Found {
    /// From the lists of a ModifyTable, which need not be in their places any more.
    ///
    /// # Safety
    /// `node` is the ModifyTable of an INSERT; the lists are its own.
    pub(super) unsafe fn read(
        node: *mut pg_sys::ModifyTable,
        set: *mut pg_sys::List,
        columns: *mut pg_sys::List,
        conditions: *mut pg_sys::List,
    ) -> Result<Found, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            let mut columns = node::int_list(columns);
            let source = (*node).plan.lefttree;
            let mut found = Found {
                update: false,
                elements: Vec::new(),
                predicate: Vec::new(),
                constraint: None,
                assignments: Vec::new(),
                conditions: node::list_vec(conditions),
                excluded: (*node).exclRelRTI,
                target: node::int_list((*node).resultRelations).next().unwrap_or(0) as u32,
                single: node::is_a(source, pg_sys::NodeTag::T_Result)
                    && (*source).lefttree.is_null(),
            };
            for entry in node::list::<TargetEntry>(set) {
                let expr = (*entry).expr;
                let constant = node::cast::<pg_sys::Const, _>(expr);
                if !(*entry).resjunk {
                    found.assignments.push((columns.next().ok_or_else(malformed)?, expr));
                } else if is_named(entry, UPDATE) {
                    found.update = constant.ok_or_else(malformed)?.constvalue.value() != 0;
                } else if is_named(entry, ELEMENT) {
                    found.elements.push(expr.cast());
                } else if is_named(entry, PREDICATE) {
                    found.predicate.push(expr);
                } else if is_named(entry, CONSTRAINT) {
                    let oid = constant.ok_or_else(malformed)?.constvalue.value();
                    found.constraint = Some(Oid::from(oid as u32));
                }
            }
            Ok(found)
        }
    }

    /// Whether it is DO UPDATE, and the range-table index of `excluded` in it.
    pub fn excluded(&self) -> Option<u32> {
        self.update.then_some(self.excluded)
    }

    /// The range-table index of the table.
    pub(super) fn target_index(&self) -> u32 {
        self.target
    }

    /// Whether there is but one row to insert.
    pub fn is_single(&self) -> bool {
        self.single
    }

    /// The clause for the remote statement, if all of it can be computed there. The scope knows `excluded`.
    ///
    /// # Safety
    /// The clause's expressions are alive.
    pub unsafe fn shipped(&self, scope: &Scope) -> Result<OnConflict, Failure> {
        // SAFETY: the expressions are the plan's.
        unsafe {
            let target = match self.constraint {
                Some(constraint) => Arbiter::Constraint(constraint_name(constraint)?),
                None => self.index(scope)?,
            };
            if !self.update {
                return Ok(OnConflict::On { target, update: None });
            }
            for &expr in self.assignments.iter().map(|(_, expr)| expr).chain(&self.conditions) {
                ship(scope, expr)?;
            }
            let update = ConflictUpdate {
                excluded: self.excluded,
                assignments: self.assignments.clone(),
                conditions: self.conditions.clone(),
                guarded: false,
            };
            Ok(OnConflict::On { target, update: Some(update) })
        }
    }

    unsafe fn index(&self, scope: &Scope) -> Result<Arbiter, Failure> {
        let mut elements = Vec::new();
        // An index is found by what it is over, however the server orders that.
        let scope = &Scope { servers: None, ..scope.clone() };
        // SAFETY: InferenceElems of the plan.
        unsafe {
            for &element in &self.elements {
                let (collation, class) = ((*element).infercollid, (*element).inferopclass);
                let expr = (*element).expr.cast::<Expr>();
                ship(scope, expr)?;
                if class != Oid::INVALID {
                    return Err(refused("an operator class"));
                }
                let collation = match collation {
                    Oid::INVALID => None,
                    given => Some(deparse::portable_collation(given).ok_or_else(|| {
                        refused("a collation that may be another one on the server")
                    })?),
                };
                elements.push(ArbiterElement { expr, collation });
            }
            for &expr in &self.predicate {
                ship(scope, expr)?;
            }
        }
        Ok(Arbiter::Index { elements, predicate: self.predicate.clone() })
    }
}

/// The same for a clause that `user` sends to the table's server: it must mean the same there.
pub fn clause_scope(table: Rc<ForeignTable>, rti: u32, excluded: Option<u32>, user: Oid) -> Scope {
    let user = if user == Oid::INVALID { catalog::current_user() } else { user };
    let servers = Rc::new(Servers::new(std::iter::once(table.server.oid), user, true));
    Scope { servers: Some(servers), ..scope(table, rti, excluded) }
}

/// What the statement may refer to: the table, and the table again as `excluded`.
pub fn scope(table: Rc<ForeignTable>, rti: u32, excluded: Option<u32>) -> Scope {
    let again = excluded.map(|excluded| (excluded, Rc::clone(&table)));
    Scope::new(ptr::null_mut(), again.into_iter().chain([(rti, table)]))
}

/// Puts the values that are computed here into the plan, where execution finds them.
///
/// # Safety
/// `node` is the ModifyTable being made; `params` are expressions without columns.
pub(super) unsafe fn keep_params(node: *mut pg_sys::ModifyTable, params: &[*mut Expr]) {
    // SAFETY: new entries in planner memory.
    unsafe {
        let entries = params
            .iter()
            .enumerate()
            .map(|(i, &expr)| pg_sys::makeTargetEntry(expr, i as i16 + 1, ptr::null_mut(), true));
        (*node).onConflictSet = node::make_list(entries);
    }
}

/// DO UPDATE leaves nothing to do here for each row: there is no telling which rows were inserted and which updated.
///
/// # Safety
/// The lists are NIL or valid.
pub(super) unsafe fn check_update(
    relation: &Relation,
    returning: *mut pg_sys::List,
    checks: *mut pg_sys::List,
) -> Result<(), Failure> {
    // SAFETY: the relation is open.
    unsafe {
        let triggers = (*relation.raw()).trigdesc;
        if !triggers.is_null()
            && ((*triggers).trig_update_before_row
                || (*triggers).trig_update_after_row
                || (*triggers).trig_insert_after_row)
        {
            let name = text::from_server((*(*relation.raw()).rd_rel).relname.data.as_ptr());
            return Err(Failure::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("ON CONFLICT DO UPDATE is not supported on \"{name}\""),
            )
            .with_detail(
                "It has an AFTER INSERT or UPDATE trigger for each row, and which rows are inserted and which are \
                 updated is only known on the foreign server.",
            )
            .with_hint("Create the trigger on the foreign server."));
        }
        // What a policy, or a view's WHERE, says of the row that is there would have to be asked there. (The views' kind of
        // check is younger than the first minor releases.)
        let checks_old = node::list::<pg_sys::WithCheckOption>(checks)
            .any(|check| (*check).kind != pg_sys::WCOKind::WCO_VIEW_CHECK);
        if checks_old {
            return Err(refused(
                "row-level security or the WHERE of a view has to look at the rows in conflict",
            ));
        }
        let asks_old = node::any_node(returning.cast(), &mut |part| {
            node::cast::<pg_sys::Var, _>(part).is_some_and(compat::is_old_or_new)
        });
        if asks_old {
            return Err(refused("RETURNING asks for \"old\" or \"new\""));
        }
    }
    Ok(())
}

unsafe fn ship(scope: &Scope, expr: *mut Expr) -> Result<(), Failure> {
    // SAFETY: the caller vouches for the expression.
    unsafe {
        let sub_query = node::any_node(expr.cast(), &mut |part| {
            matches!(
                node::tag(part),
                pg_sys::NodeTag::T_SubPlan | pg_sys::NodeTag::T_AlternativeSubPlan
            )
        });
        match deparse::foreign_expr(scope, expr) {
            Ok(()) => Ok(()),
            Err(NotShipped::Node(_)) if sub_query => {
                Err(refused("a sub-query that depends on the row"))
            }
            Err(reason) => Err(refused(&reason.to_string())),
        }
    }
}

pub(super) fn refused(reason: &str) -> Failure {
    Failure::new(
        SqlState::FEATURE_NOT_SUPPORTED,
        "ON CONFLICT cannot be computed on the foreign server",
    )
    .with_detail(format!("Not shipped: {reason}"))
    .with_hint(
        "Values computed for the rows to be inserted can be used in DO UPDATE as columns of \"excluded\".",
    )
}

fn constraint_name(constraint: Oid) -> Result<String, Failure> {
    // SAFETY: a catalog look-up; NULL for an unknown OID.
    let name = unsafe { pg_sys::get_constraint_name(constraint) };
    if name.is_null() {
        return Err(Failure::internal("the constraint of ON CONFLICT is gone"));
    }
    // SAFETY: a palloc'd name.
    Ok(unsafe { text::take_from_server(name) })
}

fn malformed() -> Failure {
    Failure::internal("malformed ON CONFLICT in a plan")
}

//! A sharded parent becomes one foreign relation.
//!
//! Before a query is planned, range-table entries of sharded parents are marked by a relkind of our
//! own. `get_relation_info_hook` makes the entry a foreign one without children (`relkind = 'f'`, `inh = false`) before the
//! planner would expand them and gives the relation our FdwRoutine, and planning goes on as for any foreign table, with several
//! placements. It is not made foreign at once because until then the planner may ask for the FdwRoutine of the
//! relation itself, and a parent has none; a relkind it does not know it takes for that of a plain table.
//!
//! What is left alone is planned child by child: see [`is_candidate`].

use super::{conflict, conflict_sharded, merge_statement, row_identity, row_marks, targets};
use crate::error::Failure;
use crate::pg::relation::Relation;
use crate::pg::{catalog, compat, ffi, hooks, node};
use crate::settings;
use crate::shard::{self, ShardedTable};
use pgrx::pg_sys;
use pgrx::pg_sys::RTEKind;
use std::ffi::c_void;
use std::rc::Rc;

/// The relkind of a parent between our two hooks.
pub(super) const MARKED: u8 = b'~';

const FOREIGN: u8 = pg_sys::RELKIND_FOREIGN_TABLE;

/// Installs the planner hooks; once, from `_PG_init`.
pub fn init() {
    hooks::install(rewrite, is_executable, settle, relation_info);
}

/// Turns sharded parents of the query, and of all queries within it, into foreign relations. When a parent is changed,
/// gives a copy of the query as it was: see targets.rs.
unsafe fn rewrite(query: *mut pg_sys::Query) -> Result<*mut pg_sys::Query, Failure> {
    let mut spare = std::ptr::null_mut::<pg_sys::Query>();
    // SAFETY: the query is valid and ours to change, as for any planner.
    unsafe {
        let mut targets = Vec::new();
        let queries = queries_of(query);
        for &query in &queries {
            conflict::set_aside(query)?;
        }
        for (at, &query) in queries.iter().enumerate() {
            if merge_statement::prepare(query, at == 0)? {
                return Ok(spare);
            }
        }
        // Restricted: the children are foreign tables, and PostgreSQL itself refuses them.
        if !settings::enable_sharded_scan() || catalog::foreign_tables_restricted() {
            return Ok(spare);
        }
        for &query in &queries {
            if let Some(table) = targets::of(query)?
                && !has_own_rows(&table)?
                && targets::may_be_one(query, &table)?
            {
                targets.push(query);
            }
        }
        if !targets.is_empty() {
            spare = pg_sys::copyObjectImpl(query.cast()).cast();
        }
        for query in queries {
            rewrite_level(query, targets.contains(&query))?;
        }
    }
    Ok(spare)
}

/// Puts the last hand to a plan.
unsafe fn settle(plan: *mut pg_sys::PlannedStmt) -> Result<(), Failure> {
    // SAFETY: the plan was made just now.
    unsafe {
        conflict_sharded::settle(plan)?;
        merge_statement::settle(plan)
    }
}

/// Whether `plan` can be executed; if not, prepares `spare` to be planned instead.
unsafe fn is_executable(
    plan: *mut pg_sys::PlannedStmt,
    spare: *mut pg_sys::Query,
) -> Result<bool, Failure> {
    // SAFETY: the plan of a query of ours, and the copy that was made of the query.
    unsafe {
        let executable = targets::is_executable(plan)?;
        if !executable {
            for query in queries_of(spare) {
                rewrite_level(query, false)?;
            }
        }
        Ok(executable)
    }
}

/// The query and all queries within it.
unsafe fn queries_of(query: *mut pg_sys::Query) -> Vec<*mut pg_sys::Query> {
    let mut queries = Vec::new();
    // SAFETY: the query is valid; the walker only collects.
    unsafe { collect(query.cast(), (&raw mut queries).cast()) };
    queries
}

/// Tree walker: notes every Query.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn collect(found: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: `context` is the vector of `queries_of`; nodes are valid.
    unsafe {
        if found.is_null() {
            return false;
        }
        if node::is_a(found, pg_sys::NodeTag::T_Query) {
            let query = found.cast::<pg_sys::Query>();
            (*context.cast::<Vec<*mut pg_sys::Query>>()).push(query);
            return pg_sys::query_tree_walker(query, Some(collect), context, 0);
        }
        pg_sys::expression_tree_walker(found, Some(collect), context)
    }
}

unsafe fn rewrite_level(query: *mut pg_sys::Query, target: bool) -> Result<(), Failure> {
    // SAFETY: a valid query of the statement being planned.
    unsafe {
        if target {
            // It has no row mark, so it can be a foreign one at once.
            let index = (*query).resultRelation - 1;
            make_foreign(pg_sys::list_nth((*query).rtable, index).cast());
        }
        for (index, entry) in
            node::list_vec::<pg_sys::RangeTblEntry>((*query).rtable).iter().enumerate()
        {
            let (entry, rti) = (*entry, index as i32 + 1);
            // Another table that is changed keeps its children: a row has to be found again in one of them.
            if rti == (*query).resultRelation || !is_candidate(entry) {
                continue;
            }
            let Some(table) = shard::sharded((*entry).relid)? else { continue };
            if has_own_rows(&table)? {
                continue;
            }
            // A primary key of an inheritance parent says nothing of its children's rows, so that GROUP BY must keep all its
            // columns: for that the planner looks at `inh`.
            (*entry).inh = (*entry).relkind as u8 == pg_sys::RELKIND_RELATION;
            (*entry).relkind = MARKED as _;
        }
        Ok(())
    }
}

unsafe fn make_foreign(entry: *mut pg_sys::RangeTblEntry) {
    // SAFETY: the caller hands a range-table entry of the query being planned.
    unsafe {
        (*entry).inh = false;
        (*entry).relkind = FOREIGN as _;
    }
}

/// Whether the range-table entry may be a sharded parent.
///
/// # Safety
/// `entry` is valid.
pub(super) unsafe fn is_candidate(entry: *mut pg_sys::RangeTblEntry) -> bool {
    // SAFETY: the caller hands a valid range-table entry.
    unsafe {
        (*entry).rtekind == RTEKind::RTE_RELATION
            && (*entry).inh
            && (*entry).tablesample.is_null()
            && matches!(
                (*entry).relkind as u8,
                pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE
            )
            && ffi::has_subclass((*entry).relid)
    }
}

/// Whether the parent itself may hold rows. A partitioned table cannot; another table does not while its file is
/// empty, which is looked at here and again when the plan is executed.
///
/// # Safety
/// As for a query that is being planned.
pub(super) unsafe fn has_own_rows(table: &ShardedTable) -> Result<bool, Failure> {
    // SAFETY: the parent is locked by the parser or the plan cache.
    unsafe {
        use pg_sys::ConstraintExclusionType::CONSTRAINT_EXCLUSION_ON;
        let relation = Relation::open(table.parent, pg_sys::NoLock as i32);
        let class = (*relation.raw()).rd_rel;
        // With this setting the planner would apply constraints that are not inherited, such as CHECK (false) NO INHERIT
        // or a NOT NULL of the parent alone, to the rows of the placements.
        if pg_sys::constraint_exclusion == CONSTRAINT_EXCLUSION_ON as i32
            && ((*class).relchecks > 0 || is_stricter(&relation, table))
        {
            return Ok(true);
        }
        if (*class).relkind as u8 == pg_sys::RELKIND_PARTITIONED_TABLE {
            return Ok(false);
        }
        Ok(compat::relation_blocks(relation.raw()) > 0)
    }
}

/// Whether the parent alone says of some column that it is not NULL.
unsafe fn is_stricter(parent: &Relation, table: &ShardedTable) -> bool {
    // SAFETY: an open relation; numbers run over its attributes.
    unsafe {
        let descriptor = parent.descriptor();
        (0..(*descriptor).natts as i16).any(|index| {
            compat::is_not_null(descriptor, index as usize) && !table.is_not_null(index + 1)
        })
    }
}

/// get_relation_info_hook: completes a parent that [`rewrite`] has marked.
unsafe fn relation_info(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
) -> Result<(), Failure> {
    // SAFETY: called for a relation that build_simple_rel is making.
    unsafe {
        let entry = *(*root).simple_rte_array.add((*rel).relid as usize);
        let marked = (*entry).relkind as u8 == MARKED;
        let foreign = !(*rel).fdwroutine.is_null() && !(*root).rowMarks.is_null();
        if marked || foreign && catalog::is_ours((*entry).relid) {
            row_marks::complete(root, (*rel).relid);
        }
        if marked {
            make_foreign(entry);
        } else if (*root)
            .parse
            .as_ref()
            .is_some_and(|parse| parse.resultRelation as u32 == (*rel).relid)
            && targets::changes_virtual(root)
        {
            row_identity::add_of_sharded(root, (*rel).relid)?;
        }
        let Some(table) = virtual_table(entry)? else { return Ok(()) };
        let Some(first) = table.members.first() else { return Ok(()) };
        (*rel).serverid = first.server;
        (*rel).fdwroutine = pg_sys::GetFdwRoutineByServerId(first.server);
        // An index of the (empty) parent says nothing of the placements' rows: they are not unique by it.
        (*rel).indexlist = std::ptr::null_mut();
        (*rel).statlist = std::ptr::null_mut();
        compat::forget_not_null(rel);
        (*rel).tuples = table.tuples;
        (*rel).pages = table.pages;
        Ok(())
    }
}

/// The sharded table behind a range-table entry that was turned into a foreign one; `None` for all others.
///
/// # Safety
/// `entry` is a valid range-table entry of a query being planned, its relation locked.
pub(super) unsafe fn virtual_table(
    entry: *mut pg_sys::RangeTblEntry,
) -> Result<Option<Rc<ShardedTable>>, Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        if (*entry).rtekind != RTEKind::RTE_RELATION
            || (*entry).relkind as u8 != pg_sys::RELKIND_FOREIGN_TABLE
            || pg_sys::get_rel_relkind((*entry).relid) as u8 == pg_sys::RELKIND_FOREIGN_TABLE
        {
            return Ok(None);
        }
        match shard::sharded((*entry).relid)? {
            Some(table) => Ok(Some(table)),
            None => Err(Failure::internal(
                "a sharded table changed while a query on it was being planned",
            )),
        }
    }
}

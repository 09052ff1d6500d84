//! COPY statements that PostgreSQL by itself would not, or not rightly, execute.
//!
//! `COPY parent FROM` of a sharded parent that is no partitioned table would fill the parent itself. It is executed here
//! as DoCopy of commands/copy.c does it, but for the result relation: PostgreSQL is given one of the placements, which
//! `parent.rs` then makes the parent. (A partitioned parent is left to PostgreSQL, which routes by itself: `routed.rs`.)
//!
//! `COPY parent TO` would leave the placements out, and `COPY foreign_table TO` is refused. Both become
//! `COPY (SELECT columns FROM ..) TO`. Not for pg_dump: what it puts into a dump of the coordinator would, restored, be
//! written to the shards a second time.

use super::{parent, routed};
use crate::error::{Failure, SqlState};
use crate::pg::compat::copy as compat;
use crate::pg::relation::Relation;
use crate::pg::utility::{Command, Rest};
use crate::pg::{catalog, ffi, node, text};
use crate::shard;
use pgrx::pg_sys::{self, CopyStmt, Oid};

/// Executes the command if it is a COPY that has to be executed here.
///
/// # Safety
/// A utility command about to be executed.
pub unsafe fn execute(command: Command) -> Result<Rest, Failure> {
    let as_it_is = Rest::Execute(command.statement);
    // SAFETY: the statement is a utility command about to be executed; other commands may come outside of a
    // transaction, so nothing but their tag is looked at.
    unsafe {
        let stmt = (*command.statement).utilityStmt;
        if !node::is_a(stmt, pg_sys::NodeTag::T_CopyStmt) {
            return Ok(as_it_is);
        }
        let stmt = stmt.cast::<CopyStmt>();
        if (*stmt).relation.is_null() {
            return Ok(as_it_is);
        }
        let relid = pg_sys::RangeVarGetRelidExtended(
            (*stmt).relation,
            pg_sys::NoLock as i32,
            pg_sys::RVROption::RVR_MISSING_OK,
            None,
            std::ptr::null_mut(),
        );
        if relid == pg_sys::InvalidOid {
            return Ok(as_it_is);
        }
        let kind = pg_sys::get_rel_relkind(relid) as u8;
        if (*stmt).is_from {
            if kind == pg_sys::RELKIND_PARTITIONED_TABLE && may_read(stmt) {
                return routed::begin(command, stmt);
            }
            let parent = kind == pg_sys::RELKIND_RELATION && ffi::has_subclass(relid);
            if !parent || !may_read(stmt) || !copy_from(command, stmt)? {
                return Ok(as_it_is);
            }
            return Ok(Rest::Nothing);
        }
        let candidate = match kind {
            pg_sys::RELKIND_FOREIGN_TABLE => catalog::is_ours(relid),
            pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE => {
                ffi::has_subclass(relid)
            }
            _ => false,
        };
        if !candidate || is_dump() {
            return Ok(as_it_is);
        }
        Ok(copy_to(command, stmt, kind)?.unwrap_or(as_it_is))
    }
}

/// Whether the user may read the source at all; if not, PostgreSQL says so before it does anything.
unsafe fn may_read(stmt: *mut CopyStmt) -> bool {
    // SAFETY: a valid statement.
    unsafe {
        let role = if (*stmt).is_program {
            pg_sys::ROLE_PG_EXECUTE_SERVER_PROGRAM
        } else {
            pg_sys::ROLE_PG_READ_SERVER_FILES
        };
        (*stmt).filename.is_null()
            || pg_sys::has_privs_of_role(pg_sys::GetUserId(), Oid::from(role))
    }
}

/// Whether this is a session of pg_dump, or one that copies a table for logical replication. pg_dump tells its name,
/// unless another one was wanted (PGAPPNAME); nobody else has these settings together.
unsafe fn is_dump() -> bool {
    // SAFETY: reads backend globals.
    unsafe {
        pg_sys::am_walsender
            || text::from_server(pg_sys::application_name).starts_with("pg_dump")
            || (!pg_sys::synchronize_seqscans
                && pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32)
    }
}

/// Executes a COPY FROM when its table is a sharded parent.
unsafe fn copy_from(command: Command, stmt: *mut CopyStmt) -> Result<bool, Failure> {
    // SAFETY: the order of the calls is DoCopy's; lists and nodes are those PostgreSQL has made.
    unsafe {
        let lock = pg_sys::RowExclusiveLock as i32;
        let relation = Relation::over(pg_sys::table_openrv((*stmt).relation, lock));
        let Some(table) = shard::sharded_for_writing(relation.oid())? else { return Ok(false) };
        // Transforming a condition changes it, and it may be a cached plan's.
        let stmt = pg_sys::copyObjectImpl(stmt.cast()).cast::<CopyStmt>();
        let Some(nominal) = table.members.first().map(|member| member.relid) else {
            return Ok(false);
        };
        let pstate = pg_sys::make_parsestate(std::ptr::null_mut());
        (*pstate).p_sourcetext = command.text;
        (*pstate).p_queryEnv = command.environment;
        let none = std::ptr::null_mut();
        let item =
            pg_sys::addRangeTableEntryForRelation(pstate, relation.raw(), lock, none, false, false);
        let condition = condition(pstate, item, (*stmt).whereClause, &relation)?;
        let columns =
            pg_sys::CopyGetAttnums(relation.descriptor(), relation.raw(), (*stmt).attlist);
        let mut inserted = std::ptr::null_mut();
        for attnum in node::int_list(columns) {
            inserted = node::add_attribute(inserted, attnum);
        }
        compat::check_insert(pstate, item, inserted);
        let policies = pg_sys::check_enable_rls(relation.oid(), pg_sys::InvalidOid, false);
        if policies == pg_sys::CheckEnableRlsResult::RLS_ENABLED as i32 {
            return Ok(false);
        }
        pg_sys::PreventCommandIfReadOnly(c"COPY FROM".as_ptr());
        pg_sys::PreventCommandIfParallelMode(c"COPY FROM".as_ptr());
        pg_sys::LockRelationOid(nominal, lock);
        compat::retarget(item, nominal);
        let source = pg_sys::BeginCopyFrom(
            pstate,
            relation.raw(),
            condition,
            (*stmt).filename,
            (*stmt).is_program,
            None,
            (*stmt).attlist,
            (*stmt).options,
        );
        refuse_freeze((*stmt).options)?;
        let rows = {
            let _pending = parent::Pending::announce(nominal, &relation, table, condition);
            pg_sys::CopyFrom(source)
        };
        pg_sys::EndCopyFrom(source);
        if !command.completion.is_null() {
            pg_sys::SetQueryCompletion(command.completion, pg_sys::CommandTag::CMDTAG_COPY, rows);
        }
        pg_sys::free_parsestate(pstate);
        Ok(true)
    }
}

/// COPY's WHERE as BeginCopyFrom takes it.
unsafe fn condition(
    pstate: *mut pg_sys::ParseState,
    item: *mut pg_sys::ParseNamespaceItem,
    raw: *mut pg_sys::Node,
    relation: &Relation,
) -> Result<*mut pg_sys::Node, Failure> {
    if raw.is_null() {
        return Ok(raw);
    }
    // SAFETY: as DoCopy does.
    unsafe {
        pg_sys::addNSItemToQuery(pstate, item, false, true, true);
        let kind = pg_sys::ParseExprKind::EXPR_KIND_COPY_WHERE;
        let mut clause = pg_sys::transformExpr(pstate, raw, kind);
        clause = pg_sys::coerce_to_boolean(pstate, clause, c"WHERE".as_ptr());
        pg_sys::assign_expr_collations(pstate, clause);
        refuse_generated(clause, relation)?;
        clause = pg_sys::eval_const_expressions(std::ptr::null_mut(), clause);
        let clause = pg_sys::canonicalize_qual(clause.cast(), false);
        Ok(pg_sys::make_ands_implicit(clause).cast())
    }
}

/// Generated columns are not there yet when the condition is evaluated. (PostgreSQL refuses them from 18 on.)
unsafe fn refuse_generated(clause: *mut pg_sys::Node, relation: &Relation) -> Result<(), Failure> {
    // SAFETY: the clause's Vars are of the one relation, numbered 1.
    unsafe {
        let mut used = std::ptr::null_mut();
        pg_sys::pull_varattnos(clause, 1, &raw mut used);
        let descriptor = relation.descriptor();
        for attribute in node::members(used) {
            let attnum = attribute + pg_sys::FirstLowInvalidHeapAttributeNumber;
            let Ok(index) = usize::try_from(attnum - 1) else { continue };
            let column = crate::pg::compat::attribute(descriptor, index);
            if (*column).attgenerated != 0 {
                return Err(Failure::new(
                    SqlState::INVALID_COLUMN_REFERENCE,
                    "generated columns are not supported in COPY FROM WHERE conditions",
                )
                .with_detail(format!(
                    "Column \"{}\" is a generated column.",
                    text::from_server((*column).attname.data.as_ptr())
                )));
            }
        }
        Ok(())
    }
}

unsafe fn refuse_freeze(options: *mut pg_sys::List) -> Result<(), Failure> {
    // SAFETY: COPY's options are DefElems, and PostgreSQL has checked them.
    let freezes = unsafe {
        node::list::<pg_sys::DefElem>(options).any(|option| {
            text::from_server((*option).defname) == "freeze" && pg_sys::defGetBoolean(option)
        })
    };
    if freezes {
        return Err(Failure::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "cannot perform COPY FREEZE on a foreign table",
        ));
    }
    Ok(())
}

/// The COPY of a query that stands for a COPY TO of a foreign table or sharded parent; `None` for another table.
unsafe fn copy_to(
    command: Command,
    stmt: *mut CopyStmt,
    kind: u8,
) -> Result<Option<Rest>, Failure> {
    // SAFETY: copies of the statement's nodes are changed, not the nodes, which may be a cached plan's.
    unsafe {
        let lock = pg_sys::AccessShareLock as i32;
        let relation = Relation::over(pg_sys::table_openrv((*stmt).relation, lock));
        if kind != pg_sys::RELKIND_FOREIGN_TABLE
            && shard::sharded_for_writing(relation.oid())?.is_none()
            && shard::sharded(relation.oid())?.is_none()
        {
            return Ok(None);
        }
        let attnums =
            pg_sys::CopyGetAttnums(relation.descriptor(), relation.raw(), (*stmt).attlist);
        let columns: Vec<String> = node::int_list(attnums)
            .map(|attnum| {
                let column =
                    crate::pg::compat::attribute(relation.descriptor(), attnum as usize - 1);
                let name = text::from_server((*column).attname.data.as_ptr());
                catalog::quote_identifier(&name)
            })
            .collect();
        if columns.is_empty() {
            return Ok(None);
        }
        let query = select(&columns, relation.oid())?;
        let copy = pg_sys::copyObjectImpl(stmt.cast()).cast::<CopyStmt>();
        (*copy).relation = std::ptr::null_mut();
        (*copy).attlist = std::ptr::null_mut();
        (*copy).query = query;
        let statement =
            pg_sys::palloc(size_of::<pg_sys::PlannedStmt>()).cast::<pg_sys::PlannedStmt>();
        statement.copy_from_nonoverlapping(command.statement, 1);
        (*statement).utilityStmt = copy.cast();
        Ok(Some(Rest::Execute(statement)))
    }
}

/// `SELECT columns FROM relation`, parsed.
unsafe fn select(columns: &[String], relid: Oid) -> Result<*mut pg_sys::Node, Failure> {
    // SAFETY: the relation is open; the parser gives a list of one statement.
    unsafe {
        let schema = catalog::namespace_name(pg_sys::get_rel_namespace(relid)).unwrap_or_default();
        let name = catalog::relation_name(relid).unwrap_or_default();
        let sql = format!(
            "SELECT {} FROM {}.{}",
            columns.join(", "),
            catalog::quote_identifier(&schema),
            catalog::quote_identifier(&name)
        );
        let mode = pg_sys::RawParseMode::RAW_PARSE_DEFAULT;
        let parsed = pg_sys::raw_parser(text::to_server(&sql), mode);
        match node::list::<pg_sys::RawStmt>(parsed).next() {
            Some(raw) => Ok((*raw).stmt),
            None => Err(Failure::internal("no statement was parsed")),
        }
    }
}

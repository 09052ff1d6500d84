//! IMPORT FOREIGN SCHEMA: the remote catalogs as CREATE FOREIGN TABLE statements.
//!
//! Options and result are postgres_fdw's, plus `import_check`. Everything is asked in one query, hence in one
//! round trip. The statements are parsed by PostgreSQL, which accepts nothing from us but CREATE FOREIGN TABLE, and
//! filters the tables by LIMIT TO and EXCEPT once more.

use super::imported::{Column, Table};
use super::plain_check;
use crate::deparse::quote::literal;
use crate::error::{Failure, SqlState};
use crate::options::parse::{self, ImportOptions};
use crate::pg::node::{list, make_list};
use crate::pg::text;
use crate::session::{PLAIN_SEARCH_PATH, search_path};
use crate::txn;
use crate::wire::{Reply, Request};
use pgrx::pg_sys;
use pgrx::pg_sys::ImportForeignSchemaType as Limit;
use std::rc::Rc;

/// ImportForeignSchema: the commands to execute, a list of C strings.
///
/// # Safety
/// `statement` is what PostgreSQL hands to the callback.
pub unsafe fn import(
    statement: *mut pg_sys::ImportForeignSchemaStmt,
    server: pg_sys::Oid,
) -> Result<*mut pg_sys::List, Failure> {
    // SAFETY: as the caller vouches.
    let (options, schema, names, limit) = unsafe {
        let options: Vec<_> = list::<pg_sys::DefElem>((*statement).options)
            .map(|option| {
                let name = text::from_server((*option).defname);
                (name, text::from_server(pg_sys::defGetString(option)))
            })
            .collect();
        let names: Vec<_> = list::<pg_sys::RangeVar>((*statement).table_list)
            .map(|table| text::from_server((*table).relname))
            .collect();
        let schema = text::from_server((*statement).remote_schema);
        (parse::import(&options)?, schema, names, (*statement).list_type)
    };
    // SAFETY: plain call.
    let participant = txn::enlist(server, unsafe { pg_sys::GetUserId() })?;
    // The version is known once there is a connection, and enlisting makes one.
    let version = participant.session().server_version();
    let sql = query(&schema, &names, limit, options, version);
    // What the server writes without a schema has to be in pg_catalog.
    let server = Rc::clone(&participant.connection().server);
    let own_path = !server.search_path.is_empty();
    if own_path {
        participant.run(Request::Simple(PLAIN_SEARCH_PATH), PLAIN_SEARCH_PATH)?;
    }
    let reply = participant.run(Request::Simple(&sql), &sql)?;
    if own_path {
        let back = search_path(&server);
        participant.run(Request::Simple(&back), &back)?;
    }
    if reply.rows.is_empty() {
        let server = participant.server_name();
        return Err(Failure::new(
            SqlState::FDW_SCHEMA_NOT_FOUND,
            format!("schema \"{schema}\" is not present on foreign server \"{server}\""),
        ));
    }
    let tables = tables_of(&reply, options)?;
    Ok(make_list(
        tables
            .iter()
            .map(|table| text::to_server(&table.create(&schema, participant.server_name()))),
    ))
}

/// One row that says the schema exists (part 0), then for each table its columns (part 1) and its CHECK
/// constraints (part 2).
fn query(
    schema: &str,
    names: &[String],
    limit: Limit::Type,
    options: ImportOptions,
    version: i32,
) -> String {
    let schema = literal(schema);
    let mut which = format!("n.nspname = {schema} AND c.relkind IN ('r', 'v', 'f', 'm', 'p')");
    // Partitions come with their root, unless they are named.
    if version >= 100_000 && limit != Limit::FDW_IMPORT_SCHEMA_LIMIT_TO {
        which.push_str(" AND NOT c.relispartition");
    }
    if limit != Limit::FDW_IMPORT_SCHEMA_ALL {
        let not = if limit == Limit::FDW_IMPORT_SCHEMA_EXCEPT { "NOT " } else { "" };
        let list: Vec<_> = names.iter().map(|name| literal(name)).collect();
        which.push_str(&format!(" AND c.relname {not}IN ({})", list.join(", ")));
    }
    let generated = if version >= 120_000 { "a.attgenerated" } else { "''" };
    let mut sql = format!(
        "SELECT 0 AS part, NULL::name AS relation, 0 AS number, NULL::name, NULL::text, NULL::bool, \
         NULL::text, NULL::text, NULL::name, NULL::name \
         FROM pg_catalog.pg_namespace n WHERE n.nspname = {schema} \
         UNION ALL \
         SELECT 1, c.relname, COALESCE(a.attnum, 0)::int4, a.attname, \
         pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, \
         pg_catalog.pg_get_expr(d.adbin, d.adrelid), {generated}::text, l.collname, ln.nspname \
         FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_catalog.pg_attribute a \
         ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
         LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation \
         LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace \
         WHERE {which}"
    );
    if options.check {
        // conislocal or not: a placement's rows satisfy inherited constraints too.
        sql.push_str(&format!(
            " UNION ALL \
             SELECT 2, c.relname, 0, k.conname, pg_catalog.pg_get_expr(k.conbin, k.conrelid), \
             k.connoinherit, NULL, NULL, NULL, NULL \
             FROM pg_catalog.pg_constraint k \
             JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE k.contype = 'c' AND k.convalidated AND {which}"
        ));
    }
    sql.push_str(" ORDER BY 2 NULLS FIRST, 1, 3, 4");
    sql
}

fn tables_of(reply: &Reply, options: ImportOptions) -> Result<Vec<Table>, Failure> {
    let mut tables: Vec<Table> = Vec::new();
    for row in 0..reply.rows.len() {
        let fields: Vec<Option<String>> = reply
            .fields(row)
            .map(|field| field.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
            .collect();
        let Ok(
            [part, relation, _, name, definition, flag, expression, generated, collation, space],
        ) = <[Option<String>; 10]>::try_from(fields)
        else {
            return Err(Failure::new(
                SqlState::FDW_INCONSISTENT_DESCRIPTOR_INFORMATION,
                "unexpected answer to the query of IMPORT FOREIGN SCHEMA",
            ));
        };
        let Some(relation) = relation else { continue };
        if tables.last().is_none_or(|table| table.name != relation) {
            tables.push(Table { name: relation, columns: Vec::new(), checks: Vec::new() });
        }
        let Some(table) = tables.last_mut() else { continue };
        // A table without columns has one row without a name.
        let (Some(name), Some(definition)) = (name, definition) else { continue };
        let flag = flag.as_deref() == Some("t");
        if part.as_deref() == Some("2") {
            if plain_check::is_plain(&definition) {
                table.checks.push((name, definition, flag));
            } else {
                left_out(&name, &table.name);
            }
            continue;
        }
        let generated = generated.is_some_and(|kind| !kind.is_empty());
        let wanted = if generated { options.generated } else { options.default };
        table.columns.push(Column {
            name,
            data_type: definition,
            collation: collation.zip(space).filter(|_| options.collate),
            expression: expression.filter(|_| wanted),
            generated,
            not_null: flag && options.not_null,
        });
    }
    Ok(tables)
}

fn left_out(constraint: &str, table: &str) {
    pgrx::ereport!(
        pgrx::PgLogLevel::NOTICE,
        pgrx::PgSqlErrorCode::ERRCODE_WARNING,
        format!("check constraint \"{constraint}\" of table \"{table}\" is not imported"),
        "It is more than an expression over built-in functions, operators and types."
    );
}

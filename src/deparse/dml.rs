//! INSERT, UPDATE and DELETE of single rows (and batches), RETURNING, and changes that run on the remote server
//! as a whole.

use super::relation::From;
use super::scope::Scope;
use super::template::{Piece, Rows, Template};
use super::writer::{Params, Statement, Writer};
use super::{catalog, conflict::OnConflict};
use crate::error::Failure;
use crate::pg::node;
use pgrx::pg_sys::{self, Bitmapset, Expr};

/// How a row to be changed is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowId {
    /// `$1` is its ctid.
    Ctid,
    /// `$1` is its ctid and `$2` its remote tableoid: for a remote table that is partitioned, where a ctid alone
    /// may name a row in each partition.
    CtidAndTable,
}

impl RowId {
    /// How many parameters it takes; the columns' come behind.
    pub fn params(self) -> u32 {
        match self {
            RowId::Ctid => 1,
            RowId::CtidAndTable => 2,
        }
    }

    fn condition(self) -> &'static str {
        match self {
            RowId::Ctid => " WHERE ctid = $1",
            RowId::CtidAndTable => " WHERE ctid = $1 AND tableoid = $2",
        }
    }
}

/// What RETURNING asks for.
#[derive(Clone, Debug)]
pub enum Returning {
    /// Columns of the changed table: numbers as `pull_varattnos` makes them (see [`returning_attrs`]); NULL for
    /// none.
    Columns(*mut Bitmapset),
    /// Expressions over a join.
    Exprs(Vec<*mut Expr>),
}

impl Returning {
    /// No RETURNING.
    pub const NOTHING: Returning = Returning::Columns(std::ptr::null_mut());
}

/// The columns that must come back from a changed row: those of the local RETURNING and WITH CHECK OPTION lists,
/// and all of them for AFTER ROW triggers. What the remote server made of the row counts, not what was sent:
/// remote triggers may have changed it.
///
/// # Safety
/// The lists are NIL or valid expression lists.
pub unsafe fn returning_attrs(
    rti: u32,
    after_row_trigger: bool,
    check_options: *mut pg_sys::List,
    returning: *mut pg_sys::List,
) -> *mut Bitmapset {
    let mut attrs = std::ptr::null_mut();
    // SAFETY: pull_varattnos takes any expression tree, lists and NULL too.
    unsafe {
        if after_row_trigger {
            attrs = node::add_attribute(attrs, 0);
        }
        pg_sys::pull_varattnos(check_options.cast(), rti, &raw mut attrs);
        pg_sys::pull_varattnos(returning.cast(), rti, &raw mut attrs);
    }
    attrs
}

/// `INSERT INTO t(a, b) VALUES ($1, $2)`. Parameters are first `Statement::params` (of ON CONFLICT DO UPDATE; none
/// otherwise), then for each row the columns' values in order, without those of generated columns; the template
/// takes any number of rows.
///
/// # Safety
/// `on_conflict` and `returning` hold valid nodes of the scope's query.
pub unsafe fn insert(
    scope: &Scope,
    rti: u32,
    columns: &[i32],
    on_conflict: OnConflict,
    returning: &Returning,
) -> Result<Statement, Failure> {
    let mut writer = Writer::new(scope, Params::Numbered);
    writer.qualified = false;
    let mut retrieved = Vec::new();
    // Written first: the rows' parameters are numbered behind those in here.
    let tail = writer.capture(|writer| {
        writer.qualified = on_conflict.excluded().is_some();
        writer.aliases.extend(on_conflict.excluded().map(|excluded| (excluded, "excluded")));
        // SAFETY: as the caller vouches.
        unsafe {
            writer.on_conflict(rti, &on_conflict)?;
            retrieved = writer.returning(rti, returning)?;
        }
        Ok(())
    })?;
    writer.push("INSERT INTO ");
    writer.out.push(Piece::Relation(rti));
    if on_conflict.excluded().is_some() {
        let alias = writer.alias(rti);
        writer.push(&format!(" AS {alias} "));
    }
    if columns.is_empty() {
        writer.push(" DEFAULT VALUES");
    } else {
        writer.push("(");
        writer.separated(columns, ", ", |writer, attnum| writer.column(rti, *attnum, false))?;
        writer.push(") ");
        let generated = generated(scope, rti)?;
        let columns = columns.iter().map(|attnum| !generated.contains(attnum)).collect();
        let first_param = writer.params.len() as u32 + 1;
        writer.out.push(Piece::Rows(Rows { first_param, columns }));
    }
    writer.out.append(tail);
    Ok(writer.finish(retrieved))
}

/// `UPDATE t SET a = $2 WHERE ctid = $1`. Parameters: the row's identity, then the columns' values in order,
/// without those of generated columns.
///
/// # Safety
/// `returning` is valid.
pub unsafe fn update(
    scope: &Scope,
    rti: u32,
    columns: &[i32],
    row: RowId,
    returning: &Returning,
) -> Result<Statement, Failure> {
    let mut writer = Writer::new(scope, Params::Numbered);
    writer.push("UPDATE ");
    writer.out.push(Piece::Relation(rti));
    writer.push(" SET ");
    assignments(&mut writer, scope, rti, columns, row, "$")?;
    writer.push(row.condition());
    // SAFETY: as the caller vouches.
    let retrieved = unsafe { writer.returning(rti, returning)? };
    Ok(writer.finish(retrieved))
}

/// `a = $3, b = DEFAULT`: values follow those that tell the row, and are called `prefix` and their number. Gives the last
/// number.
fn assignments(
    writer: &mut Writer<'_>,
    scope: &Scope,
    rti: u32,
    columns: &[i32],
    row: RowId,
    prefix: &str,
) -> Result<u32, Failure> {
    let generated = generated(scope, rti)?;
    let mut param = row.params();
    writer.separated(columns, ", ", |writer, attnum| {
        writer.column(rti, *attnum, false)?;
        if generated.contains(attnum) {
            writer.push(" = DEFAULT");
        } else {
            param += 1;
            writer.push(&format!(" = {prefix}{param}"));
        }
        Ok(())
    })?;
    Ok(param)
}

/// `DELETE FROM t WHERE ctid = $1`.
///
/// # Safety
/// `returning` is valid.
pub unsafe fn delete(
    scope: &Scope,
    rti: u32,
    row: RowId,
    returning: &Returning,
) -> Result<Statement, Failure> {
    let mut writer = Writer::new(scope, Params::Numbered);
    writer.push("DELETE FROM ");
    writer.out.push(Piece::Relation(rti));
    writer.push(row.condition());
    // SAFETY: as the caller vouches.
    let retrieved = unsafe { writer.returning(rti, returning)? };
    Ok(writer.finish(retrieved))
}

/// `UPDATE t SET a = n.c3 FROM unnest($1, $2, $3) n ...`: the same for rows that come in arrays, one for each parameter.
pub fn update_many(scope: &Scope, rti: u32, columns: &[i32]) -> Result<Template, Failure> {
    let mut writer = Writer::new(scope, Params::Numbered);
    writer.push("UPDATE ");
    writer.out.push(Piece::Relation(rti));
    writer.push(" AS t SET ");
    let param = assignments(&mut writer, scope, rti, columns, RowId::CtidAndTable, "n.c")?;
    writer.push(" FROM ");
    writer.push(&arrays(param));
    Ok(writer.finish(Vec::new()).template)
}

/// `DELETE FROM t USING unnest($1, $2) n ...`: likewise.
pub fn delete_many(scope: &Scope, rti: u32) -> Template {
    let mut writer = Writer::new(scope, Params::Numbered);
    writer.push("DELETE FROM ");
    writer.out.push(Piece::Relation(rti));
    writer.push(" AS t USING ");
    writer.push(&arrays(RowId::CtidAndTable.params()));
    writer.finish(Vec::new()).template
}

/// So many arrays as rows, and the condition that finds the row each of them is about.
fn arrays(count: u32) -> String {
    let numbered = |prefix: &str| -> String {
        let each: Vec<String> = (1..=count).map(|number| format!("{prefix}{number}")).collect();
        each.join(", ")
    };
    let (params, columns) = (numbered("$"), numbered("c"));
    format!("unnest({params}) AS n({columns}) WHERE t.ctid = n.c1 AND t.tableoid = n.c2")
}

fn generated(scope: &Scope, rti: u32) -> Result<Vec<i32>, Failure> {
    let Some(table) = scope.tables.get(&rti) else {
        return Err(Failure::internal(format!("no table {rti} in the query")));
    };
    let columns = catalog::columns(table.relid)?;
    Ok(columns.iter().filter(|column| column.generated).map(|column| column.attnum).collect())
}

/// An UPDATE or DELETE that the remote server runs as a whole.
pub struct Direct {
    /// The changed table.
    pub rti: u32,
    /// SET: column and new value. Empty for DELETE.
    pub assignments: Vec<(i32, *mut Expr)>,
    /// The join that finds the rows, the changed table in it; `None` when it stands alone.
    pub from: Option<From>,
    /// WHERE, all of them.
    pub conditions: Vec<*mut Expr>,
    /// RETURNING.
    pub returning: Returning,
}

/// `UPDATE t SET ... [FROM ...] WHERE ...`
///
/// # Safety
/// All expressions are valid nodes of the scope's query.
pub unsafe fn direct_update(scope: &Scope, change: &Direct) -> Result<Statement, Failure> {
    // SAFETY: as the caller vouches.
    unsafe { direct(scope, change, "UPDATE ", " FROM ") }
}

/// `DELETE FROM t [USING ...] WHERE ...`
///
/// # Safety
/// All expressions are valid nodes of the scope's query.
pub unsafe fn direct_delete(scope: &Scope, change: &Direct) -> Result<Statement, Failure> {
    // SAFETY: as the caller vouches.
    unsafe { direct(scope, change, "DELETE FROM ", " USING ") }
}

unsafe fn direct(
    scope: &Scope,
    change: &Direct,
    verb: &str,
    join_word: &str,
) -> Result<Statement, Failure> {
    let mut writer = Writer::new(scope, Params::Numbered);
    let joined = change.from.as_ref().is_some_and(|from| from.tables().len() > 1);
    writer.qualified = joined;
    writer.outputs = change.from.as_ref().map_or_else(Vec::new, From::outputs);
    writer.push(verb);
    writer.out.push(Piece::Relation(change.rti));
    if joined {
        let alias = writer.alias(change.rti);
        writer.push(&format!(" {alias}"));
    }
    if !change.assignments.is_empty() {
        writer.push(" SET ");
        writer.separated(&change.assignments, ", ", |writer, (attnum, value)| {
            writer.column(change.rti, *attnum, false)?;
            writer.push(" = ");
            // SAFETY: the caller vouches for the expressions.
            unsafe { writer.assigned(*value) }
        })?;
    }
    let mut conditions = change.conditions.clone();
    let mut above = Vec::new();
    if let Some(from) = change.from.clone().filter(|_| joined) {
        let rest = from.without(change.rti)?;
        conditions.extend(rest.conditions);
        if let Some(from) = &rest.from {
            writer.push(join_word);
            // SAFETY: as above.
            above = unsafe { writer.from(from, true)? };
        }
        for exists in rest.exists {
            let mut within = Vec::new();
            let inner = writer.capture(|writer| {
                // SAFETY: as above.
                within = unsafe { writer.from(&exists.inner, true)? };
                Ok(())
            })?;
            // SAFETY: as above.
            above.push(unsafe { writer.exists(exists.kind, inner, &exists.on, within)? });
        }
    }
    // SAFETY: as above.
    let retrieved = unsafe {
        writer.filter(" WHERE ", &conditions, above)?;
        writer.returning(change.rti, &change.returning)?
    };
    Ok(writer.finish(retrieved))
}

impl Writer<'_> {
    unsafe fn returning(&mut self, rti: u32, what: &Returning) -> Result<Vec<i32>, Failure> {
        // SAFETY: the caller vouches for set and expressions.
        unsafe {
            match what {
                Returning::Columns(attrs) => self.returning_columns(rti, *attrs, self.qualified),
                Returning::Exprs(exprs) => self.returning_exprs(exprs),
            }
        }
    }
}

//! Statements about whole tables: TRUNCATE, and what ANALYZE and IMPORT ask.

use super::{catalog, quote};
use crate::error::Failure;
use crate::options::load::ForeignTable;
use pgrx::pg_sys::BLCKSZ;

/// `TRUNCATE a, b RESTART IDENTITY CASCADE`, for remote names as `ForeignTable::remote_name` gives them.
pub fn truncate(remote_names: &[String], restart_identity: bool, cascade: bool) -> String {
    format!(
        "TRUNCATE {} {} IDENTITY {}",
        remote_names.join(", "),
        if restart_identity { "RESTART" } else { "CONTINUE" },
        if cascade { "CASCADE" } else { "RESTRICT" }
    )
}

/// `COPY t (a, b) FROM STDIN` of the columns with these numbers.
pub fn copy_in(table: &ForeignTable, columns: &[i16]) -> String {
    let names: Vec<_> = columns.iter().map(|&n| quote::identifier(table.column(n))).collect();
    format!("COPY {} ({}) FROM STDIN", table.remote_name(), names.join(", "))
}

/// Asks whether COPY does to the remote table what INSERT does: not to a view, or where rules or policies take part.
pub fn copy_fits(table: &ForeignTable) -> String {
    format!(
        "SELECT relkind IN ('r', 'p', 'f') AND NOT relhasrules AND NOT pg_catalog.row_security_active(oid) \
         FROM pg_catalog.pg_class WHERE oid = {}::pg_catalog.regclass::pg_catalog.oid",
        quote::literal(&table.remote_name())
    )
}

/// Asks whether COPY into the remote table is the same as INSERT in all respects: each row is stored (no trigger could
/// leave it out), and values for columns that are GENERATED ALWAYS are not to be refused.
pub fn copy_is_insert(table: &ForeignTable) -> String {
    format!(
        "SELECT c.relkind = 'r' AND NOT c.relhasrules AND NOT pg_catalog.row_security_active(c.oid) \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND t.tgtype & 7 = 7) \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attidentity = 'a') \
         FROM pg_catalog.pg_class c WHERE c.oid = {}::pg_catalog.regclass",
        quote::literal(&table.remote_name())
    )
}

/// Asks for the table's size in blocks (of our size).
pub fn analyze_size(table: &ForeignTable) -> String {
    format!(
        "SELECT pg_catalog.pg_relation_size({}::pg_catalog.regclass) / {BLCKSZ}",
        quote::literal(&table.remote_name())
    )
}

/// Asks for the remote planner's idea of the number of rows, and the relation's kind.
pub fn analyze_info(table: &ForeignTable) -> String {
    format!(
        "SELECT reltuples, relkind FROM pg_catalog.pg_class WHERE oid = {}::pg_catalog.regclass::pg_catalog.oid",
        quote::literal(&table.remote_name())
    )
}

/// How the remote server draws a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Sample {
    /// It does not: all rows come.
    All,
    Random,
    System,
    Bernoulli,
}

/// A query for sample rows, `fraction` (0 to 1) of all; with the attribute numbers of its columns.
pub fn analyze_sample(
    table: &ForeignTable,
    sample: Sample,
    fraction: f64,
) -> Result<(String, Vec<i32>), Failure> {
    let attnums: Vec<i32> =
        catalog::columns(table.relid)?.iter().map(|column| column.attnum).collect();
    let names: Vec<String> =
        attnums.iter().map(|attnum| quote::identifier(table.column(*attnum as i16))).collect();
    let list = if names.is_empty() { "NULL".to_owned() } else { names.join(", ") };
    let from = table.remote_name();
    Ok((format!("SELECT {list} FROM {from}{}", sample_clause(sample, fraction)), attnums))
}

fn sample_clause(sample: Sample, fraction: f64) -> String {
    match sample {
        Sample::All => String::new(),
        Sample::Random => format!(" WHERE pg_catalog.random() < {fraction:.6}"),
        Sample::System => format!(" TABLESAMPLE SYSTEM({:.6})", 100.0 * fraction),
        Sample::Bernoulli => format!(" TABLESAMPLE BERNOULLI({:.6})", 100.0 * fraction),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncation() {
        let names = ["public.a".to_owned(), "\"S 1\".b".to_owned()];
        assert_eq!(
            truncate(&names, true, false),
            "TRUNCATE public.a, \"S 1\".b RESTART IDENTITY RESTRICT"
        );
        assert_eq!(
            truncate(&names[..1], false, true),
            "TRUNCATE public.a CONTINUE IDENTITY CASCADE"
        );
    }

    #[test]
    fn sampling() {
        assert_eq!(sample_clause(Sample::System, 0.25), " TABLESAMPLE SYSTEM(25.000000)");
        assert_eq!(sample_clause(Sample::Random, 0.5), " WHERE pg_catalog.random() < 0.500000");
        assert_eq!(sample_clause(Sample::All, 0.5), "");
    }
}

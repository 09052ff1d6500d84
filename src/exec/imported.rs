//! A remote table's description as a CREATE FOREIGN TABLE statement.
#![forbid(unsafe_code)]

use crate::deparse::quote::{identifier, literal, qualified};

/// A column as the remote catalogs describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Column {
    pub name: String,
    /// As format_type prints it.
    pub data_type: String,
    /// Name and schema.
    pub collation: Option<(String, String)>,
    /// Of DEFAULT, or of GENERATED ALWAYS.
    pub expression: Option<String>,
    pub generated: bool,
    pub not_null: bool,
}

/// A table as the remote catalogs describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    /// CHECK constraints: name, expression, NO INHERIT.
    pub checks: Vec<(String, String, bool)>,
}

impl Table {
    /// The statement. The local schema is left out: PostgreSQL puts it in.
    pub fn create(&self, remote_schema: &str, server: &str) -> String {
        let columns = self.columns.iter().map(Column::define);
        let checks = self.checks.iter().map(|(name, expression, no_inherit)| {
            let tail = if *no_inherit { " NO INHERIT" } else { "" };
            format!("CONSTRAINT {} CHECK ({expression}){tail}", identifier(name))
        });
        let elements: Vec<_> =
            columns.chain(checks).map(|element| format!("  {element}")).collect();
        format!(
            "CREATE FOREIGN TABLE {} (\n{}\n) SERVER {}\nOPTIONS (schema_name {}, table_name {});",
            identifier(&self.name),
            elements.join(",\n"),
            identifier(server),
            literal(remote_schema),
            literal(&self.name)
        )
    }
}

impl Column {
    fn define(&self) -> String {
        // The remote name always goes in, so that the local one can be changed.
        let mut out = format!(
            "{} {} OPTIONS (column_name {})",
            identifier(&self.name),
            self.data_type,
            literal(&self.name)
        );
        if let Some((name, schema)) = &self.collation {
            out.push_str(&format!(" COLLATE {}", qualified(schema, name)));
        }
        match &self.expression {
            Some(expression) if self.generated => {
                out.push_str(&format!(" GENERATED ALWAYS AS ({expression}) STORED"));
            }
            Some(expression) => out.push_str(&format!(" DEFAULT {expression}")),
            None => {}
        }
        if self.not_null {
            out.push_str(" NOT NULL");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statement() {
        let table = Table {
            name: "T 1".into(),
            columns: vec![
                Column {
                    name: "id".into(),
                    data_type: "integer".into(),
                    expression: Some("5".into()),
                    not_null: true,
                    ..Column::default()
                },
                Column {
                    name: "it's".into(),
                    data_type: "text".into(),
                    collation: Some(("C".into(), "pg_catalog".into())),
                    expression: Some("(id)::text".into()),
                    generated: true,
                    ..Column::default()
                },
            ],
            checks: vec![("k".into(), "(id % 4) = 0".into(), true)],
        };
        assert_eq!(
            table.create("s", "db0"),
            "CREATE FOREIGN TABLE \"T 1\" (\n\
             \x20 id integer OPTIONS (column_name 'id') DEFAULT 5 NOT NULL,\n\
             \x20 \"it's\" text OPTIONS (column_name 'it''s') COLLATE pg_catalog.\"C\" \
             GENERATED ALWAYS AS ((id)::text) STORED,\n\
             \x20 CONSTRAINT k CHECK ((id % 4) = 0) NO INHERIT\n\
             ) SERVER db0\nOPTIONS (schema_name 's', table_name 'T 1');"
        );
    }

    #[test]
    fn no_columns() {
        let table = Table { name: "t".into(), ..Table::default() };
        assert_eq!(
            table.create("public", "x"),
            "CREATE FOREIGN TABLE t (\n\n) SERVER x\nOPTIONS (schema_name 'public', table_name 't');"
        );
    }
}

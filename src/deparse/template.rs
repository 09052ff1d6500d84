//! Remote SQL as a template: text with marks for what differs between the placements of a table.
//!
//! The same statement goes to many placements of a sharded table; only the table's name, and the local OID that
//! stands for `tableoid`, differ. A plain foreign table is the case of one placement. Of an INSERT, the number
//! of rows is open as well: how many `(..)` follow VALUES is decided when it is sent.
#![forbid(unsafe_code)]

use crate::session::Likeness;
use std::fmt::Write;

/// One part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// SQL as it is.
    Text(String),
    /// The remote name of the table of this range-table index.
    Relation(u32),
    /// The local OID of that table, as a number.
    TableOid(u32),
    /// The rows of an INSERT: `VALUES ...`, or arrays of columns.
    Rows(Rows),
}

/// The shape of one row of an INSERT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Number of the first row's first parameter.
    pub first_param: u32,
    /// Per column: a parameter (true) or DEFAULT.
    pub columns: Vec<bool>,
}

impl Rows {
    fn write_arrays(&self, out: &mut String) {
        // Of several arrays PostgreSQL always takes its own function; by that name only.
        let schema = if self.width() > 1 { "" } else { "pg_catalog." };
        let _ = write!(out, "SELECT * FROM {schema}unnest(");
        for column in 0..self.width() {
            let _ = write!(
                out,
                "{}${}",
                if column == 0 { "" } else { ", " },
                self.first_param + column
            );
        }
        out.push(')');
    }

    /// How many parameters one row takes.
    pub fn width(&self) -> u32 {
        self.columns.iter().filter(|&&is_param| is_param).count() as u32
    }

    /// As text: `3:$D$`.
    pub fn encode(&self) -> String {
        let shape: String = self.columns.iter().map(|&p| if p { '$' } else { 'D' }).collect();
        format!("{}:{shape}", self.first_param)
    }

    /// Back from [`Rows::encode`].
    pub fn decode(text: &str) -> Option<Rows> {
        let (first, shape) = text.split_once(':')?;
        Some(Rows {
            first_param: first.parse().ok()?,
            columns: shape.chars().map(|c| c == '$').collect(),
        })
    }

    fn write(&self, rows: usize, out: &mut String) {
        let mut param = self.first_param;
        for row in 0..rows {
            out.push_str(if row == 0 { "VALUES (" } else { ", (" });
            for (i, is_param) in self.columns.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                if *is_param {
                    let _ = write!(out, "${param}");
                    param += 1;
                } else {
                    out.push_str("DEFAULT");
                }
            }
            out.push(')');
        }
    }
}

/// A remote statement with marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// The parts, in order. Text pieces never follow each other.
    pub pieces: Vec<Piece>,
    /// How far it relies on the server to order text as this database does.
    pub relies_on: Likeness,
}

impl Template {
    /// Adds SQL.
    pub fn push_str(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        match self.pieces.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    /// Adds a mark.
    pub fn push(&mut self, piece: Piece) {
        match piece {
            Piece::Text(text) => self.push_str(&text),
            mark => self.pieces.push(mark),
        }
    }

    /// Adds another template's pieces.
    pub fn append(&mut self, other: Template) {
        self.relies_on = self.relies_on.max(other.relies_on);
        for piece in other.pieces {
            self.push(piece);
        }
    }

    /// The SQL for one placement: `relation` gives the quoted remote name of a range-table index, `oid` the local
    /// OID of the placement that takes its part.
    pub fn render(
        &self,
        relation: impl FnMut(u32) -> String,
        oid: impl FnMut(u32) -> u32,
    ) -> String {
        self.render_rows(Some(1), relation, oid)
    }

    /// Like [`Template::render`], for `rows` rows behind VALUES; for any number of them, in arrays, if that is `None`.
    pub fn render_rows(
        &self,
        rows: Option<usize>,
        mut relation: impl FnMut(u32) -> String,
        mut oid: impl FnMut(u32) -> u32,
    ) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Relation(rti) => out.push_str(&relation(*rti)),
                Piece::TableOid(rti) => {
                    let _ = write!(out, "{}", oid(*rti));
                }
                Piece::Rows(shape) => match rows {
                    Some(rows) => shape.write(rows, &mut out),
                    None => shape.write_arrays(&mut out),
                },
            }
        }
        out
    }

    /// How many parameters each row of an INSERT takes; 0 when the template has no rows.
    pub fn row_width(&self) -> u32 {
        let rows = self.pieces.iter().find_map(|piece| match piece {
            Piece::Rows(rows) => Some(rows),
            _ => None,
        });
        rows.map_or(0, Rows::width)
    }

    /// Whether each column of its rows is a parameter, so that they can come in arrays.
    pub fn takes_arrays(&self) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Rows(rows) => rows.columns.iter().all(|&is_param| is_param),
            _ => false,
        })
    }

    /// Whether rows may be added to it (an INSERT with columns).
    pub fn takes_rows(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Rows(_)))
    }
}

impl From<&str> for Template {
    fn from(text: &str) -> Template {
        let mut template = Template::default();
        template.push_str(text);
        template
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert() -> Template {
        let mut template = Template::from("INSERT INTO ");
        template.push(Piece::Relation(1));
        template.push_str("(a, b, c) ");
        template.push(Piece::Rows(Rows { first_param: 1, columns: vec![true, false, true] }));
        template.push_str(" ON CONFLICT DO NOTHING");
        template
    }

    #[test]
    fn text_is_joined() {
        let mut template = Template::from("SELECT ");
        template.append(Template::from("1"));
        assert_eq!(template.pieces, vec![Piece::Text("SELECT 1".to_owned())]);
    }

    #[test]
    fn rows_are_numbered_on() {
        let template = insert();
        assert_eq!(template.row_width(), 2);
        assert_eq!(
            template.render_rows(Some(2), |rti| format!("s.t{rti}"), |_| 0),
            "INSERT INTO s.t1(a, b, c) VALUES ($1, DEFAULT, $2), ($3, DEFAULT, $4) ON CONFLICT DO NOTHING"
        );
    }

    #[test]
    fn rows_come_in_arrays() {
        assert!(!insert().takes_arrays());
        let mut template = Template::from("INSERT INTO t(a, b) ");
        template.push(Piece::Rows(Rows { first_param: 3, columns: vec![true, true] }));
        assert!(template.takes_arrays());
        assert_eq!(
            template.render_rows(None, |_| String::new(), |_| 0),
            "INSERT INTO t(a, b) SELECT * FROM unnest($3, $4)"
        );
    }

    #[test]
    fn row_shapes_travel() {
        let rows = Rows { first_param: 3, columns: vec![true, false, true] };
        assert_eq!(rows.encode(), "3:$D$");
        assert_eq!(Rows::decode("3:$D$"), Some(rows));
        assert_eq!(Rows::decode("x"), None);
    }

    #[test]
    fn marks_are_filled_in() {
        let mut template = Template::from("SELECT ");
        template.push(Piece::TableOid(2));
        template.push_str(" FROM ");
        template.push(Piece::Relation(2));
        assert_eq!(template.render(|_| "a.b".to_owned(), |rti| 40 + rti), "SELECT 42 FROM a.b");
    }
}

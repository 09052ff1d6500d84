//! A template as nodes that PostgreSQL can copy and print, for plans, and back.
//!
//! String: text. Integer n > 0: the name of table n. Integer n < 0: the local OID of table -n. Integer 0: the
//! next String is the shape of rows, `3:$D$` = first parameter 3, then a parameter, DEFAULT, a parameter. In front is an
//! Integer of its own: [`Likeness`].

use super::template::{Piece, Rows, Template};
use crate::error::Failure;
use crate::pg::node;
use crate::session::Likeness;
use pgrx::pg_sys::{List, Node};

impl Template {
    /// As a list of String and Integer nodes in the current memory context.
    pub fn to_list(&self) -> *mut List {
        let mut nodes = Vec::with_capacity(self.pieces.len() + 1);
        nodes.push(node::make_integer(self.relies_on.number()));
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => nodes.push(node::make_string(text)),
                Piece::Relation(rti) => nodes.push(node::make_integer(*rti as i32)),
                Piece::TableOid(rti) => nodes.push(node::make_integer(-(*rti as i32))),
                Piece::Rows(rows) => {
                    nodes.push(node::make_integer(0));
                    nodes.push(node::make_string(&rows.encode()));
                }
            }
        }
        node::make_list(nodes)
    }

    /// Back from [`Template::to_list`].
    ///
    /// # Safety
    /// `list` is NIL or a valid list.
    pub unsafe fn from_list(list: *mut List) -> Result<Template, Failure> {
        let mut template = Template::default();
        let mut rows_next = false;
        // SAFETY: as the caller vouches.
        unsafe {
            let mut items = node::list::<Node>(list);
            let likeness = items.next().and_then(|item| node::integer_value(item));
            template.relies_on = Likeness::from_number(likeness.ok_or_else(broken)?);
            for item in items {
                match (node::string_value(item), node::integer_value(item)) {
                    (Some(shape), _) if rows_next => {
                        template.push(Piece::Rows(Rows::decode(&shape).ok_or_else(broken)?));
                        rows_next = false;
                    }
                    (Some(text), _) => template.push_str(&text),
                    (_, Some(0)) => rows_next = true,
                    (_, Some(n)) if n > 0 => template.push(Piece::Relation(n as u32)),
                    (_, Some(n)) => template.push(Piece::TableOid(n.unsigned_abs())),
                    _ => return Err(broken()),
                }
            }
        }
        Ok(template)
    }
}

fn broken() -> Failure {
    Failure::internal("a plan holds a broken statement template")
}

//! What a remote statement gives back: the columns of one table, or a list of expressions.

use super::writer::Writer;
use super::{catalog, not_shipped::system_column};
use crate::error::Failure;
use crate::pg::node;
use pgrx::pg_sys::{self, Bitmapset, Expr};

/// System columns that are fetched, in the order they follow the others. `tableoid` is ours to know.
const FETCHED: [i32; 5] = [
    pg_sys::SelfItemPointerAttributeNumber,
    pg_sys::MinTransactionIdAttributeNumber,
    pg_sys::MinCommandIdAttributeNumber,
    pg_sys::MaxTransactionIdAttributeNumber,
    pg_sys::MaxCommandIdAttributeNumber,
];

/// A SELECT list.
#[derive(Clone, Debug)]
pub enum Target {
    /// Columns of one table, as a base relation's scan wants them.
    Columns {
        /// The table.
        rti: u32,
        /// Which: numbers as `pull_varattnos` makes them; the whole row stands for all columns.
        attrs_used: *mut Bitmapset,
    },
    /// Expressions, for joins and upper relations. (Those of a list of TargetEntry: see [`Target::from_tlist`].)
    Exprs(Vec<*mut Expr>),
    /// Nothing but the fact that there is a row.
    Nothing,
}

impl Target {
    /// The expressions of a list of TargetEntry.
    ///
    /// # Safety
    /// `tlist` is NIL or a valid target list.
    pub unsafe fn from_tlist(tlist: *mut pg_sys::List) -> Target {
        // SAFETY: as the caller vouches.
        Target::Exprs(unsafe {
            node::list::<pg_sys::TargetEntry>(tlist).map(|entry| (*entry).expr).collect()
        })
    }
}

impl Writer<'_> {
    /// The SELECT list; returns what the columns are (see `Statement::retrieved`).
    pub(super) unsafe fn target(&mut self, target: &Target) -> Result<Vec<i32>, Failure> {
        // SAFETY: the caller vouches for set and expressions.
        let retrieved = unsafe {
            match target {
                Target::Columns { rti, attrs_used } => {
                    self.columns(*rti, *attrs_used, self.qualified)?
                }
                Target::Exprs(exprs) => self.exprs(exprs)?,
                Target::Nothing => Vec::new(),
            }
        };
        if retrieved.is_empty() {
            self.push("NULL");
        }
        Ok(retrieved)
    }

    unsafe fn exprs(&mut self, exprs: &[*mut Expr]) -> Result<Vec<i32>, Failure> {
        // SAFETY: the caller vouches for the expressions.
        self.separated(exprs, ", ", |writer, expr| unsafe { writer.top(*expr) })?;
        Ok((1..=exprs.len() as i32).collect())
    }

    /// The columns of one table; writes nothing when there are none.
    unsafe fn columns(
        &mut self,
        rti: u32,
        attrs_used: *mut Bitmapset,
        qualify: bool,
    ) -> Result<Vec<i32>, Failure> {
        let Some(table) = self.scope.tables.get(&rti) else {
            return Err(Failure::internal(format!("no table {rti} in the query")));
        };
        let columns = catalog::columns(table.relid)?;
        // SAFETY: the caller vouches for the set.
        let used = |attnum| unsafe { node::has_attribute(attrs_used, attnum) };
        let wanted: Vec<i32> = columns
            .iter()
            .map(|column| column.attnum)
            .filter(|attnum| used(0) || used(*attnum))
            .chain(FETCHED.into_iter().filter(|attnum| used(*attnum)))
            .collect();
        self.separated(&wanted, ", ", |writer, attnum| writer.column(rti, *attnum, qualify))?;
        Ok(wanted)
    }

    /// ` RETURNING ...` for the columns of the changed table; nothing when there are none.
    pub(super) unsafe fn returning_columns(
        &mut self,
        rti: u32,
        attrs_used: *mut Bitmapset,
        qualify: bool,
    ) -> Result<Vec<i32>, Failure> {
        let mut retrieved = Vec::new();
        let list = self.capture(|writer| {
            // SAFETY: the caller vouches for the set.
            retrieved = unsafe { writer.columns(rti, attrs_used, qualify)? };
            Ok(())
        })?;
        if !retrieved.is_empty() {
            self.push(" RETURNING ");
            self.out.append(list);
        }
        Ok(retrieved)
    }

    /// ` RETURNING ...` for expressions over several tables.
    pub(super) unsafe fn returning_exprs(
        &mut self,
        exprs: &[*mut Expr],
    ) -> Result<Vec<i32>, Failure> {
        if exprs.is_empty() {
            return Ok(Vec::new());
        }
        self.push(" RETURNING ");
        // SAFETY: the caller vouches for the expressions.
        unsafe { self.exprs(exprs) }
    }
}

/// Whether the remote server can be asked for this system column (`tableoid` is known here).
pub fn is_fetched_system_column(attnum: i32) -> bool {
    FETCHED.contains(&attnum) && system_column(attnum).is_some()
}

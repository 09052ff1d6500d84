//! ON CONFLICT DO UPDATE in a plan: the statements for rows that do not fit into one.

use super::private::{Reader, Writer};
use crate::deparse::Template;
use crate::error::Failure;
use std::ptr;

/// DO UPDATE, as execution needs it beside the statement itself.
#[derive(Clone, Debug)]
pub struct ConflictPlan {
    /// The statement that also tells in which transaction and command it ran: xmin and cmin are its last two columns.
    pub first: Template,
    /// The statement that fails on a row which the commands since then have changed; these two are `$1` and `$2`.
    pub again: Template,
    /// Whether there is but one row to insert.
    pub single: bool,
}

impl ConflictPlan {
    pub(super) unsafe fn write(plan: Option<&ConflictPlan>, out: &mut Writer) {
        // SAFETY: list and node makers only allocate.
        unsafe {
            let Some(plan) = plan else { return out.list(ptr::null_mut()) };
            let mut own = Writer::new();
            own.list(plan.first.to_list());
            own.list(plan.again.to_list());
            own.integer(i32::from(plan.single));
            out.list(own.finish());
        }
    }

    pub(super) unsafe fn read(list: &mut Reader) -> Result<Option<ConflictPlan>, Failure> {
        // SAFETY: what `write` wrote.
        unsafe {
            let mut own = Reader::new(list.list()?);
            if own.at_end() {
                return Ok(None);
            }
            let first = Template::from_list(own.list()?)?;
            let again = Template::from_list(own.list()?)?;
            Ok(Some(ConflictPlan { first, again, single: own.integer()? != 0 }))
        }
    }
}

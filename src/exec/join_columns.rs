//! The columns of a scan that is no table's own: of a join, a grouping or a sharded table. Where each comes from is in
//! `fdw_scan_tlist`.

use super::rows::{LocalColumn, place};
use super::tuple::system_column;
use crate::pg::{node, text};
use pgrx::pg_sys;

/// Gives whole rows their type (row locks ask for them as RECORD), and each column a name for the CONTEXT of errors.
///
/// # Safety
/// `columns` are those that the positions `retrieved` in the target list of `scan`, a plan being initialised for
/// `estate`, stand for.
pub(super) unsafe fn describe_columns(
    columns: &mut [LocalColumn],
    retrieved: &[i32],
    scan: *mut pg_sys::ForeignScan,
    estate: *mut pg_sys::EState,
) {
    // SAFETY: a node being initialised has its plan and range table; positions are checked.
    unsafe {
        let entries = node::list_vec::<pg_sys::TargetEntry>((*scan).fdw_scan_tlist);
        for (column, &position) in columns.iter_mut().zip(retrieved) {
            let entry = usize::try_from(position - 1).ok().and_then(|index| entries.get(index));
            let Some(&entry) = entry else { continue };
            let Some(var) = node::cast::<pg_sys::Var, _>((*entry).expr) else {
                column.place =
                    Some(format!("processing expression at position {position} in select list"));
                continue;
            };
            let of = pg_sys::exec_rt_fetch(var.varno as u32, estate);
            if var.varattno == 0 && var.vartype == pg_sys::RECORDOID {
                column.type_oid = pg_sys::get_rel_type_id((*of).relid);
            }
            let name = match var.varattno {
                0 => String::new(),
                number if number < 0 => system_column(i32::from(number)).1.to_owned(),
                number => {
                    let names = (*(*of).eref).colnames;
                    let name = pg_sys::list_nth(names, i32::from(number) - 1);
                    node::string_value(name.cast::<pg_sys::Node>()).unwrap_or_default()
                }
            };
            let relation = text::from_server((*(*of).eref).aliasname);
            column.place = Some(place(&name, &relation));
        }
    }
}

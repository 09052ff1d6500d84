//! How a row of a foreign table is found again: by ctid and the remote tableoid.
//!
//! A ctid alone may name a row in each partition (or child) of the remote table. The executor carries a row's
//! identity in junk columns, which can only be columns of the local table; and its own `tableoid` is the local
//! table's. So the remote one travels in another system column of 32 bits that the query does not mention, the
//! carrier: the scan asks for `tableoid` in its place.

use crate::error::{Failure, SqlState};
use crate::pg::relation::Relation;
use crate::pg::{compat, node, text};
use crate::shard;
use pgrx::pg_sys;
use pgrx::pg_sys::{Oid, TargetEntry};
use std::ffi::CStr;
use std::ptr;

/// A system column that can carry the remote tableoid.
struct Carrier {
    attnum: i32,
    type_oid: Oid,
    /// The junk column's name; one per carrier, because names stand for types.
    name: &'static CStr,
    /// Columns that must not be mentioned, being kept in the same place of a tuple.
    excludes: &'static [i32],
}

const CARRIERS: [Carrier; 3] = [
    Carrier {
        attnum: pg_sys::MaxCommandIdAttributeNumber,
        type_oid: pg_sys::CIDOID,
        name: c"remote_tableoid",
        excludes: &[pg_sys::MaxCommandIdAttributeNumber, pg_sys::MinCommandIdAttributeNumber],
    },
    Carrier {
        attnum: pg_sys::MaxTransactionIdAttributeNumber,
        type_oid: pg_sys::XIDOID,
        name: c"remote_tableoid_xmax",
        excludes: &[pg_sys::MaxTransactionIdAttributeNumber],
    },
    Carrier {
        attnum: pg_sys::MinTransactionIdAttributeNumber,
        type_oid: pg_sys::XIDOID,
        name: c"remote_tableoid_xmin",
        excludes: &[pg_sys::MinTransactionIdAttributeNumber],
    },
];

/// AddForeignUpdateTargets.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn add_update_targets(
    root: *mut pg_sys::PlannerInfo,
    rtindex: pg_sys::Index,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches; names are copied by the target entry's maker.
    unsafe {
        add(root, rtindex, pg_sys::SelfItemPointerAttributeNumber, pg_sys::TIDOID, c"ctid");
        let mentioned = mentioned(root);
        let carrier = CARRIERS.iter().find(|carrier| {
            !carrier.excludes.iter().any(|&attnum| node::has_attribute(mentioned, attnum))
        });
        let Some(carrier) = carrier else {
            return Err(Failure::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "UPDATE and DELETE of a foreign table cannot use xmin, xmax and cmin or cmax all at once",
            ));
        };
        add(root, rtindex, carrier.attnum, carrier.type_oid, carrier.name);
        if needs_old_row(root, rtindex)? {
            add(root, rtindex, 0, pg_sys::RECORDOID, WHOLE_ROW);
        }
        Ok(())
    }
}

/// Whether a row that is deleted has to bring its old values only because rows of other placements do, which have
/// triggers: PostgreSQL wants them from all then, but asks for those of placements with triggers.
unsafe fn needs_old_row(
    root: *mut pg_sys::PlannerInfo,
    rtindex: pg_sys::Index,
) -> Result<bool, Failure> {
    // SAFETY: the target of the query that is being planned, and locked.
    unsafe {
        let parse = (*root).parse;
        let target = (*parse).resultRelation;
        if (*parse).commandType != pg_sys::CmdType::CMD_DELETE || target == rtindex as i32 {
            return Ok(false);
        }
        let entry = *(*root).simple_rte_array.add(target as usize);
        let table = shard::sharded_for_writing((*entry).relid)?;
        Ok(table.is_some_and(|table| !table.deletes_whole))
    }
}

/// The junk column with the OID of the placement that a row of a sharded table is from.
pub const PLACEMENT: &CStr = c"shard_fdw_placement";
/// The junk column with the row as it was, as PostgreSQL calls it.
pub const WHOLE_ROW: &CStr = c"wholerow";

/// What the rows of a sharded parent that is to be changed as one foreign relation bear besides `ctid`, which PostgreSQL
/// has added, taking it for a table of its own. Must run before the planner builds the target lists of base relations.
///
/// # Safety
/// `root` is a planner's root whose target list has been prepared; `rti` is the relation that its query changes.
pub(super) unsafe fn add_of_sharded(
    root: *mut pg_sys::PlannerInfo,
    rti: u32,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches; names are copied.
    unsafe {
        let mentioned = mentioned(root);
        let carrier = CARRIERS.iter().find(|carrier| {
            !carrier.excludes.iter().any(|&attnum| node::has_attribute(mentioned, attnum))
        });
        // Without one the rows are not changed this way.
        let Some(carrier) = carrier else { return Ok(()) };
        add(root, rti, carrier.attnum, carrier.type_oid, carrier.name);
        add(root, rti, pg_sys::TableOidAttributeNumber, pg_sys::OIDOID, PLACEMENT);
        if (*(*root).parse).commandType == pg_sys::CmdType::CMD_UPDATE {
            let entry = *(*root).simple_rte_array.add(rti as usize);
            let tlist = (*root).processed_tlist;
            let number = node::list_vec::<pg_sys::Node>(tlist).len() as i16 + 1;
            let name = pg_sys::pstrdup(WHOLE_ROW.as_ptr());
            let row = pg_sys::makeTargetEntry(row_of((*entry).relid, rti), number, name, true);
            (*root).processed_tlist = pg_sys::lappend(tlist, row.cast());
        }
        Ok(())
    }
}

/// The whole row, put together from its columns: these travel faster one by one.
unsafe fn row_of(relid: Oid, rti: u32) -> *mut pg_sys::Expr {
    // SAFETY: the relation is locked; numbers run over its attributes.
    unsafe {
        let relation = Relation::open(relid, pg_sys::NoLock as i32);
        let descriptor = relation.descriptor();
        let row = node::make::<pg_sys::RowExpr>();
        (*row).args = node::make_list((0..(*descriptor).natts as usize).map(|index| {
            let column = compat::attribute(descriptor, index);
            if (*column).attisdropped {
                return pg_sys::makeNullConst(pg_sys::INT4OID, -1, pg_sys::InvalidOid)
                    .cast::<pg_sys::Node>();
            }
            let (type_oid, typmod) = ((*column).atttypid, (*column).atttypmod);
            let attno = index as i16 + 1;
            pg_sys::makeVar(rti as _, attno, type_oid, typmod, (*column).attcollation, 0).cast()
        }));
        (*row).row_typeid = pg_sys::get_rel_type_id(relid);
        (*row).row_format = pg_sys::CoercionForm::COERCE_IMPLICIT_CAST;
        (*row).location = -1;
        row.cast()
    }
}

unsafe fn add(
    root: *mut pg_sys::PlannerInfo,
    rtindex: pg_sys::Index,
    attnum: i32,
    type_oid: Oid,
    name: &CStr,
) {
    // SAFETY: `rtindex` is a result relation of the query.
    unsafe {
        let var = pg_sys::makeVar(rtindex as _, attnum as i16, type_oid, -1, pg_sys::InvalidOid, 0);
        pg_sys::add_row_identity_var(root, var, rtindex, name.as_ptr());
    }
}

/// The columns of the target that the query reads, before any are changed. (RETURNING reads the new row.)
unsafe fn mentioned(root: *mut pg_sys::PlannerInfo) -> *mut pg_sys::Bitmapset {
    // SAFETY: as for `mentioned_by_user`.
    unsafe {
        let mut attrs = mentioned_by_user(root);
        let (targets, target) = ((*(*root).parse).targetList, (*(*root).parse).resultRelation);
        pg_sys::pull_varattnos(targets.cast(), target as u32, &raw mut attrs);
        attrs
    }
}

/// The same without what planning itself has added.
///
/// # Safety
/// `root` is a planner's root with its expressions preprocessed.
pub(super) unsafe fn mentioned_by_user(root: *mut pg_sys::PlannerInfo) -> *mut pg_sys::Bitmapset {
    // SAFETY: as the caller vouches; children share the query of the table it names. The target list may be the one
    // that row identities have been added to.
    unsafe {
        let parse = (*root).parse;
        let target = (*parse).resultRelation as u32;
        let mut attrs = ptr::null_mut();
        for entry in node::list::<TargetEntry>((*parse).targetList) {
            if !(*entry).resjunk || (*entry).resname.is_null() {
                pg_sys::pull_varattnos((*entry).expr.cast(), target, &raw mut attrs);
            }
        }
        pg_sys::pull_varattnos((*parse).jointree.cast(), target, &raw mut attrs);
        let entry = pg_sys::list_nth((*parse).rtable, target as i32 - 1);
        let quals = (*entry.cast::<pg_sys::RangeTblEntry>()).securityQuals;
        pg_sys::pull_varattnos(quals.cast(), target, &raw mut attrs);
        attrs
    }
}

/// The carrier of a table that the query changes; `None` for other tables.
///
/// # Safety
/// `rti` is a base relation of the query of `root`, whose row identities have been added.
pub unsafe fn carrier_of(root: *mut pg_sys::PlannerInfo, rti: u32) -> Option<i32> {
    // SAFETY: as the caller vouches.
    unsafe {
        if !node::has_member((*root).all_result_relids, rti as i32) {
            return None;
        }
        // A plain target has its own entry; children share theirs, by name.
        let own = node::list::<TargetEntry>((*root).processed_tlist).find_map(|entry| {
            let var = node::cast::<pg_sys::Var, _>((*entry).expr)?;
            ((*entry).resjunk && !(*entry).resname.is_null() && var.varno == rti as i32)
                .then(|| named(text::from_server((*entry).resname).as_str()))?
        });
        own.or_else(|| {
            node::list::<pg_sys::RowIdentityVarInfo>((*root).row_identity_vars).find_map(|info| {
                node::has_member((*info).rowidrels, rti as i32)
                    .then(|| named(text::from_server((*info).rowidname).as_str()))?
            })
        })
    }
}

fn named(name: &str) -> Option<i32> {
    let carrier = CARRIERS.iter().find(|carrier| carrier.name.to_bytes() == name.as_bytes());
    carrier.map(|carrier| carrier.attnum)
}

/// Position of the junk column with the remote tableoid in a subplan's target list, 0 if there is none.
///
/// # Safety
/// `targets` is the target list of the plan below a ModifyTable.
pub unsafe fn junk_column(targets: *mut pg_sys::List) -> i16 {
    // SAFETY: as the caller vouches.
    unsafe {
        CARRIERS
            .iter()
            .map(|carrier| pg_sys::ExecFindJunkAttributeInTlist(targets, carrier.name.as_ptr()))
            .find(|&position| position > 0)
            .unwrap_or(0)
    }
}

//! Whether nothing of the user's runs while rows are stored, so that nobody can look which of them are there already.
//!
//! Triggers, defaults, conditions and types of users may do anything, reading the table among it. What is known to
//! read nothing: immutable functions of PostgreSQL's own, and a few others of its own that defaults are made of.

use crate::pg::{compat, node};
use crate::shard::ShardedTable;
use pgrx::pg_sys;
use pgrx::pg_sys::{NodeTag, Oid};
use std::ffi::{c_char, c_void};

/// pg_proc.dat: nextval, now, statement_timestamp, clock_timestamp, random, gen_random_uuid.
const HARMLESS: [u32; 6] = [1574, 1299, 2648, 2649, 1598, 3432];

/// Whether storing rows in this relation runs nothing of the user's.
///
/// # Safety
/// The relation is open.
pub unsafe fn is_quiet(relation: pg_sys::Relation) -> bool {
    // SAFETY: what a relation's constraints point to is as the relation cache has made it.
    unsafe {
        if !(*relation).trigdesc.is_null() {
            return false;
        }
        let descriptor = (*relation).rd_att;
        let own_types = (0..(*descriptor).natts as usize).all(|index| {
            let column = compat::attribute(descriptor, index);
            (*column).attisdropped || (*column).atttypid.to_u32() < pg_sys::FirstNormalObjectId
        });
        if !own_types {
            return false;
        }
        let Some(constraints) = (*descriptor).constr.as_ref() else { return true };
        let defaults = (0..constraints.num_defval as usize)
            .map(|index| (*constraints.defval.add(index)).adbin.cast_const());
        let checks = (0..constraints.num_check as usize)
            .map(|index| (*constraints.check.add(index)).ccbin.cast_const());
        defaults.chain(checks).all(|text| is_quiet_text(text))
    }
}

unsafe fn is_quiet_text(text: *const c_char) -> bool {
    // SAFETY: the text of a stored expression, or NULL for one that is missing.
    unsafe { !text.is_null() && runs_nothing(pg_sys::stringToNode(text).cast()) }
}

/// Whether the rules of the table's placements run nothing of the user's.
pub fn has_quiet_rules(table: &ShardedTable) -> bool {
    table.members.iter().all(|member| {
        // SAFETY: expressions of rules are valid as long as the table is.
        member.rule_expressions().all(|expression| unsafe { runs_nothing(expression.cast()) })
    })
}

/// Whether an expression (or a list of them, or none) runs nothing of the user's.
///
/// # Safety
/// A valid expression.
pub unsafe fn runs_nothing(expression: *mut pg_sys::Node) -> bool {
    // SAFETY: as the caller vouches.
    unsafe { !may_run(expression, std::ptr::null_mut()) }
}

/// Tree walker: true when something is found that might run code of the user's, or read a table.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn may_run(found: *mut pg_sys::Node, context: *mut c_void) -> bool {
    use NodeTag::*;
    // SAFETY: nodes of an expression, cast by their tags.
    unsafe {
        if found.is_null() {
            return false;
        }
        let function = match node::tag(found) {
            T_Var | T_Const | T_List | T_RelabelType | T_BoolExpr | T_NullTest | T_BooleanTest
            | T_ArrayExpr | T_CoalesceExpr | T_CaseExpr | T_CaseWhen | T_CaseTestExpr
            | T_SQLValueFunction => None,
            T_FuncExpr => Some((*found.cast::<pg_sys::FuncExpr>()).funcid),
            T_OpExpr => Some(pg_sys::get_opcode((*found.cast::<pg_sys::OpExpr>()).opno)),
            T_ScalarArrayOpExpr => {
                Some(pg_sys::get_opcode((*found.cast::<pg_sys::ScalarArrayOpExpr>()).opno))
            }
            _ => return true,
        };
        if let Some(function) = function
            && !is_harmless(function)
        {
            return true;
        }
        pg_sys::expression_tree_walker(found, Some(may_run), context)
    }
}

fn is_harmless(function: Oid) -> bool {
    let number = function.to_u32();
    // SAFETY: a look-up in the catalogs.
    let is_immutable =
        || unsafe { pg_sys::func_volatile(function) } as u8 == pg_sys::PROVOLATILE_IMMUTABLE;
    number < pg_sys::FirstGenbkiObjectId && (HARMLESS.contains(&number) || is_immutable())
}

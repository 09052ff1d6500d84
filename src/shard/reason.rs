//! Why conditions on the columns that rules are about did not leave any placement out: for people, who read EXPLAIN.
//!
//! Asked only when all placements are left, so that each condition has failed to decide.

use super::equality::Operand;
use super::pin::MAX_CANDIDATES;
use super::rule::Origin;
use super::table::ShardedTable;
use crate::pg::node::{cast, list_vec, members};
use crate::pg::text;
use pgrx::pg_sys;
use pgrx::pg_sys::{NodeTag, Oid};

/// The reasons, one for each form of condition; none when there are no conditions on such columns, or when their values
/// are known at execution only.
///
/// # Safety
/// The clauses are valid, simplified expressions on relation `rti`, which is `table`; inside a transaction.
pub unsafe fn why_all(
    table: &ShardedTable,
    clauses: impl Iterator<Item = *mut pg_sys::Node>,
    rti: u32,
    honoured: fn(Origin) -> bool,
) -> Vec<String> {
    let mut reasons: Vec<String> = Vec::new();
    for clause in clauses {
        // SAFETY: as the caller vouches.
        let reason = unsafe {
            if !is_about(table, clause, rti) {
                continue;
            }
            switched_off(table, honoured).or_else(|| of_clause(table, clause, rti))
        };
        if let Some(reason) = reason
            && !reasons.contains(&reason)
        {
            reasons.push(reason);
        }
    }
    reasons
}

unsafe fn is_about(table: &ShardedTable, clause: *mut pg_sys::Node, rti: u32) -> bool {
    // SAFETY: the caller hands a valid expression.
    unsafe {
        let mut used = std::ptr::null_mut();
        pg_sys::pull_varattnos(clause, rti, &raw mut used);
        members(used)
            .filter_map(|m| i16::try_from(m + pg_sys::FirstLowInvalidHeapAttributeNumber).ok())
            .any(|attno| table.uses(attno))
    }
}

fn switched_off(table: &ShardedTable, honoured: fn(Origin) -> bool) -> Option<String> {
    [(Origin::Check, "constraint_exclusion"), (Origin::Partition, "enable_partition_pruning")]
        .into_iter()
        .find(|(origin, _)| !honoured(*origin) && has_rule_from(table, *origin))
        .map(|(_, setting)| format!("{setting} is off"))
}

fn has_rule_from(table: &ShardedTable, origin: Origin) -> bool {
    let rules = table.members.iter().filter_map(|member| member.rule.as_ref());
    rules.flat_map(|rule| &rule.conditions).any(|condition| condition.origin == origin)
}

unsafe fn of_clause(table: &ShardedTable, clause: *mut pg_sys::Node, rti: u32) -> Option<String> {
    // SAFETY: nodes are cast by their tags; the caller hands a valid expression.
    unsafe {
        match (*clause).type_ {
            NodeTag::T_OpExpr => {
                let operator = &*clause.cast::<pg_sys::OpExpr>();
                of_comparison(table, operator.args, operator.opno, operator.inputcollid, rti, false)
            }
            NodeTag::T_ScalarArrayOpExpr => {
                let any = &*clause.cast::<pg_sys::ScalarArrayOpExpr>();
                if !any.useOr {
                    return Some("the comparison is not for equality".to_owned());
                }
                of_comparison(table, any.args, any.opno, any.inputcollid, rti, true)
            }
            NodeTag::T_NullTest => Some("NULL may be anywhere".to_owned()),
            NodeTag::T_BoolExpr => Some("not every arm of the condition fixes a value".to_owned()),
            _ => Some("the condition fixes no value".to_owned()),
        }
    }
}

unsafe fn of_comparison(
    table: &ShardedTable,
    args: *mut pg_sys::List,
    operator: Oid,
    collation: Oid,
    rti: u32,
    of_array: bool,
) -> Option<String> {
    // SAFETY: as in `of_clause`.
    unsafe {
        let [left, right] = list_vec::<pg_sys::Node>(args)[..] else { return None };
        let (column, value) = match is_about_relation(left, rti) {
            true => (left, right),
            false => (right, left),
        };
        if is_about_relation(value, rti) {
            return Some("it compares columns with each other".to_owned());
        }
        let Some(operand) = Operand::read(column, rti) else {
            return Some("the column is inside an expression".to_owned());
        };
        if !operand.is_equality(operator) {
            return Some("the comparison is not for equality".to_owned());
        }
        // A value that is not known yet decides at execution.
        let constant = cast::<pg_sys::Const, _>(value).filter(|constant| !constant.constisnull)?;
        let value_type = match of_array {
            true => pg_sys::get_base_element_type(constant.consttype),
            false => constant.consttype,
        };
        let values = match of_array {
            true => {
                crate::pg::array::elements(constant.constvalue).0.into_iter().flatten().collect()
            }
            false => vec![constant.constvalue],
        };
        if values.len() > MAX_CANDIDATES {
            return Some("there are too many values".to_owned());
        }
        let Some(equal) = operand.equal_to(operator, collation, value_type, &values) else {
            let seen = operand.seen_type();
            let name = |oid| text::take_from_server(pg_sys::format_type_be(oid));
            return Some(if pg_sys::getBaseType(value_type) != seen {
                format!("{} is compared with {}", name(seen), name(value_type))
            } else {
                format!("equal values of {} need not be the same", name(seen))
            });
        };
        let fails = |table: &ShardedTable| {
            let places = table.spread(operand.attno, equal.values(), |_| true);
            table.is_spread_by(operand.attno) && matches!(places, Ok(None))
        };
        if fails(table) {
            return Some("the rule cannot be evaluated at every value".to_owned());
        }
        Some("the rules are not false for these values".to_owned())
    }
}

unsafe fn is_about_relation(expr: *mut pg_sys::Node, rti: u32) -> bool {
    // SAFETY: the caller hands a valid expression.
    unsafe { pg_sys::bms_is_member(rti as i32, pg_sys::pull_varnos(std::ptr::null_mut(), expr)) }
}

//! Whether the text of a remote CHECK is a plain expression over built-in functions, operators and types.
//!
//! What a remote server sends becomes part of a statement that is executed here with the importing user's rights,
//! and PostgreSQL evaluates immutable parts of constraints on its own. So the text is read by PostgreSQL's own
//! parser and every node of the result must be of a known harmless kind.

use crate::pg::attempt::{Trust, attempt};
use crate::pg::node::{list, string_value, tag};
use crate::pg::text;
use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag as T;
use std::ffi::c_void;

/// Whether `expression` is plain.
pub fn is_plain(expression: &str) -> bool {
    // The line break ends a comment, so that what is checked is what will be executed.
    let statement = format!("SELECT ({expression}\n)");
    // SAFETY: parsing text touches no catalogs and holds nothing when it complains; a syntax error is an ERROR of
    // class 42, hence the subtransaction. Nodes are cast by their tags.
    unsafe {
        let parsed = attempt(Trust::Arbitrary, || {
            let text = text::to_server(&statement);
            Ok(pg_sys::raw_parser(text, pg_sys::RawParseMode::RAW_PARSE_DEFAULT))
        });
        let Ok(Some(statements)) = parsed else { return false };
        let mut statements = list::<pg_sys::RawStmt>(statements);
        let (Some(raw), None) = (statements.next(), statements.next()) else { return false };
        let stmt = (*raw).stmt;
        if tag(stmt) != T::T_SelectStmt {
            return false;
        }
        let Some(value) = only_target(&*stmt.cast()) else { return false };
        !is_suspicious(value, std::ptr::null_mut())
    }
}

/// The expression of a `SELECT expression` that has nothing else.
unsafe fn only_target(select: &pg_sys::SelectStmt) -> Option<*mut pg_sys::Node> {
    let bare = select.distinctClause.is_null()
        && select.intoClause.is_null()
        && select.fromClause.is_null()
        && select.whereClause.is_null()
        && select.groupClause.is_null()
        && select.havingClause.is_null()
        && select.windowClause.is_null()
        && select.valuesLists.is_null()
        && select.sortClause.is_null()
        && select.limitOffset.is_null()
        && select.limitCount.is_null()
        && select.lockingClause.is_null()
        && select.withClause.is_null()
        && select.larg.is_null();
    // SAFETY: a SELECT's target list holds ResTargets.
    unsafe {
        let mut targets = list::<pg_sys::ResTarget>(select.targetList);
        match (targets.next(), targets.next()) {
            (Some(target), None) if bare && (*target).name.is_null() => Some((*target).val),
            _ => None,
        }
    }
}

/// Tree walker: true at the first node that is not known to be harmless.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn is_suspicious(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    if node.is_null() {
        return false;
    }
    // SAFETY: the walker is given valid raw parse nodes; structs are cast by their tags.
    unsafe {
        match tag(node) {
            T::T_ColumnRef | T::T_A_Const | T::T_ParamRef => return tag(node) == T::T_ParamRef,
            T::T_FuncCall => {
                let call = &*node.cast::<pg_sys::FuncCall>();
                if !is_builtin_name(call.funcname)
                    || !call.agg_order.is_null()
                    || !call.agg_filter.is_null()
                    || !call.over.is_null()
                {
                    return true;
                }
            }
            T::T_A_Expr => {
                if !is_builtin_name((*node.cast::<pg_sys::A_Expr>()).name) {
                    return true;
                }
            }
            T::T_TypeCast => {
                let name = (*node.cast::<pg_sys::TypeCast>()).typeName;
                if name.is_null() || !is_builtin_name((*name).names) {
                    return true;
                }
            }
            T::T_CollateClause => {
                if !is_builtin_name((*node.cast::<pg_sys::CollateClause>()).collname) {
                    return true;
                }
            }
            T::T_TypeName
            | T::T_BoolExpr
            | T::T_NullTest
            | T::T_BooleanTest
            | T::T_A_ArrayExpr
            | T::T_CaseExpr
            | T::T_CaseWhen
            | T::T_CoalesceExpr
            | T::T_MinMaxExpr
            | T::T_List => {}
            _ => return true,
        }
        pg_sys::raw_expression_tree_walker(node, Some(is_suspicious), context)
    }
}

/// Whether a name is one of pg_catalog, or has no schema: remote sessions have nothing but pg_catalog in their
/// search_path, so what they print without a schema is in there.
unsafe fn is_builtin_name(name: *mut pg_sys::List) -> bool {
    // SAFETY: names are lists of String nodes.
    unsafe {
        let parts: Vec<_> = list::<pg_sys::Node>(name).map(|part| string_value(part)).collect();
        match &parts[..] {
            [Some(_)] => true,
            [Some(schema), Some(_)] => schema == "pg_catalog",
            _ => false,
        }
    }
}

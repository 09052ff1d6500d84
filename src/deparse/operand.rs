//! The leaves of an expression: constants, parameters, and whole subexpressions that are computed here and sent
//! as values.

use super::collation::{self, Derived};
use super::not_shipped::NotShipped;
use super::safety::Judge;
use super::scope::Scope;
use crate::pg::node;
use pgrx::pg_sys::{self, Node, NodeTag, Oid};

/// pg_ts_config's OID; pgrx does not bind it.
const TS_CONFIG: Oid = Oid::from_u32(3602);
/// pg_ts_dict's OID; pgrx does not bind it.
const TS_DICTIONARY: Oid = Oid::from_u32(3600);

/// A constant: objects named by reg* types must be known there, and the text must not depend on settings that a
/// session cannot fix.
pub(super) fn check_const(scope: &Scope, constant: &pg_sys::Const) -> Result<Derived, NotShipped> {
    let type_oid = constant.consttype;
    if !constant.constisnull {
        // Money is written in the currency of lc_monetary; a row's text may hold anything.
        if matches!(type_oid, pg_sys::MONEYOID | pg_sys::RECORDOID | pg_sys::RECORDARRAYOID) {
            return Err(NotShipped::Constant(type_oid));
        }
        if let Some((class, pinned)) = named_object(type_oid) {
            let object = Oid::from(constant.constvalue.value() as u32);
            if object.to_u32() >= pinned && !scope.ships(object, class) {
                return Err(NotShipped::Constant(type_oid));
            }
        }
        // An array of such names.
        if is_name_array(type_oid) {
            return Err(NotShipped::Constant(type_oid));
        }
    }
    if collation::is_portable_constant(type_oid, constant.constcollid) {
        return Ok(Derived::explicit(constant.constcollid));
    }
    Ok(Derived::of_value(type_oid, constant.constcollid))
}

/// The catalog that a reg* type's values point into, and below which OID all objects are taken to be the same
/// everywhere. (Text search objects come from initdb: none would be below 10000.)
fn named_object(type_oid: Oid) -> Option<(Oid, u32)> {
    let builtin = pg_sys::FirstGenbkiObjectId;
    Some(match type_oid {
        pg_sys::REGPROCOID | pg_sys::REGPROCEDUREOID => (pg_sys::ProcedureRelationId, builtin),
        pg_sys::REGOPEROID | pg_sys::REGOPERATOROID => (pg_sys::OperatorRelationId, builtin),
        pg_sys::REGCLASSOID => (pg_sys::RelationRelationId, builtin),
        pg_sys::REGTYPEOID => (pg_sys::TypeRelationId, builtin),
        pg_sys::REGCOLLATIONOID => (pg_sys::CollationRelationId, builtin),
        pg_sys::REGNAMESPACEOID => (pg_sys::NamespaceRelationId, builtin),
        pg_sys::REGROLEOID => (pg_sys::AuthIdRelationId, builtin),
        pg_sys::REGCONFIGOID => (TS_CONFIG, pg_sys::FirstNormalObjectId),
        pg_sys::REGDICTIONARYOID => (TS_DICTIONARY, pg_sys::FirstNormalObjectId),
        _ => return None,
    })
}

fn is_name_array(type_oid: Oid) -> bool {
    // SAFETY: a catalog look-up.
    let element = unsafe { pg_sys::get_element_type(type_oid) };
    element != Oid::INVALID && (named_object(element).is_some() || element == pg_sys::MONEYOID)
}

/// A parameter of the local query. What a multi-column SET (a, b) = (SELECT ..) refers to is computed in the same
/// target list and has no value yet.
pub(super) fn check_param(param: &pg_sys::Param) -> Result<Derived, NotShipped> {
    use pg_sys::ParamKind::{PARAM_EXEC, PARAM_EXTERN};
    if !matches!(param.paramkind, PARAM_EXTERN | PARAM_EXEC) {
        return Err(NotShipped::Form("parameter of a multiple assignment"));
    }
    check_value_type(param.paramtype)?;
    Ok(Derived::of_value(param.paramtype, param.paramcollid))
}

/// A value that is sent must be readable there and mean the same: not a row without a type, nor the name of an
/// object that may be another one there, nor an amount in the local currency.
pub(super) fn check_value_type(type_oid: Oid) -> Result<(), NotShipped> {
    // SAFETY: a catalog look-up.
    let is_pseudo =
        unsafe { pg_sys::get_typtype(type_oid) } == pg_sys::TYPTYPE_PSEUDO as std::ffi::c_char;
    if is_pseudo
        || type_oid == pg_sys::MONEYOID
        || named_object(type_oid).is_some()
        || is_name_array(type_oid)
    {
        return Err(NotShipped::Constant(type_oid));
    }
    Ok(())
}

/// Whether `expr` can be computed here, once per execution, and its value be sent instead: it has no column of
/// the remote tables, nothing volatile, no aggregate and no sub-query, and its type is known there.
///
/// Where the expression stands in a CASE or COALESCE, PostgreSQL might never compute it and the error that
/// it could raise would be ours: there only what cannot fail is computed ahead.
pub(super) unsafe fn is_local(judge: &Judge<'_>, expr: *mut Node) -> bool {
    // SAFETY: the caller vouches for the tree.
    unsafe {
        match node::tag(expr) {
            NodeTag::T_Var | NodeTag::T_Const | NodeTag::T_Param | NodeTag::T_List => false,
            _ => is_computable(judge, expr),
        }
    }
}

/// [`is_local`], for constants, parameters and columns of other relations too.
pub(super) unsafe fn is_computable(judge: &Judge<'_>, expr: *mut Node) -> bool {
    // SAFETY: the caller vouches for the tree.
    unsafe {
        if judge.conditional > 0 && !cannot_fail(expr) {
            return false;
        }
        let type_oid = pg_sys::exprType(expr);
        if !judge.scope.ships_type(type_oid)
            || check_value_type(type_oid).is_err()
            || pg_sys::expression_returns_set(expr)
        {
            return false;
        }
        !node::any_node(expr, &mut |part| needs_more(judge.scope, part))
            && !pg_sys::contain_volatile_functions(expr)
    }
}

unsafe fn cannot_fail(expr: *mut Node) -> bool {
    // SAFETY: the caller vouches for the tree.
    unsafe {
        match node::cast::<pg_sys::FuncExpr, _>(expr) {
            Some(call) => call.args.is_null() && super::shippable::is_builtin(call.funcid),
            None => node::is_a(expr, NodeTag::T_SQLValueFunction),
        }
    }
}

/// Whether the node keeps the expression around it from being computed on its own.
unsafe fn needs_more(scope: &Scope, part: *mut Node) -> bool {
    // SAFETY: the caller vouches for the tree.
    unsafe {
        match node::tag(part) {
            NodeTag::T_Var => {
                node::cast::<pg_sys::Var, _>(part).is_none_or(|var| !scope.is_outer(var))
            }
            NodeTag::T_Param => {
                node::cast::<pg_sys::Param, _>(part).is_none_or(|param| check_param(param).is_err())
            }
            // What expressions are made of and may be evaluated anywhere.
            NodeTag::T_Const
            | NodeTag::T_List
            | NodeTag::T_FuncExpr
            | NodeTag::T_NamedArgExpr
            | NodeTag::T_OpExpr
            | NodeTag::T_DistinctExpr
            | NodeTag::T_NullIfExpr
            | NodeTag::T_ScalarArrayOpExpr
            | NodeTag::T_BoolExpr
            | NodeTag::T_SubscriptingRef
            | NodeTag::T_FieldSelect
            | NodeTag::T_RelabelType
            | NodeTag::T_CoerceViaIO
            | NodeTag::T_ArrayCoerceExpr
            | NodeTag::T_ConvertRowtypeExpr
            | NodeTag::T_CaseExpr
            | NodeTag::T_CaseWhen
            | NodeTag::T_CaseTestExpr
            | NodeTag::T_ArrayExpr
            | NodeTag::T_RowExpr
            | NodeTag::T_RowCompareExpr
            | NodeTag::T_CoalesceExpr
            | NodeTag::T_MinMaxExpr
            | NodeTag::T_SQLValueFunction
            | NodeTag::T_XmlExpr
            | NodeTag::T_NullTest
            | NodeTag::T_BooleanTest
            | NodeTag::T_CoerceToDomain
            | NodeTag::T_CoerceToDomainValue
            | NodeTag::T_CollateExpr => false,
            _ => true,
        }
    }
}

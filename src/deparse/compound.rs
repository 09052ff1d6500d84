//! The second half of the safety rules: forms that are neither operators nor functions.
//!
//! Where a form names no operator or cast function, the remote parser chooses one; each rule here says why it
//! comes to the same choice.

use super::collation::{self, Derived};
use super::not_shipped::NotShipped;
use super::safety::{Judge, plain_operator};
use super::scope::Names;
use crate::pg::node;
use pgrx::pg_sys::{self, Node, NodeTag, Oid};

impl Judge<'_> {
    pub(super) unsafe fn compound(
        &mut self,
        expr: *mut Node,
        case_arg: Option<&Derived>,
    ) -> Result<Derived, NotShipped> {
        // SAFETY: each arm casts by the tag; the tree is the caller's word.
        unsafe {
            match node::tag(expr) {
                NodeTag::T_SubscriptingRef => self.subscript(&*expr.cast(), case_arg),
                NodeTag::T_CaseExpr => self.case(&*expr.cast(), case_arg),
                NodeTag::T_CaseTestExpr => {
                    let test = &*expr.cast::<pg_sys::CaseTestExpr>();
                    let arg = case_arg.ok_or(NotShipped::Node(NodeTag::T_CaseTestExpr))?;
                    Ok(arg.result(test.collation))
                }
                NodeTag::T_ArrayExpr => {
                    let array = &*expr.cast::<pg_sys::ArrayExpr>();
                    let elements = self.check_list(array.elements, case_arg)?;
                    Ok(elements.result(array.array_collid))
                }
                NodeTag::T_ArrayCoerceExpr => self.array_coercion(&*expr.cast(), case_arg),
                NodeTag::T_CoerceViaIO => self.text_coercion(&*expr.cast(), case_arg),
                NodeTag::T_RowExpr => self.row(&*expr.cast(), case_arg),
                NodeTag::T_RowCompareExpr => self.row_comparison(&*expr.cast(), case_arg),
                NodeTag::T_CoalesceExpr => {
                    let coalesce = &*expr.cast::<pg_sys::CoalesceExpr>();
                    self.conditional += 1;
                    let inputs = self.check_list(coalesce.args, case_arg)?;
                    Ok(inputs.result(coalesce.coalescecollid))
                }
                NodeTag::T_MinMaxExpr => {
                    let minmax = &*expr.cast::<pg_sys::MinMaxExpr>();
                    // Compares by the type's default btree operators: a builtin type has the same there.
                    self.builtin_type(minmax.minmaxtype)?;
                    let inputs = self.check_list(minmax.args, case_arg)?;
                    inputs.require_input(minmax.inputcollid)?;
                    self.scope.rely_on(collation::reliance(minmax.inputcollid))?;
                    Ok(inputs.result(minmax.minmaxcollid))
                }
                tag => Err(NotShipped::Node(tag)),
            }
        }
    }

    fn builtin_type(&self, type_oid: Oid) -> Result<(), NotShipped> {
        if super::shippable::is_builtin(type_oid) {
            Ok(())
        } else {
            Err(NotShipped::Type(type_oid))
        }
    }

    /// For a form that names no operator, where the remote parser could find another one than that of pg_catalog.
    pub(super) fn names_no_operator(&self) -> Result<(), NotShipped> {
        match self.scope.names {
            Names::Short => Ok(()),
            Names::Full => Err(NotShipped::Form(
                "form without an operator's name, and the server has the option search_path",
            )),
        }
    }

    unsafe fn subscript(
        &mut self,
        subscript: &pg_sys::SubscriptingRef,
        case_arg: Option<&Derived>,
    ) -> Result<Derived, NotShipped> {
        if !subscript.refassgnexpr.is_null() {
            return Err(NotShipped::Form("assignment to an array element"));
        }
        // SAFETY: the parts belong to the tree.
        unsafe {
            // A slice has NULL for a bound that is left out.
            self.check_list(subscript.refupperindexpr, case_arg)?;
            self.check_list(subscript.reflowerindexpr, case_arg)?;
            let container = self.check(subscript.refexpr.cast(), case_arg)?;
            Ok(container.result(subscript.refcollid))
        }
    }

    unsafe fn case(
        &mut self,
        case: &pg_sys::CaseExpr,
        case_arg: Option<&Derived>,
    ) -> Result<Derived, NotShipped> {
        // SAFETY: the parts belong to the tree.
        unsafe {
            let has_arg = !case.arg.is_null();
            let arg = self.check(case.arg.cast(), case_arg)?;
            let mut results = Derived::none();
            self.conditional += 1;
            for branch in node::list::<Node>(case.args) {
                let Some(when) = node::cast::<pg_sys::CaseWhen, _>(branch) else {
                    return Err(NotShipped::Node(node::tag(branch)));
                };
                if has_arg {
                    self.names_no_operator()?;
                    simple_when(when)?;
                    self.check(when.expr.cast(), Some(&arg))?;
                } else {
                    self.check(when.expr.cast(), case_arg)?;
                }
                results.merge(self.check(when.result.cast(), case_arg)?);
            }
            results.merge(self.check(case.defresult.cast(), case_arg)?);
            Ok(results.result(case.casecollid))
        }
    }

    /// `x::t[]`: written as that cast, whose element cast the remote parser looks up. It finds the same one, if
    /// the types are builtin and the cast is not one through text.
    unsafe fn array_coercion(
        &mut self,
        coercion: &pg_sys::ArrayCoerceExpr,
        case_arg: Option<&Derived>,
    ) -> Result<Derived, NotShipped> {
        // SAFETY: the parts belong to the tree.
        unsafe {
            let input = self.check(coercion.arg.cast(), case_arg)?;
            self.builtin_type(coercion.resulttype)?;
            self.builtin_type(pg_sys::exprType(coercion.arg.cast()))?;
            let mut element: *mut Node = coercion.elemexpr.cast();
            while !node::is_a(element, NodeTag::T_CaseTestExpr) {
                if let Some(relabel) = node::cast::<pg_sys::RelabelType, _>(element) {
                    element = relabel.arg.cast();
                } else if let Some(call) = node::cast::<pg_sys::FuncExpr, _>(element) {
                    self.function(call.funcid)?;
                    if call.inputcollid != Oid::INVALID {
                        input.require_input(call.inputcollid)?;
                    }
                    let args = node::list_vec::<Node>(call.args);
                    element = args.first().copied().unwrap_or(std::ptr::null_mut());
                } else {
                    return Err(NotShipped::Node(node::tag(element)));
                }
            }
            Ok(input.result(coercion.resultcollid))
        }
    }

    /// A cast through text: the text must be the same on both sides, whatever is set there.
    unsafe fn text_coercion(
        &mut self,
        coercion: &pg_sys::CoerceViaIO,
        case_arg: Option<&Derived>,
    ) -> Result<Derived, NotShipped> {
        // SAFETY: the parts belong to the tree; the look-ups raise for unknown types only.
        unsafe {
            let source = pg_sys::exprType(coercion.arg.cast());
            if !has_steady_text(source) {
                return Err(NotShipped::Form("cast through text"));
            }
            let input = self.check(coercion.arg.cast(), case_arg)?;
            self.builtin_type(coercion.resulttype)?;
            let (mut function, mut param) = (Oid::INVALID, Oid::INVALID);
            pg_sys::getTypeInputInfo(coercion.resulttype, &raw mut function, &raw mut param);
            self.function(function)?;
            Ok(input.result(coercion.resultcollid))
        }
    }

    /// An anonymous row. Its columns are compared with their own collations, so each has to be right.
    unsafe fn row(
        &mut self,
        row: &pg_sys::RowExpr,
        case_arg: Option<&Derived>,
    ) -> Result<Derived, NotShipped> {
        if row.row_typeid != pg_sys::RECORDOID {
            return Err(NotShipped::Type(row.row_typeid));
        }
        // SAFETY: the parts belong to the tree.
        unsafe {
            for item in node::list::<Node>(row.args) {
                let derived = self.check(item, case_arg)?;
                derived.require_input(pg_sys::exprCollation(item))?;
            }
        }
        Ok(Derived::none())
    }

    /// `ROW(..) < ROW(..)`: the remote parser looks the operators up by this one name.
    unsafe fn row_comparison(
        &mut self,
        comparison: &pg_sys::RowCompareExpr,
        case_arg: Option<&Derived>,
    ) -> Result<Derived, NotShipped> {
        // SAFETY: the lists belong to the node and have the same length.
        unsafe {
            let left = node::list_vec::<Node>(comparison.largs);
            let right = node::list_vec::<Node>(comparison.rargs);
            let collations: Vec<Oid> = node::oid_list(comparison.inputcollids).collect();
            let operators: Vec<Oid> = node::oid_list(comparison.opnos).collect();
            if left.len() != right.len()
                || left.len() != collations.len()
                || left.len() != operators.len()
            {
                return Err(NotShipped::Form("row comparison"));
            }
            for (i, operator) in operators.iter().enumerate() {
                self.operator(*operator)?;
                plain_operator(*operator, &["<", "<=", ">", ">="])?;
                let mut inputs = self.check(left[i], case_arg)?;
                inputs.merge(self.check(right[i], case_arg)?);
                inputs.require_input(collations[i])?;
                self.scope.rely_on(collation::reliance(collations[i]))?;
            }
        }
        Ok(Derived::none())
    }
}

/// `WHEN x` of a CASE with an argument is `CaseTestExpr = x`; after the optimizer it may be anything else (an
/// inlined function), which cannot be written so.
unsafe fn simple_when(when: &pg_sys::CaseWhen) -> Result<(), NotShipped> {
    // SAFETY: the parts belong to the tree.
    unsafe {
        let Some(equality) = node::cast::<pg_sys::OpExpr, _>(when.expr) else {
            return Err(NotShipped::Form("CASE with an argument"));
        };
        plain_operator(equality.opno, &["="])?;
        let args = node::list_vec::<Node>(equality.args);
        let is_simple = args.len() == 2
            && node::is_a(pg_sys::strip_implicit_coercions(args[0]), NodeTag::T_CaseTestExpr);
        if is_simple { Ok(()) } else { Err(NotShipped::Form("CASE with an argument")) }
    }
}

/// Whether the type's text depends on no setting.
fn has_steady_text(type_oid: Oid) -> bool {
    matches!(
        type_oid,
        pg_sys::BOOLOID
            | pg_sys::INT2OID
            | pg_sys::INT4OID
            | pg_sys::INT8OID
            | pg_sys::NUMERICOID
            | pg_sys::OIDOID
            | pg_sys::TEXTOID
            | pg_sys::VARCHAROID
            | pg_sys::BPCHAROID
            | pg_sys::NAMEOID
            | pg_sys::UUIDOID
            | pg_sys::JSONOID
            | pg_sys::JSONBOID
    )
}

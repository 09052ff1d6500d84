//! Expressions as SQL, second half: forms with a syntax of their own.

use super::collation;
use super::writer::Writer;
use crate::error::Failure;
use crate::pg::node;
use pgrx::pg_sys::{self, Node, NodeTag};

impl Writer<'_> {
    pub(super) unsafe fn form(&mut self, expr: *mut Node) -> Result<(), Failure> {
        // SAFETY: the caller vouches for the tree; each arm casts by the tag.
        unsafe {
            match node::tag(expr) {
                NodeTag::T_NullTest => self.null_test(&*expr.cast()),
                NodeTag::T_BooleanTest => self.boolean_test(&*expr.cast()),
                NodeTag::T_CaseExpr => self.case(&*expr.cast()),
                NodeTag::T_ArrayExpr => self.array(&*expr.cast()),
                NodeTag::T_SubscriptingRef => self.subscript(&*expr.cast()),
                NodeTag::T_NullIfExpr => {
                    let args = node::list_vec::<Node>((*expr.cast::<pg_sys::OpExpr>()).args);
                    self.syntax("NULLIF", &args)
                }
                NodeTag::T_CoalesceExpr => {
                    let args = node::list_vec::<Node>((*expr.cast::<pg_sys::CoalesceExpr>()).args);
                    self.syntax("COALESCE", &args)
                }
                NodeTag::T_MinMaxExpr => {
                    let minmax = &*expr.cast::<pg_sys::MinMaxExpr>();
                    self.relies_on(collation::reliance(minmax.inputcollid));
                    let greatest = minmax.op == pg_sys::MinMaxOp::IS_GREATEST;
                    let args = node::list_vec::<Node>(minmax.args);
                    self.syntax(if greatest { "GREATEST" } else { "LEAST" }, &args)
                }
                NodeTag::T_RowExpr => {
                    let args = node::list_vec::<Node>((*expr.cast::<pg_sys::RowExpr>()).args);
                    self.syntax("ROW", &args)
                }
                NodeTag::T_GroupingFunc => {
                    let args = node::list_vec::<Node>((*expr.cast::<pg_sys::GroupingFunc>()).args);
                    self.syntax("GROUPING", &args)
                }
                NodeTag::T_RowCompareExpr => self.row_comparison(&*expr.cast()),
                NodeTag::T_CoerceViaIO => {
                    let coercion = &*expr.cast::<pg_sys::CoerceViaIO>();
                    self.expr(coercion.arg)?;
                    self.cast_to(coercion.resulttype, -1);
                    Ok(())
                }
                NodeTag::T_ArrayCoerceExpr => {
                    let coercion = &*expr.cast::<pg_sys::ArrayCoerceExpr>();
                    self.expr(coercion.arg)?;
                    self.cast_to(coercion.resulttype, coercion.resulttypmod);
                    Ok(())
                }
                tag => Err(Failure::internal(format!(
                    "unsupported expression type for deparse: {tag:?}"
                ))),
            }
        }
    }

    /// `NAME(a, b)` of the grammar's own.
    unsafe fn syntax(&mut self, name: &str, args: &[*mut Node]) -> Result<(), Failure> {
        self.push(name);
        self.push("(");
        // SAFETY: the caller vouches for the arguments.
        unsafe { self.arguments(args, false)? };
        self.push(")");
        Ok(())
    }

    /// A scalar test of a row is another question than `row IS NULL`, which looks at its columns.
    unsafe fn null_test(&mut self, test: &pg_sys::NullTest) -> Result<(), Failure> {
        // SAFETY: the parts belong to the tree.
        unsafe {
            self.push("(");
            self.expr(test.arg)?;
            let is_null = test.nulltesttype == pg_sys::NullTestType::IS_NULL;
            let by_columns =
                test.argisrow || !pg_sys::type_is_rowtype(pg_sys::exprType(test.arg.cast()));
            self.push(match (by_columns, is_null) {
                (true, true) => " IS NULL)",
                (true, false) => " IS NOT NULL)",
                (false, true) => " IS NOT DISTINCT FROM NULL)",
                (false, false) => " IS DISTINCT FROM NULL)",
            });
            Ok(())
        }
    }

    unsafe fn boolean_test(&mut self, test: &pg_sys::BooleanTest) -> Result<(), Failure> {
        use pg_sys::BoolTestType as Kind;
        // SAFETY: the parts belong to the tree.
        unsafe {
            self.push("(");
            self.expr(test.arg)?;
            self.push(match test.booltesttype {
                Kind::IS_TRUE => " IS TRUE)",
                Kind::IS_NOT_TRUE => " IS NOT TRUE)",
                Kind::IS_FALSE => " IS FALSE)",
                Kind::IS_NOT_FALSE => " IS NOT FALSE)",
                Kind::IS_UNKNOWN => " IS UNKNOWN)",
                Kind::IS_NOT_UNKNOWN => " IS NOT UNKNOWN)",
                _ => return Err(Failure::internal("unknown kind of boolean test")),
            });
            Ok(())
        }
    }

    unsafe fn case(&mut self, case: &pg_sys::CaseExpr) -> Result<(), Failure> {
        // SAFETY: the parts belong to the tree.
        unsafe {
            self.push("(CASE");
            if !case.arg.is_null() {
                self.push(" ");
                self.expr(case.arg)?;
            }
            for branch in node::list::<Node>(case.args) {
                let Some(when) = node::cast::<pg_sys::CaseWhen, _>(branch) else {
                    return Err(Failure::internal("unexpected branch of a CASE"));
                };
                self.push(" WHEN ");
                if case.arg.is_null() {
                    self.expr(when.expr)?;
                } else {
                    // CaseTestExpr = value: the value alone is written.
                    let compared = node::cast::<pg_sys::OpExpr, _>(when.expr)
                        .and_then(|equality| node::list::<Node>(equality.args).nth(1));
                    let Some(value) = compared else {
                        return Err(Failure::internal("unexpected condition of a CASE"));
                    };
                    self.expr(value)?;
                }
                self.push(" THEN ");
                self.expr(when.result)?;
            }
            if !case.defresult.is_null() {
                self.push(" ELSE ");
                self.expr(case.defresult)?;
            }
            self.push(" END)");
            Ok(())
        }
    }

    unsafe fn array(&mut self, array: &pg_sys::ArrayExpr) -> Result<(), Failure> {
        // SAFETY: the parts belong to the tree.
        unsafe {
            let elements = node::list_vec::<Node>(array.elements);
            self.push("ARRAY[");
            self.arguments(&elements, false)?;
            self.push("]");
            if elements.is_empty() {
                self.cast_to(array.array_typeid, -1);
            }
            Ok(())
        }
    }

    unsafe fn subscript(&mut self, subscript: &pg_sys::SubscriptingRef) -> Result<(), Failure> {
        // SAFETY: the parts belong to the tree.
        unsafe {
            let lower = node::list_vec::<Node>(subscript.reflowerindexpr);
            let upper = node::list_vec::<Node>(subscript.refupperindexpr);
            // `$1::integer[][5]` would be a cast to another type.
            let plain = node::cast::<pg_sys::Var, _>(subscript.refexpr)
                .is_some_and(|var| self.scope.owns(var));
            self.push(if plain { "(" } else { "((" });
            self.expr(subscript.refexpr)?;
            if !plain {
                self.push(")");
            }
            for (i, upper) in upper.iter().enumerate() {
                self.push("[");
                if let Some(lower) = lower.get(i) {
                    if !lower.is_null() {
                        self.expr(*lower)?;
                    }
                    self.push(":");
                }
                if !upper.is_null() {
                    self.expr(*upper)?;
                }
                self.push("]");
            }
            self.push(")");
            Ok(())
        }
    }

    unsafe fn row_comparison(
        &mut self,
        comparison: &pg_sys::RowCompareExpr,
    ) -> Result<(), Failure> {
        // SAFETY: the parts belong to the tree.
        unsafe {
            let Some(operator) = node::oid_list(comparison.opnos).next() else {
                return Err(Failure::internal("a row comparison of no columns"));
            };
            let operator = super::catalog::Operator::load(operator)?.sql(self.scope.names)?;
            for collation in node::oid_list(comparison.inputcollids) {
                self.relies_on(collation::reliance(collation));
            }
            self.push("(");
            self.syntax("ROW", &node::list_vec::<Node>(comparison.largs))?;
            self.push(&format!(" {operator} "));
            self.syntax("ROW", &node::list_vec::<Node>(comparison.rargs))?;
            self.push(")");
            Ok(())
        }
    }
}

//! May this expression be computed on the remote server, with the same result?
//!
//! Three questions at every node: is everything it names known there (shippable.rs), does its result depend on
//! nothing but its operands (immutable functions only), and is every collation it uses that of a remote column
//! (collation.rs). A subexpression that fails but has no column of the remote tables in it can be computed here,
//! once per execution, and its value sent: it becomes a parameter, as PostgreSQL itself treats stable functions
//! in index conditions. [`Verdict::local`] lists those.

use super::collation::Derived;
use super::not_shipped::NotShipped;
use super::scope::Scope;
use super::{catalog, collation, indifferent, moment, operand};
use crate::pg::node;
use pgrx::pg_sys::{self, Node, NodeTag, Oid};

/// What [`judge`] found out about an expression that may be shipped.
pub struct Verdict {
    /// Subexpressions whose values are to be sent.
    pub local: Vec<Local>,
    collation: Derived,
}

/// A subexpression whose value is computed here and sent.
#[derive(Clone, Copy, Debug)]
pub struct Local {
    /// A node of the very tree that was judged.
    pub node: *mut Node,
    /// What is computed: the node itself, as a rule.
    pub value: *mut Node,
}

/// Whether the expression may be computed on the server.
///
/// # Safety
/// `expr` is a valid expression (or RestrictInfo) of the scope's query.
pub unsafe fn foreign_expr<T>(scope: &Scope, expr: *mut T) -> Result<(), NotShipped> {
    // SAFETY: as the caller vouches.
    unsafe { judge(scope, node::bare_clause(expr).cast()).map(|_| ()) }
}

/// Whether the expression is made of values sent to the server, and nothing of its own (a lone constant is not).
/// Such an expression must not be an output column of a remote query: setrefs.c would find it within the
/// expressions of parameters and take it for that column there.
///
/// # Safety
/// As for [`foreign_expr`].
pub unsafe fn is_parameter<T>(scope: &Scope, expr: *mut T) -> bool {
    // SAFETY: as the caller vouches.
    unsafe {
        !node::is_a(expr, NodeTag::T_Const)
            && !node::any_node(expr.cast(), &mut |part| match node::tag(part) {
                NodeTag::T_Var => {
                    node::cast::<pg_sys::Var, _>(part).is_some_and(|var| scope.owns(var))
                }
                NodeTag::T_Aggref | NodeTag::T_GroupingFunc | NodeTag::T_WindowFunc => true,
                _ => false,
            })
    }
}

/// [`foreign_expr`] with what deparsing needs to know.
///
/// # Safety
/// As for [`foreign_expr`].
pub unsafe fn judge(scope: &Scope, expr: *mut Node) -> Result<Verdict, NotShipped> {
    let mut judge = Judge { scope, local: Vec::new(), conditional: 0 };
    // SAFETY: as the caller vouches.
    let collation = unsafe { judge.check(expr, None)? };
    if collation.is_unsafe() {
        return Err(NotShipped::Collation);
    }
    Ok(Verdict { local: judge.local, collation })
}

/// The local subexpressions of `expr`, also when the whole is not shippable by the rules (output columns that
/// are fetched anyway, such as whole rows).
///
/// # Safety
/// As for [`foreign_expr`].
pub unsafe fn local_parts(scope: &Scope, expr: *mut Node) -> Vec<Local> {
    let mut judge = Judge { scope, local: Vec::new(), conditional: 0 };
    // SAFETY: as the caller vouches.
    let _ = unsafe { judge.check(expr, None) };
    judge.local
}

pub(super) struct Judge<'a> {
    pub(super) scope: &'a Scope,
    pub(super) local: Vec<Local>,
    /// How many CASE or COALESCE branches we are in: what is there may never be computed.
    pub(super) conditional: u32,
}

impl Judge<'_> {
    /// Judges one expression. `case_arg` is what the CASE around it compares, for CaseTestExpr.
    pub(super) unsafe fn check(
        &mut self,
        expr: *mut Node,
        case_arg: Option<&Derived>,
    ) -> Result<Derived, NotShipped> {
        if expr.is_null() || self.local.iter().any(|local| local.node == expr) {
            return Ok(Derived::none());
        }
        let (locals, conditional) = (self.local.len(), self.conditional);
        // SAFETY: the caller vouches for the tree.
        unsafe {
            let outcome = self.check_here(expr, case_arg).and_then(|derived| {
                let type_oid = pg_sys::exprType(expr);
                if self.scope.ships_type(type_oid) || self.is_domain_column(expr, type_oid) {
                    Ok(derived)
                } else {
                    Err(NotShipped::Type(type_oid))
                }
            });
            self.conditional = conditional;
            match outcome {
                Err(reason) => {
                    self.local.truncate(locals);
                    if case_arg.is_none() && operand::is_local(self, expr) {
                        self.local.push(Local { node: expr, value: expr });
                        Ok(Derived::of_value(pg_sys::exprType(expr), pg_sys::exprCollation(expr)))
                    } else {
                        Err(reason)
                    }
                }
                ok => ok,
            }
        }
    }

    /// Judges the members of a list; their collations are merged.
    pub(super) unsafe fn check_list(
        &mut self,
        list: *mut pg_sys::List,
        case_arg: Option<&Derived>,
    ) -> Result<Derived, NotShipped> {
        let mut merged = Derived::none();
        // SAFETY: the caller vouches for the list.
        unsafe {
            for item in node::list::<Node>(list) {
                merged.merge(self.check(item, case_arg)?);
            }
        }
        Ok(merged)
    }

    unsafe fn check_here(
        &mut self,
        expr: *mut Node,
        case_arg: Option<&Derived>,
    ) -> Result<Derived, NotShipped> {
        // SAFETY: each arm casts by the tag; the tree is the caller's word.
        unsafe {
            match node::tag(expr) {
                NodeTag::T_Var => self.var(&*expr.cast()),
                NodeTag::T_Const => operand::check_const(self.scope, &*expr.cast()),
                NodeTag::T_Param => operand::check_param(&*expr.cast()),
                NodeTag::T_FuncExpr => {
                    let call = &*expr.cast::<pg_sys::FuncExpr>();
                    if call.funcretset {
                        return Err(NotShipped::Form("set-returning function"));
                    }
                    self.function(call.funcid)?;
                    let inputs = self.check_list(call.args, case_arg)?;
                    self.require_collation(&inputs, call.funcid, call.inputcollid)?;
                    Ok(inputs.result(call.funccollid))
                }
                NodeTag::T_OpExpr | NodeTag::T_DistinctExpr | NodeTag::T_NullIfExpr => {
                    let call = &*expr.cast::<pg_sys::OpExpr>();
                    if call.opretset {
                        return Err(NotShipped::Form("set-returning operator"));
                    }
                    match self.operator(call.opno) {
                        Err(NotShipped::Mutable(_))
                            if node::is_a(expr, NodeTag::T_OpExpr)
                                && moment::is_steady(self, call) => {}
                        outcome => outcome?,
                    }
                    if !node::is_a(expr, NodeTag::T_OpExpr) {
                        self.names_no_operator()?;
                        plain_operator(call.opno, &["="])?;
                    }
                    let inputs = self.check_list(call.args, case_arg)?;
                    let function = pg_sys::get_opcode(call.opno);
                    self.require_collation(&inputs, function, call.inputcollid)?;
                    Ok(inputs.result(call.opcollid))
                }
                NodeTag::T_ScalarArrayOpExpr => {
                    let call = &*expr.cast::<pg_sys::ScalarArrayOpExpr>();
                    self.operator(call.opno)?;
                    let inputs = self.check_list(call.args, case_arg)?;
                    let function = pg_sys::get_opcode(call.opno);
                    self.require_collation(&inputs, function, call.inputcollid)?;
                    Ok(Derived::none())
                }
                NodeTag::T_RelabelType => {
                    let relabel = &*expr.cast::<pg_sys::RelabelType>();
                    let input = self.check(relabel.arg.cast(), case_arg)?;
                    if is_portable_collate(relabel) {
                        return Ok(Derived::explicit(relabel.resultcollid));
                    }
                    Ok(input.result(relabel.resultcollid))
                }
                NodeTag::T_BoolExpr => {
                    self.check_list((*expr.cast::<pg_sys::BoolExpr>()).args, case_arg)?;
                    Ok(Derived::none())
                }
                NodeTag::T_NullTest => {
                    let arg: *mut Node = (*expr.cast::<pg_sys::NullTest>()).arg.cast();
                    // NULL is NULL in any type; in a row it is a question to its columns.
                    if !self.is_column(arg) || pg_sys::type_is_rowtype(pg_sys::exprType(arg)) {
                        self.check(arg, case_arg)?;
                    }
                    Ok(Derived::none())
                }
                NodeTag::T_BooleanTest => {
                    self.check((*expr.cast::<pg_sys::BooleanTest>()).arg.cast(), case_arg)?;
                    Ok(Derived::none())
                }
                NodeTag::T_Aggref => self.aggregate(&*expr.cast()),
                NodeTag::T_WindowFunc => self.window_function(&*expr.cast()),
                NodeTag::T_GroupingFunc => {
                    if !self.scope.grouping {
                        return Err(NotShipped::Aggregate);
                    }
                    self.check_list((*expr.cast::<pg_sys::GroupingFunc>()).args, case_arg)?;
                    Ok(Derived::none())
                }
                _ => self.compound(expr, case_arg),
            }
        }
    }

    /// A column: of a remote table, its collation is the remote's (who declared it otherwise gets what he
    /// asked for); of another relation, it is a parameter.
    fn var(&self, var: &pg_sys::Var) -> Result<Derived, NotShipped> {
        let attnum = i32::from(var.varattno);
        if self.scope.owns(var) {
            return if attnum == pg_sys::TableOidAttributeNumber {
                Err(NotShipped::SystemColumn(attnum))
            } else {
                Ok(Derived::column(var.varcollid))
            };
        }
        if !self.scope.is_outer(var) {
            return Err(NotShipped::Form("column of no table here"));
        }
        operand::check_value_type(var.vartype)?;
        Ok(Derived::of_value(var.vartype, var.varcollid))
    }

    /// Whether it is a user column of a remote table.
    unsafe fn is_column(&self, expr: *mut Node) -> bool {
        // SAFETY: the caller vouches for the tree.
        unsafe {
            node::cast::<pg_sys::Var, _>(expr)
                .is_some_and(|var| self.scope.owns(var) && var.varattno > 0)
        }
    }

    /// A column of a domain: its values are those of the base type, and the domain is not named in the SQL.
    unsafe fn is_domain_column(&self, expr: *mut Node, type_oid: Oid) -> bool {
        // SAFETY: the caller vouches for the tree; catalog look-ups.
        unsafe {
            if !self.is_column(expr) {
                return false;
            }
            let base = pg_sys::getBaseType(type_oid);
            base != type_oid && self.scope.ships_type(base)
        }
    }

    /// The function must find its input collation on the remote server by itself, if it cares, and the same order.
    fn require_collation(
        &self,
        inputs: &Derived,
        function: Oid,
        collation: Oid,
    ) -> Result<(), NotShipped> {
        if indifferent::function(function) {
            inputs.require_any_input(collation)?;
        } else {
            inputs.require_input(collation)?;
        }
        self.scope.rely_on(indifferent::reliance(function, collation))
    }

    /// A function must be known there and immutable.
    pub(super) fn function(&self, function: Oid) -> Result<(), NotShipped> {
        if !self.scope.ships(function, pg_sys::ProcedureRelationId) {
            return Err(NotShipped::Function(function));
        }
        immutable(function)
    }

    /// An operator must be known there, and its function immutable. (Its function is as well known as itself.)
    pub(super) fn operator(&self, operator: Oid) -> Result<(), NotShipped> {
        if !self.scope.ships(operator, pg_sys::OperatorRelationId) {
            return Err(NotShipped::Operator(operator));
        }
        // SAFETY: a catalog look-up; 0 for an unknown operator.
        immutable(unsafe { pg_sys::get_opcode(operator) })
    }
}

/// Whether the node is (also) what planning has made of COLLATE "C".
pub(super) unsafe fn is_portable_collate(relabel: &pg_sys::RelabelType) -> bool {
    // SAFETY: the argument belongs to the tree.
    let before = unsafe { pg_sys::exprCollation(relabel.arg.cast()) };
    before != Oid::INVALID
        && before != relabel.resultcollid
        && collation::portable_name(relabel.resultcollid).is_some()
}

/// `age(timestamptz, timestamptz)`, which says to be immutable, but counts days in the session's time zone.
const AGE: Oid = Oid::from_u32(1199);

fn immutable(function: Oid) -> Result<(), NotShipped> {
    // SAFETY: a catalog look-up, which raises for an unknown function.
    let volatility = unsafe { pg_sys::func_volatile(function) };
    if volatility == pg_sys::PROVOLATILE_IMMUTABLE as std::ffi::c_char && function != AGE {
        Ok(())
    } else {
        Err(NotShipped::Mutable(function))
    }
}

/// Forms like NULLIF and IS DISTINCT FROM name no operator: the remote parser looks up the usual one by name, so
/// it has to be that one.
pub(super) fn plain_operator(operator: Oid, names: &[&str]) -> Result<(), NotShipped> {
    let found = catalog::Operator::load(operator).map_err(|_| NotShipped::Operator(operator))?;
    if found.schema == catalog::PG_CATALOG && names.contains(&found.name.as_str()) {
        Ok(())
    } else {
        Err(NotShipped::Operator(operator))
    }
}

impl Verdict {
    /// Whether the node's value is sent.
    pub fn is_local<T>(&self, node: *mut T) -> bool {
        self.local.iter().any(|local| local.node == node.cast())
    }

    /// The collation the remote result has, if it is sure to be the same there.
    pub fn remote_collation(&self) -> Option<Oid> {
        self.collation.remote_collation()
    }
}

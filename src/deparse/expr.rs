//! Expressions as SQL: columns, constants, parameters, functions and operators. The other forms are in forms.rs.
//!
//! Parentheses follow a fixed scheme: whatever is more than a column, a constant, a call or a cast brings its
//! own. What the safety rules accept is written here; anything else is an error, never a guess.

use super::casts;
use super::catalog::{self, Operator};
use super::literal::{self, Label};
use super::not_shipped::system_column;
use super::quote;
use super::template::Piece;
use super::writer::Writer;
use super::{collation, indifferent, safety};
use crate::error::Failure;
use crate::pg::node;
use pgrx::pg_sys::{self, Expr, Node, NodeTag, Oid};

impl Writer<'_> {
    /// An expression or a part of one.
    pub(super) unsafe fn expr<T>(&mut self, expr: *mut T) -> Result<(), Failure> {
        let expr: *mut Node = expr.cast();
        // SAFETY: the caller vouches for the tree; each arm casts by the tag.
        unsafe {
            if self.own_params.contains(&expr.cast()) {
                self.param(expr);
                return Ok(());
            }
            if let Some(local) = self.local.iter().find(|local| local.node == expr) {
                self.param(local.value);
                return Ok(());
            }
            match node::tag(expr) {
                NodeTag::T_Var => self.var(expr),
                NodeTag::T_Const => {
                    let text = literal::constant(&*expr.cast(), Label::IfNeeded);
                    self.push(&text);
                    Ok(())
                }
                NodeTag::T_Param => {
                    self.param(expr);
                    Ok(())
                }
                NodeTag::T_FuncExpr => self.call(&*expr.cast()),
                NodeTag::T_OpExpr => self.operator(&*expr.cast()),
                NodeTag::T_DistinctExpr => {
                    self.pair((*expr.cast::<pg_sys::OpExpr>()).args, " IS DISTINCT FROM ")
                }
                NodeTag::T_ScalarArrayOpExpr => self.array_operator(&*expr.cast()),
                NodeTag::T_RelabelType => {
                    let relabel = &*expr.cast::<pg_sys::RelabelType>();
                    let collation = collation::portable_name(relabel.resultcollid)
                        .filter(|_| safety::is_portable_collate(relabel));
                    match collation {
                        Some(name) => {
                            self.push("(");
                            self.expr(relabel.arg)?;
                            self.push(&format!(" COLLATE {name})"));
                        }
                        None => self.expr(relabel.arg)?,
                    }
                    if casts::is_written(expr) {
                        self.cast_to(relabel.resulttype, relabel.resulttypmod);
                    }
                    Ok(())
                }
                NodeTag::T_BoolExpr => self.boolean(&*expr.cast()),
                NodeTag::T_Aggref => self.aggregate(&*expr.cast()),
                NodeTag::T_WindowFunc => self.window_function(&*expr.cast()),
                _ => self.form(expr),
            }
        }
    }

    pub(super) fn cast_to(&mut self, type_oid: Oid, typmod: i32) {
        let text = format!("::{}", catalog::type_name(type_oid, typmod));
        self.push(&text);
    }

    unsafe fn var(&mut self, expr: *mut Node) -> Result<(), Failure> {
        // SAFETY: the caller has looked at the tag.
        unsafe {
            let var = &*expr.cast::<pg_sys::Var>();
            if !self.scope.owns(var) {
                if !self.scope.is_outer(var) {
                    return Err(Failure::internal("a remote query refers to no table of its own"));
                }
                self.param(expr);
                return Ok(());
            }
            let (rti, attnum) = (var.varno as u32, i32::from(var.varattno));
            if let Some(name) = self.output_name(rti, attnum)? {
                self.push(&name);
                return Ok(());
            }
            self.column(rti, attnum, self.qualified)
        }
    }

    /// How a column of a table inside a sub-query of FROM is named outside.
    fn output_name(&self, rti: u32, attnum: i32) -> Result<Option<String>, Failure> {
        let Some(output) = self.outputs.iter().find(|output| output.tables.contains(&rti)) else {
            return Ok(None);
        };
        let position = output.columns.iter().position(|column| {
            // SAFETY: the sub-query's columns are valid nodes.
            unsafe {
                node::cast::<pg_sys::Var, _>(*column).is_some_and(|inner| {
                    inner.varno as u32 == rti && i32::from(inner.varattno) == attnum
                })
            }
        });
        match position {
            Some(position) => Ok(Some(format!("s{}.c{}", output.index, position + 1))),
            None => Err(Failure::internal("unexpected expression in subquery output")),
        }
    }

    /// A column by number, also a system column (negative) and the whole row (0).
    pub(super) fn column(&mut self, rti: u32, attnum: i32, qualify: bool) -> Result<(), Failure> {
        let prefix = if qualify { format!("{}.", self.alias(rti)) } else { String::new() };
        if attnum == 0 {
            return self.whole_row(rti, qualify);
        }
        if attnum == pg_sys::TableOidAttributeNumber {
            // The placement's OID here, and NULL where an outer join has made the row NULL. (It cannot do that to the
            // table that is changed, the one with a carrier.)
            if qualify && !self.scope.carriers.contains_key(&rti) {
                self.push(&format!("CASE WHEN ({prefix}*)::text IS NOT NULL THEN "));
                self.out.push(Piece::TableOid(rti));
                self.push(" END");
            } else {
                self.out.push(Piece::TableOid(rti));
            }
            return Ok(());
        }
        let name = if self.scope.carriers.get(&rti) == Some(&attnum) {
            "tableoid".to_owned()
        } else if attnum < 0 {
            system_column(attnum).unwrap_or("ctid").to_owned()
        } else {
            self.column_name(rti, attnum)?
        };
        self.push(&format!("{prefix}{name}"));
        Ok(())
    }

    /// A user column's remote name, quoted.
    pub(super) fn column_name(&self, rti: u32, attnum: i32) -> Result<String, Failure> {
        let name = match (self.scope.tables.get(&rti), i16::try_from(attnum)) {
            (Some(table), Ok(number)) => table.column(number),
            _ => "",
        };
        if name.is_empty() {
            return Err(Failure::internal(format!(
                "no column {attnum} in table {rti} of the query"
            )));
        }
        Ok(quote::identifier(name))
    }

    /// The table's alias.
    pub(super) fn alias(&self, rti: u32) -> String {
        match self.aliases.iter().find(|(table, _)| *table == rti) {
            Some((_, alias)) => (*alias).to_owned(),
            None => format!("r{rti}"),
        }
    }

    /// The remote table may have more columns, and in another order, so a row is put together from those known
    /// here; where an outer join has made the row NULL it has to be NULL as a whole.
    fn whole_row(&mut self, rti: u32, qualify: bool) -> Result<(), Failure> {
        let Some(table) = self.scope.tables.get(&rti) else {
            return Err(Failure::internal(format!("no table {rti} in the query")));
        };
        let columns = catalog::columns(table.relid)?;
        if qualify {
            let alias = self.alias(rti);
            self.push(&format!("CASE WHEN ({alias}.*)::text IS NOT NULL THEN "));
        }
        self.push("ROW(");
        self.separated(columns, ", ", |writer, column| writer.column(rti, column.attnum, qualify))?;
        self.push(if qualify { ") END" } else { ")" });
        Ok(())
    }

    unsafe fn call(&mut self, call: &pg_sys::FuncExpr) -> Result<(), Failure> {
        use pg_sys::CoercionForm::{COERCE_EXPLICIT_CAST, COERCE_IMPLICIT_CAST};
        // SAFETY: the parts belong to the tree.
        unsafe {
            let args = node::list_vec::<Node>(call.args);
            if call.funcformat == COERCE_IMPLICIT_CAST || call.funcformat == COERCE_EXPLICIT_CAST {
                let Some(first) = args.first() else {
                    return Err(Failure::internal("a cast function without arguments"));
                };
                self.expr(*first)?;
                if casts::is_written(std::ptr::from_ref(call).cast_mut().cast()) {
                    let mut typmod = -1;
                    pg_sys::exprIsLengthCoercion(std::ptr::from_ref(call).cast(), &raw mut typmod);
                    self.cast_to(call.funcresulttype, typmod);
                }
                return Ok(());
            }
            self.relies_on(indifferent::reliance(call.funcid, call.inputcollid));
            let name = catalog::function_name(call.funcid, self.scope.names)?;
            self.push(&name);
            self.push("(");
            self.arguments(&args, call.funcvariadic)?;
            self.push(")");
            Ok(())
        }
    }

    /// Arguments; `variadic` marks the last one as the array of a VARIADIC parameter.
    pub(super) unsafe fn arguments(
        &mut self,
        args: &[*mut Node],
        variadic: bool,
    ) -> Result<(), Failure> {
        self.separated(args.iter().enumerate(), ", ", |writer, (i, arg)| {
            if variadic && i + 1 == args.len() {
                writer.push("VARIADIC ");
            }
            // SAFETY: the caller vouches for the arguments.
            unsafe { writer.expr(*arg) }
        })
    }

    unsafe fn operator(&mut self, call: &pg_sys::OpExpr) -> Result<(), Failure> {
        // SAFETY: the parts belong to the tree.
        unsafe {
            self.relies_on(indifferent::reliance(pg_sys::get_opcode(call.opno), call.inputcollid));
            let operator = Operator::load(call.opno)?;
            let args = node::list_vec::<Node>(call.args);
            self.push("(");
            match (args.as_slice(), operator.is_prefix) {
                ([only], true) => {
                    self.push(&operator.sql(self.scope.names)?);
                    self.push(" ");
                    self.expr(*only)?;
                }
                (&[mut left, mut right], false) => {
                    // Which side a join's key is on differs between versions: here the column comes first.
                    if self.is_column(right)
                        && safety::is_parameter(self.scope, left)
                        && pg_sys::get_commutator(call.opno) == call.opno
                    {
                        std::mem::swap(&mut left, &mut right);
                    }
                    // The operator was chosen by the types below one implicit cast, and will be there.
                    match (self.is_cast(left), self.is_cast(right)) {
                        (true, false) => left = casts::below_implicit(left),
                        (false, true) => right = casts::below_implicit(right),
                        _ => {}
                    }
                    let same = pg_sys::exprType(left) == pg_sys::exprType(right);
                    self.compared(left, same && self.is_column(right))?;
                    self.push(&format!(" {} ", operator.sql(self.scope.names)?));
                    self.compared(right, same && self.is_column(left))?;
                }
                _ => return Err(Failure::internal("an operator with a wrong number of operands")),
            }
            self.push(")");
            Ok(())
        }
    }

    /// An operand; next to a column of its own type a constant string goes unlabelled, so that the remote
    /// operator is found by the type the column has there (an enum, say).
    unsafe fn compared(&mut self, operand: *mut Node, with_column: bool) -> Result<(), Failure> {
        // SAFETY: the caller vouches for the operand.
        unsafe {
            match node::cast::<pg_sys::Const, _>(operand) {
                Some(constant) if with_column => {
                    let text = literal::constant(constant, Label::NotOnStrings);
                    self.push(&text);
                    Ok(())
                }
                _ => self.expr(operand),
            }
        }
    }

    /// Whether it is written as a plain column.
    unsafe fn is_column(&self, expr: *mut Node) -> bool {
        // SAFETY: the caller vouches for the expression.
        unsafe {
            let inner = match node::cast::<pg_sys::RelabelType, _>(expr) {
                Some(relabel)
                    if !casts::is_written(expr) && !safety::is_portable_collate(relabel) =>
                {
                    relabel.arg.cast()
                }
                _ => expr,
            };
            node::cast::<pg_sys::Var, _>(inner).is_some_and(|var| self.scope.owns(var))
        }
    }

    /// Whether it is an implicit cast that would be written.
    unsafe fn is_cast(&self, expr: *mut Node) -> bool {
        // SAFETY: the caller vouches for the expression.
        unsafe {
            !self.is_sent(expr) && casts::is_written(expr) && casts::below_implicit(expr) != expr
        }
    }

    /// Whether it is a parameter as a whole.
    fn is_sent(&self, expr: *mut Node) -> bool {
        self.own_params.contains(&expr.cast()) || self.local.iter().any(|own| own.node == expr)
    }

    /// A value that is assigned to a column. The column's type makes the cast there, and says what does not fit.
    pub(super) unsafe fn assigned(&mut self, expr: *mut Expr) -> Result<(), Failure> {
        // SAFETY: the caller vouches for the expression.
        unsafe {
            self.local = safety::local_parts(self.scope, expr.cast());
            let mut value: *mut Node = expr.cast();
            while !self.is_sent(value) && casts::below_implicit(value) != value {
                value = casts::below_implicit(value);
            }
            self.expr(value)
        }
    }

    unsafe fn array_operator(&mut self, call: &pg_sys::ScalarArrayOpExpr) -> Result<(), Failure> {
        // SAFETY: the parts belong to the tree.
        unsafe {
            self.relies_on(indifferent::reliance(pg_sys::get_opcode(call.opno), call.inputcollid));
            let args = node::list_vec::<Node>(call.args);
            let [left, right] = args.as_slice() else {
                return Err(Failure::internal("ANY or ALL with a wrong number of operands"));
            };
            self.push("(");
            self.expr(*left)?;
            let operator = Operator::load(call.opno)?.sql(self.scope.names)?;
            self.push(&format!(" {operator} {} (", if call.useOr { "ANY" } else { "ALL" }));
            self.expr(*right)?;
            self.push("))");
            Ok(())
        }
    }

    unsafe fn boolean(&mut self, boolean: &pg_sys::BoolExpr) -> Result<(), Failure> {
        use pg_sys::BoolExprType::{AND_EXPR, NOT_EXPR};
        // SAFETY: the parts belong to the tree.
        unsafe {
            let args = node::list_vec::<Expr>(boolean.args);
            if boolean.boolop == NOT_EXPR {
                let Some(only) = args.first() else {
                    return Err(Failure::internal("NOT without an operand"));
                };
                self.push("(NOT ");
                self.expr(*only)?;
            } else {
                let separator = if boolean.boolop == AND_EXPR { " AND " } else { " OR " };
                self.push("(");
                self.separated(args, separator, |writer, arg| writer.expr(arg))?;
            }
            self.push(")");
            Ok(())
        }
    }

    /// `(a <between> b)`
    pub(super) unsafe fn pair(
        &mut self,
        args: *mut pg_sys::List,
        between: &str,
    ) -> Result<(), Failure> {
        // SAFETY: the caller vouches for the list.
        unsafe {
            let args = node::list_vec::<Node>(args);
            let [left, right] = args.as_slice() else {
                return Err(Failure::internal("a comparison with a wrong number of operands"));
            };
            self.push("(");
            self.expr(*left)?;
            self.push(between);
            self.expr(*right)?;
            self.push(")");
            Ok(())
        }
    }
}

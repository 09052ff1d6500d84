//! ORDER BY and LIMIT.

use super::catalog;
use super::collation;
use super::not_shipped::NotShipped;
use super::output_names::Written;
use super::safety;
use super::scope::Scope;
use super::target::Target;
use super::writer::Writer;
use crate::error::Failure;
use crate::pg::{compat, node};
use crate::session::Likeness;
use pgrx::pg_sys::{self, Expr, NodeTag, Oid, PathKey};

/// One key of an ORDER BY.
#[derive(Clone, Debug)]
pub struct SortKey {
    /// What is sorted by.
    pub expr: *mut Expr,
    /// The `<` or `>` of the order.
    pub operator: Oid,
    /// NULLs come first.
    pub nulls_first: bool,
    /// The collation to be named, if any.
    pub collate: Option<&'static str>,
}

impl SortKey {
    /// The key for a planner's path key, sorting by `expr`, an equivalence member of it with the given
    /// `em_datatype`. Fails when the remote server would not sort the same way. `Ok(None)`: a constant, which
    /// does not need to be sorted by.
    ///
    /// # Safety
    /// All pointers are valid planner data of the scope's query.
    pub unsafe fn from_pathkey(
        scope: &Scope,
        pathkey: *mut PathKey,
        expr: *mut Expr,
        em_datatype: Oid,
    ) -> Result<Option<SortKey>, NotShipped> {
        // SAFETY: the caller vouches for the pointers.
        unsafe {
            let pathkey = &*pathkey;
            if (*pathkey.pk_eclass).ec_has_volatile {
                return Err(NotShipped::Form("sort by a volatile expression"));
            }
            if !scope.ships(pathkey.pk_opfamily, pg_sys::OperatorFamilyRelationId) {
                return Err(NotShipped::OperatorFamily(pathkey.pk_opfamily));
            }
            // The same for all rows of the scan, as a parameter is. (In the scan's list of columns, setrefs.c would take
            // the parameter's value for that column.)
            let node = expr.cast();
            if !pg_sys::contain_var_clause(node)
                && !pg_sys::contain_agg_clause(node)
                && !pg_sys::contain_windowfuncs(node)
                && !pg_sys::expression_returns_set(node)
            {
                return Ok(None);
            }
            let verdict = safety::judge(scope, expr.cast())?;
            // Columns are taken to sort as they are declared here. Nobody has declared anything about the
            // default collation of the remote database, by which another string would be sorted.
            let collation = pg_sys::exprCollation(expr.cast());
            if collation != Oid::INVALID && verdict.remote_collation() != Some(collation) {
                return Err(NotShipped::Collation);
            }
            scope.rely_on(order_reliance(expr))?;
            let operator = compat::sort_operator(pathkey, em_datatype);
            if operator == Oid::INVALID {
                return Err(NotShipped::OperatorFamily(pathkey.pk_opfamily));
            }
            let nulls_first = pathkey.pk_nulls_first;
            Ok(Some(SortKey { expr, operator, nulls_first, collate: None }))
        }
    }
}

/// What ordering by the expression relies on.
///
/// # Safety
/// The expression is valid.
pub(super) unsafe fn order_reliance(expr: *mut Expr) -> Likeness {
    // SAFETY: as the caller vouches; catalog look-ups.
    unsafe {
        let own = pg_sys::getBaseType(pg_sys::exprType(expr.cast()));
        let element = pg_sys::get_element_type(own);
        let ordered = if element == Oid::INVALID { own } else { pg_sys::getBaseType(element) };
        match ordered {
            // See `indifferent::reliance`.
            pg_sys::JSONBOID | pg_sys::RECORDOID => Likeness::Collation,
            _ => collation::reliance(pg_sys::exprCollation(expr.cast())),
        }
    }
}

/// A sort operator that is not the type's default one is named in the SQL, so it must be known there.
pub(super) fn check_sort_operator(
    scope: &Scope,
    operator: Oid,
    type_oid: Oid,
) -> Result<(), NotShipped> {
    let (less, greater) = default_order(type_oid);
    if operator == less || operator == greater || scope.ships(operator, pg_sys::OperatorRelationId)
    {
        Ok(())
    } else {
        Err(NotShipped::Operator(operator))
    }
}

/// The type's default `<` and `>`.
fn default_order(type_oid: Oid) -> (Oid, Oid) {
    let flags = pg_sys::TYPECACHE_LT_OPR | pg_sys::TYPECACHE_GT_OPR;
    // SAFETY: returns a cache entry that lives as long as the backend, or raises for an unknown type.
    unsafe {
        let entry = pg_sys::lookup_type_cache(type_oid, flags as i32);
        ((*entry).lt_opr, (*entry).gt_opr)
    }
}

impl Writer<'_> {
    /// ` ORDER BY ...`; nothing without keys.
    pub(super) unsafe fn order_by(
        &mut self,
        keys: &[SortKey],
        target: &Target,
    ) -> Result<(), Failure> {
        if keys.is_empty() {
            return Ok(());
        }
        self.push(" ORDER BY ");
        self.separated(keys, ", ", |writer, key| {
            // SAFETY: the caller vouches for the keys.
            unsafe {
                writer.relies_on_order_of(key.expr);
                if node::is_a(key.expr, NodeTag::T_Const) {
                    writer.sort_expr(key.expr)?;
                } else if key.collate.is_some() {
                    writer.top(key.expr)?;
                } else {
                    match writer.named_in(target, key.expr) {
                        Written::AsIs => writer.top(key.expr)?,
                        Written::Number(number) => writer.push(&number.to_string()),
                        Written::Wrapped => {
                            writer.push("COALESCE(");
                            writer.top(key.expr)?;
                            writer.push(")");
                        }
                    }
                }
            }
            if let Some(name) = key.collate {
                writer.push(&format!(" COLLATE {name}"));
            }
            writer.sort_suffix(key)
        })
    }

    /// ` ASC NULLS LAST` and the like.
    pub(super) fn sort_suffix(&mut self, key: &SortKey) -> Result<(), Failure> {
        // SAFETY: the caller vouches for the expression.
        let (less, greater) = default_order(unsafe { pg_sys::exprType(key.expr.cast()) });
        if key.operator == less {
            self.push(" ASC");
        } else if key.operator == greater {
            self.push(" DESC");
        } else {
            let operator = catalog::Operator::load(key.operator)?.sql(self.scope.names)?;
            self.push(&format!(" USING {operator}"));
        }
        self.push(if key.nulls_first { " NULLS FIRST" } else { " NULLS LAST" });
        Ok(())
    }
}

/// LIMIT and OFFSET; NULL pointers for those that are not there.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// LIMIT's expression.
    pub count: *mut Expr,
    /// OFFSET's expression.
    pub offset: *mut Expr,
    /// FETCH FIRST ... WITH TIES.
    pub with_ties: bool,
}

impl Default for Limit {
    fn default() -> Limit {
        let none = std::ptr::null_mut();
        Limit { count: none, offset: none, with_ties: false }
    }
}

impl Writer<'_> {
    pub(super) unsafe fn limit(&mut self, limit: &Limit) -> Result<(), Failure> {
        // SAFETY: the caller vouches for the expressions.
        unsafe {
            if !limit.count.is_null() && !limit.with_ties {
                self.push(" LIMIT ");
                self.top(limit.count)?;
            }
            if !limit.offset.is_null() {
                self.push(" OFFSET ");
                self.top(limit.offset)?;
            }
            if !limit.count.is_null() && limit.with_ties {
                // The grammar wants a plain number or something in parentheses here.
                self.push(" FETCH FIRST (");
                self.top(limit.count)?;
                self.push(") ROWS WITH TIES");
            }
            Ok(())
        }
    }
}

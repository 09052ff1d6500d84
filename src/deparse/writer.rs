//! The state of writing one remote statement: text so far, parameters so far, and how columns are spelled.

use super::order_limit::order_reliance;
use super::safety::{self, Local};
use super::scope::Scope;
use super::template::Template;
use crate::error::Failure;
use crate::session::Likeness;
use pgrx::pg_sys::{self, Expr};

/// What a parameter looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Params {
    /// `$1::integer`: to be executed with values.
    Numbered,
    /// `((SELECT null::integer)::integer)`: for a remote EXPLAIN, which has no values; the remote planner takes
    /// it for an unknown constant.
    Unknown,
}

/// A remote statement, ready to be rendered for each placement.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    /// The text.
    pub template: Template,
    /// The parameters' expressions, `$1` first. They go into `fdw_exprs`.
    pub params: Vec<*mut Expr>,
    /// What the result columns are: attribute numbers of the (one) table, or positions (from 1) in the list of
    /// output expressions. Empty when the remote sends a dummy column, or nothing.
    pub retrieved: Vec<i32>,
    /// Which of the parameters stand for `Select::own_params`.
    pub own: Vec<(*mut Expr, usize)>,
}

/// The output columns of a sub-query in FROM, by which its tables' Vars are to be named.
#[derive(Clone, Debug)]
pub(super) struct Output {
    /// Number of the alias `s1`.
    pub index: u32,
    /// Range-table indexes of the tables inside.
    pub tables: Vec<u32>,
    /// Column j (from 0) is `c<j+1>`.
    pub columns: Vec<*mut Expr>,
}

pub(super) struct Writer<'a> {
    pub scope: &'a Scope,
    pub out: Template,
    pub params: Vec<*mut Expr>,
    /// See `Select::own_params`.
    pub own_params: Vec<*mut Expr>,
    /// Those written so far, and their places in `params`.
    pub own: Vec<(*mut Expr, usize)>,
    pub mode: Params,
    /// Columns get their table's alias.
    pub qualified: bool,
    /// Sub-queries in the FROM being written.
    pub outputs: Vec<Output>,
    /// Subexpressions of the expression being written that are sent as values.
    pub local: Vec<Local>,
    /// Aliases of tables that have one of their own (`excluded`).
    pub aliases: Vec<(u32, &'static str)>,
    /// See `Template::relies_on`.
    pub(super) reliance: Likeness,
}

impl<'a> Writer<'a> {
    pub fn new(scope: &'a Scope, mode: Params) -> Writer<'a> {
        Writer {
            scope,
            out: Template::default(),
            params: Vec::new(),
            own_params: Vec::new(),
            own: Vec::new(),
            mode,
            qualified: scope.is_qualified(),
            outputs: Vec::new(),
            local: Vec::new(),
            aliases: Vec::new(),
            reliance: Likeness::Nothing,
        }
    }

    pub fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Notes what a part of the statement relies on.
    pub fn relies_on(&mut self, likeness: Likeness) {
        self.reliance = self.reliance.max(likeness);
    }

    /// The same for a part that orders by the expression.
    pub unsafe fn relies_on_order_of(&mut self, expr: *mut Expr) {
        // SAFETY: the caller vouches for the expression.
        self.relies_on(unsafe { order_reliance(expr) });
    }

    pub fn finish(mut self, retrieved: Vec<i32>) -> Statement {
        self.out.relies_on = self.out.relies_on.max(self.reliance);
        Statement { template: self.out, params: self.params, retrieved, own: self.own }
    }

    /// What `write` writes, apart from the rest.
    pub fn capture(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), Failure>,
    ) -> Result<Template, Failure> {
        let before = std::mem::take(&mut self.out);
        let outcome = write(self);
        let written = std::mem::replace(&mut self.out, before);
        outcome.map(|()| written)
    }

    /// Items with `separator` between them.
    pub fn separated<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        separator: &str,
        mut write: impl FnMut(&mut Self, T) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                self.push(separator);
            }
            write(self, item)?;
        }
        Ok(())
    }

    /// A whole expression of the statement (a condition, an output column, ...).
    pub unsafe fn top<T>(&mut self, expr: *mut T) -> Result<(), Failure> {
        // SAFETY: the caller vouches for the expression.
        unsafe {
            let bare = crate::pg::node::bare_clause(expr);
            self.local = safety::local_parts(self.scope, bare.cast());
            self.expr(bare)
        }
    }

    /// Conditions, each in parentheses, joined by AND.
    pub unsafe fn conditions(&mut self, conditions: &[*mut Expr]) -> Result<(), Failure> {
        self.separated(conditions, " AND ", |writer, condition| {
            writer.push("(");
            // SAFETY: the caller vouches for the expressions.
            unsafe { writer.top(*condition)? };
            writer.push(")");
            Ok(())
        })
    }

    /// An expression whose value is sent.
    pub unsafe fn param<T>(&mut self, expr: *mut T) {
        let expr: *mut Expr = expr.cast();
        // SAFETY: the caller vouches for the expression.
        unsafe {
            let type_name = super::catalog::type_name(
                pg_sys::exprType(expr.cast()),
                pg_sys::exprTypmod(expr.cast()),
            );
            let text = match self.mode {
                Params::Numbered => format!("${}::{type_name}", self.param_number(expr)),
                Params::Unknown => format!("((SELECT null::{type_name})::{type_name})"),
            };
            self.push(&text);
        }
    }

    unsafe fn param_number(&mut self, expr: *mut Expr) -> usize {
        let is_own = self.own_params.contains(&expr);
        let known = self.params.iter().enumerate().position(|(position, known)| {
            // SAFETY: equal() compares any two valid nodes.
            let same = || unsafe { pg_sys::equal(known.cast_const().cast(), expr.cast()) };
            !is_own && self.own.iter().all(|(_, own)| *own != position) && same()
        });
        if let Some(position) = known {
            return position + 1;
        }
        if is_own {
            self.own.push((expr, self.params.len()));
        }
        self.params.push(expr);
        self.params.len()
    }
}

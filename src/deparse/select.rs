//! SELECT, put together.

use super::group::{Distinct, GroupBy};
use super::order_limit::{Limit, SortKey};
use super::relation::From;
use super::scope::Scope;
use super::target::Target;
use super::writer::{Params, Statement, Writer};
use crate::error::Failure;
use pgrx::pg_sys::Expr;

/// Row locks, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LockStrength {
    Update,
    NoKeyUpdate,
    Share,
    KeyShare,
}

/// What to do about rows that others have locked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LockWait {
    #[default]
    Wait,
    NoWait,
    SkipLocked,
}

/// `FOR UPDATE` and its kin.
#[derive(Clone, Copy, Debug)]
pub struct Locking {
    /// The table whose rows are locked.
    pub rti: u32,
    /// How.
    pub strength: LockStrength,
    /// Waiting or not.
    pub wait: LockWait,
}

/// A remote query.
#[derive(Clone, Debug)]
pub struct Select {
    /// The SELECT list.
    pub target: Target,
    /// FROM.
    pub from: From,
    /// WHERE, all of them (RestrictInfos will do).
    pub conditions: Vec<*mut Expr>,
    /// GROUP BY.
    pub group_by: GroupBy,
    /// HAVING, all of them.
    pub having: Vec<*mut Expr>,
    /// DISTINCT.
    pub distinct: Distinct,
    /// ORDER BY.
    pub order_by: Vec<SortKey>,
    /// LIMIT, OFFSET.
    pub limit: Limit,
    /// Row locks.
    pub locking: Vec<Locking>,
    /// Parts of conditions that are sent as parameters which nothing else shares: [`Statement::own`].
    pub own_params: Vec<*mut Expr>,
}

impl Select {
    /// `SELECT target FROM from`; the rest is set on the value.
    pub fn new(target: Target, from: From) -> Select {
        Select {
            target,
            from,
            conditions: Vec::new(),
            group_by: GroupBy::Nothing,
            having: Vec::new(),
            distinct: Distinct::No,
            order_by: Vec::new(),
            limit: Limit::default(),
            locking: Vec::new(),
            own_params: Vec::new(),
        }
    }
}

/// The remote query as a statement.
///
/// # Safety
/// All expressions in `query` are valid nodes of the scope's query.
pub unsafe fn select(scope: &Scope, query: &Select, params: Params) -> Result<Statement, Failure> {
    let mut writer = Writer::new(scope, params);
    writer.own_params.clone_from(&query.own_params);
    // SAFETY: as the caller vouches.
    let retrieved = unsafe { writer.select(query)? };
    Ok(writer.finish(retrieved))
}

impl Writer<'_> {
    unsafe fn select(&mut self, query: &Select) -> Result<Vec<i32>, Failure> {
        self.qualified = query.from.tables().len() > 1;
        self.outputs = query.from.outputs();
        self.push("SELECT ");
        self.distinct(&query.distinct);
        // SAFETY: the caller vouches for the expressions.
        unsafe {
            let retrieved = self.target(&query.target)?;
            self.push(" FROM ");
            let above = self.from(&query.from, self.qualified)?;
            self.filter(" WHERE ", &query.conditions, above)?;
            self.group_by(&query.group_by)?;
            self.filter(" HAVING ", &query.having, Vec::new())?;
            self.order_by(&query.order_by, &query.target)?;
            self.limit(&query.limit)?;
            self.locking(&query.locking);
            Ok(retrieved)
        }
    }

    /// A query in FROM that gives out `columns`.
    pub(super) unsafe fn subquery(
        &mut self,
        query: &Select,
        columns: &[*mut Expr],
    ) -> Result<(), Failure> {
        let around = (self.qualified, std::mem::take(&mut self.outputs));
        let inner = Select { target: Target::Exprs(columns.to_vec()), ..query.clone() };
        // SAFETY: the caller vouches for the expressions.
        let outcome = unsafe { self.select(&inner) };
        (self.qualified, self.outputs) = around;
        outcome.map(|_| ())
    }

    fn locking(&mut self, locks: &[Locking]) {
        for lock in locks {
            self.push(match lock.strength {
                LockStrength::Update => " FOR UPDATE",
                LockStrength::NoKeyUpdate => " FOR NO KEY UPDATE",
                LockStrength::Share => " FOR SHARE",
                LockStrength::KeyShare => " FOR KEY SHARE",
            });
            if self.qualified {
                let alias = self.alias(lock.rti);
                self.push(&format!(" OF {alias}"));
            }
            self.push(match lock.wait {
                LockWait::Wait => "",
                LockWait::NoWait => " NOWAIT",
                LockWait::SkipLocked => " SKIP LOCKED",
            });
        }
    }
}

//! The plan of a batched join: what its node and execution need to know. See batched.rs.

use super::batched::NAME;
use crate::error::Failure;
use crate::pg::node;
use pgrx::pg_sys;
use pgrx::pg_sys::{JoinType, Oid};
use std::ptr;

/// What execution knows of a join, in `custom_private`.
#[derive(Clone, Debug)]
pub struct BatchedPlan {
    /// The kind of join: a [`JoinType`].
    pub kind: u32,
    /// The keys' places in the rows of the two sides, from 0.
    pub keys: [usize; 2],
    /// The hash functions of both keys, which agree.
    pub hashes: [Oid; 2],
    /// The collation by which keys are compared.
    pub collation: Oid,
    /// The type of the outer key.
    pub key_type: Oid,
}

impl BatchedPlan {
    unsafe fn to_list(&self) -> *mut pg_sys::List {
        let numbers = [self.kind, self.keys[0] as u32, self.keys[1] as u32];
        let oids = [self.hashes[0], self.hashes[1], self.collation, self.key_type];
        let all = numbers.into_iter().chain(oids.into_iter().map(Oid::to_u32));
        // An integer list cannot be an element of its own here; the nodes are.
        node::make_list(all.map(|number| node::make_integer(number.cast_signed())))
    }

    /// From `custom_private`.
    ///
    /// # Safety
    /// The list is that of a plan of ours, possibly copied since.
    pub unsafe fn from_list(list: *mut pg_sys::List) -> Result<BatchedPlan, Failure> {
        // SAFETY: as the caller vouches.
        let numbers: Option<Vec<u32>> = unsafe {
            node::list::<pg_sys::Node>(list)
                .map(|item| node::integer_value(item).map(i32::cast_unsigned))
                .collect()
        };
        match numbers.as_deref() {
            Some(&[kind, outer, inner, hash_outer, hash_inner, collation, key_type]) => {
                Ok(BatchedPlan {
                    kind,
                    keys: [outer as usize, inner as usize],
                    hashes: [Oid::from(hash_outer), Oid::from(hash_inner)],
                    collation: Oid::from(collation),
                    key_type: Oid::from(key_type),
                })
            }
            _ => Err(Failure::internal("malformed plan data of a batched join")),
        }
    }
}

/// PlanCustomPath.
///
/// # Safety
/// The path is one of batched.rs, `plans` are those of the paths below it.
pub(super) unsafe fn plan(
    rel: *mut pg_sys::RelOptInfo,
    path: *mut pg_sys::CustomPath,
    targets: *mut pg_sys::List,
    plans: *mut pg_sys::List,
) -> Result<*mut pg_sys::Plan, Failure> {
    // SAFETY: what `add` made, and the plans of its paths.
    unsafe {
        let parts = node::list_vec::<pg_sys::Node>((*path).custom_private);
        let sides = node::list_vec::<pg_sys::Plan>(plans);
        let (&[clauses, kind, hashes, operator, outer, inner], &[outer_plan, inner_plan]) =
            (parts.as_slice(), sides.as_slice())
        else {
            return Err(Failure::internal("malformed path of a batched join"));
        };
        if !node::is_a(inner_plan, pg_sys::NodeTag::T_ForeignScan) {
            return Err(Failure::internal("unexpected plan below a batched join"));
        }
        let kind = node::int_list(kind.cast()).next().unwrap_or_default() as u32;
        let (mut join, mut other) = (ptr::null_mut(), ptr::null_mut());
        if matches!(kind, JoinType::JOIN_LEFT | JoinType::JOIN_ANTI) {
            let (join, other) = (&raw mut join, &raw mut other);
            pg_sys::extract_actual_join_clauses(clauses.cast(), (*rel).relids, join, other);
        } else {
            join = pg_sys::extract_actual_clauses(clauses.cast(), false);
        }
        let mut rows = Rows::of([outer_plan, inner_plan]);
        let missing = || Failure::internal("a batched join lacks a column");
        // The list is empty where the planner will set another one, which is made of the same columns.
        for list in [(*(*rel).reltarget).exprs, targets, other] {
            let vars =
                pg_sys::pull_var_clause(list.cast(), pg_sys::PVC_INCLUDE_PLACEHOLDERS as i32);
            for var in node::list_vec::<pg_sys::Var>(vars) {
                rows.give_out(var).ok_or_else(missing)?;
            }
        }
        let join = rows.refer(join).ok_or_else(missing)?;
        let hashes: Vec<u32> = node::int_list(hashes.cast()).map(i32::cast_unsigned).collect();
        let outer_width = node::list::<pg_sys::Node>((*outer_plan).targetlist).count();
        let key = |column: *mut pg_sys::Node| rows.place(column.cast()).ok_or_else(missing);
        let private = BatchedPlan {
            kind,
            keys: [key(outer)?, key(inner)?.wrapping_sub(outer_width)],
            hashes: [Oid::from(hashes[0]), Oid::from(hashes[1])],
            collation: (*operator.cast::<pg_sys::OpExpr>()).inputcollid,
            key_type: pg_sys::exprType(outer),
        };
        let scan = node::make::<pg_sys::CustomScan>();
        (*scan).scan.plan.targetlist = targets;
        (*scan).flags = (*path).flags;
        (*scan).custom_plans = plans;
        (*scan).custom_exprs = node::make_list([join, other]);
        (*scan).custom_private = private.to_list();
        (*scan).custom_scan_tlist = rows.list();
        (*scan).methods = pg_sys::GetCustomScanMethods(NAME.as_ptr(), false);
        Ok(scan.cast())
    }
}

/// The columns of joined rows: those of the outer side, then those of the inner one.
struct Rows {
    columns: Vec<*mut pg_sys::Expr>,
}

impl Rows {
    unsafe fn of(sides: [*mut pg_sys::Plan; 2]) -> Rows {
        let mut columns = Vec::new();
        for side in sides {
            // SAFETY: a plan that has not been given its final references yet.
            let entries = unsafe { node::list_vec::<pg_sys::TargetEntry>((*side).targetlist) };
            // SAFETY: its entries.
            columns.extend(entries.into_iter().map(|entry| unsafe { (*entry).expr }));
        }
        Rows { columns }
    }

    /// Notes how a column is called above the join. From version 16 on a column that an outer join may have made NULL is
    /// told from the same column below it, and each column of a plan has one name.
    unsafe fn give_out(&mut self, var: *mut pg_sys::Var) -> Option<()> {
        // SAFETY: a column of the query.
        let place = unsafe { self.place(var)? };
        self.columns[place] = var.cast();
        Some(())
    }

    /// The expressions, their columns called as above the join.
    unsafe fn refer(&self, exprs: *mut pg_sys::List) -> Option<*mut pg_sys::List> {
        // SAFETY: a copy of valid expressions, whose columns are replaced by such of the same table and number.
        unsafe {
            let copy = pg_sys::copyObjectImpl(exprs.cast()).cast::<pg_sys::List>();
            let lost = node::any_node(copy.cast(), &mut |part| {
                if !node::is_a(part, pg_sys::NodeTag::T_Var) {
                    return false;
                }
                let Some(place) = self.place(part.cast()) else { return true };
                ptr::copy(self.columns[place].cast::<pg_sys::Var>(), part.cast(), 1);
                false
            });
            (!lost).then_some(copy)
        }
    }

    /// Which column it is.
    unsafe fn place(&self, column: *mut pg_sys::Var) -> Option<usize> {
        // SAFETY: cast by their tags.
        unsafe {
            let var = node::cast::<pg_sys::Var, _>(column)?;
            self.columns.iter().position(|&own| {
                node::cast::<pg_sys::Var, _>(own).is_some_and(|own| {
                    (own.varno, own.varattno, own.varlevelsup)
                        == (var.varno, var.varattno, var.varlevelsup)
                })
            })
        }
    }

    /// As `custom_scan_tlist`.
    fn list(&self) -> *mut pg_sys::List {
        node::make_list(self.columns.iter().zip(1i16..).map(|(&expr, number)| {
            // SAFETY: makers only allocate; a copy, since the side's plan has the same expression.
            unsafe {
                let copy = pg_sys::copyObjectImpl(expr.cast()).cast();
                pg_sys::makeTargetEntry(copy, number, ptr::null_mut(), false)
            }
        }))
    }
}

//! Joins that the shard computes: GetForeignJoinPaths.
//!
//! A join can be shipped when both sides can, nothing of either side has to be filtered here first, and every
//! condition that decides which rows of an outer join are null-extended can be evaluated there. Conditions of the
//! sides move to where SQL evaluates them at the same point: into ON for the side that may be null-extended, into
//! WHERE for the other.

use super::relinfo::RelInfo;
use super::{colocated, cost, paths, row_marks, targets};
use crate::deparse::{self, From, JoinKind, NotShipped, Select, Target};
use crate::error::Failure;
use crate::pg::node;
use pgrx::pg_sys;

/// GetForeignJoinPaths.
///
/// # Safety
/// Arguments as fdwhandler.sgml says.
pub unsafe fn paths(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    outer: *mut pg_sys::RelOptInfo,
    inner: *mut pg_sys::RelOptInfo,
    kind: pg_sys::JoinType::Type,
    extra: *mut pg_sys::JoinPathExtraData,
) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        // Other orders of the same join give the same remote query.
        if !(*rel).fdw_private.is_null() {
            return Ok(());
        }
        // A join that must run once for each row of something else cannot be one remote query.
        if !(*rel).lateral_relids.is_null() {
            return Ok(());
        }
        let Some(kind) = JoinKind::from_planner(kind) else { return Ok(()) };
        let Some(mut info) = combine(root, rel, outer, inner, kind, (*extra).restrictlist) else {
            return Ok(());
        };
        // EvalPlanQual has to be able to do the join here, for rows that changed.
        let mut outer_path = std::ptr::null_mut();
        if row_marks::may_recheck(root) {
            outer_path = pg_sys::GetExistingLocalJoinPath(rel);
            if outer_path.is_null() {
                return Ok(());
            }
        }
        let local = super::scan::clause_list(&info.local_conds);
        info.local_conds_sel = pg_sys::clauselist_selectivity(
            root,
            local,
            0,
            pg_sys::JoinType::JOIN_INNER,
            std::ptr::null_mut(),
        );
        pg_sys::cost_qual_eval(&raw mut info.local_conds_cost, local, root);
        cost::join(root, rel, outer, inner, &mut info)?;
        if targets::changes_virtual(root)
            && let Some(estimate) = &mut info.estimate
        {
            // Only where the whole change is shipped is it one statement; no other plan can be used.
            (estimate.startup, estimate.total) = (0.0, 0.0);
        }
        info.install(rel);
        if let Some(info) = RelInfo::of(rel) {
            paths::add_join_paths(root, rel, info, outer_path);
        }
        Ok(())
    }
}

/// The state of the join of two relations, when it can be shipped.
unsafe fn combine(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    outer: *mut pg_sys::RelOptInfo,
    inner: *mut pg_sys::RelOptInfo,
    kind: JoinKind,
    restrictions: *mut pg_sys::List,
) -> Option<RelInfo> {
    // SAFETY: the relations are ours: core calls only when both belong to one server and user.
    unsafe {
        let left = RelInfo::of(outer).filter(|info| info.is_shippable())?;
        let right = RelInfo::of(inner).filter(|info| info.is_shippable())?;
        if !left.local_conds.is_empty() || !right.local_conds.is_empty() {
            return None;
        }
        let placements = colocated::placements(left, right, kind, restrictions, (*rel).relids)?;
        let mut scope = left.scope.clone();
        scope.take_in(&right.scope);
        scope.root = root;
        // A semi-join or anti-join gives out columns of its outer side only.
        if matches!(kind, JoinKind::Semi | JoinKind::Anti)
            && node::list::<pg_sys::Node>((*(*rel).reltarget).exprs)
                .any(|expr| mentions(root, expr, (*inner).relids))
        {
            return None;
        }
        let mut on = Vec::new();
        let (mut remote_conds, mut local_conds, mut not_shipped) =
            (Vec::new(), Vec::new(), Vec::new());
        for clause in node::list::<pg_sys::RestrictInfo>(restrictions) {
            let secret = !node::members((*rel).relids).all(|rti| {
                let side = *(*root).simple_rel_array.add(rti as usize);
                side.is_null() || pg_sys::restriction_is_securely_promotable(clause, side)
            });
            let shipped = match deparse::foreign_expr(&scope, (*clause).clause) {
                // The sides' own conditions are not sure to be evaluated first.
                Ok(()) if secret => Err(NotShipped::Secrecy),
                shipped => shipped,
            };
            if kind != JoinKind::Inner
                && kind != JoinKind::Semi
                && !node::is_pushed_down(&*clause, (*rel).relids)
            {
                shipped.ok()?;
                on.push(clause);
                continue;
            }
            // A semi-join's conditions all belong to the question whether there is a match.
            if kind == JoinKind::Semi {
                shipped.ok()?;
                on.push(clause);
                continue;
            }
            match shipped {
                Ok(()) => remote_conds.push(clause),
                Err(reason) => {
                    local_conds.push(clause);
                    not_shipped.push(reason.to_string());
                }
            }
        }
        if has_unfinished_placeholder(root, rel) {
            return None;
        }
        let mut sides = [
            Side { from: left.from.clone(), conditions: left.remote_conds.clone(), rel: outer },
            Side { from: right.from.clone(), conditions: right.remote_conds.clone(), rel: inner },
        ];
        match kind {
            JoinKind::Inner => {
                // What is left in WHERE is the join's condition; SQL reads better with it in ON.
                remote_conds.append(&mut sides[1].conditions);
                remote_conds.append(&mut sides[0].conditions);
                on.append(&mut remote_conds);
            }
            JoinKind::Left | JoinKind::Semi | JoinKind::Anti => {
                on.append(&mut sides[1].conditions);
                remote_conds.append(&mut sides[0].conditions);
            }
            JoinKind::Right => {
                on.append(&mut sides[0].conditions);
                remote_conds.append(&mut sides[1].conditions);
            }
            JoinKind::Full => {
                for side in &mut sides {
                    side.wrap(root)?;
                }
            }
        }
        let [left_side, right_side] = sides;
        let from = From::Join {
            kind,
            outer: Box::new(left_side.from),
            inner: Box::new(right_side.from),
            on: on.iter().map(|&clause| (*clause).clause).collect(),
        };
        let mut deciding = match kind {
            JoinKind::Inner | JoinKind::Semi => on.clone(),
            _ => Vec::new(),
        };
        for (side, kinds) in [
            (&*left, [JoinKind::Inner, JoinKind::Semi, JoinKind::Left, JoinKind::Anti].as_slice()),
            (&*right, &[JoinKind::Inner, JoinKind::Semi, JoinKind::Right]),
        ] {
            if kinds.contains(&kind) {
                deciding.extend(side.deciding.iter().filter(|&clause| !on.contains(clause)));
            }
        }
        let word = match kind {
            JoinKind::Inner => "INNER",
            JoinKind::Left => "LEFT",
            JoinKind::Right => "RIGHT",
            JoinKind::Full => "FULL",
            JoinKind::Semi => "SEMI",
            JoinKind::Anti => "ANTI",
        };
        Some(RelInfo {
            description: format!(
                "({}) {word} JOIN ({})",
                left.named(root, outer),
                right.named(root, inner)
            ),
            scope,
            from,
            server: left.server.clone(),
            user: left.user,
            placements,
            parents: left.parents.iter().chain(&right.parents).copied().collect(),
            of_placements: left.of_placements.max(right.of_placements),
            distribution: left.distribution.iter().chain(&right.distribution).cloned().collect(),
            sharded: None,
            remote_conds,
            deciding,
            local_conds,
            not_shipped,
            not_pruned: left.not_pruned.iter().chain(&right.not_pruned).cloned().collect(),
            join_conds: on,
            attrs_used: std::ptr::null_mut(),
            local_conds_sel: 1.0,
            local_conds_cost: Default::default(),
            estimate: None,
            use_remote_estimate: left.use_remote_estimate || right.use_remote_estimate,
            fetch_size: left.fetch_size.into_iter().chain(right.fetch_size).max(),
            below: None,
            upper: None,
        })
    }
}

/// One side of a join being built.
struct Side {
    from: From,
    conditions: Vec<*mut pg_sys::RestrictInfo>,
    rel: *mut pg_sys::RelOptInfo,
}

impl Side {
    /// Makes a sub-query of a side that has conditions, be they semi-joins: neither ON nor WHERE of a full join could
    /// hold them.
    unsafe fn wrap(&mut self, root: *mut pg_sys::PlannerInfo) -> Option<()> {
        if self.conditions.is_empty() && !self.from.leaves_conditions() {
            return Some(());
        }
        // SAFETY: the relation's target list is set; Vars are pulled through placeholders, which cannot be here.
        unsafe {
            let flags = pg_sys::PVC_RECURSE_PLACEHOLDERS as i32;
            let vars = pg_sys::pull_var_clause((*(*self.rel).reltarget).exprs.cast(), flags);
            let mut columns: Vec<*mut pg_sys::Expr> = Vec::new();
            for var in node::list::<pg_sys::Expr>(vars) {
                // Whole rows and system columns have no name outside the sub-query.
                if node::cast::<pg_sys::Var, _>(var)?.varattno <= 0 {
                    return None;
                }
                if !columns.iter().any(|&own| pg_sys::equal(own.cast(), var.cast())) {
                    columns.push(var);
                }
            }
            let mut select = Select::new(Target::Nothing, self.from.clone());
            select.conditions =
                std::mem::take(&mut self.conditions).iter().map(|&c| (*c).clause).collect();
            // Like postgres_fdw: base relations have their range-table index, joins numbers behind them.
            let index = if (*self.rel).relid > 0 {
                (*self.rel).relid
            } else {
                let number = node::list::<pg_sys::RelOptInfo>((*root).join_rel_list)
                    .position(|join| join == self.rel)?;
                (*(*(*root).parse).rtable).length as u32 + number as u32 + 1
            };
            self.from = From::Subquery { select: Box::new(select), index, columns };
        }
        Some(())
    }
}

/// Whether the expression needs a column of one of `relids`.
unsafe fn mentions(
    root: *mut pg_sys::PlannerInfo,
    expr: *mut pg_sys::Node,
    relids: pg_sys::Relids,
) -> bool {
    // SAFETY: the caller hands a valid expression of the query.
    unsafe { pg_sys::bms_overlap(pg_sys::pull_varnos(root, expr), relids) }
}

/// Whether an expression has to be evaluated inside this join and to be null-extended above it: the remote query
/// has no column for it.
unsafe fn has_unfinished_placeholder(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
) -> bool {
    // SAFETY: planner data.
    unsafe {
        node::list::<pg_sys::PlaceHolderInfo>((*root).placeholder_list).any(|placeholder| {
            let at = (*placeholder).ph_eval_at;
            pg_sys::bms_is_subset(at, (*rel).relids)
                && pg_sys::bms_nonempty_difference((*rel).relids, at)
        })
    }
}

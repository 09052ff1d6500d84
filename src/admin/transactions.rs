//! SQL functions over transactions in doubt; their declarations are in sql/transactions.sql.

use crate::error::{Failure, SqlState};
use crate::pg::guard;
use crate::txn::{self, Decision, Gid};
use pgrx::prelude::*;

/// The rows of `shard.in_doubt`.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn list_in_doubt() -> TableIterator<
    'static,
    (
        name!(gid, Option<String>),
        name!(server, String),
        name!(prepared, Option<f64>),
        name!(age, Option<f64>),
        name!(decision, Option<String>),
        name!(last_error, Option<String>),
    ),
> {
    match in_doubt() {
        Ok(rows) => TableIterator::new(rows),
        Err(failure) => guard::raise(&failure),
    }
}

type Row = (Option<String>, String, Option<f64>, Option<f64>, Option<String>, Option<String>);

fn in_doubt() -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for shard in txn::survey()? {
        match shard.prepared {
            Err(failure) => {
                let error = match &failure.fields().detail {
                    Some(detail) => format!("{failure}: {detail}"),
                    None => failure.to_string(),
                };
                rows.push((None, shard.name, None, None, None, Some(error)));
            }
            Ok(prepared) => {
                for prepared in prepared {
                    let decision = match txn::decide(&prepared.gid)? {
                        Decision::Running => continue,
                        Decision::Commit => "commit",
                        Decision::Rollback => "rollback",
                    };
                    rows.push((
                        Some(prepared.gid.to_string()),
                        shard.name.clone(),
                        Some(prepared.since),
                        Some(prepared.age),
                        Some(decision.to_owned()),
                        None,
                    ));
                }
            }
        }
    }
    Ok(rows)
}

/// One pass of the resolver, by hand.
#[pg_extern(sql = false)]
fn resolve_now() -> i64 {
    match txn::resolve() {
        Ok(outcome) => {
            for (_, failure) in &outcome.problems {
                guard::warn(failure);
            }
            outcome.finished
        }
        Err(failure) => guard::raise(&failure),
    }
}

/// Finishes one prepared transaction as the superuser says.
#[pg_extern(sql = false)]
fn resolve(gid: &str, action: &str) {
    if let Err(failure) = resolve_one(gid, action) {
        guard::raise(&failure);
    }
}

fn resolve_one(gid: &str, action: &str) -> Result<(), Failure> {
    let commit = match action {
        "commit" => true,
        "rollback" => false,
        other => {
            return Err(Failure::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("unknown action \"{other}\""),
            )
            .with_hint("Use \"commit\" or \"rollback\"."));
        }
    };
    let gid: Gid = gid.parse().map_err(|error: crate::txn::NotOurs| {
        Failure::new(SqlState::INVALID_PARAMETER_VALUE, error.to_string())
    })?;
    txn::force(&gid, commit)
}

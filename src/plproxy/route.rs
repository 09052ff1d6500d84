//! Which partitions a call goes to, and with which arguments.

use super::cluster::Cluster;
use super::fault::Fault;
use super::function::{Function, Route};
use super::split;
use crate::error::Failure;
use pgrx::pg_sys::{self, Datum, Oid};
use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};

/// The values of the arguments, `None` for NULL.
pub type Values = Vec<Option<Datum>>;

/// A query for one partition.
#[derive(Clone, Debug)]
pub struct Task {
    /// The cluster's connection string it goes to.
    pub node: usize,
    /// RUN ON ANY: another one will do as well.
    pub any: bool,
    /// The arguments, where SPLIT made them other than the call's.
    pub values: Option<Values>,
}

/// The queries of a call, in the order in which their rows come.
pub fn tasks(
    function: &Function,
    cluster: &Cluster,
    arguments: &Values,
) -> Result<Vec<Task>, Failure> {
    if !function.split.is_empty() {
        return split::tasks(function, cluster, arguments);
    }
    let nodes = nodes(function, cluster, arguments)?;
    let any = matches!(function.route, Route::Any);
    Ok(nodes.into_iter().map(|node| Task { node, any, values: None }).collect())
}

/// The connection strings that one evaluation of RUN ON gives, each once.
pub fn nodes(
    function: &Function,
    cluster: &Cluster,
    arguments: &Values,
) -> Result<Vec<usize>, Failure> {
    let label = &function.label;
    let count = cluster.partitions.len();
    let by_hash = |hash: i64| cluster.partitions[cluster.config.partition(hash, count)];
    match &function.route {
        Route::All => Ok((0..cluster.nodes.len()).collect()),
        Route::Any => Ok(vec![cluster.partitions[random(count)]]),
        Route::Exact(number) => match cluster.partitions.get(*number as usize) {
            Some(&node) => Ok(vec![node]),
            None => label.err(Fault::PartNumber),
        },
        Route::Argument(argument) => {
            let kind = &function.arguments[*argument].kind;
            let split = function.split.contains(argument);
            let type_oid = kind.element.filter(|_| split).map_or(kind.oid, |element| element.oid);
            let hash = hash_value(type_oid, arguments[*argument]);
            Ok(vec![by_hash(hash.map_err(|fault| label.fault(fault))?)])
        }
        Route::Query(query) => {
            let hashes = {
                let _busy = cluster.enter(label)?;
                query.run(arguments, true, 1, |cells| match cells.first() {
                    Some(cell) => {
                        hash_value(cell.type_oid, cell.value).map_err(|fault| label.fault(fault))
                    }
                    None => label.err(Fault::HashType),
                })?
            };
            if !function.set && hashes.len() != 1 {
                return label.err(Fault::HashCount);
            }
            let mut nodes: Vec<usize> = Vec::with_capacity(hashes.len());
            for node in hashes.into_iter().map(by_hash) {
                if !nodes.contains(&node) {
                    nodes.push(node);
                }
            }
            Ok(nodes)
        }
    }
}

/// A hash value from a value of an integer type.
fn hash_value(type_oid: Oid, value: Option<Datum>) -> Result<i64, Fault> {
    let base = match type_oid {
        pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID => type_oid,
        // SAFETY: a syscache look-up, for domains over integers.
        other => unsafe { pg_sys::getBaseType(other) },
    };
    let widen: fn(Datum) -> i64 = match base {
        pg_sys::INT2OID => |value| i64::from(value.value() as i16),
        pg_sys::INT4OID => |value| i64::from(value.value() as i32),
        pg_sys::INT8OID => |value| value.value() as i64,
        _ => return Err(Fault::HashType),
    };
    value.map(widen).ok_or(Fault::HashNull)
}

/// A number below `bound`, all equally likely.
pub fn random(bound: usize) -> usize {
    thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0) };
    }
    let mut x = STATE.get();
    while x == 0 {
        // Seeded by the operating system, after the fork: each backend goes its own way.
        x = RandomState::new().build_hasher().finish();
    }
    // xorshift64*; the high half is the better one.
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    STATE.set(x);
    let high = x.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
    ((high * bound as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::random;

    #[test]
    fn random_is_even_enough() {
        let mut counts = [0u32; 8];
        for _ in 0..80_000 {
            counts[random(8)] += 1;
        }
        // 10,000 each; six standard deviations are 560.
        assert!(counts.iter().all(|&c| (9_400..10_600).contains(&c)), "{counts:?}");
        assert_eq!(random(1), 0);
    }
}

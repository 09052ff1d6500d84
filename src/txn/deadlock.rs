//! Who waits for whom over all servers, and the cycles in it. Knows no server and asks nobody.
//!
//! Each server tells which of its processes wait for which. A process that works for one of our transactions is
//! the same as that transaction's process on the coordinator ([`Graph::own`]); so waits on different servers
//! join, and a cycle in the joined graph is a deadlock that none of the servers can see.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A process of one server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Process {
    /// Which server, by whatever number the caller has given it.
    pub instance: u32,
    /// Its process id there.
    pub pid: i32,
}

/// One process waits for another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Wait {
    /// Who waits.
    pub waiter: Process,
    /// Who is in the way.
    pub blocker: Process,
    /// The foreign server on which the wait was seen; 0 is the coordinator itself.
    pub server: u32,
}

/// Waits that lead back to where they began: each one's blocker is the next one's waiter.
pub type Cycle = Vec<Wait>;

/// All that is known about who waits for whom.
#[derive(Default, Debug)]
pub struct Graph {
    /// `None` for a process that two transactions say is theirs: one of them has not noticed its loss yet.
    owners: BTreeMap<Process, Option<Process>>,
    waits: Vec<Wait>,
}

impl Graph {
    /// `remote` works for the transaction of the coordinator's process `owner`.
    pub fn own(&mut self, remote: Process, owner: Process) {
        self.owners
            .entry(remote)
            .and_modify(|known| *known = known.filter(|known| *known == owner))
            .or_insert(Some(owner));
    }

    /// Notes a wait as a server tells it. A process id that is not positive is a prepared transaction: it waits
    /// for nothing, and the resolver ends it.
    pub fn wait(&mut self, wait: Wait) {
        if wait.waiter.pid > 0 && wait.blocker.pid > 0 {
            self.waits.push(wait);
        }
    }

    /// All cycles, for each process on one the shortest through it, each once. Each begins with its smallest
    /// process, so that the same cycle found again is equal.
    pub fn cycles(&self) -> BTreeSet<Cycle> {
        let mut from: BTreeMap<Process, BTreeSet<Wait>> = BTreeMap::new();
        for wait in &self.waits {
            let (Some(waiter), Some(blocker)) = (self.who(wait.waiter), self.who(wait.blocker))
            else {
                continue;
            };
            from.entry(waiter).or_default().insert(Wait { waiter, blocker, ..*wait });
        }
        from.keys().filter_map(|start| shortest(&from, *start)).map(rotated).collect()
    }

    /// The transaction a process works for, or itself; `None` when that is not known for certain.
    fn who(&self, process: Process) -> Option<Process> {
        self.owners.get(&process).copied().unwrap_or(Some(process))
    }
}

fn shortest(from: &BTreeMap<Process, BTreeSet<Wait>>, start: Process) -> Option<Cycle> {
    let mut reached: BTreeMap<Process, Wait> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for wait in from.get(&at).into_iter().flatten() {
            if reached.contains_key(&wait.blocker) {
                continue;
            }
            reached.insert(wait.blocker, *wait);
            if wait.blocker == start {
                return Some(way_back(&reached, start));
            }
            queue.push_back(wait.blocker);
        }
    }
    None
}

fn way_back(reached: &BTreeMap<Process, Wait>, start: Process) -> Cycle {
    let mut cycle = Vec::new();
    let mut at = start;
    while let Some(wait) = reached.get(&at) {
        cycle.push(*wait);
        at = wait.waiter;
        if at == start {
            break;
        }
    }
    cycle.reverse();
    cycle
}

fn rotated(mut cycle: Cycle) -> Cycle {
    let first = (0..cycle.len()).min_by_key(|&at| cycle[at].waiter).unwrap_or(0);
    cycle.rotate_left(first);
    cycle
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: u32 = 0;

    fn process(instance: u32, pid: i32) -> Process {
        Process { instance, pid }
    }

    /// Transactions 1, 2, ... have the processes 10 * transaction + server on each of three servers.
    fn graph(waits: &[(u32, i32, i32)]) -> Graph {
        let mut graph = Graph::default();
        for transaction in 1..=4 {
            for server in 1..=3 {
                let remote = process(server as u32, 10 * transaction + server);
                graph.own(remote, process(HERE, transaction));
            }
        }
        for &(server, waiter, blocker) in waits {
            let at = |transaction| {
                if server == HERE || transaction > 4 {
                    process(server, transaction)
                } else {
                    process(server, 10 * transaction + server as i32)
                }
            };
            graph.wait(Wait { waiter: at(waiter), blocker: at(blocker), server });
        }
        graph
    }

    fn found(waits: &[(u32, i32, i32)]) -> Vec<Vec<(u32, i32, i32)>> {
        let cycles = graph(waits).cycles();
        let tell =
            |cycle: &Cycle| cycle.iter().map(|w| (w.server, w.waiter.pid, w.blocker.pid)).collect();
        cycles.iter().map(tell).collect()
    }

    #[test]
    fn a_chain_is_no_cycle() {
        assert!(found(&[]).is_empty());
        assert!(found(&[(1, 1, 2), (2, 2, 3), (3, 3, 4)]).is_empty());
        assert!(found(&[(1, 1, 3), (2, 1, 3), (1, 2, 3)]).is_empty());
    }

    #[test]
    fn crossed_waits_on_two_servers() {
        assert_eq!(found(&[(1, 1, 2), (2, 2, 1)]), [[(1, 1, 2), (2, 2, 1)]]);
        // The same, told in another order.
        assert_eq!(found(&[(2, 2, 1), (1, 1, 2)]), [[(1, 1, 2), (2, 2, 1)]]);
    }

    #[test]
    fn those_who_wait_for_a_cycle_are_not_in_it() {
        assert_eq!(
            found(&[(1, 4, 1), (1, 1, 2), (2, 2, 3), (3, 3, 1)]),
            [[(1, 1, 2), (2, 2, 3), (3, 3, 1)]]
        );
    }

    #[test]
    fn two_cycles_are_two() {
        assert_eq!(found(&[(1, 1, 2), (2, 2, 1), (1, 3, 4), (3, 4, 3)]).len(), 2);
    }

    #[test]
    fn the_coordinator_and_strangers_take_part() {
        assert_eq!(found(&[(HERE, 1, 2), (2, 2, 1)]), [[(HERE, 1, 2), (2, 2, 1)]]);
        // 99 is nobody's of ours on server 1.
        assert_eq!(found(&[(1, 1, 99), (1, 99, 2), (2, 2, 1)]).len(), 1);
        // The same number on another server is another process.
        assert!(found(&[(1, 1, 99), (3, 99, 2), (2, 2, 1)]).is_empty());
    }

    #[test]
    fn a_transaction_may_wait_for_itself() {
        let mut graph = graph(&[]);
        graph.own(process(1, 77), process(HERE, 1));
        let (waiter, blocker) = (process(1, 77), process(1, 11));
        graph.wait(Wait { waiter, blocker, server: 1 });
        assert_eq!(graph.cycles().len(), 1);
    }

    #[test]
    fn prepared_transactions_and_doubtful_owners_do_not_count() {
        let mut doubtful = graph(&[(1, 1, 2), (2, 2, 1)]);
        doubtful.own(process(1, 11), process(HERE, 3));
        doubtful.own(process(1, 11), process(HERE, 1));
        assert!(doubtful.cycles().is_empty());
        let mut prepared = graph(&[]);
        let nobody = process(1, 0);
        prepared.wait(Wait { waiter: process(1, 11), blocker: nobody, server: 1 });
        prepared.wait(Wait { waiter: nobody, blocker: process(1, 11), server: 1 });
        assert!(prepared.cycles().is_empty());
    }
}

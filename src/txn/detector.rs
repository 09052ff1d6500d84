//! Finding deadlocks over several servers: a background worker that lives while somebody waits for long.
//!
//! It asks the coordinator and the shards of those who wait who waits for whom (`pg_locks`, `pg_blocking_pids`:
//! any role may), and looks for cycles. One that is found twice running, with the very same waits, is a deadlock:
//! nobody in it can go on. The youngest transaction of it that waits for a shard is chosen (see `watch`), one
//! at a time.

use super::deadlock::{Cycle, Graph, Process, Wait};
use super::resolver;
use crate::error::Failure;
use crate::pg::lock::{self, Class};
use crate::pg::{spi, worker};
use pgrx::pg_sys::Oid;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// How long the worker stays when nobody waits.
const STAY: Duration = Duration::from_secs(10);
/// How long one shard may take to answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(1);
/// How long a victim has time to notice: it looks many times a second, unless it is held up.
const NOTICE_DEADLINE: Duration = Duration::from_secs(2);
/// The longest cycle that is told to its victim.
const MOST_WAITS: usize = 200;

/// Who waits in this database and whose processes are whose, as the lock table has it (see `pg::lock::Class`).
const TOLD: &str = "SELECT l.objsubid, l.pid, l.classid, l.objid, \
     pg_catalog.date_part('epoch', a.xact_start) \
     FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid IN (21251, 21252) \
     AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())";
/// What every server is asked: which server it is (two foreign servers may be one), and who waits for whom.
const WAITS: &str = "SELECT pg_catalog.pg_postmaster_start_time()::text, 0, 0 UNION ALL \
     SELECT NULL, w.pid, b.pid \
     FROM (SELECT DISTINCT pid FROM pg_catalog.pg_locks WHERE NOT granted) w, \
     LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) b(pid)";
/// The cycle that the detector has noted in the lock table.
const NOTED: &str = "SELECT l.objsubid, l.objid, s.srvname FROM pg_catalog.pg_locks l \
     LEFT JOIN pg_catalog.pg_foreign_server s ON s.oid OPERATOR(pg_catalog.=) l.classid \
     WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND l.granted \
     AND l.objsubid OPERATOR(pg_catalog.>=) 21504 AND l.objsubid OPERATOR(pg_catalog.<) 22528 \
     AND l.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database d \
     WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()) \
     ORDER BY l.objsubid";

/// A wait that wants to be looked after.
#[derive(Clone, Copy, PartialEq)]
struct Waiting {
    nonce: u64,
    /// When its transaction began.
    since: f64,
}

/// A cycle with the waits for shards in it: as long as these are the same, nobody has moved.
#[derive(Clone, PartialEq)]
struct Suspect {
    cycle: Cycle,
    waits: Vec<Option<Waiting>>,
}

/// The worker's life.
pub fn live() -> Result<(), Failure> {
    let begun = worker::transaction(|| {
        // Somebody may just be looking whether it is held.
        Ok((0..3).any(|_| {
            lock::try_lock_session(Class::Detector, 0) || {
                worker::nap(Duration::from_millis(20));
                false
            }
        }))
    })?;
    if !begun {
        return Ok(());
    }
    let mut before: Vec<Suspect> = Vec::new();
    let mut idle_since = Instant::now();
    while idle_since.elapsed() < STAY {
        let (suspects, is_idle) = worker::transaction(look)?;
        if !is_idle {
            idle_since = Instant::now();
        }
        match suspects.iter().find(|suspect| before.contains(suspect)) {
            Some(found) => {
                choose(found)?;
                before = Vec::new();
            }
            None => before = suspects,
        }
        worker::nap(PAUSE);
    }
    Ok(())
}

/// One look at all servers; and whether nobody waits.
fn look() -> Result<(Vec<Suspect>, bool), Failure> {
    const HERE: u32 = 0;
    let mut waiting: BTreeMap<Process, Waiting> = BTreeMap::new();
    let mut owned: Vec<(u32, i32, Process)> = Vec::new();
    for row in spi::run(TOLD, &[])? {
        let Some((class, pid, high, low, since)) = told(&row) else { continue };
        let process = Process { instance: HERE, pid };
        if class == Class::Waiting as u32 {
            let nonce = u64::from(high) << 32 | u64::from(low);
            waiting.insert(process, Waiting { nonce, since });
        } else if let Ok(remote) = i32::try_from(low) {
            owned.push((high, remote, process));
        }
    }
    if waiting.is_empty() {
        return Ok((Vec::new(), true));
    }
    let mut graph = Graph::default();
    let mut instances: BTreeMap<String, u32> = BTreeMap::new();
    note(&mut graph, &mut instances, 0, &spi::run(WAITS, &[])?);
    let servers: BTreeSet<u32> = owned.iter().map(|(server, ..)| *server).collect();
    for server in servers {
        // One that does not answer has no cycles; its own waits end with its connections.
        let Ok((reply, _)) = resolver::ask(Oid::from(server), WAITS, ANSWER_DEADLINE) else {
            continue;
        };
        let rows = resolver::rows(&reply);
        let instance = note(&mut graph, &mut instances, server, &rows);
        for (_, pid, owner) in owned.iter().filter(|(of, ..)| *of == server) {
            graph.own(Process { instance, pid: *pid }, *owner);
        }
    }
    let suspects = graph.cycles().into_iter().filter(|cycle| cycle.len() <= MOST_WAITS);
    let suspects = suspects.map(|cycle| Suspect {
        waits: cycle.iter().map(|wait| waiting.get(&wait.waiter).copied()).collect(),
        cycle,
    });
    Ok((suspects.filter(|suspect| suspect.victim().is_some()).collect(), false))
}

impl Suspect {
    /// The youngest transaction that waits for a shard.
    fn victim(&self) -> Option<Waiting> {
        let later = |a: &Waiting, b: &Waiting| a.since.total_cmp(&b.since);
        self.waits.iter().flatten().copied().max_by(later)
    }
}

/// Puts a server's answer into the graph; gives the number of the instance it is. Here it is 0.
fn note(
    graph: &mut Graph,
    instances: &mut BTreeMap<String, u32>,
    server: u32,
    rows: &[spi::Row],
) -> u32 {
    let name = rows.iter().find_map(|row| row.first()?.clone()).unwrap_or_default();
    let next = instances.len() as u32;
    let instance = *instances.entry(name).or_insert(next);
    for row in rows {
        let pid = |column: usize| row.get(column)?.as_deref()?.parse::<i32>().ok();
        if let (Some(waiter), Some(blocker)) = (pid(1), pid(2)) {
            let process = |pid| Process { instance, pid };
            graph.wait(Wait { waiter: process(waiter), blocker: process(blocker), server });
        }
    }
    instance
}

fn told(row: &spi::Row) -> Option<(u32, i32, u32, u32, f64)> {
    let field = |column: usize| row.get(column)?.as_deref();
    let since = field(4).and_then(|text| text.parse().ok()).unwrap_or_default();
    Some((
        field(0)?.parse().ok()?,
        field(1)?.parse().ok()?,
        field(2)?.parse().ok()?,
        field(3)?.parse().ok()?,
        since,
    ))
}

/// Tells the victim: the cycle first, then the choice. Both are taken back when its wait is over.
fn choose(suspect: &Suspect) -> Result<(), Failure> {
    let Some(victim) = suspect.victim() else { return Ok(()) };
    worker::transaction(|| {
        for (at, wait) in suspect.cycle.iter().enumerate() {
            let own = wait.waiter.instance == 0;
            let key = u64::from(wait.server) << 32 | u64::from(wait.waiter.pid.unsigned_abs());
            lock::note(at as u16, own, key);
        }
        if !lock::try_lock(Class::Victim, victim.nonce) {
            // It is looking right now.
            worker::nap(Duration::from_millis(1));
            lock::try_lock(Class::Victim, victim.nonce);
        }
        let deadline = Instant::now() + NOTICE_DEADLINE;
        while Instant::now() < deadline {
            if lock::try_lock(Class::Waiting, victim.nonce) {
                pgrx::log!("shard_fdw: a deadlock over {} servers was ended", suspect.places());
                break;
            }
            worker::nap(Duration::from_millis(20));
        }
        Ok(())
    })
}

impl Suspect {
    fn places(&self) -> usize {
        self.cycle.iter().map(|wait| wait.server).collect::<BTreeSet<_>>().len()
    }
}

/// The cycle that the detector has noted, in words: for its victim.
pub fn describe() -> Result<String, Failure> {
    let rows = spi::run(NOTED, &[])?;
    let waits: Vec<(String, String)> = rows
        .iter()
        .filter_map(|row| {
            let number: u16 = row.first()?.as_deref()?.parse().ok()?;
            let pid = row.get(1)?.as_deref()?;
            let place = match row.get(2)?.as_deref() {
                Some(server) => format!("server \"{server}\""),
                None => "this server".to_owned(),
            };
            let who = if lock::note_flag(number) {
                format!("process {pid}")
            } else {
                format!("a session that is not ours (process {pid} of {place})")
            };
            Some((who, place))
        })
        .collect();
    let lines: Vec<String> = waits
        .iter()
        .enumerate()
        .map(|(at, (who, place))| {
            let (next, _) = &waits[(at + 1) % waits.len()];
            let mut line = format!("{who} waits on {place} for {next}.");
            line[..1].make_ascii_uppercase();
            line
        })
        .collect();
    Ok(lines.join("\n"))
}

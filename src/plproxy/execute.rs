//! Runs the queries of a call on all their partitions at the same time.
//!
//! Everything is sent before the first answer is awaited. Rows are passed on as they come, in the order of the
//! partitions: those of a later partition are held back, and beyond a limit left with their server. Whatever ends
//! a call early (an error, a cancel, a timeout), the queries that still run are cancelled and awaited first, so
//! that the connections stay in step.

use super::cluster::Cluster;
use super::codec::Codec;
use super::fault::Fault;
use super::function::{Function, Remote};
use super::link::{Link, Refused, Unsent};
use super::output::Output;
use super::report;
use super::route::{Task, Values};
use super::run::{Run, Sockets};
use crate::error::Failure;
use crate::pg::wait::Wake;
use crate::wire::{Params, Request, WireError};
use pgrx::pg_sys::Oid;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Rows that have come are passed on when they are this many bytes.
const CHUNK: usize = 64 * 1024;
/// How long the queries that still run may take to obey, all together.
const STOP_DEADLINE: Duration = Duration::from_secs(10);
/// How long one of them may take before the next has its turn.
const STOP_FIRST: Duration = Duration::from_secs(1);

/// A call.
pub struct Call<'a> {
    pub function: &'a Function,
    pub cluster: &'a Cluster,
    pub user: Oid,
    pub arguments: &'a Values,
    pub remote: &'a Remote,
}

/// Runs `tasks` and gives their rows to `output`.
pub fn run(
    call: &Call<'_>,
    tasks: Vec<Task>,
    codec: &mut Codec,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let mut runs: Vec<Run> = Vec::with_capacity(tasks.len());
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        call.start(tasks, codec, output, &mut runs)?;
        call.collect(codec, output, &mut runs)
    }));
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(failure)) => {
            stop(&runs);
            call.pass_notices(&runs);
            Err(failure)
        }
        Err(payload) => {
            stop(&runs);
            resume_unwind(payload)
        }
    }
}

/// Cancels what still runs and waits for it; drops the connections that do not obey. Raises nothing.
fn stop(runs: &[Run]) {
    let end = Instant::now() + STOP_DEADLINE;
    let stubborn: Vec<&Run> =
        runs.iter().filter(|run| !run.link.stop(end.min(Instant::now() + STOP_FIRST))).collect();
    for run in stubborn {
        if !run.link.stop(end) {
            run.link.discard();
        }
    }
}

impl Call<'_> {
    /// Connects, and sends everything.
    fn start(
        &self,
        tasks: Vec<Task>,
        codec: &mut Codec,
        output: &Output<'_>,
        runs: &mut Vec<Run>,
    ) -> Result<(), Failure> {
        let mut common: Option<Rc<Params>> = None;
        let links = self.open_all(&tasks)?;
        for (Task { any, values, .. }, (node, link)) in tasks.into_iter().zip(links) {
            let params = match (&values, &common) {
                (None, Some(common)) => common.clone(),
                _ => {
                    let values = values.as_ref().unwrap_or(self.arguments);
                    // SAFETY: arguments are of their declared types, arrays split from them too.
                    Rc::new(unsafe { codec.encode(self.remote, values)? })
                }
            };
            if values.is_none() {
                common = Some(params.clone());
            }
            runs.push(Run {
                node,
                any,
                params,
                link,
                ticket: None,
                columns: 0,
                reply: None,
                started: Instant::now(),
                more: Cell::new(false),
                again: false,
            });
            if let Some(run) = runs.last_mut() {
                self.send(run, codec, output)?;
            }
        }
        Ok(())
    }

    /// A connection for each task, and the node that it leads to.
    fn open_all(&self, tasks: &[Task]) -> Result<Vec<(usize, Link)>, Failure> {
        if let [task] = tasks {
            return Ok(vec![self.open(task.node, task.any)?]);
        }
        let nodes: Vec<usize> = tasks.iter().map(|task| task.node).collect();
        match Link::open_all(&self.function.label, self.cluster, &nodes, self.user) {
            Ok(links) => Ok(nodes.into_iter().zip(links).collect()),
            Err(Refused::Unreachable(_)) if tasks.iter().any(|task| task.any) => {
                tasks.iter().map(|task| self.open(task.node, task.any)).collect()
            }
            Err(Refused::Unreachable(failure) | Refused::Failed(failure)) => Err(failure),
        }
    }

    /// A connection to `node` or, when any partition will do, to another one that can be reached.
    fn open(&self, node: usize, any: bool) -> Result<(usize, Link), Failure> {
        let label = &self.function.label;
        let refused = match Link::open(label, self.cluster, node, self.user) {
            Ok(link) => return Ok((node, link)),
            Err(Refused::Failed(failure)) => return Err(failure),
            Err(Refused::Unreachable(failure)) => failure,
        };
        if any {
            let count = self.cluster.nodes.len();
            let first = super::route::random(count);
            let others = (0..count).map(|n| (first + n) % count).filter(|&other| other != node);
            for other in others {
                match Link::open(label, self.cluster, other, self.user) {
                    Ok(link) => return Ok((other, link)),
                    Err(Refused::Failed(failure)) => return Err(failure),
                    Err(Refused::Unreachable(_)) => {}
                }
            }
        }
        Err(refused)
    }

    /// Sends a query; once more on a new connection when the one it was given has just died.
    fn send(&self, run: &mut Run, codec: &mut Codec, output: &Output<'_>) -> Result<(), Failure> {
        let sent = match self.submit(run, codec, output) {
            Err(Unsent::Wire(error)) if error.is_fatal() && !run.again => {
                run.again = true;
                run.link.discard();
                (run.node, run.link) = self.open(run.node, run.any)?;
                self.submit(run, codec, output)
            }
            sent => sent,
        };
        sent.map_err(|unsent| match unsent {
            Unsent::Wire(error) => self.fail(run, &error),
            Unsent::Failed(failure) => failure,
        })
    }

    fn submit(&self, run: &mut Run, codec: &mut Codec, output: &Output<'_>) -> Result<(), Unsent> {
        let sql = &self.remote.sql;
        let formats = if self.remote.exact {
            codec.columns[0].formats()
        } else {
            // A statement that this connection has not seen yet is described before it is run: what it returns
            // decides the formats. For one that it has seen nothing is sent.
            let prepare = Request::Prepare { sql, param_types: &codec.param_types };
            let deadline = self.cluster.config.query_timeout.map(|t| Instant::now() + t);
            let ticket = run.link.submit(prepare)?;
            let reply = run.link.session().wait(ticket, deadline).map_err(Unsent::Wire)?;
            run.columns =
                codec.columns_for(output.kind, reply.columns.as_deref().unwrap_or(&[]))?;
            codec.columns[run.columns].formats()
        };
        run.started = Instant::now();
        let request = Request::Execute {
            sql,
            param_types: &codec.param_types,
            params: &run.params,
            formats,
            portal: "",
            max_rows: 0,
        };
        run.ticket = Some(run.link.submit(request)?);
        Ok(())
    }

    /// Takes the answers.
    fn collect(
        &self,
        codec: &mut Codec,
        output: &mut Output<'_>,
        runs: &mut [Run],
    ) -> Result<(), Failure> {
        let mut current = 0;
        let mut sockets = Sockets::default();
        self.look(codec, output, runs, &mut sockets)?;
        loop {
            while let Some(run) = runs.get_mut(current) {
                let columns = &mut codec.columns[run.columns];
                if let Some(reply) = run.reply.take() {
                    output.take(&reply, columns)?;
                    current += 1;
                    continue;
                }
                let Some(ticket) = &run.ticket else { break };
                if run.link.session().buffered(ticket) >= CHUNK {
                    output.take(&run.link.session().take_rows(ticket), columns)?;
                }
                break;
            }
            if current >= runs.len() {
                return Ok(());
            }
            self.wait(runs, current, &mut sockets)?;
            let progress = self.look(codec, output, runs, &mut sockets)?;
            sockets.note(progress);
        }
    }

    /// Puts complete answers aside and raises the first error; whether anything has come since the last time.
    fn look(
        &self,
        codec: &mut Codec,
        output: &Output<'_>,
        runs: &mut [Run],
        sockets: &mut Sockets,
    ) -> Result<bool, Failure> {
        let mut progress = false;
        for run in runs.iter_mut() {
            let Some(ticket) = run.ticket.take() else { continue };
            match run.link.session().take(ticket) {
                Err(ticket) => {
                    progress |= run.link.session().buffered(&ticket) > 0;
                    run.ticket = Some(ticket);
                }
                Ok(Ok(reply)) => {
                    run.reply = Some(reply);
                    progress = true;
                    self.pass_notices(std::slice::from_ref(run));
                }
                Ok(Err(error)) if !run.again && run.link.may_repeat() && not_begun(&error) => {
                    run.again = true;
                    progress = true;
                    sockets.forget();
                    self.send(run, codec, output)?;
                }
                Ok(Err(error)) => return Err(self.fail(run, &error)),
            }
        }
        Ok(progress)
    }

    /// Waits until something can be read for `runs`, of which those before `current` are done.
    fn wait(&self, runs: &[Run], current: usize, sockets: &mut Sockets) -> Result<(), Failure> {
        let timeout = self.cluster.config.query_timeout;
        let oldest = timeout.and_then(|timeout| {
            let pending = runs.iter().filter(|run| run.ticket.is_some());
            pending.min_by_key(|run| run.started).map(|run| (run, run.started + timeout))
        });
        let wake = sockets.wait(runs, current, oldest.map(|(_, deadline)| deadline));
        match oldest {
            Some((run, _)) if wake == Wake::Deadline && !run.is_complete() => {
                let database = run.link.database.to_string();
                self.function.label.err(Fault::QueryTimeout { database })
            }
            _ => Ok(()),
        }
    }

    fn fail(&self, run: &Run, error: &WireError) -> Failure {
        self.pass_notices(std::slice::from_ref(run));
        if matches!(error, WireError::Deadline) {
            let database = run.link.database.to_string();
            return self.function.label.fault(Fault::QueryTimeout { database });
        }
        run.link.note(error);
        report::failure(&self.function.label, &run.link.database, error)
    }

    fn pass_notices(&self, runs: &[Run]) {
        for run in runs {
            for notice in run.link.session().take_notices() {
                report::notice(&self.function.label, &run.link.database, &notice);
            }
        }
    }
}

/// Whether the server refused a prepared statement before it began: it does not know it any more, or it would
/// return other columns than it did. The session has forgotten the statement and prepares it anew.
fn not_begun(error: &WireError) -> bool {
    error.remote().is_some_and(|remote| match remote.sqlstate.as_deref() {
        Some("26000") => true,
        Some("0A000") => remote.routine.as_deref() == Some("RevalidateCachedQuery"),
        _ => false,
    })
}

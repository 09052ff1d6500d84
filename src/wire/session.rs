//! STUB: interface of the protocol engine. The body is the wire helper's.
#![allow(dead_code, unused_variables)]

use super::remote_error::WireError;
use std::rc::Rc;
use std::time::Instant;

/// One connection, shared by everything that uses it. Cloning gives another handle to the same connection.
/// Single-threaded: interior RefCell, never borrowed across a wait.
#[derive(Clone)]
pub struct Session(Rc<()>);

/// A result column as the remote server describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub type_oid: u32,
    pub typmod: i32,
}

/// Result formats asked for in Bind: 0 text, 1 binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formats {
    Text,
    Binary,
    PerColumn(Vec<i16>),
}

/// Parameter values of one Bind: one buffer, no allocation per value.
#[derive(Clone, Debug, Default)]
pub struct Params {
    /// Values one after the other.
    pub buffer: Vec<u8>,
    /// Per parameter: its bytes in `buffer` (None = NULL) and its format (0 text, 1 binary).
    pub values: Vec<(Option<std::ops::Range<usize>>, i16)>,
}

/// One request. Everything up to and including its Sync is queued and written together.
pub enum Request<'a> {
    /// Simple query protocol ('Q'); may hold several statements; rows come as text.
    Simple(&'a str),
    /// Parse (unless this connection has `sql` prepared already) + Describe + Bind + Execute + Sync.
    Execute {
        sql: &'a str,
        /// Type OIDs for Parse; 0 or missing = let the server infer.
        param_types: &'a [u32],
        params: &'a Params,
        formats: Formats,
        /// Portal name; "" = unnamed. A named portal stays open (inside a transaction) until closed.
        portal: &'a str,
        /// Execute's row limit, 0 = all.
        max_rows: u32,
    },
    /// Execute again on an open portal.
    Fetch { portal: &'a str, max_rows: u32 },
    /// Close a portal (no result).
    ClosePortal(&'a str),
    /// Parse + Describe only, to learn parameter and column types (then cached).
    Prepare { sql: &'a str, param_types: &'a [u32] },
    /// COPY ... FROM STDIN: leaves the connection in copy-in mode until `copy_end`.
    CopyIn(&'a str),
}

/// A queued request; its reply is taken with `Session::wait`/`Session::take`.
pub struct Ticket(Rc<()>);

/// The answer to one request.
#[derive(Debug, Default)]
pub struct Reply {
    /// Columns, when the request was described (Execute, Prepare, Simple with rows).
    pub columns: Option<Rc<[Column]>>,
    /// Parameter types the server inferred (Prepare, Execute).
    pub param_types: Option<Rc<[u32]>>,
    /// DataRow message bodies (int16 field count, then int32 length + bytes each), one after the other.
    pub data: Vec<u8>,
    /// Where each row starts in `data`.
    pub rows: Vec<u32>,
    /// CommandComplete tag of the last statement, e.g. "UPDATE 3"; None if the portal was suspended.
    pub tag: Option<String>,
    /// True when Execute stopped at its row limit.
    pub suspended: bool,
}

/// The remote transaction status from ReadyForQuery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    Idle,
    InTransaction,
    Failed,
}

impl Session {
    /// Queues a statement without result (BEGIN, SAVEPOINT, SET) that is sent with the NEXT request, in the same
    /// Sync group and before it: when it fails the request is not run, and the request's reply is its error.
    pub fn push_prefix(&self, sql: &str) {
        unimplemented!()
    }
    /// Queues a request and writes what the socket takes; never waits.
    pub fn submit(&self, request: Request<'_>) -> Result<Ticket, WireError> {
        unimplemented!()
    }
    /// Reads and writes what can be done without waiting; replies are put to their tickets.
    pub fn pump(&self) -> Result<(), WireError> {
        unimplemented!()
    }
    /// Whether the ticket's reply is complete (after `pump`).
    pub fn is_complete(&self, ticket: &Ticket) -> bool {
        unimplemented!()
    }
    /// Waits for the ticket's reply: interrupts are honoured (they raise), remote errors are Err.
    pub fn wait(&self, ticket: Ticket, deadline: Option<Instant>) -> Result<Reply, WireError> {
        unimplemented!()
    }
    /// submit + wait.
    pub fn run(&self, request: Request<'_>) -> Result<Reply, WireError> {
        unimplemented!()
    }
    /// Waits until at least one of the tickets is complete.
    pub fn wait_any(of: &[(&Session, &Ticket)], deadline: Option<Instant>) -> Result<(), WireError> {
        unimplemented!()
    }
    /// What to wait for, for callers with a wait loop of their own (async Append).
    pub fn want(&self) -> crate::pg::wait::Want {
        unimplemented!()
    }
    /// Requests whose replies have not been read yet.
    pub fn outstanding(&self) -> usize {
        unimplemented!()
    }
    /// Asks the server to cancel what it is doing (a CancelRequest over its own connection) and reads replies
    /// until none is outstanding, up to `deadline`. Interrupts are not raised here. Err: drop the connection.
    pub fn cancel_and_drain(&self, deadline: Instant) -> Result<(), WireError> {
        unimplemented!()
    }
    /// Transaction status after the last reply read.
    pub fn status(&self) -> Status {
        unimplemented!()
    }
    /// True when the connection is broken or the socket has been closed by the server (a nonblocking look).
    pub fn is_dead(&self) -> bool {
        unimplemented!()
    }
    /// Forgets all prepared statements of this connection (after DISCARD/DEALLOCATE or a failed transaction that
    /// prepared them is NOT needed: prepared statements survive rollbacks).
    pub fn forget_statements(&self) {
        unimplemented!()
    }
    /// A portal name that this connection has not used yet.
    pub fn new_portal_name(&self) -> String {
        unimplemented!()
    }
    /// server_version_num of the remote server, e.g. 150018.
    pub fn server_version(&self) -> i32 {
        unimplemented!()
    }
    /// Remote backend's process id.
    pub fn backend_pid(&self) -> i32 {
        unimplemented!()
    }
    /// Sends COPY data (copy-in mode).
    pub fn copy_data(&self, data: &[u8]) -> Result<(), WireError> {
        unimplemented!()
    }
    /// Ends copy-in mode; `error` = Some makes the remote COPY fail. The ticket's reply carries the tag.
    pub fn copy_end(&self, error: Option<&str>) -> Result<Ticket, WireError> {
        unimplemented!()
    }
}

//! Cluster names to partitions and settings: foreign servers of the wrapper `plproxy`, else the
//! `plproxy.get_cluster_*` functions; and connection strings of CONNECT as clusters of one.
//!
//! What is known is kept until a foreign server or wrapper changes, so both kinds swap live. Who connects to the
//! partitions is decided in [`super::login`].

use super::config::{self, Config, ConfigError};
use super::conninfo;
use super::fault::{Fault, Label};
use super::local::{self, LocalQuery};
use super::login::Logins;
use crate::error::{Failure, SqlState};
use crate::pg::{catalog, invalidate, text};
use pgrx::pg_sys::SysCacheIdentifier as Cache;
use pgrx::pg_sys::{self, Datum, Oid};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::rc::Rc;

/// One connection string of a cluster. Partitions with equal strings share it.
#[derive(Debug)]
pub struct Node {
    pub text: String,
    pub keywords: conninfo::Keywords,
    /// `server=name`: the partition is a foreign server of the wrapper shard_fdw.
    pub server: Option<String>,
}

/// Where a cluster is defined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A foreign server.
    Server(Oid),
    /// The functions; with the version they gave.
    Functions(i32),
    /// CONNECT.
    Connect,
}

/// A cluster.
pub struct Cluster {
    pub name: String,
    pub origin: Origin,
    /// The distinct connection strings.
    pub nodes: Vec<Node>,
    /// The node of each partition.
    pub partitions: Vec<usize>,
    pub config: Config,
    /// Who logs in how, as far as it has been found out.
    pub logins: Logins,
    /// Its hash function is running.
    busy: Cell<bool>,
}

/// While it lives, the cluster cannot be used by another call.
pub struct Busy<'a>(&'a Cluster);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.set(false);
    }
}

impl Cluster {
    fn new(
        name: &str,
        origin: Origin,
        strings: Vec<String>,
        config: Config,
    ) -> Result<Cluster, String> {
        let mut nodes: Vec<Node> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut partitions = Vec::with_capacity(strings.len());
        for string in strings {
            if let Some(&node) = known.get(&string) {
                partitions.push(node);
                continue;
            }
            let keywords = conninfo::parse(&string)?;
            let server = conninfo::get(&keywords, "server").map(str::to_owned);
            known.insert(string.clone(), nodes.len());
            partitions.push(nodes.len());
            nodes.push(Node { text: string, keywords, server });
        }
        Ok(Cluster {
            name: name.to_owned(),
            origin,
            nodes,
            partitions,
            config,
            logins: Logins::default(),
            busy: Cell::new(false),
        })
    }

    /// The foreign server that the cluster is; OID 0 if it is none.
    pub fn server(&self) -> Oid {
        match self.origin {
            Origin::Server(oid) => oid,
            Origin::Functions(_) | Origin::Connect => Oid::INVALID,
        }
    }

    /// Marks the cluster as one whose hash function is running.
    pub fn enter(&self, label: &Label) -> Result<Busy<'_>, Failure> {
        if self.busy.replace(true) {
            return label.err(Fault::Nested);
        }
        Ok(Busy(self))
    }

    /// An error when the cluster's own hash function calls.
    pub fn check_free(&self, label: &Label) -> Result<(), Failure> {
        if self.busy.get() { label.err(Fault::Nested) } else { Ok(()) }
    }
}

#[derive(Default)]
struct Known {
    clusters: RefCell<HashMap<String, Rc<Cluster>>>,
    connects: RefCell<HashMap<String, Rc<Cluster>>>,
    /// Names that are no foreign servers of the wrapper.
    elsewhere: RefCell<HashMap<String, ()>>,
    listening: Cell<bool>,
    changes: Cell<u64>,
    queries: RefCell<Option<Rc<Queries>>>,
}

/// The functions' queries.
struct Queries {
    version: LocalQuery,
    config: LocalQuery,
    partitions: LocalQuery,
}

/// More connection strings of CONNECT than this, and all are forgotten: they may be made up by the caller.
const MAX_CONNECTS: usize = 1000;

thread_local! {
    // Never dropped: destructors at process exit would find PostgreSQL half gone.
    static KNOWN: ManuallyDrop<Known> = ManuallyDrop::new(Known::default());
}

/// The cluster `name`.
pub fn by_name(label: &Label, name: &str) -> Result<Rc<Cluster>, Failure> {
    KNOWN.with(|known| {
        known.listen();
        let found = known.clusters.borrow().get(name).cloned();
        match found {
            Some(cluster) if !matches!(cluster.origin, Origin::Functions(_)) => Ok(cluster),
            found => known.look_up(label, name, found),
        }
    })
}

/// The cluster of one that a connection string is.
pub fn by_string(label: &Label, string: &str) -> Result<Rc<Cluster>, Failure> {
    KNOWN.with(|known| {
        if let Some(cluster) = known.connects.borrow().get(string) {
            return Ok(cluster.clone());
        }
        let made =
            Cluster::new(string, Origin::Connect, vec![string.to_owned()], Config::default());
        let cluster = Rc::new(made.map_err(|reason| {
            // The string may hold a password: it is not shown.
            label.fault(Fault::Connection { database: "(null)".to_owned(), reason })
        })?);
        let mut connects = known.connects.borrow_mut();
        if connects.len() >= MAX_CONNECTS {
            connects.clear();
        }
        connects.insert(string.to_owned(), cluster.clone());
        Ok(cluster)
    })
}

impl Known {
    fn listen(&self) {
        if self.listening.replace(true) {
            return;
        }
        for cache in [Cache::FOREIGNSERVEROID, Cache::FOREIGNDATAWRAPPEROID] {
            invalidate::on_syscache(cache, |_| {
                KNOWN.with(|known| {
                    known.changes.set(known.changes.get() + 1);
                    if let Ok(mut clusters) = known.clusters.try_borrow_mut() {
                        clusters.clear();
                    }
                    if let Ok(mut elsewhere) = known.elsewhere.try_borrow_mut() {
                        elsewhere.clear();
                    }
                });
            });
        }
    }

    fn look_up(
        &self,
        label: &Label,
        name: &str,
        found: Option<Rc<Cluster>>,
    ) -> Result<Rc<Cluster>, Failure> {
        let changes = self.changes.get();
        let elsewhere = self.elsewhere.borrow().contains_key(name);
        let server = if elsewhere { None } else { server_of(name)? };
        let cluster = match server {
            Some(oid) => Rc::new(of_server(name, oid)?),
            None => {
                if !elsewhere {
                    self.elsewhere.borrow_mut().insert(name.to_owned(), ());
                }
                match self.ask_functions(label, name, found)? {
                    Ok(unchanged) => return Ok(unchanged),
                    Err(new) => Rc::new(new),
                }
            }
        };
        if self.changes.get() == changes {
            self.clusters.borrow_mut().insert(name.to_owned(), cluster.clone());
        } else {
            self.elsewhere.borrow_mut().clear();
        }
        Ok(cluster)
    }

    /// Asks the functions: the version always, the rest when it is another one. `Ok` is what was known.
    #[allow(clippy::result_large_err)]
    fn ask_functions(
        &self,
        label: &Label,
        name: &str,
        found: Option<Rc<Cluster>>,
    ) -> Result<Result<Rc<Cluster>, Cluster>, Failure> {
        let queries = self.queries()?.ok_or_else(|| not_found(name))?;
        // SAFETY: a text datum made from a palloc'd C string.
        let argument =
            [Some(unsafe { Datum::from(pg_sys::cstring_to_text(text::to_server(name))) })];
        let fault = |text: String| label.fault(Fault::Cluster(text));
        let versions = queries.version.run(&argument, false, 1, |cells| {
            Ok(cells.first().and_then(|cell| cell.value).map(|value| value.value() as i32))
        })?;
        let version = match versions.as_slice() {
            [Some(version)] => *version,
            [None] => return Err(fault("get_version: got NULL?".to_owned())),
            rows => return Err(fault(format!("get_version: got {} rows", rows.len()))),
        };
        if let Some(found) = found
            && found.origin == Origin::Functions(version)
        {
            return Ok(Ok(found));
        }
        let mut config = Config::default();
        queries.config.run(&argument, false, 2, |cells| {
            let [key, value] = texts(cells, "Cluster config must have 2 columns", label)?;
            let key = key.ok_or_else(|| fault("key must not be NULL".to_owned()))?;
            let value = value.ok_or_else(|| fault("val must not be NULL".to_owned()))?;
            match config.set(&key, &value) {
                Ok(true) => Ok(()),
                Ok(false) => Err(fault(format!("Unknown config param: {key}"))),
                Err(error) => Err(fault(error.to_string().replacen("Pl/Proxy: ", "", 1))),
            }
        })?;
        let strings = queries.partitions.run(&argument, false, 1, |cells| {
            let [string] = texts(cells, "Partition config must have at least 1 columns", label)?;
            string.ok_or_else(|| fault("connstr must not be NULL".to_owned()))
        })?;
        config
            .check_count(strings.len())
            .map_err(|_| fault("get_partlist: invalid part count".to_owned()))?;
        Cluster::new(name, Origin::Functions(version), strings, config).map(Err).map_err(|reason| {
            label.fault(Fault::Connection { database: "(null)".to_owned(), reason })
        })
    }

    fn queries(&self) -> Result<Option<Rc<Queries>>, Failure> {
        if !have_functions() {
            return Ok(None);
        }
        if let Some(queries) = &*self.queries.borrow() {
            return Ok(Some(queries.clone()));
        }
        let query = |function: &str| {
            let sql = format!("select * from plproxy.{function}($1)");
            LocalQuery::direct(&sql, &[pg_sys::TEXTOID])
        };
        let queries = Rc::new(Queries {
            version: query("get_cluster_version"),
            config: query("get_cluster_config"),
            partitions: query("get_cluster_partitions"),
        });
        self.queries.replace(Some(queries.clone()));
        Ok(Some(queries))
    }
}

/// Reads text columns.
fn texts<const N: usize>(
    cells: &[local::Cellular],
    too_few: &str,
    label: &Label,
) -> Result<[Option<String>; N], Failure> {
    if cells.len() < N {
        return label.err(Fault::Cluster(too_few.to_owned()));
    }
    let mut out = [const { None }; N];
    for (slot, cell) in out.iter_mut().zip(cells) {
        *slot = cell.text();
    }
    Ok(out)
}

/// The foreign server `name`, if it is one of the wrapper `plproxy`.
fn server_of(name: &str) -> Result<Option<Oid>, Failure> {
    // A longer name would be cut by PostgreSQL and then found under another.
    if name.len() >= pg_sys::NAMEDATALEN as usize {
        return Ok(None);
    }
    let Some(oid) = catalog::server_by_name(name) else { return Ok(None) };
    // SAFETY: a static C string; missing_ok.
    let wrapper = unsafe { pg_sys::get_foreign_data_wrapper_oid(c"plproxy".as_ptr(), true) };
    Ok((catalog::server(oid)?.wrapper == wrapper).then_some(oid))
}

/// The cluster that a foreign server of the wrapper `plproxy` is.
pub fn of_server(name: &str, oid: Oid) -> Result<Cluster, Failure> {
    let row = catalog::server(oid)?;
    let wrapper = catalog::wrapper_options(row.wrapper)?;
    let (strings, config) = config::of_server(&wrapper, &row.options)?;
    Cluster::new(name, Origin::Server(oid), strings, config).map_err(|reason| {
        Failure::new(
            SqlState::FDW_INVALID_STRING_FORMAT,
            format!("Pl/Proxy: invalid connection string in cluster {name}: {reason}"),
        )
    })
}

/// Whether schema `plproxy` has the three functions.
fn have_functions() -> bool {
    // SAFETY: look-ups of a name and a signature; missing_ok.
    unsafe {
        if pg_sys::get_namespace_oid(c"plproxy".as_ptr(), true) == Oid::INVALID {
            return false;
        }
        [c"get_cluster_version", c"get_cluster_config", c"get_cluster_partitions"].iter().all(
            |name| {
                let mut names = std::ptr::null_mut();
                for part in [c"plproxy", *name] {
                    let part = pg_sys::makeString(pg_sys::pstrdup(part.as_ptr()));
                    names = pg_sys::lappend(names, part.cast());
                }
                let types = [pg_sys::TEXTOID];
                pg_sys::LookupFuncName(names, 1, types.as_ptr(), true) != Oid::INVALID
            },
        )
    }
}

fn not_found(name: &str) -> Failure {
    Failure::new(SqlState::UNDEFINED_OBJECT, format!("Pl/Proxy: cluster not found: {name}")).with_hint(
        "A cluster is a foreign server of the wrapper plproxy, or known to the functions plproxy.get_cluster_*.",
    )
}

impl From<ConfigError> for Fault {
    fn from(error: ConfigError) -> Fault {
        Fault::Cluster(error.to_string())
    }
}

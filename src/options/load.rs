//! What is set for a server, user mapping or foreign table: read from the catalogs once, kept until they change.
//!
//! What has been handed out stays as it is (`Rc`); who holds it over a transaction's end asks again. Nothing is
//! locked here: callers that plan or execute hold the lock on their table.

use super::parse::{self, Sampling, Shared};
use crate::error::{Failure, SqlState};
use crate::pg::{catalog, invalidate};
use pgrx::pg_sys::{self, Oid, SysCacheIdentifier};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::Hash;
use std::mem::ManuallyDrop;
use std::rc::Rc;

/// Default of `fdw_startup_cost`.
pub const STARTUP_COST: f64 = 100.0;
/// Default of `fdw_tuple_cost`: that of PostgreSQL 17, which found the older 0.01 far too low.
pub const TUPLE_COST: f64 = 0.2;
/// Default of `batch_size`.
pub const BATCH_SIZE: u32 = 1000;

/// A foreign server with its options; defaults are filled in.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its OID.
    pub oid: Oid,
    /// Its name.
    pub name: String,
    /// Its foreign data wrapper.
    pub wrapper: Oid,
    /// Connection keywords (libpq's) and values.
    pub connect: Vec<(String, String)>,
    /// Ask the server for cost estimates.
    pub use_remote_estimate: bool,
    /// Cost of starting a remote query.
    pub fdw_startup_cost: f64,
    /// Cost of fetching a row.
    pub fdw_tuple_cost: f64,
    /// Installed extensions whose objects may be sent.
    pub extensions: Vec<Oid>,
    /// Schemas in the remote search_path, besides pg_catalog.
    pub search_path: Vec<String>,
    /// Rows to fetch at a time; `None` = adaptive.
    pub fetch_size: Option<u32>,
    /// Rows to insert at a time.
    pub batch_size: u32,
    /// Scan with others at the same time.
    pub async_capable: bool,
    /// Whether its default collation is this database's; `None` = to be found out.
    pub collation_compatible: Option<bool>,
    /// Keep the connection after the transaction.
    pub keep_connections: bool,
    /// Commit together with other servers.
    pub parallel_commit: bool,
    /// Abort together with other servers.
    pub parallel_abort: bool,
    /// INSERT, UPDATE and DELETE are allowed.
    pub updatable: bool,
    /// TRUNCATE is allowed.
    pub truncatable: bool,
    /// How ANALYZE takes its sample.
    pub analyze_sampling: Sampling,
    /// All listed extensions are installed. Else one may come that adds no function, hence without notice, so
    /// the catalogs are looked at each time.
    complete: bool,
}

impl Server {
    /// One with default options: stands for a database that another wrapper's server describes.
    pub fn plain(oid: Oid, name: String) -> Server {
        Server {
            oid,
            name,
            wrapper: Oid::INVALID,
            connect: Vec::new(),
            use_remote_estimate: false,
            fdw_startup_cost: STARTUP_COST,
            fdw_tuple_cost: TUPLE_COST,
            extensions: Vec::new(),
            search_path: Vec::new(),
            fetch_size: None,
            batch_size: BATCH_SIZE,
            async_capable: true,
            collation_compatible: None,
            keep_connections: true,
            parallel_commit: true,
            parallel_abort: true,
            updatable: true,
            truncatable: true,
            analyze_sampling: Sampling::default(),
            complete: true,
        }
    }
}

/// A foreign table with its options; what is not set on it is the server's.
#[derive(Clone, Debug)]
pub struct ForeignTable {
    /// Its OID.
    pub relid: Oid,
    /// The server it is on.
    pub server: Rc<Server>,
    /// Schema on the server.
    pub schema: String,
    /// Name on the server.
    pub table: String,
    /// A name without a schema might mean something else than in pg_catalog there (or on another placement's server).
    pub full_names: bool,
    /// Ask the server for cost estimates.
    pub use_remote_estimate: bool,
    /// Rows to fetch at a time; `None` = adaptive.
    pub fetch_size: Option<u32>,
    /// Rows to insert at a time.
    pub batch_size: u32,
    /// Scan with others at the same time.
    pub async_capable: bool,
    /// INSERT, UPDATE and DELETE are allowed.
    pub updatable: bool,
    /// TRUNCATE is allowed.
    pub truncatable: bool,
    /// How ANALYZE takes its sample.
    pub analyze_sampling: Sampling,
    remote_name: String,
    columns: Vec<String>,
}

impl ForeignTable {
    /// The remote name of column `number` (1-based); empty for a number that the table does not have.
    pub fn column(&self, number: i16) -> &str {
        usize::try_from(number)
            .ok()
            .and_then(|number| self.columns.get(number.checked_sub(1)?))
            .map_or("", String::as_str)
    }

    /// How many columns there are, dropped ones included.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// The same table under another local OID, on a server with these extensions: it stands for a parent whose columns have
    /// the same numbers.
    pub fn standing_for(&self, relid: Oid, full_names: bool, extensions: Vec<Oid>) -> ForeignTable {
        let server = Rc::new(Server { extensions, ..(*self.server).clone() });
        ForeignTable { relid, full_names, server, ..self.clone() }
    }

    /// Whether the other table has the same remote column names, number by number.
    pub fn has_columns_of(&self, other: &ForeignTable) -> bool {
        self.columns == other.columns
    }

    /// `schema.table` as SQL, quoted where needed.
    pub fn remote_name(&self) -> String {
        self.remote_name.clone()
    }
}

/// A user mapping with its options.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Its OID.
    pub oid: Oid,
    /// The local user it is for, `InvalidOid` for PUBLIC.
    pub user: Oid,
    /// Connection keywords (libpq's) and values; they go before those of the server.
    pub connect: Vec<(String, String)>,
    /// Users other than superusers must log in with a password.
    pub password_required: bool,
}

/// A cache of what the catalogs say. `epoch` tells whether they changed while an entry was being read.
struct Store<K, V> {
    entries: RefCell<HashMap<K, Rc<V>>>,
    epoch: Cell<u64>,
}

impl<K: Eq + Hash, V> Store<K, V> {
    fn new() -> Store<K, V> {
        Store { entries: RefCell::new(HashMap::new()), epoch: Cell::new(0) }
    }

    /// The entry for `key`, or what `read` gives, kept if it may be. No borrow is held while reading: that looks
    /// into catalogs, and thus lets invalidations in.
    fn get(
        &self,
        key: K,
        read: impl FnOnce() -> Result<(V, bool), Failure>,
    ) -> Result<Rc<V>, Failure> {
        if let Some(found) = self.entries.borrow().get(&key) {
            return Ok(found.clone());
        }
        let epoch = self.epoch.get();
        let (value, lasting) = read()?;
        let value = Rc::new(value);
        if lasting && self.epoch.get() == epoch {
            self.entries.borrow_mut().insert(key, value.clone());
        }
        Ok(value)
    }

    fn clear(&self) {
        self.epoch.set(self.epoch.get() + 1);
        self.entries.borrow_mut().clear();
    }

    fn remove(&self, key: &K) {
        self.epoch.set(self.epoch.get() + 1);
        self.entries.borrow_mut().remove(key);
    }
}

struct Caches {
    servers: Store<Oid, Server>,
    tables: Store<Oid, ForeignTable>,
    mappings: Store<(Oid, Oid), Mapping>,
    /// A server lists extensions: these have no syscache, so any new or changed function counts.
    extensions: Cell<bool>,
    listening: Cell<bool>,
}

thread_local! {
    // Never dropped: invalidations may come until the process is gone.
    static CACHES: ManuallyDrop<Caches> = ManuallyDrop::new(Caches {
        servers: Store::new(),
        tables: Store::new(),
        mappings: Store::new(),
        extensions: Cell::new(false),
        listening: Cell::new(false),
    });
}

/// The foreign server `oid`.
pub fn server(oid: Oid) -> Result<Rc<Server>, Failure> {
    CACHES.with(|caches| {
        caches.listen();
        caches.servers.get(oid, || read_server(caches, oid))
    })
}

/// The foreign table `relid`.
pub fn foreign_table(relid: Oid) -> Result<Rc<ForeignTable>, Failure> {
    CACHES.with(|caches| {
        caches.listen();
        caches.tables.get(relid, || read_table(relid))
    })
}

/// The mapping of `user` on `server`: his own, else that of PUBLIC.
pub fn mapping(server: Oid, user: Oid) -> Result<Rc<Mapping>, Failure> {
    CACHES.with(|caches| {
        caches.listen();
        caches.mappings.get((server, user), || read_mapping(server, user))
    })
}

impl Caches {
    fn listen(&self) {
        if self.listening.replace(true) {
            return;
        }
        invalidate::on_syscache(SysCacheIdentifier::FOREIGNDATAWRAPPEROID, |_| forget_servers());
        invalidate::on_syscache(SysCacheIdentifier::FOREIGNSERVEROID, |_| forget_servers());
        invalidate::on_syscache(SysCacheIdentifier::USERMAPPINGOID, |_| {
            CACHES.with(|caches| caches.mappings.clear());
        });
        invalidate::on_syscache(SysCacheIdentifier::PROCOID, |_| {
            if CACHES.with(|caches| caches.extensions.get()) {
                forget_servers();
            }
        });
        // The default of schema_name is the local schema's name.
        invalidate::on_syscache(SysCacheIdentifier::NAMESPACEOID, |_| {
            CACHES.with(|caches| caches.tables.clear());
        });
        invalidate::on_syscache(SysCacheIdentifier::FOREIGNTABLEREL, |_| {
            CACHES.with(|caches| caches.tables.clear());
        });
        // Names and column options: pg_class and pg_attribute.
        invalidate::on_relcache(|relid| {
            CACHES.with(|caches| match relid {
                pg_sys::InvalidOid => caches.tables.clear(),
                relid => caches.tables.remove(&relid),
            });
        });
    }
}

/// Tables hold their server, so they go as well.
fn forget_servers() {
    CACHES.with(|caches| {
        caches.extensions.set(false);
        caches.servers.clear();
        caches.tables.clear();
    });
}

fn read_server(caches: &Caches, oid: Oid) -> Result<(Server, bool), Failure> {
    let row = catalog::server(oid)?;
    let options = parse::server(&row.options)?;
    let extensions: Vec<Oid> =
        options.extensions.iter().filter_map(|name| catalog::extension(name)).collect();
    if !options.extensions.is_empty() {
        caches.extensions.set(true);
    }
    let complete = extensions.len() == options.extensions.len();
    let shared = options.shared;
    let server = Server {
        oid,
        name: row.name,
        wrapper: row.wrapper,
        connect: options.connect,
        use_remote_estimate: shared.use_remote_estimate.unwrap_or(false),
        fdw_startup_cost: options.fdw_startup_cost.unwrap_or(STARTUP_COST),
        fdw_tuple_cost: options.fdw_tuple_cost.unwrap_or(TUPLE_COST),
        extensions,
        search_path: options.search_path,
        fetch_size: shared.fetch_size,
        batch_size: shared.batch_size.unwrap_or(BATCH_SIZE),
        async_capable: shared.async_capable.unwrap_or(true),
        collation_compatible: options.collation_compatible,
        keep_connections: options.keep_connections.unwrap_or(true),
        parallel_commit: options.parallel_commit.unwrap_or(true),
        parallel_abort: options.parallel_abort.unwrap_or(true),
        updatable: shared.updatable.unwrap_or(true),
        truncatable: shared.truncatable.unwrap_or(true),
        analyze_sampling: shared.analyze_sampling.unwrap_or_default(),
        complete,
    };
    Ok((server, complete))
}

fn read_table(relid: Oid) -> Result<(ForeignTable, bool), Failure> {
    let row = catalog::foreign_table(relid)?;
    let server = server(row.server)?;
    let options = parse::table(&row.options)?;
    let Shared {
        use_remote_estimate,
        fetch_size,
        batch_size,
        async_capable,
        updatable,
        truncatable,
        analyze_sampling,
    } = options.shared;
    let complete = server.complete;
    let schema = options.schema_name.unwrap_or(row.schema);
    let table = options.table_name.unwrap_or(row.name);
    let mut columns = Vec::with_capacity(row.columns.len());
    for column in row.columns {
        columns.push(parse::column(&column.options)?.unwrap_or(column.name));
    }
    let table = ForeignTable {
        relid,
        use_remote_estimate: use_remote_estimate.unwrap_or(server.use_remote_estimate),
        fetch_size: fetch_size.or(server.fetch_size),
        batch_size: batch_size.unwrap_or(server.batch_size),
        async_capable: async_capable.unwrap_or(server.async_capable),
        updatable: updatable.unwrap_or(server.updatable),
        truncatable: truncatable.unwrap_or(server.truncatable),
        analyze_sampling: analyze_sampling.unwrap_or(server.analyze_sampling),
        remote_name: format!(
            "{}.{}",
            catalog::quote_identifier(&schema),
            catalog::quote_identifier(&table)
        ),
        full_names: !server.search_path.is_empty(),
        server,
        schema,
        table,
        columns,
    };
    Ok((table, complete))
}

fn read_mapping(server: Oid, user: Oid) -> Result<(Mapping, bool), Failure> {
    let Some(row) = catalog::user_mapping(server, user) else {
        let name = match user {
            pg_sys::InvalidOid => "public".to_owned(),
            user => catalog::user_name(user).unwrap_or_else(|| user.to_u32().to_string()),
        };
        return Err(Failure::new(
            SqlState::UNDEFINED_OBJECT,
            format!(
                "user mapping not found for user \"{name}\", server \"{}\"",
                self::server(server)?.name
            ),
        ));
    };
    let options = parse::mapping(&row.options)?;
    let mapping = Mapping {
        oid: row.oid,
        user: row.user,
        connect: options.connect,
        password_required: options.password_required.unwrap_or(true),
    };
    Ok((mapping, true))
}

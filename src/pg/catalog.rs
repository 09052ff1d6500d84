//! Look-ups in the system catalogs: what is stored, as Rust values.
//!
//! Everything comes from the syscaches, so no relation is opened and no lock is taken; who needs the answer to
//! stay true holds a lock or listens to [`super::invalidate`]. What the options mean is not known here.

use super::memory::ContextGuard;
use super::{memory, text};
use crate::error::{Failure, SqlState};
use pgrx::pg_sys;
use pgrx::pg_sys::SysCacheIdentifier as Cache;
use std::ffi::c_char;

/// Names and values of an options array, in the order in which they are stored.
pub type OptionList = Vec<(String, String)>;

/// A row of pg_foreign_server.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct ServerRow {
    pub name: String,
    pub wrapper: pg_sys::Oid,
    pub options: OptionList,
}

/// A row of pg_user_mapping.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct MappingRow {
    pub oid: pg_sys::Oid,
    /// The local user, `InvalidOid` for PUBLIC.
    pub user: pg_sys::Oid,
    pub options: OptionList,
}

/// A row of pg_foreign_table with what pg_class adds.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct TableRow {
    pub server: pg_sys::Oid,
    pub schema: String,
    pub name: String,
    pub options: OptionList,
    pub columns: Vec<ColumnRow>,
}

/// A column of a foreign table; its number is its position in [`TableRow::columns`] plus one.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct ColumnRow {
    pub name: String,
    pub options: OptionList,
}

/// A tuple of a syscache, given back when dropped.
struct Tuple(pg_sys::HeapTuple, Cache::Type);

impl Tuple {
    fn find(cache: Cache::Type, keys: &[pg_sys::Datum]) -> Option<Tuple> {
        let zero = pg_sys::Datum::from(0usize);
        let key = |n: usize| keys.get(n).copied().unwrap_or(zero);
        // SAFETY: the cache identifiers and their key types are those of utils/syscache.h.
        let tuple = unsafe {
            match keys.len() {
                1 => pg_sys::SearchSysCache1(cache as i32, key(0)),
                _ => pg_sys::SearchSysCache2(cache as i32, key(0), key(1)),
            }
        };
        // Not `then_some`: that would make, and drop, a Tuple of NULL.
        (!tuple.is_null()).then(|| Tuple(tuple, cache))
    }

    /// The fixed-length part of the row.
    ///
    /// # Safety
    /// `T` is the catalog's FormData struct.
    unsafe fn form<T>(&self) -> &T {
        // SAFETY: GETSTRUCT points at the row's fixed part, alive while the tuple is pinned by `self`.
        unsafe { &*pg_sys::GETSTRUCT(self.0).cast::<T>() }
    }

    /// An options array in attribute `attribute`.
    fn options(&self, attribute: u32) -> OptionList {
        let mut is_null = false;
        // SAFETY: the attribute number belongs to the catalog of this cache.
        let datum = unsafe {
            pg_sys::SysCacheGetAttr(self.1 as i32, self.0, attribute as i16, &raw mut is_null)
        };
        if is_null {
            return Vec::new();
        }
        // SAFETY: every attribute asked for here is of type text[].
        unsafe { options_of(datum) }
    }
}

impl Drop for Tuple {
    fn drop(&mut self) {
        // While unwinding the resource owner gives the pin back.
        if !std::thread::panicking() {
            // SAFETY: found by SearchSysCache and released once; releasing a pinned tuple does not raise.
            unsafe { pg_sys::ReleaseSysCache(self.0) }
        }
    }
}

/// The parents of a table or partition, without locking any.
pub fn parents(relid: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    const PG_INHERITS: u32 = 2611;
    const PG_INHERITS_RELID_SEQNO_INDEX: u32 = 2680;
    let mut found = Vec::new();
    // SAFETY: a scan of a catalog by its index on inhrelid, inside a transaction; a row's fixed part begins with the
    // child's OID and its parent's.
    unsafe {
        let lock = pg_sys::AccessShareLock as i32;
        let relation = super::relation::Relation::open(pg_sys::Oid::from(PG_INHERITS), lock);
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &raw mut key,
            1,
            pg_sys::BTEqualStrategyNumber as u16,
            pg_sys::Oid::from(pg_sys::F_OIDEQ),
            pg_sys::Datum::from(relid),
        );
        let index = pg_sys::Oid::from(PG_INHERITS_RELID_SEQNO_INDEX);
        let snapshot = std::ptr::null_mut();
        let scan =
            pg_sys::systable_beginscan(relation.raw(), index, true, snapshot, 1, &raw mut key);
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            let header = (*tuple).t_data;
            let row = header.cast::<u8>().add(usize::from((*header).t_hoff));
            found.push(*row.cast::<pg_sys::Oid>().add(1));
        }
        pg_sys::systable_endscan(scan);
    }
    found
}

/// The elements `name=value` of a text[] as FDW catalogs store options.
///
/// # Safety
/// `datum` is a text[] without NULLs.
pub unsafe fn options_of(datum: pg_sys::Datum) -> OptionList {
    // SAFETY: the scratch context is a child of the current one; the list and its strings live in it until
    // they have been copied. If something raises, the parent takes it along.
    unsafe {
        let scratch =
            memory::create_child(pg_sys::CurrentMemoryContext, c"shard_fdw catalog options");
        let guard = ContextGuard::switch_to(scratch);
        let list = pg_sys::untransformRelOptions(datum);
        let length = if list.is_null() { 0 } else { (*list).length };
        let options = (0..length)
            .map(|n| {
                let def = (*(*list).elements.add(n as usize)).ptr_value.cast::<pg_sys::DefElem>();
                let value = if (*def).arg.is_null() {
                    String::new()
                } else {
                    text::from_server(pg_sys::defGetString(def))
                };
                (text::from_server((*def).defname), value)
            })
            .collect();
        drop(guard);
        pg_sys::MemoryContextDelete(scratch);
        options
    }
}

fn name(data: &pg_sys::NameData) -> String {
    // SAFETY: a NameData is NUL-terminated and in the server's encoding.
    unsafe { text::from_server(data.data.as_ptr()) }
}

fn missing(what: &str, oid: pg_sys::Oid) -> Failure {
    Failure::new(
        SqlState::UNDEFINED_OBJECT,
        format!("cache lookup failed for {what} {}", oid.to_u32()),
    )
}

/// The foreign server `oid`.
pub fn server(oid: pg_sys::Oid) -> Result<ServerRow, Failure> {
    let tuple = Tuple::find(Cache::FOREIGNSERVEROID, &[oid.into()])
        .ok_or_else(|| missing("foreign server", oid))?;
    // SAFETY: the row type of pg_foreign_server.
    let form = unsafe { tuple.form::<pg_sys::FormData_pg_foreign_server>() };
    Ok(ServerRow {
        name: name(&form.srvname),
        wrapper: form.srvfdw,
        options: tuple.options(pg_sys::Anum_pg_foreign_server_srvoptions),
    })
}

/// The OID of the foreign server `name`.
pub fn server_by_name(name: &str) -> Option<pg_sys::Oid> {
    // SAFETY: a palloc'd C string; missing_ok.
    let oid = unsafe { pg_sys::get_foreign_server_oid(text::to_server(name), true) };
    (oid != pg_sys::InvalidOid).then_some(oid)
}

/// The options of a foreign-data wrapper.
pub fn wrapper_options(oid: pg_sys::Oid) -> Result<OptionList, Failure> {
    let tuple = Tuple::find(Cache::FOREIGNDATAWRAPPEROID, &[oid.into()])
        .ok_or_else(|| missing("foreign-data wrapper", oid))?;
    Ok(tuple.options(pg_sys::Anum_pg_foreign_data_wrapper_fdwoptions))
}

/// The user mapping that `user` has on `server`: his own, else that of PUBLIC.
pub fn user_mapping(server: pg_sys::Oid, user: pg_sys::Oid) -> Option<MappingRow> {
    let find = |user: pg_sys::Oid| {
        Tuple::find(Cache::USERMAPPINGUSERSERVER, &[user.into(), server.into()])
    };
    let tuple = find(user).or_else(|| find(pg_sys::InvalidOid))?;
    // SAFETY: the row type of pg_user_mapping.
    let form = unsafe { tuple.form::<pg_sys::FormData_pg_user_mapping>() };
    Some(MappingRow {
        oid: form.oid,
        user: form.umuser,
        options: tuple.options(pg_sys::Anum_pg_user_mapping_umoptions),
    })
}

/// The local user that the user mapping `oid` is for, `public` for PUBLIC; `None` when it has been dropped.
pub fn mapping_user(oid: pg_sys::Oid) -> Option<String> {
    let tuple = Tuple::find(Cache::USERMAPPINGOID, &[oid.into()])?;
    // SAFETY: the row type of pg_user_mapping.
    match unsafe { tuple.form::<pg_sys::FormData_pg_user_mapping>() }.umuser {
        pg_sys::InvalidOid => Some("public".to_owned()),
        user => user_name(user),
    }
}

/// The foreign table `relid` with its columns.
pub fn foreign_table(relid: pg_sys::Oid) -> Result<TableRow, Failure> {
    let tuple = Tuple::find(Cache::FOREIGNTABLEREL, &[relid.into()])
        .ok_or_else(|| missing("foreign table", relid))?;
    // SAFETY: the row type of pg_foreign_table.
    let server = unsafe { tuple.form::<pg_sys::FormData_pg_foreign_table>() }.ftserver;
    let class =
        Tuple::find(Cache::RELOID, &[relid.into()]).ok_or_else(|| missing("relation", relid))?;
    // SAFETY: the row type of pg_class.
    let form = unsafe { class.form::<pg_sys::FormData_pg_class>() };
    Ok(TableRow {
        server,
        schema: namespace_name(form.relnamespace).unwrap_or_default(),
        name: name(&form.relname),
        options: tuple.options(pg_sys::Anum_pg_foreign_table_ftoptions),
        columns: (1..=form.relnatts).map(|n| column(relid, n)).collect::<Result<_, _>>()?,
    })
}

/// Whether the foreign table is one of this wrapper's (or of another wrapper made with our handler).
pub fn is_ours(relid: pg_sys::Oid) -> bool {
    // SAFETY: catalog look-ups; the palloc'd structs are read and left to the memory context.
    unsafe {
        let server = pg_sys::GetForeignServer(pg_sys::GetForeignServerIdByRelId(relid));
        let wrapper = pg_sys::GetForeignDataWrapper((*server).fdwid);
        let handler = pg_sys::get_func_name((*wrapper).fdwhandler);
        !handler.is_null() && text::from_server(handler) == "shard_fdw_handler"
    }
}

fn column(relid: pg_sys::Oid, number: i16) -> Result<ColumnRow, Failure> {
    let tuple = Tuple::find(Cache::ATTNUM, &[relid.into(), number.into()])
        .ok_or_else(|| missing(&format!("attribute {number} of relation"), relid))?;
    // SAFETY: the row type of pg_attribute.
    let form = unsafe { tuple.form::<pg_sys::FormData_pg_attribute>() };
    Ok(ColumnRow {
        name: name(&form.attname),
        options: if form.attisdropped {
            Vec::new()
        } else {
            tuple.options(pg_sys::Anum_pg_attribute_attfdwoptions)
        },
    })
}

/// The name of a schema.
pub fn namespace_name(oid: pg_sys::Oid) -> Option<String> {
    // SAFETY: returns NULL or a palloc'd copy.
    unsafe { taken(pg_sys::get_namespace_name(oid)) }
}

/// The name of a relation, without its schema.
pub fn relation_name(oid: pg_sys::Oid) -> Option<String> {
    // SAFETY: returns NULL or a palloc'd copy.
    unsafe { taken(pg_sys::get_rel_name(oid)) }
}

/// The name of a role; `None` when it has been dropped.
pub fn user_name(oid: pg_sys::Oid) -> Option<String> {
    // SAFETY: noerr = true: returns NULL or a palloc'd copy.
    unsafe { taken(pg_sys::GetUserNameFromId(oid, true)) }
}

/// Whether the role `oid` is a superuser.
pub fn is_superuser(oid: pg_sys::Oid) -> bool {
    // SAFETY: a catalog look-up.
    unsafe { pg_sys::superuser_arg(oid) }
}

/// The role that the client logged in as, whatever it has become since.
pub fn authenticated_user() -> pg_sys::Oid {
    // SAFETY: reads a backend global.
    unsafe { pg_sys::GetAuthenticatedUserId() }
}

/// The owner of a foreign server; `None` when there is no such server.
pub fn server_owner(server: pg_sys::Oid) -> Option<pg_sys::Oid> {
    // SAFETY: a catalog look-up that gives NULL for a missing server; the result is in the current memory context.
    unsafe {
        let found = pg_sys::GetForeignServerExtended(server, pg_sys::FSV_MISSING_OK as u16);
        found.as_ref().map(|found| found.owner)
    }
}

/// The role whose rights count now.
pub fn current_user() -> pg_sys::Oid {
    // SAFETY: reads a backend global.
    unsafe { pg_sys::GetUserId() }
}

/// The OID of an installed extension.
pub fn extension(name: &str) -> Option<pg_sys::Oid> {
    // SAFETY: a palloc'd C string; missing_ok.
    let oid = unsafe { pg_sys::get_extension_oid(text::to_server(name), true) };
    (oid != pg_sys::InvalidOid).then_some(oid)
}

unsafe fn taken(text: *mut c_char) -> Option<String> {
    // SAFETY: the caller gives NULL or a palloc'd string.
    (!text.is_null()).then(|| unsafe { text::take_from_server(text) })
}

/// What a session says about itself, for names that other servers see.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Myself {
    pub application_name: String,
    pub cluster_name: String,
    pub database: String,
    /// Who logged in, whatever SET ROLE or SET SESSION AUTHORIZATION say now.
    pub user: String,
    /// The session's start, seconds since 1970.
    pub started: i64,
    pub pid: i32,
}

/// This backend. To be called in a transaction.
pub fn myself() -> Myself {
    // SAFETY: reads backend globals; get_database_name returns NULL or a palloc'd copy.
    unsafe {
        Myself {
            application_name: text::from_server(pg_sys::application_name),
            cluster_name: text::from_server(pg_sys::cluster_name),
            database: taken(pg_sys::get_database_name(pg_sys::MyDatabaseId)).unwrap_or_default(),
            user: user_name(pg_sys::GetAuthenticatedUserId()).unwrap_or_default(),
            started: pg_sys::MyStartTime,
            pid: pg_sys::MyProcPid,
        }
    }
}

/// Whether `restrict_nonsystem_relation_kind` forbids access to foreign tables. Minor releases before 15.8 and 16.4 do
/// not have the setting, so it is asked for by name.
pub fn foreign_tables_restricted() -> bool {
    let name = c"restrict_nonsystem_relation_kind".as_ptr();
    // SAFETY: gives a C string that lives until the next look at a setting, or NULL.
    let kinds = unsafe { text::from_server(pg_sys::GetConfigOption(name, true, false)) };
    kinds.split(',').any(|kind| kind.trim().trim_matches('"').eq_ignore_ascii_case("foreign-table"))
}

/// PostgreSQL's own error for a foreign table when [`foreign_tables_restricted`].
pub fn refuse_if_restricted() -> Result<(), Failure> {
    if !foreign_tables_restricted() {
        return Ok(());
    }
    let message = "access to non-system foreign table is restricted";
    Err(Failure::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message))
}

/// `name` as SQL, in double quotes if it needs them.
pub fn quote_identifier(name: &str) -> String {
    // SAFETY: a palloc'd C string; returns it or a palloc'd copy.
    unsafe { text::from_server(pg_sys::quote_identifier(text::to_server(name))) }
}

//! Databases that take part in transactions without being foreign servers of our wrapper: the resolver has to find what
//! is left prepared there too. Who knows them (a higher layer) says so once, when the library is loaded.

use crate::error::Failure;
use crate::session::Connection;
use pgrx::pg_sys::Oid;
use std::rc::Rc;
use std::sync::OnceLock;

/// Such a database.
pub trait Place {
    /// The foreign server that describes it, perhaps with others.
    fn server(&self) -> Oid;
    /// Its name, for people.
    fn name(&self) -> String;
    /// A connection outside any transaction, with the user mapping of `role`.
    fn connect(&self, role: Oid) -> Result<Rc<Connection>, Failure>;
}

/// Gives all places, also those of the foreign servers named that take part in transactions no more.
pub type Finder = fn(&[u32]) -> Result<Vec<Rc<dyn Place>>, Failure>;

static FINDER: OnceLock<Finder> = OnceLock::new();

/// To be called once, when the library is loaded.
pub fn set_finder(finder: Finder) {
    let _ = FINDER.set(finder);
}

pub(super) fn find(servers: &[u32]) -> Result<Vec<Rc<dyn Place>>, Failure> {
    FINDER.get().map_or_else(|| Ok(Vec::new()), |finder| finder(servers))
}

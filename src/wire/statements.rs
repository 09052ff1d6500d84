//! Which statements one connection has prepared.
//!
//! A statement gets a name when it comes the second time; one-off statements use the unnamed one and leave
//! nothing behind on the server. Names carry a hash of the text: should a pooler hand us another client's
//! server connection, a name found there stands for the same statement.
#![forbid(unsafe_code)]

use super::request::Column;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::rc::Rc;

const CAPACITY: usize = 256;
/// How many texts are remembered as seen once.
const SEEN: usize = 1024;

/// Identifies a statement in the cache: the hash of its text and parameter types.
pub(super) type Key = u64;

struct Entry {
    sql: Box<str>,
    types: Box<[u32]>,
    name: Rc<str>,
    /// The server has confirmed Parse.
    ready: bool,
    columns: Option<Rc<[Column]>>,
    params: Option<Rc<[u32]>>,
    used: u64,
}

/// Keys are hash values already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// How to send a statement.
#[derive(Debug, PartialEq)]
pub(super) enum Way {
    /// Prepared under this name.
    Ready { key: Key, name: Rc<str>, columns: Option<Rc<[Column]>>, params: Option<Rc<[u32]>> },
    /// Parse under this name first.
    Parse { key: Key, name: Rc<str> },
    /// Parse as the unnamed statement.
    Unnamed,
}

pub(super) struct Statements {
    entries: HashMap<Key, Entry, BuildHasherDefault<Hashed>>,
    /// The statement asked for last: where its text was, and its key. Texts are compared all the same.
    last: Option<(*const u8, Key)>,
    seen: VecDeque<Key>,
    /// Names to close on the server with the next request.
    closing: Vec<Rc<str>>,
    clock: u64,
    generation: u32,
    capacity: usize,
    enabled: bool,
}

impl Default for Statements {
    fn default() -> Statements {
        Statements {
            entries: HashMap::default(),
            last: None,
            seen: VecDeque::new(),
            closing: Vec::new(),
            clock: 0,
            generation: 0,
            capacity: CAPACITY,
            enabled: true,
        }
    }
}

impl Statements {
    /// Whether statements may be prepared at all.
    pub(super) fn enable(&mut self, enabled: bool) {
        self.enabled = enabled;
    }

    /// How to send `sql`; `at_once` gives it a name even at its first use.
    pub(super) fn way(&mut self, sql: &str, types: &[u32], at_once: bool) -> Way {
        if !self.enabled {
            return Way::Unnamed;
        }
        self.clock += 1;
        let key = self.key_of(sql, types);
        if let Some(entry) = self.entries.get_mut(&key) {
            // An entry whose Parse is still under way may fail yet: the unnamed statement cannot be hit by that.
            if !entry.ready || *entry.sql != *sql || *entry.types != *types {
                return Way::Unnamed;
            }
            entry.used = self.clock;
            return Way::Ready {
                key,
                name: entry.name.clone(),
                columns: entry.columns.clone(),
                params: entry.params.clone(),
            };
        }
        if !at_once && !self.seen.contains(&key) {
            if self.seen.len() >= SEEN {
                self.seen.pop_front();
            }
            self.seen.push_back(key);
            return Way::Unnamed;
        }
        if self.entries.len() >= self.capacity {
            self.evict();
        }
        let name: Rc<str> = format!("shard_fdw_{}_{key:016x}", self.generation).into();
        self.entries.insert(
            key,
            Entry {
                sql: sql.into(),
                types: types.into(),
                name: name.clone(),
                ready: false,
                columns: None,
                params: None,
                used: self.clock,
            },
        );
        Way::Parse { key, name }
    }

    fn key_of(&mut self, sql: &str, types: &[u32]) -> Key {
        if let Some((text, key)) = self.last
            && std::ptr::eq(text, sql.as_ptr())
            && self.entries.get(&key).is_some_and(|e| *e.sql == *sql && *e.types == *types)
        {
            return key;
        }
        let key = key(sql, types);
        self.last = Some((sql.as_ptr(), key));
        key
    }

    fn evict(&mut self) {
        let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key);
        if let Some(entry) = oldest.and_then(|key| self.entries.remove(&key)) {
            self.closing.push(entry.name);
        }
    }

    /// The names to close, which the caller now sends.
    pub(super) fn take_closing(&mut self) -> Vec<Rc<str>> {
        std::mem::take(&mut self.closing)
    }

    /// The server has described the statement: from now on it is ready.
    pub(super) fn described(
        &mut self,
        key: Key,
        columns: Option<Rc<[Column]>>,
        params: Option<Rc<[u32]>>,
    ) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.ready = true;
            entry.columns = columns;
            entry.params = params;
        }
    }

    /// Parse was refused or skipped: the server has no such statement.
    pub(super) fn parse_failed(&mut self, key: Key) {
        self.entries.remove(&key);
    }

    /// The statement is on the server but of no use (its result type has changed).
    pub(super) fn discard(&mut self, key: Key) {
        if let Some(entry) = self.entries.remove(&key) {
            self.closing.push(entry.name);
        }
    }

    /// The text of a statement.
    pub(super) fn text(&self, key: Key) -> Option<&str> {
        self.entries.get(&key).map(|entry| &*entry.sql)
    }

    /// The server has lost them all.
    pub(super) fn forget_all(&mut self) {
        self.entries.clear();
        self.closing.clear();
        self.generation = self.generation.wrapping_add(1);
    }
}

fn key(sql: &str, types: &[u32]) -> Key {
    // Unkeyed on purpose: the same statement has the same name in every backend.
    let mut hasher = DefaultHasher::new();
    sql.hash(&mut hasher);
    types.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(statements: &mut Statements, sql: &str) -> (Key, Rc<str>) {
        match statements.way(sql, &[], true) {
            Way::Parse { key, name } => (key, name),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn named_at_the_second_use() {
        let mut statements = Statements::default();
        assert_eq!(statements.way("SELECT 1", &[], false), Way::Unnamed);
        let Way::Parse { key, name } = statements.way("SELECT 1", &[], false) else { panic!() };
        // Not confirmed yet.
        assert_eq!(statements.way("SELECT 1", &[], false), Way::Unnamed);
        statements.described(key, None, None);
        let ready = statements.way("SELECT 1", &[], false);
        assert_eq!(ready, Way::Ready { key, name, columns: None, params: None });
        // Other parameter types are another statement.
        assert_eq!(statements.way("SELECT 1", &[23], false), Way::Unnamed);
    }

    #[test]
    fn failures_forget() {
        let mut statements = Statements::default();
        let (key, name) = parse(&mut statements, "SELECT x");
        statements.parse_failed(key);
        let (key, again) = parse(&mut statements, "SELECT x");
        assert_eq!(name, again);
        statements.described(key, None, None);
        statements.discard(key);
        assert_eq!(statements.take_closing(), [again.clone()]);
        parse(&mut statements, "SELECT x");
        statements.forget_all();
        assert_ne!(parse(&mut statements, "SELECT x").1, again);
    }

    #[test]
    fn the_least_recently_used_is_closed() {
        let mut statements = Statements { capacity: 2, ..Statements::default() };
        let (first, _) = parse(&mut statements, "a");
        statements.described(first, None, None);
        let (second, second_name) = parse(&mut statements, "b");
        statements.described(second, None, None);
        statements.way("a", &[], false);
        parse(&mut statements, "c");
        assert_eq!(statements.take_closing(), [second_name]);
        assert!(matches!(statements.way("a", &[], false), Way::Ready { .. }));
    }

    #[test]
    fn disabled_means_unnamed() {
        let mut statements = Statements::default();
        statements.enable(false);
        assert_eq!(statements.way("a", &[], true), Way::Unnamed);
        assert_eq!(statements.way("a", &[], true), Way::Unnamed);
    }
}

//! The participants of the running transaction.

use super::callback;
use super::participant::Participant;
use crate::error::Failure;
use crate::pg::xact;
use crate::session::{self, Connection, Likeness, likeness};
use pgrx::pg_sys::Oid;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::mem::ManuallyDrop;
use std::rc::Rc;

thread_local! {
    /// Never dropped: destructors at process exit would find PostgreSQL half gone.
    static PARTICIPANTS: ManuallyDrop<RefCell<Vec<Rc<Participant>>>> =
        const { ManuallyDrop::new(RefCell::new(Vec::new())) };
    /// Whether the top transaction was READ ONLY when its first subtransaction began.
    static TOP_READ_ONLY: Cell<bool> = const { Cell::new(false) };
}

/// The participant for `server` as `user` (a local role whose user mapping applies): a connection on which the
/// remote transaction is open at the local nesting level, or will be with the first request.
pub fn enlist(server: Oid, user: Oid) -> Result<Rc<Participant>, Failure> {
    callback::register();
    if let Some(known) = find(|p| p.server() == server && p.user() == user) {
        return join(known);
    }
    add(session::cache::acquire(server, user, false)?, user)
}

/// The participants for `servers`, in their order: as [`enlist`] gives them, but connections that have to be made are
/// made at the same time.
pub fn enlist_all(servers: &[Oid], user: Oid) -> Result<Vec<Rc<Participant>>, Failure> {
    if let &[server] = servers {
        return enlist(server, user).map(|one| vec![one]);
    }
    callback::register();
    let is_new = |server| find(|p| p.server() == server && p.user() == user).is_none();
    let mut seen = HashSet::new();
    let new: Vec<Oid> = servers
        .iter()
        .copied()
        .filter(|&server| is_new(server) && seen.insert(server.to_u32()))
        .collect();
    for connection in session::cache::acquire_all(&new, user)? {
        add(connection, user)?;
    }
    servers.iter().map(|&server| enlist(server, user)).collect()
}

/// The participant for a connection that somebody else looks after (see [`session::Keeper`]), as [`enlist`] gives that
/// of a server.
pub fn enlist_kept(connection: Rc<Connection>, user: Oid) -> Result<Rc<Participant>, Failure> {
    callback::register();
    add(connection, user)
}

/// Fails unless all these servers order text as this database does, as far as a statement for them relies on it.
pub fn rely_on(of: &[Rc<Participant>], needed: Likeness) -> Result<(), Failure> {
    if needed > Likeness::Nothing {
        for participant in of {
            participant.relies_on.set(participant.relies_on.get().max(needed));
        }
    }
    likeness::require(needed, of.iter().map(|participant| participant.connection()))
}

/// Makes the connections that [`enlist`] will want for `servers`, at the same time, and replaces those that have died while
/// they were idle: once two requests are under way on one, none of them could be sent again.
pub fn enlist_ready(servers: &[Oid], user: Oid) -> Result<(), Failure> {
    for participant in enlist_all(servers, user)? {
        participant.refresh()?;
    }
    Ok(())
}

fn add(connection: Rc<Connection>, user: Oid) -> Result<Rc<Participant>, Failure> {
    // Several users may share one mapping (PUBLIC), hence one connection.
    if let Some(known) = find(|p| p.connection().key == connection.key) {
        return join(known);
    }
    connection.in_transaction.set(true);
    let participant = Rc::new(Participant::new(connection, user));
    PARTICIPANTS.with(|list| list.borrow_mut().push(participant.clone()));
    Ok(participant)
}

/// A statement turns to a participant of the transaction. Whatever runs there holds the participant, so when only
/// the list and this function do, the statements before are over.
fn join(known: Rc<Participant>) -> Result<Rc<Participant>, Failure> {
    known.check_usable()?;
    if Rc::strong_count(&known) == 2 {
        known.begin_statement();
    }
    Ok(known)
}

fn find(matches: impl Fn(&Participant) -> bool) -> Option<Rc<Participant>> {
    PARTICIPANTS.with(|list| list.borrow().iter().find(|p| matches(p)).cloned())
}

/// Whether no server takes part in the running transaction.
pub fn is_empty() -> bool {
    PARTICIPANTS.with(|list| list.try_borrow().is_ok_and(|list| list.is_empty()))
}

/// All participants, in the order in which they were enlisted.
pub fn all() -> Vec<Rc<Participant>> {
    PARTICIPANTS.with(|list| list.try_borrow().map(|list| list.clone()).unwrap_or_default())
}

/// All participants; afterwards there are none.
pub fn take() -> Vec<Rc<Participant>> {
    PARTICIPANTS
        .with(|list| list.try_borrow_mut().map(|mut l| std::mem::take(&mut *l)))
        .unwrap_or_default()
}

/// Removes one participant.
pub fn remove(gone: &Rc<Participant>) {
    PARTICIPANTS.with(|list| {
        if let Ok(mut list) = list.try_borrow_mut() {
            list.retain(|p| !Rc::ptr_eq(p, gone));
        }
    });
}

/// To be called when a subtransaction begins: notes the top transaction's access mode before the first one can
/// change its own.
pub fn note_subtransaction(level: u32) {
    if level == 2 {
        TOP_READ_ONLY.set(xact::is_read_only());
    }
}

/// Whether the top transaction is READ ONLY. A remote transaction begun in a READ ONLY subtransaction must not
/// be, when what comes after the subtransaction may write.
pub fn top_is_read_only(level: u32) -> bool {
    if level == 1 { xact::is_read_only() } else { TOP_READ_ONLY.get() && xact::is_read_only() }
}

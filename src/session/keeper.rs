//! Connections that others than the cache look after: those that no foreign server of our wrapper stands for.

use super::Connection;
use crate::error::Failure;
use std::rc::Rc;

/// Who looks after a connection.
pub trait Keeper {
    /// A new connection in place of one that is dead.
    fn again(&self) -> Result<Rc<Connection>, Failure>;
    /// The transaction that used `connection` has ended there: it may be used for another one, or must be closed. Never
    /// raises.
    fn finish(&self, connection: &Connection, keep: bool);
}

//! Where an expression's collation comes from.
//!
//! Collations of the same name may differ between servers, and names may differ too, so none is ever named in
//! remote SQL. An expression that depends on a collation is shipped only if the remote server derives it by
//! itself from a column of the remote table. The rules mirror the parser's: see select_common_collation().
#![forbid(unsafe_code)]

use super::not_shipped::NotShipped;
use pgrx::pg_sys::Oid;

/// `DEFAULT_COLLATION_OID`
const DEFAULT: Oid = Oid::from_u32(100);

/// The origin of an expression's collation, weakest first: merging keeps the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    /// No collation, or the default one, which yields to any other.
    None,
    /// A remote column.
    Column,
    /// Something else, or a conflict.
    Other,
}

/// A collation and its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Derived {
    origin: Origin,
    collation: Oid,
}

impl Derived {
    /// Of an expression without a collation of its own.
    pub fn none() -> Derived {
        Derived { origin: Origin::None, collation: Oid::INVALID }
    }

    /// Of a remote column.
    pub fn column(collation: Oid) -> Derived {
        if collation == Oid::INVALID {
            Derived::none()
        } else {
            Derived { origin: Origin::Column, collation }
        }
    }

    /// Of a constant, parameter or column of another relation.
    pub fn other(collation: Oid) -> Derived {
        if collation == Oid::INVALID || collation == DEFAULT {
            Derived::none()
        } else {
            Derived { origin: Origin::Other, collation }
        }
    }

    /// Takes in a sibling's.
    pub fn merge(&mut self, sibling: Derived) {
        if sibling.origin > self.origin {
            *self = sibling;
        } else if sibling.origin == Origin::Column
            && self.origin == Origin::Column
            && sibling.collation != self.collation
        {
            if self.collation == DEFAULT {
                self.collation = sibling.collation;
            } else if sibling.collation != DEFAULT {
                // A conflict matters only to a parent that uses the collation.
                self.origin = Origin::Other;
            }
        }
    }

    /// A function whose operands derive this uses `input`: the remote must come to the same.
    pub fn require_input(&self, input: Oid) -> Result<(), NotShipped> {
        if input == Oid::INVALID || (self.origin == Origin::Column && self.collation == input) {
            Ok(())
        } else {
            Err(NotShipped::Collation)
        }
    }

    /// As [`Derived::require_input`], for a function that gives the same under every deterministic collation: no
    /// column's collation comes in, so both servers use their default one, which is deterministic.
    pub fn require_any_input(&self, input: Oid) -> Result<(), NotShipped> {
        if input == DEFAULT && self.origin == Origin::None {
            Ok(())
        } else {
            self.require_input(input)
        }
    }

    /// What a function whose operands derive this, and whose result has `collation`, derives.
    pub fn result(&self, collation: Oid) -> Derived {
        if self.origin == Origin::Column && self.collation == collation {
            *self
        } else {
            Derived::other(collation)
        }
    }

    /// Whether the remote would not come to this collation by itself.
    pub fn is_unsafe(&self) -> bool {
        self.origin == Origin::Other
    }

    /// The collation, if it comes from a remote column.
    pub fn column_collation(&self) -> Option<Oid> {
        (self.origin == Origin::Column).then_some(self.collation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const C: Oid = Oid::from_u32(950);
    const DE: Oid = Oid::from_u32(12_345);

    fn merged(parts: &[Derived]) -> Derived {
        let mut all = Derived::none();
        for part in parts {
            all.merge(*part);
        }
        all
    }

    #[test]
    fn column_with_constant() {
        let both = merged(&[Derived::column(DEFAULT), Derived::other(DEFAULT)]);
        assert!(both.require_input(DEFAULT).is_ok());
        let both = merged(&[Derived::column(DE), Derived::other(DEFAULT)]);
        assert!(both.require_input(DE).is_ok());
        assert!(both.require_input(DEFAULT).is_err());
    }

    #[test]
    fn constants_alone_are_not_enough() {
        let both = merged(&[Derived::other(DEFAULT), Derived::other(DEFAULT)]);
        assert!(both.require_input(DEFAULT).is_err());
        assert!(both.require_input(Oid::INVALID).is_ok());
    }

    #[test]
    fn constants_are_enough_where_it_does_not_matter() {
        assert!(Derived::none().require_any_input(DEFAULT).is_ok());
        assert!(Derived::other(C).require_any_input(C).is_err());
        assert!(Derived::column(DE).require_any_input(DEFAULT).is_err());
        assert!(Derived::column(DE).require_any_input(DE).is_ok());
    }

    #[test]
    fn named_collation_spoils() {
        let both = merged(&[Derived::column(DEFAULT), Derived::other(C)]);
        assert!(both.require_input(C).is_err());
        assert!(both.is_unsafe());
    }

    #[test]
    fn columns_conflict() {
        let both = merged(&[Derived::column(C), Derived::column(DE)]);
        assert!(both.is_unsafe());
        let both = merged(&[Derived::column(C), Derived::column(DEFAULT)]);
        assert!(both.require_input(C).is_ok());
    }

    #[test]
    fn results() {
        assert_eq!(Derived::column(DE).result(DE), Derived::column(DE));
        assert!(Derived::column(DE).result(C).is_unsafe());
        assert_eq!(Derived::column(DE).result(DEFAULT), Derived::none());
        assert_eq!(Derived::column(DE).result(Oid::INVALID), Derived::none());
    }
}

//! Where an expression's collation comes from.
//!
//! Collations of the same name may differ between servers, and names may differ too, so none is named in remote
//! SQL, but "C" and "POSIX", which are the same everywhere. An expression that depends on another collation is
//! shipped only if the remote server derives it by itself from a column of the remote table. The rules mirror the
//! parser's: see select_common_collation().
#![forbid(unsafe_code)]

use super::not_shipped::NotShipped;
use crate::session::Likeness;
use pgrx::pg_sys::Oid;

/// `DEFAULT_COLLATION_OID`
const DEFAULT: Oid = Oid::from_u32(100);

/// `C_COLLATION_OID`, also the collation of the type `name`.
const C: Oid = Oid::from_u32(950);
/// `POSIX_COLLATION_OID`
const POSIX: Oid = Oid::from_u32(951);
/// `NAMEOID`
const NAME: Oid = Oid::from_u32(19);

/// The SQL name of a collation that may be named.
pub fn portable_name(collation: Oid) -> Option<&'static str> {
    match collation {
        C => Some("\"C\""),
        POSIX => Some("\"POSIX\""),
        _ => None,
    }
}

/// What a comparison under the collation relies on. Any collation but the default one is declared for the column, by
/// whoever knows what the remote column has.
pub fn reliance(collation: Oid) -> Likeness {
    match collation {
        C | POSIX => Likeness::Encoding,
        DEFAULT => Likeness::Collation,
        _ => Likeness::Nothing,
    }
}

/// The SQL name of a collation by which each shard can be told to sort, whatever its column is declared as.
pub fn sort_name(collation: Oid) -> Option<&'static str> {
    portable_name(collation).or((collation == DEFAULT).then_some("\"default\""))
}

/// Whether a constant of this type and collation was given the collation by COLLATE, and may be sent so.
pub fn is_portable_constant(type_oid: Oid, collation: Oid) -> bool {
    portable_name(collation).is_some() && type_oid != NAME
}

/// The origin of an expression's collation, weakest first: merging keeps the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    /// No collation, or the default one, which yields to any other.
    None,
    /// A remote column.
    Column,
    /// COLLATE "C" or COLLATE "POSIX", written in the remote SQL too.
    Explicit,
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

    /// Of COLLATE with a collation that may be named.
    pub fn explicit(collation: Oid) -> Derived {
        Derived { origin: Origin::Explicit, collation }
    }

    /// Of a constant, parameter or column of another relation, of the given type. The type `name` has its
    /// collation by nature, as a column has.
    pub fn of_value(type_oid: Oid, collation: Oid) -> Derived {
        if type_oid == NAME && collation == C {
            Derived::column(collation)
        } else {
            Derived::other(collation)
        }
    }

    /// Of something whose collation the remote server would not come to.
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
        } else if sibling.origin == self.origin && sibling.collation != self.collation {
            if self.origin != Origin::Column {
                self.origin =
                    if self.origin == Origin::None { Origin::None } else { Origin::Other };
            } else if self.collation == DEFAULT {
                self.collation = sibling.collation;
            } else if sibling.collation != DEFAULT {
                // A conflict matters only to a parent that uses the collation.
                self.origin = Origin::Other;
            }
        }
    }

    /// A function whose operands derive this uses `input`: the remote must come to the same.
    pub fn require_input(&self, input: Oid) -> Result<(), NotShipped> {
        if input == Oid::INVALID || (self.is_derived() && self.collation == input) {
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
        if self.is_derived() && self.collation == collation {
            *self
        } else {
            Derived::other(collation)
        }
    }

    /// Whether the remote would not come to this collation by itself.
    pub fn is_unsafe(&self) -> bool {
        self.origin == Origin::Other
    }

    fn is_derived(&self) -> bool {
        matches!(self.origin, Origin::Column | Origin::Explicit)
    }

    /// The collation, if the remote server comes to it by a column or by name.
    pub fn remote_collation(&self) -> Option<Oid> {
        self.is_derived().then_some(self.collation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn explicit_wins() {
        let both = merged(&[Derived::column(DE), Derived::explicit(C)]);
        assert!(both.require_input(C).is_ok());
        assert_eq!(both.remote_collation(), Some(C));
        assert!(merged(&[Derived::explicit(POSIX), Derived::explicit(C)]).is_unsafe());
        assert!(merged(&[Derived::other(DE), Derived::explicit(C)]).is_unsafe());
        assert!(!merged(&[Derived::none(), Derived::none()]).is_unsafe());
    }

    #[test]
    fn names_have_their_collation() {
        let both = merged(&[Derived::column(DEFAULT), Derived::of_value(NAME, C)]);
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

//! What a conjunction of conditions says about columns: a finite set of values that each can have.

use pgrx::pg_sys;
use std::collections::BTreeMap;

/// More values than this for one column, or combinations of values for one rule, are not looked at.
pub const MAX_CANDIDATES: usize = 10_000;

/// A value of a column; `None` is NULL. Pass-by-reference values belong to whoever made the pins and outlive them.
/// Variable-length values are plain: neither compressed nor out of line, with a 4-byte header.
pub type Value = Option<pg_sys::Datum>;

/// The values that a column can have in a matching row. Every one stands for itself bit by bit: `1.0` and `1.00`
/// would be two values, which is why types whose equality is not identity are never pinned.
#[derive(Clone)]
pub struct Candidates {
    values: Vec<Value>,
    len: i16,
    by_value: bool,
}

impl Candidates {
    /// A set for a column of a type with this `typlen` and `typbyval`.
    pub fn new(values: Vec<Value>, len: i16, by_value: bool) -> Candidates {
        Candidates { values, len, by_value }
    }

    /// The values; none at all when no row can match.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    fn contains(&self, value: Value) -> bool {
        self.values.iter().any(|&own| match (own, value) {
            (None, None) => true,
            // SAFETY: both are values of one column, hence of one type with this length and passing, and alive.
            (Some(a), Some(b)) => unsafe { is_same(a, b, self.by_value, self.len) },
            _ => false,
        })
    }

    fn intersect(self, other: Candidates) -> Candidates {
        let (mut small, large) =
            if self.values.len() <= other.values.len() { (self, other) } else { (other, self) };
        // Leaving values in is always right; beyond this it would only be slow.
        if small.values.len().saturating_mul(large.values.len()) <= 100_000 {
            small.values.retain(|&value| large.contains(value));
        }
        small
    }

    fn unite(&mut self, other: Candidates) -> bool {
        self.values.extend(other.values);
        self.values.len() <= MAX_CANDIDATES
    }
}

/// `datumIsEqual`, which pgrx does not bind.
///
/// # Safety
/// Both are values, alive, of a type with this passing and length.
unsafe fn is_same(a: pg_sys::Datum, b: pg_sys::Datum, by_value: bool, len: i16) -> bool {
    // SAFETY: as the caller vouches; variable-length values say how long they are.
    let bytes = |datum: pg_sys::Datum| unsafe {
        let size = usize::try_from(len).unwrap_or_else(|_| pgrx::varsize_any(datum.cast_mut_ptr()));
        std::slice::from_raw_parts(datum.cast_mut_ptr::<u8>(), size)
    };
    if by_value { a.value() == b.value() } else { bytes(a) == bytes(b) }
}

/// What is known of the columns of matching rows. A column that is not mentioned can have any value.
#[derive(Clone, Default)]
pub struct Pins {
    columns: BTreeMap<i16, Candidates>,
    never: bool,
}

impl Pins {
    /// Nothing is known.
    pub fn anything() -> Pins {
        Pins::default()
    }

    /// No row matches.
    pub fn never() -> Pins {
        Pins { columns: BTreeMap::new(), never: true }
    }

    /// Column `attno` has one of these values.
    pub fn of(attno: i16, candidates: Candidates) -> Pins {
        if candidates.values.is_empty() {
            return Pins::never();
        }
        Pins { columns: BTreeMap::from([(attno, candidates)]), never: false }
    }

    /// What is known of a column.
    pub fn get(&self, attno: i16) -> Option<&Candidates> {
        self.columns.get(&attno)
    }

    /// Whether no row at all can match.
    pub fn is_never(&self) -> bool {
        self.never
    }

    /// Both hold.
    pub fn and(mut self, other: Pins) -> Pins {
        if self.never || other.never {
            return Pins::never();
        }
        for (attno, candidates) in other.columns {
            let merged = match self.columns.remove(&attno) {
                Some(own) => own.intersect(candidates),
                None => candidates,
            };
            if merged.values.is_empty() {
                return Pins::never();
            }
            self.columns.insert(attno, merged);
        }
        self
    }

    /// One of the two holds.
    pub fn or(self, mut other: Pins) -> Pins {
        if self.never {
            return other;
        }
        if other.never {
            return self;
        }
        let mut columns = BTreeMap::new();
        for (attno, mut candidates) in self.columns {
            if let Some(more) = other.columns.remove(&attno)
                && candidates.unite(more)
            {
                columns.insert(attno, candidates);
            }
        }
        Pins { columns, never: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &[i32]) -> Candidates {
        let values = values.iter().map(|&v| Some(pg_sys::Datum::from(v))).collect();
        Candidates::new(values, 4, true)
    }

    #[test]
    fn or_keeps_common_columns() {
        let left = Pins::of(1, set(&[1])).and(Pins::of(2, set(&[7])));
        let both = left.or(Pins::of(1, set(&[2])));
        assert_eq!(both.get(1).unwrap().values().len(), 2);
        assert!(both.get(2).is_none());
    }

    #[test]
    fn or_with_an_impossible_arm() {
        let both = Pins::of(1, set(&[])).or(Pins::of(2, set(&[2])));
        assert!(both.get(1).is_none() && !both.is_never());
        assert!(Pins::of(1, set(&[])).and(Pins::of(2, set(&[2]))).is_never());
    }
}

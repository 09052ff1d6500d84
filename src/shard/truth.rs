//! Three-valued logic over leaves of which some cannot be evaluated.
#![forbid(unsafe_code)]

/// What a condition yields for a row of which only some columns are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    True,
    False,
    Null,
    /// It depends on what is not known.
    Unknown,
}

/// A condition taken apart at AND and OR; `L` stands for what cannot be taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formula<L> {
    All(Vec<Formula<L>>),
    Any(Vec<Formula<L>>),
    Leaf(L),
}

impl<L> Formula<L> {
    /// The value of the formula, given the values of its leaves. Stops as soon as the value is certain, from left
    /// to right, as PostgreSQL's executor does.
    pub fn eval<E>(&self, leaf: &mut impl FnMut(&L) -> Result<Truth, E>) -> Result<Truth, E> {
        match self {
            Formula::Leaf(inner) => leaf(inner),
            Formula::All(members) => fold(members, leaf, Truth::True, Truth::False),
            Formula::Any(members) => fold(members, leaf, Truth::False, Truth::True),
        }
    }

    /// Calls `visit` for every leaf.
    pub fn leaves<'a>(&'a self, visit: &mut impl FnMut(&'a L)) {
        match self {
            Formula::Leaf(inner) => visit(inner),
            Formula::All(members) | Formula::Any(members) => {
                members.iter().for_each(|member| member.leaves(visit));
            }
        }
    }
}

/// AND when `decisive` is False, OR when it is True; `neutral` is the value of an empty list.
fn fold<L, E>(
    members: &[Formula<L>],
    leaf: &mut impl FnMut(&L) -> Result<Truth, E>,
    neutral: Truth,
    decisive: Truth,
) -> Result<Truth, E> {
    let mut result = neutral;
    for member in members {
        let value = member.eval(leaf)?;
        if value == decisive {
            return Ok(decisive);
        }
        if value == Truth::Unknown || (value == Truth::Null && result != Truth::Unknown) {
            result = value;
        }
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::Formula::{All, Any, Leaf};
    use super::*;

    fn value(formula: &Formula<Truth>) -> Truth {
        formula.eval(&mut |leaf| Ok::<_, ()>(*leaf)).unwrap()
    }

    #[test]
    fn conjunction_and_disjunction() {
        use Truth::*;
        for (members, all, any) in [
            (vec![], True, False),
            (vec![True, Null], Null, True),
            (vec![Null, False], False, Null),
            (vec![Unknown, False], False, Unknown),
            (vec![Null, Unknown], Unknown, Unknown),
            (vec![Unknown, Null], Unknown, Unknown),
            (vec![Unknown, True], Unknown, True),
        ] {
            let leaves: Vec<_> = members.into_iter().map(Leaf).collect();
            assert_eq!(value(&All(leaves.clone())), all);
            assert_eq!(value(&Any(leaves)), any);
        }
    }

    #[test]
    fn stops_when_certain() {
        let formula = All(vec![Leaf(Ok(Truth::False)), Leaf(Err("not to be asked"))]);
        assert_eq!(formula.eval(&mut |leaf| *leaf), Ok(Truth::False));
        let formula = Any(vec![All(vec![Leaf(Ok(Truth::Null))]), Leaf(Err("asked"))]);
        assert_eq!(formula.eval(&mut |leaf| *leaf), Err("asked"));
    }
}

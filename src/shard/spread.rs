//! Which members of `column = ANY (array)` each placement has to be asked for.
//!
//! A row that equals a member lies where that member's sharding value says. So a placement needs only the members that
//! could be there: what it answers is the same. Members about which nothing is proved go to all.

use super::equality::Operand;
use super::pin::MAX_CANDIDATES;
use super::rule::Origin;
use super::table::ShardedTable;
use crate::error::Failure;
use crate::pg::node::{cast, list_vec};
use pgrx::pg_sys;
use pgrx::pg_sys::{Datum, Oid};

/// The members of an array, by placement.
pub struct Spread {
    element_type: Oid,
    /// By the placements' numbers. NULLs are left out: nothing equals them.
    members: Vec<Vec<Datum>>,
}

impl Spread {
    /// Reads `column = ANY (constant array)` on relation `rti`, which is `table`; `None` when its members cannot be told
    /// apart.
    ///
    /// # Safety
    /// A valid expression; what is made lives in the current memory context; a transaction is open.
    pub unsafe fn read(
        table: &ShardedTable,
        any: *mut pg_sys::Node,
        rti: u32,
        honoured: fn(Origin) -> bool,
    ) -> Result<Option<Spread>, Failure> {
        // SAFETY: as the caller vouches; nodes are cast by their tags.
        unsafe {
            let Some((operand, any)) = column_of(any, rti) else { return Ok(None) };
            let Some(array) = list_vec::<pg_sys::Node>(any.args)
                .get(1)
                .and_then(|&right| cast::<pg_sys::Const, _>(right))
                .filter(|array| !array.constisnull)
            else {
                return Ok(None);
            };
            let element_type = pg_sys::get_element_type(pg_sys::getBaseType(array.consttype));
            if element_type == Oid::INVALID {
                return Ok(None);
            }
            let (elements, ..) = crate::pg::array::elements(array.constvalue);
            let elements: Vec<Datum> = elements.into_iter().flatten().collect();
            if elements.len() > MAX_CANDIDATES {
                return Ok(None);
            }
            // One value for each member, or none where the column's type has no such value.
            let (mut values, mut of_value) = (Vec::new(), Vec::new());
            for (index, &element) in elements.iter().enumerate() {
                let Some(equal) =
                    operand.equal_to(any.opno, any.inputcollid, element_type, &[element])
                else {
                    return Ok(None);
                };
                values.extend_from_slice(equal.values());
                of_value.resize(values.len(), index);
            }
            let Some(places) = table.spread(operand.attno, &values, honoured)? else {
                return Ok(None);
            };
            let mut members = vec![Vec::new(); table.members.len()];
            for (index, places) in of_value.into_iter().zip(places) {
                let Some(&element) = elements.get(index) else { continue };
                match places {
                    Some(places) => places.into_iter().for_each(|at| members[at].push(element)),
                    None => members.iter_mut().for_each(|own| own.push(element)),
                }
            }
            Ok(Some(Spread { element_type, members }))
        }
    }

    /// The array for the foreign table with this number; `None` when no member can be there.
    ///
    /// # Safety
    /// In the memory context of [`Spread::read`].
    pub unsafe fn array(&self, number: usize) -> Option<Datum> {
        let members = self.members.get(number).filter(|members| !members.is_empty())?;
        // SAFETY: the members are of the element type; construct_array copies them.
        unsafe {
            let (mut len, mut by_value, mut align) = (0, false, 0);
            pg_sys::get_typlenbyvalalign(
                self.element_type,
                &raw mut len,
                &raw mut by_value,
                &raw mut align,
            );
            let mut members = members.clone();
            let array = pg_sys::construct_array(
                members.as_mut_ptr(),
                members.len() as i32,
                self.element_type,
                i32::from(len),
                by_value,
                align,
            );
            Some(Datum::from(array))
        }
    }
}

/// Whether `clause` is `column = ANY (...)` of a column that alone decides where a row of `table` lies.
///
/// # Safety
/// A valid expression of the query being planned.
pub unsafe fn can_spread(table: &ShardedTable, clause: *mut pg_sys::Node, rti: u32) -> bool {
    // SAFETY: as the caller vouches.
    unsafe { column_of(clause, rti).is_some_and(|(operand, _)| table.is_spread_by(operand.attno)) }
}

unsafe fn column_of<'a>(
    clause: *mut pg_sys::Node,
    rti: u32,
) -> Option<(Operand, &'a pg_sys::ScalarArrayOpExpr)> {
    // SAFETY: the caller hands a valid expression; cast by its tag.
    unsafe {
        let any = cast::<pg_sys::ScalarArrayOpExpr, _>(clause).filter(|any| any.useOr)?;
        let column = list_vec::<pg_sys::Node>(any.args).first().copied()?;
        Some((Operand::read(column, rti)?, any))
    }
}

//! Arrays taken apart.

use pgrx::pg_sys;
use pgrx::pg_sys::Datum;

/// The elements of a one-dimensional array value, with their type's length and passing; `None` for an element is
/// NULL. Elements by reference point into the (detoasted) array.
///
/// # Safety
/// `value` is a non-NULL value of an array type; the current memory context outlives the elements' use.
pub unsafe fn elements(value: Datum) -> (Vec<Option<Datum>>, i16, bool) {
    // SAFETY: as the caller vouches; the outputs are palloc'd by deconstruct_array.
    unsafe {
        let array = pg_sys::pg_detoast_datum(value.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
        let (mut len, mut by_value, mut align) = (0i16, false, 0);
        pg_sys::get_typlenbyvalalign(
            (*array).elemtype,
            &raw mut len,
            &raw mut by_value,
            &raw mut align,
        );
        let (mut values, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
        pg_sys::deconstruct_array(
            array,
            (*array).elemtype,
            i32::from(len),
            by_value,
            align,
            &raw mut values,
            &raw mut nulls,
            &raw mut count,
        );
        let elements =
            (0..count as usize).map(|i| (!*nulls.add(i)).then(|| *values.add(i))).collect();
        (elements, len, by_value)
    }
}

/// The elements of an array whose element type is passed by value; `None` for other types, and when one is NULL.
///
/// # Safety
/// As for [`elements`].
pub unsafe fn by_value_elements(value: Datum) -> Option<Vec<u64>> {
    // SAFETY: as the caller vouches.
    let (elements, _, by_value) = unsafe { elements(value) };
    let elements = elements.into_iter().map(|datum| Some(datum?.value() as u64)).collect();
    by_value.then_some(elements).flatten()
}

/// How many elements an array has.
///
/// # Safety
/// As for [`elements`].
pub unsafe fn length(value: Datum) -> usize {
    // SAFETY: as the caller vouches.
    unsafe { elements(value).0.len() }
}

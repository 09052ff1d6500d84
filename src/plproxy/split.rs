//! SPLIT: array arguments taken apart, each element sent where RUN ON says, and put together again per partition.

use super::cluster::Cluster;
use super::fault::Fault;
use super::function::{Function, Route};
use super::route::{self, Task, Values};
use super::types::Element;
use crate::error::Failure;
use pgrx::pg_sys::{self, Datum};

/// An array argument taken apart.
struct Parts {
    argument: usize,
    element: Element,
    values: Vec<Option<Datum>>,
}

/// The queries of a call with SPLIT, by first tagging.
pub fn tasks(
    function: &Function,
    cluster: &Cluster,
    arguments: &Values,
) -> Result<Vec<Task>, Failure> {
    let label = &function.label;
    let mut arrays: Vec<Parts> = Vec::with_capacity(function.split.len());
    for &argument in &function.split {
        let Some(element) = function.arguments[argument].kind.element else {
            return Err(Failure::internal("SPLIT argument is not an array"));
        };
        let values = match arguments[argument] {
            // SAFETY: the value is of an array type with that element type.
            Some(array) => unsafe { take_apart(array, element) },
            None => Some(Vec::new()),
        };
        let values = values.ok_or_else(|| label.fault(Fault::SplitDimensions))?;
        if arrays.first().is_some_and(|first| first.values.len() != values.len()) {
            return label.err(Fault::SplitLengths);
        }
        arrays.push(Parts { argument, element, values });
    }
    let length = arrays.first().map_or(0, |first| first.values.len());
    if length == 0 {
        return Ok(Vec::new());
    }
    let any = matches!(function.route, Route::Any);
    if matches!(function.route, Route::All) {
        let nodes = route::nodes(function, cluster, arguments)?;
        return Ok(nodes.into_iter().map(|node| Task { node, any, values: None }).collect());
    }
    // Per tagged connection string: the positions of its elements.
    let mut tagged: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut one = arguments.clone();
    for position in 0..length {
        for array in &arrays {
            one[array.argument] = array.values[position];
        }
        for node in route::nodes(function, cluster, &one)? {
            match tagged.iter_mut().find(|(known, _)| *known == node) {
                Some((_, positions)) => positions.push(position),
                None => tagged.push((node, vec![position])),
            }
        }
    }
    let task = |(node, positions): (usize, Vec<usize>)| {
        let mut values = arguments.clone();
        for array in &arrays {
            let chosen: Vec<_> = positions.iter().map(|&p| array.values[p]).collect();
            // SAFETY: the elements are of that type and live as long as the call's arguments.
            values[array.argument] = Some(unsafe { put_together(&chosen, array.element) });
        }
        Task { node, any, values: Some(values) }
    };
    Ok(tagged.into_iter().map(task).collect())
}

/// The elements of a one-dimensional or empty array; `None` for more dimensions.
unsafe fn take_apart(array: Datum, element: Element) -> Option<Vec<Option<Datum>>> {
    // SAFETY: the caller vouches for the type; what is made lives in the current context.
    unsafe {
        let array = pg_sys::pg_detoast_datum(array.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
        if (*array).ndim > 1 {
            return None;
        }
        let mut elements: *mut Datum = std::ptr::null_mut();
        let mut nulls: *mut bool = std::ptr::null_mut();
        let mut count = 0;
        pg_sys::deconstruct_array(
            array,
            element.oid,
            i32::from(element.layout.length),
            element.layout.by_value,
            element.layout.align,
            &raw mut elements,
            &raw mut nulls,
            &raw mut count,
        );
        Some(
            (0..count.max(0) as usize)
                .map(|n| (!*nulls.add(n)).then(|| *elements.add(n)))
                .collect(),
        )
    }
}

/// A one-dimensional array with lower bound 1, in the current memory context.
unsafe fn put_together(values: &[Option<Datum>], element: Element) -> Datum {
    let mut datums: Vec<Datum> = values.iter().map(|v| v.unwrap_or(Datum::null())).collect();
    let mut nulls: Vec<bool> = values.iter().map(Option::is_none).collect();
    let mut dimensions = [values.len() as i32];
    let mut bounds = [1];
    // SAFETY: the arrays are as long as the dimension says; the type as the caller vouches.
    unsafe {
        Datum::from(pg_sys::construct_md_array(
            datums.as_mut_ptr(),
            nulls.as_mut_ptr(),
            1,
            dimensions.as_mut_ptr(),
            bounds.as_mut_ptr(),
            element.oid,
            i32::from(element.layout.length),
            element.layout.by_value,
            element.layout.align,
        ))
    }
}

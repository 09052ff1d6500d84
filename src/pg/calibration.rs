//! Are the transition states that aggregate_state.rs writes those of this server's own functions?
//!
//! For each transition function the local functions accumulate and serialise a few values, once per session, and the
//! bytes are compared. Where they differ nobody is told of the layout, and such aggregates are computed from rows.

use super::aggregate::{self, Definition};
use super::aggregate_collected::Element;
use super::aggregate_state::Layout;
use super::memory::{self, ContextGuard};
use super::node;
use super::text;
use super::transmission::Transmission;
use super::typeio::{Input, Send};
use pgrx::pg_sys::{self, Datum, Oid};
use std::cell::RefCell;
use std::collections::HashMap;

thread_local! {
    static KNOWN: RefCell<HashMap<u32, Option<Layout>>> = RefCell::new(HashMap::new());
}

/// interval_avg_accum of PostgreSQL 17 (and interval_accum before).
const INTERVAL_ACCUM: u32 = 1843;

/// Values of one type (`NULL` is one), and the array that shards would give for them.
struct Sample {
    of_type: Oid,
    values: &'static [&'static str],
    /// The second argument, of the same type.
    delimiter: Option<&'static str>,
    pieces: &'static str,
    layout: Layout,
}

const INTEGERS: &[&str] = &["7", "-20000", "30000"];
const NUMBERS: &[&str] = &["12.5", "-3.75", "100000"];

const fn sample(
    of_type: Oid,
    values: &'static [&'static str],
    pieces: &'static str,
    layout: Layout,
) -> Sample {
    Sample { of_type, values, delimiter: None, pieces, layout }
}

/// How the serialised state of a call of a built-in aggregate is made, if it is known and is a C structure.
pub fn layout(call: &pg_sys::Aggref) -> Option<Layout> {
    let definition = aggregate::definition(call.aggfnoid)?;
    if definition.state_type != pg_sys::INTERNALOID || definition.serialize == Oid::INVALID {
        return None;
    }
    let transition = definition.transition.to_u32();
    let known = KNOWN.with(|known| known.borrow().get(&transition).copied());
    let layout = known.unwrap_or_else(|| {
        let samples = samples(transition);
        // SAFETY: the samples are values of the types that the transition functions take.
        let layout = samples
            .first()
            .map(|sample| sample.layout)
            .filter(|_| unsafe { samples.iter().all(|sample| agrees(&definition, sample)) });
        KNOWN.with(|known| known.borrow_mut().insert(transition, layout));
        layout
    })?;
    match layout {
        // The call's own type is that of its state when it is a partial one.
        Layout::Collected(_) => {
            // SAFETY: a list of types that exist.
            let array_type = unsafe {
                let of_type = node::oid_list(call.aggargtypes).next()?;
                pg_sys::get_array_type(of_type)
            };
            element(array_type).filter(|element| element.is_collected()).map(Layout::Collected)
        }
        // Strings are put into the state in the server's encoding.
        Layout::Text if !text::server_is_utf8() => None,
        _ => Some(layout),
    }
}

/// The elements of a true array type.
fn element(array_type: Oid) -> Option<Element> {
    // SAFETY: look-ups of types that exist.
    unsafe {
        let of_type = pg_sys::get_element_type(array_type);
        if of_type == Oid::INVALID {
            return None;
        }
        let (mut length, mut by_value, mut alignment) = (0, false, 0);
        pg_sys::get_typlenbyvalalign(
            of_type,
            &raw mut length,
            &raw mut by_value,
            &raw mut alignment,
        );
        Some(Element {
            array_type: array_type.to_u32(),
            of_type: of_type.to_u32(),
            length,
            by_value,
            alignment: alignment as u8,
        })
    }
}

/// What is tried; nothing for a transition function that is not known.
fn samples(transition: u32) -> Vec<Sample> {
    let integers = |of_type, layout, pieces| vec![sample(of_type, INTEGERS, pieces, layout)];
    let (sum, squares) = ("{3,10007}", "{3,10007,1300000049}");
    let numbers = |layout, pieces: [&'static str; 4]| {
        let values: [&[&str]; 4] = [NUMBERS, &["NaN"], &["Infinity"], &["-Infinity"]];
        let samples = values.into_iter().zip(pieces);
        samples.map(|(v, p)| sample(pg_sys::NUMERICOID, v, p, layout)).collect()
    };
    match transition {
        pg_sys::F_INT8_AVG_ACCUM => integers(pg_sys::INT8OID, Layout::IntegerSum, sum),
        pg_sys::F_INT2_ACCUM => integers(pg_sys::INT2OID, Layout::IntegerSquares, squares),
        pg_sys::F_INT4_ACCUM => integers(pg_sys::INT4OID, Layout::IntegerSquares, squares),
        pg_sys::F_INT8_ACCUM => integers(pg_sys::INT8OID, Layout::NumericSquares, squares),
        pg_sys::F_NUMERIC_AVG_ACCUM => numbers(
            Layout::NumericSum,
            ["{3,100008.75}", "{1,NaN}", "{1,Infinity}", "{1,-Infinity}"],
        ),
        pg_sys::F_NUMERIC_ACCUM => numbers(
            Layout::NumericSquares,
            [
                "{3,100008.75,10000000170.3125}",
                "{1,NaN,NaN}",
                "{1,Infinity,Infinity}",
                "{1,-Infinity,Infinity}",
            ],
        ),
        INTERVAL_ACCUM => {
            let interval =
                |values, pieces| sample(pg_sys::INTERVALOID, values, pieces, Layout::Interval);
            vec![
                interval(
                    &["1.5 s", "2 days", "3 mons"],
                    "{3 mons 2 days 00:00:01.5,00:00:00.000003}",
                ),
                interval(&["infinity"], "{infinity,00:00:00.000001}"),
                interval(&["-infinity"], "{-infinity,00:00:00.000001}"),
            ]
        }
        // Values that are passed by value and those that are not.
        pg_sys::F_ARRAY_AGG_TRANSFN => {
            let array = |array_type, of_type, values, pieces| {
                let layout = element(array_type).map(Layout::Collected);
                layout.map(|layout| sample(of_type, values, pieces, layout))
            };
            let integers: &[&str] = &["7", "NULL", "-20000"];
            let texts: &[&str] = &["abc", "NULL", ""];
            let of_integers =
                array(pg_sys::INT4ARRAYOID, pg_sys::INT4OID, integers, "{7,NULL,-20000}");
            let of_texts = array(pg_sys::TEXTARRAYOID, pg_sys::TEXTOID, texts, "{abc,NULL,\"\"}");
            of_integers.into_iter().chain(of_texts).collect()
        }
        pg_sys::F_STRING_AGG_TRANSFN | pg_sys::F_BYTEA_STRING_AGG_TRANSFN => {
            let (of_type, layout) = match transition {
                pg_sys::F_STRING_AGG_TRANSFN => (pg_sys::TEXTOID, Layout::Text),
                _ => (pg_sys::BYTEAOID, Layout::Bytes),
            };
            let strings = |values, delimiter, pieces| Sample {
                delimiter: Some(delimiter),
                ..sample(of_type, values, pieces, layout)
            };
            vec![
                strings(&["NULL", "abc", "", "NULL", "de"], "; ", "{\"; \",\"abc; ; de\"}"),
                strings(&["abc", "de"], "NULL", "{NULL,abcde}"),
                strings(&[""], "", "{\"\",\"\"}"),
            ]
        }
        _ => Vec::new(),
    }
}

/// Whether both ways lead from the sample to the same bytes.
unsafe fn agrees(definition: &Definition, sample: &Sample) -> bool {
    // SAFETY: all that is made lives in a context of its own until the end; values are of the functions' types.
    unsafe {
        let context =
            memory::create_child(pg_sys::CurrentMemoryContext, c"shard_fdw transition states");
        let agree = {
            let _context = ContextGuard::switch_to(context);
            let _settings = Transmission::input();
            let own = serialized(definition, sample, context);
            let array_type = Oid::from(sample.layout.array_type());
            let array = Input::lookup(array_type, -1, context).call(text::to_server(sample.pieces));
            let (mut wire, mut written) = (Vec::new(), Vec::new());
            Send::lookup(array_type, context).call(array, &mut wire);
            sample.layout.write(&wire, int4, &mut written) == Ok(true) && written == own
        };
        pg_sys::MemoryContextDelete(context);
        agree
    }
}

/// The state after the sample's values, by this server's functions.
unsafe fn serialized(
    definition: &Definition,
    sample: &Sample,
    context: pg_sys::MemoryContext,
) -> Vec<u8> {
    // SAFETY: aggregate functions ask who calls them (AggCheckCallContext): a window aggregate needs nothing but a
    // memory context to keep states in.
    unsafe {
        let size = size_of::<pg_sys::WindowAggState>();
        let caller = pg_sys::palloc0(size).cast::<pg_sys::WindowAggState>();
        (*caller).ss.ps.type_ = pg_sys::NodeTag::T_WindowAggState;
        (*caller).curaggcontext = context;
        let input = Input::lookup(sample.of_type, -1, context);
        let datum = |value: &str| match value {
            "NULL" => (Datum::null(), true),
            _ => (input.call(text::to_server(value)), false),
        };
        let mut state = (Datum::null(), true);
        for value in sample.values {
            let mut arguments = vec![state, datum(value)];
            arguments.extend(sample.delimiter.map(datum));
            let next = call(definition.transition, &arguments, sample.of_type, caller);
            // A pointer; there is none before the first value.
            state = (next, next.value() == 0);
        }
        let bytes = call(definition.serialize, &[state], sample.of_type, caller);
        super::typeio::varlena_bytes(bytes.cast_mut_ptr()).to_vec()
    }
}

/// The only type of a sample that is passed by value where it matters.
fn int4(_: u32, bytes: &[u8]) -> Option<i64> {
    Some(i32::from_be_bytes(bytes.try_into().ok()?).into())
}

unsafe fn call(
    function: Oid,
    arguments: &[(Datum, bool)],
    of_type: Oid,
    caller: *mut pg_sys::WindowAggState,
) -> Datum {
    // SAFETY: the call's memory is as large as its arguments need; the closure owns nothing.
    unsafe {
        let info = pg_sys::palloc0(size_of::<pg_sys::FmgrInfo>()).cast::<pg_sys::FmgrInfo>();
        pg_sys::fmgr_info(function, info);
        // Some ask for the type of what they are given, the first argument being the state.
        let argument = |i| {
            let of_type = if i == 0 { pg_sys::INTERNALOID } else { of_type };
            pg_sys::makeNullConst(of_type, -1, Oid::INVALID)
        };
        (*info).fn_expr = pg_sys::makeFuncExpr(
            function,
            pg_sys::INTERNALOID,
            node::make_list((0..arguments.len()).map(argument)),
            Oid::INVALID,
            Oid::INVALID,
            pg_sys::CoercionForm::COERCE_EXPLICIT_CALL,
        )
        .cast();
        let size = size_of::<pg_sys::FunctionCallInfoBaseData>()
            + size_of::<pg_sys::NullableDatum>() * arguments.len();
        let call = pg_sys::palloc0(size).cast::<pg_sys::FunctionCallInfoBaseData>();
        (*call).flinfo = info;
        (*call).context = caller.cast();
        (*call).nargs = arguments.len() as i16;
        let places = (&raw mut (*call).args).cast::<pg_sys::NullableDatum>();
        for (i, &(value, isnull)) in arguments.iter().enumerate() {
            places.add(i).write(pg_sys::NullableDatum { value, isnull });
        }
        let Some(address) = (*info).fn_addr else { return Datum::null() };
        pg_sys::ffi::pg_guard_ffi_boundary(|| address(call))
    }
}

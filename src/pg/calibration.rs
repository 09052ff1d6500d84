//! Are the transition states that aggregate_state.rs writes those of this server's own functions?
//!
//! For each transition function the local functions accumulate and serialise a few values, once per session, and the
//! bytes are compared. Where they differ nobody is told of the layout, and such aggregates are computed from rows.

use super::aggregate::{self, Definition};
use super::aggregate_state::Layout;
use super::memory::{self, ContextGuard};
use super::text;
use super::typeio::{Input, Send};
use pgrx::pg_sys::{self, Datum, Oid};
use std::cell::RefCell;
use std::collections::HashMap;

thread_local! {
    static KNOWN: RefCell<HashMap<u32, Option<Layout>>> = RefCell::new(HashMap::new());
}

/// interval_avg_accum of PostgreSQL 17 (and interval_accum before).
const INTERVAL_ACCUM: u32 = 1843;

/// Values of one type, and the array of count, sum and squares that shards would give for them.
struct Sample {
    of_type: Oid,
    values: &'static [&'static str],
    pieces: &'static str,
}

const INTEGERS: &[&str] = &["7", "-20000", "30000"];
const NUMBERS: &[&str] = &["12.5", "-3.75", "100000"];

const fn sample(of_type: Oid, values: &'static [&'static str], pieces: &'static str) -> Sample {
    Sample { of_type, values, pieces }
}

/// How the serialised state of the built-in aggregate `function` is made, if it is known and is a C structure.
pub fn layout(function: Oid) -> Option<Layout> {
    let definition = aggregate::definition(function)?;
    if definition.state_type != pg_sys::INTERNALOID || definition.serialize == Oid::INVALID {
        return None;
    }
    let transition = definition.transition.to_u32();
    if let Some(known) = KNOWN.with(|known| known.borrow().get(&transition).copied()) {
        return known;
    }
    // SAFETY: the samples are values of the types that the transition functions take.
    let layout = candidate(transition).filter(|&(layout, ref samples)| unsafe {
        samples.iter().all(|sample| agrees(&definition, layout, sample))
    });
    let layout = layout.map(|(layout, _)| layout);
    KNOWN.with(|known| known.borrow_mut().insert(transition, layout));
    layout
}

fn candidate(transition: u32) -> Option<(Layout, Vec<Sample>)> {
    let integers =
        |of_type, layout, pieces| Some((layout, vec![sample(of_type, INTEGERS, pieces)]));
    let (sum, squares) = ("{3,10007}", "{3,10007,1300000049}");
    let numbers = |layout, pieces: [&'static str; 4]| {
        let values: [&[&str]; 4] = [NUMBERS, &["NaN"], &["Infinity"], &["-Infinity"]];
        let samples = values.into_iter().zip(pieces);
        Some((layout, samples.map(|(v, p)| sample(pg_sys::NUMERICOID, v, p)).collect()))
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
            let interval = |values, pieces| sample(pg_sys::INTERVALOID, values, pieces);
            let samples = vec![
                interval(
                    &["1.5 s", "2 days", "3 mons"],
                    "{3 mons 2 days 00:00:01.5,00:00:00.000003}",
                ),
                interval(&["infinity"], "{infinity,00:00:00.000001}"),
                interval(&["-infinity"], "{-infinity,00:00:00.000001}"),
            ];
            Some((Layout::Interval, samples))
        }
        _ => None,
    }
}

/// Whether both ways lead from the sample to the same bytes.
unsafe fn agrees(definition: &Definition, layout: Layout, sample: &Sample) -> bool {
    // SAFETY: all that is made lives in a context of its own until the end; values are of the functions' types.
    unsafe {
        let context =
            memory::create_child(pg_sys::CurrentMemoryContext, c"shard_fdw transition states");
        let agree = {
            let _context = ContextGuard::switch_to(context);
            let own = serialized(definition, sample, context);
            let array_type = Oid::from(layout.array_type());
            let array = Input::lookup(array_type, -1, context).call(text::to_server(sample.pieces));
            let (mut wire, mut written) = (Vec::new(), Vec::new());
            Send::lookup(array_type, context).call(array, &mut wire);
            layout.write(&wire, &mut written) == Ok(true) && written == own
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
        let mut state = (Datum::null(), true);
        for value in sample.values {
            let value = input.call(text::to_server(value));
            state = (call(definition.transition, &[state, (value, false)], caller), false);
        }
        let bytes = call(definition.serialize, &[state], caller);
        super::typeio::varlena_bytes(bytes.cast_mut_ptr()).to_vec()
    }
}

unsafe fn call(
    function: Oid,
    arguments: &[(Datum, bool)],
    caller: *mut pg_sys::WindowAggState,
) -> Datum {
    // SAFETY: the call's memory is as large as its arguments need; the closure owns nothing.
    unsafe {
        let info = pg_sys::palloc0(size_of::<pg_sys::FmgrInfo>()).cast::<pg_sys::FmgrInfo>();
        pg_sys::fmgr_info(function, info);
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

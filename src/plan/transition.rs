//! What the shards are asked for so that an aggregate's transition state can be had.
//!
//! The expression's value over some rows is the state after those rows, or, for states that are C structures, the
//! array of values that the scan makes the serialised state of (pg/aggregate_state.rs):
//!
//! - an aggregate without final function gives out its state as it is (count, sum of int4 and float, min, max,
//!   bool_and, bit_xor, ...);
//! - avg of small integers has the state `{count, sum}`;
//! - the float8 family has `{N, Sx, Sxx}`, and with two arguments `{N, Sx, Sxx, Sy, Syy, Sxy}`, for which SQL has
//!   count, sum, regr_sxx, regr_syy and regr_sxy;
//! - numeric, int8 and interval, and the deviations of integers: count, sum and sum of squares, all exact;
//! - array_agg is its own state, and string_agg together with its delimiter, where that is the same for all rows.

use crate::pg::aggregate::{self, Definition};
use crate::pg::aggregate_state::Layout;
use crate::pg::transmission::client_speaks_wire;
use crate::pg::{calibration, node};
use pgrx::pg_sys;
use pgrx::pg_sys::{NodeTag, Oid};
use std::ptr;

type Expr = *mut pg_sys::Expr;

/// What a state that collects values is expected to take at most. A server can send no more than 1 GB at once.
const LARGEST_STATE: f64 = 32.0 * 1024.0 * 1024.0;

/// `interval_accum`, whose state is an array before PostgreSQL 17.
const INTERVAL_ACCUM: u32 = 1843;
/// Operators `int8 * int8`, `numeric * numeric`, `float8 + float8`, `float8 * float8`, `interval * float8`.
const INT8_TIMES: u32 = 686;
const NUMERIC_TIMES: u32 = 1760;
const FLOAT8_PLUS: u32 = 591;
const FLOAT8_TIMES: u32 = 594;
const INTERVAL_TIMES: u32 = 1583;

/// What the shards are asked for instead of the aggregate; `None` when its state cannot be had from them. With DISTINCT
/// it can if equal values are on one shard, which `kept_apart` says of the argument. When the aggregate is `alone`, no
/// other one shares its state: what only others look at need not be computed. A state may be of so many `rows`.
///
/// # Safety
/// The Aggref is the planner's.
pub(super) unsafe fn shipped(
    aggregate: &pg_sys::Aggref,
    kept_apart: impl Fn(Expr) -> bool,
    alone: bool,
    rows: f64,
) -> Option<Expr> {
    // SAFETY: as the caller vouches.
    unsafe {
        if !aggregate.aggorder.is_null()
            || !aggregate.aggdirectargs.is_null()
            || aggregate.aggkind as u8 != b'n'
        {
            return None;
        }
        let definition = aggregate::definition(aggregate.aggfnoid)?;
        if !definition.combines {
            return None;
        }
        let arguments: Vec<Expr> =
            node::list::<pg_sys::TargetEntry>(aggregate.args).map(|entry| (*entry).expr).collect();
        let distinct = !aggregate.aggdistinct.is_null();
        if distinct
            && !(definition.picks || matches!(arguments[..], [argument] if kept_apart(argument)))
        {
            return None;
        }
        if !definition.finalizes
            && aggregate.aggtranstype == aggregate.aggtype
            && aggregate.aggtranstype != pg_sys::INTERNALOID
        {
            return Some(Call { aggregate, alone, rows }.whole());
        }
        // A sum of distinct squares is not what a sum of squares of distinct values is.
        if distinct {
            return None;
        }
        let call = Call { aggregate, alone, rows };
        match arguments[..] {
            [argument] if definition.state_type == pg_sys::INTERNALOID => {
                call.pieces(calibration::layout(aggregate)?, &definition, argument)
            }
            [value, delimiter] if definition.state_type == pg_sys::INTERNALOID => {
                call.string(calibration::layout(aggregate)?, value, delimiter)
            }
            [argument] => call.array(&definition, argument),
            [y, x] => call.regression(&definition, y, x),
            _ => None,
        }
    }
}

/// An aggregation, of which others are made that differ in function and arguments.
struct Call<'a> {
    aggregate: &'a pg_sys::Aggref,
    alone: bool,
    rows: f64,
}

impl Call<'_> {
    /// The array that a layout is written from.
    unsafe fn pieces(
        &self,
        layout: Layout,
        definition: &Definition,
        argument: Expr,
    ) -> Option<Expr> {
        // SAFETY: the argument has the type that the transition function takes.
        unsafe {
            let number = pg_sys::NUMERICOID;
            let sum_of = |argument| match pg_sys::exprType(argument as *mut pg_sys::Node) {
                pg_sys::INT8OID => self.with(pg_sys::F_SUM_INT8, number, &[argument]),
                _ => self.with(pg_sys::F_SUM_NUMERIC, number, &[argument]),
            };
            // Wide enough for squares.
            let wide = match definition.transition.to_u32() {
                pg_sys::F_INT2_ACCUM => cast(pg_sys::F_INT8_INT2, argument, pg_sys::INT8OID),
                pg_sys::F_INT4_ACCUM => cast(pg_sys::F_INT8_INT4, argument, pg_sys::INT8OID),
                pg_sys::F_INT8_ACCUM => cast(pg_sys::F_NUMERIC_INT8, argument, number),
                _ => argument,
            };
            // A sum asks only whether there were values.
            let counts = !self.alone
                || !matches!(
                    self.aggregate.aggfnoid.to_u32(),
                    pg_sys::F_SUM_INT8 | pg_sys::F_SUM_NUMERIC
                );
            let count = if counts {
                cast(pg_sys::F_NUMERIC_INT8, self.count(argument), number)
            } else {
                constant(number, -1, pg_sys::Datum::from(pg_sys::int64_to_numeric(1)), false)
            };
            let square = |operator, of_type| sum_of(operation(operator, of_type, wide, wide));
            let elements = match layout {
                Layout::Interval => return Some(self.intervals(argument)),
                Layout::Collected(element) => {
                    // Receive functions take characters to be in the client's encoding, which may lack some.
                    let readable = !element.holds_characters() || client_speaks_wire();
                    return (readable && self.fits(argument)).then(|| self.whole());
                }
                Layout::Text | Layout::Bytes => return None,
                Layout::IntegerSum | Layout::NumericSum => vec![count, sum_of(wide)],
                Layout::IntegerSquares => {
                    vec![count, sum_of(wide), square(INT8_TIMES, pg_sys::INT8OID)]
                }
                Layout::NumericSquares => {
                    vec![count, sum_of(argument), square(NUMERIC_TIMES, number)]
                }
            };
            Some(array(&elements, Oid::from(layout.array_type()), number))
        }
    }

    /// `{delimiter, string}`.
    unsafe fn string(&self, layout: Layout, value: Expr, delimiter: Expr) -> Option<Expr> {
        // SAFETY: the array's elements are of the aggregate's type, as is the delimiter.
        unsafe {
            let constant = matches!(node::tag(delimiter), NodeTag::T_Const | NodeTag::T_Param);
            let known = matches!(layout, Layout::Text | Layout::Bytes);
            if !(constant && known && self.fits(value)) {
                return None;
            }
            let own = pg_sys::copyObjectImpl(delimiter.cast()).cast();
            let elements = [own, self.whole()];
            Some(array(&elements, Oid::from(layout.array_type()), self.aggregate.aggtype))
        }
    }

    /// Whether a state that collects the values is of a size that may come in one piece.
    unsafe fn fits(&self, value: Expr) -> bool {
        // SAFETY: looks at the type of a valid expression.
        let width = unsafe {
            let value = value.cast();
            pg_sys::get_typavgwidth(pg_sys::exprType(value), pg_sys::exprTypmod(value))
        };
        self.rows * f64::from(width + 8) <= LARGEST_STATE
    }

    /// The aggregation as it is.
    unsafe fn whole(&self) -> Expr {
        // SAFETY: a valid node.
        unsafe { pg_sys::copyObjectImpl((&raw const *self.aggregate).cast()).cast() }
    }

    /// `{sum, count in microseconds}`.
    unsafe fn intervals(&self, argument: Expr) -> Expr {
        // SAFETY: the argument is an interval; the constants live as long as the plan.
        unsafe {
            let of_type = pg_sys::INTERVALOID;
            let sum = self.with(pg_sys::F_SUM_INTERVAL, of_type, &[argument]);
            let count = cast(pg_sys::F_FLOAT8_INT8, self.count(argument), pg_sys::FLOAT8OID);
            let count = operation(INTERVAL_TIMES, of_type, interval(1), count);
            let sum = or_else(sum, interval(0), of_type);
            array(&[sum, count], pg_sys::INTERVALARRAYOID, of_type)
        }
    }

    /// States that are arrays themselves.
    unsafe fn array(&self, definition: &Definition, argument: Expr) -> Option<Expr> {
        // SAFETY: as in `pieces`.
        unsafe {
            let (int8, float) = (pg_sys::INT8OID, pg_sys::FLOAT8OID);
            let starts = |text| definition.initial.as_deref() == Some(text);
            match definition.transition.to_u32() {
                function @ (pg_sys::F_INT2_AVG_ACCUM | pg_sys::F_INT4_AVG_ACCUM)
                    if starts("{0,0}") =>
                {
                    let sum = match function {
                        pg_sys::F_INT2_AVG_ACCUM => pg_sys::F_SUM_INT2,
                        _ => pg_sys::F_SUM_INT4,
                    };
                    let sum = or_else(self.with(sum, int8, &[argument]), zero(int8), int8);
                    let elements = [self.count(argument), sum];
                    Some(array(&elements, pg_sys::INT8ARRAYOID, int8))
                }
                function @ (pg_sys::F_FLOAT4_ACCUM | pg_sys::F_FLOAT8_ACCUM)
                    if starts("{0,0,0}") =>
                {
                    let x = match function {
                        pg_sys::F_FLOAT4_ACCUM => cast(pg_sys::F_FLOAT8_FLOAT4, argument, float),
                        _ => argument,
                    };
                    let count = cast(pg_sys::F_FLOAT8_INT8, self.count(argument), float);
                    let averages = matches!(
                        self.aggregate.aggfnoid.to_u32(),
                        pg_sys::F_AVG_FLOAT4 | pg_sys::F_AVG_FLOAT8
                    );
                    let squares = if self.alone && averages {
                        // Must be NaN where a value is not finite.
                        let sum = self.with(pg_sys::F_SUM_FLOAT8, float, &[x]);
                        operation(FLOAT8_TIMES, float, sum, zero(float))
                    } else {
                        self.with(pg_sys::F_REGR_SXX, float, &[x, x])
                    };
                    let squares = or_else(squares, zero(float), float);
                    let elements = [count, self.float_sum(x, ptr::null_mut()), squares];
                    Some(array(&elements, pg_sys::FLOAT8ARRAYOID, float))
                }
                INTERVAL_ACCUM if definition.state_type == pg_sys::INTERVALARRAYOID => {
                    Some(self.intervals(argument))
                }
                _ => None,
            }
        }
    }

    /// States of aggregates of pairs of float8.
    unsafe fn regression(&self, definition: &Definition, y: Expr, x: Expr) -> Option<Expr> {
        // SAFETY: as in `pieces`; both arguments are float8.
        unsafe {
            if definition.transition.to_u32() != pg_sys::F_FLOAT8_REGR_ACCUM
                || definition.initial.as_deref() != Some("{0,0,0,0,0,0}")
            {
                return None;
            }
            let float = pg_sys::FLOAT8OID;
            let of = |function| or_else(self.with(function, float, &[y, x]), zero(float), float);
            let count = self.with(pg_sys::F_REGR_COUNT, pg_sys::INT8OID, &[y, x]);
            let elements = [
                cast(pg_sys::F_FLOAT8_INT8, count, float),
                // Pairs count only when both are there.
                self.float_sum(x, y),
                of(pg_sys::F_REGR_SXX),
                self.float_sum(y, x),
                of(pg_sys::F_REGR_SYY),
                of(pg_sys::F_REGR_SXY),
            ];
            Some(array(&elements, pg_sys::FLOAT8ARRAYOID, float))
        }
    }

    /// `COALESCE(sum(x) + 0, 0)` of rows where `other`, if there is one, is not NULL. The state starts from 0, which
    /// makes 0 of -0.
    unsafe fn float_sum(&self, x: Expr, other: Expr) -> Expr {
        // SAFETY: as in `pieces`.
        unsafe {
            let float = pg_sys::FLOAT8OID;
            let sum = self.with(pg_sys::F_SUM_FLOAT8, float, &[x]);
            if !other.is_null() {
                let sum = sum.cast::<pg_sys::Aggref>();
                let test = node::make::<pg_sys::NullTest>();
                (*test).arg = other;
                (*test).nulltesttype = pg_sys::NullTestType::IS_NOT_NULL;
                (*test).location = -1;
                (*sum).aggfilter = if (*sum).aggfilter.is_null() {
                    test.cast()
                } else {
                    let both = node::make_list([(*sum).aggfilter, test.cast()]);
                    pg_sys::makeBoolExpr(pg_sys::BoolExprType::AND_EXPR, both, -1)
                };
            }
            let sum = operation(FLOAT8_PLUS, float, sum, zero(float));
            or_else(sum, zero(float), float)
        }
    }

    unsafe fn count(&self, argument: Expr) -> Expr {
        // SAFETY: count("any") takes any argument.
        unsafe { self.with(pg_sys::F_COUNT_ANY, pg_sys::INT8OID, &[argument]) }
    }

    /// The same aggregation (its FILTER, that is) by another function, of other arguments.
    unsafe fn with(&self, function: u32, result: Oid, arguments: &[Expr]) -> Expr {
        // SAFETY: a copy of a valid node; arguments are of the types that the function takes.
        unsafe {
            let copy = pg_sys::copyObjectImpl((&raw const *self.aggregate).cast())
                .cast::<pg_sys::Aggref>();
            (*copy).aggfnoid = Oid::from(function);
            (*copy).aggtype = result;
            (*copy).inputcollid = pg_sys::InvalidOid;
            (*copy).args = ptr::null_mut();
            (*copy).aggargtypes = ptr::null_mut();
            for (i, &argument) in arguments.iter().enumerate() {
                let own = pg_sys::copyObjectImpl(argument.cast()).cast::<pg_sys::Expr>();
                let entry = pg_sys::makeTargetEntry(own, i as i16 + 1, ptr::null_mut(), false);
                (*copy).args = pg_sys::lappend((*copy).args, entry.cast());
                let of_type = pg_sys::exprType(argument.cast());
                (*copy).aggargtypes = pg_sys::lappend_oid((*copy).aggargtypes, of_type);
            }
            copy.cast()
        }
    }
}

/// `argument::result`.
unsafe fn cast(function: u32, argument: Expr, result: Oid) -> Expr {
    // SAFETY: a call of a built-in cast function.
    unsafe {
        pg_sys::makeFuncExpr(
            Oid::from(function),
            result,
            node::make_list([argument]),
            pg_sys::InvalidOid,
            pg_sys::InvalidOid,
            pg_sys::CoercionForm::COERCE_EXPLICIT_CAST,
        )
        .cast()
    }
}

unsafe fn operation(operator: u32, result: Oid, left: Expr, right: Expr) -> Expr {
    // SAFETY: a built-in operator of the operands' types, without collation.
    unsafe {
        let none = pg_sys::InvalidOid;
        let operation =
            pg_sys::make_opclause(Oid::from(operator), result, false, left, right, none, none);
        pg_sys::set_opfuncid(operation.cast());
        operation
    }
}

/// `COALESCE(value, other)`.
unsafe fn or_else(value: Expr, other: Expr, of_type: Oid) -> Expr {
    // SAFETY: a zeroed node of the right size with its tag set.
    unsafe {
        let coalesce = node::make::<pg_sys::CoalesceExpr>();
        (*coalesce).coalescetype = of_type;
        (*coalesce).args = node::make_list([value, other]);
        (*coalesce).location = -1;
        coalesce.cast()
    }
}

/// 0 of int8 or float8.
unsafe fn zero(of_type: Oid) -> Expr {
    // SAFETY: both types are eight bytes, and zero is 0 in both.
    unsafe { constant(of_type, 8, pg_sys::Datum::from(0), true) }
}

/// An interval of so many microseconds.
unsafe fn interval(microseconds: i64) -> Expr {
    // SAFETY: the value is allocated where the plan is.
    unsafe {
        let size = size_of::<pg_sys::Interval>();
        let value = pg_sys::palloc0(size).cast::<pg_sys::Interval>();
        (*value).time = microseconds;
        constant(pg_sys::INTERVALOID, size as i32, pg_sys::Datum::from(value), false)
    }
}

unsafe fn constant(of_type: Oid, size: i32, value: pg_sys::Datum, by_value: bool) -> Expr {
    // SAFETY: as the caller vouches for the value.
    unsafe {
        pg_sys::makeConst(of_type, -1, pg_sys::InvalidOid, size, value, false, by_value).cast()
    }
}

unsafe fn array(elements: &[Expr], array_type: Oid, element_type: Oid) -> Expr {
    // SAFETY: as in `or_else`.
    unsafe {
        let array = node::make::<pg_sys::ArrayExpr>();
        (*array).array_typeid = array_type;
        (*array).element_typeid = element_type;
        (*array).elements = node::make_list(elements.iter().copied());
        (*array).location = -1;
        array.cast()
    }
}

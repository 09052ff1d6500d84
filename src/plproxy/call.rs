//! A call of a function, from PostgreSQL's arguments to its result.

use super::cache;
use super::cluster::{self, Cluster};
use super::codec::Codec;
use super::compile;
use super::execute::{self, Call};
use super::fault::Fault;
use super::function::{Function, Name, Place, Remote, Returns, Shape};
use super::local;
use super::login;
use super::output::Output;
use super::route::{self, Values};
use super::rowwise;
use crate::error::Failure;
use pgrx::pg_sys::{self, Datum, FunctionCallInfo, Oid};
use std::rc::Rc;

/// Runs the function that `info` calls.
///
/// # Safety
/// `info` is PostgreSQL's, for a function of this language.
pub unsafe fn call(info: FunctionCallInfo) -> Result<Datum, Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        if rowwise::goes_on(info) {
            return Ok(rowwise::next(info));
        }
        let function = cache::get((*(*info).flinfo).fn_oid)?;
        let arguments = arguments(&function, info);
        let record = match function.returns {
            Returns::Record => Some(record(&function, info)?),
            _ => None,
        };
        let cluster = place(&function, &arguments)?;
        cluster.check_free(&function.label)?;
        let user = login::user_of(&cluster);
        login::check_usage(&cluster, user)?;
        let mut output = Output::new(&function, record.as_ref(), info)?;
        let tasks = route::tasks(&function, &cluster, &arguments)?;
        if !tasks.is_empty() {
            let own;
            let remote = match (&function.remote, &record) {
                (Some(remote), _) => remote,
                (None, Some(shape)) => {
                    own = of_record(&function, shape);
                    &own
                }
                (None, None) => return function.label.err(Fault::UnsupportedType),
            };
            let call = Call {
                function: &function,
                cluster: &cluster,
                user,
                arguments: &arguments,
                remote,
            };
            let mut codec = codec(&call, &output)?;
            execute::run(&call, tasks, &mut codec, &mut output)?;
            if record.is_none() {
                function.codec.replace(Some(codec));
            }
        }
        output.finish()
    }
}

/// The function's codec, or a new one: another call may be using it, or the last one ended in an error.
fn codec(call: &Call<'_>, output: &Output<'_>) -> Result<Codec, Failure> {
    let text_only = call.cluster.config.disable_binary;
    if !matches!(call.function.returns, Returns::Record)
        && let Some(codec) = call.function.codec.take()
        && codec.suits(text_only)
    {
        return Ok(codec);
    }
    Codec::new(call.remote, &call.function.arguments, output.kind, text_only)
}

unsafe fn arguments(function: &Function, info: FunctionCallInfo) -> Values {
    // SAFETY: a call has as many arguments as the function.
    unsafe {
        let count = function.arguments.len().min((*info).nargs.max(0) as usize);
        let passed = (*info).args.as_slice(count);
        passed.iter().map(|argument| (!argument.isnull).then_some(argument.value)).collect()
    }
}

/// The shape of this very call's record (`AS t(a int, ...)`).
unsafe fn record(function: &Function, info: FunctionCallInfo) -> Result<Shape, Failure> {
    // SAFETY: the descriptor is made in the call's memory.
    unsafe {
        let (mut kind, mut descriptor) = (Oid::INVALID, std::ptr::null_mut());
        let class = pg_sys::get_call_result_type(info, &raw mut kind, &raw mut descriptor);
        if class != pg_sys::TypeFuncClass::TYPEFUNC_COMPOSITE || descriptor.is_null() {
            return function.label.err(Fault::UnsupportedType);
        }
        compile::record_shape(&function.label, pg_sys::BlessTupleDesc(descriptor))
    }
}

fn of_record(function: &Function, shape: &Shape) -> Remote {
    compile::call_of(&function.target, &function.arguments, Some(&shape.columns), true)
}

/// The cluster of a call.
fn place(function: &Function, arguments: &Values) -> Result<Rc<Cluster>, Failure> {
    let label = &function.label;
    match &function.place {
        Place::Cluster(source) => cluster::by_name(label, &name(function, source, arguments)?),
        Place::Connect(source) => cluster::by_string(label, &name(function, source, arguments)?),
    }
}

fn name(function: &Function, source: &Name, arguments: &Values) -> Result<String, Failure> {
    let label = &function.label;
    let found = match source {
        Name::Literal(text) => return Ok(text.clone()),
        Name::Argument(argument) => {
            let type_oid = function.arguments[*argument].kind.oid;
            // SAFETY: the argument is of its declared type.
            arguments[*argument].map(|value| unsafe { local::to_text(type_oid, value) })
        }
        Name::Query(query) => {
            let first = |cells: &[local::Cellular]| Ok(cells.first().and_then(|cell| cell.text()));
            let mut rows = query.run(arguments, true, 1, first)?;
            if rows.len() != 1 {
                return label.err(Fault::NameCount(rows.len()));
            }
            rows.pop().flatten()
        }
    };
    found.ok_or_else(|| label.fault(Fault::NameNull))
}

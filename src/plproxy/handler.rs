//! The functions that PostgreSQL calls: the language's call handler and validator, and the validator of the
//! foreign-data wrapper. Declared in sql/language.sql.

use super::call;
use super::compile::{self, Depth};
use super::config::{self, Owner};
use crate::error::{Failure, SqlState};
use crate::pg::guard::entry;
use crate::pg::text;
use pgrx::pg_sys::{self, Datum, FunctionCallInfo, Oid};

macro_rules! export {
    ($info:ident, $name:ident, $body:path) => {
        /// Tells PostgreSQL how the function is to be called.
        #[unsafe(no_mangle)]
        pub extern "C-unwind" fn $info() -> &'static pg_sys::Pg_finfo_record {
            static RECORD: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
            &RECORD
        }

        /// # Safety
        /// Called by PostgreSQL's function manager.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $name(fcinfo: FunctionCallInfo) -> Datum {
            // SAFETY: the frame owns nothing; fcinfo is PostgreSQL's.
            unsafe { entry(|| $body(fcinfo)) }
        }
    };
}

export!(pg_finfo_shard_fdw_plproxy_call_handler, shard_fdw_plproxy_call_handler, handle);
export!(pg_finfo_shard_fdw_plproxy_validator, shard_fdw_plproxy_validator, validate);
export!(
    pg_finfo_shard_fdw_plproxy_fdw_validator,
    shard_fdw_plproxy_fdw_validator,
    validate_options
);

unsafe fn handle(fcinfo: FunctionCallInfo) -> Result<Datum, Failure> {
    // SAFETY: PostgreSQL's call; a context is a node.
    unsafe {
        let context = (*fcinfo).context;
        if !context.is_null() {
            let tag = (*context).type_;
            if matches!(tag, pg_sys::NodeTag::T_TriggerData | pg_sys::NodeTag::T_EventTriggerData) {
                return Err(Failure::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "PL/Proxy functions cannot be used as triggers",
                ));
            }
        }
        call::call(fcinfo)
    }
}

unsafe fn validate(fcinfo: FunctionCallInfo) -> Result<Datum, Failure> {
    // SAFETY: one argument of type oid. Whether the caller may look at the function is checked as every
    // validator does.
    unsafe {
        let function = argument(fcinfo, 0);
        let function = Oid::from(function.value() as u32);
        if pg_sys::CheckFunctionValidatorAccess((*(*fcinfo).flinfo).fn_oid, function) {
            compile::compile(function, Depth::Validate)?;
        }
    }
    Ok(Datum::null())
}

unsafe fn validate_options(fcinfo: FunctionCallInfo) -> Result<Datum, Failure> {
    // SAFETY: arguments of types text[] and oid; CREATE and ALTER pass an empty array for no options.
    unsafe {
        if (0..2).any(|n| (*fcinfo).args.as_slice(2)[n].isnull) {
            return Err(Failure::new(
                SqlState::INVALID_PARAMETER_VALUE,
                "options must not be null",
            ));
        }
        let options = options(argument(fcinfo, 0))?;
        let owner = match argument(fcinfo, 1).value() as u32 {
            n if n == pg_sys::ForeignServerRelationId.to_u32() => Owner::Server,
            n if n == pg_sys::ForeignDataWrapperRelationId.to_u32() => Owner::Wrapper,
            n if n == pg_sys::UserMappingRelationId.to_u32() => Owner::Mapping,
            _ => Owner::Other,
        };
        config::validate(&options, owner)?;
    }
    Ok(Datum::from(true))
}

unsafe fn argument(fcinfo: FunctionCallInfo, n: usize) -> Datum {
    // SAFETY: the caller knows how many arguments there are.
    unsafe { (*fcinfo).args.as_slice(n + 1)[n].value }
}

/// The elements of an options array: name and, behind `=`, value.
unsafe fn options(array: Datum) -> Result<Vec<(String, Option<String>)>, Failure> {
    // SAFETY: a text[]; the elements are palloc'd in the caller's short-lived context.
    unsafe {
        let array = pg_sys::pg_detoast_datum(array.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
        let mut elements: *mut Datum = std::ptr::null_mut();
        let mut nulls: *mut bool = std::ptr::null_mut();
        let mut count = 0;
        pg_sys::deconstruct_array(
            array,
            pg_sys::TEXTOID,
            -1,
            false,
            pg_sys::TYPALIGN_INT as i8,
            &raw mut elements,
            &raw mut nulls,
            &raw mut count,
        );
        let mut out = Vec::with_capacity(count as usize);
        for n in 0..count as usize {
            if *nulls.add(n) {
                return Err(Failure::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    "options must not be null",
                ));
            }
            let datum = *elements.add(n);
            let option = text::take_from_server(pg_sys::text_to_cstring(datum.cast_mut_ptr()));
            out.push(match option.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (option, None),
            });
        }
        Ok(out)
    }
}

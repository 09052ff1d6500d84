//! The extension's configuration parameters (`shard_fdw.*`).

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};
use std::ffi::CString;

/// `shard_fdw.application_name`.
static APPLICATION_NAME: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// Defines the parameters; called once from `_PG_init`.
pub fn init() {
    GucRegistry::define_string_guc(
        c"shard_fdw.application_name",
        c"Sets the application name to be used on the remote server.",
        c"Escapes: %a application name, %C cluster name, %c session ID, %d database, %u user, %p process ID.",
        &APPLICATION_NAME,
        GucContext::Userset,
        GucFlags::default(),
    );
    // SAFETY: the name is a static C string.
    #[allow(unsafe_code)]
    unsafe {
        pgrx::pg_sys::MarkGUCPrefixReserved(c"shard_fdw".as_ptr());
    }
}

/// `shard_fdw.application_name`, in the server's encoding; `None` when it is unset or empty.
pub fn application_name() -> Option<CString> {
    APPLICATION_NAME.get().filter(|name| !name.is_empty())
}

//! Memory contexts: switching that survives unwinding, contexts that Rust owns, and Rust objects that a
//! context owns.

use pgrx::pg_sys;
use std::ffi::c_void;

/// Switches to a memory context and back when dropped, also when unwinding.
pub struct ContextGuard {
    previous: pg_sys::MemoryContext,
}

impl ContextGuard {
    /// Makes `context` the current one.
    ///
    /// # Safety
    /// `context` is alive and stays so until the guard is dropped.
    pub unsafe fn switch_to(context: pg_sys::MemoryContext) -> ContextGuard {
        // SAFETY: the global is only touched by this thread.
        unsafe {
            let previous = pg_sys::CurrentMemoryContext;
            pg_sys::CurrentMemoryContext = context;
            ContextGuard { previous }
        }
    }
}

impl Drop for ContextGuard {
    fn drop(&mut self) {
        // SAFETY: the previous context was current when the guard was made, so it outlives the guard's scope.
        unsafe { pg_sys::CurrentMemoryContext = self.previous }
    }
}

/// A new AllocSet context below `parent`, deleted with it.
///
/// # Safety
/// `parent` is a live memory context.
pub unsafe fn create_child(
    parent: pg_sys::MemoryContext,
    name: &'static std::ffi::CStr,
) -> pg_sys::MemoryContext {
    // SAFETY: the name is static, as AllocSetContextCreate asks; the sizes are ALLOCSET_DEFAULT_SIZES.
    unsafe {
        pg_sys::AllocSetContextCreateInternal(
            parent,
            name.as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        )
    }
}

/// Gives `value` to `context`: it is dropped when the context is reset or deleted, so an ERROR frees it too.
/// Its `Drop` must not call PostgreSQL functions that can raise, must not panic and must not wait.
///
/// # Safety
/// `context` is a live memory context; the pointer dies with it.
pub unsafe fn give<T>(context: pg_sys::MemoryContext, value: T) -> *mut T {
    unsafe extern "C-unwind" fn drop_it<T>(arg: *mut c_void) {
        // SAFETY: `arg` came from Box::into_raw below and the callback fires once.
        drop(unsafe { Box::from_raw(arg.cast::<T>()) });
    }
    // SAFETY: the callback struct lives in the context itself, which is what MemoryContextRegisterResetCallback
    // documents.
    unsafe {
        let callback =
            pg_sys::MemoryContextAllocZero(context, size_of::<pg_sys::MemoryContextCallback>())
                .cast::<pg_sys::MemoryContextCallback>();
        let raw = Box::into_raw(Box::new(value));
        (*callback).func = Some(drop_it::<T>);
        (*callback).arg = raw.cast();
        pg_sys::MemoryContextRegisterResetCallback(context, callback);
        raw
    }
}

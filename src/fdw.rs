//! The foreign data wrapper's handler: the FdwRoutine and its trampolines, nothing else.

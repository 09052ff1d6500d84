//! The fence: everything that touches PostgreSQL's C side in ways the compiler cannot check.
//!
//! Rules of the fence:
//! - A callback is an `extern "C-unwind"` function whose whole body is [`guard::entry`]; nothing that owns
//!   memory lives in its frame.
//! - PostgreSQL functions are called through pgrx's bindings, which turn an ERROR into a panic, so destructors
//!   run. The exceptions are declared in [`ffi::raw`] and say why.
//! - A `Drop` never calls a PostgreSQL function that can raise: during unwinding that would abort the backend.
//! - All differences between PostgreSQL versions are in [`compat`].

pub mod aggregate;
pub mod aggregate_collected;
pub mod aggregate_state;
pub mod array;
pub mod attempt;
pub mod calibration;
pub mod catalog;
pub mod client;
pub mod compat;
pub mod copy;
pub mod exec_node;
pub mod executor;
pub mod explain;
pub mod expr;
pub mod fd;
pub mod ffi;
pub mod functions;
pub mod guard;
pub mod hooks;
pub mod invalidate;
pub mod lock;
pub mod memory;
pub mod node;
pub mod order;
pub mod partition;
pub mod random;
pub mod relation;
pub mod spi;
pub mod text;
pub mod transmission;
pub mod typeio;
pub mod utility;
pub mod wait;
pub mod worker;
pub mod xact;

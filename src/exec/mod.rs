//! Execution callbacks of the foreign data wrapper.

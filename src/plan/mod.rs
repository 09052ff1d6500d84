//! Planning callbacks of the foreign data wrapper.

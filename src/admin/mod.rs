//! SQL functions and views for people.

#[allow(unsafe_code)]
mod connections;
mod transactions;

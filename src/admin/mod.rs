//! SQL functions and views for people.

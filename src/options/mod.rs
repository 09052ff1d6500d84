//! Options of servers, tables, columns and user mappings: which there are, what they mean, what is set.

//! Which connection: the cache of sessions per backend and user mapping, log-in rules, invalidation.

//! Planner trees to remote SQL, and what of them may be sent at all.

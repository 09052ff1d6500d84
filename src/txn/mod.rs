//! Remote transactions: they follow the local one, and end as it ends.

-- The same as pruning.sql, with parents planned as one foreign table: "asked" then counts placements.
\set sharded on
\i sql/pruning.sql

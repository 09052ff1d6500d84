\set ECHO none
-- Plans as PostgreSQL 15 makes them too: without what later versions do besides. Also after reconnecting.
CREATE TEMP VIEW newer_plans AS SELECT name FROM pg_settings
  WHERE name IN ('enable_presorted_aggregate', 'enable_group_by_reordering',
                 'enable_distinct_reordering', 'enable_self_join_elimination');
SELECT format('SET %I = off', name) FROM newer_plans \gexec
SELECT format('ALTER DATABASE %I SET %I = off', current_database(), name) FROM newer_plans \gexec
\set ECHO all

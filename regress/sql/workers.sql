-- A query that gives one row on a shard may use parallel workers there: they cannot be used by one that is fetched in
-- parts.
\i common/shards.sql
\set rows 'CREATE TABLE big AS SELECT i AS id, i % 5 AS g FROM generate_series(1, 10000) i; ANALYZE big; CREATE FUNCTION in_worker() RETURNS int LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT (backend_type = \'parallel worker\')::int FROM pg_stat_activity WHERE pid = pg_backend_pid() $$; CREATE VIEW v AS SELECT id, g, CASE WHEN id % 1000 = 0 THEN in_worker() ELSE 0 END AS w FROM big; SELECT format(\'ALTER DATABASE %I SET %s\', current_database(), s) FROM unnest(\'{parallel_setup_cost = 0,parallel_tuple_cost = 0,min_parallel_table_scan_size = 0,parallel_leader_participation = off,max_parallel_workers_per_gather = 2}\'::text[]) s'
\c :db0
:rows \gexec
\c :db1
:rows \gexec
\c :coord
CREATE TABLE v (id int, g int, w int);
CREATE FOREIGN TABLE v0 (CHECK (id % 2 = 0)) INHERITS (v) SERVER db0 OPTIONS (schema_name 'public', table_name 'v');
CREATE FOREIGN TABLE v1 (CHECK (id % 2 = 1)) INHERITS (v) SERVER db1 OPTIONS (schema_name 'public', table_name 'v');
SELECT count(*), sum(w) > 0 AS by_workers FROM v0;
SELECT count(*), sum(w) > 0 AS by_workers FROM v;
SELECT count(DISTINCT g), sum(w) > 0 AS by_workers FROM v0 HAVING count(*) > 7;
SELECT count(DISTINCT g) FROM v;
BEGIN;
SELECT count(*), sum(w) > 0 AS by_workers FROM v;
SELECT count(*), sum(w) > 0 AS by_workers FROM v WHERE id > 1000;
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT sum(w) > 0 AS by_workers FROM v;
COMMIT;
-- Rows that a function makes of it.
SELECT count(*), generate_series(1, 3) FROM v0;

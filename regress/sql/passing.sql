-- Rows that go from the shards to the client as they come: a message of level DEBUG2 tells. That the bytes are the same
-- for every type, format and setting is tests/passing_test.sh's.
\i common/shards.sql
\set shard 'CREATE TABLE t (id int PRIMARY KEY, g int, n numeric(8,2), v varchar(20), d date, z timestamptz); CREATE VIEW failing AS SELECT i AS id, 100 / (i - 9000) AS q FROM generate_series(1, 20000) i; CREATE VIEW slow AS SELECT i AS id, CASE WHEN i = 9000 THEN pg_sleep(60)::text ELSE \'quick\' END AS t FROM generate_series(1, 20000) i;'
\c :db0
:shard
INSERT INTO t SELECT i, i % 3, i / 4.0, 'größer ' || i, '2020-01-01'::date + i, '2020-01-01 00:00:00+00' FROM generate_series(0, 18, 2) i;
\c :db1
:shard
INSERT INTO t SELECT i, i % 3, i / 4.0, 'größer ' || i, '2020-01-01'::date + i, '2020-01-01 00:00:00+00' FROM generate_series(1, 19, 2) i;
INSERT INTO t (id) VALUES (21);
\c :coord
CREATE TABLE t (id int, g int, n numeric(8,2), v varchar(20), d date, z timestamptz);
CREATE FOREIGN TABLE t0 (CHECK (id % 2 = 0)) INHERITS (t) SERVER db0 OPTIONS (schema_name 'public', table_name 't');
CREATE FOREIGN TABLE t1 (CHECK (id % 2 = 1)) INHERITS (t) SERVER db1 OPTIONS (schema_name 'public', table_name 't');
CREATE FOREIGN TABLE narrow (id int, n numeric(8,1), v varchar(8)) SERVER db0 OPTIONS (schema_name 'public', table_name 't');
CREATE FOREIGN TABLE failing (id int, q int) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE slow (id int, t text) SERVER db0 OPTIONS (schema_name 'public');
SET datestyle = 'ISO';
SET timezone = 'UTC';
SET client_min_messages = debug2;
-- A plain table, a part of it, one shard of a sharded table; keys; conditions.
SELECT * FROM t0 WHERE id < 4;
SELECT z, v, id FROM t0 WHERE id = 6;
SELECT * FROM t WHERE id = 7;
SELECT id, v, n FROM t WHERE id = 21;
SELECT id FROM t0 ORDER BY id DESC LIMIT 2;
SELECT g, count(*), sum(n) FROM t1 GROUP BY g ORDER BY g;
SELECT id, v FROM t WHERE id IN (8, 10) AND g = 2 ORDER BY id;
-- Of several shards.
SELECT 'x' FROM t WHERE g < 0;
SELECT d FROM t WHERE g = 0 AND id < 1;
SELECT v FROM t WHERE id < 3 ORDER BY id DESC;
SET shard_fdw.enable_ordered_merge = off;
SELECT v FROM t WHERE id < 3 ORDER BY id DESC;
RESET shard_fdw.enable_ordered_merge;
-- What has to be done here: expressions, conditions, sorting, settings, types that differ.
SELECT id, upper(v) FROM t0 WHERE id = 6;
SELECT id, random() < 0 AS r FROM t0 WHERE id = 6;
SELECT id FROM t WHERE id < 4 AND random() >= 0 ORDER BY id;
SET timezone = 'Europe/Zurich';
SELECT z FROM t WHERE id = 7;
SELECT d FROM t WHERE id = 7;
SET datestyle = 'German';
SELECT d FROM t WHERE id = 7;
SELECT n FROM t WHERE id = 7;
SET client_encoding = 'LATIN1';
SELECT n FROM t WHERE id = 7;
RESET client_encoding;
RESET datestyle;
SELECT id, n FROM narrow WHERE id = 6;
SET shard_fdw.enable_result_passthrough = off;
SELECT id FROM t WHERE id = 7;
RESET shard_fdw.enable_result_passthrough;
-- Not the client's own statement, or not all of it at once.
PREPARE p(int) AS SELECT id FROM t WHERE id = $1;
EXECUTE p(7);
CREATE TEMP TABLE got AS SELECT id FROM t WHERE id = 7;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM t WHERE id = 7;
FETCH ALL FROM c;
COMMIT;
DO $$ BEGIN PERFORM id FROM t WHERE id = 7; END $$;
SELECT plan_of('SELECT id FROM t WHERE id = 7', 'ANALYZE, COSTS OFF');
-- A whole result, with its command tag; one that fails, and one that is cancelled, in the middle.
RESET client_min_messages;
\set QUIET off
SELECT id FROM t \g /dev/null
\set QUIET on
\echo :ROW_COUNT
SELECT * FROM failing \g /dev/null
SET statement_timeout = '500ms';
SELECT * FROM slow \g /dev/null
RESET statement_timeout;
SELECT count(*) FROM t;
SELECT id FROM failing WHERE id = 5;
-- What a shard's session writes differently since something there has changed its settings: found out in time.
\c :db0
CREATE TABLE bin (id int, b bytea, z timestamptz);
INSERT INTO bin SELECT i, '\x00ff', '2020-01-01 00:00:00+00' FROM generate_series(1, 300) i;
CREATE VIEW escaping AS SELECT id, b FROM (SELECT id, b, set_config('bytea_output', 'escape', false) s FROM bin OFFSET 0) x WHERE s <> '';
CREATE VIEW escaping_later AS SELECT id, b FROM (SELECT id, b, CASE WHEN id = 150 THEN set_config('bytea_output', 'escape', false) ELSE 'x' END s FROM bin ORDER BY id OFFSET 0) x WHERE s <> '';
CREATE VIEW moving AS SELECT id, z FROM (SELECT id, z, CASE WHEN id = 150 THEN set_config('TimeZone', 'Asia/Tokyo', false) ELSE 'x' END s FROM bin ORDER BY id OFFSET 0) x WHERE s <> '';
\c :coord
CREATE FOREIGN TABLE bin (id int, b bytea, z timestamptz) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE escaping (id int, b bytea) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE escaping_later (id int, b bytea) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE moving (id int, z timestamptz) SERVER db0 OPTIONS (schema_name 'public');
SET datestyle = 'ISO';
SET timezone = 'UTC';
SET client_min_messages = debug2;
SELECT id, b FROM bin WHERE id = 1;
SELECT id, b FROM escaping WHERE id < 3;
SELECT id, b FROM bin WHERE id = 2;
RESET client_min_messages;
SELECT id, z FROM moving WHERE id IN (149, 151);
\o /dev/null
SELECT shard_fdw_disconnect('db0');
SELECT id, b FROM escaping_later;
SELECT shard_fdw_disconnect('db0');
SET shard_fdw.enable_result_passthrough = off;
SELECT id, b FROM escaping_later;
\o

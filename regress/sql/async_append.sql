-- Scans under an Append run at the same time.
\i common/shards.sql
\c :db0
CREATE TABLE a (id int PRIMARY KEY, g int, v text);
INSERT INTO a SELECT i, i % 10, 'a' || i FROM generate_series(1, 3000) i;
CREATE TABLE b (id int PRIMARY KEY, g int, v text);
INSERT INTO b SELECT i, i % 10, 'b' || i FROM generate_series(3001, 5000) i;
\c :db1
CREATE TABLE c (id int PRIMARY KEY, g int, v text);
INSERT INTO c SELECT i, i % 10, 'c' || i FROM generate_series(5001, 7000) i;
CREATE VIEW slow AS SELECT i AS id, i AS g, 'slow'::text AS v FROM generate_series(1, 3) i, LATERAL (SELECT pg_sleep(0.4 + i * 0)) s;
-- Rows that come when the other database is at work on the same, and an error when it is not.
CREATE FUNCTION meet(other text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(77);
  FOR i IN 1..2000 LOOP
    IF EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
               WHERE l.locktype = 'advisory' AND l.objid = 77 AND l.granted AND d.datname = other) THEN
      RETURN 1;
    END IF;
    PERFORM pg_sleep(0.01);
  END LOOP;
  RAISE '% is alone', current_database();
END $$;
CREATE VIEW meeting AS SELECT i AS id, i AS g, 'met'::text AS v FROM (SELECT meet('db3') AS one OFFSET 0) m, generate_series(one, 3) i;
\c :db2
CREATE TABLE d (id int PRIMARY KEY, g int, v text);
CREATE VIEW slow AS SELECT i AS id, i AS g, 'slow'::text AS v FROM generate_series(1, 3) i, LATERAL (SELECT pg_sleep(0.4 + i * 0)) s;
\c :db3
CREATE FUNCTION meet(other text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(77);
  FOR i IN 1..2000 LOOP
    IF EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
               WHERE l.locktype = 'advisory' AND l.objid = 77 AND l.granted AND d.datname = other) THEN
      RETURN 1;
    END IF;
    PERFORM pg_sleep(0.01);
  END LOOP;
  RAISE '% is alone', current_database();
END $$;
CREATE VIEW meeting AS SELECT i AS id, i AS g, 'met'::text AS v FROM (SELECT meet('db1') AS one OFFSET 0) m, generate_series(one, 3) i;
CREATE VIEW broken AS SELECT i AS id, 10 / (50 - i) AS g, 'x'::text AS v FROM generate_series(1, 100) i;
\c :coord
CREATE TABLE p (id int, g int, v text) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE a PARTITION OF p FOR VALUES FROM (1) TO (3001) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE b PARTITION OF p FOR VALUES FROM (3001) TO (5001) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE c PARTITION OF p FOR VALUES FROM (5001) TO (7001) SERVER db1 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE d PARTITION OF p FOR VALUES FROM (7001) TO (8001) SERVER db2 OPTIONS (schema_name 'public');
CREATE TABLE here PARTITION OF p FOR VALUES FROM (8001) TO (9001);
INSERT INTO here SELECT i, i % 10, 'h' || i FROM generate_series(8001, 8500) i;
CREATE TABLE twin AS SELECT i AS id, i % 10 AS g,
    CASE WHEN i <= 3000 THEN 'a' WHEN i <= 5000 THEN 'b' WHEN i <= 7000 THEN 'c' ELSE 'h' END || i AS v
  FROM generate_series(1, 8500) i WHERE i NOT BETWEEN 7001 AND 8000;
ANALYZE twin;
CREATE FUNCTION plus(int) RETURNS int LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN $1 + 1; END';

EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM p;
SELECT same_rows('SELECT * FROM p', 'SELECT * FROM twin');
SELECT same_rows('SELECT * FROM p WHERE plus(g) > 7', 'SELECT * FROM twin WHERE plus(g) > 7');
SELECT same_rows('SELECT plus(id), v FROM p', 'SELECT plus(id), v FROM twin');
SELECT same_rows('SELECT tableoid::regclass, id FROM p WHERE id % 1000 = 1',
  $$SELECT CASE left(v, 1) WHEN 'h' THEN 'here' ELSE left(v, 1) END::regclass, id FROM twin WHERE id % 1000 = 1$$);
-- Foreign partitions only: Append has nothing else to do and waits.
SELECT same_rows('SELECT * FROM p WHERE id < 7500', 'SELECT * FROM twin WHERE id < 7500');
-- Batches of a few rows.
ALTER FOREIGN TABLE a OPTIONS (ADD fetch_size '3');
ALTER FOREIGN TABLE c OPTIONS (ADD fetch_size '40');
SELECT same_rows('SELECT * FROM p', 'SELECT * FROM twin');
SELECT count(*), sum(id) FROM p WHERE id < 7500;
ALTER FOREIGN TABLE a OPTIONS (DROP fetch_size);
ALTER FOREIGN TABLE c OPTIONS (DROP fetch_size);

-- They do run at the same time.
CREATE FOREIGN TABLE slow1 (id int, g int, v text) SERVER db1 OPTIONS (schema_name 'public', table_name 'slow');
CREATE FOREIGN TABLE slow2 (id int, g int, v text) SERVER db2 OPTIONS (schema_name 'public', table_name 'slow');
CREATE FOREIGN TABLE meeting1 (id int, g int, v text) SERVER db1 OPTIONS (schema_name 'public', table_name 'meeting');
CREATE FOREIGN TABLE meeting2 (id int, g int, v text) SERVER db3 OPTIONS (schema_name 'public', table_name 'meeting');
EXPLAIN (COSTS OFF) SELECT * FROM meeting1 UNION ALL SELECT * FROM meeting2;
SELECT count(*) FROM (SELECT * FROM meeting1 UNION ALL SELECT * FROM meeting2) x;
-- Rows here are read meanwhile.
SELECT count(*) FROM (SELECT * FROM meeting1 UNION ALL SELECT * FROM here UNION ALL SELECT * FROM meeting2) x;

-- Several Appends, also on the same connections; and scans outside of them.
SELECT same_rows('SELECT x.id, y.v FROM p x JOIN p y ON x.id = y.id + 5000', 'SELECT x.id, y.v FROM twin x JOIN twin y ON x.id = y.id + 5000');
SELECT same_rows('SELECT * FROM (SELECT id, g FROM p WHERE g = 1 UNION ALL SELECT g, id FROM p WHERE g = 2 UNION ALL SELECT 1, 2) x JOIN a ON a.id = x.id',
  'SELECT * FROM (SELECT id, g FROM twin WHERE g = 1 UNION ALL SELECT g, id FROM twin WHERE g = 2 UNION ALL SELECT 1, 2) x JOIN a ON a.id = x.id');
SELECT same_rows('SELECT g, (SELECT count(*) FROM p WHERE p.g = twin.g AND plus(p.id) > 0) FROM twin WHERE id < 15',
  'SELECT g, (SELECT count(*) FROM twin t WHERE t.g = twin.g) FROM twin WHERE id < 15');
-- Conditions that ask the same server while rows are read.
CREATE FUNCTION look(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT g = $1 % 10 FROM a WHERE a.id = $1 % 3000 + 1 OR a.id = -1) IS NOT NULL; END';
SELECT count(*) FROM p WHERE id % 700 = 3 AND look(id);
-- Groups and joins by partition.
SET enable_partitionwise_aggregate = on;
EXPLAIN (COSTS OFF) SELECT id, count(*) FROM p WHERE id < 7001 GROUP BY id HAVING plus(id) > 0;
SELECT same_rows('SELECT id, count(*) FROM p GROUP BY id', 'SELECT id, count(*) FROM twin GROUP BY id');
RESET enable_partitionwise_aggregate;
SET enable_partitionwise_join = on;
SELECT same_rows('SELECT x.v, y.g FROM p x JOIN p y USING (id) WHERE x.g < 3', 'SELECT x.v, y.g FROM twin x JOIN twin y USING (id) WHERE x.g < 3');
RESET enable_partitionwise_join;

-- A LIMIT above ends early, with rows under way; then the connections are used for other things.
SELECT count(*) FROM (SELECT * FROM p LIMIT 10) x;
SELECT count(*) FROM (SELECT * FROM p WHERE id < 7000 LIMIT 2500) x;
SELECT count(*) FROM a;
-- Rescans, with and without new parameters.
EXPLAIN (COSTS OFF) SELECT n, x.* FROM generate_series(1, 4) n, LATERAL (SELECT count(*), min(id), max(id) FROM p WHERE g = n) x;
SELECT n, x.* FROM generate_series(1, 4) n, LATERAL (SELECT count(*), min(id), max(id) FROM p WHERE g = n) x;
SELECT n, x.* FROM generate_series(1, 3) n, LATERAL (SELECT min(id) AS id FROM p WHERE g = n AND id > 4000) y, LATERAL (SELECT count(*) FROM p WHERE id > y.id AND g = n OR id = 1) x;
SET enable_material = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
SELECT same_rows('SELECT t.id, p.id FROM twin t, p WHERE t.id < 4 AND p.id < t.id + 5 AND plus(p.id) > 0', 'SELECT t.id, p.id FROM twin t, twin p WHERE t.id < 4 AND p.id < t.id + 5');
SELECT same_rows('SELECT t.id, p.id FROM twin t, p WHERE t.id < 4 AND plus(p.id) > 6990', 'SELECT t.id, p.id FROM twin t, twin p WHERE t.id < 4 AND plus(p.id) > 6990');
RESET enable_material; RESET enable_hashjoin; RESET enable_mergejoin;

-- Partitions are pruned at run time.
SET plan_cache_mode = force_generic_plan;
PREPARE few (int, int) AS SELECT count(*), min(id) FROM p WHERE id BETWEEN $1 AND $2;
SELECT plan_of('EXECUTE few (2990, 3010)', 'ANALYZE, COSTS OFF');
EXECUTE few (2990, 3010); EXECUTE few (2990, 5010); EXECUTE few (1, 9000); EXECUTE few (7500, 7600);
EXECUTE few (8001, 8002); EXECUTE few (8400, 8400); EXECUTE few (0, 0); EXECUTE few (6999, 7001);
RESET plan_cache_mode;
SELECT plan_of('SELECT n, (SELECT count(*) FROM p WHERE id = n AND plus(g) > 0) FROM generate_series(2999, 3003) n', 'ANALYZE, COSTS OFF');
SELECT plan_of('SELECT * FROM p WHERE plus(g) = 10 AND id < 7500', 'ANALYZE, COSTS OFF');

-- Cursors.
BEGIN;
DECLARE k SCROLL CURSOR FOR SELECT id FROM p WHERE id IN (5, 3005, 5005, 8005) ORDER BY id;
FETCH 2 FROM k; FETCH BACKWARD 1 FROM k; FETCH ALL FROM k; MOVE FIRST FROM k; FETCH 1 FROM k;
DECLARE j CURSOR FOR SELECT 1 FROM p WHERE id < 7500;
MOVE 100 FROM j;
SAVEPOINT s;
SELECT count(*) FROM p WHERE g = 3;
MOVE 1000 FROM j;
ROLLBACK TO s;
SELECT count(*) FROM p WHERE g = 3;
CLOSE j;
COMMIT;

-- Errors of one shard, with rows of the others under way; the session stays usable.
CREATE FOREIGN TABLE broken (id int, g int, v text) SERVER db3 OPTIONS (schema_name 'public');
SELECT expect_error('SELECT sum(plus(id)) FROM (SELECT id FROM a UNION ALL SELECT id + g FROM broken UNION ALL SELECT id FROM c) x');
SELECT count(*) FROM (SELECT id FROM a UNION ALL SELECT id FROM c UNION ALL SELECT id FROM broken WHERE id < 50) x;
BEGIN;
SELECT count(*) FROM p;
SAVEPOINT s;
SELECT sum(g) FROM (SELECT * FROM a UNION ALL SELECT * FROM broken UNION ALL SELECT * FROM c) x WHERE plus(id) > 0;
ROLLBACK TO s;
SELECT count(*) FROM p;
COMMIT;
-- A cancel while all wait.
SET statement_timeout = '300ms';
SELECT * FROM slow1 UNION ALL SELECT * FROM slow2;
RESET statement_timeout;
SELECT count(*) FROM p;
-- Servers that were restarted since (their connections are dead).
\! psql "$SHARD_DB0" -XqAtc "SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity WHERE application_name LIKE 'shard_fdw/%' AND datname = 'db0'"
SELECT pg_sleep(0.3);
SELECT count(*) FROM p;

-- Row locks and changes go in order; other tables of the statement are read at the same time.
EXPLAIN (COSTS OFF) SELECT * FROM p WHERE id < 7500 FOR UPDATE;
SELECT count(*) FROM (SELECT * FROM p WHERE g = 1 FOR UPDATE) x;
SELECT btrim(p) AS p FROM plan_of('UPDATE p SET v = v || x.n FROM (SELECT id, g AS n FROM a UNION ALL SELECT id, g + 1 FROM c) x WHERE p.id = x.id AND plus(p.g) = 3') p WHERE p ~ 'Scan' ORDER BY 1;
BEGIN;
UPDATE p SET v = p.v || x.n FROM (SELECT id, g AS n FROM a UNION ALL SELECT id, g + 1 FROM c) x WHERE p.id = x.id AND plus(p.g) = 3;
UPDATE twin SET v = twin.v || x.n FROM (SELECT id, g AS n FROM twin WHERE id <= 3000 UNION ALL SELECT id, g + 1 FROM twin WHERE id BETWEEN 5001 AND 7000) x WHERE twin.id = x.id AND plus(twin.g) = 3;
SELECT same_rows('SELECT * FROM p', 'SELECT * FROM twin');
INSERT INTO d SELECT id + 2000, g, v FROM (SELECT * FROM c UNION ALL SELECT * FROM d) x WHERE id <= 5500;
DELETE FROM p WHERE id > 7000 AND plus(g) > 5;
SELECT count(*), sum(id) FROM p;
ROLLBACK;
SELECT count(*), sum(id) FROM p;

-- Below a Merge Append all queries are sent when the first row is asked for.
EXPLAIN (COSTS OFF) SELECT * FROM meeting1 UNION ALL SELECT * FROM meeting2 ORDER BY id;
SELECT * FROM meeting1 UNION ALL SELECT * FROM meeting2 ORDER BY id;
-- In order?
CREATE FUNCTION sorted(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE last int; this int; n int := 0;
BEGIN
  FOR this IN EXECUTE query LOOP
    IF this < last THEN RETURN format('%s after %s', this, last); END IF;
    last := this; n := n + 1;
  END LOOP;
  RETURN n || ' rows in order';
END $$;
SELECT sorted('SELECT id FROM a UNION ALL SELECT id FROM c UNION ALL SELECT id - 3000 FROM b UNION ALL SELECT id FROM here ORDER BY 1');
SELECT same_rows('SELECT id FROM a UNION ALL SELECT id FROM c UNION ALL SELECT id - 3000 FROM b ORDER BY 1',
  'SELECT id FROM twin WHERE id <= 3000 OR id BETWEEN 5001 AND 7000 UNION ALL SELECT id - 3000 FROM twin WHERE id BETWEEN 3001 AND 5000');
-- One that sorts here; rescans with and without parameters; a LIMIT; pruning at run time; nothing locked early.
SET enable_sort = off;
SELECT plan_of('SELECT * FROM (SELECT g, id FROM a UNION ALL SELECT g, id FROM c WHERE plus(g) < 5) x ORDER BY g, id');
SELECT sorted('SELECT id + g * 10000 FROM (SELECT * FROM (SELECT g, id FROM a UNION ALL SELECT g, id FROM c WHERE plus(g) < 5) x ORDER BY g, id) y');
RESET enable_sort;
SELECT n, x.* FROM generate_series(1, 3) n, LATERAL (SELECT * FROM (SELECT id FROM a WHERE g = n UNION ALL SELECT id FROM c WHERE g = n) u ORDER BY id DESC LIMIT 2) x;
SELECT n, x.* FROM generate_series(1, 3) n, LATERAL (SELECT * FROM (SELECT id FROM a UNION ALL SELECT id FROM c) u ORDER BY id OFFSET 2998 + n LIMIT 2) x;
CREATE TABLE h (id int, g int, v text) PARTITION BY HASH (id);
CREATE FOREIGN TABLE h0 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 0) SERVER db1 OPTIONS (schema_name 'public', table_name 'h');
CREATE FOREIGN TABLE h1 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 1) SERVER db2 OPTIONS (schema_name 'public', table_name 'h');
\! for url in "$SHARD_DB1" "$SHARD_DB2"; do psql "$url" -Xqc "CREATE TABLE h (id int PRIMARY KEY, g int, v text)"; done
INSERT INTO h SELECT i, i % 7, 'h' || i FROM generate_series(1, 3000) i;
SET shard_fdw.enable_sharded_scan = off;
EXPLAIN (COSTS OFF) SELECT * FROM h ORDER BY id;
SELECT sorted('SELECT id FROM h ORDER BY id'), sorted('SELECT id FROM h WHERE plus(g) < 4 ORDER BY id LIMIT 700');
SET plan_cache_mode = force_generic_plan;
PREPARE one (int, int) AS SELECT id, v FROM h WHERE id IN ($1, $2) ORDER BY id LIMIT 5;
SELECT plan_of('EXECUTE one (1, 1)', 'ANALYZE, COSTS OFF');
EXECUTE one (1, 1); EXECUTE one (1, 2); EXECUTE one (3, 4); EXECUTE one (5, 6); EXECUTE one (7, 8); EXECUTE one (9, 10); EXECUTE one (0, 0);
RESET plan_cache_mode;
BEGIN;
SELECT id FROM h WHERE id < 4 ORDER BY id FOR UPDATE;
COMMIT;
SELECT expect_error('SELECT id FROM a UNION ALL SELECT id + g FROM broken UNION ALL SELECT id FROM c ORDER BY 1');
SELECT sorted('SELECT id FROM h ORDER BY id');
RESET shard_fdw.enable_sharded_scan;
SET statement_timeout = '300ms';
SELECT * FROM slow1 UNION ALL SELECT * FROM slow2 ORDER BY id;
RESET statement_timeout;

-- Merged rows are not, and what the options forbid is not.
EXPLAIN (COSTS OFF) SELECT * FROM p WHERE id < 7500 ORDER BY id;
SELECT same_rows('SELECT * FROM (SELECT id, v FROM p ORDER BY id LIMIT 5000) x', 'SELECT * FROM (SELECT id, v FROM twin ORDER BY id LIMIT 5000) x');
ALTER FOREIGN TABLE a OPTIONS (ADD async_capable 'false');
ALTER SERVER db1 OPTIONS (ADD async_capable 'off');
EXPLAIN (COSTS OFF) SELECT * FROM p WHERE id < 7500;
SELECT same_rows('SELECT * FROM p', 'SELECT * FROM twin');
ALTER SERVER db1 OPTIONS (DROP async_capable);
SET enable_async_append = off;
EXPLAIN (COSTS OFF) SELECT * FROM p WHERE id < 7500;
RESET enable_async_append;

-- Sharded tables under UNION ALL: each is one scan of many shards.
CREATE TABLE s (id int, v text) PARTITION BY LIST ((id % 2));
CREATE FOREIGN TABLE s0 PARTITION OF s FOR VALUES IN (0) SERVER db0 OPTIONS (schema_name 'public', table_name 's');
CREATE FOREIGN TABLE s1 PARTITION OF s FOR VALUES IN (1) SERVER db1 OPTIONS (schema_name 'public', table_name 's');
\! psql "$SHARD_DB0" -Xqc "CREATE TABLE s AS SELECT i AS id, 's' || i AS v FROM generate_series(2, 1000, 2) i"
\! psql "$SHARD_DB1" -Xqc "CREATE TABLE s AS SELECT i AS id, 's' || i AS v FROM generate_series(1, 1000, 2) i"
EXPLAIN (COSTS OFF) SELECT id FROM s UNION ALL SELECT id FROM s WHERE id = 7 UNION ALL SELECT id FROM a;
SELECT count(*), sum(id) FROM (SELECT id FROM s UNION ALL SELECT id FROM s WHERE id = 7 UNION ALL SELECT id FROM a) x;
SET shard_fdw.enable_sharded_scan = off;
EXPLAIN (COSTS OFF) SELECT * FROM s;
SELECT count(*), sum(id), min(v), max(v) FROM s;

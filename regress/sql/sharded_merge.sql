-- MERGE into a sharded table, which the shards execute; compared with local tables.
\i common/shards.sql
\i common/plans_of_15.sql
SET client_min_messages = warning;
\c :db0
CREATE TABLE t0 (id int PRIMARY KEY, v text, n int, CHECK (abs(mod(id, 2)) = 0)); CREATE TABLE s0 (id int, v text, n int); CREATE TABLE p0 (a text, id int PRIMARY KEY, n int);
\c :db1
CREATE TABLE t1 (id int PRIMARY KEY, v text, n int, CHECK (abs(mod(id, 2)) = 1)); CREATE TABLE s1 (id int, v text, n int); CREATE TABLE p1 (a text, id int PRIMARY KEY, n int);
\c :coord
CREATE TABLE t (id int, v text DEFAULT 'none', n int);
CREATE FOREIGN TABLE t0 (CHECK (abs(mod(id, 2)) = 0)) INHERITS (t) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE t1 (CHECK (abs(mod(id, 2)) = 1)) INHERITS (t) SERVER db1 OPTIONS (schema_name 'public');
CREATE TABLE s (id int NOT NULL, v text, n int);
CREATE FOREIGN TABLE s0 (CHECK (abs(mod(id, 2)) = 0)) INHERITS (s) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE s1 (CHECK (abs(mod(id, 2)) = 1)) INHERITS (s) SERVER db1 OPTIONS (schema_name 'public');
CREATE TABLE p (a text, id int, n int DEFAULT 7) PARTITION BY LIST (abs(mod(id, 2)));
CREATE FOREIGN TABLE p0 PARTITION OF p FOR VALUES IN (0) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE p1 PARTITION OF p FOR VALUES IN (1) SERVER db1 OPTIONS (schema_name 'public');
-- Twins of t, s and p in a schema of their own: the same statement does the same there.
CREATE SCHEMA twin;
CREATE TABLE twin.t (id int PRIMARY KEY, v text DEFAULT 'none', n int);
CREATE TABLE twin.s (id int NOT NULL, v text, n int);
CREATE TABLE twin.p (a text, id int PRIMARY KEY, n int DEFAULT 7);
-- Executes a MERGE on both, and compares tags and rows.
CREATE FUNCTION twice(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE here bigint; there bigint; differing bigint; error text;
BEGIN
  BEGIN EXECUTE sql; GET DIAGNOSTICS there = ROW_COUNT; EXCEPTION WHEN OTHERS THEN error := SQLSTATE; END;
  SET search_path = twin, pg_catalog;
  BEGIN EXECUTE sql; GET DIAGNOSTICS here = ROW_COUNT; EXCEPTION WHEN OTHERS THEN IF error IS DISTINCT FROM SQLSTATE THEN error := concat(error, ' here ', SQLSTATE); END IF; END;
  RESET search_path;
  SELECT count(*) INTO differing FROM (
    (SELECT 't', id, v, n FROM public.t UNION ALL SELECT 'p', id, a, n FROM public.p EXCEPT ALL (SELECT 't', id, v, n FROM twin.t UNION ALL SELECT 'p', id, a, n FROM twin.p))
    UNION ALL
    (SELECT 't', id, v, n FROM twin.t UNION ALL SELECT 'p', id, a, n FROM twin.p EXCEPT ALL (SELECT 't', id, v, n FROM public.t UNION ALL SELECT 'p', id, a, n FROM public.p))) d;
  RETURN concat_ws(' ', 'MERGE', there, CASE WHEN here IS DISTINCT FROM there THEN 'but here ' || here END, error, CASE WHEN differing > 0 THEN differing || ' rows differ' END);
END $$;
INSERT INTO s SELECT i, 's' || i, i % 5 FROM generate_series(1, 40) i;
INSERT INTO twin.s SELECT * FROM s;

-- One row of values.
SELECT twice($$MERGE INTO t USING (VALUES (1, 'one')) x(id, v) ON t.id = x.id WHEN MATCHED THEN UPDATE SET v = x.v WHEN NOT MATCHED THEN INSERT VALUES (x.id, x.v)$$);
SELECT twice($$MERGE INTO t USING (VALUES (1, 'uno')) x(id, v) ON t.id = x.id WHEN MATCHED THEN UPDATE SET v = x.v WHEN NOT MATCHED THEN INSERT VALUES (x.id, x.v)$$);
SELECT twice($$MERGE INTO t USING (SELECT 2 AS id) x ON t.id = x.id WHEN NOT MATCHED THEN INSERT (id) VALUES (x.id)$$);
SELECT twice($$MERGE INTO t USING (SELECT 2 AS id) x ON t.id = x.id WHEN NOT MATCHED THEN INSERT (id) VALUES (x.id) WHEN MATCHED AND t.v = 'none' THEN UPDATE SET id = x.id, n = coalesce(t.n, 0) + 1$$);
SELECT twice($$MERGE INTO t AS a USING (SELECT 2 AS id) x ON a.id = x.id AND a.n = 5 WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN DO NOTHING$$);
SELECT twice($$MERGE INTO t USING (SELECT 2 AS id) x ON t.id = x.id WHEN MATCHED AND n > 100 THEN DO NOTHING WHEN MATCHED THEN DELETE$$);
SELECT twice($$MERGE INTO t USING (SELECT 3 AS id) x ON t.id = x.id WHEN NOT MATCHED AND x.id > 3 THEN INSERT VALUES (x.id, 'large') WHEN NOT MATCHED THEN INSERT (n, id) VALUES (x.id, 3)$$);
-- A duplicate there is an error of both.
SELECT twice($$MERGE INTO t USING (SELECT 3 AS id) x ON t.id = x.id AND t.n = 1000 WHEN NOT MATCHED THEN INSERT VALUES (x.id)$$);
SELECT twice($$MERGE INTO p USING (VALUES ('a', 5)) x(a, id) ON p.id = x.id WHEN MATCHED THEN UPDATE SET n = p.n * 2 WHEN NOT MATCHED THEN INSERT (a, id) VALUES (x.a, x.id)$$) FROM generate_series(1, 3);
-- What matches nothing.
SELECT twice($$MERGE INTO t USING (SELECT 50 AS id) x ON false WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (x.id)$$) FROM generate_series(1, 2);
SELECT twice($$MERGE INTO t USING (SELECT 50 AS id) x ON t.id = x.id AND t.id = 51 WHEN NOT MATCHED THEN INSERT VALUES (x.id + 1)$$);
SELECT twice($$MERGE INTO t USING (SELECT 50000000000 AS id) x ON t.id = x.id WHEN MATCHED THEN DELETE$$);
-- Values that are equal but of another type.
SELECT twice($$MERGE INTO t USING (SELECT 51::bigint AS id) x ON t.id = x.id WHEN MATCHED THEN UPDATE SET n = 51 WHEN NOT MATCHED THEN INSERT VALUES (x.id)$$);
-- No key is needed for rows that are there.
SELECT twice($$MERGE INTO t USING (VALUES ('uno', 9)) x(v, n) ON t.v = x.v WHEN MATCHED THEN UPDATE SET n = x.n$$);
SELECT * FROM t ORDER BY id;
TABLE p;

-- A table sharded alike.
SELECT twice($$MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = t.v || s.v, n = s.n WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v, s.n)$$);
SELECT twice($$MERGE INTO t USING s ON s.id = t.id AND s.n = t.n WHEN MATCHED AND t.n = 1 THEN DELETE WHEN MATCHED AND s.v LIKE '%2' THEN DO NOTHING WHEN MATCHED THEN UPDATE SET n = t.n + 10, id = t.id$$);
SELECT twice($$MERGE INTO p USING (SELECT id, upper(v) AS w, n FROM s WHERE n < 3) x ON p.id = x.id WHEN MATCHED THEN UPDATE SET a = x.w WHEN NOT MATCHED AND x.n = 2 THEN INSERT VALUES (x.w || '!', x.id) WHEN NOT MATCHED AND x.n = 1 THEN INSERT (id) VALUES (x.id)$$);
SELECT twice($$MERGE INTO p USING t ON p.id = t.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED AND t.id IS NOT NULL AND t.n > 12 THEN INSERT VALUES ('t', t.id, t.n)$$);
SELECT twice($$MERGE INTO t a USING t b ON a.id = b.id WHEN MATCHED AND b.n > 12 THEN UPDATE SET v = b.v || '+'$$);
SELECT twice($$MERGE INTO t USING (SELECT * FROM s WHERE id = 4) x ON t.id = x.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (x.id)$$) FROM generate_series(1, 2);
SELECT twice($$MERGE INTO t USING (SELECT * FROM s WHERE id = 4 AND id = 5) x ON t.id = x.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (x.id)$$);
SELECT count(*), sum(n) FROM t;
SELECT count(*), sum(n) FROM p;

-- What is sent, and where.
EXPLAIN (VERBOSE, COSTS OFF) MERGE INTO t USING (VALUES (1, 'one')) x(id, v) ON t.id = x.id WHEN MATCHED THEN UPDATE SET v = x.v WHEN NOT MATCHED THEN INSERT (id) VALUES (x.id);
EXPLAIN (VERBOSE, COSTS OFF) MERGE INTO p USING (SELECT id, v || '?' AS w FROM s WHERE n < 3) x ON p.id = x.id AND p.n > 0 WHEN MATCHED AND x.w <> p.a THEN DELETE WHEN NOT MATCHED THEN INSERT (id, a) VALUES (x.id, x.w);
EXPLAIN (VERBOSE, COSTS OFF) MERGE INTO t USING (SELECT * FROM s WHERE id = 4) x ON t.id = x.id WHEN MATCHED THEN DO NOTHING;
SELECT plan_of('MERGE INTO t USING (SELECT * FROM s WHERE id = 4) x ON t.id = x.id WHEN MATCHED THEN UPDATE SET n = 0', 'ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF');
-- The tag.
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND t.n = 0 THEN UPDATE SET n = 0;
\! psql "$SHARD_DB0" -XqAtc "SELECT count(*) FROM t0 WHERE mod(id, 2) <> 0"

-- Parameters choose the shard; plans go stale.
PREPARE m(int, text) AS MERGE INTO t USING (SELECT $1 AS id, $2 AS v) x ON t.id = x.id WHEN MATCHED THEN UPDATE SET v = x.v WHEN NOT MATCHED THEN INSERT VALUES (x.id, x.v, 1);
SET plan_cache_mode = force_generic_plan;
EXECUTE m(101, 'a'); EXECUTE m(102, 'b'); EXECUTE m(101, 'c'); EXECUTE m(102, 'd'); EXECUTE m(103, 'e'); EXECUTE m(104, 'f'); EXECUTE m(104, 'g');
SELECT tableoid::regclass, * FROM t WHERE id > 100 ORDER BY id;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE m(101, 'a');
SELECT expect_error('EXECUTE m(NULL, ''x'')');
SET plan_cache_mode = force_custom_plan;
EXECUTE m(101, 'h'); EXECUTE m(105, 'i');
SELECT expect_error('EXECUTE m(NULL, ''x'')');
RESET plan_cache_mode;
SELECT tableoid::regclass, * FROM t WHERE id > 100 ORDER BY id;
\c :db2
CREATE TABLE t2 (id int PRIMARY KEY, v text, n int);
\c :coord
PREPARE m(int, text) AS MERGE INTO t USING (SELECT $1 AS id, $2 AS v) x ON t.id = x.id WHEN MATCHED THEN UPDATE SET v = x.v WHEN NOT MATCHED THEN INSERT VALUES (x.id, x.v, 1);
SET plan_cache_mode = force_generic_plan;
EXECUTE m(105, 'j');
CREATE FOREIGN TABLE t2 (CHECK (abs(mod(id, 2)) = 2)) INHERITS (t) SERVER db2 OPTIONS (schema_name 'public');
EXPLAIN (COSTS OFF) EXECUTE m(105, 'k');
EXECUTE m(105, 'k');
DROP FOREIGN TABLE t2;
EXECUTE m(105, 'l');
SELECT * FROM t WHERE id = 105;
RESET plan_cache_mode;

-- All or nothing.
BEGIN;
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE;
SAVEPOINT a;
SELECT expect_error('MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v, 10 / (s.id - 40))');
ROLLBACK TO a;
SELECT count(*) FROM t;
ROLLBACK;
SELECT count(*) FROM t;

-- Privileges are those for the parent.
CREATE ROLE regress_merge;
CREATE USER MAPPING FOR regress_merge SERVER db0 OPTIONS (user 'postgres', password_required 'false');
CREATE USER MAPPING FOR regress_merge SERVER db1 OPTIONS (user 'postgres', password_required 'false');
GRANT SELECT ON t, s TO regress_merge;
GRANT UPDATE (n) ON t TO regress_merge;
SET ROLE regress_merge;
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND t.id = 105 THEN UPDATE SET n = 3;
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = 'x';
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE;
MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (s.id);
RESET ROLE;
REVOKE SELECT ON s FROM regress_merge;
SET ROLE regress_merge;
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = 3;
MERGE INTO t USING (SELECT id FROM s WHERE n = 1) x ON t.id = x.id WHEN MATCHED THEN UPDATE SET n = 3;
RESET ROLE;

-- What is refused.
CREATE FUNCTION why(sql text) RETURNS SETOF text LANGUAGE sql AS $$ SELECT line FROM expect_error(sql) line WHERE line !~ '^HINT' $$;
CREATE TABLE here (id int, v text);
SELECT why('MERGE INTO t USING here ON t.id = here.id WHEN MATCHED THEN DELETE');
SELECT why('MERGE INTO t USING (VALUES (1), (2)) x(id) ON t.id = x.id WHEN MATCHED THEN DELETE');
SELECT why('MERGE INTO t USING generate_series(1, 2) x(id) ON t.id = x.id WHEN MATCHED THEN DELETE');
SELECT why('MERGE INTO t USING s ON t.n = s.id WHEN MATCHED THEN DELETE');
SELECT why('MERGE INTO t USING s ON t.id = s.id + 0 WHEN MATCHED THEN DELETE');
SELECT why('MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (s.id + 1)');
SELECT why('MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (v) VALUES (s.v)');
SELECT why('MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET id = s.n');
SELECT why('MERGE INTO s USING t ON t.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (t.id)');
SELECT why('MERGE INTO t USING s JOIN s b USING (id) ON t.id = s.id WHEN MATCHED THEN DELETE');
SELECT why('MERGE INTO t USING (SELECT id, max(v) FROM s GROUP BY id) x ON t.id = x.id WHEN MATCHED THEN DELETE');
SELECT why('MERGE INTO t USING (SELECT id FROM s LIMIT 1) x ON t.id = x.id WHEN MATCHED THEN DELETE');
SELECT why('MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND EXISTS (SELECT FROM here) THEN DELETE');
SELECT why('MERGE INTO t USING s ON t.id = s.id AND random() < 2 WHEN MATCHED THEN DELETE');
SELECT why('MERGE INTO t USING s ON t.id = s.id AND t.tableoid > 0 WHEN MATCHED THEN DELETE');
SELECT why('WITH x AS (SELECT 1) MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE');
SELECT why('MERGE INTO ONLY t USING s ON t.id = s.id WHEN MATCHED THEN DELETE');
SELECT why('MERGE INTO t USING (SELECT 1 AS id) x ON t.n = x.id WHEN NOT MATCHED THEN INSERT VALUES (x.id)');
SELECT why('MERGE INTO t USING (SELECT 1 AS id) x ON t.id = x.id WHEN NOT MATCHED THEN INSERT VALUES (x.id + 1)');
SELECT why('MERGE INTO t USING (SELECT 1 AS id) x ON t.id = x.id WHEN NOT MATCHED THEN INSERT (v) VALUES (''x'')');
SELECT why('MERGE INTO t USING (SELECT NULL::int AS id) x ON t.id = x.id WHEN NOT MATCHED THEN INSERT VALUES (x.id)');
CREATE VIEW sv AS SELECT * FROM s;
SELECT why('MERGE INTO t USING sv ON t.id = sv.id WHEN MATCHED AND false THEN DELETE');
ALTER TABLE t ADD CONSTRAINT positive CHECK (n > -1);
SELECT why('MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v, -5)');
ALTER TABLE t DROP CONSTRAINT positive;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING '%', TG_OP; RETURN NULL; END $$;
CREATE TRIGGER note AFTER UPDATE ON t EXECUTE FUNCTION note();
SELECT why('MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE');
DROP TRIGGER note ON t;
ALTER TABLE s ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON s USING (id < 10);
SET ROLE regress_merge;
RESET ROLE;
GRANT SELECT ON s TO regress_merge;
SET ROLE regress_merge;
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = 3;
RESET ROLE;
SET shard_fdw.enable_sharded_scan = off;
SELECT why('MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE');
RESET shard_fdw.enable_sharded_scan;

-- Overlapping rules: a key may be on two shards.
CREATE TABLE o (id int NOT NULL, v text, n int);
CREATE FOREIGN TABLE o0 (CHECK (abs(mod(id, 4)) IN (0, 1))) INHERITS (o) SERVER db0 OPTIONS (schema_name 'public', table_name 's0');
CREATE FOREIGN TABLE o1 (CHECK (abs(mod(id, 4)) IN (1, 2, 3))) INHERITS (o) SERVER db1 OPTIONS (schema_name 'public', table_name 's1');
SELECT why('MERGE INTO o USING o b ON o.id = b.id WHEN MATCHED THEN DELETE');
SELECT why('MERGE INTO o USING (SELECT 1 AS id) x ON o.id = x.id WHEN NOT MATCHED THEN INSERT VALUES (x.id)');
EXPLAIN (COSTS OFF) SELECT count(*) FROM o a JOIN o b USING (id);
EXPLAIN (COSTS OFF) SELECT id, count(DISTINCT n) FROM o GROUP BY id;

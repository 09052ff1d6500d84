-- INSERT into a sharded parent: rows go to their shards, all shards at once.
\i common/shards.sql
\c :db0
CREATE TABLE t0 (id int PRIMARY KEY, g int NOT NULL, v numeric(8,2), t text DEFAULT 'remote', CHECK (abs(mod(id, 4)) = 0));
\c :db1
CREATE TABLE t1 (id int PRIMARY KEY, g int NOT NULL, v numeric(8,2), t text DEFAULT 'remote', CHECK (abs(mod(id, 4)) = 1));
\c :db2
CREATE TABLE t2 (id int PRIMARY KEY, g int NOT NULL, v numeric(8,2), t text DEFAULT 'remote', CHECK (abs(mod(id, 4)) = 2));
\c :db3
CREATE TABLE t3 (id int PRIMARY KEY, g int NOT NULL, v numeric(8,2), t text DEFAULT 'remote', CHECK (abs(mod(id, 4)) = 3));
\c :coord
CREATE TABLE t (id serial, g int NOT NULL DEFAULT 7, v numeric(8,2), t text DEFAULT 'local');
CREATE FOREIGN TABLE t0 (CHECK (abs(mod(id, 4)) = 0)) INHERITS (t) SERVER db0;
CREATE FOREIGN TABLE t1 (CHECK (abs(mod(id, 4)) = 1)) INHERITS (t) SERVER db1;
CREATE FOREIGN TABLE t2 (CHECK (abs(mod(id, 4)) = 2)) INHERITS (t) SERVER db2;
CREATE FOREIGN TABLE t3 (CHECK (abs(mod(id, 4)) = 3)) INHERITS (t) SERVER db3;
CREATE TABLE twin (LIKE t INCLUDING DEFAULTS);
CREATE SEQUENCE twin_id;
ALTER TABLE twin ALTER id SET DEFAULT nextval('twin_id');

EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO t VALUES (1, 2, 3, 'x'), (2, 2, 3, 'y');
SELECT plan_of('INSERT INTO t VALUES (1, 2, 3, ''x'')', 'COSTS OFF, FORMAT JSON');
SELECT plan_of('INSERT INTO t SELECT i FROM generate_series(1, 3) i', 'COSTS OFF, FORMAT YAML');
SELECT plan_of('INSERT INTO t DEFAULT VALUES', 'COSTS OFF, FORMAT XML');

\set QUIET off
-- One row, several, none; defaults; a serial column of the coordinator.
INSERT INTO t VALUES (100, 1, 1.5, 'hundred');
INSERT INTO t (g, t) VALUES (1, 'a'), (2, 'b'), (3, NULL), (4, DEFAULT);
INSERT INTO t DEFAULT VALUES;
INSERT INTO t SELECT 1, 2 WHERE false;
\set QUIET on
INSERT INTO twin VALUES (100, 1, 1.5, 'hundred');
INSERT INTO twin (g, t) VALUES (1, 'a'), (2, 'b'), (3, NULL), (4, DEFAULT);
INSERT INTO twin DEFAULT VALUES;
SELECT tableoid::regclass, * FROM t ORDER BY id;
SELECT count(*) AS in_the_parent FROM ONLY t;
SELECT same_rows('SELECT * FROM t', 'SELECT * FROM twin');

-- RETURNING: values as the shard stored them, expressions, the placement's name.
INSERT INTO t VALUES (101, 1, 1.005, 'r') RETURNING *;
INSERT INTO t VALUES (102, 1, 2.5, 'r'), (103, 1, 3.5, 's') RETURNING id * 2 AS twice, t || '!' AS t, tableoid::regclass;
INSERT INTO t VALUES (104, 1, 2.5, 'r') RETURNING t, ctid, tableoid::regclass, xmin <> '0' AS has_xmin, xmax;
INSERT INTO twin VALUES (101, 1, 1.005, 'r'), (102, 1, 2.5, 'r'), (103, 1, 3.5, 's'), (104, 1, 2.5, 'r');
WITH new AS (INSERT INTO t SELECT i, i % 3, i / 7.0, 'n' || i FROM generate_series(200, 219) i RETURNING *)
  SELECT count(*), sum(id), min(t), sum(v) FROM new;
INSERT INTO twin SELECT i, i % 3, i / 7.0, 'n' || i FROM generate_series(200, 219) i;
SELECT same_rows('SELECT * FROM t', 'SELECT * FROM twin');

-- Many rows, from a function and from the table itself.
INSERT INTO t SELECT i, i % 5, i, 'many' FROM generate_series(1000, 13999) i;
INSERT INTO twin SELECT i, i % 5, i, 'many' FROM generate_series(1000, 13999) i;
INSERT INTO t SELECT id + 100000, g, v, t FROM t WHERE id < 5000;
INSERT INTO twin SELECT id + 100000, g, v, t FROM twin WHERE id < 5000;
SELECT same_rows('SELECT * FROM t', 'SELECT * FROM twin');
SELECT tableoid::regclass, count(*) FROM t GROUP BY 1 ORDER BY 1;
SELECT plan_of('INSERT INTO t SELECT i, 1 FROM generate_series(300, 309) i', 'ANALYZE, VERBOSE, COSTS OFF');
INSERT INTO twin SELECT i, 1 FROM generate_series(300, 309) i;

-- A row that fits no shard: nothing is stored.
ALTER TABLE t ALTER id DROP NOT NULL;
SELECT expect_error('INSERT INTO t VALUES (NULL, 1)');
SELECT expect_error('INSERT INTO t VALUES (400, 1), (NULL, 1), (401, 1)');
SELECT expect_error('INSERT INTO t (id, g) VALUES (400, NULL)');
ALTER TABLE t ALTER id SET NOT NULL;
SELECT expect_error('INSERT INTO t VALUES (NULL, 1)');
SELECT expect_error('INSERT INTO t VALUES (401, 1, 1e7)');
SELECT expect_error('INSERT INTO t VALUES (404, 1), (100, 1)');
SELECT same_rows('SELECT * FROM t', 'SELECT * FROM twin');
SELECT count(*) AS in_the_parent FROM ONLY t;

-- ON CONFLICT DO NOTHING.
\set QUIET off
INSERT INTO t VALUES (100, 1), (400, 1), (401, 1), (101, 1) ON CONFLICT DO NOTHING;
\set QUIET on
INSERT INTO t VALUES (100, 1), (402, 1) ON CONFLICT DO NOTHING RETURNING id;
INSERT INTO twin VALUES (400, 1), (401, 1), (402, 1);
SELECT same_rows('SELECT * FROM t', 'SELECT * FROM twin');

-- Prepared, with custom and generic plans.
PREPARE ins(int, text) AS INSERT INTO t (id, g, t) VALUES ($1, 1, $2);
EXECUTE ins(501, 'p'); EXECUTE ins(502, 'p'); EXECUTE ins(503, 'p'); EXECUTE ins(504, 'p');
EXECUTE ins(505, 'p'); EXECUTE ins(506, 'p'); EXECUTE ins(507, 'p');
SET plan_cache_mode = force_generic_plan;
EXECUTE ins(511, 'p'); EXECUTE ins(512, 'p'); EXECUTE ins(513, 'p'); EXECUTE ins(514, 'p');
EXECUTE ins(515, 'p'); EXECUTE ins(516, 'p'); EXECUTE ins(517, NULL);
EXPLAIN (COSTS OFF) EXECUTE ins(518, 'p');
RESET plan_cache_mode;
INSERT INTO twin (id, g, t) SELECT i, 1, 'p' FROM generate_series(501, 507) i;
INSERT INTO twin (id, g, t) SELECT i, 1, CASE WHEN i < 517 THEN 'p' END FROM generate_series(511, 517) i;
SELECT same_rows('SELECT * FROM t', 'SELECT * FROM twin');

-- plpgsql, savepoints.
CREATE FUNCTION put(a int, b int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE n int := 0; back int;
BEGIN
  FOR i IN a..b LOOP
    BEGIN
      INSERT INTO t (id, g) VALUES (i, 1) RETURNING id INTO back;
      n := n + 1;
    EXCEPTION WHEN unique_violation OR check_violation THEN
      NULL;
    END;
  END LOOP;
  INSERT INTO t (id, g) SELECT i, 2 FROM generate_series(b + 1, b + 4) i;
  RETURN n;
END $$;
SELECT put(515, 520);
INSERT INTO twin (id, g) SELECT i, CASE WHEN i > 520 THEN 2 ELSE 1 END FROM generate_series(518, 524) i;
BEGIN;
INSERT INTO t VALUES (601, 1), (602, 1);
SAVEPOINT s;
INSERT INTO t VALUES (603, 1), (604, 1), (605, 1), (606, 1);
ROLLBACK TO s;
INSERT INTO t VALUES (607, 1);
COMMIT;
BEGIN;
INSERT INTO t VALUES (608, 1), (609, 1);
ROLLBACK;
INSERT INTO twin VALUES (601, 1), (602, 1), (607, 1);
SELECT same_rows('SELECT * FROM t', 'SELECT * FROM twin');

-- Modifying CTEs beside each other.
WITH a AS (INSERT INTO t VALUES (701, 1), (702, 2) RETURNING id), b AS (INSERT INTO t VALUES (703, 3))
  INSERT INTO t SELECT id + 10, 9 FROM a;
WITH a AS (INSERT INTO twin VALUES (701, 1), (702, 2) RETURNING id), b AS (INSERT INTO twin VALUES (703, 3))
  INSERT INTO twin SELECT id + 10, 9 FROM a;
SELECT same_rows('SELECT * FROM t', 'SELECT * FROM twin');

-- A parent that forbids rows of its own, and the settings of a read-only transaction.
ALTER TABLE t ADD CONSTRAINT no_rows CHECK (false) NO INHERIT;
INSERT INTO t VALUES (801, 1), (802, 1);
INSERT INTO twin VALUES (801, 1), (802, 1);
SET default_transaction_read_only = on;
INSERT INTO t VALUES (803, 1);
RESET default_transaction_read_only;
-- A constraint of the parent, inherited.
ALTER TABLE t ADD CONSTRAINT small CHECK (g < 100);
SELECT expect_error('INSERT INTO t VALUES (803, 1), (804, 100)');
-- A constraint of one shard alone; and one that existing rows may break.
ALTER FOREIGN TABLE t1 ADD CONSTRAINT own CHECK (t <> 'bad');
ALTER FOREIGN TABLE t2 ADD CONSTRAINT later CHECK (t <> 'worse') NOT VALID;
INSERT INTO t VALUES (804, 1, 1, 'bad');
INSERT INTO twin VALUES (804, 1, 1, 'bad');
SELECT expect_error($$INSERT INTO t VALUES (805, 1, 1, 'bad')$$);
SELECT expect_error($$INSERT INTO t VALUES (806, 1, 1, 'worse')$$);
SELECT same_rows('SELECT * FROM t', 'SELECT * FROM twin');

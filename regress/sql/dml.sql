-- INSERT, UPDATE and DELETE row by row and in batches, each beside the same statement on a local twin.
\i common/shards.sql
\c :db1
CREATE TABLE a (id int PRIMARY KEY, v text, n int, UNIQUE (n));
-- Two partitions, and a child table: rows of different tables have equal ctids.
CREATE TABLE part (id int, k int, v text) PARTITION BY LIST (k);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2, 3);
INSERT INTO part SELECT i, k, 'row ' || i FROM generate_series(1, 2) k, generate_series(1, 5) i;
CREATE TABLE base (id int, v text);
CREATE TABLE child () INHERITS (base);
INSERT INTO base SELECT i, 'base' FROM generate_series(1, 5) i;
INSERT INTO child SELECT i, 'child' FROM generate_series(1, 5) i;
CREATE TABLE turned (z text, "two words" int, y int, gone int);
CREATE TABLE gen (a int, b int, c int GENERATED ALWAYS AS (a + b) STORED);
CREATE TABLE empty ();
CREATE TABLE big (id int PRIMARY KEY, v text);
\c :coord
IMPORT FOREIGN SCHEMA public FROM SERVER db1 INTO public;
CREATE TABLE l_a (id int PRIMARY KEY, v text, n int, UNIQUE (n));
CREATE TABLE l_part AS SELECT * FROM part;
CREATE TABLE l_base AS SELECT * FROM base;

-- A remote table that is partitioned or inherited: ctid alone names two rows.
SELECT ctid, count(*) FROM part GROUP BY 1 ORDER BY 1;
EXPLAIN (VERBOSE, COSTS OFF) UPDATE part SET v = v || (random() < 2) WHERE k = 2;
UPDATE part SET v = v || (random() < 2) WHERE k = 2;
UPDATE l_part SET v = v || (random() < 2) WHERE k = 2;
SELECT same_rows('TABLE part', 'TABLE l_part');
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM part WHERE k = 1 AND id > 3 AND random() < 2 RETURNING *;
DELETE FROM part WHERE k = 1 AND id > 3 AND random() < 2 RETURNING *;
DELETE FROM l_part WHERE k = 1 AND id > 3 AND random() < 2;
SELECT same_rows('TABLE part', 'TABLE l_part');
-- In joins, here and there.
EXPLAIN (VERBOSE, COSTS OFF) UPDATE part SET v = l_a.v FROM (VALUES (1, 'new 1'), (2, 'new 2')) l_a(id, v) WHERE l_a.id = part.id AND k = 2;
UPDATE part SET v = l_a.v FROM (VALUES (1, 'new 1'), (2, 'new 2')) l_a(id, v) WHERE l_a.id = part.id AND k = 2;
UPDATE l_part SET v = l_a.v FROM (VALUES (1, 'new 1'), (2, 'new 2')) l_a(id, v) WHERE l_a.id = l_part.id AND k = 2;
SELECT same_rows('TABLE part', 'TABLE l_part');
EXPLAIN (VERBOSE, COSTS OFF) UPDATE part SET v = base.v || (random() > 2) FROM base WHERE base.id = part.id AND base.v = 'base' AND k = 2 AND part.id = 3;
UPDATE part SET v = base.v || (random() > 2) FROM base WHERE base.id = part.id AND base.v = 'base' AND k = 2 AND part.id = 3;
UPDATE l_part SET v = base.v || (random() > 2) FROM l_base base WHERE base.id = l_part.id AND base.v = 'base' AND k = 2 AND l_part.id = 3;
SELECT same_rows('TABLE part', 'TABLE l_part');
-- The row moves on the shard; another partition's row with its ctid stays.
UPDATE part SET k = 1 + (random() > 2)::int WHERE k = 2 AND id = 5;
UPDATE l_part SET k = 1 WHERE k = 2 AND id = 5;
SELECT same_rows('TABLE part', 'TABLE l_part');
UPDATE base SET v = v || random()::int / 2 WHERE v = 'child' AND id = 2 RETURNING *;
UPDATE l_base SET v = v || random()::int / 2 WHERE v = 'child' AND id = 2 RETURNING *;
SELECT same_rows('TABLE base', 'TABLE l_base');
-- The identity travels in a system column that the statement does not mention.
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM part WHERE cmax = '0' AND random() < 2 AND id = 1;
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM part WHERE cmin = '0' AND xmax = 0 AND random() < 2 AND id = 1;
DELETE FROM part WHERE cmin IS NOT NULL AND xmax = 0 AND random() < 2 AND id = 1 AND k = 1;
DELETE FROM l_part WHERE id = 1 AND k = 1;
SELECT same_rows('TABLE part', 'TABLE l_part');
SELECT expect_error('DELETE FROM part WHERE cmin IS NOT NULL AND xmax = 0 AND xmin IS NOT NULL AND random() < 2');
-- With triggers here.
CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN IF TG_OP = 'DELETE' THEN RAISE NOTICE 'gone: %', OLD; RETURN OLD; END IF; NEW.v := upper(NEW.v); RETURN NEW; END $$;
CREATE TRIGGER mark BEFORE UPDATE OR DELETE ON part FOR EACH ROW EXECUTE FUNCTION mark();
CREATE TRIGGER mark BEFORE UPDATE OR DELETE ON l_part FOR EACH ROW EXECUTE FUNCTION mark();
EXPLAIN (VERBOSE, COSTS OFF) UPDATE part SET id = id + 10 WHERE k = 2 AND id = 4;
UPDATE part SET id = id + 10 WHERE k = 2 AND id = 4 RETURNING *;
UPDATE l_part SET id = id + 10 WHERE k = 2 AND id = 4 RETURNING *;
DELETE FROM part WHERE k = 2 AND id = 3;
DELETE FROM l_part WHERE k = 2 AND id = 3;
SELECT same_rows('TABLE part', 'TABLE l_part');

-- INSERT.
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO a VALUES (1, 'one', 1), (2, 'two', 2);
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO a (v, id) SELECT 'v', 1 RETURNING *;
INSERT INTO a (v, id) VALUES ('first', 1), (NULL, 2) RETURNING *, tableoid::regclass, ctid;
INSERT INTO l_a (v, id) VALUES ('first', 1), (NULL, 2);
-- RETURNING without a column of the shard's.
INSERT INTO a VALUES (3, 'three', 3) RETURNING tableoid::regclass;
INSERT INTO l_a VALUES (3, 'three', 3);
UPDATE a SET v = v || random()::int / 2 WHERE id = 3 RETURNING tableoid::regclass;
UPDATE l_a SET v = v || '0' WHERE id = 3;
DELETE FROM a WHERE id = 2 AND random() < 2 RETURNING tableoid::regclass;
DELETE FROM l_a WHERE id = 2;
SELECT same_rows('TABLE a', 'TABLE l_a');
-- ON CONFLICT DO NOTHING: rows left out do not count.
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO a SELECT i, 'x', i FROM generate_series(1, 10) i ON CONFLICT DO NOTHING;
WITH i AS (INSERT INTO a SELECT i, 'x', i FROM generate_series(1, 10) i ON CONFLICT DO NOTHING RETURNING id) SELECT count(*), min(id) FROM i;
INSERT INTO l_a SELECT i, 'x', i FROM generate_series(1, 10) i ON CONFLICT DO NOTHING;
\set QUIET off
INSERT INTO a SELECT i, 'y', i FROM generate_series(1, 2500) i ON CONFLICT DO NOTHING;
INSERT INTO l_a SELECT i, 'y', i FROM generate_series(1, 2500) i ON CONFLICT DO NOTHING;
INSERT INTO a SELECT i, 'y', i FROM generate_series(1, 2500) i ON CONFLICT DO NOTHING;
INSERT INTO a VALUES (1, 'again', 1), (2501, 'new', 2501) ON CONFLICT DO NOTHING;
\set QUIET on
DELETE FROM a WHERE id = 2501;
SELECT same_rows('TABLE a', 'TABLE l_a');
-- From the same table; a statement does not see its own rows.
INSERT INTO a SELECT id + 3000, v, n + 3000 FROM a;
INSERT INTO l_a SELECT id + 3000, v, n + 3000 FROM l_a;
SELECT same_rows('TABLE a', 'TABLE l_a');
INSERT INTO a SELECT x.id + 10000, x.v, NULL FROM (SELECT 100 AS id, 'local' AS v UNION ALL SELECT id, v FROM a WHERE id < 5 UNION ALL SELECT id + 5, v FROM a WHERE id > 10000) x;
INSERT INTO l_a SELECT x.id + 10000, x.v, NULL FROM (SELECT 100 AS id, 'local' AS v UNION ALL SELECT id, v FROM l_a WHERE id < 5 UNION ALL SELECT id + 5, v FROM l_a WHERE id > 10000) x;
SELECT count(*) FROM a WHERE id > 10000;
SELECT same_rows('TABLE a', 'TABLE l_a');
DELETE FROM a WHERE id > 10000;
DELETE FROM l_a WHERE id > 10000;
WITH i AS (INSERT INTO a VALUES (20000, 'w', NULL) RETURNING id)
  SELECT (SELECT count(*) FROM a) = (SELECT count(*) FROM l_a) AS as_before, id FROM i;
DELETE FROM a WHERE id = 20000;
SELECT same_rows('TABLE a', 'TABLE l_a');
DELETE FROM a WHERE id > 50;
DELETE FROM a WHERE id > 10 AND random() < 2;
DELETE FROM l_a WHERE id > 10;
SELECT same_rows('TABLE a', 'TABLE l_a');

-- Columns in another order, other names, dropped ones.
DROP FOREIGN TABLE turned;
CREATE FOREIGN TABLE turned (dropped int, y int, x int OPTIONS (column_name 'two words'), gone2 text, z text DEFAULT 'default z')
  SERVER db1 OPTIONS (schema_name 'public');
ALTER FOREIGN TABLE turned DROP COLUMN dropped, DROP COLUMN gone2;
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO turned (z, x) VALUES ('z', 2) RETURNING *;
INSERT INTO turned (z, x) VALUES ('z', 2) RETURNING *;
INSERT INTO turned DEFAULT VALUES RETURNING *;
EXPLAIN (VERBOSE, COSTS OFF) UPDATE turned SET x = x + 1, y = random()::int / 2 WHERE x = 2 RETURNING turned;
UPDATE turned SET x = x + 1, y = random()::int / 2 WHERE x = 2 RETURNING turned;
INSERT INTO empty DEFAULT VALUES RETURNING *, 1 AS one;
INSERT INTO empty SELECT FROM generate_series(1, 3);
SELECT count(*) FROM empty;
-- Generated columns are the shard's to compute.
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO gen (a, b) VALUES (1, 2), (3, 4);
INSERT INTO gen (a, b) VALUES (1, 2), (3, 4);
INSERT INTO gen (a, b) VALUES (5, 6) RETURNING *;
EXPLAIN (VERBOSE, COSTS OFF) UPDATE gen SET a = a * 10 WHERE a > 1;
UPDATE gen SET a = a * 10 WHERE a > 1;
UPDATE gen SET b = 0 WHERE a = 1 RETURNING *;
TABLE gen ORDER BY a;

-- Sizes of batches.
ALTER FOREIGN TABLE big OPTIONS (ADD batch_size '7');
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO big SELECT i, 'v ' || i FROM generate_series(1, 20) i;
INSERT INTO big SELECT i, 'v ' || i FROM generate_series(1, 20) i;
ALTER FOREIGN TABLE big OPTIONS (SET batch_size '100000');
INSERT INTO big SELECT i, 'v ' || i FROM generate_series(21, 40000) i;
SELECT count(*), sum(id), count(DISTINCT v) FROM big;
CREATE VIEW checked AS SELECT * FROM big WHERE id > 0 WITH CHECK OPTION;
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO checked SELECT -i, 'x' FROM generate_series(1, 2) i;
SELECT expect_error('INSERT INTO checked SELECT i - 1, ''x'' FROM generate_series(1, 2) i');
SELECT count(*) FROM big WHERE id <= 0;
ALTER FOREIGN TABLE big OPTIONS (ADD updatable 'false', ADD truncatable 'false');
SELECT expect_error('INSERT INTO big VALUES (0, NULL)');
SELECT expect_error('UPDATE big SET v = NULL');
SELECT expect_error('DELETE FROM big');
SELECT expect_error('TRUNCATE big');

-- Prepared, seven times, custom and generic plans.
PREPARE i(int, text) AS INSERT INTO a VALUES ($1, $2, NULL) RETURNING id, v;
PREPARE u(int, text) AS UPDATE a SET v = $2 || random()::int / 2 WHERE id = $1 RETURNING v;
PREPARE d(int) AS DELETE FROM a WHERE id = $1 AND random() < 2;
SET plan_cache_mode = force_generic_plan;
EXECUTE i(31, 'a'); EXECUTE i(32, 'b'); EXECUTE i(33, 'c'); EXECUTE i(34, 'd'); EXECUTE i(35, 'e'); EXECUTE i(36, 'f'); EXECUTE i(37, NULL);
RESET plan_cache_mode;
EXECUTE u(31, 'a'); EXECUTE u(32, 'b'); EXECUTE u(33, 'c'); EXECUTE u(34, 'd'); EXECUTE u(35, 'e'); EXECUTE u(36, 'f'); EXECUTE u(37, 'g');
EXECUTE d(31); EXECUTE d(32); EXECUTE d(33); EXECUTE d(34); EXECUTE d(35); EXECUTE d(36); EXECUTE d(37);
SELECT same_rows('TABLE a', 'TABLE l_a');

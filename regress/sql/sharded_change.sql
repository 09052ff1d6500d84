-- UPDATE and DELETE of a sharded parent.
\i common/shards.sql
\c :db0
CREATE TABLE tbl0 (id int, g int, v numeric, t text);
CREATE TABLE par0 (k int NOT NULL, r text, w int) PARTITION BY LIST (w); CREATE TABLE par0a PARTITION OF par0 FOR VALUES IN (0, NULL); CREATE TABLE par0b PARTITION OF par0 DEFAULT;
\c :db1
CREATE TABLE tbl1 (id int, g int, v numeric, t text);
CREATE TABLE par1 (k int NOT NULL, r text, w int) PARTITION BY LIST (w); CREATE TABLE par1a PARTITION OF par1 FOR VALUES IN (0, NULL); CREATE TABLE par1b PARTITION OF par1 DEFAULT;
\c :db2
CREATE TABLE tbl2 (id int, g int, v numeric, t text);
\c :db3
CREATE TABLE tbl3 (id int, g int, v numeric, t text);
\c :coord
CREATE TABLE tbl (id int, g int, v numeric, t text);
CREATE FOREIGN TABLE tbl0 (CHECK (abs(mod(id,4)) = 0)) INHERITS (tbl) SERVER db0;
CREATE FOREIGN TABLE tbl1 (CHECK (abs(mod(id,4)) = 1)) INHERITS (tbl) SERVER db1;
CREATE FOREIGN TABLE tbl2 (CHECK (abs(mod(id,4)) = 2)) INHERITS (tbl) SERVER db2;
CREATE FOREIGN TABLE tbl3 (CHECK (abs(mod(id,4)) = 3)) INHERITS (tbl) SERVER db3;
CREATE TABLE par (k int NOT NULL, r text, w int) PARTITION BY LIST ((k % 2));
CREATE FOREIGN TABLE par0 PARTITION OF par FOR VALUES IN (0) SERVER db0;
CREATE FOREIGN TABLE par1 PARTITION OF par FOR VALUES IN (1) SERVER db1;
CREATE TABLE loc AS SELECT i AS id, i % 7 AS g, i / 4.0 AS v, 'a' || i AS t FROM generate_series(1, 200) i;
INSERT INTO tbl0 SELECT * FROM loc WHERE abs(mod(id,4)) = 0;
INSERT INTO tbl1 SELECT * FROM loc WHERE abs(mod(id,4)) = 1;
INSERT INTO tbl2 SELECT * FROM loc WHERE abs(mod(id,4)) = 2;
INSERT INTO tbl3 SELECT * FROM loc WHERE abs(mod(id,4)) = 3;
CREATE TABLE parloc AS SELECT i AS k, 'r' || i AS r, i % 3 AS w FROM generate_series(1, 60) i;
INSERT INTO par SELECT * FROM parloc;
-- The same statement on a sharded table and on its local twin; then both tables are compared.
CREATE FUNCTION twin(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE remote bigint; local bigint; remote_error text; local_error text; line text;
BEGIN
  BEGIN
    EXECUTE statement; GET DIAGNOSTICS remote = ROW_COUNT;
  EXCEPTION WHEN OTHERS THEN remote_error := SQLSTATE;
  END;
  BEGIN
    EXECUTE regexp_replace(regexp_replace(statement, '\mtbl\M', 'loc', 'g'), '\mpar\M', 'parloc', 'g'); GET DIAGNOSTICS local = ROW_COUNT;
  EXCEPTION WHEN OTHERS THEN local_error := SQLSTATE;
  END;
  IF remote IS DISTINCT FROM local OR remote_error IS DISTINCT FROM local_error THEN
    RETURN NEXT format('DIFFERENT: %s rows %s, locally %s rows %s', remote, remote_error, local, local_error);
  END IF;
  FOR line IN SELECT * FROM same_rows('SELECT * FROM tbl', 'SELECT * FROM loc') UNION ALL SELECT * FROM same_rows('SELECT * FROM par', 'SELECT * FROM parloc') LOOP
    IF line NOT LIKE '%compared' THEN RETURN NEXT line; END IF;
  END LOOP;
  -- Every row is where its key finds it.
  FOR line IN SELECT l.id FROM loc l, LATERAL (SELECT count(*) n FROM tbl WHERE tbl.id = l.id) x WHERE l.id IS NOT NULL AND n <> (SELECT count(*) FROM loc m WHERE m.id = l.id) LOOP
    RETURN NEXT 'lost ' || line;
  END LOOP;
  RETURN NEXT format('%s rows %s', remote, remote_error);
END $$;

-- One statement for all shards.
EXPLAIN (VERBOSE, COSTS OFF) UPDATE tbl SET g = g + 1, t = upper(t) WHERE v > 10;
SELECT twin('UPDATE tbl SET g = g + 1, t = upper(t) WHERE v > 10');
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM tbl WHERE g = 3;
SELECT twin('DELETE FROM tbl WHERE g = 3');
EXPLAIN (VERBOSE, COSTS OFF) UPDATE tbl SET v = 0 WHERE id = 5;
SELECT twin('UPDATE tbl SET v = 0 WHERE id = 5');
SELECT twin('UPDATE tbl SET v = 1 WHERE id IN (5, 6, 9)');
EXPLAIN (VERBOSE, COSTS OFF) UPDATE par SET w = w + 1;
SELECT twin('UPDATE par SET w = w + 1');
SELECT twin('DELETE FROM par WHERE k = 7');
EXPLAIN (COSTS OFF) DELETE FROM tbl WHERE id = 5.5;
SELECT twin('DELETE FROM tbl WHERE id = 5.5');
-- RETURNING.
EXPLAIN (VERBOSE, COSTS OFF) UPDATE tbl SET g = g * 2 WHERE id < 10 RETURNING id, g, v + g;
BEGIN;
WITH u AS (UPDATE tbl SET g = g * 2 WHERE id < 10 RETURNING id, g, v + g AS s) SELECT * FROM u ORDER BY id;
WITH u AS (UPDATE loc SET g = g * 2 WHERE id < 10 RETURNING id, g, v + g AS s) SELECT * FROM u ORDER BY id;
WITH d AS (DELETE FROM tbl WHERE id % 3 = 0 RETURNING *) SELECT count(*), sum(id), max(t) FROM d;
WITH d AS (DELETE FROM loc WHERE id % 3 = 0 RETURNING *) SELECT count(*), sum(id), max(t) FROM d;
SELECT same_rows('SELECT * FROM tbl', 'SELECT * FROM loc');
ROLLBACK;
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM tbl WHERE id = 8 RETURNING 1;
BEGIN; DELETE FROM tbl WHERE id IN (8, 9) RETURNING 1; ROLLBACK;
WITH u AS (UPDATE tbl SET g = 1 WHERE id < 5 RETURNING tableoid::regclass, id) SELECT * FROM u ORDER BY id;
WITH u AS (UPDATE loc SET g = 1 WHERE id < 5 RETURNING id) SELECT * FROM u ORDER BY id;
-- The key is given again, as it is.
EXPLAIN (VERBOSE, COSTS OFF) UPDATE tbl SET id = 8, g = 8 WHERE id = 8;
SELECT twin('UPDATE tbl SET id = 8, g = 8 WHERE id = 8');
SELECT twin('UPDATE tbl SET id = id, g = 9 WHERE g < 2');
-- Parameters.
PREPARE u(int, text) AS UPDATE tbl SET t = $2 WHERE id = $1;
PREPARE l(int, text) AS UPDATE loc SET t = $2 WHERE id = $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE u(5, 'x');
EXECUTE u(5, 'x'); EXECUTE u(6, 'y'); EXECUTE u(7, 'z'); EXECUTE u(8, NULL); EXECUTE u(NULL, 'n'); EXECUTE u(9, 'x'); EXECUTE u(10, 'x');
EXECUTE l(5, 'x'); EXECUTE l(6, 'y'); EXECUTE l(7, 'z'); EXECUTE l(8, NULL); EXECUTE l(NULL, 'n'); EXECUTE l(9, 'x'); EXECUTE l(10, 'x');
PREPARE k(int, int) AS UPDATE tbl SET id = $1, g = $2 WHERE id = $1 RETURNING id, g;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE k(5, 1);
EXECUTE k(5, 1); EXECUTE k(6, 2);
UPDATE loc SET g = id - 4 WHERE id IN (5, 6);
SET plan_cache_mode = force_custom_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE u(5, 'x');
EXECUTE u(5, '5'); EXECUTE u(6, '6'); EXECUTE u(7, '7'); EXECUTE u(8, '8'); EXECUTE u(9, '9'); EXECUTE u(10, '10'); EXECUTE u(11, '11');
EXECUTE l(5, '5'); EXECUTE l(6, '6'); EXECUTE l(7, '7'); EXECUTE l(8, '8'); EXECUTE l(9, '9'); EXECUTE l(10, '10'); EXECUTE l(11, '11');
RESET plan_cache_mode;
SELECT twin('UPDATE tbl SET g = 5 WHERE false');

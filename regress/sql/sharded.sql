-- A sharded parent is planned and read as one foreign table.
\i common/shards.sql
\c :db0
CREATE TABLE tbl0 (id int primary key, g int, v numeric, t text);
\c :db1
CREATE TABLE tbl1 (id int primary key, g int, v numeric, t text);
\c :db2
CREATE TABLE tbl2 (id int primary key, g int, v numeric, t text);
\c :db3
CREATE TABLE tbl3 (id int primary key, g int, v numeric, t text);
\c :coord
CREATE TABLE tbl (id int, g int, v numeric, t text);
IMPORT FOREIGN SCHEMA public FROM SERVER db0 INTO public;
IMPORT FOREIGN SCHEMA public FROM SERVER db1 INTO public;
IMPORT FOREIGN SCHEMA public FROM SERVER db2 INTO public;
IMPORT FOREIGN SCHEMA public FROM SERVER db3 INTO public;
ALTER FOREIGN TABLE tbl0 INHERIT tbl; ALTER FOREIGN TABLE tbl1 INHERIT tbl; ALTER FOREIGN TABLE tbl2 INHERIT tbl; ALTER FOREIGN TABLE tbl3 INHERIT tbl;
ALTER FOREIGN TABLE tbl0 ADD CHECK (abs(mod(id,4)) = 0);
ALTER FOREIGN TABLE tbl1 ADD CHECK (abs(mod(id,4)) = 1);
ALTER FOREIGN TABLE tbl2 ADD CHECK (abs(mod(id,4)) = 2);
ALTER FOREIGN TABLE tbl3 ADD CHECK (abs(mod(id,4)) = 3);
CREATE TABLE loc AS SELECT i AS id, i % 7 AS g, i / 3.0 AS v, 'a' || i AS t FROM generate_series(1, 1000) i;
INSERT INTO tbl0 SELECT * FROM loc WHERE abs(mod(id,4)) = 0;
INSERT INTO tbl1 SELECT * FROM loc WHERE abs(mod(id,4)) = 1;
INSERT INTO tbl2 SELECT * FROM loc WHERE abs(mod(id,4)) = 2;
INSERT INTO tbl3 SELECT * FROM loc WHERE abs(mod(id,4)) = 3;
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM tbl WHERE id = 100;
SELECT * FROM tbl WHERE id = 100;
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM tbl WHERE id = 101 and abs(mod(id, 4)) = abs(mod(101, 4));
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM tbl WHERE id IN (100, 104, 103) ORDER BY id;
SELECT * FROM tbl WHERE id IN (100, 104, 103) ORDER BY id;
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(*), sum(id), avg(id+id) FROM tbl;
SELECT count(*), sum(id), avg(id+id) FROM tbl;
SELECT same_rows('SELECT * FROM tbl', 'SELECT * FROM loc');
PREPARE p(int) AS SELECT * FROM tbl WHERE id = $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE p(5);
EXECUTE p(5); EXECUTE p(6); EXECUTE p(7); EXECUTE p(8); EXECUTE p(NULL);
PREPARE q(int[]) AS SELECT * FROM tbl WHERE id = ANY ($1) ORDER BY id;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE q('{5}');
EXECUTE q('{5,6,9}');
RESET plan_cache_mode;
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM tbl ORDER BY id LIMIT 3;
SELECT * FROM tbl ORDER BY id LIMIT 3;
EXPLAIN (VERBOSE, COSTS OFF) SELECT l.id, x.t FROM loc l, LATERAL (SELECT t FROM tbl WHERE tbl.id = l.id + 4 OFFSET 0) x WHERE l.id < 5;
SELECT l.id, x.t FROM loc l, LATERAL (SELECT t FROM tbl WHERE tbl.id = l.id + 4 OFFSET 0) x WHERE l.id < 5;
EXPLAIN (COSTS OFF) SELECT tableoid::regclass, * FROM tbl WHERE id = 7;
SELECT tableoid::regclass, * FROM tbl WHERE id = 7;
EXPLAIN (VERBOSE, COSTS OFF) SELECT a.id, b.t FROM tbl a JOIN tbl b ON a.id = b.id WHERE a.id = 9;
SELECT a.id, b.t FROM tbl a JOIN tbl b ON a.id = b.id WHERE a.id = 9;
EXPLAIN (VERBOSE, COSTS OFF) SELECT g, count(*) FROM tbl WHERE id = 9 GROUP BY g;
-- Aggregates: whole on the shards when a group lives on one, else in two steps.
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(*), sum(id), avg(id+id) FROM tbl;
SELECT count(*), sum(id), avg(id+id) FROM tbl;
EXPLAIN (VERBOSE, COSTS OFF) SELECT g, count(*), count(t), sum(id), min(v), max(t), avg(id), bool_and(id > 3) FILTER (WHERE g < 5) FROM tbl GROUP BY g HAVING count(*) > 10 ORDER BY g;
SELECT g, count(*), count(t), sum(id), min(v), max(t), avg(id), bool_and(id > 3) FILTER (WHERE g < 5) FROM tbl GROUP BY g HAVING count(*) > 10 ORDER BY g;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, count(*), max(t) FROM tbl GROUP BY id;
EXPLAIN (VERBOSE, COSTS OFF) SELECT g, stddev(id::float8), avg(v::float8) FROM tbl GROUP BY g;
EXPLAIN (VERBOSE, COSTS OFF) SELECT g, count(DISTINCT id), sum(v) FROM tbl GROUP BY g;
EXPLAIN (VERBOSE, COSTS OFF) SELECT g FROM tbl GROUP BY g;
SELECT q, same_rows(q, replace(q, 'tbl', 'loc')) FROM unnest(ARRAY[
  'SELECT count(*), sum(id), avg(id+id) FROM tbl',
  'SELECT count(*), sum(id), avg(id), min(t), max(v) FROM tbl WHERE id < 0',
  'SELECT count(*) + 1, sum(id) / count(*) FROM tbl WHERE g IN (1, 2)',
  'SELECT g, count(*), count(t), sum(id), min(v), max(t), avg(id), bool_and(id > 3) FILTER (WHERE g < 5) FROM tbl GROUP BY g HAVING count(*) > 10',
  'SELECT g, round(stddev(id::float8)::numeric, 8), round(avg(v::float8)::numeric, 8), round(var_pop(id::float8)::numeric, 6) FROM tbl GROUP BY g',
  'SELECT g, count(DISTINCT id), sum(v), avg(v) FROM tbl GROUP BY g',
  'SELECT g, array_agg(id ORDER BY id) FROM tbl GROUP BY g',
  'SELECT id, count(*), max(t) FROM tbl GROUP BY id',
  'SELECT id % 3, g, count(*) FROM tbl GROUP BY 1, 2',
  'SELECT g, count(*) FROM tbl GROUP BY GROUPING SETS ((g), ())',
  'SELECT g + 1, sum(id) + max(g) FROM tbl GROUP BY g HAVING sum(id) > 100 AND g <> 3',
  'SELECT bit_and(id), bit_or(id), every(id > 0), avg(id::int2) FROM tbl',
  'SELECT count(*) FROM tbl HAVING count(*) > 5000',
  'SELECT DISTINCT g FROM tbl',
  'SELECT max(id), min(t COLLATE "C") FROM tbl',
  'SELECT g, sum(id) OVER (PARTITION BY g ORDER BY id) FROM tbl',
  'SELECT sum(c) FROM (SELECT g, count(*) c FROM tbl GROUP BY g) s',
  'SELECT count(*) FROM tbl a JOIN tbl b ON a.g = b.g WHERE a.id < 20'
]) q;
-- LIMIT over several placements.
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, t FROM tbl ORDER BY id DESC LIMIT 3 OFFSET 2;
SELECT id, t FROM tbl ORDER BY id DESC LIMIT 3 OFFSET 2;
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM tbl WHERE g = 3 LIMIT 5;
SELECT count(*) FROM (SELECT * FROM tbl WHERE g = 3 LIMIT 5) s;
EXPLAIN (COSTS OFF) SELECT id FROM tbl ORDER BY id LIMIT 9223372036854775807 OFFSET 1;
PREPARE lim(int8, int8) AS SELECT id FROM tbl ORDER BY id LIMIT $1 OFFSET $2;
EXECUTE lim(2, 1);
EXECUTE lim(NULL, 998);
SELECT id FROM tbl ORDER BY id LIMIT 2;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, t FROM tbl WHERE id = 7 ORDER BY t LIMIT 1;
-- Joins of tables that are sharded alike.
\c :db0
CREATE TABLE ord0 (oid int primary key, cust int, amount int);
\c :db1
CREATE TABLE ord1 (oid int primary key, cust int, amount int);
\c :db2
CREATE TABLE ord2 (oid int primary key, cust int, amount int);
\c :db3
CREATE TABLE ord3 (oid int primary key, cust int, amount int);
\c :coord
CREATE TABLE ord (oid int, cust int, amount int);
SELECT format('CREATE FOREIGN TABLE ord%s (CHECK (abs(mod(cust, 4)) = %1$s)) INHERITS (ord) SERVER db%1$s OPTIONS (schema_name ''public'')', n) FROM generate_series(0, 3) n \gexec
CREATE TABLE lord AS SELECT i AS oid, CASE WHEN i % 9 <> 0 THEN i % 120 END AS cust, i * 3 % 50 AS amount FROM generate_series(1, 400) i;
INSERT INTO ord0 SELECT * FROM lord WHERE abs(mod(cust, 4)) = 0;
INSERT INTO ord1 SELECT * FROM lord WHERE abs(mod(cust, 4)) = 1 OR cust IS NULL AND oid % 2 = 0;
INSERT INTO ord2 SELECT * FROM lord WHERE abs(mod(cust, 4)) = 2 OR cust IS NULL AND oid % 2 = 1;
INSERT INTO ord3 SELECT * FROM lord WHERE abs(mod(cust, 4)) = 3;
EXPLAIN (VERBOSE, COSTS OFF) SELECT t.id, o.amount FROM tbl t JOIN ord o ON t.id = o.cust;
EXPLAIN (VERBOSE, COSTS OFF) SELECT t.g, sum(o.amount) FROM tbl t JOIN ord o ON t.id = o.cust GROUP BY t.g;
EXPLAIN (COSTS OFF) SELECT t.id, o.amount FROM tbl t JOIN ord o ON t.id = o.oid;
EXPLAIN (COSTS OFF) SELECT t.id, o.amount FROM tbl t JOIN ord o ON t.id = o.cust WHERE t.id IN (3, 4);
SELECT q, same_rows(q, replace(replace(q, 'tbl', 'loc'), ' ord ', ' lord ')) FROM unnest(ARRAY[
  'SELECT t.id, o.amount FROM tbl t JOIN ord o ON t.id = o.cust',
  'SELECT t.*, o.* FROM tbl t LEFT JOIN ord o ON t.id = o.cust AND o.amount > 20 WHERE t.id < 200',
  'SELECT t.id, o.oid FROM tbl t RIGHT JOIN ord o ON t.id = o.cust AND t.g = 3',
  'SELECT t.id, o.oid FROM (SELECT * FROM tbl WHERE id < 90) t FULL JOIN (SELECT * FROM ord WHERE amount < 30) o ON t.id = o.cust',
  'SELECT * FROM tbl t WHERE EXISTS (SELECT 1 FROM ord o WHERE o.cust = t.id AND o.amount < 10)',
  'SELECT * FROM tbl t WHERE NOT EXISTS (SELECT 1 FROM ord o WHERE o.cust = t.id)',
  'SELECT t.id, o.amount FROM tbl t JOIN ord o ON t.id = o.oid',
  'SELECT t.id, o.amount FROM tbl t JOIN ord o ON t.g = o.cust',
  'SELECT t.id, o.amount FROM tbl t JOIN ord o ON t.id = o.cust WHERE t.id IN (3, 4)',
  'SELECT t.g, sum(o.amount), count(*) FROM tbl t JOIN ord o ON t.id = o.cust GROUP BY t.g',
  'SELECT a.id, b.g, o.oid FROM tbl a JOIN tbl b ON a.id = b.id LEFT JOIN ord o ON o.cust = b.id AND a.g = 2 WHERE a.id < 50',
  'SELECT o.cust, count(*) FROM ord o GROUP BY o.cust',
  'SELECT t.id, o.oid FROM tbl t LEFT JOIN ord o ON t.id = o.cust WHERE o.cust IS NULL',
  'SELECT t.id, l.id, o.oid FROM tbl t JOIN loc l ON l.id = t.id JOIN ord o ON o.cust = t.id WHERE l.g = 1',
  'SELECT o1.oid, o2.oid FROM ord o1 JOIN ord o2 ON o1.cust = o2.cust AND o1.oid < o2.oid'
]) q;
-- A row of the parent itself, from a time when it had no children.
DO $$ BEGIN
  FOR n IN 0..3 LOOP EXECUTE format('ALTER FOREIGN TABLE tbl%s NO INHERIT tbl', n); END LOOP;
  INSERT INTO tbl VALUES (-1, 0, 0, 'own');
  FOR n IN 0..3 LOOP EXECUTE format('ALTER FOREIGN TABLE tbl%s INHERIT tbl', n); END LOOP;
END $$;
SELECT count(*) FROM tbl;
DELETE FROM ONLY tbl;
SET client_min_messages = error;
VACUUM tbl;
RESET client_min_messages;
SELECT same_rows('SELECT t.g, count(*), max(l.v) FROM tbl t JOIN loc l USING (id) GROUP BY 1', 'SELECT t.g, count(*), max(l.v) FROM loc t JOIN loc l USING (id) GROUP BY 1');
EXPLAIN (VERBOSE, COSTS OFF) UPDATE tbl SET t = 'x' WHERE id = 3;
UPDATE tbl SET t = 'x' WHERE id = 3; SELECT * FROM tbl WHERE id = 3;
WITH c AS (SELECT * FROM tbl WHERE id < 10) SELECT sum(id) FROM c UNION ALL SELECT count(*) FROM tbl ORDER BY 1;
PREPARE p(int) AS SELECT * FROM tbl WHERE id = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE p(3);
ALTER FOREIGN TABLE tbl3 NO INHERIT tbl;
EXECUTE p(3);
SELECT count(*) FROM tbl;
-- What was really asked.
SELECT plan_of('SELECT * FROM tbl WHERE id = 9', 'ANALYZE, VERBOSE, COSTS OFF');
SELECT plan_of('EXECUTE p(6)', 'ANALYZE, VERBOSE, COSTS OFF');
SELECT plan_of('SELECT * FROM tbl WHERE id = 9', 'COSTS OFF, FORMAT json');

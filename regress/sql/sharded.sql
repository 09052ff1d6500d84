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
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM tbl WHERE id IN (100, 104, 103);
SELECT * FROM tbl WHERE id IN (100, 104, 103);
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
EXPLAIN (VERBOSE, COSTS OFF) SELECT tableoid::regclass, * FROM tbl WHERE id = 7;
SELECT tableoid::regclass, * FROM tbl WHERE id = 7;
EXPLAIN (VERBOSE, COSTS OFF) SELECT a.id, b.t FROM tbl a JOIN tbl b ON a.id = b.id WHERE a.id = 9;
SELECT a.id, b.t FROM tbl a JOIN tbl b ON a.id = b.id WHERE a.id = 9;
EXPLAIN (VERBOSE, COSTS OFF) SELECT g, count(*) FROM tbl WHERE id = 9 GROUP BY g;
INSERT INTO tbl VALUES (-1, 0, 0, 'own');
SELECT count(*) FROM tbl;
DELETE FROM ONLY tbl; VACUUM tbl;
SELECT same_rows('SELECT t.g, count(*), max(l.v) FROM tbl t JOIN loc l USING (id) GROUP BY 1', 'SELECT t.g, count(*), max(l.v) FROM loc t JOIN loc l USING (id) GROUP BY 1');
EXPLAIN (VERBOSE, COSTS OFF) UPDATE tbl SET t = 'x' WHERE id = 3;
UPDATE tbl SET t = 'x' WHERE id = 3; SELECT * FROM tbl WHERE id = 3;
WITH c AS (SELECT * FROM tbl WHERE id < 10) SELECT sum(id) FROM c UNION ALL SELECT count(*) FROM tbl;
EXECUTE p(3);
ALTER FOREIGN TABLE tbl3 NO INHERIT tbl;
EXECUTE p(3);
SELECT count(*) FROM tbl;

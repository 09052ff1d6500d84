-- Sharded tables: whole rows, system columns, row locks, and as the other tables of UPDATE and DELETE.
\i common/shards.sql
\c :db0
CREATE TABLE tbl0 (id int primary key, g int, gone int, t text);
\c :db1
CREATE TABLE tbl1 (id int primary key, g int, gone int, t text);
\c :db2
CREATE TABLE tbl2 (id int primary key, g int, gone int, t text);
\c :db3
CREATE TABLE tbl3 (id int primary key, g int, gone int, t text);
\c :coord
CREATE TABLE tbl (id int, g int, gone int, t text);
SELECT format('CREATE FOREIGN TABLE tbl%s (CHECK (abs(mod(id, 4)) = %1$s)) INHERITS (tbl) SERVER db%1$s OPTIONS (schema_name ''public'')', n) FROM generate_series(0, 3) n \gexec
ALTER TABLE tbl DROP COLUMN gone;
CREATE TABLE loc AS SELECT i AS id, i % 7 AS g, CASE WHEN i % 5 <> 0 THEN 'a ' || i END AS t FROM generate_series(1, 100) i;
SELECT format('INSERT INTO tbl%s SELECT * FROM loc WHERE abs(mod(id, 4)) = %1$s', n) FROM generate_series(0, 3) n \gexec
-- Whole rows.
EXPLAIN (VERBOSE, COSTS OFF) SELECT tbl FROM tbl;
SELECT tbl, to_json(tbl) FROM tbl WHERE id IN (4, 5) ORDER BY id;
SELECT (tbl).t, tbl IS NULL FROM tbl WHERE id = 7;
SELECT count(DISTINCT x), min(x::text) FROM tbl x WHERE x IS NOT NULL;
SELECT same_rows('SELECT x.id, y FROM tbl x LEFT JOIN tbl y ON x.id = y.id AND y.g = 3', 'SELECT x.id, y FROM loc x LEFT JOIN loc y ON x.id = y.id AND y.g = 3'),
       same_rows('SELECT row_to_json(x) FROM (SELECT t, g FROM tbl) x', 'SELECT row_to_json(x) FROM (SELECT t, g FROM loc) x'),
       same_rows('SELECT x FROM tbl x JOIN loc ON loc = ROW(x.id, x.g, x.t) WHERE x.id < 50', 'SELECT x FROM loc x WHERE id < 50'),
       same_rows('SELECT y, count(*) FROM loc x LEFT JOIN tbl y ON x.id = y.id + 40 GROUP BY y', 'SELECT y, count(*) FROM loc x LEFT JOIN loc y ON x.id = y.id + 40 GROUP BY y');
-- System columns are the shard's, tableoid is the placement's.
EXPLAIN (COSTS OFF) SELECT tableoid::regclass, id FROM tbl WHERE id < 5;
SELECT tableoid::regclass, id FROM tbl WHERE id < 6 ORDER BY id;
SELECT tableoid::regclass, count(*), min(id) FROM tbl GROUP BY tableoid ORDER BY 1;
SELECT count(*) FROM tbl WHERE tableoid = 'tbl2'::regclass;
SELECT id, x.tableoid::regclass, y.tableoid::regclass, y.id FROM tbl x LEFT JOIN tbl y USING (id) WHERE id IN (3, 5) ORDER BY 1;
SELECT x.id, y.tableoid::regclass, y.ctid FROM tbl x LEFT JOIN tbl y ON x.id = y.id AND y.g = 0 WHERE x.id IN (7, 8) ORDER BY 1;
SELECT ctid, cmin, cmax, xmax, id FROM tbl WHERE id IN (1, 2, 5) ORDER BY id;
SELECT id FROM tbl WHERE ctid = '(0,2)' ORDER BY id;
SELECT count(*) FROM tbl WHERE xmin::text::bigint > 0;
\c :db1
SELECT xmin AS x1 FROM tbl1 WHERE id = 1 \gset
\c :coord
SELECT xmin = :'x1'::xid AS same FROM tbl WHERE id = 1;
-- Row locks reach the shards.
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM tbl WHERE id = 5 FOR UPDATE;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM tbl WHERE g = 5 FOR NO KEY UPDATE NOWAIT;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM tbl FOR SHARE SKIP LOCKED;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM tbl0 FOR KEY SHARE NOWAIT;
EXPLAIN (VERBOSE, COSTS OFF) SELECT x.id FROM tbl x JOIN tbl y USING (id) WHERE y.g = 2 FOR UPDATE OF x FOR SHARE OF y SKIP LOCKED;
SELECT same_rows('SELECT x.id, y.t FROM tbl x JOIN tbl y USING (id) WHERE y.g = 2 FOR UPDATE OF x', 'SELECT x.id, y.t FROM loc x JOIN loc y USING (id) WHERE y.g = 2');
SELECT same_rows('SELECT * FROM tbl FOR UPDATE', 'SELECT * FROM loc FOR UPDATE');
SELECT same_rows('SELECT x.*, loc FROM tbl x LEFT JOIN loc ON loc.id = x.id + 3 AND loc.g < 4 FOR SHARE OF x', 'SELECT x.*, loc FROM loc x LEFT JOIN loc ON loc.id = x.id + 3 AND loc.g < 4');
SELECT same_rows('SELECT x.tableoid IS NULL, x.t, loc.id FROM loc LEFT JOIN tbl x ON loc.id = x.id + 3 WHERE loc.g < 4 FOR SHARE OF loc', 'SELECT x.tableoid IS NULL, x.t, loc.id FROM loc LEFT JOIN loc x ON loc.id = x.id + 3 WHERE loc.g < 4');
-- LIMIT goes with the lock.
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM tbl WHERE id = 5 ORDER BY g LIMIT 1 FOR UPDATE SKIP LOCKED;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, t FROM tbl ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, t FROM tbl0 ORDER BY id OFFSET 1 LIMIT 1 FOR NO KEY UPDATE;
SELECT id, t FROM tbl ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED;
SELECT id, t FROM tbl0 ORDER BY id OFFSET 1 LIMIT 1 FOR NO KEY UPDATE;
BEGIN;
SELECT id, t FROM tbl ORDER BY id LIMIT 1 FOR UPDATE;
\! psql "$SHARD_COORD" -XqAtc "SELECT id FROM tbl ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED"
\! psql "$SHARD_COORD" -XqAtc "SELECT id FROM tbl0 ORDER BY id LIMIT 2 FOR KEY SHARE SKIP LOCKED"
\! psql "$SHARD_COORD" -XqAtc "\set VERBOSITY terse" -c "SELECT id FROM tbl WHERE id = 1 FOR UPDATE NOWAIT" 2>&1
\! psql "$SHARD_COORD" -XqAtc "\set VERBOSITY terse" -c "SELECT id FROM tbl1 WHERE id = 1 FOR SHARE NOWAIT" 2>&1
ROLLBACK;
-- A prepared statement, in a sub-query, under a view and in a function.
PREPARE job(int) AS SELECT id, t FROM tbl WHERE id = $1 FOR UPDATE;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE job(9);
EXECUTE job(9); EXECUTE job(11);
RESET plan_cache_mode;
WITH next AS (SELECT id FROM tbl ORDER BY id DESC LIMIT 2 FOR UPDATE SKIP LOCKED) SELECT loc.* FROM loc JOIN next USING (id) ORDER BY id;
CREATE VIEW seen AS SELECT id, g FROM tbl;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM seen WHERE id = 8 FOR UPDATE;
SELECT * FROM seen WHERE id = 8 FOR UPDATE;
SELECT * FROM (SELECT tbl, loc.id FROM loc JOIN tbl USING (id) WHERE id < 3 FOR UPDATE) s ORDER BY 2;
CREATE FUNCTION take(int) RETURNS SETOF tbl LANGUAGE sql AS 'SELECT * FROM tbl WHERE id <= $1 ORDER BY id FOR UPDATE';
SELECT * FROM take(3);
DO $$ DECLARE r record; n int := 0; BEGIN FOR r IN SELECT tbl FROM tbl WHERE g = 1 FOR UPDATE LOOP n := n + (r.tbl).id; END LOOP; RAISE NOTICE '%', n; END $$;
BEGIN READ ONLY;
SELECT * FROM tbl FOR UPDATE;
ROLLBACK;
-- Other tables of UPDATE, DELETE and MERGE are one foreign scan too.
CREATE TABLE twin AS SELECT * FROM loc;
EXPLAIN (VERBOSE, COSTS OFF) UPDATE twin SET t = tbl.t || '!' FROM tbl WHERE tbl.id = twin.id AND tbl.g = 3;
WITH u AS (UPDATE twin SET t = tbl.t || '!' FROM tbl WHERE tbl.id = twin.id AND tbl.g = 3 RETURNING twin.id, tbl, tbl.tableoid::regclass) SELECT * FROM u ORDER BY id LIMIT 3;
SELECT same_rows('SELECT * FROM twin', 'SELECT id, g, CASE g WHEN 3 THEN t || ''!'' ELSE t END FROM loc');
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM twin USING tbl WHERE tbl.id = twin.id AND tbl.id IN (8, 9);
DELETE FROM twin USING tbl WHERE tbl.id = twin.id AND tbl.id IN (8, 9) RETURNING twin.id;
UPDATE twin SET g = s.n FROM (SELECT g, count(*)::int AS n FROM tbl GROUP BY g) s WHERE s.g = twin.g;
UPDATE twin SET g = -1 FROM (SELECT * FROM tbl WHERE g = 6) s WHERE s.id = twin.id;
DELETE FROM twin WHERE EXISTS (SELECT 1 FROM tbl WHERE tbl.id = twin.id AND tbl.t IS NULL);
DELETE FROM twin WHERE id IN (SELECT id FROM tbl WHERE g = 2);
SELECT count(*), sum(g), sum(id) FROM twin;
MERGE INTO twin USING tbl ON tbl.id = twin.id WHEN MATCHED AND twin.g < 0 THEN DELETE WHEN MATCHED THEN UPDATE SET t = tbl.t WHEN NOT MATCHED THEN INSERT VALUES (tbl.id, 100, tbl.t);
SELECT count(*), sum(g), sum(id), count(t) FROM twin;
-- The changed table is itself sharded.
UPDATE tbl SET t = y.t || '?' FROM tbl y WHERE y.id = tbl.id + 4 AND tbl.id < 4;
SELECT id, t FROM tbl WHERE id < 4 ORDER BY id;
WITH d AS (DELETE FROM tbl USING tbl y WHERE y.id = tbl.id AND y.g = 4 AND y.t IS NULL RETURNING tbl.id, y) SELECT * FROM d ORDER BY id;
-- Rights: a lock asks for more than SELECT.
CREATE ROLE regress_marks;
GRANT SELECT ON tbl TO regress_marks;
SELECT format('CREATE USER MAPPING FOR regress_marks SERVER db%s OPTIONS (user ''postgres'', password_required ''false'')', n) FROM generate_series(0, 3) n \gexec
SET ROLE regress_marks;
SELECT tbl, tableoid::regclass FROM tbl WHERE id = 9;
SELECT * FROM tbl WHERE id = 9 FOR UPDATE;
RESET ROLE;
GRANT UPDATE (t) ON tbl TO regress_marks;
SET ROLE regress_marks;
SELECT * FROM tbl WHERE id = 9 FOR UPDATE;
RESET ROLE;

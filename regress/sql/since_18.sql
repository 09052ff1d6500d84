-- What PostgreSQL 18 (and 16 and 17) brought. Older versions stop here.
\i common/shards.sql
SELECT current_setting('server_version_num')::int < 180000 AS older \gset
\if :older
\quit
\endif
\c :db0
CREATE TABLE p0 (id int, g int, v int, iv interval, t text);
CREATE TABLE gen (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED, thrice int GENERATED ALWAYS AS (a * 3) VIRTUAL);
CREATE TABLE booking (room int4range, at daterange, PRIMARY KEY (room, at WITHOUT OVERLAPS));
\c :db1
CREATE TABLE p1 (id int, g int, v int, iv interval, t text);
\c :coord
CREATE TABLE p (id int, g int, v int, iv interval, t text);
CREATE FOREIGN TABLE p0 (CHECK (abs(id % 2) = 0)) INHERITS (p) SERVER db0;
CREATE FOREIGN TABLE p1 (CHECK (abs(id % 2) = 1)) INHERITS (p) SERVER db1;
INSERT INTO p SELECT i, i % 5, i, i * interval '1 day', 'x' || i FROM generate_series(1, 40) i;
INSERT INTO p VALUES (100, 7, 1, 'infinity'), (101, 7, 2, 'infinity'), (102, 8, 3, '-infinity'), (103, 8, 4, '1 day'), (105, 9, 5, NULL);
CREATE TABLE l AS SELECT * FROM p;

-- NOT NULL that is not valid is not believed: rows with NULL may be on any shard.
ALTER FOREIGN TABLE p0 ADD CONSTRAINT nn NOT NULL id NOT VALID;
ALTER FOREIGN TABLE p1 ADD CONSTRAINT nn NOT NULL id NOT VALID;
EXPLAIN (COSTS OFF) SELECT id, row_number() OVER (PARTITION BY id) FROM p;
ALTER FOREIGN TABLE p0 VALIDATE CONSTRAINT nn;
ALTER FOREIGN TABLE p1 VALIDATE CONSTRAINT nn;
EXPLAIN (COSTS OFF) SELECT id, row_number() OVER (PARTITION BY id) FROM p;
-- Nor is a CHECK that is not enforced.
CREATE TABLE e (id int, g int);
CREATE FOREIGN TABLE e0 (CHECK (abs(id % 2) = 0) NOT ENFORCED) INHERITS (e) SERVER db0 OPTIONS (table_name 'p0');
CREATE FOREIGN TABLE e1 (CHECK (abs(id % 2) = 1) NOT ENFORCED) INHERITS (e) SERVER db1 OPTIONS (table_name 'p1');
EXPLAIN (COSTS OFF) SELECT id FROM e WHERE id = 5;

-- The row before and after the change.
UPDATE p0 SET v = v + 1 WHERE id = 2 RETURNING old.v, new.v, v, old, new;
UPDATE p0 SET v = v + 1 WHERE id = 2 AND random() >= 0 RETURNING WITH (OLD AS o, NEW AS n) o.v, n.v, v, o, n;
UPDATE p SET v = v + 1 WHERE id = 1 RETURNING old.v, new.v, v;
UPDATE p SET v = s.v FROM (VALUES (1, 100), (2, 200)) s (id, v) WHERE p.id = s.id RETURNING old.v, new.v, p.v, s.v, old.id;
UPDATE p SET id = id + 201 WHERE id = 4 RETURNING old.id, new.id, id, old.v, new.v;
UPDATE p SET id = id + 201 WHERE id = 6 RETURNING old, new;
INSERT INTO p VALUES (4, 4, 4), (6, 6, 6) RETURNING old.v, new.v, v, old, new;
DELETE FROM p WHERE id = 205 RETURNING old.v, new.v, v;
DELETE FROM p WHERE id = 207 AND random() >= 0 RETURNING old.v, new.v, v, old, new;
SELECT expect_error('INSERT INTO p0 VALUES (4) ON CONFLICT (id) DO UPDATE SET v = excluded.v RETURNING old.v');
SELECT tableoid::regclass, id, v FROM p WHERE id IN (1, 2, 4, 6) ORDER BY id;
DELETE FROM l WHERE id IN (1, 2, 4, 6); INSERT INTO l SELECT * FROM p WHERE id IN (1, 2, 4, 6);

-- Columns computed when they are read: on the side that reads.
CREATE FOREIGN TABLE gen (id int, a int, twice int GENERATED ALWAYS AS (a * 2) STORED, thrice int GENERATED ALWAYS AS (a * 3) VIRTUAL) SERVER db0;
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO gen VALUES (1, 1) RETURNING *;
INSERT INTO gen VALUES (1, 1), (2, 2) RETURNING *;
COPY gen (id, a) FROM STDIN;
3	3
\.
EXPLAIN (VERBOSE, COSTS OFF) SELECT thrice FROM gen WHERE thrice > 3 ORDER BY thrice;
SELECT thrice, gen FROM gen WHERE thrice > 3 ORDER BY thrice;
UPDATE gen SET a = 5 WHERE thrice = 3 RETURNING *, old.thrice, new.thrice;
UPDATE gen SET a = 6 WHERE id = 2 AND random() >= 0 RETURNING *, old.thrice;
DELETE FROM gen WHERE thrice = 9 RETURNING *;
INSERT INTO gen VALUES (1, 9) ON CONFLICT (id) DO UPDATE SET a = excluded.a + gen.thrice RETURNING *;
CREATE SCHEMA imported;
IMPORT FOREIGN SCHEMA public LIMIT TO (gen) FROM SERVER db0 INTO imported;
INSERT INTO imported.gen (id, a) VALUES (7, 7) RETURNING *;
SELECT * FROM imported.gen ORDER BY id;
-- Constraints over periods.
CREATE FOREIGN TABLE booking (room int4range, at daterange) SERVER db0;
INSERT INTO booking VALUES ('[1,2)', '[2020-01-01,2021-01-01)');
SELECT expect_error('INSERT INTO booking VALUES (''[1,2)'', ''[2020-06-01,2021-06-01)'')');
INSERT INTO booking VALUES ('[1,2)', '[2020-06-01,2021-06-01)') ON CONFLICT DO NOTHING;

-- COPY that skips lines.
\! printf '50\n51\nx\n53\n' > "$SHARD_SOCKETS/lines"; chmod 644 "$SHARD_SOCKETS/lines"
\set lines :sockets /lines
COPY p (id) FROM :'lines' (ON_ERROR ignore, REJECT_LIMIT 1, LOG_VERBOSITY verbose);
SELECT tableoid::regclass, id FROM p WHERE id BETWEEN 50 AND 60 ORDER BY id;
DELETE FROM p WHERE id BETWEEN 50 AND 60;

-- Newer functions, aggregates, joins.
SELECT q, same_rows(regexp_replace(q, '@', 'p', 'g'), regexp_replace(q, '@', 'l', 'g')) FROM unnest(ARRAY[
  'SELECT g, sum(iv), avg(iv), count(iv) FROM @ p GROUP BY g', 'SELECT sum(iv) FROM @ p WHERE g < 8', 'SELECT sum(iv), avg(iv) FROM @ p WHERE g >= 9',
  'SELECT g, any_value(g), any_value(1) FROM @ p GROUP BY g', 'SELECT any_value(g) FROM @ p WHERE id = 7', 'SELECT g, max(array[id, g]) FROM @ p GROUP BY g',
  'SELECT id FROM @ p WHERE JSON_VALUE(to_jsonb(p), ''$.g'' RETURNING int) = 3', 'SELECT id FROM @ p WHERE t IS JSON', 'SELECT JSON_OBJECT(''a'': id), JSON_SCALAR(id) FROM @ p',
  'SELECT g, JSON_ARRAYAGG(id ORDER BY id) FROM @ p GROUP BY g', 'SELECT p.id, x FROM @ p, JSON_TABLE(jsonb_build_array(g, v), ''$[*]'' COLUMNS (x int PATH ''$'')) jt',
  'SELECT a.id FROM @ a WHERE NOT EXISTS (SELECT FROM @ b WHERE b.id = a.id AND b.g > 2)', 'SELECT a.id FROM @ a WHERE EXISTS (SELECT FROM @ b WHERE b.id = a.id AND b.g > 2)',
  'SELECT a.id FROM @ a WHERE a.id = 8 AND EXISTS (SELECT FROM @ b WHERE b.g = a.g)', 'SELECT a.id FROM @ a WHERE a.g IN (SELECT b.id FROM @ b WHERE b.id < 3)',
  'SELECT a.id, b.id FROM @ a RIGHT JOIN @ b USING (id) WHERE b.g = 3', 'SELECT g, v, count(*), grouping(g) FROM @ p GROUP BY ROLLUP (g, v)', 'SELECT g, count(*) FROM @ p WHERE id = 4 GROUP BY CUBE (g)',
  'SELECT id FROM @ p WHERE id IN (VALUES (1), (3), (5))', 'SELECT id FROM @ p WHERE id = 1 OR id = 3 OR id = 5', 'SELECT id FROM @ p WHERE id = 1 OR id = 3 OR g = 2',
  'SELECT casefold(t), crc32(t::bytea), array_sort(array[g, id]), reverse(t::bytea) FROM @ p', 'SELECT * FROM (SELECT id, row_number() OVER (PARTITION BY id ORDER BY g) r FROM @ p) s WHERE r <= 1',
  'SELECT CASE WHEN g > 2 THEN id END, count(*) FROM @ p GROUP BY 1', 'SELECT g, (SELECT max(b.id) FROM @ b WHERE b.g = a.g) FROM @ a GROUP BY g']) q;

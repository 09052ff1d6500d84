-- ORDER BY over several shards: each sorts, and their rows are merged.
\i common/shards.sql
\c :db0
CREATE TABLE t0 (id int, grp int, name text, code text, score float8, amount numeric, born date, flag bool, cc text);
CREATE TABLE o0 (cust int, qty int);
\c :db1
CREATE TABLE t1 (id int, grp int, name text, code text, score float8, amount numeric, born date, flag bool, cc text);
CREATE TABLE o1 (cust int, qty int);
\c :db2
CREATE TABLE t2 (id int, grp int, name text, code text, score float8, amount numeric, born date, flag bool, cc text);
CREATE TABLE o2 (cust int, qty int);
\c :db3
CREATE TABLE t3 (id int, grp int, name text, code text, score float8, amount numeric, born date, flag bool, cc text);
CREATE TABLE o3 (cust int, qty int);
\c :coord
CREATE TABLE l_t (id int, grp int, name text, code text, score float8, amount numeric, born date, flag bool, cc text COLLATE "C");
INSERT INTO l_t SELECT CASE WHEN i % 97 <> 0 THEN i - 500 END, nullif(i % 7, 3), 'name ' || i % 300, 'x' || i, CASE WHEN i % 31 = 0 THEN 'NaN' WHEN i % 53 <> 0 THEN i % 100 / 8.0 END,
    (i * 37 % 1000) / 7.0, date '1990-01-01' + i * 7 % 400, CASE i % 3 WHEN 0 THEN true WHEN 1 THEN false END,
    CASE WHEN i % 11 <> 0 THEN CASE i % 5 WHEN 0 THEN 'A' WHEN 1 THEN 'a' WHEN 2 THEN 'ä' WHEN 3 THEN '_' ELSE 'Zz' END || i % 40 END
  FROM generate_series(1, 2000) i;
CREATE TABLE l_o AS SELECT i % 300 AS cust, i AS qty FROM generate_series(1, 1000) i;
CREATE TABLE t (LIKE l_t);
CREATE TABLE o (LIKE l_o);
-- On one shard "cc" was declared otherwise: what is sent says how to sort.
SELECT format('CREATE FOREIGN TABLE t%s (CHECK (abs(mod(id, 4)) = %1$s)) INHERITS (t) SERVER db%1$s OPTIONS (schema_name ''public'')', n),
       format('CREATE FOREIGN TABLE o%s (CHECK (abs(mod(cust, 4)) = %1$s)) INHERITS (o) SERVER db%1$s OPTIONS (schema_name ''public'')', n),
       format('INSERT INTO t%s SELECT * FROM l_t WHERE coalesce(abs(mod(id, 4)), coalesce(grp, 1) %% 4) = %1$s', n),
       format('INSERT INTO o%s SELECT * FROM l_o WHERE abs(mod(cust, 4)) = %1$s', n),
       format('ANALYZE t%s, o%1$s', n)
  FROM generate_series(0, 3) n \gexec
ANALYZE l_t, l_o;

EXPLAIN (VERBOSE, COSTS OFF) SELECT id, name FROM t ORDER BY id;
EXPLAIN (VERBOSE, COSTS OFF) SELECT name FROM t ORDER BY grp DESC NULLS LAST, abs(id), amount * 2;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM t ORDER BY cc, code COLLATE "C" DESC;
-- The shards have the default collation that this database has.
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM t ORDER BY name;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, name FROM t ORDER BY id DESC LIMIT 5 OFFSET 3;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, count(*) FROM t WHERE id > 0 GROUP BY id ORDER BY id;
EXPLAIN (VERBOSE, COSTS OFF) SELECT t.id, o.qty FROM t JOIN o ON o.cust = t.id ORDER BY o.qty, t.id;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM t WHERE id = 7 ORDER BY score;
EXPLAIN (VERBOSE, COSTS OFF) SELECT DISTINCT ON (grp) grp, id FROM t ORDER BY grp, id;
SET shard_fdw.enable_ordered_merge = off;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, name FROM t ORDER BY id;
RESET shard_fdw.enable_ordered_merge;

-- Joins that could be done in batches are to be merged here.
SET shard_fdw.enable_batched_join = off;
-- The very order of the rows, against a local twin.
CREATE FUNCTION same_order(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE a text[]; b text[]; plan text; line text; merged text := 'merged';
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    IF line ~ 'Sort' THEN merged := 'sorted here'; END IF;
  END LOOP;
  EXECUTE format('SELECT array_agg(r::text) FROM (%s) r', query) INTO a;
  EXECUTE format('SELECT array_agg(r::text) FROM (%s) r', regexp_replace(query, '(FROM|JOIN) (t|o)\M', '\1 l_\2 AS \2', 'g')) INTO b;
  IF a IS DISTINCT FROM b THEN
    RETURN format('%s: %s differ, first %s instead of %s', query, array_length(b, 1),
      (SELECT a[i] FROM generate_subscripts(b, 1) i WHERE a[i] IS DISTINCT FROM b[i] LIMIT 1),
      (SELECT b[i] FROM generate_subscripts(b, 1) i WHERE a[i] IS DISTINCT FROM b[i] LIMIT 1));
  END IF;
  RETURN format('%s rows, %s', coalesce(array_length(a, 1), 0), merged);
END $$;
CREATE TABLE orders (o text);
INSERT INTO orders VALUES
 ('SELECT code, id FROM t ORDER BY id, code COLLATE "C"'),
 ('SELECT id FROM t ORDER BY id DESC'),
 ('SELECT id FROM t ORDER BY id DESC NULLS LAST'),
 ('SELECT id FROM t ORDER BY id NULLS FIRST'),
 ('SELECT grp, score, id FROM t ORDER BY grp DESC, score NULLS FIRST, id, code COLLATE "C"'),
 ('SELECT score FROM t ORDER BY score DESC NULLS LAST'),
 ('SELECT amount, born, flag FROM t ORDER BY flag, born DESC, amount'),
 ('SELECT cc FROM t ORDER BY cc'),
 ('SELECT cc, code FROM t ORDER BY cc COLLATE "POSIX" DESC, code COLLATE "C"'),
 ('SELECT code FROM t ORDER BY id + grp, upper(code) COLLATE "C"'),
 ('SELECT code FROM t ORDER BY length(name), amount, code COLLATE "C"'),
 ('SELECT code FROM t ORDER BY abs(id), id, code COLLATE "C"'),
 ('SELECT name FROM t ORDER BY name'),
 ('SELECT grp, code FROM t WHERE id > 0 AND flag ORDER BY grp, code COLLATE "C"'),
 ('SELECT id FROM t WHERE id IN (1, 2, 3, 50, 49, 48, 51) ORDER BY id DESC'),
 ('SELECT id FROM t WHERE false ORDER BY id'),
 ('SELECT id FROM t WHERE id > 100000 ORDER BY id'),
 ('SELECT id, code FROM t ORDER BY id LIMIT 7'),
 ('SELECT id, code FROM t ORDER BY id DESC NULLS LAST LIMIT 7 OFFSET 20'),
 ('SELECT score FROM t ORDER BY score NULLS FIRST LIMIT 40'),
 ('SELECT id FROM t ORDER BY id LIMIT 0'),
 ('SELECT id FROM t ORDER BY id OFFSET 1900'),
 ('SELECT id, grp FROM t ORDER BY grp, id FETCH FIRST 3 ROWS WITH TIES'),
 ('SELECT id, count(*), min(code) FROM t GROUP BY id ORDER BY id'),
 ('SELECT grp, count(*), sum(id) FROM t GROUP BY grp ORDER BY grp'),
 ('SELECT DISTINCT grp, flag FROM t ORDER BY grp, flag'),
 ('SELECT DISTINCT ON (born) born, id FROM t ORDER BY born, id'),
 ('SELECT t.id, o.qty FROM t JOIN o ON o.cust = t.id ORDER BY o.qty, t.id'),
 ('SELECT t.id, o.qty FROM t LEFT JOIN o ON o.cust = t.id ORDER BY t.id, o.qty, t.code COLLATE "C" LIMIT 900'),
 ('SELECT t.id, o.qty FROM t JOIN o ON o.qty = t.id ORDER BY t.id'),
 ('SELECT id, row_number() OVER (ORDER BY id) FROM t WHERE id IS NOT NULL ORDER BY id'),
 ('SELECT id, sum(id) OVER (ORDER BY born, id, code COLLATE "C") FROM t ORDER BY born, id, code COLLATE "C"');
SELECT o, same_order(o) FROM orders;
-- Small batches, so that each shard is asked many times.
SELECT format('ALTER SERVER db%s OPTIONS (ADD fetch_size ''7'')', n) FROM generate_series(0, 3) n \gexec
SELECT o, same_order(o) FROM orders WHERE same_order(o) ~ 'differ';
-- Merge joins need the order.
SET enable_hashjoin = off; SET enable_nestloop = off;
SELECT o, same_order(o) FROM orders WHERE same_order(o) ~ 'differ';
EXPLAIN (VERBOSE, COSTS OFF) SELECT t.id, l.id FROM t JOIN l_t l ON l.id = t.id ORDER BY t.id;
SELECT same_rows('SELECT t.id, l.code FROM t JOIN l_t l ON l.id = t.id', 'SELECT t.id, l.code FROM l_t t JOIN l_t l ON l.id = t.id');
RESET enable_hashjoin; RESET enable_nestloop;
SET enable_hashagg = off;
SELECT o, same_order(o) FROM orders WHERE same_order(o) ~ 'differ';
RESET enable_hashagg;

-- Read again: the inner side of a nested loop, with parameters and without.
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off;
SELECT same_rows('SELECT x, array_agg(t.id) FROM generate_series(1, 4) x, LATERAL (SELECT id FROM t WHERE grp = x ORDER BY id DESC LIMIT 3) t GROUP BY x',
  'SELECT x, array_agg(t.id) FROM generate_series(1, 4) x, LATERAL (SELECT id FROM l_t t WHERE grp = x ORDER BY id DESC LIMIT 3) t GROUP BY x');
SELECT x, (SELECT array_agg(id) FROM (SELECT id FROM t WHERE id > x ORDER BY id LIMIT 3) s) FROM generate_series(1, 4) x;
SELECT x, (SELECT array_agg(id) FROM (SELECT id FROM t WHERE id > 7 ORDER BY id LIMIT 3 OFFSET x) s) FROM generate_series(1, 4) x;
RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_material;
-- Cursors: forth, back, and closed early; two scans on the same connections at once.
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM t WHERE id > 0 ORDER BY id;
FETCH 3 FROM c; FETCH BACKWARD 2 FROM c; FETCH 2 FROM c; FETCH ABSOLUTE 900 FROM c; FETCH FIRST FROM c;
DECLARE d CURSOR FOR SELECT id FROM t WHERE id > 0 ORDER BY id DESC;
FETCH 2 FROM d; FETCH 2 FROM c; FETCH 2 FROM d;
CLOSE c;
FETCH 2 FROM d;
COMMIT;
-- Parameters of the order, and of shards.
PREPARE by_distance (int) AS SELECT id FROM t WHERE id IS NOT NULL ORDER BY abs(id - $1), id LIMIT 4;
PREPARE chosen (int[]) AS SELECT id FROM t WHERE id = ANY ($1) ORDER BY id DESC;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE by_distance (100);
EXECUTE by_distance (100); EXECUTE by_distance (7);
EXECUTE chosen ('{1,5,2,9}'); EXECUTE chosen ('{4}'); EXECUTE chosen (NULL);
RESET plan_cache_mode;

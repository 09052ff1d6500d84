-- Queries that only chance would write.
\i common/shards.sql
\c :db0
CREATE TABLE a (id int, n int, t text, y bytea, many int[]);
CREATE TABLE b (id int, n int, t text, y bytea, many int[]);
\c :db1
CREATE TABLE a (id int, n int, t text, y bytea, many int[]);
CREATE TABLE b (id int, n int, t text, y bytea, many int[]);
\c :coord
SET client_min_messages = warning;
CREATE SCHEMA l;
CREATE SCHEMA s;
CREATE TABLE l.a AS SELECT i AS id, i % 5 AS n, 'text ' || i % 7 AS t, decode(md5(i::text), 'hex') AS y, ARRAY[i % 3, i, NULL] AS many FROM generate_series(1, 40) i;
CREATE TABLE l.b AS SELECT i * 2 AS id, i % 4 AS n, 'text ' || i % 5 AS t, decode(md5(i::text), 'hex') AS y, ARRAY[i, i % 6] AS many FROM generate_series(1, 30) i;
SELECT format('CREATE TABLE s.%1$s (LIKE l.%1$s)', name),
    format('CREATE FOREIGN TABLE s.%1$s0 (CHECK (id %% 2 = 0)) INHERITS (s.%1$s) SERVER db0 OPTIONS (schema_name ''public'', table_name %1$L)', name),
    format('CREATE FOREIGN TABLE s.%1$s1 (CHECK (id %% 2 = 1)) INHERITS (s.%1$s) SERVER db1 OPTIONS (schema_name ''public'', table_name %1$L)', name),
    format('INSERT INTO s.%1$s SELECT * FROM l.%1$s', name)
  FROM unnest('{a,b}'::text[]) name \gexec
CREATE FOREIGN TABLE s.one (id int, n int, t text, y bytea, many int[]) SERVER db0 OPTIONS (schema_name 'public', table_name 'a');
CREATE TABLE l.one AS SELECT * FROM l.a WHERE id % 2 = 0;
-- The same query on the tables in s and in l: rows of one that the other lacks.
CREATE FUNCTION twins(query text) RETURNS SETOF text LANGUAGE sql AS
  $$ SELECT same_rows(replace(query, '@', 's.'), replace(query, '@', 'l.')) $$;

-- A condition without columns of the table, checked above the scan, and a sort of an expression: the scan has the columns.
SELECT twins('SELECT id, (SELECT octet_length(b.y) FROM @b b WHERE a.n = 3 AND b.id = a.id ORDER BY 1 LIMIT 1) FROM @a a');
SELECT twins('SELECT id, (SELECT b.t || b.id FROM @b b WHERE a.n = 3 AND b.n = a.n ORDER BY 1 DESC LIMIT 1) FROM @a a');

-- Streams that are merged by a key that is the same for all rows of one of them.
PREPARE q(text) AS (SELECT a.t, (SELECT max(n) FROM s.b) AS m FROM s.a) UNION ALL (SELECT b.t, b.n FROM s.b) ORDER BY 2, 1 LIMIT 7;
SET enable_sort = off;
SELECT p FROM plan_of($$EXECUTE q('x')$$, 'VERBOSE, COSTS OFF') p WHERE p !~ 'InitPlan|Output|Sort Key';
EXECUTE q('x');
SELECT twins('(SELECT t, (SELECT max(n) FROM @b) AS m FROM @a) UNION ALL (SELECT t, n FROM @b) ORDER BY 2, 1 LIMIT 50');
SELECT twins('(SELECT t, now() - now() AS m FROM @a) UNION ALL (SELECT t, interval ''1'' FROM @b) ORDER BY 2, 1 LIMIT 50');
RESET enable_sort;
DEALLOCATE q;

-- An element of an array that comes from elsewhere.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET shard_fdw.enable_batched_join = off;
EXPLAIN (VERBOSE, COSTS OFF) SELECT a.id, x.t FROM l.a a, LATERAL (SELECT * FROM s.one WHERE one.id = a.many[2] AND one.n = (a.many)[1] LIMIT 2) x;
SELECT twins('SELECT a.id, x.t FROM l.a a, LATERAL (SELECT * FROM @one WHERE id = a.many[2] AND n = (a.many)[1] LIMIT 2) x');
SELECT twins('SELECT a.id, x.t FROM l.a a, LATERAL (SELECT * FROM @b WHERE ARRAY[id, 0] && a.many[2:2] AND id = (a.many)[2] LIMIT 2) x');

-- A cast has the name of the column that is cast: ORDER BY means the other one.
RESET enable_hashjoin;
RESET enable_mergejoin;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id::text AS x, id AS y, count(*) FROM s.one GROUP BY id, id::text ORDER BY id LIMIT 3;
SELECT id::text AS x, id AS y, count(*) FROM s.one GROUP BY id, id::text ORDER BY id LIMIT 3;
SELECT id::text AS x, id AS y, count(*) FROM s.a GROUP BY id, id::text ORDER BY y DESC LIMIT 3;
SELECT DISTINCT ON (n) n::text AS x, n AS y, id FROM s.one ORDER BY n, id DESC;
SELECT t AS x FROM s.a ORDER BY id::text, id LIMIT 3;

-- A condition of MERGE that is always true is gone when the shard gets it, and so is what comes after.
BEGIN;
MERGE INTO s.a USING (VALUES (2, 70)) v(id, n) ON a.id = v.id WHEN MATCHED AND 1 < 2 THEN UPDATE SET n = v.n WHEN MATCHED THEN DELETE
  WHEN NOT MATCHED AND 1 < 2 THEN INSERT (id) VALUES (v.id) WHEN NOT MATCHED THEN DO NOTHING;
SELECT id, n FROM s.a WHERE id = 2;
ROLLBACK;

-- Rows that come as text only when the first batch has been looked at, read again before that.
SET enable_material = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
ALTER SERVER db0 OPTIONS (ADD fetch_size '1');
ALTER SERVER db1 OPTIONS (ADD fetch_size '1');
BEGIN;
EXPLAIN (VERBOSE, COSTS OFF) UPDATE l.b SET t = 'new' WHERE EXISTS (SELECT 1 FROM s.a WHERE (b.n = a.n) IS NOT UNKNOWN AND (b.id < 10 OR a.id % 2 = 1));
UPDATE l.b SET t = 'new' WHERE EXISTS (SELECT 1 FROM s.a WHERE (b.n = a.n) IS NOT UNKNOWN AND (b.id < 10 OR a.id % 2 = 1));
SELECT count(*) FROM l.b WHERE t = 'new';
ROLLBACK;

-- Both sides of a full join have conditions, be they semi-joins.
RESET enable_hashjoin;
RESET enable_mergejoin;
SELECT twins('SELECT x.id, x.n, y.id FROM (SELECT a.id, b.n FROM @a a LEFT JOIN @b b ON a.id = b.id WHERE a.n > 2) x
  FULL JOIN (SELECT a.id FROM @a a LEFT JOIN @b b ON a.id = b.id AND b.n = 2 WHERE a.n < 4) y ON x.id = y.id');
SELECT twins('SELECT x.id, x.n, y.id FROM (SELECT a.id, b.n FROM @a a LEFT JOIN @b b ON a.id = b.id WHERE a.n > 2) x
  FULL JOIN (SELECT a.id FROM @a a JOIN @b b ON a.id = b.id WHERE EXISTS (SELECT 1 FROM @b c WHERE c.id = b.id AND c.n = 1)) y ON x.id = y.id');
SELECT twins('SELECT x.id, y.id FROM (SELECT a.id FROM @a a WHERE NOT EXISTS (SELECT 1 FROM @b b WHERE a.id = b.id AND b.n = 2)) x
  FULL JOIN (SELECT a.id FROM @a a WHERE EXISTS (SELECT 1 FROM @b c WHERE c.id = a.id AND c.n = 1)) y ON x.id = y.id');

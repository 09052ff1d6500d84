-- Joins of other tables with a sharded one on its sharding column: one request for many outer rows.
\i common/shards.sql
\i common/plans_of_15.sql
\c :db0
CREATE TABLE c0 (id int PRIMARY KEY, name text, grp int, big bigint);
CREATE TABLE k0 (k text COLLATE "C" PRIMARY KEY, v int);
\c :db1
CREATE TABLE c1 (id int PRIMARY KEY, name text, grp int, big bigint);
CREATE TABLE k1 (k text COLLATE "C" PRIMARY KEY, v int);
\c :db2
CREATE TABLE c2 (id int, name text, grp int, big bigint);
CREATE TABLE k2 (k text COLLATE "C" PRIMARY KEY, v int);
\c :db3
CREATE TABLE c3 (id int, name text, grp int, big bigint);
CREATE TABLE k3 (k text COLLATE "C" PRIMARY KEY, v int);
\c :coord
CREATE TABLE l_c (id int, name text, grp int, big bigint);
-- Numbers that come several times, NULLs, negative ones.
INSERT INTO l_c SELECT i, 'name ' || i, i % 7, i * 10 FROM generate_series(-300, 3000) i;
INSERT INTO l_c SELECT i, 'again ' || i, NULL, i FROM generate_series(6, 600, 4) i;
INSERT INTO l_c SELECT NULL, 'nobody ' || i, i, NULL FROM generate_series(1, 5) i;
CREATE TABLE l_k (k text COLLATE "C", v int);
INSERT INTO l_k SELECT 'key ' || i, i FROM generate_series(1, 500) i;
CREATE TABLE c (LIKE l_c);
CREATE TABLE k (LIKE l_k);
SELECT format('CREATE FOREIGN TABLE c%s (CHECK (abs(mod(id, 4)) = %1$s)) INHERITS (c) SERVER db%1$s OPTIONS (schema_name ''public'')', n),
       format('CREATE FOREIGN TABLE k%s (CHECK (abs(mod(hashtext(k), 4)) = %1$s)) INHERITS (k) SERVER db%1$s OPTIONS (schema_name ''public'')', n)
  FROM generate_series(0, 3) n \gexec
INSERT INTO c SELECT * FROM l_c WHERE id IS NOT NULL;
-- A NULL may be anywhere.
INSERT INTO c2 SELECT * FROM l_c WHERE id IS NULL;
INSERT INTO k SELECT * FROM l_k;
CREATE TABLE o (oid int, cust int, cust8 bigint, cust2 smallint, cnum numeric, key text, vkey varchar(20), amount int);
INSERT INTO o SELECT i, CASE WHEN i % 13 <> 0 THEN i * 7 % 1500 - 100 END, i * 7 % 1500, (i % 90)::smallint, i % 50,
    'key ' || i % 700, 'key ' || i % 300, i FROM generate_series(1, 1500) i;
ANALYZE o, l_c, l_k, c0, c1, c2, c3, c, k0, k1, k2, k3, k;
-- Moving rows is dear: the planner will not want all of them.
SELECT format('ALTER SERVER db%s OPTIONS (ADD fdw_tuple_cost ''100'')', n) FROM generate_series(0, 3) n \gexec

-- (Versions differ in the order of a condition's sides.)
SELECT regexp_replace(p, '\(c.id = o.cust\)', '(o.cust = c.id)') AS p FROM plan_of('SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust WHERE o.oid < 100', 'VERBOSE, COSTS OFF') p;
EXPLAIN (VERBOSE, COSTS OFF) SELECT o.oid, c.name FROM o LEFT JOIN c ON c.id = o.cust8 AND c.grp < o.amount WHERE c.grp IS NULL;
EXPLAIN (COSTS OFF) SELECT oid FROM o WHERE EXISTS (SELECT FROM c WHERE c.id = o.cust AND c.big <> o.amount);
SELECT p FROM plan_of('SELECT oid FROM o WHERE NOT EXISTS (SELECT FROM k WHERE k.k = o.vkey)') p WHERE p ~ 'Batched';
SELECT regexp_replace(p, 'rows=381 |rows=380.75 ', 'rows=N ') AS p FROM plan_of('SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust', 'ANALYZE, COSTS OFF') p WHERE p !~ 'Join Cond';

CREATE FUNCTION odd(i int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN i % 2 <> 0; END';
CREATE VIEW v_c WITH (security_barrier) AS SELECT * FROM c WHERE name <> 'name 5';
CREATE VIEW v_l_c WITH (security_barrier) AS SELECT * FROM l_c WHERE name <> 'name 5';

-- The same rows as from local tables, and how they were joined.
CREATE FUNCTION same(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE a text[]; b text[]; line text; how text := 'otherwise'; twin text;
BEGIN
  twin := regexp_replace(query, '\m(FROM|JOIN|LATERAL|,) (c|k)\M', '\1 l_\2 AS \2', 'g');
  twin := regexp_replace(twin, 'AS (c|k) (AS )?([a-z]+[0-9])\M', 'AS \3', 'g');
  twin := replace(twin, 'v_c', 'v_l_c');
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    IF line ~ 'ShardBatchedJoin' THEN how := 'in batches'; END IF;
  END LOOP;
  EXECUTE format('SELECT array_agg(r::text ORDER BY r::text COLLATE "C") FROM (%s) r', query) INTO a;
  EXECUTE format('SELECT array_agg(r::text ORDER BY r::text COLLATE "C") FROM (%s) r', twin) INTO b;
  IF a IS DISTINCT FROM b THEN
    RETURN format('DIFFERENT: %s: %s rows instead of %s', query, array_length(a, 1), array_length(b, 1));
  END IF;
  RETURN format('%s: %s rows, %s', query, coalesce(array_length(b, 1), 0), how);
END $$;
CREATE TABLE queries (n serial, q text);
INSERT INTO queries (q) VALUES
 ('SELECT o.*, c.* FROM o JOIN c ON c.id = o.cust'),
 ('SELECT o.*, c.* FROM o LEFT JOIN c ON c.id = o.cust'),
 ('SELECT o.* FROM o WHERE EXISTS (SELECT FROM c WHERE c.id = o.cust)'),
 ('SELECT o.* FROM o WHERE o.cust IN (SELECT id FROM c)'),
 ('SELECT o.* FROM o WHERE NOT EXISTS (SELECT FROM c WHERE c.id = o.cust)'),
 ('SELECT o.* FROM o WHERE o.cust NOT IN (SELECT id FROM c WHERE id > 10)'),
 ('SELECT c.* FROM c RIGHT JOIN o ON c.id = o.cust'),
 ('SELECT o.oid, c.name FROM o FULL JOIN c ON c.id = o.cust'),
 ('SELECT o.oid, c.name FROM o JOIN c ON o.cust = c.id AND c.grp = 3'),
 ('SELECT o.oid, c.name FROM o JOIN c ON o.cust = c.id AND c.grp < o.amount % 7'),
 ('SELECT o.oid, c.name FROM o LEFT JOIN c ON o.cust = c.id AND c.grp = 3'),
 ('SELECT o.oid, c.name FROM o LEFT JOIN c ON o.cust = c.id AND c.grp < o.amount % 7'),
 ('SELECT o.oid, c.name FROM o LEFT JOIN c ON o.cust = c.id AND o.amount > 700'),
 ('SELECT o.oid, c.name FROM o LEFT JOIN c ON o.cust = c.id WHERE c.id IS NULL'),
 ('SELECT o.oid, c.name FROM o LEFT JOIN c ON o.cust = c.id WHERE c.grp IS NULL'),
 ('SELECT o.oid, c.name FROM o LEFT JOIN c ON o.cust = c.id WHERE coalesce(c.grp, -1) <> 3 AND o.oid % 3 = 0'),
 ('SELECT o.oid FROM o WHERE EXISTS (SELECT FROM c WHERE c.id = o.cust AND c.grp < o.amount % 7)'),
 ('SELECT o.oid FROM o WHERE NOT EXISTS (SELECT FROM c WHERE c.id = o.cust AND c.grp < o.amount % 7)'),
 ('SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust AND odd(c.grp)'),
 ('SELECT o.oid, c.name FROM o LEFT JOIN c ON c.id = o.cust AND odd(c.grp)'),
 ('SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust AND odd(c.grp + o.amount)'),
 ('SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust8'),
 ('SELECT o.oid, c.name FROM o LEFT JOIN c ON o.cust8 = c.id'),
 ('SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust2'),
 ('SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cnum'),
 ('SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust + 1'),
 ('SELECT o.oid, c.name FROM o JOIN c ON c.big = o.cust'),
 ('SELECT o.oid, k.v FROM o JOIN k ON k.k = o.key'),
 ('SELECT o.oid, k.v FROM o LEFT JOIN k ON k.k = o.key'),
 ('SELECT o.oid, k.v FROM o LEFT JOIN k ON k.k = o.vkey AND k.v % 3 = 1'),
 ('SELECT o.oid FROM o WHERE NOT EXISTS (SELECT FROM k WHERE k.k = o.key)'),
 ('SELECT o.oid, k.v, c.name FROM o JOIN k ON k.k = o.key LEFT JOIN c ON c.id = o.cust'),
 ('SELECT o.oid, k.v, c.name FROM o LEFT JOIN (k JOIN c ON c.id = k.v) ON k.k = o.key'),
 ('SELECT o.oid, c1.name, c2.name FROM o JOIN c c1 ON c1.id = o.cust JOIN c c2 ON c2.id = o.amount'),
 ('SELECT o.oid, c1.name, c2.name FROM o LEFT JOIN c c1 ON c1.id = o.cust LEFT JOIN c c2 ON c2.id = c1.grp'),
 ('SELECT p.oid, c.name FROM o JOIN o p ON p.oid = o.amount AND p.oid < 300 JOIN c ON c.id = p.cust'),
 ('SELECT g, c.name FROM generate_series(-5, 700) g JOIN c ON c.id = g'),
 ('SELECT * FROM (VALUES (1, 2), (5, NULL), (NULL, 3), (9, 9), (9, 9)) AS v (a, b) LEFT JOIN c ON c.id = v.b'),
 ('SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust WHERE o.oid < 0'),
 ('SELECT o.oid, c.name FROM o LEFT JOIN c ON c.id = o.cust WHERE o.cust IS NULL'),
 ('SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust WHERE c.id = 41'),
 ('SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust WHERE o.cust IN (41, 48, 55)'),
 ('SELECT o.oid, c FROM o LEFT JOIN c ON c.id = o.cust AND c.grp > 2'),
 ('SELECT o, c.name FROM o JOIN c ON c.id = o.cust'),
 ('SELECT o.oid, c.name || o.key, c.big + o.amount FROM o LEFT JOIN c ON c.id = o.cust'),
 ('SELECT c.grp, count(*), sum(o.amount), min(c.name) FROM o JOIN c ON c.id = o.cust GROUP BY c.grp'),
 ('SELECT o.oid, c.name, rank() OVER (PARTITION BY c.grp ORDER BY o.oid, c.name) FROM o JOIN c ON c.id = o.cust'),
 ('SELECT DISTINCT c.grp FROM o JOIN c ON c.id = o.cust'),
 ('SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust ORDER BY o.oid DESC, c.name LIMIT 70 OFFSET 5'),
 ('SELECT count(*) FROM (SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust LIMIT 1000) s'),
 ('SELECT count(*) FROM (SELECT o.oid FROM o LEFT JOIN c ON c.id = o.cust LIMIT 3) s'),
 ('WITH w AS MATERIALIZED (SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust) SELECT * FROM w, w w2 WHERE w.oid = w2.oid'),
 ('SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust UNION ALL SELECT o.oid, k.k FROM o JOIN k ON k.k = o.key'),
 ('SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust EXCEPT SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust AND c.grp = 2'),
 ('SELECT g, (SELECT sum(c.big) FROM o JOIN c ON c.id = o.cust WHERE o.oid BETWEEN g AND g + 200) FROM generate_series(1, 1400, 300) g'),
 ('SELECT g, s.* FROM generate_series(1, 1400, 300) g, LATERAL (SELECT o.oid, c.name FROM o LEFT JOIN c ON c.id = o.cust WHERE o.oid BETWEEN g AND g + 150) s'),
 ('SELECT g, s.* FROM generate_series(1, 5) g, LATERAL (SELECT o.oid, c.name FROM o LEFT JOIN c ON c.id = o.cust AND c.grp = g WHERE o.oid BETWEEN g AND g + 150) s'),
 ('SELECT o.oid FROM o WHERE o.amount < ALL (SELECT c.big + 5000 FROM c JOIN o p ON c.id = p.cust WHERE p.oid < 200)'),
 ('SELECT o.oid, v.name FROM o JOIN v_c v ON v.id = o.cust'),
 ('SELECT o.oid, v.name FROM o LEFT JOIN v_c v ON v.id = o.cust WHERE o.oid % 2 = 0'),
 ('SELECT o.oid, c.name FROM o LEFT JOIN c ON c.id = o.cust AND random() >= 0'),
 ('SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust AND c.grp = (SELECT max(grp) FROM l_c WHERE grp < 4)'),
 ('SELECT o.oid FROM o WHERE EXISTS (SELECT FROM c WHERE c.id = o.cust AND c.grp = o.amount % 7) AND NOT EXISTS (SELECT FROM k WHERE k.k = o.key)'),
 ('SELECT o.oid, s.n FROM o LEFT JOIN (SELECT id, name || ''!'' AS n FROM c) s ON s.id = o.cust'),
 ('SELECT o.oid, s.n FROM o LEFT JOIN (SELECT id, count(*) AS n FROM c GROUP BY id) s ON s.id = o.cust');
SELECT same(q) FROM queries ORDER BY n;
-- The same once more, at other settings.
SET work_mem = '64kB';
SELECT count(*), count(*) FILTER (WHERE same(q) ~ '^DIFFERENT') FROM queries WHERE n % 4 = 1;
RESET work_mem;
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_nestloop = off;
SELECT count(*) FILTER (WHERE s ~ 'in batches'), count(*) FILTER (WHERE s ~ '^DIFFERENT') FROM (SELECT same(q) AS s FROM queries WHERE n % 2 = 0) q;
RESET ALL;
SELECT set_config(CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'force_parallel_mode' ELSE 'debug_parallel_query' END, 'on', false);
SELECT count(*) FILTER (WHERE s ~ 'in batches') > 10, count(*) FILTER (WHERE s ~ '^DIFFERENT') FROM (SELECT same(q) AS s FROM queries WHERE n % 3 = 2) q;
RESET ALL;
SET shard_fdw.enable_batched_join = off;
SELECT count(*) FILTER (WHERE s ~ 'in batches'), count(*) FILTER (WHERE s ~ '^DIFFERENT') FROM (SELECT same(q) AS s FROM queries WHERE n % 9 = 1) q;
RESET ALL;

-- With fewer outer rows, where the planner has fewer reasons to do otherwise.
SELECT n, s FROM (SELECT n, same(replace(q, ' FROM o ', ' FROM (SELECT * FROM o WHERE oid % 17 = 0) o ')) AS s FROM queries WHERE q ~ ' FROM o ') q
  WHERE s ~ '^DIFFERENT|otherwise' ORDER BY n;
-- Values that are the other type's alone, or no value of the column's type.
SELECT same(q) FROM (VALUES
 ('SELECT v.a, c.name FROM (VALUES (5::bigint), (5000000000), (-5000000000), (NULL), (7)) AS v (a) LEFT JOIN c ON c.id = v.a'),
 ('SELECT v.a FROM (VALUES (5::bigint), (5000000000), (NULL), (7)) AS v (a) WHERE NOT EXISTS (SELECT FROM c WHERE c.id = v.a)'),
 ('SELECT v.a, k.v FROM (VALUES (''key 1''), (''key 2''), (NULL), ('''')) AS v (a) LEFT JOIN k ON k.k = v.a'),
 ('SELECT v.a, k.v FROM (VALUES (''key 1''::varchar), (''key 2''), (''KEY 2''), (''x'')) AS v (a) JOIN k ON k.k = v.a'),
 ('SELECT v.a, k.v FROM (VALUES (''key 1''::char(9)), (''key 2'')) AS v (a) LEFT JOIN k ON k.k = v.a'),
 ('SELECT v.a, c.name FROM (VALUES (5.0), (5.5), (7)) AS v (a) LEFT JOIN c ON c.id = v.a')) AS v (q);

-- Prepared statements, of both kinds.
PREPARE p(int, int) AS SELECT count(*), sum(o.oid), sum(c.big) FROM o LEFT JOIN c ON c.id = o.cust AND c.grp <> $2 WHERE o.oid < $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE p(500, 3);
EXECUTE p(500, 3);
EXECUTE p(1000, 4);
SELECT count(*), sum(o.oid), sum(c.big) FROM o LEFT JOIN l_c c ON c.id = o.cust AND c.grp <> 4 WHERE o.oid < 1000;
SET plan_cache_mode = force_custom_plan;
EXECUTE p(1000, 4);
RESET plan_cache_mode;

-- Cursors; a function that is left in the middle; an error on a shard, after which all goes on.
BEGIN;
DECLARE x SCROLL CURSOR FOR SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust WHERE o.oid < 50 AND c.big = c.id * 10;
MOVE FORWARD 30 IN x;
FETCH BACKWARD ALL IN x \g /dev/null
FETCH FIRST FROM x \g /dev/null
MOVE FORWARD ALL IN x;
CLOSE x;
SAVEPOINT s;
SELECT expect_error('SELECT o.oid, 1 / (c.id - 41) FROM o JOIN c ON c.id = o.cust AND 1 / (c.id - 41) >= 0');
ROLLBACK TO s;
SELECT same(q) FROM queries WHERE n = 2;
UPDATE c SET grp = 77 WHERE id = 41;
SELECT o.oid, c.grp FROM o JOIN c ON c.id = o.cust WHERE o.oid < 50 AND c.grp > 50;
ROLLBACK;

-- Not for statements that change or lock rows.
EXPLAIN (COSTS OFF) SELECT o.oid, c.name FROM o JOIN c ON c.id = o.cust FOR UPDATE OF o;
EXPLAIN (COSTS OFF) UPDATE o SET amount = c.grp FROM c WHERE c.id = o.cust;

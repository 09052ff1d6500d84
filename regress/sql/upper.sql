-- Window functions, DISTINCT, grouping sets and WITH TIES on the shards; the same rows as local tables give.
\i common/shards.sql
\c :db0
CREATE TABLE w0 (id int primary key, g int, v numeric, f float8, d date, t text);
CREATE TABLE k0 (id int not null, g int, v numeric, f float8, d date, t text);
\c :db1
CREATE TABLE k1 (id int not null, g int, v numeric, f float8, d date, t text);
\c :db2
CREATE TABLE k2 (id int not null, g int, v numeric, f float8, d date, t text);
\c :coord
CREATE FOREIGN TABLE w0 (id int, g int, v numeric, f float8, d date, t text) SERVER db0 OPTIONS (schema_name 'public');
CREATE TABLE k (id int NOT NULL, g int, v numeric, f float8, d date, t text);
SELECT format('CREATE FOREIGN TABLE k%s (CHECK (abs(mod(id, 3)) = %1$s)) INHERITS (k) SERVER db%1$s OPTIONS (schema_name ''public'')', n) FROM generate_series(0, 2) n \gexec
CREATE TABLE lw AS SELECT i AS id, nullif(i % 6, 5) AS g, (i * 37 % 100) / 4.0 AS v, i % 9 / 2.0::float8 AS f, date '2024-01-01' + i % 20 AS d,
  CASE WHEN i % 5 <> 0 THEN 'name ' || i % 12 END AS t FROM generate_series(1, 120) i;
INSERT INTO w0 SELECT * FROM lw;
CREATE TABLE lk AS SELECT i / 3 AS id, g, v, f, d, t FROM (SELECT id AS i, g, v, f, d, t FROM lw) s;
SELECT format('INSERT INTO k%s SELECT * FROM lk WHERE abs(mod(id, 3)) = %1$s', n) FROM generate_series(0, 2) n \gexec
-- Plans with window functions: from 16 on frames are simplified, 18 shows the windows' names and definitions.
CREATE FUNCTION windows_of(sql text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT regexp_replace(regexp_replace(p, ' ROWS UNBOUNDED PRECEDING', '', 'g'), 'OVER w\d', 'OVER (?)', 'g')
    FROM plan_of(sql, 'VERBOSE, COSTS OFF') p WHERE NOT p ~ '^ *(Output|Window): ';
$$;
-- One shard: plain foreign tables.
SELECT windows_of($q$SELECT id, rank() OVER (PARTITION BY g ORDER BY v DESC, id) FROM w0$q$);
SELECT windows_of($q$SELECT id, sum(v) FILTER (WHERE id > 5) OVER w, lag(t, 2, 'none') OVER (w ROWS BETWEEN 2 PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM w0 WINDOW w AS (PARTITION BY g ORDER BY d NULLS FIRST, id) ORDER BY id LIMIT 3$q$);
SELECT windows_of($q$SELECT id, count(*) OVER (ORDER BY d RANGE BETWEEN interval '3 days' PRECEDING AND interval '1 day' FOLLOWING) FROM w0$q$);
SELECT windows_of($q$SELECT g, sum(v), rank() OVER (ORDER BY sum(v) DESC) FROM w0 GROUP BY g$q$);
EXPLAIN (VERBOSE, COSTS OFF) SELECT DISTINCT g, upper(t) FROM w0 ORDER BY g LIMIT 4;
EXPLAIN (VERBOSE, COSTS OFF) SELECT DISTINCT ON (g, d) id, g, d FROM w0 ORDER BY d, g, v DESC, id;
EXPLAIN (VERBOSE, COSTS OFF) SELECT DISTINCT ON (g) id, g FROM w0;
EXPLAIN (VERBOSE, COSTS OFF) SELECT DISTINCT g, count(*) FROM w0 GROUP BY g;
EXPLAIN (VERBOSE, COSTS OFF) SELECT g, d, count(*), grouping(g, d) FROM w0 GROUP BY ROLLUP (g, d) HAVING count(*) > 2;
EXPLAIN (VERBOSE, COSTS OFF) SELECT g, id FROM w0 ORDER BY g FETCH FIRST 3 ROWS WITH TIES;
-- Not shipped: what filters rows by a window function; what the shard does not know; local conditions.
SELECT windows_of($q$SELECT * FROM (SELECT id, row_number() OVER (PARTITION BY g ORDER BY v, id) AS n FROM w0) s WHERE n <= 2$q$);
CREATE FUNCTION mine(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1 / 2; END';
SELECT windows_of($q$SELECT id, rank() OVER (PARTITION BY mine(g) ORDER BY id) FROM w0$q$);
SELECT windows_of($q$SELECT id, mine(rank() OVER (PARTITION BY g ORDER BY id)::int) FROM w0$q$);
EXPLAIN (VERBOSE, COSTS OFF) SELECT DISTINCT mine(g) FROM w0;
EXPLAIN (VERBOSE, COSTS OFF) SELECT DISTINCT g, random() < 2 FROM w0;
SELECT windows_of($q$SELECT id, rank() OVER (ORDER BY t COLLATE "POSIX", id), count(*) OVER (ORDER BY id::text) FROM w0 WHERE mine(g) = 1$q$);
SELECT regexp_replace(p, ' ORDER BY.*', '') FROM plan_of('SELECT g, ''x'' AS k, count(*) FROM w0 GROUP BY ROLLUP (g, 2)', 'VERBOSE, COSTS OFF') p WHERE p ~ 'Remote SQL';
SELECT q, same_rows(q, replace(q, 'w0', 'lw')) FROM unnest(ARRAY[
  'SELECT id, rank() OVER (PARTITION BY g ORDER BY v DESC, id), dense_rank() OVER (ORDER BY d), percent_rank() OVER (ORDER BY d), cume_dist() OVER (ORDER BY g, v) FROM w0',
  'SELECT id, row_number() OVER (ORDER BY g NULLS FIRST, id), ntile(7) OVER (ORDER BY id DESC) FROM w0 WHERE id > 10',
  'SELECT id, lag(v) OVER w, lead(v, 3, 0.5) OVER w, first_value(t) OVER w, last_value(id) OVER w, nth_value(id, 2) OVER w FROM w0 WINDOW w AS (PARTITION BY g ORDER BY d, id)',
  'SELECT id, sum(v) OVER (ORDER BY id ROWS BETWEEN 3 PRECEDING AND 1 FOLLOWING) FROM w0',
  'SELECT id, sum(v) OVER (ORDER BY id ROWS BETWEEN 1 FOLLOWING AND 4 FOLLOWING) FROM w0',
  'SELECT id, sum(v) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) FROM w0',
  'SELECT id, count(*) OVER (ORDER BY g GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE GROUP) FROM w0',
  'SELECT id, count(*) OVER (ORDER BY d RANGE BETWEEN interval ''3 days'' PRECEDING AND interval ''1 day'' FOLLOWING EXCLUDE CURRENT ROW) FROM w0',
  'SELECT id, sum(id) OVER (ORDER BY f RANGE BETWEEN 0.5 PRECEDING AND 1 FOLLOWING EXCLUDE TIES) FROM w0',
  'SELECT id, sum(id) OVER (ORDER BY v DESC RANGE BETWEEN 2.5 PRECEDING AND UNBOUNDED FOLLOWING) FROM w0',
  'SELECT id, sum(id) OVER (ORDER BY id RANGE 4 PRECEDING), avg(v) OVER (PARTITION BY g, d) FROM w0',
  'SELECT id, count(t) FILTER (WHERE v > 5) OVER (PARTITION BY g), string_agg(t, '','') OVER (PARTITION BY d ORDER BY id) FROM w0',
  'SELECT id, max(v) OVER () - v, id + rank() OVER (ORDER BY v), CASE WHEN row_number() OVER (ORDER BY id) % 2 = 0 THEN t END FROM w0',
  'SELECT id, mine(rank() OVER (PARTITION BY g ORDER BY id)::int), w0 FROM w0',
  'SELECT g, sum(v), rank() OVER (ORDER BY sum(v) DESC), sum(sum(v)) OVER () FROM w0 GROUP BY g HAVING count(*) > 3',
  'SELECT g, count(*) OVER (PARTITION BY max(d)) FROM w0 GROUP BY g, f',
  'SELECT * FROM (SELECT id, row_number() OVER (PARTITION BY g ORDER BY v, id) AS n FROM w0) s WHERE n <= 2',
  'SELECT * FROM (SELECT id, row_number() OVER (PARTITION BY g ORDER BY v, id) AS n FROM w0) s WHERE n = 2',
  'SELECT * FROM (SELECT id, rank() OVER (ORDER BY v) AS n FROM w0) s WHERE n > 100',
  'SELECT a.id, b.id, rank() OVER (PARTITION BY a.g ORDER BY a.id, b.id) FROM w0 a JOIN w0 b ON a.id = b.id + 60',
  'SELECT a.id, b.t, count(b.id) OVER (PARTITION BY b.g) FROM w0 a LEFT JOIN w0 b ON a.id = b.id + 60',
  '(SELECT id, rank() OVER (ORDER BY v DESC, id) FROM w0 ORDER BY 2 LIMIT 7 OFFSET 3)',
  '(SELECT id, sum(v) OVER (PARTITION BY g) FROM w0 ORDER BY id DESC LIMIT 5)',
  'SELECT DISTINCT g FROM w0', 'SELECT DISTINCT g, upper(t), 5, now() IS NULL FROM w0', 'SELECT DISTINCT 5 FROM w0', 'SELECT DISTINCT 5 FROM w0 WHERE id < 0',
  'SELECT DISTINCT g + 1, g, g FROM w0 WHERE f > 1', 'SELECT DISTINCT w0 FROM w0', 'SELECT DISTINCT mine(g) FROM w0', 'SELECT DISTINCT g, count(*) FROM w0 GROUP BY g, d', 'SELECT DISTINCT count(*) FROM w0 GROUP BY g',
  'SELECT DISTINCT g, rank() OVER (PARTITION BY d ORDER BY g) FROM w0', 'SELECT DISTINCT rank() OVER (ORDER BY g) FROM w0',
  '(SELECT DISTINCT g, d FROM w0 ORDER BY d DESC, g NULLS FIRST LIMIT 9 OFFSET 1)', 'SELECT DISTINCT a.g, b.d FROM w0 a JOIN w0 b ON a.id = b.id + 7',
  'SELECT DISTINCT ON (g) g, id FROM w0 ORDER BY g, v DESC, id', 'SELECT DISTINCT ON (g, d) id FROM w0 ORDER BY d, g, id DESC', '(SELECT DISTINCT ON (d) d, id FROM w0 ORDER BY d DESC, id LIMIT 4)',
  'SELECT DISTINCT ON (g) g FROM w0', 'SELECT DISTINCT ON (g, d) g, d FROM w0 ORDER BY g', 'SELECT DISTINCT ON (g, f) f, id FROM w0 WHERE g = 3 ORDER BY g, f, id', 'SELECT DISTINCT ON (g) g, id, t FROM w0 WHERE g = 3 ORDER BY g, id',
  'SELECT g, d, count(*), sum(v), grouping(g, d) FROM w0 GROUP BY ROLLUP (g, d)', 'SELECT g, f, d, count(*) FROM w0 GROUP BY CUBE (g, f), d', 'SELECT g, f, max(t) FROM w0 GROUP BY GROUPING SETS ((g), (f), (), (g)) HAVING count(*) > 14',
  'SELECT g, g + 1, mine(g), f, count(DISTINCT d) FROM w0 GROUP BY GROUPING SETS ((g), (f, g), ())', 'SELECT g, ''x'' AS k, count(*) FROM w0 GROUP BY ROLLUP (g, 2)', 'SELECT g, f FROM w0 GROUP BY DISTINCT ROLLUP (g, f), ROLLUP (g)',
  'SELECT count(*) FROM w0 WHERE id < 0 GROUP BY ROLLUP (g)', 'SELECT g, sum(v), rank() OVER (ORDER BY sum(v)) FROM w0 GROUP BY ROLLUP (g)', 'SELECT coalesce(g, -1), count(*) FROM w0 GROUP BY GROUPING SETS ((g), ()) HAVING g IS NULL',
  '(SELECT g, id FROM w0 ORDER BY g FETCH FIRST 3 ROWS WITH TIES)', '(SELECT g, count(*) FROM w0 GROUP BY g ORDER BY count(*) DESC OFFSET 1 FETCH FIRST 2 ROWS WITH TIES)', '(SELECT id, d FROM w0 WHERE g = 2 ORDER BY g, d FETCH FIRST 2 ROWS WITH TIES)',
  'SELECT g FROM w0 WHERE id < 40 UNION SELECT id FROM w0 WHERE id < 9', 'SELECT g, d FROM w0 INTERSECT SELECT g, d FROM w0 WHERE v > 12', 'SELECT count(DISTINCT g), count(DISTINCT t), array_agg(DISTINCT g ORDER BY g) FROM w0'
]) q;
PREPARE win(int, interval) AS SELECT id, ntile($1) OVER (ORDER BY id), count(*) OVER (ORDER BY d RANGE $2 PRECEDING) FROM w0 WHERE id % 20 = $1 ORDER BY id;
SET plan_cache_mode = force_generic_plan;
SELECT windows_of($q$EXECUTE win(3, '2 days')$q$);
EXECUTE win(3, '2 days');
EXECUTE win(4, '1 day');
RESET plan_cache_mode;
-- Several shards.
SELECT windows_of($q$SELECT id, rank() OVER (PARTITION BY id ORDER BY v, d) FROM k$q$);
SELECT windows_of($q$SELECT id, rank() OVER (PARTITION BY g ORDER BY v, d) FROM k$q$);
SELECT windows_of($q$SELECT id, rank() OVER (PARTITION BY g ORDER BY v, d) FROM k WHERE id = 7$q$);
EXPLAIN (VERBOSE, COSTS OFF) SELECT DISTINCT id, g FROM k;
EXPLAIN (VERBOSE, COSTS OFF) SELECT DISTINCT g, f FROM k;
EXPLAIN (VERBOSE, COSTS OFF) SELECT DISTINCT g FROM k ORDER BY g LIMIT 2;
EXPLAIN (VERBOSE, COSTS OFF) SELECT DISTINCT ON (g) g, v FROM k ORDER BY g, v DESC;
EXPLAIN (VERBOSE, COSTS OFF) SELECT DISTINCT ON (id) id, v FROM k ORDER BY id, v DESC;
CREATE FUNCTION twins(queries text[]) RETURNS TABLE (query text, outcome text) LANGUAGE sql AS $$
  SELECT q, same_rows(replace(q, '@k', 'k'), replace(q, '@k', 'lk')) FROM unnest(queries) q
$$;
SELECT * FROM twins(ARRAY[
  'SELECT id, rank() OVER (PARTITION BY id ORDER BY v, d), sum(v) OVER (PARTITION BY g, id) FROM @k',
  'SELECT id, rank() OVER (PARTITION BY g ORDER BY v, d) FROM @k', 'SELECT id, rank() OVER (PARTITION BY id ORDER BY v), count(*) OVER () FROM @k',
  'SELECT id, rank() OVER (PARTITION BY g ORDER BY v, d) FROM @k WHERE id = 7', '(SELECT id, v, first_value(d) OVER (PARTITION BY id ORDER BY d) FROM @k ORDER BY id, v LIMIT 6)',
  'SELECT a.id, b.v, row_number() OVER (PARTITION BY a.id ORDER BY a.v, a.d, b.v, b.d) FROM @k a JOIN @k b ON a.id = b.id',
  'SELECT a.id, count(*) OVER (PARTITION BY b.id) FROM @k a LEFT JOIN @k b ON a.id = b.id AND b.g = 2',
  'SELECT id, sum(count(*)) OVER (PARTITION BY id) FROM @k GROUP BY id, g', 'SELECT * FROM (SELECT id, row_number() OVER (PARTITION BY id ORDER BY v, d) AS n FROM @k) s WHERE n < 2',
  'SELECT DISTINCT id, g FROM @k', 'SELECT DISTINCT g, f FROM @k', 'SELECT DISTINCT g FROM @k WHERE id IN (1, 2)', 'SELECT DISTINCT t FROM @k', 'SELECT DISTINCT g, 7, t IS NULL FROM @k', 'SELECT DISTINCT 3 FROM @k',
  '(SELECT DISTINCT g FROM @k ORDER BY g LIMIT 2)', '(SELECT DISTINCT g, d FROM @k ORDER BY d DESC, g LIMIT 5 OFFSET 2)', '(SELECT DISTINCT id, t FROM @k ORDER BY id, t LIMIT 7)',
  'SELECT DISTINCT ON (g) g, v FROM @k ORDER BY g, v DESC', 'SELECT DISTINCT ON (id) id, v FROM @k ORDER BY id, v DESC', 'SELECT DISTINCT ON (g, f) v, g FROM @k ORDER BY f, g, v, d', '(SELECT DISTINCT ON (g) g, d, v FROM @k ORDER BY g DESC, d, v LIMIT 2)',
  'SELECT DISTINCT ON (g) g FROM @k', 'SELECT DISTINCT a.g, b.g FROM @k a JOIN @k b ON a.id = b.id', 'SELECT DISTINCT g, count(*) FROM @k GROUP BY g', 'SELECT DISTINCT count(*) FROM @k GROUP BY id', 'SELECT DISTINCT id, count(*) FROM @k GROUP BY id',
  'SELECT g, f, count(*) FROM @k GROUP BY ROLLUP (g, f)', 'SELECT g, id, count(*) FROM @k WHERE id = 4 GROUP BY CUBE (g, id)', 'SELECT count(*) FROM (SELECT DISTINCT g, d FROM @k) s', '(SELECT g, v FROM @k ORDER BY g, v FETCH FIRST 3 ROWS WITH TIES)',
  'SELECT g FROM @k UNION SELECT id FROM @k', 'SELECT DISTINCT @k FROM @k', 'SELECT DISTINCT g FROM @k GROUP BY g, f'
]);
SET enable_hashagg = off;
SELECT * FROM twins(ARRAY['SELECT DISTINCT g, f FROM @k', 'SELECT DISTINCT t FROM @k', 'SELECT DISTINCT ON (g) g, v FROM @k ORDER BY g, v DESC', 'SELECT DISTINCT d, g FROM @k WHERE v > 3']);
RESET enable_hashagg;

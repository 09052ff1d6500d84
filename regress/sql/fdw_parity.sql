\i common/shards.sql
-- What postgres_fdw promises, statement by statement. With FDW=postgres_fdw this file gives the same but for the server in
-- CONTEXT, and rows that postgres_fdw makes of aggregates that nobody asks for.
SET datestyle = 'ISO, MDY'; SET timezone = 'America/New_York';
\c :db0
SET client_min_messages = warning;
CREATE SCHEMA s;
CREATE TYPE s.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE s.t1 (c1 int NOT NULL, c2 int NOT NULL, c3 text, c4 timestamptz, c5 timestamp, c6 varchar(10), c7 char(10),
  c8 s.mood, CONSTRAINT t1_pkey PRIMARY KEY (c1));
CREATE TABLE s.t2 (c1 int PRIMARY KEY, c2 text);
CREATE TABLE s.t3 (c1 int NOT NULL, c2 int NOT NULL, c3 text, CONSTRAINT t3_pkey PRIMARY KEY (c1));
INSERT INTO s.t1 SELECT n, n % 10, to_char(n, 'FM00000'), timestamptz '1970-01-01' + (n % 100) * interval '1 day',
  timestamp '1970-01-01' + (n % 100) * interval '1 day', n % 10, n % 10, 'ok' FROM generate_series(1, 1000) n;
INSERT INTO s.t2 SELECT n, 'AAA' || to_char(n, 'FM000') FROM generate_series(1, 100) n;
INSERT INTO s.t3 SELECT n, n + 1, 'AAA' || to_char(n, 'FM000') FROM generate_series(1, 100) n WHERE n % 2 = 0;
CREATE TABLE s.loc (f1 serial, f2 text, f3 int DEFAULT 7);
CREATE TABLE s.chk (a int PRIMARY KEY, b int CHECK (b > 0), c int UNIQUE);
CREATE TABLE s.gen (a int, b int GENERATED ALWAYS AS (a * 2) STORED);
CREATE TABLE s.parent (a int, b text); CREATE TABLE s.child (c int) INHERITS (s.parent);
CREATE VIEW s.v AS SELECT c1, c3 FROM s.t1 WHERE c1 < 10;
CREATE MATERIALIZED VIEW s.mv AS SELECT c1, c3 FROM s.t1 WHERE c1 < 10;
CREATE TABLE s."Mixed "" Case" ("A b" int, "order" text);
INSERT INTO s."Mixed "" Case" VALUES (1, 'x');
\c :coord
SET client_min_messages = warning;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE FOREIGN TABLE ft1 (c0 int, c1 int NOT NULL, c2 int NOT NULL, c3 text, c4 timestamptz, c5 timestamp, c6 varchar(10),
  c7 char(10) DEFAULT 'ft1', c8 mood) SERVER db0 OPTIONS (schema_name 's', table_name 't1');
ALTER FOREIGN TABLE ft1 DROP COLUMN c0;
CREATE FOREIGN TABLE ft2 (c1 int NOT NULL, c2 int NOT NULL, cx int, c3 text, c4 timestamptz, c5 timestamp, c6 varchar(10),
  c7 char(10) DEFAULT 'ft2', c8 mood) SERVER db0 OPTIONS (schema_name 's', table_name 't1');
ALTER FOREIGN TABLE ft2 DROP COLUMN cx;
CREATE FOREIGN TABLE ft4 (c1 int NOT NULL, c2 text) SERVER db0 OPTIONS (schema_name 's', table_name 't2');
CREATE FOREIGN TABLE ft5 (c1 int NOT NULL, c2 int NOT NULL, c3 text) SERVER db0 OPTIONS (schema_name 's', table_name 't3');
CREATE TABLE l1 AS SELECT * FROM ft1; CREATE TABLE l4 AS SELECT * FROM ft4; CREATE TABLE l5 AS SELECT * FROM ft5;
-- Both ways, the answers are those of local tables.
CREATE FUNCTION same(statement text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT same_rows(statement, replace(replace(replace(replace(statement, 'ft1', 'l1'), 'ft2', 'l1'), 'ft4', 'l4'), 'ft5', 'l5')) $$;

-- Simple queries.
SELECT * FROM ft1 ORDER BY c3, c1 OFFSET 100 LIMIT 3;
SELECT t1 FROM ft1 t1 ORDER BY t1.c3, t1.c1 OFFSET 100 LIMIT 3;
SELECT * FROM ft1 WHERE false;
SELECT * FROM ft1 t1 WHERE c1 = 101 AND c6 = '1' AND c7 >= '1';
SELECT COUNT(*) FROM ft1 t1;
SELECT * FROM ft1 t1 WHERE c1 IN (SELECT c1 FROM ft2 t2 WHERE c1 <= 3) ORDER BY c1;
SELECT * FROM ft1 t1 WHERE c1 = (SELECT MAX(c1) FROM ft2 t2);
WITH t1 AS (SELECT * FROM ft1 WHERE c1 <= 3) SELECT t2.c1, t2.c2, t2.c3, t2.c4 FROM t1, ft2 t2 WHERE t1.c1 = t2.c1 ORDER BY t1.c1;
SELECT 'fixed', NULL FROM ft1 t1 WHERE c1 = 1;
SELECT tableoid::regclass, c1 FROM ft1 WHERE c1 = 5;
SELECT ctid, xmin IS NULL AS x, c1 FROM ft1 WHERE c1 = 5 AND tableoid = 'ft1'::regclass;
SELECT ft1 IS NULL AS n, (ft1).c3 FROM ft1 WHERE c1 = 1;
-- Expressions in conditions.
SELECT same('SELECT * FROM ft1 t1 WHERE t1.c1 = 1');
SELECT same('SELECT * FROM ft1 t1 WHERE t1.c1 = 100 AND t1.c2 = 0');
SELECT same('SELECT * FROM ft1 t1 WHERE c3 IS NULL OR c3 IS NOT NULL AND c1 < 5');
SELECT same('SELECT * FROM ft1 t1 WHERE round(abs(c1), 0) = 1');
SELECT same('SELECT * FROM ft1 t1 WHERE c1 = -c1');
SELECT same('SELECT * FROM ft1 t1 WHERE (c1 IS NOT NULL) IS DISTINCT FROM (c1 IS NOT NULL)');
SELECT same('SELECT * FROM ft1 t1 WHERE c1 = ANY(ARRAY[c2, 1, c1 + 0])');
SELECT same('SELECT * FROM ft1 t1 WHERE c1 = (ARRAY[c1, c2, 3])[1]');
SELECT same('SELECT * FROM ft1 t1 WHERE (ARRAY[c1, c2, 3])[1:2] = ARRAY[c1, c2] AND c1 < 9');
SELECT same($$SELECT * FROM ft1 t1 WHERE c6 = E'foo''s\\bar' OR c3 = '00042'$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE c8 = 'ok' AND c1 < 4$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE c8 > 'sad' AND c1 < 4$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE c7 = '1' AND c1 < 40$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE c7 LIKE '1%' AND c1 < 40$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE c4 > '1970-03-01' AND c1 < 200$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE c4 > c5 AND c1 < 200$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE c4::date = '1970-01-05'$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE date_trunc('month', c5) = '1970-02-01'$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE extract(dow FROM c5) = 3$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE to_char(c5, 'DD.MM') = '05.01'$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE CASE WHEN c1 % 2 = 0 THEN c2 > 5 WHEN c1 = 7 THEN true ELSE NULL END$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE CASE c2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' ELSE c3 END IN ('a', '00003')$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE coalesce(nullif(c2, 3), 77) = 77$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE greatest(c1, c2, 5) = 5 OR least(c1, 10) = 10 AND c1 < 15$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE (c1, c2) < (5, 2)$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE (c1, c3) IN ((5, '00005'), (6, 'x'))$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE c3 ~ '^0000[1-3]$' OR c3 SIMILAR TO '0000(7|8)'$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE c3 COLLATE "C" < '00004'$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE c3 || c6 = '000011' OR concat(c1, c2) = '22'$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE c1 IS DISTINCT FROM c2 AND c1 < 12 AND NOT c2 = 3$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE c1::text || '' = '17' OR c1::float8 / 3 = 4$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE c1 BETWEEN SYMMETRIC 9 AND 4 AND c2 NOT IN (5, NULL)$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE c1 = ANY (string_to_array('1,2,3', ',')::int[])$$);
SELECT same($$SELECT * FROM ft1 t1 WHERE (c1 > 995) IS TRUE OR (c2 > 20) IS UNKNOWN$$);
SELECT same($$SELECT c1, c4 AT TIME ZONE 'Asia/Tokyo', c5 AT TIME ZONE 'UTC', age(c5, '1970-01-01') FROM ft1 t1 WHERE c1 < 9$$);
SELECT same($$SELECT md5(c3), c1 % 7, c1 / 3, -c1, c1 ^ 2, power(c1, 0.5), c1::numeric / 7 FROM ft1 WHERE c1 < 30$$);
SELECT same($$SELECT row_to_json(ft1), ft1::text FROM ft1 WHERE c1 < 3$$);
-- Joins.
SELECT same($$SELECT t1.c1, t2.c1 FROM ft1 t1 JOIN ft2 t2 ON t1.c1 = t2.c1 ORDER BY t1.c3, t1.c1 OFFSET 100 LIMIT 10$$);
SELECT same($$SELECT t1.c1, t2.c2, t3.c3 FROM ft1 t1 JOIN ft4 t2 ON t1.c1 = t2.c1 JOIN ft5 t3 ON t3.c1 = t1.c1$$);
SELECT same($$SELECT t1.c1, t2.c1 FROM ft4 t1 LEFT JOIN ft5 t2 ON t1.c1 = t2.c1 ORDER BY t1.c1, t2.c1 OFFSET 10 LIMIT 10$$);
SELECT same($$SELECT t1.c1, t2.c1, t2.c2 FROM ft4 t1 LEFT JOIN (SELECT * FROM ft5 WHERE c1 < 10) t2 ON t1.c1 = t2.c1 WHERE t1.c1 < 10$$);
SELECT same($$SELECT t1.c1, t2.c1, t2.c2 FROM ft4 t1 LEFT JOIN (SELECT * FROM ft5 WHERE c1 < 10) t2 ON t1.c1 = t2.c1 WHERE (t2.c1 < 10 OR t2.c1 IS NULL) AND t1.c1 < 10$$);
SELECT same($$SELECT t1.c1, t2.c1 FROM ft5 t1 RIGHT JOIN ft4 t2 ON t1.c1 = t2.c1 ORDER BY t2.c1, t1.c1 OFFSET 10 LIMIT 10$$);
SELECT same($$SELECT t1.c1, t2.c1 FROM ft4 t1 FULL JOIN ft5 t2 ON t1.c1 = t2.c1 ORDER BY t1.c1, t2.c1 OFFSET 45 LIMIT 10$$);
SELECT same($$SELECT t1.c1, t2.c1 FROM (SELECT c1 FROM ft4 WHERE c1 BETWEEN 50 AND 60) t1 FULL JOIN (SELECT c1 FROM ft5 WHERE c1 BETWEEN 50 AND 60) t2 ON t1.c1 = t2.c1$$);
SELECT same($$SELECT 1 FROM (SELECT c1 FROM ft4 WHERE c1 BETWEEN 50 AND 60) t1 FULL JOIN (SELECT c1 FROM ft5 WHERE c1 BETWEEN 50 AND 60) t2 ON true$$);
SELECT same($$SELECT t1.c1, t2.c1, t3.c1 FROM (SELECT c1 FROM ft4 WHERE c1 BETWEEN 50 AND 60) t1 INNER JOIN (ft4 t2 LEFT JOIN ft5 t3 ON t2.c1 = t3.c1) ON t1.c1 = t2.c1 + 1$$);
SELECT same($$SELECT t1.c1, t2.c1, t3.c1 FROM ft4 t1 FULL JOIN ft5 t2 ON t1.c1 = t2.c1 FULL JOIN ft5 t3 ON t2.c1 + 2 = t3.c1 + 0$$);
SELECT same($$SELECT t1.c1, t2.c2, t3.c2 FROM ft2 t1 FULL JOIN ft2 t2 ON t1.c1 = t2.c1 RIGHT JOIN ft4 t3 ON t2.c1 = t3.c1$$);
SELECT same($$SELECT t1.c1, t2.c2, t3.c2 FROM ft4 t3 RIGHT JOIN ft2 t1 ON t1.c1 = t3.c1 LEFT JOIN ft2 t2 ON t1.c1 = t2.c1 WHERE t1.c1 < 120$$);
SELECT same($$SELECT t1.c1, t1.c2, t2.c1 FROM ft1 t1, ft4 t2 WHERE t1.c1 < 3 AND t2.c1 < 3$$);
SELECT same($$SELECT t1.c1 FROM ft1 t1 WHERE EXISTS (SELECT 1 FROM ft4 t2 WHERE t1.c1 = t2.c1) AND t1.c1 % 7 = 0$$);
SELECT same($$SELECT t1.c1 FROM ft1 t1 WHERE NOT EXISTS (SELECT 1 FROM ft2 t2 WHERE t1.c1 = t2.c2) AND t1.c1 < 30$$);
SELECT same($$SELECT t1.c1 FROM ft1 t1 WHERE t1.c1 NOT IN (SELECT c2 FROM ft5) AND t1.c1 < 30$$);
SELECT same($$SELECT t1, t2, t1.c1 FROM ft4 t1 LEFT JOIN ft5 t2 ON t1.c1 = t2.c1 WHERE t1.c1 < 9$$);
SELECT same($$SELECT t1.c1, ss.* FROM ft4 t1 LEFT JOIN (SELECT 13 AS a, c1 AS b FROM ft5 WHERE c1 < 15) ss ON ss.b = t1.c1$$);
SELECT same($$SELECT q.a, ft4.c1 FROM (SELECT 13 FROM ft5 WHERE c1 = 12) q(a) RIGHT JOIN ft4 ON q.a = ft4.c1 WHERE ft4.c1 BETWEEN 10 AND 15$$);
SELECT same($$SELECT count(*) FROM ft4 a JOIN ft5 b USING (c1)$$);
SELECT same($$SELECT ft5, ft5.c1, ft4.c1 FROM ft4 LEFT JOIN ft5 USING (c1) WHERE ft4.c1 IN (11, 12)$$);
-- Aggregates and grouping.
SELECT same($$SELECT count(c6), sum(c1), avg(c1), min(c2), max(c1), stddev(c2), sum(c1) * (random() <= 1)::int AS s2 FROM ft1 WHERE c2 < 5 GROUP BY c2$$);
SELECT same($$SELECT count(*), sum(t1.c1), avg(t2.c1) FROM ft1 t1 INNER JOIN ft1 t2 ON t1.c2 = t2.c2 WHERE t1.c2 = 6 AND t1.c1 < 99$$);
SELECT same($$SELECT c2 / 2, sum(c2) * (c2 / 2) FROM ft1 GROUP BY c2 / 2$$);
SELECT same($$SELECT count(a), sum(a) FROM (SELECT c2 a, sum(c1) b FROM ft1 GROUP BY c2, sqrt(c1)) x$$);
SELECT same($$SELECT c2, sum(c1) FROM ft2 GROUP BY c2 HAVING avg(c1) < 500 AND sum(c1) < 49800$$);
SELECT same($$SELECT count(*) FROM (SELECT c5, count(c1) FROM ft1 GROUP BY c5, sqrt(c2) HAVING (avg(c1) / avg(c1)) * random() <= 1 AND avg(c1) < 500) x$$);
SELECT same($$SELECT sum(c1) FROM ft1 GROUP BY c2 HAVING avg(c1 * (random() <= 1)::int) > 100$$);
SELECT same($$SELECT array_agg(c1 ORDER BY c1) FROM ft1 WHERE c1 < 100 GROUP BY c2$$);
SELECT same($$SELECT array_agg(c5 ORDER BY c1 DESC NULLS FIRST) FROM ft2 WHERE c2 = 6 AND c1 < 50$$);
SELECT same($$SELECT array_agg(DISTINCT (t1.c1) % 5) FROM ft4 t1 FULL JOIN ft5 t2 ON t1.c1 = t2.c1 WHERE t1.c1 < 20 OR (t1.c1 IS NULL AND t2.c1 < 5) GROUP BY (t2.c1) % 3$$);
SELECT same($$SELECT sum(c1) FILTER (WHERE c1 < 100 AND c2 > 5), count(*) FILTER (WHERE c2 = 1) FROM ft1 GROUP BY c2$$);
SELECT same($$SELECT DISTINCT (SELECT count(*) FILTER (WHERE t2.c2 = 6 AND t2.c1 < 10) FROM ft1 t1 WHERE t1.c1 = 6) FROM ft2 t2$$);
SELECT same($$SELECT c2, rank('10'::varchar) WITHIN GROUP (ORDER BY c6), percentile_cont(c2 / 10::numeric) WITHIN GROUP (ORDER BY c1) FROM ft1 WHERE c2 < 10 GROUP BY c2$$);
SELECT same($$SELECT c2, percentile_cont(0.5) WITHIN GROUP (ORDER BY c1), mode() WITHIN GROUP (ORDER BY c6) FROM ft1 GROUP BY c2$$);
SELECT same($$SELECT c2, sum(c1), grouping(c2) FROM ft1 WHERE c2 < 3 GROUP BY rollup(c2)$$);
SELECT same($$SELECT c2, c6, sum(c1) FROM ft1 WHERE c2 < 3 GROUP BY cube(c2, c6)$$);
SELECT same($$SELECT c2, sum(c1), grouping(c2, c6) FROM ft1 WHERE c2 < 3 GROUP BY grouping sets(c2, c6)$$);
SELECT same($$SELECT DISTINCT sum(c1) / 1000 s FROM ft2 WHERE c2 < 6 GROUP BY c2$$);
SELECT same($$SELECT c2, sum(c2), count(c2) OVER (PARTITION BY c2 % 2) FROM ft2 WHERE c2 < 10 GROUP BY c2$$);
SELECT same($$SELECT c2, array_agg(c2) OVER (PARTITION BY c2 % 2 ORDER BY c2 DESC) FROM ft1 WHERE c2 < 10 GROUP BY c2$$);
SELECT same($$SELECT string_agg(c3, ',' ORDER BY c1) FROM ft1 WHERE c1 < 10$$);
SELECT same($$SELECT json_agg(c1 ORDER BY c1), jsonb_object_agg(c1, c3), bool_or(c1 > 3), bit_and(c1) FROM ft1 WHERE c1 < 10$$);
SELECT same($$SELECT count(DISTINCT c2), count(DISTINCT (c2, c6)), sum(DISTINCT c2) FROM ft1$$);
SELECT same($$SELECT c2, sum(c1) FROM ft1 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3 OFFSET 1$$);
SELECT same($$SELECT 1, sum(c1) FROM ft1 HAVING sum(c1) > 1$$);
SELECT same($$SELECT sum(q.a), count(q.b) FROM ft4 LEFT JOIN (SELECT 13, avg(a.c1), sum(b.c1) FROM ft1 a RIGHT JOIN ft2 b ON a.c1 = b.c1) q(a, b, c) ON ft4.c1 <= q.b$$);
-- Aggregates whose value nobody asks for still make one row of all.
SELECT count(*) FROM (SELECT count(*) FROM ft4) x;
SELECT count(*) FROM (SELECT count(*) FROM ft4 JOIN ft5 USING (c1)) x;
SELECT 'there' FROM (SELECT max(c1), min(c2) FROM ft4 WHERE c1 > 1000) x;
SELECT count(*) FROM (SELECT count(*) FROM ft4 HAVING max(c1) > 5) x;
SELECT count(*) FROM (SELECT count(*) FROM ft4 HAVING max(c1) > 500) x;
SELECT count(*) FROM (SELECT 1 FROM ft4 HAVING true) x;
SELECT count(*) FROM (SELECT 1 FROM ft4 HAVING now() IS NULL) x;
SELECT count(*) FROM (SELECT count(*) FROM ft4 GROUP BY c2 || 'x') x;
SELECT c1 FROM ft5 WHERE EXISTS (SELECT count(*) FROM ft4 WHERE false) AND c1 < 5;
SELECT (SELECT 5 FROM (SELECT sum(c1) FROM ft4) x) AS five;
-- Sub-queries, LATERAL, set operations, row counts.
SELECT same($$SELECT c1, (SELECT count(*) FROM ft2 t2 WHERE t2.c2 = t1.c2) FROM ft1 t1 WHERE c1 < 4$$);
SELECT same($$SELECT t1.c1, x.* FROM ft4 t1, LATERAL (SELECT t1.c1 + t2.c1 AS s FROM ft5 t2 WHERE t2.c1 > t1.c1 ORDER BY t2.c1 LIMIT 2) x WHERE t1.c1 < 5$$);
SELECT same($$SELECT t1."C 1" FROM (SELECT c1 AS "C 1" FROM ft1) t1, LATERAL (SELECT DISTINCT t2.c1, t3.c1 FROM ft1 t2, ft2 t3 WHERE t2.c1 = t3.c1 AND t2.c2 = t1."C 1") q WHERE t1."C 1" < 4$$);
SELECT same($$SELECT c1 FROM ft4 WHERE c1 < 9 UNION SELECT c2 FROM ft5 INTERSECT SELECT c1 FROM ft1$$);
SELECT same($$SELECT * FROM ft1 t1, ft2 t2, ft4 t4 WHERE t1.c1 = t2.c2 AND t4.c1 = t1.c1 AND t2.c1 < 40$$);
SELECT same($$SELECT generate_series(1, c1), c1 FROM ft4 WHERE c1 < 4 ORDER BY 2 LIMIT 4$$);
SELECT same($$SELECT c1 FROM ft4 ORDER BY c1 FETCH FIRST 3 ROWS WITH TIES$$);
SELECT same($$SELECT c2, c1 FROM ft1 WHERE c1 < 30 ORDER BY c2 DESC NULLS LAST, c1 USING >$$);
-- Collations.
CREATE FOREIGN TABLE coll (c1 int, c2 text COLLATE "POSIX", c3 text) SERVER db0 OPTIONS (schema_name 's', table_name 't1');
ALTER FOREIGN TABLE coll ALTER c2 OPTIONS (column_name 'c3');
SELECT c1 FROM coll WHERE c2 < '00003' ORDER BY c2 COLLATE "C" DESC;
SELECT c1 FROM coll WHERE c3 = lower('00003') AND c2 = c3 COLLATE "C";
-- Errors: conversion, names, constraints, each with its context.
CREATE FOREIGN TABLE bad (c1 int, c2 int, c8 int) SERVER db0 OPTIONS (schema_name 's', table_name 't1');
SELECT expect_error('SELECT c8 FROM bad WHERE c1 = 1');
SELECT expect_error('SELECT bad FROM bad WHERE c1 = 1');
SELECT expect_error('SELECT sum(c2), array_agg(c8) FROM bad GROUP BY c8');
SELECT expect_error('SELECT x.c8, ft4.c2 FROM bad x JOIN ft4 USING (c1) WHERE c1 = 1');
SELECT expect_error('SELECT x, ft4.c2 FROM bad x JOIN ft4 USING (c1) WHERE c1 = 1');
SELECT expect_error('SELECT x.c8 FROM bad x WHERE c1 = 1');
UPDATE bad SET c8 = 7 WHERE false;
SELECT expect_error('UPDATE bad SET c2 = c2 WHERE c1 = 1 RETURNING c8');
SELECT expect_error('UPDATE bad x SET c2 = c1 FROM ft4 WHERE ft4.c1 = x.c1 AND x.c1 = 1 RETURNING x.c8, ft4.c2');
SELECT expect_error('UPDATE bad SET c2 = random() WHERE c1 = 1 RETURNING c8');
CREATE FOREIGN TABLE nowhere (c1 int) SERVER db0 OPTIONS (table_name 'nowhere');
SELECT expect_error('SELECT * FROM nowhere');
SELECT expect_error('SELECT 1 / (c1 - 1) FROM ft1 WHERE 1 / (c1 - 1) > 0');

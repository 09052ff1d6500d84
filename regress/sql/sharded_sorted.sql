-- ORDER BY above everything that the shards may compute: the order of the rows has to be that of a local table, not
-- only the rows.
\i common/shards.sql
\c :db0
CREATE TABLE t0 (id int NOT NULL, g int, name text, at date, v numeric);
\c :db1
CREATE TABLE t1 (id int NOT NULL, g int, name text, at date, v numeric);
\c :db2
CREATE TABLE t2 (id int NOT NULL, g int, name text, at date, v numeric);
\c :db3
CREATE TABLE t3 (id int NOT NULL, g int, name text, at date, v numeric);
\c :coord
CREATE TABLE s (id int NOT NULL, g int, name text, at date, v numeric);
SELECT format('CREATE FOREIGN TABLE t%s (id int NOT NULL, CHECK (abs(mod(id, 4)) = %1$s)) INHERITS (s) SERVER db%1$s OPTIONS (schema_name ''public'')', n)
  FROM generate_series(0, 3) n \gexec
CREATE TABLE l AS SELECT i * 37 % 211 AS id, nullif(i % 7, 6) AS g, CASE WHEN i % 11 <> 0 THEN 'n' || i * 53 % 97 END AS name,
  date '2020-01-01' + i * 31 % 90 AS at, (i * 17 % 101) / 4.0 AS v FROM generate_series(1, 210) i;
INSERT INTO s SELECT * FROM l;
CREATE FUNCTION in_order(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE here text[]; there text[];
BEGIN
  EXECUTE format('SELECT array_agg(x::text) FROM (%s) x', replace(query, '@', 'l')) INTO here;
  EXECUTE format('SELECT array_agg(x::text) FROM (%s) x', replace(query, '@', 's')) INTO there;
  RETURN CASE WHEN here IS NOT DISTINCT FROM there THEN 'same' ELSE format(E'%s\n%s', here, there) END;
END $$;
CREATE TABLE queries (n int GENERATED ALWAYS AS IDENTITY, query text);
INSERT INTO queries (query) VALUES
 ('SELECT * FROM @ ORDER BY id'),
 ('SELECT id, v FROM @ ORDER BY v DESC NULLS LAST, id'),
 ('SELECT id, g FROM @ ORDER BY g NULLS FIRST, id DESC'),
 ('SELECT id, name FROM @ ORDER BY name COLLATE "C" DESC, id'),
 ('SELECT DISTINCT g FROM @ ORDER BY g'),
 ('SELECT DISTINCT g, at FROM @ ORDER BY at DESC, g NULLS FIRST'),
 ('SELECT DISTINCT id FROM @ ORDER BY id DESC'),
 ('SELECT DISTINCT g FROM @ ORDER BY g DESC LIMIT 3'),
 ('SELECT DISTINCT ON (g) g, id, v FROM @ ORDER BY g, v, id'),
 ('SELECT DISTINCT ON (id) id, at FROM @ ORDER BY id DESC, at'),
 ('SELECT DISTINCT ON (g) g, id FROM @ ORDER BY g DESC NULLS LAST, id DESC LIMIT 4 OFFSET 1'),
 ('SELECT id, rank() OVER (PARTITION BY id ORDER BY v) FROM @ ORDER BY id'),
 ('SELECT id, v, sum(v) OVER (PARTITION BY id) FROM @ ORDER BY v, id DESC'),
 ('SELECT id, row_number() OVER (PARTITION BY g ORDER BY at, id) FROM @ ORDER BY g, 2'),
 ('SELECT id, row_number() OVER (ORDER BY v, id) FROM @ ORDER BY 2 DESC LIMIT 9'),
 ('SELECT id, max(v) OVER (PARTITION BY id) FROM @ ORDER BY id LIMIT 5 OFFSET 3'),
 ('SELECT g, count(*), sum(v) FROM @ GROUP BY g ORDER BY g'),
 ('SELECT g, count(*), sum(v) FROM @ GROUP BY g ORDER BY sum(v) DESC, g'),
 ('SELECT id, count(*) FROM @ GROUP BY id ORDER BY id DESC LIMIT 7'),
 ('SELECT g, at, count(*) FROM @ GROUP BY g, at HAVING count(*) > 1 ORDER BY at, g NULLS FIRST'),
 ('SELECT g, count(DISTINCT id) FROM @ GROUP BY g ORDER BY 2 DESC, 1'),
 ('SELECT g, count(DISTINCT at) FROM @ GROUP BY g ORDER BY 1 DESC'),
 ('SELECT g, grouping(g), sum(v) FROM @ GROUP BY ROLLUP (g) ORDER BY grouping(g), g'),
 ('SELECT a.id, b.v FROM @ a JOIN @ b ON a.id = b.id ORDER BY b.v, a.id'),
 ('SELECT a.id, b.id AS other FROM @ a JOIN @ b ON a.g = b.g AND a.at = b.at ORDER BY a.id, b.id LIMIT 40'),
 ('SELECT a.id, b.v FROM @ a LEFT JOIN @ b ON a.id = b.id AND b.g = 2 ORDER BY b.v NULLS FIRST, a.id DESC LIMIT 30'),
 ('SELECT id FROM @ WHERE g = 1 UNION SELECT id FROM @ WHERE g = 2 ORDER BY id DESC'),
 ('SELECT id FROM @ WHERE g = 1 UNION ALL SELECT id FROM @ WHERE v > 20 ORDER BY id LIMIT 20'),
 ('SELECT id FROM @ EXCEPT SELECT id FROM @ WHERE g < 4 ORDER BY 1'),
 ('SELECT * FROM (SELECT id, v FROM @ ORDER BY v, id LIMIT 20) x ORDER BY id'),
 ('SELECT id, v FROM @ ORDER BY v FETCH FIRST 6 ROWS WITH TIES'),
 ('SELECT id FROM @ WHERE id = 148 OR id = 37 ORDER BY id'),
 ('SELECT id, g FROM @ WHERE id = 36 ORDER BY g, id'),
 ('SELECT max(v), min(name), g % 2 AS p FROM @ GROUP BY g % 2 ORDER BY p NULLS FIRST');
UPDATE queries SET query = 'SELECT id, v FROM @ ORDER BY v, id FETCH FIRST 6 ROWS WITH TIES' WHERE query LIKE '%WITH TIES';
-- Without statistics and with them, by hashing, sorting and merging, all rows in one batch and three at a time.
SELECT n, query, in_order(query) FROM queries WHERE in_order(query) <> 'same';
ANALYZE s; ANALYZE l;
SELECT n, query, in_order(query) FROM queries WHERE in_order(query) <> 'same';
SET enable_hashagg = off; SET enable_hashjoin = off;
SELECT n, query, in_order(query) FROM queries WHERE in_order(query) <> 'same';
RESET enable_hashagg; RESET enable_hashjoin; SET enable_sort = off; SET enable_nestloop = off;
SELECT n, query, in_order(query) FROM queries WHERE in_order(query) <> 'same';
RESET enable_sort; RESET enable_nestloop;
SELECT format('ALTER FOREIGN TABLE t%s OPTIONS (ADD fetch_size ''3'')', n) FROM generate_series(0, 3) n \gexec
SELECT n, query, in_order(query) FROM queries WHERE in_order(query) <> 'same';
SET shard_fdw.enable_sharded_scan = off;
SELECT n, query, in_order(query) FROM queries WHERE in_order(query) <> 'same';
SELECT count(*) FROM queries;

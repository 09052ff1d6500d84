-- ANALYZE of foreign tables.
\i common/shards.sql
\c :db0
CREATE TABLE big (id int, dropped int, t text, n numeric, d date);
INSERT INTO big SELECT i, 0, 'text ' || i % 10, i / 100.0, date '2020-01-01' + i % 100 FROM generate_series(1, 60000) i;
ALTER TABLE big DROP COLUMN dropped;
INSERT INTO big VALUES (NULL, NULL, NULL, NULL);
CREATE TABLE small (id int);
INSERT INTO small SELECT generate_series(1, 50);
CREATE TABLE nothing (id int);
CREATE TABLE parted (id int, t text) PARTITION BY RANGE (id);
CREATE TABLE parted1 PARTITION OF parted FOR VALUES FROM (0) TO (3000);
CREATE TABLE parted2 PARTITION OF parted FOR VALUES FROM (3000) TO (10000);
INSERT INTO parted SELECT i, 'x' FROM generate_series(0, 9999) i;
CREATE TABLE grown (id int);
INSERT INTO grown SELECT generate_series(1, 2000);
CREATE VIEW looks AS SELECT id, t FROM big WHERE id <= 700;
VACUUM ANALYZE;
ALTER TABLE grown SET (autovacuum_enabled = off);
INSERT INTO grown SELECT generate_series(2001, 40000);
\c :coord
CREATE FOREIGN TABLE big (gone int, id int, t text OPTIONS (column_name 't'), num numeric OPTIONS (column_name 'n'), d date)
  SERVER db0;
ALTER FOREIGN TABLE big DROP COLUMN gone;
CREATE FOREIGN TABLE small (id int) SERVER db0;
CREATE FOREIGN TABLE nothing (id int) SERVER db0;
CREATE FOREIGN TABLE parted (id int, t text) SERVER db0;
CREATE FOREIGN TABLE grown (id int) SERVER db0;
CREATE FOREIGN TABLE looks (id int, t text) SERVER db0;
-- Rows of the sample are not always as many, so they are shown with a tolerance.
CREATE FUNCTION analyzed(tab regclass, expected float8, how text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r float8; p int;
BEGIN
  IF how IS NOT NULL THEN
    EXECUTE format('ALTER FOREIGN TABLE %s OPTIONS (%s analyze_sampling %L)', tab,
      CASE WHEN EXISTS (SELECT FROM pg_foreign_table WHERE ftrelid = tab AND ftoptions::text ~ 'analyze_sampling') THEN 'SET' ELSE 'ADD' END, how);
  END IF;
  EXECUTE format('ANALYZE %s', tab);
  SELECT reltuples, relpages INTO r, p FROM pg_class WHERE oid = tab;
  RETURN format('%s %s: %s rows, pages %s', tab, coalesce(how, 'default'),
    CASE WHEN abs(r - expected) <= 0.15 * expected THEN 'about ' || expected ELSE 'not ' || expected || ' but ' || r END,
    CASE WHEN p > 0 THEN 'known' ELSE 'none' END);
END $$;
SET default_statistics_target = 20;
SELECT analyzed('big', 60001, how) FROM unnest(ARRAY['auto', 'bernoulli', 'system', 'random', 'off']) how;
SELECT attname, null_frac < 0.01 AS few_nulls, n_distinct BETWEEN -1 AND 0 OR n_distinct > 5 AS distinct_known,
       array_length(most_common_vals::text::text[], 1) > 0 AS common, histogram_bounds IS NOT NULL AS histogram
  FROM pg_stats WHERE tablename = 'big' AND attname <> 'd' ORDER BY attname;
SELECT analyzed('small', 50), analyzed('nothing', 0), analyzed('parted', 10000), analyzed('grown', 40000), analyzed('looks', 700);
SELECT relpages, reltuples FROM pg_class WHERE oid = 'small'::regclass;
\! psql "$SHARD_COORD" -Xqc 'ANALYZE VERBOSE small' 2>&1 | grep -E '"(public\.)?small"'
SELECT analyzed('looks', 700, 'random');
-- A parent over several shards.
\c :db1
CREATE TABLE s1 (id int, CHECK (id % 2 = 1));
INSERT INTO s1 SELECT i FROM generate_series(1, 20000, 2) i;
ANALYZE;
\c :db2
CREATE TABLE s2 (id int, CHECK (id % 2 = 0));
INSERT INTO s2 SELECT i FROM generate_series(2, 20000, 2) i;
\c :coord
CREATE TABLE s (id int);
CREATE FOREIGN TABLE s1 (CHECK (id % 2 = 1)) INHERITS (s) SERVER db1;
CREATE FOREIGN TABLE s2 (CHECK (id % 2 = 0)) INHERITS (s) SERVER db2;
ANALYZE s;
SELECT tablename, attname, inherited, histogram_bounds IS NOT NULL AS histogram, correlation IS NOT NULL FROM pg_stats WHERE tablename = 's';
-- Errors.
CREATE FOREIGN TABLE missing (id int) SERVER db0;
ANALYZE missing;
CREATE FOREIGN TABLE wrong (id int, x int) SERVER db0 OPTIONS (table_name 'small');
ANALYZE wrong;
CREATE FOREIGN TABLE unfit (id int, t int) SERVER db0 OPTIONS (table_name 'big', analyze_sampling 'off');
ANALYZE unfit;
SELECT analyzed('small', 50);

-- A large table that nobody has analyzed there: a sample by its size, and not all of it.
\c :db0
CREATE TABLE fresh AS SELECT n AS id, repeat('x', 200) AS filler FROM generate_series(1, 20000) n;
ALTER TABLE fresh SET (autovacuum_enabled = off);
CREATE TABLE part_a (id int, v text); CREATE TABLE part_b (id int, v text);
INSERT INTO part_a SELECT n, 'a' FROM generate_series(1, 100) n; INSERT INTO part_b SELECT n, 'b' FROM generate_series(1, 50) n;
\c :coord
CREATE FOREIGN TABLE fresh (id int, filler text) SERVER db0;
SET default_statistics_target = 1;
ANALYZE fresh;
SELECT reltuples BETWEEN 15000 AND 25000 AS about FROM pg_class WHERE relname = 'fresh';
RESET default_statistics_target;
-- Parents of foreign children have inherited statistics.
CREATE TABLE whole (id int, v text);
CREATE FOREIGN TABLE part_a () INHERITS (whole) SERVER db0;
CREATE FOREIGN TABLE part_b () INHERITS (whole) SERVER db0;
ANALYZE whole; -- since 18 also of the children
SELECT attname, inherited, n_distinct, most_common_vals FROM pg_stats WHERE tablename = 'whole' ORDER BY 1, 2;
SELECT relname, reltuples FROM pg_class WHERE relname = 'whole';
ANALYZE part_a, part_b;
SELECT relname, reltuples FROM pg_class WHERE relname IN ('whole', 'part_a', 'part_b') ORDER BY 1;

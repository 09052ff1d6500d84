-- min and max: asked of the shards as such, not as the first of all rows in an order, for which a shard without an index
-- would sort them all.
\i common/shards.sql
SET client_min_messages = warning;
CREATE TABLE s (id int, x int, y numeric, t text COLLATE "C");
CREATE TABLE twin (LIKE s);
INSERT INTO twin SELECT i, nullif(i * 7919 % 1009, 5), i / 3.0, i % 500 FROM generate_series(1, 2000) i;
SELECT format('CREATE FOREIGN TABLE s%s (CHECK (abs(mod(id, 4)) = %1$s)) INHERITS (s) SERVER db%1$s OPTIONS (schema_name ''public'')', n)
  FROM generate_series(0, 3) n \gexec
\c :db0
CREATE TABLE s0 (id int, x int, y numeric, t text);
CREATE INDEX ON s0 (x);
\c :db1
CREATE TABLE s1 (id int, x int, y numeric, t text);
\c :db2
CREATE TABLE s2 (id int, x int, y numeric, t text);
\c :db3
CREATE TABLE s3 (id int, x int, y numeric, t text);
\c :coord
INSERT INTO s SELECT * FROM twin;

CREATE TABLE queries (n serial, q text);
INSERT INTO queries (q) VALUES
 ('SELECT min(x) FROM @'), ('SELECT max(x), min(y) FROM @'), ('SELECT max(t) FROM @ WHERE y > 5'), ('SELECT min(x + 1) FROM @'),
 ('SELECT max(x) FROM @ WHERE id = 4'), ('SELECT max(x) FROM @ WHERE id < 0'), ('SELECT max(DISTINCT x) FROM @'),
 ('SELECT max(x) FROM @ HAVING max(x) > 7'), ('SELECT o.id, (SELECT max(x) FROM @ i WHERE i.t = o.t) FROM @ o WHERE o.id IN (1, 2)'),
 ('SELECT id FROM @ WHERE y = (SELECT max(y) FROM @)'),
 ('SELECT o.id, (SELECT max(x) FROM @ i WHERE i.y = o.y) FROM @ o WHERE o.id IN (1, 2)');
CREATE FUNCTION shipped() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE r record; line text;
BEGIN
  FOR r IN SELECT q FROM queries ORDER BY n LOOP
    RETURN NEXT replace(r.q, '@', 's');
    FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || replace(r.q, '@', 's') LOOP
      IF line ~ 'Remote SQL' THEN RETURN NEXT '   ' || trim(line); END IF;
    END LOOP;
  END LOOP;
END $$;
CREATE FUNCTION compared() RETURNS SETOF text LANGUAGE sql AS $$
  SELECT x FROM (SELECT n, same_rows(replace(q, '@', 's'), replace(q, '@', 'twin')) AS x FROM queries) q ORDER BY n, x $$;
-- Nothing known of the tables.
SELECT shipped();
SELECT compared();
-- Statistics.
SELECT format('ANALYZE s%s', n) FROM generate_series(0, 3) n \gexec
ANALYZE s;
\c :db0
ANALYZE s0;
\c :db1
ANALYZE s1;
\c :db2
ANALYZE s2;
\c :db3
ANALYZE s3;
\c :coord
SELECT shipped() LIMIT 4;
SELECT compared();
-- The server's estimates.
SELECT format('ALTER SERVER db%s OPTIONS (ADD use_remote_estimate ''true'')', n) FROM generate_series(0, 3) n \gexec
SELECT shipped() LIMIT 4;
SELECT compared();
-- That of a placement that is asked, for as many as are.
SELECT substring(plan_of, 'rows=\d+') FROM plan_of('SELECT * FROM s WHERE id = 2', 'COSTS ON') LIMIT 1;
SELECT substring(plan_of, 'rows=\d+') FROM plan_of('SELECT * FROM s WHERE id IN (2, 3)', 'COSTS ON') LIMIT 1;
SELECT substring(plan_of, 'rows=\d+') FROM plan_of('SELECT * FROM s', 'COSTS ON') LIMIT 1;
-- Some of it is done here: the first row in an order is less than all rows.
SELECT p FROM plan_of('SELECT max(x) FROM s WHERE random() < 2', 'VERBOSE, COSTS OFF') p WHERE p ~ 'Remote SQL|Limit';
SELECT same_rows('SELECT max(x) FROM s WHERE random() < 2', 'SELECT max(x) FROM twin');
-- One foreign table.
SELECT plan_of('SELECT min(x) FROM s0', 'VERBOSE, COSTS OFF');
-- Child by child.
SET shard_fdw.enable_sharded_scan = off;
SELECT compared();

-- Estimates for sharded tables: statistics of the parent, or of one child.
\i common/shards.sql
\c :db0
CREATE TABLE t0 (id int, grp int, region text);
CREATE TABLE r0 (region text, v int);
\c :db1
CREATE TABLE t1 (id int, grp int, region text);
CREATE TABLE r1 (region text, v int);
\c :coord
CREATE TABLE t (id int, grp int, region text);
CREATE FOREIGN TABLE t0 (CHECK (id % 2 = 0)) INHERITS (t) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE t1 (CHECK (id % 2 = 1)) INHERITS (t) SERVER db1 OPTIONS (schema_name 'public');
CREATE TABLE r (region text, v int) PARTITION BY LIST (region);
CREATE FOREIGN TABLE r0 PARTITION OF r FOR VALUES IN ('north') SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE r1 PARTITION OF r FOR VALUES IN ('south', 'east') SERVER db1 OPTIONS (schema_name 'public');
INSERT INTO t SELECT i, CASE WHEN i % 10 = 0 THEN i % 50 ELSE 7 END, CASE WHEN i % 100 < 90 THEN 'north' ELSE 'south' END FROM generate_series(1, 2000) i;
INSERT INTO r SELECT CASE WHEN i % 100 < 90 THEN 'south' ELSE 'north' END, i % 4 FROM generate_series(1, 1000) i;

-- The planner's estimate, to the next ten.
CREATE FUNCTION estimate(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json) ' || q INTO plan;
  RETURN q || ': ' || round((plan -> 0 -> 'Plan' ->> 'Plan Rows')::numeric, -1);
END $$;
CREATE TABLE queries (q text);
INSERT INTO queries VALUES ('SELECT * FROM t'), ('SELECT * FROM t WHERE grp = 7'), ('SELECT * FROM t WHERE grp = 20'),
  ('SELECT * FROM t WHERE id < 500'), ('SELECT * FROM t WHERE id = 3'), ('SELECT grp FROM t GROUP BY grp'),
  ('SELECT * FROM t a JOIN t b USING (id)'), ('SELECT * FROM t WHERE region = ''south'''),
  ('SELECT * FROM r WHERE v = 2'), ('SELECT region FROM r GROUP BY region'), ('SELECT * FROM (SELECT id, grp FROM t OFFSET 0) s WHERE grp = 7');
-- Each child by itself.
ANALYZE t0, t1, r0, r1;
SELECT estimate(q) FROM queries;
-- All together.
ANALYZE t, r;
SELECT estimate(q) FROM queries;
-- A user who may not read the column is not told of it by an operator of his own.
CREATE ROLE regress_reader;
GRANT SELECT (id) ON t TO regress_reader;
GRANT SELECT, INSERT ON queries TO regress_reader;
CREATE USER MAPPING FOR regress_reader SERVER db0 OPTIONS (user 'postgres', password_required 'false');
CREATE USER MAPPING FOR regress_reader SERVER db1 OPTIONS (user 'postgres', password_required 'false');
CREATE VIEW own AS SELECT id FROM t WHERE grp > 0;
CREATE VIEW barrier WITH (security_barrier) AS SELECT id, grp FROM t WHERE grp <> 7;
GRANT SELECT ON own, barrier TO regress_reader;
SET ROLE regress_reader;
CREATE FUNCTION pg_temp.leak(a int, b int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE NOTICE 'saw %', a; RETURN a < b; END $$;
CREATE OPERATOR pg_temp.<<< (leftarg = int, rightarg = int, function = pg_temp.leak, restrict = scalarltsel);
EXPLAIN (COSTS OFF) SELECT * FROM barrier WHERE grp OPERATOR(pg_temp.<<<) 5;
RESET ROLE;

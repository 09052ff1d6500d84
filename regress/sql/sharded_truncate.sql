-- TRUNCATE of sharded tables.
\i common/shards.sql
SET client_min_messages = warning;
\c :db0
CREATE TABLE t0 (id int PRIMARY KEY, n serial); CREATE TABLE r0 (id int PRIMARY KEY); CREATE TABLE o0 (id int CONSTRAINT o_fkey REFERENCES r0); CREATE TABLE u0 (id int);
\c :db1
CREATE TABLE t1 (id int PRIMARY KEY, n serial); CREATE TABLE r1 (id int PRIMARY KEY); CREATE TABLE o1 (id int CONSTRAINT o_fkey REFERENCES r1); CREATE TABLE u1 (id int);
\c :coord
CREATE TABLE t (id int, n int);
CREATE FOREIGN TABLE t0 (CHECK (id % 2 = 0)) INHERITS (t) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE t1 (CHECK (id % 2 = 1)) INHERITS (t) SERVER db1 OPTIONS (schema_name 'public');
CREATE TABLE u (id int) PARTITION BY LIST (id);
CREATE FOREIGN TABLE u0 PARTITION OF u FOR VALUES IN (0) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE u1 PARTITION OF u FOR VALUES IN (1) SERVER db1 OPTIONS (schema_name 'public');
CREATE TABLE r (id int);
CREATE FOREIGN TABLE r0 (CHECK (id % 2 = 0)) INHERITS (r) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE r1 (CHECK (id % 2 = 1)) INHERITS (r) SERVER db1 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE o0 (id int) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE o1 (id int) SERVER db1 OPTIONS (schema_name 'public');
CREATE TABLE here (id int);
-- Rows everywhere; the shards' sequences number them.
CREATE FUNCTION fill() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
  DELETE FROM o0; DELETE FROM o1; DELETE FROM t0; DELETE FROM t1; DELETE FROM r0; DELETE FROM r1; DELETE FROM u0; DELETE FROM u1; DELETE FROM here;
  INSERT INTO t0_id VALUES (0), (2); INSERT INTO t1_id VALUES (1), (3);
  INSERT INTO r0 VALUES (0), (2); INSERT INTO r1 VALUES (1), (3);
  INSERT INTO u0 VALUES (0); INSERT INTO u1 VALUES (1); INSERT INTO here VALUES (1);
END $$;
CREATE FOREIGN TABLE t0_id (id int) SERVER db0 OPTIONS (schema_name 'public', table_name 't0');
CREATE FOREIGN TABLE t1_id (id int) SERVER db1 OPTIONS (schema_name 'public', table_name 't1');
CREATE VIEW rows AS SELECT (SELECT count(*) FROM t) AS t, (SELECT array_agg(n ORDER BY n, id) FROM t) AS numbers,
  (SELECT count(*) FROM u) AS u, (SELECT count(*) FROM o0) + (SELECT count(*) FROM o1) AS o, (SELECT count(*) FROM here) AS here;

SELECT fill(); TABLE rows;
TRUNCATE t;
TABLE rows;
SELECT fill(); TABLE rows;
TRUNCATE t RESTART IDENTITY;
SELECT fill(); TABLE rows;
BEGIN; TRUNCATE t, u, here; TABLE rows; ROLLBACK;
TABLE rows;
BEGIN; SAVEPOINT s; TRUNCATE t, u; ROLLBACK TO s; TRUNCATE u; COMMIT;
TABLE rows;
-- ONLY the parent: its own heap, which is empty.
TRUNCATE ONLY t;
TRUNCATE ONLY u;
TABLE rows;
-- References on the shards.
SELECT fill();
INSERT INTO o0 VALUES (2); INSERT INTO o1 VALUES (1);
SELECT expect_error('TRUNCATE r') ~ '^(0A000|DETAIL|HINT|CONTEXT)';
TRUNCATE r CASCADE;
TABLE rows;
SELECT count(*) FROM r;
-- One shard fails: none is emptied, and nothing here.
SELECT fill();
\c :db0
ALTER TABLE o0 DROP CONSTRAINT o_fkey;
\c :coord
SELECT expect_error('TRUNCATE here, r, u');
TABLE rows;
SELECT count(*) FROM r;
ALTER FOREIGN TABLE t1 OPTIONS (ADD truncatable 'false');
SELECT expect_error('TRUNCATE t');
TRUNCATE u, t0;
TABLE rows;
ALTER FOREIGN TABLE t1 OPTIONS (DROP truncatable);
-- Triggers here; privileges are the parent's.
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE WARNING '% % %', TG_WHEN, TG_OP, TG_TABLE_NAME; IF TG_WHEN = 'BEFORE' THEN TRUNCATE u; END IF; RETURN NULL; END $$;
CREATE TRIGGER b BEFORE TRUNCATE ON t EXECUTE FUNCTION note();
CREATE TRIGGER a AFTER TRUNCATE ON t EXECUTE FUNCTION note();
SELECT fill();
TRUNCATE t;
TABLE rows;
-- Within a TRUNCATE another one, also one that fails.
CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN BEGIN TRUNCATE t, u; EXCEPTION WHEN OTHERS THEN RAISE WARNING '%', SQLERRM; END; TRUNCATE ONLY u0, u1; RETURN NULL; END $$;
DROP TRIGGER a ON t;
SELECT fill();
TRUNCATE t, here;
TABLE rows;
SELECT fill();
TRUNCATE t, t0, t0, u, u1, here;
TABLE rows;
DROP TRIGGER b ON t;
SELECT fill();
DO $$ BEGIN TRUNCATE t; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN TRUNCATE u; END $$;
TABLE rows;
-- Some of the parent's children are other tables; several levels.
CREATE TABLE t2 () INHERITS (t);
CREATE TABLE u2 PARTITION OF u FOR VALUES IN (2, 3) PARTITION BY LIST (id);
CREATE FOREIGN TABLE u22 PARTITION OF u2 FOR VALUES IN (2) SERVER db0 OPTIONS (schema_name 'public', table_name 'u0');
CREATE TABLE u23 PARTITION OF u2 FOR VALUES IN (3);
SELECT fill();
INSERT INTO t2 VALUES (7); INSERT INTO u23 VALUES (3);
TRUNCATE t, u2;
SELECT count(*) FROM t2;
TABLE rows;
DROP TABLE t2, u2;
CREATE ROLE regress_trunc;
GRANT SELECT, DELETE ON t TO regress_trunc;
SET ROLE regress_trunc;
TRUNCATE t;
RESET ROLE;

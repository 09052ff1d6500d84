-- Many rows of an INSERT into a sharded table go by COPY, where that is the same.
\i common/shards.sql
SET client_min_messages = error;
\c :db0
CREATE TABLE t0 (id int PRIMARY KEY, b text, n numeric(12,2) CHECK (n > -1000), CHECK (abs(mod(id, 4)) = 0));
CREATE TABLE asked (n int GENERATED ALWAYS AS IDENTITY, sql text);
CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO public.asked (sql) VALUES (split_part(current_query(), ' ', 1)); RETURN NULL; END$$;
CREATE TRIGGER note_it AFTER INSERT ON t0 EXECUTE FUNCTION note_it();
\c :db1
CREATE TABLE t1 (id int PRIMARY KEY, b text, n numeric(12,2) CHECK (n > -1000), CHECK (abs(mod(id, 4)) = 1));
CREATE TABLE asked (n int GENERATED ALWAYS AS IDENTITY, sql text);
CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO public.asked (sql) VALUES (split_part(current_query(), ' ', 1)); RETURN NULL; END$$;
CREATE TRIGGER note_it AFTER INSERT ON t1 EXECUTE FUNCTION note_it();
\c :db2
CREATE TABLE t2 (id int PRIMARY KEY, b text, n numeric(12,2) CHECK (n > -1000), CHECK (abs(mod(id, 4)) = 2));
CREATE TABLE asked (n int GENERATED ALWAYS AS IDENTITY, sql text);
CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO public.asked (sql) VALUES (split_part(current_query(), ' ', 1)); RETURN NULL; END$$;
CREATE TRIGGER note_it AFTER INSERT ON t2 EXECUTE FUNCTION note_it();
\c :db3
CREATE TABLE t3 (id int PRIMARY KEY, b text, n numeric(12,2) CHECK (n > -1000), CHECK (abs(mod(id, 4)) = 3));
CREATE TABLE asked (n int GENERATED ALWAYS AS IDENTITY, sql text);
CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO public.asked (sql) VALUES (split_part(current_query(), ' ', 1)); RETURN NULL; END$$;
CREATE TRIGGER note_it AFTER INSERT ON t3 EXECUTE FUNCTION note_it();
\c :coord
CREATE TABLE t (id int NOT NULL, b text DEFAULT 'local', n numeric(12,2));
SELECT format('CREATE FOREIGN TABLE t%s (CHECK (abs(mod(id, 4)) = %1$s)) INHERITS (t) SERVER db%1$s OPTIONS (schema_name ''public'')', i)
  FROM generate_series(0, 3) i \gexec
-- Another order of columns here, and a condition of its own.
DROP FOREIGN TABLE t2;
CREATE FOREIGN TABLE t2 (n numeric(12,2), id int NOT NULL, b text, CHECK (abs(mod(id, 4)) = 2), CHECK (n < 1000000))
  SERVER db2 OPTIONS (schema_name 'public');
ALTER FOREIGN TABLE t2 INHERIT t;
CREATE TABLE l (LIKE t INCLUDING DEFAULTS);
SELECT format('CREATE FOREIGN TABLE asked%s (n int, sql text) SERVER db%1$s OPTIONS (schema_name ''public'', table_name ''asked'')', i)
  FROM generate_series(0, 3) i \gexec
CREATE FUNCTION asked() RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY SELECT DISTINCT sql FROM (TABLE asked0 UNION ALL TABLE asked1 UNION ALL TABLE asked2 UNION ALL TABLE asked3) a ORDER BY 1;
  DELETE FROM asked0; DELETE FROM asked1; DELETE FROM asked2; DELETE FROM asked3;
END$$;

\set QUIET off
INSERT INTO t SELECT i, 'row ' || i, i / 7.0 FROM generate_series(1, 10000) i;
SELECT * FROM asked();
INSERT INTO l SELECT i, 'row ' || i, i / 7.0 FROM generate_series(1, 10000) i;
SELECT same_rows('SELECT * FROM t', 'TABLE l');
-- Few rows; just one batch, one more, two.
DELETE FROM t WHERE true;
SELECT * FROM asked();
INSERT INTO t SELECT i FROM generate_series(1, 3999) i;
SELECT * FROM asked();
INSERT INTO t SELECT i FROM generate_series(-4000, -1) i;
INSERT INTO t SELECT i FROM generate_series(10001, 14001) i;
INSERT INTO t (n, id) SELECT i, i FROM generate_series(20001, 20999) i;
INSERT INTO t (b, id) SELECT NULLIF(i % 3, 1), i FROM generate_series(30001, 38000) i;
SELECT * FROM asked();
TRUNCATE l;
INSERT INTO l SELECT i FROM generate_series(1, 3999) i;
INSERT INTO l SELECT i FROM generate_series(-4000, -1) i;
INSERT INTO l SELECT i FROM generate_series(10001, 14001) i;
INSERT INTO l (n, id) SELECT i, i FROM generate_series(20001, 20999) i;
INSERT INTO l (b, id) SELECT NULLIF(i % 3, 1), i FROM generate_series(30001, 38000) i;
SELECT same_rows('SELECT * FROM t', 'TABLE l');
-- The number of rows is also what a function is told; EXPLAIN ANALYZE counts them.
DO $$
DECLARE n int;
BEGIN
  INSERT INTO t SELECT i FROM generate_series(40001, 45000) i; GET DIAGNOSTICS n = ROW_COUNT; RAISE NOTICE '%', n;
  DELETE FROM t WHERE id > 40000; GET DIAGNOSTICS n = ROW_COUNT; RAISE NOTICE '%', n;
END$$;
SELECT plan_of('INSERT INTO t SELECT i FROM generate_series(40001, 45000) i', 'ANALYZE, VERBOSE, COSTS OFF');
DELETE FROM t WHERE id > 40000;

-- Nasty characters and numbers.
INSERT INTO t SELECT i, CASE i % 9 WHEN 0 THEN E'\\N' WHEN 1 THEN E'\\.' WHEN 2 THEN E'a\tb\nc\rd\\' WHEN 3 THEN '' WHEN 4 THEN chr(1 + i % 300)
    WHEN 5 THEN 'größer € 😀' WHEN 6 THEN repeat('x', i % 5000) WHEN 7 THEN E'\b\f\v' END,
    CASE i % 5 WHEN 0 THEN 999999.994 WHEN 1 THEN 0.005 WHEN 2 THEN -0.004 ELSE i END::numeric(12,2)
  FROM generate_series(50001, 59000) i;
INSERT INTO l SELECT i, CASE i % 9 WHEN 0 THEN E'\\N' WHEN 1 THEN E'\\.' WHEN 2 THEN E'a\tb\nc\rd\\' WHEN 3 THEN '' WHEN 4 THEN chr(1 + i % 300)
    WHEN 5 THEN 'größer € 😀' WHEN 6 THEN repeat('x', i % 5000) WHEN 7 THEN E'\b\f\v' END,
    CASE i % 5 WHEN 0 THEN 999999.994 WHEN 1 THEN 0.005 WHEN 2 THEN -0.004 ELSE i END::numeric(12,2)
  FROM generate_series(50001, 59000) i;
SELECT same_rows('SELECT * FROM t', 'TABLE l');

-- Errors: of the row here, of a placement's condition, of a shard, of the query; nothing is stored.
SELECT expect_error('INSERT INTO t SELECT CASE WHEN i < 69000 THEN i END FROM generate_series(60001, 69000) i');
SELECT expect_error('INSERT INTO t SELECT i, NULL, CASE WHEN i = 68002 THEN 1000000 END FROM generate_series(60001, 69000) i');
SELECT expect_error('INSERT INTO t SELECT CASE WHEN i < 69000 THEN i ELSE 1 END FROM generate_series(60001, 69000) i');
SELECT expect_error('INSERT INTO t SELECT i, NULL, CASE WHEN i = 68001 THEN -1000 END FROM generate_series(60001, 69000) i');
SELECT expect_error('INSERT INTO t SELECT i, NULL, 1 / (68000 - i) FROM generate_series(60001, 69000) i');
SELECT same_rows('SELECT * FROM t', 'TABLE l');
-- Transactions, savepoints, a handler of exceptions.
BEGIN;
INSERT INTO t SELECT i FROM generate_series(60001, 65000) i;
SAVEPOINT a;
INSERT INTO t SELECT i FROM generate_series(65001, 70000) i;
SELECT count(*) FROM t WHERE id > 60000;
ROLLBACK TO a;
INSERT INTO t SELECT i FROM generate_series(70001, 75000) i;
DO $$BEGIN INSERT INTO t SELECT i FROM generate_series(75001, 85000) i UNION ALL SELECT 1; EXCEPTION WHEN unique_violation THEN RAISE NOTICE '%', SQLERRM; END$$;
SELECT count(*), min(id), max(id) FROM t WHERE id > 60000;
COMMIT;
INSERT INTO l SELECT i FROM generate_series(60001, 65000) i;
INSERT INTO l SELECT i FROM generate_series(70001, 75000) i;
SELECT same_rows('SELECT * FROM t', 'TABLE l');
SELECT * FROM asked();

-- Statements that have to have their rows stored at once, or need the connections.
INSERT INTO t SELECT id + 100000, b, n FROM t WHERE id BETWEEN 1 AND 20000;
INSERT INTO l SELECT id + 100000, b, n FROM l WHERE id BETWEEN 1 AND 20000;
SELECT * FROM asked();
CREATE FUNCTION stored() RETURNS bigint LANGUAGE sql AS $$SELECT count(*) FROM t WHERE id > 200000$$;
INSERT INTO t SELECT i, 'f', CASE WHEN i % 3000 = 0 THEN stored() END FROM generate_series(200001, 209000) i;
INSERT INTO l SELECT i, 'f', CASE i WHEN 201000 THEN 0 WHEN 204000 THEN 0 WHEN 207000 THEN 4000 END FROM generate_series(200001, 209000) i;
SELECT * FROM asked();
WITH w AS (INSERT INTO t SELECT i FROM generate_series(210001, 219000) i) SELECT 1;
WITH w AS (INSERT INTO t SELECT i FROM generate_series(220001, 229000) i RETURNING id) SELECT count(*) FROM w;
INSERT INTO t SELECT i FROM generate_series(220001, 229000) i ON CONFLICT DO NOTHING;
INSERT INTO l SELECT i FROM generate_series(210001, 219000) i;
INSERT INTO l SELECT i FROM generate_series(220001, 229000) i;
SELECT * FROM asked();
SET shard_fdw.enable_insert_by_copy = off;
INSERT INTO t SELECT i FROM generate_series(230001, 239000) i;
RESET shard_fdw.enable_insert_by_copy;
INSERT INTO l SELECT i FROM generate_series(230001, 239000) i;
SELECT * FROM asked();
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE '%', (SELECT count(*) FROM t WHERE id > 240000); RETURN NULL; END$$;
CREATE TRIGGER tell AFTER INSERT ON t EXECUTE FUNCTION tell();
INSERT INTO t SELECT i FROM generate_series(240001, 249000) i;
DROP TRIGGER tell ON t;
INSERT INTO l SELECT i FROM generate_series(240001, 249000) i;
SELECT * FROM asked();
SELECT same_rows('SELECT * FROM t', 'TABLE l');

-- Remote tables that COPY is not for: from the beginning, and when the stream is under way.
\set QUIET on
\c :db1
CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF new.id % 1000 = 1 THEN RETURN NULL; END IF; RETURN new; END$$;
CREATE TRIGGER leave_out BEFORE INSERT ON t1 FOR EACH ROW EXECUTE FUNCTION leave_out();
\c :coord
\set QUIET off
INSERT INTO t SELECT i FROM generate_series(300001, 309000) i;
SELECT * FROM asked();
INSERT INTO t SELECT i FROM generate_series(310000, 390000, 4) i UNION ALL SELECT i FROM generate_series(310001, 390001, 4) i;
SELECT * FROM asked();
INSERT INTO l SELECT i FROM generate_series(300001, 309000) i WHERE NOT (i % 4 = 1 AND i % 1000 = 1);
INSERT INTO l SELECT i FROM generate_series(310000, 390000, 4) i;
INSERT INTO l SELECT i FROM generate_series(310001, 390001, 4) i WHERE i % 1000 <> 1;
SELECT same_rows('SELECT * FROM t', 'TABLE l');
\set QUIET on
\c :db1
DROP TRIGGER leave_out ON t1;
ALTER TABLE t1 RENAME TO t1_stored;
CREATE VIEW t1 AS TABLE t1_stored;
\c :db3
ALTER TABLE t3 ADD w int GENERATED ALWAYS AS IDENTITY;
\c :coord
\set QUIET off
INSERT INTO t SELECT i FROM generate_series(400001, 409000) i;
INSERT INTO l SELECT i FROM generate_series(400001, 409000) i;
SELECT same_rows('SELECT * FROM t', 'TABLE l');

-- Many placements on few servers; a partitioned parent.
\set QUIET on
\c :db0
CREATE TABLE p (id int, v text);
\c :db1
CREATE TABLE p (id int, v text);
\c :coord
\set QUIET off
CREATE TABLE p (id int, v text) PARTITION BY LIST ((id % 10));
SELECT format('CREATE FOREIGN TABLE p%s PARTITION OF p FOR VALUES IN (%1$s) SERVER db%s OPTIONS (schema_name ''public'', table_name ''p'')', i, i % 2)
  FROM generate_series(0, 9) i \gexec
INSERT INTO p SELECT i, 'row ' || i FROM generate_series(1, 50000) i;
CREATE FOREIGN TABLE all0 (id int, v text) SERVER db0 OPTIONS (schema_name 'public', table_name 'p');
CREATE FOREIGN TABLE all1 (id int, v text) SERVER db1 OPTIONS (schema_name 'public', table_name 'p');
SELECT same_rows('TABLE all0', $$SELECT i, 'row ' || i FROM generate_series(2, 50000, 2) i$$);
SELECT same_rows('TABLE all1', $$SELECT i, 'row ' || i FROM generate_series(1, 50000, 2) i$$);

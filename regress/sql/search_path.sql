-- The server option search_path: functions on the server find what they name without a schema; what is sent means the same.
\i common/shards.sql
\c :db0
CREATE SCHEMA app;
CREATE SCHEMA "My ""Schema";
CREATE TYPE app.mood AS ENUM ('sad', 'glad');
CREATE TABLE app.t (id int PRIMARY KEY, v text, n varchar(20), m app.mood, r regclass);
CREATE TABLE app.log (what text, id int);
-- Neither it nor the role says where log is.
CREATE FUNCTION app.note() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO log VALUES (TG_OP, CASE TG_OP WHEN 'DELETE' THEN OLD.id WHEN 'TRUNCATE' THEN 0 ELSE NEW.id END); RETURN NULL; END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON app.t FOR EACH ROW EXECUTE FUNCTION app.note();
CREATE TRIGGER emptied AFTER TRUNCATE ON app.t EXECUTE FUNCTION app.note();
CREATE VIEW app.path AS SELECT pg_catalog.current_setting('search_path') AS path;
-- They fit better than those of pg_catalog.
CREATE FUNCTION app.lower(varchar) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'captured' $$;
CREATE FUNCTION app.wrong(varchar, varchar) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT false $$;
CREATE OPERATOR app.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = app.wrong);
CREATE FUNCTION app.wrong_any(varchar, varchar[]) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT false $$;
CREATE AGGREGATE app.count(int) (SFUNC = int4_sum, STYPE = bigint, INITCOND = '1000000');
CREATE AGGREGATE app.max(varchar) (SFUNC = textcat, STYPE = text, INITCOND = 'captured');
CREATE FUNCTION app.unnest(int[]) RETURNS SETOF int LANGUAGE sql IMMUTABLE AS $$ SELECT -1 $$;
\c :db1
CREATE SCHEMA app;
CREATE TABLE app.t (id int PRIMARY KEY, v text, n varchar(20), m text, r regclass);
\c :coord
CREATE FOREIGN TABLE t (id int, v text, n varchar(20)) SERVER db0 OPTIONS (schema_name 'app');
CREATE FOREIGN TABLE log (what text, id int) SERVER db0 OPTIONS (schema_name 'app');
CREATE FOREIGN TABLE path (path text) SERVER db0 OPTIONS (schema_name 'app');
CREATE FOREIGN TABLE ids (id int) SERVER db0 OPTIONS (schema_name 'app', table_name 't');
CREATE TABLE twin (id int, v text, n varchar(20));
INSERT INTO twin SELECT i, 'V' || i % 3, 'N' || i % 4 FROM generate_series(1, 12) i;

-- The default.
SELECT * FROM path;
SELECT expect_error('INSERT INTO t VALUES (1)');
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(id), max(n) FROM t WHERE lower(n) = 'n1' AND n = ANY ('{N1,N2}');

-- It takes effect with the next transaction, whoever sets it.
BEGIN;
SELECT * FROM path;
ALTER SERVER db0 OPTIONS (ADD search_path 'app, "$user","My ""Schema", pg_catalog');
SELECT * FROM path;
COMMIT;
SELECT * FROM path;
ALTER SERVER db0 OPTIONS (SET search_path 'app');
SELECT * FROM path;
INSERT INTO t SELECT * FROM twin;
INSERT INTO t VALUES (13, 'x', 'y') RETURNING id;
COPY t FROM stdin;
14	copied	one
15	copied	two
\.
UPDATE t SET v = 'changed' WHERE id = 13;
DELETE FROM t WHERE id > 12;
SELECT what, count(*), sum(id) FROM log GROUP BY what ORDER BY what;
INSERT INTO ids SELECT generate_series(101, 103);
SELECT same_rows('SELECT id FROM ids', 'SELECT id FROM twin UNION ALL VALUES (101), (102), (103)');
DELETE FROM ids WHERE id > 100;

-- What is sent names its functions and operators.
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(id), max(n) FROM t WHERE lower(n) = 'n1' AND n = ANY ('{N1,N2}') AND -id < 0;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM t WHERE (id, n) > (3, 'N') AND n IS DISTINCT FROM 'N1';
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM t WHERE NULLIF(n, 'N1') IS NULL OR CASE n WHEN 'N2' THEN true END;
EXPLAIN (VERBOSE, COSTS OFF) UPDATE t SET v = lower(n) WHERE n = 'N1';
SELECT same_rows('SELECT * FROM t', 'TABLE twin');
SELECT same_rows('SELECT count(id), max(n), min(v) FROM t', 'SELECT count(id), max(n), min(v) FROM twin');
SELECT same_rows($$SELECT id FROM t WHERE lower(n) = 'n1'$$, $$SELECT id FROM twin WHERE lower(n) = 'n1'$$);
SELECT same_rows($$SELECT id FROM t WHERE n = 'N1'$$, $$SELECT id FROM twin WHERE n = 'N1'$$);
SELECT same_rows($$SELECT id FROM t WHERE n IN ('N1', 'N2')$$, $$SELECT id FROM twin WHERE n IN ('N1', 'N2')$$);
SELECT same_rows($$SELECT id FROM t WHERE n IS DISTINCT FROM 'N1'$$, $$SELECT id FROM twin WHERE n IS DISTINCT FROM 'N1'$$);
SELECT same_rows($$SELECT CASE n WHEN 'N1' THEN 1 END, NULLIF(n, 'N2') FROM t$$, $$SELECT CASE n WHEN 'N1' THEN 1 END, NULLIF(n, 'N2') FROM twin$$);
SELECT same_rows($$SELECT a.id FROM t a JOIN t b ON a.n = b.n WHERE a.id < 3$$, $$SELECT a.id FROM twin a JOIN twin b ON a.n = b.n WHERE a.id < 3$$);
SELECT same_rows($$SELECT n, count(*) FROM t GROUP BY n HAVING max(n) <> 'N2'$$, $$SELECT n, count(*) FROM twin GROUP BY n HAVING max(n) <> 'N2'$$);
SELECT same_rows($$SELECT DISTINCT n FROM t ORDER BY n LIMIT 2$$, $$SELECT DISTINCT n FROM twin ORDER BY n LIMIT 2$$);
UPDATE t SET v = lower(n) WHERE n = 'N1' RETURNING id, v;
ANALYZE t;
INSERT INTO t VALUES (1, 'a', 'b') ON CONFLICT (id) DO UPDATE SET v = lower(excluded.n) WHERE t.n = excluded.n OR t.n = 'N1' RETURNING *;
TRUNCATE t;
SELECT what, count(*) FROM log GROUP BY what ORDER BY what;

-- Import: what the server writes without a schema is in pg_catalog. Then the path is back.
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('sad', 'glad');
BEGIN;
IMPORT FOREIGN SCHEMA app LIMIT TO (t) FROM SERVER db0 INTO app;
SELECT * FROM path;
COMMIT;
SELECT attname, atttypid::regtype FROM pg_attribute WHERE attrelid = 'app.t'::regclass AND attnum > 0;
INSERT INTO app.t (id, m) VALUES (1, 'glad');
SELECT id, m FROM app.t WHERE m = 'glad';
-- Names of objects come as the server writes them.
INSERT INTO app.t (id, r) VALUES (2, 'pg_class');
SELECT id, r FROM app.t WHERE id = 2;
\c :db0
SET search_path = app;
INSERT INTO app.t (id, r) VALUES (3, 'app.log');
\c :coord
SELECT expect_error('SELECT id, r FROM app.t WHERE id = 3');

CREATE TYPE app.pair AS (n int, r regclass);
CREATE FOREIGN TABLE about (id int, a app.pair[]) SERVER db0 OPTIONS (schema_name 'app');
\c :db0
CREATE TYPE app.pair AS (n int, r regclass);
CREATE VIEW app.about AS SELECT id, ARRAY[ROW(id, r)::app.pair] AS a FROM app.t;
\c :coord
SELECT * FROM about WHERE id = 2;
SELECT expect_error('SELECT * FROM about WHERE id = 3');

-- One of the shards of a sharded table.
CREATE TABLE s (id int, v text, n varchar(20));
CREATE FOREIGN TABLE s1 (CHECK (id % 2 = 1)) INHERITS (s) SERVER db1 OPTIONS (schema_name 'app', table_name 't');
CREATE FOREIGN TABLE s0 (CHECK (id % 2 = 0)) INHERITS (s) SERVER db0 OPTIONS (schema_name 'app', table_name 't');
TRUNCATE s;
INSERT INTO s SELECT * FROM twin;
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(id) FROM s WHERE n = 'N2';
SELECT same_rows($$SELECT count(id), max(n) FROM s WHERE n = 'N2'$$, $$SELECT count(id), max(n) FROM twin WHERE n = 'N2'$$);
SELECT same_rows($$SELECT a.id FROM s a JOIN s b USING (id) WHERE a.n = b.n$$, $$SELECT id FROM twin$$);
-- A cached plan.
PREPARE q AS SELECT count(*) FROM s WHERE n = 'N2' AND id > $1;
EXECUTE q(0);
ALTER SERVER db0 OPTIONS (DROP search_path);
EXECUTE q(0);
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE q(0);
ALTER SERVER db1 OPTIONS (ADD search_path 'app');
EXECUTE q(0);
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE q(0);

-- No lists of names.
SELECT expect_error($$ALTER SERVER db2 OPTIONS (ADD search_path 'a b')$$);
SELECT expect_error($$ALTER SERVER db2 OPTIONS (ADD search_path '"a')$$);
SELECT expect_error($$ALTER FOREIGN TABLE t OPTIONS (ADD search_path 'a')$$);

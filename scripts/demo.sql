\set QUIET on
\set ON_ERROR_STOP off
\pset pager off
\set VERBOSITY default
\set ECHO queries
\set QUIET off
\echo
\echo '== Four shards. Ordinary PostgreSQL servers with nothing installed: each has one table and its rule.'
\c :db0
CREATE TABLE tbl0 (id int PRIMARY KEY, info text, crt_time timestamp, CHECK (abs(mod(id, 4)) = 0));
\c :db1
CREATE TABLE tbl1 (id int PRIMARY KEY, info text, crt_time timestamp, CHECK (abs(mod(id, 4)) = 1));
\c :db2
CREATE TABLE tbl2 (id int PRIMARY KEY, info text, crt_time timestamp, CHECK (abs(mod(id, 4)) = 2));
\c :db3
CREATE TABLE tbl3 (id int PRIMARY KEY, info text, crt_time timestamp, CHECK (abs(mod(id, 4)) = 3));

\echo
\echo '== The coordinator: the extension, a foreign server per shard, a user mapping each.'
\c :master
CREATE EXTENSION shard_fdw;
CREATE SERVER db0 FOREIGN DATA WRAPPER shard_fdw OPTIONS (host '127.0.0.1', port :'port0', dbname 'db0');
CREATE SERVER db1 FOREIGN DATA WRAPPER shard_fdw OPTIONS (host '127.0.0.1', port :'port1', dbname 'db1');
CREATE SERVER db2 FOREIGN DATA WRAPPER shard_fdw OPTIONS (host '127.0.0.1', port :'port2', dbname 'db2');
CREATE SERVER db3 FOREIGN DATA WRAPPER shard_fdw OPTIONS (host '127.0.0.1', port :'port3', dbname 'db3');
CREATE USER MAPPING FOR postgres SERVER db0 OPTIONS (user 'postgres');
CREATE USER MAPPING FOR postgres SERVER db1 OPTIONS (user 'postgres');
CREATE USER MAPPING FOR postgres SERVER db2 OPTIONS (user 'postgres');
CREATE USER MAPPING FOR postgres SERVER db3 OPTIONS (user 'postgres');

\echo
\echo '== The remote tables become foreign tables.'
IMPORT FOREIGN SCHEMA public FROM SERVER db0 INTO public;
IMPORT FOREIGN SCHEMA public FROM SERVER db1 INTO public;
IMPORT FOREIGN SCHEMA public FROM SERVER db2 INTO public;
IMPORT FOREIGN SCHEMA public FROM SERVER db3 INTO public;
\det

\echo
\echo '== One parent over all four. The CHECK constraints say where a row lives.'
CREATE TABLE tbl (id int, info text, crt_time timestamp);
ALTER FOREIGN TABLE tbl0 INHERIT tbl, ADD CHECK (abs(mod(id, 4)) = 0);
ALTER FOREIGN TABLE tbl1 INHERIT tbl, ADD CHECK (abs(mod(id, 4)) = 1);
ALTER FOREIGN TABLE tbl2 INHERIT tbl, ADD CHECK (abs(mod(id, 4)) = 2);
ALTER FOREIGN TABLE tbl3 INHERIT tbl, ADD CHECK (abs(mod(id, 4)) = 3);

\echo
\echo '== Which shards does a query ask? In 2015 one had to repeat the rule in every query:'
EXPLAIN (COSTS OFF) SELECT * FROM tbl WHERE id = 100 AND abs(mod(id, 4)) = abs(mod(100, 4));
\echo '== That still works. But id = 100 alone is enough now:'
EXPLAIN (COSTS OFF) SELECT * FROM tbl WHERE id = 100;
\echo '== No condition on the key: all four.'
EXPLAIN (COSTS OFF) SELECT count(*), sum(id) FROM tbl;

\echo
\echo '== A trigger routes inserts on the parent.'
CREATE FUNCTION f_tbl_ins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  CASE abs(mod(NEW.id, 4))
    WHEN 0 THEN INSERT INTO tbl0 VALUES (NEW.*);
    WHEN 1 THEN INSERT INTO tbl1 VALUES (NEW.*);
    WHEN 2 THEN INSERT INTO tbl2 VALUES (NEW.*);
    WHEN 3 THEN INSERT INTO tbl3 VALUES (NEW.*);
    ELSE RETURN NULL;
  END CASE;
  RETURN NULL;
END $$;
CREATE TRIGGER tg1 BEFORE INSERT ON tbl FOR EACH ROW EXECUTE FUNCTION f_tbl_ins();
INSERT INTO tbl SELECT n, 'abc', now() FROM generate_series(1, 8) n;
SELECT tableoid::regclass AS shard, * FROM tbl ORDER BY id;

\echo
\echo '== Update and delete.'
UPDATE tbl SET info = 'new' WHERE id = 2;
DELETE FROM tbl WHERE id = 8;
EXPLAIN (VERBOSE, COSTS OFF) UPDATE tbl SET info = 'newer' WHERE id = 2;

\echo
\echo '== Bound parameters.'
PREPARE by_id (int) AS SELECT * FROM tbl WHERE id = $1;
EXECUTE by_id(2);
EXECUTE by_id(7);

\echo
\echo '== A transaction over two shards and a local table: all or nothing.'
CREATE TABLE test (id int PRIMARY KEY, info text);
BEGIN;
INSERT INTO test VALUES (1, 'local');
INSERT INTO tbl VALUES (11, 'shard 3', now());
\echo '(the next statement must fail: row 1 exists on shard 1)'
INSERT INTO tbl VALUES (1, 'shard 1', now());
END;
SELECT (SELECT count(*) FROM test) AS local_rows, (SELECT count(*) FROM tbl WHERE id = 11) AS shard_rows;
\echo '== And one that commits on both.'
BEGIN;
INSERT INTO test VALUES (1, 'local');
UPDATE tbl SET info = 'together' WHERE id IN (3, 4);
COMMIT;
SELECT id, info FROM tbl WHERE info = 'together' ORDER BY id;

\echo
\echo '== One statement on all shards that fails on one of them: rolled back everywhere.'
\echo '(it must fail: 6 does not belong on shard 3)'
UPDATE tbl SET id = CASE id WHEN 7 THEN 6 ELSE id END, info = 'lost';
SELECT count(*) AS rows_changed FROM tbl WHERE info = 'lost';

\echo
\echo '== xmin and xmax are the shard''s own.'
SELECT ctid, xmin, xmax, id FROM tbl0 ORDER BY id;
\c :db0
SELECT ctid, xmin, xmax, id FROM tbl0 ORDER BY id;
\c :master

\echo
\echo '== Joins, with local tables and between shards.'
SELECT tbl.id, tbl.info, test.info AS test_info FROM tbl JOIN test USING (id);
SELECT a.id, b.id AS next_id FROM tbl a JOIN tbl b ON b.id = a.id + 1 WHERE a.id < 4 ORDER BY 1;

\echo
\echo '== TRUNCATE reaches every shard, and rolls back.'
BEGIN;
TRUNCATE tbl;
SELECT count(*) FROM tbl;
ROLLBACK;
SELECT count(*) FROM tbl;

\echo
\echo '== The connections this session holds.'
SELECT * FROM shard_fdw_get_connections() ORDER BY 1;

\echo
\echo '== The function language: PL/Proxy''s definitions as they are, on the same four databases.'
SELECT format('CREATE SERVER rds_pg_cluster FOREIGN DATA WRAPPER plproxy OPTIONS (%s)',
              string_agg(format('p%s %L', n - 1, format('host=127.0.0.1 port=%s dbname=db%s user=postgres', port, n - 1)), ', ' ORDER BY n)) AS command
  FROM unnest(ARRAY[:'port0', :'port1', :'port2', :'port3']) WITH ORDINALITY AS p(port, n) \gset
:command;
CREATE USER MAPPING FOR PUBLIC SERVER rds_pg_cluster;
CREATE FUNCTION query_pk(i_userid int, OUT db text, OUT userid int, OUT info text) RETURNS SETOF record LANGUAGE plproxy STRICT AS $$
  cluster 'rds_pg_cluster'; run on i_userid; target public.query_pk; $$;
\c :db0
CREATE FUNCTION query_pk(i_userid int, OUT db text, OUT userid int, OUT info text) RETURNS SETOF record LANGUAGE sql AS $$
  SELECT current_database()::text, id, t.info FROM public.tbl0 t WHERE id = i_userid $$;
\c :db1
CREATE FUNCTION query_pk(i_userid int, OUT db text, OUT userid int, OUT info text) RETURNS SETOF record LANGUAGE sql AS $$
  SELECT current_database()::text, id, t.info FROM public.tbl1 t WHERE id = i_userid $$;
\c :db2
CREATE FUNCTION query_pk(i_userid int, OUT db text, OUT userid int, OUT info text) RETURNS SETOF record LANGUAGE sql AS $$
  SELECT current_database()::text, id, t.info FROM public.tbl2 t WHERE id = i_userid $$;
\c :db3
CREATE FUNCTION query_pk(i_userid int, OUT db text, OUT userid int, OUT info text) RETURNS SETOF record LANGUAGE sql AS $$
  SELECT current_database()::text, id, t.info FROM public.tbl3 t WHERE id = i_userid $$;
\c :master
SELECT (query_pk(id)).* FROM generate_series(1, 8) t(id);
\echo '== RUN ON ALL.'
CREATE FUNCTION dbs(OUT db text, OUT server_version text) RETURNS SETOF record LANGUAGE plproxy AS $$
  cluster 'rds_pg_cluster'; run on all;
  select current_database()::text as db, current_setting('server_version_num')::int / 10000 as server_version; $$;
SELECT * FROM dbs();

-- Partitions that are foreign servers: calls are part of the caller's transaction.
\i common/shards.sql
CREATE SERVER tc FOREIGN DATA WRAPPER plproxy OPTIONS (transactional '1', p0 'server=db0', p1 'server=db1', p2 'server=db2', p3 'server=db3');
CREATE USER MAPPING FOR PUBLIC SERVER tc;
\c :db0
CREATE TABLE public.t(a int PRIMARY KEY);
CREATE FUNCTION public.put(a int) RETURNS text LANGUAGE sql AS 'INSERT INTO public.t VALUES (a) RETURNING current_database()::text';
\c :db1
CREATE TABLE public.t(a int PRIMARY KEY);
CREATE FUNCTION public.put(a int) RETURNS text LANGUAGE sql AS 'INSERT INTO public.t VALUES (a) RETURNING current_database()::text';
\c :db2
CREATE TABLE public.t(a int PRIMARY KEY);
CREATE FUNCTION public.put(a int) RETURNS text LANGUAGE sql AS 'INSERT INTO public.t VALUES (a) RETURNING current_database()::text';
\c :db3
CREATE TABLE public.t(a int PRIMARY KEY);
CREATE FUNCTION public.put(a int) RETURNS text LANGUAGE sql AS 'INSERT INTO public.t VALUES (a) RETURNING current_database()::text';
\c :coord
CREATE FUNCTION put(a int) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'tc'; RUN ON a; $$;
CREATE FUNCTION put_all(a int) RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'tc'; RUN ON ALL; TARGET public.put; $$;
CREATE FUNCTION rows(OUT db text, OUT a int) RETURNS SETOF record LANGUAGE plproxy AS $$ CLUSTER 'tc'; RUN ON ALL; SELECT current_database()::text AS db, a FROM public.t; $$;
CREATE FOREIGN TABLE t1(a int) SERVER db1 OPTIONS (schema_name 'public', table_name 't');
-- Committed with the caller, on one shard or on several.
SELECT put(1);
BEGIN; SELECT put(2), put(3); SELECT put_all(10); COMMIT;
SELECT * FROM rows() ORDER BY 1, 2;
-- Rolled back with it.
BEGIN; SELECT put_all(20); ROLLBACK;
SELECT count(*) FROM rows();
-- Savepoints.
BEGIN;
SELECT put(4);
SAVEPOINT s;
SELECT put(5);
ROLLBACK TO s;
SELECT put(6);
COMMIT;
SELECT * FROM rows() WHERE a BETWEEN 4 AND 6 ORDER BY 1, 2;
-- The same transaction as foreign tables.
BEGIN;
SELECT put(101);
SELECT * FROM t1 WHERE a = 101;
INSERT INTO t1 VALUES (105);
SELECT a FROM rows() WHERE a > 100 ORDER BY 1;
ROLLBACK;
SELECT a FROM rows() WHERE a > 100;
-- An error of one rolls all back.
SELECT expect_error('SELECT put_all(1)');
SELECT count(*) FROM rows();
DO $$ BEGIN PERFORM put(200); BEGIN PERFORM put(200); EXCEPTION WHEN unique_violation THEN RAISE NOTICE 'caught'; END; PERFORM put(201); END $$;
SELECT * FROM rows() WHERE a >= 200 ORDER BY 1, 2;
-- Without the option the partition's own transaction is the caller's all the same: the server's connection is shared.
ALTER SERVER tc OPTIONS (DROP transactional);
BEGIN; SELECT put(300); ROLLBACK;
SELECT count(*) FROM rows() WHERE a = 300;
-- Servers that are none.
ALTER SERVER tc OPTIONS (SET p0 'server=nothing');
SELECT expect_error('SELECT put(0)');
ALTER SERVER tc OPTIONS (SET p0 'server=tc');
SELECT expect_error('SELECT put(0)');
-- Nothing is left in doubt.
\c :db0
SELECT count(*) FROM pg_prepared_xacts;
\c :db1
SELECT count(*) FROM pg_prepared_xacts;

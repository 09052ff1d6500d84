-- Transactional clusters whose partitions are connection strings.
\i common/plproxy.sql
SELECT on_all('CREATE TABLE public.t(a int PRIMARY KEY)');
SELECT on_all($$CREATE FUNCTION public.put(a int) RETURNS text LANGUAGE sql AS 'INSERT INTO public.t VALUES (a) RETURNING current_database()::text'$$);
CREATE SERVER tc FOREIGN DATA WRAPPER plproxy OPTIONS (transactional '1', p0 :'p0', p1 :'p1', p2 :'p2', p3 :'p3');
CREATE USER MAPPING FOR PUBLIC SERVER tc;
CREATE FUNCTION put(a int) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'tc'; RUN ON a; $$;
CREATE FUNCTION put_all(a int) RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'tc'; RUN ON ALL; TARGET public.put; $$;
CREATE FUNCTION rows(OUT db text, OUT a int) RETURNS SETOF record LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; SELECT current_database()::text AS db, a FROM public.t; $$;
CREATE FUNCTION seen(OUT db text, OUT a int) RETURNS SETOF record LANGUAGE plproxy AS $$ CLUSTER 'tc'; RUN ON ALL; SELECT current_database()::text AS db, a FROM public.t; $$;
CREATE FUNCTION prepared() RETURNS SETOF int8 LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database(); $$;
CREATE TABLE here(a int);
-- By itself, and over several partitions; two of them are databases of one server.
SELECT put(1);
BEGIN; SELECT put(2), put(3); SELECT put_all(10); COMMIT;
SELECT * FROM rows() ORDER BY 1, 2;
-- Nobody else sees it before the end, the transaction itself does; a rollback takes it back.
BEGIN;
SELECT put_all(20);
SELECT count(*) FROM rows() WHERE a = 20;
SELECT count(*) FROM seen() WHERE a = 20;
ROLLBACK;
SELECT count(*) FROM seen() WHERE a = 20;
-- With local changes, one partition is enough for two phases.
BEGIN; INSERT INTO here VALUES (1); SELECT put(30); COMMIT;
SELECT (SELECT count(*) FROM here), count(*) FROM rows() WHERE a = 30;
BEGIN; INSERT INTO here VALUES (2); SELECT put(31); ROLLBACK;
SELECT (SELECT count(*) FROM here), count(*) FROM rows() WHERE a = 31;
-- Savepoints.
BEGIN;
SELECT put(4);
SAVEPOINT s;
SELECT put(5), put(8);
ROLLBACK TO s;
SELECT put(6);
COMMIT;
SELECT * FROM rows() WHERE a BETWEEN 4 AND 8 ORDER BY 1, 2;
DO $$ BEGIN PERFORM put(200); BEGIN PERFORM put(200); EXCEPTION WHEN unique_violation THEN RAISE NOTICE 'caught'; END; PERFORM put(201); END $$;
SELECT * FROM rows() WHERE a >= 200 ORDER BY 1, 2;
-- An error of one rolls all back, one that comes with the commit as well.
SELECT expect_error('SELECT put_all(1)');
SELECT on_all('ALTER TABLE public.t ADD CONSTRAINT late UNIQUE (a) DEFERRABLE INITIALLY DEFERRED');
SELECT on_all('ALTER TABLE public.t DROP CONSTRAINT t_pkey');
BEGIN;
SELECT put(300), put(1);
\set VERBOSITY terse
COMMIT;
\set VERBOSITY default
SELECT count(*) FROM rows() WHERE a = 300;
SELECT * FROM prepared();
-- What the transaction may do, its parts may do.
BEGIN READ ONLY; SELECT expect_error('SELECT put(400)'); ROLLBACK;
SELECT expect_error($$DO 'BEGIN PERFORM put(401); PERFORM 1/0; END'$$);
SELECT count(*) FROM rows() WHERE a IN (400, 401);
-- Other clusters' calls to the same databases commit by themselves.
CREATE FUNCTION put_c(a int) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON a; TARGET public.put; $$;
BEGIN; SELECT put(500); SELECT put_c(501), put_c(504); ROLLBACK;
SELECT a FROM rows() WHERE a >= 500 ORDER BY 1;
-- The cluster changes within a transaction: what was done stays part of it.
BEGIN;
SELECT put(600);
ALTER SERVER tc OPTIONS (SET p0 :'p1', SET p1 :'p0');
SELECT put(600), put(602);
COMMIT;
SELECT * FROM rows() WHERE a >= 600 ORDER BY 1, 2;
ALTER SERVER tc OPTIONS (SET p0 :'p0', SET p1 :'p1');
-- Without the option calls commit by themselves again.
ALTER SERVER tc OPTIONS (SET transactional '0');
BEGIN; SELECT put(700); ROLLBACK;
SELECT * FROM rows() WHERE a >= 700;
ALTER SERVER tc OPTIONS (SET transactional '1');
-- An idle connection that was killed is made again, at the beginning of a transaction. Within one it is an error.
SELECT put(800);
CREATE FUNCTION kill_others() RETURNS SETOF int8 LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid(); $$;
SELECT sum(k) > 0 AS killed FROM kill_others() k;
SELECT put(801), put(804);
BEGIN;
SELECT put(805);
SELECT sum(k) > 0 AS killed FROM kill_others() k;
\set VERBOSITY sqlstate
SELECT put(809);
COMMIT;
\set VERBOSITY default
SELECT a FROM rows() WHERE a >= 800 ORDER BY 1;
-- Who logs in is as ever: by user mapping, and each user's connections are his own.
CREATE ROLE regress_writer;
GRANT USAGE ON FOREIGN SERVER tc TO regress_writer;
SET ROLE regress_writer;
BEGIN; SELECT put(900), put(901); COMMIT;
RESET ROLE;
SELECT a FROM rows() WHERE a >= 900 ORDER BY 1;
-- Clusters by functions: a transaction may write to one of their partitions, and nowhere else.
CREATE SCHEMA plproxy;
CREATE TABLE strings AS SELECT ARRAY[:'p0', :'p1'] AS parts;
CREATE FUNCTION plproxy.get_cluster_version(name text) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION plproxy.get_cluster_partitions(name text) RETURNS SETOF text LANGUAGE sql AS 'SELECT unnest(parts) FROM strings';
CREATE FUNCTION plproxy.get_cluster_config(IN name text, OUT key text, OUT val text) RETURNS SETOF record LANGUAGE sql AS $$ SELECT 'transactional', '1' $$;
CREATE FUNCTION put_f(a int) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'by functions'; RUN ON a; TARGET public.put; $$;
BEGIN; SELECT put_f(1000), put_f(1002); COMMIT;
BEGIN; SELECT put_f(1004); ROLLBACK;
BEGIN; SELECT put_f(1006), put_f(1007);
\set VERBOSITY verbose
\set SHOW_CONTEXT never
COMMIT;
\set VERBOSITY default
BEGIN; INSERT INTO here VALUES (3); SELECT put_f(1008); COMMIT;
SELECT a FROM rows() WHERE a >= 1000 ORDER BY 1;
SELECT count(*) FROM here;
-- Nothing is left in doubt.
SELECT shard.resolve_now();
SELECT * FROM shard.in_doubt;
SELECT * FROM prepared();
-- One that cannot be asked is told.
ALTER SERVER tc OPTIONS (SET p3 'host=127.0.0.1 port=1 dbname=db3');
SELECT server, gid, decision, last_error FROM shard.in_doubt;
SELECT shard.resolve_now();

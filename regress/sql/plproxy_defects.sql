-- What goes wrong in PL/Proxy and must not here.
\i common/plproxy.sql
\set VERBOSITY terse
SELECT on_all('CREATE FUNCTION public.f(n int) RETURNS SETOF text LANGUAGE sql AS $$ SELECT n || ''/'' || i FROM generate_series(1, n) i $$');
CREATE SERVER d FOREIGN DATA WRAPPER plproxy OPTIONS (p0 :'p1');
CREATE USER MAPPING FOR PUBLIC SERVER d;
-- 1. Results belong to the call: two calls in one target list, ...
CREATE FUNCTION f(n int) RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; $$;
CREATE FUNCTION fd(n int) RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'd'; RUN ON 0; TARGET public.f; $$;
SELECT f(3), f(2);
-- ... on two clusters, ...
SELECT f(3), fd(2), f(1);
-- ... the same function on two clusters, ...
CREATE FUNCTION which(n int) RETURNS text LANGUAGE sql AS $$ SELECT CASE WHEN n % 2 = 0 THEN 'c' ELSE 'd' END $$;
CREATE FUNCTION fw(n int) RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER which(n); RUN ON 0; SELECT current_database() || ' ' || x FROM public.f(n) x; $$;
SELECT fw(3), fw(2);
-- ... and another call while a cursor is open.
BEGIN;
DECLARE one CURSOR FOR SELECT f(4);
FETCH 2 FROM one;
SELECT f(1);
DECLARE two CURSOR FOR SELECT * FROM f(3);
FETCH 1 FROM two;
SELECT fd(2);
FETCH ALL FROM one;
FETCH ALL FROM two;
COMMIT;
SELECT a, b FROM f(2) a, f(2) b ORDER BY a, b;
-- 2. Values do not depend on settings: see plproxy_types.
CREATE FUNCTION ts(t timestamptz) RETURNS timestamptz LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT t; $$;
CREATE FUNCTION dt(t date) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT t::text; $$;
SET datestyle = 'SQL, DMY'; SET timezone = 'UTC';
SELECT ts('02/03/2024 12:00'), dt('02/03/2024');
RESET datestyle; RESET timezone;
-- 3. query_timeout fires at its time, whatever the sockets do: rows that trickle in do not prolong it.
SELECT on_all('CREATE FUNCTION public.trickle(n int) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN FOR i IN 1..n LOOP RAISE NOTICE ''%'', i; PERFORM pg_sleep(0.1); RETURN NEXT i; END LOOP; END $$');
CREATE FUNCTION trickle(n int) RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'd'; RUN ON 0; $$;
ALTER SERVER d OPTIONS (ADD query_timeout '1');
SET client_min_messages = error;
SELECT clock_timestamp() AS t0 \gset
SELECT expect_error('SELECT trickle(40)');
SELECT clock_timestamp() - :'t0'::timestamptz BETWEEN '1 s' AND '3.9 s' AS at_its_time;
RESET client_min_messages;
SELECT fd(1);
-- 4. No chatter after an ordinary error: see plproxy_remote_error.
CREATE FUNCTION zero(n int) RETURNS int LANGUAGE plproxy AS $$ CLUSTER 'd'; RUN ON 0; SELECT 1 / n; $$;
SELECT zero(0);
SELECT zero(0);
SELECT zero(1);
-- 5. Options without a value: see plproxy_cluster.
SELECT plproxy_fdw_validator('{p0}', 'pg_foreign_server'::regclass);
-- 6. One partition fails: the others are cancelled and awaited at once.
SELECT on_all($q$CREATE FUNCTION public.one_fails() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
  IF current_database() = 'db1' THEN RAISE EXCEPTION 'db1 fails'; END IF; PERFORM pg_sleep(30); RETURN 1; END $$ $q$);
CREATE FUNCTION one_fails() RETURNS SETOF int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; $$;
CREATE FUNCTION pids() RETURNS SETOF int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; SELECT pg_backend_pid(); $$;
CREATE FUNCTION still_running() RETURNS SETOF int8 LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL;
  SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'; $$;
CREATE TABLE before AS SELECT pids() AS pid;
SELECT clock_timestamp() AS t0 \gset
SELECT one_fails();
SELECT clock_timestamp() - :'t0'::timestamptz < '5 s' AS at_once;
SELECT sum(n) FROM still_running() n;
SELECT count(*) AS kept FROM pids() p JOIN before ON p = pid;
-- 7. A connection that the other side has closed is noticed and made again.
SELECT fd(1);
CREATE FUNCTION kill(p int) RETURNS bool LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 3; SELECT pg_terminate_backend(p, 5000); $$;
CREATE FUNCTION pid1() RETURNS int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 1; SELECT pg_backend_pid(); $$;
SELECT pid1() AS pid \gset
SELECT kill(:pid);
SELECT pid1() <> :pid AS another;
BEGIN;
SELECT pid1() AS pid \gset
SELECT kill(:pid);
SELECT pid1() <> :pid AS another;
COMMIT;
-- The same when a value cannot be read here.
SELECT on_all($q$CREATE FUNCTION public.bad_value() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
  IF current_database() <> 'db0' THEN PERFORM pg_sleep(30); END IF; RETURN 'twelve'; END $$ $q$);
CREATE FUNCTION bad_value() RETURNS SETOF int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; SELECT x FROM public.bad_value() x; $$;
TRUNCATE before;
INSERT INTO before SELECT pids();
SELECT clock_timestamp() AS t0 \gset
SELECT bad_value();
SELECT clock_timestamp() - :'t0'::timestamptz < '5 s' AS at_once;
SELECT sum(n) FROM still_running() n;
SELECT count(*) AS kept FROM pids() p JOIN before ON p = pid;

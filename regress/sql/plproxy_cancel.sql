-- Cancel and timeouts: the partitions stop, the connections stay.
\i common/plproxy.sql
\set VERBOSITY terse
CREATE FUNCTION pids() RETURNS SETOF int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; SELECT pg_backend_pid(); $$;
CREATE FUNCTION nap(s float8) RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; SELECT pg_sleep(s)::text; $$;
CREATE FUNCTION napping() RETURNS SETOF int8 LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL;
  SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'; $$;
CREATE TABLE before AS SELECT pids() AS pid;
SELECT clock_timestamp() AS t0 \gset
SET statement_timeout = '500ms';
SELECT nap(30);
RESET statement_timeout;
SELECT clock_timestamp() - :'t0'::timestamptz BETWEEN '0.5 s' AND '5 s' AS in_time;
SELECT sum(n) FROM napping() n;
SELECT count(*) AS kept FROM pids() p JOIN before ON p = pid;
-- In a subtransaction the caller may go on.
SET statement_timeout = '300ms';
DO $$ BEGIN
  BEGIN PERFORM nap(30); EXCEPTION WHEN query_canceled THEN RAISE NOTICE 'cancelled'; END;
END $$;
RESET statement_timeout;
SELECT count(*) AS kept FROM pids() p JOIN before ON p = pid;
SELECT pg_cancel_backend(pg_backend_pid());
SELECT count(*) AS kept FROM pids() p JOIN before ON p = pid;
-- query_timeout ends the call, too.
ALTER SERVER c OPTIONS (ADD query_timeout '1');
SELECT nap(30);
SELECT sum(n) FROM napping() n;
SELECT count(*) FROM nap(0.1);
ALTER SERVER c OPTIONS (SET query_timeout '0');
-- A connection older than connection_lifetime is not used again.
ALTER SERVER c OPTIONS (ADD connection_lifetime '1');
CREATE TABLE old AS SELECT pids() AS pid;
SELECT count(*) AS kept FROM pids() p JOIN old ON p = pid;
SELECT pg_sleep(1.1);
SELECT count(*) AS kept FROM pids() p JOIN old ON p = pid;
-- RUN ON ANY goes on to another partition when one cannot be reached.
CREATE SERVER half FOREIGN DATA WRAPPER plproxy OPTIONS (p0 :'p0', p1 'host=127.0.0.1 port=1 user=postgres', p2 :'p2', p3 'host=127.0.0.1 port=1 user=x');
CREATE USER MAPPING FOR PUBLIC SERVER half;
CREATE FUNCTION anyone() RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'half'; RUN ON ANY; SELECT current_database()::text; $$;
SELECT anyone() AS db, count(*) > 0 AS "called" FROM generate_series(1, 60) GROUP BY 1 ORDER BY 1;
ALTER SERVER half OPTIONS (SET p0 'host=127.0.0.1 port=1 user=postgres', DROP p2, DROP p3);
SELECT anyone();

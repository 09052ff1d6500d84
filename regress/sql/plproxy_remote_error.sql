-- Errors and notices of partitions: told by whom, nothing lost, the connection kept.
\i common/plproxy.sql
SELECT on_all($q$CREATE FUNCTION public.fail(kind text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
  CASE kind
  WHEN 'own' THEN RAISE EXCEPTION 'of my own' USING ERRCODE = 'ZZ123', DETAIL = 'the detail', HINT = 'the hint', COLUMN = 'col', CONSTRAINT = 'con';
  WHEN 'zero' THEN RETURN 1 / 0;
  WHEN 'notice' THEN RAISE NOTICE 'a notice' USING DETAIL = 'more', HINT = 'do'; RAISE WARNING 'a warning'; RAISE INFO 'an info';
  WHEN 'one' THEN IF current_database() = 'db2' THEN RAISE EXCEPTION 'db2 fails'; END IF;
  ELSE NULL; END CASE;
  RETURN 5; END $$ $q$);
CREATE FUNCTION fail(kind text) RETURNS int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 1; $$;
CREATE FUNCTION pid() RETURNS int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 1; SELECT pg_backend_pid(); $$;
SELECT pid() AS before \gset
SELECT expect_error($$SELECT fail('own')$$);
SELECT regexp_replace(expect_error($$SELECT fail('zero')$$), '(SQL|PL/pgSQL) expression', 'expression');
SELECT fail('notice');
\set VERBOSITY sqlstate
SELECT fail('notice');
\set VERBOSITY default
SET client_min_messages = error;
SELECT fail('notice');
RESET client_min_messages;
SELECT fail('fine');
-- No chatter, no new connection after an ordinary error.
SELECT pid() = :before AS same_connection;
CREATE FUNCTION missing() RETURNS int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 1; $$;
SELECT expect_error('SELECT missing()');
SELECT pid() = :before AS same_connection;
-- An error can be caught.
DO $$ BEGIN PERFORM fail('zero'); EXCEPTION WHEN division_by_zero THEN RAISE NOTICE 'caught: %', SQLERRM; END $$;
SELECT pid() = :before AS same_connection;
-- One of several: the others' rows are dropped, all connections stay usable.
CREATE FUNCTION all_fail(kind text) RETURNS SETOF int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; TARGET public.fail; $$;
SELECT expect_error($$SELECT all_fail('one')$$);
SELECT all_fail('fine');
SELECT pid() = :before AS same_connection;
-- A call commits by itself.
SELECT on_all('CREATE TABLE public.kept(a int)');
SELECT on_all('CREATE FUNCTION public.keep(a int) RETURNS void LANGUAGE sql AS ''INSERT INTO public.kept VALUES (a)''');
CREATE FUNCTION keep(a int) RETURNS SETOF void LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; $$;
BEGIN;
SELECT count(*) FROM keep(1);
ROLLBACK;
CREATE FUNCTION kept() RETURNS SETOF int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; SELECT a FROM public.kept; $$;
SELECT kept();

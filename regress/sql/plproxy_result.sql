-- What a remote result must be like, and what becomes of it.
\i common/plproxy.sql
\set VERBOSITY terse
-- One value: one column, whatever its name.
CREATE FUNCTION one(q int) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT 'v' AS whatever WHERE q > 0; $$;
SELECT one(1);
SELECT one(0);
CREATE FUNCTION toomany() RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT 'v' FROM generate_series(1, 3); $$;
SELECT toomany();
CREATE FUNCTION wide() RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT 1, 2; $$;
SELECT wide();
CREATE FUNCTION nullone() RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT NULL::text; $$;
SELECT nullone() IS NULL;
-- The SQLSTATEs for no row and too many.
SELECT expect_error('SELECT one(0)');
SELECT expect_error('SELECT toomany()');
-- Tuples: by name, in any order.
CREATE FUNCTION tup(q text, OUT a int, OUT b text) RETURNS SETOF record LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT 'bee' AS b, 7 AS a; $$;
SELECT * FROM tup('');
SELECT tup('');
SELECT (tup('')).b;
CREATE FUNCTION few(OUT a int, OUT b text) LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT 1 AS a; $$;
SELECT few();
CREATE FUNCTION many(OUT a int, OUT b text) LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT 1 AS a, 'x' AS b, 2 AS c; $$;
SELECT many();
CREATE FUNCTION misnamed(OUT a int, OUT b text) LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT 1 AS a, 'x' AS "B"; $$;
SELECT misnamed();
-- Without a row nothing is compared.
CREATE FUNCTION norow(OUT a int, OUT b text) RETURNS SETOF record LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT 1 AS x WHERE false; $$;
SELECT norow();
-- Types that are not the same are read as text.
CREATE FUNCTION other_types(OUT a text, OUT b int, OUT c date, OUT d numeric) LANGUAGE plproxy AS $$
  CLUSTER 'c'; RUN ON 0; SELECT 5::int8 AS a, '12'::text AS b, '2024-02-29 00:00'::timestamp AS c, 7::int2 AS d; $$;
SELECT * FROM other_types();
CREATE FUNCTION not_a_number() RETURNS int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT 'twelve'; $$;
SELECT not_a_number();
-- RETURNS TABLE, void, sets of void.
SELECT on_all('CREATE FUNCTION public.tab(n int) RETURNS TABLE (x int, y text) LANGUAGE sql AS $$ SELECT n, current_database()::text $$');
CREATE FUNCTION tab(n int) RETURNS TABLE (x int, y text) LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; $$;
SELECT * FROM tab(3);
SELECT on_all('CREATE FUNCTION public.nothing() RETURNS void LANGUAGE sql AS $$ SELECT $$');
CREATE FUNCTION nothing() RETURNS void LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ANY; $$;
SELECT nothing(), nothing() IS NULL AS "null";
CREATE FUNCTION nothings() RETURNS SETOF void LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; TARGET public.nothing; $$;
SELECT count(*) FROM nothings();
SELECT nothings();
-- A named type follows its changes, dropped columns are left out.
CREATE TABLE rel(a int, b text, c int);
SELECT on_all('CREATE TABLE public.rel(a int, b text, c int)');
SELECT on_all('CREATE FUNCTION public.getrel() RETURNS SETOF public.rel LANGUAGE sql AS $$ SELECT 1, current_database()::text, 3 $$');
CREATE FUNCTION getrel() RETURNS SETOF rel LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON generate_series(0, 1); $$;
SELECT * FROM getrel();
ALTER TABLE rel DROP COLUMN b;
SELECT * FROM getrel();
ALTER TABLE rel RENAME COLUMN c TO b;
-- Whichever of the two answers first.
SELECT regexp_replace(e, 'db[01]', 'dbN', 'g') FROM expect_error('SELECT * FROM getrel()') e;
SELECT on_all('DROP FUNCTION public.getrel()');
SELECT on_all('CREATE FUNCTION public.getrel() RETURNS TABLE (a int, b int, d numeric) LANGUAGE sql AS $$ SELECT 1, 2, 4.50 $$');
ALTER TABLE rel ADD COLUMN d numeric(5,1);
SELECT * FROM getrel();
CREATE TYPE comp AS (x int, y text);
CREATE FUNCTION getcomp() RETURNS comp LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 1; SELECT 1 AS x, 'two' AS y; $$;
SELECT getcomp();
ALTER TYPE comp ADD ATTRIBUTE z date;
SELECT getcomp();
CREATE OR REPLACE FUNCTION getcomp() RETURNS comp LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 1; SELECT 1 AS x, 'two' AS y, '2001-02-03'::date AS z; $$;
SELECT getcomp();
-- A set where none is allowed, a set in a join, in a LIMIT.
SELECT CASE WHEN true THEN (SELECT tab(1) LIMIT 1) END;
SELECT n, t.* FROM generate_series(1, 2) n, tab(n) t ORDER BY 1, 3;
SELECT tab(1) LIMIT 2;
-- Replaced on the other side while it is prepared here: other columns are noticed.
SELECT on_all('CREATE FUNCTION public.chg() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$');
CREATE FUNCTION chg() RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT * FROM public.chg(); $$;
SELECT chg(); SELECT chg(); SELECT chg();
SELECT on_all('DROP FUNCTION public.chg()');
SELECT on_all('CREATE FUNCTION public.chg() RETURNS text LANGUAGE sql AS $$ SELECT ''changed''::text $$');
SELECT chg(); SELECT chg();
-- Prepared statements that the other side has lost.
CREATE FUNCTION forget() RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT count(*) FROM public.run('DEALLOCATE ALL'); $$;
SELECT forget(); SELECT chg(); SELECT forget(); SELECT chg();

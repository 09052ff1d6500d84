-- Function bodies: the grammar, and every complaint about one with its line.
\i common/plproxy.sql
\set VERBOSITY terse

-- Keywords in any case, statements in any order, comments, strings with quotes.
SELECT on_all($q$CREATE FUNCTION public.hello(a text, b int) RETURNS text LANGUAGE sql
    AS $$ SELECT current_database() || ':' || a || b $$ $q$);
CREATE FUNCTION hello(a text, b int) RETURNS text LANGUAGE plproxy AS $$
  -- nothing ; here
  Run On
    b ; /* nor ; here */
  CLUSTER 'c';
$$;
SELECT hello('x', 2);
CREATE FUNCTION other(a text, b int) RETURNS text LANGUAGE plproxy AS $$
  target public . hello; cluster 'c'; run on $2; $$;
SELECT other('it''s', 3);

-- SELECT: argument names and $n are values, quoted things are not.
CREATE FUNCTION sel(a text, "B" int) RETURNS text LANGUAGE plproxy AS $$
  CLUSTER 'c'; RUN ON 0;
  SELECT concat_ws(' ', a, A, $1, b, 'a', E'a\'b;', $x$a;$x$, t.a, "t"."a", 1e2) -- a ;
    FROM (VALUES ('column')) /* a; */ t("a");
$$;
SELECT sel('value', 7);
-- A parenthesis right behind SELECT is no function call.
CREATE FUNCTION par(a int) RETURNS int LANGUAGE plproxy AS $$
  CLUSTER 'c'; RUN ON 0; SELECT(SELECT a + 1); $$;
SELECT par(4);
-- OUT names are no arguments.
CREATE FUNCTION outs(INOUT a int, OUT b text) LANGUAGE plproxy AS $$
  CLUSTER 'c'; RUN ON 0; SELECT a + 1 AS "a", b FROM (VALUES ('of table')) t(b); $$;
SELECT * FROM outs(1);
-- A function's own name is none either.
CREATE FUNCTION abs2(abs int) RETURNS int LANGUAGE plproxy AS $$
  CLUSTER 'c'; RUN ON abs(abs); SELECT $1::int; $$;
SELECT abs2(-2);
-- No RUN means any partition.
CREATE FUNCTION anyone() RETURNS int LANGUAGE plproxy AS $$ CLUSTER 'c'; SELECT 1; $$;
SELECT anyone();

-- Syntax errors tell the line of the token that does not fit.
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$
  CLUSTER 'c'
  RUN ON 0; $$;
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON f(1 $$;
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$ CLUSTER c; $$;
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON -1; $$;
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$ CLUSTER 'c'; SELECT; $$;
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$ CLUSTER 'c'; SELECT 'open; $$;
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$ begin return 1; end $$;
-- Each statement once.
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$
  CONNECT 'x'; CONNECT 'y'; $$;
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$
  CLUSTER 'c';
  CLUSTER 'c'; $$;
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$
  CLUSTER 'c'; RUN ON 1;
  RUN
  ON ANY; $$;
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$
  CLUSTER 'c'; SPLIT ALL; SPLIT b; $$;
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$
  CLUSTER 'c'; TARGET f; TARGET g; $$;
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$
  CLUSTER 'c'; SELECT 1; SELECT 2; $$;
-- What does not go together, what is missing.
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$
  CONNECT 'x'; RUN ON 1; $$;
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$
  CONNECT 'x'; CLUSTER 'c'; $$;
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$ RUN ON ANY; $$;
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$
  CLUSTER 'c'; TARGET f; SELECT 1; $$;
-- References to nothing.
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$
  CLUSTER 'c';
  SELECT $3; $$;
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$
  CLUSTER 'c'; RUN ON $3; $$;
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$
  CLUSTER 'c'; SPLIT b, x; $$;
-- SPLIT takes arrays, each once.
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$
  CLUSTER 'c'; SPLIT b, B; $$;
CREATE FUNCTION bad(a int, b int[]) RETURNS int LANGUAGE plproxy AS $$
  CLUSTER 'c'; SPLIT a; $$;
-- What the declaration must be like.
CREATE FUNCTION bad() RETURNS record LANGUAGE plproxy AS $$ CLUSTER 'c'; SELECT 1; $$;
CREATE FUNCTION bad() RETURNS int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; $$;
CREATE FUNCTION bad(a anyelement) RETURNS int LANGUAGE plproxy AS $$ CLUSTER 'c'; $$;
CREATE FUNCTION bad(VARIADIC a int[]) RETURNS int LANGUAGE plproxy AS $$ CLUSTER 'c'; $$;
CREATE FUNCTION bad() RETURNS int STABLE LANGUAGE plproxy AS $$ CLUSTER 'c'; $$;
CREATE FUNCTION bad() RETURNS int IMMUTABLE LANGUAGE plproxy AS $$ CLUSTER 'c'; $$;
-- Bodies are checked always, clusters and return types by the call only.
SET check_function_bodies = off;
CREATE FUNCTION bad() RETURNS int LANGUAGE plproxy AS $$ CLUSTER; $$;
CREATE FUNCTION later() RETURNS cstring LANGUAGE plproxy AS $$ CLUSTER 'nowhere'; $$;
SELECT later();
CREATE FUNCTION nowhere() RETURNS int LANGUAGE plproxy AS $$ CLUSTER 'nowhere'; $$;
SELECT nowhere();
-- A word that is no argument is SQL's.
CREATE FUNCTION word() RETURNS int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON nothing; $$;
SELECT word();

-- No DO, no triggers; procedures work.
DO LANGUAGE plproxy $$ CLUSTER 'c'; $$;
CREATE TABLE t(a int);
CREATE FUNCTION trg() RETURNS trigger LANGUAGE plproxy AS $$ CLUSTER 'c'; $$;
CREATE TRIGGER trg BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION trg();
INSERT INTO t VALUES (1);
CREATE PROCEDURE proc(command text) LANGUAGE plproxy AS $$
  CLUSTER 'c'; RUN ON 1; SELECT count(*) FROM public.run(command); $$;
CALL proc('CREATE TABLE public.made_by_call()');
\c :db1
SELECT to_regclass('public.made_by_call');

-- Functions returning record: each call says what it wants.
\i common/plproxy.sql
\set VERBOSITY terse
SELECT on_all($q$CREATE FUNCTION public.dy(sql text) RETURNS SETOF record LANGUAGE plpgsql STRICT AS
  $$ DECLARE rec record; BEGIN FOR rec IN EXECUTE sql LOOP RETURN NEXT rec; END LOOP; RETURN; END $$ $q$);
CREATE FUNCTION dy(sql text) RETURNS SETOF record LANGUAGE plproxy STRICT AS $$ CLUSTER 'c'; RUN ON ALL; TARGET public.dy; $$;
SELECT * FROM dy('select current_database()::text, 1') AS t(db text, n int);
SELECT sum(n) FROM dy('select 2::int8') AS t(n int8);
SELECT * FROM dy('select null::int') AS t(n int);
SELECT * FROM dy('select 1 where false') AS t(n int);
SELECT count(*) FROM dy(NULL) AS t(n int);
SELECT dy('select 1');
SELECT (dy('select 1')).x;
CREATE FUNCTION one_dy(sql text) RETURNS record LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 1; TARGET public.dy; $$;
SELECT * FROM one_dy('select 1, 2.50') AS t(a int, b numeric);
SELECT regexp_replace(expect_error($$SELECT * FROM one_dy('select 1') AS t(n text)$$), 'column .*', 'column ...');
SELECT one_dy('select 1');
SELECT * FROM one_dy('select 1 where false') AS t(a int);
-- Names that need quotes, types of other schemas.
SELECT on_all('CREATE TYPE public.mood AS ENUM (''sad'', ''ok'')');
CREATE TYPE mood AS ENUM ('sad', 'ok');
SELECT * FROM dy('select ''ok''::public.mood, ''{1,2}''::int[], 1') AS t("The Mood" mood, "select" int[], "ä" int) LIMIT 1;
PREPARE p(text) AS SELECT count(*) FROM dy($1) AS t(a int);
EXECUTE p('select 1'); EXECUTE p('select 1'); EXECUTE p('select 1'); EXECUTE p('select 1');
EXECUTE p('select 1'); EXECUTE p('select 1 union all select 2'); EXECUTE p('select 1');

-- Values of many types there and back, in binary and as text, and whatever the settings are.
\i common/plproxy.sql
\set VERBOSITY terse
SELECT on_all($q$
  CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy');
  CREATE DOMAIN public.posint AS int CHECK (VALUE > 0);
  CREATE TYPE public.pair AS (x int, y text, t timestamptz);
  CREATE TYPE public.span AS RANGE (subtype = float8);
  CREATE SCHEMA "Odd Schema";
  CREATE TYPE "Odd Schema"."Odd Type" AS (a public.mood, b date[]);
$q$);
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE TYPE pair AS (x int, y text, t timestamptz);
CREATE TYPE span AS RANGE (subtype = float8);
CREATE SCHEMA "Odd Schema";
CREATE TYPE "Odd Schema"."Odd Type" AS (a mood, b date[]);

-- An echo of each type here and on the shards, and what it gives.
CREATE TABLE sample(n int GENERATED ALWAYS AS IDENTITY, type text, value text);
INSERT INTO sample(type, value) VALUES
  ('bool', 't'), ('bytea', '\x00ff5c27'), ('"char"', 'x'), ('name', 'a name'), ('int2', '-32768'), ('int4', '2147483647'),
  ('int8', '-9223372036854775808'), ('float4', '1.1'), ('float8', '0.1'), ('float8', 'NaN'), ('float8', '-Infinity'),
  ('numeric', '123456789012345678901234567890.1234567890'), ('numeric', 'NaN'), ('text', 'grüße \ '' " $1 '), ('varchar', ''),
  ('bpchar', 'abc'), ('date', '2024-02-29'), ('date', 'infinity'), ('date', '0044-03-15 BC'), ('time', '23:59:59.999999'),
  ('timetz', '12:34:56.789+05:30'), ('timestamp', '2024-02-29 12:34:56.789012'), ('timestamptz', '2024-07-01 12:00:00.000001+02'),
  ('timestamptz', '-infinity'), ('interval', '1 year 2 mons -3 days 04:05:06.000007'), ('interval', '-1 day -00:00:01'),
  ('uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), ('inet', '192.168.0.1/24'), ('cidr', '::1/128'), ('macaddr', '08:00:2b:01:02:03'),
  ('bit', '1'), ('varbit', '10101'), ('money', '1234.56'), ('json', '{"a": [1, null]}'), ('jsonb', '{"a": [1, null]}'),
  ('jsonpath', '$.a'), ('xml', '<a>b</a>'), ('point', '(0.1,2)'), ('box', '(1,1),(0,0)'), ('tsvector', '''a'':1'), ('int4range', '[1,5)'),
  ('tstzrange', '["2024-01-01 00:00:00+00",)'), ('int4multirange', '{[1,3),[5,7)}'), ('int4[]', '{{1,2},{3,NULL}}'),
  ('int4[]', '[5:6]={1,2}'), ('text[]', '{a,"b c",NULL,"\""}'), ('timestamptz[]', '{"2024-07-01 12:00:00+02"}'), ('pg_lsn', '16/B374D848'),
  ('mood', 'happy'), ('mood[]', '{sad,ok}'), ('posint', '5'), ('posint[]', '{5,6}'), ('pair', '(1,"a,b","2024-07-01 12:00:00+02")'),
  ('pair[]', '{"(1,x,\"2024-07-01 12:00:00+02\")"}'), ('span', '[0.1,2.5)'), ('"Odd Schema"."Odd Type"', '(ok,"{2024-02-29}")'),
  ('float8[]', '{0.1,1e-300}'), ('bytea[]', '{"\\x00","\\xff"}'), ('interval[]', '{"1 mon -1 days"}');
SELECT on_all(format('CREATE FUNCTION public.echo(%1$s) RETURNS %1$s LANGUAGE sql AS ''SELECT $1''', t))
  FROM (SELECT DISTINCT CASE WHEN type ~ '^(mood|posint|pair|span)' THEN 'public.' || type ELSE type END AS t FROM sample) x;
SELECT format('CREATE FUNCTION echo(%1$s) RETURNS %1$s LANGUAGE plproxy AS ''CLUSTER ''''c''''; RUN ON 1;''', t)
  FROM (SELECT DISTINCT type AS t FROM sample) x \gexec
CREATE FUNCTION check_all() RETURNS TABLE (type text, value text, got text) LANGUAGE plpgsql AS $$
DECLARE s sample; same bool; got text;
BEGIN
  FOR s IN SELECT * FROM sample ORDER BY n LOOP
    EXECUTE format('SELECT echo(%1$L::%2$s)::text, echo(%1$L::%2$s)::text IS NOT DISTINCT FROM %1$L::%2$s::text', s.value, s.type)
      INTO got, same;
    IF NOT same THEN RETURN QUERY SELECT s.type, s.value, got; END IF;
    EXECUTE format('SELECT echo(NULL::%1$s) IS NULL', s.type) INTO same;
    IF NOT same THEN RETURN QUERY SELECT s.type, s.value, 'NULL'::text; END IF;
  END LOOP;
END $$;
-- Nothing differs, whatever the settings here are (those of the shards are odd already).
SELECT * FROM check_all();
SET datestyle = 'German, DMY'; SET timezone = 'America/New_York'; SET intervalstyle = 'iso_8601'; SET extra_float_digits = -3; SET bytea_output = 'escape';
SELECT * FROM check_all();
RESET ALL;
ALTER SERVER c OPTIONS (ADD disable_binary '1');
SELECT * FROM check_all();
SET datestyle = 'SQL, DMY'; SET timezone = 'Asia/Kolkata'; SET intervalstyle = 'sql_standard'; SET extra_float_digits = 0;
SELECT * FROM check_all();
RESET ALL;
ALTER SERVER c OPTIONS (DROP disable_binary);
-- A domain's constraint holds here too.
SELECT on_all('CREATE FUNCTION public.bad_posint() RETURNS int LANGUAGE sql AS ''SELECT -1''');
CREATE FUNCTION bad_posint() RETURNS posint LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT * FROM public.bad_posint(); $$;
SELECT bad_posint();
-- Many arguments, all kinds of NULLs.
SELECT on_all($q$CREATE FUNCTION public.cat(a int, b text, c mood, d numeric, e bool) RETURNS text LANGUAGE sql AS
  $$ SELECT concat_ws(',', coalesce(a::text, '-'), coalesce(b, '-'), coalesce(c::text, '-'), coalesce(d::text, '-'), coalesce(e::text, '-')) $$ $q$)
  WHERE false;
SELECT on_all('SET search_path = public; CREATE FUNCTION public.cat(a int, b text, c mood, d numeric, e bool) RETURNS text LANGUAGE sql AS $$ SELECT concat_ws('','', coalesce(a::text, ''-''), coalesce(b, ''-''), coalesce(c::text, ''-''), coalesce(d::text, ''-''), coalesce(e::text, ''-'')) $$; RESET search_path');
CREATE FUNCTION cat(a int, b text, c mood, d numeric, e bool) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 1; $$;
SELECT cat(1, 'b', 'ok', 1.50, true), cat(NULL, NULL, NULL, NULL, NULL), cat(1, NULL, 'sad', NULL, false);

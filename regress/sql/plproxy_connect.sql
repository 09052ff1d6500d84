-- CONNECT: one partition, by connection string.
\i common/plproxy.sql
\set ECHO none
SELECT format('CREATE FUNCTION direct() RETURNS text LANGUAGE plproxy AS $$ CONNECT %L; SELECT current_database()::text; $$', :'p2') \gexec
\set ECHO all
SELECT direct();
CREATE FUNCTION by_arg(dsn text) RETURNS text LANGUAGE plproxy AS $$ CONNECT dsn; SELECT current_database()::text; $$;
SELECT by_arg(:'p0'), by_arg(:'p3'), by_arg(:'p0');
CREATE FUNCTION by_number(n int, dsn text) RETURNS text LANGUAGE plproxy AS $$ CONNECT $2; SELECT current_database()::text; $$;
SELECT by_number(1, :'p1');
CREATE TABLE dsn(n int, s text);
INSERT INTO dsn VALUES (0, :'p0'), (1, :'p1'), (3, NULL), (4, :'p0'), (4, :'p1');
CREATE FUNCTION dsn_of(n int) RETURNS SETOF text LANGUAGE sql AS 'SELECT s FROM dsn WHERE n = $1';
CREATE FUNCTION by_func(n int) RETURNS text LANGUAGE plproxy AS $$ CONNECT dsn_of(n); SELECT current_database()::text; $$;
SELECT by_func(0), by_func(1);
SELECT expect_error('SELECT by_func(2)');
SELECT expect_error('SELECT by_func(3)');
SELECT expect_error('SELECT by_func(4)');
SELECT expect_error('SELECT by_arg(NULL)');
-- The form of a URI.
SELECT by_arg(format('postgresql://postgres@127.0.0.1:%s/db1?application_name=x%%20y', :'port1'));
-- A function may be called that way, too.
SELECT on_all('CREATE FUNCTION public.there(dsn text) RETURNS SETOF text LANGUAGE sql AS $$ SELECT current_database()::text FROM generate_series(1, 2) $$');
CREATE FUNCTION there(dsn text) RETURNS SETOF text LANGUAGE plproxy AS $$ CONNECT dsn; $$;
SELECT there(:'p3');
-- What cannot be reached or understood.
SELECT expect_error($$SELECT by_arg('foo')$$);
SELECT expect_error($$SELECT by_arg('user=x password=''secret')$$);
SELECT expect_error($$SELECT by_arg('hots=x')$$);
SELECT expect_error($$SELECT by_arg('host=127.0.0.1 port=1 dbname=nothing')$$);
SELECT expect_error(format('SELECT by_arg(%L)', replace(:'p0', 'db0', 'db_none')));
SELECT expect_error(format('SELECT by_arg(%L)', replace(:'p0', 'user=postgres', 'user=regress_unknown')));

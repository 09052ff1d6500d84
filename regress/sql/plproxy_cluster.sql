-- Clusters as foreign servers: what the validator takes and refuses, and changes in mid-session.
\i common/plproxy.sql
SELECT expect_error($$CREATE SERVER x FOREIGN DATA WRAPPER plproxy OPTIONS (query_timout '1', p0 'a=b')$$);
SELECT expect_error($$CREATE SERVER x FOREIGN DATA WRAPPER plproxy OPTIONS (query_timeout 'soon', p0 'a=b')$$);
SELECT expect_error($$CREATE SERVER x FOREIGN DATA WRAPPER plproxy OPTIONS (p1 'a=b')$$);
SELECT expect_error($$CREATE SERVER x FOREIGN DATA WRAPPER plproxy OPTIONS (p0 'a=b', p2 'a=b')$$);
SELECT expect_error($$CREATE SERVER x FOREIGN DATA WRAPPER plproxy OPTIONS (p0 'a=b', partition_0 'a=b')$$);
SELECT expect_error($$CREATE SERVER x FOREIGN DATA WRAPPER plproxy OPTIONS (p0 'a=b', p1 'a=b', p2 'a=b')$$);
SELECT expect_error($$CREATE SERVER x FOREIGN DATA WRAPPER plproxy$$);
SELECT expect_error($$CREATE USER MAPPING FOR postgres SERVER c OPTIONS (host 'x')$$);
SELECT expect_error($$ALTER FOREIGN DATA WRAPPER plproxy OPTIONS (p0 'x')$$);
SELECT expect_error($$ALTER FOREIGN DATA WRAPPER plproxy OPTIONS (connection_lifetime 'x')$$);
-- An option without a value is an error, never a crash.
SELECT expect_error($$SELECT plproxy_fdw_validator('{p0}', 'pg_foreign_server'::regclass)$$);
SELECT expect_error($$SELECT plproxy_fdw_validator('{query_timeout}', 'pg_foreign_data_wrapper'::regclass)$$);
SELECT expect_error($$SELECT plproxy_fdw_validator('{user}', 'pg_user_mapping'::regclass)$$);
SELECT expect_error($$SELECT plproxy_fdw_validator('{NULL}', 'pg_foreign_server'::regclass)$$);
SELECT plproxy_fdw_validator(NULL, 0);
SELECT plproxy_fdw_validator('{p0=a}', 'pg_foreign_server'::regclass);
-- All options, in any order.
CREATE SERVER full_house FOREIGN DATA WRAPPER plproxy OPTIONS (partition_1 :'p1', connection_lifetime '1800', query_timeout '10',
  disable_binary '1', modular_mapping '0', keepalive_idle '30', keepalive_interval '10', keepalive_count '10', p0 :'p0',
  statement_timeout '5', connect_timeout '5', transactional '0');
CREATE USER MAPPING FOR PUBLIC SERVER full_house OPTIONS (user 'postgres', password 'x');
CREATE FUNCTION fh() RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'full_house'; RUN ON ALL; SELECT current_database()::text; $$;
SELECT fh();
-- ALTER SERVER takes effect at the next call.
CREATE FUNCTION dbs() RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; SELECT current_database()::text; $$;
SELECT dbs();
ALTER SERVER c OPTIONS (SET p0 :'p3', SET p3 :'p0');
SELECT dbs();
ALTER SERVER c OPTIONS (DROP p2, DROP p3);
SELECT dbs();
-- A wrapper's options are defaults.
CREATE FUNCTION slow(s float8) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT pg_sleep(s)::text; $$;
ALTER FOREIGN DATA WRAPPER plproxy OPTIONS (ADD query_timeout '1');
SELECT expect_error('SELECT slow(5)');
ALTER SERVER c OPTIONS (ADD query_timeout '0');
SELECT slow(1.2);
ALTER FOREIGN DATA WRAPPER plproxy OPTIONS (DROP query_timeout);
-- Options that only fit later are looked at later.
SELECT expect_error($$ALTER SERVER c OPTIONS (ADD p2 'dbname=x')$$);
-- No such cluster; a server of another wrapper is none.
CREATE FUNCTION nowhere(name text) RETURNS int LANGUAGE plproxy AS $$ CLUSTER identity(name); SELECT 1; $$;
CREATE FUNCTION identity(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
SELECT expect_error($$SELECT nowhere('x')$$);
CREATE SERVER plain FOREIGN DATA WRAPPER shard_fdw;
SELECT expect_error($$SELECT nowhere('plain')$$);
SELECT expect_error($$SELECT nowhere(repeat('x', 100))$$);
SELECT expect_error($$SELECT nowhere(NULL)$$);
-- A new server is seen, a dropped one is gone.
CREATE SERVER x FOREIGN DATA WRAPPER plproxy OPTIONS (p0 :'p0');
CREATE USER MAPPING FOR PUBLIC SERVER x;
SELECT nowhere('x');
DROP SERVER x CASCADE;
SELECT expect_error($$SELECT nowhere('x')$$);
-- A connection string that is none.
CREATE SERVER x FOREIGN DATA WRAPPER plproxy OPTIONS (p0 'nonsense');
CREATE USER MAPPING FOR PUBLIC SERVER x;
SELECT expect_error($$SELECT nowhere('x')$$);
ALTER SERVER x OPTIONS (SET p0 'hots=x');
SELECT expect_error($$SELECT nowhere('x')$$);

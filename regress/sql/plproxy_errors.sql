-- Error texts that no other file reaches: definitions of clusters, connection strings, results.
\i common/plproxy.sql
-- Options.
SELECT expect_error($$CREATE FOREIGN TABLE ft(a int) SERVER c OPTIONS (table_name 't')$$);
SELECT expect_error($$CREATE SERVER x FOREIGN DATA WRAPPER plproxy OPTIONS (p0 'a', p1 'b', p01 'c', p3 'd')$$);
SELECT expect_error($$CREATE SERVER x FOREIGN DATA WRAPPER plproxy OPTIONS (modular_mapping '1')$$);
SELECT expect_error($$CREATE SERVER x FOREIGN DATA WRAPPER plproxy OPTIONS (p0 'a', p 'b')$$);
SELECT expect_error($$CREATE SERVER x FOREIGN DATA WRAPPER plproxy OPTIONS (p0 'a', transactionl '1')$$);
SELECT expect_error($$CREATE SERVER x FOREIGN DATA WRAPPER plproxy OPTIONS (p0 'a', query_timeout '')$$);
SELECT expect_error($$CREATE SERVER x FOREIGN DATA WRAPPER plproxy OPTIONS (p0 'a', default_user 'current_user')$$);
-- Numbers too large to be counted are too large.
SELECT expect_error($$CREATE SERVER x FOREIGN DATA WRAPPER plproxy OPTIONS (p0 'a', p99999999999999999999 'b')$$);
CREATE SERVER large FOREIGN DATA WRAPPER plproxy OPTIONS (p0 'dbname=a', query_timeout '99999999999999999999');
-- Connection strings.
CREATE FUNCTION at(string text) RETURNS text LANGUAGE plproxy AS $$ CONNECT string; SELECT current_database()::text; $$;
SELECT expect_error($$SELECT at('dbname')$$);
SELECT expect_error($$SELECT at('dbname=''a')$$);
SELECT expect_error($$SELECT at('postgres://me:secret@[::1')$$);
SELECT expect_error($$SELECT at('postgres://me:secret%zz@a/b')$$);
SELECT expect_error($$SELECT at('postgres://a%zz/b')$$);
SELECT expect_error($$SELECT at('postgres://a%00b/c')$$);
SELECT expect_error($$SELECT at('postgres://a/b?c')$$);
SELECT expect_error($$SELECT at('nonsense=1')$$);
SELECT expect_error($$SELECT at('port=70000')$$);
SELECT expect_error($$SELECT at('host=127.0.0.1 port=1 connect_timeout=x')$$);
SELECT expect_error($$SELECT at(NULL)$$);
CREATE SERVER wrong FOREIGN DATA WRAPPER plproxy OPTIONS (p0 'dbname');
CREATE USER MAPPING FOR PUBLIC SERVER wrong;
CREATE FUNCTION on_wrong() RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'wrong'; SELECT ''::text; $$;
SELECT expect_error('SELECT on_wrong()');
-- What functions say about clusters.
CREATE SCHEMA plproxy;
CREATE TYPE nothing AS ();
CREATE FUNCTION plproxy.get_cluster_version(name text) RETURNS SETOF int LANGUAGE sql AS $$ SELECT 1 WHERE name <> 'none' UNION ALL SELECT 2 WHERE name = 'two' $$;
CREATE FUNCTION plproxy.get_cluster_config(name text) RETURNS SETOF text LANGUAGE sql AS $$ SELECT 'a' WHERE name = 'narrow' $$;
CREATE FUNCTION plproxy.get_cluster_partitions(name text) RETURNS SETOF nothing LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT; END $$;
CREATE FUNCTION same(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION on_cluster(name text) RETURNS text LANGUAGE plproxy AS $$ CLUSTER same(name); SELECT ''::text; $$;
SELECT expect_error($$SELECT on_cluster('none')$$);
SELECT expect_error($$SELECT on_cluster('two')$$);
SELECT expect_error($$SELECT on_cluster('narrow')$$);
SELECT expect_error($$SELECT on_cluster('bare')$$);
SET client_min_messages = warning;
DROP SCHEMA plproxy CASCADE;
RESET client_min_messages;
SELECT expect_error($$SELECT on_cluster('bare')$$);
SELECT expect_error($$SELECT on_cluster(repeat('long', 20))$$);
SELECT expect_error($$SELECT on_cluster(NULL)$$);
-- A set where there is no place for one.
CREATE FUNCTION compare(a int, b int) RETURNS SETOF int IMMUTABLE LANGUAGE internal AS 'btint4cmp';
CREATE OR REPLACE FUNCTION compare(a int, b int) RETURNS SETOF int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT a - b; $$;
CREATE OPERATOR CLASS odd FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 3 =, FUNCTION 1 compare(int, int);
CREATE TABLE many(a int);
INSERT INTO many VALUES (1), (2);
SELECT expect_error('CREATE INDEX ON many (a odd)');
-- Types that are not the same on both sides.
SELECT on_all('CREATE DOMAIN public.d AS int8');
SELECT on_all('CREATE FUNCTION public.get_d(a text) RETURNS public.d LANGUAGE sql AS ''SELECT a::public.d''');
CREATE DOMAIN d AS int4;
CREATE FUNCTION get_d(a text) RETURNS d LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; $$;
SELECT get_d('5');
SELECT expect_error($$SELECT get_d('5000000000')$$);
-- The session goes on.
SELECT get_d('6');

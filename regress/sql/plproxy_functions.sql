-- Clusters by functions in schema plproxy.
\i common/plproxy.sql
CREATE FUNCTION f() RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'fc'; RUN ON ALL; SELECT current_database()::text; $$;
SELECT expect_error('SELECT f()');
CREATE SCHEMA plproxy;
CREATE TABLE conf(version int, parts text[], keys text[], vals text[]);
INSERT INTO conf VALUES (1, ARRAY[:'p0', :'p1'], '{}', '{}');
CREATE FUNCTION plproxy.get_cluster_version(name text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN IF name <> 'fc' THEN RAISE EXCEPTION 'Unknown cluster'; END IF; RETURN (SELECT version FROM conf); END $$;
CREATE FUNCTION plproxy.get_cluster_partitions(name text) RETURNS SETOF text LANGUAGE sql AS 'SELECT unnest(parts) FROM conf';
-- All three are needed.
SELECT expect_error('SELECT f()');
CREATE FUNCTION plproxy.get_cluster_config(IN name text, OUT key text, OUT val text) RETURNS SETOF record LANGUAGE sql AS 'SELECT unnest(keys), unnest(vals) FROM conf';
SELECT f();
CREATE FUNCTION g() RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'other'; RUN ON ALL; SELECT ''::text; $$;
SELECT expect_error('SELECT g()');
-- Another version, and only that, has everything read again.
UPDATE conf SET parts = ARRAY[:'p2', :'p3'];
SELECT f();
UPDATE conf SET version = 2;
SELECT f();
UPDATE conf SET version = 1;
SELECT f();
-- What the functions may give.
UPDATE conf SET version = 3, keys = '{connection_lifetime,default_user,modular_mapping,query_timeout}', vals = '{1800,session_user,1,10}', parts = parts || ARRAY[:'p0'];
SELECT f();
UPDATE conf SET version = 4, keys = '{foo}', vals = '{1}';
SELECT expect_error('SELECT f()');
UPDATE conf SET version = 5, keys = '{query_timeout}', vals = '{soon}';
SELECT expect_error('SELECT f()');
UPDATE conf SET version = 6, keys = '{query_timeout}', vals = '{NULL}';
SELECT expect_error('SELECT f()');
UPDATE conf SET version = 7, keys = '{NULL}', vals = '{1}';
SELECT expect_error('SELECT f()');
UPDATE conf SET version = 8, keys = '{}', vals = '{}';
SELECT expect_error('SELECT f()');
UPDATE conf SET version = 9, parts = '{NULL}';
SELECT expect_error('SELECT f()');
UPDATE conf SET version = 10, parts = '{}';
SELECT expect_error('SELECT f()');
UPDATE conf SET version = NULL;
SELECT expect_error('SELECT f()');
DELETE FROM conf;
SELECT expect_error('SELECT f()');
INSERT INTO conf VALUES (11, ARRAY[:'p3'], '{}', '{}');
SELECT f();
-- A foreign server of that name goes before, both ways.
CREATE SERVER fc FOREIGN DATA WRAPPER plproxy OPTIONS (p0 :'p1');
CREATE USER MAPPING FOR PUBLIC SERVER fc;
SELECT f();
DROP SERVER fc CASCADE;
SELECT f();
-- Without user= the current user connects.
CREATE ROLE regress_nobody_there SUPERUSER;
UPDATE conf SET version = 12, parts = ARRAY[replace(:'p0', 'user=postgres', '')];
SELECT f();
SET ROLE regress_nobody_there;
SELECT expect_error('SELECT f()');
UPDATE conf SET version = 13, keys = '{default_user}', vals = '{session_user}';
SELECT f();
RESET ROLE;

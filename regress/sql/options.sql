-- Options: what is refused and how, and that a change counts at once.
\i common/shards.sql

-- Unknown names.
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw OPTIONS (hst 'x');
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw OPTIONS (frobnicate 'x');
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw OPTIONS (user 'x');
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw OPTIONS (password 'x');
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw OPTIONS (client_encoding 'UTF8');
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw OPTIONS (fallback_application_name 'x');
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw OPTIONS (replication 'true');
ALTER FOREIGN DATA WRAPPER shard_fdw OPTIONS (ADD host 'x');
ALTER FOREIGN DATA WRAPPER shard_fdw OPTIONS (ADD nonsense 'x');

-- Values.
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw OPTIONS (use_remote_estimate 'maybe');
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw OPTIONS (async_capable '1');
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw OPTIONS (fetch_size 'many');
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw OPTIONS (fetch_size '0');
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw OPTIONS (batch_size '-1');
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw OPTIONS (batch_size '99999999999');
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw OPTIONS (fdw_startup_cost '100$%$#$#');
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw OPTIONS (fdw_tuple_cost '-0.1');
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw OPTIONS (analyze_sampling 'some');
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw OPTIONS (extensions 'cube hstore');
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw OPTIONS (extensions 'plpgsql, "No Such"');

-- All that a server takes.
ALTER SERVER s OPTIONS (SET extensions 'plpgsql', ADD use_remote_estimate 'on', ADD updatable 'false',
  ADD truncatable 'off', ADD fetch_size ' 0x10 ', ADD batch_size '1e3', ADD fdw_startup_cost '1.5',
  ADD fdw_tuple_cost '0', ADD async_capable 'TRUE', ADD parallel_commit 'on', ADD parallel_abort 'on',
  ADD keep_connections 'on', ADD analyze_sampling 'bernoulli', ADD host 'h', ADD hostaddr '127.0.0.1',
  ADD port '1', ADD dbname 'd', ADD sslmode 'require', ADD sslcert 'c', ADD sslkey 'k',
  ADD sslrootcert 'r', ADD sslcrl 'c', ADD sslnegotiation 'direct', ADD sslcertmode 'disable',
  ADD require_auth 'scram-sha-256', ADD load_balance_hosts 'random', ADD target_session_attrs 'any',
  ADD connect_timeout '5', ADD keepalives '1', ADD keepalives_idle '1', ADD keepalives_interval '1',
  ADD keepalives_count '1', ADD tcp_user_timeout '1', ADD passfile 'p', ADD service 's',
  ADD application_name 'a', ADD options '-c x=y', ADD channel_binding 'prefer', ADD gssencmode 'disable',
  ADD krbsrvname 'k', ADD gsslib 'g', ADD sslcompression '0', ADD sslsni '1',
  ADD ssl_min_protocol_version 'TLSv1.2', ADD ssl_max_protocol_version 'TLSv1.3');
DROP SERVER s;

-- User mappings, tables, columns.
CREATE SERVER s FOREIGN DATA WRAPPER shard_fdw;
CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (usr 'x');
CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (host 'x');
CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (password_required 'no');
CREATE USER MAPPING FOR CURRENT_USER SERVER s
  OPTIONS (user 'x', password 'y', password_required 'false', sslcert 'c', sslkey 'k', sslpassword 'p');
CREATE FOREIGN TABLE ft (a int) SERVER s OPTIONS (tablename 'x');
CREATE FOREIGN TABLE ft (a int) SERVER s OPTIONS (fdw_tuple_cost '1');
CREATE FOREIGN TABLE ft (a int) SERVER s OPTIONS (fetch_size 'x');
CREATE FOREIGN TABLE ft (a int OPTIONS (colum_name 'x')) SERVER s;
CREATE FOREIGN TABLE ft (a int OPTIONS (column_name 'x')) SERVER s OPTIONS (schema_name 'x', table_name 'y',
  use_remote_estimate 'false', updatable 'true', truncatable 'true', fetch_size '1', batch_size '1',
  async_capable 'false', analyze_sampling 'off');
DROP FOREIGN TABLE ft;

-- What only superusers may set.
CREATE ROLE regress_options;
GRANT USAGE ON FOREIGN SERVER s TO regress_options;
SET ROLE regress_options;
CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (password_required 'false');
CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (sslcert 'c');
CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (sslkey 'k');
CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (user 'x', password 'y', password_required 'true');
RESET ROLE;

-- The library's parameters.
SHOW shard_fdw.application_name;
SET shard_fdw.no_such_parameter = 1;

-- Names: options change, and so do the local names that stand in for them.
\c :db1
CREATE SCHEMA "Odd Schema";
CREATE TABLE "Odd Schema"."Odd Table" ("Odd Column" int, plain text);
INSERT INTO "Odd Schema"."Odd Table" VALUES (1, 'odd');
CREATE TABLE public.other (a int, plain text);
INSERT INTO public.other VALUES (2, 'other');
CREATE SCHEMA elsewhere;
CREATE TABLE elsewhere.renamed (a int, plain text, b int);
INSERT INTO elsewhere.renamed VALUES (3, 'renamed', 33);
\c :coord
CREATE FOREIGN TABLE other (a int OPTIONS (column_name 'Odd Column'), gone int, plain text) SERVER db1
  OPTIONS (schema_name 'Odd Schema', table_name 'Odd Table');
ALTER FOREIGN TABLE other DROP COLUMN gone;
SELECT * FROM other;
SELECT a FROM other WHERE a = 1;
PREPARE q AS SELECT a, plain FROM other;
EXECUTE q;
ALTER FOREIGN TABLE other ALTER a OPTIONS (DROP column_name);
SELECT * FROM other;
ALTER FOREIGN TABLE other OPTIONS (DROP schema_name, DROP table_name);
SELECT * FROM other;
EXECUTE q;
ALTER FOREIGN TABLE other RENAME TO renamed;
CREATE SCHEMA here;
ALTER FOREIGN TABLE renamed SET SCHEMA here;
ALTER SCHEMA here RENAME TO elsewhere;
SELECT * FROM elsewhere.renamed;
BEGIN;
ALTER FOREIGN TABLE elsewhere.renamed RENAME COLUMN a TO b;
SELECT * FROM elsewhere.renamed;
ROLLBACK;
SELECT * FROM elsewhere.renamed;
-- Another server.
ALTER SERVER db1 RENAME TO db1_renamed;
SELECT * FROM elsewhere.renamed;
ALTER SERVER db1_renamed OPTIONS (SET dbname 'no_such_database');
SELECT expect_error('SELECT * FROM elsewhere.renamed');
ALTER SERVER db1_renamed OPTIONS (SET dbname 'db1');
SELECT * FROM elsewhere.renamed;

-- The connections of a session: when they are made, kept and closed, and who may make them.
\i common/shards.sql
\c :db1
CREATE TABLE public.t (a int);
INSERT INTO public.t VALUES (1);
-- The shard's settings are odd on purpose; this shows those of the session.
CREATE VIEW public.session AS SELECT current_setting('search_path') AS search_path,
  current_setting('timezone') AS timezone, current_setting('datestyle') AS datestyle,
  current_setting('intervalstyle') AS intervalstyle, current_setting('extra_float_digits') AS digits,
  current_setting('bytea_output') AS bytea_output, current_setting('client_encoding') AS encoding;
CREATE VIEW public.name AS SELECT current_setting('application_name') AS name, pg_backend_pid() AS pid,
  current_user::text AS login;
-- It must log in with a password: see scripts/cluster.sh.
CREATE ROLE regress_scram LOGIN PASSWORD 'secret';
GRANT SELECT ON public.t, public.name TO regress_scram;
\c :coord
CREATE FOREIGN TABLE t (a int) SERVER db1;
CREATE FOREIGN TABLE session (search_path text, timezone text, datestyle text, intervalstyle text,
  digits text, bytea_output text, encoding text) SERVER db1;
CREATE FOREIGN TABLE name (name text, pid int, login text) SERVER db1;
CREATE VIEW connections AS SELECT server_name, valid, user_name, used_in_xact, closed
  FROM shard_fdw_get_connections(true);

-- Made at first use, kept.
SELECT * FROM connections;
SELECT * FROM t;
SELECT * FROM connections;
SELECT remote_backend_pid = pid AS same_backend, closed FROM shard_fdw_get_connections(), name;
BEGIN;
SELECT * FROM t;
SELECT * FROM connections;
ROLLBACK;
-- No rollback takes the session's settings back, not even that of the first transaction.
SELECT shard_fdw_disconnect('db1');
BEGIN;
SELECT * FROM session;
ROLLBACK;
SELECT * FROM session;

-- Closed on demand, but not under a transaction's feet.
SELECT shard_fdw_disconnect('db1'), shard_fdw_disconnect('db1');
SELECT shard_fdw_disconnect_all();
SELECT shard_fdw_disconnect('no_such_server');
SELECT shard_fdw_disconnect(NULL);
BEGIN;
SELECT * FROM t;
SELECT shard_fdw_disconnect('db1');
SELECT shard_fdw_disconnect_all();
COMMIT;
SELECT shard_fdw_disconnect_all();

-- A change of server or user mapping closes an idle connection at once, a used one at the end.
SELECT * FROM t;
ALTER SERVER db1 OPTIONS (ADD fetch_size '10');
SELECT * FROM connections;
SELECT * FROM t;
ALTER USER MAPPING FOR CURRENT_USER SERVER db1 OPTIONS (ADD password 'x');
SELECT * FROM connections;
SELECT * FROM t;
ALTER SERVER db2 OPTIONS (ADD fetch_size '10');
SELECT * FROM connections;
BEGIN;
SELECT pid AS pid FROM name \gset
ALTER SERVER db1 OPTIONS (SET fetch_size '20');
SELECT * FROM connections;
SELECT pid = :pid AS same_backend FROM name;
COMMIT;
SELECT * FROM connections;
SELECT pid = :pid AS same_backend FROM name;
-- One that died while idle is replaced silently.
SELECT pid AS pid FROM name \gset
\setenv PID :pid
\! psql "$SHARD_DB1" -XqAtc "SELECT pg_terminate_backend($PID, 10000)"
SELECT * FROM connections;
SELECT pid = :pid AS same_backend FROM name;
SELECT * FROM connections;
-- Server and mapping dropped while in use.
BEGIN;
SELECT * FROM t;
DROP SERVER db1 CASCADE;
SELECT * FROM connections;
SELECT shard_fdw_disconnect_all();
ROLLBACK;
SELECT * FROM connections;
-- keep_connections.
ALTER SERVER db1 OPTIONS (ADD keep_connections 'off');
BEGIN;
SELECT * FROM t;
SELECT * FROM connections;
COMMIT;
SELECT * FROM connections;
ALTER SERVER db1 OPTIONS (DROP keep_connections);

-- Application names.
SELECT name = format('shard_fdw/%s/%s', current_database(), pg_backend_pid()) AS default_name FROM name;
ALTER SERVER db1 OPTIONS (ADD application_name 'server %% %u %d%x');
SELECT name FROM name;
SET shard_fdw.application_name = 'setting of %a';
SELECT name FROM name;
SELECT shard_fdw_disconnect_all();
SELECT name FROM name;
SET shard_fdw.application_name = '%x';
SELECT shard_fdw_disconnect_all();
SELECT name FROM name;
RESET shard_fdw.application_name;

-- Who may log in. Superusers may as they like; others need a password that is asked for.
CREATE ROLE regress_connections;
GRANT USAGE ON FOREIGN SERVER db1 TO regress_connections;
GRANT SELECT ON t, name, connections TO regress_connections;
CREATE VIEW t_of_owner AS SELECT * FROM t;
GRANT SELECT ON t_of_owner TO regress_connections;
SELECT shard_fdw_disconnect_all();
SET ROLE regress_connections;
SELECT * FROM t;
CREATE USER MAPPING FOR CURRENT_USER SERVER db1 OPTIONS (user 'postgres');
SELECT * FROM t;
ALTER USER MAPPING FOR CURRENT_USER SERVER db1 OPTIONS (ADD password '');
SELECT * FROM t;
ALTER USER MAPPING FOR CURRENT_USER SERVER db1 OPTIONS (SET password 'x');
SELECT * FROM t;
ALTER USER MAPPING FOR CURRENT_USER SERVER db1 OPTIONS (SET user 'regress_scram');
SELECT expect_error('SELECT * FROM t');
ALTER USER MAPPING FOR CURRENT_USER SERVER db1 OPTIONS (SET password 'secret');
SELECT * FROM t;
SELECT login FROM name;
-- A view's tables are read as its owner.
SELECT * FROM t_of_owner;
SELECT * FROM connections;
RESET ROLE;
ALTER USER MAPPING FOR regress_connections SERVER db1
  OPTIONS (SET user 'postgres', DROP password, ADD password_required 'false');
SET ROLE regress_connections;
SELECT login FROM name;
ALTER USER MAPPING FOR CURRENT_USER SERVER db1 OPTIONS (SET password_required 'true');
SELECT * FROM t;
RESET ROLE;
-- A mapping for PUBLIC is shared, and with it the connection, but not the right to make it.
DROP USER MAPPING FOR regress_connections SERVER db1;
DROP USER MAPPING FOR CURRENT_USER SERVER db1;
CREATE USER MAPPING FOR PUBLIC SERVER db1 OPTIONS (user 'postgres');
SELECT * FROM t;
SET ROLE regress_connections;
SELECT * FROM t;
RESET ROLE;
ALTER USER MAPPING FOR PUBLIC SERVER db1 OPTIONS (SET user 'regress_scram', ADD password 'secret');
SELECT * FROM t;
SET ROLE regress_connections;
SELECT * FROM t;
RESET ROLE;
SELECT * FROM connections;
-- A shard notices within two minutes that the coordinator's machine is gone.
\c :db0
CREATE VIEW keepalive AS SELECT current_setting('tcp_keepalives_idle') AS idle,
  current_setting('tcp_keepalives_interval') AS interval, current_setting('tcp_keepalives_count') AS count;
\c :coord
CREATE FOREIGN TABLE keepalive (idle text, interval text, count text) SERVER db0 OPTIONS (schema_name 'public');
SELECT * FROM keepalive;

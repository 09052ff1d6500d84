-- SCRAM pass-through: the keys of the client's own log-in in the place of a password. Servers keep them from PostgreSQL 18 on.
\i common/shards.sql
SELECT current_setting('server_version_num')::int < 180000 AS older \gset
\if :older
SELECT expect_error($$ALTER SERVER db0 OPTIONS (ADD use_scram_passthrough 'true')$$);
\quit
\endif
CREATE ROLE regress_scram LOGIN PASSWORD 'geheim';
CREATE ROLE regress_other LOGIN;
SELECT rolpassword AS secret FROM pg_authid WHERE rolname = 'regress_scram' \gset
-- The first shard keeps the same secret; the other one keeps one of its own, of the same password.
\c :db0
SET client_min_messages = error;
CREATE ROLE regress_scram LOGIN PASSWORD :'secret';
CREATE TABLE t (id int PRIMARY KEY, who text DEFAULT current_user);
INSERT INTO t VALUES (1, 'one');
GRANT ALL ON t TO PUBLIC;
\c :db1
CREATE ROLE regress_scram LOGIN PASSWORD 'geheim';
\c :coord
ALTER SERVER db0 OPTIONS (ADD use_scram_passthrough 'true');
CREATE USER MAPPING FOR regress_scram SERVER db0 OPTIONS (user 'regress_scram');
CREATE USER MAPPING FOR regress_scram SERVER db1 OPTIONS (user 'regress_scram', use_scram_passthrough 'on');
CREATE USER MAPPING FOR regress_scram SERVER db2 OPTIONS (user 'postgres', use_scram_passthrough 'on');
CREATE USER MAPPING FOR regress_other SERVER db0 OPTIONS (user 'regress_scram');
CREATE FOREIGN TABLE t (id int, who text) SERVER db0;
CREATE FOREIGN TABLE other_secret (id int) SERVER db1 OPTIONS (table_name 't');
CREATE FOREIGN TABLE no_scram (id int) SERVER db2 OPTIONS (table_name 't');
CREATE VIEW v AS SELECT * FROM t;
ALTER VIEW v OWNER TO regress_other;
GRANT ALL ON t, other_secret, no_scram, v TO regress_scram, regress_other;
-- Logged in by SCRAM.
\setenv PGPASSWORD geheim
\! psql "$SHARD_COORD user=regress_scram" -XqAtc 'SELECT * FROM t' -c 'INSERT INTO t (id) VALUES (2) RETURNING *' 2>&1 | sed -E 's/port [0-9]+/port PORT/'
\! psql "$SHARD_COORD user=regress_scram" -XqAtc 'BEGIN' -c 'INSERT INTO t VALUES (3)' -c 'SAVEPOINT s' -c 'INSERT INTO t VALUES (4)' -c 'ROLLBACK TO s' -c 'COMMIT' -c 'SELECT id FROM t ORDER BY id' 2>&1 | sed -E 's/port [0-9]+/port PORT/'
-- Another secret; a server that asks for nothing; in the name of another user: his view, what the user has become.
\! psql "$SHARD_COORD user=regress_scram" -XqAtc 'SELECT * FROM other_secret' 2>&1 | sed -E 's/port [0-9]+/port PORT/'
\! psql "$SHARD_COORD user=regress_scram" -XqAtc 'SELECT * FROM no_scram' 2>&1 | sed -E 's/port [0-9]+/port PORT/'
\! psql "$SHARD_COORD user=regress_scram" -XqAtc 'SELECT * FROM v' 2>&1 | sed -E 's/port [0-9]+/port PORT/'
GRANT regress_other TO regress_scram;
\! psql "$SHARD_COORD user=regress_scram" -XqAtc 'SET ROLE regress_other' -c 'SELECT * FROM t' 2>&1 | sed -E 's/port [0-9]+/port PORT/'
-- Not logged in by SCRAM: there are no keys, and a password is missing.
SET ROLE regress_scram;
SELECT expect_error('SELECT * FROM t');
RESET ROLE;
-- The server of somebody else: only over a bound channel.
GRANT USAGE ON FOREIGN DATA WRAPPER shard_fdw TO regress_other;
ALTER SERVER db0 OWNER TO regress_other;
\! psql "$SHARD_COORD user=regress_scram" -XqAtc 'SELECT * FROM t' 2>&1 | sed -E 's/port [0-9]+/port PORT/'
ALTER SERVER db0 OWNER TO postgres;
-- The mapping's word goes before the server's; then its password counts.
ALTER USER MAPPING FOR regress_scram SERVER db0 OPTIONS (ADD use_scram_passthrough 'false');
\! psql "$SHARD_COORD user=regress_scram" -XqAtc 'SELECT * FROM t' 2>&1 | sed -E 's/port [0-9]+/port PORT/'
ALTER USER MAPPING FOR regress_scram SERVER db0 OPTIONS (ADD password 'geheim');
\! psql "$SHARD_COORD user=regress_scram" -XqAtc 'SELECT count(*) FROM t' 2>&1 | sed -E 's/port [0-9]+/port PORT/'
DROP OWNED BY regress_other, regress_scram CASCADE;

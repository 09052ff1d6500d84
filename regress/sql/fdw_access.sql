\i common/shards.sql
-- Who may reach a server, as whom, and with what of the server's own files.
\c :db0
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t VALUES (0, 'zero'), (2, 'two');
SET client_min_messages = error;
CREATE ROLE regress_scram LOGIN PASSWORD 'secret';
CREATE ROLE regress_peer LOGIN;
RESET client_min_messages;
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO regress_scram, regress_peer;
\c :db1
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t VALUES (1, 'one'), (3, 'three');
CREATE ROLE regress_scram LOGIN PASSWORD 'secret';
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO regress_scram;
\c :coord
CREATE ROLE regress_joe;
CREATE ROLE regress_jane;
GRANT ALL ON SCHEMA public TO regress_joe, regress_jane;
GRANT USAGE ON FOREIGN SERVER db0, db1 TO regress_joe, regress_jane;
CREATE FUNCTION whoami(server text) RETURNS text LANGUAGE sql AS 'SELECT current_user::text';

-- A user who is no superuser.
SET ROLE regress_joe;
CREATE FOREIGN TABLE t0 (id int, v text) SERVER db0 OPTIONS (table_name 't');
SELECT expect_error('SELECT * FROM t0');
CREATE USER MAPPING FOR regress_joe SERVER db0 OPTIONS (user 'postgres');
SELECT expect_error('SELECT * FROM t0');
-- The server does not ask for a password: the other side would trust the machine, not him.
ALTER USER MAPPING FOR regress_joe SERVER db0 OPTIONS (ADD password 'anything');
SELECT expect_error('SELECT * FROM t0');
ALTER USER MAPPING FOR regress_joe SERVER db0 OPTIONS (SET password '');
SELECT expect_error('SELECT * FROM t0');
-- For superusers only.
SELECT expect_error($$ALTER USER MAPPING FOR regress_joe SERVER db0 OPTIONS (ADD password_required 'false')$$);
SELECT expect_error($$ALTER USER MAPPING FOR regress_joe SERVER db0 OPTIONS (ADD sslcert '/etc/hostname')$$);
SELECT expect_error($$ALTER USER MAPPING FOR regress_joe SERVER db0 OPTIONS (ADD sslkey '/etc/hostname')$$);
ALTER USER MAPPING FOR regress_joe SERVER db0 OPTIONS (ADD password_required 'true');
-- The right way.
ALTER USER MAPPING FOR regress_joe SERVER db0 OPTIONS (SET user 'regress_scram', SET password 'secret');
SELECT * FROM t0;
ALTER USER MAPPING FOR regress_joe SERVER db0 OPTIONS (SET password 'wrong');
SELECT expect_error('SELECT * FROM t0');
ALTER USER MAPPING FOR regress_joe SERVER db0 OPTIONS (SET password 'secret');
-- Passwords are for the owner of the mapping to see.
SELECT umoptions FROM pg_user_mappings WHERE srvname = 'db0' AND usename = 'regress_joe';
SELECT umoptions FROM pg_user_mappings WHERE srvname = 'db0' AND usename = current_setting('is_superuser');
SELECT umoptions IS NULL AS hidden FROM pg_user_mappings WHERE srvname = 'db0' AND usename <> 'regress_joe';
-- A superuser trusts a mapping: then he may not change it any more.
RESET ROLE;
ALTER USER MAPPING FOR regress_joe SERVER db0 OPTIONS (SET password_required 'false', SET user 'regress_peer', DROP password);
SET ROLE regress_joe;
SELECT * FROM t0;
SELECT expect_error($$ALTER USER MAPPING FOR regress_joe SERVER db0 OPTIONS (SET user 'postgres')$$);
RESET ROLE;
ALTER USER MAPPING FOR regress_joe SERVER db0 OPTIONS (SET password_required 'true', SET user 'regress_scram', ADD password 'secret');

-- Views and functions: the mapping of their owner counts.
SET ROLE regress_joe;
CREATE FOREIGN TABLE t1 (id int, v text) SERVER db1 OPTIONS (table_name 't');
CREATE USER MAPPING FOR regress_joe SERVER db1 OPTIONS (user 'regress_scram', password 'secret');
CREATE VIEW of_joe AS SELECT a.id, a.v, b.v AS other FROM t0 a LEFT JOIN t1 b ON b.id = a.id + 1;
CREATE VIEW t0_view AS SELECT * FROM t0;
CREATE VIEW invoker WITH (security_invoker) AS SELECT * FROM t0;
CREATE FUNCTION definer() RETURNS SETOF t0 LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM t0';
CREATE FUNCTION caller() RETURNS SETOF t0 LANGUAGE sql AS 'SELECT * FROM t0';
CREATE TABLE p (id int, v text);
ALTER FOREIGN TABLE t0 ADD CHECK (id % 2 = 0);
ALTER FOREIGN TABLE t1 ADD CHECK (id % 2 = 1);
ALTER FOREIGN TABLE t0 INHERIT p;
ALTER FOREIGN TABLE t1 INHERIT p;
CREATE VIEW p_view AS SELECT * FROM p;
GRANT SELECT ON t0, of_joe, invoker, p_view, p TO regress_jane;
GRANT ALL ON t0_view, p_view TO regress_jane;
SET ROLE regress_jane;
SELECT expect_error('SELECT * FROM t0');
SELECT * FROM of_joe ORDER BY id;
SELECT * FROM p_view ORDER BY id;
SELECT count(*), max(v) FROM p_view;
SELECT * FROM p_view WHERE id = 3;
SELECT expect_error('SELECT * FROM p');
SELECT expect_error('SELECT count(*) FROM p');
SELECT expect_error('SELECT * FROM t1');
SELECT expect_error('SELECT * FROM invoker');
SELECT * FROM definer() ORDER BY id;
SELECT expect_error('SELECT * FROM caller()');
-- Joins of what two users own are not one query.
SELECT a.v, b.v FROM p_view a JOIN t0_view b USING (id) ORDER BY 1;
INSERT INTO t0_view VALUES (4, 'four') RETURNING *;
UPDATE t0_view SET v = 'vier' WHERE id = 4 RETURNING *;
UPDATE t0_view SET v = v || length(v) || random()::int / 2 WHERE id = 4 RETURNING id, left(v, 5);
WITH u AS (UPDATE p_view SET v = upper(v) WHERE id IN (1, 4) RETURNING id) SELECT id FROM u ORDER BY id;
DELETE FROM t0_view WHERE id = 4 RETURNING id;
SELECT expect_error('DELETE FROM t0 WHERE id = 4');
EXPLAIN (COSTS OFF) SELECT * FROM p_view WHERE id = 2;
-- With a mapping of her own she is somebody else there.
CREATE USER MAPPING FOR regress_jane SERVER db0 OPTIONS (user 'regress_scram', password 'wrong');
SELECT expect_error('SELECT * FROM t0');
SELECT * FROM t0_view ORDER BY id;
SELECT expect_error('SELECT a.v FROM t0 a JOIN t0_view b USING (id)');
DROP USER MAPPING FOR regress_jane SERVER db0;
-- A prepared statement follows the user.
PREPARE q AS SELECT count(*) FROM t0_view;
EXECUTE q;
PREPARE r AS SELECT count(*) FROM t0;
SELECT expect_error('EXECUTE r');
SET ROLE regress_joe;
EXECUTE r;
EXECUTE q;
RESET ROLE;

-- PUBLIC: one connection for all, but not for those who could not have made it.
DROP USER MAPPING FOR regress_joe SERVER db0;
CREATE USER MAPPING FOR PUBLIC SERVER db0 OPTIONS (user 'regress_peer');
DROP USER MAPPING FOR CURRENT_USER SERVER db0;
SELECT count(*) FROM t0;
SET ROLE regress_joe;
SELECT expect_error('SELECT count(*) FROM t0');
RESET ROLE;

-- Options of a server are files and doors of the machine: what an ordinary user gets out of them.
GRANT USAGE ON FOREIGN DATA WRAPPER :fdw TO regress_joe;
SELECT set_config('test.host', :'host', false) <> '', set_config('test.port', :'port0', false) <> '',
  set_config('test.sockets', :'sockets', false) <> '', set_config('test.fdw', :'fdw', false) <> '' AS set;
CREATE FUNCTION probe(server_options text, mapping_options text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    EXECUTE format('CREATE SERVER probe FOREIGN DATA WRAPPER %I OPTIONS (port %L, dbname ''db0'', %s)',
                   current_setting('test.fdw'), current_setting('test.port'), server_options);
    EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER probe OPTIONS (%s)', mapping_options);
    CREATE FOREIGN TABLE probe (id int, v text) SERVER probe OPTIONS (schema_name 'public', table_name 't');
    RETURN QUERY SELECT expect_error('SELECT count(*) FROM probe');
    RAISE EXCEPTION 'undo';
  EXCEPTION WHEN raise_exception THEN NULL;
  END;
END $$;
SET ROLE regress_joe;
SELECT probe(format('host %L', current_setting('test.host')), 'user ''regress_scram'', password ''secret''');
SELECT probe(format('host %L', current_setting('test.sockets')), 'user ''postgres'', password ''x''');
SELECT probe(format('host %L', current_setting('test.sockets')), 'user ''postgres''');
SELECT probe(format('host %L, passfile ''/etc/passwd''', current_setting('test.host')), 'user ''regress_scram''');
SELECT probe(format('host %L, service ''none''', current_setting('test.host')), 'user ''regress_scram'', password ''secret''');
SELECT probe(format('host %L, sslmode ''require'', sslrootcert ''/etc/passwd''', current_setting('test.host')), 'user ''regress_scram'', password ''secret''');
SELECT probe(format('host %L, options ''-c default_transaction_read_only=on -c search_path=public''', current_setting('test.host')), 'user ''regress_scram'', password ''secret''');
SELECT probe(format('host %L, options ''-c session_authorization=postgres''', current_setting('test.host')), 'user ''regress_scram'', password ''secret''');
RESET ROLE;
-- SCRAM pass-through: a dump that says "no" in so many words restores everywhere. See scram_passthrough.sql.
ALTER SERVER db0 OPTIONS (ADD use_scram_passthrough 'false');
ALTER USER MAPPING FOR PUBLIC SERVER db0 OPTIONS (ADD use_scram_passthrough 'off');
SELECT expect_error($$ALTER USER MAPPING FOR PUBLIC SERVER db0 OPTIONS (SET use_scram_passthrough 'maybe')$$);
SELECT count(*) FROM t0;
DROP OWNED BY regress_joe, regress_jane CASCADE;

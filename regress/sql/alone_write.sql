-- A modification that is all its transaction does is committed by the server that runs it, in the same round trip. A
-- trigger that fails at the commit tells: the error comes from the statement itself, or from COMMIT TRANSACTION.
\i common/shards.sql
\set shard 'CREATE TABLE t (id int PRIMARY KEY, v text); CREATE FUNCTION at_end() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF new.v = \'bad\' THEN RAISE \'refused at the end\'; END IF; RETURN NULL; END$$; CREATE CONSTRAINT TRIGGER at_end AFTER INSERT OR UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_end(); CREATE FUNCTION at_once() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF new.v = \'slow\' THEN PERFORM pg_sleep(60); ELSIF new.v = \'stubborn\' THEN BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN new.v := \'survived\'; END; ELSIF new.v = \'suicide\' THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60); END IF; RETURN new; END$$; CREATE TRIGGER at_once BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION at_once();'
\c :db0
:shard
\c :db1
:shard
\c :coord
CREATE TABLE t (id int, v text);
CREATE FOREIGN TABLE t0 (CHECK (id % 2 = 0)) INHERITS (t) SERVER db0 OPTIONS (schema_name 'public', table_name 't');
CREATE FOREIGN TABLE t1 (CHECK (id % 2 = 1)) INHERITS (t) SERVER db1 OPTIONS (schema_name 'public', table_name 't');
CREATE TABLE mine (id int);
-- Committed with the statement.
INSERT INTO t0 VALUES (2, 'bad');
INSERT INTO t VALUES (2, 'bad');
INSERT INTO t VALUES (2, 'good'), (3, 'good');
UPDATE t0 SET v = 'bad' WHERE id = 2;
UPDATE t SET v = 'bad' WHERE id = 2;
UPDATE t SET v = 'better' WHERE id = 2;
DELETE FROM t WHERE id = 3;
SELECT * FROM t ORDER BY id;
-- With the transaction.
BEGIN; UPDATE t SET v = 'bad' WHERE id = 2; COMMIT;
BEGIN; INSERT INTO t0 VALUES (4, 'bad'); COMMIT;
UPDATE t SET v = 'bad' WHERE id = 2 \; SELECT 1;
SELECT 1 \; INSERT INTO t VALUES (4, 'bad');
INSERT INTO t VALUES (4, 'bad') RETURNING id;
UPDATE t SET v = 'bad' WHERE id = 2 RETURNING id;
INSERT INTO t0 VALUES (4, 'good'), (6, 'bad');
INSERT INTO t0 SELECT 4, 'bad' FROM generate_series(1, 1);
WITH w AS (INSERT INTO mine VALUES (1)) UPDATE t0 SET v = 'bad' WHERE id = 2;
DO $$ BEGIN UPDATE t SET v = 'bad' WHERE id = 2; END $$;
CREATE FUNCTION change() RETURNS void LANGUAGE sql AS $$ UPDATE t SET v = 'bad' WHERE id = 2 $$;
SELECT change();
SET default_transaction_isolation = 'repeatable read';
UPDATE t SET v = 'bad' WHERE id = 2;
RESET default_transaction_isolation;
-- Something is left to do here: a trigger, a condition of a view.
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a trigger refuses'; END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE ON t0 FOR EACH STATEMENT EXECUTE FUNCTION note();
INSERT INTO t0 VALUES (4, 'good');
UPDATE t0 SET v = 'good' WHERE id = 2;
DROP TRIGGER note ON t0;
CREATE VIEW small AS SELECT * FROM t0 WHERE id < 3 WITH CHECK OPTION;
INSERT INTO small VALUES (4, 'good');
SELECT * FROM t ORDER BY id;
SELECT * FROM mine;
-- Cancelled in time, and too late.
SET statement_timeout = '300ms';
UPDATE t SET v = 'slow' WHERE id = 2;
INSERT INTO t VALUES (4, 'slow');
INSERT INTO t VALUES (6, 'stubborn');
RESET statement_timeout;
SELECT * FROM t ORDER BY id;
-- The connection is lost before the answer.
\set VERBOSITY verbose
\set SHOW_CONTEXT never
UPDATE t SET v = 'suicide' WHERE id = 2;
\set VERBOSITY default
\set SHOW_CONTEXT errors
SELECT * FROM t ORDER BY id;
-- An idle connection that was lost is made again first.
\! psql -X "$SHARD_DB0" -Atc "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE datname = 'db0' AND pid <> pg_backend_pid()"
UPDATE t SET v = 'again' WHERE id = 2;
SELECT * FROM t ORDER BY id;

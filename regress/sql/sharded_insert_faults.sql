-- INSERT into a sharded parent: several placements on one server, errors of some shards, cancelled waits.
\i common/shards.sql
\c :db0
CREATE TABLE t0 (id int PRIMARY KEY, v int CHECK (v <> 13));
CREATE TABLE t2 (id int PRIMARY KEY, v int CHECK (v <> 13));
CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN CASE WHEN NEW.v = 99 THEN NULL ELSE NEW END; END';
CREATE TRIGGER l BEFORE INSERT ON t0 FOR EACH ROW EXECUTE FUNCTION leave_out();
\c :db1
CREATE TABLE t1 (id int PRIMARY KEY, v int CHECK (v <> 13));
CREATE TABLE t3 (id int PRIMARY KEY, v int CHECK (v <> 13));
\c :coord
CREATE TABLE t (id int, v int);
CREATE FOREIGN TABLE t0 (CHECK (id % 4 = 0)) INHERITS (t) SERVER db0;
CREATE FOREIGN TABLE t1 (CHECK (id % 4 = 1)) INHERITS (t) SERVER db1 OPTIONS (batch_size '7');
CREATE FOREIGN TABLE t2 (CHECK (id % 4 = 2)) INHERITS (t) SERVER db0;
CREATE FOREIGN TABLE t3 (CHECK (id % 4 = 3)) INHERITS (t) SERVER db1 OPTIONS (batch_size '1');
CREATE TABLE twin (id int, v int);
INSERT INTO t SELECT i, i % 13 FROM generate_series(1, 5000) i;
INSERT INTO twin SELECT i, i % 13 FROM generate_series(1, 5000) i;
SELECT same_rows('SELECT * FROM t', 'SELECT * FROM twin');
-- Rows that a shard leaves out do not count.
DO $$
DECLARE n bigint;
BEGIN
  INSERT INTO t SELECT i, 99 FROM generate_series(10000, 10007) i;
  GET DIAGNOSTICS n = ROW_COUNT;
  RAISE NOTICE '% rows', n;
END $$;
INSERT INTO twin SELECT i, 99 FROM generate_series(10000, 10007) i WHERE i % 4 <> 0;
-- Errors: of one placement, of two on one server, of two servers. Nothing is stored, the session goes on.
CREATE FUNCTION fails(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN EXECUTE statement; RETURN 'no error'; EXCEPTION WHEN OTHERS THEN RETURN sqlstate; END $$;
SELECT fails('INSERT INTO t SELECT i, CASE WHEN i = 6002 THEN 13 END FROM generate_series(6000, 6100) i');
SELECT fails('INSERT INTO t SELECT i, CASE WHEN i IN (6000, 6002) THEN 13 END FROM generate_series(6000, 6100) i');
SELECT fails('INSERT INTO t SELECT i, 13 FROM generate_series(6000, 6100) i');
SELECT fails('INSERT INTO t SELECT i, 1 / (6098 - i) FROM generate_series(6000, 6100) i');
INSERT INTO t SELECT i, CASE WHEN i = 6003 THEN 13 END FROM generate_series(6000, 6100) i;
SELECT same_rows('SELECT * FROM t', 'SELECT * FROM twin');
-- A shard that waits for somebody is not waited for for ever.
\! (psql "$SHARD_DB1" -Xqc "BEGIN" -c "INSERT INTO t1 VALUES (7001, 1)" -c "SELECT pg_sleep(2)" -c "ROLLBACK" >/dev/null 2>&1) & sleep 0.7
BEGIN;
SET LOCAL statement_timeout = '500ms';
INSERT INTO t SELECT i, 1 FROM generate_series(7000, 7003) i;
ROLLBACK;
INSERT INTO t VALUES (7000, 1), (7002, 1), (7003, 1);
INSERT INTO twin VALUES (7000, 1), (7002, 1), (7003, 1);
SELECT same_rows('SELECT * FROM t', 'SELECT * FROM twin');
-- Wide rows: the number of parameters and memory bound a batch.
SELECT format('CREATE TABLE wide (%s)', string_agg('c' || i || ' int', ', ')) AS wide FROM generate_series(1, 300) i \gset
\c :db0
:wide;
\c :db1
:wide;
\c :coord
SELECT format('CREATE TABLE wide (%s)', string_agg('c' || i || ' int', ', ')) AS wide FROM generate_series(1, 300) i \gset
:wide;
CREATE FOREIGN TABLE wide0 (CHECK (c1 % 2 = 0)) INHERITS (wide) SERVER db0 OPTIONS (table_name 'wide');
CREATE FOREIGN TABLE wide1 (CHECK (c1 % 2 = 1)) INHERITS (wide) SERVER db1 OPTIONS (table_name 'wide');
SELECT format('INSERT INTO wide SELECT %s FROM generate_series(1, 2000) i', string_agg('i', ',')) AS fill FROM generate_series(1, 300) \gset
:fill;
SELECT count(*), sum(c300) FROM wide;
INSERT INTO wide (c1, c300) VALUES (1, 1), (2, 2);
SELECT c1, c2, c300 FROM wide WHERE c2 IS NULL ORDER BY 1;

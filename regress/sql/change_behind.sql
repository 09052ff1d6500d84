-- UPDATE and DELETE row by row: the answers are not waited for where nothing depends on them.
\i common/shards.sql
\c :db0
CREATE TABLE t (id int PRIMARY KEY, v text, n int CHECK (n <> 777));
INSERT INTO t SELECT i, 'v' || i, i + 5000 FROM generate_series(1, 1500) i;
CREATE TABLE child (id int, v text, n int);
INSERT INTO child SELECT i, 'c' || i, i FROM generate_series(1, 400) i;
\c :coord
CREATE TABLE twin (id int PRIMARY KEY, v text, n int);
INSERT INTO twin SELECT i, 'v' || i, i + 5000 FROM generate_series(1, 1500) i;
CREATE FOREIGN TABLE t (id int, v text, n int) SERVER db0 OPTIONS (schema_name 'public');
CREATE FUNCTION plus(int) RETURNS int LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN $1 + 1; END';
-- Runs a statement on the foreign table and, with its name replaced, on the local one: rows counted, then compared.
CREATE FUNCTION on_both(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE there bigint; here bigint;
BEGIN
  EXECUTE statement;
  GET DIAGNOSTICS there = ROW_COUNT;
  EXECUTE replace(statement, ' t ', ' twin ');
  GET DIAGNOSTICS here = ROW_COUNT;
  RETURN NEXT format('%s rows there, %s here', there, here);
  RETURN QUERY SELECT same_rows('SELECT * FROM t', 'SELECT * FROM twin');
END $$;

EXPLAIN (VERBOSE, COSTS OFF) UPDATE t SET n = plus(n);
SELECT on_both('UPDATE t SET n = plus(n) + 1000');
SELECT on_both('UPDATE t SET v = v || plus(id), n = NULL WHERE plus(id) % 3 = 0');
SELECT on_both('DELETE FROM t WHERE plus(id) % 5 = 0');
SELECT on_both('UPDATE t SET n = plus(n) WHERE id = -1');
SELECT on_both('UPDATE t SET n = plus(n) WHERE id IN (1, 2, 3)');
-- Rows come in many batches.
ALTER FOREIGN TABLE t OPTIONS (ADD fetch_size '7');
SELECT on_both('UPDATE t SET n = plus(n), id = -id');
SELECT on_both('UPDATE t SET n = plus(n), id = -id');
ALTER FOREIGN TABLE t OPTIONS (DROP fetch_size);

-- A row that is found twice is changed once, and counted once.
SELECT on_both('UPDATE t SET n = plus(d.x) FROM (VALUES (1, 5), (1, 5), (2, 6), (3, 7), (3, 7), (3, 7)) d(id, x) WHERE t .id = d.id');
SELECT on_both('DELETE FROM t USING (VALUES (1), (1), (2)) d(id) WHERE t .id = d.id AND plus(1) = 2');
SELECT on_both('UPDATE t SET n = plus(0) FROM generate_series(1, 3) g WHERE plus(g) > 0');

-- Without functions of the users' that could look, many rows go in one statement.
\c :db0
CREATE TABLE statements (what text);
CREATE FUNCTION statement() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO public.statements VALUES (TG_OP); RETURN NULL; END';
CREATE TRIGGER statement AFTER UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION statement();
\c :coord
CREATE FOREIGN TABLE statements (what text) SERVER db0 OPTIONS (schema_name 'public');
EXPLAIN (VERBOSE, COSTS OFF) UPDATE t SET n = n + 1, v = v || ' {"a,b", \é}' WHERE random() >= 0;
SELECT on_both($$UPDATE t SET n = n + 1, v = v || ' {"a,b", \é}' WHERE random() >= 0$$);
SELECT count(*) BETWEEN 1 AND 20 AS few FROM statements;
SELECT on_both('UPDATE t SET n = CASE WHEN id % 7 = 0 THEN NULL ELSE n END, v = NULLIF(v, v) WHERE random() >= 0 AND id > 700');
SELECT on_both('UPDATE t SET v = repeat(id::text, 500) WHERE random() >= 0 AND id BETWEEN 100 AND 600');
SELECT on_both('UPDATE t SET n = d.x + 0 * g FROM (VALUES (7, 5), (7, 5), (8, 6)) d(id, x), generate_series(1, 300) g WHERE t .id = d.id AND random() >= 0');
SELECT on_both('UPDATE t SET id = id + 100000, v = NULL WHERE random() >= 0 AND id > 900');
SELECT on_both('DELETE FROM t WHERE random() >= 0 AND id > 101200');
ALTER FOREIGN TABLE t OPTIONS (ADD fetch_size '11');
SELECT on_both('UPDATE t SET id = id - 100000 FROM generate_series(1, 2) g WHERE random() >= 0 AND id > 100000');
ALTER FOREIGN TABLE t OPTIONS (DROP fetch_size);
SELECT expect_error('UPDATE t SET n = CASE WHEN id = 600 THEN 777 ELSE 1 END WHERE random() >= 0');
SELECT same_rows('SELECT * FROM t', 'SELECT * FROM twin');
-- Sub-queries that read the table row by row see what they did before.
UPDATE t SET n = (SELECT count(*) FROM t u WHERE u.id = t.id AND random() >= 0) WHERE random() >= 0;
SELECT n, count(*) FROM t GROUP BY n;
UPDATE twin SET n = 1;
-- A type that cannot travel in arrays.
\! psql "$SHARD_DB0" -Xqc "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE m AS SELECT i AS id, 'sad'::mood AS mood FROM generate_series(1, 700) i"
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE FOREIGN TABLE m (id int, mood mood) SERVER db0 OPTIONS (schema_name 'public');
UPDATE m SET mood = 'ok' WHERE random() >= 0 AND id % 2 = 0;
SELECT mood, count(*) FROM m GROUP BY mood ORDER BY mood;
DELETE FROM m WHERE random() >= 0 AND mood = 'ok';
SELECT count(*) FROM m;
\! psql "$SHARD_DB0" -Xqc "DROP TRIGGER statement ON t"

-- A function that looks at the table sees what has been changed so far.
CREATE FUNCTION changed() RETURNS int LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN (SELECT count(*) FROM t WHERE n = -1); END';
CREATE TABLE seen (n int);
CREATE FUNCTION note(int) RETURNS int LANGUAGE plpgsql VOLATILE AS
  'BEGIN INSERT INTO seen VALUES (changed()); RETURN $1; END';
UPDATE t SET n = note(-1) WHERE id <= 20;
SELECT array_agg(n) FROM seen;
SELECT count(*) FROM t WHERE n = -1 AND id <= 20;
-- One that does so in a subtransaction, and one that fails in it.
CREATE FUNCTION careful(int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  BEGIN
    PERFORM changed();
    IF $1 % 2 = 0 THEN PERFORM 1 / 0 FROM t LIMIT 1; END IF;
    RETURN $1;
  EXCEPTION WHEN division_by_zero THEN
    RETURN -$1;
  END;
END $$;
UPDATE t SET n = careful(id) WHERE id <= 30;
SELECT count(*), count(*) FILTER (WHERE n = CASE WHEN id % 2 = 0 THEN -id ELSE id END) FROM t WHERE id <= 30;

-- An error of the shard's is the statement's; rows after it were on their way.
CREATE SEQUENCE calls;
SELECT expect_error($$UPDATE t SET n = CASE WHEN nextval('calls') = 10 THEN 777 ELSE 1 END$$);
SELECT last_value > 10 AS went_on FROM calls;
SELECT count(*) FROM t WHERE n = 777;
CREATE FUNCTION tries() RETURNS text LANGUAGE plpgsql AS $$
DECLARE rows int;
BEGIN
  UPDATE t SET n = plus(40) WHERE id <= 10;
  BEGIN
    UPDATE t SET n = CASE WHEN id = 400 THEN 777 ELSE plus(50) END;
    RAISE 'not to be reached';
  EXCEPTION WHEN check_violation THEN
    NULL;
  END;
  UPDATE t SET v = 'after' || plus(1) WHERE n = 41;
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN rows;
END $$;
SELECT tries();
SELECT count(*) FROM t WHERE v = 'after2' AND n = 41;

-- Of data-modifying WITH, with an error too; only the main statement is counted.
WITH x AS (UPDATE t SET n = plus(99) WHERE id < 300) SELECT 1 AS one;
SELECT count(*) FROM t WHERE n = 100;
DO $$
DECLARE rows int;
BEGIN
  WITH x AS (UPDATE t SET n = plus(199) WHERE id < 300) UPDATE t SET n = plus(299) WHERE id > 800;
  GET DIAGNOSTICS rows = ROW_COUNT;
  RAISE NOTICE '% rows, % and %', rows, (SELECT count(*) FROM t WHERE n = 200), (SELECT count(*) FROM t WHERE n = 300);
END $$;
SELECT expect_error('WITH x AS (UPDATE t SET n = plus(776) WHERE id = 7) SELECT 1');

-- Rows that a trigger of the shard leaves out are not counted. Answers are waited for where a trigger or a view's check here
-- needs them, and with RETURNING.
\c :db0
CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN IF OLD.id % 2 = 0 THEN RETURN NULL; END IF; IF TG_OP = ''DELETE'' THEN RETURN OLD; END IF; RETURN NEW; END';
CREATE TRIGGER leave_out BEFORE UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION leave_out();
\c :coord
CREATE FUNCTION counted(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE rows bigint;
BEGIN
  EXECUTE statement;
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN rows;
END $$;
SELECT count(*) FILTER (WHERE id % 2 = 1) AS odd, count(*) FROM t WHERE id BETWEEN 500 AND 1100;
SELECT counted('UPDATE t SET n = plus(500) WHERE id BETWEEN 500 AND 1100');
SELECT counted('UPDATE t SET n = plus(500) WHERE id BETWEEN 500 AND 1100 RETURNING id');
CREATE VIEW odd AS SELECT * FROM t WHERE plus(id) % 2 = 0 WITH CHECK OPTION;
SELECT expect_error('UPDATE odd SET id = id + 10001 WHERE id = 501');
SELECT counted('UPDATE odd SET n = plus(600) WHERE id BETWEEN 500 AND 550');
CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN RAISE NOTICE ''% % %'', TG_OP, OLD.id, NEW.n; RETURN NULL; END';
CREATE TRIGGER told AFTER UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION told();
SELECT counted('UPDATE t SET n = plus(700) WHERE id IN (501, 502, 503)');
SELECT counted('DELETE FROM t WHERE id IN (501, 502, 503) AND plus(id) > 0');
DROP TRIGGER told ON t;
CREATE FUNCTION whole() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN RAISE NOTICE ''% % %'', TG_WHEN, TG_OP, (SELECT count(*) FROM t WHERE n = 801); RETURN NULL; END';
CREATE TRIGGER whole AFTER UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION whole();
SELECT counted('UPDATE t SET n = plus(800) WHERE id BETWEEN 600 AND 620');
DROP TRIGGER whole ON t;

-- A local table with foreign children.
CREATE TABLE parent (id int, v text, n int);
INSERT INTO parent SELECT i, 'p' || i, i FROM generate_series(1, 5) i;
CREATE FOREIGN TABLE child () INHERITS (parent) SERVER db0 OPTIONS (schema_name 'public');
SELECT counted('UPDATE parent SET n = plus(n)'), (SELECT sum(n - id) FROM parent);
SELECT counted('DELETE FROM parent USING generate_series(1, 2) g WHERE plus(parent.id) > 3 AND parent.id < 103');
SELECT count(*), min(id), max(id) FROM parent;
SELECT plan_of('UPDATE child SET n = plus(n)', 'ANALYZE, COSTS OFF');

-- A cancelled statement leaves a usable connection.
\c :db0
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END';
CREATE TRIGGER slow BEFORE UPDATE ON child FOR EACH ROW EXECUTE FUNCTION slow();
\c :coord
BEGIN;
UPDATE child SET v = 'kept' WHERE id = 1;
SAVEPOINT a;
SET statement_timeout = '700ms';
UPDATE child SET n = plus(n);
RESET statement_timeout;
ROLLBACK TO a;
SELECT count(*) FILTER (WHERE v = 'kept') AS kept, sum(n - id) FROM child;
COMMIT;

-- A query that is all its statement wants of a server runs there without a transaction around it. The shard tells by
-- the isolation level: what shares a snapshot with something else is REPEATABLE READ.
\i common/shards.sql
\c :db0
CREATE VIEW here AS SELECT n AS id, current_setting('transaction_isolation') AS level, pg_backend_pid() AS pid
  FROM generate_series(0, 39) n;
CREATE VIEW slow AS SELECT 1 AS id, pg_sleep(60)::text AS nothing;
\c :db1
CREATE VIEW here AS SELECT n AS id, current_setting('transaction_isolation') AS level, pg_backend_pid() AS pid
  FROM generate_series(0, 39) n;
\c :coord
CREATE TABLE here (id int, level text, pid int);
CREATE FOREIGN TABLE here0 (CHECK (id % 2 = 0)) INHERITS (here) SERVER db0 OPTIONS (schema_name 'public', table_name 'here');
CREATE FOREIGN TABLE here1 (CHECK (id % 2 = 1)) INHERITS (here) SERVER db1 OPTIONS (schema_name 'public', table_name 'here');
CREATE FOREIGN TABLE slow (id int, nothing text) SERVER db0 OPTIONS (schema_name 'public');
CREATE TABLE mine (id int);
INSERT INTO mine VALUES (4), (6);
-- Alone.
SELECT id, level FROM here WHERE id = 4;
SELECT id, level FROM here0 WHERE id IN (4, 6) ORDER BY id LIMIT 1;
SELECT level, count(*) FROM here WHERE id < 9 GROUP BY level;
SELECT DISTINCT level FROM here WHERE id < 9;
BEGIN;
SELECT level FROM here WHERE id = 4;
SELECT level FROM here WHERE id = 5;
COMMIT;
PREPARE p(int) AS SELECT level FROM here WHERE id = $1;
EXECUTE p(3);
EXECUTE p(4);
-- In company: each of these may see only one state of the server.
SELECT level FROM here0 WHERE id = 4 UNION ALL SELECT level FROM here0 WHERE id = 6;
SELECT id, (SELECT max(level) FROM here0 h WHERE h.id = m.id) FROM mine m ORDER BY id;
SELECT m.id, level FROM mine m JOIN here0 h ON h.id = m.id AND h.id = 4;
WITH c AS MATERIALIZED (SELECT level FROM here0 WHERE id = 4) SELECT c.level, h.level FROM c, here0 h WHERE h.id = 6;
CREATE FUNCTION peek() RETURNS text STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT level FROM here0 WHERE id = 4); END $$;
SELECT peek();
SELECT level, peek() FROM here0 WHERE id = 6;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT level FROM here WHERE id = 4;
COMMIT;
BEGIN READ ONLY;
SELECT level FROM here WHERE id = 4;
COMMIT;
BEGIN;
DECLARE c CURSOR FOR SELECT level FROM here WHERE id = 4;
FETCH c;
COMMIT;
-- Two placements on one server are two queries.
CREATE TABLE twice (id int, level text, pid int);
CREATE FOREIGN TABLE twice0 () INHERITS (twice) SERVER db0 OPTIONS (schema_name 'public', table_name 'here');
CREATE FOREIGN TABLE twice1 () INHERITS (twice) SERVER db0 OPTIONS (schema_name 'public', table_name 'here');
SELECT level, count(*) FROM twice WHERE id = 4 GROUP BY level;
-- More rows than one answer has: run again, within a transaction.
ALTER FOREIGN TABLE here0 OPTIONS (ADD fetch_size '3');
SELECT level, count(*), count(DISTINCT id) FROM (SELECT * FROM here0 WHERE id >= 0 LIMIT 30) s GROUP BY level;
SELECT id, level FROM here0 WHERE id BETWEEN 10 AND 13;
SELECT id, level FROM here0 WHERE id BETWEEN 10 AND 11;
ALTER FOREIGN TABLE here0 OPTIONS (DROP fetch_size);
-- Cancelled: the connection is the same afterwards, in a transaction too.
SELECT pid FROM here WHERE id = 4 \gset
SET statement_timeout = '300ms';
SELECT * FROM slow;
SELECT pid = :pid AS same FROM here WHERE id = 4;
BEGIN;
SAVEPOINT s;
SELECT * FROM slow;
ROLLBACK TO s;
SELECT pid = :pid AS same FROM here WHERE id = 4;
COMMIT;
RESET statement_timeout;
-- Errors.
\c :db0
CREATE VIEW bad AS SELECT 1 AS id, 1 / (id - 1) AS q FROM here WHERE id = 1;
\c :coord
CREATE FOREIGN TABLE bad (id int, q int) SERVER db0 OPTIONS (schema_name 'public');
SELECT * FROM bad;
SELECT id, level FROM here WHERE id = 4;
BEGIN;
SELECT * FROM bad;
SELECT id, level FROM here WHERE id = 4;
ROLLBACK;
-- A connection that has died meanwhile is made again.
SELECT pid AS old FROM here WHERE id = 4 \gset
\setenv OLD :old
\! psql -X "$SHARD_DB0" -Atc "SELECT pg_terminate_backend($OLD, 10000)"
SELECT id, level, pid = :old AS same FROM here WHERE id = 4;

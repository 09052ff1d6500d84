\i common/shards.sql
-- Remote tables that change under prepared statements, and foreign tables that may not be touched.
\c :db0
CREATE TABLE t (id int PRIMARY KEY, a int, b text);
INSERT INTO t VALUES (1, 10, 'one'), (2, 20, 'two');
CREATE TABLE s0 (id int, v text, CHECK (abs(id % 2) = 0));
INSERT INTO s0 VALUES (0, 'zero'), (2, 'two');
\c :db1
CREATE TABLE s1 (id int, v text, CHECK (abs(id % 2) = 1));
INSERT INTO s1 VALUES (1, 'one'), (3, 'three');
\c :coord
CREATE FOREIGN TABLE t (id int, a int, b text) SERVER db0;
CREATE TABLE s (id int, v text);
CREATE FOREIGN TABLE s0 (CHECK (abs(id % 2) = 0)) INHERITS (s) SERVER db0;
CREATE FOREIGN TABLE s1 (CHECK (abs(id % 2) = 1)) INHERITS (s) SERVER db1;

-- Statements that the session has prepared on the shard, then a change of the table there: no error is seen.
SELECT a, b FROM t WHERE id = 1;
SELECT a, b FROM t WHERE id = 1;
SELECT a, b FROM t WHERE id = 1;
\! psql "$SHARD_DB0" -Xqc "ALTER TABLE t ALTER COLUMN a TYPE bigint, ALTER COLUMN b TYPE varchar(10)"
SELECT a, b FROM t WHERE id = 1;
SELECT a, b FROM t WHERE id = 1;
-- The same for the statements of a prepared one, for changes, and for the shards of a sharded table.
PREPARE q(int) AS SELECT a, b FROM t WHERE id = $1;
EXECUTE q(1); EXECUTE q(2); EXECUTE q(1);
PREPARE u(int) AS UPDATE t SET a = a + 1 WHERE id = $1 RETURNING a;
EXECUTE u(1); EXECUTE u(1); EXECUTE u(1);
SELECT * FROM s ORDER BY id;
SELECT * FROM s ORDER BY id;
SELECT * FROM s ORDER BY id;
\! psql "$SHARD_DB0" -Xqc "ALTER TABLE t ALTER COLUMN a TYPE int" -c "ALTER TABLE s0 ALTER COLUMN v TYPE varchar(20)"
EXECUTE q(1);
\! psql "$SHARD_DB0" -Xqc "ALTER TABLE t ALTER COLUMN a TYPE numeric"
EXECUTE u(1);
SELECT * FROM s ORDER BY id;
SELECT a FROM t WHERE id = 1;
-- In a transaction: its first request to the shard may be sent again.
BEGIN;
SAVEPOINT one;
EXECUTE q(2);
\! psql "$SHARD_DB0" -Xqc "ALTER TABLE s0 ALTER COLUMN v TYPE text"
COMMIT;
BEGIN;
SAVEPOINT one;
SELECT * FROM s ORDER BY id;
RELEASE one;
UPDATE t SET b = 'deux' WHERE id = 2;
COMMIT;
SELECT * FROM t ORDER BY id;

-- restrict_nonsystem_relation_kind: pg_dump sets it, so that no foreign table is touched by its queries.
PREPARE p AS SELECT count(*) FROM s;
SET plan_cache_mode = force_generic_plan;
EXECUTE p;
SET restrict_nonsystem_relation_kind = 'foreign-table';
SELECT * FROM t;
SELECT * FROM s;
SELECT count(*) FROM s;
EXECUTE p;
SELECT * FROM s WHERE id = 1;
INSERT INTO t VALUES (3);
UPDATE t SET a = 1;
DELETE FROM s WHERE id = 1;
SET restrict_nonsystem_relation_kind = 'view';
SELECT count(*) FROM s;
RESET restrict_nonsystem_relation_kind;
EXECUTE p;

-- A prepared statement whose plan left shards out answers rightly after what it was made from has changed, by this session
-- or by another one.
\i common/shards.sql
\c :db0
CREATE TABLE t (id int, v text); INSERT INTO t VALUES (100, 'in db0'), (4, 'in db0');
\c :db1
CREATE TABLE t (id int, v text); INSERT INTO t VALUES (101, 'in db1'), (100, 'also in db1');
\c :db2
CREATE TABLE t (id int, v text); INSERT INTO t VALUES (100, 'in db2');
\c :db3
CREATE TABLE t (id int, v text); INSERT INTO t VALUES (100, 'in db3');
\c :coord
CREATE TABLE t (id int, v text);
CREATE FOREIGN TABLE t0 (CONSTRAINT rule CHECK (id % 2 = 0)) INHERITS (t) SERVER db0 OPTIONS (schema_name 'public', table_name 't');
CREATE FOREIGN TABLE t1 (CONSTRAINT rule CHECK (id % 2 = 1)) INHERITS (t) SERVER db1 OPTIONS (schema_name 'public', table_name 't');
SET plan_cache_mode = force_generic_plan;
PREPARE p AS SELECT v FROM t WHERE id = 100 ORDER BY v COLLATE "C";
PREPARE q(int) AS SELECT v FROM t WHERE id = $1 ORDER BY v COLLATE "C";
PREPARE u AS SELECT * FROM (SELECT v FROM t WHERE id = 4 UNION ALL SELECT v FROM t WHERE id = 101) x ORDER BY v COLLATE "C";
EXECUTE p; EXECUTE q(100); EXECUTE u;
-- The rule of a placement that the plan left out.
ALTER FOREIGN TABLE t1 DROP CONSTRAINT rule;
EXECUTE p; EXECUTE q(100);
ALTER FOREIGN TABLE t1 ADD CONSTRAINT rule CHECK (id % 2 = 1);
EXECUTE p; EXECUTE q(100);
\! psql -X "$SHARD_COORD" -qc "ALTER FOREIGN TABLE t1 DROP CONSTRAINT rule"
EXECUTE p; EXECUTE q(100);
\! psql -X "$SHARD_COORD" -qc "ALTER FOREIGN TABLE t1 ADD CONSTRAINT rule CHECK (id % 2 = 1) NOT VALID"
EXECUTE p; EXECUTE q(100);
\! psql -X "$SHARD_COORD" -qc "ALTER FOREIGN TABLE t1 VALIDATE CONSTRAINT rule"
EXECUTE p; EXECUTE q(100);
-- A new placement, and one that leaves.
\! psql -X "$SHARD_COORD" -qc "CREATE FOREIGN TABLE t2 () INHERITS (t) SERVER db2 OPTIONS (schema_name 'public', table_name 't')"
EXECUTE p; EXECUTE q(100);
ALTER FOREIGN TABLE t2 NO INHERIT t;
EXECUTE p; EXECUTE q(100);
ALTER FOREIGN TABLE t2 INHERIT t;
EXECUTE p; EXECUTE q(100);
\! psql -X "$SHARD_COORD" -qc "DROP FOREIGN TABLE t2"
EXECUTE p; EXECUTE q(100);
-- A server that moves, a table that is another one, a column with another name.
SELECT format('ALTER SERVER db0 OPTIONS (SET port %L, SET dbname ''db3'')', :'port3') AS move \gset
:move;
EXECUTE p; EXECUTE q(100);
SELECT format('ALTER SERVER db0 OPTIONS (SET port %L, SET dbname ''db0'')', :'port0') AS back \gset
:back;
EXECUTE p; EXECUTE u;
\c :db0
CREATE TABLE other (key int, v text); INSERT INTO other VALUES (100, 'in another table');
\c :coord
SET plan_cache_mode = force_generic_plan;
PREPARE p AS SELECT v FROM t WHERE id = 100 ORDER BY v COLLATE "C";
EXECUTE p;
\! psql -X "$SHARD_COORD" -qc "ALTER FOREIGN TABLE t0 OPTIONS (SET table_name 'other')" -c "ALTER FOREIGN TABLE t0 ALTER id OPTIONS (ADD column_name 'key')"
EXECUTE p;
-- A function that a rule calls.
CREATE FUNCTION part(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 % 2';
ALTER FOREIGN TABLE t1 DROP CONSTRAINT rule;
ALTER FOREIGN TABLE t1 ADD CONSTRAINT rule CHECK (part(id) = 1);
EXECUTE p;

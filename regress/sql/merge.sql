-- MERGE: foreign tables and sharded tables as sources; as targets they are refused where the source is local.
\i common/shards.sql
\c :db0
CREATE TABLE t0 (id int PRIMARY KEY, v text);
\c :db1
CREATE TABLE t1 (id int PRIMARY KEY, v text);
\c :coord
CREATE TABLE t (id int, v text);
CREATE FOREIGN TABLE t0 (CHECK (abs(mod(id, 2)) = 0)) INHERITS (t) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE t1 (CHECK (abs(mod(id, 2)) = 1)) INHERITS (t) SERVER db1 OPTIONS (schema_name 'public');
CREATE TABLE p (id int, v text) PARTITION BY LIST (abs(mod(id, 2)));
CREATE FOREIGN TABLE p0 PARTITION OF p FOR VALUES IN (0) SERVER db0 OPTIONS (schema_name 'public', table_name 't0');
CREATE FOREIGN TABLE p1 PARTITION OF p FOR VALUES IN (1) SERVER db1 OPTIONS (schema_name 'public', table_name 't1');
INSERT INTO t0 VALUES (0, 'zero'), (2, 'two');
INSERT INTO t1 VALUES (1, 'one'), (3, 'three');
CREATE TABLE here (id int PRIMARY KEY, v text);
INSERT INTO here VALUES (1, 'mine'), (2, 'mine'), (10, 'mine');

-- The source may be anywhere.
MERGE INTO here USING t ON here.id = t.id
  WHEN MATCHED AND t.id = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET v = t.v WHEN NOT MATCHED THEN INSERT VALUES (t.id, t.v);
SELECT * FROM here ORDER BY id;
MERGE INTO here USING (SELECT * FROM p WHERE id = 3) s ON here.id = s.id WHEN MATCHED THEN UPDATE SET v = s.v || '!' ;
MERGE INTO here USING t0 ON here.id = t0.id WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN INSERT VALUES (t0.id + 100, t0.v);
SELECT * FROM here ORDER BY id;

-- The target may not be foreign, whether or not any of its rows would be looked at.
SELECT expect_error('MERGE INTO t0 USING here ON t0.id = here.id WHEN MATCHED THEN DELETE');
SELECT expect_error('MERGE INTO t USING here ON t.id = here.id WHEN MATCHED THEN UPDATE SET v = here.v');
SELECT expect_error('MERGE INTO t USING here ON t.id = here.id WHEN NOT MATCHED THEN INSERT VALUES (here.id)');
SELECT expect_error('MERGE INTO t USING here ON false WHEN NOT MATCHED THEN INSERT VALUES (here.id)');
SELECT expect_error('MERGE INTO ONLY t USING here ON false WHEN NOT MATCHED THEN INSERT VALUES (here.id)');
SELECT expect_error('MERGE INTO t USING here ON t.id = 1 AND t.id = 2 WHEN NOT MATCHED THEN INSERT VALUES (here.id)');
SELECT expect_error('MERGE INTO p USING here ON p.id = here.id WHEN MATCHED THEN DELETE');
SELECT expect_error('MERGE INTO p USING here ON false WHEN NOT MATCHED THEN INSERT VALUES (here.id, here.v)');
SELECT expect_error('MERGE INTO p USING t ON p.id = t.id WHEN MATCHED THEN DELETE');
SET shard_fdw.enable_sharded_scan = off;
SELECT expect_error('MERGE INTO p USING here ON false WHEN NOT MATCHED THEN INSERT VALUES (here.id, here.v)');
RESET shard_fdw.enable_sharded_scan;
PREPARE m AS MERGE INTO p USING here ON false WHEN NOT MATCHED THEN INSERT VALUES (here.id, here.v);
EXECUTE m;
-- Some partitions elsewhere.
CREATE TABLE mixed (id int, v text) PARTITION BY LIST (abs(mod(id, 2)));
CREATE FOREIGN TABLE mixed0 PARTITION OF mixed FOR VALUES IN (0) SERVER db0 OPTIONS (schema_name 'public', table_name 't0');
CREATE TABLE mixed1 PARTITION OF mixed FOR VALUES IN (1);
SELECT expect_error('MERGE INTO mixed USING here ON mixed.id = here.id WHEN MATCHED THEN DELETE');
SELECT expect_error('MERGE INTO mixed USING here ON false WHEN NOT MATCHED AND here.id = 3 THEN INSERT VALUES (here.id, here.v)');
SELECT expect_error('MERGE INTO mixed USING here ON false WHEN NOT MATCHED AND here.id = 2 THEN INSERT VALUES (12, here.v)');
SELECT id, v FROM ONLY t;
SELECT * FROM t ORDER BY id;
SELECT * FROM mixed1;

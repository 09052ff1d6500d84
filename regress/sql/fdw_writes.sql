\i common/shards.sql
-- What postgres_fdw promises of writes. With FDW=postgres_fdw this file gives the same but for names in errors (server, constraint)
-- and hints about options.
\c :db0
SET client_min_messages = warning;
CREATE TABLE loc (f1 serial, f2 text, f3 int DEFAULT 7);
CREATE TABLE chk (a int PRIMARY KEY, b int CHECK (b > 0), c int UNIQUE);
CREATE TABLE gen (a int, b int GENERATED ALWAYS AS (a * 2) STORED);
CREATE TABLE parent (a int, b text); CREATE TABLE child (c int) INHERITS (parent);
CREATE TABLE base (a int, b int);
CREATE FUNCTION plus() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.b := NEW.b + 10; RETURN NEW; END';
CREATE TRIGGER plus BEFORE INSERT OR UPDATE ON base FOR EACH ROW EXECUTE FUNCTION plus();
CREATE TABLE tr (a int PRIMARY KEY, b text); CREATE TABLE ref (a int REFERENCES tr);
CREATE TABLE p_a (a int, b text); CREATE TABLE p_b (b text, a int);
CREATE TABLE cp (a int, b text, CHECK (a <> 13));
CREATE TABLE wide (a int, b text DEFAULT 'remote', c timestamptz DEFAULT now());
CREATE TABLE loc2 (id int, t text);
\c :coord
SET client_min_messages = warning;
CREATE FOREIGN TABLE rem (f1 serial, f2 text, f3 int DEFAULT 8) SERVER db0 OPTIONS (schema_name 'public', table_name 'loc');
CREATE FOREIGN TABLE chk (a int, b int, c int) SERVER db0;
CREATE FOREIGN TABLE gen (a int, b int GENERATED ALWAYS AS (a * 2) STORED) SERVER db0;
CREATE FOREIGN TABLE parent (a int, b text) SERVER db0;
CREATE FOREIGN TABLE base (a int, b int) SERVER db0;
CREATE FOREIGN TABLE tr (a int, b text) SERVER db0;
CREATE FOREIGN TABLE ref (a int) SERVER db0;
CREATE FOREIGN TABLE cp (a int, b text) SERVER db0;
CREATE FOREIGN TABLE wide (a int, b text DEFAULT 'local', c timestamptz) SERVER db0;
CREATE FOREIGN TABLE loc2 (id int, t text) SERVER db0;

-- Defaults are the local ones; generated columns are the shard's.
INSERT INTO rem (f2) VALUES ('hi'); INSERT INTO rem (f2) VALUES ('bye') RETURNING *;
INSERT INTO rem (f1, f2) VALUES (77, 'seventy'), (DEFAULT, 'next') RETURNING f1, f3;
SELECT * FROM rem ORDER BY f1;
INSERT INTO wide (a) VALUES (1) RETURNING a, b, c;
INSERT INTO gen (a) VALUES (5), (6); INSERT INTO gen (a) VALUES (7) RETURNING *;
SELECT expect_error('INSERT INTO gen VALUES (1, 2)');
UPDATE gen SET a = 8 WHERE a = 7 RETURNING *; SELECT * FROM gen ORDER BY a;
-- Constraints are checked there.
INSERT INTO chk VALUES (1, 1, 1), (2, 2, 2);
SELECT expect_error('INSERT INTO chk VALUES (1, 1, 5)');
SELECT expect_error('INSERT INTO chk VALUES (3, 0, 3)');
SELECT expect_error('UPDATE chk SET b = -b WHERE a = 1');
SELECT expect_error('UPDATE chk SET a = 2 WHERE a = 1');
INSERT INTO chk VALUES (1, 1, 5), (3, 3, 2), (4, 4, 4) ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO tr VALUES (1, 'x'); INSERT INTO ref VALUES (1);
SELECT expect_error('DELETE FROM tr'); SELECT expect_error('INSERT INTO ref VALUES (2)');
SELECT * FROM chk ORDER BY a;
-- What a remote trigger makes of a row is what RETURNING gives.
INSERT INTO base VALUES (1, 1), (2, 2) RETURNING *; UPDATE base SET b = b + 1 WHERE a = 1 RETURNING *; UPDATE base SET b = b + random()::int * 0 WHERE a = 2 RETURNING *;
-- Views with check options, over a table whose trigger changes rows.
CREATE VIEW v_local AS SELECT * FROM base WHERE b > a + 5 WITH CHECK OPTION;
SELECT expect_error('INSERT INTO v_local VALUES (100, 1)'); INSERT INTO v_local VALUES (3, 0) RETURNING *;
SELECT expect_error('UPDATE v_local SET b = -100 WHERE a = 3'); UPDATE v_local SET b = 5 WHERE a = 3 RETURNING *;
SELECT * FROM base ORDER BY a;
-- Triggers of the foreign table.
CREATE TABLE log (n serial, line text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (line) VALUES (format('%s %s %s %s %s', TG_NAME, TG_WHEN, TG_OP, TG_LEVEL,
    CASE TG_LEVEL WHEN 'ROW' THEN CASE TG_OP WHEN 'INSERT' THEN NEW::text WHEN 'DELETE' THEN OLD::text ELSE OLD::text || NEW::text END END));
  IF TG_LEVEL = 'ROW' AND TG_WHEN = 'BEFORE' THEN
    IF TG_OP <> 'DELETE' AND NEW.f2 = 'skip' THEN RETURN NULL; END IF;
    IF TG_OP <> 'DELETE' THEN NEW.f2 := NEW.f2 || '!'; RETURN NEW; END IF;
    RETURN OLD;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER s1 BEFORE INSERT OR UPDATE OR DELETE ON rem FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER s2 AFTER INSERT OR UPDATE OR DELETE ON rem FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER r1 BEFORE INSERT OR UPDATE OR DELETE ON rem FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER r2 AFTER INSERT OR UPDATE OR DELETE ON rem FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO rem VALUES (100, 'a'), (101, 'skip'), (102, 'c');
UPDATE rem SET f2 = f2 || f2 WHERE f1 >= 100 RETURNING *;
UPDATE rem SET f2 = 'skip' WHERE f1 = 100;
DELETE FROM rem WHERE f1 = 102 RETURNING *;
INSERT INTO rem SELECT 103, 'b' RETURNING f2;
COPY rem FROM stdin;
104	copied	1
105	skip	1
\.
TABLE log; SELECT * FROM rem ORDER BY f1;
SELECT expect_error('CREATE TRIGGER t AFTER INSERT ON rem REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION note()');
DROP TRIGGER s1 ON rem; DROP TRIGGER s2 ON rem; DROP TRIGGER r1 ON rem; DROP TRIGGER r2 ON rem;
CREATE TRIGGER w AFTER UPDATE ON rem FOR EACH ROW WHEN (OLD.f3 < 8) EXECUTE FUNCTION note();
TRUNCATE log; UPDATE rem SET f2 = 'w'; SELECT line FROM log ORDER BY line; DROP TRIGGER w ON rem;
-- Statements of every kind.
INSERT INTO parent VALUES (1, 'p'); UPDATE parent SET b = b || '2'; DELETE FROM parent WHERE a = 1 RETURNING *;
INSERT INTO loc2 SELECT n, 't' || n FROM generate_series(1, 50) n;
UPDATE loc2 SET (id, t) = (SELECT id + 100, upper(t)) WHERE id = 3 RETURNING *;
UPDATE loc2 SET t = (SELECT max(a)::text FROM chk) WHERE id = 4 RETURNING *;
UPDATE loc2 x SET t = y.t FROM loc2 y WHERE y.id = x.id + 1 AND x.id < 3 RETURNING x.*, y.t;
DELETE FROM loc2 USING chk WHERE chk.a = loc2.id RETURNING loc2.*, chk.b;
WITH d AS (DELETE FROM loc2 WHERE id > 45 RETURNING *), u AS (UPDATE loc2 SET t = 'u' WHERE id = 40 RETURNING id) SELECT (SELECT count(*) FROM d), * FROM u;
SELECT count(*), sum(id) FROM loc2;
INSERT INTO loc2 SELECT id + 1000, t FROM loc2 WHERE id < 10 RETURNING id;
UPDATE loc2 SET t = DEFAULT, id = id + 0 WHERE id = 7 RETURNING *;
UPDATE loc2 SET t = NULL WHERE t ~ '^[a-z]9' RETURNING tableoid::regclass, id;
DELETE FROM loc2 WHERE ctid = (SELECT min(ctid) FROM loc2 WHERE id = 8) RETURNING id;
SELECT expect_error('UPDATE loc2 SET id = 1 WHERE CURRENT OF nothing');
SELECT expect_error('MERGE INTO loc2 USING chk ON a = id WHEN MATCHED THEN DELETE');
-- Savepoints.
BEGIN;
UPDATE chk SET c = 100 WHERE a = 1; SAVEPOINT s1; UPDATE chk SET c = 101 WHERE a = 1; SAVEPOINT s2; UPDATE chk SET c = 2 WHERE a = 1;
ROLLBACK TO s2; SELECT c FROM chk WHERE a = 1; RELEASE s2; ROLLBACK TO s1; SELECT c FROM chk WHERE a = 1; UPDATE chk SET c = 102 WHERE a = 1; COMMIT;
SELECT c FROM chk WHERE a = 1;
-- Read-only transactions.
BEGIN READ ONLY; SELECT expect_error('UPDATE chk SET c = 1'); SELECT count(*) FROM chk; ROLLBACK;
-- COPY in and out.
COPY cp FROM stdin;
1	one
2	two
\.
COPY cp (b) FROM stdin;
three
\.
COPY cp FROM stdin;
4	four
13	no
\.
COPY cp FROM stdin WHERE a > 6;
5	five
7	seven
\.
COPY (SELECT * FROM cp ORDER BY a) TO stdout; SELECT expect_error('COPY cp TO stdout');
-- Partitions and inheritance: routing, moving, columns in another order.
CREATE TABLE pt (a int, b text) PARTITION BY LIST (a);
CREATE FOREIGN TABLE p_a PARTITION OF pt FOR VALUES IN (1, 2) SERVER db0;
CREATE FOREIGN TABLE p_b (b text, a int) SERVER db0; ALTER TABLE pt ATTACH PARTITION p_b FOR VALUES IN (3, 4);
CREATE TABLE p_c PARTITION OF pt FOR VALUES IN (5, 6);
INSERT INTO pt VALUES (1, 'a'), (3, 'b'), (5, 'c') RETURNING tableoid::regclass, *;
INSERT INTO pt SELECT n, 'x' || n FROM generate_series(1, 6) n;
UPDATE pt SET b = b || 'y' WHERE a IN (1, 3, 5); DELETE FROM pt WHERE b = 'x4' RETURNING *;
UPDATE p_c SET b = 'local' WHERE a = 6; UPDATE pt SET a = 1 WHERE a = 6 RETURNING tableoid::regclass, *;
SELECT expect_error('INSERT INTO pt VALUES (9)'); SELECT tableoid::regclass, * FROM pt ORDER BY a, b;
CREATE TABLE ih (a int, b text); CREATE FOREIGN TABLE ih_f () INHERITS (ih) SERVER db0 OPTIONS (table_name 'cp');
INSERT INTO ih VALUES (50, 'own'); UPDATE ih SET b = b || '+' WHERE a IN (1, 50) RETURNING tableoid::regclass, *;
DELETE FROM ih WHERE a = 2; SELECT tableoid::regclass, * FROM ih ORDER BY a; SELECT * FROM ONLY ih; DELETE FROM ONLY ih;
-- TRUNCATE.
TRUNCATE cp; SELECT count(*) FROM cp; SELECT expect_error('TRUNCATE tr'); TRUNCATE tr, ref; TRUNCATE rem RESTART IDENTITY; SELECT count(*) FROM rem;
INSERT INTO tr VALUES (1); INSERT INTO ref VALUES (1); TRUNCATE tr CASCADE; SELECT count(*) FROM ref; TRUNCATE pt; SELECT count(*) FROM pt;
ALTER SERVER db0 OPTIONS (ADD truncatable 'false'); SELECT expect_error('TRUNCATE base'); ALTER FOREIGN TABLE base OPTIONS (ADD truncatable 'true'); TRUNCATE base;
ALTER SERVER db0 OPTIONS (ADD updatable 'false'); SELECT expect_error('INSERT INTO base VALUES (1, 2)'); SELECT expect_error('DELETE FROM chk');
SELECT table_name, is_insertable_into FROM information_schema.tables WHERE table_name IN ('chk', 'gen') ORDER BY 1;
ALTER FOREIGN TABLE base OPTIONS (ADD updatable 'true'); INSERT INTO base VALUES (1, 2) RETURNING *;
ALTER SERVER db0 OPTIONS (DROP updatable, DROP truncatable);
-- Row locks.
BEGIN; SELECT * FROM chk WHERE a = 1 FOR UPDATE; SELECT a.a, b.a FROM chk a JOIN chk b USING (a) WHERE a = 2 FOR SHARE OF b; SELECT a FROM chk ORDER BY a FOR NO KEY UPDATE SKIP LOCKED; COMMIT;
DECLARE c CURSOR WITH HOLD FOR SELECT a FROM chk ORDER BY a; FETCH 1 FROM c; CLOSE c;
-- Row estimates, options that are refused.
SELECT expect_error($$ALTER SERVER db0 OPTIONS (ADD fetch_size '0')$$); SELECT expect_error($$ALTER SERVER db0 OPTIONS (ADD batch_size '-1')$$);
SELECT expect_error($$ALTER SERVER db0 OPTIONS (ADD fdw_tuple_cost '-1')$$); SELECT expect_error($$ALTER SERVER db0 OPTIONS (ADD fdw_startup_cost '100$%$#$#')$$);
SELECT expect_error($$ALTER SERVER db0 OPTIONS (ADD fetch_size '1.5.2')$$); SELECT expect_error($$ALTER SERVER db0 OPTIONS (ADD extensions 'a,,b')$$);
SELECT expect_error($$ALTER SERVER db0 OPTIONS (ADD use_remote_estimate 'perhaps')$$); SELECT expect_error($$ALTER SERVER db0 OPTIONS (ADD nonsense '1')$$);
SELECT expect_error($$ALTER FOREIGN TABLE chk OPTIONS (ADD host 'x')$$); SELECT expect_error($$ALTER FOREIGN TABLE chk ALTER a OPTIONS (ADD nonsense 'x')$$);
SELECT expect_error($$ALTER SERVER db0 OPTIONS (ADD user 'x')$$); SELECT expect_error($$ALTER SERVER db0 OPTIONS (ADD client_encoding 'x')$$);
SELECT expect_error($$ALTER SERVER db0 OPTIONS (ADD analyze_sampling 'x')$$); SELECT expect_error($$ALTER USER MAPPING FOR CURRENT_USER SERVER db0 OPTIONS (ADD host 'x')$$);
ALTER SERVER db0 OPTIONS (ADD extensions 'nosuch');
-- PREPARE TRANSACTION.
BEGIN; SELECT count(*) FROM chk; PREPARE TRANSACTION 'x';

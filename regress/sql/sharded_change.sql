-- UPDATE and DELETE of a sharded parent.
\i common/shards.sql
\c :db0
CREATE TABLE tbl0 (id int, g int, v numeric, t text);
CREATE TABLE par0 (k int NOT NULL, r text, w int) PARTITION BY LIST (w); CREATE TABLE par0a PARTITION OF par0 FOR VALUES IN (0, NULL); CREATE TABLE par0b PARTITION OF par0 DEFAULT;
\c :db1
CREATE TABLE tbl1 (id int, g int, v numeric, t text);
CREATE TABLE par1 (k int NOT NULL, r text, w int) PARTITION BY LIST (w); CREATE TABLE par1a PARTITION OF par1 FOR VALUES IN (0, NULL); CREATE TABLE par1b PARTITION OF par1 DEFAULT;
\c :db2
CREATE TABLE tbl2 (id int, g int, v numeric, t text);
\c :db3
CREATE TABLE tbl3 (id int, g int, v numeric, t text);
\c :coord
CREATE TABLE tbl (id int, g int, v numeric, t text);
CREATE FOREIGN TABLE tbl0 (CHECK (abs(mod(id,4)) = 0)) INHERITS (tbl) SERVER db0;
CREATE FOREIGN TABLE tbl1 (CHECK (abs(mod(id,4)) = 1)) INHERITS (tbl) SERVER db1;
CREATE FOREIGN TABLE tbl2 (CHECK (abs(mod(id,4)) = 2)) INHERITS (tbl) SERVER db2;
CREATE FOREIGN TABLE tbl3 (CHECK (abs(mod(id,4)) = 3)) INHERITS (tbl) SERVER db3;
CREATE TABLE par (k int NOT NULL, r text, w int) PARTITION BY LIST ((k % 2));
CREATE FOREIGN TABLE par0 PARTITION OF par FOR VALUES IN (0) SERVER db0;
CREATE FOREIGN TABLE par1 PARTITION OF par FOR VALUES IN (1) SERVER db1;
CREATE TABLE loc AS SELECT i AS id, i % 7 AS g, i / 4.0 AS v, 'a' || i AS t FROM generate_series(1, 200) i;
INSERT INTO tbl0 SELECT * FROM loc WHERE abs(mod(id,4)) = 0;
INSERT INTO tbl1 SELECT * FROM loc WHERE abs(mod(id,4)) = 1;
INSERT INTO tbl2 SELECT * FROM loc WHERE abs(mod(id,4)) = 2;
INSERT INTO tbl3 SELECT * FROM loc WHERE abs(mod(id,4)) = 3;
CREATE TABLE parloc AS SELECT i AS k, 'r' || i AS r, i % 3 AS w FROM generate_series(1, 60) i;
INSERT INTO par SELECT * FROM parloc;
-- The same statement on a sharded table and on its local twin; then both tables are compared.
CREATE FUNCTION twin(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE remote bigint; local bigint; remote_error text; local_error text; line text;
BEGIN
  BEGIN
    EXECUTE statement; GET DIAGNOSTICS remote = ROW_COUNT;
  EXCEPTION WHEN OTHERS THEN remote_error := SQLSTATE;
  END;
  BEGIN
    EXECUTE regexp_replace(regexp_replace(statement, '\mtbl\M', 'loc', 'g'), '\mpar\M', 'parloc', 'g'); GET DIAGNOSTICS local = ROW_COUNT;
  EXCEPTION WHEN OTHERS THEN local_error := SQLSTATE;
  END;
  IF remote IS DISTINCT FROM local OR remote_error IS DISTINCT FROM local_error THEN
    RETURN NEXT format('DIFFERENT: %s rows %s, locally %s rows %s', remote, remote_error, local, local_error);
  END IF;
  FOR line IN SELECT * FROM same_rows('SELECT * FROM tbl', 'SELECT * FROM loc') UNION ALL SELECT * FROM same_rows('SELECT * FROM par', 'SELECT * FROM parloc') LOOP
    IF line NOT LIKE '%compared' THEN RETURN NEXT line; END IF;
  END LOOP;
  -- Every row is where its key finds it.
  FOR line IN SELECT l.id FROM loc l, LATERAL (SELECT count(*) n FROM tbl WHERE tbl.id = l.id) x WHERE l.id IS NOT NULL AND n <> (SELECT count(*) FROM loc m WHERE m.id = l.id) LOOP
    RETURN NEXT 'lost ' || line;
  END LOOP;
  RETURN NEXT format('%s rows %s', remote, remote_error);
END $$;

-- One statement for all shards.
EXPLAIN (VERBOSE, COSTS OFF) UPDATE tbl SET g = g + 1, t = upper(t) WHERE v > 10;
SELECT twin('UPDATE tbl SET g = g + 1, t = upper(t) WHERE v > 10');
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM tbl WHERE g = 3;
SELECT twin('DELETE FROM tbl WHERE g = 3');
EXPLAIN (VERBOSE, COSTS OFF) UPDATE tbl SET v = 0 WHERE id = 5;
SELECT twin('UPDATE tbl SET v = 0 WHERE id = 5');
SELECT twin('UPDATE tbl SET v = 1 WHERE id IN (5, 6, 9)');
EXPLAIN (VERBOSE, COSTS OFF) UPDATE par SET w = w + 1;
SELECT twin('UPDATE par SET w = w + 1');
SELECT twin('DELETE FROM par WHERE k = 7');
EXPLAIN (COSTS OFF) DELETE FROM tbl WHERE id = 5.5;
SELECT twin('DELETE FROM tbl WHERE id = 5.5');
-- RETURNING.
EXPLAIN (VERBOSE, COSTS OFF) UPDATE tbl SET g = g * 2 WHERE id < 10 RETURNING id, g, v + g;
BEGIN;
WITH u AS (UPDATE tbl SET g = g * 2 WHERE id < 10 RETURNING id, g, v + g AS s) SELECT * FROM u ORDER BY id;
WITH u AS (UPDATE loc SET g = g * 2 WHERE id < 10 RETURNING id, g, v + g AS s) SELECT * FROM u ORDER BY id;
WITH d AS (DELETE FROM tbl WHERE id % 3 = 0 RETURNING *) SELECT count(*), sum(id), max(t) FROM d;
WITH d AS (DELETE FROM loc WHERE id % 3 = 0 RETURNING *) SELECT count(*), sum(id), max(t) FROM d;
SELECT same_rows('SELECT * FROM tbl', 'SELECT * FROM loc');
ROLLBACK;
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM tbl WHERE id = 8 RETURNING 1;
BEGIN; DELETE FROM tbl WHERE id IN (8, 9) RETURNING 1; ROLLBACK;
WITH u AS (UPDATE tbl SET g = 1 WHERE id < 5 RETURNING tableoid::regclass, id) SELECT * FROM u ORDER BY id;
WITH u AS (UPDATE loc SET g = 1 WHERE id < 5 RETURNING id) SELECT * FROM u ORDER BY id;
-- The key is given again, as it is.
EXPLAIN (VERBOSE, COSTS OFF) UPDATE tbl SET id = 8, g = 8 WHERE id = 8;
SELECT twin('UPDATE tbl SET id = 8, g = 8 WHERE id = 8');
SELECT twin('UPDATE tbl SET id = id, g = 9 WHERE g < 2');
-- Parameters.
PREPARE u(int, text) AS UPDATE tbl SET t = $2 WHERE id = $1;
PREPARE l(int, text) AS UPDATE loc SET t = $2 WHERE id = $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE u(5, 'x');
EXECUTE u(5, 'x'); EXECUTE u(6, 'y'); EXECUTE u(7, 'z'); EXECUTE u(8, NULL); EXECUTE u(NULL, 'n'); EXECUTE u(9, 'x'); EXECUTE u(10, 'x');
EXECUTE l(5, 'x'); EXECUTE l(6, 'y'); EXECUTE l(7, 'z'); EXECUTE l(8, NULL); EXECUTE l(NULL, 'n'); EXECUTE l(9, 'x'); EXECUTE l(10, 'x');
PREPARE k(int, int) AS UPDATE tbl SET id = $1, g = $2 WHERE id = $1 RETURNING id, g;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE k(5, 1);
EXECUTE k(5, 1); EXECUTE k(6, 2);
UPDATE loc SET g = id - 4 WHERE id IN (5, 6);
SET plan_cache_mode = force_custom_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE u(5, 'x');
EXECUTE u(5, '5'); EXECUTE u(6, '6'); EXECUTE u(7, '7'); EXECUTE u(8, '8'); EXECUTE u(9, '9'); EXECUTE u(10, '10'); EXECUTE u(11, '11');
EXECUTE l(5, '5'); EXECUTE l(6, '6'); EXECUTE l(7, '7'); EXECUTE l(8, '8'); EXECUTE l(9, '9'); EXECUTE l(10, '10'); EXECUTE l(11, '11');
RESET plan_cache_mode;
SELECT twin('UPDATE tbl SET g = 5 WHERE false');

-- Rows whose key changes move to their new shard.
SELECT regexp_replace(plan_of('UPDATE tbl SET id = id + 1000 WHERE id = 5', 'VERBOSE, COSTS OFF'), '\m\d{5,}\M', 'OID');
SELECT twin('UPDATE tbl SET id = id + 1001 WHERE id = 5');
SELECT twin('UPDATE tbl SET id = id + 1, g = 50 WHERE id BETWEEN 100 AND 110');
SELECT twin('UPDATE tbl SET id = -id');
SELECT twin('UPDATE tbl SET id = -id - 3');
SELECT twin('UPDATE par SET k = k + 1');
SELECT twin('UPDATE par SET k = k * 2, w = w + 1 WHERE k < 20');
BEGIN;
UPDATE tbl SET id = id - 90 WHERE id = 20 RETURNING id, g, t;
UPDATE loc SET id = id - 90 WHERE id = 20 RETURNING id, g, t;
WITH u AS (UPDATE tbl SET id = id + 1 + id / 30 WHERE id BETWEEN 25 AND 32 RETURNING tableoid::regclass, id, g) SELECT * FROM u ORDER BY id;
UPDATE loc SET id = id + 1 + id / 30 WHERE id BETWEEN 25 AND 32;
SELECT same_rows('SELECT * FROM tbl', 'SELECT * FROM loc');
SELECT tableoid::regclass, * FROM tbl WHERE id = -70;
ROLLBACK;
SELECT twin('UPDATE tbl SET id = NULL WHERE id = 33');
SELECT twin('UPDATE tbl SET id = 777 WHERE id IS NULL');
PREPARE m(int, int) AS UPDATE tbl SET id = $2 WHERE id = $1 RETURNING id;
PREPARE ml(int, int) AS UPDATE loc SET id = $2 WHERE id = $1 RETURNING id;
SET plan_cache_mode = force_generic_plan;
EXECUTE m(777, 778); EXECUTE m(778, 779); EXECUTE m(779, 780); EXECUTE m(780, 781); EXECUTE m(781, 781); EXECUTE m(781, 782); EXECUTE m(782, 790);
EXECUTE ml(777, 790);
RESET plan_cache_mode;
SELECT same_rows('SELECT * FROM tbl', 'SELECT * FROM loc');
-- Not through the placement itself; and where it does not move it may change.
SELECT expect_error('UPDATE tbl2 SET id = id + 1');
UPDATE tbl2 SET id = id + 4 WHERE id = 790; UPDATE loc SET id = 794 WHERE id = 790;
SELECT expect_error('UPDATE par1 SET k = 2');
-- To nowhere.
CREATE TABLE gap (k int, v int); CREATE FOREIGN TABLE gap0 (CHECK (k BETWEEN 0 AND 9)) INHERITS (gap) SERVER db0; CREATE FOREIGN TABLE gap1 (CHECK (k BETWEEN 5 AND 19)) INHERITS (gap) SERVER db1;
\c :db0
CREATE TABLE gap0 (k int, v int);
\c :db1
CREATE TABLE gap1 (k int, v int);
\c :coord
INSERT INTO gap0 VALUES (1, 1), (6, 6); INSERT INTO gap1 VALUES (6, 16), (12, 12);
SELECT expect_error('UPDATE gap SET k = 25 WHERE k = 6');
-- Where rules overlap a row stays while it may.
UPDATE gap SET k = 7 WHERE k = 6; SELECT tableoid::regclass, * FROM gap ORDER BY 1, 2, 3;
UPDATE gap SET k = k + 4; SELECT tableoid::regclass, * FROM gap ORDER BY 1, 2, 3;
UPDATE gap SET k = NULL WHERE k = 11; SELECT tableoid::regclass, * FROM gap ORDER BY 1, 2, 3;
-- Rows with equal ctids in the partitions of a remote table.
SELECT tableoid::regclass, count(*), count(DISTINCT ctid) < count(*) AS ambiguous FROM par GROUP BY 1 ORDER BY 1;
SELECT twin('UPDATE par SET r = r || ''!'', k = k + 2 * (random()::int / 2) WHERE k % 3 = 0');
SELECT twin('DELETE FROM par WHERE k % 5 = 0 AND random() >= 0');

-- Joins, sub-selects, multi-assignment.
CREATE TABLE src AS SELECT i AS id, 'src' || i AS t FROM generate_series(-300, 300, 3) i;
SELECT twin('UPDATE tbl SET t = s.t FROM src s WHERE s.id = tbl.id');
SELECT twin('UPDATE tbl SET id = tbl.id + 1, t = s.t FROM src s WHERE s.id = tbl.id');
SELECT twin('DELETE FROM tbl USING src s WHERE s.id = tbl.id AND s.id % 2 = 0');
SELECT twin('UPDATE tbl SET (g, v) = (SELECT count(*), max(s.id) FROM src s WHERE s.id < tbl.id)');
SELECT twin('UPDATE tbl SET v = DEFAULT, g = (SELECT max(id) FROM src) WHERE id < -100');
SELECT twin('UPDATE tbl a SET g = b.g + 1 FROM tbl b WHERE a.id = b.id AND b.g > 2');
SELECT twin('DELETE FROM tbl a USING tbl b WHERE a.id = b.id + 1 AND b.g = 3');
SELECT regexp_replace(plan_of($$UPDATE tbl SET t = 'none' WHERE NOT EXISTS (SELECT 1 FROM tbl b WHERE b.id = tbl.id + 1)$$, 'VERBOSE, COSTS OFF'), '\m\d{5,}\M', 'OID');
SELECT twin('UPDATE tbl SET t = ''none'' WHERE NOT EXISTS (SELECT 1 FROM tbl b WHERE b.id = tbl.id + 1)');
EXPLAIN (VERBOSE, COSTS OFF) UPDATE tbl a SET v = b.g + a.g FROM tbl b WHERE a.id = b.id AND b.g > 100;
SELECT twin('UPDATE tbl a SET v = b.g + a.g FROM tbl b WHERE a.id = b.id AND b.g > 100');
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM tbl a WHERE EXISTS (SELECT FROM tbl b WHERE a.id = b.id AND b.g = 102) RETURNING id, g;
SELECT twin('DELETE FROM tbl a WHERE EXISTS (SELECT FROM tbl b WHERE a.id = b.id AND b.g = 102)');
EXPLAIN (VERBOSE, COSTS OFF) UPDATE tbl a SET v = b.g + a.g FROM tbl b WHERE a.id = b.id AND a.id = 31 RETURNING a.*, b.v;
UPDATE tbl a SET v = b.g + a.g FROM tbl b WHERE a.id = b.id AND a.id = 31 RETURNING a.*, b.g;
UPDATE loc a SET v = b.g + a.g FROM loc b WHERE a.id = b.id AND a.id = 31 RETURNING a.*, b.g;
PREPARE j(int) AS UPDATE tbl a SET v = b.g + a.g FROM tbl b WHERE a.id = b.id AND a.id = $1 RETURNING a.id;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE j(31);
EXECUTE j(31); EXECUTE j(32); EXECUTE j(31); EXECUTE j(31); EXECUTE j(31); EXECUTE j(31); EXECUTE j(31);
RESET plan_cache_mode;
UPDATE loc SET v = g + g WHERE id IN (31, 32);
SELECT twin('UPDATE tbl SET g = 1 / (g - g) WHERE id = (SELECT max(id) FROM tbl)');

-- Triggers.
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '% % % % %', TG_WHEN, TG_OP, TG_LEVEL, TG_TABLE_NAME, CASE TG_LEVEL WHEN 'ROW' THEN concat(OLD, ' -> ', NEW) END; RETURN COALESCE(NEW, OLD); END $$;
CREATE TRIGGER statement BEFORE UPDATE OR DELETE ON tbl FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER statement_after AFTER UPDATE OR DELETE ON tbl FOR EACH STATEMENT EXECUTE FUNCTION note();
UPDATE tbl SET g = g WHERE id > 100; DELETE FROM tbl WHERE id = 1000000;
CREATE TRIGGER before BEFORE UPDATE ON tbl1 FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER arrives AFTER INSERT ON tbl2 FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO tbl VALUES (401, 1, 1, 'moves');
EXPLAIN (COSTS OFF) UPDATE tbl SET g = 2 WHERE id = 401;
UPDATE tbl SET id = 402 WHERE id = 401 RETURNING *;
CREATE TRIGGER after AFTER UPDATE ON tbl2 FOR EACH ROW EXECUTE FUNCTION note();
UPDATE tbl SET id = 403 WHERE id = 402 RETURNING *;
UPDATE tbl SET id = 402 WHERE id = 403; UPDATE tbl SET g = 3 WHERE id = 402;
DROP TRIGGER statement ON tbl; DROP TRIGGER statement_after ON tbl; DROP TRIGGER before ON tbl1; DROP TRIGGER arrives ON tbl2; DROP TRIGGER after ON tbl2;
DELETE FROM tbl WHERE id = 402;
-- A row that moves is deleted and inserted: triggers fire as they do for PostgreSQL's partitions.
CREATE TABLE told (n serial, line text); CREATE TABLE pt (k int, v int, t text) PARTITION BY LIST ((k % 2));
CREATE FOREIGN TABLE pt0 PARTITION OF pt FOR VALUES IN (0) SERVER db0; CREATE FOREIGN TABLE pt1 PARTITION OF pt FOR VALUES IN (1) SERVER db1;
CREATE TABLE lt (k int, v int, t text) PARTITION BY LIST ((k % 2)); CREATE TABLE lt0 PARTITION OF lt FOR VALUES IN (0); CREATE TABLE lt1 PARTITION OF lt FOR VALUES IN (1);
\c :db0
CREATE TABLE pt0 (k int, v int, t text);
\c :db1
CREATE TABLE pt1 (k int, v int, t text);
\c :coord
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO told (line) VALUES (format('%s %s %s %s %s', TG_WHEN, TG_OP, right(TG_TABLE_NAME, 1), CASE WHEN TG_OP <> 'INSERT' THEN OLD END, CASE WHEN TG_OP <> 'DELETE' THEN NEW END));
  IF TG_OP = 'DELETE' THEN IF TG_WHEN = 'BEFORE' AND OLD.v = 9 THEN RETURN NULL; END IF; RETURN OLD; END IF;
  IF TG_WHEN = 'BEFORE' THEN NEW.t := NEW.t || lower(left(TG_OP, 1)); IF TG_OP = 'INSERT' AND NEW.v = 8 THEN RETURN NULL; END IF; END IF;
  RETURN NEW;
END $$;
-- The same on both; what the triggers have told, and RETURNING.
CREATE PROCEDURE both_sides(statement text, in_order boolean DEFAULT false) LANGUAGE plpgsql AS $$
DECLARE which text; told_there text[]; told_here text; failed text; changed bigint; back text[];
BEGIN
  FOREACH which IN ARRAY ARRAY['pt', 'lt'] LOOP
    TRUNCATE told RESTART IDENTITY; failed := ''; changed := NULL;
    BEGIN
      EXECUTE regexp_replace(statement, '\mT\M', which, 'g'); GET DIAGNOSTICS changed = ROW_COUNT;
    EXCEPTION WHEN OTHERS THEN failed := SQLSTATE;
    END;
    -- Rows of several placements are changed in any order.
    SELECT concat(changed, failed, string_agg(E'\n' || line, '' ORDER BY CASE WHEN in_order THEN n END, line)) INTO told_here FROM told;
    told_there := told_there || told_here;
  END LOOP;
  IF told_there[1] IS DISTINCT FROM told_there[2] THEN RAISE WARNING E'DIFFERENT: %\nlocally %', told_there[1], told_there[2]; ELSE RAISE NOTICE '%', told_there[1]; END IF;
  EXECUTE 'SELECT array_agg(x ORDER BY x) FROM (SELECT right(tableoid::regclass::text, 1) || pt::text AS x FROM pt EXCEPT ALL SELECT right(tableoid::regclass::text, 1) || lt::text FROM lt) d' INTO back;
  IF back IS NOT NULL THEN RAISE WARNING 'DIFFERENT: %', back; END IF;
END $$;
INSERT INTO pt SELECT i, i, 'r' FROM generate_series(1, 12) i; INSERT INTO lt TABLE pt;
CREATE TRIGGER tell_after AFTER INSERT OR UPDATE OR DELETE ON pt FOR EACH ROW EXECUTE FUNCTION tell(); CREATE TRIGGER tell_after AFTER INSERT OR UPDATE OR DELETE ON lt FOR EACH ROW EXECUTE FUNCTION tell();
CALL both_sides('UPDATE T SET k = k + 1 WHERE k = 1', true);
CALL both_sides('UPDATE T SET k = k + 2, v = v + 20 WHERE k = 2');
CALL both_sides('UPDATE T SET k = k + k % 3, t = t || ''m'' WHERE k > 6');
CREATE TRIGGER tell_before BEFORE INSERT OR UPDATE OR DELETE ON pt FOR EACH ROW EXECUTE FUNCTION tell(); CREATE TRIGGER tell_before BEFORE INSERT OR UPDATE OR DELETE ON lt FOR EACH ROW EXECUTE FUNCTION tell();
CALL both_sides('UPDATE T SET k = k + 1 WHERE v = 5', true);
CALL both_sides('UPDATE T SET k = k + 1 WHERE v IN (3, 4)');
CALL both_sides('UPDATE T SET k = k + 1, v = v WHERE v IN (7, 8, 9, 10)');
CALL both_sides('UPDATE T SET k = k + 1, v = 8 WHERE v = 11', true);
CALL both_sides('UPDATE T SET v = v + 100 WHERE v < 6');
CALL both_sides('UPDATE T SET k = k + 3, v = 1 / (v - 106) WHERE v > 100');
CALL both_sides('DELETE FROM T WHERE v < 10');
WITH u AS (UPDATE pt SET k = k + 1 WHERE v = 12 RETURNING k, v, t) SELECT * FROM u;
WITH u AS (UPDATE lt SET k = k + 1 WHERE v = 12 RETURNING k, v, t) SELECT * FROM u;
SELECT expect_error('UPDATE pt SET k = k + 1 WHERE v = 12 RETURNING tableoid');
DROP TRIGGER tell_before ON pt; DROP TRIGGER tell_before ON lt; DROP TRIGGER tell_after ON pt; DROP TRIGGER tell_after ON lt;
CREATE TRIGGER tell_update AFTER UPDATE ON pt1 FOR EACH ROW EXECUTE FUNCTION tell(); CREATE TRIGGER tell_update AFTER UPDATE ON lt1 FOR EACH ROW EXECUTE FUNCTION tell();
CALL both_sides('UPDATE T SET k = k + 1 + k % 2');
CALL both_sides('UPDATE T SET k = k + 1 + k % 2');

-- Views, policies, privileges.
CREATE VIEW seen AS SELECT * FROM tbl WHERE g < 100 WITH CHECK OPTION; CREATE VIEW seen_all AS SELECT id, g AS h, t FROM tbl;
UPDATE seen_all SET h = 60 WHERE id = 794 RETURNING *; UPDATE loc SET g = 60 WHERE id = 794;
SELECT expect_error('UPDATE seen SET g = 100 WHERE id = 794');
CREATE ROLE regress_changer; GRANT SELECT, DELETE, UPDATE (g, id) ON tbl TO regress_changer; CREATE USER MAPPING FOR regress_changer SERVER db0 OPTIONS (user 'postgres', password_required 'false'); CREATE USER MAPPING FOR regress_changer SERVER db1 OPTIONS (user 'postgres', password_required 'false'); CREATE USER MAPPING FOR regress_changer SERVER db2 OPTIONS (user 'postgres', password_required 'false'); CREATE USER MAPPING FOR regress_changer SERVER db3 OPTIONS (user 'postgres', password_required 'false');
ALTER TABLE tbl ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON tbl USING (g < 70) WITH CHECK (g < 65);
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO regress_changer;
SET ROLE regress_changer;
UPDATE tbl SET g = 61 WHERE id = 794 RETURNING id, g;
SELECT expect_error('UPDATE tbl SET g = 66 WHERE id = 794');
SELECT expect_error('UPDATE tbl SET id = 795, g = 66 WHERE id = 794');
SELECT expect_error('UPDATE tbl SET t = NULL WHERE id = 794');
UPDATE tbl SET id = 795 WHERE id = 794 RETURNING id, g;
DELETE FROM tbl WHERE id = 795 RETURNING id;
RESET ROLE;
ALTER TABLE tbl DISABLE ROW LEVEL SECURITY; DELETE FROM loc WHERE id = 794;
-- Cursors do not work on foreign tables.
BEGIN; DECLARE c CURSOR FOR SELECT * FROM tbl WHERE id = 31; FETCH c; SELECT expect_error('UPDATE tbl SET g = 0 WHERE CURRENT OF c'); ROLLBACK;
-- Rows of the parent's own are seen again.
PREPARE own AS UPDATE tbl SET g = 0 WHERE id = 8000;
SET plan_cache_mode = force_generic_plan; EXECUTE own;
DO $$ BEGIN
  FOR n IN 0..3 LOOP EXECUTE format('ALTER FOREIGN TABLE tbl%s NO INHERIT tbl', n); END LOOP;
  INSERT INTO tbl VALUES (8000, 1, 1, 'own');
  FOR n IN 0..3 LOOP EXECUTE format('ALTER FOREIGN TABLE tbl%s INHERIT tbl', n); END LOOP;
END $$;
EXECUTE own; SELECT g FROM ONLY tbl; TRUNCATE ONLY tbl; EXECUTE own;
RESET plan_cache_mode;
-- ON CONFLICT does not misplace rows either.
SELECT expect_error('INSERT INTO tbl1 VALUES (1) ON CONFLICT (id) DO UPDATE SET id = tbl1.id + 1');
-- As before without the one node.
SET shard_fdw.enable_sharded_scan = off;
EXPLAIN (COSTS OFF) UPDATE tbl SET g = 1 WHERE id = 31;
SELECT twin('UPDATE tbl SET g = g + 1'); SELECT twin('UPDATE tbl SET id = id + 3'); SELECT twin('DELETE FROM tbl WHERE id % 2 = 0');

-- UPDATE and DELETE of a sharded parent whose rows have to be looked at here: one scan finds them, and each is changed on its
-- own shard.
\i common/shards.sql
\c :db0
CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN small AS int CHECK (VALUE < 1000);
CREATE TABLE tbl0 (id int, g int CHECK (g < 10000), v numeric(10,2), t text, a int[], j jsonb, f float8, d timestamptz);
CREATE TABLE odd0 (id int, m mood, s small, c varchar(5)); CREATE TABLE one0 (id int, g int);
CREATE TABLE par0 (k int NOT NULL, r text, w int) PARTITION BY LIST (w); CREATE TABLE par0a PARTITION OF par0 FOR VALUES IN (0, NULL); CREATE TABLE par0b PARTITION OF par0 DEFAULT;
CREATE FUNCTION louder() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.g = 77 THEN NEW.t := NEW.t || '!'; END IF; IF NEW.g = 78 THEN RETURN NULL; END IF; RETURN NEW; END $$;
CREATE TRIGGER louder BEFORE UPDATE ON tbl0 FOR EACH ROW EXECUTE FUNCTION louder();
\c :db1
CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN small AS int CHECK (VALUE < 1000);
CREATE TABLE tbl1 (id int, g int CHECK (g < 10000), v numeric(10,2), t text, a int[], j jsonb, f float8, d timestamptz);
CREATE TABLE odd1 (id int, m mood, s small, c varchar(5)); CREATE TABLE one1 (id int, g int);
CREATE TABLE par1 (k int NOT NULL, r text, w int) PARTITION BY LIST (w); CREATE TABLE par1a PARTITION OF par1 FOR VALUES IN (0, NULL); CREATE TABLE par1b PARTITION OF par1 DEFAULT;
CREATE FUNCTION louder() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.g = 77 THEN NEW.t := NEW.t || '!'; END IF; IF NEW.g = 78 THEN RETURN NULL; END IF; RETURN NEW; END $$;
CREATE TRIGGER louder BEFORE UPDATE ON tbl1 FOR EACH ROW EXECUTE FUNCTION louder();
\c :coord
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE tbl (id int, g int, v numeric(10,2), t text, a int[], j jsonb, f float8, d timestamptz);
CREATE FOREIGN TABLE tbl0 (CHECK (abs(mod(id,2)) = 0)) INHERITS (tbl) SERVER db0;
CREATE FOREIGN TABLE tbl1 (CHECK (abs(mod(id,2)) = 1)) INHERITS (tbl) SERVER db1;
CREATE TABLE odd (id int, m mood, s int, c varchar(5)) PARTITION BY LIST ((abs(mod(id,2))));
CREATE FOREIGN TABLE odd0 PARTITION OF odd FOR VALUES IN (0) SERVER db0;
CREATE FOREIGN TABLE odd1 PARTITION OF odd FOR VALUES IN (1) SERVER db1;
CREATE TABLE par (k int NOT NULL, r text, w int) PARTITION BY LIST ((k % 2));
CREATE FOREIGN TABLE par0 PARTITION OF par FOR VALUES IN (0) SERVER db0;
CREATE FOREIGN TABLE par1 PARTITION OF par FOR VALUES IN (1) SERVER db1;
CREATE TABLE loc (LIKE tbl, CHECK (g < 10000));
INSERT INTO loc SELECT i, i % 7, i / 4.0, 'a' || i, ARRAY[i, NULL], jsonb_build_object('i', i), i / 3.0, '2020-01-01 00:00+00'::timestamptz + i * interval '1h' FROM generate_series(1, 2000) i;
INSERT INTO loc (id) VALUES (2001), (2002);
CREATE FUNCTION louder() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.g = 77 THEN NEW.t := NEW.t || '!'; END IF; IF NEW.g = 78 THEN RETURN NULL; END IF; RETURN NEW; END $$;
CREATE TRIGGER louder BEFORE UPDATE ON loc FOR EACH ROW EXECUTE FUNCTION louder();
INSERT INTO tbl SELECT * FROM loc; ANALYZE tbl; ANALYZE tbl0; ANALYZE tbl1;
CREATE TABLE oddloc AS SELECT i AS id, (ARRAY['sad', 'ok'])[1 + i % 2]::mood AS m, i AS s, ('c' || i)::varchar(5) AS c FROM generate_series(1, 300) i;
INSERT INTO odd SELECT * FROM oddloc;
CREATE TABLE parloc AS SELECT i AS k, 'r' || i AS r, i % 3 AS w FROM generate_series(1, 600) i;
INSERT INTO par SELECT * FROM parloc;
CREATE TABLE src AS SELECT i AS id, 'src' || i AS t FROM generate_series(-300, 3000, 3) i;
CREATE TABLE twice AS SELECT id, t FROM src UNION ALL SELECT id, t FROM src;
CREATE FUNCTION here(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 + 1; END';
CREATE FUNCTION here_now(int) RETURNS int LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN $1 + 1; END';
-- The same statement on a sharded table and on its local twin; then both tables are compared.
CREATE FUNCTION twin(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE remote bigint; local bigint; remote_error text; local_error text; line text;
BEGIN
  BEGIN
    EXECUTE statement; GET DIAGNOSTICS remote = ROW_COUNT;
  EXCEPTION WHEN OTHERS THEN remote_error := SQLSTATE;
  END;
  BEGIN
    EXECUTE regexp_replace(regexp_replace(regexp_replace(statement, '\mtbl\M', 'loc', 'g'), '\mpar\M', 'parloc', 'g'), '\modd\M', 'oddloc', 'g'); GET DIAGNOSTICS local = ROW_COUNT;
  EXCEPTION WHEN OTHERS THEN local_error := SQLSTATE;
  END;
  IF remote IS DISTINCT FROM local OR remote_error IS DISTINCT FROM local_error THEN
    RETURN NEXT format('DIFFERENT: %s rows %s, locally %s rows %s', remote, remote_error, local, local_error);
  END IF;
  FOR line IN SELECT * FROM same_rows('SELECT * FROM tbl', 'SELECT * FROM loc') UNION ALL SELECT * FROM same_rows('SELECT * FROM par', 'SELECT * FROM parloc') UNION ALL SELECT * FROM same_rows('SELECT * FROM odd', 'SELECT * FROM oddloc') LOOP
    IF line NOT LIKE '%compared' THEN RETURN NEXT line; END IF;
  END LOOP;
  RETURN NEXT format('%s rows %s', remote, remote_error);
END $$;
CREATE FUNCTION plan(statement text) RETURNS SETOF text LANGUAGE sql AS $$ SELECT regexp_replace(plan_of(statement, 'VERBOSE, COSTS OFF'), '\m\d{5,}\M', 'OID') $$;

-- Conditions and new values that are computed here.
SELECT plan('UPDATE tbl SET g = here(g), t = upper(t) WHERE v > 10');
SELECT twin('UPDATE tbl SET g = here(g), t = upper(t) WHERE v > 10');
SELECT plan('UPDATE tbl SET g = g + 1 WHERE here(id) = 6');
SELECT twin('UPDATE tbl SET g = g + 1 WHERE here(id) = 6');
SELECT plan('DELETE FROM tbl WHERE here(id) % 50 = 0');
SELECT twin('DELETE FROM tbl WHERE here(id) % 50 = 0');
SELECT twin('UPDATE tbl SET v = NULL, a = a || here(g), j = j || ''{"x": [1, 2.50]}'', f = f / here(2), d = d + interval ''1 day'' * here(1) WHERE random() >= 0');
SELECT twin('UPDATE tbl SET t = NULL WHERE random() < 0');
SELECT twin('UPDATE tbl SET g = nullif(here(g), 5), a = NULL, f = ''NaN'' WHERE id % 2 = 0');
-- One shard is left.
SELECT plan('UPDATE tbl SET g = here(g) WHERE id = 5');
SELECT twin('UPDATE tbl SET g = here(g) WHERE id = 5');
SELECT twin('UPDATE tbl SET g = here(g) WHERE id IN (5, 6, 7) AND here(id) > 6');
-- Functions of the users that may look at the data: row by row.
SELECT plan('UPDATE tbl SET g = here_now(g) WHERE id < 50');
SELECT twin('UPDATE tbl SET g = here_now(g) WHERE id < 50');
SELECT twin('UPDATE tbl SET g = g + 1 WHERE here_now(id) < 50');
SELECT twin('UPDATE tbl SET g = 1 WHERE id IN (SELECT here_now(id) FROM src)');
-- Joins with local tables, sub-selects, values by several columns.
SELECT plan('UPDATE tbl SET t = s.t FROM src s WHERE s.id = tbl.id');
SELECT twin('UPDATE tbl SET t = s.t FROM src s WHERE s.id = tbl.id');
SELECT plan('DELETE FROM tbl USING src s WHERE s.id = tbl.id AND s.id % 10 = 0');
SELECT twin('DELETE FROM tbl USING src s WHERE s.id = tbl.id AND s.id % 10 = 0');
SELECT twin('UPDATE tbl SET (g, v) = (SELECT count(*) % 100, max(s.id) FROM src s WHERE s.id < tbl.id)');
SELECT twin('UPDATE tbl SET v = DEFAULT, g = (SELECT max(id) FROM src) WHERE id < 100');
SELECT twin('DELETE FROM tbl WHERE NOT EXISTS (SELECT FROM src s WHERE abs(s.id - tbl.id) < 2) AND id > 1900');
SELECT twin('UPDATE tbl SET t = p.r FROM par p WHERE p.k = tbl.g AND p.w > 0');
SELECT twin('WITH w AS (SELECT id FROM src WHERE id > 100) UPDATE tbl SET g = w.id % 9 FROM w WHERE w.id = tbl.id');
-- A row that is found twice is changed once, also where a scan is started again for each row of another one.
SELECT twin('UPDATE tbl SET g = g + 1, t = s.t FROM twice s WHERE s.id = tbl.id');
SELECT twin('DELETE FROM tbl USING twice s WHERE s.id = tbl.id AND s.id > 1500');
ALTER SERVER db0 OPTIONS (ADD fdw_startup_cost '0', ADD fdw_tuple_cost '10'); ALTER SERVER db1 OPTIONS (ADD fdw_startup_cost '0', ADD fdw_tuple_cost '10');
BEGIN;
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off; SET LOCAL enable_memoize = off;
CREATE TEMP TABLE few AS SELECT * FROM twice WHERE id BETWEEN 1 AND 30; ANALYZE few;
SELECT plan('UPDATE tbl SET g = g + here(1), t = s.t FROM few s WHERE s.id = tbl.id');
SELECT twin('UPDATE tbl SET g = g + here(1), t = s.t FROM few s WHERE s.id = tbl.id');

WITH u AS (UPDATE tbl SET g = g + here(1) FROM few s WHERE s.id = tbl.id RETURNING tbl.id, g) SELECT count(*), sum(id), sum(g) FROM u;
WITH u AS (UPDATE loc SET g = g + here(1) FROM few s WHERE s.id = loc.id RETURNING loc.id, g) SELECT count(*), sum(id), sum(g) FROM u;
SELECT same_rows('SELECT * FROM tbl', 'SELECT * FROM loc');
ROLLBACK;
SELECT same_rows('SELECT * FROM tbl', 'SELECT * FROM loc');
ALTER SERVER db0 OPTIONS (DROP fdw_startup_cost, DROP fdw_tuple_cost); ALTER SERVER db1 OPTIONS (DROP fdw_startup_cost, DROP fdw_tuple_cost);
-- RETURNING: what the shard has stored, and where.
SELECT plan('UPDATE tbl SET g = here(76) WHERE id < 5 RETURNING tableoid::regclass, id, t, tbl');
WITH u AS (UPDATE tbl SET g = here(76) WHERE id < 5 RETURNING tableoid::regclass, id, t, ctid IS NOT NULL AS c, tbl) SELECT * FROM u ORDER BY id;
UPDATE loc SET g = here(76) WHERE id < 5;
WITH u AS (UPDATE tbl SET g = here(77) WHERE id < 5 RETURNING *) SELECT count(*) FROM u;
WITH d AS (DELETE FROM tbl WHERE id < here(10) RETURNING id, tableoid::regclass, g, v + 1 AS w) SELECT * FROM d ORDER BY id;
WITH d AS (DELETE FROM loc WHERE id < here(10) RETURNING id, g, v + 1 AS w) SELECT * FROM d ORDER BY id;
SELECT same_rows('SELECT * FROM tbl', 'SELECT * FROM loc');
-- What makes a statement for all shards impossible, by itself.
WITH u AS (UPDATE tbl SET g = 8 WHERE id IN (11, 12) RETURNING tableoid::regclass, id) SELECT * FROM u ORDER BY id; UPDATE loc SET g = 8 WHERE id IN (11, 12);
UPDATE tbl SET g = 9 WHERE tableoid = 'tbl1'::regclass AND id < 20; UPDATE loc SET g = 9 WHERE id % 2 = 1 AND id < 20;
UPDATE tbl SET t = tbl::text WHERE id = 13; UPDATE loc SET t = loc::text WHERE id = 13;
SELECT expect_error('UPDATE tbl SET t = xmin::text || xmax::text || cmin::text || cmax::text WHERE id = here(13)');
UPDATE tbl SET g = 10 WHERE xmin::text <> '' AND cmax::text <> '' AND id = here(13); UPDATE loc SET g = 10 WHERE id = 14;
SELECT same_rows('SELECT * FROM tbl', 'SELECT * FROM loc');
-- Types that do not travel in arrays; errors; remote partitions; remote triggers.
SELECT twin('UPDATE odd SET m = ''sad'', c = ''x'' || here(id % 1000) WHERE m = ''ok''');
SELECT twin('UPDATE odd SET s = here(s) WHERE s < 999');
SELECT twin('UPDATE odd SET c = ''too long'' || here(1)');
SELECT expect_error('UPDATE tbl SET g = 9999 + here(id) WHERE id > 20 AND here(id) % 2 = 1');
SELECT same_rows('SELECT * FROM tbl', 'SELECT * FROM loc');
SELECT twin('UPDATE par SET r = r || here(k), w = w + 1 WHERE here(w) < 3');
SELECT twin('DELETE FROM par WHERE here(w) = 2');
SELECT twin('UPDATE tbl SET g = here(id * 0 + 76) WHERE id % 3 = 0');
SELECT twin('UPDATE tbl SET g = here(id * 0 + 77) WHERE id % 3 = 1');
SELECT twin('UPDATE tbl SET g = 1 / (here(g) - 79)');
-- Transactions; parameters; cached plans.
BEGIN;
SELECT twin('UPDATE tbl SET g = here(id % 3) WHERE id < 300'); SAVEPOINT s; SELECT twin('DELETE FROM tbl WHERE here(id) > 300'); ROLLBACK TO s;
SELECT same_rows('SELECT * FROM tbl', 'SELECT * FROM loc');
COMMIT;
PREPARE u(int, int) AS UPDATE tbl SET g = here($2 + g) WHERE id = $1;
PREPARE l(int, int) AS UPDATE loc SET g = here($2 + g) WHERE id = $1;
SET plan_cache_mode = force_generic_plan;
SELECT plan('EXECUTE u(21, 1)');
EXECUTE u(21, 1); EXECUTE u(22, 2); EXECUTE u(NULL, 3); EXECUTE u(23, NULL); EXECUTE u(24, 5); EXECUTE u(25, 5); EXECUTE u(26, 5);
EXECUTE l(21, 1); EXECUTE l(22, 2); EXECUTE l(NULL, 3); EXECUTE l(23, NULL); EXECUTE l(24, 5); EXECUTE l(25, 5); EXECUTE l(26, 5);
RESET plan_cache_mode;
SELECT same_rows('SELECT * FROM tbl', 'SELECT * FROM loc');
WITH a AS (UPDATE tbl SET g = here(id % 40) WHERE id < 40), b AS (DELETE FROM tbl WHERE here(id) > 1000) SELECT 1;
WITH a AS (UPDATE loc SET g = here(id % 40) WHERE id < 40), b AS (DELETE FROM loc WHERE here(id) > 1000) SELECT 1;
SELECT same_rows('SELECT * FROM tbl', 'SELECT * FROM loc');
SELECT plan_of('UPDATE tbl SET g = here(g * 0 + 1) WHERE id < 100', 'ANALYZE, COSTS OFF');
SELECT twin('UPDATE tbl SET g = 2 WHERE id < 100');
-- Statement triggers see it as one statement of the parent; row triggers are the children's.
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '% % % %', TG_WHEN, TG_OP, TG_LEVEL, TG_TABLE_NAME; RETURN COALESCE(NEW, OLD); END $$;
CREATE TRIGGER statement BEFORE UPDATE OR DELETE ON tbl FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER statement_after AFTER UPDATE OR DELETE ON tbl FOR EACH STATEMENT EXECUTE FUNCTION note();
UPDATE tbl SET g = here(1) WHERE id = 31 RETURNING tableoid::regclass, id, g; UPDATE loc SET g = 2 WHERE id = 31;
DELETE FROM tbl WHERE here(id) = 0;
CREATE TRIGGER row_trigger BEFORE UPDATE ON tbl1 FOR EACH ROW EXECUTE FUNCTION note();
EXPLAIN (COSTS OFF) UPDATE tbl SET g = here(2) WHERE id IN (31, 32);
UPDATE tbl SET g = here(2) WHERE id IN (31, 32); UPDATE loc SET g = 3 WHERE id IN (31, 32);
DROP TRIGGER statement ON tbl; DROP TRIGGER statement_after ON tbl; DROP TRIGGER row_trigger ON tbl1;
-- Views and policies.
CREATE VIEW seen AS SELECT * FROM tbl WHERE g < 100 WITH CHECK OPTION;
SELECT plan('UPDATE seen SET g = here(g) WHERE id = 33');
UPDATE seen SET g = here(70) WHERE id = 33 RETURNING id, g; UPDATE loc SET g = 71 WHERE id = 33;
SELECT expect_error('UPDATE seen SET g = here(g) + 100 WHERE id IN (33, 34)');
CREATE ROLE regress_changer; GRANT SELECT, DELETE, UPDATE (g) ON tbl TO regress_changer; CREATE USER MAPPING FOR regress_changer SERVER db0 OPTIONS (user 'postgres', password_required 'false'); CREATE USER MAPPING FOR regress_changer SERVER db1 OPTIONS (user 'postgres', password_required 'false');
ALTER TABLE tbl ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON tbl USING (g < 75) WITH CHECK (g < 73);
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO regress_changer;
SET ROLE regress_changer;
UPDATE tbl SET g = here(g) WHERE id = 33 RETURNING id, g;
SELECT expect_error('UPDATE tbl SET g = here(g) WHERE id = 33');
SELECT expect_error('UPDATE tbl SET t = here(g) WHERE id = 33');
UPDATE tbl SET g = here(10) WHERE g > 74;
DELETE FROM tbl WHERE here(id) = 34;
RESET ROLE;
ALTER TABLE tbl DISABLE ROW LEVEL SECURITY; UPDATE loc SET g = 72 WHERE id = 33; DELETE FROM loc WHERE id = 33;
SELECT same_rows('SELECT * FROM tbl', 'SELECT * FROM loc');
-- Rows that move and rows that stay, in one statement.
SELECT plan('UPDATE tbl SET id = here(id) + id % 3, g = 6 WHERE id > 700 RETURNING tableoid::regclass, id');
SELECT twin('UPDATE tbl SET id = here(id) + id % 3, g = 6 WHERE id > 700');
SELECT twin('UPDATE tbl SET id = tbl.id + 5, t = s.t FROM twice s WHERE s.id = tbl.id AND s.id < 900');
SELECT twin('UPDATE par SET k = k + here(w) + 1000');
SELECT twin('UPDATE odd SET id = id + here(s) WHERE c IS NOT NULL');
SELECT twin('UPDATE tbl SET id = NULL WHERE here(id) = 601');
SELECT expect_error('UPDATE par SET k = CASE WHEN k > 1200 THEN here(k) END');
SELECT tableoid::regclass, count(*), bool_and(abs(mod(id, 2)) = CASE tableoid::regclass::text WHEN 'tbl0' THEN 0 ELSE 1 END) FROM tbl GROUP BY 1 ORDER BY 1;
-- Dropped columns.
DROP VIEW seen; ALTER TABLE tbl DROP COLUMN v; ALTER TABLE loc DROP COLUMN v;
SELECT twin('UPDATE tbl SET t = here(id)::text, j = NULL WHERE id % 5 = 0');
-- However many shards there are, there is one scan.
CREATE TABLE many (id int, g int);
DO $$ BEGIN
  FOR n IN 0..255 LOOP EXECUTE format('CREATE FOREIGN TABLE many%s (CHECK (abs(mod(id, 256)) = %s)) INHERITS (many) SERVER db%s OPTIONS (table_name %L)', n, n, n % 2, 'one' || n % 2); END LOOP;
END $$;
EXPLAIN (COSTS OFF) UPDATE many SET g = here(g);
EXPLAIN (COSTS OFF) DELETE FROM many USING src WHERE src.id = many.id;

-- INSERT, UPDATE, DELETE, TRUNCATE and COPY on foreign tables; savepoints.
\i common/shards.sql
\c :db0
CREATE TABLE items (id int PRIMARY KEY, v text DEFAULT 'remote default', n int CHECK (n > 0));
CREATE TABLE log (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.log VALUES (TG_OP); IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; NEW.v := NEW.v || '+'; RETURN NEW; END $$;
\c :coord
CREATE FOREIGN TABLE items (id int, v text DEFAULT 'local default', n int) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE log (what text) SERVER db0 OPTIONS (schema_name 'public');

INSERT INTO items VALUES (1, 'one', 1), (2, 'two', 2), (3, NULL, NULL) RETURNING *;
INSERT INTO items (id) VALUES (4) RETURNING v, id;
INSERT INTO items SELECT n, 'n ' || n, n FROM generate_series(10, 2500) n;
SELECT count(*), min(id), max(id), sum(n) FROM items;
UPDATE items SET v = v || '!', n = n + 1 WHERE id <= 2 RETURNING *;
UPDATE items SET n = n * 2 FROM (VALUES (1, 10), (2, 20)) s(id, x) WHERE items.id = s.id RETURNING items.*, s.x;
UPDATE items SET id = 5 WHERE id = 4 RETURNING *;
WITH gone AS (DELETE FROM items WHERE id > 2400 RETURNING id) SELECT count(*), min(id), max(id) FROM gone;
DELETE FROM items USING generate_series(10, 2390) g WHERE g = items.id;
SELECT * FROM items ORDER BY id;
DELETE FROM items WHERE id >= 10;
WITH gone AS (DELETE FROM items WHERE id = 5 RETURNING *) INSERT INTO items SELECT id + 1, v, 7 FROM gone RETURNING *;
WITH changed AS (UPDATE items SET n = 9 WHERE id = 6 RETURNING id) SELECT id, (SELECT count(*) FROM items) FROM changed;

-- Generic plans.
SET plan_cache_mode = force_generic_plan;
PREPARE upd (int, text) AS UPDATE items SET v = $2 WHERE id = $1 RETURNING id, v;
EXECUTE upd(1, 'a'); EXECUTE upd(2, 'b'); EXECUTE upd(99, 'c'); EXECUTE upd(1, NULL);
PREPARE ins (int, text) AS INSERT INTO items VALUES ($1, $2, 1);
EXECUTE ins(20, 'x'); EXECUTE ins(21, 'y');
PREPARE del (int) AS DELETE FROM items WHERE id >= $1 RETURNING id;
EXECUTE del(20);
RESET plan_cache_mode;

-- Errors leave nothing behind; columns and constraints are named.
SELECT expect_error('INSERT INTO items VALUES (1, ''again'', 1)');
SELECT expect_error('INSERT INTO items VALUES (30, ''bad'', 0)');
SELECT expect_error('UPDATE items SET n = -1 WHERE id = 1');
SELECT expect_error('INSERT INTO items SELECT n, ''batch'', 50 - n FROM generate_series(48, 51) n');
SELECT count(*) FROM items WHERE id >= 30;
INSERT INTO items VALUES (1, 'kept', 1) ON CONFLICT DO NOTHING;
SELECT * FROM items WHERE id = 1;
ALTER FOREIGN TABLE items ADD CONSTRAINT local_check CHECK (v <> 'forbidden');
INSERT INTO items VALUES (31, 'forbidden', 1);
ALTER FOREIGN TABLE items DROP CONSTRAINT local_check;

-- Triggers on the other side are seen in RETURNING; triggers here run, too.
\c :db0
CREATE TRIGGER note BEFORE INSERT OR UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION note();
\c :coord
INSERT INTO items VALUES (40, 'trigger', 1) RETURNING *;
UPDATE items SET v = 'changed' WHERE id = 40 RETURNING *;
DELETE FROM items WHERE id = 40 RETURNING *;
SELECT * FROM log;
CREATE FUNCTION here() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE NOTICE '% % % %', TG_WHEN, TG_OP, OLD, NEW; IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$;
CREATE TRIGGER before BEFORE INSERT OR UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION here();
CREATE TRIGGER after AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION here();
INSERT INTO items VALUES (41, 'both', 1);
UPDATE items SET n = 2 WHERE id = 41;
DELETE FROM items WHERE id = 41;
DROP TRIGGER before ON items;
DROP TRIGGER after ON items;

-- COPY both ways.
COPY items FROM stdin;
50	copied	1
51	\N	2
\.
COPY (SELECT * FROM items WHERE id >= 50 ORDER BY id) TO stdout;

-- Views with a check option, updatable or not.
CREATE VIEW small AS SELECT * FROM items WHERE id < 60 WITH CHECK OPTION;
INSERT INTO small VALUES (52, 'view', 1);
INSERT INTO small VALUES (60, 'out', 1);
UPDATE small SET id = 61 WHERE id = 52;
SELECT id FROM items WHERE id BETWEEN 52 AND 61 ORDER BY id;
ALTER FOREIGN TABLE items OPTIONS (ADD updatable 'false');
DELETE FROM items;
ALTER FOREIGN TABLE items OPTIONS (SET updatable 'true');

-- Savepoints.
TRUNCATE log;
BEGIN;
INSERT INTO log VALUES ('a');
SAVEPOINT one;
INSERT INTO log VALUES ('b');
SAVEPOINT two;
INSERT INTO log VALUES ('c');
ROLLBACK TO two;
INSERT INTO log VALUES ('d');
RELEASE one;
SAVEPOINT three;
INSERT INTO items VALUES (1, 'again', 1);
ROLLBACK TO three;
SELECT string_agg(what, ' ' ORDER BY what) FROM log;
COMMIT;
SELECT string_agg(what, ' ' ORDER BY what) FROM log;
DO $$
BEGIN
  FOR i IN 1..4 LOOP
    BEGIN
      INSERT INTO log VALUES ('loop ' || i);
      IF i % 2 = 0 THEN RAISE EXCEPTION 'even'; END IF;
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
  END LOOP;
END $$;
SELECT string_agg(what, ' ' ORDER BY what) FROM log;
-- A savepoint older than the remote transaction.
BEGIN;
SAVEPOINT before;
INSERT INTO log VALUES ('gone');
ROLLBACK TO before;
INSERT INTO log VALUES ('stays');
COMMIT;
SELECT string_agg(what, ' ' ORDER BY what) FROM log;

-- TRUNCATE.
TRUNCATE items, log;
SELECT (SELECT count(*) FROM items) AS items, (SELECT count(*) FROM log) AS log;
ALTER FOREIGN TABLE items OPTIONS (ADD truncatable 'false');
TRUNCATE items;
-- Read only.
BEGIN READ ONLY;
INSERT INTO log VALUES ('no');
ROLLBACK;

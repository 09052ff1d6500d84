-- INSERT ... ON CONFLICT on foreign tables, beside the same on a local table.
\i common/shards.sql
\c :db0
CREATE TABLE items (id int PRIMARY KEY, k text, n int, seen timestamptz, CONSTRAINT items_k UNIQUE (k));
CREATE UNIQUE INDEX ON items (lower(k), n) WHERE n > 100;
CREATE TABLE gen (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED);
CREATE VIEW items_view AS SELECT * FROM items;
CREATE TABLE parts (id int PRIMARY KEY, n int) PARTITION BY LIST (id);
CREATE TABLE parts_all PARTITION OF parts DEFAULT;
\c :coord
CREATE FOREIGN TABLE items (id int, key text OPTIONS (column_name 'k'), n int, seen timestamptz) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE gen (id int, a int, twice int GENERATED ALWAYS AS (a * 2) STORED) SERVER db0 OPTIONS (schema_name 'public');
CREATE TABLE twin (id int PRIMARY KEY, key text UNIQUE, n int, seen timestamptz);
CREATE UNIQUE INDEX ON twin (lower(key), n) WHERE n > 100;

-- One statement on both tables; rows it returns, then what is there. %s is the table.
CREATE FUNCTION on_both(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  remote text[]; here text[]; n int;
BEGIN
  IF statement ~ 'RETURNING' THEN
    EXECUTE format('WITH w AS (%s) SELECT array_agg(w::text ORDER BY w::text) FROM w', format(statement, 'items AS t')) INTO remote;
    EXECUTE format('WITH w AS (%s) SELECT array_agg(w::text ORDER BY w::text) FROM w', format(statement, 'twin AS t')) INTO here;
  ELSE
    EXECUTE format(statement, 'items AS t');
    GET DIAGNOSTICS n = ROW_COUNT; remote := ARRAY[n::text];
    EXECUTE format(statement, 'twin AS t');
    GET DIAGNOSTICS n = ROW_COUNT; here := ARRAY[n::text];
  END IF;
  RETURN NEXT CASE WHEN remote IS NOT DISTINCT FROM here THEN coalesce(array_to_string(remote, ' '), 'nothing')
              ELSE format('DIFFERENT: %s here: %s', remote, here) END;
  RETURN QUERY SELECT * FROM same_rows('SELECT id, key, n, seen FROM items', 'SELECT id, key, n, seen FROM twin');
END $$;

SELECT on_both('INSERT INTO %s VALUES (1, ''one'', 1), (2, ''two'', 2)');
SELECT on_both('INSERT INTO %s VALUES (1, ''again'', 1), (3, ''three'', 3) ON CONFLICT (id) DO NOTHING');
SELECT on_both('INSERT INTO %s VALUES (1, ''again'', 1), (4, ''four'', 4) ON CONFLICT (id) DO NOTHING RETURNING id, t.key');
SELECT on_both('INSERT INTO %s VALUES (9, ''two'', 1) ON CONFLICT DO NOTHING');
SELECT on_both('INSERT INTO %s VALUES (1, ''uno'', 10), (5, ''five'', 5) ON CONFLICT (id) DO UPDATE SET key = excluded.key, n = t.n + excluded.n');
SELECT on_both('INSERT INTO %s VALUES (1, ''x'', 10), (6, ''six'', 6) ON CONFLICT (id) DO UPDATE SET n = t.n * 2 RETURNING *');
SELECT on_both('INSERT INTO %s VALUES (1, ''x'', 10), (2, ''y'', 3), (7, ''seven'', 7) ON CONFLICT (id) DO UPDATE SET n = excluded.n WHERE t.n < excluded.n RETURNING id, n, 5');
SELECT on_both('INSERT INTO %s VALUES (8, ''TWO'', 300) ON CONFLICT (lower(key), n) WHERE n > 100 DO UPDATE SET key = upper(excluded.key)');
SELECT on_both('INSERT INTO %s VALUES (9, ''Two'', 300) ON CONFLICT (lower(key), n) WHERE n > 100 DO UPDATE SET key = excluded.key || t.key');
SELECT on_both('INSERT INTO %s VALUES (2, ''z'', 1) ON CONFLICT (id) DO UPDATE SET seen = now(), (key, n) = (excluded.key, 0)');
SELECT on_both('INSERT INTO %s (id) VALUES (2) ON CONFLICT (id) DO UPDATE SET seen = DEFAULT, key = DEFAULT');
SELECT on_both('INSERT INTO %s SELECT g, ''many'' || g, g FROM generate_series(1, 2500) g ON CONFLICT (id) DO UPDATE SET n = excluded.n * 10');
SELECT on_both('INSERT INTO %s SELECT g, ''many'' || g, g FROM generate_series(2400, 2600) g ON CONFLICT DO NOTHING');
SELECT on_both('INSERT INTO %s SELECT g, ''more'' || g, g FROM generate_series(2595, 2602) g ON CONFLICT (id) DO UPDATE SET key = excluded.key RETURNING id, t.key');
SELECT on_both('INSERT INTO %s SELECT 1, ''n'', sum(n) FROM twin WHERE id < 10 ON CONFLICT (id) DO UPDATE SET n = excluded.n RETURNING n');
DELETE FROM items WHERE id > 8; DELETE FROM twin WHERE id > 8;

-- What is sent.
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO items VALUES (1, 'x', 10) ON CONFLICT (id) DO NOTHING;
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO items AS i VALUES (1, 'x', 10)
  ON CONFLICT (lower(key), (n + 1)) WHERE n > 100 DO UPDATE SET n = excluded.n + i.n, seen = now() WHERE i.key <> excluded.key RETURNING id;

-- A constraint by its name: any constraint of that name here will do.
INSERT INTO items VALUES (1, 'x') ON CONFLICT ON CONSTRAINT items_k DO NOTHING;
ALTER FOREIGN TABLE items ADD CONSTRAINT items_k CHECK (true);
INSERT INTO items VALUES (100, 'one', 7) ON CONFLICT ON CONSTRAINT items_k DO NOTHING;
INSERT INTO items VALUES (100, 'five', 7) ON CONFLICT ON CONSTRAINT items_k DO UPDATE SET n = 77;
SELECT id, key, n FROM items WHERE n = 77;
INSERT INTO items VALUES (1, 'x') ON CONFLICT (n) DO NOTHING;
UPDATE items SET n = 5 WHERE n = 77;

-- Parameters, sub-queries without columns of the row, generic plans.
SET plan_cache_mode = force_generic_plan;
PREPARE up (int, text, int) AS INSERT INTO items AS t VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET n = t.n + $3, key = $2 WHERE t.n <> $3 * 2 RETURNING id, key, n;
EXECUTE up(1, 'p1', 1); EXECUTE up(1, 'p2', 2); EXECUTE up(1, 'p3', NULL); EXECUTE up(50, 'new', 3); EXECUTE up(50, 'old', 3);
UPDATE items SET n = 10 WHERE id IN (1, 50);
EXECUTE up(1, 'p1', 5); EXECUTE up(1, 'p1', 6); EXECUTE up(50, 'p50', 6);
DEALLOCATE up;
RESET plan_cache_mode;
INSERT INTO items VALUES (50, 'sub') ON CONFLICT (id) DO UPDATE SET n = (SELECT max(id) FROM twin WHERE id < 5) RETURNING *;
WITH source AS (SELECT 50 AS id, 'cte' AS key), up AS (INSERT INTO items SELECT id, key FROM source ON CONFLICT (id) DO UPDATE SET key = excluded.key RETURNING id, key),
     up2 AS (INSERT INTO items AS i VALUES (51, 'cte2') ON CONFLICT (id) DO UPDATE SET key = i.key || excluded.key RETURNING id, key)
  SELECT * FROM up UNION ALL SELECT * FROM up2;
DO $$ BEGIN FOR i IN 1..8 LOOP INSERT INTO items AS t VALUES (60, 'loop', 0) ON CONFLICT (id) DO UPDATE SET n = t.n + i; END LOOP; END $$;
SELECT id, key, n FROM items WHERE id >= 50 ORDER BY id;
DELETE FROM items WHERE id >= 50;

-- Errors without the statement that was sent.
CREATE FUNCTION error_of(statement text) RETURNS SETOF text LANGUAGE sql AS
  $$ SELECT e FROM expect_error(statement) e WHERE e !~ '^CONTEXT' $$;
-- What the shard could not compute in the same way.
SELECT error_of('INSERT INTO items VALUES (1) ON CONFLICT (id) DO UPDATE SET n = random()');
SELECT error_of('INSERT INTO items AS t VALUES (1) ON CONFLICT (id) DO UPDATE SET n = (SELECT max(id) FROM twin WHERE id < t.n)');
SELECT error_of('INSERT INTO items AS t VALUES (1) ON CONFLICT (id) DO UPDATE SET n = 1 WHERE EXISTS (SELECT FROM twin WHERE id = t.n)');
CREATE FUNCTION own(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END';
SELECT error_of('INSERT INTO items AS t VALUES (1) ON CONFLICT (id) DO UPDATE SET n = own(t.n)');
SELECT error_of('INSERT INTO items AS t VALUES (1) ON CONFLICT (own(id)) DO NOTHING');
SELECT error_of('INSERT INTO items AS t VALUES (1) ON CONFLICT (key text_pattern_ops) DO NOTHING');
INSERT INTO items VALUES (1) ON CONFLICT (id) DO UPDATE SET n = own(7);
SELECT n FROM items WHERE id = 1;

-- A row is changed once by a statement, in however many statements it is sent.
SELECT error_of('INSERT INTO items VALUES (1), (1) ON CONFLICT (id) DO UPDATE SET n = 0');
SELECT error_of('INSERT INTO items VALUES (1), (1) ON CONFLICT (id) DO UPDATE SET n = 0 RETURNING id');
SELECT error_of('INSERT INTO items VALUES (99), (99) ON CONFLICT (id) DO UPDATE SET n = 0 RETURNING id');
SELECT error_of('INSERT INTO items SELECT 1 + g % 2999, g FROM generate_series(0, 2999) g ON CONFLICT (id) DO UPDATE SET n = 0');
SELECT error_of('INSERT INTO items SELECT 1 + g % 2999, g FROM generate_series(0, 2999) g ON CONFLICT (id) DO UPDATE SET n = 0 WHERE excluded.key = ''0''');
SELECT error_of('INSERT INTO twin SELECT 1 + g % 2999, g FROM generate_series(0, 2999) g ON CONFLICT (id) DO UPDATE SET n = 0 WHERE excluded.key = ''0''');
-- A condition that is false for a row leaves it to be changed later on.
INSERT INTO items AS t SELECT 1 + g % 2999, g, g FROM generate_series(0, 2999) g ON CONFLICT (id) DO UPDATE SET n = 4 WHERE t.id = 1 AND excluded.n > 1;
SELECT count(*), sum(n) FROM items WHERE id = 1;
-- The rows of earlier statements of the transaction may be changed, also under savepoints.
BEGIN;
INSERT INTO items SELECT g, 'tx' || g FROM generate_series(5000, 7500) g;
SAVEPOINT s;
INSERT INTO items AS t SELECT g, 'tx' || g FROM generate_series(5000, 7500) g ON CONFLICT (id) DO UPDATE SET n = 1;
RELEASE s;
INSERT INTO items AS t SELECT g, 'tx' || g FROM generate_series(5000, 7500) g ON CONFLICT (id) DO UPDATE SET n = t.n + 1;
SELECT count(*), min(n), max(n) FROM items WHERE id BETWEEN 5000 AND 7500;
ROLLBACK;
DELETE FROM items WHERE id > 20;

-- Views and partitioned tables there.
CREATE FOREIGN TABLE items_view (id int, k text, n int) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE parts (id int, n int) SERVER db0 OPTIONS (schema_name 'public');
INSERT INTO items_view AS t VALUES (1, 'v1', 1), (20, 'v20', 20) ON CONFLICT (id) DO UPDATE SET n = t.n + 1;
INSERT INTO items_view AS t VALUES (1) ON CONFLICT (id) DO UPDATE SET n = t.n + 1 RETURNING *;
SELECT error_of('INSERT INTO items_view SELECT generate_series(1, 2000) ON CONFLICT (id) DO UPDATE SET n = 0');
INSERT INTO parts AS t VALUES (1, 1), (2, 2) ON CONFLICT (id) DO UPDATE SET n = t.n + 1;
INSERT INTO parts AS t VALUES (1, 1), (2, 2) ON CONFLICT (id) DO UPDATE SET n = t.n + 1;
SELECT error_of('INSERT INTO parts AS t SELECT g, g FROM generate_series(1, 2000) g ON CONFLICT (id) DO UPDATE SET n = t.n + 1');
SELECT count(*), sum(n) FROM parts;

-- Generated columns are the shard's.
INSERT INTO gen VALUES (1, 1) RETURNING *;
INSERT INTO gen VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET a = excluded.a + gen.twice RETURNING *;
INSERT INTO gen VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET a = 1, twice = DEFAULT RETURNING *;

-- Views with CHECK OPTION here; triggers here.
CREATE VIEW small AS SELECT * FROM items WHERE n < 100 WITH CHECK OPTION;
CREATE VIEW everything AS SELECT id AS i, n AS m, key FROM items;
SELECT count(*) FROM expect_error('INSERT INTO small VALUES (1, ''small'', 6) ON CONFLICT (id) DO UPDATE SET n = excluded.n') e WHERE e ~ '0A000|no error';
INSERT INTO small VALUES (1, 'small', 300) ON CONFLICT (id) DO NOTHING;
SELECT error_of('INSERT INTO small VALUES (300, ''small'', 300) ON CONFLICT (id) DO NOTHING');
INSERT INTO everything AS e VALUES (1, 3, 'all') ON CONFLICT (i) DO UPDATE SET m = excluded.m + e.m RETURNING *;
SELECT id, key, n FROM items WHERE id = 1;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE NOTICE '% % % % %', TG_WHEN, TG_LEVEL, TG_OP, OLD, NEW; RETURN NEW; END $$;
CREATE TRIGGER bs BEFORE INSERT OR UPDATE ON items FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER a_s AFTER INSERT OR UPDATE ON items FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER br BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO items VALUES (1, 'trigger', 3) ON CONFLICT (id) DO UPDATE SET n = excluded.n;
CREATE TRIGGER ar AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO items VALUES (1, 'trigger', 3), (2000, 'trigger2', 3) ON CONFLICT (id) DO NOTHING;
SELECT error_of('INSERT INTO items VALUES (1, ''trigger'', 3) ON CONFLICT (id) DO UPDATE SET n = excluded.n');
DROP TRIGGER ar ON items;
CREATE TRIGGER ar AFTER UPDATE ON items FOR EACH ROW EXECUTE FUNCTION note();
SELECT error_of('INSERT INTO items VALUES (1, ''trigger'', 3) ON CONFLICT (id) DO UPDATE SET n = excluded.n');
DROP TRIGGER ar ON items; DROP TRIGGER br ON items; DROP TRIGGER bs ON items; DROP TRIGGER a_s ON items;

-- Privileges are those of the local table.
CREATE ROLE regress_up;
SET client_min_messages = warning;
SELECT format('CREATE USER MAPPING FOR regress_up SERVER db0 OPTIONS (user %L, password_required ''false'')', 'postgres') \gexec
RESET client_min_messages;
GRANT INSERT, SELECT (id) ON items, twin TO regress_up;
CREATE FUNCTION allowed(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text[];
BEGIN
  SET LOCAL ROLE regress_up;
  answer := ARRAY[(SELECT min(e) FROM expect_error(format(statement, 'items AS t')) e WHERE e ~ '^\d|no error'),
                  (SELECT min(e) FROM expect_error(format(statement, 'twin AS t')) e WHERE e ~ '^\d|no error')];
  RESET ROLE;
  RETURN answer;
END $$;
GRANT UPDATE (n) ON twin, items TO regress_up;
SELECT allowed('INSERT INTO %s (id, key) VALUES (1, ''x'') ON CONFLICT (id) DO NOTHING');
SELECT allowed('INSERT INTO %s (id, key) VALUES (1, ''x'') ON CONFLICT (key) DO NOTHING');
SELECT allowed('INSERT INTO %s (id, key) VALUES (1, ''x'') ON CONFLICT (id) DO UPDATE SET n = 1');
SELECT allowed('INSERT INTO %s (id, key) VALUES (1, ''x'') ON CONFLICT (id) DO UPDATE SET key = ''y''');
SELECT allowed('INSERT INTO %s (id, key) VALUES (1, ''x'') ON CONFLICT (id) DO UPDATE SET n = excluded.n');
SELECT allowed('INSERT INTO %s (id, key) VALUES (1, ''x'') ON CONFLICT (id) DO UPDATE SET n = t.n');
SELECT allowed('INSERT INTO %s (id, key) VALUES (1, ''x'') ON CONFLICT (id) DO UPDATE SET n = 1 WHERE t.key = ''''');

-- Scans of foreign tables: what is sent, what stays here, batches, rescans, several scans at once.
\i common/shards.sql
\c :db0
CREATE TABLE items (id int PRIMARY KEY, kind int, note text, at timestamptz, price numeric);
INSERT INTO items SELECT n, n % 7, 'note ' || n, '2026-01-01 00:00+00'::timestamptz + n * interval '1 hour', n / 4.0
  FROM generate_series(1, 1000) n;
INSERT INTO items VALUES (1001, NULL, NULL, NULL, NULL);
\c :coord
CREATE FOREIGN TABLE items (id int, kind int, note text, at timestamptz, price numeric) SERVER db0
  OPTIONS (schema_name 'public');
CREATE TABLE twin AS SELECT * FROM items;
CREATE FOREIGN TABLE renamed (number int OPTIONS (column_name 'id'), words text OPTIONS (column_name 'note'))
  SERVER db0 OPTIONS (schema_name 'public', table_name 'items');

-- Only the columns that are needed travel.
EXPLAIN (VERBOSE, COSTS OFF) SELECT note FROM items;
EXPLAIN (VERBOSE, COSTS OFF) SELECT 1 FROM items;
EXPLAIN (VERBOSE, COSTS OFF) SELECT words FROM renamed WHERE number < 3;
SELECT * FROM renamed WHERE number < 3 ORDER BY number;

-- Conditions are sent when they mean the same there; the rest is looked at here.
CREATE FUNCTION mine(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 % 10 = 0; END';
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM items WHERE kind = 3 AND id < 50 AND mine(id);
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM items WHERE note LIKE 'note 1%' AND kind IS NOT NULL AND price BETWEEN 1 AND 5;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM items WHERE at < now();
SELECT same_rows('SELECT * FROM items', 'SELECT * FROM twin');
SELECT same_rows('SELECT id FROM items WHERE kind = 3 AND id < 500 AND mine(id)', 'SELECT id FROM twin WHERE kind = 3 AND id < 500 AND mine(id)');
SELECT same_rows('SELECT * FROM items WHERE note LIKE ''note 1%'' AND price BETWEEN 1 AND 50', 'SELECT * FROM twin WHERE note LIKE ''note 1%'' AND price BETWEEN 1 AND 50');
SELECT same_rows('SELECT * FROM items WHERE kind IS NULL OR id IN (1, 5, 5, 999)', 'SELECT * FROM twin WHERE kind IS NULL OR id IN (1, 5, 5, 999)');
SELECT same_rows('SELECT * FROM items WHERE at = ''2026-01-05 00:00+00''', 'SELECT * FROM twin WHERE at = ''2026-01-05 00:00+00''');
SET TimeZone = 'America/New_York';
SET DateStyle = 'German';
SELECT same_rows('SELECT * FROM items WHERE at < ''2.1.2026 00:00''', 'SELECT * FROM twin WHERE at < ''2.1.2026 00:00''');
RESET TimeZone;
RESET DateStyle;
SELECT * FROM items WHERE id = 1001;
SELECT items FROM items WHERE id = 2;
SELECT count(*) FROM items WHERE tableoid = 'items'::regclass;
SELECT count(DISTINCT ctid) FROM items;

-- Batches of every size.
ALTER SERVER db0 OPTIONS (ADD fetch_size '1');
SELECT same_rows('SELECT * FROM items WHERE id < 20', 'SELECT * FROM twin WHERE id < 20');
ALTER FOREIGN TABLE items OPTIONS (ADD fetch_size '7');
SELECT same_rows('SELECT * FROM items', 'SELECT * FROM twin');
ALTER FOREIGN TABLE items OPTIONS (SET fetch_size '1001');
SELECT same_rows('SELECT * FROM items', 'SELECT * FROM twin');
ALTER FOREIGN TABLE items OPTIONS (SET fetch_size '3');

-- Parameters: custom and generic plans.
PREPARE by_id (int) AS SELECT id, note FROM items WHERE id = $1;
EXECUTE by_id(1); EXECUTE by_id(2); EXECUTE by_id(3); EXECUTE by_id(4); EXECUTE by_id(5); EXECUTE by_id(6); EXECUTE by_id(NULL);
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE by_id(7);
EXECUTE by_id(7);
PREPARE by_list (int[], text) AS SELECT id FROM items WHERE id = ANY ($1) AND note > $2 ORDER BY id;
EXECUTE by_list('{1, 20, 3}', 'note 2');
EXECUTE by_list('{}', '');
EXECUTE by_list(NULL, '');
RESET plan_cache_mode;

-- Rescans: nested loops, lateral, correlated subqueries, also ones that stop early.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SET enable_memoize = off;
SELECT v.n, items.note FROM (VALUES (3), (1), (1002), (2)) v(n) LEFT JOIN items ON items.id = v.n;
SELECT n, (SELECT note FROM items WHERE id > n ORDER BY id LIMIT 1) FROM generate_series(1, 3) n;
SELECT n, l.* FROM generate_series(1, 3) n, LATERAL (SELECT id, price FROM items WHERE kind = n LIMIT 2 OFFSET 1) l
  ORDER BY n, id;
SELECT n FROM generate_series(998, 1003) n WHERE EXISTS (SELECT FROM items WHERE id = n) ORDER BY n;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
RESET enable_memoize;

-- Several scans on one connection, batch by batch in turn.
BEGIN;
DECLARE a CURSOR FOR SELECT id FROM items ORDER BY id;
DECLARE b CURSOR FOR SELECT id FROM items WHERE id > 500 ORDER BY id;
FETCH 4 FROM a;
FETCH 4 FROM b;
FETCH 4 FROM a;
SELECT count(*) FROM items;
FETCH 4 FROM b;
CLOSE a;
MOVE 480 FROM b;
FETCH 2 FROM b;
COMMIT;
-- Scrolling back, holding across COMMIT.
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM items WHERE id <= 10 ORDER BY id;
FETCH LAST FROM c;
FETCH BACKWARD 2 FROM c;
FETCH FIRST FROM c;
DECLARE h CURSOR WITH HOLD FOR SELECT id FROM items WHERE id <= 5 ORDER BY id;
COMMIT;
FETCH ALL FROM h;
CLOSE h;
-- In functions.
DO $$
DECLARE r record; n int := 0; inner_count int;
BEGIN
  FOR r IN SELECT id FROM items WHERE id <= 30 ORDER BY id LOOP
    SELECT count(*) INTO inner_count FROM items WHERE id <= r.id;
    n := n + inner_count;
    EXIT WHEN r.id = 20;
  END LOOP;
  RAISE NOTICE 'sum %', n;
END $$;

-- An error in the middle of a scan, then a savepoint's way back.
BEGIN;
DECLARE a CURSOR FOR SELECT id FROM items ORDER BY id;
FETCH 2 FROM a;
SAVEPOINT s;
SELECT 1 / (id - 5) FROM items WHERE id < 10 ORDER BY id;
ROLLBACK TO s;
FETCH 2 FROM a;
COMMIT;

-- Self-joins, unions, subqueries, aggregates: against the twin.
SELECT same_rows('SELECT a.id, b.id AS b FROM items a JOIN items b ON b.id = a.kind', 'SELECT a.id, b.id AS b FROM twin a JOIN twin b ON b.id = a.kind');
SELECT same_rows('SELECT a.id, b.note FROM items a LEFT JOIN items b ON b.id = a.id + 500', 'SELECT a.id, b.note FROM twin a LEFT JOIN twin b ON b.id = a.id + 500');
SELECT same_rows('SELECT kind, count(*), sum(price), avg(id), max(note) FROM items GROUP BY kind', 'SELECT kind, count(*), sum(price), avg(id), max(note) FROM twin GROUP BY kind');
SELECT same_rows('SELECT * FROM items WHERE id IN (SELECT kind FROM items)', 'SELECT * FROM twin WHERE id IN (SELECT kind FROM twin)');
SELECT same_rows('SELECT id FROM items EXCEPT SELECT kind FROM twin', 'SELECT id FROM twin EXCEPT SELECT kind FROM items');

-- Dropped and added columns on either side.
ALTER FOREIGN TABLE items DROP COLUMN kind;
ALTER FOREIGN TABLE items ADD COLUMN extra text;
SELECT id, note FROM items WHERE id = 3;
SELECT * FROM items WHERE id = 3;
\c :db0
ALTER TABLE items ADD COLUMN extra text DEFAULT 'new';
\c :coord
SELECT * FROM items WHERE id = 3;
SELECT items FROM items WHERE id = 3;

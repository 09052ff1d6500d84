-- UPDATE and DELETE of sharded tables with generated columns, or with row triggers for the other operation: one scan finds the
-- rows, as with other tables; beside a local twin.
\i common/shards.sql
\c :db0
CREATE TABLE g0 (id int, n int, w int GENERATED ALWAYS AS (n * 2) STORED, t text, u text GENERATED ALWAYS AS (t || '/' || id) STORED);
CREATE TABLE r0 (id int, n int, k int GENERATED ALWAYS AS (id * 10) STORED);
\c :db1
CREATE TABLE g1 (id int, n int, w int GENERATED ALWAYS AS (n * 2) STORED, t text, u text GENERATED ALWAYS AS (t || '/' || id) STORED);
CREATE TABLE r1 (id int, n int, k int GENERATED ALWAYS AS (id * 10) STORED);
\c :coord
CREATE TABLE g (id int NOT NULL, n int, w int GENERATED ALWAYS AS (n * 2) STORED, t text, u text GENERATED ALWAYS AS (t || '/' || id) STORED);
CREATE FOREIGN TABLE g0 (CHECK (abs(id % 2) = 0)) INHERITS (g) SERVER db0;
CREATE FOREIGN TABLE g1 (CHECK (abs(id % 2) = 1)) INHERITS (g) SERVER db1;
CREATE TABLE l_g (LIKE g INCLUDING GENERATED);
INSERT INTO g (id, n, t) SELECT i, i % 10, 'text ' || i FROM generate_series(1, 400) i;
INSERT INTO l_g (id, n, t) SELECT i, i % 10, 'text ' || i FROM generate_series(1, 400) i;
-- A rule that needs a generated column.
CREATE TABLE r (id int NOT NULL, n int, k int GENERATED ALWAYS AS (id * 10) STORED);
CREATE FOREIGN TABLE r0 (CHECK (k % 20 = 0)) INHERITS (r) SERVER db0;
CREATE FOREIGN TABLE r1 (CHECK (abs(k % 20) = 10)) INHERITS (r) SERVER db1;
CREATE TABLE l_r (LIKE r INCLUDING GENERATED);
INSERT INTO r (id, n) SELECT i, i FROM generate_series(1, 20) i;
INSERT INTO l_r (id, n) SELECT i, i FROM generate_series(1, 20) i;
CREATE FUNCTION twin(statement text, name text DEFAULT 'g') RETURNS text LANGUAGE plpgsql AS $$
DECLARE n int[] := '{}'; rows text[] := '{}'; got text; one int; which text;
BEGIN
  FOREACH which IN ARRAY ARRAY[name, 'l_' || name] LOOP
    IF statement ~ 'RETURNING' THEN
      EXECUTE format('WITH x AS (%s) SELECT count(*), string_agg(x::text, '' '' ORDER BY x::text) FROM x', format(statement, which)) INTO one, got;
    ELSE
      EXECUTE format(statement, which);
      GET DIAGNOSTICS one = ROW_COUNT;
    END IF;
    n := n || one; rows := rows || coalesce(got, '');
  END LOOP;
  RETURN CASE WHEN n[1] = n[2] AND rows[1] = rows[2] THEN n[1] || ' rows, ' ELSE format('DIFFERENT: %s %s, ', n, rows) END
    || (SELECT string_agg(r, ' ') FROM same_rows(format('TABLE %s', name), format('TABLE l_%s', name)) r);
END $$;
CREATE FUNCTION plan(statement text) RETURNS SETOF text LANGUAGE sql AS $$ SELECT regexp_replace(plan_of(statement, 'VERBOSE, COSTS OFF'), '\m\d{5,}\M', 'OID') $$;

SELECT plan('UPDATE g SET n = n + 1 WHERE id < 50');
SELECT twin('UPDATE %s SET n = n + 1 WHERE id < 50');
SELECT twin('UPDATE %s SET n = n + 1, t = upper(t) WHERE mod(id, 3) = 0 RETURNING id, w, u');
SELECT twin('UPDATE %s x SET n = y.n + 100 FROM generate_series(10, 60) AS y (n) WHERE y.n = x.id RETURNING x.*, y.n');
SELECT twin('UPDATE %s SET n = NULL, t = NULL WHERE w IN (4, 6)');
SELECT twin('UPDATE %s SET w = DEFAULT WHERE id = 8');
SELECT plan('UPDATE g SET n = 5 WHERE id = 7');
SELECT twin('UPDATE %s SET n = 5 WHERE id = 7');
PREPARE p (int, int) AS UPDATE g SET n = $2 WHERE id = $1 RETURNING *;
SET plan_cache_mode = force_generic_plan;
EXECUTE p (11, 12);
UPDATE l_g SET n = 12 WHERE id = 11;
RESET plan_cache_mode;
-- Rows that move: what is generated follows from the new values.
SELECT twin('UPDATE %s SET id = id + 1, n = n + 7 WHERE id BETWEEN 100 AND 120 RETURNING id, n, w, u');
SELECT twin('UPDATE %s SET id = id + 1001');
SELECT tableoid::regclass, count(*), min(id % 2), max(id % 2) FROM g GROUP BY 1 ORDER BY tableoid::regclass::text;
-- A view with a check on a generated column.
CREATE VIEW v_g AS SELECT id, n, w, t FROM g WHERE w < 1000 WITH CHECK OPTION;
CREATE VIEW v_l AS SELECT id, n, w, t FROM l_g WHERE w < 1000 WITH CHECK OPTION;
SELECT expect_error('UPDATE v_g SET n = 500 WHERE id = 1250');
SELECT expect_error('UPDATE v_l SET n = 500 WHERE id = 1250');
UPDATE v_g SET n = 499 WHERE id = 1250 RETURNING w;
UPDATE v_l SET n = 499 WHERE id = 1250 RETURNING w;
SELECT plan('DELETE FROM g WHERE w > 210');
SELECT twin('DELETE FROM %s WHERE w > 210 RETURNING *');
SELECT twin('DELETE FROM %s WHERE id < 1100');
-- Child by child.
SELECT plan('UPDATE r SET id = id + 1 WHERE n < 10');
SELECT twin('UPDATE %s SET n = n + 1', 'r');
SELECT twin('DELETE FROM %s WHERE k = 50', 'r');

-- Triggers for UPDATE are no business of DELETE.
CREATE TABLE heard (what text);
CREATE FUNCTION hears() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO heard VALUES (TG_OP || ' ' || TG_TABLE_NAME); RETURN coalesce(NEW, OLD); END$$;
CREATE TRIGGER hears BEFORE UPDATE ON g0 FOR EACH ROW EXECUTE FUNCTION hears();
SELECT plan('DELETE FROM g WHERE id = 1300');
SELECT twin('DELETE FROM %s WHERE id IN (1300, 1301)');
SELECT plan('UPDATE g SET n = 1 WHERE id = 1302');
SELECT twin('UPDATE %s SET n = 1 WHERE id IN (1302, 1303)');
DROP TRIGGER hears ON g0;
CREATE TRIGGER hears AFTER DELETE ON g0 FOR EACH ROW EXECUTE FUNCTION hears();
SELECT twin('DELETE FROM %s WHERE id IN (1304, 1305)');
SELECT twin('UPDATE %s SET id = id + 501 WHERE id IN (1306, 1307) RETURNING *');
DROP TRIGGER hears ON g0;
-- The parent's own row triggers are for rows of its own; statement triggers are for all.
CREATE TRIGGER hears AFTER UPDATE ON g FOR EACH ROW EXECUTE FUNCTION hears();
CREATE TRIGGER hears_all AFTER UPDATE OR DELETE ON g EXECUTE FUNCTION hears();
SELECT twin('UPDATE %s SET n = 2 WHERE id IN (1308, 1309)');
SELECT twin('DELETE FROM %s WHERE id IN (1308, 1309)');
TABLE heard;

\i common/shards.sql
-- Every kind of plan, prepared, executed seven times under each plan_cache_mode, beside a twin of local tables.
\c :db0
CREATE TABLE a (id int PRIMARY KEY, g int, t text, d date);
CREATE TABLE b (id int PRIMARY KEY, a_id int, n numeric);
CREATE TABLE s0 (id int PRIMARY KEY, g int, t text);
\c :db1
CREATE TABLE c (id int PRIMARY KEY, a_id int, j jsonb);
CREATE TABLE s1 (id int PRIMARY KEY, g int, t text);
\c :db2
CREATE TABLE s2 (id int PRIMARY KEY, g int, t text);
\c :db3
CREATE TABLE s3 (id int PRIMARY KEY, g int, t text);
\c :coord
CREATE FOREIGN TABLE f_a (id int, g int, t text, d date) SERVER db0 OPTIONS (table_name 'a');
CREATE FOREIGN TABLE f_b (id int, a_id int, n numeric) SERVER db0 OPTIONS (table_name 'b');
CREATE FOREIGN TABLE f_c (id int, a_id int, j jsonb) SERVER db1 OPTIONS (table_name 'c');
CREATE TABLE f_s (id int NOT NULL, g int, t text);
CREATE FOREIGN TABLE s0 (CHECK (abs(id % 4) = 0)) INHERITS (f_s) SERVER db0;
CREATE FOREIGN TABLE s1 (CHECK (abs(id % 4) = 1)) INHERITS (f_s) SERVER db1;
CREATE FOREIGN TABLE s2 (CHECK (abs(id % 4) = 2)) INHERITS (f_s) SERVER db2;
CREATE FOREIGN TABLE s3 (CHECK (abs(id % 4) = 3)) INHERITS (f_s) SERVER db3;
CREATE TABLE l_a (id int PRIMARY KEY, g int, t text, d date);
CREATE TABLE l_b (id int PRIMARY KEY, a_id int, n numeric);
CREATE TABLE l_c (id int PRIMARY KEY, a_id int, j jsonb);
CREATE TABLE l_s (id int NOT NULL PRIMARY KEY, g int, t text);
CREATE TABLE o (id int PRIMARY KEY, x int);
INSERT INTO l_a SELECT n, n % 5, 'text ' || n, date '2026-01-01' + n FROM generate_series(1, 60) n;
INSERT INTO l_b SELECT n, n % 70, n * 1.5 FROM generate_series(1, 120) n;
INSERT INTO l_c SELECT n, n % 65, jsonb_build_object('n', n) FROM generate_series(1, 90) n;
INSERT INTO l_s SELECT n, n % 7, 's ' || n FROM generate_series(-20, 100) n;
INSERT INTO o SELECT n, n * 3 FROM generate_series(1, 30) n;
INSERT INTO f_a SELECT * FROM l_a;
INSERT INTO f_b SELECT * FROM l_b;
INSERT INTO f_c SELECT * FROM l_c;
INSERT INTO s0 SELECT * FROM l_s WHERE abs(id % 4) = 0;
INSERT INTO s1 SELECT * FROM l_s WHERE abs(id % 4) = 1;
INSERT INTO s2 SELECT * FROM l_s WHERE abs(id % 4) = 2;
INSERT INTO s3 SELECT * FROM l_s WHERE abs(id % 4) = 3;

-- Rows of a statement, sorted, as text.
CREATE FUNCTION rows_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r record; found text[] := '{}'; n bigint;
BEGIN
  IF statement LIKE '% RETURNING %' OR statement !~ '^EXECUTE w' THEN
    FOR r IN EXECUTE statement LOOP found := found || r::text; END LOOP;
    RETURN (SELECT string_agg(x, ';' ORDER BY x COLLATE "C") FROM unnest(found) x);
  END IF;
  EXECUTE statement;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;
-- Prepares the statement and its twin and compares what seven executions of each give, and the tables afterwards.
CREATE FUNCTION seven(types text, statement text, VARIADIC arguments text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  mode text; call text; a text; b text; i int; total int := 0; t text;
  reads boolean := statement ~* '^(SELECT|VALUES|TABLE|\(|WITH)' AND statement !~* '(UPDATE|DELETE|INSERT) ';
  name text := CASE WHEN reads OR statement LIKE '% RETURNING %' THEN 'r' ELSE 'w' END;
BEGIN
  FOREACH mode IN ARRAY ARRAY['auto', 'force_generic_plan', 'force_custom_plan'] LOOP
    PERFORM set_config('plan_cache_mode', mode, true);
    EXECUTE format('PREPARE %sf%s AS %s', name, types, statement);
    EXECUTE format('PREPARE %sl%s AS %s', name, types, regexp_replace(statement, '\mf_', 'l_', 'g'));
    FOR i IN 1 .. 7 LOOP
      call := arguments[1 + (i - 1) % cardinality(arguments)];
      a := rows_of(format('EXECUTE %sf%s', name, call));
      b := rows_of(format('EXECUTE %sl%s', name, call));
      IF a IS DISTINCT FROM b THEN
        RETURN format('%s, execution %s %s: %s, twin %s', mode, i, call, a, b);
      END IF;
      total := total + coalesce(cardinality(string_to_array(a, ';')), 0);
    END LOOP;
    EXECUTE format('DEALLOCATE %sf', name);
    EXECUTE format('DEALLOCATE %sl', name);
    IF NOT reads THEN
      FOREACH t IN ARRAY ARRAY['a', 'b', 'c', 's'] LOOP
        IF rows_of('SELECT * FROM f_' || t) IS DISTINCT FROM rows_of('SELECT * FROM l_' || t) THEN
          RETURN format('%s: tables %s differ', mode, t);
        END IF;
      END LOOP;
    END IF;
  END LOOP;
  RETURN total || ' rows';
END $$;

-- Base scans.
SELECT seven('(int)', 'SELECT * FROM f_a WHERE id = $1', '(1)', '(2)', '(NULL)', '(1000)');
SELECT seven('(int, text)', 'SELECT id, t FROM f_a WHERE g = $1 OR t = $2', '(1, ''text 2'')', '(NULL, NULL)', '(2, ''x'')');
SELECT seven('(int[])', 'SELECT * FROM f_a WHERE id = ANY ($1)', '(''{1,2,3}'')', '(''{}'')', '(NULL)', '(''{NULL,4}'')');
SELECT seven('(date)', 'SELECT d, $1 - d FROM f_a WHERE d > $1', '(''2026-02-20'')', '(''2027-01-01'')');
SELECT seven('(text)', 'SELECT f_a FROM f_a WHERE t LIKE $1', '(''%1'')', '(''text _'')');
SELECT seven('', 'SELECT count(*) FROM f_a WHERE d < now()', '');
SELECT seven('(int)', 'SELECT * FROM f_s WHERE id = $1', '(1)', '(-2)', '(3)', '(NULL)', '(77777)');
SELECT seven('(int[])', 'SELECT * FROM f_s WHERE id = ANY ($1)', '(''{1,2,3,-7}'')', '(''{}'')', '(NULL)', '(''{NULL,4}'')');
SELECT seven('(int, int)', 'SELECT * FROM f_s WHERE id BETWEEN $1 AND $2', '(1, 5)', '(5, 1)', '(-3, 3)');
SELECT seven('(int)', 'SELECT * FROM f_s WHERE g = $1', '(1)', '(6)');
-- Joins: on one server, over two, with a local table, sharded.
SELECT seven('(int)', 'SELECT * FROM f_a JOIN f_b ON f_b.a_id = f_a.id WHERE f_a.g = $1', '(1)', '(2)', '(9)');
SELECT seven('(int)', 'SELECT * FROM f_a LEFT JOIN f_b ON f_b.a_id = f_a.id AND f_b.n > $1', '(1)', '(100)');
SELECT seven('(int)', 'SELECT * FROM f_a FULL JOIN f_b ON f_b.a_id = f_a.id WHERE coalesce(f_b.id, 0) < $1', '(10)', '(100)');
SELECT seven('(int)', 'SELECT * FROM f_a WHERE EXISTS (SELECT FROM f_b WHERE f_b.a_id = f_a.id AND n > $1)', '(10)', '(100)');
SELECT seven('(int)', 'SELECT * FROM f_a WHERE NOT EXISTS (SELECT FROM f_c WHERE f_c.a_id = f_a.id AND f_c.id > $1)', '(10)', '(80)');
SELECT seven('(int)', 'SELECT f_a.id, f_c.j FROM f_a JOIN f_c ON f_c.a_id = f_a.id WHERE f_a.id = $1', '(10)', '(20)');
SELECT seven('(int)', 'SELECT o.x, f_a.t FROM o JOIN f_a USING (id) WHERE o.id = $1', '(10)', '(20)');
SELECT seven('(int)', 'SELECT o.x, f_s.t FROM o JOIN f_s ON f_s.id = o.x WHERE o.id < $1', '(10)', '(2)');
SELECT seven('(int)', 'SELECT p.t, q.t FROM f_s p JOIN f_s q USING (id) WHERE p.g = $1', '(3)', '(2)');
SELECT seven('(int)', 'SELECT p.t, q.t FROM f_s p JOIN f_s q ON q.id = p.g WHERE p.id = $1', '(3)', '(20)');
-- Aggregates, HAVING, grouping over shards.
SELECT seven('(int)', 'SELECT g, count(*), max(t) FROM f_a WHERE id > $1 GROUP BY g', '(3)', '(50)');
SELECT seven('(int)', 'SELECT g FROM f_a GROUP BY g HAVING sum(id) > $1', '(300)', '(400)');
SELECT seven('(int)', 'SELECT count(*) FILTER (WHERE id > $1), sum(id + $1) FROM f_a', '(3)', '(50)');
SELECT seven('(int)', 'SELECT g, count(*), avg(id), min(t) FROM f_s WHERE id > $1 GROUP BY g', '(3)', '(50)');
SELECT seven('(int)', 'SELECT count(*), sum(id * $1) FROM f_s', '(3)', '(50)');
SELECT seven('(int)', 'SELECT id, count(*) FROM f_s GROUP BY id HAVING id > $1', '(90)', '(50)');
-- ORDER BY, LIMIT.
SELECT seven('(int, int)', 'SELECT * FROM f_a ORDER BY id DESC LIMIT $1 OFFSET $2', '(3, 0)', '(2, 5)', '(NULL, NULL)', '(0, 1)');
SELECT seven('(int)', 'SELECT * FROM f_s ORDER BY id LIMIT 4 OFFSET $1', '(3)', '(0)');
SELECT seven('(int)', 'SELECT * FROM f_s WHERE id = $1 ORDER BY t LIMIT 1', '(3)', '(8)');
-- Sub-plans, init plans, lateral, CTEs, set operations, VALUES.
SELECT seven('(int)', 'SELECT id, (SELECT max(n) FROM f_b WHERE a_id = f_a.id + $1) FROM f_a', '(0)', '(50)');
SELECT seven('(int)', 'SELECT * FROM f_a WHERE id = (SELECT min(a_id) FROM f_c WHERE id > $1)', '(3)', '(66)');
SELECT seven('(int)', 'SELECT * FROM f_s WHERE id = (SELECT x FROM o WHERE o.id = $1)', '(3)', '(5)');
SELECT seven('(int)', 'SELECT o.id, z.* FROM o, LATERAL (SELECT t FROM f_s WHERE f_s.id = o.x + $1 LIMIT 1) z', '(0)', '(1)');
SELECT seven('(int)', 'SELECT o.id, z.* FROM o LEFT JOIN LATERAL (SELECT count(*) FROM f_a WHERE f_a.g = o.id - $1) z ON true', '(0)', '(1)');
SELECT seven('(int)', 'WITH w AS MATERIALIZED (SELECT * FROM f_a WHERE g = $1) SELECT * FROM w x JOIN w y ON y.id = x.id + 5', '(0)', '(1)');
SELECT seven('(int)', 'SELECT id FROM f_a WHERE g = $1 UNION ALL SELECT id FROM f_s WHERE g = $1 UNION ALL SELECT id FROM o WHERE id = $1', '(0)', '(1)');
SELECT seven('(int)', 'SELECT id FROM f_s WHERE id > $1 EXCEPT SELECT a_id FROM f_c', '(0)', '(60)');
SELECT seven('(int)', 'SELECT v.x, f_s.t FROM (VALUES ($1), ($1 + 1), (NULL)) v(x) LEFT JOIN f_s ON f_s.id = v.x', '(0)', '(60)');
SELECT seven('(int)', 'WITH RECURSIVE r AS (SELECT id FROM f_s WHERE id = $1 UNION ALL SELECT f_s.id FROM r JOIN f_s ON f_s.id = r.id + 9) SELECT * FROM r', '(0)', '(60)');
SELECT seven('(int)', 'SELECT id, sum(id) OVER (PARTITION BY g ORDER BY id) FROM f_s WHERE id > $1', '(80)', '(60)');
SELECT seven('(int)', 'SELECT DISTINCT g FROM f_s WHERE id > $1', '(80)', '(98)');
-- Changes: one row, many, direct and row by row, with and without RETURNING.
SELECT seven('(int)', 'UPDATE f_a SET t = t || $1 WHERE id = $1', '(1)', '(2)', '(1000)', '(NULL)');
SELECT seven('(int)', 'UPDATE f_a SET t = t || $1 WHERE id = $1 RETURNING *', '(1)', '(2)', '(1000)', '(NULL)');
SELECT seven('(int, text)', 'UPDATE f_a SET g = g + 1 WHERE id < $1 AND t <> $2 RETURNING id, g', '(5, ''x'')', '(2, ''text 1'')');
SELECT seven('(int)', 'UPDATE f_a SET g = f_b.id + $1 FROM f_b WHERE f_b.id = f_a.id RETURNING f_a.*, f_b.n', '(5)', '(2)');
SELECT seven('(int)', 'UPDATE f_a SET g = o.x + $1 FROM o WHERE o.id = f_a.id', '(5)', '(2)');
SELECT seven('(int)', 'UPDATE f_a SET g = o.x + $1 FROM o WHERE o.id = f_a.id AND o.id = $1 RETURNING o.x, f_a.t', '(5)', '(2)');
SELECT seven('(int)', 'UPDATE f_s SET t = t || $1 WHERE id = $1', '(5)', '(2)', '(-4)');
SELECT seven('(int)', 'UPDATE f_s SET g = g + 1 WHERE g = $1 RETURNING id, g', '(5)', '(2)', '(-4)');
SELECT seven('(int)', 'UPDATE f_s SET g = o.x FROM o WHERE o.id = f_s.id AND f_s.id > $1', '(5)', '(2)', '(28)');
SELECT seven('(int)', 'DELETE FROM f_b WHERE id = $1', '(1)', '(2)', '(3)', '(NULL)');
SELECT seven('(int)', 'DELETE FROM f_b WHERE a_id = $1 RETURNING *', '(7)', '(8)', '(9)');
SELECT seven('(int)', 'DELETE FROM f_b USING o WHERE o.x = f_b.id AND o.id > $1 RETURNING o.id', '(25)', '(28)', '(9)');
SELECT seven('(int)', 'DELETE FROM f_s WHERE id = $1', '(71)', '(78)', '(79)');
SELECT seven('(int)', 'DELETE FROM f_s WHERE g = $1 AND id < 0 RETURNING id', '(-1)', '(-2)', '(-3)');
CREATE SEQUENCE f_q START 1000; CREATE SEQUENCE l_q START 1000;
SELECT seven('(int)', 'INSERT INTO f_a SELECT nextval(''f_q''), $1, ''new'', NULL', '(1)', '(2)');
SELECT seven('(int)', 'INSERT INTO f_a VALUES (nextval(''f_q''), $1), (nextval(''f_q''), $1 + 1) RETURNING *', '(1)', '(2)');
SELECT seven('(int)', 'INSERT INTO f_c SELECT nextval(''f_q''), id FROM f_a WHERE id = $1 RETURNING id', '(1)', '(2)');
SELECT seven('(int)', 'INSERT INTO f_a VALUES ($1, 1, ''twice'') ON CONFLICT DO NOTHING', '(1)', '(5000)');
SELECT seven('(int)', 'WITH gone AS (DELETE FROM f_a WHERE id = $1 RETURNING *) INSERT INTO f_a SELECT id + 20000, g, t, d FROM gone RETURNING id', '(11)', '(12)');
SELECT seven('(int)', 'WITH n AS (UPDATE f_a SET g = -1 WHERE id = $1 RETURNING id) SELECT f_a.id, f_a.g FROM f_a JOIN n USING (id)', '(21)', '(22)');

-- Cursors: read in steps, twice at the same time, held.
BEGIN;
SET LOCAL plan_cache_mode = force_generic_plan;
PREPARE cur(int) AS SELECT id, t FROM f_s WHERE id > $1 ORDER BY id;
DECLARE one CURSOR FOR SELECT id FROM f_a ORDER BY id;
DECLARE two SCROLL CURSOR FOR SELECT id FROM f_s ORDER BY id;
DECLARE held CURSOR WITH HOLD FOR SELECT id FROM f_s WHERE g = 3 ORDER BY id;
FETCH 2 FROM one; FETCH 2 FROM two; FETCH 1 FROM one; FETCH LAST FROM two; FETCH PRIOR FROM two; FETCH FIRST FROM two;
EXECUTE cur(97);
MOVE 50 IN one; FETCH 1 FROM one;
COMMIT;
FETCH 2 FROM held;
CLOSE held;
-- A function's statements are prepared as well.
CREATE FUNCTION step(n int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
  UPDATE f_a SET g = n WHERE id = n;
  SELECT t || g INTO r FROM f_a WHERE id = n;
  RETURN r || (SELECT t FROM f_s WHERE id = n);
END $$;
SELECT step(n) FROM generate_series(31, 38) n;

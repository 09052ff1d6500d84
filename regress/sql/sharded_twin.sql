-- Several hundred statements on sharded tables and on local copies: the rows must be the same.
\i common/shards.sql
\c :db0
CREATE TABLE c0 (id int, grp int, name text, born date, score float8, amount numeric, flag bool);
CREATE TABLE o0 (oid int, cust int, qty int, note text);
\c :db1
CREATE TABLE c1 (id int, grp int, name text, born date, score float8, amount numeric, flag bool);
CREATE TABLE o1 (oid int, cust int, qty int, note text);
\c :db2
CREATE TABLE c2 (id int, grp int, name text, born date, score float8, amount numeric, flag bool);
CREATE TABLE o2 (oid int, cust int, qty int, note text);
\c :db3
CREATE TABLE c3 (id int, grp int, name text, born date, score float8, amount numeric, flag bool);
CREATE TABLE o3 (oid int, cust int, qty int, note text);
\c :coord
CREATE TABLE l_c AS
  SELECT CASE WHEN i % 41 <> 0 THEN i - 60 END AS id, nullif(i % 6, 5) AS grp,
         CASE WHEN i % 13 <> 0 THEN 'name ' || i % 30 END AS name, date '1990-01-01' + i * 7 % 400 AS born,
         i / 8.0::float8 AS score, CASE WHEN i % 17 <> 0 THEN (i * 37 % 1000) / 7.0 END::numeric(12,4) AS amount,
         CASE i % 3 WHEN 0 THEN true WHEN 1 THEN false END AS flag
  FROM generate_series(1, 240) i;
CREATE TABLE l_o AS
  SELECT i AS oid, CASE WHEN i % 23 <> 0 THEN i % 150 - 50 END AS cust, i % 9 AS qty,
         CASE WHEN i % 4 <> 0 THEN 'note ' || i % 11 END AS note
  FROM generate_series(1, 300) i;
CREATE TABLE s_c (LIKE l_c);
CREATE TABLE s_o (LIKE l_o);
-- NULL keys may be on any shard: they are spread.
SELECT format('CREATE FOREIGN TABLE c%s (CHECK (abs(mod(id, 4)) = %1$s)) INHERITS (s_c) SERVER db%1$s OPTIONS (schema_name ''public'')', n),
       format('CREATE FOREIGN TABLE o%s (CHECK (abs(mod(cust, 4)) = %1$s)) INHERITS (s_o) SERVER db%1$s OPTIONS (schema_name ''public'')', n),
       format('INSERT INTO c%s SELECT * FROM l_c WHERE coalesce(abs(mod(id, 4)), grp, 0) = %1$s', n),
       format('INSERT INTO o%s SELECT * FROM l_o WHERE coalesce(abs(mod(cust, 4)), oid %% 4) = %1$s', n)
  FROM generate_series(0, 3) n \gexec
INSERT INTO c3 SELECT * FROM l_c WHERE id IS NULL AND grp > 3;
SELECT same_rows('SELECT * FROM s_c', 'SELECT * FROM l_c'), same_rows('SELECT * FROM s_o', 'SELECT * FROM l_o');

CREATE TABLE shapes (n int GENERATED ALWAYS AS IDENTITY, shape text);
INSERT INTO shapes (shape) VALUES
 ('SELECT * FROM @c c WHERE @W'),
 ('SELECT id, upper(name), amount * 2 FROM @c c WHERE @W'),
 ('SELECT count(*), count(id), count(name), sum(id), avg(id), min(name), max(born), sum(qty) FROM @c c LEFT JOIN @o o ON o.cust = c.id WHERE @W'),
 ('SELECT grp, count(*), sum(amount), avg(amount), min(amount), bool_or(flag) FROM @c c WHERE @W GROUP BY grp'),
 ('SELECT id, count(*), max(name) FROM @c c WHERE @W GROUP BY id'),
 ('SELECT grp, flag, count(DISTINCT name) FROM @c c WHERE @W GROUP BY grp, flag HAVING count(*) > 2'),
 ('SELECT DISTINCT grp, flag FROM @c c WHERE @W'),
 ('SELECT id, name FROM @c c WHERE @W ORDER BY id DESC NULLS LAST, born, score LIMIT 7 OFFSET 2'),
 ('SELECT score FROM @c c WHERE @W ORDER BY score LIMIT 5'),
 ('SELECT c.id, o.oid, o.note FROM @c c JOIN @o o ON c.id = o.cust WHERE @W'),
 ('SELECT c.id, c.name, o.oid FROM @c c LEFT JOIN @o o ON c.id = o.cust AND o.qty > 4 WHERE @W'),
 ('SELECT c.id, o.oid FROM (SELECT * FROM @c c WHERE @W) c FULL JOIN (SELECT * FROM @o WHERE qty < 6) o ON c.id = o.cust'),
 ('SELECT c.id FROM @c c WHERE @W AND EXISTS (SELECT 1 FROM @o o WHERE o.cust = c.id AND o.qty = c.grp)'),
 ('SELECT c.id FROM @c c WHERE @W AND NOT EXISTS (SELECT 1 FROM @o o WHERE o.cust = c.id)'),
 ('SELECT c.id FROM @c c WHERE @W AND c.id IN (SELECT cust FROM @o WHERE qty > 5)'),
 ('SELECT c.id, x.m FROM @c c, LATERAL (SELECT max(oid) AS m FROM @o o WHERE o.cust = c.id) x WHERE @W'),
 ('SELECT id, rank() OVER (PARTITION BY grp ORDER BY score) FROM @c c WHERE @W'),
 ('SELECT id, sum(amount) OVER (PARTITION BY id ORDER BY born, score) FROM @c c WHERE @W'),
 ('WITH t AS MATERIALIZED (SELECT * FROM @c c WHERE @W) SELECT a.id, b.id FROM t a JOIN t b ON a.grp = b.grp AND a.id < b.id'),
 ('SELECT id FROM @c c WHERE @W UNION SELECT cust FROM @o WHERE qty = 3'),
 ('SELECT id FROM @c c WHERE @W EXCEPT SELECT cust FROM @o'),
 ('SELECT grp, flag, count(*) FROM @c c WHERE @W GROUP BY GROUPING SETS ((grp), (flag), ())'),
 ('SELECT c.id, c.name FROM @c c WHERE @W FOR UPDATE'),
 ('SELECT c, o FROM @c c JOIN @o o ON c.id = o.cust WHERE @W AND o.qty < 5 FOR SHARE OF o'),
 ('SELECT c.id, o FROM @c c LEFT JOIN @o o ON c.id = o.cust AND o.note IS NOT NULL WHERE @W'),
 ('SELECT DISTINCT ON (grp, flag) grp, flag, id, score FROM @c c WHERE @W ORDER BY flag, grp, score'),
 ('SELECT DISTINCT name, grp FROM @c c WHERE @W'),
 ('SELECT id, count(*) OVER w, first_value(score) OVER w, sum(amount) OVER (w ROWS 2 PRECEDING) FROM @c c WHERE @W WINDOW w AS (PARTITION BY id, grp ORDER BY score)'),
 ('SELECT grp, flag, count(*), grouping(grp) FROM @c c WHERE @W GROUP BY CUBE (grp, flag) HAVING count(*) > 1'),
 ('SELECT (SELECT count(*) FROM @o o WHERE o.cust = c.id), id FROM @c c WHERE @W'),
 ('SELECT round(stddev(score)::numeric, 6), round(var_pop(score)::numeric, 6), round(avg(score)::numeric, 6) FROM @c c WHERE @W'),
 ('SELECT a.id, b.name FROM @c a JOIN @c b USING (id) JOIN @o o ON o.cust = b.id AND o.oid < 100 WHERE a.id > b.grp');
CREATE TABLE conditions (n int GENERATED ALWAYS AS IDENTITY, condition text);
INSERT INTO conditions (condition) VALUES
 ('true'), ('c.id = 17'), ('c.id IN (3, 4, 99)'), ('c.id IS NULL'), ('c.id > 100 AND c.flag'),
 ('c.id = 5 OR c.id = 6 AND c.grp = 2'), ('c.name LIKE ''name 1%'''), ('c.grp = 2'), ('c.amount > 70.5'),
 ('c.flag IS NOT TRUE'), ('abs(mod(c.id, 4)) = 3'), ('c.id = 12 AND abs(mod(c.id, 4)) = abs(mod(12, 4))'),
 ('c.born BETWEEN ''1990-03-01'' AND ''1990-05-01'''), ('false'), ('c.id = 20.0'), ('random() < 2 AND c.id < 0');

-- Compares them all; shows how many there were, and what differs.
CREATE FUNCTION differences(OUT compared int, OUT rows_seen bigint, OUT different text[]) LANGUAGE plpgsql AS $$
DECLARE s text; q text; answer text;
BEGIN
  compared := 0; rows_seen := 0; different := '{}';
  FOR s IN SELECT DISTINCT ON (replace(shape, '@W', condition)) replace(shape, '@W', condition)
             FROM shapes, conditions LOOP
    q := replace(replace(s, '@c', 's_c'), '@o', 's_o');
    BEGIN
      SELECT string_agg(r, '; ') INTO answer
        FROM same_rows(q, replace(replace(s, '@c', 'l_c'), '@o', 'l_o')) r;
    EXCEPTION WHEN OTHERS THEN answer := sqlerrm;
    END;
    compared := compared + 1;
    IF answer ~ '^\d+ rows compared$' THEN
      rows_seen := rows_seen + split_part(answer, ' ', 1)::bigint;
    ELSE
      different := different || (q || ' => ' || answer);
    END IF;
  END LOOP;
END $$;
SELECT * FROM differences();
-- With statistics other plans are chosen.
SELECT format('ANALYZE c%s, o%1$s', n) FROM generate_series(0, 3) n \gexec
ANALYZE l_c, l_o;
SELECT * FROM differences();
-- And with other kinds of joins and small batches.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT format('ALTER SERVER db%s OPTIONS (ADD fetch_size ''3'')', n) FROM generate_series(0, 3) n \gexec
SELECT * FROM differences();
RESET enable_hashjoin;
RESET enable_mergejoin;
-- Prepared statements, both ways of planning them.
PREPARE by_id (int) AS SELECT * FROM s_c WHERE id = $1;
PREPARE by_ids (int[]) AS SELECT id, name FROM s_c WHERE id = ANY ($1) ORDER BY id;
PREPARE by_sum (int, int) AS SELECT count(*), sum(o.qty) FROM s_c c JOIN s_o o ON c.id = o.cust WHERE c.id = $1 + $2;
CREATE FUNCTION prepared() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE i int; r record;
BEGIN
  FOR i IN 1 .. 8 LOOP
    FOR r IN EXECUTE format('EXECUTE by_id(%s)', i) LOOP RETURN NEXT r::text; END LOOP;
    FOR r IN EXECUTE format('EXECUTE by_ids(''{%s,%s,NULL}'')', i, i * 5) LOOP RETURN NEXT r::text; END LOOP;
    FOR r IN EXECUTE format('EXECUTE by_sum(%s, 1)', i) LOOP RETURN NEXT r::text; END LOOP;
  END LOOP;
END $$;
CREATE TABLE custom AS SELECT * FROM prepared() p;
SET plan_cache_mode = force_generic_plan;
SELECT same_rows('SELECT * FROM prepared()', 'SELECT * FROM custom');
RESET plan_cache_mode;
EXECUTE by_id(NULL);
-- Cursors read while others are open.
BEGIN;
DECLARE a CURSOR FOR SELECT id FROM s_c WHERE id > 150 ORDER BY id;
FETCH 2 FROM a;
DECLARE b NO SCROLL CURSOR FOR SELECT count(*) FROM s_c;
FETCH ALL FROM b;
FETCH 2 FROM a;
COMMIT;
-- Rules of access are those of the parent.
CREATE ROLE regress_reader;
GRANT SELECT (id, name) ON s_c TO regress_reader;
CREATE USER MAPPING FOR regress_reader SERVER db0 OPTIONS (user 'postgres', password_required 'false');
CREATE USER MAPPING FOR regress_reader SERVER db1 OPTIONS (user 'postgres', password_required 'false');
CREATE USER MAPPING FOR regress_reader SERVER db2 OPTIONS (user 'postgres', password_required 'false');
CREATE USER MAPPING FOR regress_reader SERVER db3 OPTIONS (user 'postgres', password_required 'false');
SET ROLE regress_reader;
SELECT id, name FROM s_c WHERE id = 17;
SELECT amount FROM s_c WHERE id = 17;
RESET ROLE;
GRANT SELECT ON s_c TO regress_reader;
ALTER TABLE s_c ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON s_c FOR SELECT TO regress_reader USING (grp = 2);
SET ROLE regress_reader;
SELECT count(*), min(grp), max(grp) FROM s_c;
SELECT id, grp FROM s_c WHERE id IN (17, 18, 20);
RESET ROLE;

-- Aggregates with DISTINCT over several shards, and groups that are whole on one.
\i common/shards.sql
\i common/plans_of_15.sql
SET client_min_messages = warning;
\c :db0
CREATE TABLE e0 (uid int NOT NULL, day date, n numeric, note text); CREATE TABLE u0 (uid int NOT NULL, city text); CREATE TABLE f0 (uid int, g int, n int); CREATE TABLE p0 (a int NOT NULL, b int NOT NULL, v int);
\c :db1
CREATE TABLE e1 (uid int NOT NULL, day date, n numeric, note text); CREATE TABLE u1 (uid int NOT NULL, city text); CREATE TABLE f1 (uid int, g int, n int); CREATE TABLE p1 (a int NOT NULL, b int NOT NULL, v int);
\c :db2
CREATE TABLE e2 (uid int NOT NULL, day date, n numeric, note text); CREATE TABLE u2 (uid int NOT NULL, city text); CREATE TABLE f2 (uid int, g int, n int); CREATE TABLE p2 (a int NOT NULL, b int NOT NULL, v int);
\c :db3
CREATE TABLE e3 (uid int NOT NULL, day date, n numeric, note text); CREATE TABLE u3 (uid int NOT NULL, city text); CREATE TABLE f3 (uid int, g int, n int); CREATE TABLE p3 (a int NOT NULL, b int NOT NULL, v int);
\c :coord
CREATE TABLE e (uid int NOT NULL, day date, n numeric, note text);
CREATE TABLE u (uid int NOT NULL, city text);
-- Without NOT NULL a NULL may be anywhere.
CREATE TABLE f (uid int, g int, n int);
CREATE TABLE p (a int NOT NULL, b int NOT NULL, v int);
SELECT format('CREATE FOREIGN TABLE %s%s (CHECK (abs(mod(%s, 4)) = %2$s)) INHERITS (%1$s) SERVER db%2$s OPTIONS (schema_name ''public'')', t, n, x)
  FROM generate_series(0, 3) n, (VALUES ('e', 'uid'), ('u', 'uid'), ('f', 'uid'), ('p', 'a + b')) v (t, x) \gexec
CREATE TABLE le AS SELECT i * i % 97 AS uid, date '2020-01-01' + i % 11 AS day, (i % 13)::numeric AS n, 'note ' || i % 5 AS note FROM generate_series(1, 5000) i;
CREATE TABLE lu AS SELECT i AS uid, 'city ' || i % 7 AS city FROM generate_series(0, 150) i;
CREATE TABLE lf AS SELECT nullif(i % 50, 7) AS uid, i % 3 AS g, i AS n FROM generate_series(1, 3000) i;
CREATE TABLE lp AS SELECT i % 7 AS a, i % 11 AS b, i % 5 AS v FROM generate_series(1, 3000) i;
SELECT format('INSERT INTO %s%s SELECT * FROM l%1$s WHERE coalesce(abs(mod(%3$s, 4)), n %% 4) = %2$s', t, n, x)
  FROM generate_series(0, 3) n, (VALUES ('f', 'uid')) v (t, x) \gexec
SELECT format('INSERT INTO %s%s SELECT * FROM l%1$s WHERE abs(mod(%3$s, 4)) = %2$s', t, n, x)
  FROM generate_series(0, 3) n, (VALUES ('e', 'uid'), ('u', 'uid'), ('p', 'a + b')) v (t, x) \gexec
SELECT format('ANALYZE %s%s', t, n) FROM generate_series(0, 3) n, unnest('{e,u,f,p}'::text[]) t \gexec

EXPLAIN (VERBOSE, COSTS OFF) SELECT count(DISTINCT uid) FROM e;
EXPLAIN (VERBOSE, COSTS OFF) SELECT day, count(*), count(uid), count(DISTINCT uid) + 1 AS users, sum(DISTINCT uid), avg(n) FROM e GROUP BY day HAVING count(DISTINCT uid) > 3 ORDER BY users DESC LIMIT 3;
SELECT p FROM plan_of('SELECT min(DISTINCT note), max(DISTINCT n) FROM e', 'VERBOSE, COSTS OFF') p WHERE NOT p ~ 'InitPlan|Output: [$]';
EXPLAIN (VERBOSE, COSTS OFF) SELECT u.city, count(DISTINCT e.uid), sum(e.n) FROM e JOIN u USING (uid) GROUP BY u.city;
EXPLAIN (VERBOSE, COSTS OFF) SELECT u.city, count(DISTINCT e.uid), count(*) FROM u LEFT JOIN e USING (uid) GROUP BY u.city;
EXPLAIN (VERBOSE, COSTS OFF) SELECT a, count(DISTINCT b) FROM p GROUP BY a;
-- Whole groups, also of joins; not of the side that an outer join extends with NULLs.
EXPLAIN (VERBOSE, COSTS OFF) SELECT e.uid, array_agg(e.note ORDER BY e.day, e.note), count(*) FROM e JOIN u USING (uid) GROUP BY e.uid;
EXPLAIN (VERBOSE, COSTS OFF) SELECT u.uid, count(e.uid), count(DISTINCT e.note) FROM u LEFT JOIN e USING (uid) GROUP BY u.uid;
SELECT count(*) FROM plan_of('SELECT e.uid, json_agg(u.city) FROM u LEFT JOIN e USING (uid) GROUP BY e.uid', 'VERBOSE, COSTS OFF') l WHERE l ~ 'Remote SQL.* GROUP BY';
-- From rows: values may be on several shards.
EXPLAIN (COSTS OFF) SELECT count(DISTINCT note), count(*) FROM e;
EXPLAIN (COSTS OFF) SELECT count(DISTINCT uid), sum(n) FROM f;
EXPLAIN (COSTS OFF) SELECT count(DISTINCT n) FROM e;
EXPLAIN (COSTS OFF) SELECT count(DISTINCT day + (random() * 3)::int) FROM e;
-- From distinct rows, where it does not matter how often they are there.
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(DISTINCT note) FROM e;
EXPLAIN (VERBOSE, COSTS OFF) SELECT day, count(DISTINCT note), max(uid) FROM e GROUP BY day HAVING min(note) > 'a';
EXPLAIN (VERBOSE, COSTS OFF) SELECT day - date '2020-01-01', array_agg(DISTINCT note) FROM e GROUP BY 1;
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(DISTINCT upper(u.city)) FROM e JOIN u USING (uid);

CREATE TABLE queries (q text);
INSERT INTO queries VALUES
 ('SELECT count(DISTINCT uid) FROM @e e'),
 ('SELECT count(DISTINCT uid) FROM @e e WHERE uid < 0'),
 ('SELECT count(DISTINCT uid), count(uid), count(*), sum(DISTINCT uid), sum(uid) FROM @e e'),
 ('SELECT count(uid), count(DISTINCT uid) FILTER (WHERE n > 5), count(DISTINCT uid) FILTER (WHERE n < 2) FROM @e e'),
 ('SELECT day, count(DISTINCT uid) + 1, sum(DISTINCT uid) / 2, avg(n) FROM @e e GROUP BY day'),
 ('SELECT day, count(*) FROM @e e GROUP BY day HAVING count(DISTINCT uid) > 30'),
 ('SELECT day, count(DISTINCT uid) FROM @e e GROUP BY day HAVING sum(n) > 240 AND count(DISTINCT uid) BETWEEN 3 AND 40'),
 ('SELECT extract(month FROM day) AS m, count(DISTINCT uid), max(n) FROM @e e GROUP BY m ORDER BY count(DISTINCT uid), m'),
 ('SELECT min(DISTINCT note COLLATE "C"), max(DISTINCT n), bool_or(DISTINCT n > 3), count(*) FROM @e e'),
 ('SELECT count(DISTINCT note), count(DISTINCT uid) FROM @e e'),
 ('SELECT count(DISTINCT note) FROM @e e'),
 ('SELECT count(DISTINCT note) FROM @e e WHERE uid < 0'),
 ('SELECT day, count(DISTINCT note), max(uid), min(note) FROM @e e GROUP BY day HAVING min(note) > ''note 1'' AND count(DISTINCT note) < 40'),
 ('SELECT day - date ''2020-01-01'' AS d, array_agg(DISTINCT note), sum(DISTINCT uid % 10) FILTER (WHERE note > ''note 2'') FROM @e e GROUP BY d'),
 ('SELECT count(DISTINCT upper(u.city)), count(DISTINCT e.day) FROM @e e JOIN @u u USING (uid)'),
 ('SELECT count(DISTINCT coalesce(e.note, ''none'')), count(DISTINCT x.c) FROM @u u LEFT JOIN (SELECT *, 1 AS c FROM @e e WHERE n > 8) e USING (uid) LEFT JOIN (SELECT *, 1 AS c FROM @u u WHERE city > ''city 4'') x USING (uid)'),
 ('SELECT note, variance(DISTINCT uid), string_agg(DISTINCT note, '','') FROM @e e GROUP BY note'),
 ('SELECT count(DISTINCT n), count(DISTINCT n::text) FROM @e e'),
 ('SELECT count(DISTINCT (note, day)) FROM @e e'),
 ('SELECT count(DISTINCT note), count(DISTINCT day) FROM @e e GROUP BY uid % 3 ORDER BY count(DISTINCT note), uid % 3'),
 ('SELECT v, count(DISTINCT a), max(b) FROM @p p GROUP BY v'),
 ('SELECT g, count(DISTINCT uid), max(n % 4) FROM @f f GROUP BY g'),
 ('SELECT (SELECT count(DISTINCT a) FROM @p p WHERE p.v = l.i) FROM generate_series(1, 5) l (i)'),
 ('SELECT variance(DISTINCT uid), count(DISTINCT uid) FROM @e e'),
 ('SELECT u.city, count(DISTINCT e.uid), sum(e.n) FROM @e e JOIN @u u USING (uid) GROUP BY u.city'),
 ('SELECT u.city, count(DISTINCT e.uid), count(*), count(DISTINCT u.uid) FROM @u u LEFT JOIN @e e USING (uid) GROUP BY u.city'),
 ('SELECT count(DISTINCT e.uid), count(DISTINCT u.uid) FROM @u u FULL JOIN @e e ON u.uid = e.uid AND u.city <> ''city 3'''),
 ('SELECT e.uid, array_agg(e.note ORDER BY e.day, e.note), count(*) FROM @e e JOIN @u u USING (uid) GROUP BY e.uid'),
 ('SELECT u.uid, count(e.uid), count(DISTINCT e.note) FROM @u u LEFT JOIN @e e USING (uid) GROUP BY u.uid'),
 ('SELECT e.uid, count(DISTINCT u.city), count(*) FROM @u u LEFT JOIN @e e USING (uid) GROUP BY e.uid'),
 ('SELECT e.uid, count(*) FROM @e e RIGHT JOIN @u u USING (uid) GROUP BY e.uid'),
 ('SELECT u.uid, count(*) FROM @e e FULL JOIN @u u ON u.uid = e.uid AND e.n > 4 GROUP BY u.uid'),
 ('SELECT u.uid, count(*) FROM @u u WHERE EXISTS (SELECT 1 FROM @e e WHERE e.uid = u.uid AND n > 10) GROUP BY u.uid'),
 ('SELECT u.city, count(DISTINCT u.uid) FROM @u u WHERE NOT EXISTS (SELECT 1 FROM @e e WHERE e.uid = u.uid) GROUP BY u.city'),
 ('SELECT a, count(DISTINCT b), count(b) FROM @p p GROUP BY a'),
 ('SELECT count(DISTINCT a) FROM @p p'),
 ('SELECT a, b, count(DISTINCT v), sum(v) FROM @p p GROUP BY a, b'),
 ('SELECT b, a + 0, count(DISTINCT b) FROM @p p GROUP BY b, a + 0'),
 ('SELECT count(DISTINCT uid), count(*) FROM @f f'),
 ('SELECT g, count(DISTINCT uid), sum(n) FROM @f f GROUP BY g'),
 ('SELECT uid, count(*), array_length(array_agg(n), 1) FROM @f f GROUP BY uid'),
 ('SELECT sum(x.c) FROM (SELECT day, count(DISTINCT uid) AS c FROM @e e GROUP BY day) x'),
 ('SELECT l.i, (SELECT count(DISTINCT uid) FROM @e e WHERE e.n = l.i) FROM generate_series(1, 5) l (i)'),
 ('SELECT day, count(DISTINCT uid), rank() OVER (ORDER BY count(DISTINCT uid)) FROM @e e GROUP BY day'),
 ('SELECT DISTINCT count(DISTINCT uid) FROM @e e GROUP BY note'),
 ('SELECT day, count(DISTINCT uid) FROM @e e GROUP BY ROLLUP (day)'),
 ('SELECT 1 FROM @e e HAVING count(DISTINCT uid) > 5'),
 ('SELECT note, count(DISTINCT uid) FROM @e e WHERE note = ''note 2'' GROUP BY note');
CREATE FUNCTION compare_all() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE r record; line text; n int := 0;
BEGIN
  FOR r IN SELECT q FROM queries LOOP
    FOR line IN SELECT * FROM same_rows(replace(r.q, '@', ''), replace(r.q, '@', 'l')) LOOP
      IF line !~ '^\d+ rows compared' THEN RETURN NEXT r.q || ' => ' || line; END IF;
    END LOOP;
    n := n + 1;
  END LOOP;
  RETURN NEXT n || ' compared';
END $$;
SELECT compare_all();
SET enable_hashagg = off;
SELECT compare_all();
RESET enable_hashagg;
SET enable_sort = off;
SELECT compare_all();
RESET enable_sort;
PREPARE p (numeric) AS SELECT day, count(DISTINCT uid) FROM e WHERE n = $1 GROUP BY day ORDER BY day LIMIT 2;
SET plan_cache_mode = force_generic_plan;
EXECUTE p(3);
EXECUTE p(-1);
EXECUTE p(5);
RESET plan_cache_mode;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT day, count(DISTINCT uid) AS n FROM e GROUP BY day ORDER BY n, day;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
COMMIT;
SELECT plan_of('SELECT count(DISTINCT uid) FROM e', 'ANALYZE, COSTS OFF');

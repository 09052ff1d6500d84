-- Queries of which a shard would give other rows than this database, were they taken at their word.
\i common/shards.sql
CREATE FUNCTION explain(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || query;
END $$;
\c :db0
CREATE DATABASE db4 TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C';
CREATE DATABASE db6 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C';
\setenv SHARD_DB4 `echo "$SHARD_DB0" | sed 's/dbname=db0/dbname=db4/'`
\setenv SHARD_DB6 `echo "$SHARD_DB0" | sed 's/dbname=db0/dbname=db6/'`
\getenv db4 SHARD_DB4
\getenv db6 SHARD_DB6
CREATE TABLE n0 (k int, v text);
CREATE TABLE z (id int, v int);
CREATE TABLE y (id int, v int);
CREATE TABLE p0 (id int, info text, g int);
CREATE TABLE moments (id int, a timestamptz, b timestamptz);
\c :db1
CREATE TABLE n1 (k int, v text);
CREATE TABLE z (id int, v int);
CREATE TABLE y (id int, v int);
CREATE TABLE p1 (id int, info text, g int);
\c :db4
CREATE TABLE words (id int PRIMARY KEY, word text, docs jsonb[]);
\c :db6
CREATE TABLE latin (id int, word text);
\c :coord
CREATE SERVER db4 FOREIGN DATA WRAPPER shard_fdw OPTIONS (host :'host', port :'port0', dbname 'db4');
CREATE USER MAPPING FOR CURRENT_USER SERVER db4 OPTIONS (user 'postgres');
CREATE SERVER db6 FOREIGN DATA WRAPPER shard_fdw OPTIONS (host :'host', port :'port0', dbname 'db6');
CREATE USER MAPPING FOR CURRENT_USER SERVER db6 OPTIONS (user 'postgres');

-- A CHECK with a NULL in its list lets every value pass.
CREATE TABLE n (k int, v text);
CREATE FOREIGN TABLE n0 (CHECK (k IN (0, NULL))) INHERITS (n) SERVER db0;
CREATE FOREIGN TABLE n1 (CHECK (k IN (1, 2))) INHERITS (n) SERVER db1;
INSERT INTO n0 VALUES (0, 'zero'), (5, 'five'), (2, 'two here'), (NULL, NULL);
INSERT INTO n1 VALUES (1, 'one'), (2, 'two');
SELECT * FROM n WHERE k = 5;
SELECT * FROM n WHERE k = 2 ORDER BY v;
SELECT * FROM n WHERE k = ANY ('{1,5}') ORDER BY v;
-- So does a CHECK that is NULL though its column is not: such a row may be on any shard, and neither groups nor joins by key
-- are whole there. A function of the user's may be NULL, too.
CREATE TABLE z (id int NOT NULL, v int);
CREATE FOREIGN TABLE z0 (CHECK (mod(nullif(id, 0), 2) = 0)) INHERITS (z) SERVER db0 OPTIONS (table_name 'z');
CREATE FOREIGN TABLE z1 (CHECK (mod(nullif(id, 0), 2) = 1)) INHERITS (z) SERVER db1 OPTIONS (table_name 'z');
CREATE TABLE y (id int NOT NULL, v int);
CREATE FOREIGN TABLE y0 (CHECK (mod(nullif(id, 0), 2) = 0)) INHERITS (y) SERVER db0 OPTIONS (table_name 'y');
CREATE FOREIGN TABLE y1 (CHECK (mod(nullif(id, 0), 2) = 1)) INHERITS (y) SERVER db1 OPTIONS (table_name 'y');
INSERT INTO z0 VALUES (0, 1), (2, 2);
INSERT INTO z1 VALUES (0, 4), (1, 8);
INSERT INTO y0 VALUES (2, 16);
INSERT INTO y1 VALUES (0, 32), (1, 64);
CREATE TABLE l_z AS SELECT * FROM z;
CREATE TABLE l_y AS SELECT * FROM y;
CREATE FUNCTION z_same() RETURNS SETOF text LANGUAGE sql AS $$
  SELECT same_rows('SELECT id, sum(v) FROM z GROUP BY id', 'SELECT id, sum(v) FROM l_z GROUP BY id')
  UNION ALL SELECT same_rows('SELECT count(DISTINCT id) FROM z', 'SELECT count(DISTINCT id) FROM l_z')
  UNION ALL SELECT same_rows('SELECT DISTINCT id FROM z', 'SELECT DISTINCT id FROM l_z')
  UNION ALL SELECT same_rows('SELECT * FROM z JOIN y USING (id)', 'SELECT * FROM l_z JOIN l_y USING (id)')
  UNION ALL SELECT same_rows('SELECT * FROM z WHERE id IN (0, 1)', 'SELECT * FROM l_z WHERE id IN (0, 1)')
$$;
SELECT z_same();
-- Where every rule excludes it, all is decided again.
DELETE FROM z WHERE id = 0;
DELETE FROM l_z WHERE id = 0;
DELETE FROM y WHERE id = 0;
DELETE FROM l_y WHERE id = 0;
ALTER FOREIGN TABLE z0 ADD CHECK (mod(nullif(id, 0), 2) IS NOT NULL);
SELECT explain('SELECT id, sum(v) FROM z GROUP BY id');
ALTER FOREIGN TABLE z1 ADD CHECK (mod(nullif(id, 0), 2) IS NOT NULL);
SELECT explain('SELECT id, sum(v) FROM z GROUP BY id');
-- What the planner would do without statistics is not the question.
SET enable_mergejoin = off;
SET enable_hashjoin = off;
SET enable_nestloop = off;
SELECT explain('SELECT z.v FROM z JOIN y USING (id)');
ALTER FOREIGN TABLE y0 ADD CHECK (v = 0 OR mod(nullif(id, 0), 2) IS NOT NULL);
ALTER FOREIGN TABLE y1 ADD CHECK (mod(nullif(id, 0), 2) IS NOT NULL AND v > 0);
SELECT explain('SELECT z.v FROM z JOIN y USING (id)');
ALTER FOREIGN TABLE y0 ADD CHECK (v > 0 AND mod(nullif(id, 0), 2) IS NOT NULL);
SELECT explain('SELECT z.v FROM z JOIN y USING (id)');
SELECT z_same();
RESET enable_mergejoin;
RESET enable_hashjoin;
RESET enable_nestloop;

-- A NOT NULL of the parent alone says nothing of the children's rows.
DO $$ BEGIN
  IF current_setting('server_version_num')::int >= 180000 THEN
    EXECUTE 'ALTER TABLE n ADD CONSTRAINT v_there NOT NULL v NO INHERIT';
  ELSE
    EXECUTE 'ALTER TABLE ONLY n ALTER v SET NOT NULL';
  END IF;
END $$;
SET constraint_exclusion = on;
SELECT * FROM n WHERE v IS NULL;
RESET constraint_exclusion;
SELECT * FROM n WHERE v IS NULL;

-- Neither does its primary key: GROUP BY keeps its columns, and what depends on the key is not asked of the shards.
CREATE TABLE p (id int PRIMARY KEY, info text, g int);
CREATE FOREIGN TABLE p0 (CHECK (mod(g, 2) = 0)) INHERITS (p) SERVER db0;
CREATE FOREIGN TABLE p1 (CHECK (mod(g, 2) = 1)) INHERITS (p) SERVER db1;
INSERT INTO p VALUES (1, 'a', 0), (1, 'b', 1), (1, 'c', 0), (2, 'a', 2), (2, 'a', 3);
CREATE TABLE l_p AS SELECT * FROM p;
SELECT explain('SELECT id, info, count(*) FROM p GROUP BY id, info');
SELECT same_rows('SELECT id, info, count(*) FROM p GROUP BY id, info', 'SELECT id, info, count(*) FROM l_p GROUP BY id, info');
SELECT same_rows('SELECT id, info, count(*) FROM p WHERE g = 0 GROUP BY id, info', 'SELECT id, info, count(*) FROM l_p WHERE g = 0 GROUP BY id, info');
SELECT id, info = ANY ('{a,c}'), count(*) FROM p WHERE g = 0 GROUP BY id;
SELECT id, count(*) FROM p WHERE g = 0 GROUP BY id HAVING info <> 'b';
SELECT id, count(*) FROM p GROUP BY id ORDER BY id;

-- age() of two points in time counts days in the session's time zone.
SET TimeZone = 'Europe/Berlin';
CREATE FOREIGN TABLE moments (id int, a timestamptz, b timestamptz) SERVER db0;
INSERT INTO moments VALUES (1, '2024-01-15 00:00', '2024-07-15 00:00'), (2, '2024-03-01', '2024-04-01');
CREATE TABLE l_moments AS SELECT * FROM moments;
SELECT explain('SELECT id FROM moments WHERE age(b, a) = ''6 mons''');
SELECT same_rows('SELECT id, age(b, a) FROM moments WHERE age(b, a) IN (''6 mons'', ''1 mon'')', 'SELECT id, age(b, a) FROM l_moments WHERE age(b, a) IN (''6 mons'', ''1 mon'')');
SELECT same_rows('SELECT sum(age(b, a)) FROM moments', 'SELECT sum(age(b, a)) FROM l_moments');
RESET TimeZone;

-- The bytes of a text are those of the database's encoding.
CREATE FOREIGN TABLE latin (id int, word text) SERVER db6;
INSERT INTO latin VALUES (1, 'é'), (2, 'e'), (233, 'z');
SELECT explain('SELECT id FROM latin WHERE octet_length(word) = 2');
SELECT id FROM latin WHERE octet_length(word) = 2;
SELECT id FROM latin WHERE md5(word) = md5('é');
SELECT id FROM latin WHERE ascii(word) = 233 OR chr(id) = 'é' ORDER BY id;
SELECT explain('SELECT id FROM latin WHERE length(word) = 1 AND word LIKE ''é%''');
SELECT id FROM latin WHERE length(word) = 1 AND word LIKE 'é%';

-- Rows are ordered by the collations of their columns, jsonb by that of the database, also in arrays.
CREATE FOREIGN TABLE words (id int, word text, docs jsonb[]) SERVER db4;
INSERT INTO words SELECT i, x, ARRAY[to_jsonb(x)] FROM unnest('{a,B,c}'::text[]) WITH ORDINALITY u (x, i);
SELECT explain('SELECT word FROM words ORDER BY ROW(word, id)');
SELECT word FROM words ORDER BY ROW(word, id);
SELECT explain('SELECT word FROM words ORDER BY docs LIMIT 2');
SELECT word FROM words ORDER BY docs LIMIT 2;
SELECT word FROM words WHERE ROW(word, id) < ROW('a', 1);
-- ON CONFLICT and MERGE are computed by the shards or not at all.
SELECT expect_error($$INSERT INTO words (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET word = 'x' WHERE words.word > 'Z'$$);
SELECT expect_error($$INSERT INTO words (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET word = greatest(words.word, 'b')$$);
INSERT INTO words (id, word) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET word = words.word || excluded.word WHERE words.word = 'a';
SELECT id, word FROM words ORDER BY id;
\c :db0
CREATE TABLE w0 (id int PRIMARY KEY, word text);
\c :db4
CREATE TABLE w1 (id int PRIMARY KEY, word text);
\c :coord
CREATE TABLE w (id int NOT NULL, word text);
CREATE FOREIGN TABLE w0 (CHECK (mod(id, 2) = 0)) INHERITS (w) SERVER db0;
CREATE FOREIGN TABLE w1 (CHECK (mod(id, 2) = 1)) INHERITS (w) SERVER db4;
INSERT INTO w VALUES (0, 'a'), (1, 'a');
PREPARE upsert (int) AS INSERT INTO w VALUES ($1, 'x') ON CONFLICT (id) DO UPDATE SET word = 'y' WHERE w.word > 'Z';
SET plan_cache_mode = force_generic_plan;
EXECUTE upsert (0);
SELECT expect_error('EXECUTE upsert (1)');
PREPARE merge (int) AS MERGE INTO w USING (SELECT $1 AS id) s ON w.id = s.id WHEN MATCHED AND w.word > 'Z' THEN UPDATE SET word = w.word || 'z';
EXECUTE merge (0);
SELECT expect_error('EXECUTE merge (1)');
SELECT expect_error('EXECUTE merge (1)');
SELECT expect_error($$MERGE INTO w USING (SELECT 1 AS id) s ON w.id = s.id WHEN MATCHED AND w.word > 'Z' THEN UPDATE SET word = 'z'$$);
MERGE INTO w USING (SELECT 0 AS id) s ON w.id = s.id WHEN MATCHED AND w.word > 'Z' THEN UPDATE SET word = w.word || '!';
SELECT * FROM w ORDER BY id;

-- What an extension brings is known only where every server has it.
CREATE EXTENSION citext;
\c :db0
CREATE EXTENSION citext;
CREATE TABLE e0 (id int, name citext);
\c :db1
CREATE TABLE e1 (id int, name text);
\c :coord
ALTER SERVER db0 OPTIONS (ADD extensions 'citext');
CREATE TABLE e (id int, name citext);
CREATE FOREIGN TABLE e0 (CHECK (mod(id, 2) = 0)) INHERITS (e) SERVER db0;
CREATE FOREIGN TABLE e1 (CHECK (mod(id, 2) = 1)) INHERITS (e) SERVER db1;
INSERT INTO e VALUES (0, 'a'), (1, 'A');
SELECT explain('SELECT id FROM e WHERE name = ''a''');
SELECT id FROM e WHERE name = 'a' ORDER BY id;
SELECT explain('SELECT id FROM e0 WHERE name = ''A''');
SELECT count(DISTINCT name) FROM e;

-- An implicit cast that comes from elsewhere: USING gives the type that both columns have in common.
\c :db0
CREATE TABLE ca (id int, v varchar, n numeric, name citext, b char(5));
CREATE TABLE cb (n float8, name text, b text);
\c :coord
CREATE FOREIGN TABLE ca (id int, v varchar, n numeric, name citext, b char(5)) SERVER db0;
CREATE FOREIGN TABLE cb (n float8, name text, b text) SERVER db0;
INSERT INTO ca VALUES (1, 'x', 0.1, 'A', 'ab'), (2, 'x ', 0.10000000000000000001, 'a', 'cd'), (3, 'y', 2, 'b', 'ef');
INSERT INTO cb VALUES (0.1, 'A', 'ab'), (0.1, 'a', 'cd '), (2, 'B', 'ef');
CREATE TABLE l_ca AS SELECT * FROM ca;
CREATE TABLE l_cb AS SELECT * FROM cb;
ANALYZE ca, cb, l_ca, l_cb;
CREATE TABLE queries (q text);
INSERT INTO queries VALUES
 ('SELECT id FROM ca WHERE v = ''x''::char(3)'),
 ('SELECT id FROM ca WHERE name = ''A''::text'),
 ('SELECT DISTINCT n FROM ca LEFT JOIN cb USING (n)'),
 ('SELECT count(DISTINCT n), sum(n + n) FROM ca LEFT JOIN cb USING (n)'),
 ('SELECT n, rank() OVER (ORDER BY n) FROM ca LEFT JOIN cb USING (n)'),
 ('SELECT n, count(*) OVER (PARTITION BY n) FROM ca LEFT JOIN cb USING (n)'),
 ('SELECT DISTINCT name FROM ca LEFT JOIN cb USING (name)'),
 ('SELECT count(DISTINCT name), max(name) FROM ca LEFT JOIN cb USING (name)'),
 ('SELECT string_agg(b::text, ''|'' ORDER BY id), array_agg(b ORDER BY id) FROM ca LEFT JOIN cb USING (b)');
SELECT q, same_rows(q, regexp_replace(q, '\m(ca|cb)\M', 'l_\1', 'g')) FROM queries;
SELECT line FROM queries, LATERAL plan_of(q, 'VERBOSE, COSTS OFF') line WHERE line ~ 'Remote SQL';
-- Nothing is cut off that would not fit.
\c :db0
ALTER TABLE ca ALTER v TYPE varchar(3);
\c :coord
ALTER FOREIGN TABLE ca ALTER v TYPE varchar(3);
SELECT explain('UPDATE ca SET v = v || ''long'', n = id WHERE id = 1');
SELECT expect_error('UPDATE ca SET v = v || ''long'', n = id WHERE id = 1');
-- Sub-queries on both sides of a full join have names of their own.
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_nestloop = off;
SELECT explain('SELECT l.id, r.id FROM (SELECT a.id FROM ca a LEFT JOIN cb USING (b) WHERE a.id > 1) l FULL JOIN (SELECT a.id FROM ca a LEFT JOIN cb USING (b) WHERE a.id < 3) r ON l.id = r.id');
SELECT l.id, r.id FROM (SELECT a.id FROM ca a LEFT JOIN cb USING (b) WHERE a.id > 1) l FULL JOIN (SELECT a.id FROM ca a LEFT JOIN cb USING (b) WHERE a.id < 3) r ON l.id = r.id ORDER BY 1, 2;
RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_nestloop;

-- Row-level security comes before what users ask, also on the shards.
\c :db0
CREATE TABLE s0 (id int, owner text, secret text);
\c :db1
CREATE TABLE s1 (id int, owner text, secret text);
\c :coord
CREATE TABLE s (id int, owner text, secret text);
CREATE FOREIGN TABLE s0 (CHECK (mod(id, 2) = 0)) INHERITS (s) SERVER db0;
CREATE FOREIGN TABLE s1 (CHECK (mod(id, 2) = 1)) INHERITS (s) SERVER db1;
INSERT INTO s VALUES (0, 'postgres', 'hidden'), (1, 'regress_rls', '11'), (2, 'regress_rls', '12');
ALTER TABLE s ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON s USING (owner = current_user AND owner || 'x' <> 'x' AND owner || 'y' <> 'y');
CREATE ROLE regress_rls;
GRANT SELECT, DELETE ON s TO regress_rls;
CREATE USER MAPPING FOR regress_rls SERVER db0 OPTIONS (user 'postgres', password_required 'false');
CREATE USER MAPPING FOR regress_rls SERVER db1 OPTIONS (user 'postgres', password_required 'false');
SET ROLE regress_rls;
SELECT explain('SELECT id FROM s WHERE secret::int = 11 AND id < 5');
SELECT id FROM s WHERE secret::int = 11 AND id < 5;
SELECT a.id FROM s a JOIN s b ON a.id = b.id AND a.secret::int > b.secret::int - 1 ORDER BY 1;
SELECT s.id FROM (VALUES (11)) v (n) LEFT JOIN LATERAL (SELECT * FROM s WHERE secret::int = n) s ON true;
SELECT sum(secret::int) FROM s;
DELETE FROM s WHERE secret::int = 12 RETURNING id;
SELECT id, secret FROM s;
RESET ROLE;

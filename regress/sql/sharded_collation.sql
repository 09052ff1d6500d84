-- Text is ordered on the shards only where their default collation is this database's, which they are asked about.
\i common/shards.sql
CREATE FUNCTION explain(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || query;
END $$;
-- Two shards like this database, db4 with another collation, and db5, which has the tables and is not used yet.
\c :db0
CREATE DATABASE db4 TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C';
CREATE DATABASE db5 TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C';
CREATE TABLE w0 (id int, grp int, word text, c text);
\c :db1
CREATE TABLE w1 (id int, grp int, word text, c text);
\c :db0
\setenv SHARD_DB4 `echo "$SHARD_DB0" | sed 's/dbname=db0/dbname=db4/'`
\setenv SHARD_DB5 `echo "$SHARD_DB0" | sed 's/dbname=db0/dbname=db5/'`
\getenv db4 SHARD_DB4
\getenv db5 SHARD_DB5
\c :db4
CREATE TABLE w2 (id int, grp int, word text, c text);
CREATE TABLE j (id int, word jsonb);
INSERT INTO j VALUES (1, '"a"'), (2, '"B"'), (3, '"c"');
\c :db5
CREATE TABLE w0 (id int, grp int, word text, c text);
CREATE TABLE w1 (id int, grp int, word text, c text);
CREATE TABLE w2 (id int, grp int, word text, c text);
\c :coord
CREATE TABLE l_w (id int, grp int, word text, c text COLLATE "C");
INSERT INTO l_w SELECT i, i % 7, x, x
  FROM (SELECT i, (ARRAY['a','B','c','D','_x','Zebra','zebra','é','e','f','-q','co-op','coop','Öl','ol',NULL])[1 + i % 16] || i % 5 AS x
          FROM generate_series(1, 480) i) s;
CREATE TABLE w (LIKE l_w);
CREATE SERVER db4 FOREIGN DATA WRAPPER shard_fdw OPTIONS (host :'host', port :'port0', dbname 'db4');
CREATE USER MAPPING FOR CURRENT_USER SERVER db4 OPTIONS (user 'postgres');
CREATE FOREIGN TABLE w0 (CHECK (mod(id, 3) = 0)) INHERITS (w) SERVER db0;
CREATE FOREIGN TABLE w1 (CHECK (mod(id, 3) = 1)) INHERITS (w) SERVER db1;
CREATE FOREIGN TABLE w2 (CHECK (mod(id, 3) = 2)) INHERITS (w) SERVER db4;
INSERT INTO w SELECT * FROM l_w;
ANALYZE w0, w1, w2, w, l_w;

-- Row by row, in order, against a local twin.
CREATE FUNCTION same_order(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE a text[]; b text[]; twin text := regexp_replace(query, '\m(w|w0|w2)\M(?! *\()', 'l_\1', 'g');
BEGIN
  EXECUTE format('SELECT array_agg(r::text) FROM (%s) r', query) INTO a;
  EXECUTE format('SELECT array_agg(r::text) FROM (%s) r', twin) INTO b;
  IF a IS DISTINCT FROM b THEN
    RETURN format('%s: differs, %s instead of %s', query, a[1:20], b[1:20]);
  END IF;
  RETURN format('%s: %s rows', query, coalesce(array_length(b, 1), 0));
END $$;
CREATE VIEW l_w0 AS SELECT * FROM l_w WHERE mod(id, 3) = 0;
CREATE VIEW l_w2 AS SELECT * FROM l_w WHERE mod(id, 3) = 2;
CREATE TABLE queries (q text);
INSERT INTO queries VALUES
 ('SELECT word, id FROM w ORDER BY word, id'),
 ('SELECT word, id FROM w ORDER BY word DESC NULLS LAST, id LIMIT 7'),
 ('SELECT word, id FROM w ORDER BY word, id LIMIT 9 OFFSET 20'),
 ('SELECT word, id FROM w2 ORDER BY word, id LIMIT 9'),
 ('SELECT word, id FROM w0 ORDER BY word, id LIMIT 9'),
 ('SELECT word, id FROM w WHERE mod(id, 3) = 2 ORDER BY word, id LIMIT 9'),
 ('SELECT word, id FROM w WHERE id = 101 OR id = 104 OR id = 107 ORDER BY word, id LIMIT 2'),
 ('SELECT min(word), max(word) FROM w'),
 ('SELECT grp, min(word), max(word) FROM w GROUP BY grp ORDER BY grp'),
 ('SELECT min(word), max(word) FROM w2'),
 ('SELECT count(*) FROM w WHERE word < ''coop'''),
 ('SELECT count(*) FROM w2 WHERE word BETWEEN ''B'' AND ''d'''),
 ('SELECT id FROM w WHERE greatest(word, ''b'') = word ORDER BY id'),
 ('SELECT id FROM w WHERE (word, id) > (''Z'', 5) ORDER BY id'),
 ('SELECT id FROM w WHERE word = ANY (''{B1,B2}'') ORDER BY id'),
 ('SELECT id FROM w WHERE word > ALL (''{B1,a2}'') ORDER BY id'),
 ('SELECT id FROM w WHERE upper(word) = ''É2'' ORDER BY id'),
 ('SELECT id FROM w WHERE word ILIKE ''É%'' ORDER BY id'),
 ('SELECT id FROM w WHERE word ~ ''^[[:alpha:]]'' ORDER BY id'),
 ('SELECT DISTINCT ON (grp) grp, word, id FROM w ORDER BY grp, word, id'),
 ('SELECT DISTINCT word FROM w ORDER BY word'),
 ('SELECT word, count(*) FROM w GROUP BY word ORDER BY word LIMIT 11'),
 ('SELECT id, rank() OVER (PARTITION BY id % 2 ORDER BY word) FROM w2 ORDER BY id'),
 ('SELECT string_agg(word, '','' ORDER BY word, id) FROM w2'),
 ('SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY word) FROM w2'),
 ('SELECT a.id, b.id FROM w2 a JOIN w2 b ON a.word < b.word AND a.id = b.id + 3 ORDER BY a.id LIMIT 20'),
 ('SELECT id FROM w2 ORDER BY to_jsonb(word), id LIMIT 20'),
 ('SELECT id FROM w2 WHERE to_jsonb(word) < ''"b"'' ORDER BY id'),
 ('SELECT id FROM w WHERE jsonb_build_object(''k'', word) > ''{"k": "b"}'' ORDER BY id'),
 ('SELECT c, id FROM w ORDER BY c, id LIMIT 20'),
 ('SELECT word COLLATE "C", id FROM w ORDER BY word COLLATE "C", id LIMIT 20');

-- A new session knows nothing of the shards: planning asks them.
\c :coord
SELECT explain('SELECT word FROM w ORDER BY word LIMIT 5');
SELECT explain('SELECT word FROM w2 WHERE word > ''b'' ORDER BY word LIMIT 5');
SELECT explain('SELECT word FROM w0 WHERE word > ''b'' ORDER BY word LIMIT 5');
SELECT explain('SELECT word FROM w ORDER BY word COLLATE "C" LIMIT 5');
SELECT explain('SELECT max(word), max(c) FROM w');
SELECT same_order(q) FROM queries;

-- Strings within jsonb have the default collation as well.
CREATE FOREIGN TABLE j (id int, word jsonb) SERVER db4;
SELECT explain('SELECT id FROM j WHERE word > ''"C"'' ORDER BY word LIMIT 1');
SELECT id FROM j ORDER BY word LIMIT 1;
SELECT id FROM j WHERE word > '"C"' ORDER BY id;

-- Only shards that are like this database: their rows are merged.
ALTER FOREIGN TABLE w2 NO INHERIT w;
\c :coord
SELECT explain('SELECT word FROM w ORDER BY word LIMIT 5');
SELECT e FROM explain('SELECT max(word) FROM w') e WHERE NOT e ~ 'InitPlan|Output: [$]';
ALTER FOREIGN TABLE w2 INHERIT w;

-- Which shard a generic plan asks is known when it runs, so planning asks none: one that turns out to be another kind is an
-- error, once.
\c :coord
SET plan_cache_mode = force_generic_plan;
PREPARE one(int) AS SELECT word FROM w WHERE id = $1 AND word > 'b' ORDER BY word LIMIT 3;
EXECUTE one(3);
EXECUTE one(4);
SELECT count(*) FROM shard_fdw_get_connections();
SELECT expect_error('EXECUTE one(2)');
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE one(2);
EXECUTE one(2);
EXECUTE one(3);
DEALLOCATE one;
-- The same of a statement that changes rows: nothing is changed.
\c :coord
SET plan_cache_mode = force_generic_plan;
PREPARE del(int) AS DELETE FROM w WHERE id = $1 AND word < 'b';
EXECUTE del(3);
SELECT expect_error('EXECUTE del(101)');
SELECT id, word FROM w WHERE id = 101;
EXECUTE del(101);
SELECT count(*) FROM w;
DEALLOCATE del;

-- A server that becomes another one behind its name.
\c :coord
PREPARE some_words AS SELECT word FROM w1 ORDER BY word LIMIT 2;
EXECUTE some_words;
EXECUTE some_words;
ALTER SERVER db1 OPTIONS (SET dbname 'db5', SET port :'port0');
\c :db5
INSERT INTO w1 VALUES (1, 1, 'a', 'a'), (4, 1, 'B', 'B');
\c :coord
PREPARE some_words AS SELECT word FROM w1 ORDER BY word LIMIT 2;
EXECUTE some_words;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE some_words;

-- What the user says counts, right or wrong.
ALTER SERVER db4 OPTIONS (ADD collation_compatible 'true');
SELECT explain('SELECT word FROM w2 WHERE word > ''b'' ORDER BY word LIMIT 5');
ALTER SERVER db0 OPTIONS (ADD collation_compatible 'off');
SELECT explain('SELECT word FROM w0 WHERE word > ''b'' ORDER BY word LIMIT 5');
SELECT explain('SELECT c FROM w0 WHERE c > ''b'' ORDER BY c LIMIT 5');
SELECT expect_error('ALTER SERVER db0 OPTIONS (SET collation_compatible ''perhaps'')');
SELECT expect_error('ALTER FOREIGN TABLE w0 OPTIONS (ADD collation_compatible ''true'')');
-- Servers that cannot be reached are not a matter of planning.
CREATE SERVER gone FOREIGN DATA WRAPPER shard_fdw OPTIONS (host '127.0.0.1', port '1');
CREATE FOREIGN TABLE gone (word text) SERVER gone;
SELECT explain('SELECT word FROM gone ORDER BY word LIMIT 5');
CREATE USER MAPPING FOR CURRENT_USER SERVER gone OPTIONS (user 'postgres');
SELECT explain('SELECT word FROM gone ORDER BY word LIMIT 5');

-- A coordinator of the other kind: shards like it are those with the same ICU collation in the same version.
\c :db0
\setenv SHARD_ICU `echo "$SHARD_COORD" | sed 's/dbname=.*/dbname=regress_icu/'`
\getenv icu SHARD_ICU
\c :coord
CREATE DATABASE regress_icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C';
\c :icu
CREATE EXTENSION shard_fdw;
CREATE FUNCTION explain(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || query;
END $$;
CREATE TABLE w (id int, grp int, word text, c text COLLATE "C");
CREATE SERVER db0 FOREIGN DATA WRAPPER shard_fdw OPTIONS (host :'host', port :'port0', dbname 'db0');
CREATE SERVER db4 FOREIGN DATA WRAPPER shard_fdw OPTIONS (host :'host', port :'port0', dbname 'db4');
CREATE SERVER db5 FOREIGN DATA WRAPPER shard_fdw OPTIONS (host :'host', port :'port0', dbname 'db5');
CREATE USER MAPPING FOR CURRENT_USER SERVER db0 OPTIONS (user 'postgres');
CREATE USER MAPPING FOR CURRENT_USER SERVER db4 OPTIONS (user 'postgres');
CREATE USER MAPPING FOR CURRENT_USER SERVER db5 OPTIONS (user 'postgres');
CREATE FOREIGN TABLE w0 (CHECK (mod(id, 2) = 0)) INHERITS (w) SERVER db5 OPTIONS (table_name 'w0', schema_name 'public');
CREATE FOREIGN TABLE w2 (CHECK (mod(id, 2) = 1)) INHERITS (w) SERVER db4 OPTIONS (table_name 'w2', schema_name 'public');
TRUNCATE w;
INSERT INTO w SELECT i, i, x, x FROM unnest('{a,B,c,D,_x,Zebra,zebra,é,e,f,-q,co-op,coop,Öl,ol}'::text[]) WITH ORDINALITY u(x, i);
SELECT word FROM w ORDER BY word;
SELECT explain('SELECT word FROM w ORDER BY word LIMIT 5');
SELECT word FROM w ORDER BY word LIMIT 5;
SELECT explain('SELECT word, c FROM w ORDER BY c, word LIMIT 5');
SELECT word FROM w WHERE word < 'C' ORDER BY c;
CREATE FOREIGN TABLE other (id int, grp int, word text) SERVER db0 OPTIONS (table_name 'w0', schema_name 'public');
SELECT explain('SELECT word FROM other WHERE word < ''C'' ORDER BY word LIMIT 5');
\c :coord
DROP DATABASE regress_icu;

-- array_agg and string_agg over several shards: in two steps from PostgreSQL 16 on, which has their combine functions, else
-- from rows. Compared with a local twin; the order of the values is nobody's promise.
\i common/shards.sql
SET client_min_messages = warning;
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN small AS int CHECK (VALUE < 1000);
CREATE TABLE twin (
  id int, g int, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, t text, v varchar(5), c char(4), nm name,
  d date, ts timestamp, tz timestamptz, tm time, tt timetz, iv interval, u uuid, ip inet, bytes bytea, j json, jb jsonb, lsn pg_lsn,
  bits bit(8), r int4range, p point, o oid, words tsvector, m money, x xml, a int[], e mood, s small, rc regclass);
CREATE TABLE s (LIKE twin);
SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum) AS columns
  FROM pg_attribute WHERE attrelid = 'twin'::regclass AND attnum > 0 \gset
\c :db0
CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN small AS int; CREATE TABLE s0 (:columns);
\c :db1
CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN small AS int; CREATE TABLE s1 (:columns);
\c :db2
CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN small AS int; CREATE TABLE s2 (:columns);
\c :db3
CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN small AS int; CREATE TABLE s3 (:columns);
\c :coord
SET timezone = 'UTC';
SELECT format('CREATE FOREIGN TABLE s%s (CHECK (abs(mod(id, 4)) = %1$s)) INHERITS (s) SERVER db%1$s OPTIONS (schema_name ''public'')', n)
  FROM generate_series(0, 3) n \gexec
-- Groups 0 to 4 are on all shards, 100 to 102 on one each, and 200 has nothing but NULLs; the shard of 3 has no rows.
INSERT INTO twin
SELECT i, CASE WHEN i % 7 < 5 THEN i % 7 ELSE 100 + i % 4 END, i % 3 = 0, 100 - i, -i, i * 10000000000, i / 4.0, -i / 8.0, i * 1e20 / 7, 'tä€' || i, 'v' || i % 10,
       'c' || i % 10, 'n' || i, date '2000-01-01' - i, timestamp '2000-01-01' + i * interval '1 hour', timestamptz '2000-01-01 UTC' - i * interval '1 hour',
       time '12:00' + i * interval '1 minute', '12:00+02'::timetz + i * interval '1 s', make_interval(months => i, days => -i, secs => i * 0.25),
       md5(i::text)::uuid, ('10.0.' || i || '.1/24')::inet, decode(lpad(to_hex(i), 4, '0'), 'hex'), format('{"a": "ü%s"}', i)::json, format('{"a": ["ü", %s]}', i)::jsonb,
       ('0/' || i)::pg_lsn, i::bit(8), int4range(i, i + 3), point(i, -i), 4000000000 + i, format('wörd:%s other', i)::tsvector, i::numeric::money, format('<a>%s</a>', i)::xml, ARRAY[i, NULL],
       CASE WHEN i % 2 = 0 THEN 'sad' ELSE 'glad' END::mood, i, 'pg_class'
  FROM generate_series(1, 60) i WHERE i % 4 <> 3;
SELECT format('UPDATE twin SET %I = NULL WHERE id %% 5 = 2', attname) FROM pg_attribute WHERE attrelid = 'twin'::regclass AND attnum > 2 \gexec
INSERT INTO twin (id, g) SELECT i, 200 FROM generate_series(0, 6, 2) i;
SELECT format('INSERT INTO s%s SELECT * FROM twin WHERE abs(mod(id, 4)) = %1$s', n) FROM generate_series(0, 3) n \gexec
SELECT same_rows('SELECT * FROM s', 'SELECT * FROM twin');

-- "as it should be": in two steps where the server can combine them.
CREATE FUNCTION steps(q text, two bool DEFAULT true) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; found bool := false; aggregates int := 0;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || q LOOP
    found := found OR line ~ 'PARTIAL';
  END LOOP;
  RETURN CASE WHEN found = (two AND current_setting('server_version_num')::int >= 160000) THEN 'as it should be' ELSE 'two steps: ' || found END;
END $$;
CREATE FUNCTION sorted(a anyarray) RETURNS text LANGUAGE sql AS $$
  SELECT pg_typeof(a)::text || array_ndims(a) || array_lower(a, 1) || (SELECT array_agg(v::text ORDER BY v::text COLLATE "C") FROM unnest(a) v)::text $$;
CREATE FUNCTION pieces(s text, d text) RETURNS text LANGUAGE sql AS $$
  SELECT length(s) || (SELECT array_agg(v ORDER BY v COLLATE "C") FROM unnest(string_to_array(s, d)) v)::text $$;

-- Type by type.
CREATE TABLE calls AS SELECT attname::text AS col FROM pg_attribute WHERE attrelid = 'twin'::regclass AND attnum > 2;
SELECT steps(format('SELECT g, array_agg(%I) FROM s GROUP BY g', col)) AS array_agg, string_agg(col, ' ' ORDER BY col COLLATE "C") FROM calls
  WHERE col NOT IN ('m', 'x', 'a', 'e', 's', 'rc') GROUP BY 1;
SELECT steps(format('SELECT g, array_agg(%I) FROM s GROUP BY g', col), false) AS array_agg, string_agg(col, ' ' ORDER BY col COLLATE "C") FROM calls
  WHERE col IN ('m', 'x', 'a', 'e', 's', 'rc') GROUP BY 1;
CREATE FUNCTION differences(OUT compared int, OUT different text[]) LANGUAGE plpgsql AS $$
DECLARE r record; form text; line text;
BEGIN
  compared := 0;
  FOR r IN SELECT col FROM calls ORDER BY col COLLATE "C" LOOP
    FOREACH form IN ARRAY ARRAY['SELECT sorted(a) FROM (SELECT array_agg(%1$I) AS a FROM %2$I) q',
                                'SELECT g, sorted(a) FROM (SELECT g, array_agg(%1$I) AS a FROM %2$I GROUP BY g) q',
                                'SELECT g, sorted(a), sorted(i) FROM (SELECT g, array_agg(%1$I) FILTER (WHERE b) AS a, array_agg(id) AS i FROM %2$I GROUP BY g) q',
                                'SELECT sorted(a) FROM (SELECT array_agg(%1$I) AS a FROM %2$I WHERE id < 0) q',
                                'SELECT sorted(a) FROM (SELECT array_agg(%1$I) AS a FROM %2$I WHERE id = 5) q'] LOOP
      compared := compared + 1;
      FOR line IN SELECT same_rows(format(form, r.col, 's'), format(form, r.col, 'twin')) LOOP
        IF line !~ 'compared$' THEN different := different || (format(form, r.col, 's') || ' => ' || line); END IF;
      END LOOP;
    END LOOP;
  END LOOP;
END $$;
DELETE FROM calls WHERE col = 'a';
SELECT compared, unnest(coalesce(different, '{none}')) FROM differences();

-- Strings.
SELECT steps(format('SELECT g, %s FROM s GROUP BY g', q), two) AS plan, q FROM (VALUES
  (1, 'string_agg(t, '', '')', true), (2, 'string_agg(t, NULL)', true), (3, 'string_agg(t, '''')', true), (4, 'string_agg(bytes, ''\x0001'')', true),
  (5, 'string_agg(i4::text, ''€'') FILTER (WHERE b)', true), (6, 'string_agg(v, c)', false), (7, 'string_agg(t, '','' ORDER BY id)', false),
  (8, 'string_agg(DISTINCT t, '','')', false), (9, 'array_agg(t ORDER BY id)', false), (10, 'array_agg(DISTINCT t)', false),
  (11, 'array_agg(i4), json_agg(i4)', false), (12, 'array_agg(i4 + 1)', true), (13, 'array_agg((i4, t))', false), (14, 'string_agg(t, (SELECT ''-''))', true)) v (n, q, two) ORDER BY n;
CREATE TABLE queries (q text);
INSERT INTO queries VALUES
 ('SELECT pieces(a, '', '') FROM (SELECT string_agg(t, '', '') AS a FROM @) q'),
 ('SELECT g, pieces(a, ''€'') FROM (SELECT g, string_agg(i4::text, ''€'') AS a FROM @ GROUP BY g) q'),
 ('SELECT g, pieces(a, NULL), pieces(b, '';'') FROM (SELECT g, string_agg(v, NULL) AS a, string_agg(t, '';'') FILTER (WHERE id % 4 = 1) AS b FROM @ GROUP BY g) q'),
 ('SELECT g, length(a) FROM (SELECT g, string_agg('''', '''') AS a FROM @ GROUP BY g) q'),
 ('SELECT g, pieces(encode(a, ''hex''), ''ff00'') FROM (SELECT g, string_agg(bytes, ''\xff00'') AS a FROM @ GROUP BY g) q'),
 ('SELECT g, pieces(a, ''-'') FROM (SELECT g, string_agg(t, (SELECT ''-'')) AS a FROM @ GROUP BY g) q'),
 ('SELECT g, length(a) FROM (SELECT g, string_agg(v, c) AS a FROM @ GROUP BY g) q'),
 ('SELECT pieces(a, '','') FROM (SELECT string_agg(t, '','') AS a FROM @ WHERE false) q'),
 ('SELECT g, sorted(a), pieces(st, '';''), su, av, c, mx FROM (SELECT g, array_agg(t) a, string_agg(v, '';'') st, sum(n) su, avg(i8) av, count(*) c, max(ts) mx FROM @ GROUP BY g) q'),
 ('SELECT g, sorted(a) FROM (SELECT g, array_agg(t) a FROM @ GROUP BY g HAVING array_length(array_agg(t), 1) > 3 AND string_agg(t, '''') ~ ''1'') q'),
 ('SELECT k, sorted(a) FROM (SELECT i4 % 3 AS k, array_agg(i4 * 2 + 1) a FROM @ GROUP BY i4 % 3) q'),
 ('SELECT h, sorted(a) FROM (SELECT x.g AS h, array_agg(y.t) a FROM @ x JOIN @ y USING (id) GROUP BY x.g) q'),
 ('SELECT h, sorted(a) FROM (SELECT x.g AS h, array_agg(y.n) a FROM @ x LEFT JOIN @ y ON x.id = y.id AND y.b GROUP BY x.g) q'),
 ('SELECT g, sorted(a) FROM (SELECT g, array_agg(id) a FROM @ GROUP BY g UNION ALL SELECT b::int, array_agg(i4) FROM @ GROUP BY b) q'),
 ('SELECT g, sorted(a) FROM (SELECT g, array_agg(i4) a FROM @ GROUP BY ROLLUP (g)) q'),
 ('SELECT a.i, b.v FROM (SELECT array_agg(id) i, array_agg(v) v FROM @) q, unnest(q.i) WITH ORDINALITY a (i, n) JOIN unnest(q.v) WITH ORDINALITY b (v, n) USING (n)'),
 ('SELECT o.id, (SELECT pieces(string_agg(i.t, '',''), '','') FROM @ i WHERE i.g = o.g) FROM @ o WHERE o.id IN (1, 5)');
CREATE FUNCTION compare_all() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE r record; line text; n int := 0;
BEGIN
  FOR r IN SELECT q FROM queries LOOP
    n := n + 1;
    FOR line IN SELECT same_rows(replace(r.q, '@', 's'), replace(r.q, '@', 'twin')) LOOP
      IF line !~ 'compared$' OR line ~ '^0 ' THEN RETURN NEXT r.q || ' => ' || line; END IF;
    END LOOP;
  END LOOP;
  RETURN NEXT n || ' compared';
END $$;
SELECT compare_all();
SET enable_hashagg = off;
SELECT compare_all();
RESET enable_hashagg;
SET enable_partitionwise_aggregate = on;
SET enable_partitionwise_join = on;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT compare_all();
SET shard_fdw.enable_sharded_scan = off;
SELECT compare_all();
RESET shard_fdw.enable_sharded_scan;
RESET enable_partitionwise_aggregate;
RESET enable_partitionwise_join;

-- A delimiter that is a parameter, in a generic plan.
SET plan_cache_mode = force_generic_plan;
PREPARE p (text, int) AS SELECT g, string_agg(t, $1) AS a FROM s WHERE id <> $2 GROUP BY g;
SELECT steps('EXECUTE p('';'', 1)');
PREPARE q (text) AS SELECT g, pieces(a, $1) FROM (SELECT g, string_agg(t, $1) AS a FROM s WHERE g < 3 GROUP BY g) q ORDER BY g;
EXECUTE q('; ');
EXECUTE q('äß');
EXECUTE q(NULL);
RESET plan_cache_mode;
-- Rescans.
SELECT k, sorted(a), pieces(st, delim) FROM (VALUES (0, ','), (77, '-'), (200, ';'), (4, '+')) v (k, delim), LATERAL (SELECT array_agg(jb) AS a, string_agg(t, delim) AS st FROM s WHERE g = k) q;

-- The client's encoding is not the wire's: receive functions, which read states, go by it.
SET client_encoding = 'LATIN1';
SELECT steps('SELECT array_agg(t) FROM s', false), steps('SELECT array_agg(nm) FROM s', false), steps('SELECT array_agg(jb) FROM s', false), steps('SELECT array_agg(i4) FROM s');
SELECT compare_all();
RESET client_encoding;
PREPARE e AS SELECT array_length(array_agg(v), 1), md5(sorted(array_agg(v))) FROM s;
PREPARE l AS SELECT array_agg(j::text)::text ~ 'ü' FROM s;
SET plan_cache_mode = force_generic_plan;
EXECUTE e;
EXECUTE l;
SET client_encoding = 'LATIN1';
EXECUTE e;
EXECUTE l;
RESET client_encoding;
SET client_encoding = 'SQL_ASCII';
SELECT compare_all();
RESET client_encoding;

-- Columns of other types on the shard.
\c :db0
ALTER TABLE s0 ALTER i8 TYPE int4 USING 7, ALTER v TYPE text, ALTER t TYPE varchar, ALTER tz TYPE timestamp, ALTER n TYPE text;
\c :coord
SET timezone = 'Asia/Tokyo';
UPDATE twin SET i8 = 7 WHERE id % 4 = 0;
SELECT steps('SELECT array_agg(i8), array_agg(v), array_agg(t), array_agg(n), string_agg(v, ''-'') FROM s');
SELECT same_rows(format('SELECT sorted(array_agg(i8)), sorted(array_agg(v)), sorted(array_agg(t)), sorted(array_agg(n)), pieces(string_agg(t, ''-''), ''-'') FROM %s', 's'),
                 format('SELECT sorted(array_agg(i8)), sorted(array_agg(v)), sorted(array_agg(t)), sorted(array_agg(n)), pieces(string_agg(t, ''-''), ''-'') FROM %s', 'twin'));
SELECT array_agg(tz) IS NOT NULL FROM s;
-- Nothing is expected to be large: states of more than 32 MB are not.
INSERT INTO s1 (id, t) SELECT 4 * i + 1, repeat('x', 1000) FROM generate_series(1, 20000) i;
SELECT cardinality(array_agg(t)), length(string_agg(t, ',')) FROM s WHERE id > 100;

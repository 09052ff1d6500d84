-- Every aggregate that is computed in two steps, over data that is hard on it, compared with a local twin as text.
\i common/shards.sql
SET client_min_messages = warning;
CREATE TABLE twin (
  id int, kind text, g int, h numeric,
  i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, x8 float8, n numeric, n3 numeric(12,3), iv interval, b bool,
  d date, ts timestamp, tz timestamptz, tm time, t text COLLATE "C", c char(4) COLLATE "C", ip inet, m money, o oid,
  bits bit(8), a int[], ta text[] COLLATE "C", lsn pg_lsn, point tid);
CREATE TABLE s (LIKE twin);
SELECT string_agg(format('%I %s%s', attname, format_type(atttypid, atttypmod),
                         CASE WHEN attcollation = 950 THEN ' COLLATE "C"' END), ', ' ORDER BY attnum) AS columns
  FROM pg_attribute WHERE attrelid = 'twin'::regclass AND attnum > 0 \gset
\c :db0
CREATE TABLE s0 (:columns);
\c :db1
CREATE TABLE s1 (:columns);
\c :db2
CREATE TABLE s2 (:columns);
\c :db3
CREATE TABLE s3 (:columns);
\c :coord
SET timezone = 'UTC';
SELECT format('CREATE FOREIGN TABLE s%s (CHECK (abs(mod(id, 4)) = %1$s)) INHERITS (s) SERVER db%1$s OPTIONS (schema_name ''public'')', n)
  FROM generate_series(0, 3) n \gexec

-- Groups 0 to 4 are on all shards, 100 to 103 on one each; h has equal values of different scale.
INSERT INTO twin (id, kind, g, h, i2, i4, i8, f4, f8, x8, n, n3, iv, b, d, ts, tz, tm, t, c, ip, m, o, bits, a, ta, lsn, point)
SELECT i, 'mixed', CASE WHEN i % 7 < 5 THEN i % 7 ELSE 100 + i % 4 END, round((i % 3)::numeric, i % 5),
       v, v * 1000, v * 10000000000, v / 4.0, v / 8.0, i / 2.0, v / 16.0, v / 8.0,
       make_interval(months => v % 5, days => v, secs => v * 1000.25), v % 3 = 0,
       date '2000-01-01' + v, timestamp '2000-01-01' + v * interval '1 day 1 hour', timestamptz '2000-01-01 UTC' + v * interval '1 hour',
       time '12:00' + v * interval '1 minute', 't' || v, 'c' || v % 10, ('10.0.' || abs(v) || '.1/24')::inet, v * 1.25::numeric::money,
       1000 + v, (v + 128)::int::bit(8), ARRAY[v, NULL, i], ARRAY['x' || v], ('0/' || v + 100)::pg_lsn, format('(%s,%s)', v + 100, i)::tid
  FROM (SELECT i, (i * 37 % 101 - 50) AS v FROM generate_series(1, 40) i) x;
CREATE FUNCTION derive(new text, changes text, rows text DEFAULT 'true', source text DEFAULT 'mixed') RETURNS void LANGUAGE plpgsql AS $$
DECLARE list text;
BEGIN
  CREATE TEMP TABLE part AS SELECT * FROM twin WHERE kind = source;
  EXECUTE format('DELETE FROM part WHERE NOT (%s)', rows);
  EXECUTE format('UPDATE part SET kind = %L, %s', new, changes);
  INSERT INTO twin SELECT * FROM part;
  DROP TABLE part;
END $$;
SELECT string_agg(attname || ' = NULL', ', ') AS all_null, string_agg(format('%I = CASE WHEN id %% 3 = 0 THEN %1$I END', attname), ', ') AS some_null,
       string_agg(format('%I = CASE WHEN id %% 4 = 1 THEN %1$I END', attname), ', ') AS one_shard
  FROM pg_attribute WHERE attrelid = 'twin'::regclass AND attnum > 4 \gset
SELECT derive('one', 'g = g', 'id = 17'),
       derive('two', 'g = g', 'id IN (17, 18)'),
       derive('nulls', :'all_null'),
       derive('holes', :'some_null'),
       derive('one shard', :'one_shard'),
       derive('huge', 'i2 = 32767 - id, i4 = 2147483647 - id, i8 = 9223372036854775807 - id, f4 = id * 2.0 ^ 60, f8 = id * 2.0 ^ 200, x8 = -id,
              n = 10::numeric ^ (id * 3) + id, n3 = 999999999.999 - id, iv = make_interval(years => id * 1000, days => id * 10000, secs => id * 1e6)'),
       derive('tiny', 'n = 10::numeric ^ -(id + 0) + 0, f8 = -0.0::float8, x8 = -0.0::float8, f4 = -0.0::float4, iv = ''0'', i2 = 0, i4 = 0, i8 = 0, n3 = 0'),
       derive('scales', 'n = round(id / 7.0, id % 23), f8 = id, x8 = id, i8 = id'),
       derive('whole', 'n = CASE WHEN id % 4 = 2 THEN 5.00 ELSE id * 10000 END, i8 = id * 10000, i4 = id * 10000'),
       derive('long', 'n = (repeat(id::text, 80) || ''.'' || repeat(''9'', id * 3))::numeric', 'id < 12'),
       derive('minus', 'n = -n, n3 = -n3, i2 = -32768 + id, i4 = -2147483648 + id, i8 = -9223372036854775808 + id, f8 = -f8, f4 = -f4, iv = -iv'),
       derive('nan', 'n = CASE id WHEN 9 THEN ''NaN'' ELSE n END, f8 = CASE id WHEN 9 THEN ''NaN'' ELSE f8 END, f4 = CASE id WHEN 9 THEN ''NaN'' ELSE f4 END'),
       derive('only nan', 'n = ''NaN'', f8 = ''NaN'', f4 = ''NaN''', 'id = 3'),
       derive('infinity', 'n = CASE id % 8 WHEN 1 THEN ''Infinity'' ELSE n END, f8 = CASE id WHEN 9 THEN ''Infinity'' ELSE f8 END, d = ''infinity'', ts = CASE id WHEN 3 THEN ''infinity'' ELSE ts END'),
       derive('minus infinity', 'n = CASE id % 8 WHEN 1 THEN ''-Infinity'' ELSE n END, f8 = CASE id WHEN 9 THEN ''-Infinity'' ELSE f8 END, d = ''-infinity'''),
       derive('both on one', 'n = CASE id WHEN 1 THEN ''Infinity'' WHEN 5 THEN ''-Infinity'' ELSE n END, f8 = CASE id WHEN 1 THEN ''Infinity''::float8 WHEN 5 THEN ''-Infinity'' ELSE f8 END'),
       derive('both on two', 'n = CASE id WHEN 1 THEN ''Infinity'' WHEN 6 THEN ''-Infinity'' ELSE n END, f8 = CASE id WHEN 1 THEN ''Infinity''::float8 WHEN 6 THEN ''-Infinity'' ELSE f8 END'),
       derive('one infinity', 'n = ''Infinity'', f8 = ''-Infinity''', 'id = 3'),
       derive('cancel', 'n = CASE WHEN id % 2 = 0 THEN 1e30 + id ELSE -1e30 - id + 1 END, i8 = CASE WHEN id % 2 = 0 THEN 9223372036854775807 ELSE -9223372036854775807 END');
SELECT format('INSERT INTO s%s SELECT * FROM twin WHERE abs(mod(id, 4)) = %1$s', n) FROM generate_series(0, 3) n \gexec
SELECT same_rows('SELECT * FROM s', 'SELECT * FROM twin');

CREATE FUNCTION in_two_steps(q text) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || q LOOP
    IF line ~ 'PARTIAL' THEN RETURN true; END IF;
  END LOOP;
  RETURN false;
END $$;
-- All built-in aggregates of one or two arguments, called with columns.
CREATE TABLE calls AS
  SELECT p.oid::regprocedure::text AS function, c.attname::text AS col,
         CASE WHEN p.pronargs = 2 THEN format('%I(%I, x8)', proname, c.attname) ELSE format('%I(%I)', proname, c.attname) END AS call
    FROM pg_aggregate JOIN pg_proc p ON aggfnoid = p.oid
         JOIN pg_attribute c ON c.attrelid = 'twin'::regclass AND c.attnum > 4
    WHERE aggkind = 'n' AND p.oid < 10000 AND NOT proretset
      AND (pronargs = 1 OR pronargs = 2 AND proargtypes[1] = 'float8'::regtype)
      AND (proargtypes[0] = c.atttypid OR proargtypes[0] = 'anyarray'::regtype AND c.atttypid::regtype::text ~ '\[\]'
           OR proargtypes[0] = '"any"'::regtype AND c.attname <> 'x8');
ALTER TABLE calls ADD two bool;
UPDATE calls SET two = in_two_steps(format('SELECT g, %s FROM s GROUP BY g', call));
SELECT two, function, string_agg(col, ' ' ORDER BY col COLLATE "C") FROM calls GROUP BY two, function ORDER BY two, function COLLATE "C";

CREATE FUNCTION answer(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE a text;
BEGIN
  EXECUTE format('SELECT string_agg(r::text, '';'' ORDER BY r::text COLLATE "C") FROM (%s) r', q) INTO a;
  RETURN a;
EXCEPTION WHEN OTHERS THEN RETURN sqlstate || ' ' || sqlerrm;
END $$;
-- The order of additions changes the last digits of deviations of float8. (The factor keeps values away from halves.)
CREATE FUNCTION near(x float8) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN CASE WHEN x IN ('NaN', 'Infinity', '-Infinity', 0) THEN x::text ELSE to_char(x * 1.0471975511965976, '9.9999999EEEE') END;
END $$;
UPDATE calls SET call = format('near(%s)', call)
  WHERE call ~ '^(std|var|regr_(sxx|syy|sxy|r2|slope|intercept)|corr|covar).*\((f4|f8|x8)';
CREATE FUNCTION differences(OUT compared int, OUT different text[]) LANGUAGE plpgsql AS $$
DECLARE r record; form text; of_s text; of_twin text;
BEGIN
  compared := 0;
  FOR r IN SELECT call, k FROM calls, (SELECT DISTINCT kind FROM twin UNION ALL SELECT 'empty') kinds (k)
            WHERE two AND (col ~ '^([ifx][248]|n|n3|iv|d|ts)$' AND function !~ '^count' OR k IN ('mixed', 'holes', 'nulls', 'one shard', 'empty'))
            ORDER BY call, k LOOP
    FOREACH form IN ARRAY ARRAY['SELECT %s FROM %I WHERE kind = %L', 'SELECT g, %s FROM %I WHERE kind = %L GROUP BY g'] LOOP
      of_s := answer(format(form, r.call, 's', r.k));
      of_twin := answer(format(form, r.call, 'twin', r.k));
      compared := compared + 1;
      IF of_s IS DISTINCT FROM of_twin THEN
        different := different || format('%s of %s%s: %s, not %s', r.call, r.k, CASE WHEN form ~ 'GROUP' THEN ' by g' END, left(of_s, 300), left(of_twin, 300));
      END IF;
    END LOOP;
  END LOOP;
END $$;
SELECT compared, unnest(coalesce(different, '{none}')) FROM differences();

-- What the shards are asked for, family by family.
SELECT format('ANALYZE s%s', n) FROM generate_series(0, 3) n \gexec
EXPLAIN (VERBOSE, COSTS OFF) SELECT g, count(*), count(t), sum(i4), min(ip), max(a), bit_xor(i4), bool_and(b) FROM s GROUP BY g;
EXPLAIN (VERBOSE, COSTS OFF) SELECT avg(i2), avg(i4) FROM s;
EXPLAIN (VERBOSE, COSTS OFF) SELECT sum(i8), avg(i8), sum(n), avg(n) FROM s;
EXPLAIN (VERBOSE, COSTS OFF) SELECT stddev(i2), var_pop(i4), var_samp(i8), stddev_pop(n) FROM s;
EXPLAIN (VERBOSE, COSTS OFF) SELECT avg(f4), stddev(f8) FROM s;
EXPLAIN (VERBOSE, COSTS OFF) SELECT avg(iv) FROM s;
EXPLAIN (VERBOSE, COSTS OFF) SELECT corr(f8, x8), regr_slope(f8, x8) FILTER (WHERE b) FROM s;
EXPLAIN (VERBOSE, COSTS OFF) SELECT g, sum(n) FILTER (WHERE b) AS sum FROM s GROUP BY g HAVING avg(i8) > 0 ORDER BY sum(n) LIMIT 3;
SET enable_hashagg = off;
EXPLAIN (VERBOSE, COSTS OFF) SELECT g, sum(n) FROM s GROUP BY g ORDER BY g;
RESET enable_hashagg;
-- A grouping column that cannot be hashed.
EXPLAIN (VERBOSE, COSTS OFF) SELECT m, avg(n) FROM s GROUP BY m;

-- Around them.
CREATE TABLE queries (q text);
INSERT INTO queries VALUES
 ('SELECT sum(n), avg(n), stddev(n), count(n), sum(n) + avg(n) FROM @ WHERE kind = ''mixed'''),
 ('SELECT kind, g, sum(n), avg(i8), stddev(i8), max(t) FROM @ GROUP BY kind, g'),
 ('SELECT kind, sum(i8) FROM @ GROUP BY kind HAVING sum(i8) > 1000 AND min(i2) < 0'),
 ('SELECT kind, sum(n) FILTER (WHERE b), avg(n) FILTER (WHERE NOT b), count(*) FILTER (WHERE b IS NULL), near(regr_sxy(f8, x8) FILTER (WHERE b)) FROM @ WHERE kind ~ ''e'' GROUP BY kind'),
 ('SELECT kind FROM @ GROUP BY kind ORDER BY avg(n) DESC NULLS LAST, kind'),
 ('SELECT g % 2, sum(i8 * 2 + 1), avg(n / 3), avg(-f8), sum(iv * 2) FROM @ GROUP BY g % 2'),
 ('SELECT m, avg(n), sum(i8) FROM @ GROUP BY m'),
 ('SELECT 5, kind, NULL, avg(n) FROM @ GROUP BY 1, 2, 3'),
 ('SELECT avg(n) FROM @ WHERE kind = ''mixed'' HAVING count(*) > 1000'),
 ('SELECT avg(n) FROM @ WHERE kind = ''mixed'' HAVING sum(i8) IS NOT NULL'),
 ('SELECT kind, avg(n), grouping(kind, g) FROM @ GROUP BY GROUPING SETS ((kind), (g), ())'),
 ('SELECT kind, g, avg(n), sum(i8) FROM @ GROUP BY ROLLUP (kind, g)'),
 ('SELECT b, g, avg(n), count(*) FROM @ GROUP BY CUBE (b, g) HAVING count(*) > 3'),
 ('SELECT b, g, avg(i8) FROM @ WHERE false GROUP BY GROUPING SETS ((b, g), ())'),
 ('SELECT sum(x.s), max(x.a) FROM (SELECT kind, sum(n) AS s, avg(n) AS a FROM @ WHERE kind !~ ''inf|nan|both'' GROUP BY kind) x'),
 ('SELECT kind, (SELECT avg(i.n) FROM @ i WHERE i.kind = o.kind AND i.g = 2) FROM @ o WHERE id = 5'),
 ('SELECT a.g, sum(b.n), avg(a.i8), stddev(b.n) FROM @ a JOIN @ b USING (id) WHERE a.kind = ''mixed'' AND b.kind = ''scales'' GROUP BY a.g'),
 ('SELECT a.g, sum(b.n), count(b.n) FROM @ a LEFT JOIN @ b ON a.id = b.id AND b.kind = ''holes'' WHERE a.kind = ''mixed'' GROUP BY a.g'),
 ('SELECT avg(n) FROM @ WHERE kind = ''mixed'' UNION ALL SELECT sum(i8) FROM @ WHERE kind = ''huge'''),
 ('SELECT id, avg(n), count(DISTINCT kind) FROM @ GROUP BY id'),
 ('SELECT g, avg(n), max(tableoid::regclass::text) IS NULL FROM @ GROUP BY g'),
 ('SELECT g, avg(n) AS a, rank() OVER (ORDER BY avg(n)) FROM @ WHERE kind = ''mixed'' GROUP BY g'),
 ('SELECT avg(n), sum(DISTINCT i4), array_length(array_agg(i8), 1) FROM @ WHERE kind = ''mixed'''),
 ('SELECT avg(x.n) FROM (SELECT n FROM @ WHERE kind = ''scales'' OFFSET 0) x');
CREATE FUNCTION compare_all() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE r record; of_s text; of_twin text; n int := 0;
BEGIN
  FOR r IN SELECT q FROM queries LOOP
    of_s := answer(replace(r.q, '@', 's')); of_twin := answer(replace(r.q, '@', 'twin'));
    n := n + 1;
    IF of_s IS DISTINCT FROM of_twin THEN RETURN NEXT r.q || ' => ' || of_s || ', not ' || of_twin; END IF;
  END LOOP;
  RETURN NEXT n || ' compared';
END $$;
SELECT compare_all();
SET enable_hashagg = off;
SELECT compare_all();
RESET enable_hashagg;
SET enable_partitionwise_aggregate = on;
SET enable_partitionwise_join = on;
SELECT compare_all();
-- Child by child.
SET shard_fdw.enable_sharded_scan = off;
SELECT compare_all();
RESET enable_partitionwise_aggregate;
SELECT compare_all();
RESET shard_fdw.enable_sharded_scan;
-- Generic plans.
PREPARE p (text) AS SELECT g, sum(n), avg(i8), stddev(i4), avg(iv) FROM s WHERE kind = $1 GROUP BY g ORDER BY g;
SET plan_cache_mode = force_generic_plan;
EXECUTE p('one shard');
EXECUTE p('one');
EXECUTE p('none');
-- Rescans.
SELECT k, x.* FROM (VALUES ('one'), ('none'), ('two')) v (k), LATERAL (SELECT sum(n), avg(i8), avg(f8) FROM s WHERE kind = k) x;
-- More decimal places than a numeric can hold: said, not rounded.
INSERT INTO s0 (id, kind, n) VALUES (0, 'deep', ('0.' || repeat('1', 9000))::numeric);
SELECT expect_error($$SELECT stddev(n) FROM s WHERE kind IN ('mixed', 'deep')$$);
SELECT length(sum(n)::text) FROM s WHERE kind IN ('mixed', 'deep');
SET shard_fdw.enable_sharded_scan = off;
SELECT left(stddev(n)::text, 20) FROM s WHERE kind IN ('mixed', 'deep');
RESET shard_fdw.enable_sharded_scan;
-- A remote column of another type.
\c :db0
ALTER TABLE s0 ALTER n TYPE float8, ALTER i8 TYPE int4 USING 0, ALTER f4 TYPE numeric;
\c :coord
SELECT sum(i8), avg(f4) IS NOT NULL FROM s WHERE kind = 'mixed';
SELECT expect_error('SELECT sum(n) FROM s');

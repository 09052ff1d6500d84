-- Tables partitioned by HASH, RANGE or LIST of a column: rows with one key lie on one shard, and tables with the same bounds
-- are sharded alike; beside local twins.
\i common/shards.sql
\i common/plans_of_15.sql
CREATE TABLE shard (name text);
INSERT INTO shard VALUES ('h'), ('i'), ('x'), ('r'), ('s'), ('k'), ('k2'), ('m'), ('u');
SELECT string_agg(format('CREATE TABLE %s_%s (k %s, v int, t text)', name, n,
    CASE name WHEN 'h' THEN 'bigint' WHEN 'i' THEN 'bigint' WHEN 'x' THEN 'bigint' WHEN 'r' THEN 'date' WHEN 's' THEN 'date' WHEN 'u' THEN 'bigint' WHEN 'm' THEN 'int' ELSE 'text' END), '; ') AS make
  FROM shard, generate_series(0, 3) n \gset
\c :db0
:make;
\c :db1
:make;
\c :db2
:make;
\c :db3
:make;
\c :coord
CREATE TABLE h (k bigint NOT NULL, v int, t text) PARTITION BY HASH (k);
CREATE TABLE i (k bigint NOT NULL, v int, t text) PARTITION BY HASH (k);
CREATE TABLE x (k bigint NOT NULL, v int, t text) PARTITION BY HASH (k);
CREATE TABLE u (k bigint, v int, t text) PARTITION BY HASH (k);
CREATE TABLE m (k int NOT NULL, v int NOT NULL, t text) PARTITION BY HASH (k, v);
CREATE TABLE r (k date NOT NULL, v int, t text) PARTITION BY RANGE (k);
CREATE TABLE s (k date NOT NULL, v int, t text) PARTITION BY RANGE (k);
CREATE TABLE k (k text NOT NULL, v int, t text) PARTITION BY LIST (k);
CREATE TABLE k2 (k text NOT NULL, v int, t text) PARTITION BY LIST (k);
SELECT format('CREATE FOREIGN TABLE %1$s_%2$s PARTITION OF %1$s FOR VALUES WITH (MODULUS 4, REMAINDER %2$s) SERVER db%2$s', name, n)
  FROM unnest('{h,i,u,m}'::text[]) name, generate_series(0, 3) n \gexec
-- Made in another order: its numbers are others.
SELECT format('CREATE FOREIGN TABLE x_%s PARTITION OF x FOR VALUES WITH (MODULUS 4, REMAINDER %s) SERVER db%1$s', n, 3 - n) FROM generate_series(0, 3) n \gexec
SELECT format('CREATE FOREIGN TABLE %1$s_%2$s PARTITION OF %1$s FOR VALUES FROM (%3$L) TO (%4$L) SERVER db%2$s', name, n, date '2020-01-01' + 100 * n, date '2020-01-01' + 100 * n + 100)
  FROM unnest('{r,s}'::text[]) name, generate_series(0, 2) n \gexec
CREATE FOREIGN TABLE r_3 PARTITION OF r DEFAULT SERVER db3;
CREATE FOREIGN TABLE s_3 PARTITION OF s FOR VALUES FROM ('2020-10-27') TO (MAXVALUE) SERVER db3;
SELECT format('CREATE FOREIGN TABLE %1$s_%2$s PARTITION OF %1$s FOR VALUES IN (''a%2$s'', ''b%2$s'') SERVER db%2$s', name, n)
  FROM unnest('{k,k2}'::text[]) name, generate_series(0, 2) n \gexec
CREATE FOREIGN TABLE k_3 PARTITION OF k DEFAULT SERVER db3;
CREATE FOREIGN TABLE k2_3 PARTITION OF k2 DEFAULT SERVER db3;
INSERT INTO h SELECT n * 7 - 300, n % 5, 'h' || n FROM generate_series(1, 200) n, generate_series(1, 1 + n % 3);
INSERT INTO i SELECT n * 3 - 200, n % 7, 'i' || n FROM generate_series(1, 200) n;
INSERT INTO x SELECT * FROM i;
INSERT INTO u SELECT nullif(k, 40), min(v), min(t) FROM h GROUP BY k;
INSERT INTO m SELECT n % 20, n % 6, 'm' || n FROM generate_series(1, 200) n;
INSERT INTO r SELECT date '2020-01-01' + n * 2, n % 5, 'r' || n FROM generate_series(0, 170) n;
INSERT INTO s SELECT date '2020-01-01' + n * 3, n % 4, 's' || n FROM generate_series(0, 130) n;
INSERT INTO k SELECT substr('abc', 1 + n % 3, 1) || n % 4, n % 5, 'k' || n FROM generate_series(1, 100) n;
INSERT INTO k2 SELECT substr('abd', 1 + n % 3, 1) || n % 4, n % 5, 'k' || n FROM generate_series(1, 60) n;
SELECT format('CREATE TABLE l_%1$s AS TABLE %1$s; ANALYZE %1$s, l_%1$s', name) FROM shard \gexec
CREATE FUNCTION twin(query text) RETURNS SETOF text LANGUAGE sql AS $$SELECT * FROM same_rows(replace(query, '@', ''), replace(query, '@', 'l_'))$$;
-- How much of a query runs on the shards: its relations.
CREATE FUNCTION relations(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; found text[];
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || replace(query, '@', '') LOOP
    IF line ~ 'Relations:|Aggregate|Unique|Join|Window' THEN found := found || btrim(line); END IF;
  END LOOP;
  RETURN array_to_string(found, '; ');
END $$;
CREATE TABLE queries (n int GENERATED ALWAYS AS IDENTITY, query text);
INSERT INTO queries (query) VALUES
 ('SELECT k, array_agg(t ORDER BY t) FROM @h GROUP BY k'),
 ('SELECT k, v, string_agg(t, '','' ORDER BY t) FROM @h GROUP BY k, v'),
 ('SELECT v, string_agg(t, '','' ORDER BY t) FROM @h GROUP BY v'),
 ('SELECT v, count(DISTINCT k) FROM @h GROUP BY v'),
 ('SELECT DISTINCT k, v FROM @h'),
 ('SELECT k, row_number() OVER (PARTITION BY k ORDER BY t) FROM @h'),
 ('SELECT k, array_agg(t ORDER BY t) FROM @u GROUP BY k'),
 ('SELECT k, v, array_agg(t ORDER BY t) FROM @m GROUP BY k, v'),
 ('SELECT k, array_agg(t ORDER BY t) FROM @m GROUP BY k'),
 ('SELECT k, array_agg(t ORDER BY t) FROM @r GROUP BY k'),
 ('SELECT k, array_agg(t ORDER BY t) FROM @k GROUP BY k'),
 ('SELECT a.k, count(*), sum(b.v) FROM @h a JOIN @i b USING (k) GROUP BY a.k'),
 ('SELECT a.t, b.t FROM @h a JOIN @i b ON a.k = b.k WHERE a.v < b.v'),
 ('SELECT a.t, b.t FROM @h a LEFT JOIN @i b ON a.k = b.k AND b.v > 2'),
 ('SELECT a.t, b.t FROM @h a FULL JOIN @i b ON a.k = b.k'),
 ('SELECT a.t FROM @h a WHERE EXISTS (SELECT FROM @i b WHERE b.k = a.k)'),
 ('SELECT a.t FROM @h a WHERE NOT EXISTS (SELECT FROM @i b WHERE b.k = a.k)'),
 ('SELECT a.t, b.t FROM @h a JOIN @u b ON a.k = b.k'),
 ('SELECT a.t, b.t FROM @u a LEFT JOIN @h b ON a.k = b.k'),
 ('SELECT a.t, b.t FROM @i a JOIN @x b ON a.k = b.k'),
 ('SELECT a.t, b.t FROM @m a JOIN @m b ON a.k = b.k AND a.v = b.v'),
 ('SELECT a.t, b.t FROM @r a JOIN @r b ON a.k = b.k'),
 ('SELECT a.t, b.t FROM @r a JOIN @s b ON a.k = b.k'),
 ('SELECT a.t, b.t FROM @k a JOIN @k2 b ON a.k = b.k'),
 ('SELECT a.t, b.t FROM @k a JOIN @k2 b ON a.k = b.k WHERE a.k IN (''a1'', ''c2'', ''d2'')'),
 ('SELECT a.t, b.t FROM @h a JOIN @i b ON a.k = b.k WHERE a.k IN (1, 7, 13, 22, 40)'),
 ('SELECT a.t, b.t FROM @h a JOIN @i b ON a.k = b.v');
SELECT n, relations(query) FROM queries ORDER BY n;
SELECT n, twin(query) FROM queries ORDER BY n;
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_nestloop = off;
SELECT n, relations(query) FROM queries WHERE n IN (18, 20, 21, 23, 27) ORDER BY n;
RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_nestloop;
-- Writes.
UPDATE h SET v = i.v, t = i.t FROM i WHERE i.k = h.k;
UPDATE l_h SET v = i.v, t = i.t FROM l_i i WHERE i.k = l_h.k;
SELECT twin('TABLE @h');
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM h USING i WHERE i.k = h.k AND i.v = 3;
DELETE FROM h USING i WHERE i.k = h.k AND i.v = 3;
DELETE FROM l_h USING l_i WHERE l_i.k = l_h.k AND l_i.v = 3;
SELECT twin('TABLE @h');
EXPLAIN (VERBOSE, COSTS OFF) MERGE INTO i USING u ON i.k = u.k WHEN MATCHED AND u.v = 1 THEN DELETE;
MERGE INTO i USING u ON i.k = u.k WHEN MATCHED AND u.v = 1 THEN DELETE WHEN NOT MATCHED AND u.v = 2 AND u.k IS NOT NULL AND u.t LIKE '%2' THEN INSERT VALUES (u.k, u.v, 'merged');
MERGE INTO l_i i USING l_u u ON i.k = u.k WHEN MATCHED AND u.v = 1 THEN DELETE WHEN NOT MATCHED AND u.v = 2 AND u.k IS NOT NULL AND u.t LIKE '%2' THEN INSERT VALUES (u.k, u.v, 'merged');
SELECT twin('TABLE @i');
SELECT twin('SELECT a.t, b.t FROM @h a FULL JOIN @i b ON a.k = b.k');
-- Bounds change: prepared plans, too.
PREPARE joined AS SELECT count(*) FROM r a JOIN s b USING (k);
EXECUTE joined;
ALTER TABLE r DETACH PARTITION r_3;
ALTER TABLE r ATTACH PARTITION r_3 FOR VALUES FROM ('2020-10-27') TO (MAXVALUE);
SELECT relations('SELECT a.t, b.t FROM r a JOIN s b ON a.k = b.k');
EXECUTE joined;
ALTER TABLE s DETACH PARTITION s_3;
ALTER TABLE s ATTACH PARTITION s_3 FOR VALUES FROM ('2020-10-28') TO (MAXVALUE);
SELECT relations('SELECT a.t, b.t FROM r a JOIN s b ON a.k = b.k');
EXECUTE joined;
SELECT count(*) FROM l_r a JOIN l_s b USING (k);

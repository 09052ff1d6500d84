-- Aggregates of a foreign table: what the server computes, and that it is what would be computed here.
\i common/shards.sql
\i common/plans_of_15.sql
SET client_min_messages = warning;
CREATE TABLE base (id int PRIMARY KEY, g int, h int, n numeric, f float8, t text COLLATE "C", b bool, a int[]);
INSERT INTO base SELECT i, i % 5, nullif(i % 7, 3), i / 3.0, i / 4.0, 't' || i % 11, i % 3 = 0, ARRAY[i % 4, i % 6] FROM generate_series(1, 200) i;
CREATE FOREIGN TABLE ft (id int, g int, h int, n numeric, f float8, t text COLLATE "C", b bool, a int[])
  SERVER loopback OPTIONS (schema_name 'public', table_name 'base');
-- An extension of which the server is said to have the same version.
CREATE FUNCTION least_step(int, VARIADIC int[]) RETURNS int LANGUAGE sql IMMUTABLE AS
  'SELECT least($1, min($2[i])) FROM generate_subscripts($2, 1) i';
CREATE AGGREGATE least_of(VARIADIC items int[]) (stype = int, sfunc = least_step);
CREATE FUNCTION total_step(int8, int) RETURNS int8 LANGUAGE sql IMMUTABLE AS 'SELECT coalesce($1, 0) + coalesce($2, 0)';
CREATE AGGREGATE total(int) (stype = int8, sfunc = total_step);
-- An operator class of its own: the other way round.
CREATE OPERATOR public.<^ (leftarg = int4, rightarg = int4, procedure = int4eq);
CREATE OPERATOR public.=^ (leftarg = int4, rightarg = int4, procedure = int4lt);
CREATE OPERATOR public.>^ (leftarg = int4, rightarg = int4, procedure = int4gt);
CREATE OPERATOR FAMILY odd_ops USING btree;
CREATE FUNCTION odd_cmp(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT CASE WHEN $1 < $2 THEN 1 WHEN $1 > $2 THEN -1 ELSE 0 END';
CREATE OPERATOR CLASS odd_ops FOR TYPE int USING btree FAMILY odd_ops AS
  OPERATOR 1 public.>^, OPERATOR 3 public.<^, OPERATOR 5 public.=^, FUNCTION 1 odd_cmp(int, int);
CREATE TABLE queries (q text);
INSERT INTO queries VALUES
 ('SELECT count(*), sum(id), avg(n), min(t), max(f), stddev(id), sum(n) FROM @'),
 ('SELECT g, count(*), sum(id) FROM @ GROUP BY g'),
 ('SELECT g + 1, count(h) * 2 FROM @ GROUP BY g + 1'),
 ('SELECT g, count(*) FROM @ GROUP BY g HAVING sum(id) > 3000 AND avg(n) < 50'),
 ('SELECT g, count(*) FROM @ WHERE t LIKE ''t1%'' GROUP BY g, h'),
 ('SELECT 3, g, count(*) FROM @ GROUP BY 1, 2'),
 ('SELECT g, h FROM @ GROUP BY g, h'),
 ('SELECT g, array_agg(id ORDER BY h NULLS FIRST, id DESC) FROM @ GROUP BY g'),
 ('SELECT string_agg(t, '', '' ORDER BY t, id) FILTER (WHERE b) FROM @'),
 ('SELECT g, string_agg(DISTINCT t, '','' ORDER BY t DESC) FROM @ GROUP BY g'),
 ('SELECT g, count(DISTINCT h), sum(DISTINCT h) FILTER (WHERE h > 1) FROM @ GROUP BY g'),
 ('SELECT g, count(*) FILTER (WHERE b AND id > 50) FROM @ GROUP BY g'),
 ('SELECT g, percentile_cont(0.3) WITHIN GROUP (ORDER BY f), percentile_disc(ARRAY[0.2, 0.7]) WITHIN GROUP (ORDER BY id DESC) FROM @ GROUP BY g'),
 ('SELECT mode() WITHIN GROUP (ORDER BY t) FROM @'),
 ('SELECT g, rank(50) WITHIN GROUP (ORDER BY id), dense_rank(3, 2) WITHIN GROUP (ORDER BY h DESC, g) FROM @ GROUP BY g'),
 ('SELECT g, percent_rank(g) WITHIN GROUP (ORDER BY h) FILTER (WHERE b) FROM @ GROUP BY g'),
 ('SELECT g, json_agg(id ORDER BY id), jsonb_object_agg(id::text, t) FROM @ WHERE id < 20 GROUP BY g'),
 ('SELECT corr(f, id), regr_slope(f, id), bit_xor(id), bool_or(b), every(b) FROM @'),
 ('SELECT g, max(a), array_agg(a ORDER BY id) FROM @ GROUP BY g'),
 ('SELECT count(*) FROM @ GROUP BY GROUPING SETS ((g), (h), ())'),
 ('SELECT g, least_of(VARIADIC a), least_of(id, h, 7) FROM @ GROUP BY g'),
 ('SELECT g, total(h) FROM @ GROUP BY g HAVING total(h) > 50'),
 ('SELECT g, array_agg(id ORDER BY id USING OPERATOR(public.>^)) FROM @ GROUP BY g'),
 ('SELECT g, sum(id) FROM @ WHERE id + random() > 0 GROUP BY g'),
 ('SELECT g, sum(id * (random() <= 1)::int) FROM @ GROUP BY g'),
 ('SELECT g, sum(id) FROM @ GROUP BY g HAVING random() < 2 AND sum(id) > 10'),
 ('SELECT g, sum(id), now() IS NULL FROM @ GROUP BY g'),
 ('SELECT g, sum(id) + (SELECT 1) FROM @ GROUP BY g'),
 ('SELECT (SELECT count(*) FILTER (WHERE o.g = 2) FROM (SELECT 1) x) FROM @ o'),
 ('SELECT (SELECT count(o.g) FROM @ i WHERE i.id = 7) FROM @ o'),
 ('SELECT o.id, (SELECT sum(i.n) FROM @ i WHERE i.g = o.g) FROM @ o WHERE o.id < 4'),
 ('SELECT x.g, sum(x.c) FROM (SELECT g, h, count(*) AS c FROM @ GROUP BY g, h) x GROUP BY x.g'),
 ('SELECT a.g, count(*), sum(b.n) FROM @ a JOIN @ b ON a.id = b.id + 1 GROUP BY a.g'),
 ('SELECT a.g, count(b.id), max(b.t) FROM @ a LEFT JOIN @ b ON a.id = b.h GROUP BY a.g'),
 ('SELECT count(*), sum(id) FROM @ WHERE false'),
 ('SELECT g, count(*) FROM @ WHERE false GROUP BY g'),
 ('SELECT 1 FROM @ HAVING 1 < 2'),
 ('SELECT count(*) FROM @ HAVING count(*) > 1000'),
 ('SELECT upper(t), count(*) FROM @ GROUP BY upper(t)'),
 ('SELECT t COLLATE "POSIX", count(*), min(t COLLATE "C") FROM @ GROUP BY t COLLATE "POSIX"');
CREATE FUNCTION how(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; found text := '';
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || q LOOP
    IF line ~ 'Remote SQL:' THEN found := found || regexp_replace(line, '.*Remote SQL: ', E'\n    '); END IF;
  END LOOP;
  RETURN found;
END $$;
CREATE FUNCTION compare_all() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE r record; line text;
BEGIN
  FOR r IN SELECT q FROM queries LOOP
    FOR line IN SELECT * FROM same_rows(replace(r.q, '@', 'ft'), replace(r.q, '@', 'base')) LOOP
      RETURN NEXT CASE WHEN line ~ '^\d+ rows compared' THEN r.q || how(replace(r.q, '@', 'ft')) ELSE r.q || ' => ' || line END;
    END LOOP;
  END LOOP;
END $$;
\pset format unaligned
\pset tuples_only on
SELECT compare_all();
-- With the extension, its aggregates and operators are shipped.
ALTER EXTENSION shard_fdw ADD FUNCTION least_step(int, int[]);
ALTER EXTENSION shard_fdw ADD AGGREGATE least_of(VARIADIC items int[]);
ALTER EXTENSION shard_fdw ADD FUNCTION total_step(int8, int);
ALTER EXTENSION shard_fdw ADD AGGREGATE total(int);
ALTER EXTENSION shard_fdw ADD OPERATOR public.<^ (int4, int4);
ALTER EXTENSION shard_fdw ADD OPERATOR public.=^ (int4, int4);
ALTER EXTENSION shard_fdw ADD OPERATOR public.>^ (int4, int4);
ALTER EXTENSION shard_fdw ADD FUNCTION odd_cmp(int, int);
ALTER EXTENSION shard_fdw ADD OPERATOR FAMILY odd_ops USING btree;
ALTER EXTENSION shard_fdw ADD OPERATOR CLASS odd_ops USING btree;
ALTER SERVER loopback OPTIONS (ADD extensions 'shard_fdw');
DELETE FROM queries WHERE q !~ 'least_of|total|>\^';
SELECT compare_all();

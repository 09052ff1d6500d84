-- IN lists: each shard gets its own members. And parameters choose the shards of joins and groupings, too.
\i common/shards.sql
\i common/plans_of_15.sql
\c :db0
CREATE TABLE t0 (id int, grp int, name text);
CREATE TABLE o0 (cust int, qty int);
CREATE TABLE p0 (id bigint, name text);
\c :db1
CREATE TABLE t1 (id int, grp int, name text);
CREATE TABLE o1 (cust int, qty int);
CREATE TABLE p1 (id bigint, name text);
\c :db2
CREATE TABLE t2 (id int, grp int, name text);
CREATE TABLE o2 (cust int, qty int);
CREATE TABLE p2 (id bigint, name text);
\c :db3
CREATE TABLE t3 (id int, grp int, name text);
CREATE TABLE o3 (cust int, qty int);
CREATE TABLE p3 (id bigint, name text);
\c :coord
CREATE TABLE l_t AS SELECT CASE WHEN i % 50 <> 0 THEN i - 20 END AS id, i % 7 AS grp, 'name ' || i AS name FROM generate_series(1, 200) i;
CREATE TABLE l_o AS SELECT i % 90 AS cust, i AS qty FROM generate_series(1, 300) i;
CREATE TABLE l_p AS SELECT i::bigint * 1000000000 AS id, 'name ' || i AS name FROM generate_series(-30, 30) i;
CREATE TABLE t (LIKE l_t);
CREATE TABLE o (LIKE l_o);
CREATE TABLE p (LIKE l_p) PARTITION BY LIST ((abs(mod(id / 1000000000, 4))));
SELECT format('CREATE FOREIGN TABLE t%s (CHECK (abs(mod(id, 4)) = %1$s)) INHERITS (t) SERVER db%1$s OPTIONS (schema_name ''public'')', n),
       format('CREATE FOREIGN TABLE o%s (CHECK (abs(mod(cust, 4)) = %1$s)) INHERITS (o) SERVER db%1$s OPTIONS (schema_name ''public'')', n),
       format('CREATE FOREIGN TABLE p%s PARTITION OF p FOR VALUES IN (%1$s) SERVER db%1$s OPTIONS (schema_name ''public'')', n),
       format('INSERT INTO t%s SELECT * FROM l_t WHERE coalesce(abs(mod(id, 4)), grp %% 4) = %1$s', n),
       format('INSERT INTO o%s SELECT * FROM l_o WHERE abs(mod(cust, 4)) = %1$s', n),
       format('INSERT INTO p%s SELECT * FROM l_p WHERE abs(mod(id / 1000000000, 4)) = %1$s', n)
  FROM generate_series(0, 3) n \gexec

EXPLAIN (VERBOSE, COSTS OFF) SELECT id, name FROM t WHERE id IN (1, 2, 5, 9, 13);
SELECT plan_of('SELECT id FROM t WHERE id IN (1, 2, 5)', 'VERBOSE, COSTS OFF, FORMAT yaml');
-- One shard: as it was written. Not a conjunct of its own, or of another column: all members go to all.
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM t WHERE id IN (1, 5, 9);
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM t WHERE id IN (1, 2) OR grp = 3;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM t WHERE id NOT IN (1, 2);
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM t WHERE grp IN (1, 2);
-- The same array elsewhere is a parameter of its own.
PREPARE twice (int[]) AS SELECT id, name FROM t WHERE id = ANY ($1) AND (grp = 1 OR grp = ANY ($1));
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE twice ('{1,2,3}');
RESET plan_cache_mode;

-- What was asked, and what each shard gave.
CREATE FUNCTION shown(sql text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
  FOR r IN EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || sql LOOP
    IF r ~ 'Shards|Rows by' THEN RETURN NEXT btrim(r); END IF;
  END LOOP;
END $$;
SELECT shown('SELECT id FROM t WHERE id IN (1, 2, 5, 9, 13)');

CREATE TABLE lists (l text);
INSERT INTO lists VALUES ('{1,2,3}'), ('{1,1,5,5,9,2}'), ('{NULL,1,6}'), ('{NULL}'), ('{}'), ('{-3,-4,-19,0,999}'),
  ('{1}'), ('{{1,2},{3,4}}'), ('[5:7]={4,5,6}'), (NULL), ((SELECT array_agg(i)::text FROM generate_series(-50, 250) i));
CREATE FUNCTION compare(query text) RETURNS TABLE (answer text) LANGUAGE plpgsql AS $$
DECLARE l text;
BEGIN
  FOR l IN SELECT coalesce(quote_literal(lists.l), 'NULL') FROM lists LOOP
    RETURN QUERY SELECT format('%s: %s', left(l, 20), same_rows(replace(query, '@l', l),
      regexp_replace(replace(query, '@l', l), 'FROM (t|o|p) ', 'FROM l_\1 ', 'g')));
  END LOOP;
END $$;
SELECT compare('SELECT * FROM t WHERE id = ANY (@l::int[])');
-- Other types, a domain, and conditions beside it.
SELECT compare('SELECT * FROM t WHERE id = ANY (@l::bigint[]) AND grp <> 3');
SELECT compare('SELECT * FROM t WHERE id = ANY (@l::smallint[])');
SELECT compare('SELECT * FROM t WHERE id = ANY (@l::numeric[])');
SELECT compare('SELECT * FROM p WHERE id = ANY (ARRAY(SELECT unnest(@l::bigint[]) * 1000000000))');
SELECT compare('SELECT * FROM p WHERE id / 1000000000 = ANY (@l::bigint[])');
SELECT same_rows('SELECT * FROM t WHERE id IN (3000000000, 1, 2)', 'SELECT * FROM l_t WHERE id IN (3000000000, 1, 2)');
SELECT same_rows('SELECT * FROM p WHERE id IN (1000000000, -7000000000, 2000000000, 5)', 'SELECT * FROM l_p WHERE id IN (1000000000, -7000000000, 2000000000, 5)');
SELECT same_rows('SELECT * FROM t WHERE id IN (1, 2, 6) AND id IN (2, 3, 6, 7)', 'SELECT * FROM l_t WHERE id IN (1, 2, 6) AND id IN (2, 3, 6, 7)');
SELECT same_rows('SELECT * FROM t WHERE id IN (1, 2, 6) OR id IS NULL', 'SELECT * FROM l_t WHERE id IN (1, 2, 6) OR id IS NULL');
SET constraint_exclusion = off;
SELECT compare('SELECT * FROM t WHERE id = ANY (@l::int[])');
RESET constraint_exclusion;

-- As parameters, again and again.
PREPARE by_list (int[]) AS SELECT count(*), sum(id), string_agg(name, ',' ORDER BY id) FROM t WHERE id = ANY ($1);
PREPARE by_list_l (int[]) AS SELECT count(*), sum(id), string_agg(name, ',' ORDER BY id) FROM l_t WHERE id = ANY ($1);
CREATE FUNCTION agree() RETURNS text LANGUAGE plpgsql AS $$
DECLARE l text; a text; b text; n int := 0;
BEGIN
  FOR l IN SELECT coalesce(quote_literal(lists.l), 'NULL') FROM lists LOOP
    EXECUTE format('EXECUTE by_list(%s)', l) INTO a;
    EXECUTE format('EXECUTE by_list_l(%s)', l) INTO b;
    IF a IS DISTINCT FROM b THEN RETURN format('%s: %s instead of %s', l, a, b); END IF;
    n := n + 1;
  END LOOP;
  RETURN n || ' agree';
END $$;
SELECT agree();
SET plan_cache_mode = force_generic_plan;
SELECT agree();
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE by_list ('{1,2}');
SELECT shown('EXECUTE by_list (''{1,2,5,NULL}'')');
SELECT shown('EXECUTE by_list (''{NULL}'')');
SELECT shown('EXECUTE by_list (NULL)');
-- In a nested loop the lists change with each row.
SELECT same_rows('SELECT x.n, t.name FROM (VALUES (1, ''{1,2}''::int[]), (2, ''{3,4,5}''), (3, NULL), (4, ''{NULL}'')) x(n, l), LATERAL (SELECT * FROM t WHERE id = ANY (x.l) OFFSET 0) t',
  'SELECT x.n, t.name FROM (VALUES (1, ''{1,2}''::int[]), (2, ''{3,4,5}''), (3, NULL), (4, ''{NULL}'')) x(n, l), LATERAL (SELECT * FROM l_t t WHERE id = ANY (x.l) OFFSET 0) t');

-- Joins, groupings and limits: parameters choose their shards.
PREPARE grouped (int) AS SELECT id, count(*) FROM t WHERE id = $1 GROUP BY id;
SELECT p FROM plan_of('EXECUTE grouped (3)', 'VERBOSE, COSTS OFF') p WHERE NOT p ~ 'Group Key'; -- of a constant: not since 16
SELECT shown('EXECUTE grouped (3)');
EXECUTE grouped (3);
PREPARE counted (int) AS SELECT count(*), avg(grp) FROM t WHERE id = $1;
SELECT shown('EXECUTE counted (3)');
EXECUTE counted (3);
EXECUTE counted (NULL);
PREPARE joined (int) AS SELECT t.id, t.name, o.qty FROM t JOIN o ON o.cust = t.id WHERE t.id = $1;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE joined (3);
SELECT shown('EXECUTE joined (3)');
EXECUTE joined (3);
PREPARE left_joined (int) AS SELECT t.id, o.qty FROM t LEFT JOIN o ON o.cust = t.id AND o.cust = $1 WHERE t.grp = 2;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE left_joined (3);
SELECT shown('EXECUTE left_joined (3)');
SELECT same_rows('SELECT t.id, o.qty FROM t LEFT JOIN o ON o.cust = t.id AND o.cust = 9 WHERE t.grp = 2', 'SELECT t.id, o.qty FROM l_t t LEFT JOIN l_o o ON o.cust = t.id AND o.cust = 9 WHERE t.grp = 2');
PREPARE left_key (int) AS SELECT t.id, o.qty FROM t LEFT JOIN o ON o.cust = t.id WHERE t.id = $1;
SELECT shown('EXECUTE left_key (3)');
PREPARE semi (int[]) AS SELECT t.id FROM t WHERE t.id = ANY ($1) AND EXISTS (SELECT 1 FROM o WHERE o.cust = t.id AND qty > 20);
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE semi ('{3,4,7}');
SELECT shown('EXECUTE semi (''{3,4,7}'')');
PREPARE anti (int[]) AS SELECT t.id FROM t WHERE t.id = ANY ($1) AND NOT EXISTS (SELECT 1 FROM o WHERE o.cust = t.id) ORDER BY id;
SELECT shown('EXECUTE anti (''{-3,4,-7}'')');
EXECUTE anti ('{-3,4,-7}');
PREPARE limited (int[]) AS SELECT id, name FROM t WHERE id = ANY ($1) ORDER BY id LIMIT 2;
SELECT shown('EXECUTE limited (''{5,13,2}'')');
EXECUTE limited ('{5,13,2}');
RESET plan_cache_mode;

-- A bigint's remainder is compared with an integer: integers of all widths make one map.
\c :db0
CREATE TABLE big0 (id bigint, small smallint, name text);
\c :db1
CREATE TABLE big1 (id bigint, small smallint, name text);
\c :coord
CREATE TABLE l_big AS SELECT (i * 3000000001)::bigint AS id, (i % 5)::smallint AS small, 'name ' || i AS name FROM generate_series(-40, 40) i;
CREATE TABLE big (id bigint NOT NULL, small smallint, name text);
CREATE FOREIGN TABLE big0 (CHECK (id % 4 = ANY ('{0,1,-1}'::int[]))) INHERITS (big) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE big1 (CHECK (id % 4 = ANY ('{2,-2,3,-3}'::bigint[]))) INHERITS (big) SERVER db1 OPTIONS (schema_name 'public');
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO big SELECT * FROM l_big;
INSERT INTO big SELECT * FROM l_big;
SELECT same_rows('SELECT * FROM big', 'SELECT * FROM l_big');
SELECT same_rows('SELECT * FROM big0 UNION ALL SELECT * FROM big1', 'SELECT * FROM l_big');
SELECT count(*) AS lost FROM l_big l WHERE NOT EXISTS (SELECT FROM big WHERE id = l.id OFFSET 0);
EXPLAIN (VERBOSE, COSTS OFF) SELECT name FROM big WHERE id IN (-3000000001, 6000000002);
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(*) FROM big a JOIN big b USING (id);
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, array_agg(small) FROM big GROUP BY id HAVING count(*) > 5;
BEGIN;
ALTER FOREIGN TABLE big0 DROP CONSTRAINT big0_id_check, ADD CHECK (abs(id % 2) = 0);
ALTER FOREIGN TABLE big1 DROP CONSTRAINT big1_id_check, ADD CHECK (1::smallint = abs(id % 2));
UPDATE big SET id = id + 1;
SELECT same_rows('SELECT * FROM big', 'SELECT id + 1, small, name FROM l_big');
ROLLBACK;
ALTER FOREIGN TABLE big0 DROP CONSTRAINT big0_id_check, ADD CHECK (small IN (0, 1, -1));
ALTER FOREIGN TABLE big1 DROP CONSTRAINT big1_id_check, ADD CHECK (small = ANY ('{2,-2,3,-3,4,-4}'::int[]));
DELETE FROM big;
INSERT INTO big SELECT * FROM l_big;
SELECT same_rows('SELECT * FROM big', 'SELECT * FROM l_big');
SELECT i AS small, (SELECT count(*) FROM big WHERE small = i OFFSET 0) AS there, (SELECT count(*) FROM l_big WHERE small = i) AS here FROM generate_series(-4, 4) i;

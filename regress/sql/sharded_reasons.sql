-- EXPLAIN tells why conditions on the sharding columns leave no shard out.
\i common/shards.sql
CREATE TABLE t (id int, name text, price numeric, code char(3), grp int);
CREATE FOREIGN TABLE t0 (CHECK (id % 2 = 0)) INHERITS (t) SERVER db0;
CREATE FOREIGN TABLE t1 (CHECK (id % 2 = 1)) INHERITS (t) SERVER db1;
CREATE TABLE n (LIKE t);
CREATE FOREIGN TABLE n0 (CHECK (abs(hashtext(name)) % 2 = 0)) INHERITS (n) SERVER db0;
CREATE FOREIGN TABLE n1 (CHECK (abs(hashtext(name)) % 2 = 1)) INHERITS (n) SERVER db1;
CREATE TABLE m (LIKE t);
CREATE FOREIGN TABLE m0 (CHECK (trunc(price) % 2 = 0)) INHERITS (m) SERVER db0;
CREATE FOREIGN TABLE m1 (CHECK (trunc(price) % 2 = 1)) INHERITS (m) SERVER db1;
CREATE TABLE d (LIKE t);
CREATE FOREIGN TABLE d0 (CHECK (100 / id = 0)) INHERITS (d) SERVER db0;
CREATE FOREIGN TABLE d1 (CHECK (100 / id = 1)) INHERITS (d) SERVER db1;
CREATE TABLE p (LIKE t) PARTITION BY LIST (grp);
CREATE FOREIGN TABLE p0 PARTITION OF p FOR VALUES IN (0) SERVER db0;
CREATE FOREIGN TABLE p1 PARTITION OF p FOR VALUES IN (1) SERVER db1;

CREATE FUNCTION reason(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; answer text := 'nothing';
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) SELECT 1 FROM ' || q LOOP
    IF line ~ 'Not pruned' THEN answer := btrim(line); END IF;
  END LOOP;
  RETURN q || ' -- ' || answer;
END $$;
SELECT reason(q) FROM unnest(ARRAY[
  't', 't WHERE grp = 1', 't WHERE id = 1', 't WHERE id IN (1, 2)', 't WHERE id > 5', 't WHERE id <> 5', 't WHERE id NOT IN (5, 6)', 't WHERE abs(id) = 5',
  't WHERE id IS NULL', 't WHERE id = 1 OR grp = 2', 't WHERE id = grp', 't WHERE id = 1 AND id > 0', 't WHERE id > 1 AND abs(id) = 5 AND id < 3',
  't WHERE id = (SELECT 5)', 't WHERE NOT (id = 5)', 't WHERE id = 5.0',
  'n WHERE name = ''x''', 'n WHERE name = ''x''::char(3)', 'n WHERE name LIKE ''x%''', 'n WHERE lower(name) = ''x''',
  'm WHERE price = 4', 'm WHERE price IN (4, 5)', 'd WHERE id = 0', 'd WHERE id = 100',
  't JOIN n ON t.id = n.id WHERE t.id > 3']) q;
SET constraint_exclusion = off;
SELECT reason('t WHERE id = 1'), reason('p WHERE grp = 1');
RESET constraint_exclusion;
SET enable_partition_pruning = off;
SELECT reason('t WHERE id = 1'), reason('p WHERE grp = 1');
RESET enable_partition_pruning;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM t WHERE id > 5;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE id > 5;
SELECT plan_of('SELECT id FROM t WHERE id > 5', 'VERBOSE, COSTS OFF, FORMAT json');
SELECT plan_of('SELECT id FROM t WHERE id > 5', 'VERBOSE, COSTS OFF, FORMAT yaml');
SELECT plan_of('SELECT id FROM t WHERE id > 5', 'VERBOSE, COSTS OFF, FORMAT xml');
EXPLAIN (VERBOSE, COSTS OFF) SELECT grp, count(*) FROM t WHERE id > 5 GROUP BY grp;
PREPARE q (int) AS SELECT grp FROM t WHERE id = $1 AND id > 3;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE q (4);

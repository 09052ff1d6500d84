-- Which foreign tables are left out because their constraints allow no matching row, with the rows
-- compared to those of a local twin each time.
\i common/shards.sql
-- Children one by one; sharded_pruning.sql asks the same of parents that are planned as one table.
\if :{?sharded}
\else
SELECT format('ALTER DATABASE %I SET shard_fdw.enable_sharded_scan = off', current_database()) \gexec
SET shard_fdw.enable_sharded_scan = off;
\endif

-- Makes a parent, a local table per rule with those rows of "base" that the rule lets in (a CHECK lets
-- in what it is not false for), a foreign child over each, and a twin view over the local tables.
CREATE FUNCTION sharded(parent text, base text, rules text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE part text; parts text[]; r record;
BEGIN
  EXECUTE format('CREATE TABLE %I (LIKE %I)', parent, base);
  FOR i IN 1 .. cardinality(rules) LOOP
    part := parent || i;
    EXECUTE format('CREATE TABLE %I (LIKE %I)', part || '_local', base);
    FOR r IN EXECUTE format('SELECT ctid FROM %I', base) LOOP
      BEGIN
        EXECUTE format('INSERT INTO %I SELECT * FROM %I WHERE ctid = %L AND (%s) IS NOT FALSE',
                       part || '_local', base, r.ctid, rules[i]);
      EXCEPTION WHEN data_exception THEN NULL; -- a CHECK that fails lets nothing in
      END;
    END LOOP;
    EXECUTE format('CREATE FOREIGN TABLE %I (CHECK (%s)) INHERITS (%I) SERVER loopback OPTIONS (schema_name ''public'', table_name %L)',
                   part, rules[i], parent, part || '_local');
    parts := parts || format('SELECT * FROM %I', part || '_local');
  END LOOP;
  EXECUTE format('CREATE VIEW %I AS %s', parent || '_twin', array_to_string(parts, ' UNION ALL '));
END $$;

-- The foreign tables that a query would ask.
CREATE FUNCTION asked(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; found text[] := '{}';
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    found := found || (regexp_match(line, '(?:Foreign Scan on (?=\S)|Shards: (?=.* of))(\S+(?: of \d+)?)'))[1:1];
  END LOOP;
  RETURN coalesce(nullif(array_to_string(found, ' '), ''), '-');
END $$;

-- Asks with each condition: which children are asked, and whether the rows are the twin's.
CREATE FUNCTION try(parent text, VARIADIC conditions text[])
RETURNS TABLE (condition text, asked text, rows text) LANGUAGE plpgsql AS $$
DECLARE q text;
BEGIN
  FOREACH condition IN ARRAY conditions LOOP
    q := format('SELECT * FROM %I WHERE %s', parent, condition);
    asked := asked(q);
    SELECT string_agg(s, ', ') INTO rows
      FROM same_rows(q, format('SELECT * FROM %I WHERE %s', parent || '_twin', condition)) s;
    RETURN NEXT;
  END LOOP;
END $$;

-- The classic: four shards by abs(mod(id,4)).
\c :db0
CREATE TABLE tbl0 (id int PRIMARY KEY, info text, CHECK (abs(mod(id, 4)) = 0));
INSERT INTO tbl0 SELECT i, 'row ' || i FROM generate_series(-8, 108, 4) i;
\c :db1
CREATE TABLE tbl1 (id int PRIMARY KEY, info text, CHECK (abs(mod(id, 4)) = 1));
INSERT INTO tbl1 SELECT i, 'row ' || i FROM generate_series(-105, 105) i WHERE abs(mod(i, 4)) = 1;
\c :db2
CREATE TABLE tbl2 (id int PRIMARY KEY, info text, CHECK (abs(mod(id, 4)) = 2));
INSERT INTO tbl2 SELECT i, 'row ' || i FROM generate_series(2, 102, 4) i;
\c :db3
CREATE TABLE tbl3 (id int, info text, CHECK (abs(mod(id, 4)) = 3));
INSERT INTO tbl3 SELECT i, 'row ' || i FROM generate_series(3, 103, 4) i UNION ALL SELECT NULL, 'no id';
\c :coord
CREATE TABLE tbl (id int, info text);
SELECT format('CREATE FOREIGN TABLE tbl%s (CHECK (abs(mod(id, 4)) = %1$s)) INHERITS (tbl) SERVER db%1$s', n)
  FROM generate_series(0, 3) n \gexec
CREATE VIEW tbl_twin AS
  SELECT i AS id, 'row ' || i AS info FROM generate_series(-105, 108) i
    WHERE CASE abs(mod(i, 4)) WHEN 0 THEN i >= -8 WHEN 1 THEN i <= 105 WHEN 2 THEN i BETWEEN 2 AND 102 ELSE i BETWEEN 3 AND 103 END
  UNION ALL SELECT NULL, 'no id';

EXPLAIN (COSTS OFF) SELECT * FROM tbl WHERE id = 100;
SELECT * FROM tbl WHERE id = 100;
SELECT * FROM try('tbl',
  'id = 100', 'id = -101', '101 = id', 'id IN (1, 2)', 'id = ANY (''{3,7,NULL}'')', 'id = ANY (''{}''::int[])',
  'id = 1 OR id = 5', 'id = 1 OR id = 6', 'id = 1 OR info = ''row 2''',
  '(id = 1 AND info = ''row 1'') OR id = 3', 'id IN (1, 2) AND id IN (2, 3)', 'id IN (1, 2) AND id IN (3, 4)',
  'NOT id <> 7', 'id IS NULL', 'id IS NOT NULL AND id = 3', 'id IS NULL OR id = 1',
  'id IS NOT DISTINCT FROM 3', 'id IS NOT DISTINCT FROM NULL', 'id > 50', 'id <> 100',
  'id = 100 AND length(info) > 3', '(id, info) IN ((1, ''row 1''), (2, ''row 2''))',
  -- The redundant condition of 2015, alone and beside the plain one.
  'abs(mod(id, 4)) = abs(mod(100, 4))', 'id = 100 AND abs(mod(id, 4)) = abs(mod(100, 4))',
  'id = 100 AND abs(mod(id, 4)) = 1', 'abs(mod(id, 4)) IN (1, 2)', 'abs(mod(id, 4)) > 2',
  -- Constants of other types: exactly the same value, or none at all.
  'id = 100::bigint', 'id = 7::smallint', 'id = 5000000000', 'id IN (5000000000, 6)',
  'id = 6.0', 'id = 6.5', 'id = ANY (ARRAY[1.0, 2.5, 6])', 'id = ''NaN''::numeric',
  'id = 7::float8', 'id = 7.25::float8', 'id = 7::float4', 'id = ''Infinity''::float8', 'id::text = ''7''');
-- Joins: a constant reaches the other side through the join's equality.
SELECT asked('SELECT * FROM tbl a JOIN tbl b USING (id) WHERE a.id = 7');
SELECT asked('SELECT * FROM tbl a LEFT JOIN tbl b ON a.id = b.id AND b.id = 2 WHERE a.id IN (1, 2)');
-- One foreign table, named by itself.
EXPLAIN (COSTS OFF) SELECT * FROM tbl3 WHERE id = 1;
SELECT * FROM tbl3 WHERE id = 1;
EXPLAIN (COSTS OFF) SELECT * FROM tbl3 WHERE abs(mod(id, 4)) = 1;
-- A custom plan of a prepared statement knows its parameters, a generic one does not yet.
PREPARE by_id (int) AS SELECT * FROM tbl WHERE id = $1;
SELECT asked('EXECUTE by_id(5)');
EXECUTE by_id(5);
SET plan_cache_mode = force_generic_plan;
EXECUTE by_id(5);
EXECUTE by_id(6);
RESET plan_cache_mode;
-- Writes ask the same shards as reads.
EXPLAIN (COSTS OFF) DELETE FROM tbl WHERE id = 102;
WITH changed AS (UPDATE tbl SET info = 'changed' WHERE id IN (101, 102) RETURNING tableoid::regclass, *) SELECT * FROM changed ORDER BY id;
UPDATE tbl SET info = 'row ' || id WHERE id IN (101, 102);

-- What is not to be trusted, and what is.
CREATE TABLE num AS SELECT i AS id, i % 3 AS a FROM generate_series(-5, 60) i UNION ALL SELECT NULL, 1;
SELECT sharded('mix', 'num', ARRAY['100 / id = 2', 'id < 0 AND a BETWEEN -1 AND 0', 'id BETWEEN 0 AND 30',
  'id::text::int2 > 25', 'id = 1 AND a = 1 OR id = 2 AND a = 2', 'id % 2 = 0 OR a = 0', 'id IN (40, 41) IS NOT TRUE']);
SELECT * FROM try('mix', 'id = 0', 'id = 40', 'id = -3', 'id = -3 AND a = 1', 'id = 1 AND a = 2', 'id = 2',
  'id = 70000', 'id IN (0, 50)', 'id IS NULL', 'a = 1', 'id = 7 AND a = 0', 'id > 31', 'id BETWEEN 31 AND 45');
-- NOT VALID constraints prove nothing; a table's own NO INHERIT constraint holds for its own rows.
ALTER FOREIGN TABLE mix3 DROP CONSTRAINT mix3_id_check, ADD CONSTRAINT k CHECK (id BETWEEN 0 AND 30) NOT VALID;
SELECT * FROM try('mix', 'id = 50');
ALTER FOREIGN TABLE mix3 DROP CONSTRAINT k, ADD CONSTRAINT k CHECK (id BETWEEN 0 AND 30) NO INHERIT;
SELECT * FROM try('mix', 'id = 50', 'id = 20');
-- Constraints that are not immutable, or use system columns, are not looked at.
CREATE FOREIGN TABLE odd (id int, CHECK (random() < 2 OR id = 5), CHECK (tableoid <> 5 OR id = 5))
  SERVER loopback OPTIONS (table_name 'num');
SELECT count(*) FROM odd WHERE id = 6;
-- A table that can hold no rows.
CREATE FOREIGN TABLE none (id int, CHECK (false) NO INHERIT) SERVER loopback OPTIONS (table_name 'num');
EXPLAIN (COSTS OFF) SELECT * FROM none;

-- Functions of users: also those that fail, and those that look at tables.
CREATE FUNCTION part_of(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
  IF $1 = 7 THEN RAISE EXCEPTION 'seven!'; END IF;
  RETURN abs($1) % 2;
END $$;
CREATE FUNCTION half(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT abs($1) % 2';
CREATE FUNCTION looks(int) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN RETURN (SELECT count(*) = 1 FROM num WHERE id = $1 AND id % 2 = 1); END $$;
DELETE FROM num WHERE id = 7;
SELECT sharded('own', 'num', ARRAY['part_of(id) = 0', 'part_of(id) = 1', 'half(id) = 0', 'looks(id)']);
SELECT * FROM try('own', 'id = 7', 'id = 8', 'id = 9', 'id IN (8, 9)', 'id IS NULL');
-- A failed trial leaves the transaction as it was.
BEGIN;
SAVEPOINT s;
SELECT asked('SELECT * FROM own WHERE id = 7');
ROLLBACK TO s;
SELECT asked('SELECT * FROM own WHERE id = 8');
COMMIT;

-- Equality that is not identity pins nothing.
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE loose AS
  SELECT n::numeric AS n, f::float8 AS f, c::char(4) AS c, t COLLATE "default" AS t, i::interval AS i, b
  FROM (VALUES ('1', '0', 'a', 'a', '1 day', true), ('1.0', '-0', 'ab', 'A', '24 hours', false),
               ('1.00', '1', 'abcd', 'b', '1 hour', NULL), ('2', NULL, NULL, NULL, NULL, true)) v(n, f, c, t, i, b);
SELECT sharded('lo', 'loose', ARRAY['scale(n) = 0', 'scale(n) > 0', 'hashtext(f::text) % 2 = 0',
  'octet_length(c) = 4', 'abs(hashtext(t)) % 2 = 0', 'abs(hashtext(t)) % 2 = 1', 'extract(day FROM i) = 0', 'b', 'NOT b', 'n = 1']);
SELECT * FROM try('lo', 'n = 1', 'n = 1.0', 'n = 3', 'f = 0', 'c = ''a''', 't = ''a''', 't = ''a'' COLLATE "C"',
  't = ''A''::varchar', 't = ''a''::bpchar', 't IN (''a'', ''b'')', 'i = ''24 hours''',
  'b', 'NOT b', 'b = true', 'b IS TRUE', 'b IS NOT TRUE', 'b IS FALSE', 'b IS NOT FALSE', 'b IS UNKNOWN', 'b IS NOT UNKNOWN');
CREATE TABLE names_local (k text COLLATE ci);
INSERT INTO names_local VALUES ('ANNA'), ('bob');
CREATE FOREIGN TABLE names (k text COLLATE ci, CHECK (hashtext(k COLLATE "C") <> hashtext('anna')))
  SERVER loopback OPTIONS (table_name 'names_local');
-- ANNA equals anna here, and is let in by the rule.
SELECT * FROM names WHERE k = 'anna' ORDER BY k COLLATE "C";
EXPLAIN (COSTS OFF) SELECT * FROM names WHERE k = 'anna' COLLATE "C";

-- Other types, two columns, more than one constraint.
CREATE TYPE colour AS ENUM ('red', 'green', 'blue');
CREATE DOMAIN small AS int CHECK (VALUE < 1000);
CREATE TABLE various AS
  SELECT i AS x, (i * 3 % 7)::bigint AS y, date '2020-01-01' + i AS d, timestamp '2020-01-01' + i * interval '6 hours' AS ts,
         md5(i::text)::uuid AS u, decode(lpad(to_hex(i), 2, '0'), 'hex') AS b, (enum_range(NULL::colour))[i % 3 + 1] AS e,
         i::small AS s, 'k' || i AS k, i = 3 AS flag
  FROM generate_series(0, 12) i;
SELECT sharded('va', 'various', ARRAY['(x + y) % 2 = 0', '(x + y) % 2 = 1', 'extract(month FROM d) = 1', 'date_part(''hour'', ts) = 0',
  'abs(uuid_hash(u)) % 2 = 0', 'get_byte(b, 0) < 5', 'e < ''blue''', 's % 3 = 0', 'abs(hashtext(k)) % 2 = 0 AND NOT flag', 'x BETWEEN 0 AND 5']);
SELECT * FROM try('va', 'x = 3 AND y = 2', 'x = 3 AND y IN (2, 4)', 'x = 3 AND y IN (2, 3)', 'x = 3', 'd = ''2020-01-05''', 'd = ''2020-03-05''',
  'd IN (''2020-03-05'', ''2020-01-05'')', 'd = timestamp ''2020-01-05''', 'ts = ''2020-01-02''', 'ts = ''2020-01-01 06:00''',
  'u = ''cfcd2084-95d5-65ef-66e7-dff9f98764da''', 'b = ''\x07''', 'e = ''blue''', 'e IN (''red'', ''blue'')', 's = 4', 's IN (3, 4)', 'k = ''k3''', 'k = ''k4''', 'k = ''k3'' AND flag', 'x = 8');

-- Partitions: an expression key too.
CREATE TABLE li (id int, t text) PARTITION BY LIST ((abs(mod(id, 4))));
CREATE TABLE ha (id int, t text) PARTITION BY HASH (id, t);
CREATE TABLE ra (id numeric, t text) PARTITION BY RANGE (id);
CREATE TABLE li_rows AS SELECT i AS id, 't' || i AS t FROM generate_series(-6, 12) i UNION ALL SELECT NULL, 'null';
CREATE TABLE li1_local (LIKE li); CREATE TABLE li2_local (LIKE li); CREATE TABLE li3_local (LIKE li);
INSERT INTO li1_local SELECT * FROM li_rows WHERE abs(mod(id, 4)) IN (0, 1);
INSERT INTO li2_local SELECT * FROM li_rows WHERE abs(mod(id, 4)) = 2 OR id IS NULL;
INSERT INTO li3_local SELECT * FROM li_rows WHERE abs(mod(id, 4)) = 3;
CREATE FOREIGN TABLE li1 PARTITION OF li FOR VALUES IN (0, 1) SERVER loopback OPTIONS (table_name 'li1_local');
CREATE FOREIGN TABLE li2 PARTITION OF li FOR VALUES IN (2, NULL) SERVER loopback OPTIONS (table_name 'li2_local');
CREATE FOREIGN TABLE li3 PARTITION OF li DEFAULT SERVER loopback OPTIONS (table_name 'li3_local');
CREATE VIEW li_twin AS TABLE li_rows;
SELECT * FROM try('li', 'id = 1', 'id = 2', 'id = -3', 'id IN (4, 6)', 'id IS NULL', 'abs(mod(id, 4)) = 2', 'id = 3 AND t = ''t3''');
CREATE TABLE ha0_local (LIKE ha); CREATE TABLE ha1_local (LIKE ha);
CREATE FOREIGN TABLE ha0 PARTITION OF ha FOR VALUES WITH (MODULUS 2, REMAINDER 0) SERVER loopback OPTIONS (table_name 'ha0_local');
CREATE FOREIGN TABLE ha1 PARTITION OF ha FOR VALUES WITH (MODULUS 2, REMAINDER 1) SERVER loopback OPTIONS (table_name 'ha1_local');
INSERT INTO ha0_local SELECT * FROM li_rows WHERE satisfies_hash_partition('ha'::regclass, 2, 0, id, t);
INSERT INTO ha1_local SELECT * FROM li_rows WHERE satisfies_hash_partition('ha'::regclass, 2, 1, id, t);
CREATE VIEW ha_twin AS TABLE li_rows;
SELECT * FROM try('ha', 'id = 1 AND t = ''t1''', 'id = 2 AND t = ''t2''', 'id IN (1, 2) AND t = ''t1''', 'id = 1', 'id IS NULL AND t = ''null''');
CREATE TABLE ra_rows AS SELECT * FROM li_rows WHERE id IS NOT NULL;
CREATE TABLE ra1_local AS SELECT id::numeric, t FROM ra_rows WHERE id < 5;
CREATE TABLE ra2_local AS SELECT id::numeric, t FROM ra_rows WHERE id >= 5;
CREATE FOREIGN TABLE ra1 PARTITION OF ra FOR VALUES FROM (MINVALUE) TO (5) SERVER loopback OPTIONS (table_name 'ra1_local');
CREATE FOREIGN TABLE ra2 PARTITION OF ra FOR VALUES FROM (5) TO (MAXVALUE) SERVER loopback OPTIONS (table_name 'ra2_local');
CREATE VIEW ra_twin AS SELECT id::numeric, t FROM ra_rows;
SELECT * FROM try('ra', 'id = 1', 'id = 5.0', 'id > 7', 'id IS NULL');
-- Partitions named by themselves.
SELECT asked('SELECT * FROM li1 WHERE id = 2'), asked('SELECT * FROM li1 WHERE id = 1'), asked('SELECT * FROM ra2 WHERE id = 1'),
       asked('SELECT * FROM ha0 WHERE id = 1 AND t = ''t1'''), asked('SELECT * FROM ha1 WHERE id = 1 AND t = ''t1''');

-- Changes are seen at once.
ALTER FOREIGN TABLE tbl1 DROP CONSTRAINT tbl1_id_check;
SELECT asked('SELECT * FROM tbl WHERE id = 2');
ALTER FOREIGN TABLE tbl1 ADD CHECK (id % 4 IN (1, -1));
SELECT asked('SELECT * FROM tbl WHERE id = 2');
PREPARE two AS SELECT id FROM tbl WHERE id = 2;
EXECUTE two;
ALTER FOREIGN TABLE tbl2 DROP CONSTRAINT tbl2_id_check, ADD CHECK (id <> 2);
-- The new constraint is a lie, and believed.
EXECUTE two;
ALTER FOREIGN TABLE tbl2 DROP CONSTRAINT tbl2_id_check;
EXECUTE two;

-- The settings that forbid it.
SET constraint_exclusion = off;
SELECT asked('SELECT * FROM tbl WHERE id = 3'), asked('SELECT * FROM li WHERE id = 1');
SET enable_partition_pruning = off;
SELECT asked('SELECT * FROM li WHERE id = 1');
RESET constraint_exclusion;
RESET enable_partition_pruning;

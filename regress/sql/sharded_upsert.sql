-- INSERT ... ON CONFLICT on sharded parents, beside the same on a local table.
\i common/shards.sql
\c :db0
CREATE TABLE t0 (id int PRIMARY KEY, k text, n int, CHECK (abs(mod(id, 4)) = 0), UNIQUE (id, k));
\c :db1
CREATE TABLE t1 (id int PRIMARY KEY, k text, n int, CHECK (abs(mod(id, 4)) = 1), UNIQUE (id, k));
\c :db2
CREATE TABLE t2 (id int PRIMARY KEY, k text, n int, CHECK (abs(mod(id, 4)) = 2), UNIQUE (id, k));
\c :db3
CREATE TABLE t3 (num int PRIMARY KEY, k text, n int, CHECK (abs(mod(num, 4)) = 3), UNIQUE (num, k));
\c :coord
CREATE TABLE t (id int PRIMARY KEY, k text, n int, CONSTRAINT c CHECK (n <> -1));
CREATE FOREIGN TABLE t0 (CHECK (abs(mod(id, 4)) = 0)) INHERITS (t) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE t1 (CHECK (abs(mod(id, 4)) = 1)) INHERITS (t) SERVER db1 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE t2 (CHECK (abs(mod(id, 4)) = 2)) INHERITS (t) SERVER db2 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE t3 (id int OPTIONS (column_name 'num'), k text, n int, CONSTRAINT c CHECK (n <> -1), CHECK (abs(mod(id, 4)) = 3)) SERVER db3 OPTIONS (schema_name 'public');
ALTER FOREIGN TABLE t3 ALTER id SET NOT NULL, INHERIT t;
CREATE TABLE p (id int, k text, n int) PARTITION BY LIST (abs(mod(id, 4)));
CREATE FOREIGN TABLE p0 PARTITION OF p FOR VALUES IN (0) SERVER db0 OPTIONS (schema_name 'public', table_name 't0');
CREATE FOREIGN TABLE p1 PARTITION OF p FOR VALUES IN (1) SERVER db1 OPTIONS (schema_name 'public', table_name 't1');
CREATE FOREIGN TABLE p2 PARTITION OF p FOR VALUES IN (2) SERVER db2 OPTIONS (schema_name 'public', table_name 't2');
CREATE TABLE twin (id int PRIMARY KEY, k text, n int, UNIQUE (id, k));

-- One statement on both; rows it returns, then what is there. %s is the table.
CREATE FUNCTION on_both(statement text, parent text DEFAULT 't') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  remote text[]; here text[]; n int;
BEGIN
  IF statement ~ 'RETURNING' THEN
    EXECUTE format('WITH w AS (%s) SELECT array_agg(w::text ORDER BY w::text) FROM w', format(statement, parent || ' AS x')) INTO remote;
    EXECUTE format('WITH w AS (%s) SELECT array_agg(w::text ORDER BY w::text) FROM w', format(statement, 'twin AS x')) INTO here;
  ELSE
    EXECUTE format(statement, parent || ' AS x');
    GET DIAGNOSTICS n = ROW_COUNT; remote := ARRAY[n::text];
    EXECUTE format(statement, 'twin AS x');
    GET DIAGNOSTICS n = ROW_COUNT; here := ARRAY[n::text];
  END IF;
  RETURN NEXT CASE WHEN remote IS NOT DISTINCT FROM here THEN coalesce(array_to_string(remote, ' '), 'nothing')
              ELSE format('DIFFERENT: %s here: %s', remote, here) END;
  RETURN QUERY SELECT * FROM same_rows('SELECT id, k, n FROM t', 'SELECT id, k, n FROM twin');
END $$;
CREATE FUNCTION error_of(statement text) RETURNS SETOF text LANGUAGE sql AS
  $$ SELECT e FROM expect_error(statement) e WHERE e !~ '^CONTEXT' $$;

SELECT on_both('INSERT INTO %s SELECT g, ''k'' || g, g FROM generate_series(0, 19) g');
SELECT on_both('INSERT INTO %s VALUES (1, ''again'', 1), (20, ''new'', 3) ON CONFLICT (id) DO NOTHING');
SELECT on_both('INSERT INTO %s VALUES (1, ''again'', 1), (21, ''new'', 3) ON CONFLICT (id) DO NOTHING RETURNING *');
SELECT on_both('INSERT INTO %s VALUES (2, ''again'', 1), (22, ''new'', 3) ON CONFLICT DO NOTHING RETURNING *');
SELECT on_both('INSERT INTO %s SELECT g, ''up'' || g, 100 FROM generate_series(18, 25) g ON CONFLICT (id) DO UPDATE SET k = excluded.k, n = x.n + excluded.n');
SELECT on_both('INSERT INTO %s SELECT g, ''up'' || g, 100 FROM generate_series(18, 27) g ON CONFLICT (id) DO UPDATE SET n = x.n * 2 WHERE x.n < 110 RETURNING id, n');
SELECT on_both('INSERT INTO %s VALUES (3, ''k3'', 0), (4, ''k4'', 0) ON CONFLICT (k, id) DO UPDATE SET n = 33, id = excluded.id, k = x.k RETURNING *');
SELECT on_both('INSERT INTO %s SELECT g, ''many'' || g, g FROM generate_series(0, 9999) g ON CONFLICT (id) DO UPDATE SET n = excluded.n * 10');
SELECT on_both('INSERT INTO %s SELECT g, ''more'' || g, g FROM generate_series(5000, 14999) g ON CONFLICT (id) DO UPDATE SET n = x.n + 1, k = excluded.k WHERE mod(x.id, 3) <> 0');
SELECT on_both('INSERT INTO %s VALUES (0, ''p'', 1), (1, ''p'', 1), (2, ''p'', 1) ON CONFLICT (id) DO UPDATE SET k = excluded.k RETURNING *', 'p');
DELETE FROM t WHERE id > 10; DELETE FROM twin WHERE id > 10;
-- A constraint of the parent is what it is over.
SELECT on_both('INSERT INTO %s VALUES (5, ''pkey'', 1), (11, ''pkey'', 1) ON CONFLICT (id) DO UPDATE SET k = excluded.k');
INSERT INTO t VALUES (5, 'pkey') ON CONFLICT ON CONSTRAINT t_pkey DO UPDATE SET k = t.k || '!' RETURNING *;
SELECT error_of('INSERT INTO t VALUES (5) ON CONFLICT ON CONSTRAINT c DO NOTHING');
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO t VALUES (5, 'pkey') ON CONFLICT ON CONSTRAINT t_pkey DO UPDATE SET k = t.k || current_user, n = 5 WHERE t.n <> 7;

-- Plans are kept; parameters; several INSERTs in one statement; sub-queries.
SET plan_cache_mode = force_generic_plan;
PREPARE up (int, text) AS INSERT INTO t AS x VALUES ($1, $2, 0) ON CONFLICT (id) DO UPDATE SET k = $2 || x.k, n = (SELECT count(*) FROM twin WHERE id < $1) WHERE x.id = $1 RETURNING *;
EXECUTE up(1, 'a'); EXECUTE up(2, 'b'); EXECUTE up(3, 'c'); EXECUTE up(30, 'd'); EXECUTE up(30, 'e'); EXECUTE up(1, 'f'); EXECUTE up(1, NULL);
RESET plan_cache_mode;
WITH a AS (INSERT INTO t VALUES (30, 'one') ON CONFLICT (id) DO UPDATE SET k = 'a' RETURNING k),
     b AS (INSERT INTO t0 VALUES (40, 'two') ON CONFLICT (id) DO UPDATE SET k = 'b' RETURNING k),
     c AS (INSERT INTO p VALUES (41, 'three') ON CONFLICT (id) DO NOTHING RETURNING k),
     d AS (INSERT INTO twin VALUES (30, 'four') ON CONFLICT (id) DO UPDATE SET k = 'd' RETURNING k)
  SELECT a.k, b.k, c.k, d.k FROM a, b, c, d;
DO $$ BEGIN FOR i IN 1..8 LOOP INSERT INTO t AS x VALUES (60, 'loop', 0), (61, 'loop', 0) ON CONFLICT (id) DO UPDATE SET n = x.n + i; END LOOP; END $$;
SELECT id, k, n FROM t WHERE id >= 30 ORDER BY id;

-- A row is changed once.
SELECT error_of('INSERT INTO t VALUES (1), (1) ON CONFLICT (id) DO UPDATE SET n = 0');
SELECT error_of('INSERT INTO t VALUES (1), (2), (1) ON CONFLICT (id) DO UPDATE SET n = 0 RETURNING id');
SELECT error_of('INSERT INTO t SELECT 1 + g % 19999 FROM generate_series(0, 19999) g ON CONFLICT (id) DO UPDATE SET n = 0');
SELECT count(*) FROM t WHERE n = 0 OR id > 100;

-- What is not unique over shards, or would leave its shard.
SELECT error_of('INSERT INTO t VALUES (1) ON CONFLICT (k) DO NOTHING');
SELECT error_of('INSERT INTO t VALUES (1) ON CONFLICT (k) DO UPDATE SET n = 1');
SELECT error_of('INSERT INTO t VALUES (1) ON CONFLICT ((id + 1)) DO UPDATE SET n = 1');
SELECT error_of('INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET id = t.id + 4');
SELECT error_of('INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET id = excluded.n');
SELECT error_of('INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET n = random()');
SELECT error_of('INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET n = (SELECT max(id) FROM twin WHERE id < t.n)');
SELECT error_of('INSERT INTO t VALUES (1) ON CONFLICT (id, n) DO NOTHING');

-- Views, triggers, policies, privileges.
CREATE VIEW everything AS SELECT id AS i, n AS m, k FROM t;
INSERT INTO everything AS e VALUES (1, 3, 'all') ON CONFLICT (i) DO UPDATE SET m = excluded.m + e.m RETURNING *;
CREATE VIEW small AS SELECT * FROM t WHERE n < 100 WITH CHECK OPTION;
INSERT INTO small VALUES (1, 'small', 300) ON CONFLICT (id) DO NOTHING;
SELECT error_of('INSERT INTO small VALUES (300, ''small'', 300) ON CONFLICT (id) DO NOTHING');
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE NOTICE '% % % % %', TG_WHEN, TG_LEVEL, TG_OP, OLD, NEW; RETURN NEW; END $$;
CREATE TRIGGER bs BEFORE INSERT OR UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER a_s AFTER INSERT OR UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER br BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO t VALUES (1, 'trigger', 3), (2, 'trigger', 3) ON CONFLICT (id) DO UPDATE SET k = excluded.k;
CREATE TRIGGER ar AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
SELECT error_of('INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET n = 1');
DROP TRIGGER ar ON t; DROP TRIGGER br ON t; DROP TRIGGER bs ON t; DROP TRIGGER a_s ON t;
CREATE TRIGGER ar AFTER UPDATE ON t1 FOR EACH ROW EXECUTE FUNCTION note();
SELECT error_of('INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET n = 1');
DROP TRIGGER ar ON t1;
CREATE TRIGGER br BEFORE INSERT ON p1 FOR EACH ROW EXECUTE FUNCTION note();
SELECT error_of('INSERT INTO p VALUES (1) ON CONFLICT (id) DO NOTHING');
SELECT error_of('INSERT INTO p VALUES (1) ON CONFLICT (id) DO UPDATE SET n = 1');
DROP TRIGGER br ON p1;
CREATE ROLE regress_up;
SET client_min_messages = warning;
SELECT format('CREATE USER MAPPING FOR regress_up SERVER db%s OPTIONS (user %L, password_required ''false'')', n, 'postgres') FROM generate_series(0, 3) n \gexec
RESET client_min_messages;
GRANT INSERT, SELECT (id) ON t TO regress_up;
SET ROLE regress_up;
INSERT INTO t (id) VALUES (1) ON CONFLICT (id) DO NOTHING;
INSERT INTO t (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET n = 1;
RESET ROLE;
GRANT SELECT, UPDATE ON t TO regress_up;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON t USING (n < 1000);
SET ROLE regress_up;
INSERT INTO t (id, n) VALUES (1, 1) ON CONFLICT (id) DO NOTHING;
INSERT INTO t (id, n) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = 1;
RESET ROLE;
SELECT count(*) FROM ONLY t;
SELECT * FROM t WHERE id < 5 ORDER BY id;

-- Without the virtual scan.
SET shard_fdw.enable_sharded_scan = off;
INSERT INTO t VALUES (1, 'x', 1) ON CONFLICT (id) DO UPDATE SET n = 78 RETURNING *;
SELECT count(*) FROM ONLY t;

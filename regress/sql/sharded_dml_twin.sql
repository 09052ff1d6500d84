-- Random DML on two sharded tables and on their local twins, in transactions with savepoints and errors. After each
-- statement the tables must be equal, and every row must be found by its key.
\i common/shards.sql
\c :db0
CREATE TABLE s0 (id int PRIMARY KEY, g int, v int, t text); CREATE TABLE p0 (id int NOT NULL, g int NOT NULL, v int, t text, PRIMARY KEY (id, g)) PARTITION BY RANGE (id); CREATE TABLE p0a PARTITION OF p0 FOR VALUES FROM (MINVALUE) TO (50); CREATE TABLE p0b PARTITION OF p0 DEFAULT;
\c :db1
CREATE TABLE s1 (id int PRIMARY KEY, g int, v int, t text); CREATE TABLE p1 (id int NOT NULL, g int NOT NULL, v int, t text, PRIMARY KEY (id, g));
\c :db2
CREATE TABLE s2 (id int PRIMARY KEY, g int, v int, t text);
\c :db3
CREATE TABLE s3 (id int PRIMARY KEY, g int, v int, t text);
\c :coord
-- By inheritance, sharded by id; and partitions, by g.
CREATE TABLE s (id int NOT NULL, g int, v int, t text);
CREATE FOREIGN TABLE s0 (CHECK (abs(mod(id, 4)) = 0)) INHERITS (s) SERVER db0;
CREATE FOREIGN TABLE s1 (CHECK (abs(mod(id, 4)) = 1)) INHERITS (s) SERVER db1;
CREATE FOREIGN TABLE s2 (CHECK (abs(mod(id, 4)) = 2)) INHERITS (s) SERVER db2;
CREATE FOREIGN TABLE s3 (CHECK (abs(mod(id, 4)) = 3)) INHERITS (s) SERVER db3;
CREATE TABLE p (id int NOT NULL, g int NOT NULL, v int, t text) PARTITION BY LIST ((abs(g % 2)));
CREATE FOREIGN TABLE p0 PARTITION OF p FOR VALUES IN (0) SERVER db0;
CREATE FOREIGN TABLE p1 PARTITION OF p FOR VALUES IN (1) SERVER db1;
CREATE TABLE ls (id int PRIMARY KEY, g int, v int, t text);
CREATE TABLE lp (id int NOT NULL, g int NOT NULL, v int, t text, PRIMARY KEY (id, g));
CREATE TABLE other AS SELECT i AS id, i % 5 AS x FROM generate_series(1, 100) i;

CREATE FUNCTION here(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 + 1; END';
CREATE FUNCTION here_now(int) RETURNS int LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN $1 + 1; END';
CREATE FUNCTION n(most int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT (random() * most)::int';
CREATE FUNCTION statement() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  kinds text[] := ARRAY[
    'INSERT INTO S SELECT i, i %% 7, i, ''i'' || i FROM generate_series(%1$s, %1$s + %2$s) i',
    'INSERT INTO S VALUES (%1$s, %2$s, %3$s, ''one'')',
    'INSERT INTO P SELECT i, i %% 9, i, ''p'' || i FROM generate_series(%1$s, %1$s + %2$s) i',
    'INSERT INTO P VALUES (%1$s, %2$s, %3$s, ''one'')',
    'UPDATE S SET v = v + %2$s WHERE g = %4$s',
    'UPDATE S SET v = v + 1, t = t || ''x'' WHERE id = %1$s',
    'UPDATE S SET g = %4$s WHERE id IN (%1$s, %2$s, %3$s)',
    'UPDATE S SET id = id + 1000 WHERE id = %1$s',
    'UPDATE S SET id = id + 200 + %2$s WHERE g = %4$s AND id BETWEEN 0 AND 99',
    'UPDATE S SET id = id - 100 WHERE id BETWEEN 150 AND 249 AND g > 4',
    'UPDATE S SET id = -id WHERE g = %4$s',
    'UPDATE S SET v = 100 / (g - %4$s) WHERE id < %1$s',
    'UPDATE S SET (g, v) = (SELECT x, x + 1 FROM other o WHERE o.id = S.id) WHERE id BETWEEN %1$s AND %1$s + 5',
    'UPDATE S SET v = o.x FROM other o WHERE o.id = S.id AND o.x = %4$s',
    'UPDATE S SET id = S.id + 500, t = ''moved'' FROM other o WHERE o.id = S.id AND o.id = %1$s',
    'UPDATE S SET v = (SELECT max(v) FROM P) WHERE g = %4$s',
    'UPDATE S SET t = left(t || ''e'', 20) WHERE EXISTS (SELECT 1 FROM P WHERE P.id = S.id)',
    'DELETE FROM S WHERE id IN (SELECT id FROM P WHERE g = %4$s) AND g > 2',
    'UPDATE S SET v = b.v + 1 FROM S b WHERE b.id = S.id AND b.g = %4$s',
    'UPDATE P SET g = 7 - g WHERE id = %1$s',
    'UPDATE P SET g = 50 + %2$s - g, v = 7 WHERE id BETWEEN %1$s AND %1$s + 3',
    'UPDATE S SET id = NULL WHERE id = %1$s',
    'UPDATE P SET v = v * 2, id = id + 100 WHERE g = %4$s AND id < 60',
    'UPDATE P SET t = S.t FROM S WHERE S.id = P.id AND S.g < 3',
    'DELETE FROM S WHERE id = %1$s',
    'DELETE FROM S WHERE v %% 11 = %4$s',
    'DELETE FROM S USING other o WHERE o.id = S.id AND o.x = %4$s AND S.v > %1$s',
    'DELETE FROM P WHERE id IN (SELECT id FROM other WHERE x = %4$s) AND g > 3',
    'DELETE FROM P WHERE id = %1$s AND g = %4$s',
    'WITH d AS (DELETE FROM S WHERE id = %1$s RETURNING *) INSERT INTO S SELECT id + 300, g, v, t FROM d',
    'WITH d AS (DELETE FROM P WHERE id BETWEEN %1$s AND %1$s + 2 RETURNING *) INSERT INTO P SELECT id + 700, g + 1, v, t FROM d',
    'WITH u AS (UPDATE S SET id = id + 400 WHERE id = %1$s RETURNING id, t) UPDATE P SET t = u.t FROM u WHERE P.id = u.id - 400',
    -- What the shards cannot do: functions of this database, volatile conditions, values found here.
    'UPDATE S SET v = here(v), t = left(t || here(g), 20) WHERE g <> %4$s',
    'UPDATE S SET v = v + 1 WHERE here(id) BETWEEN %1$s AND %1$s + 40',
    'UPDATE S SET g = here_now(g) %% 7 WHERE id < %1$s',
    'UPDATE S SET v = NULL WHERE here_now(id) %% 10 = %4$s',
    'UPDATE S SET v = o.x, t = here(o.id)::text FROM other o WHERE o.id = S.g AND S.id <> %1$s',
    'UPDATE S SET t = NULL FROM other o JOIN other q USING (x) WHERE o.id = S.id AND q.x = %4$s',
    'UPDATE S SET g = P.g FROM P WHERE P.id = S.v AND P.g < %4$s AND (SELECT count(*) FROM P q WHERE q.id = P.id) = 1',
    'UPDATE S SET id = here(id) + 1000 WHERE g = %4$s AND here(v) > 0',
    'UPDATE S SET v = (SELECT max(here(o.id)) FROM other o WHERE o.x = S.g) WHERE id > %1$s',
    'UPDATE S SET v = 10 / (here(g) - %4$s) WHERE id > %1$s',
    'DELETE FROM S WHERE here(id) = %1$s',
    'DELETE FROM S WHERE now() > ''2000-01-01'' AND clock_timestamp() > now() AND id %% 23 = %4$s',
    'DELETE FROM S USING other o WHERE o.id = S.v AND here(o.x) = %4$s AND S.id > 150',
    'UPDATE P SET v = here(v) WHERE g = %4$s OR id BETWEEN %1$s AND %1$s + 10',
    'UPDATE P SET t = o.x::text FROM other o WHERE o.id = P.id AND clock_timestamp() > now()',
    'UPDATE P SET v = here_now(id) WHERE id %% 5 = %4$s',
    'UPDATE P SET g = here(g) WHERE id = %1$s',
    'DELETE FROM P USING S WHERE here(S.id) = P.id AND S.g = %4$s AND P.id > 80',
    'WITH u AS (UPDATE S SET v = here(v) WHERE id BETWEEN %1$s AND %1$s + 9 RETURNING id, v) UPDATE P SET v = u.v FROM u WHERE P.id = u.id',
    'WITH d AS (DELETE FROM P WHERE here(id) BETWEEN %1$s AND %1$s + 2 RETURNING *) INSERT INTO S SELECT id + 2000 + g, g, v, t FROM d'
  ];
BEGIN
  RETURN format(kinds[1 + floor(random() * array_length(kinds, 1))::int], n(100), n(20), n(100), n(6));
END $$;
-- The statement on the twins.
CREATE FUNCTION on_twin(statement text) RETURNS text LANGUAGE sql IMMUTABLE AS
  $$ SELECT regexp_replace(regexp_replace(statement, '\mS\M', 'ls', 'g'), '\mP\M', 'lp', 'g') $$;
CREATE FUNCTION difference() RETURNS text LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  SELECT count(*) INTO n FROM (TABLE s EXCEPT ALL TABLE ls) d; IF n > 0 THEN RETURN n || ' rows only in s'; END IF;
  SELECT count(*) INTO n FROM (TABLE ls EXCEPT ALL TABLE s) d; IF n > 0 THEN RETURN n || ' rows only in ls'; END IF;
  SELECT count(*) INTO n FROM (TABLE p EXCEPT ALL TABLE lp) d; IF n > 0 THEN RETURN n || ' rows only in p'; END IF;
  SELECT count(*) INTO n FROM (TABLE lp EXCEPT ALL TABLE p) d; IF n > 0 THEN RETURN n || ' rows only in lp'; END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION misplaced() RETURNS bigint LANGUAGE sql AS $$
  SELECT (SELECT count(*) FROM s0 WHERE abs(mod(id, 4)) + 0 <> n(0)) + (SELECT count(*) FROM s1 WHERE abs(mod(id, 4)) + n(0) <> 1)
       + (SELECT count(*) FROM s2 WHERE abs(mod(id, 4)) + n(0) <> 2) + (SELECT count(*) FROM s3 WHERE abs(mod(id, 4)) + n(0) <> 3)
       + (SELECT count(*) FROM p0 WHERE abs(g % 2) + n(0) <> 0) + (SELECT count(*) FROM p1 WHERE abs(g % 2) + n(0) <> 1) $$;
-- Runs statements in a transaction of its own each few, which is rolled back now and then; some of them in
-- subtransactions that are rolled back.
CREATE PROCEDURE run(statements int) LANGUAGE plpgsql AS $$
DECLARE
  sql text; here text; there text; changed bigint; twins bigint; kept int := 0; failed int := 0; undone int := 0; rows_changed bigint := 0;
BEGIN
  FOR i IN 1 .. statements LOOP
    sql := statement();
    BEGIN
      here := NULL; there := NULL; changed := 0; twins := 0;
      BEGIN
        EXECUTE sql; GET DIAGNOSTICS changed = ROW_COUNT;
      EXCEPTION WHEN OTHERS THEN here := SQLSTATE;
      END;
      BEGIN
        EXECUTE on_twin(sql); GET DIAGNOSTICS twins = ROW_COUNT;
      EXCEPTION WHEN OTHERS THEN there := SQLSTATE;
      END;
      IF here IS DISTINCT FROM there OR (here IS NULL AND changed <> twins) THEN
        RAISE WARNING 'DIFFERENT: % rows, error %; locally % rows, error %: %', changed, here, twins, there, sql;
      END IF;
      IF here IS NOT NULL THEN failed := failed + 1; ELSE rows_changed := rows_changed + changed; END IF;
      IF difference() IS NOT NULL THEN RAISE WARNING 'DIFFERENT: % after %', difference(), sql; EXIT; END IF;
      IF random() < 0.15 THEN undone := undone + 1; RAISE EXCEPTION 'back to the savepoint' USING ERRCODE = 'ZZ999'; END IF;
      kept := kept + 1;
    EXCEPTION WHEN SQLSTATE 'ZZ999' THEN NULL;
    END;
    IF difference() IS NOT NULL THEN RAISE WARNING 'DIFFERENT: % after the savepoint', difference(); EXIT; END IF;
    IF random() < 0.3 THEN
      IF random() < 0.2 THEN ROLLBACK; ELSE COMMIT; END IF;
      IF difference() IS NOT NULL THEN RAISE WARNING 'DIFFERENT: % after a transaction', difference(); EXIT; END IF;
    END IF;
  END LOOP;
  COMMIT;
  IF misplaced() > 0 THEN RAISE WARNING '% rows misplaced', misplaced(); END IF;
  RAISE NOTICE 'statements %, changed anything %, failed % times, undone %', statements, rows_changed > 0, failed > 0, undone > 0;
END $$;
SELECT setseed(0.25);
INSERT INTO s SELECT i, i % 7, i, 's' || i FROM generate_series(1, 100) i; INSERT INTO ls SELECT i, i % 7, i, 's' || i FROM generate_series(1, 100) i;
INSERT INTO p SELECT i, i % 9, i, 'p' || i FROM generate_series(1, 100) i; INSERT INTO lp SELECT i, i % 9, i, 'p' || i FROM generate_series(1, 100) i;
CALL run(250);
SET plan_cache_mode = force_generic_plan;
CALL run(100);
-- With row triggers of two placements.
CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; NEW.t := left(NEW.t || lower(left(TG_OP, 1)), 20); RETURN NEW; END $$;
CREATE TRIGGER mark BEFORE UPDATE ON s1 FOR EACH ROW EXECUTE FUNCTION mark(); CREATE TRIGGER mark BEFORE UPDATE ON ls FOR EACH ROW WHEN (abs(mod(OLD.id, 4)) = 1) EXECUTE FUNCTION mark();
CALL run(60);
DROP TRIGGER mark ON s1; DROP TRIGGER mark ON ls;
SET shard_fdw.enable_sharded_scan = off;
CALL run(75);
RESET shard_fdw.enable_sharded_scan;
SELECT count(*) > 0 AS some, difference(), misplaced() FROM s;

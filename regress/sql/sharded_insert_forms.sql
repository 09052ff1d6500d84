-- INSERT into sharded parents of all forms: rules, layouts, partitions, triggers, privileges.
\i common/shards.sql
\c :db0
CREATE TABLE a (k text, d date, n int, f int GENERATED ALWAYS AS (n * 2) STORED, extra text DEFAULT 'remote');
CREATE TABLE g (id int, t text);
\c :db1
CREATE TABLE a (k text, d date, n int, f int GENERATED ALWAYS AS (n * 2) STORED, extra text DEFAULT 'remote');
CREATE TABLE g (id int, t text);
\c :db2
CREATE TABLE a (k text, d date, n int, f int GENERATED ALWAYS AS (n * 2) STORED, extra text DEFAULT 'remote');
CREATE TABLE g (id int, t text);
\c :db3
CREATE TABLE a (k text, d date, n int, f int GENERATED ALWAYS AS (n * 2) STORED, extra text DEFAULT 'remote');
CREATE TABLE g (id int, t text);
\c :coord
-- Which shard has what.
CREATE FUNCTION where_is(parent regclass) RETURNS TABLE (place text, r text) LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE format('SELECT tableoid::regclass::text, (p.*)::text FROM %s p ORDER BY 1, 2', parent);
END $$;

-- Partitions: LIST over an expression, with a partition for NULL and one for the rest.
CREATE TABLE pl (id int, t text) PARTITION BY LIST ((abs(mod(id, 4))));
CREATE FOREIGN TABLE pl0 PARTITION OF pl FOR VALUES IN (0) SERVER db0 OPTIONS (table_name 'g');
CREATE FOREIGN TABLE pl1 PARTITION OF pl FOR VALUES IN (1, 2) SERVER db1 OPTIONS (table_name 'g');
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO pl VALUES (1, 'x');
INSERT INTO pl SELECT i, 'l' || i FROM generate_series(1, 10) i WHERE mod(i, 4) <> 3;
SELECT expect_error('INSERT INTO pl VALUES (4), (3)');
SELECT expect_error('INSERT INTO pl VALUES (NULL)');
CREATE FOREIGN TABLE pln PARTITION OF pl FOR VALUES IN (NULL) SERVER db2 OPTIONS (table_name 'g');
INSERT INTO pl VALUES (NULL, 'null') RETURNING *, tableoid::regclass;
CREATE FOREIGN TABLE pld PARTITION OF pl DEFAULT SERVER db3 OPTIONS (table_name 'g');
INSERT INTO pl VALUES (3, 'rest'), (8, 'l8');
SELECT * FROM where_is('pl');
-- Reading goes by the rules: each row is where it is looked for.
SELECT count(*) FROM pl WHERE id = 8;
DROP TABLE pl;

-- RANGE, two columns; HASH.
CREATE FOREIGN TABLE all0 (id int, t text) SERVER db0 OPTIONS (table_name 'g');
CREATE FOREIGN TABLE all1 (id int, t text) SERVER db1 OPTIONS (table_name 'g');
CREATE FOREIGN TABLE all2 (id int, t text) SERVER db2 OPTIONS (table_name 'g');
CREATE FOREIGN TABLE all3 (id int, t text) SERVER db3 OPTIONS (table_name 'g');
CREATE FUNCTION clean() RETURNS void LANGUAGE sql AS 'DELETE FROM all0; DELETE FROM all1; DELETE FROM all2; DELETE FROM all3';
SELECT clean();
CREATE TABLE pr (id int, t text) PARTITION BY RANGE (id, t);
CREATE FOREIGN TABLE pr0 PARTITION OF pr FOR VALUES FROM (MINVALUE, MINVALUE) TO (10, 'm') SERVER db0 OPTIONS (table_name 'g');
CREATE FOREIGN TABLE pr1 PARTITION OF pr FOR VALUES FROM (10, 'm') TO (20, MINVALUE) SERVER db1 OPTIONS (table_name 'g');
INSERT INTO pr VALUES (1, 'a'), (10, 'a'), (10, 'm'), (10, 'z'), (19, 'a'), (-5, 'q');
SELECT * FROM where_is('pr');
SELECT expect_error($$INSERT INTO pr VALUES (20, 'a')$$);
SELECT expect_error($$INSERT INTO pr VALUES (1, NULL)$$);
DROP TABLE pr; SELECT clean();
CREATE TABLE ph (id int, t text) PARTITION BY HASH (id);
CREATE FOREIGN TABLE ph0 PARTITION OF ph FOR VALUES WITH (MODULUS 2, REMAINDER 0) SERVER db0 OPTIONS (table_name 'g');
CREATE FOREIGN TABLE ph1 PARTITION OF ph FOR VALUES WITH (MODULUS 2, REMAINDER 1) SERVER db1 OPTIONS (table_name 'g');
CREATE TABLE lh (id int, t text) PARTITION BY HASH (id);
CREATE TABLE lh0 PARTITION OF lh FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE lh1 PARTITION OF lh FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO ph SELECT i, 'h' FROM generate_series(1, 40) i;
INSERT INTO lh SELECT i, 'h' FROM generate_series(1, 40) i;
INSERT INTO ph VALUES (NULL, 'n'); INSERT INTO lh VALUES (NULL, 'n');
SELECT same_rows('SELECT replace(tableoid::regclass::text, ''ph'', ''lh'') AS p, * FROM ph', 'SELECT tableoid::regclass::text AS p, * FROM lh');
-- A partition of a partitioned table.
CREATE TABLE top (id int, t text) PARTITION BY RANGE (id);
ALTER TABLE top ATTACH PARTITION ph FOR VALUES FROM (0) TO (100);
SELECT clean();
SELECT expect_error('INSERT INTO ph VALUES (100)');
INSERT INTO ph VALUES (50, 'direct');
INSERT INTO top VALUES (51, 'by the top');
SELECT * FROM where_is('top');
DROP TABLE top, lh; SELECT clean();

-- Inheritance: rules of different forms, in another order of columns, with columns of their own.
CREATE TABLE p (n int NOT NULL, gone int, k text, d date, f int GENERATED ALWAYS AS (n * 2) STORED);
ALTER TABLE p DROP COLUMN gone;
CREATE FOREIGN TABLE p0 (k text, n int NOT NULL, f int GENERATED ALWAYS AS (n * 2) STORED, d date, CHECK (k = 'eu' AND n < 1000)) SERVER db0 OPTIONS (table_name 'a');
CREATE FOREIGN TABLE p1 (extra text DEFAULT 'local' || 'ly', d date, k text, n int NOT NULL, f int GENERATED ALWAYS AS (n * 2) STORED, CHECK (k IN ('us', 'ca'))) SERVER db1 OPTIONS (table_name 'a');
CREATE FOREIGN TABLE p2 (CHECK (k > 'x')) INHERITS (p) SERVER db2 OPTIONS (table_name 'a');
ALTER FOREIGN TABLE p0 INHERIT p; ALTER FOREIGN TABLE p1 INHERIT p;
INSERT INTO p (n, k, d) VALUES (1, 'eu', '2020-01-01'), (2, 'us', '2020-01-02'), (3, 'ca', NULL), (4, 'xy', '2020-01-04');
INSERT INTO p VALUES (5, 'eu') RETURNING *, tableoid::regclass;
INSERT INTO p VALUES (6, 'us', '2020-01-06') RETURNING f, d, ctid, p;
SELECT expect_error($$INSERT INTO p VALUES (7, 'us') RETURNING xmin$$);
SELECT extra, count(*) FROM p1 GROUP BY 1;
SELECT * FROM where_is('p');
SELECT expect_error($$INSERT INTO p VALUES (7, 'fr')$$);
SELECT expect_error($$INSERT INTO p VALUES (7, NULL)$$);
SELECT expect_error($$INSERT INTO p VALUES (NULL, 'us')$$);
SELECT expect_error($$INSERT INTO p VALUES (1000, 'eu')$$);
-- One without a rule takes the rest.
CREATE FOREIGN TABLE p3 () INHERITS (p) SERVER db3 OPTIONS (table_name 'a');
INSERT INTO p VALUES (8, 'fr'), (9, NULL);
SELECT * FROM where_is('p') WHERE place = 'p3';
-- Overlapping rules: the first in order.
ALTER FOREIGN TABLE p3 ADD CHECK (k >= 'us');
INSERT INTO p VALUES (10, 'us'), (11, 'zz');
SELECT * FROM where_is('p') WHERE r ~ '^.1[01],';
DROP FOREIGN TABLE p3;
-- A child of another kind: PostgreSQL's behaviour.
CREATE TABLE plocal () INHERITS (p);
INSERT INTO p VALUES (12, 'local');
SELECT tableoid::regclass, n FROM ONLY p;
DELETE FROM ONLY p; DROP TABLE plocal;

-- Triggers of the parent.
CREATE TABLE log (id serial, what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_LEVEL = 'ROW' THEN
    INSERT INTO log (what) VALUES (format('%s %s %s on %s (%s): %s', TG_NAME, TG_WHEN, TG_OP, TG_TABLE_NAME, TG_RELID::regclass, NEW));
    IF TG_WHEN = 'BEFORE' THEN NEW.d := '1999-09-09'; END IF;
    IF NEW.n = 13 THEN RETURN NULL; END IF;
    RETURN NEW;
  END IF;
  INSERT INTO log (what) VALUES (format('%s %s %s on %s', TG_NAME, TG_WHEN, TG_OP, TG_TABLE_NAME));
  RETURN NULL;
END $$;
CREATE TRIGGER b BEFORE INSERT ON p FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER c AFTER INSERT ON p FOR EACH ROW WHEN (NEW.n > 0) EXECUTE FUNCTION note();
CREATE TRIGGER s AFTER INSERT ON p FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER z BEFORE INSERT ON p FOR EACH STATEMENT EXECUTE FUNCTION note();
INSERT INTO p VALUES (12, 'eu'), (13, 'us'), (14, 'us') RETURNING n, d, f;
SELECT what FROM log ORDER BY id;
SELECT expect_error($$INSERT INTO p VALUES (15, 'us') RETURNING tableoid$$);
DROP TRIGGER b ON p; DROP TRIGGER c ON p; DROP TRIGGER z ON p;
TRUNCATE log;
-- Triggers of a placement.
CREATE TRIGGER pb BEFORE INSERT ON p1 FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER pc AFTER INSERT ON p1 FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO p VALUES (16, 'eu'), (17, 'us'), (13, 'us');
INSERT INTO p VALUES (18, 'us', '2020-01-01') RETURNING *;
SELECT what FROM log ORDER BY id;
DROP TRIGGER pb ON p1; DROP TRIGGER pc ON p1; DROP TRIGGER s ON p;
-- A transition table.
TRUNCATE log;
CREATE FUNCTION total() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO log (what) SELECT format('%s rows, %s, %s', count(*), sum(n), sum(f)) FROM new_rows; RETURN NULL; END $$;
CREATE TRIGGER tt AFTER INSERT ON p REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION total();
SELECT expect_error($$INSERT INTO p VALUES (20, 'us')$$);
DROP TRIGGER tt ON p;
-- What cannot be kept is refused before anything is done.
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON p DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();
SELECT expect_error($$INSERT INTO p VALUES (30, 'us')$$);
DROP TRIGGER later ON p;
CREATE CONSTRAINT TRIGGER now AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO p VALUES (30, 'us');
SELECT what FROM log WHERE what LIKE 'now%';
DROP TRIGGER now ON p;
CREATE TABLE kinds (k text PRIMARY KEY);
ALTER TABLE p ADD FOREIGN KEY (k) REFERENCES kinds;
SELECT expect_error($$INSERT INTO p VALUES (31, 'us')$$);
ALTER TABLE p DROP CONSTRAINT p_k_fkey;
-- An index of the parent is an index of nothing.
CREATE UNIQUE INDEX p_n ON p (n);
INSERT INTO p VALUES (31, 'us'), (31, 'ca');
SELECT expect_error($$INSERT INTO p VALUES (31, 'us') ON CONFLICT (n) DO NOTHING$$);
DROP INDEX p_n;

-- Identity, OVERRIDING, domains.
CREATE DOMAIN small AS int CHECK (VALUE < 50);
CREATE TABLE q (id int GENERATED ALWAYS AS IDENTITY, t small);
SELECT clean();
\! psql "$SHARD_DB0" -Xqc "CREATE TABLE q (id int, t int)"
\! psql "$SHARD_DB1" -Xqc "CREATE TABLE q (id int, t int)"
CREATE FOREIGN TABLE q0 (CHECK (id % 2 = 0)) INHERITS (q) SERVER db0 OPTIONS (table_name 'q');
CREATE FOREIGN TABLE q1 (CHECK (id % 2 = 1)) INHERITS (q) SERVER db1 OPTIONS (table_name 'q');
INSERT INTO q (t) VALUES (1), (2), (3);
SELECT expect_error('INSERT INTO q VALUES (9, 9)');
INSERT INTO q OVERRIDING SYSTEM VALUE VALUES (9, 9);
INSERT INTO q OVERRIDING USER VALUE VALUES (9, 10);
SELECT expect_error('INSERT INTO q (t) VALUES (50)');
SELECT * FROM where_is('q');

-- Views with and without CHECK OPTION.
CREATE VIEW v AS SELECT * FROM q WHERE t < 20 WITH CHECK OPTION;
INSERT INTO v (t) VALUES (11) RETURNING *;
SELECT expect_error('INSERT INTO v (t) VALUES (30)');
SELECT count(*) FROM q WHERE t = 30;

-- Privileges and policies are the parent's.
CREATE ROLE regress_writer;
CREATE USER MAPPING FOR regress_writer SERVER db0 OPTIONS (user 'postgres', password_required 'false');
CREATE USER MAPPING FOR regress_writer SERVER db1 OPTIONS (user 'postgres', password_required 'false');
SET ROLE regress_writer;
INSERT INTO q (t) VALUES (1);
RESET ROLE;
GRANT INSERT (t), SELECT (t) ON q TO regress_writer;
SET ROLE regress_writer;
INSERT INTO q (t) VALUES (12);
INSERT INTO q (t) VALUES (13) RETURNING t;
INSERT INTO q (t) VALUES (13) RETURNING id;
INSERT INTO q (id, t) OVERRIDING SYSTEM VALUE VALUES (1, 13);
INSERT INTO q0 (t) VALUES (12);
RESET ROLE;
-- The failing row is not shown to those who may not read it.
ALTER TABLE q ALTER id DROP IDENTITY;
ALTER TABLE q ALTER id DROP NOT NULL;
SET ROLE regress_writer;
INSERT INTO q (t) VALUES (1);
RESET ROLE;
GRANT ALL ON q TO regress_writer;
SET ROLE regress_writer;
INSERT INTO q (t) VALUES (1);
RESET ROLE;
ALTER TABLE q ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON q TO regress_writer USING (t > 5) WITH CHECK (t > 10);
SET ROLE regress_writer;
INSERT INTO q VALUES (100, 14), (101, 15);
INSERT INTO q VALUES (102, 14), (103, 7);
INSERT INTO q VALUES (104, 16) RETURNING *;
INSERT INTO q VALUES (NULL, 16);
RESET ROLE;
SELECT * FROM where_is('q');
SELECT count(*) AS in_the_parent FROM ONLY q;

-- Changes between executions of a prepared statement.
PREPARE ins(int, int) AS INSERT INTO q VALUES ($1, $2);
SET plan_cache_mode = force_generic_plan;
EXECUTE ins(200, 20);
ALTER FOREIGN TABLE q1 NO INHERIT q;
EXECUTE ins(202, 20);
EXECUTE ins(203, 20);
ALTER FOREIGN TABLE q1 INHERIT q;
EXECUTE ins(203, 20);
ALTER FOREIGN TABLE q1 DROP CONSTRAINT q1_id_check;
ALTER FOREIGN TABLE q1 ADD CHECK (id % 2 <> 0);
EXECUTE ins(205, 20);
SELECT * FROM where_is('q') WHERE r LIKE '(20%';
RESET plan_cache_mode;
ALTER FOREIGN TABLE q1 OPTIONS (ADD updatable 'false');
SELECT expect_error('INSERT INTO q VALUES (206, 1), (207, 1)');

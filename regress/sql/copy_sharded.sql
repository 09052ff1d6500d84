-- COPY into and out of sharded parents.
\i common/shards.sql
SELECT current_setting('data_directory') || '/sharded' AS file \gset
\c :db0
CREATE TABLE t0 (id int PRIMARY KEY, b text, n numeric DEFAULT 7, w int GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE t4 (id int PRIMARY KEY, b text, n numeric, w int GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE asked (n int GENERATED ALWAYS AS IDENTITY, sql text);
CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO public.asked (sql) VALUES (split_part(current_query(), ' (', 1)); RETURN NULL; END$$;
CREATE TRIGGER note_it AFTER INSERT ON t0 EXECUTE FUNCTION note_it();
CREATE TRIGGER note_it AFTER INSERT ON t4 EXECUTE FUNCTION note_it();
\c :db1
CREATE TABLE t1 (id int PRIMARY KEY, b text, n numeric, w int GENERATED ALWAYS AS (id * 2) STORED);
\c :db2
-- Another order of columns.
CREATE TABLE t2 (w int GENERATED ALWAYS AS (id * 2) STORED, n numeric, b text CHECK (b <> 'refused'), id int PRIMARY KEY);
\c :db3
-- Rows are to be inserted, because of the rule.
CREATE TABLE t3 (id int PRIMARY KEY, b text, n numeric, w int GENERATED ALWAYS AS (id * 2) STORED);
CREATE RULE nothing AS ON INSERT TO t3 DO ALSO NOTHING;
\c :coord
CREATE TABLE t (id int NOT NULL, b text, n numeric DEFAULT 42, w int GENERATED ALWAYS AS (id * 2) STORED,
  CHECK (n > -100), CHECK (false) NO INHERIT);
SELECT format('CREATE FOREIGN TABLE t%s (CHECK (abs(id %% 5) = %1$s)) INHERITS (t) SERVER db%s OPTIONS (schema_name ''public'')', i, i % 4)
  FROM unnest('{0,1,3,4}'::int[]) i \gexec
CREATE FOREIGN TABLE t2 (w int GENERATED ALWAYS AS (id * 2) STORED, n numeric, b text, id int NOT NULL, CHECK (abs(id % 5) = 2), CONSTRAINT t_n_check CHECK (n > -100))
  SERVER db2 OPTIONS (schema_name 'public');
ALTER FOREIGN TABLE t2 INHERIT t;
ALTER FOREIGN TABLE t3 ALTER n SET NOT NULL;
CREATE TABLE l (id int PRIMARY KEY, b text, n numeric DEFAULT 42, w int GENERATED ALWAYS AS (id * 2) STORED);
CREATE FOREIGN TABLE asked (n int, sql text) SERVER db0 OPTIONS (schema_name 'public');

COPY t (id, b) FROM stdin;
1	plain
2	\N
3	
4	tab\tnewline\nreturn\rslash\\ \b\f\v
5	\\N
-6	\\.
7	größer € 😀
8	\x41\101
\.
COPY l (id, b) FROM stdin;
1	plain
2	\N
3	
4	tab\tnewline\nreturn\rslash\\ \b\f\v
5	\\N
-6	\\.
7	größer € 😀
8	\x41\101
\.
SELECT same_rows('SELECT * FROM t', 'TABLE l');
SELECT tableoid::regclass, count(*) FROM t GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM ONLY t;
SELECT sql, count(*) FROM asked GROUP BY 1 ORDER BY 1;
COPY t FROM stdin (FORMAT csv, HEADER match, NULL 'nil') WHERE n > 0 AND id <> 11;
id,b,n
10,"a,b",1.50
11,out,2
12,nil,-1
13,nil,0.10
\.
INSERT INTO l VALUES (10, 'a,b', 1.50), (13, NULL, 0.10);
SELECT same_rows('SELECT * FROM t', 'TABLE l');

-- Many rows, several placements on a server; what comes back out is the same.
COPY (SELECT i, repeat('row ' || i, i % 30), i / 7.0 FROM generate_series(100, 10000) i) TO :'file';
COPY t FROM :'file';
COPY l FROM :'file';
SELECT same_rows('SELECT * FROM t', 'TABLE l');
COPY t TO :'file' (FORMAT binary);
DELETE FROM t WHERE true;
COPY t FROM :'file' (FORMAT binary);
SELECT same_rows('SELECT * FROM t', 'TABLE l');
DELETE FROM t WHERE id >= 100;
DELETE FROM l WHERE id >= 100;

-- Out: all rows; columns, generated ones left out; options that name columns.
CREATE TABLE out_t (id int, b text, n numeric);
COPY t TO :'file';
COPY out_t FROM :'file';
SELECT same_rows('TABLE out_t', 'SELECT id, b, n FROM l');
COPY t1 (n, id) TO stdout (FORMAT csv, HEADER, FORCE_QUOTE (n));
SELECT expect_error(format('COPY t (id, w) TO %L', :'file'));
SELECT expect_error(format('COPY t (nix) TO %L', :'file'));
\copy (SELECT count(*) FROM t) TO stdout
\copy t1 (id) TO stdout
-- A dump of the coordinator has no rows of shards, whatever pg_dump calls itself.
\! pg_dump "$SHARD_COORD" -t t -t t1 --data-only | grep -A1 COPY
\! PGAPPNAME=me pg_dump "$SHARD_COORD" -t t -t t1 --data-only | grep -A1 COPY

-- Rows that fit nowhere; constraints; errors of a shard. Nothing is stored.
SELECT count(*) FROM t;
COPY t (id, b, n) FROM stdin;
21	a	1
\N	b	2
\.
COPY t (id, b, n) FROM stdin;
21	a	1
22	b	-100
\.
COPY t (id, b, n) FROM stdin;
22	a	1
23	b	\N
\.
COPY t (id, b, n) FROM stdin;
21	a	1
22	refused	2
23	c	3
\.
COPY t (id, b, n) FROM stdin;
21	a	1
1	again	2
\.
COPY t (id, b, n) FROM stdin;
21	a	1
22	b	two
\.
CREATE TABLE part_of (id int, b text);
CREATE FOREIGN TABLE part_of_1 (CHECK (id BETWEEN 0 AND 99)) INHERITS (part_of) SERVER db1 OPTIONS (schema_name 'public', table_name 't1');
COPY part_of FROM stdin;
51	in
100	out
\.
COPY part_of FROM stdin;
\N	null
\.
SELECT expect_error(format('COPY t FROM %L (FREEZE)', :'file'));
SELECT expect_error(format('COPY t FROM %L WHERE w > 1', :'file'));
SELECT expect_error(format('COPY t (id, id) FROM %L', :'file'));
BEGIN READ ONLY;
SELECT expect_error(format('COPY t FROM %L', :'file'));
ROLLBACK;
SELECT count(*) FROM t;
SELECT count(*) FROM ONLY t;
-- Subtransactions, cached plans.
BEGIN;
COPY t (id) FROM PROGRAM 'seq 30 34';
SAVEPOINT a;
COPY t (id) FROM PROGRAM 'seq 35 39';
SELECT expect_error('COPY t (id) FROM PROGRAM ''seq 40 49; echo x''');
SELECT expect_error('COPY t (id) FROM PROGRAM ''seq 40 49; echo 30''');
SELECT count(*) FROM t WHERE id BETWEEN 30 AND 49;
ROLLBACK TO a;
SELECT count(*) FROM t WHERE id BETWEEN 30 AND 49;
ROLLBACK;
DO $$BEGIN FOR i IN 1..3 LOOP COPY t (id) FROM PROGRAM 'seq 30 34' WHERE id % 2 = 0; DELETE FROM t WHERE id BETWEEN 30 AND 34; END LOOP; END$$;

-- Privileges are those for the parent; policies forbid COPY FROM.
CREATE ROLE regress_copier;
GRANT pg_read_server_files, pg_write_server_files TO regress_copier;
CREATE USER MAPPING FOR regress_copier SERVER db0 OPTIONS (user 'postgres', password_required 'false');
CREATE USER MAPPING FOR regress_copier SERVER db1 OPTIONS (user 'postgres', password_required 'false');
COPY (SELECT 60) TO :'file';
SET ROLE regress_copier;
SELECT expect_error(format('COPY t (id) FROM %L', :'file'));
SELECT left(expect_error(format('COPY t (id) FROM PROGRAM %L', 'seq 60 60')), 5) LIMIT 1;
SELECT expect_error(format('COPY t (id) TO %L', :'file'));
RESET ROLE;
GRANT INSERT (id), SELECT (id) ON t TO regress_copier;
SET ROLE regress_copier;
COPY t (id) FROM :'file';
SELECT expect_error(format('COPY t (id, b) FROM %L', :'file'));
SELECT expect_error(format('COPY t TO %L', :'file'));
RESET ROLE;
SELECT * FROM t WHERE id = 60;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (id = 1);
GRANT ALL ON t TO regress_copier;
SET ROLE regress_copier;
SELECT expect_error(format('COPY t (id) FROM %L', :'file'));
COPY (SELECT * FROM t WHERE id = 1) TO stdout;
RESET ROLE;
DROP POLICY p ON t;
ALTER TABLE t DISABLE ROW LEVEL SECURITY;
DELETE FROM t WHERE id = 60;

-- Triggers of the parent and of a placement.
CREATE TABLE fired (n int GENERATED ALWAYS AS IDENTITY, what text);
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO fired (what) VALUES (concat_ws(' ', tg_table_name, tg_when, tg_level, new.id, new.w, (SELECT count(*) FROM t WHERE id > 80)));
  IF tg_level = 'ROW' AND tg_when = 'BEFORE' THEN
    IF new.id = 83 THEN RETURN NULL; END IF;
    new.b := concat(new.b, '!');
  END IF;
  RETURN new;
END$$;
CREATE TRIGGER a BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION fire();
CREATE TRIGGER b AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION fire();
COPY t (id, b) FROM stdin;
81	a
82	b
\.
CREATE TRIGGER c BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION fire();
CREATE TRIGGER d AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION fire();
COPY t (id, b) FROM stdin;
83	c
84	d
85	e
\.
SELECT what FROM fired ORDER BY n;
SELECT * FROM t WHERE id > 80 ORDER BY id;
DROP TRIGGER a ON t; DROP TRIGGER b ON t; DROP TRIGGER c ON t; DROP TRIGGER d ON t;
CREATE FUNCTION count_new() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE 'new rows: %', (SELECT string_agg(id || coalesce(b, '-'), ', ' ORDER BY id) FROM new_rows); RETURN NULL; END$$;
CREATE TRIGGER e AFTER INSERT ON t REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_new();
COPY t (id, b) FROM stdin;
86	f
87	g
\.
DROP TRIGGER e ON t;
-- The trigger of the old days, which routes by itself.
CREATE FUNCTION route() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('INSERT INTO t%s (id, b, n) VALUES ($1.id, $1.b, $1.n)', abs(new.id % 5)) USING new;
  RETURN NULL;
END$$;
CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION route();
COPY t (id, b) FROM stdin;
90	h
91	i
\.
DROP TRIGGER f ON t;
SELECT * FROM t WHERE id > 85 ORDER BY id;
SELECT count(*) FROM ONLY t;
-- Partitioned parents come out whole, too.
\c :db1
CREATE TABLE p0 (id int, v text);
CREATE TABLE p1 (id int, v text);
\c :coord
CREATE TABLE p (id int, v text) PARTITION BY LIST ((id % 2));
CREATE FOREIGN TABLE p0 PARTITION OF p FOR VALUES IN (0) SERVER db1 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE p1 PARTITION OF p FOR VALUES IN (1) SERVER db1 OPTIONS (schema_name 'public');
COPY p FROM stdin;
1	a
2	b
3	c
\.
COPY p TO stdout;
-- Parents that are not sharded are PostgreSQL's.
CREATE TABLE plain (id int);
CREATE TABLE plain_child () INHERITS (plain);
INSERT INTO plain_child VALUES (1);
COPY plain FROM stdin;
2
\.
COPY plain TO stdout;
-- The first rows of many may wait until it is clear where rows go; not where a default, a condition or a rule of the
-- user's could look for them.
SELECT count(*) AS before FROM t \gset
CREATE FUNCTION so_far(int) RETURNS bigint LANGUAGE sql AS $$SELECT count(*) FROM t$$;
ALTER TABLE t ALTER n SET DEFAULT so_far(0);
COPY t (id) FROM PROGRAM 'seq 20001 20006';
SELECT id, n - :before AS rows_before FROM t WHERE id > 20000 ORDER BY id;
ALTER TABLE t ALTER n SET DEFAULT 42;
DELETE FROM t WHERE id > 20000;
COPY t (id) FROM PROGRAM 'seq 20001 20006' WHERE so_far(id) < :before + 3;
SELECT id FROM t WHERE id > 20000 ORDER BY id;
DELETE FROM t WHERE id > 20000;
ALTER FOREIGN TABLE t1 ADD CHECK (so_far(id) < 100000);
COPY t (id) FROM PROGRAM 'seq 20001 20006';
SELECT id FROM t WHERE id > 20000 ORDER BY id;
DELETE FROM t WHERE id > 20000;
ALTER FOREIGN TABLE t1 DROP CONSTRAINT t1_id_check1;
-- Rows that were kept go to all kinds of tables; a server that cannot be reached hurts only those who need it.
COPY t (id, b) FROM PROGRAM 'seq 20001 22000 | sed "s/$/\trow/"';
SELECT tableoid::regclass, count(*), min(b), max(b) FROM t WHERE id > 20000 GROUP BY 1 ORDER BY 1;
DELETE FROM t WHERE id > 20000;
ALTER SERVER db2 OPTIONS (SET port '1');
COPY t (id) FROM PROGRAM 'seq 20000 5 20020';
SELECT expect_error('COPY t (id) FROM PROGRAM ''seq 20025 20030''');
SELECT id FROM t1 WHERE id > 20000 ORDER BY id;
SELECT id FROM t0 WHERE id >= 20000 ORDER BY id;

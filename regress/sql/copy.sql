-- COPY FROM into foreign tables and partitions of foreign tables: by the COPY protocol.
\i common/shards.sql
SELECT current_setting('data_directory') || '/copied' AS file \gset
\c :db0
CREATE SCHEMA s;
CREATE TABLE s."Odd name" (id int PRIMARY KEY, "a ""b" text, n numeric DEFAULT 7, w int GENERATED ALWAYS AS (id * 2) STORED, CHECK (id <> 13));
-- What the shard was asked.
CREATE TABLE asked (n int GENERATED ALWAYS AS IDENTITY, sql text);
CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO public.asked (sql) VALUES (split_part(current_query(), ' (', 1)); RETURN NULL; END$$;
CREATE TRIGGER note_it AFTER INSERT ON s."Odd name" EXECUTE FUNCTION note_it();
CREATE VIEW s.v AS SELECT id, "a ""b" AS t FROM s."Odd name";
CREATE TABLE s.ruled (id int);
CREATE RULE twice AS ON INSERT TO s.ruled DO ALSO INSERT INTO s."Odd name" VALUES (new.id);
\c :coord
CREATE FOREIGN TABLE t (id int, b text OPTIONS (column_name 'a "b'), gone int, n numeric DEFAULT 42,
    w int GENERATED ALWAYS AS (id * 2) STORED)
  SERVER db0 OPTIONS (schema_name 's', table_name 'Odd name');
ALTER FOREIGN TABLE t DROP COLUMN gone;
CREATE TABLE l (id int PRIMARY KEY, b text, gone int, n numeric DEFAULT 42, w int GENERATED ALWAYS AS (id * 2) STORED, CHECK (id <> 13));
ALTER TABLE l DROP COLUMN gone;
CREATE FOREIGN TABLE asked (n int, sql text) SERVER db0 OPTIONS (schema_name 'public');

-- Text, with everything that is escaped; the default of this side; a generated column.
COPY t (id, b) FROM stdin;
1	plain
2	\N
3	
4	tab\tnewline\nreturn\rslash\\ \b\f\v
5	\\N
6	\\.
7	größer € 😀
8	\x41\101
\.
COPY l (id, b) FROM stdin;
1	plain
2	\N
3	
4	tab\tnewline\nreturn\rslash\\ \b\f\v
5	\\N
6	\\.
7	größer € 😀
8	\x41\101
\.
SELECT same_rows('TABLE t', 'TABLE l');
SELECT sql, count(*) FROM asked GROUP BY 1;

-- csv and its options.
COPY t FROM stdin (FORMAT csv, HEADER, NULL 'nil', DELIMITER ';', QUOTE '''', ESCAPE '\', FORCE_NOT_NULL (b));
"id";b;n
10;'a;b';1.50
11;'two
lines \' quoted';nil
12;nil;-0.0
\.
COPY l FROM stdin (FORMAT csv, HEADER, NULL 'nil', DELIMITER ';', QUOTE '''', ESCAPE '\', FORCE_NOT_NULL (b));
"id";b;n
10;'a;b';1.50
11;'two
lines \' quoted';nil
12;nil;-0.0
\.
COPY t (n, id) FROM stdin (FORMAT csv, HEADER match);
n,id
3,20
\.
COPY l (n, id) FROM stdin (FORMAT csv, HEADER match);
n,id
3,20
\.
COPY t (n, id) FROM stdin (FORMAT csv, HEADER match);
id,n
3,21
\.
COPY t (id, b) FROM stdin (FORMAT csv, FORCE_NULL (b));
22,""
\.
COPY l (id, b) FROM stdin (FORMAT csv, FORCE_NULL (b));
22,""
\.
COPY t (id, b) FROM PROGRAM 'printf "23\tgr\\366\\337er\n"' (ENCODING 'latin1');
INSERT INTO l (id, b) VALUES (23, 'größer');
-- Conditions.
COPY t (id, b) FROM PROGRAM 'seq 30 39 | sed "s/$/,x/"' (FORMAT csv) WHERE id % 3 = 0 AND b = 'x';
COPY l (id, b) FROM PROGRAM 'seq 30 39 | sed "s/$/,x/"' (FORMAT csv) WHERE id % 3 = 0 AND b = 'x';
SELECT same_rows('TABLE t', 'TABLE l');
-- Nothing at all.
COPY t FROM PROGRAM 'true';
-- Binary, from a file.
BEGIN;
COPY (SELECT id + 100, b, n FROM l) TO :'file' (FORMAT binary);
COPY t FROM :'file' (FORMAT binary);
COPY l FROM :'file' (FORMAT binary);
COMMIT;
SELECT same_rows('TABLE t', 'TABLE l');

-- Errors: nothing is stored, and the session goes on.
COPY t (id, b) FROM stdin;
50	a
51	b
fifty-two	c
\.
COPY t (id, b) FROM stdin;
50	a
51	b	c
\.
-- Of the shard: its own context tells the line there.
COPY t (id, b) FROM stdin;
50	a
1	again
\.
COPY t (id, b) FROM stdin;
50	a
13	never
\.
SELECT expect_error(format('COPY t (id) FROM PROGRAM %L', 'seq 1000 60000; echo 13; seq 60001 100000'));
SELECT expect_error('COPY t (id, w) FROM PROGRAM ''seq 3''');
SELECT expect_error('COPY t (nix) FROM PROGRAM ''seq 3''');
SELECT count(*) FROM t WHERE id BETWEEN 50 AND 99 OR id >= 1000;
-- In a subtransaction.
BEGIN;
COPY t (id) FROM PROGRAM 'seq 60 61' WHERE false;
COPY t (id) FROM PROGRAM 'seq 60 61';
SAVEPOINT a;
COPY t (id) FROM PROGRAM 'seq 62 63';
SELECT count(*) FROM t WHERE id BETWEEN 60 AND 69;
ROLLBACK TO a;
SAVEPOINT b;
SELECT expect_error('COPY t (id) FROM PROGRAM ''seq 64 65; echo x''');
SELECT expect_error('COPY t (id) FROM PROGRAM ''seq 66 67; echo 60''');
COPY t (id) FROM PROGRAM 'seq 68 69';
SELECT array_agg(id ORDER BY id) FROM t WHERE id BETWEEN 60 AND 69;
COMMIT;
INSERT INTO l (id) VALUES (60), (61), (68), (69);
SELECT same_rows('TABLE t', 'TABLE l');
-- Cancelled while the shard's table is locked by somebody else; deep buffers are in the way.
\! psql "$SHARD_DB0" -Xqc "BEGIN; LOCK TABLE s.\"Odd name\"; SELECT pg_sleep(1.5)" >/dev/null &
SELECT pg_sleep(0.3);
SET statement_timeout = '500ms';
DO $$BEGIN COPY t (id) FROM PROGRAM 'seq 1000 100000000'; EXCEPTION WHEN query_canceled THEN RAISE NOTICE '%', sqlerrm; END$$;
RESET statement_timeout;
SELECT count(*) FROM t WHERE id >= 1000;

-- Remote tables to which COPY would do something else than INSERT, and triggers: INSERTs.
CREATE FOREIGN TABLE v (id int, t text) SERVER db0 OPTIONS (schema_name 's', table_name 'v');
CREATE FOREIGN TABLE ruled (id int) SERVER db0 OPTIONS (schema_name 's', table_name 'ruled');
COPY v FROM stdin;
70	by a view
71	by a view
\.
COPY ruled FROM stdin;
72
\.
SELECT id, b FROM t WHERE id BETWEEN 70 AND 79 ORDER BY id;
DELETE FROM t WHERE id BETWEEN 70 AND 79;
CREATE TABLE fired (n int GENERATED ALWAYS AS IDENTITY, what text);
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO fired (what) VALUES (concat_ws(' ', tg_when, tg_level, new.id, new.w, (SELECT count(*) FROM t)));
  IF tg_level = 'ROW' THEN new.b := new.b || '!'; END IF;
  RETURN new;
END$$;
CREATE TRIGGER a BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION fire();
CREATE TRIGGER b AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION fire();
COPY t (id, b) FROM stdin;
80	a
81	b
\.
CREATE TRIGGER c BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION fire();
CREATE TRIGGER d AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION fire();
COPY t (id, b) FROM stdin;
82	c
83	d
\.
SELECT what FROM fired ORDER BY n;
SELECT id, b, n, w FROM t WHERE id BETWEEN 80 AND 89 ORDER BY id;
DROP TRIGGER a ON t; DROP TRIGGER b ON t; DROP TRIGGER c ON t; DROP TRIGGER d ON t;
-- What asks the shard while rows are on their way sees those before it.
CREATE FUNCTION so_far() RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN (SELECT count(*) FROM t WHERE id BETWEEN 90 AND 99); END$$;
ALTER FOREIGN TABLE t ALTER n SET DEFAULT so_far();
COPY t (id) FROM PROGRAM 'seq 90 93';
SELECT id, n FROM t WHERE id BETWEEN 90 AND 99 ORDER BY id;
CREATE OR REPLACE FUNCTION so_far() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO t (id, n) VALUES (1099, 0);
  RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN RETURN (SELECT count(*) FROM t WHERE id BETWEEN 1000 AND 1099);
END$$;
COPY t (id) FROM PROGRAM 'seq 1000 1003';
SELECT id, n FROM t WHERE id BETWEEN 1000 AND 1099 ORDER BY id;
ALTER FOREIGN TABLE t ALTER n SET DEFAULT 42;
-- Not updatable; read only.
ALTER FOREIGN TABLE t OPTIONS (ADD updatable 'false');
SELECT expect_error('COPY t (id) FROM PROGRAM ''seq 3''');
ALTER FOREIGN TABLE t OPTIONS (DROP updatable);
BEGIN READ ONLY;
COPY t (id) FROM PROGRAM 'seq 3';
ROLLBACK;

-- Partitions: several on a server, so their COPYs take turns on one connection.
\c :db0
CREATE TABLE p0 (id int, k int, v text);
CREATE TABLE p2 (v text, id int, k int);
CREATE TABLE p4 (id int, k int, v text);
\c :db1
CREATE TABLE p1 (id int, k int, v text);
CREATE TABLE p3 (id int, k int, v text);
\c :coord
CREATE TABLE p (id int, k int, v text) PARTITION BY LIST (k);
CREATE FOREIGN TABLE p0 PARTITION OF p FOR VALUES IN (0) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE p1 PARTITION OF p FOR VALUES IN (1) SERVER db1 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE p2 (v text, id int, k int) SERVER db0 OPTIONS (schema_name 'public');
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES IN (2);
CREATE FOREIGN TABLE p3 PARTITION OF p FOR VALUES IN (3) SERVER db1 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE p4 PARTITION OF p FOR VALUES IN (4) SERVER db0 OPTIONS (schema_name 'public');
CREATE TABLE l_p (id int, k int, v text);
COPY (SELECT i, i * 7 % 5, repeat('row ' || i, i % 40) FROM generate_series(1, 50000) i) TO :'file';
COPY p FROM :'file';
COPY l_p FROM :'file';
SELECT same_rows('TABLE p', 'TABLE l_p');
SELECT tableoid::regclass, count(*) FROM p GROUP BY 1 ORDER BY 1;
COPY p FROM stdin;
1	0	a
2	5	no partition
\.
COPY p1 FROM stdin;
1	1	a
2	2	not here
\.
COPY p FROM :'file' (FREEZE);
SELECT count(*) FROM p;

-- First rows wait for others, so that all servers are asked at the same time; not where something looks for them.
\c :db1
CREATE RULE nothing AS ON INSERT TO p3 DO ALSO NOTHING;
CREATE TABLE p5 (id int, k int, v text);
\c :db0
CREATE TABLE p6 (id int, k int, v text);
\c :coord
CREATE FOREIGN TABLE p5 PARTITION OF p FOR VALUES IN (5) SERVER db1 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE p6 PARTITION OF p FOR VALUES IN (6) SERVER db0 OPTIONS (schema_name 'public');
DELETE FROM p;
COPY p FROM stdin;
1	3	a rule is in the way
2	0	a
3	1	b
4	3	again
5	4	c
\.
SELECT tableoid::regclass, * FROM p ORDER BY id;
CREATE FUNCTION stored() RETURNS bigint LANGUAGE sql AS $$SELECT count(*) FROM p$$;
CREATE FUNCTION looks() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN new.v := stored(); RETURN new; END$$;
CREATE TRIGGER looks BEFORE INSERT ON p5 FOR EACH ROW EXECUTE FUNCTION looks();
COPY p FROM stdin;
6	0	d
7	1	e
8	5	sees 7
9	6	f
10	5	sees 9
11	0	g
12	2	h
13	5	sees 12
\.
SELECT * FROM p WHERE k = 5 ORDER BY id;
COPY p FROM stdin WHERE stored() < 15;
14	0	i
15	1	j
16	2	there are 15
\.
SELECT * FROM p WHERE id > 13 ORDER BY id;
ALTER TABLE p ALTER v SET DEFAULT 'there were ' || stored();
COPY p (id, k) FROM stdin;
17	1
18	2
19	0
\.
SELECT * FROM p WHERE id > 16 ORDER BY id;
ALTER TABLE p ALTER v DROP DEFAULT;
-- A COPY within a COPY, into the same table.
CREATE FUNCTION copies(i int) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  IF i = 21 THEN COPY p FROM PROGRAM 'printf "31\t0\tinner\n32\t1\tinner\n"'; END IF;
  RETURN stored();
END $$;
COPY p FROM stdin WHERE copies(id) > 0;
20	0	outer
21	1	outer
22	2	outer
\.
SELECT * FROM p WHERE id >= 20 ORDER BY id;
COPY p FROM stdin;
40	0	a
41	nothing	b
\.
COPY p FROM stdin;
42	0	a
43	1	b
\.
SELECT * FROM p WHERE id >= 40 ORDER BY id;

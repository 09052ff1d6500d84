-- Rows that are routed to foreign partitions: INSERT, COPY, and UPDATE that moves rows.
\i common/shards.sql
\c :db0
CREATE TABLE p0 (id int, k int, v text, CHECK (k = 0));
\c :db1
-- Another order of columns.
CREATE TABLE p1 (v text, k int, id int, CHECK (k = 1));
\c :coord
CREATE TABLE pt (id int, k int, v text) PARTITION BY LIST (k);
CREATE FOREIGN TABLE p0 PARTITION OF pt FOR VALUES IN (0) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE p1 (v text, k int, id int) SERVER db1 OPTIONS (schema_name 'public');
ALTER TABLE pt ATTACH PARTITION p1 FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF pt FOR VALUES IN (2);
CREATE TABLE l_pt (id int, k int, v text);

EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO pt SELECT i, i % 3, 'row ' || i FROM generate_series(1, 30) i;
INSERT INTO pt SELECT i, i % 3, 'row ' || i FROM generate_series(1, 30) i;
INSERT INTO l_pt SELECT i, i % 3, 'row ' || i FROM generate_series(1, 30) i;
SELECT same_rows('TABLE pt', 'TABLE l_pt');
SELECT tableoid::regclass, count(*) FROM pt GROUP BY 1 ORDER BY 1;
INSERT INTO pt VALUES (31, 0, 'a'), (32, 1, 'b'), (33, 2, 'c') RETURNING tableoid::regclass, *;
INSERT INTO l_pt VALUES (31, 0, 'a'), (32, 1, 'b'), (33, 2, 'c');
INSERT INTO pt VALUES (34, 1, 'd') ON CONFLICT DO NOTHING;
INSERT INTO l_pt VALUES (34, 1, 'd');
SELECT expect_error('INSERT INTO pt VALUES (1, 7, ''nowhere'')');
SELECT expect_error('INSERT INTO p1 (k) VALUES (0)');

-- COPY.
COPY pt FROM stdin;
40	0	copied
41	1	copied
42	2	copied
43	1	\N
\.
COPY l_pt FROM stdin;
40	0	copied
41	1	copied
42	2	copied
43	1	\N
\.
COPY p1 (id, k) FROM stdin;
44	1
\.
INSERT INTO l_pt VALUES (44, 1, NULL);
SELECT same_rows('TABLE pt', 'TABLE l_pt');
COPY pt FROM PROGRAM 'seq 100 5099 | awk "{print \$1 \"\t\" \$1 % 3 \"\tmany\"}"';
INSERT INTO l_pt SELECT i, i % 3, 'many' FROM generate_series(100, 5099) i;
SELECT same_rows('TABLE pt', 'TABLE l_pt');
DELETE FROM pt WHERE id >= 100;
DELETE FROM l_pt WHERE id >= 100;

-- From a local partition to a foreign one, one that is not itself changed.
EXPLAIN (VERBOSE, COSTS OFF) UPDATE pt SET k = 1 WHERE k = 2 AND id < 10;
UPDATE pt SET k = 1 WHERE k = 2 AND id < 10 RETURNING tableoid::regclass, *;
UPDATE l_pt SET k = 1 WHERE k = 2 AND id < 10;
SELECT same_rows('TABLE pt', 'TABLE l_pt');
-- To one that the statement changes, too: moved rows are not changed again.
EXPLAIN (VERBOSE, COSTS OFF) UPDATE pt SET k = CASE WHEN k = 2 THEN 1 ELSE k END, v = v || '+' || random()::int / 2 WHERE id < 20 AND k > 0;
UPDATE pt SET k = CASE WHEN k = 2 THEN 1 ELSE k END, v = v || '+' || random()::int / 2 WHERE id < 20 AND k > 0;
UPDATE l_pt SET k = CASE WHEN k = 2 THEN 1 ELSE k END, v = v || '+0' WHERE id < 20 AND k > 0;
SELECT same_rows('TABLE pt', 'TABLE l_pt');
UPDATE pt SET k = CASE WHEN k = 2 THEN 1 ELSE k END, v = v || '-' || random()::int / 2 WHERE id < 30 AND k > 0 RETURNING tableoid::regclass, id, k, v;
UPDATE l_pt SET k = CASE WHEN k = 2 THEN 1 ELSE k END, v = v || '-0' WHERE id < 30 AND k > 0;
SELECT same_rows('TABLE pt', 'TABLE l_pt');
-- What may move rows is not shipped as a whole: moved rows would be changed again.
UPDATE pt SET k = 1 WHERE id > 30 AND k > 0;
UPDATE l_pt SET k = 1 WHERE id > 30 AND k > 0;
SELECT same_rows('TABLE pt', 'TABLE l_pt');
INSERT INTO pt VALUES (33, 2, 'c');
INSERT INTO l_pt VALUES (33, 2, 'c');
-- Rows do not leave foreign partitions of such a table.
SELECT expect_error('UPDATE pt SET k = 2 WHERE k = 1');
SELECT expect_error('UPDATE pt SET k = 2 + random()::int / 2 WHERE k = 1');
SELECT same_rows('TABLE pt', 'TABLE l_pt');

-- Triggers and views over the parent.
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE NOTICE '% % %: % -> %', TG_WHEN, TG_OP, TG_TABLE_NAME, OLD, NEW; IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$;
CREATE TRIGGER after AFTER INSERT OR UPDATE OR DELETE ON pt FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER before BEFORE INSERT OR UPDATE OR DELETE ON p1 FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO pt VALUES (50, 0, 't'), (51, 1, 't');
UPDATE pt SET v = 'u' WHERE id IN (50, 51);
UPDATE pt SET k = 1 WHERE id = 33;
DELETE FROM pt WHERE id IN (50, 51);
UPDATE l_pt SET k = 1 WHERE id = 33;
DROP TRIGGER after ON pt;
DROP TRIGGER before ON p1;
CREATE VIEW v_pt AS SELECT * FROM pt WHERE id < 60 WITH CHECK OPTION;
INSERT INTO v_pt VALUES (52, 1, 'view');
INSERT INTO l_pt VALUES (52, 1, 'view');
SELECT expect_error('INSERT INTO v_pt VALUES (60, 1, ''view'')');
SELECT same_rows('TABLE pt', 'TABLE l_pt');
CREATE FUNCTION count_rows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '% rows', (SELECT count(*) FROM new_rows); RETURN NULL; END $$;
CREATE TRIGGER stmt AFTER INSERT ON pt REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_rows();
SELECT expect_error('INSERT INTO pt VALUES (70, 1, ''x'')');
INSERT INTO pt VALUES (70, 2, 'x');
DROP TRIGGER stmt ON pt;

-- Prepared.
PREPARE i(int, int) AS INSERT INTO pt VALUES ($1, $2, 'prepared') RETURNING tableoid::regclass, id;
SET plan_cache_mode = force_generic_plan;
EXECUTE i(81, 0); EXECUTE i(82, 1); EXECUTE i(83, 2); EXECUTE i(84, 0); EXECUTE i(85, 1); EXECUTE i(86, 2); EXECUTE i(87, 0);

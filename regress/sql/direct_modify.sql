-- UPDATE and DELETE that run on the shard as a whole, each beside the same statement on a local twin.
\i common/shards.sql
\c :db1
CREATE TABLE item (id int PRIMARY KEY, grp int, name text, amount numeric(10,2), note varchar(20), at timestamptz);
CREATE TABLE grp (id int PRIMARY KEY, label text, factor int);
INSERT INTO item SELECT i, i % 7, 'name ' || i, i * 1.5, 'n' || i, '2020-01-01Z'::timestamptz + i * interval '1 day'
  FROM generate_series(1, 100) i;
INSERT INTO grp SELECT i, 'label ' || i, i * 10 FROM generate_series(0, 6) i;
CREATE VIEW item_view AS SELECT * FROM item WHERE id < 50;
\c :coord
IMPORT FOREIGN SCHEMA public FROM SERVER db1 INTO public;
CREATE TABLE l_item (id int PRIMARY KEY, grp int, name text, amount numeric(10,2), note varchar(20), at timestamptz);
CREATE TABLE l_grp (id int PRIMARY KEY, label text, factor int);
INSERT INTO l_item SELECT * FROM item;
INSERT INTO l_grp SELECT * FROM grp;

-- UPDATE, with and without RETURNING.
EXPLAIN (VERBOSE, COSTS OFF) UPDATE item SET name = name || '!', amount = amount * 2 WHERE id < 5;
UPDATE item SET name = name || '!', amount = amount * 2 WHERE id < 5;
UPDATE l_item SET name = name || '!', amount = amount * 2 WHERE id < 5;
SELECT same_rows('TABLE item', 'TABLE l_item');
EXPLAIN (VERBOSE, COSTS OFF) UPDATE item SET amount = -amount WHERE grp = 3 AND id > 90 RETURNING *, tableoid::regclass;
UPDATE item SET amount = -amount WHERE grp = 3 AND id > 90 RETURNING *, tableoid::regclass;
UPDATE l_item SET amount = -amount WHERE grp = 3 AND id > 90;
SELECT same_rows('TABLE item', 'TABLE l_item');
-- What would compute the new value here is not applied to the row that has it: 9000000 * 60000 does not fit.
EXPLAIN (VERBOSE, COSTS OFF) UPDATE item SET amount = amount * 60000 WHERE id = 100 RETURNING id, amount;
UPDATE item SET amount = amount * 60000 WHERE id = 100 RETURNING id, amount;
UPDATE l_item SET amount = amount * 60000 WHERE id = 100;
-- No column needed from the shard.
EXPLAIN (VERBOSE, COSTS OFF) UPDATE item SET note = 'x' WHERE id BETWEEN 10 AND 12 RETURNING 1, tableoid::regclass;
UPDATE item SET note = 'x' WHERE id BETWEEN 10 AND 12 RETURNING 1, tableoid::regclass;
UPDATE l_item SET note = 'x' WHERE id BETWEEN 10 AND 12;
-- Whole row, system columns.
UPDATE item SET note = 'y' WHERE id = 20 RETURNING item, ctid IS NOT NULL AS ctid, xmin <> '0' AS xmin;
UPDATE l_item SET note = 'y' WHERE id = 20 RETURNING l_item, ctid IS NOT NULL AS ctid, xmin <> '0' AS xmin;
UPDATE item SET note = 'z' WHERE id = 0 RETURNING *;
SELECT same_rows('TABLE item', 'TABLE l_item');

-- Values of this session, sub-selects, defaults, a list of columns.
EXPLAIN (VERBOSE, COSTS OFF) UPDATE item SET at = now(), name = DEFAULT WHERE id = 21;
BEGIN;
UPDATE item SET at = now(), name = DEFAULT WHERE id = 21 RETURNING at = now() AS same, name;
ROLLBACK;
SELECT p FROM plan_of('UPDATE item SET (name, grp) = (SELECT label, factor FROM l_grp WHERE id = 4) WHERE id = 22', 'VERBOSE, COSTS OFF') p WHERE NOT p ~ 'InitPlan|Output: [$]';
UPDATE item SET (name, grp) = (SELECT label, factor FROM l_grp WHERE id = 4) WHERE id = 22;
UPDATE l_item SET (name, grp) = (SELECT label, factor FROM l_grp WHERE id = 4) WHERE id = 22;
SELECT p FROM plan_of('UPDATE item SET name = (SELECT max(label) FROM l_grp) WHERE id = 23', 'VERBOSE, COSTS OFF') p WHERE NOT p ~ 'InitPlan|Output: [$]';
UPDATE item SET name = (SELECT max(label) FROM l_grp) WHERE id = 23;
UPDATE l_item SET name = (SELECT max(label) FROM l_grp) WHERE id = 23;
SELECT same_rows('TABLE item', 'TABLE l_item');
-- Not as a whole: volatile, local conditions, local functions.
EXPLAIN (VERBOSE, COSTS OFF) UPDATE item SET amount = random() WHERE id = 24;
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM item WHERE random() > 2;

-- DELETE.
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM item WHERE id % 10 = 5;
DELETE FROM item WHERE id % 10 = 5;
DELETE FROM l_item WHERE id % 10 = 5;
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM item WHERE id > 97 RETURNING id, note;
DELETE FROM item WHERE id > 97 RETURNING id, note;
DELETE FROM l_item WHERE id > 97 RETURNING id, note;
SELECT same_rows('TABLE item', 'TABLE l_item');

-- Joins.
EXPLAIN (VERBOSE, COSTS OFF)
  UPDATE item SET name = label, amount = amount + factor FROM grp WHERE item.grp = grp.id AND label LIKE '%2';
UPDATE item SET name = label, amount = amount + factor FROM grp WHERE item.grp = grp.id AND label LIKE '%2';
UPDATE l_item SET name = label, amount = amount + factor FROM l_grp WHERE l_item.grp = l_grp.id AND label LIKE '%2';
SELECT same_rows('TABLE item', 'TABLE l_item');
EXPLAIN (VERBOSE, COSTS OFF)
  UPDATE item i SET note = left(g.label || h.label, 20) FROM grp g LEFT JOIN grp h ON h.id = g.id + 5
  WHERE i.grp = g.id AND i.id < 20 RETURNING i.id, i.note, g, h.label, i;
UPDATE item i SET note = left(g.label || h.label, 20) FROM grp g LEFT JOIN grp h ON h.id = g.id + 5
  WHERE i.grp = g.id AND i.id < 20 RETURNING i.id, i.note, g, h.label, i;
UPDATE l_item i SET note = left(g.label || h.label, 20) FROM l_grp g LEFT JOIN l_grp h ON h.id = g.id + 5
  WHERE i.grp = g.id AND i.id < 20;
SELECT same_rows('TABLE item', 'TABLE l_item');
EXPLAIN (VERBOSE, COSTS OFF)
  DELETE FROM item USING grp WHERE item.grp = grp.id AND grp.factor = 30 AND item.id > 50 RETURNING item.id, grp.*, item.ctid IS NULL AS no;
DELETE FROM item USING grp WHERE item.grp = grp.id AND grp.factor = 30 AND item.id > 50 RETURNING item.id, grp.*, item.ctid IS NULL AS no;
DELETE FROM l_item USING l_grp WHERE l_item.grp = l_grp.id AND l_grp.factor = 30 AND l_item.id > 50;
SELECT same_rows('TABLE item', 'TABLE l_item');
-- RETURNING that needs nothing of the join's rows.
UPDATE item SET note = 'j' FROM grp WHERE item.grp = grp.id AND item.id < 4 RETURNING 'one';
UPDATE l_item SET note = 'j' FROM l_grp WHERE l_item.grp = l_grp.id AND l_item.id < 4;
-- A local table in the join: row by row.
EXPLAIN (VERBOSE, COSTS OFF) UPDATE item SET name = label FROM l_grp WHERE item.grp = l_grp.id AND item.id < 10;
UPDATE item SET name = label FROM l_grp WHERE item.grp = l_grp.id AND item.id < 10;
UPDATE l_item SET name = label FROM l_grp WHERE l_item.grp = l_grp.id AND l_item.id < 10;
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM item WHERE grp IN (SELECT id FROM grp WHERE factor = 40);
DELETE FROM item WHERE grp IN (SELECT id FROM grp WHERE factor = 40);
DELETE FROM l_item WHERE grp IN (SELECT id FROM l_grp WHERE factor = 40);
SELECT same_rows('TABLE item', 'TABLE l_item');

-- In a WITH query; several batches of RETURNING.
EXPLAIN (VERBOSE, COSTS OFF)
  WITH u AS (UPDATE item SET amount = amount + 1 WHERE grp = 1 RETURNING id, amount) SELECT count(*), sum(amount) FROM u;
WITH u AS (UPDATE item SET amount = amount + 1 WHERE grp = 1 RETURNING id, amount) SELECT count(*), sum(amount) FROM u;
WITH u AS (UPDATE l_item SET amount = amount + 1 WHERE grp = 1 RETURNING id, amount) SELECT count(*), sum(amount) FROM u;
ALTER FOREIGN TABLE item OPTIONS (ADD fetch_size '3');
WITH u AS (UPDATE item SET amount = amount + 1 WHERE grp = 1 RETURNING id, amount) SELECT count(*), sum(amount) FROM u;
WITH u AS (UPDATE l_item SET amount = amount + 1 WHERE grp = 1 RETURNING id, amount) SELECT count(*), sum(amount) FROM u;
-- The other part of the statement sees the table as it was.
WITH u AS (UPDATE item SET amount = amount + 1 WHERE grp = 2 RETURNING id)
  SELECT (SELECT sum(amount) FROM item) = (SELECT sum(amount) FROM l_item) AS as_before, count(*) FROM u;
UPDATE l_item SET amount = amount + 1 WHERE grp = 2;
SELECT same_rows('TABLE item', 'TABLE l_item');
-- The changed table's number of rows and EXPLAIN ANALYZE.
SELECT plan_of('UPDATE item SET note = note WHERE grp = 1', 'ANALYZE, COSTS OFF');
SELECT plan_of('UPDATE item SET note = note WHERE grp = 1 RETURNING id', 'ANALYZE, COSTS OFF');

-- Prepared, seven times each, custom and generic.
PREPARE u(int, text) AS UPDATE item SET name = $2, amount = amount + $1 WHERE id = $1;
PREPARE r(int, text) AS UPDATE item SET name = name || $2 WHERE id = $1 RETURNING id, name;
PREPARE d(int) AS DELETE FROM item WHERE id = $1 RETURNING id;
PREPARE j(int, text) AS UPDATE item SET name = label || $2 FROM grp WHERE grp.id = item.grp AND item.id = $1 RETURNING item.id, name, label;
EXECUTE u(1, 'one'); EXECUTE u(2, 'two'); EXECUTE u(3, NULL); EXECUTE u(4, 'four'); EXECUTE u(7, 'seven'); EXECUTE u(6, 'six'); EXECUTE u(8, 'eight');
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE u(1, 'x');
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE j(1, 'x');
EXECUTE u(1, 'one'); EXECUTE u(2, 'two'); EXECUTE u(3, NULL); EXECUTE u(4, 'four'); EXECUTE u(7, 'seven'); EXECUTE u(6, 'six'); EXECUTE u(8, 'eight');
EXECUTE r(1, 'a'); EXECUTE r(2, 'b'); EXECUTE r(3, 'c'); EXECUTE r(4, 'd'); EXECUTE r(5, 'e'); EXECUTE r(6, 'f'); EXECUTE r(7, 'g');
EXECUTE j(1, 'a'); EXECUTE j(2, 'b'); EXECUTE j(3, 'c'); EXECUTE j(4, 'd'); EXECUTE j(5, 'e'); EXECUTE j(6, 'f'); EXECUTE j(7, 'g');
EXECUTE d(1); EXECUTE d(2); EXECUTE d(3); EXECUTE d(4); EXECUTE d(5); EXECUTE d(6); EXECUTE d(7);
RESET plan_cache_mode;
DEALLOCATE ALL;
DELETE FROM l_item; INSERT INTO l_item SELECT * FROM item;

-- Views, here and there.
CREATE VIEW v_item AS SELECT id, name AS title, grp FROM item WHERE grp < 3;
EXPLAIN (VERBOSE, COSTS OFF) UPDATE v_item SET title = title || '.' WHERE id < 40;
UPDATE v_item SET title = title || '.' WHERE id < 40;
UPDATE l_item SET name = name || '.' WHERE id < 40 AND grp < 3;
CREATE VIEW c_item AS SELECT id, name AS title, grp FROM item WHERE grp < 3 WITH CHECK OPTION;
EXPLAIN (VERBOSE, COSTS OFF) UPDATE c_item SET grp = grp + 1 WHERE id < 40;
SELECT expect_error('UPDATE c_item SET grp = grp + 1 WHERE id < 40');
EXPLAIN (VERBOSE, COSTS OFF) UPDATE item_view SET note = 'v' WHERE id < 40;
UPDATE item_view SET note = 'v' WHERE id < 40;
UPDATE l_item SET note = 'v' WHERE id < 40;
SELECT same_rows('TABLE item', 'TABLE l_item');
SELECT expect_error('UPDATE item SET grp = 1 / (grp - grp) WHERE id = 8');

-- Inheritance: every child by itself.
CREATE TABLE parent (id int, grp int, name text, amount numeric(10,2), note varchar(20), at timestamptz);
INSERT INTO parent VALUES (1000, 1, 'local', 1, 'l', NULL);
ALTER FOREIGN TABLE item INHERIT parent;
EXPLAIN (VERBOSE, COSTS OFF) UPDATE parent SET amount = amount + 1 WHERE grp = 1;
UPDATE parent SET amount = amount + 1 WHERE grp = 1;
UPDATE l_item SET amount = amount + 1 WHERE grp = 1;
EXPLAIN (VERBOSE, COSTS OFF) UPDATE parent SET note = 'const' WHERE grp = 1 AND (id < 20 OR id = 1000) RETURNING tableoid::regclass, id, note;
UPDATE parent SET note = 'const' WHERE grp = 1 AND (id < 20 OR id = 1000) RETURNING tableoid::regclass, id, note;
UPDATE l_item SET note = 'const' WHERE grp = 1 AND id < 20;
EXPLAIN (VERBOSE, COSTS OFF) UPDATE parent SET amount = amount + 1 WHERE grp = 1 AND (id < 20 OR id = 1000) RETURNING tableoid::regclass, id, amount;
UPDATE parent SET amount = amount + 1 WHERE grp = 1 AND (id < 20 OR id = 1000) RETURNING tableoid::regclass, id, amount;
UPDATE l_item SET amount = amount + 1 WHERE grp = 1 AND id < 20;
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM parent WHERE grp = 1 AND id > 60 RETURNING tableoid::regclass, *;
DELETE FROM parent WHERE grp = 1 AND id > 60 RETURNING tableoid::regclass, *;
DELETE FROM l_item WHERE grp = 1 AND id > 60;
SELECT same_rows('TABLE item', 'TABLE l_item');
TABLE ONLY parent;

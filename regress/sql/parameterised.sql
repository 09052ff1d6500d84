\i common/shards.sql
-- Scans that take values of other tables.
\c :db0
CREATE TABLE item (id int PRIMARY KEY, grp int, name text, price numeric);
INSERT INTO item SELECT n, n % 100, 'item ' || n, n / 7.0 FROM generate_series(1, 5000) n;
CREATE INDEX ON item (grp);
ANALYZE item;
CREATE TABLE part_0 (id int PRIMARY KEY, body text, CHECK (abs(id % 4) = 0));
INSERT INTO part_0 SELECT n, 'body ' || n FROM generate_series(-400, 4000) n WHERE abs(n % 4) = 0;
\c :db1
CREATE TABLE part_1 (id int PRIMARY KEY, body text, CHECK (abs(id % 4) = 1));
INSERT INTO part_1 SELECT n, 'body ' || n FROM generate_series(-400, 4000) n WHERE abs(n % 4) = 1;
\c :db2
CREATE TABLE part_2 (id int PRIMARY KEY, body text, CHECK (abs(id % 4) = 2));
INSERT INTO part_2 SELECT n, 'body ' || n FROM generate_series(-400, 4000) n WHERE abs(n % 4) = 2;
\c :db3
CREATE TABLE part_3 (id int PRIMARY KEY, body text, CHECK (abs(id % 4) = 3));
INSERT INTO part_3 SELECT n, 'body ' || n FROM generate_series(-400, 4000) n WHERE abs(n % 4) = 3;
\c :coord
-- Not what this is about: see sharded_batched.sql.
SET shard_fdw.enable_batched_join = off;
CREATE FOREIGN TABLE item (id int, grp int, name text, price numeric) SERVER db0;
CREATE TABLE part (id int NOT NULL, body text);
CREATE FOREIGN TABLE part_0 (CHECK (abs(id % 4) = 0)) INHERITS (part) SERVER db0;
CREATE FOREIGN TABLE part_1 (CHECK (abs(id % 4) = 1)) INHERITS (part) SERVER db1;
CREATE FOREIGN TABLE part_2 (CHECK (abs(id % 4) = 2)) INHERITS (part) SERVER db2;
CREATE FOREIGN TABLE part_3 (CHECK (abs(id % 4) = 3)) INHERITS (part) SERVER db3;
ANALYZE item;
ANALYZE part;
CREATE TABLE item_twin AS SELECT * FROM item;
CREATE TABLE part_twin AS SELECT * FROM part;
CREATE TABLE cart (line int PRIMARY KEY, item int, grp int, note text);
INSERT INTO cart VALUES (1, 17, 5, 'a'), (2, 4711, 6, 'b'), (3, NULL, 7, 'c'), (4, 17, NULL, 'd'), (5, 99999, 1, 'e');
ANALYZE cart;

-- Local statistics: few outer rows and a condition on a key.
EXPLAIN (VERBOSE, COSTS OFF) SELECT c.note, i.name FROM cart c JOIN item i ON i.id = c.item WHERE c.line = 2;
SELECT c.note, i.name FROM cart c JOIN item i ON i.id = c.item WHERE c.line = 2;
EXPLAIN (VERBOSE, COSTS OFF) SELECT c.note, i.name FROM cart c LEFT JOIN item i ON i.id = c.item AND i.price > 3 WHERE c.line < 4;
SELECT same_rows('SELECT c.line, c.note, i.* FROM cart c LEFT JOIN item i ON i.id = c.item AND i.price > 3',
                 'SELECT c.line, c.note, i.* FROM cart c LEFT JOIN item_twin i ON i.id = c.item AND i.price > 3');
-- Many outer rows: one scan of all.
EXPLAIN (COSTS OFF) SELECT count(*) FROM item_twin c JOIN item i ON i.id = c.id;
-- Not known to be a key: the shard may have no index, so only where it would be read once anyway.
EXPLAIN (COSTS OFF) SELECT c.note, i.name FROM cart c JOIN item i ON i.grp = c.grp WHERE c.line = 1;

-- A sharded table: each outer row asks the shard that can have it.
EXPLAIN (VERBOSE, COSTS OFF) SELECT c.note, p.body FROM cart c JOIN part p ON p.id = c.item;
SELECT plan_of('SELECT c.note, p.body FROM cart c JOIN part p ON p.id = c.item WHERE c.line = 1', 'ANALYZE, COSTS OFF');
SELECT same_rows('SELECT c.line, p.* FROM cart c JOIN part p ON p.id = c.item',
                 'SELECT c.line, p.* FROM cart c JOIN part_twin p ON p.id = c.item');
SELECT same_rows('SELECT c.line, p.* FROM cart c LEFT JOIN part p ON p.id = -c.item * 2',
                 'SELECT c.line, p.* FROM cart c LEFT JOIN part_twin p ON p.id = -c.item * 2');
-- Values that are no match for the key's type.
SELECT same_rows('SELECT v.x, p.* FROM (VALUES (4.0), (5.5), (NULL)) v(x) JOIN part p ON p.id = v.x',
                 'SELECT v.x, p.* FROM (VALUES (4.0), (5.5), (NULL)) v(x) JOIN part_twin p ON p.id = v.x');
SELECT same_rows('SELECT v.x, p.* FROM (VALUES (4::bigint), (5000000000), (-7)) v(x) JOIN part p ON p.id = v.x',
                 'SELECT v.x, p.* FROM (VALUES (4::bigint), (5000000000), (-7)) v(x) JOIN part_twin p ON p.id = v.x');
-- Outer values inside IN lists and OR.
SELECT same_rows('SELECT c.line, p.* FROM cart c JOIN part p ON p.id IN (c.item, c.grp) WHERE c.line < 3',
                 'SELECT c.line, p.* FROM cart c JOIN part_twin p ON p.id IN (c.item, c.grp) WHERE c.line < 3');
SELECT same_rows('SELECT c.line, p.* FROM cart c JOIN part p ON p.id = c.item OR p.id = c.grp',
                 'SELECT c.line, p.* FROM cart c JOIN part_twin p ON p.id = c.item OR p.id = c.grp');

-- Two sharded tables, the second by the first; and three tables in a row.
SELECT same_rows('SELECT * FROM part a JOIN part b ON b.id = a.id + 1 WHERE a.id IN (10, 11, 12)',
                 'SELECT * FROM part_twin a JOIN part_twin b ON b.id = a.id + 1 WHERE a.id IN (10, 11, 12)');
SELECT same_rows('SELECT * FROM cart c JOIN item i ON i.id = c.item JOIN part p ON p.id = i.grp',
                 'SELECT * FROM cart c JOIN item_twin i ON i.id = c.item JOIN part_twin p ON p.id = i.grp');
-- Semi-joins, anti-joins, sub-queries, LATERAL.
SELECT same_rows('SELECT * FROM cart c WHERE EXISTS (SELECT FROM part p WHERE p.id = c.item)',
                 'SELECT * FROM cart c WHERE EXISTS (SELECT FROM part_twin p WHERE p.id = c.item)');
SELECT same_rows('SELECT * FROM cart c WHERE NOT EXISTS (SELECT FROM part p WHERE p.id = c.item)',
                 'SELECT * FROM cart c WHERE NOT EXISTS (SELECT FROM part_twin p WHERE p.id = c.item)');
SELECT same_rows('SELECT c.*, x.* FROM cart c, LATERAL (SELECT p.body FROM part p WHERE p.id >= c.item ORDER BY p.id LIMIT 2) x',
                 'SELECT c.*, x.* FROM cart c, LATERAL (SELECT p.body FROM part_twin p WHERE p.id >= c.item ORDER BY p.id LIMIT 2) x');
-- On both sides of an aggregate.
SELECT same_rows('SELECT c.line, count(p.id) FROM cart c LEFT JOIN part p ON p.id = c.item GROUP BY 1',
                 'SELECT c.line, count(p.id) FROM cart c LEFT JOIN part_twin p ON p.id = c.item GROUP BY 1');

-- A statement that changes foreign rows must not find its own changes: item 17 is there twice, and is raised once.
CREATE TABLE raised AS SELECT item, line FROM cart WHERE item IS NOT NULL;
ANALYZE raised;
BEGIN;
EXPLAIN (COSTS OFF) UPDATE item i SET price = price + 1 FROM raised c WHERE i.id = c.item AND c.line IN (1, 4);
UPDATE item i SET price = price + 1 FROM raised c WHERE i.id = c.item AND c.line IN (1, 4);
SELECT i.id, i.price - t.price AS raised FROM item i JOIN item_twin t USING (id) WHERE i.id = 17;
ROLLBACK;
-- One that changes a local table may.
BEGIN;
EXPLAIN (COSTS OFF) UPDATE cart c SET note = i.name FROM item i WHERE i.id = c.item AND c.line = 2;
UPDATE cart c SET note = i.name FROM item i WHERE i.id = c.item AND c.line = 2;
SELECT note FROM cart WHERE line = 2;
ROLLBACK;

-- Prepared, with generic plans.
PREPARE by_line(int) AS SELECT c.note, p.body FROM cart c JOIN part p ON p.id = c.item WHERE c.line = $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE by_line(1);
EXECUTE by_line(1); EXECUTE by_line(2); EXECUTE by_line(3); EXECUTE by_line(4); EXECUTE by_line(5); EXECUTE by_line(6); EXECUTE by_line(1);
RESET plan_cache_mode;

-- The inner side by itself, read again for each outer row.
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off;
SELECT same_rows('SELECT c.line, p.* FROM cart c JOIN part p ON p.id = c.item',
                 'SELECT c.line, p.* FROM cart c JOIN part_twin p ON p.id = c.item');
SELECT same_rows('SELECT a.id, b.* FROM part_twin a JOIN part b ON b.id = a.id WHERE a.id BETWEEN -10 AND 300',
                 'SELECT a.id, b.* FROM part_twin a JOIN part_twin b ON b.id = a.id WHERE a.id BETWEEN -10 AND 300');
SELECT same_rows('SELECT c.line, i.* FROM cart c JOIN item i ON i.grp = c.grp',
                 'SELECT c.line, i.* FROM cart c JOIN item_twin i ON i.grp = c.grp');
RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_material;
-- Child by child: partitions of an ordinary table and foreign ones.
SET shard_fdw.enable_sharded_scan = off;
EXPLAIN (VERBOSE, COSTS OFF) SELECT c.note, p.body FROM cart c JOIN part p ON p.id = c.item WHERE c.line = 1;
SELECT same_rows('SELECT c.line, p.* FROM cart c JOIN part p ON p.id = c.item',
                 'SELECT c.line, p.* FROM cart c JOIN part_twin p ON p.id = c.item');
RESET shard_fdw.enable_sharded_scan;

-- Estimates of the server: it knows its indexes, and its orders.
ALTER FOREIGN TABLE item OPTIONS (use_remote_estimate 'true');
EXPLAIN (VERBOSE, COSTS OFF) SELECT c.note, i.name FROM cart c JOIN item i ON i.grp = c.grp WHERE c.line = 1;
EXPLAIN (VERBOSE, COSTS OFF) SELECT c.note, i.name FROM cart c JOIN item i ON i.id = c.item;
SELECT same_rows('SELECT c.line, i.* FROM cart c JOIN item i ON i.grp = c.grp',
                 'SELECT c.line, i.* FROM cart c JOIN item_twin i ON i.grp = c.grp');
SET enable_hashjoin = off; SET enable_nestloop = off;
CREATE INDEX ON item_twin (id);
ANALYZE item_twin;
EXPLAIN (VERBOSE, COSTS OFF) SELECT i.name, t.name FROM item i JOIN item_twin t USING (id);
EXPLAIN (VERBOSE, COSTS OFF) SELECT i.name, t.name FROM item i FULL JOIN item_twin t USING (id);
SELECT same_rows('SELECT i.name, t.name FROM item i JOIN item_twin t USING (id)',
                 'SELECT i.name, t.name FROM item_twin i JOIN item_twin t USING (id)');
RESET enable_hashjoin; RESET enable_nestloop;
EXPLAIN (COSTS OFF) SELECT * FROM item ORDER BY id LIMIT 3;

-- The examples of README.md and docs/02_quickstart.md.
\i common/shards.sql
\c :db0
CREATE TABLE users_0 (id int PRIMARY KEY, name text, CHECK (abs(id % 2) = 0));
\c :db1
CREATE TABLE users_1 (id int PRIMARY KEY, name text, CHECK (abs(id % 2) = 1));
\c :coord
IMPORT FOREIGN SCHEMA public FROM SERVER db0 INTO public OPTIONS (import_check 'true');
IMPORT FOREIGN SCHEMA public FROM SERVER db1 INTO public OPTIONS (import_check 'true');
CREATE TABLE users (id int NOT NULL, name text);
ALTER FOREIGN TABLE users_0 INHERIT users;
ALTER FOREIGN TABLE users_1 INHERIT users;
\d users_1
INSERT INTO users SELECT n, 'user ' || n FROM generate_series(0, 9) n;
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM users WHERE id = 7;
SELECT tableoid::regclass, * FROM users WHERE id = 7;
SELECT tableoid::regclass, * FROM users WHERE id IN (2, 3, 5) ORDER BY id;
SELECT count(*), min(name), max(name) FROM users;
INSERT INTO users_0 VALUES (7, 'on the wrong shard');
UPDATE users SET name = upper(name) WHERE id = 7 RETURNING *;
DELETE FROM users WHERE id = 8 RETURNING *;

-- The same as a partitioned table: rows find their shard by themselves.
\c :db0
CREATE TABLE orders_0 (id bigint PRIMARY KEY, customer int, total numeric(10,2), CHECK (id >= 1 AND id < 1000));
\c :db1
CREATE TABLE orders_1 (id bigint PRIMARY KEY, customer int, total numeric(10,2), CHECK (id >= 1000 AND id < 2000));
\c :coord
CREATE TABLE orders (id bigint, customer int, total numeric(10,2)) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE orders_0 PARTITION OF orders FOR VALUES FROM (1) TO (1000) SERVER db0;
CREATE FOREIGN TABLE orders_1 PARTITION OF orders FOR VALUES FROM (1000) TO (2000) SERVER db1;
INSERT INTO orders VALUES (1, 10, 9.99), (1001, 10, 19.99), (1002, 11, 5);
SELECT tableoid::regclass, * FROM orders ORDER BY id;
EXPLAIN (COSTS OFF) SELECT * FROM orders WHERE id = 1001;

-- A transaction on both shards.
BEGIN;
UPDATE users SET name = 'seven' WHERE id = 7;
UPDATE users SET name = 'two' WHERE id = 2;
ROLLBACK;
SELECT * FROM users WHERE id IN (2, 7) ORDER BY id;
BEGIN;
UPDATE users SET name = 'seven' WHERE id = 7;
SAVEPOINT s;
UPDATE users SET name = 'two' WHERE id = 2;
ROLLBACK TO s;
COMMIT;
SELECT * FROM users WHERE id IN (2, 7) ORDER BY id;

-- More placements than servers, made by \gexec.
\c :db0
SELECT format('CREATE TABLE events_%s (id bigint PRIMARY KEY, body text, CHECK (abs(id %% 16) = %1$s))', n)
  FROM generate_series(0, 15, 4) n \gexec
\c :coord
CREATE TABLE events (id bigint NOT NULL, body text);
SELECT format('CREATE FOREIGN TABLE events_%s (CHECK (abs(id %% 16) = %1$s)) INHERITS (events) SERVER %I', n, 'db' || n % 4)
  FROM generate_series(0, 15) n \gexec
INSERT INTO events VALUES (4, 'four'), (-12, 'minus twelve'), (16, 'sixteen') RETURNING tableoid::regclass, *;
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM events WHERE id = -12;

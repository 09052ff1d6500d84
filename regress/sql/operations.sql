-- The recipes of docs/20_operations.md and docs/16_citus.md: placements are moved and split, columns come and go, rules
-- are those of a hash.
\i common/shards.sql
\c :db0
CREATE TABLE users_0 (id bigint PRIMARY KEY, name text, CHECK (abs(id % 4) = 0));
CREATE TABLE users_2 (id bigint PRIMARY KEY, name text, CHECK (abs(id % 4) = 2));
\c :db1
CREATE TABLE users_1 (id bigint PRIMARY KEY, name text, CHECK (abs(id % 4) = 1));
CREATE TABLE users_3 (id bigint PRIMARY KEY, name text, CHECK (abs(id % 4) = 3));
\c :db2
CREATE TABLE users_3 (id bigint PRIMARY KEY, name text, CHECK (abs(id % 4) = 3));
CREATE TABLE users_4 (id bigint PRIMARY KEY, name text, CHECK (abs(id % 8) = 4));
\c :coord
CREATE TABLE users (id bigint NOT NULL, name text);
SELECT format('CREATE FOREIGN TABLE users_%s (CHECK (abs(id %% 4) = %1$s)) INHERITS (users) SERVER %I', n, 'db' || n % 2)
  FROM generate_series(0, 3) n \gexec
INSERT INTO users SELECT n, 'user ' || n FROM generate_series(-20, 39) n;
CREATE TABLE twin AS SELECT * FROM users;
PREPARE by_key (bigint) AS SELECT tableoid::regclass, * FROM users WHERE id = $1;
EXECUTE by_key (7);

-- A placement moves to another server.
CREATE FOREIGN TABLE users_3_new (id bigint NOT NULL, name text, CHECK (abs(id % 4) = 3)) SERVER db2 OPTIONS (table_name 'users_3');
BEGIN;
LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO users_3_new SELECT * FROM users_3;
DROP FOREIGN TABLE users_3;
ALTER FOREIGN TABLE users_3_new RENAME TO users_3;
ALTER FOREIGN TABLE users_3 INHERIT users;
COMMIT;
SELECT same_rows('SELECT * FROM users', 'SELECT * FROM twin');
EXECUTE by_key (7);
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM users WHERE id = 7;

-- A placement is split. Both rules may hold meanwhile.
CREATE FOREIGN TABLE users_4 (CHECK (abs(id % 8) = 4)) INHERITS (users) SERVER db2;
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM users WHERE id = 12;
EXECUTE by_key (12);
BEGIN;
LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE;
WITH moved AS (DELETE FROM users_0 WHERE abs(id % 8) = 4 RETURNING *) INSERT INTO users_4 SELECT * FROM moved;
ALTER FOREIGN TABLE users_0 DROP CONSTRAINT users_0_id_check, ADD CHECK (abs(id % 8) = 0);
COMMIT;
SELECT same_rows('SELECT * FROM users', 'SELECT * FROM twin');
SELECT tableoid::regclass, count(*) FROM users GROUP BY 1 ORDER BY tableoid::regclass::text;
EXECUTE by_key (12);
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO users VALUES (1, 'x');
ALTER FOREIGN TABLE users_1 DROP CONSTRAINT users_1_id_check, ADD CHECK (abs(id % 8) IN (1, 5));
ALTER FOREIGN TABLE users_2 DROP CONSTRAINT users_2_id_check, ADD CHECK (abs(id % 8) IN (2, 6));
ALTER FOREIGN TABLE users_3 DROP CONSTRAINT users_3_new_id_check, ADD CHECK (abs(id % 8) IN (3, 7));
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO users VALUES (1, 'x');
SELECT same_rows('SELECT * FROM users', 'SELECT * FROM twin');
SELECT same_rows('SELECT id, count(*) FROM users a JOIN users b USING (id) GROUP BY id', 'SELECT id, 1 FROM twin');
INSERT INTO users SELECT n, 'later' FROM generate_series(100, 150) n;
SELECT tableoid::regclass, count(*), min(abs(id % 8)), max(abs(id % 8)) FROM users GROUP BY 1 ORDER BY tableoid::regclass::text;

-- A column: on the shards first.
ALTER TABLE users ADD COLUMN email text;
SELECT expect_error('SELECT email FROM users WHERE id = 2');
\c :db0
ALTER TABLE users_2 ADD COLUMN email text DEFAULT 'none';
\c :coord
SELECT * FROM users WHERE id = 2;

-- Hash values, each a rule, and ranges of them as Citus has.
CREATE TABLE events (tenant bigint NOT NULL, id bigint, body jsonb);
SELECT format('CREATE FOREIGN TABLE events_%s (CHECK (abs(hashint8(tenant) %% 8) = %1$s)) INHERITS (events) SERVER %I', n, 'db' || n % 4)
  FROM generate_series(0, 7) n \gexec
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM events WHERE tenant = 42;
EXPLAIN (VERBOSE, COSTS OFF) SELECT tenant, array_agg(id) FROM events GROUP BY tenant;
CREATE TABLE ranges (tenant bigint NOT NULL, id bigint, body jsonb);
SELECT format('CREATE FOREIGN TABLE ranges_%s (CHECK (hashint8(tenant) BETWEEN %s AND %s)) INHERITS (ranges) SERVER %I', n, -2147483648 + n * 536870912, -2147483648 + n * 536870912 + 536870911, 'db' || n % 4)
  FROM generate_series(0::bigint, 7) n \gexec
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM ranges WHERE tenant = 42;

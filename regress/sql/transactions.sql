-- Remote transactions follow the local one: commit, rollback, savepoints, exception blocks, cursors.
\i common/shards.sql
\c :db1
CREATE TABLE public.acct (id int PRIMARY KEY, v int CHECK (v >= 0));
INSERT INTO public.acct VALUES (1, 10), (2, 20);
CREATE TABLE public.late (id int REFERENCES public.acct DEFERRABLE INITIALLY DEFERRED);
CREATE VIEW public.settings AS SELECT current_setting('transaction_isolation') AS isolation,
  current_setting('transaction_read_only') AS read_only, current_setting('transaction_deferrable') AS defer;
-- Fails at row 500 and beyond.
CREATE VIEW public.trap AS SELECT n, 100 / (500 - n) AS q FROM generate_series(1, 1000) n;
\c :db2
CREATE TABLE public.acct (id int PRIMARY KEY, v int CHECK (v >= 0));
INSERT INTO public.acct VALUES (1, 10), (2, 20);
\c :coord
CREATE FOREIGN TABLE one (id int, v int) SERVER db1 OPTIONS (table_name 'acct');
CREATE FOREIGN TABLE two (id int, v int) SERVER db2 OPTIONS (table_name 'acct');
CREATE FOREIGN TABLE late (id int) SERVER db1;
CREATE FOREIGN TABLE settings (isolation text, read_only text, defer text) SERVER db1;
CREATE FOREIGN TABLE trap (n int, q int) SERVER db1;
CREATE TABLE here (id int PRIMARY KEY, v int);

-- Nothing is seen on the shard before COMMIT, all of it after; nothing after ROLLBACK.
BEGIN;
UPDATE one SET v = v + 1 WHERE id = 1;
\! psql "$SHARD_DB1" -XqAtc "SELECT v FROM public.acct WHERE id = 1"
COMMIT;
\! psql "$SHARD_DB1" -XqAtc "SELECT v FROM public.acct WHERE id = 1"
BEGIN;
DELETE FROM one;
SELECT count(*) FROM one;
ROLLBACK;
SELECT * FROM one ORDER BY id;

-- Isolation, READ ONLY and DEFERRABLE reach the shard.
SELECT * FROM settings;
BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT * FROM settings; COMMIT;
BEGIN READ ONLY; SELECT * FROM settings; COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE; SELECT * FROM settings; COMMIT;
BEGIN; SAVEPOINT a; SET TRANSACTION READ ONLY; SELECT * FROM settings; RELEASE a; UPDATE one SET v = 11 WHERE id = 1; COMMIT;

-- READ COMMITTED: a statement sees what others have committed before it, also after a write; a cursor stays
-- with what it saw when it was first read.
BEGIN;
SELECT v FROM one WHERE id = 2;
DECLARE c CURSOR FOR SELECT v FROM one ORDER BY id;
FETCH 1 FROM c;
\! psql "$SHARD_DB1" -XqAtc "UPDATE public.acct SET v = v + 1 WHERE id = 2"
FETCH ALL FROM c;
SELECT v FROM one WHERE id = 2;
CLOSE c;
SELECT v FROM one WHERE id = 2;
\! psql "$SHARD_DB1" -XqAtc "UPDATE public.acct SET v = v + 1 WHERE id = 2"
SELECT v FROM one WHERE id = 2;
UPDATE one SET v = v + 1 WHERE id = 1;
\! psql "$SHARD_DB1" -XqAtc "UPDATE public.acct SET v = v - 2 WHERE id = 2"
SELECT * FROM one ORDER BY id;
SELECT isolation FROM settings;
ROLLBACK;
BEGIN;
SELECT v FROM one WHERE id = 2;
\! psql "$SHARD_DB1" -XqAtc "UPDATE public.acct SET v = v + 1 WHERE id = 2"
UPDATE one SET v = v - 1 WHERE id = 2 RETURNING v;
COMMIT;
-- REPEATABLE READ stays where it was.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT v FROM one WHERE id = 2;
\! psql "$SHARD_DB1" -XqAtc "UPDATE public.acct SET v = v + 1 WHERE id = 2"
SELECT v FROM one WHERE id = 2;
UPDATE one SET v = 0 WHERE id = 2;
ROLLBACK;
\! psql "$SHARD_DB1" -XqAtc "UPDATE public.acct SET v = 20 WHERE id = 2"

-- Savepoints.
BEGIN;
INSERT INTO one VALUES (3, 30);
SAVEPOINT a;
INSERT INTO one VALUES (4, 40);
SAVEPOINT b;
INSERT INTO one VALUES (5, 50);
ROLLBACK TO b;
INSERT INTO one VALUES (6, 60);
RELEASE a;
SAVEPOINT a;
INSERT INTO one VALUES (1, 0);
ROLLBACK TO a;
INSERT INTO one VALUES (7, 70);
COMMIT;
SELECT * FROM one ORDER BY id;
-- A subtransaction that did nothing there must not undo the one before it.
BEGIN;
SAVEPOINT a;
UPDATE one SET v = 0 WHERE id = 7;
RELEASE a;
SAVEPOINT b;
ROLLBACK TO b;
COMMIT;
SELECT v FROM one WHERE id = 7;
-- The remote transaction begins inside a subtransaction that is rolled back.
BEGIN;
SAVEPOINT a;
DELETE FROM one WHERE id = 7;
ROLLBACK TO a;
SELECT count(*) FROM one WHERE id = 7;
COMMIT;

-- Exception blocks; the shard's own errors are caught as any.
DO $$
BEGIN
  FOR i IN 10..15 LOOP
    BEGIN
      INSERT INTO one VALUES (i, i);
      IF i % 3 = 0 THEN RAISE EXCEPTION 'no %', i; END IF;
      IF i = 14 THEN INSERT INTO one VALUES (1, 1); END IF;
      IF i = 13 THEN UPDATE one SET v = -1 WHERE id = 13; END IF;
    EXCEPTION
      WHEN raise_exception OR unique_violation OR check_violation THEN
        RAISE NOTICE '%: % %', i, SQLSTATE, SQLERRM;
    END;
  END LOOP;
END $$;
SELECT * FROM one WHERE id >= 10 ORDER BY id;

-- Procedures that commit.
CREATE PROCEDURE steps() LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 20..23 LOOP
    INSERT INTO one VALUES (i, i);
    IF i % 2 = 0 THEN COMMIT; ELSE ROLLBACK; END IF;
  END LOOP;
END $$;
CALL steps();
SELECT * FROM one WHERE id >= 20 ORDER BY id;

-- Cursors: one opened before a subtransaction survives its rollback, one opened inside goes with it.
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM one ORDER BY id;
FETCH 2 FROM c;
SAVEPOINT a;
DECLARE d CURSOR FOR SELECT id FROM one ORDER BY id;
FETCH 1 FROM d;
FETCH 1 FROM c;
INSERT INTO one VALUES (1, 1);
ROLLBACK TO a;
FETCH 2 FROM c;
FETCH 1 FROM d;
ROLLBACK;
-- WITH HOLD outlives the transaction.
BEGIN;
DECLARE h CURSOR WITH HOLD FOR SELECT id FROM one ORDER BY id;
COMMIT;
FETCH 2 FROM h;
CLOSE h;

-- A scan given up early leaves nothing behind, not even an error further on.
BEGIN;
SELECT * FROM trap LIMIT 3;
UPDATE one SET v = v + 1 WHERE id = 2;
SELECT expect_error('SELECT sum(q) FROM trap');
SELECT v FROM one WHERE id = 2;
COMMIT;
SELECT v FROM one WHERE id = 2;

-- What the shard finds wrong at COMMIT undoes everything.
BEGIN;
INSERT INTO here VALUES (1, 1);
INSERT INTO late VALUES (99);
SELECT count(*) FROM late;
COMMIT;
SELECT count(*) FROM here;
SELECT count(*) FROM late;
-- With two shards: the other one is not committed either.
BEGIN;
UPDATE two SET v = 0;
INSERT INTO late VALUES (99);
COMMIT;
SELECT * FROM two ORDER BY id;

-- Two shards and the coordinator's own table.
BEGIN;
UPDATE one SET v = v - 5 WHERE id = 2;
UPDATE two SET v = v + 5 WHERE id = 2;
INSERT INTO here VALUES (2, 5);
COMMIT;
SELECT (SELECT v FROM one WHERE id = 2) AS one, (SELECT v FROM two WHERE id = 2) AS two, (SELECT v FROM here) AS here;
-- A decision is kept until the resolver (off here) has seen that all shards have carried it out.
SELECT count(*), count(DISTINCT gid) FROM shard.commit_log;
SELECT shard.resolve_now();
SELECT count(*) FROM shard.commit_log;
SELECT count(*) FROM shard.in_doubt;
-- One shard alone, or one that was only read, needs no second phase.
BEGIN;
UPDATE one SET v = v + 1 WHERE id = 1;
SELECT count(*) FROM two;
COMMIT;
SELECT count(*) FROM shard.commit_log;
SET shard_fdw.two_phase_commit = off;
BEGIN;
UPDATE one SET v = v + 1 WHERE id = 1;
UPDATE two SET v = v + 1 WHERE id = 1;
COMMIT;
SELECT count(*) FROM shard.commit_log;
RESET shard_fdw.two_phase_commit;

-- The user's own PREPARE TRANSACTION.
BEGIN;
SELECT count(*) FROM one;
PREPARE TRANSACTION 'mine';
SELECT v FROM one WHERE id = 1;

-- In doubt: what nobody decided is rolled back, what is decided is carried out, what is not ours is left alone.
SELECT format('shard_fdw:1:%s:%s:1:00000000000000', shard.identity(), oid) AS name, shard.identity() AS identity
  FROM pg_database WHERE datname = current_database() \gset
SELECT oid AS db1_oid FROM pg_foreign_server WHERE srvname = 'db1' \gset
INSERT INTO shard.commit_log (gid, servers) VALUES (:'name' || '02', ARRAY[:db1_oid]);
\set rolled_back :name '01:' :db1_oid ':10'
\set decided :name '02:' :db1_oid ':10'
\set by_hand :name '03:' :db1_oid ':10'
\set strange 'shard_fdw:1:00000000000000000000000000000000:1:1:0000000000000001:1:10'
\c :db1
BEGIN; INSERT INTO public.acct VALUES (101, 1); PREPARE TRANSACTION :'rolled_back';
BEGIN; INSERT INTO public.acct VALUES (102, 1); PREPARE TRANSACTION :'decided';
BEGIN; INSERT INTO public.acct VALUES (103, 1); PREPARE TRANSACTION :'by_hand';
BEGIN; INSERT INTO public.acct VALUES (104, 1); PREPARE TRANSACTION :'strange';
\c :coord
SELECT replace(split_part(gid, ':', 6), '00000000000000', '') AS nonce, server, age < '1 min' AS young, decision, last_error
  FROM shard.in_doubt ORDER BY 1;
SELECT expect_error(format('SELECT shard.resolve(%L, %L)', :'by_hand', 'maybe'));
SELECT expect_error('SELECT shard.resolve(''mine'', ''commit'')');
BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT expect_error('SELECT shard.resolve_now()'); ROLLBACK;
BEGIN; SELECT count(*) FROM one WHERE id = 0; SELECT expect_error('SELECT shard.resolve_now()'); ROLLBACK;
SELECT shard.resolve(:'by_hand', 'commit');
SELECT shard.resolve_now();
SELECT id FROM one WHERE id > 100 ORDER BY id;
SELECT count(*) FROM shard.in_doubt;
SELECT count(*) FROM shard.commit_log;
\! psql "$SHARD_DB1" -XqAtc "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"
\c :db1
ROLLBACK PREPARED :'strange';
\c :coord
-- A copy of the coordinator gets an identity of its own.
SELECT shard.new_identity() <> :'identity' AS changed, shard.identity() ~ '^[0-9a-f]{32}$' AS fits;
-- A server that cannot be asked is told.
CREATE SERVER nobody FOREIGN DATA WRAPPER shard_fdw OPTIONS (host '/nowhere');
CREATE USER MAPPING FOR CURRENT_USER SERVER nobody;
SELECT server, gid, mask(last_error) FROM shard.in_doubt;
-- For the superuser only.
CREATE ROLE regress_nobody;
SET ROLE regress_nobody;
SELECT expect_error('SELECT shard.resolve_now()');
SELECT expect_error('TABLE shard.in_doubt');
SELECT expect_error('TABLE shard.commit_log');
SELECT expect_error('SET shard_fdw.debug_fault = ''x''');
RESET ROLE;

-- The test harness itself: four shard databases, their variables, the helper functions.
\i common/shards.sql
SELECT srvname FROM pg_foreign_server ORDER BY srvname;
\c :db1
SELECT current_database();
CREATE TABLE t (id int PRIMARY KEY, v text);
\c :coord
SELECT current_database() LIKE 'regress%' AS on_coordinator;
SELECT same_rows('VALUES (1, ''a''), (2, ''b''), (2, ''b'')', 'VALUES (2, ''b''), (1, ''a''), (2, ''b'')');
SELECT same_rows('VALUES (1), (1)', 'VALUES (1), (2)');
SELECT mask('server at "127.0.0.1", port ' || :port0 || ' failed, /tmp/shard_fdw.AbC123/sockets');
SELECT expect_error('SELECT 1/0');

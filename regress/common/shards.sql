\set ECHO none
-- Servers db0..db3 with user mappings for the current user, and the variables and functions
-- that tests use: see regress/README.md. Ports stay in variables, never in the output.
SET client_min_messages = warning;
\getenv fdw SHARD_FDW
\getenv host SHARD_HOST
\getenv sockets SHARD_SOCKETS
\getenv port0 SHARD_PORT_0
\getenv port1 SHARD_PORT_1
\getenv port2 SHARD_PORT_2
\getenv port3 SHARD_PORT_3
\getenv coord_port COORD_PORT
\getenv db0 SHARD_DB0
\getenv db1 SHARD_DB1
\getenv db2 SHARD_DB2
\getenv db3 SHARD_DB3
\getenv coord SHARD_COORD
CREATE EXTENSION IF NOT EXISTS :"fdw";
SELECT format('CREATE SERVER db%s FOREIGN DATA WRAPPER %I OPTIONS (host %L, port %L, dbname %L)',
              n, :'fdw', :'host', port, 'db' || n)
  FROM unnest(ARRAY[:'port0', :'port1', :'port2', :'port3']) WITH ORDINALITY AS s(port, i),
       LATERAL (SELECT i - 1) AS x(n) \gexec
SELECT format('CREATE USER MAPPING FOR CURRENT_USER SERVER db%s OPTIONS (user %L)', n, 'postgres')
  FROM generate_series(0, 3) n \gexec
-- The coordinator seen through a foreign server: for what needs no second server.
SELECT format('CREATE SERVER loopback FOREIGN DATA WRAPPER %I OPTIONS (host %L, port %L, dbname %L)',
              :'fdw', :'host', :'coord_port', current_database()) \gexec
CREATE USER MAPPING FOR CURRENT_USER SERVER loopback OPTIONS (user 'postgres');
\ir functions.sql
RESET client_min_messages;
\set ECHO all

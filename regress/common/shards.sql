\set ECHO none
-- Servers db0..db3 with user mappings for the current user, and the variables and functions
-- that tests use: see regress/README.md. Ports stay in variables, never in the output.
\ir variables.sql
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
RESET client_min_messages;
\set ECHO all

\set ECHO none
-- The cluster c of the four shards db0..db3, for everybody; and what shards.sql makes besides servers.
\ir variables.sql
CREATE EXTENSION IF NOT EXISTS shard_fdw;
SELECT format('host=%s port=%s dbname=db0 user=postgres', :'host', :'port0') AS p0,
       format('host=%s port=%s dbname=db1 user=postgres', :'host', :'port1') AS p1,
       format('host=%s port=%s dbname=db2 user=postgres', :'host', :'port2') AS p2,
       format('host=%s port=%s dbname=db3 user=postgres', :'host', :'port3') AS p3 \gset
CREATE SERVER c FOREIGN DATA WRAPPER plproxy
    OPTIONS (p0 :'p0', p1 :'p1', p2 :'p2', p3 :'p3');
CREATE USER MAPPING FOR PUBLIC SERVER c;
-- Runs a command on every shard, or a query on one.
CREATE FUNCTION on_all(command text) RETURNS SETOF text LANGUAGE plproxy AS $$
    CLUSTER 'c'; RUN ON ALL; TARGET public.run; $$;
\c :db0
\ir plproxy_shard.sql
\c :db1
\ir plproxy_shard.sql
\c :db2
\ir plproxy_shard.sql
\c :db3
\ir plproxy_shard.sql
\c :coord
RESET client_min_messages;
\set ECHO all

-- Included by shards.sql and bare.sql: what run.sh hands over, and the helper functions.
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
\ir functions.sql

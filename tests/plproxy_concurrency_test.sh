#!/usr/bin/env bash
# A hundred sessions at once on 32 partitions: every row arrives once and at the right place, nothing is left
# running, and a partition whose backends are all killed is used again.
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cluster_begin "$TREE"

sessions=${SESSIONS:-100} calls=40
server_new coordinator "shared_preload_libraries = 'shard_fdw'" "max_connections = 130"
server_new shard "max_connections = $((sessions * 8 + 50))"
server_start coordinator
server_start shard
sql coordinator postgres -c "CREATE DATABASE coord"
sql coordinator coord -c "CREATE EXTENSION shard_fdw"

sql shard postgres -c "CREATE DATABASE db0"
sql shard db0 -c "CREATE TABLE hits (session int, n int, pid int DEFAULT pg_backend_pid())" \
    -c "CREATE FUNCTION put(session int, n int) RETURNS text LANGUAGE sql AS
        'INSERT INTO hits(session, n) VALUES (session, n) RETURNING current_database()::text'"
options=("p0 'host=127.0.0.1 port=${PORT[shard]} dbname=db0 user=postgres'")
for n in $(seq 31); do
    sql shard postgres -c "CREATE DATABASE db$n TEMPLATE db0"
    options+=("p$n 'host=127.0.0.1 port=${PORT[shard]} dbname=db$n user=postgres'")
done
sql coordinator coord -c "CREATE SERVER c FOREIGN DATA WRAPPER plproxy OPTIONS ($(IFS=,; printf '%s' "${options[*]}"))" \
    -c "CREATE USER MAPPING FOR PUBLIC SERVER c" \
    -c "CREATE FUNCTION put(session int, n int) RETURNS text LANGUAGE plproxy AS
        \$\$ CLUSTER 'c'; RUN ON n; TARGET public.put; \$\$" \
    -c "CREATE FUNCTION hits() RETURNS TABLE (db text, sessions int8, hits int8, wrong int8) LANGUAGE plproxy AS
        \$\$ CLUSTER 'c'; RUN ON ALL;
        SELECT current_database()::text AS db, count(DISTINCT session) AS sessions, count(*) AS hits,
          count(*) FILTER (WHERE 'db' || n % 32 <> current_database()) AS wrong FROM public.hits; \$\$"

# Each session keeps to its own eighth of the partitions, so that the shard need not take 3,200 connections.
cat >"$WORK/call.sql" <<SQL
DO \$\$ DECLARE db text; k int; BEGIN
  FOR i IN 0..$((calls - 1)) LOOP
    k := (:s * 8 + i % 8) % 32 + 32 * i;
    db := put(:s, k);
    IF db <> 'db' || k % 32 THEN RAISE EXCEPTION 'row % went to %', k, db; END IF;
  END LOOP;
END \$\$;
SQL
pids=()
for s in $(seq "$sessions"); do
    sql coordinator coord -v s="$s" -f <(sed "s/:s/$s/g" "$WORK/call.sql") >"$WORK/out.$s" 2>&1 &
    pids+=($!)
done
bad=0
for pid in "${pids[@]}"; do wait "$pid" || bad=$((bad + 1)); done
same "no session fails" 0 "$bad"
[[ $bad -eq 0 ]] || cat "$WORK"/out.* | sort | uniq -c | head -5

same "every call is there once, at its place" "32|$((sessions * calls))|0" \
    "$(sql coordinator coord -c "SELECT count(*) || '|' || sum(hits) || '|' || sum(wrong) FROM hits()")"
same "each row of each session is there once" "0" \
    "$(for n in $(seq 0 31); do sql shard "db$n" -c "SELECT count(*) - count(DISTINCT (session, n)) FROM hits"; done |
        awk '{ s += $1 } END { print s }')"
# The sessions have ended, and with them their connections.
none_left() {
    [[ $(sql shard postgres -c "SELECT count(*) FROM pg_stat_activity WHERE datname ~ '^db[0-9]'") == 0 ]]
}
if wait_for 30 none_left; then ok "no connection is left behind"; else failed "no connection is left behind" ""; fi

# A session whose partitions are all killed between two calls goes on.
out=$(sql coordinator coord -c "SELECT sum(hits) FROM hits()" -c "SELECT put(0, 5)" \
    -c "\\! $PG_BIN/psql -X -q -t -A -h 127.0.0.1 -p ${PORT[shard]} -U postgres -d postgres -c \"SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname ~ '^db[0-9]'\"" \
    -c "SELECT sum(hits) FROM hits()" -c "SELECT put(0, 6)" 2>&1)
same "killed partitions are connected to again" "$((sessions * calls))
db5
32
$((sessions * calls + 1))
db6" "$out"

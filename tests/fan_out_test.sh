#!/usr/bin/env bash
# The first statement over many shards logs in to all of them at the same time: it takes as long as the slowest; one that
# cannot be reached, a cancel and a timeout are noticed at once; what idles afterwards is small.
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

COUNT=6 DELAY=2
cluster_begin "$TREE"
coordinator "shard_fdw.deadlock_timeout = 0"
shard main
foreign main
shard slow "post_auth_delay = $DELAY" "max_connections = 50"
sql slow db -c "CREATE ROLE secret LOGIN PASSWORD 'hush'" -c "GRANT SELECT ON good TO secret"
hba slow "host all secret all scram-sha-256" "host all all all trust"
sql slow db -c "SELECT pg_reload_conf()" >/dev/null
while port_taken "$NEXT_PORT"; do NEXT_PORT=$((NEXT_PORT + 1)); done
closed=$NEXT_PORT
NEXT_PORT=$((NEXT_PORT + 1))

# parent NAME OPTION...: a sharded table over COUNT servers, all of them "slow".
parent() {
    local name=$1 n
    shift
    sql coordinator coord -c "CREATE TABLE $name (id int, v text)"
    for ((n = 0; n < COUNT; n++)); do
        foreign "$name$n" "dbname 'db'" "$@"
        sql coordinator coord -c "CREATE FOREIGN TABLE ${name}_$n (CHECK (id % $COUNT = $n)) INHERITS ($name)
            SERVER $name$n OPTIONS (table_name 'good')"
    done
}
local_host="host '127.0.0.1'" to_slow="port '${PORT[slow]}'"
parent many "$local_host" "$to_slow"

most=$((DELAY * 1000 * 2 + 1000)) # two log-ins one after the other, and some; not $COUNT of them
timed "as long as one log-in" "^18$" $most "SELECT count(*) FROM many;"
timed "placements that are asked only" "^1$" $((DELAY * 1000 + 1500)) "SELECT count(*) FROM many WHERE id % 6 = 1;"
# A partitioned parent, over the same tables.
sql coordinator coord -c "CREATE TABLE parts (id int, v text) PARTITION BY LIST ((id % $COUNT))"
for ((n = 0; n < COUNT; n++)); do
    sql coordinator coord -c "CREATE FOREIGN TABLE parts_$n PARTITION OF parts FOR VALUES IN ($n) SERVER many$n
        OPTIONS (table_name 'good')"
done
rows="$(printf '%s\\n' {100..117})"
timed "partitions that are copied to" "^18$" $most "BEGIN;
COPY parts (id) FROM PROGRAM 'printf \"$rows\"';
SELECT count(*) FROM parts WHERE id >= 100;
ROLLBACK;"
timed "through several hosts" "^18$" $most "$(
    for ((n = 0; n < COUNT; n++)); do
        echo "ALTER SERVER many$n OPTIONS (SET host '127.0.0.1,127.0.0.1', SET port '$closed,${PORT[slow]}');"
    done
)
SELECT count(*) FROM many;"
timed "with passwords" "^18$" $most "$(
    for ((n = 0; n < COUNT; n++)); do
        echo "ALTER USER MAPPING FOR postgres SERVER many$n OPTIONS (SET user 'secret', ADD password 'hush');"
    done
)
SELECT count(*) FROM many;"
timed "a cancel is seen at once" "57014: canceling statement due to statement timeout.*0" $((DELAY * 1000 - 200)) \
    "SET statement_timeout = 500; SELECT count(*) FROM many;
SELECT count(*) FROM ${FDW}_get_connections();"
timed "a wrong password ends it, and the next statement connects" "08001: could not connect to server \"many3\".*authentication failed.*18" \
    $((most + DELAY * 1000)) "ALTER USER MAPPING FOR postgres SERVER many3 OPTIONS (SET password 'loud');
SELECT count(*) FROM many;
ALTER USER MAPPING FOR postgres SERVER many3 OPTIONS (SET password 'hush');
SELECT count(*) FROM many;"
timed "one that is down is told at once" "08001: could not connect to server \"many4\".*refused.*3$" $((DELAY * 1000 - 200)) \
    "ALTER SERVER many4 OPTIONS (SET port '$closed,$closed');
SELECT count(*) FROM many;
SELECT count(*) FROM good_main;"
timed "a session is ended while it connects" "57P01|closed the connection" $((DELAY * 1000 - 200)) \
    "ALTER SERVER many4 OPTIONS (SET port '$closed,${PORT[slow]}');
\\! (sleep 0.5; $PG_BIN/psql -XqAt -h 127.0.0.1 -p ${PORT[coordinator]} -U postgres -d coord -c \"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%FROM many;'\" >/dev/null) &
SELECT count(*) FROM many;"

# connect_timeout holds for each of them, not for the sum.
server_new slower "pre_auth_delay = 20"
server_start slower
timed "timeouts run at the same time" "08001: could not connect to server \"many[25]\".*timeout expired" 5000 \
    "ALTER SERVER many2 OPTIONS (SET host '127.0.0.1', SET port '${PORT[slower]}', ADD connect_timeout '2');
ALTER SERVER many5 OPTIONS (SET host '127.0.0.1', SET port '${PORT[slower]}', ADD connect_timeout '2');
SELECT count(*) FROM many;"

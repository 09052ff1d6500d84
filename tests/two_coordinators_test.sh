#!/usr/bin/env bash
# Two coordinators over the same shards move money at the same time, and sessions of both are killed: nothing is
# left prepared, no money is gone or made, and neither touches what the other one has prepared.
# Conditions are evaluated by wait_for, later.
# shellcheck disable=SC2016
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

duration=${SECONDS_OF_FAULTS:-15}
accounts=20
cluster_begin "$TREE"
for n in 1 2; do
    shard "s$n"
    sql "s$n" db -c "CREATE TABLE acct (id int PRIMARY KEY, v int); INSERT INTO acct SELECT n, 1000 FROM generate_series(1, $accounts) n"
done
for name in east west; do
    server_new "$name" "shared_preload_libraries = 'shard_fdw'" "shard_fdw.resolver_interval = 1"
    server_start "$name"
    sql "$name" postgres -c "CREATE DATABASE coord"
    sql "$name" coord -c "CREATE EXTENSION shard_fdw" -c "CREATE TABLE ledger (id text PRIMARY KEY)"
    for n in 1 2; do
        sql "$name" coord -c "CREATE SERVER s$n FOREIGN DATA WRAPPER shard_fdw OPTIONS (host '127.0.0.1', port '${PORT[s$n]}', dbname 'db')" \
            -c "CREATE USER MAPPING FOR postgres SERVER s$n OPTIONS (user 'postgres')" \
            -c "CREATE FOREIGN TABLE acct$n (id int, v int) SERVER s$n OPTIONS (table_name 'acct')"
    done
done

prepared() { sql s1 db -c "SELECT count(*) FROM pg_prepared_xacts"; }
stopped() { grep -q '^State:.T' "/proc/$1/status" 2>/dev/null; }

# One coordinator's transaction stands prepared; the other one's resolver must leave it alone.
cat >"$WORK/stop.sql" <<'SQL'
SET application_name = 'stopped';
SET shard_fdw.debug_fault = 'after-prepare';
BEGIN; UPDATE acct1 SET v = v WHERE id = 1; UPDATE acct2 SET v = v WHERE id = 1; COMMIT;
SQL
sql east coord -f "$WORK/stop.sql" >"$WORK/stop.out" 2>&1 &
client=$!
pid=
wait_for 20 'pid=$(sql east coord -c "SELECT pid FROM pg_stat_activity WHERE application_name = '"'stopped'"'"); [[ -n $pid ]] && stopped "$pid"'
same "it is prepared" 1 "$(prepared)"
same "the other coordinator finds nothing to do" "0,0" "$(sql west coord -c "SELECT shard.resolve_now()"),$(sql west coord -c "SELECT count(*) FROM shard.in_doubt")"
same "its own one leaves alone what still runs" "0,0" "$(sql east coord -c "SELECT shard.resolve_now()"),$(sql east coord -c "SELECT count(*) FROM shard.in_doubt")"
same "it is still prepared" 1 "$(prepared)"
as_server kill -CONT "$pid"
# It stops at no other point.
wait "$client"
same "it is finished by its own" 0 "$(prepared)"

# client COORDINATOR NUMBER: transfers in both directions until the file "stop" is there.
client() {
    local name=$1 batch=0 i a amount
    RANDOM=$((1000 + $2))
    while [[ ! -e $WORK/stop ]]; do
        batch=$((batch + 1))
        for i in 1 2 3 4 5 6 7 8 9 10; do
            a=$((1 + RANDOM % 2)) amount=$((RANDOM % 100))
            cat <<SQL
\echo try $name.$2.$batch.$i
BEGIN;
SET LOCAL statement_timeout = '5s';
UPDATE acct$a SET v = v - $amount WHERE id = $((1 + RANDOM % accounts));
UPDATE acct$((3 - a)) SET v = v + $amount WHERE id = $((1 + RANDOM % accounts));
INSERT INTO ledger VALUES ('$name.$2.$batch.$i');
COMMIT;
SQL
        done | "$PG_BIN/psql" -XAt -h 127.0.0.1 -p "${PORT[$name]}" -U postgres -d coord 2>&1
    done >"$WORK/client.$name.$2"
}
clients=()
for n in 1 2; do
    for name in east west; do
        client "$name" "$n" &
        clients+=($!)
    done
done
end=$((SECONDS + duration)) kills=0
while ((SECONDS < end)); do
    sleep 2
    for name in east west; do
        pid=$(sql "$name" coord -c "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname = 'coord' AND pid <> pg_backend_pid() LIMIT 1" 2>/dev/null)
        [[ -z $pid ]] || { as_server kill -9 "$pid" 2>/dev/null && kills=$((kills + 1)); }
        wait_for 30 "sql $name coord -c 'SELECT 1' >/dev/null 2>&1"
    done
done
touch "$WORK/stop"
wait "${clients[@]}"
wait_for 30 '[[ $(prepared) == 0 ]]'
same "nothing is left prepared" 0 "$(prepared)"
same "no money is gone or made" $((2 * accounts * 1000)) \
    $(($(sql s1 db -c "SELECT sum(v) FROM acct") + $(sql s2 db -c "SELECT sum(v) FROM acct")))
for name in east west; do
    awk '/^try /{id = $2} /^COMMIT$/{print id}' "$WORK/client.$name".* | sort >"$WORK/acknowledged"
    sql "$name" coord -c "SELECT id FROM ledger" | sort >"$WORK/in_ledger"
    same "$name: what was acknowledged is there" "" "$(comm -23 "$WORK/acknowledged" "$WORK/in_ledger")"
    like "$name: there was something to lose" '^[0-9]{2,}$' "$(wc -l <"$WORK/acknowledged")"
done
echo "$kills sessions killed, $(cat "$WORK"/client.* | grep -c "deadlock detected") deadlocks"

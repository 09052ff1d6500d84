#!/usr/bin/env bash
# Money moves between three shards while backends, servers and connections die at random: afterwards no
# money is gone or made, every acknowledged transfer is there, and nothing is left prepared.
#
# SECONDS_OF_FAULTS and SEED may be given from outside; the seed decides which faults come in which order.
# Conditions are evaluated by wait_for, later.
# shellcheck disable=SC2016
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

duration=${SECONDS_OF_FAULTS:-60}
seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
accounts=20
echo "seed $seed, $duration s"

cluster_begin "$TREE"
coordinator "shard_fdw.resolver_interval = 1"
for n in 1 2 3; do
    shard "s$n"
    foreign "s$n"
    sql "s$n" db -c "CREATE TABLE acct (id int PRIMARY KEY, v int); INSERT INTO acct SELECT n, 1000 FROM generate_series(1, $accounts) n"
    sql coordinator coord -c "CREATE FOREIGN TABLE acct$n (id int, v int) SERVER s$n OPTIONS (table_name 'acct')"
done
sql coordinator coord -c "CREATE TABLE ledger (id text PRIMARY KEY, source int, target int, amount int)"
total=$((3 * accounts * 1000))

# client NAME: transfers until the file "stop" is there. Shards are taken in order: nothing finds deadlocks here.
client() {
    local name=$1 batch=0 i a b amount
    RANDOM=$((seed + name))
    while [[ ! -e $WORK/stop ]]; do
        batch=$((batch + 1))
        {
            echo "SET statement_timeout = '10s';"
            for i in 1 2 3 4 5 6 7 8 9 10; do
                a=$((1 + RANDOM % 2)) amount=$((RANDOM % 100 - 50))
                b=$((a + 1 + RANDOM % (3 - a)))
                cat <<SQL
\echo try $name.$batch.$i
BEGIN;
UPDATE acct$a SET v = v - $amount WHERE id = $((1 + RANDOM % accounts));
UPDATE acct$b SET v = v + $amount WHERE id = $((1 + RANDOM % accounts));
INSERT INTO ledger VALUES ('$name.$batch.$i', $a, $b, $amount);
COMMIT;
SQL
            done
        } | "$PG_BIN/psql" -XAt -h 127.0.0.1 -p "${PORT[coordinator]}" -U postgres -d coord 2>&1
    done >"$WORK/client.$name"
}

clients=()
for n in 1 2 3 4; do
    client "$n" &
    clients+=($!)
done

# Stops all processes of a server for a while: as a network that swallows everything.
stall() {
    local pid pids
    pid=$(as_server head -1 "$WORK/data/$1/postmaster.pid")
    pids="$pid $(ps -o pid= --ppid "$pid" | tr '\n' ' ')"
    # shellcheck disable=SC2086
    as_server kill -STOP $pids 2>/dev/null
    sleep "$2"
    # shellcheck disable=SC2086
    as_server kill -CONT $pids 2>/dev/null
}

RANDOM=$seed
faults=0
end=$((SECONDS + duration))
while ((SECONDS < end)); do
    victim=s$((1 + RANDOM % 3))
    kind=$((RANDOM % 6))
    pause=0.$((RANDOM % 10))
    case $kind in
    0) pid=$(sql coordinator coord -c "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1")
        [[ -z $pid ]] || as_server kill -9 "$pid" 2>/dev/null
        wait_for 30 'sql coordinator coord -c "SELECT 1" >/dev/null 2>&1' ;;
    1) server_kill coordinator; server_start coordinator ;;
    2) server_kill "$victim"; server_start "$victim" ;;
    3) stall "$victim" "1.5" ;;
    4) sql "$victim" db -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'db' AND pid <> pg_backend_pid()" >/dev/null ;;
    5) sql coordinator coord -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'coord' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 2" >/dev/null ;;
    esac
    faults=$((faults + 1))
    sleep "$pause"
done
touch "$WORK/stop"
wait "${clients[@]}"

wait_for 30 'sql coordinator coord -c "SELECT 1" >/dev/null 2>&1'
prepared() {
    local n sum=0
    for n in 1 2 3; do sum=$((sum + $(sql "s$n" db -c "SELECT count(*) FROM pg_prepared_xacts"))); done
    echo "$sum"
}
wait_for 30 '[[ $(prepared) == 0 ]]'
same "nothing is left prepared after 30 s" 0 "$(prepared)"

# An acknowledgement is psql's COMMIT after "try".
awk '/^try /{id = $2} /^COMMIT$/{print id}' "$WORK"/client.* | sort >"$WORK/acknowledged"
sql coordinator coord -c "SELECT id FROM ledger ORDER BY id COLLATE \"C\"" | sort >"$WORK/in_ledger"
same "every acknowledged transfer is there" "" "$(comm -23 "$WORK/acknowledged" "$WORK/in_ledger")"
got=$(sql coordinator coord -c "SELECT (SELECT sum(v) FROM acct1) + (SELECT sum(v) FROM acct2) + (SELECT sum(v) FROM acct3)")
same "no money is gone or made" "$total" "$got"
for n in 1 2 3; do
    same "shard $n holds what the ledger says" \
        "$(sql coordinator coord -c "SELECT $accounts * 1000 + coalesce(sum(CASE WHEN target = $n THEN amount ELSE -amount END), 0) FROM ledger WHERE $n IN (source, target)")" \
        "$(sql "s$n" db -c "SELECT sum(v) FROM acct")"
done
wait_for 30 '[[ $(sql coordinator coord -c "SELECT count(*) FROM shard.commit_log") == 0 ]]'
same "the decision log is emptied" 0 "$(sql coordinator coord -c "SELECT count(*) FROM shard.commit_log")"
echo "$(wc -l <"$WORK/acknowledged") transfers acknowledged, $(wc -l <"$WORK/in_ledger") done, under $faults faults"
like "there was something to lose" '^[0-9]{2,}$' "$(wc -l <"$WORK/acknowledged")"

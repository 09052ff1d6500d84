#!/usr/bin/env bash
# TRUNCATE of a sharded table goes to all shards at the same time; when one refuses, the others stop.
# Conditions are evaluated by wait_for, later.
# shellcheck disable=SC2016
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_begin "$TREE"
coordinator
sql coordinator coord -c "CREATE TABLE t (id int) PARTITION BY LIST ((id % 3))"
for n in 0 1 2; do
    shard "s$n"
    foreign "s$n"
    sql "s$n" db -c "CREATE TABLE t (id serial, CHECK (true))"
    sql coordinator coord -c "CREATE FOREIGN TABLE t$n PARTITION OF t FOR VALUES IN ($n) SERVER s$n OPTIONS (table_name 't')"
done
sql coordinator coord -c "INSERT INTO t SELECT generate_series(1, 30)"
# locked: on how many shards a session waits for a lock.
locked() {
    local n count=0
    for n in 0 1 2; do
        count=$((count + $(sql "s$n" db -c "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")))
    done
    echo "$count"
}
# hold: other sessions have rows of all shards, until `release SHARD...`.
hold() {
    for n in 0 1 2; do
        "$PG_BIN/psql" -XqAt -h 127.0.0.1 -p "${PORT[s$n]}" -U postgres -d db \
            -c "SET application_name = 'holder'; BEGIN; UPDATE t SET id = id; SELECT pg_sleep(60)" >/dev/null 2>&1 &
    done
    wait_for 10 '[[ $(holding) == 3 ]]'
}
holding() {
    local n count=0
    for n in 0 1 2; do
        count=$((count + $(sql "s$n" db -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holder' AND wait_event = 'PgSleep'")))
    done
    echo "$count"
}
release() {
    for n in "$@"; do
        sql "s$n" db -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'" >/dev/null
    done
}

hold
open a
say_to a 'TRUNCATE t RESTART IDENTITY;'
say_to a '\echo over'
wait_for 10 '[[ $(locked) == 3 ]]'
same "all shards are asked at the same time" 3 "$(locked)"
release 0 2
wait_for 10 '[[ $(locked) == 1 ]]'
same "it waits for the last" 1 "$(locked)"
release 1
heard a over
same "it is done" "0" "$(sql coordinator coord -c "SELECT count(*) FROM t")"
same "on the shards too" "0 0 0" "$(for n in 0 1 2; do sql "s$n" db -c "SELECT count(*) FROM t"; done | paste -sd' ')"

sql coordinator coord -c "INSERT INTO t SELECT generate_series(1, 30)"
hold
sql s1 db -c "ALTER DATABASE db SET lock_timeout = '300ms'"
say_to a 'SELECT shard_fdw_disconnect_all();'
say_to a 'BEGIN; TRUNCATE t; ROLLBACK;'
say_to a '\echo refused'
heard a refused
like "one refuses" '55P03' "$(cat "$WORK/out.a")"
wait_for 10 '[[ $(locked) == 0 ]]'
same "the others stop" 0 "$(locked)"
release 0 1 2
same "nothing is lost" 30 "$(sql coordinator coord -c "SELECT count(*) FROM t")"
sql s1 db -c "ALTER DATABASE db RESET lock_timeout"
say_to a 'SELECT shard_fdw_disconnect_all();'

hold
say_to a "SET statement_timeout = 300; TRUNCATE t; RESET statement_timeout;"
say_to a '\echo cancelled'
heard a cancelled
like "a cancel ends it" '57014' "$(cat "$WORK/out.a")"
wait_for 10 '[[ $(locked) == 0 ]]'
same "on all shards" 0 "$(locked)"
release 0 1 2
same "nothing is lost then" 30 "$(sql coordinator coord -c "SELECT count(*) FROM t")"
say_to a 'TRUNCATE t;'
say_to a '\echo again'
heard a again
same "the session goes on" 0 "$(sql coordinator coord -c "SELECT count(*) FROM t")"
close a
wait

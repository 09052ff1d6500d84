#!/usr/bin/env bash
# Deadlocks over several servers, which none of them can see: one transaction ends with 40P01 within
# seconds, the others go on; whoever only waits for long is left alone.
# Conditions are evaluated by wait_for, later.
# shellcheck disable=SC2016
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_begin "$TREE"
coordinator "shard_fdw.resolver_interval = 1"
for name in s1 s2; do
    shard "$name"
    foreign "$name"
    sql "$name" db -c "CREATE TABLE acct (id int PRIMARY KEY, v int); INSERT INTO acct SELECT n, 0 FROM generate_series(1, 9) n"
    sql coordinator coord -c "CREATE FOREIGN TABLE acct_$name (id int, v int) SERVER $name OPTIONS (table_name 'acct')"
done
sql coordinator coord -c "CREATE TABLE acct_local (id int PRIMARY KEY, v int); INSERT INTO acct_local VALUES (1, 0)"

# busy NAME: it has sent a statement and waits for its end.
busy() { [[ $(sql coordinator coord -c "SELECT state FROM pg_stat_activity WHERE application_name = '$1'") == active ]]; }

# cross A B: both have begun and locked what they begin with; now each asks for the other's.
cross() {
    local first=$1 second=$2
    open a
    open b
    say_to a "BEGIN; $3 UPDATE $first SET v = v + 1 WHERE id = 1;"
    say_to a '\echo locked'
    heard a locked
    say_to b "BEGIN; $3 UPDATE $second SET v = v + 1 WHERE id = 1;"
    say_to b '\echo locked'
    heard b locked
    say_to a "UPDATE $second SET v = v + 1 WHERE id = 1;"
    say_to a 'COMMIT;'
    say_to a '\echo over'
    wait_for 10 'busy a'
    say_to b "UPDATE $first SET v = v + 1 WHERE id = 1;"
    say_to b 'COMMIT;'
    say_to b '\echo over'
}

# crossed NAME A B [SQL] [LOSER]: a deadlock between the two is ended; b is the younger one.
crossed() {
    local name=$1 loser=${5:-b} winner=a begin=${EPOCHREALTIME/./} ms
    [[ $loser == b ]] || winner=b
    cross "$2" "$3" "${4:-}"
    if heard a over 10 && heard b over 10; then
        ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
        like "$name: one is told" 'ERROR:  40P01: deadlock detected.*DETAIL:  Process [0-9]+ waits on ' "$(tr '\n' ' ' <"$WORK/out.$loser")"
        same "$name: the other one commits" "" "$(grep -E 'ERROR|WARNING' "$WORK/out.$winner")"
        same "$name: within 4 s (it took $ms ms)" yes "$( ((ms < 4000)) && echo yes || echo no)"
    else
        failed "$name" "$(cat "$WORK/out.a" "$WORK/out.b")"
        sql coordinator coord -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN ('a', 'b')" >/dev/null
    fi
    close a
    close b
}

crossed "two shards" acct_s1 acct_s2
like "the cycle is told" 'on server "s[12]" for process [0-9]+\..*on server "s[12]" for process [0-9]+\.' "$(tr '\n' ' ' <"$WORK/out.b")"
# Only one of them waits for a shard.
crossed "a shard and the coordinator" acct_local acct_s1 "" a
crossed "application names of the user's own" acct_s2 acct_s1 "SET LOCAL shard_fdw.application_name = 'mine';"
crossed "after a savepoint" acct_s1 acct_s2 "SAVEPOINT s; UPDATE acct_s1 SET v = 0 WHERE id = 4; UPDATE acct_s2 SET v = 0 WHERE id = 4; ROLLBACK TO s;"

# Whoever waits without a cycle is left alone.
open a
say_to a "BEGIN; UPDATE acct_s1 SET v = 0 WHERE id = 2; UPDATE acct_s2 SET v = 0 WHERE id = 2;"
say_to a '\echo locked'
heard a locked
open b
say_to b "BEGIN; UPDATE acct_s2 SET v = 0 WHERE id = 3; UPDATE acct_s1 SET v = 1 WHERE id = 2; COMMIT;"
say_to b '\echo over'
heard b over 5
same "a long wait is no deadlock" "" "$(grep -E 'ERROR|over' "$WORK/out.b")"
same "the detector is at work" 1 "$(sql coordinator coord -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'shard_fdw detector'")"
say_to a 'COMMIT;'
heard b over 10
same "it goes on when it can" "" "$(grep -E 'ERROR|WARNING' "$WORK/out.b")"
close a
close b

# Turned off.
cross acct_s1 acct_s2 "SET LOCAL shard_fdw.deadlock_timeout = 0;"
heard b over 5
same "0 leaves deadlocks alone" "" "$(grep -hE 'ERROR|over' "$WORK/out.a" "$WORK/out.b")"
sql coordinator coord -c "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'b'" >/dev/null
heard a over 10
same "the other one goes on after a cancel" "" "$(grep -E 'ERROR|WARNING' "$WORK/out.a")"
heard b over 10
close a
close b

wait_for 20 '[[ $(sql coordinator coord -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = '"'shard_fdw detector'"'") == 0 ]]'
same "the detector goes away" 0 "$(sql coordinator coord -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'shard_fdw detector'")"
same "nothing stays prepared" 0 "$(sql s1 db -c "SELECT count(*) FROM pg_prepared_xacts")"

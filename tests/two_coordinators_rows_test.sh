#!/usr/bin/env bash
# Sessions of two coordinators change the same rows of a sharded table: the second waits for the first and then does
# what it would do to a local table's row.
# Conditions are evaluated by wait_for, later.
# shellcheck disable=SC2016
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_begin "$TREE"
for n in 0 1; do
    shard "s$n"
    sql "s$n" db -c "CREATE TABLE acct (id int PRIMARY KEY, v int, CHECK (id % 2 = $n))"
done
for name in east west; do
    server_new "$name" "shared_preload_libraries = 'shard_fdw'" "shard_fdw.resolver_interval = 1"
    server_start "$name"
    sql "$name" postgres -c "CREATE DATABASE coord"
    sql "$name" coord -c "CREATE EXTENSION shard_fdw" -c "CREATE TABLE acct (id int, v int)"
    for n in 0 1; do
        sql "$name" coord -c "CREATE SERVER s$n FOREIGN DATA WRAPPER shard_fdw OPTIONS (host '127.0.0.1', port '${PORT[s$n]}', dbname 'db')" \
            -c "CREATE USER MAPPING FOR postgres SERVER s$n OPTIONS (user 'postgres')" \
            -c "CREATE FOREIGN TABLE acct$n (CHECK (id % 2 = $n)) INHERITS (acct) SERVER s$n OPTIONS (table_name 'acct')"
    done
done

rows() { sql east coord -c "SELECT string_agg(id || '=' || v, ' ' ORDER BY id) FROM acct"; }
# What a session's statements gave, in one line.
told() { sed 's/^ERROR:  \([0-9A-Z]*\):.*/\1/; /^\(locked\|over\|LOCATION.*\|DETAIL.*\|[A-Z]* NAME:.*\|CONTEXT.*\|HINT.*\|server .*\|remote SQL.*\)$/d' "$WORK/out.$1" | tr '\n' ' ' | sed 's/ $//'; }
# How many sessions wait for a row on the shards.
waiting() {
    echo $(($(sql s0 db -c "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") + \
        $(sql s1 db -c "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")))
}

# race NAME BEGIN FIRST END SECOND TOLD ROWS: a (east) begins with FIRST; b (west) begins with BEGIN and does SECOND, for
# which it has to wait until a ENDs. What b is told then, and the rows there are.
race() {
    local name=$1
    for n in 0 1; do sql "s$n" db -c "TRUNCATE acct; INSERT INTO acct SELECT i, 10 FROM generate_series(1, 4) i WHERE i % 2 = $n"; done
    open a east
    open b west
    say_to b "$2"
    say_to b '\echo begun'
    heard b begun
    say_to a "BEGIN; $3"
    say_to a '\echo locked'
    heard a locked
    say_to b "$5"
    say_to b '\echo over'
    wait_for 10 '[[ $(waiting) == 1 ]]'
    same "$name: it waits" "1" "$(waiting)"
    say_to a "$4;"
    say_to a '\echo over'
    heard a over
    heard b over
    say_to b 'COMMIT;'
    close a
    close b
    sed -i '0,/^begun$/d' "$WORK/out.b"
    same "$name: the first goes on" "" "$(told a)"
    same "$name: the second" "$6" "$(told b)"
    same "$name: the rows" "$7" "$(rows)"
}

committed='BEGIN;'
one_snapshot='BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM acct WHERE id = 3; SELECT FROM acct WHERE id = 2;'
# A change that is shipped, and one that is not.
shipped="UPDATE acct SET v = v + 1 WHERE id = 1;"
by_row="UPDATE acct SET v = v + 1 + floor(random())::int WHERE id = 1;"
all="1=10 2=10 3=10 4=10"

for form in shipped "by row"; do
    first=$shipped
    [[ $form == shipped ]] || first=$by_row
    race "$form, shipped" "$committed" "$first" COMMIT "UPDATE acct SET v = v * 2 WHERE id = 1 RETURNING v;" 22 "1=22 ${all#* }"
    race "$form, by row" "$committed" "$first" COMMIT "UPDATE acct SET v = v * 2 + floor(random())::int WHERE id = 1 RETURNING v;" 22 "1=22 ${all#* }"
    race "$form, rolled back" "$committed" "$first" ROLLBACK "UPDATE acct SET v = v * 2 WHERE id = 1 RETURNING v;" 20 "1=20 ${all#* }"
    race "$form, snapshot" "$one_snapshot" "$first" COMMIT "UPDATE acct SET v = v * 2 WHERE id = 1 RETURNING v;" 40001 "1=11 ${all#* }"
    race "$form, snapshot, by row" "$one_snapshot" "$first" COMMIT "UPDATE acct SET v = v * 2 + floor(random())::int WHERE id = 1 RETURNING v;" 40001 "1=11 ${all#* }"
    race "$form, snapshot, rolled back" "$one_snapshot" "$first" ROLLBACK "UPDATE acct SET v = v * 2 WHERE id = 1 RETURNING v;" 20 "1=20 ${all#* }"
done
race "the condition is looked at again" "$committed" "$shipped" COMMIT "UPDATE acct SET v = 0 WHERE id = 1 AND v = 10 RETURNING v;" "" "1=11 ${all#* }"
race "the condition is looked at again, by row" "$committed" "$shipped" COMMIT "UPDATE acct SET v = floor(random())::int WHERE id = 1 AND v = 10 RETURNING v;" "" "1=11 ${all#* }"
race "deleted" "$committed" "DELETE FROM acct WHERE id = 1;" COMMIT "UPDATE acct SET v = 0 WHERE id = 1 RETURNING v;" "" "${all#* }"
race "deleted, snapshot" "$one_snapshot" "DELETE FROM acct WHERE id = 1;" COMMIT "DELETE FROM acct WHERE id = 1 RETURNING v;" 40001 "${all#* }"
race "locked" "$committed" "SELECT FROM acct WHERE id = 1 FOR UPDATE;" COMMIT "DELETE FROM acct WHERE id = 1 RETURNING v;" 10 "${all#* }"
race "share and update" "$committed" "SELECT FROM acct WHERE id = 1 FOR SHARE;" COMMIT "UPDATE acct SET v = 0 WHERE id = 1;" "" "1=0 ${all#* }"
race "two shards at once" "$committed" "UPDATE acct SET v = v + 1 WHERE id IN (1, 2); DELETE FROM acct WHERE id = 4;" COMMIT "UPDATE acct SET v = v * 2 WHERE id = 1; UPDATE acct SET v = v * 2;" "" "1=44 2=22 3=20"
race "the same key is inserted" "$committed" "INSERT INTO acct VALUES (5, 0);" COMMIT "INSERT INTO acct VALUES (5, 1);" 23505 "$all 5=0"
race "the same key is inserted, rolled back" "$committed" "INSERT INTO acct VALUES (5, 0);" ROLLBACK "INSERT INTO acct VALUES (5, 1);" "" "$all 5=1"
race "upsert" "$committed" "INSERT INTO acct VALUES (5, 0);" COMMIT "INSERT INTO acct AS t VALUES (5, 1) ON CONFLICT (id) DO UPDATE SET v = t.v + 7;" "" "$all 5=7"
# The key moves to the other shard: the row is gone for whoever waits at the old place, and is found at the new one.
move="UPDATE acct SET id = 6 WHERE id = 1;"
race "moved" "$committed" "$move" COMMIT "UPDATE acct SET v = 0 WHERE id = 1 RETURNING v; UPDATE acct SET v = 1 WHERE id = 6 RETURNING v;" 1 "${all#* } 6=1"
race "moved, by row" "$committed" "$move" COMMIT "UPDATE acct SET v = floor(random())::int WHERE id = 1 RETURNING v;" "" "${all#* } 6=10"
race "moved, move" "$committed" "$move" COMMIT "UPDATE acct SET id = 8 WHERE id = 1 RETURNING id;" "" "${all#* } 6=10"
race "moved, rolled back" "$committed" "$move" ROLLBACK "UPDATE acct SET id = 8 WHERE id = 1 RETURNING id;" 8 "${all#* } 8=10"
race "moved, snapshot" "$one_snapshot" "$move" COMMIT "UPDATE acct SET v = 0 WHERE id = 1;" 40001 "${all#* } 6=10"
race "changed, move" "$committed" "$shipped" COMMIT "UPDATE acct SET id = 8 WHERE id = 1 RETURNING v;" 11 "${all#* } 8=11"
race "moved to where another one inserts" "$committed" "$move" COMMIT "INSERT INTO acct VALUES (6, 0);" 23505 "${all#* } 6=10"

# cross END: a and b have each changed a row on one shard; each asks for the other's.
cross() {
    for n in 0 1; do sql "s$n" db -c "TRUNCATE acct; INSERT INTO acct SELECT i, 10 FROM generate_series(1, 4) i WHERE i % 2 = $n"; done
    open a east
    open b west
    say_to a "BEGIN; UPDATE acct SET v = v + 1 WHERE id = 1;"
    say_to a '\echo locked'
    heard a locked
    say_to b "$1 BEGIN; UPDATE acct SET v = v + 2 WHERE id = 2;"
    say_to b '\echo locked'
    heard b locked
    say_to a "UPDATE acct SET v = v + 1 WHERE id = 2; COMMIT;"
    say_to a '\echo over'
    wait_for 10 '[[ $(waiting) == 1 ]]'
    say_to b "UPDATE acct SET v = v + 2 WHERE id = 1; COMMIT;"
    say_to b '\echo over'
    heard b over 20
    heard a over 20
    close a
    close b
}
# No one sees the whole cycle: a timeout ends it, here b's.
cross "SET statement_timeout = '2s';"
same "crossed, statement_timeout: the second gives up" 57014 "$(told b)"
same "crossed, statement_timeout: the first goes on" "" "$(told a)"
same "crossed, statement_timeout: the rows" "1=11 2=11 3=10 4=10" "$(rows)"
# One of the shards, for all its clients.
sql s1 db -c "ALTER DATABASE db SET lock_timeout = '2s'"
cross ""
same "crossed, the shard's lock_timeout: the second gives up" 55P03 "$(told b)"
same "crossed, the shard's lock_timeout: the first goes on" "" "$(told a)"
same "crossed, the shard's lock_timeout: the rows" "1=11 2=11 3=10 4=10" "$(rows)"
for n in 0 1; do same "s$n: nothing is left prepared" 0 "$(sql "s$n" db -c "SELECT count(*) FROM pg_prepared_xacts")"; done

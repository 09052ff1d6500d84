#!/usr/bin/env bash
# What COMMIT does when a shard cannot or does not: settings, lost connections, stalls, cancels; and the
# resolver's comings and goings.
# Conditions are evaluated by wait_for, later.
# shellcheck disable=SC2016
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_begin "$TREE"
coordinator "shard_fdw.resolver_interval = 1"
shard s1
shard s2
shard unprepared "max_prepared_transactions = 0"
for name in s1 s2 unprepared; do
    foreign "$name"
    sql "$name" db -c "CREATE TABLE acct (id int PRIMARY KEY, v int)" \
        -c "CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(20); RETURN NULL; END'" \
        -c "CREATE TABLE napping (id int)" \
        -c "CREATE CONSTRAINT TRIGGER nap AFTER INSERT ON napping DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION nap()"
    sql coordinator coord -c "CREATE FOREIGN TABLE acct_$name (id int, v int) SERVER $name OPTIONS (table_name 'acct')" \
        -c "CREATE FOREIGN TABLE napping_$name (id int) SERVER $name OPTIONS (table_name 'napping')"
done
sql coordinator coord -c "CREATE TABLE here (id int)"
# on SHARD SQL: a psql command line that does it, for \!
on() { printf '%s' "$PG_BIN/psql -XqAt -h 127.0.0.1 -p ${PORT[$1]} -U postgres -d db -c \"$2\""; }
end_sessions="SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = 'db' AND pid <> pg_backend_pid()"

bad "a shard without prepared transactions is an error" \
    "55000: .*HINT: +Raise \"max_prepared_transactions\" on server \"unprepared\"" \
    "BEGIN; INSERT INTO acct_s1 VALUES (1, 1); INSERT INTO acct_unprepared VALUES (1, 1); COMMIT;
     CREATE FOREIGN TABLE good_main (id int) SERVER s1 OPTIONS (table_name 'good');"
same "and nothing was committed" "0|0" "$(session <<<"SELECT (SELECT count(*) FROM acct_s1), (SELECT count(*) FROM acct_unprepared);")"
same "one phase needs none; who only reads is not prepared" "1|1|1" "$(session <<SQL
INSERT INTO acct_unprepared VALUES (1, 1);
BEGIN; INSERT INTO acct_s1 VALUES (1, 1); INSERT INTO here VALUES (1); SELECT FROM acct_unprepared LIMIT 0; COMMIT;
SELECT (SELECT count(*) FROM acct_s1), (SELECT count(*) FROM acct_unprepared), (SELECT count(*) FROM here);
SQL
)"
# A statement that is a transaction by itself is committed by its shard at once; in a pipeline it is not by itself.
pipeline() { printf '%s\n' '\startpipeline' "$@" '\endpipeline' >"$WORK/pipeline.sql"; extended "$WORK/pipeline.sql"; }
extended() { "$PG_BIN/pgbench" -h 127.0.0.1 -p "${PORT[coordinator]}" -U postgres -n -M extended -t 1 -f "$1" coord >"$WORK/pgbench.log" 2>&1 || true; }
pipeline "INSERT INTO acct_s1 VALUES (501, 1);" "INSERT INTO acct_s1 VALUES (501, 2);"
same "a pipeline that fails leaves nothing" "0" "$(session <<<"SELECT count(*) FROM acct_s1 WHERE id = 501;")"
pipeline "INSERT INTO acct_s1 VALUES (501, 1);" "INSERT INTO here SELECT 1 / 0;"
same "nor when it fails here" "0" "$(session <<<"SELECT count(*) FROM acct_s1 WHERE id = 501;")"
pipeline "INSERT INTO acct_s1 VALUES (501, 1);" "INSERT INTO acct_s2 VALUES (501, 1);" "UPDATE acct_s1 SET v = 7 WHERE id = 501;"
echo "UPDATE acct_s2 SET v = v + 7 WHERE id = 501;" >"$WORK/one.sql"
extended "$WORK/one.sql"
same "one that succeeds is committed everywhere, a single statement too" "7|8" \
    "$(session <<<"SELECT (SELECT v FROM acct_s1 WHERE id = 501), (SELECT v FROM acct_s2 WHERE id = 501);
DELETE FROM acct_s1 WHERE id = 501; DELETE FROM acct_s2 WHERE id = 501;")"
same "two_phase_commit = off does without" "2|2" "$(session <<SQL
SET shard_fdw.two_phase_commit = off;
BEGIN; INSERT INTO acct_s1 VALUES (2, 1); INSERT INTO acct_unprepared VALUES (2, 1); COMMIT;
SELECT (SELECT count(*) FROM acct_s1), (SELECT count(*) FROM acct_unprepared);
SQL
)"

# A connection that is lost with uncommitted work takes the transaction with it, whatever is caught on the way.
got=$(session <<SQL
BEGIN;
INSERT INTO acct_s1 VALUES (3, 3);
SAVEPOINT a;
\! $(on s1 "$end_sessions") >/dev/null
SELECT count(*) FROM acct_s1;
ROLLBACK TO a;
COMMIT;
SELECT count(*) FROM acct_s1 WHERE id = 3;
SQL
)
like "a lost connection is an error" 'ERROR: +(57P01|08006)' "$got"
like "and COMMIT is refused" 'ERROR: +08006: connection to server "s1" was lost' "$got"
same "and nothing was kept" 0 "${got##*$'\n'}"
# Nothing is lost when all that was done there is rolled back anyway.
same "a lost connection inside a savepoint can be got over" "2 1" "$(session <<SQL | grep -v -E 'ERROR|DETAIL|CONTEXT|LOCATION|HINT|^server|DELETE' | tr '\n' ' ' | sed 's/ $//'
BEGIN;
INSERT INTO here VALUES (2);
SAVEPOINT a;
DELETE FROM acct_s1;
\! $(on s1 "$end_sessions") >/dev/null
DELETE FROM acct_s1;
ROLLBACK TO a;
SELECT count(*) FROM acct_s1;
COMMIT;
SELECT count(*) FROM here WHERE id = 2;
SQL
)"
# The first request of a transaction is sent again.
same "a connection lost before the transaction is made anew" "2 2" "$(session <<SQL | tr '\n' ' ' | sed 's/ $//'
SELECT count(*) FROM acct_s1;
\! $(on s1 "$end_sessions") >/dev/null
SELECT count(*) FROM acct_s1;
SQL
)"

# The server naps in COMMIT; its session is ended there.
napping='[[ $(sql s1 db -c "SELECT count(*) FROM pg_stat_activity WHERE wait_event = '"'PgSleep'"'") == 1 ]]'
echo "INSERT INTO napping_s1 VALUES (1);" >"$WORK/nap.sql"
bg "$WORK/nap.sql" "$WORK/nap.out"
wait_for 10 "$napping"
sql s1 db -c "$end_sessions" >/dev/null
wait "$BG"
like "a connection lost in COMMIT leaves the outcome open" 'ERROR: +08007: connection to server "s1" was lost during COMMIT' "$(cat "$WORK/nap.out")"
# A first request that runs is not sent again when somebody ends it.
sql s1 db -c "CREATE VIEW slow AS SELECT pg_sleep(20)::text AS s"
sql coordinator coord -c "CREATE FOREIGN TABLE slow (s text) SERVER s1"
echo "SELECT * FROM slow;" >"$WORK/nap.sql"
bg "$WORK/nap.sql" "$WORK/nap.out"
wait_for 10 "$napping"
sleep 1.2
sql s1 db -c "$end_sessions" >/dev/null
wait "$BG"
like "a running statement that is ended is not run again" 'ERROR: +57P01' "$(cat "$WORK/nap.out")"

# cancelled SQL: what the session prints when it is cancelled while the shard naps.
cancelled() {
    echo "SET application_name = 'cancelled'; $1" >"$WORK/cancelled.sql"
    bg "$WORK/cancelled.sql" "$WORK/cancelled.out"
    wait_for 10 "$napping"
    sql coordinator coord -c "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'cancelled'" >/dev/null
    wait "$BG"
    cat "$WORK/cancelled.out"
}
begin=$SECONDS
like "a cancel in COMMIT is obeyed" 'ERROR: +57014.*'$'\n''0$' \
    "$(cancelled "INSERT INTO napping_s1 VALUES (1); SELECT count(*) FROM napping_s1;")"
like "a cancel in PREPARE is obeyed" 'ERROR: +57014.*'$'\n''0$' \
    "$(cancelled "BEGIN; INSERT INTO napping_s1 VALUES (1); INSERT INTO acct_s2 VALUES (5, 5); COMMIT; SELECT count(*) FROM acct_s2 WHERE id = 5;")"
same "at once" 1 "$((SECONDS - begin < 10))"
# One that comes too late to stop it is dropped: the server has committed, and waits for its standby.
sql s1 postgres -c "ALTER SYSTEM SET synchronous_standby_names = 'nobody'" -c "SELECT pg_reload_conf()" >/dev/null
echo "SET application_name = 'late'; BEGIN; INSERT INTO acct_s1 VALUES (8, 8); COMMIT; SELECT 'committed';" >"$WORK/late.sql"
bg "$WORK/late.sql" "$WORK/late.out"
wait_for 10 '[[ $(sql s1 db -c "SELECT count(*) FROM pg_stat_activity WHERE wait_event = '"'SyncRep'"' AND query LIKE '"'COMMIT%'"'") == 1 ]]'
sql coordinator coord -c "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'late'" >/dev/null
wait "$BG"
same "a cancel too late to stop COMMIT is dropped" "committed 1" "$(tr '\n' ' ' <"$WORK/late.out")$(sql s1 db -c "SELECT count(*) FROM acct WHERE id = 8")"
sql s1 postgres -c "ALTER SYSTEM RESET synchronous_standby_names" -c "SELECT pg_reload_conf()" >/dev/null
prepared() { echo $(($(sql s1 db -c "SELECT count(*) FROM pg_prepared_xacts") + $(sql s2 db -c "SELECT count(*) FROM pg_prepared_xacts"))); }
wait_for 10 '[[ $(prepared) == 0 ]]'
same "and nothing stays prepared" 0 "$(prepared)"

# The decision waits for a synchronous standby, whatever the session says; what is no two-phase commit does not.
sql coordinator postgres -c "ALTER SYSTEM SET synchronous_standby_names = 'nobody'" -c "SELECT pg_reload_conf()" >/dev/null
cat >"$WORK/careless.sql" <<SQL
SET application_name = 'careless';
SET synchronous_commit = off;
CREATE TEMP TABLE here AS SELECT 1;
BEGIN; INSERT INTO acct_s1 VALUES (9, 9); INSERT INTO acct_s2 VALUES (9, 9); COMMIT;
SHOW synchronous_commit;
SQL
bg "$WORK/careless.sql" "$WORK/careless.out"
waiting="SELECT count(*) FROM pg_stat_activity WHERE application_name = 'careless' AND wait_event = 'SyncRep' AND query LIKE 'COMMIT%'"
wait_for 10 '[[ $(sql coordinator coord -c "$waiting") == 1 ]]'
same "a two-phase commit waits for a synchronous standby with synchronous_commit off" 1 "$(sql coordinator coord -c "$waiting")"
sql coordinator postgres -c "ALTER SYSTEM RESET synchronous_standby_names" -c "SELECT pg_reload_conf()" >/dev/null
wait "$BG"
same "and leaves the setting as it was" off "$(tail -1 "$WORK/careless.out")"
wait_for 10 '[[ $(prepared) == 0 ]]'

# A shard that freezes after the decision: the session goes on with a warning, the rest follows by itself.
cat >"$WORK/stall.sql" <<SQL
SET application_name = 'stall';
SET shard_fdw.debug_fault = 'after-commit';
BEGIN; INSERT INTO acct_s1 VALUES (6, 6); INSERT INTO acct_s2 VALUES (6, 6); COMMIT;
SELECT 'goes on';
SQL
bg "$WORK/stall.sql" "$WORK/stall.out"
wait_for 10 'local=$(sql coordinator coord -c "SELECT pid FROM pg_stat_activity WHERE application_name = '"'stall'"'"); [[ -n $local ]] && grep -q "^State:.T" "/proc/$local/status"'
remote=$(sql s2 db -c "SELECT pid FROM pg_stat_activity WHERE datname = 'db' AND pid <> pg_backend_pid() AND query LIKE 'PREPARE TRANSACTION%'")
as_server kill -STOP "$remote"
# shellcheck disable=SC2154 # set by wait_for's condition
as_server kill -CONT "$local"
begin=$SECONDS
wait "$BG"
like "a stalled second phase is a warning" 'WARNING: +.*The transaction is committed.*It will be committed in the background.*goes on' "$(tr '\n' ' ' <"$WORK/stall.out")"
same "within its deadline" 1 "$((SECONDS - begin < 20))"
wait_for 30 '[[ $(prepared) == 0 ]]'
same "and is finished by the resolver" "1 0" "$(sql s2 db -c "SELECT count(*) FROM acct WHERE id = 6") $(prepared)"
as_server kill -CONT "$remote"

# An idle database has no resolver, and can be dropped.
wait_for 30 '[[ $(sql coordinator coord -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = '"'shard_fdw resolver'"'") == 0 ]]'
same "an idle database has no resolver" 0 "$(sql coordinator coord -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'shard_fdw resolver'")"
same "the extension can be made again" 1 "$(session <<SQL | tail -1
DROP EXTENSION shard_fdw CASCADE;
CREATE EXTENSION shard_fdw;
SELECT count(*) FROM shard.identity;
SQL
)"
sql coordinator postgres -c "DROP DATABASE coord" && ok "the database can be dropped"
# One that is dropped under its resolver does not have it started again and again.
sql coordinator postgres -c "CREATE DATABASE busy"
sql coordinator busy -c "CREATE EXTENSION shard_fdw" -c "CREATE TABLE here (id int)" \
    -c "CREATE SERVER s1 FOREIGN DATA WRAPPER shard_fdw OPTIONS (host '127.0.0.1', port '${PORT[s1]}', dbname 'db')" \
    -c "CREATE USER MAPPING FOR postgres SERVER s1 OPTIONS (user 'postgres')" -c "CREATE FOREIGN TABLE acct (id int, v int) SERVER s1" \
    -c "BEGIN; INSERT INTO acct VALUES (7, 7); INSERT INTO here VALUES (7); COMMIT"
wait_for 10 '[[ $(sql coordinator postgres -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = '"'shard_fdw resolver'"'") == 1 ]]'
sql coordinator postgres -c "DROP DATABASE busy WITH (FORCE)"
sleep 7
same "a dropped database has no resolver" 0 "$(grep -c 'FATAL: .*database .* does not exist' "$WORK/log/coordinator.log")"

#!/usr/bin/env bash
# A shard's primary dies and its standby is promoted: a server with both hosts goes on with the new one,
# without any DDL, in the same session; what was acknowledged is there.
# Conditions are evaluated by wait_for, later.
# shellcheck disable=SC2016
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_begin "$TREE"
coordinator "shard_fdw.resolver_interval = 1"
shard s1
# It commits only what the standby has.
shard first "wal_level = replica" "synchronous_standby_names = ''"
sql first db -c "CREATE TABLE acct (id int PRIMARY KEY, v int)"
as_server "$PG_BIN/pg_basebackup" -h 127.0.0.1 -p "${PORT[first]}" -U postgres -D "$WORK/data/second" -R -c fast --no-sync
SERVERS+=(second)
server_start second
sql first postgres -c "ALTER SYSTEM SET synchronous_standby_names = '*'" -c "SELECT pg_reload_conf()" >/dev/null
wait_for 20 '[[ $(sql first postgres -c "SELECT sync_state FROM pg_stat_replication") == sync ]]'

foreign s1
foreign pair "host '127.0.0.1,127.0.0.1'" "port '${PORT[first]},${PORT[second]}'" "dbname 'db'" "target_session_attrs 'read-write'"
sql s1 db -c "CREATE TABLE acct (id int PRIMARY KEY, v int)"
for name in s1 pair; do
    sql coordinator coord -c "CREATE FOREIGN TABLE acct_$name (id int, v int) SERVER $name OPTIONS (table_name 'acct')"
done

cat >"$WORK/promote.sh" <<SH
$(declare -f as_server)
SERVER_USER=$SERVER_USER
kill_pid=\$(as_server head -1 "$WORK/data/first/postmaster.pid")
as_server sh -c "kill -9 \$kill_pid \$(ps -o pid= --ppid \$kill_pid | tr '\n' ' ')"
while ps -p "\$kill_pid" >/dev/null; do sleep 0.05; done
as_server "$SERVER_BIN/pg_ctl" -D "$WORK/data/second" -w promote >/dev/null
SH
same "the session goes on with the promoted standby" "1 1 2 3 f" "$(session <<SQL | tr '\n' ' ' | sed 's/ $//'
BEGIN; INSERT INTO acct_pair VALUES (1, 1); INSERT INTO acct_s1 VALUES (1, 1); COMMIT;
SELECT count(*) FROM acct_pair;
\! bash $WORK/promote.sh
SELECT count(*) FROM acct_pair;
BEGIN; INSERT INTO acct_pair VALUES (2, 2); INSERT INTO acct_s1 VALUES (2, 2); COMMIT;
SELECT count(*) FROM acct_pair;
BEGIN; INSERT INTO acct_pair VALUES (3, 3); COMMIT;
SELECT count(*) FROM acct_pair;
SELECT shard.resolve_now() > 0;
SQL
)"
same "the new primary has it all" "1,2,3" "$(sql second db -c "SELECT string_agg(id::text, ',' ORDER BY id) FROM acct")"

# The primary dies with a decided transaction prepared, and only its standby can be reached: that shows no prepared
# transactions, but has them.
as_server "$PG_BIN/pg_basebackup" -h 127.0.0.1 -p "${PORT[second]}" -U postgres -D "$WORK/data/third" -R -c fast --no-sync
SERVERS+=(third)
server_start third
sql second postgres -c "ALTER SYSTEM SET synchronous_standby_names = '*'" -c "SELECT pg_reload_conf()" >/dev/null
wait_for 20 '[[ $(sql second postgres -c "SELECT sync_state FROM pg_stat_replication") == sync ]]'
foreign either "host '127.0.0.1,127.0.0.1'" "port '${PORT[second]},${PORT[third]}'" "dbname 'db'"
sql coordinator coord -c "CREATE FOREIGN TABLE acct_either (id int, v int) SERVER either OPTIONS (table_name 'acct')" -c "DROP SERVER pair CASCADE" 2>/dev/null
cat >"$WORK/decided.sql" <<SQL
SET application_name = 'decided';
SET shard_fdw.debug_fault = 'after-commit';
BEGIN; INSERT INTO acct_either VALUES (4, 4); INSERT INTO acct_s1 VALUES (4, 4); COMMIT;
SQL
bg "$WORK/decided.sql" "$WORK/decided.out"
wait_for 10 'local=$(sql coordinator coord -c "SELECT pid FROM pg_stat_activity WHERE application_name = '"'decided'"'"); [[ -n $local ]] && grep -q "^State:.T" "/proc/$local/status"'
server_kill second
# shellcheck disable=SC2154 # set by wait_for's condition
as_server kill -CONT "$local"
wait "$BG"
like "a standby is not asked what is prepared" "either\|.*the server is a standby" "$(session <<<"SELECT shard.resolve_now(); SELECT server, last_error FROM shard.in_doubt;")"
as_server "$SERVER_BIN/pg_ctl" -D "$WORK/data/third" -w promote >/dev/null
wait_for 20 '[[ $(sql third db -c "SELECT count(*) FROM pg_prepared_xacts") == 0 ]]'
same "what was decided is carried out when it has been promoted" "1|1" "$(sql third db -c "SELECT count(*) FROM acct WHERE id = 4")|$(sql s1 db -c "SELECT count(*) FROM acct WHERE id = 4")"

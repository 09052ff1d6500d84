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

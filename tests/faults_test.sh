#!/usr/bin/env bash
# Servers that die, connections that break, listeners that never answer, cancels and timeouts.
# Conditions are evaluated by wait_for, later.
# shellcheck disable=SC2016
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_begin "$TREE"
coordinator ""
shard main
shard victim
foreign main
foreign victim
sql victim db -c "CREATE TABLE big AS SELECT n AS id, repeat('x', 1000) AS v FROM generate_series(1, 200000) n" \
    -c "CREATE VIEW slow AS SELECT id, v, pg_sleep(60)::text AS s FROM good"
sql coordinator coord -c "CREATE FOREIGN TABLE big (id int, v text) SERVER victim" \
    -c "CREATE FOREIGN TABLE slow (id int, v text, s text) SERVER victim"

# remote_count CONDITION: sessions of our coordinator on the victim.
remote_count() {
    sql victim postgres -c "SELECT count(*) FROM pg_stat_activity
        WHERE datname = 'db' AND pid <> pg_backend_pid() AND ($1)"
}
busy="state = 'active' AND wait_event = 'PgSleep'"

# fetch COUNT rows through a cursor, then WHAT happens, then fetch the rest.
mid_scan() {
    cat <<SQL
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM big;
MOVE 10 FROM c;
\! $1
MOVE ALL FROM c;
ROLLBACK;
SQL
}

victim_pid=$(as_server head -1 "$WORK/data/victim/postmaster.pid")
kill_all="kill -9 \$(ps -o pid= --ppid $victim_pid) $victim_pid; while kill -0 $victim_pid 2>/dev/null; do sleep 0.05; done"
begin=$SECONDS
bad "server killed in the middle of a scan" "(57P01|08000|08003|08006): .*(CONTEXT:.*remote SQL command:)?" "$(mid_scan "$kill_all")"
same "and the answer came soon" 1 "$((SECONDS - begin < 20))"
as_server rm -f "$WORK/data/victim/postmaster.pid"
bad "server is down" "08001: could not connect to server \"victim\"" "SELECT count(*) FROM good_victim;"
server_start victim
same "server is back" 3 "$(session <<<"SELECT count(*) FROM good_victim;")"

# A remote session that ends between two transactions is noticed and made anew.
restart="$PG_BIN/psql -XqAt -h 127.0.0.1 -p ${PORT[victim]} -U postgres -d postgres -c \"SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = 'db'\" | grep -v 0"
same "connection lost between transactions" "3 1 3 " "$(session <<SQL | tr '\n' ' '
SELECT count(*) FROM good_victim;
\! $restart
SELECT count(*) FROM good_victim;
SQL
)"
cat >"$WORK/restart.sh" <<SH
$(declare -f as_server)
SERVER_USER=$SERVER_USER
as_server "$SERVER_BIN/pg_ctl" -D "$WORK/data/victim" -l "$WORK/log/victim.log" -m fast -w \\
    -o "-p ${PORT[victim]}" restart >/dev/null 2>&1 </dev/null
SH
same "server restarted between transactions" "3 3 " "$(session <<SQL | tr '\n' ' '
SELECT count(*) FROM good_victim;
\! bash $WORK/restart.sh
SELECT count(*) FROM good_victim;
SQL
)"
bad "connection lost inside a transaction" "(57P01|08000|08003|08006): " "
BEGIN;
UPDATE good_victim SET v = 'lost' WHERE id = 1;
\\! $restart
SELECT count(*) FROM good_victim;
COMMIT;"
same "nothing of that transaction is left" one "$(sql victim db -c "SELECT v FROM good WHERE id = 1")"
bad "connection lost before COMMIT" "(57P01|08007|08000|08003|08006): " "
BEGIN;
UPDATE good_victim SET v = 'lost' WHERE id = 1;
\\! $restart
COMMIT;"
same "nothing of that one either" one "$(sql victim db -c "SELECT v FROM good WHERE id = 1")"

# Timeouts and cancels end the remote query as well.
begin=${EPOCHREALTIME/./}
bad "statement_timeout" "57014: canceling statement due to statement timeout" \
    "SET statement_timeout = '500ms'; SELECT * FROM slow; RESET statement_timeout;"
ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
same "statement_timeout ends in time ($ms ms)" 1 "$((ms < 3000))"
if wait_for 3 '[[ $(remote_count "$busy") == 0 ]]'; then
    ok "statement_timeout: the remote query is gone"
else
    failed "statement_timeout: the remote query is gone" "$(remote_count "$busy") still run"
fi

# in_background SQL: starts a session; cancel_it FUNCTION CONDITION signals it once CONDITION holds.
in_background() {
    printf '%s\n' "$1" "SELECT 'alive', count(*) FROM good_main;" >"$WORK/bg.sql"
    bg "$WORK/bg.sql" "$WORK/bg.out"
}
signal_it() {
    wait_for 10 "$2" || failed "$1: the session waits" "$(cat "$WORK/bg.out")"
    sql coordinator postgres -c "SELECT $1(pid) FROM pg_stat_activity
        WHERE datname = 'coord' AND application_name = 'psql'" >/dev/null
}

in_background "SELECT * FROM slow;"
signal_it pg_cancel_backend '[[ $(remote_count "$busy") != 0 ]]'
begin=${EPOCHREALTIME/./}
wait "$BG"
ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
like "cancel during a remote query" "57014: canceling statement due to user request.*alive\|3" "$(<"$WORK/bg.out")"
same "cancel ends in time ($ms ms)" 1 "$((ms < 2000))"
wait_for 3 '[[ $(remote_count "$busy") == 0 ]]'
same "cancel: the remote query is gone" 0 "$(remote_count "$busy")"

in_background "BEGIN; DECLARE c CURSOR FOR SELECT * FROM big; FETCH 1 FROM c; SAVEPOINT s; SELECT count(*) FROM slow; ROLLBACK TO s; MOVE ALL FROM c; SELECT 'rest', id FROM good_victim WHERE id = 3; COMMIT;"
signal_it pg_cancel_backend '[[ $(remote_count "$busy") != 0 ]]'
wait "$BG"
like "cancel inside a savepoint: the transaction goes on" "57014.*rest\|3.*alive\|3" "$(<"$WORK/bg.out")"

in_background "SELECT * FROM slow;"
signal_it pg_terminate_backend '[[ $(remote_count "$busy") != 0 ]]'
wait "$BG"
like "terminated during a remote query" "57P01: terminating connection due to administrator command" "$(<"$WORK/bg.out")"
if wait_for 10 '[[ $(remote_count "true") == 0 ]]'; then
    ok "terminated: the remote session is gone"
else
    failed "terminated: the remote session is gone" "$(remote_count "$busy") still run"
fi

# Rows that are read ahead and then not wanted hold nobody up, neither in the transaction nor after it.
sql main db -c "CREATE FUNCTION nap(i int) RETURNS int LANGUAGE plpgsql AS 'BEGIN IF i = 150 THEN PERFORM pg_sleep(20); END IF; RETURN i; END'" \
    -c "CREATE VIEW napping AS SELECT nap(i) AS id FROM generate_series(1, 200) i"
sql coordinator coord -c "CREATE FOREIGN TABLE napping (id int) SERVER main"
begin=$SECONDS
same "rows that nobody wants" "1 3 1 3 " "$(session <<SQL | tr '\n' ' '
BEGIN; DECLARE c CURSOR FOR SELECT * FROM napping; FETCH 1 FROM c; CLOSE c; SELECT count(*) FROM good_main; COMMIT;
BEGIN; DECLARE c CURSOR FOR SELECT * FROM napping; FETCH 1 FROM c; COMMIT; SELECT count(*) FROM good_main;
SQL
)"
same "are not waited for ($((SECONDS - begin)) s)" 1 "$((SECONDS - begin < 10))"

# A listener that takes the connection and never says a word.
python3 -c "
import socket, sys, time
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(5)
print(s.getsockname()[1], flush=True)
held = []
while True: held.append(s.accept())
" >"$WORK/silent.port" &
silent=$!
wait_for 10 '[[ -s $WORK/silent.port ]]'
port=$(<"$WORK/silent.port")
foreign silent "host '127.0.0.1'" "port '$port'" "dbname 'db'"
in_background "SELECT * FROM good_silent;"
if [[ $FDW == shard_fdw ]]; then
    sleep_until='[[ $(sql coordinator postgres -c "SELECT count(*) FROM pg_stat_activity WHERE query ~ '"'silent'"' AND state = '"'active'"' AND pid <> pg_backend_pid()") == 1 ]]'
    signal_it pg_cancel_backend "$sleep_until"
    begin=${EPOCHREALTIME/./}
    wait "$BG"
    ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
    like "cancel in the middle of a connect" "57014: canceling statement due to user request.*alive\|3" "$(<"$WORK/bg.out")"
    same "cancel of a connect ends in time ($ms ms)" 1 "$((ms < 2000))"
    bad "statement_timeout in the middle of a connect" "57014: canceling statement due to statement timeout" \
        "SET statement_timeout = '300ms'; SELECT * FROM good_silent; RESET statement_timeout;"
else
    kill "$BG"
fi
sql coordinator coord -c "ALTER SERVER silent OPTIONS (ADD connect_timeout '2')"
begin=$SECONDS
bad "connect_timeout" "08001: could not connect to server \"silent\".*timeout" "SELECT * FROM good_silent;"
same "connect_timeout ends in time" 1 "$((SECONDS - begin < 6))"
kill "$silent" 2>/dev/null

# Several connections die at once; the coordinator has lost nothing.
if grep -h -E 'was terminated by signal|PANIC:' "$WORK/log/coordinator.log"; then
    failed "no backend of the coordinator crashed" "$(tail -20 "$WORK/log/coordinator.log")"
else
    ok "no backend of the coordinator crashed"
fi

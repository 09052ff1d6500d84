#!/usr/bin/env bash
# Transactional calls to partitions given by connection strings: whatever is killed at whichever step of a commit, all
# partitions and the coordinator end up the same, and nothing stays prepared. Two of the partitions are databases of one server.
# Conditions are evaluated by wait_for, later.
# shellcheck disable=SC2016
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_begin "$TREE"
coordinator "shard_fdw.resolver_interval = 1"
shard s1
shard s2
sql s1 postgres -c "CREATE DATABASE other"
at() { echo "host=127.0.0.1 port=${PORT[$1]} user=postgres dbname=$2"; }
on_all() {
    sql s1 db -c "$1"
    sql s1 other -c "$1"
    sql s2 db -c "$1"
    sql s2 postgres -c "$1"
}
on_all "CREATE TABLE acct (id int PRIMARY KEY); CREATE FUNCTION put(id int) RETURNS void LANGUAGE sql AS 'INSERT INTO acct VALUES (id)'"
sql coordinator coord -c "CREATE SERVER c FOREIGN DATA WRAPPER plproxy OPTIONS (transactional '1',
        p0 '$(at s1 db)', p1 '$(at s1 other)', p2 '$(at s2 db)', p3 '$(at s2 postgres)')" \
    -c "CREATE USER MAPPING FOR postgres SERVER c" -c "CREATE TABLE acct (id int PRIMARY KEY)" \
    -c "CREATE FUNCTION put(id int) RETURNS SETOF void LANGUAGE plproxy AS 'CLUSTER ''c''; RUN ON ALL;'"

prepared() { echo $(($(sql s1 db -c "SELECT count(*) FROM pg_prepared_xacts") + $(sql s2 db -c "SELECT count(*) FROM pg_prepared_xacts"))); }
# state ID: which of the tables have that row.
state() { { on_all "SELECT count(*) FROM acct WHERE id = $1"; sql coordinator coord -c "SELECT count(*) FROM acct WHERE id = $1"; } | tr -d '\n'; }
stopped() { grep -q '^State:.T' "/proc/$1/status" 2>/dev/null; }
go_on() { while kill -0 "$client" 2>/dev/null; do as_server kill -CONT "$1" 2>/dev/null; sleep 0.05; done; }

id=0
# fault POINT ACTION EXPECTED
fault() {
    local point=$1 action=$2 expected=$3 name="$2 at $1" pid
    id=$((id + 1))
    cat >"$WORK/fault.sql" <<SQL
SET application_name = 'fault_$id';
SET shard_fdw.debug_fault = '$point';
BEGIN;
SELECT put($id);
INSERT INTO acct VALUES ($id);
COMMIT;
SQL
    bg "$WORK/fault.sql" "$WORK/fault.out"
    client=$BG
    pid=
    wait_for 20 'pid=$(sql coordinator coord -c "SELECT pid FROM pg_stat_activity WHERE application_name = '"'fault_$id'"'"); [[ -n $pid ]] && stopped "$pid"' ||
        { failed "$name" "the backend did not stop: $(cat "$WORK/fault.out")"; kill "$client"; return; }
    case $action in
    kill_backend) as_server kill -9 "$pid" ;;
    kill_coordinator) server_kill coordinator; server_start coordinator ;;
    kill_shard) server_kill s2; go_on "$pid"; server_start s2 ;;
    terminate) as_server kill -TERM "$pid"; go_on "$pid" ;;
    esac
    wait "$client" 2>/dev/null
    wait_for 30 'sql coordinator coord -c "SELECT 1" >/dev/null 2>&1'
    if ! wait_for 30 '[[ $(prepared) == 0 ]]'; then
        failed "$name" "still prepared: $(sql coordinator coord -c "TABLE shard.in_doubt")"
    elif [[ ! $(state $id) =~ ^($expected)$ ]]; then
        failed "$name" "expected $expected, got $(state $id): $(cat "$WORK/fault.out")"
    else
        ok "$name"
    fi
}
for action in kill_backend kill_coordinator kill_shard terminate; do
    fault between-prepares $action 00000
    case $action in
    kill_backend | kill_coordinator) fault after-prepare $action 00000 ;;
    *) fault after-prepare $action '00000|11111' ;;
    esac
    fault after-commit $action 11111
    fault between-commits $action 11111
done

wait_for 30 '[[ $(sql coordinator coord -c "SELECT count(*) FROM shard.commit_log") == 0 ]]'
same "the decision log is emptied" 0 "$(sql coordinator coord -c "SELECT count(*) FROM shard.commit_log")"

# The option is taken away while a committed part is still prepared: the decision names the server, so it is asked.
sql coordinator postgres -c "ALTER SYSTEM SET shard_fdw.resolver_interval = 0" -c "SELECT pg_reload_conf()" >/dev/null
wait_for 30 '[[ $(sql coordinator coord -c "SHOW shard_fdw.resolver_interval") == 0 ]]'
wait_for 60 '[[ $(sql coordinator coord -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE '"'%resolver%'"'") == 0 ]]'
id=1000
printf 'SET application_name = %s;\nSET shard_fdw.debug_fault = %s;\nBEGIN;\nSELECT put(1000);\nINSERT INTO acct VALUES (1000);\nCOMMIT;\n' "'fault_1000'" "'after-commit'" >"$WORK/fault.sql"
bg "$WORK/fault.sql" "$WORK/fault.out"
pid=
wait_for 20 'pid=$(sql coordinator coord -c "SELECT pid FROM pg_stat_activity WHERE application_name = '"'fault_1000'"'"); [[ -n $pid ]] && stopped "$pid"'
as_server kill -9 "$pid"
wait "$BG" 2>/dev/null
wait_for 30 'sql coordinator coord -c "SELECT 1" >/dev/null 2>&1'
same "four parts are prepared" "4 commit" "$(sql coordinator coord -F ' ' -c "SELECT count(*), decision FROM shard.in_doubt GROUP BY 2")"
same "each is told with its partition" "c p0,c p1,c p2,c p3" "$(sql coordinator coord -c "SELECT string_agg(server, ',' ORDER BY server) FROM shard.in_doubt")"
sql coordinator coord -c "ALTER SERVER c OPTIONS (DROP transactional)"
one=$(sql coordinator coord -c "SELECT gid FROM shard.in_doubt WHERE server = 'c p2'")
sql coordinator coord -c "SELECT shard.resolve('$one', 'commit')" >/dev/null
same "one is finished by hand" "00101" "$(state 1000)"
same "the others by the resolver" 3 "$(sql coordinator coord -c "SELECT shard.resolve_now()")"
same "all is committed" "11111 0" "$(state 1000) $(prepared)"
sql coordinator coord -c "SELECT shard.resolve_now()" >/dev/null
same "the decision is forgotten" 0 "$(sql coordinator coord -c "SELECT count(*) FROM shard.commit_log")"

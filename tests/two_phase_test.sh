#!/usr/bin/env bash
# Commits over several shards: whatever is killed at whichever step, all shards and the coordinator
# end up the same, nothing stays prepared, and what was acknowledged is there.
#
# shard_fdw.debug_fault stops the backend at a step of the protocol; then something is killed.
# Conditions are evaluated by wait_for, later.
# shellcheck disable=SC2016
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_begin "$TREE"
coordinator "shard_fdw.resolver_interval = 1"
for name in s1 s2 s3; do
    shard "$name"
    foreign "$name"
    sql "$name" db -c "CREATE TABLE acct (id int PRIMARY KEY, v int)"
    sql coordinator coord -c "CREATE FOREIGN TABLE acct_$name (id int, v int) SERVER $name OPTIONS (table_name 'acct')"
done
sql coordinator coord -c "CREATE TABLE acct_local (id int PRIMARY KEY, v int)"

# prepared: how many transactions are prepared on all shards together.
prepared() {
    local name sum=0
    for name in s1 s2 s3; do
        sum=$((sum + $(sql "$name" db -c "SELECT count(*) FROM pg_prepared_xacts")))
    done
    echo "$sum"
}

# state ID: which of the tables have that row.
state() {
    local name
    for name in s1 s2; do sql "$name" db -c "SELECT count(*) FROM acct WHERE id = $1"; done | tr -d '\n'
    sql coordinator coord -c "SELECT count(*) FROM acct_local WHERE id = $1"
}

stopped() { grep -q '^State:.T' "/proc/$1/status" 2>/dev/null; }
# go_on PID: continues it, at later fault points too, until its client is gone.
go_on() { while kill -0 "$client" 2>/dev/null; do as_server kill -CONT "$1" 2>/dev/null; sleep 0.05; done; }

id=0
# fault POINT ACTION EXPECTED: a transaction over two shards and a local table stops at POINT, then ACTION.
fault() {
    local point=$1 action=$2 expected=$3 name="$2 at $1" pid begin
    id=$((id + 1))
    cat >"$WORK/fault.sql" <<SQL
SET application_name = 'fault_$id';
SET shard_fdw.debug_fault = '$point';
BEGIN;
INSERT INTO acct_s1 VALUES ($id, $id);
INSERT INTO acct_s2 VALUES ($id, $id);
INSERT INTO acct_local VALUES ($id, $id);
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
    cancel) as_server kill -INT "$pid"; go_on "$pid" ;;
    esac
    wait "$client" 2>/dev/null
    begin=$SECONDS
    wait_for 30 'sql coordinator coord -c "SELECT 1" >/dev/null 2>&1'
    if ! wait_for 30 '[[ $(prepared) == 0 ]]'; then
        failed "$name" "still prepared: $(sql coordinator coord -c "TABLE shard.in_doubt")"
    elif [[ ! $(state $id) =~ ^($expected)$ ]]; then
        failed "$name" "expected $expected, got $(state $id): $(cat "$WORK/fault.out")"
    else
        ok "$name ($((SECONDS - begin)) s)"
    fi
}

for action in kill_backend kill_coordinator kill_shard terminate cancel; do
    # What is stopped after the decision must be committed, whatever happens.
    stopped_early=000
    [[ $action != cancel ]] || stopped_early='000|111'
    fault before-prepare $action "$stopped_early"
    fault between-prepares $action "$stopped_early"
    # With all prepared, only the coordinator's own end decides.
    case $action in
    kill_backend | kill_coordinator) fault after-prepare $action 000 ;;
    *) fault after-prepare $action '000|111' ;;
    esac
    fault after-commit $action 111
    fault between-commits $action 111
done

wait_for 30 '[[ $(sql coordinator coord -c "SELECT count(*) FROM shard.commit_log") == 0 ]]'
same "the decision log is emptied" 0 "$(sql coordinator coord -c "SELECT count(*) FROM shard.commit_log")"

# shellcheck shell=bash
# Sourced by every *_test.sh: servers, sessions and checks. A check prints "ok name" or
# "FAILED name"; run.sh counts those lines. Nothing waits for a fixed time: wait_for polls.
#
# FDW=postgres_fdw runs the tests against the other wrapper, to see what it does.

set -uo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/env.sh"
# shellcheck source=scripts/cluster.sh
source "$ROOT/scripts/cluster.sh"

FDW=${FDW:-shard_fdw}
TREE=${TREE:-$("$ROOT/scripts/build.sh" "${PROFILE:-debug}")} || exit 1

ok() { printf 'ok %s\n' "$1"; }
# failed NAME WHAT
failed() { printf 'FAILED %s\n' "$1"; printf '%s\n' "$2" | sed 's/^/    /' | head -40; }

# same NAME EXPECTED GOT
same() { if [[ $3 == "$2" ]]; then ok "$1"; else failed "$1" "expected: $2"$'\n'"got: $3"; fi; }

# like NAME REGEX GOT
like() { if [[ $3 =~ $2 ]]; then ok "$1"; else failed "$1" "expected a match of: $2"$'\n'"got: $3"; fi; }

# coordinator: starts the server "coordinator" with a database "coord" that has the extension.
# shellcheck disable=SC2120 # arguments are optional
coordinator() {
    local preload=$FDW
    [[ $FDW == shard_fdw ]] || preload=""
    server_new coordinator "shared_preload_libraries = '$preload'" "$@"
    server_start coordinator
    sql coordinator postgres -c "CREATE DATABASE coord"
    sql coordinator coord -c "CREATE EXTENSION $FDW"
}

# shard NAME [SETTING...]: a server with a database "db" and a table good(id, v) of three rows.
shard() {
    local name=$1
    shift
    server_new "$name" "$@"
    server_start "$name"
    sql "$name" postgres -c "CREATE DATABASE db"
    sql "$name" db -c "CREATE TABLE good (id int PRIMARY KEY, v text);
        INSERT INTO good VALUES (1, 'one'), (2, 'two'), (3, 'three')"
}

# foreign SERVER [OPTION...]: a foreign server of that name for user postgres, by default with
# host and port of the running server of the same name.
foreign() {
    local name=$1
    shift
    [[ $# -gt 0 ]] || set -- "host '127.0.0.1'" "port '${PORT[$name]}'" "dbname 'db'"
    local IFS=,
    sql coordinator coord -c "CREATE SERVER $name FOREIGN DATA WRAPPER $FDW OPTIONS ($*)" \
        -c "CREATE USER MAPPING FOR postgres SERVER $name OPTIONS (user 'postgres')" \
        -c "CREATE FOREIGN TABLE good_$name (id int, v text) SERVER $name OPTIONS (table_name 'good')"
}

# session: psql on the coordinator (COORDINATOR: which server) that goes on after errors; prints rows and full errors.
session() {
    "$PG_BIN/psql" -XqAt -v VERBOSITY=verbose -h 127.0.0.1 -p "${PORT[${COORDINATOR:-coordinator}]}" \
        -U "${SESSION_USER:-postgres}" -d coord "$@" 2>&1
}

# bad NAME REGEX SQL: the statement fails with an error like REGEX (SQLSTATE first), and the same
# session can use another foreign table (good_main) afterwards.
bad() {
    local got
    got=$(session <<<"$3"$'\n'"SELECT 'alive', count(*) FROM good_main;")
    if [[ ! $got =~ ERROR:\ +$2 ]]; then
        failed "$1" "expected an error like: $2"$'\n'"got: $got"
    elif [[ ! $got =~ alive\|3 ]]; then
        failed "$1" "the session is not usable afterwards: $got"
    else
        ok "$1"
    fi
}

# bg SQL-FILE OUT: a session in the background; its process is $BG.
bg() {
    session -f "$1" >"$2" 2>&1 &
    export BG=$!
}

# timed NAME REGEX LIMIT SQL: a fresh session's answer, in less than LIMIT ms.
timed() {
    local begin=${EPOCHREALTIME/./} got ms
    got=$(session <<<"$4")
    ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
    if [[ ! $got =~ $2 ]]; then
        failed "$1" "expected: $2"$'\n'"got: $got"
    elif ((ms >= $3)); then
        failed "$1" "it took $ms ms"
    else
        ok "$1"
    fi
}

# Sessions that take statements one by one, from named pipes.
declare -A IN=() CLIENT=()
# open NAME [COORDINATOR]: begins one; its output is $WORK/out.NAME.
open() {
    local fd
    mkfifo "$WORK/in.$1"
    : >"$WORK/out.$1"
    # It must not hold the other one's pipe open.
    (
        for fd in "${IN[@]}"; do exec {fd}>&-; done
        COORDINATOR=${2:-coordinator} session <"$WORK/in.$1" >"$WORK/out.$1" 2>&1
    ) &
    CLIENT[$1]=$!
    exec {fd}>"$WORK/in.$1"
    IN[$1]=$fd
    say_to "$1" "SET application_name = '$1';"
}
# say_to NAME STATEMENT
say_to() { printf '%s\n' "$2" >&"${IN[$1]}"; }
# heard NAME WORD: the session has got as far as \echo WORD.
heard() { wait_for "${3:-10}" "grep -q '^$2\$' '$WORK/out.$1'"; }
# close NAME: ends the session.
close() {
    local fd=${IN[$1]}
    exec {fd}>&-
    unset "IN[$1]"
    wait "${CLIENT[$1]}" 2>/dev/null
    rm -f "$WORK/in.$1"
}

# hba SERVER LINE...: replaces pg_hba.conf.
hba() {
    local name=$1
    shift
    printf '%s\n' "$@" "local all all trust" |
        as_server sh -c "cat > '$WORK/data/$name/pg_hba.conf'"
}

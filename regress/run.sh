#!/usr/bin/env bash
# Runs the regression and isolation tests against real servers.
#
#   regress/run.sh [regress|isolation|all] [test...]
#
# One coordinator and two shard servers (db0 and db2 on one, db1 and db3 on the other). Each
# test gets a database of its own on the coordinator and four empty shard databases, so order
# does not matter. ACCEPT=1 copies the results over the expected files; look at the diff then.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/env.sh"
# shellcheck source=scripts/cluster.sh
source "$ROOT/scripts/cluster.sh"

kind=${1:-all}
[[ $# -eq 0 ]] || shift
wanted=("$@")
profile=${PROFILE:-debug}
tree=$("$ROOT/scripts/build.sh" "$profile")
pgxs=$(dirname "$("$PG_CONFIG" --pgxs)")/..
out=$ROOT/target/regress
passed=0 failed=0

cluster_begin "$tree"
server_new coordinator "shared_preload_libraries = '${PRELOAD-shard_fdw}'" "max_connections = 40" \
    "shard_fdw.resolver_interval = 0"
# Shards differ from the coordinator in every setting that could leak into a value.
odd=("timezone = 'Asia/Tokyo'" "datestyle = 'SQL, DMY'" "intervalstyle = 'sql_standard'"
    "extra_float_digits = 0" "bytea_output = 'escape'" "search_path = 'nowhere'"
    "default_transaction_isolation = 'read committed'" "standard_conforming_strings = on")
server_new shard_a "${odd[@]}"
server_new shard_b "${odd[@]}"
for server in coordinator shard_a shard_b; do server_start "$server"; done

# What common/*.sql read with \getenv.
export SHARD_FDW=${FDW:-shard_fdw} SHARD_HOST=127.0.0.1 SHARD_SOCKETS=$SOCKETS
export COORD_PORT=${PORT[coordinator]}
for n in 0 1 2 3; do
    server=shard_a
    [[ $((n % 2)) == 0 ]] || server=shard_b
    export "SHARD_PORT_$n=${PORT[$server]}"
    export "SHARD_DB$n=host=127.0.0.1 port=${PORT[$server]} user=postgres dbname=db$n options=-csearch_path=public"
done

# Drops what a test left behind on one server: prepared transactions, databases, roles.
clean_server() {
    local gid db
    while IFS=$'\t' read -r db gid; do
        sql "$1" "$db" -c "ROLLBACK PREPARED '${gid//\'/\'\'}'"
    done < <(sql "$1" postgres -F $'\t' -c "SELECT database, gid FROM pg_prepared_xacts")
    sql "$1" postgres <<'SQL'
SET client_min_messages = error;
SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database
  WHERE datname ~ '^(db[0-9]|regress_)' \gexec
SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE rolname ~ '^regress_' \gexec
SQL
}

# prepare DATABASE: empty databases for one test.
prepare() {
    local server
    for server in coordinator shard_a shard_b; do clean_server "$server"; done
    sql coordinator postgres -c "CREATE DATABASE $1"
    sql shard_a postgres -c "CREATE DATABASE db0" -c "CREATE DATABASE db2"
    sql shard_b postgres -c "CREATE DATABASE db1" -c "CREATE DATABASE db3"
    export SHARD_COORD="host=127.0.0.1 port=${PORT[coordinator]} user=postgres dbname=$1"
}

# names SCHEDULE: the tests to run, those named on the command line or all of the schedule.
names() {
    if [[ ${#wanted[@]} -gt 0 ]]; then
        printf '%s\n' "${wanted[@]}"
    else
        sed -n 's/^test: *//p' "$ROOT/regress/$1" | tr ' ' '\n' | sed '/^$/d'
    fi
}

# run_one PROGRAM TEST: one test through pg_regress or pg_isolation_regress.
run_one() {
    local program=$1 test=$2 db=regress_$2 dir=$out/$2 begin=${EPOCHREALTIME/./} status=ok ms
    rm -rf "$dir"
    mkdir -p "$dir"
    prepare "$db"
    if [[ $program == */pg_isolation_regress ]]; then
        sql coordinator "$db" -f "$ROOT/regress/common/shards.sql" >/dev/null || status=FAILED
    fi
    if ! (cd "$ROOT/regress" && "$program" --use-existing --dbname="$db" --bindir="$PG_BIN" \
        --inputdir=. --outputdir="$dir" --host=127.0.0.1 --port="${PORT[coordinator]}" \
        --user=postgres "$test") >"$dir/log" 2>&1; then
        status=FAILED
    fi
    if [[ ${ACCEPT:-0} == 1 && -f $dir/results/$test.out ]]; then
        cp "$dir/results/$test.out" "$ROOT/regress/expected/$test.out"
        status=accepted
    fi
    ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
    printf '%-10s %-28s %6d ms\n' "$status" "$test" "$ms"
    if [[ $status == FAILED ]]; then
        failed=$((failed + 1))
        head -200 "$dir/regression.diffs" 2>/dev/null || cat "$dir/log"
    else
        passed=$((passed + 1))
    fi
}

for suite in regress isolation; do
    [[ $kind == all || $kind == "$suite" ]] || continue
    case $suite in
    regress) program=$pgxs/test/regress/pg_regress schedule=schedule files=sql/%s.sql ;;
    isolation)
        program=$pgxs/test/isolation/pg_isolation_regress
        schedule=isolation_schedule files=specs/%s.spec
        ;;
    esac
    while read -r test; do
        # shellcheck disable=SC2059
        [[ -f $ROOT/regress/$(printf "$files" "$test") ]] || continue
        run_one "$program" "$test" </dev/null
    done < <(names "$schedule")
done
# A crash of a backend is a failure even where the output happens to fit.
if grep -h -E 'was terminated by signal|PANIC:' "$WORK"/log/*.log; then
    failed=$((failed + 1))
fi
[[ $((passed + failed)) -gt 0 ]] || die "no such test"
say "regress: $passed passed, $failed failed"
[[ $failed == 0 ]]

#!/usr/bin/env bash
# Side by side: shard_fdw against its peers, on servers of its own, in the same run.
#
#   bench/run.sh [workload...]      ROUNDS=5 by default
#
# Every workload in bench/workloads/ names its contestants; the last one is shard_fdw. They run in
# turn, round after round, so that a busy moment of the machine hits all of them. Shown: each
# contestant's median, and the ratio of shard_fdw's median to it (above 1: shard_fdw is faster).
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/env.sh"
# shellcheck source=scripts/cluster.sh
source "$ROOT/scripts/cluster.sh"

rounds=${ROUNDS:-5}
tree=$("$ROOT/scripts/build.sh" release)
cluster_begin "$tree"
server_new coordinator "shared_preload_libraries = 'shard_fdw'" "shared_buffers = 256MB"
server_new shard "shared_buffers = 1GB" "max_wal_size = 4GB"
server_start coordinator
server_start shard
sql coordinator postgres -c "CREATE DATABASE bench"
sql shard postgres -c "CREATE DATABASE bench"
sql coordinator bench -c "CREATE EXTENSION shard_fdw" -c "CREATE EXTENSION postgres_fdw"

# peer SERVER WRAPPER [OPTION...]: a foreign server on the shard.
peer() {
    local name=$1 wrapper=$2
    shift 2
    local IFS=,
    sql coordinator bench -c "CREATE SERVER $name FOREIGN DATA WRAPPER $wrapper
        OPTIONS ($(IFS=,; printf '%s' "host '127.0.0.1', port '${PORT[shard]}', dbname 'bench'${*:+,$*}"))" \
        -c "CREATE USER MAPPING FOR postgres SERVER $name OPTIONS (user 'postgres')"
}
peer postgres_fdw postgres_fdw
peer postgres_fdw_tuned postgres_fdw "fetch_size '10000'"
peer shard_fdw shard_fdw

# tps SERVER FILE [pgbench arguments]: transactions per second, prepared statements.
tps() {
    local server=$1 file=$2
    shift 2
    "$PG_BIN/pgbench" -h 127.0.0.1 -p "${PORT[$server]}" -U postgres -n -M prepared -c 1 -j 1 \
        -T "${SECONDS_PER_RUN:-3}" -f "$file" "$@" bench 2>>"$WORK/bench.log" |
        sed -n 's/^tps = \([0-9.]*\) .*/\1/p'
}

# per_second SQL: one run of the statement on the coordinator, as runs per second.
per_second() {
    local begin=${EPOCHREALTIME/./}
    sql coordinator bench -c "$1" >/dev/null
    awk -v us=$((${EPOCHREALTIME/./} - begin)) 'BEGIN { printf "%.4f\n", 1e6 / us }'
}

median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

title="" unit="" contestants=()
for file in "$ROOT"/bench/workloads/*.sh; do
    workload=$(basename "$file" .sh)
    [[ $# -eq 0 || " $* " == *" $workload "* ]] || continue
    # A workload sets title, unit and contestants, and defines prepare and measure CONTESTANT,
    # which prints a rate: more is better.
    # shellcheck source=/dev/null
    source "$file"
    prepare
    for contestant in "${contestants[@]}"; do measure "$contestant" >/dev/null; done
    for ((round = 1; round <= rounds; round++)); do
        for contestant in "${contestants[@]}"; do
            measure "$contestant" >>"$WORK/$workload.$contestant"
        done
    done
    ours=$(median <"$WORK/$workload.shard_fdw")
    printf '\n%s (%s, median of %d rounds)\n' "$title" "$unit" "$rounds"
    for contestant in "${contestants[@]}"; do
        value=$(median <"$WORK/$workload.$contestant")
        awk -v name="$contestant" -v value="$value" -v ours="$ours" 'BEGIN {
            printf "  %-22s %12.2f", name, value
            if (name != "shard_fdw") printf "   shard_fdw is %.2f times as fast", ours / value
            print "" }'
    done
done

#!/usr/bin/env bash
# Side by side: the function language against PL/Proxy itself, in the same run, on the six workloads of the 2015
# walk-through over 32 databases, and RUN ON ALL over them.
#
#   bench/plproxy.sh [workload...]      ROUNDS=5, CLIENTS="1 8 45", SLICE=1 by default: about ten minutes
#
# For each line both contestants' clients connect, call the function on every partition until its statements are prepared,
# and are then stopped (SIGSTOP): nothing of that is measured. From then on they run in turn, for SLICE seconds each after a
# part of one that does not count, and who begins changes from round to round. Each round gives a ratio of calls per second,
# and one of the CPU time per call in the servers (coordinator and partitions together), which says more where others use the
# machine; the line shows the medians. Both work on the same partitions, whose tables are levelled before each line. Errors,
# and a slice without a call, end it all. Without PL/Proxy (package postgresql-NN-plproxy) only our own figures are shown.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/env.sh"
# shellcheck source=scripts/cluster.sh
source "$ROOT/scripts/cluster.sh"
# shellcheck source=bench/plproxy_lib.sh
source "$ROOT/bench/plproxy_lib.sh"

rounds=${ROUNDS:-5}
slice=${SLICE:-1}
read -r -a clients <<<"${CLIENTS:-1 8 45}"
if [[ $# -gt 0 ]]; then workloads=("$@"); fi
# By contestant: its pgbench, and the files that tell what its backends have used.
declare -A pgbench=() used=()

median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# troubles CONTESTANT: what its clients complain about.
troubles() { grep -m1 -E 'ERROR|FATAL|PANIC|aborted|could not|server closed' "$WORK/$1.out"; }

# asleep CONTESTANT: how many of its clients wait at the gate.
asleep() {
    sql coordinator postgres -c "SELECT count(*) FROM pg_stat_activity WHERE datname = '$1' AND wait_event = 'PgSleep'"
}

# start CONTESTANT WORKLOAD CLIENTS: clients that are connected, warm and stopped.
start() {
    local warm=$((8 * partitions)) server
    if [[ $2 == query_all ]]; then warm=8; fi
    cat >"$WORK/$1.sql" <<SQL
\\if :call < $warm
\\set id :call
\\else
\\if :call = $warm
select bench.gate();
\\endif
\\set id random(0, $users)
\\endif
\\set call :call + 1
select $2(:id);
SQL
    sql coordinator "$1" -c "UPDATE bench.open SET yes = false"
    "$PG_BIN/pgbench" -h 127.0.0.1 -p "${PORT[coordinator]}" -U postgres -n -M prepared -c "$3" \
        -D call=0 -T 36000 -P 1 -f "$WORK/$1.sql" "$1" >"$WORK/$1.out" 2>&1 &
    pgbench[$1]=$!
    wait_for 180 "troubles $1 >/dev/null || [[ \$(asleep $1) == $3 ]]" || die "$1 $2: the clients do not get ready"
    if troubles "$1" >&2; then die "$1 $2: there were errors"; fi
    kill -STOP "${pgbench[$1]}"
    used[$1]=""
    for server in coordinator shard; do
        used[$1]+=" $(sql "$server" postgres -c "SELECT string_agg('/proc/' || pid || '/schedstat', ' ') FROM pg_stat_activity
            WHERE datname = '$1' OR application_name = '$1'")"
    done
    sql coordinator "$1" -c "UPDATE bench.open SET yes = true"
    wait_for 60 "[[ \$(asleep $1) == 0 ]]" || die "$1 $2: the gate does not open"
}

# reports CONTESTANT N: waits until pgbench has written N lines of progress in all.
reports() {
    wait_for 60 "[[ \$(grep -c ^progress: '$WORK/$1.out') -ge $2 ]]" || die "$1: no progress; $(tail -3 "$WORK/$1.out")"
}

# account CONTESTANT: the nanoseconds that its backends have used so far, and the time.
account() {
    # shellcheck disable=SC2086
    cat ${used[$1]} 2>/dev/null | awk -v now="$EPOCHREALTIME" '{ sum += $1 } END { printf "%.0f %s\n", sum, now }'
}

# turn CONTESTANT: lets it run; adds its calls per second and microseconds per call to its files.
turn() {
    local seen before after used_at_once
    seen=$(grep -c ^progress: "$WORK/$1.out" || true)
    kill -CONT "${pgbench[$1]}"
    # One report of the time it stood still and one of what is left of the second; from there on they are whole seconds.
    reports "$1" $((seen + 2))
    before=$(account "$1")
    reports "$1" $((seen + 2 + slice))
    after=$(account "$1")
    kill -STOP "${pgbench[$1]}"
    # A busy machine looks at the accounts later than at the calls: both are taken by the second.
    used_at_once=$(awk '{ print ($3 - $1) / 1000 / ($4 - $2) }' <<<"$before $after")
    grep ^progress: "$WORK/$1.out" | awk -v first=$((seen + 2)) -v last=$((seen + 2 + slice)) -v cpu="$used_at_once" \
        -v rates="$WORK/$1.rates" -v costs="$WORK/$1.costs" '
        NR == first { from = $2 } NR > first && NR <= last { calls += $4 * ($2 - at) } { at = $2 } NR == last { to = $2 }
        END { if (calls < 1) exit 1; rate = calls / (to - from); print rate >>rates; print cpu / rate >>costs }' ||
        die "$1: no calls in a slice; $(tail -3 "$WORK/$1.out")"
    if troubles "$1" >&2; then die "$1: there were errors"; fi
}

# finish CONTESTANT: its clients end, and wait for their backends.
finish() {
    kill -KILL "${pgbench[$1]}"
    { wait "${pgbench[$1]}"; } 2>/dev/null || true
    unset "pgbench[$1]"
    local others="SELECT count(*) FROM pg_stat_activity WHERE datname = '$1' OR application_name = '$1'"
    wait_for 120 "[[ \$(sql shard postgres -c \"$others\") == 0 && \$(sql coordinator postgres -c \"$others\") == 0 ]]" ||
        die "$1: backends do not end"
}

# Stopped clients would be left behind.
leave() {
    if [[ $BASHPID == "$CLUSTER_OWNER" && ${#pgbench[@]} -gt 0 ]]; then kill -KILL "${pgbench[@]}" 2>/dev/null || true; fi
    (exit "$1") && true
    cluster_end
}

layout "$(printf '%s\n' "${clients[@]}" | sort -n | tail -1)"
trap 'leave $?' EXIT

printf '%-22s %7s  %s\n' "" "" "calls per second, ratio ours to PL/Proxy's; microseconds of CPU time per call, ratio PL/Proxy's to ours"
printf '%-22s %7s' workload clients
for unit in "" us; do
    for contestant in "${contestants[@]}"; do printf ' %11s' "$contestant$unit"; done
    if [[ ${#contestants[@]} -gt 1 ]]; then printf '   ratio'; fi
done
printf '\n'
for workload in "${workloads[@]}"; do
    for count in "${clients[@]}"; do
        level_off
        for contestant in "${contestants[@]}"; do rm -f "$WORK/$contestant".{rates,costs}; done
        for contestant in "${contestants[@]}"; do start "$contestant" "$workload" "$count"; done
        for ((round = 1; round <= rounds; round++)); do
            order=("${contestants[@]}")
            if [[ $((round % 2)) == 0 && ${#order[@]} == 2 ]]; then order=("${order[1]}" "${order[0]}"); fi
            for contestant in "${order[@]}"; do turn "$contestant"; done
        done
        for contestant in "${contestants[@]}"; do finish "$contestant"; done
        printf '%-22s %7d' "$workload" "$count"
        for what in rates costs; do
            for contestant in "${contestants[@]}"; do printf ' %11.1f' "$(median <"$WORK/$contestant.$what")"; done
            [[ ${#contestants[@]} -gt 1 ]] || continue
            ratio=$(paste "$WORK/plproxy.$what" "$WORK/shard_fdw.$what" |
                awk -v what=$what '{ print (what == "rates" ? $2 / $1 : ($2 > 0 ? $1 / $2 : 0)) }' | median)
            printf '  %6.2f' "$ratio"
            echo "$ratio" >>"$WORK/ratios.$what"
        done
        printf '\n'
    done
done
if [[ ${#contestants[@]} -gt 1 ]]; then
    for what in rates costs; do
        [[ $what == rates ]] && name="calls per second" || name="CPU time per call"
        say "$name: median of the ratios $(median <"$WORK/ratios.$what"), least $(sort -g "$WORK/ratios.$what" | head -1)"
    done
fi

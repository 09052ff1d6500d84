#!/usr/bin/env bash
# Random statements on sharded tables and on local copies: the same rows, or an error on both sides.
#
#   SEED=7 COUNT=5000 tests/run.sh random     longer, with another seed; KIND=queries or KIND=changes for one of the two
#
# What differs is printed with seed, settings, the statements before, both results and the plan.
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/random/cluster.sh
source "$ROOT/tests/random/cluster.sh"
cluster_begin "$TREE"
random_cluster "${SEED:-1}"

# run KIND SEED COUNT
run() {
    local got
    if got=$(python3 -B "$ROOT/tests/random/compare.py" "${PORT[coordinator]}" "$@" 2>&1); then
        ok "$(head -1 <<<"$got")"
    else
        failed "random $1, seed $2" "$(head -c 20000 <<<"$got")"
        [[ -z ${SEED:-} ]] || printf '%s\n' "$got"
    fi
}

for kind in ${KIND:-queries changes}; do
    if [[ -n ${SEED:-} ]]; then
        run "$kind" "$SEED" "${COUNT:-1000}"
    else
        for seed in 1 2 3; do run "$kind" "$seed" "${COUNT:-250}"; done
    fi
done
if grep -h -E 'was terminated by signal|PANIC:' "$WORK"/log/*.log; then
    failed "random statements end a server's process" "see above"
else
    ok "no process of a server died"
fi

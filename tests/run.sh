#!/usr/bin/env bash
# Runs tests/*_test.sh: faults and set-ups that need servers of their own.
#
#   tests/run.sh [name...]
set -uo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/env.sh"

passed=0 failed=0
log=$ROOT/target/cluster.log
TREE=$("$ROOT/scripts/build.sh" "${PROFILE:-debug}") || die "cluster: 0 passed, 1 failed"
export TREE
for file in "$ROOT"/tests/*_test.sh; do
    name=$(basename "$file" _test.sh)
    [[ $# -eq 0 || " $* " == *" $name "* ]] || continue
    say "-- $name"
    bash "$file" 2>&1 </dev/null | tee "$log"
    status=${PIPESTATUS[0]}
    ok=$(grep -c '^ok ' "$log")
    bad=$(grep -c '^FAILED ' "$log")
    [[ $status -eq 0 || $bad -gt 0 ]] || bad=1
    passed=$((passed + ok)) failed=$((failed + bad))
done
[[ $((passed + failed)) -gt 0 ]] || failed=1
say "cluster: $passed passed, $failed failed"
[[ $failed -eq 0 ]]

#!/usr/bin/env bash
# Everything: lint, layout, the other versions, unit, regression, isolation and cluster tests.
# The last line is "N passed, N failed" over all of them.
set -uo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT" || exit 1
"$ROOT/scripts/setup.sh" full || die "0 passed, 1 failed"
find_postgres && find_rust

passed=0 failed=0
mkdir -p "$ROOT/target"

# suite NAME COMMAND...: counts from the suite's "x: N passed, N failed" line or cargo's summary.
suite() {
    local name=$1 log=$ROOT/target/test-$1.log status ok bad begin=$SECONDS
    shift
    say "== $name"
    "$@" 2>&1 </dev/null | tee "$log"
    status=${PIPESTATUS[0]}
    read -r ok bad < <(awk '
        /^[a-z]+: [0-9]+ passed, [0-9]+ failed$/ { ok += $2; bad += $4 }
        /^test result: / { ok += $4; bad += $6 }
        END { print ok + 0, bad + 0 }' "$log")
    if [[ $status -ne 0 && $bad -eq 0 ]]; then
        say "$name ended with status $status"
        bad=1
    fi
    passed=$((passed + ok)) failed=$((failed + bad))
    say "== $name: $((SECONDS - begin)) s"
    say ""
}

suite lint scripts/lint.sh
suite layout scripts/check_layout.sh
suite compat scripts/compat.sh
suite unit scripts/unit.sh
suite regress regress/run.sh all
suite cluster tests/run.sh

say "$passed passed, $failed failed"
[[ $failed -eq 0 && $passed -gt 0 ]]

#!/usr/bin/env bash
# Formatting, clippy without a single warning, shellcheck, and the project's own layout rules.
set -uo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT" || exit 1

passed=0 failed=0
# step NAME COMMAND...
step() {
    local name=$1
    shift
    if "$@"; then
        printf '%-10s %s\n' ok "$name"
        passed=$((passed + 1))
    else
        printf '%-10s %s\n' FAILED "$name"
        failed=$((failed + 1))
    fi
}

step "cargo fmt" cargo fmt --check
step "cargo clippy" cargo clippy --quiet --no-default-features \
    --features "pg$PG_MAJOR" -- -D warnings
if command -v shellcheck >/dev/null; then
    step "shellcheck" shellcheck -x scripts/*.sh regress/run.sh tests/*.sh bench/*.sh .ci/run
fi
say "lint: $passed passed, $failed failed"
[[ $failed == 0 ]]

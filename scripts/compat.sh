#!/usr/bin/env bash
# Type-checks the extension against the PostgreSQL versions that are not installed.
#
#   scripts/compat.sh [16 17 18]
#
# pgrx-pg-sys ships bindings of every version; rustc-docsrs.sh makes it use them.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

[[ $# -gt 0 ]] || set -- 16 17 18
export DOCS_RS=1 RUSTC_WRAPPER=$ROOT/scripts/rustc-docsrs.sh
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}-compat
cd "$ROOT"
passed=0 failed=0
for major in "$@"; do
    if cargo check --quiet --no-default-features --features "pg$major"; then
        say "ok         pg$major"
        passed=$((passed + 1))
    else
        say "FAILED     pg$major"
        failed=$((failed + 1))
    fi
done
say "compat: $passed passed, $failed failed"
[[ $failed == 0 ]]

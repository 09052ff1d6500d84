#!/usr/bin/env bash
# Checks what no compiler checks: the layers, the fence, file sizes, the schedules, the version.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

passed=0 failed=0
# check NAME FINDINGS: passes when there are no findings.
check() {
    if [[ -z $2 ]]; then
        say ok "$1"
        passed=$((passed + 1))
    else
        say FAILED "$1"
        printf '%s\n' "$2" | sed 's/^/    /'
        failed=$((failed + 1))
    fi
}
say() { printf '%-10s %s\n' "$1" "$2"; }

# Bottom up, as lib.rs lists them. options..fdw import downwards only.
layers=$(sed -n 's/^mod \([a-z]*\);$/\1/p' src/lib.rs)

upward() {
    local layer above="" found
    for layer in $(printf '%s\n' "$layers" | tac); do
        if [[ -n $above ]]; then
            found=$(grep -rnE "crate::($above)\b" "src/$layer" "src/$layer.rs" 2>/dev/null |
                grep -vE '^[^:]*:[0-9]+: *//' || true)
            [[ -z $found ]] || printf '%s\n' "$found"
            # use crate::{a, b}
            grep -rnE "use crate::\{[^}]*\b($above)\b" "src/$layer" "src/$layer.rs" 2>/dev/null || true
        fi
        above="${above:+$above|}$layer"
    done
}

unscheduled() {
    local file name
    for file in regress/sql/*.sql regress/specs/*.spec; do
        [[ -f $file ]] || continue
        name=$(basename "${file%.*}")
        case $file in
        *.sql) grep -qE "^test:.*\b$name\b" regress/schedule || echo "$file" ;;
        *.spec) grep -qE "^test:.*\b$name\b" regress/isolation_schedule || echo "$file" ;;
        esac
        [[ -f regress/expected/$name.out ]] || echo "$file has no expected output"
    done
}

versions() {
    local version
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
    grep -q "^## $version\b" CHANGELOG.md || echo "CHANGELOG.md does not have version $version"
    grep -q "^name = \"shard_fdw\"" -A1 Cargo.lock && grep -A1 '^name = "shard_fdw"' Cargo.lock |
        grep -q "\"$version\"" || echo "Cargo.lock does not have version $version"
    grep -q "^default_version = '@CARGO_VERSION@'" shard_fdw.control ||
        grep -q "^default_version = '$version'" shard_fdw.control ||
        echo "shard_fdw.control does not have version $version"
}

pure_without_pgrx() {
    grep -rlE '^#!\[forbid\(unsafe_code\)\]' src | xargs -r grep -nE '\bpgrx::|use pgrx' |
        grep -vE 'use pgrx::pg_sys::Oid;' || true
}

check "no import from a higher layer" "$(upward)"
check "version switches only in pg/compat.rs" \
    "$(grep -rnE 'cfg\(.*feature *= *"pg1' src | grep -vE '^src/(pg/compat(/[a-z_]+)?|lib)\.rs:' || true)"
check "no file over 400 lines" \
    "$(find src scripts regress tests bench \( -name '*.rs' -o -name '*.sh' \) -exec wc -l {} + |
        awk '$1 > 400 && $2 != "total"')"
check "every source file opens with its contract" \
    "$(find src -name '*.rs' ! -name tests.rs -exec sh -c 'head -4 "$1" | grep -q "^//!" || echo "$1"' _ {} \;)"
check "pure modules leave pgrx alone" "$(pure_without_pgrx)"
check "every test is in a schedule and has its expected output" "$(unscheduled)"
check "one version number" "$(versions)"
check "README.md has at most 150 lines" "$(awk 'END { if (NR > 150) print NR " lines" }' README.md)"
printf 'layout: %d passed, %d failed\n' "$passed" "$failed"
[[ $failed == 0 ]]

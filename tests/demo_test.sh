#!/usr/bin/env bash
# The demo runs to its end without a surprise and leaves nothing behind.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$(KEEP=0 PROFILE=${PROFILE:-debug} "$root/scripts/demo.sh" 2>&1)
status=$?
if [[ $status -eq 0 ]]; then
    echo "ok the demo"
else
    echo "FAILED the demo"
    printf '%s\n' "$out" | tail -60
fi
folder=$(printf '%s\n' "$out" | sed -n 's/.* shards in \(.*\) \.\.\./\1/p')
if [[ -n $folder && ! -e $folder ]]; then
    echo "ok the demo leaves nothing behind"
else
    echo "FAILED the demo leaves nothing behind"
fi

#!/usr/bin/env bash
# Unit tests of the modules that need no server.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"

# Not with cargo-pgrx's linker flags: the test program must drop what calls into the server.
exec cargo test --quiet --lib --no-default-features --features "pg$PG_MAJOR" "$@"

#!/usr/bin/env bash
# Installs a release build into the PostgreSQL of PG_CONFIG.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

sudo=()
[[ -w $("$PG_CONFIG" --pkglibdir) ]] || sudo=(--sudo)
cd "$ROOT"
cargo pgrx install --release "${sudo[@]}" --pg-config "$PG_CONFIG" \
    --no-default-features --features "pg$PG_MAJOR"
say ""
say "installed for PostgreSQL $PG_MAJOR. In postgresql.conf: shared_preload_libraries = 'shard_fdw',"
say "restart the server, then in a database: CREATE EXTENSION shard_fdw;"

#!/usr/bin/env bash
# The walk-through on throw-away servers: a coordinator and four shards, each its own server.
#
# KEEP=0 ends at once; otherwise the servers run until Enter or Ctrl-C.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
# shellcheck source=scripts/cluster.sh
source "$ROOT/scripts/cluster.sh"

tree=$("$ROOT/scripts/build.sh" "${PROFILE:-release}")
cluster_begin "$tree"
say "Starting a coordinator and four shards in $WORK ..."
server_new coordinator "shared_preload_libraries = 'shard_fdw'"
server_start coordinator
sql coordinator postgres -c "CREATE DATABASE master"
variables=(-v "master=host=127.0.0.1 port=${PORT[coordinator]} user=postgres dbname=master")
for n in 0 1 2 3; do
    server_new "shard$n"
    server_start "shard$n"
    port=${PORT[shard$n]}
    sql "shard$n" postgres -c "CREATE DATABASE db$n"
    variables+=(-v "port$n=$port"
        -v "db$n=host=127.0.0.1 port=$port user=postgres dbname=db$n")
done

# The script's own file is not named in errors when psql reads it as its input.
"$PG_BIN/psql" -X -d "host=127.0.0.1 port=${PORT[coordinator]} user=postgres dbname=master" \
    "${variables[@]}" <"$ROOT/scripts/demo.sql" 2>&1 | tee "$WORK/demo.out"

errors=$(grep -c '^ERROR: ' "$WORK/demo.out" || true)
expected=$(grep -c 'must fail' "$ROOT/scripts/demo.sql")
[[ $errors -eq $expected ]] ||
    die "The demo saw $errors errors instead of the $expected that belong to it."

say ""
say "That was the walk-through."
if [[ ${KEEP:-1} != 0 ]]; then
    say "Try it yourself, from another terminal:"
    say "    psql \"host=127.0.0.1 port=${PORT[coordinator]} user=postgres dbname=master\""
    for n in 0 1 2 3; do
        say "    psql \"host=127.0.0.1 port=${PORT[shard$n]} user=postgres dbname=db$n\""
    done
    say "Enter or Ctrl-C stops the servers and removes $WORK."
    trap 'exit 0' INT
    read -r _ || true
fi
say "Stopping the servers."

#!/usr/bin/env bash
# Builds the extension and lays out a private PostgreSQL around it.
#
#   scripts/build.sh [debug|release]     prints the path of the tree
#
# The tree has copies of the server's program and links to the rest of the installation, plus
# our library, control file and SQL. PostgreSQL finds its files relative to its own program, so
# servers started from the tree see the extension while the machine's installation stays as it
# is: no root is needed and checkouts do not get in each other's way.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

profile=${1:-debug}
case $profile in
debug) flags=(--debug) ;;
release) flags=() ;;
*) die "usage: build.sh [debug|release]" ;;
esac
[[ -n ${PG_BIN:-} ]] || die "no PostgreSQL 15 to 18 with development files found: run 'make setup'"

target=${CARGO_TARGET_DIR:-$ROOT/target}
tree=$target/pg$PG_MAJOR-$profile
stamp=$tree/.stamp
log=$target/build-$profile.log
mkdir -p "$target"

# What the tree was made from. Cargo would find out as well, but packaging takes seconds.
fingerprint() {
    cd "$ROOT"
    set +o pipefail # a checkout without sql/ is fine
    {
        "$PG_CONFIG" --version
        cargo --version
        find ./src ./sql ./.cargo Cargo.toml Cargo.lock ./*.control scripts/build.sh -type f \
            -print0 2>/dev/null | sort -z | xargs -0 -r sha256sum
    } | sha256sum
}

now=$(fingerprint)
if [[ ! -f $stamp || $(<"$stamp") != "$now" ]]; then
    say "building the extension ($profile, PostgreSQL $PG_MAJOR) ..." >&2
    rm -rf "$tree.new"
    (cd "$ROOT" && cargo pgrx package "${flags[@]}" --pg-config "$PG_CONFIG" \
        --no-default-features --features "pg$PG_MAJOR" --out-dir "$tree.new") >"$log" 2>&1 || {
        cat "$log" >&2
        die "the build failed"
    }
    share=$("$PG_CONFIG" --sharedir) lib=$("$PG_CONFIG" --pkglibdir)
    mkdir -p "$tree.new$share/extension" "$tree.new$lib" "$tree.new$PG_BIN"
    # A link would be resolved back to the real installation, hence the copies.
    cp "$PG_BIN/postgres" "$PG_BIN/pg_ctl" "$PG_BIN/initdb" "$tree.new$PG_BIN/"
    for dir in "$share" "$share/extension" "$lib"; do
        for file in "$dir"/*; do
            name=$(basename "$file")
            case $name in
            shard_fdw*) continue ;;
            extension) [[ $dir == "$share" ]] && continue ;;
            esac
            ln -sf "$file" "$tree.new$dir/$name"
        done
    done
    echo "$now" >"$tree.new/.stamp"
    rm -rf "$tree"
    mv "$tree.new" "$tree"
fi
printf '%s\n' "$tree"

#!/usr/bin/env bash
# Installs what building and testing need and is missing; under a second when nothing is.
#
# Debian and Ubuntu, as root or with sudo. Rust itself is left to the user (https://rustup.rs).
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

pgrx_version=$(sed -n 's/^pgrx = "=\(.*\)"/\1/p' "$ROOT/Cargo.toml")

as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "neither root nor sudo: please install these packages yourself: ${packages[*]}"
    fi
}

apt_updated=0
apt_update() {
    [[ $apt_updated == 0 ]] || return 0
    say "apt-get update"
    as_root apt-get update -qq
    apt_updated=1
}

packages=()
# need TEST PACKAGE...: adds the packages unless the test succeeds.
need() {
    local test=$1
    shift
    eval "$test" >/dev/null 2>&1 || packages+=("$@")
}

if ! find_postgres; then
    [[ -f /etc/debian_version ]] ||
        die "no PostgreSQL 15 to 18 with development files found; set PG_CONFIG to its pg_config"
    packages=(postgresql)
    apt_update
    for major in ${PG_MAJOR:-18 17 16 15}; do
        if apt-cache policy "postgresql-server-dev-$major" | grep -q 'Candidate: [0-9]'; then
            PG_MAJOR=$major
            break
        fi
    done
    [[ -n ${PG_MAJOR:-} ]] || die "the distribution has no PostgreSQL 15 to 18"
    packages=("postgresql-$PG_MAJOR" "postgresql-server-dev-$PG_MAJOR")
fi
need 'command -v cc' gcc libc6-dev
need 'command -v pkg-config' pkg-config
need 'compgen -G "/usr/lib/llvm-*/lib/libclang*.so*" || ldconfig -p | grep libclang' libclang-dev
need 'pkg-config --exists openssl' libssl-dev
need 'command -v python3' python3
need 'command -v openssl' openssl
need 'command -v ps' procps
need 'command -v setpriv' util-linux
# Only the full test run wants it.
[[ ${1:-} != full ]] || need 'command -v shellcheck' shellcheck

if [[ ${#packages[@]} -gt 0 ]]; then
    [[ -f /etc/debian_version ]] || die "please install: ${packages[*]}"
    say "installing: ${packages[*]}"
    apt_update
    log=$(mktemp)
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${packages[@]}" >"$log" 2>&1 || {
        cat "$log" >&2
        die "installing the packages failed"
    }
    rm -f "$log"
fi
find_postgres || die "PostgreSQL was installed, but its pg_config is not where it should be"

find_rust || die "cargo was not found: install Rust 1.95 or newer, see https://rustup.rs"
(cd "$ROOT" && cargo --version) >/dev/null ||
    die "cargo does not run here: Rust 1.95 or newer is needed, see https://rustup.rs"

if [[ $(cargo pgrx --version 2>/dev/null) != "cargo-pgrx $pgrx_version" ]]; then
    say "installing cargo-pgrx $pgrx_version (some minutes, once)"
    (cd "$ROOT" && cargo install cargo-pgrx --version "$pgrx_version" --locked --quiet)
fi
if ! grep -qs "^pg$PG_MAJOR *= *\"$PG_CONFIG\"" "${PGRX_HOME:-$HOME/.pgrx}/config.toml"; then
    say "cargo pgrx init for PostgreSQL $PG_MAJOR"
    (cd "$ROOT" && cargo pgrx init "--pg$PG_MAJOR" "$PG_CONFIG" >/dev/null 2>&1) ||
        die "cargo pgrx init failed"
fi

# shellcheck shell=bash
# Sourced by every script: where things are, which PostgreSQL and which Rust are used.
#
# Sets ROOT, PG_MAJOR, PG_CONFIG, PG_BIN, SERVER_USER and the functions say, die, as_server.
# PG_MAJOR may be given from outside; otherwise the newest of 15..18 that can build extensions.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export ROOT

# A backtrace in a server's environment ends up in the DETAIL of errors; libpq variables of
# the caller would send our clients to another server.
unset RUST_BACKTRACE PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGPASSWORD PGPASSFILE \
    PGSERVICE PGSSLMODE PGOPTIONS PGAPPNAME PGTARGETSESSIONATTRS
export LC_ALL=C.UTF-8

say() { printf '%s\n' "$*"; }
die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# Prints the installed major versions that have both a server and a pg_config, newest first.
installed_majors() {
    local major
    for major in 18 17 16 15; do
        [[ -x /usr/lib/postgresql/$major/bin/postgres &&
            -x /usr/lib/postgresql/$major/bin/pg_config ]] && echo "$major"
    done
    return 0
}

# Fills PG_CONFIG, PG_BIN and PG_MAJOR from what is installed; false when nothing fits.
find_postgres() {
    if [[ -z ${PG_CONFIG:-} ]]; then
        [[ -n ${PG_MAJOR:-} ]] || PG_MAJOR=$(installed_majors | head -1)
        [[ -n $PG_MAJOR ]] || return 1
        PG_CONFIG=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config
    fi
    [[ -x $PG_CONFIG ]] || return 1
    PG_BIN=$("$PG_CONFIG" --bindir)
    PG_MAJOR=$("$PG_CONFIG" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')
    export PG_CONFIG PG_BIN PG_MAJOR
}

# rust-toolchain.toml pins one version. Where that one is missing and may not be fetched, any
# newer default toolchain does.
find_rust() {
    export PATH="$HOME/.cargo/bin:$PATH"
    command -v cargo >/dev/null || return 1
    local pinned default
    pinned=$(sed -n 's/^channel *= *"\(.*\)"/\1/p' "$ROOT/rust-toolchain.toml")
    if command -v rustup >/dev/null && ! rustup toolchain list | grep -q "^$pinned-"; then
        [[ ${RUSTUP_AUTO_INSTALL:-1} == 0 ]] || return 0
        default=$(cd / && rustup show active-toolchain | cut -d' ' -f1)
        if printf '%s\n%s\n' "$pinned" "$(cd / && rustc --version | cut -d' ' -f2)" |
            sort -V -C; then
            export RUSTUP_TOOLCHAIN=$default
        fi
    fi
}

# Servers refuse to run as root, so root hands them to an unprivileged user.
if [[ $(id -u) -eq 0 ]]; then
    if id -u postgres >/dev/null 2>&1; then SERVER_USER=postgres; else SERVER_USER=nobody; fi
else
    SERVER_USER=$(id -un)
fi
export SERVER_USER

# Runs a command as the user that owns the servers.
as_server() {
    if [[ $(id -u) -eq 0 ]]; then
        setpriv --reuid "$SERVER_USER" --regid "$(id -g "$SERVER_USER")" --init-groups \
            env HOME=/nonexistent "$@"
    else
        "$@"
    fi
}

find_postgres || true
find_rust || true

#!/usr/bin/env bash
# Runs the tests on PostgreSQL versions that the machine's own Debian does not have.
#
#   scripts/versions.sh [MAJOR...]           regression and isolation tests, on 18 and 17 unless said
#   scripts/versions.sh MAJOR COMMAND...     a command of the checkout there, for example
#                                            scripts/versions.sh 18 regress/run.sh regress scan
#
# Each version lives in a small Debian of its own (debootstrap, then scripts/setup.sh in it) below
# VERSIONS_DIR, made at first use: some minutes and 2 GB each. The checkout, Cargo's and rustup's
# folders are seen from inside; what is built stays in VERSIONS_DIR. Mounts and processes are in
# namespaces of their own, so nothing of them is left when this ends. Needs root.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

base=${VERSIONS_DIR:-/var/tmp/shard_fdw-versions}
mirror=${VERSIONS_MIRROR:-$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' \
    /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -1 || true)}

# The Debian release that has a version.
suite_of() {
    case $1 in
    15) echo bookworm ;;
    17) echo trixie ;;
    18) echo sid ;;
    *) die "no Debian release has PostgreSQL $1" ;;
    esac
}

# make_chroot ROOT SUITE: a minimal Debian whose packages start no servers.
make_chroot() {
    local root=$1 suite=$2
    [[ ! -f $root.ok ]] || return 0
    command -v debootstrap >/dev/null || die "please install debootstrap"
    say "debootstrap $suite (once)" >&2
    rm -rf --one-file-system "$root"
    mkdir -p "$base"
    nice debootstrap --variant=minbase "$suite" "$root" ${mirror:+"$mirror"} >"$root.log" 2>&1 || {
        tail -20 "$root.log" >&2
        die "debootstrap failed"
    }
    touch "$root.ok"
}

# run_inside ROOT MAJOR COMMAND...: in namespaces that end with the command.
run_inside() {
    local root=$1 major=$2
    shift 2
    # How the machine reaches its mirror (proxy, clock) holds inside as well.
    apt-config dump | grep '^Acquire::' >"$root/etc/apt/apt.conf.d/90host" || true
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    mkdir -p "$root/src" "$root.target" "$root.pgrx" "$root/pgrx" "$root$HOME/.cargo" \
        "$root$HOME/.rustup" "$ROOT/target"
    # shellcheck disable=SC2016
    nice unshare --mount --pid --fork --kill-child --propagation private bash -euc '
        root=$1 checkout=$2 home=$3
        shift 3
        mount --bind "$checkout" "$root/src"
        mount --bind "$root.target" "$root/src/target"
        mount --bind "$root.pgrx" "$root/pgrx"
        for folder in .cargo .rustup; do
            [[ ! -d $home/$folder ]] || mount --bind "$home/$folder" "$root$home/$folder"
        done
        mount --rbind /dev "$root/dev"
        mount -t tmpfs tmpfs "$root/dev/shm"
        mount -t proc proc "$root/proc"
        exec chroot "$root" /usr/bin/env -C /src "$@"
    ' bash "$root" "$ROOT" "$HOME" HOME="$HOME" PATH="$HOME/.cargo/bin:$PATH" PG_CONFIG= \
        PG_MAJOR="$major" PGRX_HOME=/pgrx "$@"
}

# on MAJOR COMMAND...
on() {
    local major=$1 suite root
    shift
    suite=$(suite_of "$major")
    root=$base/$suite
    make_chroot "$root" "$suite"
    if [[ ! -f $root.ready ]]; then
        run_inside "$root" "$major" scripts/setup.sh
        touch "$root.ready"
    fi
    run_inside "$root" "$major" "$@"
}

[[ $(id -u) -eq 0 ]] || die "a chroot needs root"
if [[ $# -gt 1 && $2 == */* ]]; then
    on "$@"
    exit
fi
[[ $# -gt 0 ]] || set -- 18 17
status=0
for major in "$@"; do
    say "PostgreSQL $major"
    on "$major" regress/run.sh all || status=1
done
exit "$status"

# shellcheck shell=bash
# Sourced by the demo, the tests and the benchmarks: throw-away PostgreSQL servers.
#
# Assumes env.sh. Every server gets a free port (from PORT_BASE upwards, if given), a data
# folder under $WORK and trust authentication for user postgres. Whatever happens, leaving the
# script stops all of them and removes $WORK (kept, and told, with KEEP_WORK=1).

declare -gA PORT=()
declare -ga SERVERS=()
WORK=

# cluster_begin TREE: TREE is what build.sh printed.
cluster_begin() {
    CLUSTER_OWNER=$BASHPID
    WORK=$(mktemp -d /tmp/shard_fdw.XXXXXX)
    chmod 755 "$WORK"
    trap cluster_end EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    TREE=$1
    # A checkout in a private home folder cannot be read by the servers' user.
    if ! as_server test -x "$TREE$PG_BIN/postgres" 2>/dev/null; then
        cp -a "$TREE" "$WORK/tree"
        TREE=$WORK/tree
    fi
    SERVER_BIN=$TREE$PG_BIN
    SOCKETS=$WORK/sockets
    mkdir "$SOCKETS" "$WORK/data" "$WORK/log"
    chmod 700 "$WORK/data"
    if [[ $(id -u) -eq 0 ]]; then chown "$SERVER_USER" "$SOCKETS" "$WORK/data" "$WORK/log"; fi
    export WORK SOCKETS
    NEXT_PORT=${PORT_BASE:-$((20000 + RANDOM % 12000))}
    as_server "$SERVER_BIN/initdb" -D "$WORK/data/template" -U postgres -A trust -E UTF8 \
        --locale=C --no-sync >"$WORK/initdb.log" 2>&1 || {
        cat "$WORK/initdb.log" >&2
        die "initdb failed"
    }
    # For tests of passwords; everybody else is trusted.
    as_server sed -i '1i host all regress_scram all scram-sha-256' \
        "$WORK/data/template/pg_hba.conf"
}

cluster_end() {
    local status=$? name
    # A subshell that is killed runs the trap too; the servers are not its own.
    [[ $BASHPID == "$CLUSTER_OWNER" ]] || exit "$status"
    trap - EXIT INT TERM
    for name in "${SERVERS[@]}"; do server_stop "$name" immediate || true; done
    if [[ -n $WORK && ${KEEP_WORK:-0} == 1 ]]; then
        say "kept: $WORK" >&2
    elif [[ -n $WORK ]]; then
        rm -rf "$WORK"
    fi
    exit "$status"
}

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# server_new NAME [SETTING...]: a data folder with these lines added to postgresql.conf.
server_new() {
    local name=$1 conf
    shift
    as_server cp -a "$WORK/data/template" "$WORK/data/$name"
    conf=$WORK/conf.$name
    {
        cat <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$SOCKETS'
fsync = off
full_page_writes = off
max_connections = 60
max_prepared_transactions = 64
shared_buffers = 64MB
jit = off
autovacuum = off
lc_messages = 'C'
log_line_prefix = '%m [%p] %d %a '
log_statement = 'none'
timezone = 'UTC'
CONF
        printf '%s\n' "$@"
    } >"$conf"
    as_server sh -c "cat >> '$WORK/data/$name/postgresql.conf'" <"$conf"
    SERVERS+=("$name")
}

# server_start NAME: keeps the port of an earlier start, so a server can come back.
server_start() {
    local name=$1 try log=$WORK/log/$1.log
    for try in 1 2 3 4 5 6 7 8 9 10; do
        if [[ -z ${PORT[$name]:-} ]]; then
            while port_taken "$NEXT_PORT"; do NEXT_PORT=$((NEXT_PORT + 1)); done
            PORT[$name]=$NEXT_PORT
            NEXT_PORT=$((NEXT_PORT + 1))
        fi
        if as_server "$SERVER_BIN/pg_ctl" -D "$WORK/data/$name" -l "$log" -w -t 60 \
            -o "-p ${PORT[$name]}" start >/dev/null 2>&1; then
            return 0
        fi
        # Somebody else was quicker to take the port.
        grep -q 'could not bind' "$log" || break
        [[ $try == 10 ]] || unset "PORT[$name]"
    done
    cat "$log" >&2
    die "server $name does not start"
}

# server_stop NAME [fast|immediate]
server_stop() {
    [[ -f $WORK/data/$1/postmaster.pid ]] || return 0
    as_server "$SERVER_BIN/pg_ctl" -D "$WORK/data/$1" -m "${2:-fast}" -w -t 60 stop >/dev/null 2>&1
}

# server_kill NAME: kill -9 on the postmaster and all its children, as a power cut would.
server_kill() {
    local pid pids
    pid=$(as_server head -1 "$WORK/data/$1/postmaster.pid")
    pids=$(ps -o pid= --ppid "$pid" | tr '\n' ' ')
    # shellcheck disable=SC2086
    as_server sh -c "kill -9 $pid $pids" 2>/dev/null || true
    wait_for 10 "! ps -p $pid >/dev/null"
    as_server rm -f "$WORK/data/$1/postmaster.pid"
}

# wait_for SECONDS CONDITION: polls a shell condition.
wait_for() {
    local end=$((SECONDS + $1))
    until eval "$2"; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}

# sql SERVER DATABASE [psql arguments]: unaligned, quiet, stops at the first error.
sql() {
    local server=$1 db=$2
    shift 2
    "$PG_BIN/psql" -XqAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "${PORT[$server]}" -U postgres \
        -d "$db" "$@"
}

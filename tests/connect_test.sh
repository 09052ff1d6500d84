#!/usr/bin/env bash
# Ways to a server: several hosts, fail-over, target_session_attrs, sockets, password files,
# libpq's environment variables, application_name.
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_begin "$TREE"
shard main "wal_level = replica" "max_wal_senders = 4"
shard second
# A standby of main.
server_new standby "hot_standby = on"
as_server rm -rf "$WORK/data/standby"
as_server "$PG_BIN/pg_basebackup" -D "$WORK/data/standby" -h "$SOCKETS" -p "${PORT[main]}" -U postgres \
    -R -c fast --no-sync >"$WORK/basebackup.log" 2>&1 || die "$(<"$WORK/basebackup.log")"
server_start standby
while port_taken "$NEXT_PORT"; do NEXT_PORT=$((NEXT_PORT + 1)); done
closed=$NEXT_PORT
NEXT_PORT=$((NEXT_PORT + 1))
while port_taken "$NEXT_PORT"; do NEXT_PORT=$((NEXT_PORT + 1)); done
shut=$NEXT_PORT
NEXT_PORT=$((NEXT_PORT + 1))

# What the coordinator's process finds in its environment, as libpq would.
printf '%s\n' "# comment" "*:*:*:nobody:wrong" "127.0.0.1:${PORT[second]}:db:filed:from-the-file" \
    >"$WORK/pgpass"
chmod 600 "$WORK/pgpass"
printf '%s\n' "*:*:*:filed:from-the-file" >"$WORK/pgpass2"
chmod 600 "$WORK/pgpass2"
[[ $(id -u) -ne 0 ]] || chown "$SERVER_USER" "$WORK/pgpass" "$WORK/pgpass2"
export PGPASSFILE=$WORK/pgpass PGCONNECT_TIMEOUT=10 PGPORT=${PORT[second]}
coordinator ""
unset PGPASSFILE PGCONNECT_TIMEOUT PGPORT

for server in main second; do
    sql $server db -c "CREATE VIEW me AS SELECT current_setting('port') AS port, pg_is_in_recovery() AS standby,
        current_setting('application_name') AS app, current_user::text AS usr,
        (SELECT client_addr IS NULL FROM pg_stat_activity WHERE pid = pg_backend_pid()) AS local"
done

# where NAME EXPECTED OPTION...: "port of server NAME" or an error's regex.
n=0
where() {
    local name=$1 expected=$2 got server
    shift 2
    n=$((n + 1))
    foreign "s$n" "dbname 'db'" "$@"
    got=$(session <<SQL
CREATE FOREIGN TABLE me$n (port text, standby bool, app text, usr text, local bool) SERVER s$n OPTIONS (table_name 'me');
SELECT port FROM me$n;
SQL
    )
    for server in "${!PORT[@]}"; do got=${got//${PORT[$server]}/$server}; done
    got=${got//$closed/closed}
    got=${got//$shut/shut}
    like "$name" "$expected" "$got"
}
local_host="host '127.0.0.1'" two="host '127.0.0.1,127.0.0.1'"
where "one host" "^main$" "$local_host" "port '${PORT[main]}'"
where "hostaddr" "^main$" "hostaddr '127.0.0.1'" "port '${PORT[main]}'"
where "hostaddr goes before host" "^main$" "host 'no-such-host.invalid'" "hostaddr '127.0.0.1'" "port '${PORT[main]}'"
where "a name" "^main$" "host 'localhost'" "port '${PORT[main]}'"
where "unix socket" "^main$" "host '$SOCKETS'" "port '${PORT[main]}'"
where "two hosts, the first is up" "^main$" "$two" "port '${PORT[main]},${PORT[second]}'"
where "two hosts, the first is down" "^second$" "$two" "port '$closed,${PORT[second]}'"
where "two hosts, the first is unknown" "^second$" "host 'no-such-host.invalid,127.0.0.1'" "port '${PORT[second]}'"
where "two hosts, both are down" "08001: could not connect.*closed.*shut" "$two" "port '$closed,$shut'"
where "socket and address" "^second$" "host '/nonexistent,127.0.0.1'" "port '${PORT[second]}'"
where "more ports than hosts" "could not match 3 port numbers to 2 hosts" "$two" "port '1,2,3'"
where "more addresses than hosts" "could not match .* host" "$two" "hostaddr '127.0.0.1'" "port '${PORT[main]}'"
where "port out of range" "invalid port number: \"70000\"" "$local_host" "port '70000'"
both="port '${PORT[standby]},${PORT[main]}'"
where "target_session_attrs any" "^standby$" "$two" "$both" "target_session_attrs 'any'"
where "target_session_attrs read-write" "^main$" "$two" "$both" "target_session_attrs 'read-write'"
where "target_session_attrs primary" "^main$" "$two" "$both" "target_session_attrs 'primary'"
back="port '${PORT[main]},${PORT[standby]}'"
where "target_session_attrs read-only" "^standby$" "$two" "$back" "target_session_attrs 'read-only'"
where "target_session_attrs standby" "^standby$" "$two" "$back" "target_session_attrs 'standby'"
where "target_session_attrs prefer-standby" "^standby$" "$two" "$back" "target_session_attrs 'prefer-standby'"
where "target_session_attrs prefer-standby without one" "^main$" "$local_host" "port '${PORT[main]}'" "target_session_attrs 'prefer-standby'"
where "target_session_attrs standby without one" "08001: could not connect.*(standby|hot standby) mode" "$local_host" "port '${PORT[main]}'" "target_session_attrs 'standby'"
where "target_session_attrs read-write without one" "08001: could not connect.*read-only" "$local_host" "port '${PORT[standby]}'" "target_session_attrs 'read-write'"
where "PGPORT" "^second$" "$local_host"
where "options" "^main$" "$local_host" "port '${PORT[main]}'" "options '-c work_mem=1234kB -c application_name=from\\ options'"
where "keepalives" "^main$" "$local_host" "port '${PORT[main]}'" "keepalives '1'" "keepalives_idle '10'" "keepalives_interval '5'" "keepalives_count '3'" "tcp_user_timeout '5000'"

# Fail-over: the first host goes away between two transactions of one session.
shard first
sql first db -c "CREATE VIEW me AS SELECT current_setting('port') AS port"
foreign pair "$two" "port '${PORT[first]},${PORT[second]}'" "dbname 'db'"
sql coordinator coord -c "CREATE FOREIGN TABLE pair (port text) SERVER pair OPTIONS (table_name 'me')"
cat >"$WORK/stop.sh" <<SH
$(declare -f as_server)
SERVER_USER=$SERVER_USER
as_server "$SERVER_BIN/pg_ctl" -D "$WORK/data/first" -m fast -w stop >/dev/null 2>&1 </dev/null
SH
same "fail-over between transactions" "${PORT[first]} ${PORT[second]} " "$(session <<SQL | tr '\n' ' '
SELECT port FROM pair;
\! bash $WORK/stop.sh
SELECT port FROM pair;
SQL
)"

# Password files.
sql second db -c "CREATE ROLE filed LOGIN PASSWORD 'from-the-file'" -c "GRANT SELECT ON good, me TO filed"
hba second "host all filed all scram-sha-256" "host all all all trust"
sql second db -c "SELECT pg_reload_conf()" >/dev/null
foreign filed "$local_host" "port '${PORT[second]}'" "dbname 'db'"
sql coordinator coord -c "ALTER USER MAPPING FOR postgres SERVER filed OPTIONS (SET user 'filed')"
same "PGPASSFILE" 3 "$(session <<<"SELECT count(*) FROM good_filed;")"
sql coordinator coord -c "ALTER SERVER filed OPTIONS (ADD passfile '$WORK/pgpass2')"
same "passfile" 3 "$(session <<<"SELECT count(*) FROM good_filed;")"
sql coordinator coord -c "ALTER SERVER filed OPTIONS (SET passfile '$WORK/none')"
like "passfile that is not there" "08001: could not connect to server \"filed\".*no password supplied" \
    "$(session <<<"SELECT count(*) FROM good_filed;")"
as_server chmod 644 "$WORK/pgpass2"
sql coordinator coord -c "ALTER SERVER filed OPTIONS (SET passfile '$WORK/pgpass2')"
like "passfile that others can read" "08001: could not connect to server \"filed\"" \
    "$(session <<<"SELECT count(*) FROM good_filed;")"
sql coordinator coord -c "ALTER USER MAPPING FOR postgres SERVER filed OPTIONS (ADD password 'from-the-file')"
same "a password in the mapping goes before the file" 3 "$(session <<<"SELECT count(*) FROM good_filed;")"

# application_name.
foreign app "$local_host" "port '${PORT[main]}'" "dbname 'db'"
sql coordinator coord -c "CREATE FOREIGN TABLE app (app text) SERVER app OPTIONS (table_name 'me')"
like "application_name: wrapper, database and process by default" "^$FDW(/coord/[0-9]+)?$" "$(session <<<"SELECT app FROM app;")"
sql coordinator coord -c "ALTER SERVER app OPTIONS (ADD application_name 'mine %d %u %%')"
same "application_name of the server" "mine coord postgres %" \
    "$(session <<<"SELECT app FROM app;")"
same "application_name of the setting, with escapes" "us coord postgres %" \
    "$(session <<<"SET $FDW.application_name = 'us %d %u %%'; SELECT app FROM app;")"

# Changes of the definition reach the next transaction of an open session.
foreign moved "$local_host" "port '${PORT[main]}'" "dbname 'db'"
sql coordinator coord -c "CREATE FOREIGN TABLE moved (port text, usr text) SERVER moved OPTIONS (table_name 'me')"
same "ALTER SERVER is noticed" "${PORT[main]} ${PORT[second]} " "$(session <<SQL | tr '\n' ' '
SELECT port FROM moved;
ALTER SERVER moved OPTIONS (SET port '${PORT[second]}');
SELECT port FROM moved;
SQL
)"
same "ALTER USER MAPPING is noticed" "postgres filed " "$(session <<SQL | tr '\n' ' '
SELECT usr FROM moved;
ALTER USER MAPPING FOR postgres SERVER moved OPTIONS (SET user 'filed', ADD password 'from-the-file');
SELECT usr FROM moved;
SQL
)"

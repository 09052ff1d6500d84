#!/usr/bin/env bash
# Calls to many partitions connect to all of them at the same time; one that is down, a cancel, a timeout and a server that
# is killed in the middle of a call are noticed at once, and the session goes on.
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

COUNT=8 DELAY=1
cluster_begin "$TREE"
coordinator
server_new slow "post_auth_delay = $DELAY" "max_connections = 50"
server_new fast
server_start slow
server_start fast
while port_taken "$NEXT_PORT"; do NEXT_PORT=$((NEXT_PORT + 1)); done
closed=$NEXT_PORT
NEXT_PORT=$((NEXT_PORT + 1))

at() { echo "host=127.0.0.1 port=$1 user=postgres dbname=postgres application_name=$2"; }
options=()
for ((n = 0; n < COUNT; n++)); do options+=("p$n '$(at "${PORT[slow]}" "p$n")'"); done
sql coordinator coord -c "CREATE SERVER c FOREIGN DATA WRAPPER plproxy OPTIONS ($(IFS=,; printf '%s' "${options[*]}"))" \
    -c "CREATE SERVER two FOREIGN DATA WRAPPER plproxy OPTIONS (p0 '$(at "${PORT[fast]}" q0)', p1 '$(at "$closed" q1)')" \
    -c "CREATE USER MAPPING FOR PUBLIC SERVER c" -c "CREATE USER MAPPING FOR PUBLIC SERVER two"
session >/dev/null <<'SQL'
CREATE FUNCTION everywhere() RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; SELECT current_setting('application_name'); $$;
CREATE FUNCTION half() RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON generate_series(4, 7); SELECT current_setting('application_name'); $$;
CREATE FUNCTION parts(a int[]) RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'c'; SPLIT a; RUN ON a; SELECT a::text || current_setting('application_name'); $$;
CREATE FUNCTION elsewhere() RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'two'; RUN ON ALL; SELECT 'never'::text; $$;
CREATE FUNCTION anywhere() RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'two'; RUN ON ANY; SELECT current_setting('application_name'); $$;
CREATE FUNCTION nap(n int, s float8) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'two'; RUN ON n; SELECT 'woke' FROM pg_sleep(s); $$;
SQL

# One log-in, and some: not COUNT of them, nor four.
most=$((DELAY * 1000 * 2 + 1000))
timed "RUN ON ALL takes as long as one log-in" "^p0,p1,p2,p3,p4,p5,p6,p7"$'\n'"p0,p1,p2,p3,p4,p5,p6,p7$" $most \
    "SELECT string_agg(r, ',') FROM everywhere() r; SELECT string_agg(r, ',') FROM everywhere() r;"
timed "several hash values" "^p4,p5,p6,p7$" $most "SELECT string_agg(r, ',') FROM half() r;"
timed "SPLIT" "^\{3,11\}p3 \{1\}p1 \{2\}p2 \{0\}p0$" $most "SELECT string_agg(r, ' ') FROM parts('{3,1,2,11,0}') r;"
timed "a partition that is down is told at once" "08001: PL/Proxy function public.everywhere\(0\): \[postgres\] .*refused.*p0,p1,p2,p3,p4,p5,p6,p7$" \
    $((most + DELAY * 1000)) "ALTER SERVER c OPTIONS (SET p5 '$(at "$closed" p5)');
SELECT * FROM everywhere();
ALTER SERVER c OPTIONS (SET p5 '$(at "${PORT[slow]}" p5)');
SELECT string_agg(r, ',') FROM everywhere() r;"
timed "a cancel while it connects is seen at once" "57014: canceling statement due to statement timeout.*1$" $((DELAY * 1000 - 100)) \
    "SET statement_timeout = 300; SELECT * FROM everywhere(); SELECT 1;"
timed "nothing is sent unless all can be reached" "08001:.*idle" $most "SELECT * FROM elsewhere();
\\! $PG_BIN/psql -XqAt -h 127.0.0.1 -p ${PORT[fast]} -U postgres -c \"SELECT coalesce(max(state), 'idle') FROM pg_stat_activity WHERE application_name = 'q0' AND query LIKE '%never%'\""
timed "RUN ON ANY goes on to one that is up" "^q0 20$" $most \
    "SELECT r, count(*) FROM generate_series(1, 20), anywhere() r GROUP BY r \\g (fieldsep=' ')"
server_new slower "pre_auth_delay = 20"
server_start slower
timed "connect_timeout of the cluster" "08001:.*timeout expired" 3500 \
    "ALTER SERVER two OPTIONS (ADD connect_timeout '1', SET p1 '$(at "${PORT[slower]}" q1)');
SELECT nap(1, 0);"
sql coordinator coord -c "ALTER SERVER two OPTIONS (SET p1 '$(at "${PORT[slow]}" q1)', DROP connect_timeout)"

# A partition that is killed in the middle of a call: the call fails, the next one connects again.
kill_slow() { sleep 2.5; server_kill slow; server_start slow; }
kill_slow &
killer=$!
timed "a partition is killed during a call" "08006: PL/Proxy function public.nap\(2\): \[postgres\] .*|57P0[12]:" 9000 "SELECT nap(1, 30);
\\! while ! $PG_BIN/pg_isready -q -h 127.0.0.1 -p ${PORT[slow]}; do sleep 0.1; done
SELECT nap(1, 0);"
wait $killer
like "and is used again" "woke" "$(session <<<"SELECT nap(1, 0);")"

#!/usr/bin/env bash
# COPY FROM when something goes wrong on its way: a shard dies, the statement is cancelled, its session ends, two of them
# wait for each other over two servers. Nothing is stored then, and nothing is left behind. Memory stays bounded.
# Conditions are evaluated by wait_for, later.
# shellcheck disable=SC2016,SC2028
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_begin "$TREE"
coordinator "shard_fdw.resolver_interval = 1"
for name in main victim; do
    shard "$name"
    foreign "$name"
    sql "$name" db -c "CREATE TABLE part (id int PRIMARY KEY, v text)"
    sql coordinator coord -c "CREATE FOREIGN TABLE one_$name (id int, v text) SERVER $name OPTIONS (table_name 'part')"
done
sql coordinator coord -c "CREATE TABLE parts (id int, v text)" \
    -c "CREATE FOREIGN TABLE part0 (CHECK (abs(id % 2) = 0)) INHERITS (parts) SERVER main OPTIONS (table_name 'part')" \
    -c "CREATE FOREIGN TABLE part1 (CHECK (abs(id % 2) = 1)) INHERITS (parts) SERVER victim OPTIONS (table_name 'part')"

# stored: rows of all parts.
stored() { echo "$(sql main db -c "SELECT count(*) FROM part") $(sql victim db -c "SELECT count(*) FROM part")"; }
# copying SERVER: sessions there that are in a COPY.
copying() { sql "$1" postgres -c "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%COPY public.part%' AND state = 'active' AND pid <> pg_backend_pid()"; }
# Lines for COPY, slowly; quick FROM TO: at once.
slow="seq 1 20000 | sed 's/\$/\tsome text/'; sleep 20"
quick() { echo "seq $1 $2 | sed 's/\$/\tsome text/'"; }

# A shard's session or server goes away in the middle.
kill_it="SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = 'db' AND query LIKE '%COPY public.part%' AND state = 'active'"
bg_copy() {
    session -c "SET application_name = 'copier'" -c "COPY parts FROM PROGRAM '${slow//\'/\'\'}'" >"$WORK/copied" 2>&1 &
    wait_for 10 '[[ $(copying main) == 1 && $(copying victim) == 1 ]]' || echo "no COPY began"
}
# The rows go on when the COPY there has begun and has been ended.
cat >"$WORK/part.sh" <<SH
seq 1 20000
for try in \$(seq 1 100); do
    ended=\$($PG_BIN/psql -XqAt -h 127.0.0.1 -p ${PORT[victim]} -U postgres -d postgres -c "$kill_it")
    [ "\$ended" = 1 ] && break
    sleep 0.1
done
seq 20001 400000
SH
chmod a+rx "$WORK" "$WORK/part.sh"
bad "a shard's session is ended" "(57P01|08006|08000|08003)" "COPY parts (id) FROM PROGRAM 'sh $WORK/part.sh';"
same "nothing is stored" "0 0" "$(stored)"

# Cancelled, and ended.
bg_copy
sql coordinator coord -c "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE application_name = 'copier'" >/dev/null
wait
like "cancelled" "57014: canceling statement due to user request" "$(cat "$WORK/copied")"
wait_for 10 '[[ $(copying main) == 0 && $(copying victim) == 0 ]]' && ok "no COPY goes on"
bg_copy
sql coordinator coord -c "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'copier'" >/dev/null
wait
wait_for 10 '[[ $(copying main) == 0 && $(copying victim) == 0 ]]' && ok "no COPY goes on when its session ends"
same "nothing is stored by both" "0 0" "$(stored)"
# What was broken off has been taken back cleanly: the connection is the same.
sql main db -c "CREATE VIEW me AS SELECT pg_backend_pid() AS pid"
sql coordinator coord -c "CREATE FOREIGN TABLE me (pid int) SERVER main"
same "the connection is kept after an error" "1000 t " "$(session <<SQL | grep -v '^ERROR\|^CONTEXT\|^LOCATION' | tr '\n' ' '
SELECT pid FROM me \gset
COPY parts FROM PROGRAM '$(quick 1 5000 | sed "s/'/''/g"); echo x';
COPY parts FROM PROGRAM '$(quick 1 1000 | sed "s/'/''/g")';
SELECT count(*) FROM parts;
SELECT pid = :pid FROM me;
DELETE FROM parts WHERE true;
SQL
)"

# Two transactions copy the same keys, crosswise.
mkfifo "$WORK/in.a" "$WORK/in.b"
for name in a b; do
    session <"$WORK/in.$name" >"$WORK/out.$name" 2>&1 &
done
exec 7>"$WORK/in.a" 8>"$WORK/in.b"
printf '%s\n' "BEGIN; COPY one_main (id) FROM PROGRAM 'seq 1 5';" '\echo first' >&7
wait_for 10 "grep -q first '$WORK/out.a'"
printf '%s\n' "BEGIN; COPY one_victim (id) FROM PROGRAM 'seq 1 5';" '\echo first' >&8
wait_for 10 "grep -q first '$WORK/out.b'"
printf '%s\n' "COPY one_victim (id) FROM PROGRAM 'seq 1 5';" "COMMIT;" '\echo over' >&7
sleep 0.3
printf '%s\n' "COPY one_main (id) FROM PROGRAM 'seq 1 5';" "COMMIT;" '\echo over' >&8
if wait_for 15 "grep -q over '$WORK/out.a' && grep -q over '$WORK/out.b'"; then
    like "a deadlock of COPYs is ended" "ERROR:  40P01: deadlock detected" "$(cat "$WORK/out.a" "$WORK/out.b")"
    same "by one of them" "5 5" "$(stored)"
else
    failed "a deadlock of COPYs is ended" "$(cat "$WORK/out.a" "$WORK/out.b")"
    sql coordinator coord -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%'" >/dev/null
fi
exec 7>&- 8>&-
wait
sql coordinator coord -c "DELETE FROM parts WHERE true"

# Memory of the backend, in kB, that is not shared: while many rows pass, and after many COPYs.
anon='\! awk '"'"'/^RssAnon/ {print "anon " $2}'"'"' /proc/$(cat "$WORK/backend")/status'
quick_sql=$(quick 1 50 | sed "s/'/''/g")
got=$({
    echo "\\o $WORK/backend"
    echo "SELECT pg_backend_pid();"
    echo "\\o"
    for ((i = 0; i < 20; i++)); do echo "BEGIN; COPY parts FROM PROGRAM '$quick_sql'; ROLLBACK;"; done
    echo "$anon"
    echo "BEGIN; COPY parts FROM PROGRAM 'seq 1 200000 | sed \"s/\$/\t$(printf 'x%.0s' {1..200})/\"'; ROLLBACK;"
    echo "$anon"
    for ((i = 0; i < 300; i++)); do echo "BEGIN; COPY parts FROM PROGRAM '$quick_sql'; ROLLBACK;"; done
    echo "$anon"
} | session)
mapfile -t kb < <(sed -n 's/^anon //p' <<<"$got")
if [[ $got == *ERROR* || ${#kb[@]} -ne 3 ]]; then
    failed "many rows, many COPYs" "$got"
else
    same "40 MB pass in little memory (${kb[0]} -> ${kb[1]} kB)" yes "$( ((kb[1] < kb[0] + 8192)) && echo yes)"
    same "many COPYs leave nothing behind (${kb[1]} -> ${kb[2]} kB)" yes "$( ((kb[2] < kb[1] + 2048)) && echo yes)"
fi

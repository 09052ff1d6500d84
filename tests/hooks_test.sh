#!/usr/bin/env bash
# Other extensions that look at statements while they run: results, counters and reports are as they are for any table.
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_begin "$TREE"
# One of them is called around ours, the other one inside.
coordinator "shared_preload_libraries = 'pg_stat_statements, shard_fdw, auto_explain'" "compute_query_id = on" \
    "pg_stat_statements.track = all"
sql coordinator coord -c "CREATE EXTENSION pg_stat_statements"
number=0
sql coordinator coord -c "CREATE TABLE t (id int, g int, v text)" \
    -c "CREATE TABLE near AS SELECT i AS id, i % 40 AS other FROM generate_series(1, 300) i" -c "ANALYZE near"
for name in s1 s2; do
    shard "$name"
    foreign "$name"
    sql "$name" db -c "CREATE TABLE t (id int PRIMARY KEY, g int, v text)" \
        -c "INSERT INTO t SELECT i, i % 7, 'v' || i FROM generate_series($number, 3999, 2) i" -c "ANALYZE t"
    sql coordinator coord -c "CREATE FOREIGN TABLE t_$name (CHECK (id % 2 = $number)) INHERITS (t) SERVER $name OPTIONS (table_name 't')"
    number=1
done
sql coordinator coord -c "ANALYZE t"
sql coordinator coord <<'SQL'
CREATE FUNCTION total(of int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE r record; n bigint := 0;
BEGIN
    FOR r IN SELECT id FROM t WHERE g = of LOOP n := n + r.id; END LOOP;
    RETURN n + (SELECT count(*) FROM near JOIN t ON t.id = near.other);
END $$;
SQL
cat >"$WORK/statements.sql" <<'SQL'
SELECT id, v FROM t WHERE g = 3 ORDER BY id;
SELECT v, g FROM t WHERE id = 77;
SELECT id FROM t_s1 WHERE id < 100 ORDER BY 1;
SELECT near.id, t.v FROM near JOIN t ON t.id = near.other ORDER BY 1;
SELECT near.id, t.v FROM near LEFT JOIN t ON t.id = near.other + 3990 ORDER BY 1 LIMIT 20;
SELECT total(5);
WITH w AS (UPDATE t SET v = v || '' WHERE g = 2 RETURNING id) SELECT count(*) FROM w;
SELECT g, count(*) FROM t GROUP BY g ORDER BY g;
SQL
plain=$(session -f "$WORK/statements.sql")
like "statements" '^3\|v3.*0\|571$|6\|571' "$plain"
explain() { PGOPTIONS="-c auto_explain.log_min_duration=0 -c auto_explain.log_nested_statements=on $*" session -f "$WORK/statements.sql"; }
same "auto_explain" "$plain" "$(explain)"
same "auto_explain that counts" "$plain" "$(explain -c auto_explain.log_analyze=on)"
same "auto_explain that says all" "$plain" \
    "$(explain -c auto_explain.log_analyze=on -c auto_explain.log_verbose=on -c auto_explain.log_buffers=on -c auto_explain.log_triggers=on -c auto_explain.log_timing=off -c auto_explain.log_format=json)"
same "auto_explain now and then" "$plain" "$(explain -c auto_explain.log_analyze=on -c auto_explain.sample_rate=0.5)"
log=$(<"$WORK/log/coordinator.log")
like "rows are counted in its reports" 'Foreign Scan on t_s1 .*actual time=[^)]*rows=50 loops=1' "$log"
like "and those of a batched join" 'Custom Scan \(ShardBatchedJoin\).*actual time=[^)]*rows=300 loops=1' "$log"
told() { PGOPTIONS="-c client_min_messages=debug2 -c auto_explain.log_min_duration=0 $*" session <<<"SELECT v, g FROM t WHERE id = 77;" | grep -c 'rows go from the shards'; }
same "rows are passed on where nobody counts them here" "1 0" "$(told) $(told -c auto_explain.log_analyze=on)"
same "pg_stat_statements counts rows, passed on or not" "50 571 300 20 1|50 571 300 20 1|" "$(
    for with in off on; do
        sql coordinator coord -c "SELECT FROM pg_stat_statements_reset()"
        PGOPTIONS="-c shard_fdw.enable_result_passthrough=$with" session -f "$WORK/statements.sql" >"$WORK/out.$with"
        sql coordinator coord -c "SELECT string_agg(rows::text, ' ' ORDER BY query) FROM pg_stat_statements WHERE query ~ '^(SELECT id, v|SELECT v, g|SELECT id FROM t_s1|SELECT near)'"
    done | tr '\n' '|')"
if grep -E 'was terminated by signal|PANIC:' "$WORK/log/coordinator.log"; then
    failed "no backend crashed" "$(tail -5 "$WORK/log/coordinator.log")"
else
    ok "no backend crashed"
fi

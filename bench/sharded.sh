#!/usr/bin/env bash
# Sharded tables side by side: a parent over four shards with shard_fdw, and with postgres_fdw as hash partitions (its
# best layout), in the same run. Planning time of a key lookup with up to 1,024 children.
#
#   bench/sharded.sh      ROUNDS=3, CLIENTS=8, ROWS=200000
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/env.sh"
# shellcheck source=scripts/cluster.sh
source "$ROOT/scripts/cluster.sh"

rounds=${ROUNDS:-3} clients=${CLIENTS:-8} rows=${ROWS:-200000}
tree=$("$ROOT/scripts/build.sh" release)
cluster_begin "$tree"
server_new coordinator "shared_preload_libraries = 'shard_fdw'" "max_connections = 100" "shared_buffers = 256MB"
server_new shard "max_connections = 500" "shared_buffers = 1GB" "max_wal_size = 4GB" "max_prepared_transactions = 200"
server_start coordinator
server_start shard
sql coordinator postgres -c "CREATE DATABASE bench"
sql coordinator bench -c "CREATE EXTENSION shard_fdw" -c "CREATE EXTENSION postgres_fdw" \
    -c "CREATE TABLE s_t (id int, g int, v int, t text)" -c "CREATE TABLE s_o (id int, cust int, amount int)" \
    -c "CREATE TABLE p_t (id int, g int, v int, t text) PARTITION BY HASH (id)" \
    -c "CREATE TABLE p_o (id int, cust int, amount int) PARTITION BY HASH (cust)"
for n in 0 1 2 3; do
    sql shard postgres -c "CREATE DATABASE db$n"
    # Two layouts of the same rows: by the CHECK's rule, and by PostgreSQL's hash.
    sql shard "db$n" >/dev/null <<SQL
CREATE TABLE h (id int) PARTITION BY HASH (id);
CREATE TABLE hp PARTITION OF h FOR VALUES WITH (MODULUS 4, REMAINDER $n);
CREATE TABLE s_t (id int PRIMARY KEY, g int, v int, t text);
CREATE TABLE s_o (id int PRIMARY KEY, cust int, amount int);
INSERT INTO s_t SELECT i, i % 100, i % 7919, 'row ' || i FROM generate_series(1, $rows) i WHERE i % 4 = $n;
INSERT INTO s_o SELECT i, 1 + i % $rows, i % 1000 FROM generate_series(1, $rows) i WHERE (1 + i % $rows) % 4 = $n;
CREATE TABLE p_t (LIKE s_t INCLUDING ALL);
CREATE TABLE p_o (LIKE s_o INCLUDING ALL);
INSERT INTO p_t SELECT i, i % 100, i % 7919, 'row ' || i FROM generate_series(1, $rows) i
  WHERE satisfies_hash_partition('h'::regclass, 4, $n, i);
INSERT INTO p_o SELECT i, 1 + i % $rows, i % 1000 FROM generate_series(1, $rows) i
  WHERE satisfies_hash_partition('h'::regclass, 4, $n, 1 + i % $rows);
CREATE INDEX ON s_o (cust);
CREATE INDEX ON p_o (cust);
VACUUM ANALYZE;
SQL
    where="host '127.0.0.1', port '${PORT[shard]}', dbname 'db$n'"
    sql coordinator bench >/dev/null <<SQL
SET client_min_messages = warning;
CREATE SERVER s$n FOREIGN DATA WRAPPER shard_fdw OPTIONS ($where);
CREATE SERVER p$n FOREIGN DATA WRAPPER postgres_fdw OPTIONS ($where, fetch_size '10000', async_capable 'true');
CREATE USER MAPPING FOR postgres SERVER s$n OPTIONS (user 'postgres');
CREATE USER MAPPING FOR postgres SERVER p$n OPTIONS (user 'postgres');
CREATE FOREIGN TABLE s_t$n (id int NOT NULL, CHECK (abs(mod(id, 4)) = $n)) INHERITS (s_t) SERVER s$n OPTIONS (table_name 's_t');
CREATE FOREIGN TABLE s_o$n (CHECK (abs(mod(cust, 4)) = $n)) INHERITS (s_o) SERVER s$n OPTIONS (table_name 's_o');
CREATE FOREIGN TABLE p_t$n PARTITION OF p_t FOR VALUES WITH (MODULUS 4, REMAINDER $n) SERVER p$n OPTIONS (table_name 'p_t');
CREATE FOREIGN TABLE p_o$n PARTITION OF p_o FOR VALUES WITH (MODULUS 4, REMAINDER $n) SERVER p$n OPTIONS (table_name 'p_o');
ANALYZE s_t$n, s_o$n, p_t$n, p_o$n;
SQL
done
sql coordinator bench -c "ALTER DATABASE bench SET enable_partitionwise_aggregate = on" \
    -c "ALTER DATABASE bench SET enable_partitionwise_join = on"

median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# rate PEER CLIENTS SCRIPT: transactions per second of the script with @ as the peer's prefix.
rate() {
    printf '%s\n' "${3//@/$1}" >"$WORK/script.sql"
    "$PG_BIN/pgbench" -h 127.0.0.1 -p "${PORT[coordinator]}" -U postgres -n -M prepared -c "$2" -j 2 \
        -T "${SECONDS_PER_RUN:-3}" -f "$WORK/script.sql" bench 2>>"$WORK/bench.log" |
        sed -n 's/^tps = \([0-9.]*\) .*/\1/p'
}

# compare TITLE CLIENTS SCRIPT
compare() {
    local peer round
    for peer in s p; do
        rate "$peer" "$2" "$3" >/dev/null
        : >"$WORK/$peer.rates"
    done
    for ((round = 0; round < rounds; round++)); do
        for peer in s p; do rate "$peer" "$2" "$3" >>"$WORK/$peer.rates"; done
    done
    awk -v title="$1" -v s="$(median <"$WORK/s.rates")" -v p="$(median <"$WORK/p.rates")" 'BEGIN {
        printf "%-44s %10.1f %10.1f   %6.2f\n", title, s, p, s / p }'
}

printf '%-44s %10s %10s   %6s\n' "transactions per second" shard_fdw postgres_fdw ratio
compare "key lookup, $clients clients" "$clients" $'\\set id random(1, '"$rows"$')\nSELECT * FROM @_t WHERE id = :id;'
compare "20 keys, $clients clients" "$clients" $'\\set id random(1, '"$((rows - 20))"$')\nSELECT * FROM @_t WHERE id IN ('"$(for i in {0..19}; do printf ':id + %d%s' "$i" "$([[ $i == 19 ]] || echo ', ')"; done)"');'
compare "count" 1 "SELECT count(*) FROM @_t;"
compare "sum, avg" 1 "SELECT sum(v), avg(v) FROM @_t;"
compare "group by" 1 "SELECT g, count(*), sum(v) FROM @_t GROUP BY g;"
compare "join on the key, with aggregate" 1 "SELECT g, sum(o.amount) FROM @_t t JOIN @_o o ON o.cust = t.id GROUP BY g;"
compare "top 10 by key" 1 "SELECT * FROM @_t ORDER BY id DESC LIMIT 10;"
compare "all rows" 1 "SELECT count(*) FROM (SELECT * FROM @_t OFFSET 0) s;"

printf '\nplanning time of a key lookup, ms (median of 21)\n'
for children in 4 32 256 1024; do
    sql coordinator bench >/dev/null <<SQL
CREATE TABLE many$children (id int, t text);
SELECT format('CREATE FOREIGN TABLE many${children}_%s (CHECK (abs(mod(id, $children)) = %1\$s)) INHERITS (many$children) SERVER s%s',
              n, n % 4) FROM generate_series(0, $children - 1) n \gexec
SQL
    {
        echo "EXPLAIN (SUMMARY) SELECT * FROM many$children WHERE id = 1;"
        for i in {1..21}; do echo "EXPLAIN (SUMMARY) SELECT * FROM many$children WHERE id = $i;"; done
    } | sql coordinator bench | sed -n 's/^Planning Time: \([0-9.]*\) ms/\1/p' | tail -21 | median |
        sed "s/^/$(printf '%6d' "$children") children  /"
done

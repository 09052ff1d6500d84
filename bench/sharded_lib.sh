# shellcheck shell=bash
# Sourced by sharded.sh and sharded_writes.sh: one set of rows on four shards, and every way to get at it:
#
#   direct  the same SQL sent straight to the shards. What has a key: as many clients, each with a shard of its own. What all
#           shards are asked: one client that sends it to all of them at once and waits for all answers (at_once.c)
#   s       shard_fdw: a parent with CHECKs
#   i       postgres_fdw on the same tables under INHERITS; queries carry the redundant condition
#   p       postgres_fdw as hash partitions (its best layout), asynchronous, partitionwise
#   x       Debian's PL/Proxy, if it is installed (package postgresql-NN-plproxy)
#
# direct is the limit: it computes nothing from the answers of the shards.
#
# ROUNDS=5, CLIENTS=8, ROWS=200000, SECONDS_PER_RUN=3. Contestants take turns, round after round.

# shellcheck disable=SC2034
rounds=${ROUNDS:-5} clients=${CLIENTS:-8} rows=${ROWS:-200000} seconds=${SECONDS_PER_RUN:-3}

# layout: servers, tables and functions of all contestants.
layout() {
    local tree n where placements=""
    tree=${TREE:-$("$ROOT/scripts/build.sh" release)}
    cluster_begin "$tree"
    cc -O2 -o "$WORK/at_once" "$ROOT/bench/at_once.c" -I"$("$PG_CONFIG" --includedir)" -L"$("$PG_CONFIG" --libdir)" -lpq
    server_new coordinator "shared_preload_libraries = 'shard_fdw'" "max_connections = 100" \
        "shared_buffers = 256MB" "synchronous_commit = off" "max_prepared_transactions = 0"
    server_new shard "max_connections = 500" "shared_buffers = 1GB" "max_wal_size = 4GB" \
        "max_prepared_transactions = 200" "synchronous_commit = off" "checkpoint_timeout = 1h"
    server_start coordinator
    server_start shard
    sql coordinator postgres -c "CREATE DATABASE bench"
    sql coordinator bench -c "CREATE EXTENSION shard_fdw" -c "CREATE EXTENSION postgres_fdw"
    # PL/Proxy in a database of its own: both extensions define the language.
    contestants=(s i p)
    sql coordinator postgres -c "CREATE DATABASE proxy"
    if sql coordinator proxy -c "CREATE EXTENSION plproxy" 2>/dev/null; then contestants+=(x); fi
    sql coordinator bench >/dev/null <<SQL
CREATE TABLE s_t (id int NOT NULL, g int, v int, t text);
CREATE TABLE s_o (id int, cust int NOT NULL, amount int);
CREATE TABLE s_w (id int NOT NULL, v int, t text);
CREATE TABLE s_u (id int NOT NULL, v int, t text);
CREATE TABLE i_t (LIKE s_t); CREATE TABLE i_o (LIKE s_o);
CREATE TABLE p_t (LIKE s_t) PARTITION BY HASH (id);
CREATE TABLE p_o (LIKE s_o) PARTITION BY HASH (cust);
CREATE TABLE p_w (LIKE s_w) PARTITION BY HASH (id);
CREATE TABLE source AS SELECT n AS id, n % 1000 AS v, 'row number ' || n AS t FROM generate_series(1, 50000) n;
ALTER DATABASE bench SET enable_partitionwise_aggregate = on;
ALTER DATABASE bench SET enable_partitionwise_join = on;
SQL
    for n in 0 1 2 3; do
        sql shard postgres -c "CREATE DATABASE db$n"
        sql shard "db$n" >/dev/null <<SQL
CREATE TABLE h (id int) PARTITION BY HASH (id);
CREATE TABLE hp PARTITION OF h FOR VALUES WITH (MODULUS 4, REMAINDER $n);
CREATE TABLE s_t (id int PRIMARY KEY, g int, v int, t text);
CREATE TABLE s_o (id int PRIMARY KEY, cust int, amount int);
CREATE TABLE s_w (id int, v int, t text);
CREATE TABLE s_u (id int PRIMARY KEY, v int, t text);
CREATE TABLE p_t (LIKE s_t INCLUDING ALL);
CREATE TABLE p_o (LIKE s_o INCLUDING ALL);
CREATE TABLE p_w (LIKE s_w);
INSERT INTO s_t SELECT i, i % 100, i % 7919, 'row ' || i FROM generate_series(1, $rows) i WHERE i % 4 = $n;
INSERT INTO s_o SELECT i, 1 + i % $rows, i % 1000 FROM generate_series(1, $rows) i WHERE (1 + i % $rows) % 4 = $n;
INSERT INTO p_t SELECT i, i % 100, i % 7919, 'row ' || i FROM generate_series(1, $rows) i
  WHERE satisfies_hash_partition('h'::regclass, 4, $n, i);
INSERT INTO p_o SELECT i, 1 + i % $rows, i % 1000 FROM generate_series(1, $rows) i
  WHERE satisfies_hash_partition('h'::regclass, 4, $n, 1 + i % $rows);
CREATE INDEX ON s_o (cust);
CREATE INDEX ON p_o (cust);
CREATE FUNCTION one(i int) RETURNS SETOF s_t LANGUAGE sql STABLE AS 'SELECT * FROM s_t WHERE id = i';
CREATE FUNCTION many(i int[]) RETURNS SETOF s_t LANGUAGE sql STABLE AS 'SELECT * FROM s_t WHERE id = ANY (i)';
CREATE FUNCTION every() RETURNS SETOF s_t LANGUAGE sql STABLE AS 'SELECT * FROM s_t';
CREATE FUNCTION top() RETURNS SETOF s_t LANGUAGE sql STABLE AS 'SELECT * FROM s_t ORDER BY id DESC LIMIT 10';
CREATE FUNCTION counted() RETURNS SETOF bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM s_t';
CREATE FUNCTION summed(OUT s bigint, OUT c bigint) RETURNS SETOF record LANGUAGE sql STABLE AS 'SELECT sum(v), count(v) FROM s_t';
CREATE FUNCTION grouped(OUT g int, OUT c bigint, OUT s bigint) RETURNS SETOF record LANGUAGE sql STABLE
  AS 'SELECT g, count(*), sum(v) FROM s_t GROUP BY g';
CREATE FUNCTION joined(OUT g int, OUT s bigint) RETURNS SETOF record LANGUAGE sql STABLE
  AS 'SELECT g, sum(o.amount) FROM s_t t JOIN s_o o ON o.cust = t.id GROUP BY g';
CREATE FUNCTION put(i int, v int, t text) RETURNS void LANGUAGE sql AS 'INSERT INTO s_w VALUES (i, v, t)';
CREATE FUNCTION change(i int) RETURNS void LANGUAGE sql AS 'UPDATE s_t SET v = v + 1 WHERE id = i';
SQL
        where="host '127.0.0.1', port '${PORT[shard]}', dbname 'db$n'"
        placements+="${placements:+, }p$n 'host=127.0.0.1 port=${PORT[shard]} dbname=db$n user=postgres'"
        sql coordinator bench >/dev/null <<SQL
SET client_min_messages = warning;
CREATE SERVER s$n FOREIGN DATA WRAPPER shard_fdw OPTIONS ($where);
CREATE SERVER p$n FOREIGN DATA WRAPPER postgres_fdw
  OPTIONS ($where, fetch_size '10000', batch_size '500', async_capable 'true');
CREATE USER MAPPING FOR postgres SERVER s$n OPTIONS (user 'postgres');
CREATE USER MAPPING FOR postgres SERVER p$n OPTIONS (user 'postgres');
CREATE FOREIGN TABLE s_t$n (CHECK (abs(mod(id, 4)) = $n)) INHERITS (s_t) SERVER s$n OPTIONS (table_name 's_t');
CREATE FOREIGN TABLE s_o$n (CHECK (abs(mod(cust, 4)) = $n)) INHERITS (s_o) SERVER s$n OPTIONS (table_name 's_o');
CREATE FOREIGN TABLE s_w$n (CHECK (abs(mod(id, 4)) = $n)) INHERITS (s_w) SERVER s$n OPTIONS (table_name 's_w');
CREATE FOREIGN TABLE s_u$n (CHECK (abs(mod(id, 4)) = $n)) INHERITS (s_u) SERVER s$n OPTIONS (table_name 's_u');
CREATE FOREIGN TABLE i_t$n (CHECK (abs(mod(id, 4)) = $n)) INHERITS (i_t) SERVER p$n OPTIONS (table_name 's_t');
CREATE FOREIGN TABLE i_o$n (CHECK (abs(mod(cust, 4)) = $n)) INHERITS (i_o) SERVER p$n OPTIONS (table_name 's_o');
CREATE FOREIGN TABLE p_t$n PARTITION OF p_t FOR VALUES WITH (MODULUS 4, REMAINDER $n) SERVER p$n OPTIONS (table_name 'p_t');
CREATE FOREIGN TABLE p_o$n PARTITION OF p_o FOR VALUES WITH (MODULUS 4, REMAINDER $n) SERVER p$n OPTIONS (table_name 'p_o');
CREATE FOREIGN TABLE p_w$n PARTITION OF p_w FOR VALUES WITH (MODULUS 4, REMAINDER $n) SERVER p$n OPTIONS (table_name 'p_w');
ANALYZE s_t$n, s_o$n, i_t$n, i_o$n, p_t$n, p_o$n;
SQL
    done
    sql shard postgres -c "VACUUM" -c "CHECKPOINT"
    for n in 0 1 2 3; do sql shard "db$n" -c "VACUUM ANALYZE"; done
    [[ " ${contestants[*]} " == *" x "* ]] || return 0
    sql coordinator proxy -c "CREATE SERVER shards FOREIGN DATA WRAPPER plproxy OPTIONS ($placements)" \
        -c "CREATE USER MAPPING FOR PUBLIC SERVER shards" -c "CREATE TABLE s_t (id int, g int, v int, t text)" >/dev/null
    sql coordinator proxy >/dev/null <<'SQL'
CREATE FUNCTION one(i int) RETURNS SETOF s_t LANGUAGE plproxy AS 'CLUSTER ''shards''; RUN ON i;';
CREATE FUNCTION many(i int[]) RETURNS SETOF s_t LANGUAGE plproxy AS 'CLUSTER ''shards''; SPLIT i; RUN ON i;';
CREATE FUNCTION every() RETURNS SETOF s_t LANGUAGE plproxy AS 'CLUSTER ''shards''; RUN ON ALL;';
CREATE FUNCTION top() RETURNS SETOF s_t LANGUAGE plproxy AS 'CLUSTER ''shards''; RUN ON ALL;';
CREATE FUNCTION counted() RETURNS SETOF bigint LANGUAGE plproxy AS 'CLUSTER ''shards''; RUN ON ALL;';
CREATE FUNCTION summed(OUT s bigint, OUT c bigint) RETURNS SETOF record LANGUAGE plproxy AS 'CLUSTER ''shards''; RUN ON ALL;';
CREATE FUNCTION grouped(OUT g int, OUT c bigint, OUT s bigint) RETURNS SETOF record LANGUAGE plproxy
  AS 'CLUSTER ''shards''; RUN ON ALL;';
CREATE FUNCTION joined(OUT g int, OUT s bigint) RETURNS SETOF record LANGUAGE plproxy AS 'CLUSTER ''shards''; RUN ON ALL;';
CREATE FUNCTION put(i int, v int, t text) RETURNS void LANGUAGE plproxy AS 'CLUSTER ''shards''; RUN ON i;';
CREATE FUNCTION change(i int) RETURNS void LANGUAGE plproxy AS 'CLUSTER ''shards''; RUN ON i;';
SQL
}

median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# bench SERVER DATABASE CLIENTS FILE: transactions per second, prepared statements, connecting left out.
bench() {
    "$PG_BIN/pgbench" -h 127.0.0.1 -p "${PORT[$1]}" -U postgres -n -M prepared -c "$3" -j "$(($3 > 1 ? 2 : 1))" \
        -T "$seconds" -f "$4" "$2" 2>>"$WORK/bench.log" | sed -n 's/^tps = \([0-9.]*\) .*/\1/p'
}

# rate CONTESTANT CLIENTS HOW: transactions per second of the contestant's script. `direct` goes to the four shards. HOW
# `by_key`: a quarter of the clients each, all added up. `at_once`: one client asks all shards and waits for all answers.
rate() {
    local n places=()
    if [[ $1 != direct ]]; then
        bench coordinator "$([[ $1 == x ]] && echo proxy || echo bench)" "$2" "$WORK/script.$1"
        return
    fi
    if [[ $3 == at_once ]]; then
        for n in 0 1 2 3; do places+=("host=127.0.0.1 port=${PORT[shard]} dbname=db$n user=postgres"); done
        "$WORK/at_once" "$seconds" "$WORK/script.direct" "${places[@]}" | sed -n 's/^tps = //p'
        return
    fi
    for n in 0 1 2 3; do
        sed "s/%n/$n/g" "$WORK/script.direct" >"$WORK/script.direct.$n"
        bench shard "db$n" "$(($2 > 4 ? $2 / 4 : 1))" "$WORK/script.direct.$n" >"$WORK/direct.$n" &
    done
    wait
    cat "$WORK"/direct.[0-3] | awk '{ s += $1 } END { print s }'
}

# script CONTESTANT: the contestant's script, from standard input.
script() { cat >"$WORK/script.$1"; }

# compare TITLE CLIENTS HOW: runs what `script` has been given, and shows transactions per second (medians) and, beside
# each contestant's, how many times as fast shard_fdw is. Not if the title does not match the regular expression ONLY.
compare() {
    local who round present=()
    if [[ ! $1 =~ ${ONLY:-} ]]; then
        rm -f "$WORK"/script.*
        return
    fi
    for who in direct s i p x; do
        [[ -f $WORK/script.$who && " direct ${contestants[*]} " == *" $who "* ]] || continue
        present+=("$who")
        : >"$WORK/rates.$who"
        rate "$who" "$2" "$3" >/dev/null
    done
    for ((round = 0; round < rounds; round++)); do
        for who in "${present[@]}"; do rate "$who" "$2" "$3" >>"$WORK/rates.$who"; done
    done
    row "$1" "${present[@]}"
    rm -f "$WORK"/script.*
}

heading() { printf '%-26s %9s %18s %18s %18s %18s\n' "$1" shard_fdw direct "postgres_fdw inh." "postgres_fdw hash" PL/Proxy; }

# row TITLE CONTESTANT...: one line from the files of rates.
row() {
    local title=$1 ours who
    shift
    ours=$(median <"$WORK/rates.s")
    printf '%-26s %9.1f' "$title" "$ours"
    for who in direct i p x; do
        if [[ " $* " == *" $who "* ]]; then
            awk -v a="$ours" -v b="$(median <"$WORK/rates.$who")" 'BEGIN { printf " %9.1f (%5.2fx)", b, (b > 0 ? a / b : 0) }'
        else
            printf ' %18s' -
        fi
    done
    printf '\n'
}

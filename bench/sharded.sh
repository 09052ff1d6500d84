#!/usr/bin/env bash
# Reading sharded tables, side by side with every other way to read the same rows: see sharded_lib.sh.
#
#   bench/sharded.sh      ROUNDS=5, CLIENTS=8, ROWS=200000, SECONDS_PER_RUN=3; ONLY='count|group' for some of it
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/env.sh"
# shellcheck source=scripts/cluster.sh
source "$ROOT/scripts/cluster.sh"
# shellcheck source=bench/sharded_lib.sh
source "$ROOT/bench/sharded_lib.sh"
layout
heading "transactions per second"

id="\\set id random(1, $rows)"
# A key of the shard that the client is connected to.
own="\\set id 4 * random(1, $rows / 4 - 1) + %n"
script direct <<<"$own
SELECT * FROM s_t WHERE id = :id;"
script s <<<"$id
SELECT * FROM s_t WHERE id = :id;"
script i <<<"$id
SELECT * FROM i_t WHERE id = :id AND abs(mod(id, 4)) = abs(mod(:id, 4));"
script p <<<"$id
SELECT * FROM p_t WHERE id = :id;"
script x <<<"$id
SELECT * FROM one(:id);"
compare "key lookup, $clients clients" "$clients" by_key

keys=":id"
for i in {1..19}; do keys+=", :id + $i"; done
start="\\set id random(1, $((rows - 20)))"
for who in s i p; do
    script $who <<<"$start
SELECT * FROM ${who}_t WHERE id IN ($keys);"
done
script x <<<"$start
SELECT * FROM many(ARRAY[$keys]);"
compare "20 keys, $clients clients" "$clients" by_key

# everywhere SQL FUNCTION: with @ for the contestant's prefix.
everywhere() {
    local who
    script direct <<<"${1//@/s}"
    for who in s i p; do script $who <<<"${1//@/$who}"; done
    script x <<<"$2"
}
everywhere "SELECT count(*) FROM @_t;" "SELECT sum(c) FROM counted() c;"
compare "count" 1 at_once
everywhere "SELECT sum(v), avg(v) FROM @_t;" "SELECT sum(s), sum(s) / sum(c) FROM summed();"
compare "sum, avg" 1 at_once
everywhere "SELECT g, count(*), sum(v) FROM @_t GROUP BY g;" "SELECT g, sum(c), sum(s) FROM grouped() GROUP BY g;"
compare "group by" 1 at_once
everywhere "SELECT g, sum(o.amount) FROM @_t t JOIN @_o o ON o.cust = t.id GROUP BY g;" \
    "SELECT g, sum(s) FROM joined() GROUP BY g;"
compare "join, with aggregate" 1 at_once
everywhere "SELECT * FROM @_t ORDER BY id DESC LIMIT 10;" "SELECT * FROM top() ORDER BY id DESC LIMIT 10;"
compare "top 10 by key" 1 at_once
everywhere "SELECT * FROM @_t;" "SELECT * FROM every();"
compare "all rows" 1 at_once

printf '\nplanning time of a key lookup, ms (median of 201)\n'
for children in 4 32 256 1024; do
    sql coordinator bench >/dev/null <<SQL
CREATE TABLE many$children (id int, t text);
SELECT format('CREATE FOREIGN TABLE many${children}_%s (CHECK (abs(mod(id, $children)) = %1\$s)) INHERITS (many$children) SERVER s%s',
              n, n % 4) FROM generate_series(0, $children - 1) n \gexec
SQL
    {
        echo "EXPLAIN (SUMMARY) SELECT * FROM many$children WHERE id = 1;"
        for i in {1..201}; do echo "EXPLAIN (SUMMARY) SELECT * FROM many$children WHERE id = $i;"; done
    } | sql coordinator bench | sed -n 's/^Planning Time: \([0-9.]*\) ms/\1/p' | tail -201 | median |
        sed "s/^/$(printf '%6d' "$children") children  /"
done

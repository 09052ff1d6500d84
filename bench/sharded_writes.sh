#!/usr/bin/env bash
# Writing sharded tables through the parent, side by side with every other way to write the same rows: see
# sharded_lib.sh. Commits do not wait for the disk anywhere.
#
#   bench/sharded_writes.sh      ROUNDS=5, CLIENTS=8, SECONDS_PER_RUN=3; ONLY='COPY|upsert' for some of it
# shellcheck disable=SC2317
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/env.sh"
# shellcheck source=scripts/cluster.sh
source "$ROOT/scripts/cluster.sh"
# shellcheck source=bench/sharded_lib.sh
source "$ROOT/bench/sharded_lib.sh"
layout
heading "transactions per second"

id="\\set id random(1, 2000000000)"
own="\\set id 4 * random(1, 500000000) + %n"
script direct <<<"$own
INSERT INTO s_w VALUES (:id, 1, 'some text');"
for who in s p; do
    script $who <<<"$id
INSERT INTO ${who}_w VALUES (:id, 1, 'some text');"
done
script x <<<"$id
SELECT put(:id, 1, 'some text');"
compare "insert a row, $clients clients" "$clients" by_key

id="\\set id random(1, $rows)"
own="\\set id 4 * random(1, $rows / 4 - 1) + %n"
script direct <<<"$own
UPDATE s_t SET v = v + 1 WHERE id = :id;"
script s <<<"$id
UPDATE s_t SET v = v + 1 WHERE id = :id;"
script i <<<"$id
UPDATE i_t SET v = v + 1 WHERE id = :id AND abs(mod(id, 4)) = abs(mod(:id, 4));"
script p <<<"$id
UPDATE p_t SET v = v + 1 WHERE id = :id;"
script x <<<"$id
SELECT change(:id);"
compare "update by key, $clients clients" "$clients" by_key

id="\\set id random(1, 1000000)"
own="\\set id 4 * random(1, 250000) + %n"
script direct <<<"$own
INSERT INTO s_u VALUES (:id, 1, 'some text') ON CONFLICT (id) DO UPDATE SET v = s_u.v + excluded.v;"
script s <<<"$id
INSERT INTO s_u VALUES (:id, 1, 'some text') ON CONFLICT (id) DO UPDATE SET v = s_u.v + excluded.v;"
compare "upsert a row, $clients clients" "$clients" by_key

# Statements that write 50,000 rows: milliseconds, the tables emptied before each.
clear_tables() {
    local n
    for n in 0 1 2 3; do sql shard "db$n" -c "TRUNCATE s_w, s_u, p_w"; done
}
# timed CONTESTANT COMMAND...: appends runs per second to the contestant's rates.
timed() {
    local who=$1 begin
    shift
    begin=${EPOCHREALTIME/./}
    "$@" >/dev/null
    awk -v us=$((${EPOCHREALTIME/./} - begin)) 'BEGIN { printf "%.4f\n", 1e6 / us }' >>"$WORK/rates.$who"
}
# bulk TITLE CONTESTANT...: runs the functions bulk_CONTESTANT.
bulk() {
    local title=$1 who round
    [[ $title =~ ${ONLY:-} ]] || return 0
    shift
    for who in "$@"; do : >"$WORK/rates.$who"; done
    for ((round = 0; round < rounds; round++)); do
        for who in "$@"; do
            clear_tables
            timed "$who" "bulk_$who"
        done
    done
    row "$title" "$@"
}

bulk_s() { sql coordinator bench -c "INSERT INTO s_w SELECT * FROM source"; }
bulk_p() { sql coordinator bench -c "INSERT INTO p_w SELECT * FROM source"; }
bulk "50,000 rows INSERT SELECT" s p

for n in 0 1 2 3; do
    sql coordinator bench -c "COPY (SELECT * FROM source WHERE id % 4 = $n) TO STDOUT" >"$WORK/part.$n"
done
sql coordinator bench -c "COPY source TO STDOUT" >"$WORK/parts"
bulk_s() { sql coordinator bench -c "\\copy s_w FROM '$WORK/parts'"; }
bulk_p() { sql coordinator bench -c "\\copy p_w FROM '$WORK/parts'"; }
bulk_direct() {
    local n
    for n in 0 1 2 3; do sql shard "db$n" -c "\\copy s_w FROM '$WORK/part.$n'" & done
    wait
}
bulk "50,000 rows COPY" s direct p

bulk_s() { sql coordinator bench -c "INSERT INTO s_u SELECT * FROM source"; }
bulk "50,000 rows, unique key" s
bulk_s() { sql coordinator bench -c "INSERT INTO s_u SELECT * FROM source ON CONFLICT (id) DO UPDATE SET v = excluded.v"; }
bulk "50,000 rows, upsert" s

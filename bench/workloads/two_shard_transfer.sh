# shellcheck shell=bash disable=SC2034
# What atomicity costs: two updates on two shards in one transaction, beside the same two on one shard.
# Round trips of shard_fdw, BEGIN travelling with the first statement: one shard 3 (update, update, COMMIT), two
# shards 4 (update, update, PREPARE TRANSACTION on both at once, COMMIT PREPARED on both at once), and a commit
# here for the decision. postgres_fdw sends START TRANSACTION and COMMIT by themselves to each shard, and is not
# atomic: a failure between its COMMITs leaves half.
title="Transfer between two shards, one client"
unit="transactions/s"
contestants=(no_wrapper_one_shard one_shard postgres_fdw shard_fdw)

prepare() {
    local db wrapper
    sql shard postgres -c "CREATE DATABASE bench_left" -c "CREATE DATABASE bench_right"
    for db in bench_left bench_right; do
        sql shard "$db" -c "CREATE TABLE purse (id int PRIMARY KEY, v bigint) WITH (fillfactor = 50);
            INSERT INTO purse SELECT n, 0 FROM generate_series(1, 100000) n" -c "VACUUM ANALYZE purse"
        for wrapper in postgres_fdw shard_fdw; do
            sql coordinator bench -c "CREATE SERVER ${db}_$wrapper FOREIGN DATA WRAPPER $wrapper
                OPTIONS (host '127.0.0.1', port '${PORT[shard]}', dbname '$db')" \
                -c "CREATE USER MAPPING FOR postgres SERVER ${db}_$wrapper OPTIONS (user 'postgres')" \
                -c "CREATE FOREIGN TABLE ${db}_$wrapper (id int, v bigint) SERVER ${db}_$wrapper OPTIONS (table_name 'purse')"
        done
    done
    sql shard bench -c "CREATE TABLE purse (id int PRIMARY KEY, v bigint) WITH (fillfactor = 50);
        INSERT INTO purse SELECT n, 0 FROM generate_series(1, 100000) n" -c "VACUUM ANALYZE purse"
}

measure() {
    local server=coordinator from=bench_left_$1 to=bench_right_$1
    case $1 in
    no_wrapper_one_shard) server=shard from=purse to=purse ;;
    one_shard) from=bench_left_shard_fdw to=bench_left_shard_fdw ;;
    esac
    printf '%s\n' '\set a random(1, 50000)' '\set b random(50001, 100000)' "BEGIN;" \
        "UPDATE $from SET v = v - 1 WHERE id = :a;" "UPDATE $to SET v = v + 1 WHERE id = :b;" \
        "COMMIT;" >"$WORK/script.sql"
    tps $server "$WORK/script.sql"
}

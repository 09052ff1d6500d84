# shellcheck shell=bash disable=SC2034
# INSERT ... SELECT of 50,000 local rows into a plain foreign table. postgres_fdw sends one row per statement unless
# told otherwise; shard_fdw batches without being told.
title="INSERT ... SELECT of 50,000 rows"
unit="statements/s"
contestants=(postgres_fdw_batch_1000 shard_fdw)

prepare() {
    local server
    sql shard bench -c "CREATE TABLE target (id int, v int, note text, at timestamptz)"
    peer postgres_fdw_batch_1000 postgres_fdw "batch_size '1000'"
    for server in "${contestants[@]}"; do
        sql coordinator bench -c "CREATE FOREIGN TABLE target_$server (id int, v int, note text, at timestamptz)
            SERVER $server OPTIONS (table_name 'target')"
    done
    sql coordinator bench -c "CREATE TABLE source AS SELECT n AS id, n % 1000 AS v, 'row number ' || n AS note,
        timestamptz '2026-01-01' + n * interval '1 second' AS at FROM generate_series(1, 50000) n" -c "VACUUM ANALYZE source"
}

measure() {
    sql shard bench -c "TRUNCATE target"
    per_second "INSERT INTO target_$1 SELECT * FROM source"
}

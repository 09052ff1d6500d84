# shellcheck shell=bash disable=SC2034
# All of a million rows through a plain foreign table. OFFSET 0 keeps the aggregate here, and
# counting every column makes every column travel.
title="Full scan of 1,000,000 rows"
unit="scans/s"
contestants=(no_wrapper postgres_fdw postgres_fdw_tuned shard_fdw)

prepare() {
    local server
    sql shard bench -c "CREATE TABLE events AS SELECT n AS id, n % 1000 AS kind,
        'event number ' || n AS note, timestamptz '2026-01-01' + n * interval '1 second' AS at,
        n / 7.0::float8 AS value FROM generate_series(1, 1000000) n" -c "VACUUM ANALYZE events"
    for server in postgres_fdw postgres_fdw_tuned shard_fdw; do
        sql coordinator bench -c "CREATE FOREIGN TABLE events_$server
            (id int, kind int, note text, at timestamptz, value float8) SERVER $server
            OPTIONS (table_name 'events')"
    done
}

measure() {
    local query="SELECT count(id), count(kind), count(note), count(at), count(value) FROM"
    if [[ $1 == no_wrapper ]]; then
        # What a client that reads the rows over the wire sees.
        local begin=${EPOCHREALTIME/./}
        sql shard bench -c "COPY events TO STDOUT (FORMAT binary)" >/dev/null
        awk -v us=$((${EPOCHREALTIME/./} - begin)) 'BEGIN { printf "%.4f\n", 1e6 / us }'
    else
        per_second "$query (SELECT * FROM events_$1 OFFSET 0) s"
    fi
}

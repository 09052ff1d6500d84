# shellcheck shell=bash disable=SC2034
# One row by primary key through a plain foreign table, one client, prepared statements.
title="Primary-key lookup, one client"
unit="transactions/s"
contestants=(no_wrapper postgres_fdw shard_fdw)

prepare() {
    local server
    sql shard bench -c "CREATE TABLE accounts AS SELECT n AS id, n % 1000 AS branch, n * 10 AS balance,
        'account ' || n AS note FROM generate_series(1, 100000) n" \
        -c "ALTER TABLE accounts ADD PRIMARY KEY (id)" -c "VACUUM ANALYZE accounts"
    for server in postgres_fdw shard_fdw; do
        sql coordinator bench -c "CREATE FOREIGN TABLE accounts_$server
            (id int, branch int, balance int, note text) SERVER $server OPTIONS (table_name 'accounts')"
    done
}

measure() {
    local server=coordinator table=accounts_$1
    [[ $1 != no_wrapper ]] || server=shard table=accounts
    printf '%s\n' '\set id random(1, 100000)' "SELECT * FROM $table WHERE id = :id;" >"$WORK/script.sql"
    tps $server "$WORK/script.sql"
}

# shellcheck shell=bash disable=SC2034
# One row by primary key changed through a plain foreign table, one client, prepared statements.
title="UPDATE by primary key, one client"
unit="transactions/s"
contestants=(no_wrapper postgres_fdw shard_fdw)

prepare() {
    local server
    sql shard bench -c "CREATE TABLE counters (id int PRIMARY KEY, v bigint) WITH (fillfactor = 50);
        INSERT INTO counters SELECT n, 0 FROM generate_series(1, 100000) n" -c "VACUUM ANALYZE counters"
    for server in postgres_fdw shard_fdw; do
        sql coordinator bench -c "CREATE FOREIGN TABLE counters_$server (id int, v bigint) SERVER $server
            OPTIONS (table_name 'counters')"
    done
}

measure() {
    local server=coordinator table=counters_$1
    [[ $1 != no_wrapper ]] || server=shard table=counters
    printf '%s\n' '\set id random(1, 100000)' "UPDATE $table SET v = v + 1 WHERE id = :id;" >"$WORK/script.sql"
    tps $server "$WORK/script.sql"
}

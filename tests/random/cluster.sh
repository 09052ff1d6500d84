# shellcheck shell=bash
# Sourced by random_test.sh: a coordinator and four shards that hold the tables of coordinator.sql.

# random_cluster SEED
random_cluster() {
    local number sizes=(100 3 1 17)
    server_new coordinator "shared_preload_libraries = '$FDW'" "shard_fdw.resolver_interval = 0"
    server_new shard "timezone = 'Asia/Tokyo'" "datestyle = 'SQL, DMY'" "intervalstyle = 'sql_standard'" \
        "extra_float_digits = 0" "bytea_output = 'escape'" "max_connections = 100"
    server_start coordinator
    server_start shard
    sql coordinator postgres -c "CREATE DATABASE coord"
    sql coordinator coord -c "CREATE EXTENSION $FDW"
    for number in 0 1 2 3; do
        sql shard postgres -c "CREATE DATABASE db$number"
        sql shard "db$number" -f "$ROOT/tests/random/shard.sql"
        sql coordinator coord -c "CREATE SERVER db$number FOREIGN DATA WRAPPER $FDW OPTIONS (host '127.0.0.1',
            port '${PORT[shard]}', dbname 'db$number', fetch_size '${sizes[number]}',
            batch_size '1000', fdw_tuple_cost '0.01', use_remote_estimate 'false')" \
            -c "CREATE USER MAPPING FOR postgres SERVER db$number OPTIONS (user 'postgres')"
    done
    sql coordinator coord -v seed="$1" -f "$ROOT/tests/random/coordinator.sql"
}

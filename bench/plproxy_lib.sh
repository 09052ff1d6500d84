# shellcheck shell=bash
# Sourced by plproxy.sh: the cluster of the 2015 walk-through, 32 databases behind one coordinator, and the same functions
# for each contestant, `plproxy` (Debian's, if it is installed) and `shard_fdw`, in a database of the coordinator of its own.
# Both use the same partitions.

# shellcheck disable=SC2034
contestants=(shard_fdw) partitions=32 users=32000
workloads=(query_pk insert_log query_insert update_pk query_update_insert query_smalltbl query_all)

# layout CLIENTS: everything, for so many clients of each contestant, with a connection each to every partition.
layout() {
    local contestant
    cluster_begin "${TREE:-$("$ROOT/scripts/build.sh" release)}"
    server_new coordinator "shared_preload_libraries = 'shard_fdw'" "max_connections = $((2 * $1 + 20))" \
        "max_prepared_transactions = 0"
    server_new shard "max_connections = $((2 * $1 * partitions + 20))" "shared_buffers = 256MB" \
        "max_wal_size = 8GB" "checkpoint_timeout = 1h" "max_prepared_transactions = 0"
    server_start coordinator
    server_start shard
    sql coordinator postgres -c "CREATE DATABASE shard_fdw" -c "CREATE DATABASE plproxy"
    sql coordinator shard_fdw -c "CREATE EXTENSION shard_fdw"
    if sql coordinator plproxy -c "CREATE EXTENSION plproxy" 2>/dev/null; then
        contestants=(plproxy shard_fdw)
    fi
    partition_databases
    for contestant in "${contestants[@]}"; do proxies "$contestant"; done
}

# partition_databases: the tables and functions of the walk-through.
partition_databases() {
    local n
    cat >"$WORK/partition.sql" <<'SQL'
SET client_min_messages = warning;
CREATE SCHEMA digoal;
CREATE TABLE digoal.userinfo(dbid int, userid int PRIMARY KEY, info text);
CREATE TABLE digoal.session(dbid int, userid int PRIMARY KEY, last_login timestamp);
CREATE TABLE digoal.login_log(dbid int, userid int, db_user name, client_addr inet, client_port int,
    server_addr inet, server_port int, login_time timestamp);
CREATE TABLE digoal.tbl_small(userid int PRIMARY KEY, info text);
INSERT INTO digoal.userinfo SELECT :n, generate_series(:n, :users, 32);
INSERT INTO digoal.session SELECT dbid, userid FROM digoal.userinfo;
INSERT INTO digoal.tbl_small SELECT generate_series(0, 5000);
CREATE FUNCTION digoal.query_pk(i_userid int, OUT dbid int, OUT userid int, OUT info text) RETURNS record LANGUAGE plpgsql STRICT AS $$
begin
  select t.dbid,t.userid,t.info into dbid,userid,info from digoal.userinfo t where t.userid=i_userid;
  return;
end $$;
CREATE FUNCTION digoal.insert_log(i_userid int) RETURNS void LANGUAGE plpgsql STRICT AS $$
begin
  set synchronous_commit=off;
  insert into digoal.login_log (userid,db_user,client_addr,client_port,server_addr,server_port,login_time)
    values (i_userid,current_user,inet_client_addr(),inet_client_port(),inet_server_addr(),inet_server_port(),now());
end $$;
CREATE FUNCTION digoal.query_insert(i_userid int, OUT dbid int, OUT userid int, OUT info text) RETURNS record LANGUAGE plpgsql STRICT AS $$
begin
  set synchronous_commit=off;
  select t.dbid,t.userid,t.info into dbid,userid,info from digoal.userinfo t where t.userid=i_userid;
  insert into digoal.login_log (userid,db_user,client_addr,client_port,server_addr,server_port,login_time)
    values (i_userid,current_user,inet_client_addr(),inet_client_port(),inet_server_addr(),inet_server_port(),now());
  return;
end $$;
CREATE FUNCTION digoal.update_pk(i_userid int) RETURNS void LANGUAGE plpgsql STRICT AS $$
begin
  set synchronous_commit=off;
  update digoal.session t set last_login=now() where t.userid=i_userid;
end $$;
CREATE FUNCTION digoal.query_update_insert(i_userid int, OUT dbid int, OUT userid int, OUT info text) RETURNS record LANGUAGE plpgsql STRICT AS $$
begin
  set synchronous_commit=off;
  select t.dbid,t.userid,t.info into dbid,userid,info from digoal.userinfo t where t.userid=i_userid;
  insert into digoal.login_log (userid,db_user,client_addr,client_port,server_addr,server_port,login_time)
    values (i_userid,current_user,inet_client_addr(),inet_client_port(),inet_server_addr(),inet_server_port(),now());
  update digoal.session t set last_login=now() where t.userid=i_userid;
  return;
end $$;
CREATE FUNCTION digoal.query_smalltbl(i_userid int, OUT userid int, OUT info text) RETURNS record LANGUAGE plpgsql STRICT AS $$
begin
  select t.userid,t.info into userid,info from digoal.tbl_small t where t.userid=i_userid;
  return;
end $$;
CREATE FUNCTION digoal.query_all(i_userid int, OUT dbid int, OUT userid int, OUT info text) RETURNS SETOF record LANGUAGE plpgsql STABLE STRICT AS $$
begin
  return query select t.dbid,t.userid,t.info from digoal.userinfo t where t.userid=i_userid;
end $$;
SQL
    for ((n = 0; n < partitions; n++)); do
        sql shard postgres -c "CREATE DATABASE db$n"
        sql shard "db$n" -v n="$n" -v users="$users" -f "$WORK/partition.sql" >/dev/null
        sql shard "db$n" -c "VACUUM ANALYZE"
    done
    sql shard postgres -c "CHECKPOINT"
}

# proxies CONTESTANT: the cluster and the functions, in the words of both; and a gate at which clients wait for each other.
proxies() {
    local n options=() row=", OUT dbid int, OUT userid int, OUT info text" functions=""
    for ((n = 0; n < partitions; n++)); do
        options+=("p$n 'host=127.0.0.1 port=${PORT[shard]} dbname=db$n user=postgres application_name=$1'")
    done
    proxy query_pk "$row" "setof record" i_userid
    proxy insert_log "" void i_userid
    proxy query_insert "$row" "setof record" i_userid
    proxy update_pk "" void i_userid
    proxy query_update_insert "$row" "setof record" i_userid
    proxy query_smalltbl ", OUT userid int, OUT info text" "setof record" any
    proxy query_all "$row" "setof record" all
    sql coordinator "$1" <<SQL
CREATE SERVER rds_pg_cluster FOREIGN DATA WRAPPER plproxy
    OPTIONS (connection_lifetime '1800', disable_binary '0', $(IFS=,; printf '%s' "${options[*]}"));
CREATE USER MAPPING FOR PUBLIC SERVER rds_pg_cluster;
$functions
CREATE SCHEMA bench;
CREATE TABLE bench.open AS SELECT false AS yes;
CREATE FUNCTION bench.gate() RETURNS void LANGUAGE plpgsql AS \$\$ BEGIN
    WHILE NOT (SELECT yes FROM bench.open) LOOP PERFORM pg_sleep(0.2); END LOOP; END \$\$;
SQL
}

# proxy NAME ARGUMENTS RESULT RUN: one more of them.
proxy() {
    functions+="CREATE FUNCTION $1(IN i_userid int$2) RETURNS $3 LANGUAGE plproxy STRICT AS "
    functions+="\$\$ cluster 'rds_pg_cluster'; run on $4; target digoal.$1; \$\$;"$'\n'
}

# level_off: the partitions as they were before the clients came.
level_off() {
    local n
    for ((n = 0; n < partitions; n++)); do
        sql shard "db$n" -c "TRUNCATE digoal.login_log" -c "VACUUM digoal.session"
    done
    sql shard postgres -c "CHECKPOINT"
}

#!/usr/bin/env bash
# Side by side: the function language against PL/Proxy itself, in the same run, on the workloads of the 2015
# walk-through: 32 databases, and RUN ON ALL over them.
#
#   bench/plproxy.sh [workload...]      ROUNDS=3, CLIENTS="1 8 45", SECONDS_PER_RUN=8 by default
#   MEASURE=cpu bench/plproxy.sh        CPU time per call instead of calls per second
#
# Contestants run in turn, round after round. ROUNDS=1 SECONDS_PER_RUN=3 takes a quarter of an hour. The beginning of a run is left out: there every client connects to
# every partition. Without PL/Proxy installed (package postgresql-NN-plproxy) only our own figures are shown.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/env.sh"
# shellcheck source=scripts/cluster.sh
source "$ROOT/scripts/cluster.sh"

rounds=${ROUNDS:-3}
seconds=${SECONDS_PER_RUN:-8}
read -r -a clients <<<"${CLIENTS:-1 8 45}"
partitions=32
users=32000
tree=${TREE:-$("$ROOT/scripts/build.sh" release)}
cluster_begin "$tree"
server_new coordinator "shared_preload_libraries = 'shard_fdw'" "max_connections = 100"
server_new shard "max_connections = 1700" "shared_buffers = 256MB" "max_wal_size = 4GB" "max_prepared_transactions = 0"
server_start coordinator
server_start shard
sql coordinator postgres -c "CREATE DATABASE shard_fdw" -c "CREATE DATABASE plproxy"
sql coordinator shard_fdw -c "CREATE EXTENSION shard_fdw"
contestants=(shard_fdw)
if sql coordinator plproxy -c "CREATE EXTENSION plproxy" 2>/dev/null; then
    contestants=(plproxy shard_fdw)
fi

# The functions and tables of the walk-through, on every partition.
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
CREATE FUNCTION digoal.query_all(i_userid int, OUT dbid int, OUT userid int, OUT info text) RETURNS SETOF record LANGUAGE sql STABLE STRICT AS $$
  select t.dbid,t.userid,t.info from digoal.userinfo t where t.userid=i_userid $$;
SQL
sql shard postgres -c "CREATE DATABASE db0"
sql shard db0 -v n=0 -v users="$users" -f "$WORK/partition.sql" >/dev/null
options=()
for ((n = 0; n < partitions; n++)); do
    if [[ $n -gt 0 ]]; then
        sql shard postgres -c "CREATE DATABASE db$n"
        sql shard "db$n" -v n="$n" -v users="$users" -f "$WORK/partition.sql" >/dev/null
    fi
    options+=("p$n 'host=127.0.0.1 port=${PORT[shard]} dbname=db$n user=postgres application_name=$n'")
done
sql shard postgres -c "VACUUM ANALYZE" -c "CHECKPOINT"

# proxy NAME RESULT RUN: a function of both contestants.
functions=""
proxy() {
    functions+="CREATE FUNCTION $1(IN i_userid int$2) RETURNS $3 LANGUAGE plproxy STRICT AS "
    functions+="\$\$ cluster 'rds_pg_cluster'; run on $4; target digoal.$1; \$\$;"$'\n'
}
row=", OUT dbid int, OUT userid int, OUT info text"
proxy query_pk "$row" "setof record" i_userid
proxy insert_log "" void i_userid
proxy query_insert "$row" "setof record" i_userid
proxy update_pk "" void i_userid
proxy query_update_insert "$row" "setof record" i_userid
proxy query_smalltbl ", OUT userid int, OUT info text" "setof record" any
proxy query_all "$row" "setof record" all
for contestant in "${contestants[@]}"; do
    sql coordinator "$contestant" -c "CREATE SERVER rds_pg_cluster FOREIGN DATA WRAPPER plproxy
        OPTIONS (connection_lifetime '1800', disable_binary '0', $(IFS=,; printf '%s' "${options[*]}"))" \
        -c "CREATE USER MAPPING FOR PUBLIC SERVER rds_pg_cluster" -c "$functions"
done

# rate CONTESTANT WORKLOAD CLIENTS: transactions per second at the end of a run. Each client's first transaction
# connects to all the partitions; the more clients, the longer that takes.
rate() {
    local total=$((seconds + $3 * partitions / 60))
    cat >"$WORK/script.$2.sql" <<SQL
\\if :warm = 0
select count(*) from query_all(0);
\\set warm 1
\\endif
\\set id random(0, $users)
select $2(:id);
SQL
    "$PG_BIN/pgbench" -h 127.0.0.1 -p "${PORT[coordinator]}" -U postgres -n -M prepared -c "$3" -j 2 \
        -D warm=0 -T "$total" -P 1 -f "$WORK/script.$2.sql" "$1" 2>&1 | tee -a "$WORK/bench.log" |
        awk -v from=$((total - (seconds + 1) / 2)) '/^progress:/ && $2 > from { n++; sum += $4 } END { printf "%.1f\n", n ? sum / n : 0 }'
}

median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# cpu: microseconds of CPU time that the backends of both servers have used so far, all of them having ended.
cpu() {
    local server ticks=0 pid
    for server in coordinator shard; do
        wait_for 60 "[[ \$(sql $server postgres -c \"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'\") == 1 ]]"
        pid=$(head -1 "$WORK/data/$server/postmaster.pid")
        ticks=$((ticks + $(sed 's/.*) //' "/proc/$pid/stat" | awk '{ print $14 + $15 }')))
    done
    echo $((ticks * 1000000 / $(getconf CLK_TCK)))
}

# cost CONTESTANT WORKLOAD CLIENTS: microseconds of CPU time per call in both servers, connecting left out (the
# difference of a short and a long run). What a machine that others use lets one measure.
cost() {
    local calls=$((6000 / $3)) runs=(40 $((40 + 6000 / $3))) used=() run before
    printf '\\set id random(0, %d)\nselect %s(:id);\n' "$users" "$2" >"$WORK/script.$2.sql"
    for run in "${runs[@]}"; do
        before=$(cpu)
        "$PG_BIN/pgbench" -h 127.0.0.1 -p "${PORT[coordinator]}" -U postgres -n -M prepared -c "$3" -j 2 \
            -t "$run" -f "$WORK/script.$2.sql" "$1" >>"$WORK/bench.log" 2>&1
        used+=($(($(cpu) - before)))
    done
    echo $(((used[1] - used[0]) / (calls * $3)))
}

measure=rate
if [[ ${MEASURE:-rate} == cpu ]]; then
    measure=cost
    say "CPU time per call in the servers, microseconds; the ratio is PL/Proxy's to ours"
else
    say "calls per second; the ratio is ours to PL/Proxy's"
fi
printf '%-22s %8s' workload clients
printf ' %12s' "${contestants[@]}"
printf '   ratio\n'
pairs=0
for workload in query_pk insert_log query_insert update_pk query_update_insert query_smalltbl query_all; do
    [[ $# -eq 0 || " $* " == *" $workload "* ]] || continue
    for count in "${clients[@]}"; do
        for ((round = 1; round <= rounds; round++)); do
            # Who begins changes with each pair, so that a machine that becomes slower or faster favours nobody.
            turn=("${contestants[@]}")
            pairs=$((pairs + 1))
            if [[ $((pairs % 2)) == 0 && ${#turn[@]} == 2 ]]; then turn=("${turn[1]}" "${turn[0]}"); fi
            for contestant in "${turn[@]}"; do
                "$measure" "$contestant" "$workload" "$count" >>"$WORK/$workload.$count.$contestant"
            done
        done
        printf '%-22s %8d' "$workload" "$count"
        for contestant in "${contestants[@]}"; do
            value=$(median <"$WORK/$workload.$count.$contestant")
            printf ' %12.1f' "$value"
        done
        if [[ ${#contestants[@]} -gt 1 ]]; then
            first=$(median <"$WORK/$workload.$count.plproxy")
            awk -v a="$value" -v b="$first" -v m="$measure" -v out="$WORK/ratios" 'BEGIN {
                r = a > 0 && b > 0 ? (m == "rate" ? a / b : b / a) : 0; printf "   %5.2f", r; print r >>out }'
        fi
        printf '\n'
    done
done
if [[ -s $WORK/ratios ]]; then
    printf 'median of the ratios: %.2f, least: %.2f\n' "$(median <"$WORK/ratios")" "$(sort -g "$WORK/ratios" | head -1)"
fi
if grep -q ERROR "$WORK/bench.log"; then
    grep -m5 ERROR "$WORK/bench.log"
    die "there were errors"
fi

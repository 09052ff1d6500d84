-- The PL/Proxy walk-through of 2015, on 32 databases: from CREATE DATABASE over dblink to counting over all of
-- them. Two servers stand for its sixteen, rows are fewer, times are left out.
\i common/bare.sql
create extension shard_fdw;
create extension dblink;
\set ECHO none
-- Servers p0 .. p15 for managing the data nodes.
select format('CREATE SERVER p%s FOREIGN DATA WRAPPER dblink_fdw OPTIONS (host %L, dbname ''postgres'', port %L)',
              n, :'host', case n % 2 when 0 then :'port0' else :'port1' end)
  from generate_series(0, 15) n \gexec
select format('CREATE USER MAPPING FOR public SERVER p%s OPTIONS (user ''postgres'')', n) from generate_series(0, 15) n \gexec
\set ECHO all
create or replace function new_dblink_connect(text,text) returns void as $$
declare
begin
  perform dblink_connect($1,$2);
  exception
    when SQLSTATE '42710' then
      return;
    when others then
      raise;
end;
$$ language plpgsql;
-- Two databases on each node; db0 to db3 are there already.
do language plpgsql $$
declare
begin
  for i in 0..15 loop
    perform new_dblink_connect('p'||i||'_conn', 'p'||i);
    if i > 3 then
      perform dblink_exec('p'||i||'_conn', 'create database db'||i, false);
    end if;
    perform dblink_exec('p'||i||'_conn', 'create database db'||(i+16), false);
    perform dblink_disconnect('p'||i||'_conn');
  end loop;
end;
$$;
\set ECHO none
select format('alter server p%s options (set dbname ''db%s'')', n, n) from generate_series(0, 15) n \gexec
select format('CREATE SERVER p%s FOREIGN DATA WRAPPER dblink_fdw OPTIONS (host %L, dbname ''db%s'', port %L)',
              n, :'host', n, case n % 2 when 0 then :'port0' else :'port1' end)
  from generate_series(16, 31) n \gexec
select format('CREATE USER MAPPING FOR public SERVER p%s OPTIONS (user ''postgres'')', n) from generate_series(16, 31) n \gexec
select format('alter server p%s options (add application_name ''%s'')', n, n) from generate_series(0, 31) n \gexec
\set ECHO all
-- A schema, and a function that runs any query.
do language plpgsql $$
declare
  v_sql text;
begin
  v_sql := 'CREATE OR REPLACE FUNCTION digoal.dy(sql text)
     RETURNS SETOF record
     LANGUAGE plpgsql
     STRICT
    AS $function$
      declare
        rec record;
      begin
        for rec in execute sql loop
          return next rec;
        end loop;
        return;
      end;
    $function$;';

  for i in 0..31 loop
    perform new_dblink_connect('p'||i||'_conn', 'p'||i);
    perform dblink_exec('p'||i||'_conn', 'create schema digoal', false);
    perform dblink_exec('p'||i||'_conn', v_sql, false);
    perform dblink_disconnect('p'||i||'_conn');
  end loop;
end;
$$;
\set ECHO none
-- The cluster: connection_lifetime '1800', disable_binary '0', p0 'host=... dbname=db0 port=... user=postgres
-- keepalives_idle=30 keepalives_interval=10 keepalives_count=10 application_name=0', and so on to p31.
select format('CREATE SERVER rds_pg_cluster FOREIGN DATA WRAPPER plproxy options(connection_lifetime ''1800'', disable_binary  ''0'', %s)',
              string_agg(format('p%s %L', n, format(
                'host=%s dbname=db%s port=%s user=postgres keepalives_idle=30 keepalives_interval=10 keepalives_count=10 application_name=%s',
                :'host', n, case n % 2 when 0 then :'port0' else :'port1' end, n)), ', ' order by n))
  from generate_series(0, 31) n \gexec
\set ECHO all
CREATE USER MAPPING FOR public SERVER rds_pg_cluster;
CREATE OR REPLACE FUNCTION dy(sql text)
 RETURNS SETOF record
 LANGUAGE plproxy
 STRICT
AS $function$
  cluster 'rds_pg_cluster';
  run on all;
  target digoal.dy;
$function$;
select * from dy('select inet_server_addr(),current_database()::text,count(*) from pg_stat_activity where pid=pg_backend_pid() group by 1,2') as t(c1 inet,c2 text,cnt int8) order by length(c2), c2;
-- DDL on all of them.
do language plpgsql $$
declare
  v_sql text;
begin
  v_sql := 'CREATE OR REPLACE FUNCTION digoal.dy_ddl(sql text)
     RETURNS VOID
     LANGUAGE plpgsql
     STRICT
    AS $function$
      declare
      begin
        execute sql;
        return;
      exception when others then return;
      end;
    $function$;';

  for i in 0..31 loop
    perform new_dblink_connect('p'||i||'_conn', 'p'||i);
    perform dblink_exec('p'||i||'_conn', v_sql, false);
    perform dblink_disconnect('p'||i||'_conn');
  end loop;
end;
$$;
CREATE OR REPLACE FUNCTION dy_ddl(sql text)
 RETURNS setof void
 LANGUAGE plproxy
 STRICT
AS $function$
  cluster 'rds_pg_cluster';
  run on all;
  target digoal.dy_ddl;
$function$;
select dy_ddl('create table test(id int)');
select count(*) from dy_ddl('set search_path = public; create table test(id int)');
select * from dy('select id from public.test') as t(id int);
select count(*) from dy_ddl('drop table public.test');
-- Test tables.
do language plpgsql $$
declare
  v_sql text;
begin
  for i in 0..31 loop
    perform new_dblink_connect('p'||i||'_conn', 'p'||i);
    v_sql := 'create table digoal.userinfo(dbid int default '||i||',userid int,info text)';
    perform dblink_exec('p'||i||'_conn', v_sql, false);

    v_sql := 'create table digoal.session (dbid int default '||i||',userid int,last_login timestamp)';
    perform dblink_exec('p'||i||'_conn', v_sql, false);

    v_sql := 'create table digoal.login_log (dbid int default '||i||',userid int,db_user name,client_addr inet,
                       client_port int,server_addr inet,server_port int,login_time timestamp)';
    perform dblink_exec('p'||i||'_conn', v_sql, false);

    v_sql := 'create table digoal.tbl_small (userid int primary key,info text)';
    perform dblink_exec('p'||i||'_conn', v_sql, false);

    perform dblink_disconnect('p'||i||'_conn');
  end loop;
end;
$$;
-- Rows: each node finds its number in its application name.
do language plpgsql $$
declare
  v_sql text;
begin
  v_sql := 'CREATE OR REPLACE FUNCTION digoal.dy_generate_test_ddl()
     RETURNS VOID
     LANGUAGE plpgsql
     STRICT
    AS $function$
      declare
        node int;
sql text;
      begin
        select application_name::int into node from pg_stat_activity where pid=pg_backend_pid();
sql := $a$insert into digoal.userinfo select $a$||node||$a$,generate_series($a$||node||$a$,32000,32)$a$;
execute sql;
sql := $a$insert into digoal.session select dbid,userid from digoal.userinfo$a$;
execute sql;
        return;
      exception when others then return;
      end;
    $function$;';

  for i in 0..31 loop
    perform new_dblink_connect('p'||i||'_conn', 'p'||i);
    perform dblink_exec('p'||i||'_conn', v_sql, false);
    perform dblink_disconnect('p'||i||'_conn');
  end loop;
end;
$$;
CREATE OR REPLACE FUNCTION dy_generate_test_ddl()
 RETURNS setof void
 LANGUAGE plproxy
 STRICT
AS $function$
  cluster 'rds_pg_cluster';
  run on all;
  target digoal.dy_generate_test_ddl;
$function$;
select count(*) from dy_generate_test_ddl();
select count(*) from dy_ddl('alter table digoal.userinfo add constraint pk_userinfo primary key (userid)');
select count(*) from dy_ddl('alter table digoal.session add constraint pk_session primary key (userid)');
select count(*) from dy_ddl('insert into digoal.tbl_small select generate_series(1,500)');
select * from dy('select application_name::int,query,now()-query_start from pg_stat_activity where state=$$active$$ and pid<>pg_backend_pid()') as t(c1 int,c2 text,c3 interval)  where c2 ~ 'dy_' order by 1;

-- Query by primary key, RUN ON n.
select count(*) from dy_ddl('
CREATE OR REPLACE FUNCTION digoal.query_pk(IN i_userid int, OUT dbid int, OUT userid int, OUT info text)
     RETURNS record
     LANGUAGE plpgsql
     STRICT
    AS $function$
      declare
      begin
        select t.dbid,t.userid,t.info into dbid,userid,info from digoal.userinfo t where t.userid=i_userid;
        return;
      end;
    $function$
');
CREATE OR REPLACE FUNCTION query_pk(IN i_userid int, OUT dbid int, OUT userid int, OUT info text)
 RETURNS setof record
 LANGUAGE plproxy
 STRICT
AS $function$
  cluster 'rds_pg_cluster';
  run on i_userid;
  target digoal.query_pk;
$function$;
-- Insert.
select count(*) from dy_ddl('
CREATE OR REPLACE FUNCTION digoal.insert_log(IN i_userid int)
     RETURNS void
     LANGUAGE plpgsql
     STRICT
    AS $function$
      declare
      begin
        set synchronous_commit=off;
        insert into digoal.login_log (userid,db_user,client_addr,client_port,server_addr,server_port,login_time)
   values (i_userid,current_user,inet_client_addr(),inet_client_port(),inet_server_addr(),inet_server_port(),now());
      end;
    $function$
');
CREATE OR REPLACE FUNCTION insert_log(IN i_userid int)
 RETURNS void
 LANGUAGE plproxy
 STRICT
AS $function$
  cluster 'rds_pg_cluster';
  run on i_userid;
  target digoal.insert_log;
$function$;
-- Query and insert.
select count(*) from dy_ddl('
CREATE OR REPLACE FUNCTION digoal.query_insert(IN i_userid int, OUT dbid int, OUT userid int, OUT info text)
     RETURNS record
     LANGUAGE plpgsql
     STRICT
    AS $function$
      declare
      begin
        set synchronous_commit=off;
        select t.dbid,t.userid,t.info into dbid,userid,info from digoal.userinfo t where t.userid=i_userid;
        insert into digoal.login_log (userid,db_user,client_addr,client_port,server_addr,server_port,login_time)
   values (i_userid,current_user,inet_client_addr(),inet_client_port(),inet_server_addr(),inet_server_port(),now());
        return;
      end;
    $function$
');
CREATE OR REPLACE FUNCTION query_insert(IN i_userid int, OUT dbid int, OUT userid int, OUT info text)
 RETURNS setof record
 LANGUAGE plproxy
 STRICT
AS $function$
  cluster 'rds_pg_cluster';
  run on i_userid;
  target digoal.query_insert;
$function$;
-- Update.
select count(*) from dy_ddl('
CREATE OR REPLACE FUNCTION digoal.update_pk(IN i_userid int)
     RETURNS void
     LANGUAGE plpgsql
     STRICT
    AS $function$
      declare
      begin
        set synchronous_commit=off;
        update digoal.session t set last_login=now() where t.userid=i_userid;
      end;
    $function$
');
CREATE OR REPLACE FUNCTION update_pk(IN i_userid int)
 RETURNS void
 LANGUAGE plproxy
 STRICT
AS $function$
  cluster 'rds_pg_cluster';
  run on i_userid;
  target digoal.update_pk;
$function$;
-- Query, insert and update.
select count(*) from dy_ddl('
CREATE OR REPLACE FUNCTION digoal.query_update_insert(IN i_userid int, OUT dbid int, OUT userid int, OUT info text)
     RETURNS record
     LANGUAGE plpgsql
     STRICT
    AS $function$
      declare
      begin
        set synchronous_commit=off;
        select t.dbid,t.userid,t.info into dbid,userid,info from digoal.userinfo t where t.userid=i_userid;
        insert into digoal.login_log (userid,db_user,client_addr,client_port,server_addr,server_port,login_time)
   values (i_userid,current_user,inet_client_addr(),inet_client_port(),inet_server_addr(),inet_server_port(),now());
        update digoal.session t set last_login=now() where t.userid=i_userid;
        return;
      end;
    $function$
');
CREATE OR REPLACE FUNCTION query_update_insert(IN i_userid int, OUT dbid int, OUT userid int, OUT info text)
 RETURNS setof record
 LANGUAGE plproxy
 STRICT
AS $function$
  cluster 'rds_pg_cluster';
  run on i_userid;
  target digoal.query_update_insert;
$function$;
-- A table that every node has whole, RUN ON ANY.
select count(*) from dy_ddl('
CREATE OR REPLACE FUNCTION digoal.query_smalltbl(IN i_userid int, OUT userid int, OUT info text)
     RETURNS record
     LANGUAGE plpgsql
     STRICT
    AS $function$
      declare
      begin
        select t.userid,t.info into userid,info from digoal.tbl_small t where t.userid=i_userid;
        return;
      end;
    $function$
');
CREATE OR REPLACE FUNCTION query_smalltbl(IN i_userid int, OUT userid int, OUT info text)
 RETURNS setof record
 LANGUAGE plproxy
 STRICT
AS $function$
  cluster 'rds_pg_cluster';
  run on ANY;
  target digoal.query_smalltbl;
$function$;

-- The tests.
select (query_pk(id)).* from generate_series(0,63) t(id) order by dbid, userid;
select query_pk(77);
select count(insert_log(id)) from generate_series(1, 100) id;
select count(*) from (select query_insert(id) from generate_series(1, 100) id) x;
select count(update_pk(id)) from generate_series(1, 100) id;
select count(*) from (select query_update_insert(id) from generate_series(1, 100) id) x;
select sum(cnt) from (select cnt from dy('select count(*) from digoal.login_log') as t(cnt int8)) t;
select sum(cnt) from (select cnt from dy('select count(*) from digoal.userinfo') as t(cnt int8)) t;
select sum(cnt) from (select cnt from dy('select count(*) from digoal.session where last_login is not null') as t(cnt int8)) t;
select count(*), count(userid), count(distinct userid) from generate_series(1, 100) id, query_smalltbl(id);

-- The sharding walk-through of 2015 (PostgreSQL 9.5 and postgres_fdw), statement by statement, on
-- five databases: a master with the rules, four shards with the rows. Costs and times are left
-- out of the output; what was impossible in 2015 stands at the end.
\i common/bare.sql
create extension shard_fdw;
create server db0 foreign data wrapper shard_fdw options (hostaddr '127.0.0.1', port :'port0', dbname 'db0');
create server db1 foreign data wrapper shard_fdw options (hostaddr '127.0.0.1', port :'port1', dbname 'db1');
create server db2 foreign data wrapper shard_fdw options (hostaddr '127.0.0.1', port :'port2', dbname 'db2');
create server db3 foreign data wrapper shard_fdw options (hostaddr '127.0.0.1', port :'port3', dbname 'db3');
create user mapping for postgres server db0 options (user 'postgres', password 'postgres');
create user mapping for postgres server db1 options (user 'postgres', password 'postgres');
create user mapping for postgres server db2 options (user 'postgres', password 'postgres');
create user mapping for postgres server db3 options (user 'postgres', password 'postgres');

-- The shards' own tables.
\c :db0
create table tbl0(id int primary key, info text, crt_time timestamp);
alter table tbl0 add constraint ck1 check (abs(mod(id,4))=0);
\c :db1
create table tbl1(id int primary key, info text, crt_time timestamp);
alter table tbl1 add constraint ck1 check (abs(mod(id,4))=1);
\c :db2
create table tbl2(id int primary key, info text, crt_time timestamp);
alter table tbl2 add constraint ck1 check (abs(mod(id,4))=2);
\c :db3
create table tbl3(id int primary key, info text, crt_time timestamp);
alter table tbl3 add constraint ck1 check (abs(mod(id,4))=3);

-- The master: foreign tables, the parent, inheritance, the routing rule.
\c :coord
import FOREIGN SCHEMA public from server db0 into public;
import FOREIGN SCHEMA public from server db1 into public;
import FOREIGN SCHEMA public from server db2 into public;
import FOREIGN SCHEMA public from server db3 into public;
\det
create table tbl(id int, info text, crt_time timestamp);
alter foreign table tbl0 inherit tbl;
alter foreign table tbl1 inherit tbl;
alter foreign table tbl2 inherit tbl;
alter foreign table tbl3 inherit tbl;
alter foreign table tbl0 add constraint ck_tbl0 check (abs(mod(id,4))=0);
alter foreign table tbl1 add constraint ck_tbl1 check (abs(mod(id,4))=1);
alter foreign table tbl2 add constraint ck_tbl2 check (abs(mod(id,4))=2);
alter foreign table tbl3 add constraint ck_tbl3 check (abs(mod(id,4))=3);

-- With the redundant condition one shard is left.
explain (costs off) select * from tbl where id=100 and abs(mod(id, 4)) = (abs(mod(100, 4)));
explain (costs off) select * from tbl where id=101 and abs(mod(id, 4)) = (abs(mod(101, 4)));
-- Without it, 2015 asked all four; here one is left as well.
explain (costs off) select * from tbl where id=100;
explain (costs off) select * from tbl where id=101;
explain (costs off) select * from tbl where id in (1, 2);
-- No condition: all shards.
explain (costs off) select count(*),sum(id),avg(id+id) from tbl;

-- The user's own insert trigger.
create or replace function f_tbl_ins() returns trigger as
$$
declare
begin
  case abs(mod(NEW.id, 4))
    when 0 then
      insert into tbl0 (id, info, crt_time) values (NEW.*);
    when 1 then
      insert into tbl1 (id, info, crt_time) values (NEW.*);
    when 2 then
      insert into tbl2 (id, info, crt_time) values (NEW.*);
    when 3 then
      insert into tbl3 (id, info, crt_time) values (NEW.*);
    else
      return null;
  end case;
    return null;
end;
$$
 language plpgsql;
create trigger tg1 before insert on tbl for each row execute procedure f_tbl_ins();

insert into tbl values (1,'abc',now());
select id, info, now() - crt_time between '0' and '1 hour' as recent from tbl;
insert into tbl values (2,'abc',now());
select id, info from tbl order by id;
select id, info from tbl where id=2;
select id, info from tbl where id=2 and abs(mod(id, 4))=abs(mod(2, 4));
explain (costs off) select * from tbl where id=2 and abs(mod(id, 4))=abs(mod(2, 4));
explain (costs off) select * from tbl where id=2;

-- NULL: the trigger leaves it out.
insert into tbl values (null,'abc',now());
select id, info from tbl order by id;

-- Remote statements of an update and a delete.
explain (verbose, costs off) update tbl set info='new' where id=2 and abs(mod(id, 4))=abs(mod(2, 4));
explain (verbose, costs off) delete from tbl where id=2 and abs(mod(id, 4))=abs(mod(2, 4));
explain (costs off) update tbl set info='new' where id=2;
explain (costs off) delete from tbl where id=2;

-- Statements on foreign tables roll back.
begin ;
insert into tbl0 values (0,'abc',now());
rollback;
select id, info from tbl order by id;

-- Across shards, all or nothing.
begin;
insert into tbl values(3,'new',now());
insert into tbl values(1,'new',now());
end;
select id, info from tbl order by id;

-- Across shards and a local table, all or nothing.
create table test(id int primary key, info text);
begin;
insert into test values (1,'abc');
insert into tbl values(3,'new',now());
insert into test values (1,'abc');
end;
select id, info from tbl order by id;
select * from test;

-- Bound parameters.
prepare p1 (int,text,timestamp) as insert into tbl values ($1,$2,$3);
prepare p2 (int,int) as select id, info from tbl where id=$1 and abs(mod($1,4))=$2;
prepare p3 (int,int,text,timestamp) as update tbl set info=$3,crt_time=$4 where id=$1 and abs(mod($1,4))=$2;
execute p1(1,'abc',now());
execute p1(3,'abc',now());
select id, info from tbl order by id;
execute p1(4,'abc',now());
execute p1(5,'abc',now());
execute p1(6,'abc',now());
execute p1(7,'abc',now());
execute p1(8,'abc',now());
execute p1(9,'abc',now());
select id, info from tbl order by id;
select tableoid::regclass, id from tbl order by id;
execute p2(1,1);
execute p2(10,2);
execute p2(1,2);
execute p2(2,2);
execute p3(1,1,'test',now());
select id, info from tbl order by id;

-- xmin and xmax: the shard's own are seen from the master (2015: "not accurate").
update tbl set info = 'test', crt_time = '2016-02-23 11:25:20.440349';
\c :db0
select array_agg(format('%s %s %s %s', ctid, xmin, xmax, id) order by id) as truth,
       min(xmax::text) as xmax_before from tbl0 \gset
\c :coord
select array_agg(format('%s %s %s %s', ctid, xmin, xmax, id) order by id) = :'truth' as true_xmin_xmax
  from tbl0;
-- One statement over all shards; id 7 becomes 6, which belongs to another shard, where it is already.
update tbl set id=(case id when 4 then 4 when 3 then 3 when 7 then 6 else id end) ;
select tableoid,ctid,xmin,xmax,* from tbl4;
select * from tbl order by id;
-- The other shards were rolled back: the rows of tbl0 carry the xmax of a transaction that
-- did not commit, and the master sees it.
\c :db0
select bool_and(xmax::text <> :'xmax_before') as xmax_changed, count(*) from tbl0;
select array_agg(format('%s %s %s %s', ctid, xmin, xmax, id) order by id) as truth from tbl0 \gset
\c :coord
select array_agg(format('%s %s %s %s', ctid, xmin, xmax, id) order by id) = :'truth' as true_xmin_xmax
  from tbl0;

-- Joins of foreign tables with each other, and with a local table.
\c :db0
create table t(id int primary key, info text, crt_time timestamp);
insert into t values (1, 'from db0', null), (4, 'from db0', null);
\c :db1
create table t(id int primary key, info text, crt_time timestamp);
insert into t values (1, 'from db1', null);
\c :db2
create table t(id int primary key, info text, crt_time timestamp);
\c :db3
create table t(id int primary key, info text, crt_time timestamp);
insert into t values (2, 'from db3', null);
\c :coord
create table t(id int, info text, crt_time timestamp);
create foreign table db0_t() inherits (t) server db0 options (table_name 't');
create foreign table db1_t() inherits (t) server db1 options (table_name 't');
create foreign table db2_t() inherits (t) server db2 options (table_name 't');
create foreign table db3_t() inherits (t) server db3 options (table_name 't');
insert into test values (1, 'local'), (2, 'local');
explain (costs off) select * from tbl, t where t.id=tbl.id and tbl.id=1 and abs(mod(tbl.id,4))=1;
explain (costs off) select * from tbl, t where t.id=tbl.id and tbl.id=1;
select tbl.id, tbl.info, t.info from tbl, t where t.id=tbl.id and tbl.id=1 and abs(mod(tbl.id,4))=1 order by t.info;
select tbl.id, tbl.info, t.info from tbl, t where t.id=tbl.id order by tbl.id, t.info;
explain (costs off) select * from tbl, t, test where t.id=tbl.id and test.id=t.id and tbl.id=1 and abs(mod(tbl.id,4))=1;
select tbl.id, tbl.info, t.info, test.info from tbl, t, test
  where t.id=tbl.id and test.id=t.id and tbl.id=1 and abs(mod(tbl.id,4))=1 order by t.info;
select tbl.id, tbl.info, t.info, test.info from tbl, t, test
  where t.id=tbl.id and test.id=t.id order by tbl.id, t.info;

-- The advice of 2015 for joins on the shard: a view there, a foreign table on it here.
\c :db0
create view v0 as select tbl0.id, tbl0.info, t.info as t_info from tbl0 join t using (id);
\c :coord
import foreign schema public limit to (v0) from server db0 into public;
select * from v0 order by id;

-- TRUNCATE (2015: "not supported on foreign tables"), also inside a transaction.
begin;
truncate tbl;
select count(*) from tbl;
rollback;
select count(*) from tbl;
truncate tbl;
select count(*) from tbl;
\c :db0
select count(*) from tbl0;
\c :db3
select count(*) from tbl3;
\c :coord

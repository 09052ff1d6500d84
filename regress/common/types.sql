-- Tables with a column of every type, the same on both sides: included by sql/types.sql.
CREATE TABLE scalars (
  id int PRIMARY KEY, c_bool bool, c_char "char", c_int2 int2, c_int4 int4, c_int8 int8, c_float4 float4,
  c_float8 float8, c_numeric numeric, c_numeric_10_2 numeric(10,2), c_money money, c_text text, c_varchar varchar,
  c_varchar_5 varchar(5), c_bpchar bpchar, c_char_5 char(5), c_name name, c_bytea bytea, c_uuid uuid,
  c_json json, c_jsonb jsonb, c_jsonpath jsonpath, c_xml xml);
CREATE TABLE times (
  id int PRIMARY KEY, c_date date, c_time time, c_time_2 time(2), c_timetz timetz, c_timestamp timestamp,
  c_timestamp_0 timestamp(0), c_timestamptz timestamptz, c_timestamptz_3 timestamptz(3), c_interval interval,
  c_interval_2 interval(2), c_interval_ym interval year to month, c_abbrev date[], c_times timestamptz[],
  c_intervals interval[]);
CREATE TABLE others (
  id int PRIMARY KEY, c_inet inet, c_cidr cidr, c_macaddr macaddr, c_macaddr8 macaddr8, c_bit bit(3), c_varbit varbit,
  c_varbit_5 varbit(5), c_point point, c_lseg lseg, c_path path, c_box box, c_polygon polygon, c_line line,
  c_circle circle, c_tsvector tsvector, c_tsquery tsquery, c_pg_lsn pg_lsn, c_snapshot pg_snapshot, c_oid oid, c_xid xid,
  c_xid8 xid8, c_cid cid, c_tid tid, c_int2vector int2vector, c_oidvector oidvector, c_refcursor refcursor,
  c_regclass regclass, c_regtype regtype, c_regproc regproc, c_regprocedure regprocedure, c_regoper regoper,
  c_regoperator regoperator, c_regrole regrole, c_regnamespace regnamespace, c_regconfig regconfig,
  c_regdictionary regdictionary, c_regcollation regcollation);
CREATE TABLE many (
  id int PRIMARY KEY, c_int4 int4[], c_text text[], c_varchar varchar(3)[], c_numeric numeric(8,3)[], c_bool bool[],
  c_float8 float8[], c_bytea bytea[], c_jsonb jsonb[], c_uuid uuid[], c_box box[], c_char "char"[], c_name name[],
  c_money money[], c_xml xml[], c_tsvector tsvector[], c_bit bit(2)[], c_inet inet[], c_regtype regtype[],
  c_int4range int4range, c_int8range int8range, c_numrange numrange, c_daterange daterange, c_tsrange tsrange,
  c_tstzrange tstzrange, c_int4ranges int4range[], c_int4multirange int4multirange, c_nummultirange nummultirange,
  c_tstzmultirange tstzmultirange, c_datemultirange datemultirange);
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok", {really}', 'größer');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN small AS positive CHECK (VALUE < 100);
CREATE DOMAIN short AS varchar(3) CHECK (VALUE <> 'bad');
CREATE DOMAIN few AS int[] CHECK (cardinality(VALUE) < 4);
CREATE DOMAIN amount AS numeric(8,2);
CREATE DOMAIN any_mood AS mood;
CREATE TYPE pair AS (a int, "b c" text);
CREATE TYPE thing AS (id int8, what pair, since timestamptz, span interval, price money, doc xml, ratio float8,
  raw bytea, feel mood, kind regtype, list numeric(6,2)[]);
CREATE DOMAIN odd_pair AS pair CHECK ((VALUE).a % 2 = 1);
CREATE TYPE price_range AS RANGE (subtype = numeric);
CREATE TABLE users (
  id int PRIMARY KEY, c_mood mood, c_moods mood[], c_positive positive, c_small small, c_short short, c_few few, c_amount amount,
  c_amounts amount[], c_any_mood any_mood, c_pair pair, c_pairs pair[], c_thing thing, c_things thing[],
  c_odd_pair odd_pair, c_price price_range, c_aclitem aclitem);

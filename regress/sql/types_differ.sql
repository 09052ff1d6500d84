-- Columns whose type on the shard is not the type declared here: the value is what the shard's text for
-- it means to the local type, or an error that says which column. And domains, system columns, whole rows.
\i common/shards.sql
\c :db0
CREATE TYPE mood AS ENUM ('sad', 'ok', '12');
CREATE TABLE t (id int PRIMARY KEY, i2 int2, i4 int4, i8 int8, n numeric, f4 float4, f8 float8, tx text, v varchar, v10 varchar(10),
  c5 char(5), ts timestamp, tz timestamptz, d date, e mood, b bool, j json, jb jsonb, x xml, u uuid, ia int4[], ta text[], iv interval, m money, r int4range, nm name, rc regclass, o oid);
INSERT INTO t VALUES (1, 12, 12, 12, 12, 12, 12, '12', '12', '12', '12', '2020-02-03 04:05:06.789', '2020-02-03 04:05:06.789+00', '2020-02-03', '12', true,
  '12', '12', '12', '00000000-0000-0000-0000-000000000012', '{12,NULL}', '{12,NULL}', '1 day 02:03:04.567', 12, '[12,13)', '12', 'pg_class', 12);
INSERT INTO t VALUES (2, -1, -1, -1, -1.5, -0.1, -0.1, 'a', 'a', 'a', 'a', 'infinity', '-infinity', '0044-03-15 BC', 'sad', false,
  '{"a":  1}', '{"a":  1}', '<a/>', NULL, '{}', '{}', '-1 mon', -0.01, 'empty', 'a', 'pg_type', 4294967295);
INSERT INTO t (id) VALUES (3);
INSERT INTO t (id, i8, f8, n, tx) VALUES (4, 5000000000, 1e300, '1e300', E'nine characters\nand more');
\c :coord
SET timezone = 'Asia/Kathmandu';
CREATE TYPE mood AS ENUM ('sad', 'ok', '12');
-- What the rows give when column "remote" has the type "local"; or the error it ends in.
CREATE FUNCTION as_type(remote text, local text, ids text DEFAULT '1,2,3') RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
  SET LOCAL client_min_messages = warning;
  DROP FOREIGN TABLE IF EXISTS ft;
  EXECUTE format('CREATE FOREIGN TABLE ft (id int, v %s OPTIONS (column_name %L)) SERVER db0 OPTIONS (schema_name ''public'', table_name ''t'')', local, remote);
  EXECUTE format('SELECT %L || string_agg(coalesce(v::text, ''NULL''), '' | '' ORDER BY id) FROM (SELECT * FROM ft WHERE id IN (%s) OFFSET 0) s', remote || ' as ' || local || ': ', ids) INTO result;
  RETURN result;
END $$;
CREATE FUNCTION as_error(remote text, local text, id int) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  SET LOCAL client_min_messages = warning;
  DROP FOREIGN TABLE IF EXISTS ft;
  EXECUTE format('CREATE FOREIGN TABLE ft (id int, v %s OPTIONS (column_name %L)) SERVER db0 OPTIONS (schema_name ''public'', table_name ''t'')', local, remote);
  RETURN NEXT remote || ' as ' || local;
  RETURN QUERY SELECT expect_error(format('SELECT v FROM ft WHERE id = %s', id));
END $$;
SELECT as_type(r, l) FROM unnest('{i2,i4,i8}'::text[]) r, unnest('{int2,int4,int8,numeric,float8,text}'::text[]) l;
SELECT as_type(r, l) FROM unnest('{f4,f8}'::text[]) r, unnest('{float4,float8,numeric,text,"numeric(6,1)"}'::text[]) l;
SELECT as_type('n', l) FROM unnest('{float4,float8,"numeric(4,0)",text,numeric}'::text[]) l;
SELECT as_type(r, l) FROM unnest('{tx,v,v10,c5,nm}'::text[]) r, unnest('{text,varchar,varchar(2),varchar(10),bpchar,char(2),char(7),name}'::text[]) l;
SELECT as_type(r, 'int4', '1') FROM unnest('{tx,v,v10,c5,e,x,j,jb,nm}'::text[]) r;
SELECT as_type(r, 'mood') FROM unnest('{e}'::text[]) r UNION ALL SELECT as_type('tx', 'mood', '1,3');
SELECT as_type('e', l) FROM unnest('{text,varchar,name,char(4)}'::text[]) l;
SELECT as_type(r, l) FROM unnest('{ts,tz}'::text[]) r, unnest('{timestamp,timestamptz,timestamp(1),timestamptz(0),date,text}'::text[]) l;
SELECT as_type('d', l) FROM unnest('{timestamp,timestamptz,text}'::text[]) l;
SELECT as_type(r, l) FROM unnest('{j,jb}'::text[]) r, unnest('{json,jsonb,text}'::text[]) l;
SELECT as_type('x', 'text'), as_type('b', 'text'), as_type('rc', 'text'), as_type('o', 'int8');
SELECT as_type('u', 'text', '1'), as_type('rc', 'regclass', '1'), as_type('o', 'regclass', '2'), as_type('iv', 'interval(1)'), as_type('iv', 'text');
SELECT as_type('ia', l) FROM unnest('{int8[],text[],text,"numeric(4,1)[]"}'::text[]) l;
SELECT as_type('ta', l, '1') FROM unnest('{text[],varchar(2)[],int4[],text}'::text[]) l;
SELECT as_type('m', 'money'), as_type('m', 'text'), as_type('r', 'text'), as_type('b', '"char"');

-- What does not fit says so, and where.
SELECT as_error('i8', 'int4', 4);
SELECT as_error('i8', 'int2', 4);
SELECT as_error('f8', 'float4', 4);
SELECT as_error('n', 'numeric(5,1)', 4);
SELECT as_error('n', 'int4', 2);
SELECT as_error('tx', 'int4', 2);
SELECT as_error('tx', 'varchar(9)', 4);
SELECT as_error('tx', 'mood', 2);
SELECT as_error('tx', 'json', 2);
SELECT as_error('tx', 'uuid', 2);
SELECT as_error('e', 'int4', 2);
SELECT as_error('b', 'int4', 1);
SELECT as_error('ts', 'time[]', 1);

-- Domains are held to what they say here.
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN present AS text NOT NULL;
CREATE DOMAIN short AS varchar(2);
CREATE DOMAIN list AS int[] CHECK (cardinality(VALUE) > 0);
SELECT as_type('i4', 'positive', '1,3'), as_type('i8', 'positive', '1,3'), as_type('tx', 'positive', '1,3');
SELECT as_type('tx', 'present', '1,2'), as_type('tx', 'short', '1,2,3'), as_type('ia', 'list', '1,3');
SELECT as_error('i4', 'positive', 2);
SELECT as_error('i8', 'positive', 2);
SELECT as_error('n', 'positive', 2);
SELECT as_error('tx', 'present', 3);
SELECT as_error('tx', 'short', 4);
SELECT as_error('ia', 'list', 2);

-- Values that go there: the shard's column makes of them what it can.
CREATE FOREIGN TABLE w (id int, i2 int8, i4 text, i8 numeric, n text, f4 float8, tx int4, v10 text, c5 text, ts timestamptz, tz timestamp, d timestamp, e text, jb json, ia int8[], x text)
  SERVER db0 OPTIONS (schema_name 'public', table_name 't');
INSERT INTO w VALUES (11, 12, '12', 12, '12.50', 0.1, 12, 'abc', 'abc', '2020-01-01 12:00:00.5', '2020-01-01 12:00', '2020-01-01 12:00', 'sad', '{"a":  1}', '{1,2}', 'a<b/>'),
  (12, -12, '-12', -12, '-12.50', -0.1, -12, 'def', 'def', 'infinity', 'infinity', 'infinity', 'ok', 'null', '{}', '');
PREPARE ins AS INSERT INTO w VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16);
EXECUTE ins (13, 12, '12', 12, '12.50', 0.1, 12, 'abc', 'abc', '2020-01-01 12:00:00.5', '2020-01-01 12:00', '2020-01-01 12:00', 'sad', '{"a":  1}', '{1,2}', 'a<b/>');
EXECUTE ins (14, 12, '12', 12, '12.50', 0.1, 12, 'abc', 'abc', '2020-01-01 12:00:00.5', '2020-01-01 12:00', '2020-01-01 12:00', 'sad', '{"a":  1}', '{1,2}', 'a<b/>');
SELECT * FROM w WHERE id > 10 ORDER BY id;
\! psql "$SHARD_DB0" -XqAtc "SET timezone = 'GMT'; SET datestyle = ISO; SELECT id, i2, i4, i8, n, f4, tx, v10, c5, ts, tz, d, e, jb, ia, x FROM t WHERE id > 10 ORDER BY id"
SELECT expect_error($$INSERT INTO w (id, i2) VALUES (20, 100000)$$);
SELECT expect_error($$INSERT INTO w (id, i4) VALUES (20, 'x')$$);
SELECT expect_error($$INSERT INTO w (id, v10) VALUES (20, 'more than ten')$$);
SELECT expect_error($$INSERT INTO w (id, e) VALUES (20, 'glad')$$);
INSERT INTO w VALUES (21, 7, '7') RETURNING id, i2, i4, i8;
UPDATE w SET i2 = i2 + 1, f4 = 0.25 WHERE id = 21 RETURNING id, i2, i4, f4;
DELETE FROM w WHERE id = 21 RETURNING i2, i4, f4;

-- Columns of every row; whole rows, with a column dropped here.
CREATE FOREIGN TABLE s (id int, gone int, e mood, tx text) SERVER db0 OPTIONS (schema_name 'public', table_name 't');
ALTER FOREIGN TABLE s DROP gone;
SELECT s, ctid, tableoid::regclass FROM s WHERE id < 4 ORDER BY id;
SELECT s.*::text, (s).e FROM s WHERE id = 1;
SELECT count(*), count(s), count(s.*) FROM s WHERE id < 4;
SELECT id FROM s WHERE s IS NOT NULL ORDER BY id;
SELECT a.id, b FROM s a LEFT JOIN s b ON b.id = a.id + 1 WHERE a.id IN (2, 4) ORDER BY 1;
CREATE FOREIGN TABLE bad (id int, e int) SERVER db0 OPTIONS (schema_name 'public', table_name 't');
SELECT expect_error('SELECT bad FROM bad WHERE id = 2');

-- A column that changes its type between two executions: the statement that was prepared for the old one ends
-- in an error, once.
CREATE FOREIGN TABLE h (id int, i4 int, tx text) SERVER db0 OPTIONS (schema_name 'public', table_name 't');
PREPARE p AS SELECT i4, tx FROM h WHERE id = $1;
EXECUTE p(1);
EXECUTE p(1);
\! psql "$SHARD_DB0" -Xqc "ALTER TABLE t ALTER i4 TYPE int8, ALTER tx TYPE int8 USING 12"
EXECUTE p(1);
EXECUTE p(1);
\! psql "$SHARD_DB0" -Xqc "ALTER TABLE t ALTER i4 TYPE text, ALTER tx TYPE mood USING 'sad'"
EXECUTE p(1);
EXECUTE p(1);
EXECUTE p(2);
PREPARE q AS UPDATE h SET i4 = $2 WHERE id = $1 AND random() < 2 RETURNING i4, tx;
EXECUTE q(1, 77);
EXECUTE q(1, 78);
\! psql "$SHARD_DB0" -Xqc "ALTER TABLE t ALTER i4 TYPE float8 USING i4::float8"
EXECUTE q(1, 79);
EXECUTE q(1, 80);
EXECUTE q(1, 81);
EXECUTE p(1);
EXECUTE p(1);
\! psql "$SHARD_DB0" -XqAtc "SELECT i4, tx FROM t WHERE id = 1"

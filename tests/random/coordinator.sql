-- Run on the coordinator after the servers db0..db3 exist: every table twice, in schema s with its rows on the shards
-- and in schema l with the same rows here. :seed chooses the rows.
SET client_min_messages = warning;
SET random.seed = :'seed';
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE SCHEMA l;
CREATE SCHEMA s;
CREATE TABLE wide (u int NOT NULL, id int, n int, b int8, s int2, m numeric(10,2), x numeric, f float8, g float4,
    t text, v varchar(12), c char(6), flag bool, d date, ts timestamp, tz timestamptz, iv interval, j jsonb,
    a int[], e mood, y bytea, uu uuid, ta text[]);

-- A number from 0 to n - 1 that seed, row and column decide.
CREATE FUNCTION h(i int, salt int, n int) RETURNS int LANGUAGE sql STABLE AS
    $$ SELECT (abs(hashint8extended(i * 1000 + salt, current_setting('random.seed')::int8) % n))::int $$;
-- Row i; one value in eight is NULL, but not in the columns that keys are made of.
CREATE FUNCTION make(i int, salt int) RETURNS wide LANGUAGE sql STABLE SET timezone = 'UTC' AS $$
  SELECT i, i * 3 - 50, h(i, salt + 1, 10), CASE WHEN h(i, salt + 2, 8) > 0 THEN h(i, salt + 3, 2000) - 1000 END::int8,
    CASE WHEN h(i, salt + 4, 8) > 0 THEN h(i, salt + 5, 20) - 5 END::int2,
    CASE WHEN h(i, salt + 6, 8) > 0 THEN h(i, salt + 7, 3000) / 4.0 - 100 END::numeric(10,2),
    CASE h(i, salt + 8, 8) WHEN 0 THEN NULL WHEN 1 THEN 1.50 WHEN 2 THEN 1.5 WHEN 3 THEN -12345678901234567890.123 WHEN 4 THEN 'NaN'
      ELSE h(i, salt + 9, 100) / 8.0 END,
    CASE h(i, salt + 10, 10) WHEN 0 THEN NULL WHEN 1 THEN 'NaN' WHEN 2 THEN 'Infinity' ELSE h(i, salt + 11, 400) / 8.0 - 10 END::float8,
    CASE WHEN h(i, salt + 12, 8) > 0 THEN h(i, salt + 13, 100) / 8.0 END::float4,
    CASE h(i, salt + 14, 10) WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN E'it''s \\ %_' WHEN 3 THEN 'Grüße' ELSE 'text ' || h(i, salt + 15, 15) END,
    CASE WHEN h(i, salt + 16, 8) > 0 THEN 'v' || h(i, salt + 17, 9) END::varchar(12),
    CASE WHEN h(i, salt + 18, 8) > 0 THEN 'c' || h(i, salt + 19, 9) END::char(6),
    CASE h(i, salt + 20, 3) WHEN 0 THEN true WHEN 1 THEN false END,
    CASE WHEN h(i, salt + 21, 8) > 0 THEN date '2020-01-01' + h(i, salt + 22, 500) END,
    CASE WHEN h(i, salt + 23, 8) > 0 THEN timestamp '2020-02-01 12:00' + h(i, salt + 24, 500) * interval '7 hours 3 seconds 1 microsecond' END,
    CASE WHEN h(i, salt + 25, 8) > 0 THEN timestamptz '2020-03-01 12:00+00' + h(i, salt + 26, 500) * interval '5 hours' END,
    CASE WHEN h(i, salt + 27, 8) > 0 THEN h(i, salt + 28, 40) * interval '1 day 13 hours' - interval '1 mon' * h(i, salt + 29, 3) END,
    CASE WHEN h(i, salt + 30, 8) > 0 THEN jsonb_build_object('k', h(i, salt + 31, 5), 'w', jsonb_build_array('a', h(i, salt + 32, 3)), 'z', null) END,
    CASE h(i, salt + 33, 6) WHEN 0 THEN NULL WHEN 1 THEN '{}' WHEN 2 THEN ARRAY[1, NULL, 3] ELSE ARRAY[h(i, salt + 34, 9), h(i, salt + 35, 9)] END,
    (ARRAY['sad', 'ok', 'happy', NULL]::mood[])[h(i, salt + 36, 4) + 1],
    CASE WHEN h(i, salt + 37, 8) > 0 THEN decode(md5((h(i, salt + 38, 9))::text), 'hex') END,
    CASE WHEN h(i, salt + 39, 8) > 0 THEN md5((h(i, salt + 40, 20))::text)::uuid END,
    CASE h(i, salt + 41, 6) WHEN 0 THEN NULL WHEN 1 THEN ARRAY['q"', NULL, ''] ELSE ARRAY['t' || h(i, salt + 42, 5), 'x,y'] END
$$;
SELECT format('CREATE TABLE l.%1$s AS SELECT (make(i, %3$s)).* FROM generate_series(1, %2$s) i', name, many, number * 50) FROM
    unnest('{moda,modb,freea,lista,rangea,hasha,texta,multia,far,near,part,nearb,loc}'::text[],
        '{60,90,40,50,45,45,30,45,35,25,30,25,35}'::int[]) WITH ORDINALITY AS x(name, many, number) \gexec
-- A key that repeats, keys that are NULL, a text key, two keys that are unique together only.
UPDATE l.modb SET id = (u * 7) % 70 - 20;
UPDATE l.freea SET id = CASE WHEN u % 5 <> 0 THEN (u * 3) % 50 - 10 END;
UPDATE l.texta SET t = 'key ' || u * 2;
UPDATE l.multia SET id = u / 3, n = u % 3;
ALTER TABLE l.moda ADD PRIMARY KEY (id);
ALTER TABLE l.modb ALTER id SET NOT NULL;
ALTER TABLE l.lista ADD PRIMARY KEY (id);
ALTER TABLE l.rangea ADD UNIQUE (u, d);
ALTER TABLE l.texta ADD PRIMARY KEY (t);
ALTER TABLE l.multia ADD UNIQUE (id, n);
ALTER TABLE l.far ADD PRIMARY KEY (id);
ALTER TABLE l.multia ALTER id SET NOT NULL, ALTER n SET NOT NULL;
SELECT format('ALTER TABLE l.%s ALTER u SET NOT NULL', name) FROM
    unnest('{moda,modb,freea,lista,rangea,hasha,texta,multia,far,near,part,nearb,loc}'::text[]) name \gexec

-- Children by inheritance; a dropped column and other names on the shard for one of them.
CREATE TABLE s.moda (LIKE l.moda INCLUDING CONSTRAINTS);
CREATE TABLE s.modb (gone int, LIKE l.modb INCLUDING CONSTRAINTS);
CREATE TABLE s.freea (LIKE l.freea);
CREATE TABLE s.texta (LIKE l.texta INCLUDING CONSTRAINTS);
CREATE TABLE s.multia (LIKE l.multia INCLUDING CONSTRAINTS);
CREATE TABLE s.lista (LIKE l.lista) PARTITION BY LIST ((abs(mod(id, 4))));
CREATE TABLE s.rangea (LIKE l.rangea) PARTITION BY RANGE (d);
CREATE TABLE s.hasha (LIKE l.hasha) PARTITION BY HASH (id, n);
CREATE TABLE s.part (LIKE l.part) PARTITION BY LIST (n);
CREATE TABLE s.loc AS SELECT * FROM l.loc;
SELECT format('CREATE FOREIGN TABLE s.moda%1$s (CHECK (abs(mod(id, 4)) = %1$s)) INHERITS (s.moda) SERVER db%1$s OPTIONS (schema_name ''public'', table_name ''moda'')', k),
    format('CREATE FOREIGN TABLE s.modb%1$s (CHECK (abs(mod(id, 4)) = %1$s), n int OPTIONS (column_name ''renamed''), t text OPTIONS (column_name ''A text'')) INHERITS (s.modb) SERVER db%1$s OPTIONS (schema_name ''public'', table_name ''modb'')', k),
    format('CREATE FOREIGN TABLE s.freea%1$s (CHECK (abs(mod(id, 4)) = %1$s)) INHERITS (s.freea) SERVER db%1$s OPTIONS (schema_name ''public'', table_name ''freea'')', k),
    format('CREATE FOREIGN TABLE s.texta%1$s (CHECK (abs(hashtext(t) %% 4) = %1$s)) INHERITS (s.texta) SERVER db%1$s OPTIONS (schema_name ''public'', table_name ''texta'')', k),
    format('CREATE FOREIGN TABLE s.multia%1$s (CHECK (abs((id + n) %% 4) = %1$s)) INHERITS (s.multia) SERVER db%1$s OPTIONS (schema_name ''public'', table_name ''multia'')', k),
    format('CREATE FOREIGN TABLE s.lista%1$s PARTITION OF s.lista FOR VALUES IN (%1$s) SERVER db%1$s OPTIONS (schema_name ''public'', table_name ''lista'')', k),
    format('CREATE FOREIGN TABLE s.hasha%1$s PARTITION OF s.hasha FOR VALUES WITH (MODULUS 4, REMAINDER %1$s) SERVER db%1$s OPTIONS (schema_name ''public'', table_name ''hasha'')', k)
FROM generate_series(0, 3) k \gexec
ALTER TABLE s.modb DROP gone;
CREATE FOREIGN TABLE s.rangea0 PARTITION OF s.rangea FOR VALUES FROM (MINVALUE) TO ('2020-05-01') SERVER db0 OPTIONS (schema_name 'public', table_name 'rangea');
CREATE FOREIGN TABLE s.rangea1 PARTITION OF s.rangea FOR VALUES FROM ('2020-05-01') TO ('2020-09-01') SERVER db1 OPTIONS (schema_name 'public', table_name 'rangea');
CREATE FOREIGN TABLE s.rangea2 PARTITION OF s.rangea FOR VALUES FROM ('2020-09-01') TO ('2021-01-01') SERVER db2 OPTIONS (schema_name 'public', table_name 'rangea');
CREATE FOREIGN TABLE s.rangea3 PARTITION OF s.rangea DEFAULT SERVER db3 OPTIONS (schema_name 'public', table_name 'rangea');
-- One partition here, the others are not: planned child by child.
CREATE TABLE s.part0 PARTITION OF s.part FOR VALUES IN (0, 1, 2, NULL);
CREATE FOREIGN TABLE s.part1 PARTITION OF s.part FOR VALUES IN (3, 4, 5) SERVER db1 OPTIONS (schema_name 'public', table_name 'part');
CREATE FOREIGN TABLE s.part2 PARTITION OF s.part DEFAULT SERVER db2 OPTIONS (schema_name 'public', table_name 'part');
SELECT format('CREATE FOREIGN TABLE s.%s (%s) SERVER %s OPTIONS (schema_name ''public'', table_name %L)', name,
        (SELECT string_agg(format('%I %s %s', attname, format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END), ', ' ORDER BY attnum)
         FROM pg_attribute WHERE attrelid = ('l.' || name)::regclass AND attnum > 0), server, name)
    FROM unnest('{far,near,nearb}'::text[], '{db1,db2,db2}'::text[]) AS x(name, server) \gexec
SELECT format('INSERT INTO s.%1$s SELECT * FROM l.%1$s', name) FROM
    unnest('{moda,modb,lista,rangea,texta,multia,far,near,part,nearb,hasha}'::text[]) name \gexec
-- Rows without a key may be anywhere.
SELECT format('INSERT INTO s.freea%s SELECT * FROM l.freea WHERE coalesce(abs(mod(id, 4)), u / 5 %% 4) = %1$s', k) FROM generate_series(0, 3) k \gexec
CREATE VIEW s.pairs AS SELECT moda.*, modb.u AS bu, modb.n AS bn, modb.t AS bt, modb.m AS bm FROM s.moda LEFT JOIN s.modb ON moda.id = modb.id AND modb.n < 8;
CREATE VIEW l.pairs AS SELECT moda.*, modb.u AS bu, modb.n AS bn, modb.t AS bt, modb.m AS bm FROM l.moda LEFT JOIN l.modb ON moda.id = modb.id AND modb.n < 8;
ANALYZE;
-- Some tables have statistics, some do not.
SELECT format('ANALYZE s.%s', name) FROM unnest('{moda,modb,lista,rangea,texta,multia,far,near}'::text[]) name \gexec

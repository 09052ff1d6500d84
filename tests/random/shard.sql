-- Run in each shard's database: the tables that placements lie in.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE wide (u int NOT NULL, id int, n int, b int8, s int2, m numeric(10,2), x numeric, f float8, g float4,
    t text, v varchar(12), c char(6), flag bool, d date, ts timestamp, tz timestamptz, iv interval, j jsonb,
    a int[], e mood, y bytea, uu uuid, ta text[]);
SELECT format('CREATE TABLE %s (LIKE wide)', name) FROM
    unnest('{moda,modb,freea,lista,rangea,hasha,texta,multia,far,near,part,nearb}'::text[]) name \gexec
ALTER TABLE moda ADD PRIMARY KEY (id);
ALTER TABLE modb RENAME n TO renamed;
ALTER TABLE modb RENAME t TO "A text";
ALTER TABLE lista ADD PRIMARY KEY (id);
ALTER TABLE rangea ADD UNIQUE (u, d);
ALTER TABLE texta ADD PRIMARY KEY (t);
ALTER TABLE multia ADD UNIQUE (id, n);
ALTER TABLE far ADD PRIMARY KEY (id);

-- Many rows: in order, in bounded memory.
\i common/plproxy.sql
-- The most memory this backend has ever used, in kB.
CREATE FUNCTION peak() RETURNS int LANGUAGE sql AS $$ SELECT substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s*(\d+)')::int $$;
CREATE FUNCTION many(n int) RETURNS SETOF int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; SELECT generate_series(1, n); $$;
CREATE FUNCTION wide(n int, w int, OUT i int, OUT db text, OUT t text) RETURNS SETOF record LANGUAGE plproxy AS $$
  CLUSTER 'c'; RUN ON ALL; SELECT i, current_database()::text AS db, repeat('x', w) AS t FROM generate_series(1, n) i; $$;
SELECT count(*) FROM wide(10, 2000);
-- 160 MB of rows; the backend does not grow by a quarter of that.
SELECT peak() AS before \gset
SELECT db, count(*), sum(length(t)), min(i), max(i) FROM wide(20000, 2000) GROUP BY db ORDER BY db;
SELECT peak() - :before < 40000 AS bounded;
SELECT count(*), sum(many) FROM many(100000);
SELECT count(*) FROM (SELECT many, row_number() OVER () AS r FROM many(50000)) x WHERE many <> (r - 1) % 50000 + 1;
SELECT many FROM many(100000) LIMIT 2;
SELECT many FROM many(100000) OFFSET 399998 LIMIT 5;
-- A wide value of one row.
CREATE FUNCTION big(n int) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT repeat('y', n); $$;
SELECT length(big(20000000));
CREATE FUNCTION size(t text) RETURNS int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT length(t); $$;
SELECT size(repeat('z', 20000000));

-- Sets in a target list: small ones come row by row, others from a tuplestore; all the same to the caller.
\i common/plproxy.sql
CREATE TYPE pair AS (a int, b text);
SELECT on_all('CREATE TYPE public.pair AS (a int, b text)');
CREATE FUNCTION nums(n int) RETURNS SETOF int LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT CASE WHEN i % 3 > 0 THEN i END AS i FROM generate_series(1, n) i; $$;
CREATE FUNCTION texts(n int, w int) RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT i || repeat('x', w) FROM generate_series(1, n) i; $$;
CREATE FUNCTION pairs(n int, w int) RETURNS SETOF pair LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; SELECT i AS a, current_database() || repeat('x', w) AS b FROM generate_series(1, n) i; $$;
CREATE FUNCTION outs(n int, OUT a int, OUT b text) RETURNS SETOF record LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 1; SELECT i AS a, NULL::text AS b FROM generate_series(1, n) i; $$;
CREATE FUNCTION voids() RETURNS SETOF void LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; SELECT pg_sleep(0); $$;
-- None, one, up to eight, more; NULLs among them.
SELECT nums(0);
SELECT nums(1);
SELECT nums(4), nums(2), nums(0);
SELECT n, count(x), count(*), sum(x) FROM (SELECT n, nums(n) AS x FROM generate_series(0, 12) n) t GROUP BY n ORDER BY n;
SELECT voids() IS NULL AS "null";
-- Tuples, and parts of them.
SELECT pairs(1, 0), outs(2);
SELECT (pairs(1, 0)).b, (outs(2)).*;
SELECT pairs(2, 0), pairs(3, 0) LIMIT 5;
SELECT n, count(*), min(left((p).b, 3)), max(length((p).b)) FROM (SELECT n, pairs(n, n * 100) AS p FROM generate_series(0, 4) n) t GROUP BY n ORDER BY n;
-- Wide rows: some partitions' have been put aside when they come.
SELECT count(*), sum(length(x)) FROM (SELECT texts(3, 4000) AS x) t;
SELECT count(*), sum(length(x)) FROM (SELECT texts(20, 4000) AS x) t;
-- Not read to the end, and begun again.
SELECT nums(5) LIMIT 2;
SELECT n, (SELECT nums(n) LIMIT 1) FROM generate_series(1, 3) n;
SELECT n, (SELECT sum(x) FROM (SELECT nums(n) AS x LIMIT 2) t) FROM generate_series(1, 4) n;
SELECT n, x FROM generate_series(1, 2) n, LATERAL (SELECT nums(n + 1) AS x LIMIT 2) t;
SELECT count(*) FROM (SELECT nums(7) OFFSET 0) a WHERE EXISTS (SELECT nums(3));
BEGIN;
DECLARE one CURSOR FOR SELECT nums(5), texts(3, 1);
FETCH 2 FROM one;
SELECT nums(2);
FETCH 2 FROM one;
CLOSE one;
-- An error in the middle of a query leaves nothing behind.
SAVEPOINT s;
SELECT 10 / (4 - x), nums(3) FROM (SELECT nums(5) AS x) t;
ROLLBACK TO s;
SELECT nums(3);
COMMIT;
-- In functions, prepared, in subtransactions.
CREATE FUNCTION collect(n int) RETURNS int[] LANGUAGE plpgsql AS $$
DECLARE r int[]; x int;
BEGIN
  FOR x IN SELECT nums(n) LOOP
    r := r || x;
    BEGIN r := r || (SELECT count(*)::int FROM (SELECT nums(2)) t); RAISE unique_violation; EXCEPTION WHEN unique_violation THEN NULL; END;
  END LOOP;
  RETURN r;
END $$;
SELECT collect(4);
PREPARE p(int) AS SELECT nums($1), (outs($1)).a;
EXECUTE p(2); EXECUTE p(1); EXECUTE p(0); EXECUTE p(3); EXECUTE p(1); EXECUTE p(2); EXECUTE p(10);
CREATE FUNCTION definer(n int) RETURNS SETOF int SECURITY DEFINER SET work_mem = '1MB' LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT generate_series(1, n); $$;
SELECT n, definer(n) FROM generate_series(1, 3) n;
-- Much of it is not much memory.
CREATE FUNCTION used() RETURNS int8 LANGUAGE sql AS 'SELECT sum(total_bytes)::int8 FROM pg_backend_memory_contexts';
SELECT count(*) FROM (SELECT nums(3) FROM generate_series(1, 50)) t;
SELECT used() AS before \gset
SELECT count(*) FROM (SELECT nums(3) FROM generate_series(1, 2000)) t;
SELECT used() - :before < 200000 AS bounded;

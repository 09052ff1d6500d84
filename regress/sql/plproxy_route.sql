-- Which partitions a call goes to.
\i common/plproxy.sql
\set VERBOSITY terse
CREATE FUNCTION at2(h int2) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON h; SELECT current_database()::text; $$;
CREATE FUNCTION at4(h int4) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON h; SELECT current_database()::text; $$;
CREATE FUNCTION at8(h int8) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON h; SELECT current_database()::text; $$;
-- The lowest bits count, also of negative numbers.
SELECT at2(5::int2), at2(-1::int2), at4(6), at4(-2), at4(-2147483648), at8(7), at8(-9223372036854775808), at8(4294967297);
SELECT at4(NULL);
CREATE FUNCTION att(h text) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON h; SELECT 'x'::text; $$;
SELECT att('1');
-- By a function: the first column counts, further ones do not.
CREATE FUNCTION byf(a text) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON hashtext(a); SELECT current_database()::text; $$;
SELECT x, byf(x) = 'db' || (hashtext(x) & 3) AS right FROM unnest('{a,b,c,d,e,f,g}'::text[]) x;
CREATE FUNCTION two_columns(a int, OUT h int, OUT x text) LANGUAGE sql AS 'SELECT a, ''x''::text';
CREATE FUNCTION bytwo(a int) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON two_columns(a); SELECT current_database()::text; $$;
SELECT bytwo(3);
CREATE FUNCTION bynull(a int) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON nullif(a, a); SELECT ''::text; $$;
SELECT bynull(3);
CREATE FUNCTION bynum(a int) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON round(a); SELECT ''::text; $$;
SELECT bynum(3);
-- A set of hashes names several partitions, each once, in that order.
CREATE FUNCTION several(a int, b int) RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON generate_series(a, b, -1); SELECT current_database()::text; $$;
SELECT several(2, 1);
SELECT several(9, 0);
SELECT several(0, 1);
-- Without SETOF it must be one hash.
CREATE FUNCTION one(a int, b int) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON generate_series(a, b); SELECT current_database()::text; $$;
SELECT one(3, 3);
SELECT one(3, 4);
SELECT one(3, 2);
-- A partition by number.
CREATE FUNCTION third() RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 3; SELECT current_database()::text; $$;
SELECT third();
CREATE FUNCTION fourth() RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 4; SELECT current_database()::text; $$;
SELECT fourth();
CREATE FUNCTION far() RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 99999999999999; SELECT ''::text; $$;
SELECT far();
-- ANY: all of them, sooner or later. ALL: in order.
CREATE FUNCTION anyone() RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ANY; SELECT current_database()::text; $$;
SELECT DISTINCT anyone() FROM generate_series(1, 200) ORDER BY 1;
CREATE FUNCTION everyone() RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON ALL; SELECT current_database()::text; $$;
SELECT everyone();
-- modular_mapping: any number of partitions, the remainder without its sign.
CREATE SERVER three FOREIGN DATA WRAPPER plproxy OPTIONS (modular_mapping '1', p0 :'p0', p1 :'p1', p2 :'p2');
CREATE USER MAPPING FOR PUBLIC SERVER three;
CREATE FUNCTION of_three(h int8) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'three'; RUN ON h; SELECT current_database()::text; $$;
SELECT h, of_three(h) FROM unnest('{0,1,2,3,4,-1,-2,-3,-4,9223372036854775807,-9223372036854775808}'::int8[]) h;
-- Equal connection strings are one connection: ALL runs once on it.
CREATE SERVER twice FOREIGN DATA WRAPPER plproxy OPTIONS (p0 :'p0', p1 :'p1', p2 :'p0', p3 :'p1');
CREATE USER MAPPING FOR PUBLIC SERVER twice;
CREATE FUNCTION all_twice() RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'twice'; RUN ON ALL; SELECT current_database()::text; $$;
SELECT all_twice();
CREATE FUNCTION at_twice(h int) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'twice'; RUN ON h; SELECT current_database()::text; $$;
SELECT h, at_twice(h) FROM generate_series(0, 4) h;
CREATE FUNCTION some_twice(a int) RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER 'twice'; RUN ON generate_series(0, a); SELECT current_database()::text; $$;
SELECT some_twice(3);
-- A hash function must not call its own cluster, another one it may.
CREATE FUNCTION nested(a int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM third(); RETURN a; END $$;
CREATE FUNCTION calls_nested(a int) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON nested(a); SELECT ''::text; $$;
SELECT calls_nested(1);
CREATE FUNCTION calls_other(a int) RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'twice'; RUN ON nested(a); SELECT current_database()::text; $$;
SELECT calls_other(1);
SELECT third();
-- The cluster's name from a function.
CREATE FUNCTION pick(a int) RETURNS text LANGUAGE sql AS $$ SELECT CASE a WHEN 1 THEN 'three' WHEN 2 THEN 'twice' END $$;
CREATE FUNCTION picked(a int) RETURNS SETOF text LANGUAGE plproxy AS $$ CLUSTER pick(a); RUN ON ALL; SELECT current_database()::text; $$;
SELECT picked(1);
SELECT picked(2);
SELECT picked(3);

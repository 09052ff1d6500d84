-- SPLIT: arrays taken apart, each element where it belongs.
\i common/plproxy.sql
\set VERBOSITY terse
CREATE FUNCTION sp(a int[], b text[], c int) RETURNS SETOF text LANGUAGE plproxy AS $$
  CLUSTER 'c'; SPLIT a, b; RUN ON a;
  SELECT concat_ws(' ', current_database(), a::text, b::text, c, array_lower(a, 1)); $$;
SELECT sp('{5,1,2,3,9,4}', '{five,one,two,NULL,nine,four}', 7);
SELECT sp('[3:5]={4,8,12}', '[0:2]={x,y,z}', 7);
-- NULL elements stay NULL; as a hash they are refused.
SELECT sp('{1,NULL}', '{a,b}', 7);
-- Nothing to split: nothing runs.
SELECT sp('{}', '{}', 7);
SELECT sp(NULL, '{}', 7);
SELECT sp(NULL, NULL, 7);
-- Lengths and dimensions.
SELECT sp('{1,2}', '{a}', 7);
SELECT sp('{1,2}', NULL, 7);
SELECT sp('{{1,2},{3,4}}', '{a,b}', 7);
-- One row where no set is returned.
CREATE FUNCTION sp1(a int[]) RETURNS text LANGUAGE plproxy AS $$
  CLUSTER 'c'; SPLIT a; RUN ON a; SELECT current_database() || a::text; $$;
SELECT sp1('{1,5}');
SELECT sp1('{1,2}');
SELECT sp1('{}');
-- By a function; an element may go to several partitions.
CREATE FUNCTION twofold(x int) RETURNS SETOF int LANGUAGE sql AS 'SELECT x UNION ALL SELECT x + 1 UNION ALL SELECT x';
CREATE FUNCTION spf(a int[]) RETURNS SETOF text LANGUAGE plproxy AS $$
  CLUSTER 'c'; SPLIT a; RUN ON twofold(a); SELECT current_database() || a::text; $$;
SELECT spf('{0,1,4}');
CREATE FUNCTION sph(names text[], vals numeric[]) RETURNS SETOF text LANGUAGE plproxy AS $$
  CLUSTER 'c'; SPLIT ALL; RUN ON hashtext(names); SELECT current_database() || names::text || vals::text; $$;
SELECT sph('{foo,bar,baz,quux}', '{1.5,2.50,NULL,1e10}');
-- ALL arrays; none at all is nothing to split.
CREATE FUNCTION spall(a int[], b text[], c int) RETURNS SETOF text LANGUAGE plproxy AS $$
  CLUSTER 'c'; SPLIT ALL; RUN ON a; SELECT current_database() || a::text || b::text || c; $$;
SELECT spall('{1,2}', '{a,b}', 3);
CREATE FUNCTION spnone(c int) RETURNS SETOF text LANGUAGE plproxy AS $$
  CLUSTER 'c'; SPLIT ALL; RUN ON c; SELECT current_database()::text; $$;
SELECT spnone(3);
-- RUN ON ALL: everybody gets everything. On one partition: that one does.
CREATE FUNCTION spra(a int[]) RETURNS SETOF text LANGUAGE plproxy AS $$
  CLUSTER 'c'; SPLIT a; RUN ON ALL; SELECT current_database() || a::text; $$;
SELECT spra('{1,2}');
SELECT spra('{}');
CREATE FUNCTION sprx(a int[]) RETURNS SETOF text LANGUAGE plproxy AS $$
  CLUSTER 'c'; SPLIT a; RUN ON 2; SELECT current_database() || a::text; $$;
SELECT sprx('[5:6]={1,2}');
-- ANY: each element somewhere, none lost.
CREATE FUNCTION spany(a int[]) RETURNS SETOF int[] LANGUAGE plproxy AS $$
  CLUSTER 'c'; SPLIT a; RUN ON ANY; SELECT a; $$;
SELECT count(*) > 1 AS several, array_agg(x ORDER BY x) FROM spany(ARRAY(SELECT generate_series(1, 20))) s, unnest(s) x;
-- Elements by reference, wide and toasted ones.
CREATE FUNCTION splong(a int[], b text[]) RETURNS SETOF int LANGUAGE plproxy AS $$
  CLUSTER 'c'; SPLIT a, b; RUN ON a; SELECT sum(length(x))::int FROM unnest(b) x; $$;
SELECT splong(ARRAY(SELECT generate_series(1, 100)), ARRAY(SELECT repeat('x', 1000) FROM generate_series(1, 100)));

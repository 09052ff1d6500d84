-- Helpers of the tests; included by variables.sql.

-- Ports and folders change from run to run: this is how a text is shown without them.
CREATE FUNCTION mask(t text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT regexp_replace(
           regexp_replace(
             regexp_replace(t, '\m(port )\d{4,5}\M', '\1PORT', 'g'),
             '(:)\d{4,5}\M', '\1PORT', 'g'),
           '/tmp/shard_fdw\.\w+', '/tmp/DIR', 'g')
$$;

-- Runs a statement that should fail and shows all of its error, masked.
CREATE FUNCTION expect_error(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  state text; message text; detail text; hint text; context text; col text; con text;
BEGIN
  BEGIN
    EXECUTE statement;
  EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
      detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT,
      col = COLUMN_NAME, con = CONSTRAINT_NAME;
    RETURN NEXT mask(state || ' ' || message);
    IF detail <> '' THEN RETURN NEXT mask('DETAIL: ' || detail); END IF;
    IF hint <> '' THEN RETURN NEXT mask('HINT: ' || hint); END IF;
    -- The last two lines are this function's own.
    context := regexp_replace(context, '\n?(SQL statement "[^\n]*"\n)?PL/pgSQL function expect_error.*$', '');
    IF context <> '' THEN RETURN NEXT mask('CONTEXT: ' || context); END IF;
    IF col <> '' THEN RETURN NEXT 'COLUMN: ' || col; END IF;
    IF con <> '' THEN RETURN NEXT 'CONSTRAINT: ' || con; END IF;
    RETURN;
  END;
  RETURN NEXT 'no error';
END $$;

-- The plan of a statement, masked, for plans that show connection data.
CREATE FUNCTION plan_of(statement text, options text DEFAULT 'COSTS OFF')
RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  IF options ~* '\manalyze\M' THEN options := options || ', BUFFERS OFF, TIMING OFF, SUMMARY OFF'; END IF;
  FOR line IN EXECUTE format('EXPLAIN (%s) %s', options, statement) LOOP
    -- 18 shows fractions of rows, and whether a node is disabled.
    CONTINUE WHEN line ~ '^ *Disabled: true$';
    line := regexp_replace(line, '(rows=\d+)\.00 ', '\1 ');
    line := regexp_replace(line, '\n +"Disabled": false,|,\n +"Disabled": false(?=\n)|\n +Disabled: false|\n +<Disabled>false</Disabled>', '', 'g');
    RETURN NEXT mask(line);
  END LOOP;
END $$;

-- Twin check: do two queries give the same rows, however often each? Rows are compared as text,
-- so types without equality take part.
CREATE FUNCTION same_rows(query_a text, query_b text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  a text := format('SELECT r::text AS r FROM (%s) AS r', query_a);
  b text := format('SELECT r::text AS r FROM (%s) AS r', query_b);
  n bigint;
BEGIN
  RETURN QUERY EXECUTE format('SELECT ''only in a: '' || r FROM (%s EXCEPT ALL %s) d ORDER BY r', a, b);
  RETURN QUERY EXECUTE format('SELECT ''only in b: '' || r FROM (%s EXCEPT ALL %s) d ORDER BY r', b, a);
  EXECUTE format('SELECT count(*) FROM (%s) c', a) INTO n;
  RETURN NEXT n || ' rows compared';
END $$;

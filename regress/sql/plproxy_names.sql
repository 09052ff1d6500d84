-- A language and a wrapper that are there already are left alone.
\i common/bare.sql
CREATE FUNCTION other_handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE LANGUAGE plproxy HANDLER other_handler;
CREATE FOREIGN DATA WRAPPER plproxy;
CREATE EXTENSION shard_fdw;
CREATE FUNCTION f() RETURNS int LANGUAGE plproxy AS $$ BEGIN RETURN 1; END $$;
SELECT f();
DROP EXTENSION shard_fdw;
SELECT lanname, fdwname FROM pg_language, pg_foreign_data_wrapper WHERE lanname = 'plproxy';
DROP FOREIGN DATA WRAPPER plproxy;
DROP FUNCTION f();
DROP LANGUAGE plproxy;
-- Otherwise they come and go with the extension.
CREATE EXTENSION shard_fdw;
SELECT lanname, lanpltrusted, laninline, fdwname, fdwhandler FROM pg_language, pg_foreign_data_wrapper WHERE lanname = fdwname;
SELECT pg_describe_object(classid, objid, 0) AS member FROM pg_depend
 WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'shard_fdw') AND pg_describe_object(classid, objid, 0) ~ 'plproxy' ORDER BY pg_describe_object(classid, objid, 0) COLLATE "C";
-- A procedure with a result, and arguments of all kinds.
\set QUIET on
SELECT format('CREATE SERVER c FOREIGN DATA WRAPPER plproxy OPTIONS (p0 %L)', format('host=%s port=%s dbname=db0 user=postgres', :'host', :'port0')) AS command \gset
\set ECHO none
:command;
\set ECHO all
CREATE USER MAPPING FOR PUBLIC SERVER c;
CREATE PROCEDURE p(INOUT a int, b int DEFAULT 5) LANGUAGE plproxy AS $$ CLUSTER 'c'; RUN ON 0; SELECT a + b AS "a"; $$;
CALL p(1);
CALL p(1, 2);
DO $$ DECLARE x int := 7; BEGIN CALL p(x); RAISE NOTICE 'x = %', x; END $$;
DROP EXTENSION shard_fdw CASCADE;

-- The function language and the wrapper of its clusters. Where someone else has them already (PL/Proxy itself,
-- say), they are left alone.
DO $do$
BEGIN
    -- CREATE EXTENSION keeps notices to itself; these are meant to be seen.
    IF pg_catalog.current_setting('client_min_messages') = 'warning' THEN
        SET LOCAL client_min_messages = notice;
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_language WHERE lanname = 'plproxy') THEN
        RAISE NOTICE 'language "plproxy" exists already and is left as it is';
    ELSE
        CREATE FUNCTION plproxy_call_handler() RETURNS pg_catalog.language_handler
            LANGUAGE c AS 'MODULE_PATHNAME', 'shard_fdw_plproxy_call_handler';
        CREATE FUNCTION plproxy_validator(pg_catalog.oid) RETURNS pg_catalog.void
            LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'shard_fdw_plproxy_validator';
        CREATE LANGUAGE plproxy HANDLER plproxy_call_handler VALIDATOR plproxy_validator;
        COMMENT ON LANGUAGE plproxy IS 'calls of functions in other databases';
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_foreign_data_wrapper WHERE fdwname = 'plproxy') THEN
        RAISE NOTICE 'foreign-data wrapper "plproxy" exists already and is left as it is';
    ELSE
        CREATE FUNCTION plproxy_fdw_validator(pg_catalog.text[], pg_catalog.oid)
            RETURNS pg_catalog.bool
            LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'shard_fdw_plproxy_fdw_validator';
        CREATE FOREIGN DATA WRAPPER plproxy VALIDATOR plproxy_fdw_validator;
        COMMENT ON FOREIGN DATA WRAPPER plproxy IS 'clusters of the function language plproxy';
    END IF;
    IF pg_catalog.current_setting('client_min_messages') = 'notice' THEN
        SET LOCAL client_min_messages = warning;
    END IF;
END
$do$;

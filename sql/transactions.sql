-- Transactions over several servers: the decision log, and functions for operators.
CREATE SCHEMA shard;
GRANT USAGE ON SCHEMA shard TO PUBLIC;

-- Tells this coordinator's prepared transactions from those of others that share shards with it.
CREATE TABLE shard.identity (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    id text NOT NULL CHECK (id ~ '^[0-9a-f]{32}$')
);
INSERT INTO shard.identity (id) VALUES (pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', ''));
REVOKE ALL ON shard.identity FROM PUBLIC;

-- A row, written by the transaction itself, means: it has committed. Rows go away when no server needs them any
-- more. Only the extension writes here: a deleted row makes the resolver undo what was committed.
CREATE TABLE shard.commit_log (
    gid text PRIMARY KEY,
    servers oid[] NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT pg_catalog.now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
REVOKE ALL ON shard.commit_log FROM PUBLIC;

CREATE FUNCTION shard.identity() RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'SELECT id FROM shard.identity';
COMMENT ON FUNCTION shard.identity() IS 'what this coordinator''s prepared transactions are known by';

CREATE FUNCTION shard.new_identity() RETURNS text
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
        DELETE FROM shard.commit_log;
        INSERT INTO shard.identity (id) VALUES (replace(gen_random_uuid()::text, '-', ''))
            ON CONFLICT (only_row) DO UPDATE SET id = excluded.id RETURNING id
    $$;
COMMENT ON FUNCTION shard.new_identity() IS
    'to be called once on a copy of a coordinator, which must not finish the transactions of the original';
REVOKE ALL ON FUNCTION shard.new_identity() FROM PUBLIC;

CREATE FUNCTION shard.list_in_doubt(
    OUT gid text, OUT server text, OUT prepared float8, OUT age float8, OUT decision text, OUT last_error text
) RETURNS SETOF record LANGUAGE c VOLATILE
    AS 'MODULE_PATHNAME', 'list_in_doubt_wrapper';
REVOKE ALL ON FUNCTION shard.list_in_doubt() FROM PUBLIC;

-- What is prepared on the servers and not finished, asked from them now; a server that does not answer has one
-- row with its error. decision: what the resolver will do.
CREATE VIEW shard.in_doubt AS
    SELECT gid, server, pg_catalog.to_timestamp(prepared) AS prepared_at,
        pg_catalog.make_interval(secs => age) AS age, decision, last_error
    FROM shard.list_in_doubt();
REVOKE ALL ON shard.in_doubt FROM PUBLIC;

CREATE FUNCTION shard.resolve_now() RETURNS bigint LANGUAGE c VOLATILE
    AS 'MODULE_PATHNAME', 'resolve_now_wrapper';
COMMENT ON FUNCTION shard.resolve_now() IS
    'finishes what can be decided of the transactions in doubt, as the resolver does; returns how many';
REVOKE ALL ON FUNCTION shard.resolve_now() FROM PUBLIC;

CREATE FUNCTION shard.resolve(gid text, action text) RETURNS void LANGUAGE c VOLATILE STRICT
    AS 'MODULE_PATHNAME', 'resolve_wrapper';
COMMENT ON FUNCTION shard.resolve(text, text) IS
    'finishes one prepared transaction by hand: action is commit or rollback';
REVOKE ALL ON FUNCTION shard.resolve(text, text) FROM PUBLIC;

DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_catalog.regexp_split_to_table(
            pg_catalog.current_setting('shared_preload_libraries'), '\s*,\s*') AS library
        WHERE pg_catalog.btrim(library, ' "') ~ '(^|/)shard_fdw$'
    ) THEN
        RAISE WARNING 'shard_fdw is not in shared_preload_libraries'
            USING DETAIL = 'After a restart of this server, transactions left in doubt on shards wait for the next distributed transaction or a call of shard.resolve_now().',
                  HINT = 'Add it to shared_preload_libraries and restart the server.';
    END IF;
END
$$;

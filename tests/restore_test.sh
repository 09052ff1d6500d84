#!/usr/bin/env bash
# Moving from postgres_fdw: a dump of a database that uses it, with the wrapper's name replaced, restores and answers alike.
# And a dump of the result is as good.
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_begin "$TREE"
server_new coordinator "shared_preload_libraries = 'shard_fdw'" "max_connections = 40"
server_start coordinator
shard s1
shard s2
for name in s1 s2; do
    sql "$name" db -c "CREATE SCHEMA app" -c "CREATE TYPE app.mood AS ENUM ('sad', 'ok')" \
        -c "CREATE TABLE app.item (id int PRIMARY KEY, \"Odd \"\"Name\" text, n numeric(10,2), m app.mood, at timestamptz, tags text[])" \
        -c "INSERT INTO app.item SELECT n, 'item ' || n, n / 3.0, CASE n % 2 WHEN 0 THEN 'ok' ELSE 'sad' END::app.mood,
              timestamptz '2026-01-01 00:00+00' + n * interval '1 hour', ARRAY['a' || n, NULL] FROM generate_series(1, 200) n" \
        -c "CREATE TABLE app.part (k int, v text)" -c "CREATE TABLE app.log (line text)" -c "ANALYZE"
done

sql coordinator postgres -c "CREATE DATABASE old" -c "CREATE ROLE owner" -c "CREATE ROLE reader"
sql coordinator postgres -c "ALTER DATABASE old SET postgres_fdw.application_name = 'moved %d'"
sql coordinator old <<SQL
CREATE EXTENSION postgres_fdw;
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('sad', 'ok');
-- Every option of a server, a user mapping, a table and a column.
CREATE SERVER one TYPE 'a type' VERSION '1' FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '${PORT[s1]}', dbname 'db',
  hostaddr '127.0.0.1', application_name 'app', options '-c work_mem=8MB', connect_timeout '10', keepalives '1', keepalives_idle '60',
  keepalives_interval '10', keepalives_count '5', tcp_user_timeout '20000', sslmode 'prefer', sslcompression '0', sslsni '1',
  ssl_min_protocol_version 'TLSv1.2', ssl_max_protocol_version 'TLSv1.3', gssencmode 'disable', krbsrvname 'postgres', gsslib 'gssapi',
  target_session_attrs 'any', channel_binding 'prefer', sslcert '/nowhere/cert', sslkey '/nowhere/key', sslrootcert '/nowhere/root',
  sslcrl '/nowhere/crl', passfile '/nowhere/pass', use_remote_estimate 'true', fdw_startup_cost '120.5', fdw_tuple_cost '0.05',
  extensions 'plpgsql', updatable 'true', truncatable 'true', fetch_size '50', batch_size '20', async_capable 'true',
  parallel_commit 'true', keep_connections 'on');
CREATE SERVER two FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '${PORT[s2]}', dbname 'db');
COMMENT ON SERVER two IS 'the second';
GRANT USAGE ON FOREIGN SERVER two TO owner;
GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO owner;
CREATE USER MAPPING FOR postgres SERVER one OPTIONS (user 'postgres', password 'it''s "quoted"', password_required 'false',
  sslpassword 'x', sslcert '/nowhere/c', sslkey '/nowhere/k');
CREATE USER MAPPING FOR PUBLIC SERVER two OPTIONS (user 'postgres', password_required 'false');
CREATE FOREIGN TABLE item (id int NOT NULL, odd text OPTIONS (column_name 'Odd "Name'), n numeric(10,2), m app.mood DEFAULT 'ok', at timestamptz, tags text[],
  CHECK (id > 0)) SERVER one OPTIONS (schema_name 'app', table_name 'item', use_remote_estimate 'false', fetch_size '10', batch_size '5',
  updatable 'true', truncatable 'false', async_capable 'false');
CREATE SCHEMA imported;
IMPORT FOREIGN SCHEMA app LIMIT TO (item) FROM SERVER two INTO imported OPTIONS (import_default 'true', import_collate 'true');
ALTER FOREIGN TABLE item DROP COLUMN tags;
ALTER FOREIGN TABLE item ADD COLUMN tags text[];
-- Inheritance, partitions, views, rules, triggers, functions, rights.
CREATE TABLE parent (k int, v text);
INSERT INTO parent VALUES (0, 'own');
CREATE FOREIGN TABLE child () INHERITS (parent) SERVER two OPTIONS (schema_name 'app', table_name 'part');
CREATE TABLE pt (k int, v text) PARTITION BY RANGE (k);
CREATE FOREIGN TABLE pt_1 PARTITION OF pt FOR VALUES FROM (1) TO (100) SERVER one OPTIONS (schema_name 'app', table_name 'part');
CREATE TABLE pt_2 PARTITION OF pt DEFAULT;
CREATE VIEW joined AS SELECT i.id, i.odd, j.n FROM item i JOIN imported.item j USING (id) WHERE i.m = 'ok';
CREATE VIEW rights WITH (security_barrier) AS SELECT id, odd FROM item WHERE id < 5;
CREATE MATERIALIZED VIEW summary AS SELECT m, count(*), sum(n) FROM item GROUP BY m WITH NO DATA;
CREATE FOREIGN TABLE log (line text) SERVER two OPTIONS (schema_name 'app');
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (TG_OP || coalesce(NEW.k, OLD.k)); RETURN NULL; END';
CREATE TRIGGER note AFTER INSERT OR DELETE ON child FOR EACH ROW EXECUTE FUNCTION note();
CREATE FUNCTION names() RETURNS SETOF text LANGUAGE sql AS 'SELECT server_name FROM postgres_fdw_get_connections() ORDER BY 1';
CREATE FUNCTION forget() RETURNS boolean LANGUAGE sql AS 'SELECT postgres_fdw_disconnect_all()';
ALTER FOREIGN TABLE log OWNER TO owner;
GRANT SELECT ON rights, item TO reader;
SQL

# answers DATABASE: what users ask, changes undone.
answers() {
    "$PG_BIN/psql" -XqAt -h 127.0.0.1 -p "${PORT[coordinator]}" -U postgres -d "$1" 2>&1 <<'SQL'
SET extra_float_digits = 0;
SELECT count(*), sum(id), max(at), min(odd) FROM item;
SELECT * FROM item WHERE id IN (3, 4) ORDER BY id;
SELECT * FROM imported.item WHERE tags[1] = 'a7';
SELECT count(*), sum(n) FROM joined;
SELECT * FROM joined ORDER BY id DESC LIMIT 2;
BEGIN;
INSERT INTO child VALUES (7, 'seven'), (8, 'eight');
INSERT INTO pt SELECT n, 'p' || n FROM generate_series(98, 101) n RETURNING tableoid::regclass, *;
UPDATE parent SET v = v || '!' WHERE k < 8;
DELETE FROM child WHERE k = 8;
SELECT tableoid::regclass, * FROM parent ORDER BY k;
SELECT tableoid::regclass, * FROM pt ORDER BY k;
SELECT * FROM log ORDER BY 1;
UPDATE item SET n = n + 1, odd = upper(odd) WHERE id = 9 RETURNING id, odd, n, m, tags;
INSERT INTO item (id) VALUES (1000) RETURNING id, m;
ROLLBACK;
TRUNCATE item;
SELECT count(*) FROM log;
REFRESH MATERIALIZED VIEW summary;
SELECT * FROM summary ORDER BY m;
SELECT names();
SELECT forget();
SELECT names();
SET ROLE reader;
SELECT * FROM rights ORDER BY id LIMIT 1;
SELECT count(*) FROM item;
SELECT * FROM joined;
RESET ROLE;
CREATE TEMP TABLE seen AS SELECT * FROM item; ANALYZE item; ANALYZE parent;
SELECT reltuples FROM pg_class WHERE relname = 'item';
SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'parent' AND inherited;
SQL
}
# options DATABASE: all options of the catalogs; pg_dump sorts them.
options() {
    sql coordinator "$1" <<'SQL'
CREATE TEMP VIEW all_options AS
SELECT 'server ' || srvname AS of, srvoptions AS o FROM pg_foreign_server
UNION ALL SELECT format('mapping %s %s', srvname, usename), umoptions FROM pg_user_mappings
UNION ALL SELECT ftrelid::regclass::text, ftoptions FROM pg_foreign_table
UNION ALL SELECT format('%s.%s', attrelid::regclass, attname), attfdwoptions FROM pg_attribute WHERE attfdwoptions IS NOT NULL;
SELECT of, ARRAY(SELECT unnest(o) ORDER BY 1) FROM all_options ORDER BY of COLLATE "C";
SQL
}
# The differences there should be: the name of the wrapper, that of the server in errors.
plain() { sed 's/postgres_fdw/shard_fdw/g; /^server "/d; s/\(user mapping not found for\).*/\1/'; }

dump() { "$PG_BIN/pg_dump" -h 127.0.0.1 -p "${PORT[coordinator]}" -U postgres "$@"; }
# restore: reads a dump; prints errors only.
restore() {
    { "$PG_BIN/psql" -XqAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "${PORT[coordinator]}" -U postgres -d postgres >/dev/null; } 2>&1
}

before=$(answers old | plain)
like "the old database answers" "200\|20100" "$before"
same "a dump with the name replaced restores" "" \
    "$(dump -C old | sed 's/postgres_fdw/shard_fdw/g; s/\bold\b/new/g' | restore)"
same "it answers alike" "" "$(diff <(printf '%s\n' "$before") <(answers new | plain))"
same "the options are the same" "$(options old)" "$(options new)"
same "the setting of the database came along" "moved new" \
    "$(sql coordinator new -c "CREATE FOREIGN TABLE activity (pid int, application_name text) SERVER two
        OPTIONS (schema_name 'pg_catalog', table_name 'pg_stat_activity')" \
        -c "SELECT application_name FROM activity WHERE application_name LIKE 'moved%'")"
same "a dump of the new database restores as well" "" "$(dump -C new | sed 's/\bnew\b/newer/g' | restore)"
same "and answers alike" "" "$(diff <(printf '%s\n' "$before") <(answers newer | plain))"
like "rows of foreign tables can be dumped" "'?item 7'?" "$(dump --include-foreign-data=two --data-only new)"
for db in old new newer; do
    like "pg_dump touches no foreign table of $db by itself" "^0$" "$(dump --data-only "$db" | grep -c 'item 7')"
done

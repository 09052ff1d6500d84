#!/usr/bin/env bash
# Rows that go from the shards to the client as they come: the same bytes as without that, and as of a local table, for
# every type, in text and in binary, under all settings that change how values are written.
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cluster_begin "$TREE"

coordinator
shard one "timezone = 'Asia/Kolkata'" "datestyle = 'German'" "intervalstyle = 'iso_8601'" "extra_float_digits = -5" "bytea_output = 'escape'"
shard two
foreign one
foreign two

# The tables and rows of regress/sql/types.sql: all of them here, each shard with half of them.
{
    printf "SET client_min_messages = error; SET timezone = 'UTC'; SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres';\n"
    cat "$ROOT/regress/common/types.sql"
    sed -n '/^INSERT INTO scalars (id)/,/^-- Written through/p' "$ROOT/regress/sql/types.sql"
} >"$WORK/types.sql"
sql coordinator coord -f "$WORK/types.sql"
number=0
for name in one two; do
    sql "$name" db -f "$WORK/types.sql"
    for table in scalars times others many users; do
        sql "$name" db -c "DELETE FROM $table WHERE id % 2 <> $number"
        [[ $number != 0 ]] || sql coordinator coord -c "CREATE TABLE s_$table (LIKE $table)"
        sql coordinator coord -c "CREATE FOREIGN TABLE ${table}_$name (CHECK (id % 2 = $number)) INHERITS (s_$table)
                SERVER $name OPTIONS (schema_name 'public', table_name '$table')"
    done
    sql "$name" db -c "CREATE TABLE wide (id int, n int8, v varchar(10), c char(8), d numeric(9,3), t text);
        INSERT INTO wide SELECT i, i, 'v' || i, 'c' || i, i / 8.0, repeat('x', i % 300) FROM generate_series($number, 39999, 2) i;
        CREATE TABLE fit (id int, n int8, v varchar(4), e text, m char(3)); INSERT INTO fit VALUES ($number, 7, 'abcd', 'sad', 'ab');"
    number=1
done
sql coordinator coord <<'SQL'
CREATE TABLE s_wide (id int, n int8, v varchar(10), c char(8), d numeric(9,3), t text);
CREATE FOREIGN TABLE wide_one (CHECK (id % 2 = 0)) INHERITS (s_wide) SERVER one OPTIONS (schema_name 'public', table_name 'wide');
CREATE FOREIGN TABLE wide_two (CHECK (id % 2 = 1)) INHERITS (s_wide) SERVER two OPTIONS (schema_name 'public', table_name 'wide');
CREATE TABLE wide AS SELECT i::int AS id, i::int8 AS n, ('v' || i)::varchar(10) AS v, ('c' || i)::char(8) AS c, (i / 8.0)::numeric(9,3) AS d,
    repeat('x', i % 300) AS t FROM generate_series(0, 39999) i;
-- Declared otherwise than there: read here, by the local types' rules.
CREATE FOREIGN TABLE fit (id int, n int4, v text, e mood, m char(5)) SERVER one OPTIONS (schema_name 'public', table_name 'fit');
-- One shard has another type for a column: its rows are read here, the other's are passed on.
CREATE TABLE mixed (id int, n int8);
CREATE FOREIGN TABLE mixed_one (CHECK (id % 2 = 0)) INHERITS (mixed) SERVER one OPTIONS (schema_name 'public', table_name 'wide');
CREATE FOREIGN TABLE mixed_two (CHECK (id % 2 = 1)) INHERITS (mixed) SERVER two OPTIONS (schema_name 'public', table_name 'narrow');
SQL
sql two db -c "CREATE TABLE narrow AS SELECT id, n::int4 AS n FROM wide"

python3 "$ROOT/tests/passing.py" "${PORT[coordinator]}"

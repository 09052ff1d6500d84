#!/usr/bin/env bash
# Wrong options, wrong passwords, tables that do not fit: an ERROR each, and the session goes on.
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_begin "$TREE"
coordinator ""
shard main
foreign main

bad "unknown server option" "HV00D: invalid option \"hots\".*HINT:.*host" \
    "CREATE SERVER s FOREIGN DATA WRAPPER $FDW OPTIONS (hots 'x');"
bad "unknown table option" "HV00D: invalid option \"tabel_name\".*HINT:.*table_name" \
    "ALTER FOREIGN TABLE good_main OPTIONS (ADD tabel_name 'x');"
bad "fetch_size is no number" "22023: .*fetch_size" \
    "ALTER SERVER main OPTIONS (ADD fetch_size 'many');"
bad "a password on the server" "HV00D: invalid option \"password\"" \
    "ALTER SERVER main OPTIONS (ADD password 'x');"

foreign nohost "host 'no-such-host.invalid'" "dbname 'db'"
bad "unknown host" "08001: could not connect to server \"nohost\".*no-such-host" \
    "SELECT * FROM good_nohost;"
while port_taken "$NEXT_PORT"; do NEXT_PORT=$((NEXT_PORT + 1)); done
foreign refused "host '127.0.0.1'" "port '$NEXT_PORT'" "dbname 'db'"
bad "refused port" "08001: could not connect to server \"refused\".*refused" \
    "SELECT * FROM good_refused;"
foreign nodb "host '127.0.0.1'" "port '${PORT[main]}'" "dbname 'nowhere'"
bad "unknown database" "08001: could not connect to server \"nodb\".*database \"nowhere\" does not exist" \
    "SELECT * FROM good_nodb;"
foreign nosocket "host '/nonexistent'" "dbname 'db'"
bad "no such socket" "08001: could not connect to server \"nosocket\".*No such file or directory" \
    "SELECT * FROM good_nosocket;"

# Passwords.
shard locked
sql locked db -c "SET password_encryption = 'md5'" -c "CREATE ROLE old LOGIN PASSWORD 'secret-md5'" \
    -c "SET password_encryption = 'scram-sha-256'" \
    -c "CREATE ROLE new LOGIN PASSWORD 'secret-scram'" -c "CREATE ROLE plain LOGIN PASSWORD 'secret-plain'" \
    -c "GRANT SELECT ON good TO old, new, plain"
hba locked "host all old all md5" "host all new all scram-sha-256" "host all plain all password" \
    "host all all all reject"
server_stop locked
server_start locked
foreign locked
for role in old:md5 new:scram plain:plain; do
    name=${role%:*} secret=secret-${role#*:}
    sql coordinator coord -c "ALTER USER MAPPING FOR postgres SERVER locked OPTIONS (SET user '$name')"
    bad "no password ($name)" "08001: could not connect to server \"locked\"" "SELECT * FROM good_locked;"
    sql coordinator coord -c \
        "ALTER USER MAPPING FOR postgres SERVER locked OPTIONS (ADD password 'wrong-password')"
    bad "wrong password ($name)" \
        "08001: could not connect to server \"locked\".*password authentication failed for user \"$name\"" \
        "SELECT * FROM good_locked;"
    got=$(session <<<"SELECT * FROM good_locked;")
    if [[ $got == *wrong-password* ]]; then failed "no password in the error ($name)" "$got"; fi
    sql coordinator coord -c \
        "ALTER USER MAPPING FOR postgres SERVER locked OPTIONS (SET password '$secret')"
    same "right password ($name)" 3 "$(session <<<"SELECT count(*) FROM good_locked;")"
    sql coordinator coord -c "ALTER USER MAPPING FOR postgres SERVER locked OPTIONS (DROP password)"
done
sql coordinator coord -c "ALTER USER MAPPING FOR postgres SERVER locked OPTIONS (SET user 'postgres')"
bad "rejected by pg_hba.conf" "08001: could not connect to server \"locked\".*pg_hba.conf" \
    "SELECT * FROM good_locked;"

# An ordinary user must bring a password, and the server must ask for it.
sql coordinator coord -c "CREATE ROLE joe LOGIN" -c "GRANT SELECT ON good_main, good_locked TO joe" \
    -c "GRANT USAGE ON FOREIGN SERVER main, locked TO joe" \
    -c "CREATE USER MAPPING FOR joe SERVER main OPTIONS (user 'postgres')" \
    -c "CREATE USER MAPPING FOR joe SERVER locked OPTIONS (user 'new', password 'secret-scram')"
like "ordinary user without a password" "ERROR:  2F003: password (or GSSAPI delegated credentials )?(is )?required" \
    "$(SESSION_USER=joe session <<<"SELECT count(*) FROM good_main;")"
sql coordinator coord -c "ALTER USER MAPPING FOR joe SERVER main OPTIONS (ADD password 'x')"
like "ordinary user, the server does not ask" "ERROR:  2F003: password (or GSSAPI delegated credentials )?(is )?required" \
    "$(SESSION_USER=joe session <<<"SELECT count(*) FROM good_main;")"
same "ordinary user with a password" 3 "$(SESSION_USER=joe session <<<"SELECT count(*) FROM good_locked;")"
sql coordinator coord -c "ALTER USER MAPPING FOR joe SERVER main OPTIONS (ADD password_required 'false')"
same "password_required 'false', set by a superuser" 3 \
    "$(SESSION_USER=joe session <<<"SELECT count(*) FROM good_main;")"
like "an ordinary user cannot set it" "ERROR:  42501: password_required=false is superuser-only" \
    "$(SESSION_USER=joe session <<<"ALTER USER MAPPING FOR joe SERVER main OPTIONS (SET password_required 'false');")"
like "no user mapping" "ERROR:  42704: user mapping not found" "$(
    sql coordinator coord -c "CREATE ROLE jane LOGIN; GRANT SELECT ON good_main TO jane"
    SESSION_USER=jane session <<<"SELECT count(*) FROM good_main;"
)"

# Tables that do not fit.
sql coordinator coord <<SQL
CREATE FOREIGN TABLE missing (id int) SERVER main OPTIONS (table_name 'nowhere');
CREATE FOREIGN TABLE no_schema (id int) SERVER main OPTIONS (schema_name 'nowhere', table_name 'good');
CREATE FOREIGN TABLE more_columns (id int, v text, extra int) SERVER main OPTIONS (table_name 'good');
CREATE FOREIGN TABLE fewer_columns (v text) SERVER main OPTIONS (table_name 'good');
CREATE FOREIGN TABLE wrong_type (id int, v int) SERVER main OPTIONS (table_name 'good');
CREATE FOREIGN TABLE wrong_date (id date, v text) SERVER main OPTIONS (table_name 'good');
CREATE FOREIGN TABLE other_types (id numeric, v varchar(20)) SERVER main OPTIONS (table_name 'good');
SQL
bad "missing remote table" "42P01: relation \"public.nowhere\" does not exist.*remote SQL command: SELECT id FROM public.nowhere" \
    "SELECT * FROM missing;"
bad "missing remote schema" "42P01: relation \"nowhere.good\" does not exist" "SELECT * FROM no_schema;"
bad "missing remote column" "42703: column \"extra\" does not exist" "SELECT * FROM more_columns;"
same "a missing column that nobody asks for" 3 "$(session <<<"SELECT count(v) FROM more_columns;")"
same "extra remote columns" "one,three,two" \
    "$(session <<<"SELECT string_agg(v, ',' ORDER BY v) FROM fewer_columns;")"
bad "text where a number is expected" "22P02: invalid input syntax for type integer: \"one\".*column \"v\" of foreign table \"wrong_type\"" \
    "SELECT * FROM wrong_type;"
bad "a number where a date is expected" "22(007|008|P02|P03): .*column \"id\" of foreign table \"wrong_date\"" \
    "SELECT * FROM wrong_date;"
same "types that differ but fit" "1|one 2|two 3|three" \
    "$(session <<<"SELECT * FROM other_types ORDER BY id;" | tr '\n' ' ' | sed 's/ $//')"
bad "missing table, in a write" "42P01: relation \"public.nowhere\" does not exist" "INSERT INTO missing VALUES (1);"
bad "remote constraint" "23505: duplicate key value violates unique constraint \"good_pkey\".*DETAIL:  Key \(id\)=\(1\) already exists.*CONSTRAINT NAME:  good_pkey" \
    "INSERT INTO good_main VALUES (1, 'again');"
bad "import of a missing schema" "HV00Q: schema \"nowhere\" is not present on foreign server \"main\"" \
    "IMPORT FOREIGN SCHEMA nowhere FROM SERVER main INTO public;"

# Other encodings.
sql main postgres -c "CREATE DATABASE latin1 ENCODING 'LATIN1' TEMPLATE template0" \
    -c "CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0"
sql main latin1 -c "SET client_encoding = 'UTF8'" -c "CREATE TABLE good (id int, v text)" \
    -c "INSERT INTO good VALUES (1, 'Grüße'), (2, 'plain')"
sql main ascii -c "CREATE TABLE good (id int, v text)" -c "INSERT INTO good VALUES (1, E'\\xfc')"
foreign latin1 "host '127.0.0.1'" "port '${PORT[main]}'" "dbname 'latin1'"
foreign ascii "host '127.0.0.1'" "port '${PORT[main]}'" "dbname 'ascii'"
same "LATIN1 remote: values arrive" "1|Grüße 2|plain " \
    "$(session <<<"SELECT * FROM good_latin1 ORDER BY id;" | tr '\n' ' ')"
same "LATIN1 remote: conditions arrive" "1" "$(session <<<"SELECT id FROM good_latin1 WHERE v = 'Grüße';")"
same "LATIN1 remote: values leave" "3|Öl" \
    "$(session <<<"INSERT INTO good_latin1 VALUES (3, 'Öl'); SELECT * FROM good_latin1 WHERE id = 3;")"
bad "LATIN1 remote: a character it does not have" "22P05: character with byte sequence 0xe2 0x82 0xac in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"" \
    "SELECT * FROM good_latin1 WHERE v = '€';"
bad "bytes that are no text here" "22021: invalid byte sequence for encoding \"UTF8\": 0xfc" \
    "SELECT * FROM good_ascii;"

#!/usr/bin/env bash
# A backend that runs very many statements of all kinds does not grow: its memory after the first few thousand is
# about its memory after all of them.
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_begin "$TREE"
coordinator ""
shard main
foreign main
sql main db -c "CREATE TABLE part0 (id int PRIMARY KEY, v text)" -c "CREATE TABLE part1 (id int PRIMARY KEY, v text)" \
    -c "INSERT INTO part0 SELECT n, 'row ' || n FROM generate_series(0, 998, 2) n" \
    -c "INSERT INTO part1 SELECT n, 'row ' || n FROM generate_series(1, 999, 2) n"
sql coordinator coord -c "CREATE TABLE parts (id int, v text)" \
    -c "CREATE FOREIGN TABLE part0 (CHECK (abs(id % 2) = 0)) INHERITS (parts) SERVER main" \
    -c "CREATE FOREIGN TABLE part1 (CHECK (abs(id % 2) = 1)) INHERITS (parts) SERVER main"

# A function whose result cannot be read.
sql main db -c "CREATE FUNCTION public.unfit(i int) RETURNS text LANGUAGE sql AS \$\$ SELECT 'abc'::text \$\$"
sql coordinator coord -c "CREATE SERVER cluster FOREIGN DATA WRAPPER plproxy OPTIONS (p0 'host=127.0.0.1 port=${PORT[main]} dbname=db user=postgres')" \
    -c "CREATE USER MAPPING FOR postgres SERVER cluster" \
    -c "CREATE FUNCTION unfit(i int) RETURNS int LANGUAGE plproxy AS \$\$ CLUSTER 'cluster'; RUN ON 0; SELECT unfit(i); \$\$"

# One round: reads of a table and of a sharded parent, joins, groups, errors, writes, savepoints, cursors.
sql coordinator coord <<'SQL'
CREATE PROCEDURE round(i int) LANGUAGE plpgsql AS $$
DECLARE r record; c refcursor;
BEGIN
  EXECUTE format('SELECT * FROM good_main WHERE id = %s', i % 5) INTO r;
  SELECT * INTO r FROM parts WHERE id = i % 1000;
  EXECUTE format('SELECT count(*), max(v) FROM parts WHERE id < %s', i % 50) INTO r;
  EXECUTE format('SELECT count(*) FROM parts a JOIN parts b USING (id) JOIN good_main g ON g.id = b.id WHERE a.id < %s', i % 9) INTO r;
  UPDATE part1 SET v = v || '' WHERE id = 1 + 2 * (i % 300);
  UPDATE parts SET v = substr(v || random()::text, 1, 20) WHERE id = i % 1000;
  INSERT INTO part0 VALUES (100000 + 2 * i, 'new');
  DELETE FROM part0 WHERE id = 100000 + 2 * i;
  BEGIN
    INSERT INTO part0 VALUES (0, 'twice');
  EXCEPTION WHEN unique_violation THEN NULL;
  END;
  BEGIN
    PERFORM unfit(i);
  EXCEPTION WHEN invalid_text_representation THEN NULL;
  END;
  OPEN c FOR SELECT * FROM parts ORDER BY v;
  FETCH c INTO r;
  CLOSE c;
  COMMIT;
END $$;
SQL

rounds() {
    local i
    for ((i = $1; i < $2; i++)); do echo "CALL round($i);"; done
}
# Resident memory of the session's own process that is not shared, in kB.
# shellcheck disable=SC2016 # for psql's shell
private='\! awk '"'"'/^RssAnon/ {print "anon " $2}'"'"' /proc/$(cat "$WORK/backend")/status'
got=$({
    echo "\\o $WORK/backend"
    echo "SELECT pg_backend_pid();"
    echo "\\o"
    rounds 0 1500
    echo "$private"
    rounds 1500 "${ROUNDS:-9000}"
    echo "$private"
} | session)
mapfile -t kb < <(sed -n 's/^anon //p' <<<"$got")
if [[ $got == *ERROR* || ${#kb[@]} -ne 2 ]]; then
    failed "statements of all kinds" "$got"
elif ((kb[1] > kb[0] + kb[0] / 10 + 1024)); then
    failed "a backend does not grow" "${kb[0]} kB after 1500 rounds, ${kb[1]} kB after all"
else
    ok "a backend does not grow over 100,000 statements"
fi

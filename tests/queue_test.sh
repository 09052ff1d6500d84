#!/usr/bin/env bash
# A job queue over two shards with many workers: every job is done exactly once, workers do not wait for each other,
# and a transaction that only locks rows on several shards needs no two-phase commit.
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_begin "$TREE"
coordinator "shard_fdw.resolver_interval = 1"
sql coordinator coord -c "CREATE TABLE queue (id int, job text)"
n=0
for name in s0 s1; do
    shard "$name" "max_prepared_transactions = 0"
    foreign "$name"
    sql "$name" db -c "CREATE TABLE queue (id int PRIMARY KEY, job text)" \
        -c "INSERT INTO queue SELECT i, 'job ' || i FROM generate_series($n, 399, 2) i"
    sql coordinator coord -c "CREATE FOREIGN TABLE queue_$n (CHECK (id % 2 = $n)) INHERITS (queue) SERVER $name OPTIONS (table_name 'queue')"
    n=$((n + 1))
done

# Locks on both shards, changes on none: COMMIT works without prepared transactions.
same "locks alone need no two phases" 400 "$(sql coordinator coord -c "BEGIN" -c "SELECT count(*) FROM (SELECT * FROM queue FOR UPDATE) q" -c "COMMIT" 2>&1 | grep -v -E '^(BEGIN|COMMIT)$')"

sql coordinator coord <<'SQL'
SET client_min_messages = error;
CREATE PROCEDURE work(worker int) LANGUAGE plpgsql AS $$
DECLARE taken int; idle int := 0;
BEGIN
  LOOP
    SELECT id INTO taken FROM queue ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF FOUND THEN
      idle := 0;
      DELETE FROM queue WHERE id = taken;
      IF NOT FOUND THEN RAISE EXCEPTION 'job % was not there any more', taken; END IF;
      RAISE NOTICE 'done %', taken;
    ELSE
      -- Others may hold the last ones, and may give them back.
      idle := idle + 1;
      EXIT WHEN idle > 20;
      PERFORM pg_sleep(0.02);
    END IF;
    COMMIT;
  END LOOP;
END $$;
SQL
workers=()
for worker in 1 2 3 4 5 6; do
    sql coordinator coord -c "SET client_min_messages = notice" -c "CALL work($worker)" >"$WORK/worker.$worker" 2>&1 &
    workers+=($!)
done
outcome=""
for pid in "${workers[@]}"; do wait "$pid" || outcome=failed; done
same "no worker failed" "" "$outcome$(cat "$WORK"/worker.* | grep -E 'ERROR|WARNING')"
same "every job was done" 400 "$(cat "$WORK"/worker.* | grep -c 'NOTICE:  done')"
same "no job was done twice" "" "$(cat "$WORK"/worker.* | grep 'NOTICE:  done' | sort | uniq -d)"
same "the queue is empty" 0 "$(sql coordinator coord -c "SELECT count(*) FROM queue")"

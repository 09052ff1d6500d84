#!/usr/bin/env bash
# Servers that break the protocol: an ERROR each, within the time that statement_timeout allows, and the session goes on.
# Conditions are evaluated by wait_for, later.
# shellcheck disable=SC2016
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_begin "$TREE"
coordinator
shard main
foreign main
python3 "$ROOT/tests/broken_server.py" >"$WORK/broken.port" 2>"$WORK/broken.log" &
broken=$!
wait_for 10 '[[ -s $WORK/broken.port ]]'
port=$(<"$WORK/broken.port")

endless=()
# broken MODE: a foreign table on a server of that kind.
broken() { foreign "$1" "host '127.0.0.1'" "port '$port'" "dbname '$1'"; }

broken fine
plain="SET shard_fdw.enable_result_passthrough = off; SET statement_timeout = '1s'"
same "the server can behave" "7|seven" "$(session <<<"$plain; SELECT * FROM good_fine;")"
violation="08(P01|006): .*(protocol violation|lost synchronization|closed the connection|malformed)"
while read -r mode error; do
    broken "$mode"
    begin=${EPOCHREALTIME/./}
    bad "$mode" "$error" "$plain; SELECT * FROM good_$mode; RESET statement_timeout;"
    ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
    [[ $ms -lt 9000 ]] || failed "$mode ends in time" "$ms ms"
done <<MODES
close_at_login 08001: .*closed the connection
notices_at_login 08001:
passwords_at_login 08001:
nonsense_at_login 08001:
short_key 08001:
close_in_message $violation
negative_message $violation
short_message $violation
huge_message $violation
huge_short_message $violation
negative_field $violation
long_field $violation
more_fields $violation
no_fields $violation
lying_count $violation
lying_columns $violation
row_first $violation
more_columns (42804|08).*
many_columns (42804|08).*
no_data (42804|08|XX000).*
unknown_types .*
short_integer 22P03: .*|08P01: insufficient data left in message
not_text 22021: invalid byte sequence for encoding "UTF8"
nul_in_text 22021: invalid byte sequence for encoding "UTF8": 0x00
no_end $violation
early_ready $violation
copy_in .*
copy_both $violation
unknown $violation
bare_error $violation
empty_error .*
error_no_text 42P01: .*
error_success .*
error_odd_state .*
fatal 57P01: broken
stray_answer $violation
MODES
# Servers that never come to an end, nor obey a cancel: a rollback gives them 30 seconds.
begin=$SECONDS
for mode in notices parameters notifications rows suspended; do
    broken "$mode"
    echo "$plain; SELECT * FROM good_$mode; RESET statement_timeout; SELECT 'alive', count(*) FROM good_main;" >"$WORK/$mode.sql"
    bg "$WORK/$mode.sql" "$WORK/$mode.out"
    endless+=("$BG")
done
wait "${endless[@]}"
for mode in notices parameters notifications rows suspended; do
    like "endless $mode" "57014: canceling statement due to statement timeout.*alive\|3" "$(tr '\n' ' ' <"$WORK/$mode.out")"
done
same "they end in time ($((SECONDS - begin)) s)" 1 "$((SECONDS - begin < 60))"
if grep -E 'was terminated by signal|PANIC:' "$WORK/log/coordinator.log"; then
    failed "no backend crashed" "$(tail -5 "$WORK/log/coordinator.log")"
else
    ok "no backend crashed"
fi
kill "$broken"

#!/usr/bin/env bash
# Runs the built example etl, with its own services and SQLite, and looks at the tables it leaves.
# usage: etl.sh PATH_OF_ETL
set -u
export LC_ALL=C

binary=$(readlink -f -- "${1:?usage: $0 PATH_OF_ETL}")
[ -x "$binary" ] || { echo "not a program: $binary" >&2; exit 2; }
command -v sqlite3 >/dev/null || { echo "sqlite3 is needed" >&2; exit 2; }
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 2
scratch=$(pwd -P)
failures=0
# With a patience that no busy machine exhausts: what a service says is then exact. A --timeout further on overrides it.
etl=("$binary" --timeout 60000)

fail() { echo "FAILED: $*" >&2; failures=$((failures + 1)); }

# expect STATUS NAME COMMAND...: leaves stdout in .out and stderr in .err
expect() {
  local status=$1 name=$2 got=0
  shift 2
  timeout 120 "$@" >.out 2>.err || got=$?
  [ "$got" -eq "$status" ] || fail "$name: status $got instead of $status: $(head -c 300 .err)"
}

quiet() { [ ! -s .err ] || fail "$1: unexpected message: $(head -c 300 .err)"; }

# reported NAME LINE: the report has this line
reported() { grep -qx -e "$2" .out || fail "$1: no line '$2' in the report: $(tr '\n' ';' <.out)"; }

# events FROM TO: events with these numbers; 97 customers, 5 countries, amounts of every sign
events() {
  awk -v from="$1" -v to="$2" 'BEGIN {
    split("DE FR NZ US AU", countries, " ")
    for (i = from; i <= to; i++)
      printf "{\"id\":\"e%07d\",\"customer\":\"c-%d\",\"country\":\"%s\",\"amount\":%d}\n",
             i, i % 97, countries[i % 5 + 1], (i * 7919) % 20011 - 500
  }'
}

# rows: the lines that `dump` gives for these events when every service answers, by the services' documented rules.
rows() {
  sed -E 's/^\{"id":"([^"]*)","customer":"([^"]*)","country":"([^"]*)","amount":(-?[0-9]+)\}$/\1|\2|\3|\4/' |
    awk -F'|' -v OFS='|' '{
      north = $3 < "N"
      last = substr($2, length($2))
      tax = $4 * (north ? 19 : 7) / 100
      tier = last == "0" ? "gold" : last <= "3" ? "silver" : "bronze"
      print $0, north ? "north" : "south", tier, $4 + int(tax), ""
    }'
}

dump() { sqlite3 "$1" 'select id, customer, country, amount, region, tier, price, degraded from events order by id'; }
dump_all() { sqlite3 "$1" 'select * from events order by id; select * from rejects; select * from positions'; }

# holds NAME DATABASE: it holds the rows in .want
holds() {
  dump "$2" >.got
  cmp -s .want .got || fail "$1: rows differ: $(diff .want .got | head -n 5)"
}

test_clean_run() {
  events 1 3000 >clean.jsonl
  rows <clean.jsonl >.want
  expect 0 clean "${etl[@]}" --database clean.db clean.jsonl
  quiet clean
  holds clean clean.db
  reported clean 'events: 3000'
  reported clean 'rows: 3000'
  reported clean 'price: 0 degraded, 0 retries, breaker closed, opened 0 times'
  tail -n 1 .out | grep -qE '^events/s: [0-9.]+$' || fail "clean: events/s is not the last line"
  [ "$(sqlite3 clean.db 'select source, bytes, lines from positions')" = \
    "$scratch/clean.jsonl|$(stat -c %s clean.jsonl)|3000" ] || fail 'clean: position'
  dump_all clean.db >.before
  expect 0 'nothing new' "${etl[@]}" --database clean.db clean.jsonl
  reported 'nothing new' 'lines of earlier runs: 3000'
  reported 'nothing new' 'events: 0'
  dump_all clean.db | cmp -s .before - || fail 'nothing new: the tables have changed'
  events 3001 3100 >>clean.jsonl
  rows <clean.jsonl >.want
  expect 0 'lines were added' "${etl[@]}" --database clean.db clean.jsonl --workers 1 --batch 1
  reported 'lines were added' 'events: 100'
  holds 'lines were added' clean.db
}

test_unreliable() {
  events 1 2000 >unreliable.jsonl
  rows <unreliable.jsonl >.want
  expect 0 unreliable "${etl[@]}" --database unreliable.db --unreliable 30 --timeout 500 unreliable.jsonl
  quiet unreliable
  reported unreliable 'rows: 2000'
  grep -qE '^price: .* [1-9][0-9]* retries' .out || fail "unreliable: no retries: $(cat .out)"
  # A field is what it should be, or it is NULL and its service is listed.
  dump unreliable.db | awk -F'|' '
    NR == FNR { want[$1] = $0; next }
    {
      split(want[$1], w, "|")
      ok = $2 == w[2] && $3 == w[3] && $4 == w[4]
      ok = ok && ($8 ~ /(^|,)geo(,|$)/ ? $5 == "" : $5 == w[5])
      ok = ok && ($8 ~ /(^|,)customer(,|$)/ ? $6 == "" : $6 == w[6])
      ok = ok && ($8 ~ /(^|,)price(,|$)/ ? $7 == "" : $7 == w[7])
      if (!ok) { print "wrong row: " $0; exit }
      if ($8 == "") whole++
      rows++
    }
    END { if (rows != 2000) print rows " rows"; if (whole < 1000) print "only " whole " whole rows" }' .want - >.wrong
  [ ! -s .wrong ] || fail "unreliable: $(cat .wrong)"
}

test_dead_service() {
  events 1 2000 >dead.jsonl
  rows <dead.jsonl | awk -F'|' -v OFS='|' '{ $7 = ""; $8 = "price"; print }' >.want
  expect 0 'dead price' "${etl[@]}" --database dead.db --dead price --timeout 1000 dead.jsonl
  quiet 'dead price'
  holds 'dead price' dead.db
  grep -qE '^price: 2000 degraded, [0-9]+ retries, breaker (open|half-open), opened [1-9][0-9]* times$' .out ||
    fail "dead price: $(cat .out)"
  grep -q '^geo: 0 degraded, .* breaker closed' .out || fail "dead price: $(cat .out)"
  [ "$(sqlite3 dead.db 'select count(*) from events where price is null')" -eq 2000 ] || fail 'dead price: not NULL'
  rows <dead.jsonl | awk -F'|' -v OFS='|' '{ $5 = $6 = $7 = ""; $8 = "geo,customer,price"; print }' >.want
  # Nothing listens there.
  expect 0 'all refused' "${etl[@]}" --database refused.db dead.jsonl \
    --services http://127.0.0.1:1/geo,http://127.0.0.1:1/customer,http://127.0.0.1:1/price
  holds 'all refused' refused.db
}

# lines_done DATABASE: how far it has been written
lines_done() { sqlite3 -readonly "$1" 'select coalesce(max(lines), 0) from positions' 2>/dev/null || echo 0; }

# killed SIGNAL DATABASE SECONDS COMMAND...: its status, after it has written something to DATABASE (-: or nothing), the
# time and the signal, or after its own end
killed() {
  local signal=$1 database=$2 after=$3 pid status=0 before tries
  shift 3
  before=$(lines_done "$database")
  "$@" <&0 >.out 2>.err &  # a background job's standard input is empty unless one says which
  pid=$!
  for ((tries = 0; tries < 1200; ++tries)); do
    [ "$database" != - ] && [ "$(lines_done "$database")" -le "$before" ] && kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  sleep "$after"
  kill -s "$signal" "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null || status=$?
  return "$status"
}

test_kill_9() {
  { events 1 20; echo nonsense; events 21 24000; } >kill.jsonl
  expect 1 uninterrupted "${etl[@]}" --database whole.db kill.jsonl
  # In turn: mostly waiting for services; mostly committing.
  local run hits=0 options
  for run in 1 2 3 4 5 6 7 8 9 10; do
    options=(--latency 3 --workers 4 --batch 50 --batch-wait 5)
    ((run % 2)) || options=(--batch 1)
    options+=(--database killed.db kill.jsonl)
    killed KILL killed.db "0.$((RANDOM % 3))$((RANDOM % 10))" "${etl[@]}" "${options[@]}"
    [ $? -ne 137 ] || hits=$((hits + 1))
  done
  [ "$hits" -ge 5 ] || fail "kill -9: hit the program only $hits times"
  [ "$(sqlite3 killed.db 'select count(*) > 0 and count(*) < 24000 from events')" -eq 1 ] ||
    fail "kill -9: not in mid-run: $(sqlite3 killed.db 'select count(*) from events') rows"
  # All that is in front of the position is there, nothing behind it.
  [ "$(sqlite3 killed.db 'select lines = (select count(*) from events) + (select count(*) from rejects)
                          from positions')" = 1 ] || fail 'kill -9: the position does not fit the rows'
  "${etl[@]}" --database killed.db kill.jsonl >.out 2>.err
  dump_all whole.db >.want
  dump_all killed.db | cmp -s .want - || fail 'kill -9: the tables differ from those of an uninterrupted run'
  grep -q '^lines of earlier runs: [1-9]' .out || fail "kill -9: nothing was left of the killed runs: $(cat .out)"
}

test_stopped() {
  events 1 20000 >stopped.jsonl
  expect 0 'not stopped' "${etl[@]}" --database not_stopped.db stopped.jsonl
  local options=(--database stopped.db --latency 5 --workers 4 --batch 50)
  killed TERM stopped.db 0 "${etl[@]}" "${options[@]}" stopped.jsonl
  local status=$?
  [ "$status" -eq 143 ] || fail "SIGTERM: status $status: $(cat .err)"
  quiet SIGTERM
  local rows
  rows=$(sqlite3 stopped.db 'select count(*) from events')
  { [ "$rows" -gt 0 ] && [ "$rows" -lt 20000 ]; } || fail "SIGTERM: not in mid-run: $rows rows"
  reported SIGTERM "rows: $rows"
  # A shell's background jobs ignore SIGINT; env sets it right.
  killed INT stopped.db 0 env --default-signal=INT "${etl[@]}" "${options[@]}" stopped.jsonl
  status=$?
  [ "$status" -eq 130 ] || fail "SIGINT: status $status: $(cat .err)"
  expect 0 'after the stops' "${etl[@]}" --database stopped.db stopped.jsonl
  dump_all not_stopped.db >.want
  dump_all stopped.db | cmp -s .want - || fail 'stopped: the tables differ from those of an uninterrupted run'
  # With a dead service and a pipe in which nothing comes, every stage waits for something.
  mkfifo silent
  sleep 1000 >silent &
  local writer=$!
  killed TERM - 1 timeout --foreground 30 "${etl[@]}" --database silent.db --dead geo - < <(events 1 10; cat silent)
  status=$?
  kill "$writer" 2>/dev/null
  [ "$status" -eq 143 ] || fail "SIGTERM while all wait: status $status: $(cat .err)"
}

# catches_interrupts PID 0|1: waits until it does not, or does, handle SIGINT itself
catches_interrupts() {
  local tries mask
  for ((tries = 0; tries < 600; ++tries)); do
    mask=$(sed -n 's/^SigCgt:\s*//p' "/proc/$1/status" 2>/dev/null)
    [ "$((0x${mask:-0} >> 1 & 1))" -ne "$2" ] || return
    sleep 0.05
  done
}

# The first signal asks; while SQLite waits for a lock nothing comes of that. The second one kills.
test_second_signal() {
  events 1 10 >second.jsonl
  expect 0 'before the lock' "${etl[@]}" --database second.db second.jsonl
  mkfifo hold
  sqlite3 second.db <hold >/dev/null &
  local holder=$! pid status=0
  exec 9>hold
  echo 'pragma locking_mode = exclusive; begin exclusive; insert into rejects values (1, 1, 1);' >&9
  sleep 0.3
  env --default-signal=INT "${etl[@]}" --database second.db second.jsonl >.out 2>.err &
  pid=$!
  catches_interrupts "$pid" 1
  sleep 0.5  # and then it opens the database, and waits
  kill -INT "$pid"
  catches_interrupts "$pid" 0
  kill -TERM "$pid" || fail 'second signal: the first one sufficed'
  wait "$pid" 2>/dev/null || status=$?
  [ "$status" -eq 143 ] || fail "second signal: status $status: $(cat .err)"
  exec 9>&-
  wait "$holder"
}

test_bad_lines() {
  {
    events 1 2
    printf '%s\n' '' '   ' nonsense '[1]' '{"id":"x"}' '{"id":"x","customer":"c","country":"DE","amount":1.5}' \
      '{"id":"","customer":"c","country":"DE","amount":1}' '{"id":"a\u0000b","customer":"c","country":"DE","amount":1}'
    printf '{"id":"\xff","customer":"c","country":"DE","amount":1}\n'
    head -c 1100000 /dev/zero | tr '\0' x
    echo
    events 3 3
    events 2 2
    events 4 4 | tr -d '\n'
  } >bad.jsonl
  events 1 4 | rows >.want
  expect 1 'bad lines' "${etl[@]}" --database bad.db bad.jsonl
  holds 'bad lines' bad.db
  reported 'bad lines' 'events: 5'
  reported 'bad lines' 'rows: 4'
  reported 'bad lines' 'duplicates: 1'
  reported 'bad lines' 'rejected: 8'
  [ "$(wc -l <.err)" -eq 8 ] || fail "bad lines: messages: $(head -c 1000 .err)"
  grep -q "^etl: $scratch/bad.jsonl:5: not JSON" .err || fail "bad lines: message: $(head -n 1 .err)"
  grep -q "bad.jsonl:12: longer than" .err || fail "bad lines: too long: $(tail -n 1 .err | head -c 300)"
  [ "$(sqlite3 bad.db 'select count(*), min(line), max(line) from rejects')" = '8|5|12' ] || fail 'bad lines: rejects'
  expect 0 'bad lines again' "${etl[@]}" --database bad.db bad.jsonl
  quiet 'bad lines again'
  yes nonsense | head -n 500 >many.jsonl
  expect 1 'many bad lines' "${etl[@]}" --database many.db many.jsonl
  reported 'many bad lines' 'rejected: 500'
  [ "$(wc -l <.err)" -eq 21 ] || fail "many bad lines: $(wc -l <.err) messages"
}

# A line that somebody is still writing is neither lost nor taken for a bad one.
test_growing_file() {
  events 1 11 | head -c -20 >growing.jsonl
  expect 1 'half a line' "${etl[@]}" --database growing.db growing.jsonl
  grep -q "^etl: $scratch/growing.jsonl:11: not JSON.*left for the next run" .err || fail "half a line: $(cat .err)"
  reported 'half a line' 'rows: 10'
  [ "$(sqlite3 growing.db 'select lines, (select count(*) from rejects) from positions')" = '10|0' ] ||
    fail "half a line: $(sqlite3 growing.db 'select * from positions')"
  events 1 11 | head -c -1 >growing.jsonl
  expect 0 'a whole line without its end' "${etl[@]}" --database growing.db growing.jsonl
  reported 'a whole line without its end' 'rows: 1'
  events 1 12 >growing.jsonl
  rows <growing.jsonl >.want
  expect 0 'grown' "${etl[@]}" --database growing.db growing.jsonl
  holds grown growing.db
}

test_folder() {
  mkdir -p folder/b/c folder/empty
  events 1 100 >folder/a.jsonl
  events 101 200 >folder/b/c/x
  events 201 250 >folder/z.jsonl
  : >folder/nothing
  events 1 250 | rows >.want
  expect 0 folder "${etl[@]}" --database folder/etl.db folder
  quiet folder
  holds folder folder/etl.db
  events 251 300 >folder/b/new
  events 301 310 >>folder/a.jsonl
  events 1 310 | rows >.want
  expect 0 'folder with more' "${etl[@]}" --database folder/etl.db folder
  reported 'folder with more' 'events: 60'
  holds 'folder with more' folder/etl.db
  [ "$(sqlite3 folder/etl.db 'select count(*) from positions')" -eq 4 ] || fail 'folder: positions'
}

test_standard_input() {
  events 1 500 >stdin.jsonl
  rows <stdin.jsonl >.want
  expect 0 stdin "${etl[@]}" --database stdin.db - <stdin.jsonl
  holds stdin stdin.db
  expect 0 'stdin again' "${etl[@]}" --database stdin.db - < <(cat stdin.jsonl)
  reported 'stdin again' 'rows: 0'
  reported 'stdin again' 'duplicates: 500'
  holds 'stdin again' stdin.db
  [ "$(sqlite3 stdin.db 'select count(*) from positions')" -eq 0 ] || fail 'stdin: has a position'
}

test_changed_file() {
  events 1 10 >changed.jsonl
  expect 0 'to be changed' "${etl[@]}" --database changed.db changed.jsonl
  events 1 3 >changed.jsonl
  expect 1 'shorter than before' "${etl[@]}" --database changed.db changed.jsonl
  grep -q 'changed.jsonl: has changed since' .err || fail "changed: message: $(cat .err)"
}

test_progress() {
  command -v script >/dev/null || return 0
  events 1 1500 >progress.jsonl
  script -qec "'$binary' --database progress.db --latency 5 --workers 4 progress.jsonl" /dev/null \
    >.out 2>.err </dev/null
  grep -qaE '\[#+\.+\] +[0-9]+ % [0-9]+ events' .out || fail "progress: no bar on a terminal: $(head -c 300 .out)"
}

test_wrong_use() {
  local words
  for words in '' 'a b' '--workers 0 a' '--batch x a' '--unreliable 101 a' '--unreliable -1 a' '--dead tax a' \
    '--quick a' '--services http://h/ a' '--services http://h/,http://h/,ftp://h/ a' '--batch' \
    '--services http://h/,http://h/,http://h/ --unreliable 3 a'; do
    # shellcheck disable=SC2086
    expect 2 "options: $words" "${etl[@]}" $words
    grep -q '^usage: etl ' .err || fail "options: $words: no usage"
    [ ! -s .out ] || fail "options: $words: output"
  done
  expect 2 'no such file' "${etl[@]}" --database no.db nowhere
  grep -q '^etl: nowhere: No such file or directory$' .err || fail "no such file: $(cat .err)"
  [ ! -e no.db ] || fail 'no such file: made a database'
  events 1 1 >one.jsonl
  expect 1 'no database' "${etl[@]}" --database /nowhere/etl.db one.jsonl
  expect 0 help "${etl[@]}" --help
}

all=(test_clean_run test_unreliable test_dead_service test_kill_9 test_stopped test_second_signal test_bad_lines
  test_growing_file test_folder test_standard_input test_changed_file test_progress test_wrong_use)
for each in ${ETL_TESTS:-"${all[@]}"}; do
  SECONDS=0
  "$each"
  echo "$each: $SECONDS s"
done
[ "$failures" -eq 0 ] || { echo "$failures failures" >&2; exit 1; }

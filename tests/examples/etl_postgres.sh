#!/usr/bin/env bash
# labels: integration
# Runs the built example etl against a PostgreSQL server of its own: exactly once, also when either of them is killed.
# usage: etl_postgres.sh PATH_OF_ETL
set -u
export LC_ALL=C
source "$(dirname "${BASH_SOURCE[0]}")/../support/postgres.sh"

binary=$(readlink -f -- "${1:?usage: $0 PATH_OF_ETL}")
scratch=$(mktemp -d) || exit 2
trap 'postgres_stop "$scratch/server"; rm -rf "$scratch"' EXIT
chmod 755 "$scratch"
postgres_start "$scratch/server"
cd "$scratch" || exit 2
scratch=$(pwd -P)
failures=0
# With a patience that no busy machine exhausts: what a service says is then exact. A --timeout further on overrides it.
etl=("$binary" --timeout 60000)

fail() { echo "FAILED: $*" >&2; failures=$((failures + 1)); }

events() {
  awk -v from="$1" -v to="$2" 'BEGIN {
    for (i = from; i <= to; i++)
      printf "{\"id\":\"e%07d\",\"customer\":\"c-%d\",\"country\":\"%s\",\"amount\":%d}\n",
             i, i % 97, i % 3 ? "DE" : "US", i
  }'
}

# What dump gives when every service answers, by the rules of the services alone.
rows() {
  awk -v from="$1" -v to="$2" -v OFS='|' -v source="$3" 'BEGIN {
    for (i = from; i <= to; i++) {
      last = i % 97 % 10
      print sprintf("e%07d", i), "c-" i % 97, i % 3 ? "DE" : "US", i, i % 3 ? "north" : "south",
        last == 0 ? "gold" : last <= 3 ? "silver" : "bronze", i + int(i * (i % 3 ? 19 : 7) / 100), "", source, i
    }
  }'
}

ask() { psql -XAtq -v ON_ERROR_STOP=1 -c "$1" "$POSTGRES_URL"; }
dump() { ask 'select * from events order by id'; }
lines_done() { ask 'select coalesce(max(lines), 0) from positions'; }
forget() { ask 'truncate events, rejects, positions'; }

# progressed LINES PID: waits until more than LINES have been written, or the program has ended
progressed() {
  local tries
  for ((tries = 0; tries < 600; ++tries)); do
    [ "$(lines_done)" -le "$1" ] && kill -0 "$2" 2>/dev/null || return
    sleep 0.05
  done
}

# complete NAME FILE LINES: all rows of FILE are there, once, and so is its position
complete() {
  rows 1 "$3" "$scratch/$2" >.want
  dump >.got
  cmp -s .want .got || fail "$1: rows differ: $(diff .want .got | head -n 5)"
  [ "$(ask 'select * from positions')" = "$scratch/$2|$(stat -c %s "$2")|$3" ] ||
    fail "$1: position: $(ask 'select * from positions')"
}

test_clean_run() {
  events 1 2000 >clean.jsonl
  "${etl[@]}" --database "$POSTGRES_URL" clean.jsonl >.out 2>.err || fail "clean: $(cat .err)"
  complete clean clean.jsonl 2000
  "${etl[@]}" --database "$POSTGRES_URL" clean.jsonl >.out 2>.err || fail "nothing new: $(cat .err)"
  grep -qx 'events: 0' .out || fail "nothing new: $(cat .out)"
  "${etl[@]}" --database "$POSTGRES_URL" - <clean.jsonl >.out 2>.err || fail "stdin: $(cat .err)"
  grep -qx 'duplicates: 2000' .out || fail "stdin: $(cat .out)"
  printf 'nonsense\n' >bad.jsonl
  "${etl[@]}" --database "$POSTGRES_URL" --dead price bad.jsonl >.out 2>.err && fail 'bad line: status 0'
  [ "$(ask 'select line, reason is not null from rejects')" = '1|t' ] || fail "bad line: $(ask 'select * from rejects')"
}

test_degraded() {
  forget
  "${etl[@]}" --database "$POSTGRES_URL" --dead price --dead geo --timeout 1000 clean.jsonl >.out 2>.err ||
    fail "degraded: $(cat .err)"
  [ "$(ask "select count(*) from events where price is null and region is null and tier is not null
            and degraded = 'geo,price'")" -eq 2000 ] || fail "degraded: $(dump | head -n 2)"
}

test_killed() {
  forget
  events 1 8000 >killed.jsonl
  local run hits=0 pid status before
  for run in 1 2 3 4 5 6; do
    before=$(lines_done)
    "${etl[@]}" --database "$POSTGRES_URL" --latency 3 --workers 4 --batch 50 --batch-wait 5 killed.jsonl >.out 2>.err &
    pid=$!
    progressed "$before" "$pid"
    sleep "0.$((RANDOM % 4))"
    kill -KILL "$pid" 2>/dev/null
    status=0
    wait "$pid" 2>/dev/null || status=$?
    [ "$status" -ne 137 ] || hits=$((hits + 1))
  done
  [ "$hits" -ge 3 ] || fail "kill -9: hit only $hits times"
  local there
  there=$(ask 'select count(*) from events')
  { [ "$there" -gt 0 ] && [ "$there" -lt 8000 ]; } || fail "kill -9: not in mid-run: $there rows"
  "${etl[@]}" --database "$POSTGRES_URL" killed.jsonl >.out 2>.err || fail "after kill -9: $(cat .err)"
  complete 'kill -9' killed.jsonl 8000
}

test_server_killed() {
  forget
  events 1 8000 >server.jsonl
  "${etl[@]}" --database "$POSTGRES_URL" --latency 3 --workers 4 --batch 50 --batch-wait 5 server.jsonl >.out 2>.err &
  local pid=$! run there before=0
  for run in 1 2; do
    progressed "$before" "$pid"
    before=$(lines_done)
    there=$(ask 'select count(*) from events')
    { [ "$there" -gt 0 ] && [ "$there" -lt 8000 ]; } || fail "server killed: not in mid-run: $there rows"
    postgres_kill || fail 'the server does not come back'
  done
  wait "$pid" || fail "server killed: status $?: $(cat .err)"
  grep -qx 'events: 8000' .out || fail "server killed: $(cat .out)"
  complete 'server killed' server.jsonl 8000
}

test_no_server() {
  local status=0
  timeout 60 "${etl[@]}" --database postgresql://postgres@127.0.0.1:1/postgres clean.jsonl >.out 2>.err || status=$?
  { [ "$status" -eq 1 ] && [ -s .err ]; } || fail "no server: status $status"
}

for each in test_clean_run test_degraded test_killed test_server_killed test_no_server; do
  SECONDS=0
  "$each"
  echo "$each: $SECONDS s"
done
[ "$failures" -eq 0 ] || { echo "$failures failures" >&2; exit 1; }

# What the tests of the example payments share. Sourced, with `binary` and `scratch` set, in a folder of their own.
# shellcheck shell=bash

failures=0
fail() { echo "FAILED: $*" >&2; failures=$((failures + 1)); }

# wait_for SECONDS COMMAND...: until it succeeds
wait_for() {
  local tries=$(($1 * 20))
  shift
  until "$@"; do
    ((tries-- > 0)) || return 1
    sleep 0.05
  done
}

# start OPTIONS...: sets `service` (its process) and `port`
start() {
  : >.service.out
  "$binary" --port 0 "$@" >.service.out 2>.service.err &
  service=$!
  wait_for 20 grep -q '^listening on 127\.0\.0\.1:[0-9]*$' .service.out ||
    { fail "does not start: $(cat .service.out .service.err)"; exit 1; }
  port=$(sed -n '1s/^listening on 127\.0\.0\.1://p' .service.out)
  at=http://127.0.0.1:$port
}

# stop [STATUS]: SIGTERM, and it must end with STATUS (0)
stop() {
  local got=0
  kill -TERM "$service"
  wait "$service" || got=$?
  service=
  [ "$got" -eq "${1:-0}" ] || fail "SIGTERM: status $got instead of ${1:-0}: $(head -c 600 .service.err)"
}

# post ID AMOUNT [KEY] [curl options...]: prints the status; header in .header, body in .body
post() {
  local id=$1 amount=$2 key=${3:-$1}
  curl -s -m 20 -o .body -D .header -w '%{http_code}' "$at/payments" -H "Idempotency-Key: $key" \
    -H 'Content-Type: application/json' -d "{\"id\": \"$id\", \"amount\": $amount, \"currency\": \"EUR\"}" "${@:4}"
}

# expect NAME WANTED GOT
expect() { [ "$2" = "$3" ] || fail "$1: $3 instead of $2"; }

# load_file PREFIX COUNT: what `curl -K` sends: one payment each, PREFIX-1 to PREFIX-COUNT; prints "STATUS ID" for each
load_file() {
  awk -v prefix="$1" -v count="$2" -v at="$at" 'BEGIN {
    for (n = 1; n <= count; ++n) {
      id = prefix "-" n
      printf "%surl = \"%s/payments\"\nheader = \"Idempotency-Key: key-%s\"\nheader = \"Content-Type: application/json\"\n" \
             "data = \"{\\\"id\\\": \\\"%s\\\", \\\"amount\\\": %d, \\\"currency\\\": \\\"EUR\\\"}\"\n" \
             "output = /dev/null\nmax-time = 30\nwrite-out = \"%%{http_code} %s\\n\"\n", (n > 1 ? "next\n" : ""), at, id, id, n, id
    }
  }'
}

# load PREFIX COUNT ANSWERS: sends them, up to 64 at once
load() {
  load_file "$1" "$2" >".load.$1"
  curl -s -Z --parallel-max 64 -K ".load.$1" >"$3" 2>/dev/null
}

lines_in() { cat "$@" 2>/dev/null | wc -l; }
# answered NUMBER FILE...: there are as many answers
answered() { [ "$(lines_in "${@:2}")" -ge "$1" ]; }

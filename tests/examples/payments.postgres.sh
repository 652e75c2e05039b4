#!/usr/bin/env bash
# labels: integration
# Runs the built payments against a PostgreSQL server of its own, which dies in mid-load and comes back.
# usage: payments.postgres.sh PATH_OF_PAYMENTS; SPOOL_ROUNDS: how often the server dies (default: 1)
set -u
export LC_ALL=C

binary=$(readlink -f -- "${1:?usage: $0 PATH_OF_PAYMENTS}")
[ -x "$binary" ] || { echo "not a program: $binary" >&2; exit 2; }
support=$(readlink -f -- "$(dirname "${BASH_SOURCE[0]}")/../support")
# shellcheck source=../support/payments.sh
source "$support/payments.sh"
# shellcheck source=../support/postgres.sh
source "$support/postgres.sh"
rounds=${SPOOL_ROUNDS:-1}
service=
scratch=$(mktemp -d) || exit 2
chmod 755 "$scratch"
trap '[ -z "$service" ] || kill -9 "$service" 2>/dev/null; postgres_stop "$scratch/server"; rm -rf "$scratch"' EXIT
postgres_start "$scratch/server"
cd "$scratch" || exit 2

sql() { psql -q -A -t "$POSTGRES_URL" "$@"; }
posted() { [ "$(post "$@")" = 201 ]; }

test_happy_path() {
  expect 'a payment' 201 "$(post p1 1250 k1)"
  expect 'the same again' 201 "$(post p1 1250 k1)"
  expect 'its answer' '{"id":"p1","amount":1250,"currency":"EUR"}' "$(cat .body)"
  expect 'another amount, same key' 422 "$(post p1 1251 k1)"
  expect 'same id, another key' 409 "$(post p1 1250 k2)"
  expect 'show' '{"id":"p1","amount":1250,"currency":"EUR"} 200' "$(curl -s -w ' %{http_code}' "$at/payments/p1")"
  expect 'show another' 404 "$(curl -s -o .body -w '%{http_code}' "$at/payments/p9")"
  expect 'show what is no text' 404 "$(curl -s -o .body -w '%{http_code}' "$at/payments/%ff")"
  expect 'odd id' 201 "$(post 'a b/ü' 7 odd)"
  expect 'rows' 2 "$(sql -c 'select count(*) from payments')"
}

refused_at_once() { [ "$(post "during-$RANDOM$RANDOM" 1 "" -m 1)" = 503 ]; }

# dies_in_mid_load ROUND
dies_in_mid_load() {
  local prefix=r$1
  load "$prefix" 10000 .answers & local client=$!
  wait_for 20 answered 200 .answers || fail 'no answers'
  postgres_crash
  wait_for 10 refused_at_once || fail 'the breaker does not open'
  grep -qi '^retry-after: [1-9]' .header || fail '503 without Retry-After'
  expect 'healthz meanwhile' 200 "$(curl -s -o .body -w '%{http_code}' "$at/healthz")"
  wait $client
  postgres_restart || fail 'the server does not come back'
  wait_for 20 posted "after-$1" 5 || fail 'the service does not recover'
  sed -n 's/^201 //p' .answers >.acknowledged
  grep -q '^503' .answers || fail 'nobody got a 503'
  [ -s .acknowledged ] || fail 'nothing was accepted'
  sql -c "select id from payments where idempotency_key = 'key-' || id" | sort >.rows
  expect 'acknowledged but not in the ledger' 0 "$(sort .acknowledged | comm -23 - .rows | wc -l)"
  load "$prefix" 10000 .answers
  expect 'all of them again' 10000 "$(grep -c '^201' .answers)"
  expect 'rows' 10000 "$(sql -c "select count(*) from payments where id like '$prefix-%'")"
}

start --database "$POSTGRES_URL"
test_happy_path
for ((round = 0; round < rounds; ++round)); do dies_in_mid_load $round; done
stop

# A server that is down at the start need not stay down.
postgres_crash
start --database "$POSTGRES_URL"
grep -q 'cannot be used yet' .service.err || fail 'no word about the server that is down'
expect 'without a server' 503 "$(post early 5)"
postgres_restart
wait_for 20 posted late 5 || fail 'the service does not find the server'
stop

[ "$failures" -eq 0 ] && echo 'payments with PostgreSQL: all as expected'
exit $((failures > 0))

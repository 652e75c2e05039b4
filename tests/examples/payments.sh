#!/usr/bin/env bash
# Runs the built payments against an SQLite ledger, as its clients see it.
# usage: payments.sh PATH_OF_PAYMENTS; SPOOL_ROUNDS: how often it is stopped and killed in mid-load (default: 2)
set -u
export LC_ALL=C

binary=$(readlink -f -- "${1:?usage: $0 PATH_OF_PAYMENTS}")
[ -x "$binary" ] || { echo "not a program: $binary" >&2; exit 2; }
# shellcheck source=../support/payments.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/payments.sh"
rounds=${SPOOL_ROUNDS:-2}
service=
scratch=$(mktemp -d) || exit 2
trap '[ -z "$service" ] || kill -9 "$service" 2>/dev/null; rm -rf "$scratch"' EXIT
cd "$scratch" || exit 2

rows() { sqlite3 ledger.db "select count(*) from payments${1:+ where $1}"; }

test_happy_path() {
  expect 'a payment' 201 "$(post p1 1250 k1)"
  expect 'its answer' '{"id":"p1","amount":1250,"currency":"EUR"}' "$(cat .body)"
  grep -qi '^content-type: application/json' .header || fail 'the answer is not declared as JSON'
  expect 'the same again' 201 "$(post p1 1250 k1)"
  expect 'its answer' '{"id":"p1","amount":1250,"currency":"EUR"}' "$(cat .body)"
  expect 'another amount, same key' 422 "$(post p1 1251 k1)"
  expect 'another id, same key' 422 "$(post p2 1250 k1)"
  expect 'same id, another key' 409 "$(post p1 1250 k2)"
  expect 'rows' 1 "$(rows)"
  expect 'the row' 'p1|k1|1250|EUR' "$(sqlite3 ledger.db 'select id, idempotency_key, amount, currency from payments')"
  local again
  for again in '' ' again'; do
    expect "no key$again" 201 \
      "$(curl -s -o .body -w '%{http_code}' "$at/payments" -d '{"id":"n1","amount":1,"currency":"USD"}')"
  done
  expect 'show' '{"id":"p1","amount":1250,"currency":"EUR"} 200' "$(curl -s -w ' %{http_code}' "$at/payments/p1")"
  expect 'show another' 404 "$(curl -s -o .body -w '%{http_code}' "$at/payments/p9")"
  expect 'odd id' 201 "$(post 'a b/ü' 7 odd)"
  expect 'show odd id' 200 "$(curl -s -o .body -w '%{http_code}' "$at/payments/a%20b%2F%C3%BC")"
  expect 'largest amount' 201 "$(post max 9223372036854775807)"
  curl -s "$at/healthz" | grep -q '"saturated": false' || fail 'healthz'
}

# refused STATUS NAME BODY [curl options...]
refused() {
  expect "$2" "$1" \
    "$(curl -s -m 10 -o .body -w '%{http_code}' "$at/payments" -H 'Idempotency-Key: bad' -d "$3" "${@:4}")"
  grep -q '^{"error":' .body || fail "$2: no reason"
}

test_wrong_content() {
  local before
  before=$(rows)
  refused 400 'no JSON' '{"id": "b1", "amount": 1, "currency": '
  refused 400 'nothing' ''
  refused 400 'two values' '{"id": "b1", "amount": 1, "currency": "EUR"} {}'
  refused 400 'deep' "$(printf '[%.0s' {1..5000})"
  refused 422 'no object' '[]'
  refused 422 'empty object' '{}'
  refused 422 'amount 0' '{"id": "b1", "amount": 0, "currency": "EUR"}'
  refused 422 'amount below 0' '{"id": "b1", "amount": -5, "currency": "EUR"}'
  refused 422 'fraction' '{"id": "b1", "amount": 12.5, "currency": "EUR"}'
  refused 422 'amount as text' '{"id": "b1", "amount": "12", "currency": "EUR"}'
  refused 422 'amount too large' '{"id": "b1", "amount": 9223372036854775808, "currency": "EUR"}'
  refused 422 'currency' '{"id": "b1", "amount": 1, "currency": "euro"}'
  refused 422 'no currency' '{"id": "b1", "amount": 1}'
  refused 422 'empty id' '{"id": "", "amount": 1, "currency": "EUR"}'
  refused 422 'id of no text' '{"id": 5, "amount": 1, "currency": "EUR"}'
  refused 422 'NUL in id' '{"id": "a\u0000b", "amount": 1, "currency": "EUR"}'
  refused 422 'long id' "{\"id\": \"$(printf 'x%.0s' {1..129})\", \"amount\": 1, \"currency\": \"EUR\"}"
  refused 415 'XML' '<payment/>' -H 'Content-Type: text/xml'
  local good='{"id": "b1", "amount": 1, "currency": "EUR"}'
  refused 400 'long key' "$good" -H "Idempotency-Key: $(printf 'k%.0s' {1..300})"
  refused 413 'oversized' "$(printf '%070000d' 0)"
  expect 'oversized, chunked' 413 "$(head -c 200000 /dev/zero |
    curl -s -m 10 -o .body -w '%{http_code}' "$at/payments" -H 'Transfer-Encoding: chunked' --data-binary @-)"
  expect 'unknown path' 404 "$(curl -s -o .body -w '%{http_code}' "$at/payment")"
  local method
  for method in GET PUT DELETE PATCH; do
    expect "$method" 405 "$(curl -s -o .body -D .header -w '%{http_code}' -X $method "$at/payments")"
    grep -qi '^allow: POST' .header || fail "$method: no Allow"
  done
  expect 'POST to healthz' 405 "$(curl -s -o .body -w '%{http_code}' "$at/healthz" -d x)"
  expect 'rows of what was refused' "$before" "$(rows)"
}

# talk [half]: sends standard input as it is, ends its own sending then if `half`; prints what comes back.
# perl is part of every Debian; bash cannot end one direction of a connection.
talk() {
  perl -MIO::Socket::INET -e '
    my ($port, $half) = @ARGV;
    $SIG{PIPE} = "IGNORE";
    alarm 20;
    my $peer = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port) or die "no connection";
    local $/;
    my $request = <STDIN>;
    print $peer $request;
    $peer->flush;
    shutdown($peer, 1) if $half;
    my $answer = <$peer>;
    print $answer if defined $answer;' "$port" "${1-}"
}
status_of() { sed -n '1s/^HTTP\/1\.1 \([0-9]*\) .*/\1/p'; }

test_wrong_requests() {
  local host=$'Host: x\r\n' post=$'POST /payments HTTP/1.1\r\nHost: x\r\n'
  expect 'no HTTP' 400 "$(printf 'good morning\r\n\r\n' | talk | status_of)"
  expect 'no Host' 400 "$(printf 'GET /healthz HTTP/1.1\r\n\r\n' | talk | status_of)"
  expect 'a length of letters' 400 "$(printf '%sContent-Length: abc\r\n\r\n' "$post" | talk | status_of)"
  expect 'two lengths' 400 \
    "$(printf '%sContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' "$post" | talk | status_of)"
  expect 'large header' 431 "$(printf 'GET /healthz HTTP/1.1\r\n%sX: %09000d\r\n\r\n' "$host" 0 | talk | status_of)"
  expect 'endless header' 431 \
    "$( (printf 'GET /healthz HTTP/1.1\r\nX: '; head -c 1000000 /dev/zero | tr '\0' x) | talk | status_of)"
  expect 'slow header' 408 "$(printf %s "$post" | talk | status_of)"
  expect 'slow body' 408 "$(printf '%sContent-Length: 50\r\n\r\n{"id"' "$post" | talk | status_of)"
  expect 'half-closed in the header' 400 "$(printf %s "$post" | talk half | status_of)"
  expect 'half-closed in the body' 400 "$(printf '%sContent-Length: 50\r\n\r\n{"id"' "$post" | talk half | status_of)"
  expect 'half-closed before a word' '' "$(printf '' | talk half)"
  local body='{"id": "half", "amount": 3, "currency": "EUR"}'
  expect 'half-closed after the request' 201 \
    "$(printf '%sContent-Length: %d\r\n\r\n%s' "$post" ${#body} "$body" | talk half | status_of)"
  expect 'rows' 1 "$(rows "id = 'half'")"
  expect 'in a row, in order' 'q3 q1 q2 200' "$( (for id in q3 q1 q2; do
    body="{\"id\": \"$id\", \"amount\": 3, \"currency\": \"EUR\"}"
    printf '%sContent-Length: %d\r\n\r\n%s' "$post" ${#body} "$body"
  done; printf 'GET /healthz HTTP/1.1\r\n%sConnection: close\r\n\r\n' "$host") | talk |
    grep -oE '"id":"q[0-9]|1\.1 200' | sed 's/.*"//; s/1\.1 //' | xargs)"
}

# hold / release: another writer of the database keeps it from the service, whose jobs pile up then
hold() {
  coproc holder { sqlite3 ledger.db; }
  printf '.timeout 5000\nbegin immediate;\nselect 1;\n' >&"${holder[1]}"
  read -r _ <&"${holder[0]}"
}
release() {
  printf 'commit;\n.quit\n' >&"${holder[1]}"
  # shellcheck disable=SC2154
  wait "$holder_PID"
}
health_says() { curl -s "$at/healthz" | grep -qF "$1"; }

test_overload() {
  hold
  local id clients=()
  for id in o1 o2 o3; do
    (cd "$(mktemp -d -p .)" && post "$id" 5 >"../.status.$id") &
    clients+=($!)
    # In this order: the first is with the writer before the others come.
    [ $id != o1 ] || wait_for 5 health_says '"busy": 1' || fail 'the first is not at work'
  done
  wait_for 5 health_says '"saturated": true' || fail "not saturated: $(curl -s "$at/healthz")"
  expect 'full queue' 429 "$(post o4 5 o4 -m 2)"
  grep -qi '^retry-after: [1-9]' .header || fail 'full queue: no Retry-After'
  release
  wait "${clients[@]}"
  expect 'those who waited' '201 201 201' "$(cat .status.o1) $(cat .status.o2) $(cat .status.o3)"
  expect 'afterwards' 201 "$(post o4 5)"
  health_says '"saturated": false' || fail 'still saturated'
}

test_client_hangs_up() {
  hold
  (cd "$(mktemp -d -p .)" && post h1 5 >../.status.h1) &
  local client=$! body='{"id": "h2", "amount": 5, "currency": "EUR"}'
  wait_for 5 health_says '"busy": 1' || fail 'the first is not at work'
  exec 9<>"/dev/tcp/127.0.0.1/$port"
  printf 'POST /payments HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s' ${#body} "$body" >&9
  wait_for 5 health_says '"queued": 1' || fail 'the second is not queued'
  exec 9>&- 9<&-
  sleep 1  # the service asks after 100 ms
  release
  wait "$client"
  expect 'who stayed' 201 "$(cat .status.h1)"
  expect 'later' 201 "$(post h3 5)"
  expect 'rows of who hung up' 0 "$(rows "id = 'h2'")"
}

summary() { sed -n "s/^payments: .*\\b$1 \\([0-9]*\\).*/\\1/p" .service.out; }

# check_ledger NAME ANSWERS...: every 201 is a row
check_ledger() {
  cat "${@:2}" | sed -n 's/^201 //p' >.acknowledged
  expect "$1: integrity" ok "$(sqlite3 ledger.db 'pragma integrity_check')"
  expect "$1: acknowledged but not in the ledger" 0 "$(sqlite3 ledger.db 'create temp table acknowledged (id text)' \
    '.import .acknowledged acknowledged' \
    "select count(*) from acknowledged a left join payments p on p.id = a.id and p.idempotency_key = 'key-' || a.id
     where p.id is null")"
  expect "$1: acknowledged twice" 0 "$(sort .acknowledged | uniq -d | wc -l)"
}

# in_mid_load SIGNAL: sends it while two clients are at work
in_mid_load() {
  rm -f ledger.db* .answers.*
  start --database ledger.db
  load a 1500 .answers.a & local first=$!
  load b 1500 .answers.b & local second=$!
  wait_for 20 answered $((RANDOM % 1000 + 1)) .answers.a .answers.b || fail "$1: no answers"
  status=0
  kill -s "$1" "$service"
  wait "$service" 2>/dev/null || status=$?
  service=
  wait $first $second
}

test_terminated_in_mid_load() {
  in_mid_load TERM
  expect 'TERM in mid-load: status' 0 "$status"
  check_ledger 'TERM in mid-load' .answers.a .answers.b
  expect 'TERM in mid-load: rows' "$(summary accepted)" "$(rows)"
  cat .answers.a .answers.b | grep -q '^201' || fail 'TERM in mid-load: nothing was accepted'
  grep -q '^000' .answers.a .answers.b || echo 'TERM in mid-load: came too late to interrupt anything' >&2
}

test_killed_in_mid_load() {
  in_mid_load KILL
  check_ledger 'KILL in mid-load' .answers.a .answers.b
  # All of them again: each is there once in the end.
  start --database ledger.db
  load a 1500 .answers.a
  load b 1500 .answers.b
  expect 'again after KILL' 3000 "$(cat .answers.a .answers.b | grep -c '^201')"
  expect 'rows' 3000 "$(rows)"
  stop
}

test_wrong_use() {
  local words got
  for words in '--port x' '--port 65536' '--workers 0' '--queue' '--fast' 'ledger.db' '--request-timeout 0'; do
    got=0
    # shellcheck disable=SC2086
    "$binary" $words >.out 2>.err || got=$?
    expect "options: $words" 2 $got
    grep -q '^usage: payments' .err || fail "options: $words: no usage"
  done
  "$binary" --help | grep -q '^usage: payments' || fail 'help'
  got=0
  "$binary" --port 0 --database /nowhere/ledger.db >.out 2>.err || got=$?
  expect 'no such folder' 2 $got
}

start --database ledger.db --request-timeout 400
test_happy_path
test_wrong_content
test_wrong_requests
stop
tail -n 1 .service.out |
  grep -q '^payments: accepted [0-9]*, repeated [0-9]*, rejected 0, refused [0-9]*, canceled 0, failed 0$' ||
  fail "summary: $(cat .service.out)"
start --database ledger.db --workers 1 --queue 2
test_overload
test_client_hangs_up
stop
expect 'canceled' 1 "$(summary canceled)"
for ((round = 0; round < rounds; ++round)); do
  test_terminated_in_mid_load
  test_killed_in_mid_load
done
test_wrong_use

[ "$failures" -eq 0 ] && echo 'payments: all as expected'
exit $((failures > 0))

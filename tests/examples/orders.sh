#!/usr/bin/env bash
# Runs the built orders for real: conservation under load, nonsense on the wire, a client that does not read, signals.
# No time is asserted: what is slow here is slow, what hangs is ended by the limits below and fails.
# usage: orders.sh PATH_OF_ORDERS
set -u
export LC_ALL=C

binary=$(readlink -f -- "${1:?usage: $0 PATH_OF_ORDERS}")
[ -x "$binary" ] || { echo "not a program: $binary" >&2; exit 2; }
scratch=$(mktemp -d) || exit 2
server=
trap 'rm -rf "$scratch"; [ -z "$server" ] || kill -KILL "$server" 2>/dev/null' EXIT
cd "$scratch" || exit 2
failures=0
limit=60

fail() { echo "FAILED: $*" >&2; failures=$((failures + 1)); }

# expect STATUS NAME COMMAND...: leaves stdout in .out and stderr in .err
expect() {
  local status=$1 name=$2 got=0
  shift 2
  timeout "$limit" "$@" >.out 2>.err || got=$?
  [ "$got" -eq "$status" ] || fail "$name: status $got instead of $status: $(head -c 300 .err)"
}

# start [OPTIONS...]: a server; its port in $port, its messages in .server_err, its output follows on descriptor 5
start() {
  exec 5< <(exec env --default-signal=INT,TERM "$binary" --serve "$@" 2>.server_err)
  server=$!
  local line
  read -r -t "$limit" -u 5 line || fail 'the server does not say that it listens'
  port=${line##*:}
}

# stop SIGNAL: ends it; its report is in .report
stop() {
  local got=0
  kill -s "$1" "$server"
  timeout "$limit" cat <&5 >.report || fail "$1: the server did not end"
  wait "$server" || got=$?
  server=
  exec 5<&-
  [ "$got" -eq 0 ] || fail "$1: status $got: $(head -c 300 .server_err)"
  [ "$(reported orders)" -eq $(($(reported acks) + $(reported rejects))) ] || fail "$1: orders are not acks and rejects"
  [ "$(reported bought)" -eq "$(reported sold)" ] || fail "$1: bought is not sold"
}

reported() { awk -v what="$1" '$1 == what {print $2}' .report; }

# The column of .out under a heading.
column() { awk -v what="$1" 'NR == 1 {for (i = 1; i <= NF; ++i) if ($i == what) at = i} NR == 2 {print $at}' .out; }

hex() { timeout "$limit" head -c "$1" | od -An -v -tx1 | tr -d ' \n'; }

# Frames, as hexadecimal digits. Ids and time stamps here are small: one byte, seven zeros.
zeros7=00000000000000
# order ID SIDE PRICE QUANTITY
order() { printf '1e0001%s%s%s%s01000000%s%s000000%s000000' "$1" $zeros7 aa $zeros7 "$2" "$3" "$4"; }
cancel() { printf '110002%s%s%s%s' "$1" $zeros7 bb $zeros7; }
ack() { printf '110081%s%s%s%s' "$1" $zeros7 aa $zeros7; }
fill() { printf '1e0082%s%s%s%s%s%s000000%s000000%s000000' "$1" $zeros7 aa $zeros7 "$2" "$3" "$4" "$5"; }
cancelled() { printf '150084%s%s%s%s%s000000' "$1" $zeros7 bb $zeros7 "$2"; }
malformed=13008300${zeros7}00${zeros7}0101
bytes() { printf '%b' "$(sed 's/../\\x&/g' <<<"$1")"; }

# says DESCRIPTOR NAME HEX: that is what comes next
says() {
  local heard
  heard=$(hex $((${#3} / 2)) <&"$1")
  [ "$heard" = "$3" ] || fail "$2: $heard instead of $3"
}

# closed DESCRIPTOR NAME: nothing more comes, and the end does
closed() { [ -z "$(hex 1 <&"$1")" ] && [ "$?" -eq 0 ] || fail "$2: not closed"; }

test_one_process() {
  expect 0 'one process' "$binary" --rate 2000 --seconds 1 --connections 3
  [ "$(column orders)" = 2000 ] && [ "$(column offered/s)" = 2000 ] || fail "one process: $(cat .out)"
  [ "$(column fills)" -gt 0 ] && [ $(($(column fills) % 2)) -eq 0 ] || fail "one process: fills: $(cat .out)"
  [ "$(wc -l <.out)" -eq 2 ] && [ "$(awk '{print NF}' .out | uniq)" = 9 ] || fail "one process: no table: $(cat .out)"
  [ ! -s .err ] || fail "one process: $(cat .err)"
  local rate=3000000
  ! grep -q __tsan_init "$binary" || rate=300000  # ThreadSanitizer's orders take ten times as long, and all are waited for
  expect 0 'more than it can do' "$binary" --rate "$rate" --seconds 1 --connections 2 --symbols 2
  [ "$(column orders)" = "$rate" ] || fail "more than it can do: $(cat .out)"
  expect 0 'one connection, one symbol' env SPOOL_THREADS=1 "$binary" --rate 500 --seconds 1 --connections 1 --symbols 1
  expect 0 'many connections' "$binary" --rate 1000 --seconds 1 --connections 200
}

test_protocol() {
  start --symbols 2
  exec 6<>"/dev/tcp/127.0.0.1/$port" 7<>"/dev/tcp/127.0.0.1/$port"
  bytes "$(order 01 02 64 0a)" >&6
  says 6 'a resting order' "$(ack 01)"
  bytes "$(order 09 01 65 04)" >&7
  says 7 'a crossing order' "$(ack 09)$(fill 09 01 64 04 00)"
  says 6 'the order it met' "$(fill 01 02 64 04 06)"
  # The second connection goes without a word, in the middle of a message; the first feels nothing.
  bytes 1e0001 >&7
  exec 7<&-
  # A message in two parts, behind a whole one.
  bytes "$(order 02 01 10 01)1100" >&6
  says 6 'before a part' "$(ack 02)"
  bytes "$(cancel 01 | cut -c 5-)" >&6
  says 6 cancel "$(cancelled 01 06)"
  exec 6<&-
  stop INT
  [ "$(reported orders)" -eq 3 ] && [ "$(reported trades)" -eq 1 ] && [ "$(reported bought)" -eq 4 ] ||
    fail "protocol: report: $(cat .report)"
  [ ! -s .server_err ] || fail "protocol: $(cat .server_err)"
}

test_nonsense() {
  start
  exec 6<>"/dev/tcp/127.0.0.1/$port"
  bytes "$(order 01 02 64 0a)" >&6
  says 6 'an order among nonsense' "$(ack 01)"
  local nonsense count=0
  # Lengths of nothing, too long by one and by far; wrong for the kind; an answer, no kind at all, no side at all.
  for nonsense in 0000 1f00 ffff 1e0002 110001 110081 110000 474554202f20485454502f312e310d0a "$(order 05 03 64 01)"; do
    exec 7<>"/dev/tcp/127.0.0.1/$port"
    bytes "$(order 07 01 01 01)$nonsense" >&7
    says 7 "$nonsense: what was right" "$(ack 07)"
    head -c 46 <&7 >.rest  # what rested is cancelled with the connection
    [ "$(hex 100 <.rest)" = "$malformed$(cancelled 07 01 | sed 's/bb/00/')" ] || fail "$nonsense: $(hex 100 <.rest)"
    closed 7 "$nonsense"
    exec 7<&-
    count=$((count + 1))
  done
  head -c 300000 /dev/urandom >.noise
  exec 7<>"/dev/tcp/127.0.0.1/$port"
  bytes ffff >&7
  cat .noise >&7 2>/dev/null  # is not taken for anything, and does not keep the reject from arriving
  says 7 'before noise' "$malformed"
  exec 7<&-
  bytes "$(cancel 01)" >&6
  says 6 'after nonsense' "$(cancelled 01 0a)"
  exec 6<&-
  expect 0 'load after nonsense' "$binary" --connect "127.0.0.1:$port" --rate 1000 --seconds 1
  stop TERM
  [ "$(reported malformed)" -eq $((count + 1)) ] || fail "nonsense: report: $(cat .report)"
  [ "$(grep -c 'malformed message: disconnected$' .server_err)" -eq $((count + 1)) ] ||
    fail "nonsense: $(cat .server_err)"
}

test_slow_client() {
  start
  # 2^20 cancels of what is not there: 22 MB of answers, more than socket buffers and outbox take.
  bytes "$(cancel 01)" >.many
  for _ in $(seq 20); do cat .many .many >.more && mv .more .many; done
  exec 6<>"/dev/tcp/127.0.0.1/$port"
  (trap '' PIPE; cat .many >&6 2>/dev/null) &
  local writer=$!
  expect 0 'beside a client that does not read' "$binary" --connect "127.0.0.1:$port" --rate 1000 --seconds 2
  wait "$writer"
  ! cat .many >&6 2>/dev/null || fail 'a client that does not read: still connected'
  exec 6<&-
  stop TERM
  [ "$(reported slow)" -eq 1 ] || fail "slow: report: $(cat .report)"
  [ "$(grep -c 'does not read its answers: disconnected$' .server_err)" -eq 1 ] || fail "slow: $(cat .server_err)"
  [ "$(reported orders)" -eq 2000 ] || fail "slow: report: $(cat .report)"
}

# established: connections of our port, both ends
established() { awk -v end=":$(printf '%04X' "$port")\$" '($2 ~ end || $3 ~ end) && $4 == "01"' /proc/net/tcp | wc -l; }

# What the server has taken is answered, and the answers arrive: to the load, the rest is missing.
test_signal_in_mid_load() {
  local load got=0
  start
  "$binary" --connect "127.0.0.1:$port" --rate 20000 --seconds 60 --connections 5 >.out 2>.err &
  load=$!
  until [ "$(established)" -ge 10 ]; do
    kill -0 "$load" 2>/dev/null || break
    sleep 0.1
  done
  sleep 0.3  # not to wait for anything: to be in the middle
  stop "$1"
  wait "$load" || got=$?
  [ "$got" -eq 1 ] || fail "$1 in mid-load: the load's status is $got"
  [ "$(reported drained)" -eq 1 ] || fail "$1 in mid-load: not drained"
  grep -q "but $(reported acks) acks and $(reported rejects) rejects$" .err ||
    fail "$1 in mid-load: $(cat .err), reported $(reported acks) acks"
}

test_interrupted_load() {
  local got=0
  env --default-signal=INT "$binary" --rate 1000 --seconds 600 >.out 2>.err &
  local load=$!
  sleep 0.5
  kill -s INT "$load"
  wait "$load" || got=$?
  [ "$got" -eq 0 ] || fail "interrupted load: status $got: $(cat .err)"
  [ "$(column orders)" -lt 600000 ] || fail 'interrupted load: was not'
}

test_too_few_descriptors() {
  expect 1 'too few descriptors' bash -c 'ulimit -n 64 && exec "$0" --connections 100' "$binary"
  grep -q '^orders: .*Too many open files' .err || fail "too few descriptors: $(cat .err)"
}

test_wrong_use() {
  local words
  for words in '--rate 0' '--seconds x' '--connect nowhere' '--serve --connect a:1' '--quick' 'a' '--port 70000'; do
    # shellcheck disable=SC2086
    expect 2 "options: $words" "$binary" $words
    grep -q '^usage: orders' .err || fail "options: $words: no usage"
    [ ! -s .out ] || fail "options: $words: output"
  done
  expect 0 help "$binary" --help
  grep -q '^usage: ' .out || fail 'help: no usage'
  start
  expect 1 'a port that is taken' "$binary" --serve --port "$port"
  grep -q 'Address already in use' .err || fail "a port that is taken: $(cat .err)"
  stop TERM
  expect 1 'nobody listens' "$binary" --connect "127.0.0.1:$port"
  grep -q 'Connection refused' .err || fail "nobody listens: $(cat .err)"
}

test_one_process
test_protocol
test_nonsense
test_slow_client
test_signal_in_mid_load TERM
test_signal_in_mid_load INT
test_interrupted_load
test_too_few_descriptors
test_wrong_use

[ "$failures" -eq 0 ] && echo "orders: all as expected"
exit $((failures > 0))

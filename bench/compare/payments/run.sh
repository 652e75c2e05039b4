#!/usr/bin/env bash
# The payments example beside the same service in Go and in plain Asio, under wrk on loopback; rounds in the order A B C C B A.
# usage: run.sh SPOOL_BINARY ASIO_BINARY GO_BINARY [SECONDS] [CONNECTIONS] [ROUNDS]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
spool=${1:?usage: $0 SPOOL_BINARY ASIO_BINARY GO_BINARY [SECONDS] [CONNECTIONS] [ROUNDS]}
asio=$2 go=$3
seconds=${4:-10} connections=${5:-64} rounds=${6:-3}
scratch=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill -9 "$server" 2>/dev/null || true; rm -rf "$scratch"' EXIT

# serve COMMAND...: starts a service in the background and sets `server` and `address`.
serve() {
  rm -f "$scratch"/payments.db* "$scratch/out"
  "$@" >"$scratch/out" 2>"$scratch/err" &
  server=$!
  until address=$(sed -nE 's/.*listening on (127\.0\.0\.1:[0-9]+).*/\1/p' "$scratch/out" 2>/dev/null) && [[ -n $address ]]; do
    kill -0 "$server"
    sleep 0.05
  done
}

one() {
  local name=$1
  case $name in
    spool) serve "$spool" --port 0 --database "$scratch/payments.db" ;;
    asio) serve "$asio" "$scratch/payments.db" ;;
    go) serve "$go" -database "$scratch/payments.db" ;;
  esac
  wrk -t2 -c"$connections" -d"${seconds}s" --latency -s "$here/payment.lua" "http://$address" >"$scratch/wrk.out"
  awk '/^VmHWM/ {print $2}' "/proc/$server/status" >>"$scratch/$name.kib"
  # CPU of the service per request: user and system ticks of 10 ms
  requests=$(awk '/requests in/ {print $1}' "$scratch/wrk.out")
  awk -v n="$requests" '{sub(/.*\) /, ""); print ($12 + $13) * 10000 / n}' "/proc/$server/stat" >>"$scratch/$name.cpu"
  kill -TERM "$server" && wait "$server" || true
  server=
  awk '/Requests\/sec/ {print $2}' "$scratch/wrk.out" >>"$scratch/$name.rate"
  awk 'function us(t) { return t ~ /us$/ ? t + 0 : t ~ /ms$/ ? t * 1000 : t * 1000000 } $1 == "50%" {print us($2)}' "$scratch/wrk.out" >>"$scratch/$name.p50"
  awk 'function us(t) { return t ~ /us$/ ? t + 0 : t ~ /ms$/ ? t * 1000 : t * 1000000 } $1 == "99%" {print us($2)}' "$scratch/wrk.out" >>"$scratch/$name.p99"
  grep -E 'Non-2xx|Socket errors' "$scratch/wrk.out" | sed "s/^/$name: /" >&2 || true
}

median() { sort -n "$1" | awk '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'; }

for ((round = 0; round < rounds; ++round)); do
  for name in spool asio go go asio spool; do one "$name"; done
done
printf '%-8s %12s %10s %10s %14s %10s\n' service requests/s 'p50 us' 'p99 us' 'CPU us/request' 'peak KiB'
for name in spool asio go; do
  printf '%-8s %12.0f %10.0f %10.0f %14.1f %10.0f\n' "$name" "$(median "$scratch/$name.rate")" "$(median "$scratch/$name.p50")" \
    "$(median "$scratch/$name.p99")" "$(median "$scratch/$name.cpu")" "$(median "$scratch/$name.kib")"
done

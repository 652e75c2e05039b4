#!/usr/bin/env bash
# Many connections at once on the payments example: crowd.sh PAYMENTS_BINARY [CONNECTIONS] [SECONDS]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
payments=${1:?usage: $0 PAYMENTS_BINARY [CONNECTIONS] [SECONDS]}
connections=${2:-10000} seconds=${3:-60}
scratch=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill -9 "$server" 2>/dev/null || true; rm -rf "$scratch"' EXIT
ulimit -n $((connections + 1000))

"$payments" --port 0 --database "$scratch/payments.db" >"$scratch/out" &
server=$!
until address=$(sed -nE 's/.*listening on (127\.0\.0\.1:[0-9]+).*/\1/p' "$scratch/out" 2>/dev/null) && [[ -n $address ]]; do sleep 0.05; done

wrk -t2 -c"$connections" -d"${seconds}s" --timeout 10s -s "$here/mixed.lua" "http://$address" | sed -n '/Requests.sec/p; /^p95/,$p'
awk '/^VmHWM/ {print "peak memory: " $2 / 1024 " MiB"}' "/proc/$server/status"
kill -TERM "$server"
wait "$server"
server=
echo "payments in the ledger: $(sqlite3 "$scratch/payments.db" 'select count(*) from payments')"

#!/usr/bin/env bash
# Load in steps, open loop, up to what the payments example cannot do: ramp.sh PAYMENTS_BINARY RAMP_BINARY [SECONDS] [options of payments...]
set -euo pipefail

payments=${1:?usage: $0 PAYMENTS_BINARY RAMP_BINARY [SECONDS] [options of payments...]}
ramp=$2 seconds=${3:-10}
shift $(($# < 3 ? $# : 3))
scratch=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill -9 "$server" 2>/dev/null || true; rm -rf "$scratch"' EXIT

"$payments" --port 0 --database "$scratch/payments.db" "$@" >"$scratch/out" &
server=$!
until address=$(sed -nE 's/.*listening on (127\.0\.0\.1:[0-9]+).*/\1/p' "$scratch/out" 2>/dev/null) && [[ -n $address ]]; do sleep 0.05; done

"$ramp" "$address" "$seconds" 400 1000 10000 100000 1000000 2000000 3000000 6000000 100000 1000
awk '/^VmHWM/ {print "peak memory of payments: " $2 / 1024 " MiB"}' "/proc/$server/status"
kill -TERM "$server"
wait "$server"
server=
echo "payments in the ledger: $(sqlite3 "$scratch/payments.db" 'select count(*) from payments')"

#!/usr/bin/env bash
# labels: integration
# Runs database_probe, the tests of PostgreSQL's part of the library, against a server of its own.
# usage: database.sh LIBRARY PATH_OF_DATABASE_PROBE [GoogleTest arguments...]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/postgres.sh"

probe=$(readlink -f -- "${2:?usage: $0 LIBRARY PATH_OF_DATABASE_PROBE}")
scratch=$(mktemp -d)
trap 'postgres_stop "$scratch/server"; rm -rf "$scratch"' EXIT
chmod 755 "$scratch"
postgres_start "$scratch/server"
cd "$scratch"
if ! "$probe" "${@:3}"; then
  tail -n 40 "$POSTGRES_DIR/log" >&2
  exit 1
fi

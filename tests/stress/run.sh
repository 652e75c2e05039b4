#!/usr/bin/env bash
# The stress for 5 s, or with SPOOL_TEST_LONG=1 for 10 minutes: run.sh SPOOL_STRESS
set -euo pipefail
exec "$1" "$([[ -n ${SPOOL_TEST_LONG-} ]] && echo 600 || echo 5)"

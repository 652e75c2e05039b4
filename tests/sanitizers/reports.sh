#!/usr/bin/env bash
# reports.sh PROGRAM TEXT: PROGRAM has a bug planted in it and must die with a report that holds TEXT; `PROGRAM mended`
# has none and must end well, without a report.
set -euo pipefail

program=$1 text=$2
said=$(mktemp)
trap 'rm -f "$said"' EXIT

fail() {
  cat "$said" >&2
  echo "$*" >&2
  exit 1
}

if "$program" 2>"$said"; then fail "$program ended well"; fi
grep -qF -- "$text" "$said" || fail "no report of: $text"
"$program" mended 2>"$said" || fail "$program mended failed"
! grep -qE 'Sanitizer|runtime error' "$said" || fail "$program mended is reported"
